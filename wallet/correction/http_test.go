package correction_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/wallet/correction"
)

// onSQLite is for what doesn't hang on the engine.
func onSQLite(t *testing.T) *site {
	return newSite(t, sqltest.Open(t, sqltest.DSN(t, sqlstore.SQLite)))
}

// A plain HTTP client walks the pages: form, list, the authority's answer, list.
func TestAReportGoesToTheAuthorityAndBackWithoutScript(t *testing.T) {
	each(t, func(t *testing.T, w *site) {
		status, page, _ := w.do("GET", "/wallet/licences/"+own+"/report", "", "X-Person", "li")
		if status != 200 || !strings.Contains(page, `id="report-send"`) || !strings.Contains(page, "1958年3月12日") || !strings.Contains(page, `href="/wallet"`) {
			t.Fatalf("%d %s", status, page)
		}
		m := regexp.MustCompile(`name="csrf" value="([^"]*)"`).FindStringSubmatch(page)
		if m == nil {
			t.Fatal("no form token")
		}
		send := url.Values{"csrf": {m[1]}, "field": {"birth_date"}, "text": {"1958-03-13"}}
		for range 2 { // a double click
			if status, _, h := w.send("li", own, send); status != 303 || h.Get("Location") != "/wallet/reports" {
				t.Fatalf("%d %v", status, h)
			}
		}
		status, page, h := w.do("GET", "/wallet/reports", "", "X-Person", "li")
		if status != 200 || strings.Count(page, "1958-03-13") != 1 || !strings.Contains(page, "等签发机关答复") || h.Get("Cache-Control") != "no-store" {
			t.Fatalf("%d %s", status, page)
		}
		status, answer := w.api("police", "GET", "/register/v1/reports?state=open", "")
		var list correction.ReportPage
		if status != 200 || json.Unmarshal([]byte(answer), &list) != nil || len(list.Reports) != 1 || list.Reports[0].Licence != own || strings.Contains(answer, `"li"`) || list.Next != "" {
			t.Fatalf("%d %s", status, answer)
		}
		path := "/register/v1/reports/" + list.Reports[0].ID + "/answer"
		if status, answer = w.api("police", "POST", path, `{"answer":"已更正 <b>","outcome":"corrected"}`); status != 200 || !strings.Contains(answer, `"state":"answered"`) {
			t.Fatalf("%d %s", status, answer)
		}
		if status, answer = w.api("police", "POST", path, `{"answer":"again","outcome":"corrected"}`); status != 409 || !strings.Contains(answer, "already_answered") {
			t.Errorf("second answer: %d %s", status, answer)
		}
		_, page, _ = w.do("GET", "/wallet/reports", "", "X-Person", "li")
		if !strings.Contains(page, html.EscapeString("已更正 <b>")) || strings.Contains(page, "等签发机关答复") {
			t.Errorf("she does not see the answer: %s", page)
		}
	})
}

func TestOnlyTheOwnLicence(t *testing.T) { // V02
	w := onSQLite(t)
	_, unknown, _ := w.do("GET", "/wallet/licences/1.2.3/report", "", "X-Person", "li")
	for _, c := range []struct {
		name, id string
		want     int
	}{{"twin", own, 200}, {"V02 another's", wangs, 404}, {"unknown", "1.2.3", 404}, {"NUL", "%00", 404}, {"slash", "%2F", 404}, {"longer", own + "x", 404}} {
		status, page, _ := w.do("GET", "/wallet/licences/"+c.id+"/report", "", "X-Person", "li")
		if status != c.want {
			t.Errorf("%s: GET %d", c.name, status)
		}
		if c.want == 404 && plainPage(page) != plainPage(unknown) {
			t.Errorf("%s: the page differs from that of an unknown licence", c.name)
		}
		want := c.want
		if want == 200 {
			want = 303
		}
		if status, _, _ := w.send("li", c.id, form("li", "address", "text")); status != want {
			t.Errorf("%s: POST %d", c.name, status)
		}
	}
	if n := w.count(`SELECT COUNT(*) FROM correction_reports`); n != 1 {
		t.Errorf("%d reports", n)
	}
	if _, page, _ := w.do("GET", "/wallet/reports", "", "X-Person", "wang"); strings.Contains(page, own) {
		t.Error("V02: another person's reports are shown")
	}
}

// plainPage leaves out what differs between two answers of one kind: trace, and links to the page itself.
func plainPage(s string) string {
	s = regexp.MustCompile(`id="trace-id">[^<]*`).ReplaceAllString(s, "")
	return regexp.MustCompile(`href="[^"]*\?[^"]*"`).ReplaceAllString(s, "")
}

