package keys

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/keys/pki"
)

// Kind names a tier of our certificates: a root, or the intermediate of one kind of end entity.
type Kind = pki.Kind

// The kinds of authorities.
const (
	KindRoot       = pki.Root
	KindCredential = pki.Credential
	KindStatus     = pki.Status
	KindSealMaker  = pki.SealMaker
	KindSealSigner = pki.SealSigner
	KindIACA       = pki.IACA
)

// CertificateSpec says what an end-entity certificate names.
type CertificateSpec = pki.Spec

// Certificate is a certificate of one of our authorities.
type Certificate struct {
	Kind Kind
	DER  []byte
}

// EnsureRoot makes the national root if there is none, and returns it. Idempotent and race-safe over nodes.
func (s *Service) EnsureRoot(ctx context.Context) (Certificate, error) {
	a, err := s.authority(ctx, KindRoot)
	return Certificate{Kind: KindRoot, DER: a.Certificate}, err
}

// EnsureIntermediate makes the authority of a kind that issues to end entities, and the national root, if there is none, and returns it: an intermediate,
// or the IACA, which is a root of its own. Idempotent and race-safe over nodes.
func (s *Service) EnsureIntermediate(ctx context.Context, kind Kind) (Certificate, error) {
	a, err := s.intermediate(ctx, kind)
	return Certificate{Kind: kind, DER: a.Certificate}, err
}

func (s *Service) intermediate(ctx context.Context, kind Kind) (Authority, error) {
	if !kind.Issues() {
		return Authority{}, fmt.Errorf("%w: certificate kind %q", ErrSpec, kind)
	}
	if !kind.IsRoot() {
		if _, err := s.EnsureRoot(ctx); err != nil {
			return Authority{}, err
		}
	}
	return s.authority(ctx, kind)
}

func (s *Service) names() pki.Names {
	return pki.Names{Country: s.cfg.Country, Name: s.cfg.Name, Contact: s.cfg.Contact, CRL: s.cfg.CRL}
}

// authority returns the current authority of a kind, after making one if there is none.
func (s *Service) authority(ctx context.Context, kind Kind) (Authority, error) {
	a, err := s.cfg.Store.Authority(ctx, kind)
	if !errors.Is(err, ErrNotFound) {
		return a, err
	}
	gen, err := s.custody.Generate(ctx, authorityPurpose(kind), jose.ES256)
	if err != nil {
		return Authority{}, fmt.Errorf("keys: %s authority: %w", kind, err)
	}
	var by pki.Issuer
	if kind.IsRoot() {
		by.Key, err = s.custody.Open(ctx, authorityPurpose(kind), gen.ID, gen.Handle)
	} else {
		by.Certificate, by.Key, err = s.openAuthority(ctx, KindRoot)
	}
	if err != nil {
		return Authority{}, fmt.Errorf("keys: %s authority: %w", kind, err)
	}
	a = Authority{ID: gen.ID, Kind: kind, Handle: gen.Handle, CreatedAt: s.now()}
	if a.Certificate, err = s.names().Authority(kind, gen.Public.Public(), by, s.now()); err != nil {
		return Authority{}, fmt.Errorf("keys: %s authority: %w", kind, err)
	}
	if err := s.cfg.Store.InsertAuthority(ctx, a); err != nil && !errors.Is(err, ErrLost) {
		return Authority{}, fmt.Errorf("keys: %s authority: %w", kind, err)
	}
	return s.cfg.Store.Authority(ctx, kind) // ours, or that of the node that was first
}

func authorityPurpose(kind Kind) Purpose { return Purpose("ca/" + string(kind)) }

// openAuthority returns the certificate and the key of an authority that exists.
func (s *Service) openAuthority(ctx context.Context, kind Kind) (*x509.Certificate, crypto.Signer, error) {
	a, err := s.cfg.Store.Authority(ctx, kind)
	if err != nil {
		return nil, nil, err
	}
	cert, err := x509.ParseCertificate(a.Certificate)
	if err != nil {
		return nil, nil, err
	}
	key, err := s.custody.Open(ctx, authorityPurpose(kind), a.ID, a.Handle)
	return cert, key, err
}

// issue makes the end-entity certificate of a key and returns leaf and intermediate. The leaf is valid for the key's
// whole life and that of everything it signs.
func (s *Service) issue(ctx context.Context, spec Spec, pub crypto.PublicKey, now time.Time) ([][]byte, error) {
	c := spec.Certificate
	ca, err := s.intermediate(ctx, c.Kind)
	if err != nil {
		return nil, err
	}
	parent, key, err := s.openAuthority(ctx, c.Kind)
	if err != nil {
		return nil, err
	}
	end := now.Add(spec.certificateLife())
	by := pki.Issuer{Certificate: parent, Key: key}
	leaf, err := s.names().EndEntity(*c, pub, by, now, end)
	if err != nil {
		return nil, err
	}
	if c.Kind.IsRoot() { // an IACA signs directly, and x5chain never carries a root
		return [][]byte{leaf}, nil
	}
	return [][]byte{leaf, ca.Certificate}, nil
}

// Anchors returns the roots and the intermediates that exist, for the trust bundle.
func (s *Service) Anchors(ctx context.Context) ([]Certificate, error) {
	var out []Certificate
	for _, kind := range pki.Kinds() {
		a, err := s.cfg.Store.Authority(ctx, kind)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("keys: anchors: %w", err)
		}
		out = append(out, Certificate{Kind: kind, DER: a.Certificate})
	}
	return out, nil
}
