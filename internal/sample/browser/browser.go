// Package browser is a citizen's browser for `hufu demo`: cookies, redirects, links and forms by control id, no script. It reports what went wrong as an error;
// tests have a richer one in apptest.
package browser

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/html"
)

// Browser is one person's browser. For one goroutine.
type Browser struct{ client *http.Client }

// New returns a browser with an empty cookie jar.
func New() *Browser {
	jar, _ := cookiejar.New(nil) // fails never without options
	return &Browser{client: &http.Client{Jar: jar, Timeout: 10 * time.Second}}
}

// Page is what an address answered, after redirects.
type Page struct {
	URL    *url.URL
	Status int
	Body   string
	b      *Browser
	root   *html.Node
}

// Get opens an address.
func (b *Browser) Get(ctx context.Context, address string) (*Page, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	return b.do(req)
}

// maxPage bounds what is read of a page.
const maxPage = 1 << 20

func (b *Browser) do(req *http.Request) (*Page, error) {
	res, err := b.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, maxPage))
	if err != nil {
		return nil, err
	}
	p := &Page{URL: res.Request.URL, Status: res.StatusCode, Body: string(body), b: b}
	if p.root, err = html.Parse(strings.NewReader(p.Body)); err != nil {
		return nil, err
	}
	return p, nil
}

// Has says whether the page has a control with this id.
func (p *Page) Has(id string) bool { return find(p.root, id) != nil }

// Text returns the text of the element with this id.
func (p *Page) Text(id string) (string, error) {
	n := find(p.root, id)
	if n == nil {
		return "", p.missing(id)
	}
	return strings.TrimSpace(text(n)), nil
}

// Attr returns an attribute of the element with this id.
func (p *Page) Attr(id, name string) (string, error) {
	n := find(p.root, id)
	if n == nil {
		return "", p.missing(id)
	}
	return attr(n, name), nil
}

func (p *Page) missing(id string) error {
	title := ""
	if h := element(p.root, "h1"); h != nil {
		title = strings.Join(strings.Fields(text(h)), " ")
	}
	return fmt.Errorf("the page %s (status %d, %q) has no control %q", p.URL.Redacted(), p.Status, title, id)
}

// Fill types a value into the field with this id.
func (p *Page) Fill(id, value string) error {
	n := find(p.root, id)
	if n == nil {
		return p.missing(id)
	}
	for i := range n.Attr {
		if n.Attr[i].Key == "value" {
			n.Attr[i].Val = value
			return nil
		}
	}
	n.Attr = append(n.Attr, html.Attribute{Key: "value", Val: value})
	return nil
}

// Click follows the link or presses the button with this id.
func (p *Page) Click(ctx context.Context, id string) (*Page, error) {
	n := find(p.root, id)
	if n == nil {
		return nil, p.missing(id)
	}
	if n.Data == "a" {
		target, err := p.URL.Parse(attr(n, "href"))
		if err != nil {
			return nil, err
		}
		return p.b.Get(ctx, target.String())
	}
	form := n
	for form != nil && form.Data != "form" {
		form = form.Parent
	}
	if form == nil {
		return nil, fmt.Errorf("the control %q on %s is in no form", id, p.URL.Redacted())
	}
	values := fields(form, url.Values{})
	if name := attr(n, "name"); name != "" {
		values.Set(name, attr(n, "value"))
	}
	target, err := p.URL.Parse(attr(form, "action"))
	if err != nil {
		return nil, err
	}
	if !strings.EqualFold(attr(form, "method"), "post") {
		target.RawQuery = values.Encode()
		return p.b.Get(ctx, target.String())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target.String(), strings.NewReader(values.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return p.b.do(req)
}

// fields collects what the form would send without a button: hidden and text fields, and what is ticked.
func fields(n *html.Node, into url.Values) url.Values {
	if n.Type == html.ElementNode && n.Data == "input" && attr(n, "name") != "" {
		switch attr(n, "type") {
		case "submit", "button", "file":
		case "checkbox", "radio":
			if has(n, "checked") {
				into.Add(attr(n, "name"), attr(n, "value"))
			}
		default:
			into.Add(attr(n, "name"), attr(n, "value"))
		}
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		fields(c, into)
	}
	return into
}

func find(n *html.Node, id string) *html.Node {
	return first(n, func(n *html.Node) bool { return attr(n, "id") == id })
}

func element(n *html.Node, name string) *html.Node {
	return first(n, func(n *html.Node) bool { return n.Data == name })
}

func first(n *html.Node, match func(*html.Node) bool) *html.Node {
	if n.Type == html.ElementNode && match(n) {
		return n
	}
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if f := first(c, match); f != nil {
			return f
		}
	}
	return nil
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func text(n *html.Node) string {
	if n.Type == html.TextNode {
		return n.Data
	}
	var b strings.Builder
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		b.WriteString(text(c))
	}
	return b.String()
}
