package oidc_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/oidc"
	"github.com/hufu-id/hufu/oidc/client"
)

// A revocation that didn't happen is not 200 (CVE-2020-15223 of fosite): the client tries again, and then it holds.
func TestC07RevocationWithoutTheDatabase(t *testing.T) {
	for _, engine := range []sqlstore.Engine{sqlstore.SQLite, sqlstore.PostgreSQL} {
		t.Run(string(engine), func(t *testing.T) {
			var fails atomic.Value
			fails.Store("")
			e := newEnv(t, sqltest.DSN(t, engine), 2, func(e *env) { e.store = func(s oidc.Store) oidc.Store { return brokenStore{s, &fails} } })
			e.renewing()
			for name, token := range map[string]func(tokens) string{"refresh token": func(tok tokens) string { return tok.Refresh }, "access token": func(tok tokens) string { return tok.Access }} {
				tok := e.start("renew")
				form := url.Values{"token": {token(tok)}}
				fails.Store("commit")
				a := e.ask("/revoke", "renew", form)
				if a.status != http.StatusServiceUnavailable || strings.Contains(strings.ToLower(a.text("error_description")), "commit") {
					t.Errorf("C07 %s: %d %v", name, a.status, a.body)
				}
				fails.Store("")
				if status, _ := e.userinfo(tok.Access); status != 200 {
					t.Errorf("C07 %s: half a revocation happened: %d", name, status)
				}
				if a := e.ask("/revoke", "renew", form); a.status != 200 {
					t.Errorf("C07 %s, again: %d %v", name, a.status, a.body)
				}
				for node := range 2 {
					refused(t, "C07 "+name+" after it", e.renewAt(node, "renew", tok.Refresh), 400, "invalid_grant")
				}
				if status, _ := e.userinfo(tok.Access); status != 401 {
					t.Errorf("C08 %s: the access token lives: %d", name, status)
				}
			}
		})
	}
}

// A public client's refresh token belongs to the key of the first redemption; a stolen one is good for nothing, and ends nothing.
func TestRefreshTokensOfAKey(t *testing.T) {
	each(t, 2, func(t *testing.T, e *env) {
		e.renewing()
		owner, thief := e.prover(), e.prover()
		ask := func(node int, f *fapi, form url.Values) tokens {
			header := []string{}
			if f != nil {
				header = []string{"DPoP", f.proof("POST", e.issuer+"/token", "")}
			}
			return e.tokenAt(node, with(form, "client_id", "renewpublic"), header...)
		}
		renew := func(node int, f *fapi, refresh string) tokens {
			return ask(node, f, url.Values{"grant_type": {client.RefreshToken}, "refresh_token": {refresh}})
		}
		v := request("renewpublic", "redirect_uri", "http://127.0.0.1:5001/cb")
		first := ask(0, owner, redeem(e.code(v), "redirect_uri", "http://127.0.0.1:5001/cb"))
		if first.status != 200 || first.Type != "DPoP" || first.Refresh == "" {
			t.Fatalf("%d %s %s", first.status, first.Error, first.Type)
		}
		for name, f := range map[string]*fapi{"C03 another key": thief, "C03 no key": nil} {
			refused(t, name, renew(1, f, first.Refresh), 400, "invalid_grant")
		}
		second := renew(0, owner, first.Refresh)
		if second.status != 200 || second.Refresh == first.Refresh || second.Type != "DPoP" {
			t.Fatalf("twin: %d %s", second.status, second.Error)
		}
		e.clock.add(20 * time.Second)
		if retry := renew(1, owner, first.Refresh); retry.status != 200 || retry.Refresh != second.Refresh {
			t.Errorf("C03 retry with the same key: %d %s", retry.status, retry.Error)
		}
		refused(t, "C02 retry with another key", renew(1, thief, first.Refresh), 400, "invalid_grant")
		refused(t, "C02 the family after it", renew(0, owner, second.Refresh), 400, "invalid_grant")
	})
}

// forgetful can't use up an id while it is told so.
type forgetful struct {
	oidc.Store
	on *atomic.Bool
}

func (s forgetful) ClaimOnce(ctx context.Context, kind, id string, expires time.Time) error {
	if s.on.Load() {
		return errBroken
	}
	return s.Store.ClaimOnce(ctx, kind, id, expires)
}

// Where an assertion can't be used up, nothing is given; and it is our fault, not the client's proof.
func TestD02AssertionsWithoutTheDatabase(t *testing.T) {
	var on atomic.Bool
	e := newEnv(t, sqltest.DSN(t, sqlstore.SQLite), 1, func(e *env) { e.store = func(s oidc.Store) oidc.Store { return forgetful{s, &on} } })
	m := newMatrix(t, e)
	cc := url.Values{"grant_type": {client.ClientCredentials}, "scope": {"register"}}
	for _, fails := range []bool{true, false} {
		on.Store(fails)
		for path, form := range map[string]url.Values{"/token": cc, "/par": request("m"), "/introspect": {"token": {"x"}}, "/revoke": {"token": {"x"}}} {
			r := m.send(http.MethodPost, path, m.authenticated(form))
			if fails && (r.status < 500 || r.body["error"] != "server_error") || !fails && r.status >= 300 {
				t.Errorf("D02 %s, no database %v: %d %v", path, fails, r.status, r.body)
			}
		}
	}
}
