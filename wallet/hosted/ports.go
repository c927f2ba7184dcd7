package hosted

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/signing/verify"
	"github.com/hufu-id/hufu/wallet/hosted/content"
	"github.com/hufu-id/hufu/web"
)

// What the interfaces below answer when they can't. Any other error is a fault.
var (
	// ErrNotFound: no such licence, copy, showing or client; another person's is never told apart.
	ErrNotFound = errors.New("hosted: not found")
	// ErrNotInForce: the licence's legal status allows no credential.
	ErrNotInForce = errors.New("hosted: the licence is not in force")
	// ErrLevelTooLow: the session's level is below what the type requires.
	ErrLevelTooLow = errors.New("hosted: level of identification too low")
	// ErrNoForm: the licence, or the copy, has no credential of this format.
	ErrNoForm = errors.New("hosted: no such form of the licence")
	// ErrTooMany: the person asked for too many copies in a short time.
	ErrTooMany = errors.New("hosted: too many copies")
)

// Citizen is who is logged in.
type Citizen struct {
	PersonID string
	Name     string
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
	// Login sends the browser to log in and back to returnTo, a path of ours with its query.
	Login(w http.ResponseWriter, r *http.Request, returnTo string)
}

// Licence is a licence as its holder sees it.
type Licence struct {
	ID, TypeID   string
	Name, Issuer web.Text
	// Authority is the issuer's credit code.
	Authority string
	// Status is the legal status in words, Tone how it is shown, Reason why it is not valid; Since is when it took effect.
	Status, Reason     web.Text
	Tone               web.Tone
	Since              time.Time
	ValidFrom, ValidTo time.Time
	// InForce says that the licence can be taken and shown.
	InForce bool
	// RequiredACR is the level at which the person must be logged in to take it.
	RequiredACR string
	// Claims are what a credential of it says now, in the order of its type.
	Claims  []Claim
	Presets []Preset
	// Elements are the data elements of its mdoc form; none when it has no such form.
	Elements []content.Element
}

// Claim is one claim of a licence.
type Claim struct {
	Name  string
	Label web.Text
	// Value is nil when the licence doesn't have it.
	Value any
	// Selective claims may be kept back; the others are always seen.
	Selective bool
}

// Preset is a choice of claims for a purpose.
type Preset struct {
	ID     string
	Name   web.Text
	Claims []string
}

// preset finds a preset by its id.
func (l Licence) preset(id string) (Preset, bool) {
	i := slices.IndexFunc(l.Presets, func(p Preset) bool { return p.ID == id })
	if i < 0 {
		return Preset{}, false
	}
	return l.Presets[i], true
}

// Licences is the register, as the citizen sees it.
type Licences interface {
	// Of lists all licences of a person, those in force first.
	Of(ctx context.Context, personID string) ([]Licence, error)
}

// Issuer is the credential issuer.
type Issuer interface {
	// Issue makes one credential of the citizen's own licence by the path of every wallet: offer, code, nonce, proof. prove signs the proof of the copy's key.
	// format is content.SDJWT or content.MDoc, whose credential is base64url. ErrNotFound, ErrNotInForce, ErrLevelTooLow, ErrTooMany, ErrNoForm.
	Issue(ctx context.Context, c Citizen, l Licence, format string, prove func(nonce, audience string) (string, error)) (credential string, err error)
}

// Keys keeps the keys of copies. Not to be called inside a transaction.
type Keys interface {
	// Ensure makes the key of a copy if there is none; Signer returns it, ErrNotFound when it was destroyed.
	Ensure(ctx context.Context, copyID string) (jose.SigningKey, error)
	Signer(ctx context.Context, copyID string) (jose.SigningKey, error)
	// Destroy erases it for good. It may be called twice.
	Destroy(ctx context.Context, copyID string) error
}

// Client is a registered client, as the person may know it.
type Client struct {
	ID           string
	Name         web.Text
	RedirectURIs []string
}

