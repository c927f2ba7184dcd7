package oidc_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hufu-id/hufu/oidc"
	"github.com/hufu-id/hufu/oidc/client"
)

// renewing registers clients that may have refresh tokens: "renew" with a secret, "renewpublic" without, "renewother" of another organisation.
func (e *env) renewing() {
	e.t.Helper()
	for id, from := range map[string]string{"renew": "app", "renewpublic": "public", "renewother": "other"} {
		c, err := e.op.Clients().Get(context.Background(), from)
		must(e.t, err)
		c.ID = id
		c.GrantTypes = []string{client.AuthorizationCode, client.RefreshToken}
		c.Scopes = append(slices.Clone(c.Scopes), "offline_access")
		must(e.t, e.op.Clients().Put(context.Background(), c))
	}
}

// start logs in for a client and redeems the code; public clients say who they are, the others show the secret.
func (e *env) start(id string, pairs ...string) tokens {
	e.t.Helper()
	v := request(id, pairs...)
	if id == "renewpublic" {
		v.Set("redirect_uri", "http://127.0.0.1:5001/cb")
	}
	form, auth := e.as(id, redeem(e.code(v), "redirect_uri", v.Get("redirect_uri")))
	return e.token(form, auth...)
}

func (e *env) as(id string, form url.Values) (url.Values, []string) {
	if id == "renewpublic" {
		return with(form, "client_id", id), nil
	}
	return form, []string{"Authorization", basic(id, e.secret)}
}

func (e *env) renewAt(node int, id, refresh string, pairs ...string) tokens {
	form, auth := e.as(id, with(url.Values{"grant_type": {client.RefreshToken}, "refresh_token": {refresh}}, pairs...))
	return e.tokenAt(node, form, auth...)
}

func (e *env) renew(id, refresh string, pairs ...string) tokens {
	return e.renewAt(0, id, refresh, pairs...)
}

func atHash(access string) string {
	sum := sha256.Sum256([]byte(access))
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

func claimsOf(t *testing.T, token string) map[string]any {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("not a JWT: %q", token)
	}
	b, err := base64.RawURLEncoding.DecodeString(parts[1])
	must(t, err)
	out := map[string]any{}
	must(t, json.Unmarshal(b, &out))
	return out
}

func TestWhoGetsARefreshToken(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	e.renewing()
	if tok := e.start("app"); tok.Refresh != "" {
		t.Error("a client that is not registered for refresh_token got one")
	}
	if tok := e.start("app", "scope", "openid offline_access"); tok.Refresh != "" || tok.Scope != "openid" {
		t.Errorf("offline_access for a client that can't use it: scope %q", tok.Scope)
	}
	for id, want := range map[string]string{"renew": "openid profile", "renewpublic": "openid profile"} {
		if tok := e.start(id); tok.Refresh == "" || tok.Scope != want {
			t.Errorf("%s: refresh token %v, scope %q", id, tok.Refresh != "", tok.Scope)
		}
	}
	// offline_access is something that the person agrees to, in words.
	b := e.browser()
	page := b.get("/authorize?" + request("renew", "scope", "openid offline_access", "prompt", "consent").Encode())
	if !strings.Contains(page.body, "您不在时的连接") {
		t.Error("the consent page does not say that the client stays connected")
	}
	if tok := e.token(redeem(b.agree(page).location.Query().Get("code")), "Authorization", basic("renew", e.secret)); tok.Refresh == "" || tok.Scope != "openid offline_access" {
		t.Errorf("offline: %+v", tok)
	}
	// A standing consent that covers it will do the next time, one that doesn't won't.
	if a := b.get("/authorize?" + request("renew", "scope", "openid offline_access", "prompt", "none").Encode()); a.location.Query().Get("code") == "" {
		t.Errorf("the standing consent: %s", a.location)
	}
	other := e.browser()
	other.login(request("renewother", "scope", "openid"))
	if a := other.get("/authorize?" + request("renewother", "scope", "openid offline_access", "prompt", "none").Encode()); a.location.Query().Get("error") != "consent_required" {
		t.Errorf("offline_access was not agreed to: %s", a.location)
	}
}

