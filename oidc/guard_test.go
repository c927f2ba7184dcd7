package oidc_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/hufu-id/hufu/oidc"
	"github.com/hufu-id/hufu/oidc/resource"
)

// TestADepartmentsAPITakesOurTokens: what this server issues goes through oidc/resource at an API of its own, and nothing else does.
func TestADepartmentsAPITakesOurTokens(t *testing.T) {
	const api = "https://api.example"
	each(t, 1, func(t *testing.T, e *env) {
		f := newFAPI(e, "bank", func(c *oidc.Client) { c.Resources = []string{api} })
		f.warm()
		carried := f.pushed(request("bank", "response_mode", "jwt", "resource", api), "DPoP", f.proof("POST", e.issuer+"/par", ""))
		code, _ := f.jarm(e.browser().login(carried).location.Query().Get("response"))["code"].(string)
		tok := f.redeem(code)
		access, _ := tok.body["access_token"].(string)
		id, _ := tok.body["id_token"].(string)
		if tok.status != 200 {
			t.Fatalf("token: %d %v", tok.status, tok.body)
		}
		guard, err := resource.New(resource.Config{Issuer: e.issuer, Audience: api, BaseURL: api, Now: e.clock.Now,
			Need: resource.Need{Scopes: []string{"openid"}, ACR: []string{"loa3", "loa4"}, MaxAge: time.Minute, Bound: true}})
		must(t, err)
		other, err := resource.New(resource.Config{Issuer: e.issuer, Audience: "https://other.example", BaseURL: api, Now: e.clock.Now})
		must(t, err)
		for _, c := range []struct {
			name  string
			guard *resource.Guard
			token string
			proof string
			want  int
		}{
			{"ours", guard, access, f.proof("GET", api+"/things", access), 200},
			{"P08 at another API", other, access, f.proof("GET", api+"/things", access), 401},
			{"N01 ID token", guard, id, f.proof("GET", api+"/things", id), 401},
			{"D13 proof for another", guard, access, f.proof("GET", api+"/others", access), 401},
			{"a better login is needed", guard.For(resource.Need{ACR: []string{"loa4"}}), access, f.proof("GET", api+"/things", access), 401},
		} {
			r := httptest.NewRequest(http.MethodGet, "/things", nil)
			r.Header.Set("Authorization", "DPoP "+c.token)
			r.Header.Set("DPoP", c.proof)
			rec := httptest.NewRecorder()
			c.guard.Protect(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				if got, _ := resource.FromContext(r.Context()); got.ClientID != "bank" || got.Subject == "" || got.ACR != "loa3" || got.AuthTime.IsZero() || got.JKT != f.dpop.ID {
					t.Errorf("%s: %+v", c.name, got)
				}
			})).ServeHTTP(rec, r)
			if rec.Code != c.want {
				t.Errorf("%s: %d %s %s", c.name, rec.Code, rec.Header().Get("WWW-Authenticate"), rec.Body)
			}
		}
	})
}
