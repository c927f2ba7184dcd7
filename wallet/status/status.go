// Package status allocates the entries of token status lists and publishes the lists (draft-ietf-oauth-status-list).
//
// A pool holds all credentials of one licence type that expire in one quarter, nation-wide, in lists of 2^17 entries or more: an index says
// nothing about who holds it or who issued it. Entries are claimed at random, in the transaction of the issuance. A change of a
// licence's state flips all its entries; a background step signs what changed within seconds.
//
// It does not know why a licence is suspended or invalid: that is the register's, and is never published.
package status

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/wallet/status/journal"
)

// Values of an entry. Only these are published: others would tell why (docs/trust.md 3).
const (
	Valid     uint8 = 0
	Invalid   uint8 = 1
	Suspended uint8 = 2
)

// bits is the width of an entry: enough for the three values.
const bits = 2

var (
	// ErrNotValid refuses an entry for a licence that is invalid or suspended at this moment: the legal act came between
	// the wallet's token and its credential request.
	ErrNotValid = errors.New("status: the licence is not valid any more")
	// ErrNotFound: no such list.
	ErrNotFound = errors.New("status: no such list")
	// ErrRestored: the database is older than the revocation journal. Nothing is issued until `hufu restore` has told it what it forgot.
	ErrRestored = errors.New("status: the database is older than the revocation journal")
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
	// JWT is the token as served, typ statuslist+jwt. CWT is its other form, typ application/statuslist+cwt.
	JWT       string
	CWT       []byte
	IssuedAt  time.Time
	ExpiresAt time.Time
}

// Signer gives the key that signs lists now, with its certificates: leaf and intermediate, never the root.
type Signer func(ctx context.Context) (key jose.SigningKey, x5c [][]byte, err error)

// Config is what a Service needs. Now, Log and the numbers below them have defaults.
type Config struct {
	Store  Store
	Tx     func(ctx context.Context, fn func(ctx context.Context) error) error
	Audit  func(ctx context.Context, ev audit.Event) error
	Signer Signer
	// Journal is the revocation journal, outside the database; nil is none. AfterCommit, which it needs, runs fn once the transaction in
	// ctx is committed, and before the caller of that transaction hears of it.
	Journal     *journal.Writer
	AfterCommit func(ctx context.Context, fn func(ctx context.Context) error) error
	// BaseURL is the origin: lists are at BaseURL + "/status/" + id.
	BaseURL string
	Now     func() time.Time
	Log     *slog.Logger

	// Size is the number of entries of a new list: 2^17, and less only in tests.
	Size int64
	// Life is exp - iat of a token: 35 days, because counters are fed by USB stick. Refresh is the age at which an unchanged list is signed
	// again, so that its iat stays young: 1 hour. TTL is told to caches of tokens: 5 minutes.
	Life, Refresh, TTL time.Duration
	// Spread is how long the entries of one licence take to flip, each at a random moment of it: copies of one licence
	// that flip together could be linked. 45 seconds, in lists and bundles alike; the promise for all is 60. Negative is none.
	Spread time.Duration
	// History is how long tokens of the past are served after they expired. 0 is as long as the list is signed, negative keeps none.
	History time.Duration
}

// Service allocates and publishes. It is safe for concurrent use. In memory it has the published tokens, for times when the
// database doesn't answer.
type Service struct {
	cfg      Config
	restored atomic.Bool // CheckJournal found that the database is older
	cache    cache
	open     sync.Map // pool -> opened

	mu      sync.Mutex
	written []Change // in the journal, and not marked yet in the database
}

// abandoned is how long a publication may take before another node takes it for dead and begins again.
const abandoned = 3 * time.Second

// New checks the configuration and fills in the defaults.
func New(cfg Config) (*Service, error) {
	if cfg.Store == nil || cfg.Tx == nil || cfg.Audit == nil || cfg.Signer == nil {
		return nil, errors.New("status: a required part is missing")
	}
	if cfg.Journal != nil && cfg.AfterCommit == nil {
		return nil, errors.New("status: a journal needs AfterCommit")
	}
	if u, err := url.Parse(cfg.BaseURL); err != nil || u.Host == "" || strings.HasSuffix(cfg.BaseURL, "/") {
		return nil, errors.New("status: BaseURL must be a URL without a slash at its end")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Size == 0 {
		cfg.Size = 1 << 17
	}
	for _, d := range []struct {
		v       *time.Duration
		initial time.Duration
	}{{&cfg.Life, 35 * 24 * time.Hour}, {&cfg.Refresh, time.Hour}, {&cfg.TTL, 5 * time.Minute}, {&cfg.Spread, 45 * time.Second}} {
		if *d.v == 0 {
			*d.v = d.initial
		}
	}
	if cfg.Size < 1 || cfg.Refresh >= cfg.Life {
		return nil, fmt.Errorf("status: size %d, refresh %s, life %s don't go together", cfg.Size, cfg.Refresh, cfg.Life)
	}
	return &Service{cfg: cfg, cache: cache{lists: map[string]cached{}}}, nil
}

// URI is the address of a list.
func (s *Service) URI(listID string) string { return s.cfg.BaseURL + "/status/" + listID }

// AggregationURI is the address at which the URIs of all live lists stand, for an issuer's metadata (Token Status List, section 9).
func (s *Service) AggregationURI() string { return s.URI("aggregation") }
