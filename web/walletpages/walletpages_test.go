package walletpages

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
	at     = time.Date(2026, 11, 21, 2, 47, 0, 0, time.UTC)
	police = web.Text{ZH: "沙箱省公安厅交通管理局", EN: "Sandbox Traffic Police"}
	plain  = web.Text{ZH: "姓名", EN: "Name"}
	hard   = web.Text{ZH: `阿依古丽·买买提"><script>**b**|{x}`, EN: `Ayiguli "><script>**b**|{x}`}
)

func card(change func(*Card)) Card {
	c := Card{ID: "L1", TypeID: "driving-licence", Name: web.Text{ZH: "机动车驾驶证", EN: "Driving licence"}, Issuer: police, Status: web.Text{ZH: "有效", EN: "valid"}, Tone: web.ToneOK,
		ValidFrom: at.AddDate(-3, 0, 0), ValidTo: at.AddDate(3, 0, 0), InForce: true, Holder: hard, Path: "/wallet/licences/L1", Taken: true, Until: at.AddDate(0, 3, 0)}
	change(&c)
	return c
}

func revoked(c *Card) {
	c.Status, c.Tone, c.InForce, c.Reason, c.Since, c.WhyNot = web.Text{ZH: "吊销", EN: "revoked"}, web.ToneBad, false, hard, at, hard
}

func withheld(c *Card) {
	revoked(c)
	c.Tone, c.Taken, c.ValidTo = web.ToneWarn, false, time.Time{}
}

func same(*Card) {}

func seen() []Seen {
	return []Seen{{At: at, Until: at.Add(10 * time.Minute), Licence: hard, Whom: police, Preset: plain, Fields: []web.Text{plain, hard}, Opened: 2, LastOpened: at, Open: true, ID: "S1", CSRF: "token"},
		{At: at, Until: at, Licence: plain, Preset: hard, Stopped: at}, {At: at, Until: at, Licence: plain, Preset: hard, Opened: 1, LastOpened: at}}
}

func showPage(change func(*ShowPage)) ShowPage {
	p := ShowPage{Licence: card(same), Ready: true, Purpose: hard, Minutes: 10, Presets: []Choice{{Name: plain, Href: "?preset=a", Current: true}, {Name: hard, Href: "?preset=chosen", Own: true}},
		Seen: []Given{{Label: plain, Value: hard}, {Label: plain, Value: web.Plain("C1"), Always: true}}, Hidden: []web.Text{plain, hard}, Action: "/wallet/licences/L1/show",
		Fields: []web.Field{{Name: "preset", Value: "a"}}, CSRF: "token"}
	change(&p)
	return p
}

// cases are every page in its states.
func cases(p Pages) map[string]func(http.ResponseWriter, *http.Request) {
	type show = func(http.ResponseWriter, *http.Request)
	asked := func(s *ShowPage) {
		s.Asked, s.Asker, s.Carried = true, hard, []web.Field{{Name: "nonce", Value: `"><x`}}
	}
	out := map[string]show{
		"list": func(w http.ResponseWriter, r *http.Request) {
			p.List(w, r, ListPage{Person: hard, Cards: []Card{card(same)}, CSRF: "token", Logout: "/logout"})
		},
		"list-many": func(w http.ResponseWriter, r *http.Request) {
			p.List(w, r, ListPage{Person: hard, Cards: []Card{card(same), card(func(c *Card) { c.Taken = false }), card(func(c *Card) { c.Stale = true }), card(revoked), card(withheld)}, CSRF: "token"})
		},
		"list-empty": func(w http.ResponseWriter, r *http.Request) { p.List(w, r, ListPage{Person: hard, CSRF: "token"}) },
		"history": func(w http.ResponseWriter, r *http.Request) {
			p.History(w, r, HistoryPage{File: "/wallet/history.csv?licence=L", Seen: seen(), CSRF: "token", Logout: "/logout",
				Choices: []Choice{{Name: hard, Href: "/wallet/history"}, {Name: hard, Href: "/wallet/history?licence=L", Current: true}}})
		},
		"history-empty": func(w http.ResponseWriter, r *http.Request) { p.History(w, r, HistoryPage{}) },
		"ask-none":      func(w http.ResponseWriter, r *http.Request) { p.Ask(w, r, AskPage{Asker: hard}) },
		"ask-take": func(w http.ResponseWriter, r *http.Request) {
			p.Ask(w, r, AskPage{Asker: police, Licence: card(same), CSRF: "token"})
		},
		"ask-not-in-force": func(w http.ResponseWriter, r *http.Request) {
			p.Ask(w, r, AskPage{Asker: police, Licence: card(revoked), CSRF: "token"})
		},
		"show":       func(w http.ResponseWriter, r *http.Request) { p.Show(w, r, showPage(func(*ShowPage) {})) },
		"show-asked": func(w http.ResponseWriter, r *http.Request) { p.Show(w, r, showPage(asked)) },
		"show-chosen": func(w http.ResponseWriter, r *http.Request) {
			p.Show(w, r, showPage(func(s *ShowPage) {
				asked(s)
				s.Choosing, s.Picks = true, []Pick{{Name: "c.name", Label: plain, Picked: true}, {Name: "c.x", Label: hard}}
			}))
		},
		"show-everything": func(w http.ResponseWriter, r *http.Request) {
			p.Show(w, r, showPage(func(s *ShowPage) { s.Hidden = nil }))
		},
		"show-not-taken": func(w http.ResponseWriter, r *http.Request) {
			p.Show(w, r, showPage(func(s *ShowPage) { s.Ready, s.Licence.Taken = false, false }))
		},
		"show-ran-out": func(w http.ResponseWriter, r *http.Request) {
			p.Show(w, r, showPage(func(s *ShowPage) { s.Ready = false }))
		},
		"show-not-in-force": func(w http.ResponseWriter, r *http.Request) {
			p.Show(w, r, showPage(func(s *ShowPage) { s.Ready, s.Licence = false, card(revoked) }))
		},
		"shown": func(w http.ResponseWriter, r *http.Request) { p.Shown(w, r, ownPage()) },
		"shown-opened": func(w http.ResponseWriter, r *http.Request) {
			page := ownPage()
			page.Asker, page.Opened, page.LastOpened = hard, 2, at
			p.Shown(w, r, page)
		},
		"public-asked": func(w http.ResponseWriter, r *http.Request) {
			p.Public(w, r, PublicPage{Asker: hard, Counter: "https://police.test/counter"})
		},
	}
	for name, change := range map[string]func(*Card){"taken": same, "revoked": revoked, "withheld": withheld, "stale": func(c *Card) { c.Stale = true },
		"new": func(c *Card) { c.Taken = false }} {
		out["licence-"+name] = func(w http.ResponseWriter, r *http.Request) {
			p.Detail(w, r, DetailPage{Card: card(change), Fields: []web.Fact{{Label: plain, Value: hard}}, History: seen()[:len(name)%3], CSRF: "token", Logout: "/logout"})
		}
	}
	for _, o := range []Outcome{"valid", "invalid", "cannot_tell"} {
		out["public-"+string(o)] = func(w http.ResponseWriter, r *http.Request) {
			p.Public(w, r, PublicPage{Licence: plain, Person: hard, Outcome: o, Word: web.Text{ZH: "有效", EN: "Valid"}, Reason: hard, Purpose: hard, Issuer: police, Made: at, Until: at,
				Facts: []web.Fact{{Label: plain, Value: hard}}, Shown: []web.Fact{{Label: plain, Value: hard}}, Hidden: []web.Text{plain},
				Checks: []Check{{"pass", plain, hard, plain}, {"fail", plain, plain, web.Text{}}, {"unknown", plain, plain, web.Text{}}}, Steps: []web.Text{hard}, File: "/shown/x/file"})
		}
	}
	return out
}

