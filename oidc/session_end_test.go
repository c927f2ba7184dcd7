package oidc_test

import (
	"testing"
	"time"
)

// A client that sends the browser once more, late in a session, gets tokens for what is left of it.
func TestC06ALateCodeDoesNotOutliveItsSession(t *testing.T) {
	each(t, 1, func(t *testing.T, e *env) {
		e.renewing()
		b := e.browser()
		b.login(request("renew"))
		for range 15 {
			e.clock.add(30 * time.Minute)
			b.login(request("renew")) // keeps the session from ending idle
		}
		code := func(pairs ...string) string { return b.login(request("renew", pairs...)).location.Query().Get("code") }
		got := e.token(redeem(code()), "Authorization", basic("renew", e.secret))
		offline := e.token(redeem(code("scope", "openid profile offline_access")), "Authorization", basic("renew", e.secret))
		if got.Refresh == "" || offline.Refresh == "" {
			t.Fatalf("no refresh token: %+v %+v", got, offline)
		}
		e.clock.add(29 * time.Minute)
		if got = e.renew("renew", got.Refresh); got.status != 200 {
			t.Fatalf("twin: before the session's end: %d %s", got.status, got.Error)
		}
		e.clock.add(2 * time.Minute)
		if late := e.renew("renew", got.Refresh); late.Error != "invalid_grant" {
			t.Errorf("C06 after the session's end: %d %s", late.status, late.Error)
		}
		if late := e.renew("renew", offline.Refresh); late.status != 200 {
			t.Errorf("twin: offline_access after the session's end: %d %s", late.status, late.Error)
		}
	})
}
