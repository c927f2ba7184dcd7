package licencecmd_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/hufu-id/hufu/cmd/hufu/internal/licencecmd"
)

// reportServer answers the reports' part of the department API around server, which gives tokens.
func reportServer(t *testing.T) (url, key string, asked *[]string) {
	t.Helper()
	inner, key := newServer(t)
	asked = &[]string{}
	report := `{"id":"ab12","licence":"1.2.3","field":"address","text":"one\nt\u001b[2Jwo","state":"open","reported_at":"2026-11-26T04:00:00Z"}`
	outer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.HasPrefix(r.URL.Path, "/register/v1/reports") {
			inner.ServeHTTP(w, r)
			return
		}
		var body map[string]string
		_ = json.NewDecoder(r.Body).Decode(&body)
		*asked = append(*asked, fmt.Sprint(r.Method, " ", r.URL.RequestURI(), " ", body["outcome"], " ", body["answer"]))
		switch {
		case r.Method == http.MethodGet:
			fmt.Fprintf(w, `{"reports":[%s],"next":"ab12"}`, report)
		case strings.Contains(r.URL.Path, "/ab12/"):
			fmt.Fprint(w, strings.Replace(report, `"open"`, `"answered","outcome":"corrected","answer":"done"`, 1))
		default:
			http.Error(w, `{"status":409,"code":"already_answered","title":"The report was answered already"}`, http.StatusConflict)
		}
	}))
	t.Cleanup(outer.Close)
	inner.issuer, inner.URL = outer.URL, outer.URL
	return outer.URL, key, asked
}

func TestReportsAreListedAndAnswered(t *testing.T) {
	url, key, asked := reportServer(t)
	code, out, err := run(t, "", "reports", "--as", key, "--url", url)
	if code != 0 || !strings.Contains(out, "entry    address") || !strings.Contains(out, "says     one / t[2Jwo") || !strings.Contains(out, "--after ab12") {
		t.Fatalf("%d %v\n%s", code, err, out)
	}
	code, out, err = run(t, "", "answer", "ab12", "--outcome", "corrected", "--text", "done", "--as", key, "--url", url)
	if code != 0 || !strings.HasPrefix(out, "Answered.") || !strings.Contains(out, "answer   done") {
		t.Fatalf("%d %v\n%s", code, err, out)
	}
	if code, out, _ := run(t, "", "answer", "cd/34", "--outcome", "corrected", "--text", "done", "--as", key, "--url", url, "--json"); code != licencecmd.ExitRefused || !strings.Contains(out, "already_answered") {
		t.Errorf("answered before: %d %s", code, out)
	}
	want := []string{"GET /register/v1/reports?limit=50&state=open  ", "POST /register/v1/reports/ab12/answer corrected done", "POST /register/v1/reports/cd%2F34/answer corrected done"}
	if fmt.Sprint(*asked) != fmt.Sprint(want) {
		t.Errorf("asked %q", *asked)
	}
	for _, args := range [][]string{{"reports", "--state", "x"}, {"answer", "ab12", "--text", "x"}, {"answer", "ab12", "--outcome", "done", "--text", "x"},
		{"answer", "ab12", "--outcome", "corrected"}, {"answer", "ab12", "--outcome", "corrected", "--text", " "}, {"answer"}} {
		if code, _, _ := run(t, "", append(args, "--as", key, "--url", url)...); code != licencecmd.ExitUsage {
			t.Errorf("%v: %d", args, code)
		}
	}
	if len(*asked) != 3 {
		t.Errorf("wrong usage reached the server: %q", *asked)
	}
}
