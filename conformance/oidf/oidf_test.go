//go:build conformance

package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/conformance/oidf/suite"
	"github.com/hufu-id/hufu/internal/apptest"
)

func TestReadmeKeepsTheRowsOfOtherPlans(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("conformance", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(readme, []byte("before\n"+beginTables+"\n"+endTables+"\nafter\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	first := planResult{plan: plans[1], version: "1", modules: []moduleResult{{module: "one", result: passed}, {module: "two", result: failed}}}
	second := planResult{plan: plans[0], version: "1", modules: []moduleResult{{module: "three", result: review, seen: []string{"login", "province", "problem:redirect", "login"}}}}
	for _, r := range []planResult{first, second, second} {
		if err := writeReadme(r); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	day := time.Now().UTC().Format(time.DateOnly)
	want := "before\n" + beginTables + "\n" + planHead +
		"| `config` | `oidcc-config-certification-test-plan`  | 1 | 0 | 0 | 0 | 0 | 1 | 1 | " + day + " |\n" +
		"| `basic` | `oidcc-basic-certification-test-plan` client_registration=dynamic_client server_metadata=discovery | 2 | 1 | 0 | 1 | 0 | 0 | 1 | " + day + " |\n\n" +
		deviationHead + "| `config` | `three` | review | " + pictured + ": login, problem:redirect |\n| `basic` | `two` | failed | not explained |\n" + endTables + "\nafter\n"
	if string(raw) != want {
		t.Errorf("got\n%s\nwant\n%s", raw, want)
	}
	if !second.explained() || first.explained() {
		t.Error("a review explains itself, a failure doesn't")
	}
}

// TestVisitorLogsInAndFinishes: chooser, province, consent, and what the script of the suite's callback page would send.
func TestVisitorLogsInAndFinishes(t *testing.T) {
	sent := ""
	var base string
	suiteSide := http.NewServeMux()
	suiteSide.HandleFunc("GET /test/a/x/callback", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, `<script>xhr.open('POST', "%s", true);</script>`, strings.ReplaceAll(base+"/test/a/x/implicit/1", "/", `\/`))
	})
	suiteSide.HandleFunc("POST /test/a/x/implicit/1", func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sent = r.Header.Get("Content-Type") + ":" + string(body)
	})
	theirs := httptest.NewServer(suiteSide)
	defer theirs.Close()
	base = theirs.URL
	ours := http.NewServeMux()
	ours.HandleFunc("GET /authorize", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `<a id=province-1 href=/province>1</a>`)
	})
	ours.HandleFunc("GET /province", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `<a id=person-p href=/consent>p</a>`)
	})
	ours.HandleFunc("GET /consent", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `<form method=post action=/done><button id=consent-allow name=decision value=allow></button><button id=consent-deny name=decision value=deny></button></form>`)
	})
	ours.HandleFunc("POST /done", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("decision") == "deny" {
			fmt.Fprint(w, `<p id=problem data-kind=denied>`)
			return
		}
		http.Redirect(w, r, base+"/test/a/x/callback?code=1", http.StatusSeeOther)
	})
	hufu := httptest.NewServer(ours)
	defer hufu.Close()
	w := &world{suite: &suite.Suite{Base: base, HTTP: theirs.Client()}, http: &http.Transport{}, person: apptest.Person{Slug: "p", Province: "1"}, refuser: apptest.Person{Slug: "p", Province: "1"}}
	for _, c := range []struct {
		act   act
		seen  string
		sent  string
		shows bool
	}{
		{act{}, "login province consent suite", "text/plain:", false},
		{act{shows: "login"}, "login province consent suite", "text/plain:", true},
		{act{deny: true}, "login province consent problem:denied", "", true},
		{act{look: 1, shows: "login"}, "login", "", true},
	} {
		sent = ""
		v := w.newVisitor(c.act)
		if err := v.visit(context.Background(), suite.Address{URL: hufu.URL + "/authorize"}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(v.seen, " "); got != c.seen || sent != c.sent || v.shows() != c.shows {
			t.Errorf("%+v: saw %q, sent %q, shows %t", c.act, got, sent, v.shows())
		}
	}
}

// TestDeviationExplainsItsConditionsOnly: another condition that fails in the same module is not excused.
func TestDeviationExplainsItsConditionsOnly(t *testing.T) {
	warned := moduleResult{module: "oidcc-scope-profile", result: warning, complaints: []complaint{{"VerifyScopesReturnedInUserInfoClaims", ""}}}
	if reason(plans[0], warned) == "" {
		t.Error("an expected warning is not explained")
	}
	warned.complaints = append(warned.complaints, complaint{"EnsureHttpStatusCodeIs200", ""})
	if reason(plans[0], warned) != "" {
		t.Error("another condition is explained too")
	}
}
