package keys

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
)

// Kind names a tier of our certificates: the root, or the intermediate of one kind of end entity.
type Kind string

// The kinds of authorities.
const (
	KindRoot       Kind = "root"
	KindCredential Kind = "credential"  // issues to credential issuers
	KindStatus     Kind = "status"      // issues to the signers of status lists
	KindSealMaker  Kind = "seal-maker"  // issues to seal makers, who sign seals
	KindSealSigner Kind = "seal-signer" // issues to the keys that seal documents
)

// titles name the intermediates.
var titles = map[Kind]string{KindCredential: "Credential CA", KindStatus: "Status CA", KindSealMaker: "Seal maker CA", KindSealSigner: "Seal signer CA"}

// Lives of the authorities, and how far a certificate's start is set back for verifiers whose clock is slow.
const (
	rootLife         = 20 * 365 * 24 * time.Hour
	intermediateLife = 10 * 365 * 24 * time.Hour
	backdate         = 10 * time.Minute
)

// oidOrganizationIdentifier carries the credit code (ITU-T X.520, ETSI EN 319 412-1).
var oidOrganizationIdentifier = asn1.ObjectIdentifier{2, 5, 4, 97}

// Certificate is a certificate of one of our authorities.
type Certificate struct {
	Kind Kind
	DER  []byte
}

// IssuerCertificate is the certificate of a key of a purpose.
type IssuerCertificate struct {
	Purpose    Purpose
	CreditCode string // of a Credential purpose, else ""
	KeyID      string
	State      State
	DER        []byte
}

// EnsureRoot makes the national root if there is none, and returns it. Idempotent and race-safe over nodes.
func (s *Service) EnsureRoot(ctx context.Context) (Certificate, error) {
	a, err := s.authority(ctx, KindRoot, func(a *Authority, pub crypto.PublicKey, key crypto.Signer) error {
		template := s.authorityTemplate("Root CA", rootLife, 1, pub)
		der, err := x509.CreateCertificate(rand.Reader, template, template, pub, key)
		a.Certificate = der
		return err
	})
	return Certificate{Kind: KindRoot, DER: a.Certificate}, err
}

// EnsureIntermediate makes the intermediate of a kind, and the root, if there is none, and returns it. Idempotent and
// race-safe over nodes.
func (s *Service) EnsureIntermediate(ctx context.Context, kind Kind) (Certificate, error) {
	a, err := s.intermediate(ctx, kind)
	return Certificate{Kind: kind, DER: a.Certificate}, err
}

func (s *Service) intermediate(ctx context.Context, kind Kind) (Authority, error) {
	title, ok := titles[kind]
	if !ok {
		return Authority{}, fmt.Errorf("%w: certificate kind %q", ErrSpec, kind)
	}
	if _, err := s.EnsureRoot(ctx); err != nil {
		return Authority{}, err
	}
	return s.authority(ctx, kind, func(a *Authority, pub crypto.PublicKey, _ crypto.Signer) error {
		root, rootKey, err := s.openAuthority(ctx, KindRoot)
		if err != nil {
			return err
		}
		a.Certificate, err = x509.CreateCertificate(rand.Reader, s.authorityTemplate(title, intermediateLife, 0, pub), root, pub, rootKey)
		return err
	})
}