func TestRefreshedTokens(t *testing.T) {
	each(t, 1, func(t *testing.T, e *env) {
		e.renewing()
		first := e.start("renew", "scope", "openid profile phone")
		e.clock.add(10 * time.Minute)
		second := e.renew("renew", first.Refresh)
		granted(t, "refresh", second)
		was, is := claimsOf(t, first.ID), claimsOf(t, second.ID)
		for _, same := range []string{"iss", "sub", "aud", "auth_time", "acr", "sid"} {
			if was[same] == nil || was[same] != is[same] {
				t.Errorf("%s: %v became %v", same, was[same], is[same])
			}
		}
		if _, has := is["nonce"]; has || is["iat"] == was["iat"] || is["at_hash"] == was["at_hash"] || is["at_hash"] != atHash(second.Access) {
			t.Errorf("ID token %v", slices.Collect(maps.Keys(is)))
		}
		if status, info := e.userinfo(second.Access); status != 200 || info["sub"] != is["sub"] || info["phone_number"] == nil {
			t.Errorf("userinfo %d", status)
		}
		// Less scope, less said; more scope, nothing.
		refused(t, "wider scope", e.renew("renew", second.Refresh, "scope", "openid profile offline_access"), 400, "invalid_scope")
		refused(t, "no scope", e.renew("renew", second.Refresh, "scope", " "), 400, "invalid_scope")
		third := e.renew("renew", second.Refresh, "scope", "openid profile")
		granted(t, "narrower", third)
		if status, info := e.userinfo(third.Access); status != 200 || info["phone_number"] != nil || info["name"] == nil || third.Scope != "openid profile" {
			t.Errorf("userinfo of the narrower token: %d, scope %q, phone told: %v", status, third.Scope, info["phone_number"] != nil)
		}
		if fourth := e.renew("renew", third.Refresh, "scope", "profile"); fourth.ID != "" {
			t.Error("an ID token without openid")
		} else if fifth := e.renew("renew", fourth.Refresh); fifth.Scope != "openid profile phone" {
			t.Errorf("the grant itself was narrowed: %q", fifth.Scope)
		}
	})
}

func TestRefreshErrors(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	e.renewing()
	tok := e.start("renew")
	refused(t, "missing", e.renew("renew", tok.Refresh, "refresh_token", "-"), 400, "invalid_request")
	refused(t, "nonsense", e.renew("renew", "nonsense"), 400, "invalid_grant")
	refused(t, "an access token", e.renew("renew", tok.Access), 400, "invalid_grant")
	refused(t, "an ID token", e.renew("renew", tok.ID), 400, "invalid_grant")
	refused(t, "another client's", e.renew("renewother", tok.Refresh), 400, "invalid_grant")
	refused(t, "wrong secret", e.token(url.Values{"grant_type": {client.RefreshToken}, "refresh_token": {tok.Refresh}}, "Authorization", basic("renew", "x")), 401, "invalid_client")
	refused(t, "as public", e.token(url.Values{"grant_type": {client.RefreshToken}, "refresh_token": {tok.Refresh}, "client_id": {"renew"}}), 401, "invalid_client")
	refused(t, "not registered", e.token(url.Values{"grant_type": {client.RefreshToken}, "refresh_token": {tok.Refresh}}, "Authorization", basic("app", e.secret)), 400, "unauthorized_client")
	granted(t, "none of it took anything", e.renew("renew", tok.Refresh))
}

