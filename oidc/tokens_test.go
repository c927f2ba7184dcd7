package oidc_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc/client"
)

const insurance = "https://api.example/insurance"

// insured registers "insured", which gets opaque or JWT tokens for an API, and "api", which is the API.
func (e *env) insured(opaque bool) {
	e.t.Helper()
	app, err := e.op.Clients().Get(context.Background(), "app")
	must(e.t, err)
	c := app
	c.ID, c.Resources, c.OpaqueTokens = "insured", []string{insurance, "https://api.example/tax"}, opaque
	c.GrantTypes = []string{client.AuthorizationCode, client.RefreshToken, client.ClientCredentials}
	must(e.t, e.op.Clients().Put(context.Background(), c))
	c = app
	c.ID, c.Serves = "api", []string{insurance}
	must(e.t, e.op.Clients().Put(context.Background(), c))
}

// ask posts a form as a client of the secret.
func (e *env) ask(path, id string, form url.Values, header ...string) reply {
	e.t.Helper()
	f := &fapi{env: e}
	return f.send(http.MethodPost, path, form, append([]string{"Authorization", basic(id, e.secret)}, header...)...)
}

func (e *env) active(id, token string) bool {
	e.t.Helper()
	a := e.ask("/introspect", id, url.Values{"token": {token}})
	if a.status != http.StatusOK {
		e.t.Fatalf("introspect: %d %v", a.status, a.body)
	}
	if len(a.body) > 1 && a.body["active"] != true {
		e.t.Errorf("an inactive token tells more: %v", a.body)
	}
	return a.body["active"] == true
}

func TestD12TokensAreToldOfToTheirOwnOnly(t *testing.T) {
	each(t, 1, func(t *testing.T, e *env) {
		for _, opaque := range []bool{false, true} {
			e.insured(opaque)
			code := e.code(request("insured", "resource", insurance))
			tok := e.token(redeem(code, "resource", insurance), "Authorization", basic("insured", e.secret))
			if tok.status != http.StatusOK || strings.Contains(tok.Access, ".") == opaque {
				t.Fatalf("opaque %v: %d %s %s", opaque, tok.status, tok.Error, tok.Access)
			}
			a := e.ask("/introspect", "api", url.Values{"token": {tok.Access}})
			if aud, _ := a.body["aud"].([]any); a.body["active"] != true || len(aud) != 1 || aud[0] != insurance || a.body["client_id"] != "insured" ||
				a.body["acr"] != "loa3" || a.body["token_type"] != "Bearer" || a.body["iss"] != e.issuer {
				t.Errorf("to the API: %v", a.body)
			}
			for id, want := range map[string]bool{"insured": true, "app": false, "other": false} {
				if got := e.active(id, tok.Access); got != want {
					t.Errorf("D12 %s, opaque %v: %v", id, opaque, got)
				}
			}
			if status, _ := e.userinfo(tok.Access); status != http.StatusUnauthorized {
				t.Errorf("a token narrowed to an API is good at userinfo: %d", status)
			}
			for name, header := range map[string]string{"D12 a user's token as proof": "Bearer " + tok.Access, "D12 wrong secret": basic("api", "x")} {
				a := (&fapi{env: e}).send(http.MethodPost, "/introspect", url.Values{"token": {tok.Access}}, "Authorization", header)
				if a.status != http.StatusUnauthorized || a.body["active"] != nil {
					t.Errorf("%s: %d %v", name, a.status, a.body)
				}
			}
			if a := (&fapi{env: e}).send(http.MethodPost, "/introspect", url.Values{"token": {tok.Access}, "client_id": {"public"}}); a.status != http.StatusUnauthorized {
				t.Errorf("D12 public client: %d %v", a.status, a.body)
			}
			if id := claimsOf(t, tok.ID); id["at_hash"] != atHash(tok.Access) {
				t.Error("at_hash is not that of the token")
			}
			e.clock.add(6 * time.Minute)
			if e.active("api", tok.Access) {
				t.Error("an expired token is active")
			}
		}
	})
}

func TestResourceNarrowsAndNeverWidens(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	e.insured(false)
	as := []string{"Authorization", basic("insured", e.secret)}
	code := e.code(request("insured", "resource", insurance))
	if tok := e.token(redeem(code, "resource", "https://api.example/tax"), as...); tok.Error != "invalid_target" {
		t.Errorf("A16 not granted: %d %s", tok.status, tok.Error)
	}
	// The refusal did not cost the code.
	if tok := e.token(redeem(code), as...); tok.status != http.StatusOK || !e.active("api", tok.Access) {
		t.Errorf("without resource: %d %s", tok.status, tok.Error)
	}
	if tok := e.token(url.Values{"grant_type": {"client_credentials"}, "resource": {insurance}}, as...); tok.status != http.StatusOK || !e.active("api", tok.Access) {
		t.Errorf("client_credentials: %d %s", tok.status, tok.Error)
	}
	if tok := e.token(url.Values{"grant_type": {"client_credentials"}, "resource": {"https://evil.example"}}, as...); tok.Error != "invalid_target" {
		t.Errorf("client_credentials, foreign: %d %s", tok.status, tok.Error)
	}
}

