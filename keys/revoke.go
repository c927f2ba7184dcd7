package keys

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hufu-id/hufu/keys/pki"
)

// Revoked is a key that must not be believed any more.
type Revoked struct {
	Purpose Purpose
	ID      string // RFC 7638 thumbprint
	Chain   [][]byte
	// CompromisedAt: from then on somebody else may have signed with it; RevokedAt is when we said so.
	CompromisedAt, RevokedAt time.Time
}

// CreditCode is the authority whose credentials the key signed, "" for keys of other purposes.
func (r Revoked) CreditCode() string { return creditCodeOf(r.Purpose) }

// RevokeOptions say which key Revoke takes, and since when it isn't ours alone.
type RevokeOptions struct {
	// Key is the key's id; "" means the active one.
	Key string
	// CompromisedAt may lie in the past, but not in the future; zero means since the key was made, which is the safe answer when nobody knows.
	CompromisedAt time.Time
	Actor         string // who asks, for the audit; "" means "system"
}

// Revoke takes a key out of use for good, at once: it isn't published any more, its private half is destroyed, and Revoked names it, for the trust bundle
// and the revocation list. When it was the active one, the next key takes its place, or a new one when there is none; verifiers with a cached key set don't
// know a new one yet. Errors: ErrNoPurpose, ErrNotFound for an unknown key, ErrSpec for a time in the future, ErrConcurrent; ErrTooEarly for the bundle's
// root without a next key: no verifier could follow to a root that the old one doesn't name. Don't call it inside a transaction.
func (s *Service) Revoke(ctx context.Context, p Purpose, o RevokeOptions) (Rotation, error) {
	rec, err := s.cfg.Store.Load(ctx, p)
	if errors.Is(err, ErrNotFound) {
		return Rotation{}, fmt.Errorf("%w: %s", ErrNoPurpose, p)
	}
	if err != nil {
		return Rotation{}, fmt.Errorf("keys: revoke %s: %w", p, err)
	}
	k := rec.key(Active)
	for i := range rec.Keys {
		if o.Key != "" && rec.Keys[i].ID == o.Key {
			k = &rec.Keys[i]
		}
	}
	now := s.now()
	switch {
	case k == nil || o.Key != "" && k.ID != o.Key:
		return Rotation{}, fmt.Errorf("%w: key of %s", ErrNotFound, p)
	case o.CompromisedAt.IsZero():
		o.CompromisedAt = k.CreatedAt
	case o.CompromisedAt.After(now):
		return Rotation{}, fmt.Errorf("%w: a key that will be compromised", ErrSpec)
	}
	c := Change{Actor: o.Actor, At: now, Revoke: k.ID, CompromisedAt: o.CompromisedAt.UTC().Truncate(time.Microsecond)}
	if c.Actor == "" {
		c.Actor = "system"
	}
	r := Rotation{Retired: k.ID}
	if k.State == Active {
		if err := s.replace(ctx, rec, &c, &r); err != nil {
			return Rotation{}, err
		}
	}
	if err := s.apply(ctx, rec, c); err != nil {
		return Rotation{}, err
	}
	return r, nil
}

// replace adds to a change what takes the place of the active key.
func (s *Service) replace(ctx context.Context, rec Record, c *Change, r *Rotation) error {
	if next := rec.key(Next); next != nil {
		c.Activate, r.Activated = next.ID, next.ID
		return nil
	}
	if rec.Purpose == BundleRoot {
		return fmt.Errorf("%w: %s has no next key yet: rotate it first", ErrTooEarly, rec.Purpose)
	}
	fresh, err := s.newKey(ctx, rec.Purpose, rec.Spec, Active)
	if err != nil {
		return err
	}
	c.Insert, r.Created, r.Activated = fresh, fresh.ID, fresh.ID
	return nil
}

// Revoked returns all keys that were ever revoked, the oldest first.
func (s *Service) Revoked(ctx context.Context) ([]Revoked, error) {
	list, err := s.cfg.Store.Revoked(ctx)
	if err != nil {
		return nil, fmt.Errorf("keys: revoked: %w", err)
	}
	return list, nil
}

// listFresh is how long RevocationList goes on with the list that it made, if nothing was revoked; listLife how long readers may.
const (
	listFresh = time.Hour
	listLife  = 7 * 24 * time.Hour
)

// crl is the revocation list that was made last.
type crl struct {
	der  []byte
	at   time.Time
	size int // entries
}

// RevocationList returns the IACA's list of revoked document signers in DER (RFC 5280 section 5, ISO/IEC 18013-5 annex B). Errors: ErrNotFound without an
// IACA.
func (s *Service) RevocationList(ctx context.Context) ([]byte, error) {
	all, err := s.Revoked(ctx)
	if err != nil {
		return nil, err
	}
	var entries []pki.Revoked
	for _, r := range all {
		if !strings.HasPrefix(string(r.Purpose), signerPrefix) || len(r.Chain) == 0 {
			continue
		}
		leaf, err := x509.ParseCertificate(r.Chain[0])
		if err != nil {
			return nil, fmt.Errorf("keys: revocation list: %w", err)
		}
		entries = append(entries, pki.Revoked{Serial: leaf.SerialNumber, At: r.RevokedAt, CompromisedAt: r.CompromisedAt})
	}
	now := s.now()
	s.mu.Lock()
	last := s.list
	s.mu.Unlock()
	if last.der != nil && last.size == len(entries) && now.Sub(last.at) < listFresh {
		return last.der, nil
	}
	cert, key, err := s.openAuthority(ctx, KindIACA)
	if err != nil {
		return nil, fmt.Errorf("keys: revocation list: %w", err)
	}
	der, err := pki.RevocationList(pki.Issuer{Certificate: cert, Key: key}, entries, now, now.Add(listLife))
	if err != nil {
		return nil, fmt.Errorf("keys: revocation list: %w", err)
	}
	s.mu.Lock()
	s.list = crl{der: der, at: now, size: len(entries)}
	s.mu.Unlock()
	return der, nil
}
