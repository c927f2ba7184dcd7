package oidc_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/hufu-id/hufu/oidc"
)

// What a signature covers is still text: the rules for parameters hold inside a request object, on both ways in.
func TestA16RequestObjectsHoldTextOnly(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	f := newFAPI(e, "bank", func(c *oidc.Client) { c.Profile, c.DPoPBound = "core", false })
	for name, c := range map[string]struct {
		state string
		ok    bool
	}{
		"A16 a space in state":            {"a b", true},
		"A16 control characters in state": {"a\r\nSet-Cookie: x", false},
		"A16 NUL in state":                {"a\x00b", false},
	} {
		object := func() url.Values {
			return url.Values{"client_id": {"bank"}, "request": {f.object(request("bank"), "state", c.state)}, "redirect_uri": {rpCallback}}
		}
		if r := f.push(object()); (r.status == http.StatusCreated) != c.ok || !c.ok && r.body["error"] != "invalid_request_object" {
			t.Errorf("%s, pushed: %d %v", name, r.status, r.body)
		}
		a := e.browser().login(object())
		if a.location == nil || a.location.Query().Has("code") != c.ok || !c.ok && a.location.Query().Get("error") != "invalid_request_object" {
			t.Errorf("%s, in the browser: %d %v", name, a.status, a.location)
		}
	}
}
