package port

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/hufu-id/hufu/wallet/issuer/catalog"
	"github.com/hufu-id/hufu/wallet/issuer/envelope"
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
	// Decrypter opens encrypted requests; nil: neither requests nor responses are encrypted.
	Decrypter func(ctx context.Context) (envelope.Decrypter, error)

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
	// PerGrant is how many Credential Responses one grant can give within a time; 40 a day when zero.
	PerGrant Limit
	Policy
}

// Complete checks the parts and sets the defaults.
func (c *Config) Complete() error {
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
		c.Rand = rand.Reader
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	setDefault(&c.OfferLifetime, 15*time.Minute)
	setDefault(&c.MaxTxCodeTries, 5)
	setDefault(&c.MaxOpenOffers, 20)
	setDefault(&c.PerGrant, Limit{Responses: 40, Within: 24 * time.Hour})
	c.Policy.complete()
	return nil
}

func setDefault[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// OpaqueID returns a new id of 192 random bits.
func (c *Config) OpaqueID() (string, error) {
	var b [24]byte
	if _, err := io.ReadFull(c.Rand, b[:]); err != nil {
		return "", fmt.Errorf("issuer: reading randomness: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b[:]), nil
}

// MAC is HMAC-SHA-256 over the parts, each after its length so that no two lists of parts give the same input.
func MAC(key []byte, parts ...string) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		_ = binary.Write(h, binary.BigEndian, uint64(len(p)))
		_, _ = io.WriteString(h, p)
	}
	return h.Sum(nil)
}

// Hash is how ids and codes are kept: who reads the database can't use them.
func Hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// MayTake decides whether the person, who logged in at level acr, may take a credential that requires another. ErrLevelTooLow, ErrPersonInactive.
func (c *Config) MayTake(ctx context.Context, personID, acr, required string) (Person, error) {
	if !catalog.LevelEnough(acr, required) {
		return Person{}, ErrLevelTooLow
	}
	p, err := c.Persons.Person(ctx, personID)
	if err != nil {
		return Person{}, fmt.Errorf("issuer: asking for the person: %w", err)
	}
	return p, nil
}
