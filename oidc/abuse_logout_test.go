package oidc_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
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
