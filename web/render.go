package web

import (
	"bytes"
	"log/slog"
	"net/http"
	"strconv"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
)

// New parses all templates. It fails only when the program was built with a broken template or asset.
func New(cfg Config) (*Pages, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Trace == nil {
		cfg.Trace = audit.Trace
	}
	a, err := loadAssets(cfg.base())
	if err != nil {
		return nil, err
	}
	p := &Pages{cfg: cfg, assets: a}
	p.templates, err = parseTemplates(a)
	return p, err
}

// frame is what the layout needs around a page.
type frame struct {
	View
	Page any
	cfg  Config
	path string
}

// Sandbox reports whether the sandbox strip is shown.
func (f frame) Sandbox() bool { return f.cfg.Sandbox }

// Version is the version in the foot.
func (f frame) Version() string { return f.cfg.Version }

// Desk is the counter whose pages these are, or nil.
func (f frame) Desk() *Desk { return f.cfg.Desk }

// Places is the menu of a counter.
func (f frame) Places() (out []place) {
	for _, x := range []struct{ key, path string }{{"counter.nav.check", ""}, {"counter.nav.history", "/history"}, {"counter.nav.bundle", "/bundle"}} {
		to := f.cfg.Desk.Base + x.path
		out = append(out, place{Name: Say(x.key, nil), Href: to, Current: f.path == to})
	}
	return out
}

// place is one of a menu; Current is the page that is shown.
type place struct {
	Name    Text
	Href    string
	Current bool
}

// Home is where the mark leads.
func (f frame) Home() string { return f.cfg.home() }

// base is the path below which everything lies.
func (c Config) base() string {
	if c.Desk != nil {
		return c.Desk.Base
	}
	return ""
}

func (c Config) home() string {
	if c.Desk != nil {
		return c.Desk.Base
	}
	return "/"
}

// Render executes the page's template (templates/<name>.html) for the reader's language and mode into memory and sends it. The views of an area of pages
// may live in a package of their own below this one; modules call the method that is named after the page.
func (p *Pages) Render(w http.ResponseWriter, r *http.Request, status int, name string, page any) {
	view := viewOf(r)
	t := p.templates[string(view.Lang)+"/"+name]
	if senior, ok := p.templates[string(view.Lang)+"/"+name+".senior"]; ok && view.Senior {
		t = senior
	}
	var b bytes.Buffer
	if err := t.ExecuteTemplate(&b, "layout", frame{View: view, Page: page, cfg: p.cfg, path: r.URL.Path}); err != nil {
		p.fail(w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", view.Lang.Tag())
	h.Add("Vary", "Cookie, Accept-Language")
	h.Set("Content-Length", strconv.Itoa(b.Len()))
	h.Set("Cache-Control", "no-store") // pages show personal data and form tokens
	w.WriteHeader(status)
	if r.Method != http.MethodHead {
		_, _ = w.Write(b.Bytes())
	}
}

// fail answers a page that could not be made: plain text, so that it can't fail again, with the number to quote.
func (p *Pages) fail(w http.ResponseWriter, r *http.Request, err error) {
	trace := p.cfg.Trace(r.Context())
	slog.ErrorContext(r.Context(), "page could not be rendered", "path", r.URL.Path, "trace_id", trace, "error", err)
	text := Say("fault.plain", Args{"trace": Plain(trace)})
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, text.ZH+"\n"+text.EN, http.StatusInternalServerError)
}
