package oidc_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/oidcstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/oidc"
	"github.com/hufu-id/hufu/oidc/grant"
)

func TestH01H02Logout(t *testing.T) {
	each(t, 1, func(t *testing.T, e *env) {
		b := e.browser()
		login := func() tokens {
			return e.token(redeem(b.login(request("app")).location.Query().Get("code")), "Authorization", basic("app", e.secret))
		}
		alive := func() bool {
			return b.get("/authorize?"+request("app", "prompt", "none").Encode()).location.Query().Get("error") == ""
		}
		tok := login()
		page := b.get("/logout")
		if !strings.Contains(page.body, `id="logout-confirm"`) || !alive() {
			t.Error("H01: a GET without a hint logged out, or did not ask")
		}
		confirm := url.Values{"csrf": {field(t, csrfField, page.body)}, "request": {field(t, sealField, page.body)}}
		if a := b.post("/logout/confirm", confirm, "Sec-Fetch-Site", "cross-site"); a.status != 403 || !alive() {
			t.Error("G01: a cross-site form logged out")
		}
		if a := b.post("/logout/confirm", with(confirm, "csrf", "x")); a.status != 403 || !alive() {
			t.Error("G01: a form without its token logged out")
		}
		if a := b.post("/logout/confirm", confirm, "Sec-Fetch-Site", "same-origin"); a.status != 200 || a.at.Path != "/logout" || alive() {
			t.Errorf("confirmed: %d at %s", a.status, a.at)
		}
		for name, v := range map[string]url.Values{
			"unregistered": {"post_logout_redirect_uri": {"https://evil.example/"}}, "query added": {"post_logout_redirect_uri": {"https://rp.example/out?x=1"}},
			"prefix": {"post_logout_redirect_uri": {"https://rp.example/out/x"}}, "none": {}, "redirect_uri instead": {"post_logout_redirect_uri": {rpCallback}},
		} {
			tok = login()
			v.Set("id_token_hint", tok.ID)
			status := http.StatusBadRequest // logged out, and told why there is no way back
			if name == "none" {
				status = http.StatusOK
			}
			a := b.get("/logout?" + v.Encode())
			if a.status != status || a.location != nil || strings.Contains(a.body, `id="logout-stray"`) != (name != "none") || alive() {
				t.Errorf("H02 %s: %d %v, alive %v", name, a.status, a.location, alive())
			}
		}
		tok = login()
		good := url.Values{"id_token_hint": {tok.ID}, "post_logout_redirect_uri": {"https://rp.example/out"}, "state": {"s &1"}}
		for name, v := range map[string]url.Values{
			"modified hint": with(good, "id_token_hint", tok.ID[:len(tok.ID)-4]+"AAAA"), "unsigned hint": with(good, "id_token_hint", "eyJhbGciOiJub25lIn0.e30."),
			"access token": with(good, "id_token_hint", tok.Access), "another client_id": with(good, "client_id", "other"), "duplicate": with(good, "id_token_hint", "x"),
		} {
			if a := b.get("/logout?" + v.Encode()); a.status != 400 || a.location != nil || !alive() {
				t.Errorf("H02 %s: %d %v alive %v", name, a.status, a.location, alive())
			}
		}
		e.clock.add(20 * time.Minute) // the hint has expired: accepted
		if a := b.get("/logout?" + good.Encode()); a.location == nil || a.location.String() != "https://rp.example/out?state=s+%261" || alive() {
			t.Errorf("twin: %d %v", a.status, a.location)
		}
		// By POST from the client's site, without state.
		good.Set("id_token_hint", login().ID)
		if a := b.post("/logout", with(good, "state", "-"), "Origin", "https://rp.example"); a.location == nil || a.location.String() != "https://rp.example/out" || alive() {
			t.Errorf("POST: %d %v", a.status, a.location)
		}
		// A hint of somebody else's login asks first.
		hint := login().ID
		e.loginAs("p-wang", "loa3")
		b.login(request("app", "prompt", "login"))
		if a := b.get("/logout?" + with(good, "id_token_hint", hint).Encode()); !strings.Contains(a.body, "logout-confirm") || !alive() {
			t.Errorf("another person's hint: %d", a.status)
		}
	})
}