func ownPage() ShownPage {
	return ShownPage{Licence: hard, Purpose: hard, Link: "https://id.test/shown/ABC", File: "https://id.test/shown/ABC/file", Text: "a.b.c~d~e", Made: at, Until: at.Add(10 * time.Minute),
		ID: "S1", CSRF: "token", Again: "/wallet/licences/L1/show", Self: "/wallet/shown/ABC"}
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// TestA08WalletPagesStructure renders every page in both languages and for seniors, with names that try to be markup.
func TestA08WalletPagesStructure(t *testing.T) {
	pages, err := web.New(web.Config{Sandbox: true, Version: "0.1"})
	if err != nil {
		t.Fatal(err)
	}
	p := Pages{pages}
	for name, show := range cases(p) {
		for _, v := range []string{"lang=zh", "lang=en", "lang=zh&mode=senior", "lang=en&mode=senior"} {
			t.Run(name+"/"+v, func(t *testing.T) {
				w := httptest.NewRecorder()
				p.Preferences(http.HandlerFunc(show)).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/wallet?"+v, nil))
				if w.Code != http.StatusOK || w.Header().Get("Cache-Control") != "no-store" {
					t.Fatalf("%d %q", w.Code, w.Header().Get("Cache-Control"))
				}
				root, err := html.Parse(bytes.NewReader(w.Body.Bytes()))
				if err != nil {
					t.Fatal(err)
				}
				checkPage(t, root)
				lang := v[5:7]
				for n := range root.Descendants() {
					if n.Type == html.TextNode {
						checkText(t, n, lang)
					}
				}
			})
		}
	}
}

func checkPage(t *testing.T, root *html.Node) {
	ids, tags, labelled := map[string]int{}, map[string]int{}, map[string]bool{}
	filled := 0
	for n := range root.Descendants() {
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
		if attr(n, "class") == "b main" {
			filled++
		}
		if n.Data == "script" || n.Data == "style" || attr(n, "style") != "" {
			t.Errorf("<%s> that the content policy refuses", n.Data)
		}
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || strings.HasPrefix(a.Val, "javascript:") || a.Key == "href" && (a.Val == "" || a.Val[0] == '#' && a.Val != "#main") {
				t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
			}
		}
		if n.Data == "form" && attr(n, "method") == "post" && !holds(n, "csrf") || n.Data == "form" && attr(n, "method") != "post" && attr(n, "method") != "get" {
			t.Errorf("form to %q without method or csrf", attr(n, "action"))
		}
	}
	for n := range root.Descendants() {
		field := n.Data == "textarea" || n.Data == "input" && attr(n, "type") != "hidden"
		if field && !labelled[attr(n, "id")] && n.Parent.Data != "label" {
			t.Errorf("%s %q has no label", n.Data, attr(n, "name"))
		}
		for _, name := range []string{"aria-describedby", "aria-labelledby", "for"} {
			if ref := attr(n, name); ref != "" && ids[ref] == 0 {
				t.Errorf("%s=%q refers to nothing", name, ref)
			}
		}
	}
	for id, n := range ids {
		if n != 1 {
			t.Errorf("id %q stands %d times", id, n)
		}
	}
	if filled > 1 {
		t.Errorf("%d filled buttons", filled)
	}
	for _, tag := range []string{"h1", "main", "header", "footer", "title"} {
		if tags[tag] != 1 {
			t.Errorf("%d <%s>", tags[tag], tag)
		}
	}
}

func holds(form *html.Node, field string) bool {
	for n := range form.Descendants() {
		if n.Data == "input" && attr(n, "name") == field && attr(n, "value") != "" {
			return true
		}
	}
	return false
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