// Clients are the registered clients.
type Clients interface {
	// Client returns one that is not disabled. ErrNotFound.
	Client(ctx context.Context, id string) (Client, error)
}

// Verifier judges what is shown unasked, over the bundle that this server itself published.
type Verifier interface {
	// Verify judges a presentation whose proof is made out to the purpose.
	Verify(ctx context.Context, presentation, purpose string, at time.Time) (verify.Verdict, error)
	// Purpose is the name of a preset of a type for people; the id when nobody knows better.
	Purpose(typeID, preset string) web.Text
}

// States of a copy.
const (
	Making = "making"
	Ready  = "ready"
	Ended  = "ended"
	// Gone: the key is destroyed too.
	Gone = "gone"
)

// Copy is one credential of a person with a key of its own.
type Copy struct {
	ID, PersonID, LicenceID, TypeID string
	State                           string
	// Sealed is the credential, sealed; empty before it is ready and after it ended.
	Sealed             string
	ExpiresAt          time.Time
	CreatedAt, EndedAt time.Time
}

// Show is one showing.
type Show struct {
	// ID is the hash of the secret in the link.
	ID, PersonID, LicenceID, TypeID, CopyID string
	// Preset and Claims say what was shown: the selective claims, by name, and those that are always seen.
	Preset string
	Claims []string
	// Asker is the client that asked, by the name that it had then; empty when nobody did. Audience is whom the proof is made out to.
	Asker     string
	AskerName web.Text
	Audience  string
	// Sealed is the presentation; empty until it is made and after it ended.
	Sealed               string
	CreatedAt, ExpiresAt time.Time
	StoppedAt            time.Time
	Opened               int
	LastOpenedAt         time.Time
}

// open says whether the link works.
func (s Show) open(now time.Time) bool {
	return s.StoppedAt.IsZero() && now.Before(s.ExpiresAt) && s.Sealed != ""
}

// Store keeps copies and showings. Every method is atomic; an event is written with the change that it describes or not at all. Safe for use by several
// nodes at once.
type Store interface {
	// BeginCopy writes a copy that is being made. ErrTooMany when the person began max copies of the licence since the given time.
	BeginCopy(ctx context.Context, c Copy, max int, since time.Time, ev audit.Event) error
	// FinishCopy makes a copy that is being made the current one of its person and licence, and ends the one before. ErrNotFound when it was swept meanwhile.
	FinishCopy(ctx context.Context, c Copy, at time.Time, ev audit.Event) error
	// EndCopy ends a copy in whatever state it is. ErrNotFound when it is no copy of this person or has ended.
	EndCopy(ctx context.Context, personID, id string, at time.Time, ev audit.Event) error
	// Current lists the current copies of a person.
	Current(ctx context.Context, personID string) ([]Copy, error)
	// Unfinished ends up to limit copies that were begun before the given time and never finished, and lists the ended ones whose keys are to be destroyed.
	Unfinished(ctx context.Context, before, at time.Time, limit int) ([]string, error)
	// CopyGone notes that the key is destroyed.
	CopyGone(ctx context.Context, id string) error

	// AddShow writes a showing before it is made; ErrNotFound unless its copy is the current one. SealShow adds what was made.
	AddShow(ctx context.Context, s Show, ev audit.Event) error
	SealShow(ctx context.Context, id, sealed string) error
	// Show reads a showing. ErrNotFound.
	Show(ctx context.Context, id string) (Show, error)
	// OpenShow counts one opening of a showing that is open at the given time, and returns it. ErrNotFound.
	OpenShow(ctx context.Context, id string, at time.Time, ev audit.Event) (Show, error)
	// StopShow ends a showing of this person that is open. ErrNotFound.
	StopShow(ctx context.Context, personID, id string, at time.Time, ev audit.Event) error
	// Shows lists the person's showings, the newest first; of one licence, or of all when it is "".
	Shows(ctx context.Context, personID, licenceID string, limit int) ([]Show, error)
	// ForgetShown erases up to limit presentations whose links ended.
	ForgetShown(ctx context.Context, at time.Time, limit int) error
}
