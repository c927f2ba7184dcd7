//go:build conformance

package conformance

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/hufu-id/hufu/internal/apptest"
)

// TestOpenIDClientLogsIn: npm openid-client, as a relying party of others; the test plays the person, over plain HTTP.
func TestOpenIDClientLogsIn(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, app *apptest.App) {
		person := newPerson(t, app)
		client := app.Ready.Clients[0]
		var subject string
		script(t, "login.mjs", map[string]any{
			"issuer": app.Ready.Issuer, "client_id": client.ID, "client_secret": client.Secret, "redirect_uri": redirectURI(t),
		}, func(request json.RawMessage) any {
			var r struct{ Subject string }
			if err := json.Unmarshal(request, &r); err == nil && r.Subject != "" {
				subject = r.Subject
				return nil
			}
			return person.do(request)
		})
		subjectsDiffer(t, app, subject)
	})
}

// subjectsDiffer logs the same person in to both departments with one browser: the second asks for no province, each knows her by another subject.
func subjectsDiffer(t *testing.T, app *apptest.App, other string) {
	t.Helper()
	browser := apptest.NewBrowser(t)
	subjects := map[string]string{other: "the client of openid-client"}
	for i, d := range app.Ready.Departments {
		if page := browser.Get(d.URL + "/me"); page.Status != http.StatusUnauthorized {
			t.Errorf("/me before login: %s", page)
		}
		page := browser.Get(d.URL + "/").Click("login")
		if i == 0 {
			page = page.LogIn(app.Person("li-xiuying"))
		} else if strings.Contains(page.URL.Path, "/login/") {
			t.Errorf("%s asks for the province again", d.Name)
		}
		page = page.Click("consent-allow")
		if !page.Has("logout") {
			t.Fatalf("not logged in: %s", page)
		}
		var me struct{ Iss, Sub, ACR string }
		if err := json.Unmarshal(browser.Get(d.URL+"/me").Body, &me); err != nil {
			t.Fatal(err)
		}
		if me.Iss != app.Ready.Issuer || me.ACR != "loa3" || me.Sub == "" {
			t.Errorf("%s: %+v", d.Name, me)
		}
		if who, seen := subjects[me.Sub]; seen {
			t.Errorf("%s and %s know her by one subject", d.Name, who)
		}
		subjects[me.Sub] = d.Name
	}
	d := app.Ready.Departments[0]
	page := browser.Get(d.URL + "/").Click("logout")
	if page.Has("logout-confirm") {
		page = page.Click("logout-confirm")
	}
	if page.Status != http.StatusOK {
		t.Errorf("after logging out: %s", page)
	}
	if page := browser.Get(d.URL + "/me"); page.Status != http.StatusUnauthorized {
		t.Errorf("/me after logout: %s", page)
	}
	if page := browser.Get(app.Ready.Departments[0].URL + "/").Click("login"); !page.Has("province-440000") {
		t.Errorf("logged out, but no province is asked for: %s", page)
	}
}
