package oidc_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
)

// A public client on loopback may be any program of the machine: it never gets a code without the person (RFC 8252 section 8.6),
// also not after "don't ask again", which is not offered and not believed. The twin is a client that shows a secret.
func TestPublicLoopbackClientAlwaysAsksThePerson(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	for id, asksAgain := range map[string]bool{"public": true, "wallet": true, "app": false} {
		b := e.browser()
		page := b.get("/authorize?" + request(id).Encode())
		if offered := strings.Contains(page.body, `value="standing"`); offered == asksAgain {
			t.Errorf("%s: standing consent offered: %v", id, offered)
		}
		if a := b.agree(page); a.location == nil || a.location.Query().Get("code") == "" { // it says "standing" all the same
			t.Fatalf("%s: no code", id)
		}
		if a := b.get("/authorize?" + request(id).Encode()); (a.location == nil) != asksAgain || a.location == nil && a.status != http.StatusOK {
			t.Errorf("%s: the second time %d %v", id, a.status, a.location)
		}
		a := b.get("/authorize?" + request(id, "prompt", "none").Encode())
		want := ""
		if asksAgain {
			want = "consent_required"
		}
		if a.location == nil || a.location.Query().Get("error") != want {
			t.Errorf("%s: prompt=none: %v", id, a.location)
		}
	}
}

// "Don't ask again", said where only the client can listen, doesn't hold where any program can.
func TestStandingConsentDoesNotReachLoopback(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	c, err := e.op.Clients().Get(context.Background(), "public")
	must(t, err)
	c.ID, c.Organisation, c.RedirectURIs = "both", "1199440000TRY002X9", []string{rpCallback, "http://127.0.0.1/cb"}
	must(t, e.op.Clients().Put(context.Background(), c))
	b := e.browser()
	b.login(request("both"))
	for uri, asks := range map[string]bool{rpCallback: false, "http://127.0.0.1:5001/cb": true} {
		if a := b.get("/authorize?" + request("both", "redirect_uri", uri).Encode()); (a.location == nil) != asks {
			t.Errorf("%s: %d %v", uri, a.status, a.location)
		}
	}
}
