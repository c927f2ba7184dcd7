package web

import (
	"bytes"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/net/html"
)

// doc is a parsed page with the questions that tests ask.
type doc struct {
	*html.Node
	t *testing.T
}

func parsePage(t *testing.T, body []byte) doc {
	t.Helper()
	n, err := html.Parse(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return doc{n, t}
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// all returns the elements that ok accepts, in document order.
func (d doc) all(ok func(n *html.Node) bool) []*html.Node {
	var found []*html.Node
	for n := range d.Descendants() {
		if n.Type == html.ElementNode && ok(n) {
			found = append(found, n)
		}
	}
	return found
}

func (d doc) tags(name string) []*html.Node {
	return d.all(func(n *html.Node) bool { return n.Data == name })
}

func (d doc) byID(id string) *html.Node {
	found := d.all(func(n *html.Node) bool { return attr(n, "id") == id })
	if len(found) != 1 {
		d.t.Errorf("id %q stands %d times in the page, want once", id, len(found))
		return nil
	}
	return found[0]
}

func textOf(n *html.Node) string {
	var b strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			b.WriteString(c.Data)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

func hasClass(n *html.Node, class string) bool {
	for c := range strings.FieldsSeq(attr(n, "class")) {
		if c == class {
			return true
		}
	}
	return false
}

// langOfNode returns the language that n inherits.
func langOfNode(n *html.Node) string {
	for ; n != nil; n = n.Parent {
		if l := attr(n, "lang"); l != "" {
			return l
		}
	}
	return ""
}

// TestPagesStructure renders every page in every state, language and mode and checks what must hold for all of them.
func TestPagesStructure(t *testing.T) {
	p := testPages(t)
	for _, c := range testCases() {
		for _, v := range variants {
			t.Run(c.name+"/"+v.lang+"/"+v.mode, func(t *testing.T) {
				w := get(t, p, c, v)
				if want := strings.HasPrefix(c.name, "problem") || c.name == "loggedout-stray"; (w.Code >= 400) != want {
					t.Fatalf("status %d", w.Code)
				}
				if got := w.Header().Get("Cache-Control"); got != "no-store" {
					t.Errorf("Cache-Control %q", got)
				}
				d := parsePage(t, w.Body.Bytes())
				checkFrame(t, d, v)
				checkNothingActive(t, d)
				checkReferences(t, d)
				checkControls(t, d)
				checkLanguage(t, d, v)
			})
		}
	}
}

func checkFrame(t *testing.T, d doc, v variant) {
	root := d.tags("html")[0]
	if want := Lang(v.lang).Tag(); attr(root, "lang") != want {
		t.Errorf("lang %q, want %q", attr(root, "lang"), want)
	}
	if hasClass(root, "senior") != (v.mode == "senior") {
		t.Error("senior class does not follow the mode")
	}
	for _, tag := range []string{"h1", "main", "title", "header", "footer"} {
		found := d.tags(tag)
		if len(found) != 1 || textOf(found[0]) == "" {
			t.Errorf("%d <%s>, want one with text", len(found), tag)
		}
	}
	if help := d.all(func(n *html.Node) bool { return attr(n, "href") == "tel:12345" }); len(help) > 1 {
		t.Error("help stands twice")
	}
	if main := d.all(func(n *html.Node) bool { return hasClass(n, "main") && hasClass(n, "b") }); len(main) > 1 {
		t.Errorf("%d filled buttons, want at most one", len(main))
	}
	last := 1
	for _, h := range d.all(func(n *html.Node) bool { return n.Data == "h1" || n.Data == "h2" || n.Data == "h3" }) {
		level := int(h.Data[1] - '0')
		if level > last+1 {
			t.Errorf("heading %q skips a level", textOf(h))
		}
		last = level
	}
}

// checkNothingActive checks that Content-Security-Policy default-src 'self' breaks nothing and that no link is dead.
func checkNothingActive(t *testing.T, d doc) {
	for _, n := range d.all(func(*html.Node) bool { return true }) {
		if n.Data == "script" || n.Data == "style" || n.Data == "iframe" || n.Data == "object" || n.Data == "base" {
			t.Errorf("<%s> in a page", n.Data)
		}
		for _, a := range n.Attr {
			if a.Key == "style" || strings.HasPrefix(a.Key, "on") {
				t.Errorf("<%s %s>", n.Data, a.Key)
			}
			if strings.HasPrefix(a.Val, "data:") || strings.HasPrefix(a.Val, "javascript:") || strings.Contains(a.Val, "ZgotmplZ") {
				t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
			}
			if a.Key == "href" && (a.Val == "" || strings.HasPrefix(a.Val, "#") && a.Val != "#main") {
				t.Errorf("dead link %q on %q", a.Val, textOf(n))
			}
		}
	}
}

// checkReferences checks that ids are unique and that everything that refers to one finds it.
func checkReferences(t *testing.T, d doc) {
	ids := map[string]int{}
	for _, n := range d.all(func(n *html.Node) bool { return attr(n, "id") != "" }) {
		ids[attr(n, "id")]++
	}
	for id, n := range ids {
		if n != 1 {
			t.Errorf("id %q stands %d times", id, n)
		}
	}
	for _, n := range d.all(func(*html.Node) bool { return true }) {
		for _, name := range []string{"for", "aria-describedby", "aria-labelledby"} {
			for id := range strings.FieldsSeq(attr(n, name)) {
				if ids[id] == 0 {
					t.Errorf("<%s %s=%q> refers to nothing", n.Data, name, id)
				}
			}
		}
	}
}

// checkControls checks that everything that can be pressed or filled in has a name.
func checkControls(t *testing.T, d doc) {
	labelled := map[string]bool{}
	for _, n := range d.tags("label") {
		labelled[attr(n, "for")] = true
	}
	for _, n := range d.tags("input") {
		if attr(n, "type") == "hidden" {
			continue
		}
		inLabel := n.Parent != nil && n.Parent.Data == "label" && textOf(n.Parent) != ""
		if !inLabel && (attr(n, "id") == "" || !labelled[attr(n, "id")]) {
			t.Errorf("input %q has no label", attr(n, "name"))
		}
		if attr(n, "type") == "checkbox" && hasAttr(n, "checked") {
			t.Errorf("optional %q is ticked already", attr(n, "name"))
		}
	}
	for _, n := range d.all(func(n *html.Node) bool { return n.Data == "a" || n.Data == "button" || n.Data == "summary" }) {
		if textOf(n) == "" {
			t.Errorf("<%s> without text", n.Data)
		}
	}
	for _, n := range d.tags("svg") {
		if attr(n, "aria-hidden") != "true" && (attr(n, "role") != "img" || attr(n, "aria-label") == "") {
			t.Error("svg is neither hidden nor named")
		}
	}
	for _, n := range d.tags("form") {
		if attr(n, "role") == "search" {
			continue
		}
		if attr(n, "method") != "post" || len(d.all(func(m *html.Node) bool { return attr(m, "name") == "csrf" })) == 0 {
			t.Error("form without post or csrf")
		}
	}
}

func hasAttr(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

// checkLanguage checks that no argument was forgotten and that Chinese in an English page is marked.
func checkLanguage(t *testing.T, d doc, v variant) {
	for n := range d.Descendants() {
		if n.Type != html.TextNode || strings.TrimSpace(n.Data) == "" {
			continue
		}
		if strings.ContainsAny(n.Data, "{}|") || strings.Contains(n.Data, "**") && !strings.Contains(n.Data, "****") {
			t.Errorf("unfilled or unread mark in %q", n.Data)
		}
		hanFound := strings.ContainsFunc(n.Data, func(r rune) bool { return unicode.Is(unicode.Han, r) })
		if v.lang == "en" && hanFound && langOfNode(n.Parent) == "en" && n.Parent.Data != "title" {
			t.Errorf("Chinese without lang in an English page: %q", n.Data)
		}
		if v.lang == "en" && strings.ContainsAny(n.Data, "“”‘’") && langOfNode(n.Parent) == "en" {
			t.Errorf("curly quotes in English: %q", n.Data)
		}
	}
}
