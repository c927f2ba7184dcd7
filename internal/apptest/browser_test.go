package apptest

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestBrowserActsAsAPersonWithoutJavaScript(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "__Host-seen", Value: "1", Path: "/", Secure: true, HttpOnly: true})
		http.Redirect(w, r, "/form?x=1", http.StatusFound)
	})
	mux.HandleFunc("GET /form", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `<form method=post action="go?y=2"><input type=hidden name=csrf value=tok><input type=checkbox name=a value=1><input type=checkbox name=b value=1 checked>
			<select name=s><option value=1>one<option value=2 selected>two</select><button id=yes name=decision value=allow>Yes</button><button id=no name=decision value=deny>No</button></form>
			<a id=away href="/away">away</a>`)
	})
	mux.HandleFunc("POST /go", func(w http.ResponseWriter, r *http.Request) {
		_, err := r.Cookie("__Host-seen")
		fmt.Fprintf(w, "<p id=p>%s %t %q %q</p>", r.PostFormValue("x"), err == nil, r.Header.Get("Origin"), func() string { _ = r.ParseForm(); return r.PostForm.Encode() }())
	})
	mux.HandleFunc("GET /away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "http://localhost:1/cb?code=c", http.StatusSeeOther)
	})
	srv := httptest.NewServer(mux)
	defer srv.Close()
	b := NewBrowser(t)
	b.StopAt = []string{"http://localhost:1/cb"}
	page := b.Get(strings.Replace(srv.URL, "127.0.0.1", "localhost", 1))
	if len(page.Hops) != 1 || page.Status != http.StatusOK {
		t.Fatalf("%v %s", page.Hops, page)
	}
	// The cookie of the redirect came along, no Origin was sent, the pressed button's value and the form's defaults were.
	if got, want := page.Click("yes").TextOf("p"), ` true "" "b=1&csrf=tok&decision=allow&s=2"`; got != strings.TrimSpace(want) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if got := page.ClickWith("no", map[string][]string{"a": {"1"}, "csrf": nil}).TextOf("p"); !strings.Contains(got, "a=1&b=1&decision=deny&s=2") {
		t.Error(got)
	}
	if away := page.Click("away"); away.Status != 0 || away.URL.Query().Get("code") != "c" {
		t.Error(away)
	}
}
