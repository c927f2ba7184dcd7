package apptest

import (
	"net/http"
	"testing"
)

func TestMain(m *testing.M) { Main(m) }

// TestRestartFindsWhatWasThere: a killed process starts again on its data with the same keys, and a person logs in through it.
func TestRestartFindsWhatWasThere(t *testing.T) {
	app := Start(t, Options{Data: t.TempDir()})
	before := NewBrowser(t).Get(app.Ready.RootURL).Body
	app.Kill()
	app.Restart()
	if after := NewBrowser(t).Get(app.Ready.RootURL).Body; string(after) != string(before) {
		t.Error("another root of trust after a restart")
	}
	b := NewBrowser(t)
	page := b.Get(app.Ready.Departments[0].URL).Click("login").LogIn(app.Person("li-xiuying")).Click("consent-allow")
	if !page.Has("logout") || b.Get(app.Ready.Departments[0].URL+"/me").Status != http.StatusOK {
		t.Errorf("not logged in: %s", page)
	}
	t.Logf("ready after %s", app.Took)
}
