package logout

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc/claim"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/session"
)

// State is where a delivery stands. The only ways on are from Waiting to one of the others.
type State int

// The states.
const (
	Waiting   State = iota // for its first attempt, or for the next one
	Delivered              // the client answered 200 or 204
	Refused                // the client answered 400: it will not do better the next time
	GivenUp                // no attempt is left, or the client is gone
)

// String is the state as a word for operators and developers.
func (s State) String() string {
	return [...]string{"waiting", "delivered", "refused", "given_up"}[s]
}

// Reasons of failed attempts. They say nothing of what stands at the other end, for the client may have named somebody else's address;
// an answer's status is told as "status_503".
const (
	Unreachable = "unreachable"         // no connection, no TLS, or no answer in time
	BadAddress  = "address_not_allowed" // not https, or an address that is not on the public network
	ClientGone  = "client_gone"         // disabled, or it no longer wants to hear of logouts
	NoKey       = "no_key"              // it wants encrypted tokens, and none of its keys will do
	TooLate     = "too_late"            // older than GiveUp
)

// Delivery is one logout token on its way to one client.
type Delivery struct {
	// ID is the token's jti: the same in every attempt, so that a client can tell a repetition.
	ID       string
	ClientID string
	Subject  string // sub in the client's ID tokens
	SID      string // sid in the client's ID tokens
	State    State
	Attempts int    // begun so far
	Error    string // of the last attempt, "" for none
	// CreatedAt is when the session ended, At when the last attempt began, NextAt when the next one is due.
	CreatedAt, At, NextAt time.Time
}

// ErrLost: somebody else makes this attempt, or it was made.
var ErrLost = errors.New("logout: the delivery is not to be had")

// Store keeps what follows from the end of a session. Every method joins the transaction in ctx. Safe for concurrent use by several nodes.
type Store interface {
	// RevokeSession ends the grants of a session, but the offline ones, and says how many.
	RevokeSession(ctx context.Context, sid string, at time.Time) (int64, error)
	// TakeMembers forgets the clients of a session and returns them.
	TakeMembers(ctx context.Context, sid string) ([]session.Member, error)
	// PutDelivery writes a new delivery.
	PutDelivery(ctx context.Context, d Delivery) error
	// Due lists up to limit deliveries whose next attempt is due, the longest waiting first, but no more than share of one client.
	Due(ctx context.Context, at time.Time, limit, share int) ([]Delivery, error)
	// Claim takes the next attempt of d, as Due returned it, in one conditional statement: of any number of nodes exactly one gets nil, the
	// others ErrLost. Nobody else gets the attempt after it before until.
	Claim(ctx context.Context, d Delivery, at, until time.Time) error
	// Settle writes how the attempt number d.Attempts ended: State, Error and NextAt. ErrLost when a later attempt has begun.
	Settle(ctx context.Context, d Delivery) error
	// Deliveries lists the newest deliveries of a client.
	Deliveries(ctx context.Context, clientID string, limit int) ([]Delivery, error)
	// InTx runs fn in one transaction, or joins the one in ctx.
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
	// Audit writes an event in the transaction of ctx.
	Audit(ctx context.Context, ev audit.Event) error
}

// Outgoing is the way out to clients: *httpx.Client, with its address guard and limits. It follows no redirects.
type Outgoing interface {
	Do(req *http.Request) (*httpx.Response, error)
}

// BackchannelConfig of the back channel. Outgoing may be nil: then no client is told. Everything else is required.
type BackchannelConfig struct {
	Issuer   string
	Store    Store
	Clients  *client.Registry
	Pairwise claim.Pairwise
	// SigningKey is the active key of an algorithm, that of the client's ID tokens.
	SigningKey func(ctx context.Context, alg jose.Alg) (jose.SigningKey, error)
	// Encrypt encrypts a signed token for a client whose ID tokens are encrypted, and returns others as they are.
	Encrypt  func(ctx context.Context, c client.Client, signed string) (string, error)
	Outgoing Outgoing
	Log      *slog.Logger
	Now      func() time.Time
}

// Backchannel ends what hangs on a session and tells its clients. Safe for concurrent use, on any number of nodes.
type Backchannel struct {
	cfg BackchannelConfig

	mu      sync.Mutex
	resting map[string]time.Time // until when a client is left alone
}

// NewBackchannel makes it.
func NewBackchannel(cfg BackchannelConfig) *Backchannel {
	return &Backchannel{cfg: cfg, resting: map[string]time.Time{}}
}

// Ended does what follows from the end of a session, in the transaction that ended it: its grants end, and with them every token on every
// node, as each use of a token looks at its grant; what was agreed as offline_access goes on. Then its clients are to be told.
func (b *Backchannel) Ended(ctx context.Context, s session.Session) error {
	if s.SID == "" {
		return nil // "" is the session of all grants that have none
	}
	now := b.cfg.Now()
	revoked, err := b.cfg.Store.RevokeSession(ctx, s.SID, now)
	if err != nil {
		return fmt.Errorf("logout: grants: %w", err)
	}
	members, err := b.cfg.Store.TakeMembers(ctx, s.SID)
	if err != nil {
		return fmt.Errorf("logout: clients: %w", err)
	}
	told := 0
	for _, m := range members {
		wants, err := b.wants(ctx, m.ClientID)
		if err != nil {
			return err
		}
		if !wants {
			continue
		}
		told++
		d := Delivery{ID: newID(), ClientID: m.ClientID, Subject: m.Subject, SID: b.cfg.Pairwise.SessionID(m.ClientID, s.SID), CreatedAt: now, NextAt: now}
		if err := b.cfg.Store.PutDelivery(ctx, d); err != nil {
			return fmt.Errorf("logout: delivery: %w", err)
		}
	}
	if revoked == 0 && told == 0 {
		return nil
	}
	return b.cfg.Store.Audit(ctx, audit.Event{Kind: "oidc.session_closed", Actor: s.PersonID, Subject: s.PersonID,
		Detail: map[string]string{"session": s.SID, "grants": strconv.FormatInt(revoked, 10), "clients": strconv.Itoa(told)}})
}

// wants says whether a client is to be told.
func (b *Backchannel) wants(ctx context.Context, clientID string) (bool, error) {
	if b.cfg.Outgoing == nil {
		return false, nil
	}
	c, err := b.cfg.Clients.Get(ctx, clientID)
	if errors.Is(err, client.ErrUnknown) {
		return false, nil
	}
	return err == nil && c.BackchannelLogoutURI != "", err
}

// listed is how many deliveries the list for a client's developers has.
const listed = 50

// Deliveries lists the newest deliveries of a client, for its developers.
func (b *Backchannel) Deliveries(ctx context.Context, clientID string) ([]Delivery, error) {
	return b.cfg.Store.Deliveries(ctx, clientID, listed)
}

func newID() string {
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(id[:])
}