func TestRevocationEndsWhatWasGranted(t *testing.T) {
	each(t, 2, func(t *testing.T, e *env) {
		e.renewing()
		first := e.start("renew")
		for name, form := range map[string]url.Values{
			"C04 unknown": {"token": {"x"}}, "C04 another client's": {"token": {first.Refresh}},
		} {
			id := "renewother"
			if a := e.ask("/revoke", id, form); a.status != http.StatusOK {
				t.Errorf("%s: %d", name, a.status)
			}
		}
		if status, _ := e.userinfo(first.Access); status != http.StatusOK {
			t.Fatal("another client revoked the token")
		}
		if a := e.ask("/revoke", "renew", url.Values{"token": {first.Refresh}, "token_type_hint": {"access_token"}}); a.status != http.StatusOK {
			t.Fatalf("revoke: %d %v", a.status, a.body)
		}
		if tok := e.renewAt(1, "renew", first.Refresh); tok.Error != "invalid_grant" {
			t.Errorf("C08 refresh on the other node: %d %s", tok.status, tok.Error)
		}
		if status, _ := e.userinfo(first.Access); status != http.StatusUnauthorized {
			t.Errorf("C08 the access token lives: %d", status)
		}
		second := e.start("renew")
		if a := e.ask("/revoke", "renew", url.Values{"token": {second.Access}}); a.status != http.StatusOK || e.active("renew", second.Refresh) {
			t.Errorf("by the access token: %d", a.status)
		}
		if a := e.ask("/revoke", "renew", url.Values{}); a.status != http.StatusBadRequest {
			t.Errorf("no token: %d", a.status)
		}
	})
}

func TestIntrospectionIsSignedForWhoAsks(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	e.insured(true)
	tok := e.token(redeem(e.code(request("insured", "resource", insurance)), "resource", insurance), "Authorization", basic("insured", e.secret))
	req, err := http.NewRequest(http.MethodPost, e.issuer+"/introspect", strings.NewReader(url.Values{"token": {tok.Access}}.Encode()))
	must(t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", basic("api", e.secret))
	req.Header.Set("Accept", "application/token-introspection+jwt")
	resp, err := http.DefaultClient.Do(req)
	must(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(t, err)
	keys, err := e.world.VerificationKeys(context.Background())
	must(t, err)
	v, err := jose.Verify(string(body), jose.Policy{Typ: []string{"token-introspection+jwt"}, Algs: []jose.Alg{jose.ES256}}, keys...)
	must(t, err)
	claims, err := v.Claims(jose.ClaimPolicy{Issuer: e.issuer, Audience: "api", At: e.clock.Now(), OptionalExp: true, RequireIat: true})
	must(t, err)
	if inner, _ := claims["token_introspection"].(map[string]any); inner["active"] != true || resp.Header.Get("Content-Type") != "application/token-introspection+jwt" {
		t.Errorf("%v", claims)
	}
}

// C07: a revocation that the database refuses is never "done" (CVE-2020-15223 of fosite). Without its audit event nothing is written.
func TestC07RevocationNeverSaysDoneWhenItFailed(t *testing.T) {
	each(t, 1, func(t *testing.T, e *env) {
		e.renewing()
		rename := func(from, to string) {
			t.Helper()
			_, err := e.db.Exec(context.Background(), `ALTER TABLE `+from+` RENAME TO `+to)
			must(t, err)
		}
		for _, pick := range []func(tokens) string{func(tok tokens) string { return tok.Refresh }, func(tok tokens) string { return tok.Access }} {
			tok := e.start("renew")
			form := url.Values{"token": {pick(tok)}}
			rename("audit_events", "audit_away")
			if a := e.ask("/revoke", "renew", form); a.status != http.StatusServiceUnavailable {
				t.Errorf("C07 the database refuses: %d %v", a.status, a.body)
			}
			rename("audit_away", "audit_events")
			if status, _ := e.userinfo(tok.Access); status != http.StatusOK {
				t.Errorf("C07 the token is half dead: %d", status)
			}
			if a := e.ask("/revoke", "renew", form); a.status != http.StatusOK {
				t.Errorf("C07 again, later: %d %v", a.status, a.body)
			}
			if status, _ := e.userinfo(tok.Access); status != http.StatusUnauthorized {
				t.Errorf("C07 the token lives: %d", status)
			}
		}
	})
}
