package web

import (
	"context"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
)

func testPages(t testing.TB) *Pages {
	t.Helper()
	p, err := New(Config{Sandbox: true, Version: "0.1", Now: func() time.Time { return testTime }, Trace: func(context.Context) string { return "7F3K-22Q9-M4TD" }})
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

// caseNamed returns a case of testCases.
func caseNamed(t testing.TB, name string) testCase {
	t.Helper()
	for _, c := range testCases() {
		if c.name == name {
			return c
		}
	}
	t.Fatalf("no case %q", name)
	return testCase{}
}

func page(t *testing.T, name string, v variant) doc {
	t.Helper()
	return parsePage(t, get(t, testPages(t), caseNamed(t, name), v).Body.Bytes())
}

// TestBudgetOfLoginAndConsent: 30 KB with the stylesheet, uncompressed, in the largest state.
func TestBudgetOfLoginAndConsent(t *testing.T) {
	p := testPages(t)
	style := 0
	for name, f := range p.assets.byName {
		if strings.HasSuffix(name, ".css") {
			style = len(f.body)
		}
	}
	for _, c := range testCases() {
		if !strings.HasPrefix(c.name, "chooser") && !strings.HasPrefix(c.name, "consent") {
			continue
		}
		for _, v := range variants {
			if n := get(t, p, c, v).Body.Len() + style; n > 30*1000 {
				t.Errorf("%s in %v: %d bytes with the stylesheet, budget 30,000", c.name, v, n)
			}
		}
	}
}

func TestChooserControlIDsStandOncePerPage(t *testing.T) {
	for _, v := range variants {
		for name, want := range map[string][]string{
			"chooser-remembered":  {"province-440000"},
			"chooser-found":       {"province-440000"},
			"chooser-found-other": {"province-330000"},
			"chooser-none":        {"province-440000"},
			"chooser-region":      {"province-310000", "province-330000"},
		} {
			d := page(t, name, v)
			for _, id := range want {
				if n := d.byID(id); n == nil || n.Data != "a" || attr(n, "href") != strings.TrimPrefix(id, "province-") {
					t.Errorf("%s in %v: %s is no relative link to the province", name, v, id)
				}
			}
		}
	}
	d := page(t, "chooser", variants[0])
	for _, id := range []string{"province-310000", "province-330000", "province-440000"} {
		d.byID(id)
	}
	if got := len(d.all(func(n *html.Node) bool { return strings.HasPrefix(attr(n, "id"), "province-") })); got != 3 {
		t.Errorf("%d provinces are links, want the 3 that are connected", got)
	}
}

func TestChooserRememberedButtonCarriesTheIDWhenNotListed(t *testing.T) {
	n := page(t, "chooser-found-other", variants[0]).byID("province-440000")
	if n == nil || !hasClass(n, "main") {
		t.Error("the remembered province is not in the list of results, so its button must carry the id")
	}
}

func TestConsentControls(t *testing.T) {
	for _, v := range variants {
		d := page(t, "consent", v)
		for id, decision := range map[string]string{"consent-allow": "allow", "consent-deny": "deny"} {
			if n := d.byID(id); n == nil || attr(n, "name") != "decision" || attr(n, "value") != decision {
				t.Errorf("%v: %s does not send decision=%s", v, id, decision)
			}
		}
		fields := map[string]string{}
		for _, n := range d.tags("input") {
			if attr(n, "type") == "hidden" {
				fields[attr(n, "name")] = attr(n, "value")
			}
		}
		if fields["csrf"] != "token" || fields["flow"] != "f1" {
			t.Errorf("%v: hidden fields %v", v, fields)
		}
	}
	d := page(t, "consent", variants[0])
	if n := d.byID("item-phone_number"); n == nil || attr(n, "name") != "share-phone_number" || attr(n, "type") != "checkbox" {
		t.Error("the optional phone number has no checkbox share-phone_number")
	}
	terms := d.all(func(n *html.Node) bool { return attr(n, "name") == "term" })
	if len(terms) != 2 || attr(terms[0], "value") != "once" || !hasAttr(terms[0], "checked") || attr(terms[1], "value") != "standing" || hasAttr(terms[1], "checked") {
		t.Error("term offers once (chosen) and standing")
	}
	if s := page(t, "consent", variant{"zh", "senior"}).all(func(n *html.Node) bool { return attr(n, "type") == "checkbox" }); len(s) != 0 {
		t.Error("the senior page leaves optional items out")
	}
}

func TestConsentNoticeOffersNoChoiceOfData(t *testing.T) {
	d := page(t, "consent-notice", variants[0])
	if n := d.byID("consent-allow"); n == nil || textOf(n) != "知道了，继续" {
		t.Error("a notice says 知道了，继续")
	}
	if boxes := d.all(func(n *html.Node) bool { return attr(n, "type") == "checkbox" || attr(n, "type") == "radio" }); len(boxes) != 0 {
		t.Error("a notice fakes a choice")
	}
}

// Who registered itself wrote its name itself: neither the chooser nor the consent page may let it pass for a department.
func TestPagesSayWhenNobodyChecked(t *testing.T) {
	for name, checked := range map[string]bool{"chooser": true, "chooser-selfmade": false, "consent-first": true} {
		text := textOf(page(t, name, variants[0]).Node)
		if strings.Contains(text, "没有人核对过") == checked {
			t.Errorf("%s", name)
		}
	}
}

func TestOfferControls(t *testing.T) {
	for _, v := range variants {
		d := page(t, "offer", v)
		if n := d.byID("offer-uri"); n == nil || n.Data != "a" || attr(n, "href") != testOffer().URI {
			t.Errorf("%v: offer-uri does not link to the offer", v)
		}
		if n := d.byID("tx-code"); n == nil || textOf(n) != "482913" {
			t.Errorf("%v: tx-code is not the code alone", v)
		}
		if n := page(t, "licences-many", v); n.byID("offer-driving-licence") == nil || n.byID("offer-driving-licence-3") == nil {
			t.Errorf("%v: offer buttons need their ids", v)
		}
		page(t, "logout", v).byID("logout-confirm")
	}
}

// TestOfferRefusesOtherSchemes: html/template is told that the link is safe, so it must be checked before.
func TestOfferRefusesOtherSchemes(t *testing.T) {
	for _, x := range []struct {
		uri  string
		want int
	}{
		{"openid-credential-offer://?credential_offer_uri=x", 200}, {"haip-vci://?credential_offer_uri=x", 200},
		{"javascript:alert(1)//openid-credential-offer://", 500}, {"https://evil.example/", 500}, {"", 500},
	} {
		offer := testOffer()
		offer.URI = x.uri
		w := httptest.NewRecorder()
		testPages(t).Offer(w, httptest.NewRequest(http.MethodGet, "/x", nil), offer)
		if w.Code != x.want {
			t.Errorf("%q: status %d, want %d", x.uri, w.Code, x.want)
		}
	}
}

// TestA08MarkupInNamesIsText: registered names and searches are text, in every place and attribute.
func TestA08MarkupInNamesIsText(t *testing.T) {
	for _, x := range []struct{ name, text string }{{"A08", `"><script>alert(1)</script>**b**|{x}`}, {"twin", `沙箱 & "Co"`}} {
		t.Run(x.name, func(t *testing.T) {
			evil := Text{ZH: x.text, EN: x.text}
			consent := testConsent()
			consent.Client, consent.Service, consent.Given[0].Value = evil, evil, evil
			problem := NewProblem(ProblemRedirect, Args{"client": evil})
			problem.Others, problem.Developer = []Action{{Label: evil, Hint: evil, Href: "javascript:alert(1)"}}, x.text
			w := httptest.NewRecorder()
			r := httptest.NewRequest(http.MethodGet, "/x", nil)
			p := testPages(t)
			p.Consent(w, r, consent)
			p.Problem(w, r, problem)
			p.Chooser(w, r, ChooserPage{Docket: Docket{Department: evil, Service: evil}, Query: x.text})
			d := parsePage(t, w.Body.Bytes())
			if len(d.tags("script")) != 0 || strings.Contains(w.Body.String(), "javascript:") {
				t.Error("markup from a name became part of the page")
			}
			if !strings.Contains(textOf(d.Node), strings.Join(strings.Fields(x.text), " ")) {
				t.Error("the name is not shown as it is")
			}
		})
	}
}

// TestProblemKindsAreComplete: every constant has wording, a sensible status and stands in the tests' list.
func TestProblemKindsAreComplete(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "problem.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	ast.Inspect(f, func(x ast.Node) bool {
		v, ok := x.(*ast.ValueSpec)
		if !ok || v.Type == nil {
			return true
		}
		if id, ok := v.Type.(*ast.Ident); !ok || id.Name != "ProblemKind" {
			return true
		}
		kind, _ := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
		n++
		page := NewProblem(ProblemKind(kind), nil)
		if !allProblems[ProblemKind(kind)] || page.Status < 400 || page.Title.IsZero() || page.Cause.IsZero() || page.Safe.IsZero() {
			t.Errorf("problem kind %s is not complete", kind)
		}
		return true
	})
	if n != len(allProblems) {
		t.Errorf("%d kinds, %d tested", n, len(allProblems))
	}
}

