package oidc_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/hufu-id/hufu/oidc"
	"github.com/hufu-id/hufu/oidc/session"
)

// Two tabs with one pushed request: the second login comes too late for a code. It is a login all the same, and no fault.
func TestALoginForAUsedRequestStaysALogin(t *testing.T) {
	each(t, 1, func(t *testing.T, e *env) {
		f := newFAPI(e, "bank", func(c *oidc.Client) { c.Profile, c.DPoPBound = "core", false })
		b := e.browser()
		b.agree(b.get("/authorize?"+request("bank").Encode()), "term", "standing")
		carried := f.pushed(request("bank"))
		tab := func() (*browser, string) {
			b := e.browser()
			follow := b.CheckRedirect
			b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			resp, err := b.Get(e.issuer + "/authorize?" + carried.Encode())
			must(t, err)
			resp.Body.Close()
			b.CheckRedirect = follow
			if !strings.HasPrefix(resp.Header.Get("Location"), "/login/") {
				t.Fatalf("no login: %d %s", resp.StatusCode, resp.Header.Get("Location"))
			}
			return b, resp.Header.Get("Location")
		}
		first, one := tab()
		second, two := tab()
		if a := first.get(one); a.location == nil || !a.location.Query().Has("code") {
			t.Fatalf("the first: %d %s", a.status, a.body)
		}
		a := second.get(two)
		page400(t, a, "")
		if !strings.Contains(strings.Join(a.header.Values("Set-Cookie"), " "), session.CookieName+"=") {
			t.Error("A14 the login is lost")
		}
		if n := e.count("oidc.code_issued"); n != 2 {
			t.Errorf("A14 %d codes, want that of the agreement and one", n)
		}
	})
}
