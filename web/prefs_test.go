package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

func serveHome(t testing.TB, p *Pages, r *http.Request) *httptest.ResponseRecorder {
	t.Helper()
	w := httptest.NewRecorder()
	p.Preferences(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { p.Home(w, r, HomePage{Licences: "/licences"}) })).ServeHTTP(w, r)
	return w
}

func TestPreferencesAreKeptAndShownAtOnce(t *testing.T) {
	p := testPages(t)
	w := serveHome(t, p, httptest.NewRequest(http.MethodGet, "/?lang=en&mode=senior", nil))
	if !strings.Contains(w.Body.String(), `<html lang="en" class="senior">`) {
		t.Error("the chosen page is not served at once")
	}
	for _, c := range w.Result().Cookies() {
		if !c.Secure || !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || !strings.HasPrefix(c.Name, "__Host-") {
			t.Errorf("cookie %s is not locked to this host", c)
		}
	}
	next := httptest.NewRequest(http.MethodGet, "/", nil)
	for _, c := range w.Result().Cookies() {
		next.AddCookie(c)
	}
	if w = serveHome(t, p, next); !strings.Contains(w.Body.String(), `<html lang="en" class="senior">`) {
		t.Error("the choice is not kept")
	}
	next.Header.Set("Accept-Language", "zh-CN")
	if w = serveHome(t, p, next); !strings.Contains(w.Body.String(), `<html lang="en"`) {
		t.Error("the browser's language beats the person's own choice")
	}
}

func TestPreferencesIgnoreWhatIsNoChoice(t *testing.T) {
	p := testPages(t)
	for _, target := range []string{"/?lang=xx", "/?lang=en&lang=zh", "/?mode=", "/?lang=EN%00", "/?mode=senior%0d%0aSet-Cookie:x"} {
		w := serveHome(t, p, httptest.NewRequest(http.MethodGet, target, nil))
		if w.Code != http.StatusOK || len(w.Result().Cookies()) != 0 || !strings.Contains(w.Body.String(), `<html lang="zh-Hans-CN">`) {
			t.Errorf("%s: status %d, cookies %v", target, w.Code, w.Result().Cookies())
		}
	}
	if w := serveHome(t, p, httptest.NewRequest(http.MethodPost, "/?lang=en", nil)); len(w.Result().Cookies()) != 0 {
		t.Error("a form sets preferences")
	}
}

func TestLanguageWithoutAChoice(t *testing.T) {
	for _, x := range []struct {
		accept, locales, query string
		want                   Lang
	}{
		{want: ZH}, {accept: "en-GB,en;q=0.9", want: EN}, {accept: "zh-CN,zh;q=0.9,en;q=0.8", want: ZH}, {accept: "fr, en;q=0.2, zh;q=0.1", want: EN},
		{accept: "en;q=0, zh;q=0.1", want: ZH}, {accept: "fr", want: ZH}, {accept: "en;q=7", want: ZH}, {accept: "en;q=NaN", want: ZH},
		{accept: "zh", locales: "fr en-US zh", want: EN}, {accept: "en", locales: "zh-Hans", want: ZH}, {accept: "zh", query: "?ui_locales=en", want: EN},
		{accept: strings.Repeat("fr,", 10000) + "en", want: ZH},
	} {
		r := httptest.NewRequest(http.MethodGet, "/"+x.query, nil)
		r.Header.Set("Accept-Language", x.accept)
		if x.locales != "" {
			r.URL.RawQuery = url.Values{"ui_locales": {x.locales}}.Encode()
		}
		if got := PageLang(r); got != x.want {
			t.Errorf("Accept-Language %.40q, ui_locales %q%s: %s, want %s", x.accept, x.locales, x.query, got, x.want)
		}
	}
}

func TestSwitchesKeepPathAndQuery(t *testing.T) {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, "/login/f1/?q=%E7%B2%A4&lang=zh&x=%22%3E", nil)
	p := testPages(t)
	p.Chooser(w, r, ChooserPage{})
	d := parsePage(t, w.Body.Bytes())
	var got []string
	for _, n := range d.tags("a") {
		if n.Parent.Data == "nav" {
			got = append(got, attr(n, "href"))
		}
	}
	want := "?lang=en&q=%E7%B2%A4&x=%22%3E ?lang=zh&mode=senior&q=%E7%B2%A4&x=%22%3E"
	if strings.Join(got, " ") != want {
		t.Errorf("switches %q, want %q", got, want)
	}
}

func TestAnswerToAFormHasNoSwitches(t *testing.T) {
	p := testPages(t)
	for method, want := range map[string]int{http.MethodGet: 1, http.MethodPost: 0} {
		w := httptest.NewRecorder()
		p.Problem(w, httptest.NewRequest(method, "/consent/f1", nil), NewProblem(ProblemForm, nil))
		if got := len(parsePage(t, w.Body.Bytes()).all(func(n *html.Node) bool { return n.Data == "nav" })); got != want {
			t.Errorf("%s: %d navs, want %d: its address can't be opened again", method, got, want)
		}
	}
}

func FuzzAcceptLanguage(f *testing.F) {
	for _, s := range []string{"", "en-GB,en;q=0.9", "zh-CN,zh;q=0.9,en;q=0.8", "*;q=0.1", ";;;,,,q=", "en;q=1e308"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header["Accept-Language"] = []string{s}
		if l := PageLang(r); l != ZH && l != EN {
			t.Errorf("language %q", l)
		}
	})
}
