// Package status allocates the entries of token status lists and publishes the lists (draft-ietf-oauth-status-list).
//
// A pool holds all credentials of one licence type that expire in one quarter, nation-wide, in lists of 2^17 entries or more: an index says
// nothing about who holds it or who issued it. Entries are claimed at random, in the transaction of the issuance. A change of a
// licence's state flips all its entries; a background step signs what changed within seconds.
package status

import (
	"context"
	"errors"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/jose"
)

// Values of an entry. Only these are published: others would tell why (trust.md 3).
const (
	Valid     uint8 = 0
	Invalid   uint8 = 1
	Suspended uint8 = 2
)

var (
	// ErrNotValid refuses an entry for a licence that is invalid or suspended at this moment: the legal act came between
	// the wallet's token and its credential request.
	ErrNotValid = errors.New("status: the licence is not valid any more")
	// ErrNotFound: no such list.
	ErrNotFound = errors.New("status: no such list")
	// ErrTaken: the index is in use; the allocation tries another one.
	ErrTaken = errors.New("status: the index is taken")
	// ErrStale: another node published the list meanwhile.
	ErrStale = errors.New("status: a newer version of the list is there")
)

// Ref points to one entry: the members of a credential's status.status_list claim.
type Ref struct {
	// URI is the list's URL, the sub of its token.
	URI   string
	Index int64
}

// Token is a published status list token.
type Token struct {
	URI string
	// JWT is the token as served, typ statuslist+jwt.
	JWT       string
	IssuedAt  time.Time
	ExpiresAt time.Time
}

// Signer gives the key that signs lists now, with its certificates: leaf and intermediate, never the root.
type Signer func(ctx context.Context) (key jose.SigningKey, x5c [][]byte, err error)

// Config is what a Service needs. The durations have defaults.
type Config struct {
	Store  Store
	Tx     func(ctx context.Context, fn func(ctx context.Context) error) error
	Audit  func(ctx context.Context, ev audit.Event) error
	Signer Signer
	// BaseURL is the origin: lists are at BaseURL + "/status/" + id.
	BaseURL string
	Now     func() time.Time

	// Size is the number of entries of a new list: 2^17 unless a test says less.
	Size int64
	// Life is exp - iat of a token: 35 days. Refresh is the age at which an unchanged list is signed again, so that its iat
	// stays young: 1 hour. TTL is told to caches of tokens: 5 minutes.
	Life, Refresh, TTL time.Duration
	// Spread is how long the entries of one licence take to flip, each at a random moment of it: copies of one licence
	// that flip together could be linked. 4 seconds; the promise for all is 10.
	Spread time.Duration
	// Every is the pause between two background steps: 1 second.
	Every time.Duration
}

// The Service's methods, for the other modules' adapters:
//
//	New(Config) (*Service, error)
//	Allocate(ctx, licenceID, issuanceID, typeID string, expires time.Time) (Ref, error)   joins the caller's transaction; ErrNotValid
//	SetForLicence(ctx, licenceID string, value uint8) error                              joins the caller's transaction
//	Publish(ctx) error                 one step: flips what is due, signs what changed; call after a commit for immediate effect
//	Kick()                             asks Run for a step now
//	Run(ctx) error                     steps until ctx ends
//	Tokens(ctx) ([]Token, error)       flips everything outstanding, publishes, and returns all live lists, for the bundle
//	Routes(*mux.Router)                /status/{list}, /status/aggregation