func TestProblemAnswersWithStatusTraceAndWayOn(t *testing.T) {
	w := httptest.NewRecorder()
	testPages(t).Problem(w, httptest.NewRequest(http.MethodGet, "/x", nil), ProblemPage{Status: 200, Title: Plain("t"), Cause: Plain("c")})
	d := parsePage(t, w.Body.Bytes())
	if w.Code != http.StatusBadRequest {
		t.Errorf("status %d for a problem page", w.Code)
	}
	if n := d.byID("trace-id"); n == nil || textOf(n) != "7F3K-22Q9-M4TD" {
		t.Error("no trace id to quote")
	}
	if !strings.Contains(w.Body.String(), `href="/"`) || !strings.Contains(textOf(d.Node), "10:47") {
		t.Error("no way on, or no time in Beijing")
	}
}

// TestRenderFaultIsNoHalfPage: a template error after output began must not leave half a page with status 200.
func TestRenderFaultIsNoHalfPage(t *testing.T) {
	for _, x := range []struct {
		name string
		page any
		want int
	}{{"fault", struct{ Client Text }{traffic}, 500}, {"twin", newConsentView(testConsent()), 200}} {
		w := httptest.NewRecorder()
		testPages(t).Render(w, httptest.NewRequest(http.MethodGet, "/x", nil), http.StatusOK, "consent", x.page)
		if w.Code != x.want || (x.want == 500) == strings.Contains(w.Body.String(), "<html") {
			t.Errorf("%s: status %d, body %.60q", x.name, w.Code, w.Body)
		}
		if x.want == 500 && !strings.Contains(w.Body.String(), "7F3K-22Q9-M4TD") {
			t.Error("fault without trace id")
		}
	}
}