func TestNobodyLoggedInIsSentToLogIn(t *testing.T) {
	w := onSQLite(t)
	formPath := "/wallet/licences/" + own + "/report"
	for _, c := range []struct{ method, path, back string }{{"GET", "/wallet/reports", "/wallet/reports"}, {"GET", formPath, formPath}, {"POST", formPath, formPath}} {
		status, _, h := w.do(c.method, c.path, "")
		if status != 303 || h.Get("Location") != "/login?to="+url.QueryEscape(c.back) {
			t.Errorf("%s %s: %d %q", c.method, c.path, status, h.Get("Location"))
		}
	}
}

func TestFormsOfOthersAreRefusedG01(t *testing.T) {
	w := onSQLite(t)
	good := httpx.FormToken(formKey, "s-li")
	for _, c := range []struct {
		name, token string
		header      []string
		want        int
	}{
		{"G01 plain client with the token", good, nil, 303},
		{"G01 plain client without", "", nil, 403},
		{"G01 token of another session", httpx.FormToken(formKey, "s-wang"), nil, 403},
		{"G01 own page", good, []string{"Sec-Fetch-Site", "same-origin"}, 303},
		{"G01 cross-site", good, []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"G01 other origin", good, []string{"Origin", "https://evil.test"}, 403},
		{"G01 null origin", good, []string{"Origin", "null"}, 403},
	} {
		f := form("li", "address", "text")
		f.Set("csrf", c.token)
		if status, _, _ := w.send("li", own, f, c.header...); status != c.want {
			t.Errorf("%s: %d", c.name, status)
		}
	}
	twice := form("li", "address", "text")
	twice.Add("field", "birth_date")
	if status, _, _ := w.send("li", own, twice); status != 403 {
		t.Errorf("a parameter twice: %d", status)
	}
}

func TestAChangedFormSaysWhatToMendAndKeepsTheText(t *testing.T) {
	w := onSQLite(t)
	long := strings.Repeat("字", 503)
	for _, c := range []struct {
		name, field, text string
		want              []string
	}{
		{"no entry", "", "my text", []string{"还没有选", "my text"}},
		{"changed entry", "holder.code", "my text", []string{"还没有选", "my text"}},
		{"no text", "address", " ", []string{"还没有写", `value="address" required checked`}},
		{"too long", "address", long, []string{"多了 3 个字", long, `value="address" required checked`}},
		{"control", "address", "a\x00b", []string{"看不见的符号"}},
		{"not UTF-8", "address", "a\xffb", []string{"看不见的符号"}},
		{"nothing", "", "", []string{"还没有选", "还没有写"}},
		{"markup", "", `</textarea><script>`, []string{"&lt;/textarea&gt;&lt;script&gt;"}},
	} {
		status, page, _ := w.send("li", own, form("li", c.field, c.text))
		if status != 400 {
			t.Errorf("%s: %d", c.name, status)
		}
		for _, part := range c.want {
			if !strings.Contains(page, part) {
				t.Errorf("%s: the page lacks %.30q", c.name, part)
			}
		}
	}
	if status, _, _ := w.send("li", own, form("li", "address", "my text")); status != 303 {
		t.Errorf("twin: %d", status)
	}
	if n := w.count(`SELECT COUNT(*) FROM correction_reports`); n != 1 {
		t.Errorf("%d reports", n)
	}
}

func TestTheSixthOpenReportGetsAPageThatSaysWhy(t *testing.T) {
	w := onSQLite(t)
	for i := range correction.MaxOpen {
		if status, _, _ := w.send("li", own, form("li", "address", fmt.Sprint("text ", i))); status != 303 {
			t.Fatalf("report %d: %d", i, status)
		}
	}
	status, page, _ := w.send("li", own, form("li", "address", "one more"))
	if status != 429 || !strings.Contains(page, "还有报告没有答复") || !strings.Contains(page, `href="/wallet/reports"`) {
		t.Errorf("%d %s", status, page)
	}
	if status, _, _ := w.send("li", own, form("li", "address", "text 3")); status != 303 {
		t.Errorf("one of the five once more: %d", status)
	}
}

func TestAFaultIsAPageWithoutDetail(t *testing.T) {
	w := onSQLite(t)
	w.reg.err = errors.New("database: host=10.0.0.1")
	for _, path := range []string{"/wallet/reports", "/wallet/licences/" + own + "/report"} {
		if status, page, _ := w.do("GET", path, "", "X-Person", "li"); status != 500 || strings.Contains(page, "10.0.0.1") {
			t.Errorf("%s: %d", path, status)
		}
	}
	if status, answer := w.api("broken", "GET", "/register/v1/reports", ""); status != 500 || strings.Contains(answer, "10.0.0.1") {
		t.Errorf("API: %d %s", status, answer)
	}
}