// H01: an image on somebody's page comes without our SameSite cookie, and its answer must not make the browser drop the cookie.
func TestH01AnImageClearsNoCookie(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	b := e.browser()
	b.login(request("app"))
	if a := e.browser().get("/logout"); len(a.header.Values("Set-Cookie")) != 0 {
		t.Errorf("Set-Cookie for a browser that sent none: %v", a.header.Values("Set-Cookie"))
	}
	page := b.get("/logout")
	a := b.post("/logout/confirm", url.Values{"csrf": {field(t, csrfField, page.body)}, "request": {field(t, sealField, page.body)}})
	if sessionCookie(b) != "" || a.status != http.StatusOK {
		t.Error("twin: the cookie survived the logout")
	}
}

// The modules of the public suite's RP-initiated logout plan, by their names: what each sends, and what it wants to see.
func TestRPInitiatedLogoutAsTheSuiteWantsIt(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	state := strings.Repeat("aZ09-._~", 16) // 128 characters, as there
	for name, x := range map[string]struct {
		change func(v url.Values)
		want   string // "back", "back without state", "error", "logged out"
	}{
		"oidcc-rp-initiated-logout":                              {func(url.Values) {}, "back"},
		"oidcc-rp-initiated-logout-bad-post-logout-redirect-uri": {func(v url.Values) { v.Set("post_logout_redirect_uri", "https://rp.example/bad") }, "error"},
		"oidcc-rp-initiated-logout-modified-id-token-hint":       {func(v url.Values) { v.Set("id_token_hint", unsigned(t, v.Get("id_token_hint"))) }, "error"},
		"oidcc-rp-initiated-logout-no-id-token-hint":             {func(v url.Values) { v.Del("id_token_hint") }, "error"},
		"oidcc-rp-initiated-logout-no-params":                    {func(v url.Values) { clear(v) }, "logged out"},
		"oidcc-rp-initiated-logout-no-post-logout-redirect-uri":  {func(v url.Values) { v.Del("post_logout_redirect_uri") }, "logged out"},
		"oidcc-rp-initiated-logout-no-state":                     {func(v url.Values) { v.Del("state") }, "back without state"},
		"oidcc-rp-initiated-logout-only-state":                   {func(v url.Values) { clear(v); v.Set("state", state) }, "logged out"},
		"oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri": {func(v url.Values) {
			v.Set("post_logout_redirect_uri", "https://rp.example/out?foo=bar")
		}, "error"},
		"oidcc-rp-initiated-logout-bad-id-token-hint": {func(v url.Values) { v.Set("id_token_hint", e.assertion("iss", "app", "aud", e.issuer)) }, "error"},
		// Ours: hints at the person and the language, and the client without a hint.
		"client_id instead of a hint":  {func(v url.Values) { v.Del("id_token_hint"); v.Set("client_id", "app") }, "back"},
		"hint and client_id":           {func(v url.Values) { v.Set("client_id", "app") }, "back"},
		"logout_hint and ui_locales":   {func(v url.Values) { v.Set("logout_hint", "li"); v.Set("ui_locales", "en") }, "back"},
		"an unknown client_id":         {func(v url.Values) { clear(v); v.Set("client_id", "nobody") }, "logged out"},
		"an unknown client's address":  {func(v url.Values) { v.Del("id_token_hint"); v.Set("client_id", "nobody") }, "error"},
		"another client's address":     {func(v url.Values) { v.Del("id_token_hint"); v.Set("client_id", "public") }, "error"},
		"a parameter that came double": {func(v url.Values) { v.Add("state", "x") }, "error"},
	} {
		t.Run(name, func(t *testing.T) {
			e.t = t
			b := e.browser()
			tok := e.token(redeem(b.login(request("app")).location.Query().Get("code")), "Authorization", basic("app", e.secret))
			v := url.Values{"id_token_hint": {tok.ID}, "post_logout_redirect_uri": {"https://rp.example/out"}, "state": {state}}
			x.change(v)
			a := b.get("/logout?" + v.Encode())
			if strings.Contains(a.body, `id="logout-confirm"`) {
				a = b.post("/logout/confirm", url.Values{"csrf": {field(t, csrfField, a.body)}, "request": {field(t, sealField, a.body)}})
			}
			got := "error"
			switch {
			case a.location != nil && a.location.String() == "https://rp.example/out?state="+state:
				got = "back"
			case a.location != nil && a.location.String() == "https://rp.example/out":
				got = "back without state"
			case a.location != nil:
				got = a.location.String()
			case a.status == http.StatusOK:
				got = "logged out"
			}
			if got != x.want {
				t.Errorf("%s (%d), want %s", got, a.status, x.want)
			}
			silent := b.get("/authorize?" + request("app", "prompt", "none").Encode()).location.Query().Get("error")
			if x.want != "error" && silent != "login_required" {
				t.Errorf("prompt=none after the logout: %q", silent)
			}
		})
	}
}

