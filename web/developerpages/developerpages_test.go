package developerpages

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/hufu-id/hufu/web"
)

var (
	at   = time.Date(2026, 11, 21, 2, 47, 3, 0, time.UTC)
	hard = `"><script>alert(1)</script>**b**|{x}`
	both = web.Text{ZH: "中文" + hard, EN: "English" + hard}
)

// cases are every page in its states, with text from strangers wherever it can come.
func cases(p Pages) map[string]func(http.ResponseWriter, *http.Request) {
	refusal := Refusal{Code: "invalid_request", Description: hard, Cause: both, Fix: both, Spec: "RFC 6749", SpecLink: "https://www.rfc-editor.org/rfc/rfc6749", Path: "/developer/errors/x"}
	refused := Step{Name: StepName("token"), At: at, First: at, Trace: "t1", Times: 3, Refusal: refusal, Reason: both,
		Differ: &Differ{Sent: CutAt(hard, 2), Registered: CutAt("\">", 2), Place: 3}, Facts: []Fact{{Name: hard, Value: hard}, {Name: "state", Hidden: true}}}
	good := Step{Name: StepName("code"), OK: true, At: at, First: at, Trace: "t2", Times: 1}
	page := TrailPage{Name: both, ID: hard, All: "/a", Only: "/b", Leave: "/leave", CSRF: "token", Dropped: 2,
		Groups: []Group{{At: at, Steps: []Step{good, refused}, Failed: 1, Open: true}, {At: at, Steps: []Step{good}}}}
	return map[string]func(http.ResponseWriter, *http.Request){
		"errors": func(w http.ResponseWriter, r *http.Request) {
			p.Errors(w, r, ErrorsPage{Groups: []ErrorGroup{{Code: "x", Refusals: []Refusal{refusal, {Code: "x", Cause: both, Path: "/y"}}}}})
		},
		"error": func(w http.ResponseWriter, r *http.Request) { p.Error(w, r, refusal) },
		"start": func(w http.ResponseWriter, r *http.Request) {
			p.Start(w, r, 200, StartPage{Action: "/developer", CSRF: "token", Client: hard, Problem: WrongProof})
		},
		"open": func(w http.ResponseWriter, r *http.Request) {
			p.Start(w, r, 200, StartPage{Open: true, Action: "/developer"})
		},
		"trail": func(w http.ResponseWriter, r *http.Request) { p.Trail(w, r, page) },
		"empty": func(w http.ResponseWriter, r *http.Request) {
			p.Trail(w, r, TrailPage{Name: both, ID: "x", Refused: true, Other: "/developer"})
		},
	}
}

func TestA08DeveloperPagesStructure(t *testing.T) {
	pages, err := web.New(web.Config{Sandbox: true})
	if err != nil {
		t.Fatal(err)
	}
	for name, show := range cases(Pages{pages}) {
		for _, lang := range []string{"zh", "en"} {
			t.Run(name+"/"+lang, func(t *testing.T) {
				w := httptest.NewRecorder()
				pages.Preferences(http.HandlerFunc(show)).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/developer?lang="+lang, nil))
				if w.Code != http.StatusOK {
					t.Fatal(w.Code, w.Body)
				}
				root, err := html.Parse(w.Body)
				if err != nil {
					t.Fatal(err)
				}
				count, ids := map[string]int{}, map[string]bool{}
				walk(root, func(n *html.Node) {
					count[n.Data]++
					for _, a := range n.Attr {
						if a.Key == "style" || strings.HasPrefix(a.Key, "on") || a.Key == "id" && ids[a.Val] {
							t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
						}
						ids[a.Val] = ids[a.Val] || a.Key == "id"
					}
				})
				if count["script"] != 0 || count["h1"] != 1 || count["main"] != 1 || count["title"] != 1 {
					t.Errorf("%v", count)
				}
			})
		}
	}
}

func walk(n *html.Node, fn func(*html.Node)) {
	if n.Type == html.ElementNode {
		fn(n)
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		walk(c, fn)
	}
}

func TestCutAt(t *testing.T) {
	for at, want := range map[int]Cut{0: {"", "a", "bc"}, 2: {"ab", "c", ""}, 3: {"abc", "", ""}, 9: {"abc", "", ""}, -1: {"abc", "", ""}} {
		if got := CutAt("abc", at); got != want {
			t.Errorf("%d: %v", at, got)
		}
	}
}

func TestEveryStepHasAName(t *testing.T) {
	for _, step := range []string{"register", "par", "authorize", "login", "consent", "code", "token", "refresh", "userinfo", "introspect", "revoke", "logout"} {
		if StepName(step).IsZero() {
			t.Error(step)
		}
	}
}
