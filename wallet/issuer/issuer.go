package issuer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hufu-id/hufu/wallet/issuer/catalog"
	"github.com/hufu-id/hufu/wallet/issuer/request"
)

// Config is what an Issuer needs. Fields without a remark are required.
type Config struct {
	// Origin is the national server's origin without a trailing slash. It is also the authorization server's issuer.
	Origin string
	// Secret is 32 random bytes, the same on all nodes: nonces, codes and transaction codes are derived from or checked with it.
	Secret []byte

	Store       Store
	Tx          func(ctx context.Context, fn func(ctx context.Context) error) error
	Authorities Authorities
	Licences    Licences
	Persons     Persons
	Status      Status
	Signers     Signers
	Tokens      AccessTokens
	Departments Departments

	// Now is the clock; time.Now when nil. Rand is crypto/rand.Reader when nil. Log is slog.Default() when nil.
	Now  func() time.Time
	Rand io.Reader
	Log  *slog.Logger

	// OfferLifetime is 15 minutes when zero.
	OfferLifetime time.Duration
	// MaxTxCodeTries is how many attempts an offer allows in all; 5 when zero.
	MaxTxCodeTries int
	// MaxOpenOffers is how many open offers a person can have for one licence; 20 when zero.
	MaxOpenOffers int
	// MaxPerGrant is how many credentials one grant can give: a wallet whose answer was lost asks again with a new nonce. 5 when zero.
	MaxPerGrant int
}

func (c *Config) setDefaults() error {
	if c.Origin == "" || strings.HasSuffix(c.Origin, "/") {
		return errors.New("issuer: Origin must be set and have no trailing slash")
	}
	if len(c.Secret) < 32 {
		return errors.New("issuer: Secret must have at least 32 bytes")
	}
	if c.Store == nil || c.Tx == nil || c.Authorities == nil || c.Licences == nil || c.Persons == nil || c.Status == nil ||
		c.Signers == nil || c.Tokens == nil || c.Departments == nil {
		return errors.New("issuer: a required part is missing")
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = randReader
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	setDefault(&c.OfferLifetime, 15*time.Minute)
	setDefault(&c.MaxTxCodeTries, 5)
	setDefault(&c.MaxOpenOffers, 20)
	setDefault(&c.MaxPerGrant, 5)
	return nil
}

func setDefault[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// Issuer is the Credential Issuers of all authorities. It is safe for concurrent use and keeps no state of requests.
type Issuer struct {
	cfg         Config
	keys        derivedKeys
	nonces      request.Nonces
	authorities atomic.Pointer[catalog.Catalog]
}

// New reads the authorities once and returns an Issuer.
func New(ctx context.Context, cfg Config) (*Issuer, error) {
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	i := &Issuer{cfg: cfg, keys: deriveKeys(cfg.Secret)}
	i.nonces = request.Nonces{Key: i.keys.nonce, Now: cfg.Now, Rand: cfg.Rand}
	if err := i.Reload(ctx); err != nil {
		return nil, err
	}
	return i, nil
}

// Reload reads the authorities again, after one was added or its types changed.
func (i *Issuer) Reload(ctx context.Context) error {
	list, err := i.cfg.Authorities.Authorities(ctx)
	if err != nil {
		return fmt.Errorf("issuer: reading authorities: %w", err)
	}
	d, err := catalog.New(i.cfg.Origin, list)
	if err != nil {
		return err
	}
	i.authorities.Store(d)
	return nil
}

// Identifier is the Credential Issuer Identifier of an authority. It is compared byte for byte everywhere.
func (i *Issuer) Identifier(code string) string { return catalog.Identifier(i.cfg.Origin, code) }

// Scope looks up a scope of a credential type.
func (i *Issuer) Scope(scope string) (Scope, bool) {
	return i.authorities.Load().Scope(scope)
}

// Scopes lists the scopes of all credential types, sorted.
func (i *Issuer) Scopes() []string { return i.authorities.Load().Scopes() }

// Sweep deletes offers that ended an hour ago and longer, up to 500 in one call, and returns how many.
func (i *Issuer) Sweep(ctx context.Context) (int64, error) {
	return i.cfg.Store.DeleteExpired(ctx, i.cfg.Now().Add(-time.Hour), 500)
}