// unsigned makes a token alg none, with the signature cut off.
func unsigned(t *testing.T, token string) string {
	header, _ := parts(t, token)
	header["alg"] = "none"
	b, err := json.Marshal(header)
	must(t, err)
	return base64.RawURLEncoding.EncodeToString(b) + "." + strings.Split(token, ".")[1] + "."
}

// H05: what one node ends is dead on the other, at once: session, code, access token. What was agreed for offline use goes on.
func TestH05ALogoutIsOneOnEveryNode(t *testing.T) {
	each(t, 2, func(t *testing.T, e *env) {
		b := e.browser()
		login := func(id string) string { return b.login(request(id)).location.Query().Get("code") }
		tok := e.token(redeem(login("app")), "Authorization", basic("app", e.secret))
		theirs := e.token(redeem(login("other")), "Authorization", basic("other", e.secret))
		bystander := e.token(redeem(e.code(request("app"))), "Authorization", basic("app", e.secret))
		unused := login("app")
		r, err := http.NewRequest(http.MethodGet, e.issuer, nil)
		must(t, err)
		for _, c := range b.Jar.Cookies(r.URL) {
			r.AddCookie(c)
		}
		stay, ok := e.ops[1].Session(r)
		if !ok {
			t.Fatal("twin: not logged in on the other node")
		}
		must(t, oidcstore.New(e.db, e.clock.Now).PutGrant(t.Context(), grant.Grant{ID: "offline", ClientID: "app", PersonID: stay.PersonID, Session: stay.SID, Offline: true,
			CreatedAt: e.clock.Now()}, audit.Event{Kind: "oidc.test"}))
		valid := func(access string) bool {
			_, err := e.ops[1].ValidateAccessToken(t.Context(), access, e.issuer)
			return err == nil
		}
		if !valid(tok.Access) || !valid(theirs.Access) {
			t.Fatal("twin: the tokens are good")
		}
		b.get("/logout?" + url.Values{"id_token_hint": {tok.ID}}.Encode())
		if _, ok := e.ops[1].Session(r); ok {
			t.Error("H05 cookie: the old one is alive on the other node")
		}
		if valid(tok.Access) || valid(theirs.Access) {
			t.Error("H05 access token: alive on the other node")
		}
		if again := e.tokenAt(1, redeem(unused), "Authorization", basic("app", e.secret)); again.Error != "invalid_grant" {
			t.Errorf("H05 code: %d %s", again.status, again.Error)
		}
		if !valid(bystander.Access) {
			t.Error("H05 twin: another login's token ended")
		}
		if g, err := oidcstore.New(e.db, nil).Grant(t.Context(), "offline"); err != nil || !g.RevokedAt.IsZero() {
			t.Errorf("H05 twin: offline_access ended too: %v, %v", g.RevokedAt, err)
		}
	})
}