// authority returns the current authority of a kind, after making one with certify if there is none.
func (s *Service) authority(ctx context.Context, kind Kind, certify func(*Authority, crypto.PublicKey, crypto.Signer) error) (Authority, error) {
	a, err := s.cfg.Store.Authority(ctx, kind)
	if !errors.Is(err, ErrNotFound) {
		return a, err
	}
	gen, err := s.custody.Generate(ctx, authorityPurpose(kind), jose.ES256)
	if err != nil {
		return Authority{}, fmt.Errorf("keys: %s authority: %w", kind, err)
	}
	key, err := s.custody.Open(ctx, authorityPurpose(kind), gen.ID, gen.Handle)
	if err != nil {
		return Authority{}, err
	}
	a = Authority{ID: gen.ID, Kind: kind, Handle: gen.Handle, CreatedAt: s.now()}
	if err := certify(&a, gen.Public.Public(), key); err != nil {
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

// authorityTemplate is a CA certificate (RFC 5280 section 4.2): critical basic constraints with a path length, key usage
// for certificates and revocation lists only.
func (s *Service) authorityTemplate(title string, life time.Duration, pathLen int, pub crypto.PublicKey) *x509.Certificate {
	now := s.now()
	return &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{Country: []string{s.cfg.Country}, Organization: []string{s.cfg.Name}, CommonName: s.cfg.Name + " " + title},
		NotBefore:             now.Add(-backdate).Truncate(time.Second),
		NotAfter:              now.Add(life).Truncate(time.Second),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLen:            pathLen,
		MaxPathLenZero:        pathLen == 0,
		SubjectKeyId:          keyID(pub),
	}
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
	life := manualCertificateLife
	if spec.RotateEvery > 0 {
		life = spec.PublishAhead + spec.RotateEvery
	}
	end := now.Add(life + spec.Keep + 2*renewBefore)
	if end.After(parent.NotAfter) {
		end = parent.NotAfter
	}
	subject := pkix.Name{Country: []string{s.cfg.Country}, Organization: []string{c.Organization}, CommonName: c.CommonName}
	if subject.CommonName == "" {
		subject.CommonName = c.Organization
	}
	if c.OrganizationIdentifier != "" {
		subject.ExtraNames = []pkix.AttributeTypeAndValue{{Type: oidOrganizationIdentifier, Value: c.OrganizationIdentifier}}
	}
	template := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               subject,
		NotBefore:             now.Add(-backdate).Truncate(time.Second),
		NotAfter:              end.Truncate(time.Second),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: true, // says "no CA" in so many words
		SubjectKeyId:          keyID(pub),
	}
	if c.Kind == KindSealSigner {
		template.KeyUsage |= x509.KeyUsageContentCommitment // what is sealed is meant to bind; ETSI EN 319 412-2, type B
	}
	if template.NotBefore.Before(parent.NotBefore) {
		template.NotBefore = parent.NotBefore
	}
	if c.URI != "" {
		u, err := url.Parse(c.URI)
		if err != nil {
			return nil, fmt.Errorf("%w: certificate URI", ErrSpec)
		}
		template.URIs = []*url.URL{u}
	}
	leaf, err := x509.CreateCertificate(rand.Reader, template, parent, pub, key)
	if err != nil {
		return nil, err
	}
	return [][]byte{leaf, ca.Certificate}, nil
}

// serial returns a positive number of 127 random bits (RFC 5280 section 4.1.2.2: at most 20 octets, unpredictable).
func serial() *big.Int {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	b[0] = b[0]&0x7f | 0x40
	return new(big.Int).SetBytes(b[:])
}

// keyID is the key identifier of RFC 7093 section 2 method 1: 160 bits of the SHA-256 of the key's bit string.
func keyID(pub crypto.PublicKey) []byte {
	var bits []byte
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		bits, _ = k.Bytes() // our own key, on its curve
	case ed25519.PublicKey:
		bits = k
	case *rsa.PublicKey:
		bits = x509.MarshalPKCS1PublicKey(k)
	}
	sum := sha256.Sum256(bits)
	return sum[:20]
}

// Anchors returns the root and the intermediates that exist, for the trust bundle.
func (s *Service) Anchors(ctx context.Context) ([]Certificate, error) {
	var out []Certificate
	for _, kind := range []Kind{KindRoot, KindCredential, KindStatus, KindSealMaker, KindSealSigner} {
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

// IssuerCertificates returns the end-entity certificates of all purposes' keys that aren't gone.
func (s *Service) IssuerCertificates(ctx context.Context) ([]IssuerCertificate, error) {
	all, err := s.cfg.Store.Purposes(ctx)
	if err != nil {
		return nil, fmt.Errorf("keys: issuer certificates: %w", err)
	}
	var out []IssuerCertificate
	for _, p := range all {
		list, err := s.Keys(ctx, p)
		if err != nil {
			return nil, err
		}
		code, isCredential := strings.CutPrefix(string(p), credentialPrefix)
		if !isCredential {
			code = ""
		}
		for _, k := range list {
			if len(k.Chain) > 0 {
				out = append(out, IssuerCertificate{Purpose: p, CreditCode: code, KeyID: k.ID, State: k.State, DER: k.Chain[0]})
			}
		}
	}
	return out, nil
}
