package oidc_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/hufu-id/hufu/oidc"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/web"
)

// shelf is what the credential issuers of the test know: one configuration in two formats, licences by holder.
type shelf struct{ w *world }

const credentialIssuer = "http://localhost/i/1"

func (shelf) Configuration(id string) (oidc.CredentialConfiguration, bool) {
	if id != "driving-licence" && id != "driving-licence.mdoc" {
		return oidc.CredentialConfiguration{}, false
	}
	return oidc.CredentialConfiguration{ID: id, Scope: "driving-licence", Issuers: []string{credentialIssuer, "http://localhost/i/3"}, Title: web.Text{ZH: "机动车驾驶证", EN: "Driving licence"}}, true
}

func (s shelf) Identifiers(_ context.Context, h oidc.CredentialHolder, id string, issuers []string) ([]string, error) {
	if h.PersonID == "p-wang" || !slices.Contains(issuers, credentialIssuer) {
		return nil, nil
	}
	return []string{id + "/" + h.PersonID + h.OfferID}, nil
}

// wants is authorization_details for one configuration; pairs are further members.
func wants(configuration string, pairs ...any) string {
	d := map[string]any{"type": "openid_credential", "credential_configuration_id": configuration}
	for i := 0; i+1 < len(pairs); i += 2 {
		d[pairs[i].(string)] = pairs[i+1]
	}
	b, _ := json.Marshal([]any{d})
	return string(b)
}

// given is granted, for what else the answer says.
func given(t *testing.T, name string, tok tokens) tokens {
	t.Helper()
	granted(t, name, tok)
	return tok
}

// told says that the client, wherever it is, was told an error.
func told(t *testing.T, name string, a answer, want string) {
	t.Helper()
	if a.location == nil || a.location.Query().Get("error") != want || a.location.Query().Has("code") {
		t.Errorf("%s: want %s, got %d %v", name, want, a.status, a.location)
	}
}

// identifiers are the credential_identifiers of a token answer.
func identifiers(t tokens) []string {
	var out []string
	for _, d := range t.Details {
		out = append(out, d.Identifiers...)
	}
	return out
}

func walletRedeem(code string, pairs ...string) url.Values {
	return redeem(code, append([]string{"client_id", "wallet", "redirect_uri", "http://127.0.0.1:5001/cb"}, pairs...)...)
}

// TestWalletAsksByAuthorizationDetails: from the request to the token that an issuer sees, with a person's consent.
func TestWalletAsksByAuthorizationDetails(t *testing.T) {
	each(t, 1, func(t *testing.T, e *env) {
		b := e.browser()
		asked := request("wallet", "scope", "-", "authorization_details", wants("driving-licence", "locations", []string{credentialIssuer}, "claims", []any{1}, "x", true),
			"resource", credentialIssuer, "issuer_state", "is-1")
		page := b.get("/authorize?" + asked.Encode())
		if page.location != nil || !strings.Contains(page.body, "机动车驾驶证") {
			t.Fatalf("the consent page doesn't name the credential: %v %.300s", page.location, page.body)
		}
		code := b.agree(page).location.Query().Get("code")
		tok := given(t, "details", e.token(walletRedeem(code)))
		if !slices.Equal(identifiers(tok), []string{"driving-licence/p-li"}) || tok.ID != "" || tok.Scope != "" {
			t.Errorf("%+v", tok)
		}
		if d := tok.Details[0]; d.Type != "openid_credential" || d.Configuration != "driving-licence" || !slices.Equal(d.Locations, []string{credentialIssuer}) {
			t.Errorf("%+v", d)
		}
		at, err := e.op.ValidateAccessToken(context.Background(), tok.Access, credentialIssuer)
		must(t, err)
		if c := at.Credentials(); len(c) != 1 || c[0].ConfigurationID != "driving-licence" || !slices.Equal(c[0].Identifiers, []string{"driving-licence/p-li"}) ||
			len(at.Scopes) != 0 || at.IssuerState != "is-1" {
			t.Errorf("%+v %+v", c, at)
		}
	})
}

func TestScopeOfACredentialNamesNoIdentifiers(t *testing.T) {
	each(t, 1, func(t *testing.T, e *env) {
		tok := given(t, "scope", e.token(walletRedeem(e.code(request("wallet", "resource", credentialIssuer)), "resource", credentialIssuer)))
		if tok.Details != nil || tok.ID != "" || tok.Scope != "driving-licence" {
			t.Errorf("%+v", tok)
		}
	})
}

func TestDetailsOfCredentialsThatCannotBe(t *testing.T) {
	each(t, 1, func(t *testing.T, e *env) {
		b := e.browser()
		for name, c := range map[string]struct{ client, details, want string }{
			"twin":                    {"wallet", wants("driving-licence"), ""},
			"twin: other format":      {"wallet", wants("driving-licence.mdoc"), ""},
			"twin: an empty location": {"wallet", wants("driving-licence", "locations", []string{}), ""},
			"unknown configuration":   {"wallet", wants("passport"), "invalid_authorization_details"},
			"no configuration":        {"wallet", `[{"type":"openid_credential"}]`, "invalid_authorization_details"},
			"configuration no string": {"wallet", `[{"type":"openid_credential","credential_configuration_id":7}]`, "invalid_authorization_details"},
			"other issuer":            {"wallet", wants("driving-licence", "locations", []string{"http://localhost/i/2"}), "invalid_authorization_details"},
			"one good, one bad":       {"wallet", strings.TrimSuffix(wants("driving-licence"), "]") + `,{"type":"payment"}]`, "invalid_authorization_details"},
			"client without scope":    {"app", wants("driving-licence"), "invalid_authorization_details"},
			"no JSON":                 {"wallet", `[{`, "invalid_authorization_details"},
			"member twice":            {"wallet", `[{"type":"openid_credential","type":"openid_credential","credential_configuration_id":"driving-licence"}]`, "invalid_authorization_details"},
			"empty, no scope":         {"wallet", "", "invalid_scope"},
		} {
			a := b.get("/authorize?" + request(c.client, "scope", "-", "authorization_details", c.details).Encode())
			if c.want == "" {
				if a.location != nil || a.status != http.StatusOK || !strings.HasPrefix(a.at.Path, "/consent/") {
					t.Errorf("%s: %d %v", name, a.status, a.location)
				}
				continue
			}
			told(t, name, a, c.want)
		}
		e.loginAs("p-wang", "loa3")
		a := e.browser().login(request("wallet", "scope", "-", "authorization_details", wants("driving-licence")))
		told(t, "no licence", a, "access_denied")
	})
}