// H05: a refresh token without offline_access ends with the login, on every node; one with it goes on.
func TestH05RefreshTokensEndWithTheLoginUnlessOffline(t *testing.T) {
	each(t, 2, func(t *testing.T, e *env) {
		e.renewing()
		b := e.browser()
		login := func(id string, pairs ...string) tokens {
			form, auth := e.as(id, redeem(b.login(request(id, pairs...)).location.Query().Get("code")))
			return e.token(form, auth...)
		}
		bound, offline := login("renew"), login("renewother", "scope", "openid offline_access", "prompt", "consent")
		if twin := e.renewAt(1, "renew", bound.Refresh); twin.status != http.StatusOK {
			t.Fatalf("twin: %d %s", twin.status, twin.Error)
		} else {
			bound = twin
		}
		b.get("/logout?" + url.Values{"id_token_hint": {offline.ID}}.Encode())
		for node := range e.nodes {
			if got := e.renewAt(node, "renew", bound.Refresh); got.Error != "invalid_grant" {
				t.Errorf("H05 refresh on node %d: %d %s", node, got.status, got.Error)
			}
		}
		if got := e.renewAt(1, "renewother", offline.Refresh); got.status != http.StatusOK {
			t.Errorf("H05 twin: offline_access ended too: %d %s", got.status, got.Error)
		}
	})
}

// Another person at the same browser ends the first one's login everywhere; the same person goes on.
func TestAnotherPersonsLoginIsALogout(t *testing.T) {
	each(t, 1, func(t *testing.T, e *env) {
		l := e.listen("app", nil)
		b := e.browser()
		login := func(pairs ...string) tokens {
			return e.token(redeem(b.login(request("app", pairs...)).location.Query().Get("code")), "Authorization", basic("app", e.secret))
		}
		first := login()
		e.clock.add(2 * time.Hour) // the session has expired by idleness: it's still the same person's
		second := login()
		third := login("prompt", "login")
		_, one := parts(t, first.ID)
		_, two := parts(t, second.ID)
		_, three := parts(t, third.ID)
		if one["sid"] != two["sid"] || two["sid"] != three["sid"] {
			t.Error("the same person at the same browser has several sids")
		}
		e.deliver()
		if status, _ := e.userinfo(second.Access); status != http.StatusOK || len(l.tokens()) != 0 {
			t.Errorf("her own new login was a logout: %d, %d told", status, len(l.tokens()))
		}
		e.loginAs("p-wang", "loa3")
		wang := login("prompt", "login")
		e.deliver()
		for _, access := range []string{second.Access, third.Access} {
			if status, _ := e.userinfo(access); status != http.StatusUnauthorized {
				t.Errorf("a token of the first person: %d", status)
			}
		}
		heard := l.tokens()
		if len(heard) != 1 {
			t.Fatalf("the client heard %d times", len(heard))
		}
		if _, claims := parts(t, heard[0]); claims["sub"] != one["sub"] || claims["sid"] != one["sid"] {
			t.Errorf("told of %v", claims)
		}
		if status, _ := e.userinfo(wang.Access); status != http.StatusOK {
			t.Errorf("twin: the second person's token: %d", status)
		}
	})
}

// A code that is given while the person logs out elsewhere is either refused or dead: on PostgreSQL the two transactions run side by side.
func TestACodeAndALogoutAtTheSameMoment(t *testing.T) {
	each(t, 2, func(t *testing.T, e *env) {
		for range 25 {
			b := e.browser()
			tok := e.token(redeem(b.login(request("app")).location.Query().Get("code")), "Authorization", basic("app", e.secret))
			authorize := e.nodes[1].URL + "/authorize?" + request("app", "prompt", "none").Encode()
			var wg sync.WaitGroup
			codes := make([]string, 3)
			for i := range codes {
				wg.Go(func() { codes[i] = silentCode(t, b, authorize) })
			}
			wg.Go(func() { b.get("/logout?" + url.Values{"id_token_hint": {tok.ID}}.Encode()) })
			wg.Wait()
			for _, code := range codes {
				if code == "" {
					continue
				}
				if got := e.token(redeem(code), "Authorization", basic("app", e.secret)); got.Error != "invalid_grant" {
					t.Fatalf("a code outlived the logout: %d %s", got.status, got.Error)
				}
			}
		}
	})
}

