package request

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/flow"
	"github.com/hufu-id/hufu/oidc/hint"
	"github.com/hufu-id/hufu/oidc/oauth"
	"github.com/hufu-id/hufu/web"
)

const issuer = "https://id.example"

func text(zh, en string) web.Text { return web.Text{ZH: zh, EN: en} }

var catalogue = Catalogue{"enquiry": {Title: text("查询您的医保账户", "look at your medical insurance account"),
	Actions:   map[string]web.Text{"balance": text("余额", "the balance"), "history": text("明细", "the history")},
	DataTypes: map[string]web.Text{"drugs": text("用药", "medicines")}, Locations: []string{"https://api.example/insurance"}}}

func parser() *Parser {
	return &Parser{Issuer: issuer, Details: catalogue, Now: time.Now,
		Hints: hint.Reader{Issuer: issuer, Keys: func(context.Context) ([]jose.JWK, error) { return nil, nil }},
		Credential: func(s string) ([]string, web.Text, bool) {
			return []string{issuer + "/i/1"}, text("驾驶证", "licence"), s == "driving-licence"
		}}
}

var app = client.Client{ID: "app", RedirectURIs: []string{"https://rp.example/cb"}, GrantTypes: []string{client.AuthorizationCode}, AuthMethod: client.SecretBasic,
	Scopes: []string{"openid", "profile", "driving-licence"}, Resources: []string{"https://api.example/insurance"}, DetailTypes: []string{"enquiry"}}

// good is a good request; pairs change or (value "-") remove parameters.
func good(pairs ...string) url.Values {
	v := url.Values{"client_id": {"app"}, "response_type": {"code"}, "scope": {"openid"}, "redirect_uri": {"https://rp.example/cb"}}
	for i := 0; i+1 < len(pairs); i += 2 {
		if v.Set(pairs[i], pairs[i+1]); pairs[i+1] == "-" {
			v.Del(pairs[i])
		}
	}
	return v
}

func push(t testing.TB, v url.Values) (flow.Request, oauth.Code) {
	t.Helper()
	req, _, err := parser().Push(context.Background(), app, v)
	if err == nil {
		return req, ""
	}
	e, ok := err.(*oauth.Error)
	if !ok {
		t.Fatalf("a fault: %v", err)
	}
	return req, e.Code
}

