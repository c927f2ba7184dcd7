// Package registerapi is the department API of the register, below /register/v1/, and what is public of licence types. Offers are served by
// the issuer, reports of errors by wallet/correction, jobs by register/job.
package registerapi

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/wallet/register"
	"github.com/hufu-id/hufu/wallet/register/licencetype"
	"github.com/hufu-id/hufu/wallet/register/published"
)

// Config is what an API needs. Departments and Log may be missing.
type Config struct {
	Register    *register.Service
	Departments register.Departments
	Log         *slog.Logger
}

// API serves the department API. It is safe for concurrent use.
type API struct {
	register    *register.Service
	departments register.Departments
	public      *published.Pages
	log         *slog.Logger
}

// New returns the API of a register.
func New(cfg Config) (*API, error) {
	a := &API{register: cfg.Register, departments: cfg.Departments, log: cfg.Log}
	if a.log == nil {
		a.log = slog.New(slog.DiscardHandler)
	}
	var err error
	a.public, err = published.New(cfg.Register.Types(), func(w http.ResponseWriter, r *http.Request) { a.problem(w, r, errNoType) })
	return a, err
}

// Routes mounts the department API and the type metadata.
func (a *API) Routes(r *mux.Router) {
	a.public.Routes(r)
	r.HandleFunc("/register/v1/openapi.json", serveOpenAPI).Methods(http.MethodGet)
	r.HandleFunc("/register/v1/licences", a.department(a.importLicences)).Methods(http.MethodPost)
	r.HandleFunc("/register/v1/licences", a.department(a.listLicences)).Methods(http.MethodGet)
	r.HandleFunc("/register/v1/licences/{id}", a.department(a.getLicence)).Methods(http.MethodGet)
	r.HandleFunc("/register/v1/licences/{id}/successors", a.department(a.succeed)).Methods(http.MethodPost)
	r.HandleFunc("/register/v1/licences/{id}/status", a.department(a.changeStatus)).Methods(http.MethodPost)
}

func (a *API) department(fn func(r *http.Request, d register.Department) (any, error)) http.HandlerFunc {
	return httpx.Answer(a.authenticate, a.problem, fn)
}

// authenticate tells who calls, by the access token.
func (a *API) authenticate(r *http.Request) (register.Department, error) {
	token, ok := bearer.Token(r)
	if !ok || a.departments == nil {
		return register.Department{}, register.ErrUnauthenticated
	}
	d, err := a.departments.Authenticate(r.Context(), token)
	if err == nil && d.Code == "" {
		return register.Department{}, register.ErrUnauthenticated // or one without a code would own the records without one
	}
	return d, err
}

func (a *API) importLicences(r *http.Request, d register.Department) (any, error) {
	body, err := httpx.ReadBody(r)
	if err != nil {
		return nil, err
	}
	items, err := register.ParseImport(body)
	if err != nil {
		return nil, err
	}
	return a.register.ImportItems(r.Context(), d, items)
}

// LicenceView is a licence as the department API shows it to its authority.
type LicenceView struct {
	ID           string          `json:"id"`
	Type         string          `json:"type"`
	TypeVersion  int             `json:"type_version"`
	RecordNumber string          `json:"record_number"`
	Holder       register.Holder `json:"holder"`
	Fields       map[string]any  `json:"fields"`
	ValidFrom    register.Date   `json:"valid_from"`
	ValidTo      register.Date   `json:"valid_to,omitempty"`
	Status       StatusView      `json:"status"`
	// Predecessor and Successor are the licences before and after this one; Chain is all of them, oldest first, where there are several.
	Predecessor string       `json:"predecessor,omitempty"`
	Successor   string       `json:"successor,omitempty"`
	Chain       []string     `json:"chain,omitempty"`
	Journal     []ChangeView `json:"journal,omitempty"`
}

// StatusView is a legal state with its reason.
type StatusView struct {
	Name   string               `json:"name"`
	Code   register.LegalStatus `json:"code"`
	NameZH string               `json:"name_zh"`
	Since  time.Time            `json:"since"`
	Reason string               `json:"reason,omitempty"`
}

// ChangeView is one row of the journal.
type ChangeView struct {
	Operation   string    `json:"operation"`
	From        string    `json:"from,omitempty"`
	To          string    `json:"to"`
	Reason      string    `json:"reason,omitempty"`
	EffectiveAt time.Time `json:"effective_at"`
	RecordedAt  time.Time `json:"recorded_at"`
	Actor       string    `json:"actor"`
}

func viewOf(l register.Licence) LicenceView {
	i := l.Status.Info()
	return LicenceView{ID: l.ID, Type: l.TypeID, TypeVersion: l.TypeVersion, RecordNumber: l.RecordNumber, Holder: l.Holder, Fields: l.Fields,
		ValidFrom: l.ValidFrom, ValidTo: l.ValidTo, Predecessor: l.Predecessor, Successor: l.Successor,
		Status: StatusView{Name: i.Name, Code: l.Status, NameZH: i.ZH, Since: l.StatusSince.UTC(), Reason: l.Reason}}
}