// silentCode asks for a code with the cookies that the browser has now.
func silentCode(t *testing.T, b *browser, address string) string {
	req, err := http.NewRequest(http.MethodGet, address, nil)
	must(t, err)
	for _, c := range b.Jar.Cookies(req.URL) {
		req.AddCookie(c)
	}
	resp, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Error(err)
		return ""
	}
	defer resp.Body.Close()
	to, err := resp.Location()
	if err != nil {
		t.Errorf("no redirect: %d", resp.StatusCode)
		return ""
	}
	return to.Query().Get("code")
}

// brokenStore fails where a test says so.
type brokenStore struct {
	oidc.Store
	fails *atomic.Value // the name of a method
}

var errBroken = errors.New("the database is down")

func (s brokenStore) broken(method string) error {
	if s.fails.Load() == method {
		return errBroken
	}
	return nil
}

func (s brokenStore) Session(ctx context.Context, key string) (oidc.Session, error) {
	if err := s.broken("Session"); err != nil {
		return oidc.Session{}, err
	}
	return s.Store.Session(ctx, key)
}

func (s brokenStore) EndSession(ctx context.Context, key string, ev audit.Event) (bool, error) {
	if err := s.broken("EndSession"); err != nil {
		return false, err
	}
	return s.Store.EndSession(ctx, key, ev)
}

func (s brokenStore) RevokeSession(ctx context.Context, sid string, at time.Time) (int64, error) {
	if err := s.broken("RevokeSession"); err != nil {
		return 0, err
	}
	return s.Store.RevokeSession(ctx, sid, at)
}

func (s brokenStore) PutDelivery(ctx context.Context, d oidc.LogoutDelivery) error {
	if err := s.broken("PutDelivery"); err != nil {
		return err
	}
	return s.Store.PutDelivery(ctx, d)
}

func (s brokenStore) InTx(ctx context.Context, fn func(context.Context) error) error {
	return s.Store.InTx(ctx, func(ctx context.Context) error { return errors.Join(fn(ctx), s.broken("commit")) })
}

// H06: a logout that didn't happen is not shown as one, and half of one doesn't happen.
func TestH06ALogoutWithoutTheDatabaseIsNone(t *testing.T) {
	var fails atomic.Value
	fails.Store("")
	e := newEnv(t, sqltest.DSN(t, sqlstore.SQLite), 1, func(e *env) { e.store = func(s oidc.Store) oidc.Store { return brokenStore{s, &fails} } })
	e.listen("app", nil)
	b := e.browser()
	tok := e.token(redeem(b.login(request("app")).location.Query().Get("code")), "Authorization", basic("app", e.secret))
	hinted := "/logout?" + url.Values{"id_token_hint": {tok.ID}, "post_logout_redirect_uri": {"https://rp.example/out"}}.Encode()
	page := b.get("/logout")
	confirm := url.Values{"csrf": {field(t, csrfField, page.body)}, "request": {field(t, sealField, page.body)}}
	for _, method := range []string{"Session", "EndSession", "RevokeSession", "PutDelivery", "commit"} {
		fails.Store(method)
		for name, a := range map[string]answer{"hint": b.get(hinted), "confirmed": b.post("/logout/confirm", confirm)} {
			if a.status != http.StatusServiceUnavailable || a.location != nil || len(a.header.Values("Set-Cookie")) != 0 || strings.Contains(a.body, errBroken.Error()) {
				t.Errorf("H06 %s, %s: %d %v", method, name, a.status, a.location)
			}
		}
		fails.Store("")
		if status, _ := e.userinfo(tok.Access); status != http.StatusOK || sessionCookie(b) == "" {
			t.Errorf("H06 %s: half a logout happened: %d", method, status)
		}
	}
	if a := b.get(hinted); a.location == nil || sessionCookie(b) != "" {
		t.Errorf("twin: %d", a.status)
	}
	if status, _ := e.userinfo(tok.Access); status != http.StatusUnauthorized {
		t.Errorf("twin: %d", status)
	}
}
