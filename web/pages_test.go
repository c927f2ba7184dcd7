package web

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func testPages(t testing.TB) *Pages {
	t.Helper()
	p, err := New(Config{Sandbox: true, Version: "0.1", Now: func() time.Time { return testTime }})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// variant is one way to read a page.
type variant struct{ lang, mode string }

var variants = []variant{{"zh", "standard"}, {"en", "standard"}, {"zh", "senior"}, {"en", "senior"}}

// get renders a case as a reader with that variant's cookies would see it.
func get(t testing.TB, p *Pages, c testCase, v variant) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(http.MethodGet, c.target, nil)
	r.AddCookie(&http.Cookie{Name: langCookie, Value: v.lang})
	r.AddCookie(&http.Cookie{Name: modeCookie, Value: v.mode})
	w := httptest.NewRecorder()
	p.Preferences(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { c.show(p, w, r) })).ServeHTTP(w, r)
	return w
}

// TestDumpPages writes all pages to HUFU_WEB_DUMP, to be looked at in a browser.
func TestDumpPages(t *testing.T) {
	dir := os.Getenv("HUFU_WEB_DUMP")
	if dir == "" {
		t.Skip("HUFU_WEB_DUMP names no folder")
	}
	p := testPages(t)
	for _, c := range testCases() {
		for _, v := range variants {
			w := get(t, p, c, v)
			if err := os.WriteFile(filepath.Join(dir, c.name+"."+v.lang+"."+v.mode+".html"), w.Body.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "assets"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, f := range p.assets.byName {
		if err := os.WriteFile(filepath.Join(dir, "assets", name), f.body, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
