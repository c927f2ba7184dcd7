package node

import (
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strings"
	"testing"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/keys"
)

const testOrigin = "http://localhost:8080"

func open(t *testing.T) *Node {
	t.Helper()
	return openAt(t, testOrigin)
}

func openAt(t *testing.T, origin string) *Node {
	t.Helper()
	kek, _ := keys.NewKEK()
	n, err := Open(t.Context(), Options{KEK: kek, Migrate: true, AllowHTTP: true, Config: Config{
		Origin: origin, Database: "sqlite:" + filepath.Join(t.TempDir(), "hufu.db"),
		Authorities: []AuthorityConfig{{Code: "1199440000TRY002X9", NameZH: "沙箱省公安厅交通管理局", NameEN: "Sandbox Traffic Police", Types: []string{"driving-licence"}}},
		SealMakers:  []SealMakerConfig{{Code: "91990000MA9TRY042P", NameZH: "沙箱印章制作中心", NameEN: "Sandbox Seal Makers"}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	if err := n.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
	return n
}

// concrete fills a route's variables with values that exist where something exists.
var concrete = map[string]string{"{code}": "1199440000TRY002X9", "{name}": "driving-licence", "{version}": "1"}

func fill(route string) string {
	for name, value := range concrete {
		route = strings.ReplaceAll(route, name, value)
	}
	return regexp.MustCompile(`\{[^}]*\}`).ReplaceAllString(route, "x")
}

type walked struct{ method, template, path string }

func routes(t *testing.T, n *Node) []walked {
	t.Helper()
	var out []walked
	err := n.router.Walk(func(r *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		template, err := r.GetPathTemplate()
		if err != nil {
			return nil
		}
		methods, err := r.GetMethods()
		if err != nil {
			if r.GetHandler() == nil {
				return nil // a prefix that only groups
			}
			methods = []string{"GET"}
		}
		for _, m := range methods {
			out = append(out, walked{m, template, fill(template)})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) < 30 {
		t.Fatalf("only %d routes were found", len(out))
	}
	sort.Slice(out, func(i, j int) bool { return out[i].template+out[i].method < out[j].template+out[j].method })
	return out
}

// The list of routes is a file: a new one is seen in the diff, and asked who may call it.
func TestRoutesEqualTheFileInTheRepository(t *testing.T) {
	var b strings.Builder
	for _, r := range routes(t, open(t)) {
		b.WriteString(r.method + " " + r.template + "\n")
	}
	const file = "testdata/routes.txt"
	if os.Getenv("HUFU_UPDATE") != "" {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if b.String() != string(want) {
		t.Errorf("the routes are not those of %s; look at the change, then run with HUFU_UPDATE=1:\n%s", file, b.String())
	}
}

// X01, G10, G11, T03: every route, also with junk, answers with our headers, frames nowhere, reflects no origin, tells no key, and never fails.
func TestX01EveryRouteAnswersWithSecurityHeaders(t *testing.T) {
	n := open(t)
	private := regexp.MustCompile(`PRIVATE KEY|"d"\s*:\s*"`)
	check := func(method, path, body string) {
		r := httptest.NewRequest(method, testOrigin+path, strings.NewReader(body))
		r.Header.Set("Origin", "https://evil.example")
		r.Header.Set("X-Forwarded-Host", "evil.example")
		r.Header.Set("Forwarded", "host=evil.example")
		if body != "" {
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		rec := httptest.NewRecorder()
		n.Handler().ServeHTTP(rec, r)
		h, name := rec.Header(), method+" "+path
		if rec.Code >= 500 {
			t.Errorf("%s answered %d: %s", name, rec.Code, rec.Body)
		}
		for header, part := range map[string]string{"Content-Security-Policy": "frame-ancestors 'none'", "X-Content-Type-Options": "nosniff",
			"Referrer-Policy": "same-origin", "X-Frame-Options": "DENY", "Permissions-Policy": "camera=()", "Cross-Origin-Opener-Policy": "same-origin"} {
			if !strings.Contains(h.Get(header), part) {
				t.Errorf("%s: %s is %q", name, header, h.Get(header))
			}
		}
		if strings.Contains(h.Get("Content-Security-Policy"), "unsafe-inline") {
			t.Errorf("%s allows inline code", name)
		}
		if o := h.Get("Access-Control-Allow-Origin"); o != "" && (o != "*" || h.Get("Access-Control-Allow-Credentials") != "") {
			t.Errorf("%s: CORS %q with credentials %q", name, o, h.Get("Access-Control-Allow-Credentials"))
		}
		if strings.HasPrefix(path, "/authorize") && h.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s lets scripts of other sites read it", name)
		}
		if strings.Contains(rec.Body.String(), "evil.example") || strings.Contains(h.Get("Location"), "evil.example") {
			t.Errorf("G07: %s took its address from the request", name)
		}
		if private.MatchString(rec.Body.String()) {
			t.Errorf("T03: %s shows a private key", name)
		}
	}
	for _, r := range routes(t, n) {
		check(r.method, r.path, "")
		check(r.method, r.path+"?a=1&a=1&x=%zz", "")
		check("POST", r.path, "a=1&a=2")
		check("DELETE", r.path, "")
		check("OPTIONS", r.path, "")
	}
	for _, path := range []string{"/nope", "//token", "/x/../token", "/token/", "/%2e%2e/jwks", "/TOKEN"} { // V09
		check("GET", path, "")
		check("POST", path, "")
	}
}

func TestPositiveTwinTheOpenRoutesAnswerOK(t *testing.T) {
	n := open(t)
	for _, path := range []string{"/", "/livez", "/readyz", "/jwks", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server",
		"/.well-known/openid-credential-issuer/i/1199440000TRY002X9", "/.well-known/jwt-vc-issuer/i/1199440000TRY002X9", "/types/driving-licence/1",
		"/.well-known/jwt-vc-issuer/seal-makers/91990000MA9TRY042P", "/types/e-seal/1",
		"/bundle.zip", "/bundle/root.json", "/bundle/timestamp.json"} {
		rec := httptest.NewRecorder()
		n.Handler().ServeHTTP(rec, httptest.NewRequest("GET", testOrigin+path, nil))
		if rec.Code != http.StatusOK {
			t.Errorf("%s answered %d: %s", path, rec.Code, rec.Body)
		}
	}
}