func TestParametersOneByOne(t *testing.T) {
	if _, code := push(t, good()); code != "" {
		t.Fatalf("the good request: %s", code)
	}
	long := strings.Repeat("x", 5000)
	for name, c := range map[string]struct {
		v    url.Values
		want oauth.Code
	}{
		"form_post":                     {good("response_mode", "form_post"), ""},
		"JWT":                           {good("response_mode", "form_post.jwt"), ""},
		"fragment":                      {good("response_mode", "fragment"), oauth.InvalidRequest},
		"dpop_jkt":                      {good("dpop_jkt", strings.Repeat("A", 43)), ""},
		"short dpop_jkt":                {good("dpop_jkt", "A"), oauth.InvalidRequest},
		"max_age 0":                     {good("max_age", "0"), ""},
		"max_age -1":                    {good("max_age", "-1"), oauth.InvalidRequest},
		"claims":                        {good("claims", `{"userinfo":{"name":{"essential":true},"x":null}}`), ""},
		"claims no object":              {good("claims", `[]`), oauth.InvalidRequest},
		"claims duplicate member":       {good("claims", `{"userinfo":{},"userinfo":{"name":null}}`), oauth.InvalidRequest},
		"A16 claims too long":           {good("claims", `{"userinfo":{"`+long+`":null}}`), oauth.InvalidRequest},
		"claims acr known":              {good("claims", `{"id_token":{"acr":{"essential":true,"values":["loa2"]}}}`), ""},
		"claims acr unknown":            {good("claims", `{"id_token":{"acr":{"essential":true,"values":["gold"]}}}`), oauth.UnmetAuthentication},
		"claims acr voluntary, unknown": {good("claims", `{"id_token":{"acr":{"values":["gold"]}}}`), ""},
		"claims two subjects":           {good("claims", `{"id_token":{"sub":{"value":"a"}},"userinfo":{"sub":{"value":"b"}}}`), oauth.InvalidRequest},
		"claims one subject":            {good("claims", `{"id_token":{"sub":{"value":"a"}},"userinfo":{"sub":{"value":"a"}}}`), ""},
		"resource registered":           {good("resource", "https://api.example/insurance"), ""},
		"resource ourselves":            {good("resource", issuer), ""},
		"resource of the scope":         {good("scope", "openid driving-licence", "resource", issuer+"/i/1"), ""},
		"resource without its scope":    {good("resource", issuer+"/i/1"), oauth.InvalidTarget},
		"A16 resource foreign":          {good("resource", "https://evil.example/"), oauth.InvalidTarget},
		"resource fragment":             {good("resource", "https://api.example/insurance#x"), oauth.InvalidTarget},
		"details":                       {good("authorization_details", `[{"type":"enquiry","actions":["balance"],"locations":["https://api.example/insurance"]}]`), ""},
		"details without scope":         {good("scope", "-", "authorization_details", `[{"type":"enquiry"}]`), ""},
		"details unknown type":          {good("authorization_details", `[{"type":"payment"}]`), oauth.InvalidDetails},
		"details unknown action":        {good("authorization_details", `[{"type":"enquiry","actions":["delete"]}]`), oauth.InvalidDetails},
		"details unknown member":        {good("authorization_details", `[{"type":"enquiry","amount":1}]`), oauth.InvalidDetails},
		"details unknown location":      {good("authorization_details", `[{"type":"enquiry","locations":["https://evil.example"]}]`), oauth.InvalidDetails},
		"details no array":              {good("authorization_details", `{"type":"enquiry"}`), oauth.InvalidDetails},
		"details empty":                 {good("authorization_details", `[]`), oauth.InvalidDetails},
		"details six":                   {good("authorization_details", "["+strings.Repeat(`{"type":"enquiry"},`, 5)+`{"type":"enquiry"}]`), oauth.InvalidDetails},
		"neither scope nor details":     {good("scope", "-"), oauth.InvalidScope},
		"A16 control character":         {good("state", "a\r\nSet-Cookie: x"), oauth.InvalidRequest},
	} {
		if _, code := push(t, c.v); code != c.want {
			t.Errorf("%s: %q, want %q", name, code, c.want)
		}
	}
}

func TestClaimsAskForWhatTheySay(t *testing.T) {
	req, code := push(t, good("claims", `{"userinfo":{"name":null,"birthdate":{"value":"1958-03-12"}},"id_token":{"name":null,"sub":{"value":"s"},"acr":{"essential":true,"values":["loa3","loa4"]}}}`,
		"acr_values", "loa2"))
	if code != "" || !slices.Equal(req.UserinfoClaims, []string{"name", "birthdate"}) || !slices.Equal(req.IDTokenClaims, []string{"name"}) ||
		!slices.Equal(req.ClaimValues["birthdate"], []string{"1958-03-12"}) || req.HintSubject != "s" || req.RequiredACR != "loa3" {
		t.Errorf("%s %+v", code, req)
	}
}

func TestDetailsAreShownInOurWords(t *testing.T) {
	words := catalogue.Words(json.RawMessage(`{"type":"enquiry","actions":["balance","history"],"datatypes":["drugs"]}`))
	if words.EN != "look at your medical insurance account: the balance, the history, medicines" || words.ZH != "查询您的医保账户：余额、明细、用药" {
		t.Errorf("%+v", words)
	}
}

func FuzzParameters(f *testing.F) {
	f.Add("claims", `{"userinfo":{"name":{"essential":true}},"id_token":{"acr":{"values":["loa3"]}}}`)
	f.Add("authorization_details", `[{"type":"enquiry","actions":["balance"]}]`)
	f.Add("resource", "https://api.example/insurance")
	f.Add("max_age", "0")
	f.Add("prompt", "login consent")
	f.Fuzz(func(t *testing.T, name, value string) {
		if name == "request" || name == "id_token_hint" {
			return // their readers have targets of their own
		}
		req, code := push(t, good(name, value)) // fails on any error that is no answer
		if code == "" && (len(req.Details) > 5 || len(req.UserinfoClaims)+len(req.IDTokenClaims) > maxClaims) {
			t.Errorf("a limit does not hold: %+v", req)
		}
	})
}
