package keys

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
)

// Class says what kind of thing a single key belongs to.
type Class string

// The classes of single keys.
const (
	// ClassHolder: a copy of a credential in the hosted wallet, named by the copy's id.
	ClassHolder Class = "holder"
	// ClassSeal: an e-seal, named by its seal id.
	ClassSeal Class = "seal"
)

// Single is a key that belongs to one thing and ends with it. Unlike a purpose's keys it is never rotated, and nothing walks over all of them: there
// may be one for every licence in the country.
type Single struct {
	Class Class
	Thing string
	ID    string // RFC 7638 thumbprint
	Alg   jose.Alg
	// Public has kid and alg.
	Public      jose.JWK
	Handle      string   // for the Custody; "" once the private key was destroyed
	Chain       [][]byte // DER: leaf, intermediate; nil without certificate
	CreatedAt   time.Time
	DestroyedAt time.Time // zero while it can sign
}

// Singles keeps single keys. Safe for concurrent use by any number of nodes; every method joins the transaction in ctx and writes its audit event with
// the change.
type Singles interface {
	// InsertSingle stores k; ErrLost when the thing has a key, also a destroyed one.
	InsertSingle(ctx context.Context, k Single) error
	// Single returns the key of a thing, or ErrNotFound.
	Single(ctx context.Context, class Class, thing string) (Single, error)
	// DestroySingle erases the handle. Destroying twice changes nothing. ErrNotFound.
	DestroySingle(ctx context.Context, class Class, thing string, at time.Time) error
}

// SingleSpec says how a single key is made. The zero value is an ES256 key without a certificate.
type SingleSpec struct {
	// Certificate asks for an X.509 certificate that is valid for Life.
	Certificate *CertificateSpec
	Life        time.Duration
}

// EnsureSingle makes the key of a thing if there is none, and returns its signer. Nodes that start together agree on one key. Don't call it inside a
// transaction: a key that is rolled back must not have been used. Errors: ErrSpec, ErrAuthorityEnds, ErrDestroyed.
func (s *Service) EnsureSingle(ctx context.Context, class Class, thing string, spec SingleSpec) (Signer, error) {
	signer, err := s.SignerOf(ctx, class, thing)
	if !errors.Is(err, ErrNotFound) {
		return signer, err
	}
	p, err := singlePurpose(class, thing)
	if err != nil {
		return Signer{}, err
	}
	full := Spec{Certificate: spec.Certificate, RotateEvery: spec.Life}.withDefaults()
	full.PublishAhead = 0 // nobody waits for it: what it signs carries its certificate
	if err := full.check(p); err != nil || spec.Certificate != nil && spec.Life <= 0 {
		return Signer{}, errors.Join(err, fmt.Errorf("%w: single key of %s", ErrSpec, class))
	}
	made, err := s.newKey(ctx, p, full, Active)
	if err != nil {
		return Signer{}, err
	}
	if spec.Certificate != nil {
		// It is never rotated: an intermediate that ends before it would end with it what it signs.
		leaf, err := x509.ParseCertificate(made.Chain[0])
		if err != nil || leaf.NotAfter.Before(made.CreatedAt.Add(spec.Life).Truncate(time.Second)) {
			return Signer{}, errors.Join(err, fmt.Errorf("%w: single key of %s", ErrAuthorityEnds, class))
		}
	}
	err = s.cfg.Store.InsertSingle(ctx, Single{Class: class, Thing: thing, ID: made.ID, Alg: made.Alg, Public: made.Public, Handle: made.Handle,
		Chain: made.Chain, CreatedAt: made.CreatedAt})
	if err != nil && !errors.Is(err, ErrLost) { // lost: another node's key is the one
		return Signer{}, fmt.Errorf("keys: single key of %s: %w", class, err)
	}
	return s.SignerOf(ctx, class, thing)
}

// SignerOf returns the signer of a thing's key. It costs one query and one unsealing. Errors: ErrNotFound, ErrDestroyed, ErrWrongKEK.
func (s *Service) SignerOf(ctx context.Context, class Class, thing string) (Signer, error) {
	p, err := singlePurpose(class, thing)
	if err != nil {
		return Signer{}, err
	}
	k, err := s.cfg.Store.Single(ctx, class, thing)
	if err != nil {
		return Signer{}, fmt.Errorf("keys: single key of %s: %w", class, err)
	}
	if !k.DestroyedAt.IsZero() {
		return Signer{}, fmt.Errorf("%w: of %s", ErrDestroyed, class)
	}
	private, err := s.custody.Open(ctx, p, k.ID, k.Handle)
	if err != nil {
		return Signer{}, err
	}
	return Signer{key: jose.SigningKey{ID: k.ID, Alg: k.Alg, Key: private}, pub: k.Public, chain: k.Chain}, nil
}

// DestroySingle erases the private key of a thing, for good. It may be called twice, and for a thing that never had a key.
func (s *Service) DestroySingle(ctx context.Context, class Class, thing string) error {
	err := s.cfg.Store.DestroySingle(ctx, class, thing, s.now())
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	return err
}

// singlePurpose is the purpose under which the Custody seals the key: a handle moved to another thing doesn't open.
func singlePurpose(class Class, thing string) (Purpose, error) {
	p := Purpose(string(class) + "/" + thing)
	if class != ClassHolder && class != ClassSeal || !purposeForm.MatchString(string(p)) {
		return "", fmt.Errorf("%w: single key of %q", ErrSpec, class)
	}
	return p, nil
}