// A person reads the name of a licence once, however often and in however many formats the wallet asks for it.
func TestConsentNamesALicenceOnce(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	both := strings.TrimSuffix(wants("driving-licence"), "]") + "," + strings.TrimPrefix(wants("driving-licence.mdoc"), "[")
	b := e.browser()
	page := b.get("/authorize?" + request("wallet", "authorization_details", both).Encode())
	if n := strings.Count(page.body, "机动车驾驶证"); n != 1 {
		t.Errorf("%d times", n)
	}
	tok := given(t, "both ways", e.token(walletRedeem(b.agree(page).location.Query().Get("code"))))
	if len(tok.Details) != 2 || tok.Scope != "driving-licence" {
		t.Errorf("%+v", tok)
	}
}

// TestTokenNarrowsDetails: RFC 9396 section 6.1, and the grant itself stays as wide as it was.
func TestTokenNarrowsDetails(t *testing.T) {
	each(t, 1, func(t *testing.T, e *env) {
		both := strings.TrimSuffix(wants("driving-licence"), "]") + "," + strings.TrimPrefix(wants("driving-licence.mdoc"), "[")
		c, err := e.op.Clients().Get(context.Background(), "wallet")
		must(t, err)
		c.GrantTypes = append(slices.Clone(c.GrantTypes), client.RefreshToken)
		must(t, e.op.Clients().Put(context.Background(), c))
		code := e.code(request("wallet", "scope", "-", "authorization_details", both))
		refused(t, "more than was granted", e.token(walletRedeem(code, "authorization_details", wants("passport"))), 400, "invalid_authorization_details")
		tok := given(t, "narrowed", e.token(walletRedeem(code, "authorization_details", wants("driving-licence.mdoc"))))
		if !slices.Equal(identifiers(tok), []string{"driving-licence.mdoc/p-li"}) {
			t.Errorf("%+v", tok.Details)
		}
		at, err := e.op.ValidateAccessToken(context.Background(), tok.Access, credentialIssuer)
		must(t, err)
		if c := at.Credentials(); len(c) != 1 || c[0].ConfigurationID != "driving-licence.mdoc" {
			t.Errorf("the token is wider than what was asked for: %+v", c)
		}
		again := given(t, "refresh", e.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tok.Refresh}, "client_id": {"wallet"}}))
		if !slices.Equal(identifiers(again), []string{"driving-licence/p-li", "driving-licence.mdoc/p-li"}) {
			t.Errorf("a refresh keeps the identifiers: %+v", again.Details)
		}
		c.Scopes = []string{"openid"}
		must(t, e.op.Clients().Put(context.Background(), c))
		refused(t, "the client lost its scope", e.token(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {again.Refresh}, "client_id": {"wallet"}}), 400, "invalid_grant")
	})
}

// TestPreAuthorizedCodeWithDetails: the wallet is anonymous, the offer decides.
func TestPreAuthorizedCodeWithDetails(t *testing.T) {
	each(t, 1, func(t *testing.T, e *env) {
		form := url.Values{"grant_type": {client.PreAuthorizedCode}, "pre-authorized_code": {"offer-1"}, "tx_code": {"123456"}}
		for name, details := range map[string]string{"unknown": wants("passport"), "no list": "{}", "other type": `[{"type":"payment"}]`,
			"another issuer": wants("driving-licence", "locations", []string{"http://localhost/i/2"}), "not the offer's issuer": wants("driving-licence", "locations", []string{"http://localhost/i/3", credentialIssuer})} {
			e.world.offers["offer-1"] = "123456" // the offers of this world know no rollback
			refused(t, name, e.token(with(form, "authorization_details", details)), 400, "invalid_authorization_details")
		}
		e.world.offers["offer-1"] = "123456"
		tok := given(t, "twin", e.token(with(form, "authorization_details", wants("driving-licence"), "resource", "https://x.example")))
		if !slices.Equal(identifiers(tok), []string{"driving-licence/offer-1"}) || tok.Scope != "" {
			t.Errorf("%+v", tok)
		}
	})
}

func TestMetadataListsCredentialDetails(t *testing.T) {
	each(t, 1, func(t *testing.T, e *env) {
		var doc struct {
			Types     []string `json:"authorization_details_types_supported"`
			Anonymous bool     `json:"pre-authorized_grant_anonymous_access_supported"`
			Issuer    string   `json:"issuer"`
		}
		must(t, json.Unmarshal([]byte(e.browser().get("/.well-known/oauth-authorization-server").body), &doc))
		if !slices.Equal(doc.Types, []string{"openid_credential"}) || !doc.Anonymous || doc.Issuer != e.issuer {
			t.Errorf("%+v", doc)
		}
	})
}
