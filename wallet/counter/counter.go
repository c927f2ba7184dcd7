// Package counter is the clerk's page at a department: it asks for a licence with a fresh challenge, takes what the wallet shows (by a scanner that types, pasted, as
// a file, or as a link of the national server), and shows the verdict of signing/verify over the department's own copy of the trust bundle. It keeps working
// when the national server is down.
//
//	GET  /counter                       asks, and takes the answer
//	POST /counter/check                 the verdict
//	GET  /counter/receipts/{no}         the record of a check, to print
//	POST /counter/receipts/{no}/person  the same person or another, said once
//	GET  /counter/history[.csv]         the checks
//	GET  /counter/bundle                the state of the bundle
//	POST /counter/bundle/refresh        fetches a newer one
//	POST /counter/bundle/import         takes one from a file
//
// It has no login of its own: it stands behind the department's. What it keeps holds no claim value and nothing that names a holder.
package counter

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/bundlecopy"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/web"
	"github.com/hufu-id/hufu/web/counterpages"
)

// Path is where the counter lies below a department's base URL.
const Path = "/counter"

// Chosen is the purpose of a show in which the holder chose the fields.
const Chosen = "chosen"

// Request is one thing that this counter asks for: a preset of a licence type.
type Request struct {
	// Type is a licence type, such as "driving-licence", Purpose one of its presets, such as "driving-check".
	Type, Purpose string
	Name          web.Text
}

// Config is what a counter needs. All fields but Purposes, OldAfter, Now and Log are required.
type Config struct {
	// BaseURL is the department's, without a slash at the end; the audience of proofs is BaseURL + Path.
	BaseURL    string
	Department web.Text
	// Code is the department's credit code, ClientID its client at the national server, National that server's origin.
	Code, ClientID, National string
	Requests                 []Request
	// Purposes are the ids of purposes whose unasked proofs are accepted; nil means those of Requests and Chosen.
	Purposes []string
	// OldAfter is the age of bundle or status list from which a valid verdict carries a warning; 0 means a day.
	OldAfter time.Duration

	Store Store
	// Tx runs fn in a transaction; ClaimOnce marks an id as used or returns Lost; Audit writes an event.
	Tx        func(ctx context.Context, fn func(context.Context) error) error
	ClaimOnce func(ctx context.Context, kind, id string, expires time.Time) error
	Lost      error
	Audit     func(ctx context.Context, ev audit.Event) error

	Pages counterpages.Pages
	// Bundle is the directory of the counter's copy, Root the root of trust that was given once.
	Bundle bundlecopy.Dir
	Root   []byte
	// Shown fetches presentations, BundleSource trust bundles, which are larger.
	Shown, BundleSource *httpx.Client

	Now func() time.Time
	Log *slog.Logger
}

// Counter serves the pages. It is safe for concurrent use.
type Counter struct {
	cfg      Config
	audience string
	purposes []string // audiences that stand for a purpose
	nonces   nonces
	formKey  []byte
	trust    trust
}

