package register

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/wallet/register/licencetype"
)

// Routes mounts the department API and the type metadata.
func (s *Service) Routes(r *mux.Router) {
	s.public.Routes(r)
	r.HandleFunc("/register/v1/licences", s.department(s.importLicences)).Methods(http.MethodPost)
	r.HandleFunc("/register/v1/licences", s.department(s.listLicences)).Methods(http.MethodGet)
	r.HandleFunc("/register/v1/licences/{id}", s.department(s.getLicence)).Methods(http.MethodGet)
	r.HandleFunc("/register/v1/licences/{id}/status", s.department(s.changeStatus)).Methods(http.MethodPost)
}

func (s *Service) department(fn func(r *http.Request, d Department) (any, error)) http.HandlerFunc {
	return httpx.Answer(s.authenticate, s.problem, fn)
}

// authenticate tells who calls, by the access token.
func (s *Service) authenticate(r *http.Request) (Department, error) {
	token, ok := bearer.Token(r)
	if !ok || s.cfg.Departments == nil {
		return Department{}, ErrUnauthenticated
	}
	d, err := s.cfg.Departments.Authenticate(r.Context(), token)
	if err == nil && d.Code == "" {
		return Department{}, ErrUnauthenticated // or one without a code would own the records without one
	}
	return d, err
}

func (s *Service) importLicences(r *http.Request, d Department) (any, error) {
	body, err := httpx.ReadBody(r)
	if err != nil {
		return nil, err
	}
	items, err := ParseImport(body)
	if err != nil {
		return nil, err
	}
	return s.ImportItems(r.Context(), d, items)
}

// LicenceView is a licence as the department API shows it to its authority.
type LicenceView struct {
	ID           string         `json:"id"`
	Type         string         `json:"type"`
	TypeVersion  int            `json:"type_version"`
	RecordNumber string         `json:"record_number"`
	Holder       Holder         `json:"holder"`
	Fields       map[string]any `json:"fields"`
	ValidFrom    Date           `json:"valid_from"`
	ValidTo      Date           `json:"valid_to,omitempty"`
	Status       StatusView     `json:"status"`
	Journal      []ChangeView   `json:"journal,omitempty"`
}

// StatusView is a legal state with its reason.
type StatusView struct {
	Name   string      `json:"name"`
	Code   LegalStatus `json:"code"`
	NameZH string      `json:"name_zh"`
	Since  time.Time   `json:"since"`
	Reason string      `json:"reason,omitempty"`
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

func viewOf(l Licence) LicenceView {
	i := l.Status.Info()
	return LicenceView{ID: l.ID, Type: l.TypeID, TypeVersion: l.TypeVersion, RecordNumber: l.RecordNumber, Holder: l.Holder, Fields: l.Fields,
		ValidFrom: l.ValidFrom, ValidTo: l.ValidTo,
		Status: StatusView{Name: i.Name, Code: l.Status, NameZH: i.ZH, Since: l.StatusSince.UTC(), Reason: l.Reason}}
}

func (s *Service) getLicence(r *http.Request, d Department) (any, error) {
	l, err := s.GetOwn(r.Context(), d.Code, pathID(r))
	if err != nil {
		return nil, err
	}
	return s.withJournal(r.Context(), viewOf(l))
}

func (s *Service) withJournal(ctx context.Context, v LicenceView) (LicenceView, error) {
	changes, err := s.Journal(ctx, v.ID)
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

func (s *Service) listLicences(r *http.Request, d Department) (any, error) {
	q, err := httpx.Query(r)
	if err != nil {
		return nil, err
	}
	query := Query{Issuer: d.Code, TypeID: q.Get("type"), Reference: q.Get("reference"), After: q.Get("after")}
	if text := q.Get("limit"); text != "" {
		if query.Limit, err = strconv.Atoi(text); err != nil || query.Limit < 1 {
			return nil, &requestError{"limit must be 1 to 200"}
		}
	}
	licences, err := s.List(r.Context(), query)
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
		query.Limit = defaultLimit
	}
	if n := len(licences); n == query.Limit {
		page.Next = licences[n-1].ID
	}
	return page, nil
}

func (s *Service) changeStatus(r *http.Request, d Department) (any, error) {
	body, err := httpx.ReadBody(r)
	if err != nil {
		return nil, err
	}
	var req StatusRequest
	if err := jose.DecodeStrict(body, &req); err != nil {
		return nil, &requestError{`the body must be {"operation": ..., "reason": ..., "effective_at": time, optional}`}
	}
	var f licencetype.Faults
	if checkMembers(&f, "", body, []string{"operation", "reason", "effective_at"}, nil); len(f) > 0 {
		return nil, &requestError{"unknown member " + f[0].Field}
	}
	l, _, err := s.Change(r.Context(), d, pathID(r), req)
	if err != nil {
		return nil, err
	}
	return s.withJournal(r.Context(), viewOf(l))
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
