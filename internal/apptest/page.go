package apptest

import (
	"bytes"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

// document parses the page on first use.
func (p *Page) document() *html.Node {
	if p.root == nil {
		root, err := html.Parse(bytes.NewReader(p.Body))
		if err != nil {
			p.b.t.Fatal(err)
		}
		p.root = root
	}
	return p.root
}

// find returns the elements that match, in the order of the document.
func find(n *html.Node, match func(*html.Node) bool) []*html.Node {
	var out []*html.Node
	if n.Type == html.ElementNode && match(n) {
		out = append(out, n)
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		out = append(out, find(c, match)...)
	}
	return out
}

func attr(n *html.Node, name string) string {
	v, _ := lookup(n, name)
	return v
}

func lookup(n *html.Node, name string) (string, bool) {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val, true
		}
	}
	return "", false
}

func text(n *html.Node) string {
	if n.Type == html.TextNode {
		return n.Data
	}
	if n.Type == html.ElementNode && (n.Data == "script" || n.Data == "style") {
		return ""
	}
	var b strings.Builder
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		b.WriteString(text(c))
	}
	return b.String()
}

// Has reports whether the page has an element with this id.
func (p *Page) Has(id string) bool { return p.node(id) != nil }

func (p *Page) node(id string) *html.Node {
	p.b.t.Helper()
	found := find(p.document(), func(n *html.Node) bool { return attr(n, "id") == id })
	if len(found) > 1 {
		p.b.t.Fatalf("the id %q stands %d times in %s", id, len(found), p)
	}
	if len(found) == 0 {
		return nil
	}
	return found[0]
}

func (p *Page) must(id string) *html.Node {
	p.b.t.Helper()
	n := p.node(id)
	if n == nil {
		p.b.t.Fatalf("no element with id %q in %s", id, p)
	}
	return n
}

// Text returns the text of the page.
func (p *Page) Text() string { return text(p.document()) }

// TextOf returns the trimmed text of the element with this id, which must be there.
func (p *Page) TextOf(id string) string {
	p.b.t.Helper()
	return strings.TrimSpace(text(p.must(id)))
}

// Attr returns an attribute of the element with this id, which must be there.
func (p *Page) Attr(id, name string) string {
	p.b.t.Helper()
	return attr(p.must(id), name)
}

// Click follows the link or presses the button with this id.
func (p *Page) Click(id string) *Page {
	p.b.t.Helper()
	return p.ClickWith(id, nil)
}

// ClickWith presses the button with this id after setting fields of its form; a field set to nil values is not sent.
func (p *Page) ClickWith(id string, set url.Values) *Page {
	p.b.t.Helper()
	n := p.must(id)
	if n.Data == "a" {
		return p.b.Get(p.resolve(attr(n, "href")).String())
	}
	form := p.formOf(n)
	values := fields(form)
	if name := attr(n, "name"); name != "" {
		values.Set(name, attr(n, "value"))
	}
	for k, v := range set {
		if v == nil {
			values.Del(k)
			continue
		}
		values[k] = v
	}
	action, method := attr(form, "action"), attr(form, "method")
	if v, ok := lookup(n, "formaction"); ok {
		action = v
	}
	to := p.resolve(action)
	if strings.EqualFold(method, http.MethodPost) {
		return p.b.Post(to.String(), values)
	}
	to.RawQuery = values.Encode()
	return p.b.Get(to.String())
}

func (p *Page) resolve(ref string) *url.URL {
	p.b.t.Helper()
	base := p.URL
	for _, n := range find(p.document(), func(n *html.Node) bool { return n.Data == "base" }) {
		if b, err := p.URL.Parse(attr(n, "href")); err == nil {
			base = b
		}
	}
	u, err := base.Parse(ref)
	if err != nil {
		p.b.t.Fatalf("%q in %s: %v", ref, p, err)
	}
	u.Fragment = ""
	return u
}

// formOf returns the form of a control: the one its form attribute names, else the one around it.
func (p *Page) formOf(n *html.Node) *html.Node {
	p.b.t.Helper()
	if id := attr(n, "form"); id != "" {
		return p.must(id)
	}
	for f := n.Parent; f != nil; f = f.Parent {
		if f.Type == html.ElementNode && f.Data == "form" {
			return f
		}
	}
	p.b.t.Fatalf("the control %q of %s is no link and in no form", attr(n, "id"), p)
	return nil
}

// fields are the values that a form sends when nobody changes it, without buttons.
func fields(form *html.Node) url.Values {
	values := url.Values{}
	for _, n := range find(form, func(n *html.Node) bool { return n.Data == "input" || n.Data == "select" || n.Data == "textarea" }) {
		name := attr(n, "name")
		if _, disabled := lookup(n, "disabled"); disabled || name == "" {
			continue
		}
		switch n.Data {
		case "textarea":
			values.Add(name, text(n))
		case "select":
			values.Add(name, selected(n))
		default:
			kind := strings.ToLower(attr(n, "type"))
			_, checked := lookup(n, "checked")
			switch {
			case kind == "submit" || kind == "button" || kind == "reset" || kind == "image":
			case (kind == "checkbox" || kind == "radio") && !checked:
			default:
				values.Add(name, attr(n, "value"))
			}
		}
	}
	return values
}

// selected is the value of a list of choices: the chosen one, else the first.
func selected(list *html.Node) string {
	value := ""
	for i, o := range find(list, func(n *html.Node) bool { return n.Data == "option" }) {
		v, ok := lookup(o, "value")
		if !ok {
			v = text(o)
		}
		if _, chosen := lookup(o, "selected"); chosen || i == 0 {
			value = v
		}
	}
	return value
}