func (a *API) getLicence(r *http.Request, d register.Department) (any, error) {
	l, err := a.register.GetOwn(r.Context(), d.Code, pathID(r))
	if err != nil {
		return nil, err
	}
	return a.whole(r.Context(), l)
}

// whole is a licence with its journal and its chain.
func (a *API) whole(ctx context.Context, l register.Licence) (LicenceView, error) {
	v := viewOf(l)
	if l.Predecessor != "" || l.Successor != "" {
		var err error
		if v.Chain, err = a.register.Chain(ctx, l); err != nil {
			return v, err
		}
	}
	changes, err := a.register.Journal(ctx, v.ID)
	if err != nil {
		return v, err
	}
	for _, c := range changes {
		cv := ChangeView{Operation: c.Operation, To: c.To.Info().Name, Reason: c.Reason,
			EffectiveAt: c.EffectiveAt.UTC(), RecordedAt: c.RecordedAt.UTC(), Actor: c.Actor}
		if c.From != "" {
			cv.From = c.From.Info().Name
		}
		v.Journal = append(v.Journal, cv)
	}
	return v, nil
}

func (a *API) listLicences(r *http.Request, d register.Department) (any, error) {
	q, err := httpx.Query(r)
	if err != nil {
		return nil, err
	}
	query := register.Query{Issuer: d.Code, TypeID: q.Get("type"), Reference: q.Get("reference"), After: q.Get("after")}
	if text := q.Get("limit"); text != "" {
		if query.Limit, err = strconv.Atoi(text); err != nil || query.Limit < 1 {
			return nil, &requestError{"limit must be 1 to 200"}
		}
	}
	licences, err := a.register.List(r.Context(), query)
	if err != nil {
		return nil, err
	}
	page := struct {
		Licences []LicenceView `json:"licences"`
		// Next is the value of after for the next page; absent on the last.
		Next string `json:"next,omitempty"`
	}{Licences: make([]LicenceView, 0, len(licences))}
	for _, l := range licences {
		page.Licences = append(page.Licences, viewOf(l))
	}
	if query.Limit == 0 {
		query.Limit = register.DefaultLimit
	}
	if n := len(licences); n == query.Limit {
		page.Next = licences[n-1].ID
	}
	return page, nil
}

func (a *API) changeStatus(r *http.Request, d register.Department) (any, error) {
	body, err := httpx.ReadBody(r)
	if err != nil {
		return nil, err
	}
	var req register.StatusRequest
	if err := jose.DecodeStrict(body, &req); err != nil {
		return nil, &requestError{`the body must be {"operation": ..., "reason": ..., "effective_at": time, optional}`}
	}
	var f licencetype.Faults
	if f.Members("", body, []string{"operation", "reason", "effective_at"}, nil); len(f) > 0 {
		return nil, &requestError{"unknown member " + f[0].Field}
	}
	l, _, err := a.register.Change(r.Context(), d, pathID(r), req)
	if err != nil {
		return nil, err
	}
	return a.whole(r.Context(), l)
}

// succeed makes a new licence behind an old one and answers with the new one.
func (a *API) succeed(r *http.Request, d register.Department) (any, error) {
	body, err := httpx.ReadBody(r)
	if err != nil {
		return nil, err
	}
	var raw struct {
		Operation   string          `json:"operation"`
		Reason      string          `json:"reason"`
		EffectiveAt time.Time       `json:"effective_at,omitzero"`
		Record      json.RawMessage `json:"record"`
	}
	if err := jose.DecodeStrict(body, &raw); err != nil || len(raw.Record) == 0 {
		return nil, &requestError{`the body must be {"operation": ..., "reason": ..., "effective_at": time, optional, "record": {...}}`}
	}
	var f licencetype.Faults
	if f.Members("", body, []string{"operation", "reason", "effective_at", "record"}, nil); len(f) > 0 {
		return nil, &requestError{"unknown member " + f[0].Field}
	}
	item := register.ParseRecord(1, raw.Record)
	if len(item.Faults) > 0 {
		return nil, &register.RecordError{Errors: item.Faults}
	}
	l, err := a.register.Succeed(r.Context(), d, pathID(r), register.SuccessionRequest{Operation: raw.Operation, Reason: raw.Reason, EffectiveAt: raw.EffectiveAt, Record: item.Record})
	if err != nil {
		return nil, err
	}
	return a.whole(r.Context(), l)
}

// pathID is the licence id of the path. The router works on the encoded path.
func pathID(r *http.Request) string {
	id, err := url.PathUnescape(mux.Vars(r)["id"])
	if err != nil {
		return ""
	}
	return id
}

var errNoType = errors.New("register: no such type")
