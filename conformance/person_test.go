//go:build conformance

package conformance

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/hufu-id/hufu/internal/apptest"
)

// player is a person at a plain HTTP browser, for clients that need somebody to log in and consent.
type player struct {
	t       *testing.T
	known   func(slug string) apptest.Person
	browser *apptest.Browser
}

func newPerson(t *testing.T, app *apptest.App) *player {
	return &player{t: t, known: app.Person, browser: apptest.NewBrowser(t)}
}

// redirectURI is an address where nobody listens: the browser stops before it goes there.
func redirectURI(t *testing.T) string {
	t.Helper()
	port, err := apptest.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("http://localhost:%d/callback", port)
}

// errand is what a script asks the person to do.
type errand struct {
	Open     string // an authorization request
	Callback string // where it ends, if the request was pushed and doesn't say so itself
	Person   string // who logs in; "" expects that nobody is asked
	Consent  bool   // agree on the consent page, which must come
	Standing bool   // and for later logins too
	Deny     bool   // decline there
	Logout   string // an end session request
}

// do opens an authorization or logout request and plays it through. It answers with the address at which the client would be called back, and
// how many pages the person saw.
func (p *player) do(request json.RawMessage) any {
	p.t.Helper()
	var e errand
	if err := json.Unmarshal(request, &e); err != nil {
		p.t.Fatal(err)
	}
	if e.Logout != "" {
		page := p.browser.Get(e.Logout)
		if page.Has("logout-confirm") {
			page = page.Click("logout-confirm")
		}
		return map[string]any{"ok": page.Status == 200 || page.Status == 0, "url": page.URL.String(), "page": page.String()}
	}
	callback := e.Callback
	if callback == "" {
		callback, _, _ = strings.Cut(query(p.t, e.Open, "redirect_uri"), "?")
	}
	if callback == "" { // every address would begin with it
		p.t.Fatalf("where does %s end?", request)
	}
	p.browser.StopAt = []string{callback}
	page, pages := p.browser.Get(e.Open), 0
	if e.Person != "" {
		page = page.LogIn(p.known(e.Person))
		pages += 2
	}
	if e.Consent || e.Deny {
		id := "consent-allow"
		if e.Deny {
			id = "consent-deny"
		}
		var choice url.Values
		if e.Standing {
			choice = url.Values{"term": {"standing"}}
		}
		page = page.ClickWith(id, choice)
		pages++
	}
	if page.Status != 0 {
		p.t.Fatalf("not back at the client after %s but on %s", request, page)
	}
	return map[string]any{"callback": page.URL.String(), "pages": pages}
}

func query(t *testing.T, address, name string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get(name)
}
