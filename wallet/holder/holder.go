// Package holder is the citizen's own page, /licences: the licences that departments issued to the person, and moving one of
// them to a wallet by a Credential Offer (OpenID4VCI 1.0 section 4).
//
//	GET  /licences                 the list
//	POST /licences/offers          makes an offer for one licence, then redirects to
//	GET  /licences/offers/{id}     the offer as QR, link and transaction code, until it is taken or expires
//
// Pages are web's; offers are the issuer's; who is logged in is the OpenID Provider's.
package holder

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/web"
)

// What the interfaces below answer when they can't.
var (
	// ErrNotFound: no such licence or offer of this person; another person's is never told apart.
	ErrNotFound = errors.New("holder: not found")
	// ErrNotInForce: the licence's legal status allows no credential.
	ErrNotInForce = errors.New("holder: the licence is not in force")
	// ErrLevelTooLow: the session's level is below what the type requires.
	ErrLevelTooLow = errors.New("holder: level of identification too low")
	// ErrTooMany: the person has too many open offers for this licence.
	ErrTooMany = errors.New("holder: too many open offers")
)

// Citizen is who is logged in.
type Citizen struct {
	PersonID string
	Name     string
	// Province is where the person logged in, for the words of a problem page.
	Province web.Text
	// ACR is the level of this session: loa1 to loa4.
	ACR string
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

// Licence is a licence as its holder sees it.
type Licence struct {
	// ID is the licence identifier, TypeID such as "driving-licence".
	ID, TypeID   string
	Name, Issuer web.Text
	// Status is the legal status in words, Tone how it is shown, Reason why it is not valid; zero when it is.
	Status, Reason     web.Text
	Tone               web.Tone
	ValidFrom, ValidTo time.Time
	Facts              []web.Fact
	// InForce says that the licence can be put into a wallet.
	InForce bool
	// RequiredACR is the level at which the person must be logged in for that.
	RequiredACR string
}

// Licences is the register, as the citizen sees it.
type Licences interface {
	// Of lists all licences of a person, those in force first.
	Of(ctx context.Context, personID string) ([]Licence, error)
}

// Offer is an offer that the person made.
type Offer struct {
	// ID names the offer in the page's URL.
	ID string
	// URI is openid-credential-offer://..., TxCode six digits.
	URI, TxCode  string
	Name, Issuer web.Text
	ExpiresAt    time.Time
	// Open is false once the offer was taken, ended by wrong tries, or expired.
	Open bool
}

// Offers is the credential issuer.
type Offers interface {
	// Create makes an offer for the citizen's own licence. ErrNotFound, ErrNotInForce, ErrLevelTooLow, ErrTooMany.
	Create(ctx context.Context, c Citizen, licenceID string) (Offer, error)
	// Show returns an offer that this person made. ErrNotFound.
	Show(ctx context.Context, personID, id string) (Offer, error)
}

// Config is what the pages need. All fields but Log and Logout are required.
type Config struct {
	// Origin is the national server's origin: a form of another origin is refused.
	Origin string
	// FormKey is 32 random bytes, the same on all nodes; it makes form tokens.
	FormKey  []byte
	Pages    *web.Pages
	Citizens Citizens
	Licences Licences
	Offers   Offers
	// Logout is the address of the logout page; empty hides the link.
	Logout string
	// Log is slog.Default() when nil.
	Log *slog.Logger
}

// Holder serves the pages. It is safe for concurrent use and keeps no state.
type Holder struct{ cfg Config }

// New returns the pages.
func New(cfg Config) (*Holder, error) {
	if cfg.Origin == "" || len(cfg.FormKey) < 32 || cfg.Pages == nil || cfg.Citizens == nil || cfg.Licences == nil || cfg.Offers == nil {
		return nil, errors.New("holder: a required part is missing")
	}
	if cfg.Log == nil {
		cfg.Log = slog.Default()
	}
	return &Holder{cfg: cfg}, nil
}

// Routes mounts the pages.
func (h *Holder) Routes(r *mux.Router) {
	r.HandleFunc("/licences", h.list).Methods(http.MethodGet)
	r.HandleFunc("/licences/offers", h.create).Methods(http.MethodPost)
	r.HandleFunc("/licences/offers/{id}", h.show).Methods(http.MethodGet)
}