func TestHeadHasLengthAndNoBody(t *testing.T) {
	w := httptest.NewRecorder()
	testPages(t).Home(w, httptest.NewRequest(http.MethodHead, "/", nil), HomePage{})
	if w.Body.Len() != 0 || w.Header().Get("Content-Length") == "" {
		t.Error("HEAD answers headers only")
	}
}

// failing is a client that went away.
type failing struct{ http.ResponseWriter }

func (failing) Write([]byte) (int, error) { return 0, errors.New("gone") }

func TestClientGoneIsNoFault(t *testing.T) {
	w := httptest.NewRecorder()
	testPages(t).Home(failing{w}, httptest.NewRequest(http.MethodGet, "/", nil), HomePage{})
	if w.Code != http.StatusOK {
		t.Errorf("status %d", w.Code)
	}
}

func TestProductionShowsNoSandboxStrip(t *testing.T) {
	for _, sandbox := range []bool{true, false} {
		p, err := New(Config{Sandbox: sandbox})
		if err != nil {
			t.Fatal(err)
		}
		w := httptest.NewRecorder()
		p.Licences(w, httptest.NewRequest(http.MethodGet, "/licences", nil), LicencesPage{Licences: []LicenceView{testLicence()}})
		if got := strings.Contains(w.Body.String(), "沙箱环境") && strings.Contains(w.Body.String(), "样本"); got != sandbox {
			t.Errorf("sandbox %v: strip and stamp %v", sandbox, got)
		}
	}
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

func BenchmarkPage(b *testing.B) {
	p := testPages(b)
	for _, name := range []string{"chooser-remembered", "consent", "offer"} {
		c := caseNamed(b, name)
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				get(b, p, c, variants[0])
			}
		})
	}
	b.Run("New", func(b *testing.B) {
		for b.Loop() {
			testPages(b)
		}
	})
}
