// Package correction is what happens when something in a licence is wrong: its holder says which entry and what it should be, the authority that issued
// the licence reads it and answers, and the holder sees the answer. Nothing here changes a licence; that stays the authority's own act.
//
//	GET  /wallet/licences/{id}/report          the form, for the person's own licence
//	POST /wallet/licences/{id}/report          makes a report, then redirects to
//	GET  /wallet/reports                       what the person reported, with state and answer
//	GET  /register/v1/reports                  the authority's reports (department API, scope register)
//	POST /register/v1/reports/{id}/answer      the authority's one answer
//
// The authority learns the licence, the entry, the text and the time; not the person's account.
package correction

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/web"
	"github.com/hufu-id/hufu/web/correctionpages"
)

// Why something was refused.
var (
	// ErrNotFound: no such report of this authority, or no such licence of this person; another's is never told apart.
	ErrNotFound = errors.New("correction: not found")
	// ErrTooMany: the licence has as many open reports as it may have.
	ErrTooMany = errors.New("correction: too many open reports of this licence")
	// ErrAnswered: the report was answered already. An answer is final.
	ErrAnswered = errors.New("correction: answered already")
	// ErrInvalid: what was sent breaks a rule; the text says which.
	ErrInvalid = errors.New("correction: invalid")
)

// Why Departments.Authenticate refused; wrap them. Any other error is taken for a fault of ours.
var (
	ErrUnauthenticated   = errors.New("correction: no valid access token")
	ErrInsufficientScope = errors.New("correction: the access token lacks the scope register")
)

const (
	// MaxText is how many characters a report or an answer may have.
	MaxText = 500
	// MaxOpen is how many open reports a licence may have.
	MaxOpen = 5
	// FieldOther stands for what is no entry of the licence.
	FieldOther = "other"
)

// State says whether a report was answered.
type State string

// States of a report.
const (
	Open     State = "open"
	Answered State = "answered"
)

// Outcome is what the authority decided.
type Outcome string

// Outcomes of a report.
const (
	Corrected Outcome = "corrected" // the record was corrected
	NotWrong  Outcome = "not_wrong" // the record is right as it is
	Forwarded Outcome = "forwarded" // somebody else is responsible, and has it now
)

// Outcomes lists all outcomes.
var Outcomes = []Outcome{Corrected, NotWrong, Forwarded}

// Report is what a holder reported.
type Report struct {
	// ID sorts by time.
	ID        string
	LicenceID string
	// Authority is the credit code of who issued the licence: the only one that sees the report.
	Authority string
	// PersonID is who reported. Departments never see it.
	PersonID string
	// Field is the name of an entry of the licence, or FieldOther. Text says what it should be.
	Field, Text string
	State       State
	ReportedAt  time.Time
	// The rest is zero while the report is open.
	Outcome    Outcome
	Answer     string
	AnsweredAt time.Time
	// AnsweredBy is the authority's system that answered.
	AnsweredBy string
}

// Citizen is who is logged in.
type Citizen struct {
	PersonID string
	// SessionID ties forms to this browser's session. It is never shown.
	SessionID string
}

// Citizens is the OpenID Provider's session.
type Citizens interface {
	// Current returns who is logged in in this browser.
	Current(r *http.Request) (Citizen, bool)
	// Login sends the browser to log in and back to returnTo, a path of ours.
	Login(w http.ResponseWriter, r *http.Request, returnTo string)
}

// Licence is a licence as its holder may report on it.
type Licence struct {
	ID string
	// Authority is the credit code of its issuer.
	Authority    string
	Name, Issuer web.Text
	// Entries are what can be wrong, in the order of the licence.
	Entries []Entry
}

// Entry is one entry of a licence. Value is zero for one that the licence doesn't have.
type Entry struct {
	Name         string
	Label, Value web.Text
}

// Licences is the register, as the citizen sees it.
type Licences interface {
	// Of lists all licences of a person.
	Of(ctx context.Context, personID string) ([]Licence, error)
}

// Department is who calls the department API.
type Department struct {
	// Code is the authority's unified social credit code.
	Code string
	// ClientID is the system that called.
	ClientID string
}

// Departments tells which department an access token speaks for. The adapter validates the token and its audience and scope.
type Departments interface {
	Authenticate(ctx context.Context, bearer string) (Department, error)
}

// Sealer encrypts what may not be read in a stolen database. The purpose is bound to the text: a sealed text moved to another row
// doesn't open.
type Sealer interface {
	Seal(purpose string, v any) (string, error)
	Open(purpose, text string, v any) error
}

// Config is what a Service needs. All members are required but Now and Log.
type Config struct {
	Store  Store
	Tx     func(ctx context.Context, fn func(ctx context.Context) error) error
	Audit  func(ctx context.Context, ev audit.Event) error
	Sealer Sealer
	// IndexKey (32 bytes) keys the digests by which the same report is known again.
	IndexKey    []byte
	Departments Departments
	// Origin is the national server's origin: a form of another origin is refused.
	Origin string
	// FormKey is 32 random bytes, the same on all nodes; it makes form tokens.
	FormKey  []byte
	Pages    *web.Pages
	Citizens Citizens
	Licences Licences
	Now      func() time.Time
	Log      *slog.Logger
}

// Service takes reports and answers. It is safe for concurrent use and holds no state but its configuration.
type Service struct {
	cfg   Config
	pages correctionpages.Pages
}

// New checks the configuration.
func New(cfg Config) (*Service, error) {
	switch {
	case cfg.Store == nil || cfg.Tx == nil || cfg.Audit == nil || cfg.Sealer == nil || cfg.Departments == nil:
		return nil, errors.New("correction: a required part is missing")
	case cfg.Origin == "" || cfg.Pages == nil || cfg.Citizens == nil || cfg.Licences == nil:
		return nil, errors.New("correction: a part that the pages need is missing")
	case len(cfg.IndexKey) < 32 || len(cfg.FormKey) < 32:
		return nil, errors.New("correction: IndexKey and FormKey must have 32 bytes")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{cfg: cfg, pages: correctionpages.Pages{Pages: cfg.Pages}}, nil
}

// Routes mounts the pages and the department API.
func (s *Service) Routes(r *mux.Router) {
	r.HandleFunc(listPath, s.list).Methods(http.MethodGet)
	r.HandleFunc("/wallet/licences/{id}/report", s.form).Methods(http.MethodGet)
	r.HandleFunc("/wallet/licences/{id}/report", s.send).Methods(http.MethodPost)
	r.HandleFunc("/register/v1/reports", s.department(s.listReports)).Methods(http.MethodGet)
	r.HandleFunc("/register/v1/reports/{id}/answer", s.department(s.answerReport)).Methods(http.MethodPost)
}