func TestReportsOfOtherAuthoritiesAreUnknown(t *testing.T) { // V02
	w := onSQLite(t)
	id := w.report("address", "text")
	const answer = `{"answer":"x","outcome":"not_wrong"}`
	if status, body := w.api("market", "GET", "/register/v1/reports", ""); status != 200 || body != "{\"reports\":[]}\n" {
		t.Errorf("V02 list: %d %s", status, body)
	}
	unknownStatus, unknown := w.api("market", "POST", "/register/v1/reports/"+strings.Repeat("0", 32)+"/answer", answer)
	status, body := w.api("market", "POST", "/register/v1/reports/"+id+"/answer", answer)
	trace := regexp.MustCompile(`"trace_id":"[^"]*"`)
	if status != 404 || unknownStatus != 404 || trace.ReplaceAllString(body, "") != trace.ReplaceAllString(unknown, "") {
		t.Errorf("V02 answer: %d %s, unknown: %d %s", status, body, unknownStatus, unknown)
	}
	if status, body := w.api("police", "POST", "/register/v1/reports/"+id+"/answer", answer); status != 200 {
		t.Errorf("twin: %d %s", status, body)
	}
}

func TestDepartmentAPIAnswersBadInputWithProblems(t *testing.T) {
	w := onSQLite(t)
	id := w.report("address", "text")
	path := "/register/v1/reports/" + id + "/answer"
	for _, c := range []struct {
		name, token, method, path, body string
		want                            int
	}{
		{"twin", "police", "GET", "/register/v1/reports?state=open&limit=1&after=" + strings.Repeat("0", 32), "", 200},
		{"no token", "", "GET", "/register/v1/reports", "", 401},
		{"unknown token", "x", "GET", "/register/v1/reports", "", 401},
		{"two tokens", "a b", "GET", "/register/v1/reports", "", 401},
		{"no organisation", "nobody", "GET", "/register/v1/reports", "", 401},
		{"other scope", "weak", "GET", "/register/v1/reports", "", 403},
		{"state", "police", "GET", "/register/v1/reports?state=x", "", 400},
		{"after", "police", "GET", "/register/v1/reports?after=%00", "", 400},
		{"limit 0", "police", "GET", "/register/v1/reports?limit=0", "", 400},
		{"limit 201", "police", "GET", "/register/v1/reports?limit=201", "", 400},
		{"twice", "police", "GET", "/register/v1/reports?state=open&state=open", "", 400},
		{"no token", "", "POST", path, "{}", 401},
		{"empty", "police", "POST", path, "", 400}, {"null", "police", "POST", path, "null", 400},
		{"list", "police", "POST", path, "[]", 400}, {"no outcome", "police", "POST", path, `{"answer":"x"}`, 400},
		{"outcome", "police", "POST", path, `{"answer":"x","outcome":"done"}`, 400},
		{"twice", "police", "POST", path, `{"answer":"x","answer":"y","outcome":"corrected"}`, 400},
		{"case", "police", "POST", path, `{"answer":"x","Outcome":"corrected"}`, 400},
		{"more", "police", "POST", path, `{"answer":"x","outcome":"corrected","licence":"1"}`, 400},
		{"long", "police", "POST", path, `{"answer":"` + strings.Repeat("x", 501) + `","outcome":"corrected"}`, 400},
		{"large", "police", "POST", path, strings.Repeat(" ", httpx.MaxBody+1), 413},
		{"id", "police", "POST", "/register/v1/reports/%00/answer", `{"answer":"x","outcome":"corrected"}`, 404},
		{"twin", "police", "POST", path, `{"answer":"x","outcome":"corrected"}`, 200},
	} {
		status, body := w.api(c.token, c.method, c.path, c.body)
		if status != c.want {
			t.Errorf("%s %s %s: %d %s", c.method, c.name, c.path, status, body)
		}
		if c.want >= 400 && !strings.Contains(body, `"code":"`) {
			t.Errorf("%s: no problem detail: %s", c.name, body)
		}
	}
}

func TestReportsComeInPages(t *testing.T) {
	each(t, func(t *testing.T, w *site) {
		var want, got []string
		for i := range 5 {
			want = append(want, w.report("address", fmt.Sprint("text ", i)))
		}
		for after := ""; ; {
			status, body := w.api("police", "GET", "/register/v1/reports?limit=2&after="+after, "")
			var page correction.ReportPage
			if status != 200 || json.Unmarshal([]byte(body), &page) != nil {
				t.Fatalf("%d %s", status, body)
			}
			for _, r := range page.Reports {
				got = append(got, r.ID)
			}
			if after = page.Next; after == "" {
				break
			}
		}
		if strings.Join(got, " ") != strings.Join(want, " ") {
			t.Errorf("got %v, want %v", got, want)
		}
		hers, err := w.s.Of(context.Background(), "li")
		if err != nil || len(hers) != 5 || hers[0].ID != want[4] {
			t.Errorf("her list starts with the newest: %+v %v", hers, err)
		}
	})
}
