package counterpages

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode"

	"golang.org/x/net/html"

	"github.com/hufu-id/hufu/web"
)

var (
	at     = time.Date(2026, 11, 21, 2, 47, 3, 0, time.UTC)
	police = web.Text{ZH: "沙箱省公安厅交通管理局", EN: "Sandbox Traffic Police"}
	type1  = web.Text{ZH: "机动车驾驶证", EN: "Driving licence"}
	hard   = web.Text{ZH: `阿依古丽·买买提"><script>**b**|{x}`, EN: `Ayiguli "><script>**b**|{x}`}
)

func block(o Outcome) Block {
	return Block{Outcome: o, Word: web.Text{ZH: "有效", EN: "Valid"}, About: []web.Text{type1, {ZH: "李秀英"}, hard}}
}

func verdict(o Outcome) VerdictPage {
	return VerdictPage{Block: block(o), Shown: []web.Fact{{Label: web.Text{ZH: "姓名", EN: "Name"}, Value: hard}}, Hidden: []web.Text{{ZH: "住址", EN: "Address"}}, Issuer: police,
		IssuerCode: "1199440000TRY002X9", Steps: []Step{{Text: hard, Link: type1, Href: "/counter"}, {Text: type1}}, Checks: []CheckRow{{Result: "pass", Label: type1, Said: hard, Age: type1},
			{Result: "fail", Label: type1, Said: type1}, {Result: "unknown", Label: type1, Said: type1}}, Path: []Node{{"Root", at}, {"沙箱签发中心", at}},
		Record: []web.Fact{{Label: type1, Value: Stamp(at)}}, Receipt: "V-7F3K-22Q9", Person: "/counter/receipts/V-7F3K-22Q9/person", CSRF: "token", Base: "/counter", Old: hard}
}