// New opens a counter with the bundle that its directory holds; there need not be one yet.
func New(ctx context.Context, cfg Config) (*Counter, error) {
	if cfg.BaseURL == "" || cfg.National == "" || cfg.ClientID == "" || len(cfg.Requests) == 0 || cfg.Store == nil || cfg.Tx == nil || cfg.ClaimOnce == nil ||
		cfg.Lost == nil || cfg.Audit == nil || cfg.Pages.Pages == nil || cfg.Bundle == "" || cfg.Shown == nil || cfg.BundleSource == nil {
		return nil, errors.New("counter: a required part is missing")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.OldAfter == 0 {
		cfg.OldAfter = 24 * time.Hour
	}
	if cfg.Purposes == nil {
		for _, r := range cfg.Requests {
			cfg.Purposes = append(cfg.Purposes, r.Purpose)
		}
		cfg.Purposes = append(cfg.Purposes, Chosen)
	}
	c := &Counter{cfg: cfg, audience: cfg.BaseURL + Path}
	for _, p := range cfg.Purposes {
		if a := cfg.National + "/purposes/" + p; !slices.Contains(c.purposes, a) {
			c.purposes = append(c.purposes, a)
		}
	}
	key, err := cfg.Store.Key(ctx, "counter", random(32))
	if err != nil {
		return nil, fmt.Errorf("counter: %w", err)
	}
	c.nonces, c.formKey = nonces{derive(key, "nonce "+c.audience)}, derive(key, "form")
	c.trust.load(c)
	return c, nil
}

// Routes mounts the pages.
func (c *Counter) Routes(r *mux.Router) {
	get, post := http.MethodGet, http.MethodPost
	r.HandleFunc(Path, c.ask).Methods(get, http.MethodHead)
	r.HandleFunc(Path+"/check", c.check).Methods(post)
	r.HandleFunc(Path+"/receipts/{receipt}", c.receipt).Methods(get, http.MethodHead)
	r.HandleFunc(Path+"/receipts/{receipt}/person", c.person).Methods(post)
	r.HandleFunc(Path+"/history", c.history).Methods(get, http.MethodHead)
	r.HandleFunc(Path+"/history.csv", c.historyCSV).Methods(get, http.MethodHead)
	r.HandleFunc(Path+"/bundle", c.bundlePage).Methods(get, http.MethodHead)
	r.HandleFunc(Path+"/bundle/refresh", c.bundleRefresh).Methods(post)
	r.HandleFunc(Path+"/bundle/import", c.bundleImport).Methods(post)
	r.PathPrefix(Path + "/assets/").Handler(c.cfg.Pages.Assets())
}

// MaxBody is the body limit for a request, for httpx.Options.
func (c *Counter) MaxBody(r *http.Request) int64 {
	switch r.URL.Path {
	case Path + "/check":
		return 1 << 20
	case Path + "/bundle/import":
		return maxImport
	}
	return 0
}

// Handler serves the counter alone, with everything that goes around it.
func (c *Counter) Handler() http.Handler {
	r := mux.NewRouter().SkipClean(true).UseEncodedPath()
	c.Routes(r)
	r.HandleFunc("/livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") }).Methods("GET", "HEAD")
	r.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, Path, http.StatusSeeOther) }).Methods("GET", "HEAD")
	problem := func(kind web.ProblemKind) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { c.problem(w, r, kind) }
	}
	r.NotFoundHandler, r.MethodNotAllowedHandler = problem(web.ProblemNotFound), problem(web.ProblemMethod)
	return httpx.Wrap(c.cfg.Pages.Preferences(r), httpx.Options{Log: c.cfg.Log, HSTS: strings.HasPrefix(c.cfg.BaseURL, "https://"), MaxBody: c.MaxBody,
		ServerError: problem(web.ProblemInternal)})
}

func (c *Counter) problem(w http.ResponseWriter, r *http.Request, kind web.ProblemKind) {
	page := web.NewProblem(kind, nil)
	page.Next = web.Next(web.NextBack, Path)
	c.cfg.Pages.Problem(w, r, page)
}

func (c *Counter) fault(w http.ResponseWriter, r *http.Request, err error) {
	c.cfg.Log.ErrorContext(r.Context(), "counter: fault", slog.String("trace", audit.Trace(r.Context())), slog.Any("error", err))
	c.problem(w, r, web.ProblemInternal)
}

// origin is the origin of the pages, as browsers write it.
func (c *Counter) origin() string {
	scheme, rest, _ := strings.Cut(c.cfg.BaseURL, "://")
	host, _, _ := strings.Cut(rest, "/")
	return scheme + "://" + host
}

// formToken is for clients that don't say where a form came from; browsers do. The counter has no sessions to bind it to.
func (c *Counter) formToken() string { return httpx.FormToken(c.formKey, "counter") }

// form reads a form and checks that one of our own pages sent it. It answers itself when it returns false.
func (c *Counter) form(w http.ResponseWriter, r *http.Request) (fields map[string]string, files map[string][]byte, ok bool) {
	// Before the body is read: a bundle is large, and any page on the web can send one.
	if errors.Is(httpx.SameOrigin(r, c.origin()), httpx.ErrCrossSite) {
		c.problem(w, r, web.ProblemForm)
		return nil, nil, false
	}
	values, files, err := httpx.Upload(r)
	switch {
	case errors.Is(err, httpx.ErrTooLarge):
		c.problem(w, r, web.ProblemTooLarge)
		return nil, nil, false
	case err != nil, httpx.CheckForm(r, c.origin(), c.formKey, "counter", values.Get("csrf")) != nil:
		c.problem(w, r, web.ProblemForm)
		return nil, nil, false
	}
	fields = map[string]string{}
	for name := range values {
		fields[name] = values.Get(name)
	}
	return fields, files, true
}
