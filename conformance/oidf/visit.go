//go:build conformance

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/hufu-id/hufu/conformance/oidf/suite"
	"github.com/hufu-id/hufu/conformance/oidf/vci"
	"github.com/hufu-id/hufu/internal/apptest"
)

// visitError ends a visit: the browser could not go on.
type visitError string

func (e visitError) Error() string { return string(e) }

// noTest lets the browser run outside a test: what would fail the test ends the visit.
type noTest struct{}

func (noTest) Helper()                      {}
func (noTest) Fatal(args ...any)            { panic(visitError(fmt.Sprint(args...))) }
func (noTest) Fatalf(f string, args ...any) { panic(visitError(fmt.Sprintf(f, args...))) }

// visitor is the person and her browser during one module: one cookie jar.
type visitor struct {
	w       *world
	person  apptest.Person
	at      string // the province by which she logs in
	browser *apptest.Browser
	act     act
	// delivery brings offers to the suite's wallet; nil without one.
	delivery *vci.Delivery
	number   int      // of the visit, from 1
	seen     []string // what the browser saw in this visit, as labels
	all      []string // the same of all visits, for the log
	last     string   // the last page in words
}

func (w *world) newVisitor(a act) *visitor {
	v := &visitor{w: w, person: w.person, act: a, browser: apptest.NewBrowser(noTest{})}
	if a.deny {
		v.person = w.refuser
	}
	v.at = v.person.Province
	v.browser.Use(w.http)
	v.browser.Header.Set("Accept-Language", "en")
	return v
}

// visit opens an address and does what a person would, until a page of the suite, or one on which she stops.
func (v *visitor) visit(ctx context.Context, to suite.Address) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case visitError:
			err = r
		default:
			panic(r)
		}
	}()
	v.number++
	v.seen = nil
	page := v.open(to)
	for range 15 {
		v.look(page)
		next, err := v.step(ctx, page)
		if err != nil || next == nil {
			return err
		}
		page = next
	}
	return visitError("too many steps: " + strings.Join(v.seen, " "))
}

// open sends the first request. The suite's authorization request by POST is its query as a form.
func (v *visitor) open(to suite.Address) *apptest.Page {
	base, query, _ := strings.Cut(to.URL, "?")
	if to.Method != http.MethodPost {
		return v.browser.Get(to.URL)
	}
	form, err := url.ParseQuery(query)
	if err != nil {
		panic(visitError(err.Error()))
	}
	return v.browser.Post(base, form)
}

// Elements by which the person finds her way, and how we call the pages that have them.
func (v *visitor) marks() [][2]string {
	return [][2]string{{"province-" + v.at, "login"}, {"person-" + v.person.Slug, "province"}, {"consent-allow", "consent"},
		{"logout-confirm", "logout"}, {"logout-stray", "logout-stray"}, {"logged-out", "logged-out"}, {"client-logo", "client-logo"}, {"client-policy", "client-policy"},
		{"client-tos", "client-tos"}, {"handback-go", "handback"}}
}

// look notes what a page is.
func (v *visitor) look(p *apptest.Page) {
	before := len(v.seen)
	switch {
	case v.ofSuite(p):
		v.seen = append(v.seen, "suite")
	case p.Has("problem"):
		v.seen = append(v.seen, "problem:"+p.Attr("problem", "data-kind"))
	default:
		for _, mark := range v.marks() {
			if p.Has(mark[0]) {
				v.seen = append(v.seen, mark[1])
			}
		}
	}
	if len(v.seen) == before {
		v.seen = append(v.seen, "unknown")
	}
	v.all = append(v.all, v.seen[before:]...)
	v.last = fmt.Sprintf("%s after %s", p, strings.Join(p.Hops, " -> "))
}

func (v *visitor) ofSuite(p *apptest.Page) bool {
	return strings.HasPrefix(p.URL.String(), v.w.suite.Base+"/")
}

// step is what the person does on a page; nil when she stops there.
func (v *visitor) step(ctx context.Context, p *apptest.Page) (*apptest.Page, error) {
	switch {
	case v.ofSuite(p):
		return nil, v.finish(ctx, p)
	case v.number <= v.act.look && p.Has("province-"+v.at):
		return nil, nil
	case p.Has("province-" + v.at):
		return p.Click("province-" + v.at), nil
	case p.Has("person-" + v.person.Slug):
		return p.Click("person-" + v.person.Slug), nil
	case p.Has("consent-deny") && v.act.deny:
		return p.Click("consent-deny"), nil
	case p.Has("consent-allow"):
		// Agreed until revoked, so that prompt=none needs nobody.
		return p.ClickWith("consent-allow", url.Values{"term": {"standing"}}), nil
	case p.Has("logout-confirm"):
		return p.Click("logout-confirm"), nil
	case p.Has("handback-go"):
		return p.Click("handback-go"), nil
	}
	return nil, nil
}

// submitTo finds where the script of the suite's callback page sends the fragment.
var submitTo = regexp.MustCompile(`xhr\.open\('POST',\s*("[^"]+")`)

// finish does what the script of the suite's callback page does: it sends the fragment, which is empty with the code flow.
func (v *visitor) finish(ctx context.Context, p *apptest.Page) error {
	found := submitTo.FindSubmatch(p.Body)
	if found == nil {
		return nil // the page after a logout, or one that says that the suite did not expect this
	}
	var to string
	if err := json.Unmarshal(found[1], &to); err != nil {
		return err
	}
	fragment := ""
	if p.URL.Fragment != "" {
		fragment = "#" + p.URL.EscapedFragment()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(fragment))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "text/plain")
	res, err := v.w.suite.HTTP.Do(req)
	if err == nil {
		err = res.Body.Close()
	}
	return err
}

// shows says whether this visit showed what a picture must prove.
func (v *visitor) shows() bool {
	if v.act.shows != "" {
		return slices.Contains(v.seen, v.act.shows)
	}
	return len(v.seen) > 0 && strings.HasPrefix(v.seen[len(v.seen)-1], "problem:")
}