// cases are every page in its states.
func cases(p Pages) map[string]func(http.ResponseWriter, *http.Request) {
	type show = func(http.ResponseWriter, *http.Request)
	ask := AskPage{Choices: []Choice{{Name: type1, Href: "?request=a", Current: true}, {Name: hard, Href: "?request=b"}}, Link: "https://id.example/wallet/ask?x=1", Nonce: "n", Audience: "a", Until: at,
		Action: "/counter/check", CSRF: "token", Purpose: "a"}
	refused := ask
	refused.Problem, refused.Trust = hard, hard
	history := HistoryPage{Choices: ask.Choices, Verdict: "valid", Day: "2026-11-21", CSV: "/counter/history.csv", Base: "/counter", Full: true}
	for _, o := range []Outcome{"valid", "invalid", "cannot_tell"} {
		history.Rows = append(history.Rows, HistoryRow{Outcome: o, Word: web.Text{ZH: "有效", EN: "Valid"}, Type: hard, At: at, Receipt: "V-7F3K-22Q9", Href: "/counter/receipts/V-7F3K-22Q9", Reason: hard, More: Stamp(at)},
			HistoryRow{Outcome: o, Word: web.Text{ZH: "有效", EN: "Valid"}, At: at, Receipt: "V-7F3K-22Q8", Href: "/counter/receipts/V-7F3K-22Q8"})
	}
	bundle := BundlePage{Tone: web.ToneOK, Said: hard, Facts: []web.Fact{{Label: type1, Value: hard}}, Fingerprint: "abcd", Refresh: "/r", Import: "/i", CSRF: "token", Base: "/counter"}
	told := bundle
	told.Result, told.ResultTone, told.Tone = hard, web.ToneBad, web.ToneWarn
	out := map[string]show{
		"ask":         func(w http.ResponseWriter, r *http.Request) { p.Ask(w, r, 200, ask) },
		"ask-refused": func(w http.ResponseWriter, r *http.Request) { p.Ask(w, r, 400, refused) },
		"receipt": func(w http.ResponseWriter, r *http.Request) {
			p.Receipt(w, r, ReceiptPage{Block: block("invalid"), Receipt: "V-7F3K-22Q9", Record: []web.Fact{{Label: type1, Value: hard}}, Base: "/counter"})
		},
		"history": func(w http.ResponseWriter, r *http.Request) { p.History(w, r, history) },
		"history-empty": func(w http.ResponseWriter, r *http.Request) {
			p.History(w, r, HistoryPage{Choices: ask.Choices, Base: "/counter"})
		},
		"bundle":      func(w http.ResponseWriter, r *http.Request) { p.Bundle(w, r, 200, bundle) },
		"bundle-told": func(w http.ResponseWriter, r *http.Request) { p.Bundle(w, r, 422, told) },
		"problem": func(w http.ResponseWriter, r *http.Request) {
			page := web.NewProblem(web.ProblemNotFound, nil)
			page.Time = at
			p.Problem(w, r, page)
		},
	}
	for _, o := range []Outcome{"valid", "invalid", "cannot_tell"} {
		out["verdict-"+string(o)] = func(w http.ResponseWriter, r *http.Request) { p.Verdict(w, r, verdict(o)) }
	}
	return out
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// TestA08CounterPagesStructure renders every page in both languages and checks what must hold for all of them, with names that try to be markup.
func TestA08CounterPagesStructure(t *testing.T) {
	pages, err := web.New(web.Config{Sandbox: true, Version: "0.1", Desk: &web.Desk{Base: "/counter", Department: police}})
	if err != nil {
		t.Fatal(err)
	}
	p := Pages{pages}
	for name, show := range cases(p) {
		for _, lang := range []string{"zh", "en"} {
			t.Run(name+"/"+lang, func(t *testing.T) {
				w := httptest.NewRecorder()
				r := httptest.NewRequest(http.MethodGet, "/counter?lang="+lang, nil)
				p.Preferences(http.HandlerFunc(show)).ServeHTTP(w, r)
				root, err := html.Parse(bytes.NewReader(w.Body.Bytes()))
				if err != nil {
					t.Fatal(err)
				}
				checkPage(t, root, lang)
			})
		}
	}
}

func checkPage(t *testing.T, root *html.Node, lang string) {
	ids, labelled, tags := map[string]int{}, map[string]bool{}, map[string]int{}
	for n := range root.Descendants() {
		if n.Type == html.TextNode {
			checkText(t, n, lang)
		}
		if n.Type != html.ElementNode {
			continue
		}
		tags[n.Data]++
		if id := attr(n, "id"); id != "" {
			ids[id]++
		}
		if n.Data == "label" {
			labelled[attr(n, "for")] = true
		}
		if n.Data == "script" && (!strings.HasPrefix(attr(n, "src"), "/counter/assets/counter.") || n.FirstChild != nil) || n.Data == "style" || attr(n, "style") != "" {
			t.Errorf("<%s> that the content policy refuses", n.Data)
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || strings.HasPrefix(a.Val, "javascript:") || a.Key == "href" && (a.Val == "" || a.Val == "/") {
				t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
			}
		}
	}
	for n := range root.Descendants() {
		if n.Data == "input" && attr(n, "type") != "hidden" && !labelled[attr(n, "id")] {
			t.Errorf("input %q has no label", attr(n, "name"))
		}
		if ref := attr(n, "aria-describedby"); ref != "" {
			for id := range strings.FieldsSeq(ref) {
				if ids[id] == 0 {
					t.Errorf("%s refers to nothing", id)
				}
			}
		}
	}
	for id, n := range ids {
		if n != 1 {
			t.Errorf("id %q stands %d times", id, n)
		}
	}
	for _, tag := range []string{"h1", "main", "header", "footer", "title"} {
		if tags[tag] != 1 {
			t.Errorf("%d <%s>", tags[tag], tag)
		}
	}
}

// checkText checks that every argument was filled in and that Chinese in an English page is marked.
func checkText(t *testing.T, n *html.Node, lang string) {
	if text := strings.ReplaceAll(n.Data, "**b**|{x}", ""); strings.ContainsAny(text, "{}|") || strings.Contains(text, "ZgotmplZ") {
		t.Errorf("unfilled: %q", n.Data)
	}
	if lang != "en" || n.Parent.Data == "title" || !strings.ContainsFunc(n.Data, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
		return
	}
	for p := n.Parent; p != nil; p = p.Parent {
		if l := attr(p, "lang"); l != "" {
			if l == "en" {
				t.Errorf("Chinese without lang in an English page: %q", n.Data)
			}
			return
		}
	}
}
