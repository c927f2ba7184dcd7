package node

import (
	"fmt"
	"maps"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"
)

// watched are the headers that decide what others can do with an answer (ASVS V3).
var watched = []string{"Strict-Transport-Security", "Content-Security-Policy", "X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy", "Cross-Origin-Opener-Policy",
	"Cross-Origin-Resource-Policy", "Permissions-Policy", "Cache-Control", "Access-Control-Allow-Origin", "Access-Control-Allow-Credentials", "Content-Type"}

// X01: what every route answers to a stranger, and with which headers, is a file: a header that goes missing, and a page that may suddenly be cached or read
// by other sites, is seen in the diff.
func TestX01HeadersEqualTheFileInTheRepository(t *testing.T) {
	const origin = "https://id.example"
	n := openAt(t, origin)
	type line struct {
		route  string
		status int
		header map[string]string
	}
	var lines []line
	often := map[string]map[string]int{}
	for _, r := range routes(t, n) {
		rec := httptest.NewRecorder()
		n.Handler().ServeHTTP(rec, httptest.NewRequest(r.method, origin+r.path, nil))
		l := line{r.method + " " + r.template, rec.Code, map[string]string{}}
		for _, name := range watched {
			l.header[name] = strings.Join(rec.Header().Values(name), " | ")
			if often[name] == nil {
				often[name] = map[string]int{}
			}
			often[name][l.header[name]]++
		}
		lines = append(lines, l)
	}
	var b strings.Builder
	usual := map[string]string{}
	for _, name := range watched {
		values := slices.Sorted(maps.Keys(often[name]))
		usual[name] = slices.MaxFunc(values, func(a, b string) int { return often[name][a] - often[name][b] })
		fmt.Fprintf(&b, "%s: %s\n", name, usual[name])
	}
	b.WriteString("\n")
	for _, l := range lines {
		fmt.Fprintf(&b, "%s: %d\n", l.route, l.status)
		for _, name := range watched {
			if l.header[name] != usual[name] {
				fmt.Fprintf(&b, "\t%s: %s\n", name, l.header[name])
			}
		}
	}
	const file = "testdata/headers.txt"
	if os.Getenv("HUFU_UPDATE") != "" {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got := b.String(); got != string(want) {
		t.Errorf("X01 the headers are not those of %s; look at the change, then run with HUFU_UPDATE=1:\n%s", file, differing(string(want), got))
	}
}

// differing are the lines of one text that are not in the other.
func differing(want, got string) string {
	var b strings.Builder
	have := strings.Split(want, "\n")
	for _, l := range strings.Split(got, "\n") {
		if !slices.Contains(have, l) {
			b.WriteString("+ " + l + "\n")
		}
	}
	now := strings.Split(got, "\n")
	for _, l := range have {
		if !slices.Contains(now, l) {
			b.WriteString("- " + l + "\n")
		}
	}
	return b.String()
}