// One token, twenty times at once on two nodes: one new generation, the same for all.
func TestC01OneLeafPerRefreshTokenOnTwoNodes(t *testing.T) {
	rounds := 200
	if testing.Short() {
		rounds = 20
	}
	each(t, 2, func(t *testing.T, e *env) {
		e.renewing()
		refresh := e.start("renew").Refresh
		for round := range rounds {
			var mu sync.Mutex
			leaves := map[string]int{}
			wins := race(20, func(i int) bool {
				tok := e.renewAt(i%2, "renew", refresh)
				mu.Lock()
				defer mu.Unlock()
				leaves[tok.Refresh]++
				if tok.status != 200 {
					t.Errorf("%d %s", tok.status, tok.Error)
				}
				return tok.status == 200
			})
			if wins != 20 || len(leaves) != 1 || leaves[refresh] != 0 {
				t.Fatalf("round %d: %d answers, %d leaves", round, wins, len(leaves))
			}
			for refresh = range leaves { // the next round starts from the leaf
			}
		}
		if n := e.count("oidc.grant_revoked"); n != 0 {
			t.Errorf("%d revocations", n)
		}
	})
}

func TestC02C03ReuseAndRetry(t *testing.T) {
	each(t, 2, func(t *testing.T, e *env) {
		e.renewing()
		for _, id := range []string{"renew", "renewpublic"} {
			first := e.start(id)
			second := e.renew(id, first.Refresh)
			granted(t, "C03 "+id+" first", second)
			for _, after := range []time.Duration{20 * time.Second, 40 * time.Second} { // to the end of the window, which a retry does not move
				e.clock.add(after)
				retry := e.renewAt(1, id, first.Refresh)
				granted(t, "C03 "+id+" retry", retry)
				if retry.Refresh != second.Refresh || retry.Access == second.Access {
					t.Errorf("C03 %s: another successor, or the same access token", id)
				}
			}
			if e.count("oidc.grant_revoked") != 0 {
				t.Fatalf("C03 %s: a retry revoked", id)
			}
			third := e.renew(id, second.Refresh)
			granted(t, "C03 "+id+" the successor is good", third)

			refused(t, "F10 "+id+" another client's replay", e.renew("renewother", first.Refresh), 400, "invalid_grant")
			if status, _ := e.userinfo(third.Access); status != 200 {
				t.Errorf("F10 %s: somebody else's replay took the tokens: %d", id, status)
			}
			refused(t, "C02 "+id+" two generations old", e.renew(id, first.Refresh), 400, "invalid_grant")
			for node := range 2 {
				refused(t, "C02 "+id+" family", e.renewAt(node, id, third.Refresh), 400, "invalid_grant")
			}
			if status, _ := e.userinfo(third.Access); status != 401 {
				t.Errorf("C02 %s: the access token lives: %d", id, status)
			}
			if n := e.count("oidc.grant_revoked"); n != 1 {
				t.Errorf("C02 %s: %d revocation events", id, n)
			}
			_, err := e.db.Exec(context.Background(), `DELETE FROM audit_events`)
			must(t, err)

			late := e.start(id)
			next := e.renew(id, late.Refresh)
			e.clock.add(time.Minute + time.Second)
			refused(t, "C02 "+id+" after the window", e.renew(id, late.Refresh), 400, "invalid_grant")
			refused(t, "C02 "+id+" family after the window", e.renew(id, next.Refresh), 400, "invalid_grant")
			_, err = e.db.Exec(context.Background(), `DELETE FROM audit_events`)
			must(t, err)
		}
	})
}

func TestC04RefreshAsksWhetherItStillStands(t *testing.T) {
	open := true
	for name, end := range map[string]struct{ away, back func(e *env) }{
		"person": {func(e *env) { delete(e.world.persons, "p-li") }, func(e *env) { e.world.persons["p-li"] = oidc.PersonClaims{Name: "李秀英"} }},
		"consent": {func(e *env) {
			_, err := e.db.Exec(context.Background(), `DELETE FROM oidc_consents`)
			must(e.t, err)
		}, nil},
		"client": {func(e *env) { e.disable("renew", true) }, func(e *env) { e.disable("renew", false) }},
		"grant": {func(e *env) {
			_, err := e.db.Exec(context.Background(), `UPDATE oidc_grants SET revoked_at = 1`)
			must(e.t, err)
		}, nil},
		"province": {func(e *env) { open = false }, func(e *env) { open = true }},
	} {
		t.Run("C04 "+name, func(t *testing.T) {
			each(t, 2, func(t *testing.T, e *env) {
				e.world.open = func(string) bool { return open }
				e.renewing()
				twin := e.renew("renew", e.start("renew").Refresh)
				granted(t, "twin", twin)
				end.away(e)
				e.clock.add(3 * time.Second) // past the registry's cache
				for node := range 2 {
					tok := e.renewAt(node, "renew", twin.Refresh)
					if name == "client" {
						refused(t, name, tok, http.StatusUnauthorized, "invalid_client")
						continue
					}
					refused(t, name, tok, 400, "invalid_grant")
				}
				if end.back != nil { // it was that, and nothing is lost by asking
					end.back(e)
					e.clock.add(3 * time.Second)
					granted(t, "back", e.renew("renew", twin.Refresh))
				}
			})
		})
	}
}

func (e *env) disable(id string, off bool) {
	e.t.Helper()
	text := "0"
	if off {
		text = "1"
	}
	_, err := e.db.Exec(context.Background(), `UPDATE oidc_clients SET disabled = `+text+` WHERE id = $1`, id)
	must(e.t, err)
}

func TestC06UseDoesNotExtendTheEnd(t *testing.T) {
	each(t, 1, func(t *testing.T, e *env) {
		e.renewing()
		bound, offline := e.start("renew"), e.start("renew", "scope", "openid offline_access", "prompt", "consent")
		for range 15 {
			e.clock.add(30 * time.Minute)
			bound, offline = e.renew("renew", bound.Refresh), e.renew("renew", offline.Refresh)
			granted(t, "in time", bound)
		}
		e.clock.add(30*time.Minute - time.Second)
		bound = e.renew("renew", bound.Refresh)
		granted(t, "a second before the end", bound)
		e.clock.add(time.Second)
		refused(t, "C06 eight hours", e.renew("renew", bound.Refresh), 400, "invalid_grant")
		for day := range 89 {
			e.clock.add(24 * time.Hour)
			if offline = e.renew("renew", offline.Refresh); offline.status != 200 {
				t.Fatalf("day %d: %s", day, offline.Error)
			}
		}
		if n, err := e.op.Sweep(context.Background(), 100); err != nil || n == 0 {
			t.Errorf("sweep: %d %v", n, err)
		}
		offline = e.renew("renew", offline.Refresh)
		granted(t, "after a sweep", offline)
		e.clock.add(24 * time.Hour)
		refused(t, "C06 ninety days", e.renew("renew", offline.Refresh), 400, "invalid_grant")
	})
}

// What an operator takes from a client is not renewed: not by a grant that was made before.
func TestC04ScopesThatWereTakenAreNotRenewed(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	e.renewing()
	first := e.start("renew")
	second := e.renew("renew", first.Refresh)
	if second.status != http.StatusOK || second.Scope != "openid profile" {
		t.Fatalf("twin: %d %s %q", second.status, second.Error, second.Scope)
	}
	c, err := e.op.Clients().Get(context.Background(), "renew")
	must(t, err)
	c.Scopes = []string{"openid"}
	must(t, e.op.Clients().Put(context.Background(), c))
	third := e.renew("renew", second.Refresh)
	if third.status != http.StatusOK || third.Scope != "openid" {
		t.Errorf("C04 a scope less: %d %s %q", third.status, third.Error, third.Scope)
	}
	if status, info := e.userinfo(third.Access); status != http.StatusOK || info["name"] != nil {
		t.Errorf("C04 userinfo: %d %v", status, info)
	}
	c.Scopes = []string{"phone"}
	must(t, e.op.Clients().Put(context.Background(), c))
	if tok := e.renew("renew", third.Refresh); tok.Error != "invalid_grant" {
		t.Errorf("C04 no scope left: %d %s", tok.status, tok.Error)
	}
}
