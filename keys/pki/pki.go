// Package pki makes the certificates of Hufu (docs/trust.md, certificates): RFC 5280 below the national root, and the profile of ISO/IEC 18013-5:2021
// annex B for the mdoc authority (IACA) and the document signers below it.
//
// The package holds no key and knows no clock: keys, times and names are arguments. Safe for concurrent use.
package pki

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"time"
	"unicode/utf8"
)

// ErrSpec: what the certificate should say can't be said.
var ErrSpec = errors.New("pki: specification can't be used")

// Kind names a certificate authority of ours, and the end entities that it issues to.
type Kind string

// The kinds of authorities.
const (
	Root       Kind = "root"
	Credential Kind = "credential"  // issues to credential issuers
	Status     Kind = "status"      // issues to the signers of status lists
	SealMaker  Kind = "seal-maker"  // issues to seal makers, who sign seals
	SealSigner Kind = "seal-signer" // issues to the keys that seal documents
	// IACA is a root of its own that issues to document signers directly, as readers of mdocs expect (ISO/IEC 18013-5 annex B.1.2).
	IACA Kind = "iaca"
)

// Kinds are all kinds: the roots first.
func Kinds() []Kind { return []Kind{Root, IACA, Credential, Status, SealMaker, SealSigner} }

// titles name the authorities.
var titles = map[Kind]string{Root: "Root CA", Credential: "Credential CA", Status: "Status CA", SealMaker: "Seal maker CA", SealSigner: "Seal signer CA",
	IACA: "IACA"}

// IsRoot says whether an authority of this kind signs itself.
func (k Kind) IsRoot() bool { return k == Root || k == IACA }

// Issues says whether authorities of this kind issue to end entities.
func (k Kind) Issues() bool { return k != Root && titles[k] != "" }

// MaxLife is how long an end entity's certificate of this kind may be valid; 0 for no limit of its own. A document signer's: 457 days (ISO/IEC 18013-5,
// table B.3).
func (k Kind) MaxLife() time.Duration {
	if k == IACA {
		return 457 * 24 * time.Hour
	}
	return 0
}

// Lives of the authorities, and how far a certificate's start is set back for verifiers whose clock is slow.
const (
	rootLife         = 20 * 365 * 24 * time.Hour // five days short of the 20 years of ISO/IEC 18013-5, table B.1
	intermediateLife = 10 * 365 * 24 * time.Hour
	backdate         = 10 * time.Minute
)

// Names is what our certificates say of us.
type Names struct {
	Country string // ISO 3166-1 alpha-2
	Name    string // of the national authority, at most 40 characters
	// Contact is a URL at which the authority can be reached; an IACA can't be made without (issuerAltName, annex B).
	Contact string
	// CRL is where the IACA's revocation list is served. An IACA without one names no distribution point: readers then know of revocations from the trust
	// bundle alone.
	CRL string
}

// Spec says what an end-entity certificate names (docs/trust.md section 2).
type Spec struct {
	// Kind names the authority that issues it.
	Kind Kind `json:"kind"`
	// CommonName and Organization name the authority, each at most 64 characters; an empty CommonName is the Organization.
	CommonName   string `json:"common_name,omitempty"`
	Organization string `json:"organization"`
	// OrganizationIdentifier is the authority's credit code (OID 2.5.4.97); empty for our own services.
	OrganizationIdentifier string `json:"organization_identifier,omitempty"`
	// URI becomes the URI subject alternative name: the credential issuer's URL, which "iss" must equal. Optional.
	URI string `json:"uri,omitempty"`
}

// Check says whether certificates can be made by the specification. Errors: ErrSpec.
func (s Spec) Check() error {
	if s.Organization == "" || utf8.RuneCountInString(s.Organization) > 64 || utf8.RuneCountInString(s.CommonName) > 64 ||
		utf8.RuneCountInString(s.OrganizationIdentifier) > 64 {
		return fmt.Errorf("%w: names of the certificate need 1 to 64 characters", ErrSpec)
	}
	if !s.Kind.Issues() {
		return fmt.Errorf("%w: certificate kind %q", ErrSpec, s.Kind)
	}
	if u, err := url.Parse(s.URI); s.URI != "" && (err != nil || !u.IsAbs() || u.Host == "") {
		return fmt.Errorf("%w: certificate URI", ErrSpec)
	}
	return nil
}

// oidOrganizationIdentifier carries the credit code (ITU-T X.520, ETSI EN 319 412-1).
var oidOrganizationIdentifier = asn1.ObjectIdentifier{2, 5, 4, 97}

// Issuer is an authority that signs: its certificate and its key.
type Issuer struct {
	Certificate *x509.Certificate
	Key         crypto.Signer
}

// Authority makes the certificate of an authority of a kind for the key pub, in DER. A root signs itself with by.Key; others are signed by by. Critical
// basic constraints with a path length, key usage for certificates and revocation lists only (RFC 5280 section 4.2). Errors: ErrSpec.
func (n Names) Authority(kind Kind, pub crypto.PublicKey, by Issuer, now time.Time) ([]byte, error) {
	title, ok := titles[kind]
	if !ok {
		return nil, fmt.Errorf("%w: certificate kind %q", ErrSpec, kind)
	}
	t := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               pkix.Name{Country: []string{n.Country}, Organization: []string{n.Name}, CommonName: n.Name + " " + title},
		NotBefore:             now.Add(-backdate).Truncate(time.Second),
		NotAfter:              now.Add(intermediateLife).Truncate(time.Second),
		KeyUsage:              x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
		BasicConstraintsValid: true,
		IsCA:                  true,
		MaxPathLenZero:        true,
		SubjectKeyId:          keyID(kind, pub),
	}
	switch kind {
	case Root:
		t.MaxPathLen, t.MaxPathLenZero = 1, false
	case IACA:
		if err := n.annexB(t); err != nil {
			return nil, err
		}
	}
	parent := by.Certificate
	if kind.IsRoot() {
		t.NotAfter = now.Add(rootLife).Truncate(time.Second)
		parent = t
	}
	return x509.CreateCertificate(rand.Reader, t, parent, pub, by.Key)
}

// EndEntity makes the certificate of a key, valid from now until end or until its authority's ends, in DER. Errors: ErrSpec.
func (n Names) EndEntity(s Spec, pub crypto.PublicKey, by Issuer, now, end time.Time) ([]byte, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	if end.After(by.Certificate.NotAfter) {
		end = by.Certificate.NotAfter
	}
	subject := pkix.Name{Country: by.Certificate.Subject.Country, Organization: []string{s.Organization}, CommonName: s.CommonName}
	if subject.CommonName == "" {
		subject.CommonName = s.Organization
	}
	if s.OrganizationIdentifier != "" {
		subject.ExtraNames = []pkix.AttributeTypeAndValue{{Type: oidOrganizationIdentifier, Value: s.OrganizationIdentifier}}
	}
	t := &x509.Certificate{
		SerialNumber:          serial(),
		Subject:               subject,
		NotBefore:             now.Add(-backdate).Truncate(time.Second),
		NotAfter:              end.Truncate(time.Second),
		KeyUsage:              x509.KeyUsageDigitalSignature,
		BasicConstraintsValid: s.Kind != IACA, // says "no CA" in so many words; annex B knows no such extension of a document signer
		SubjectKeyId:          keyID(s.Kind, pub),
	}
	switch s.Kind {
	case SealSigner:
		t.KeyUsage |= x509.KeyUsageContentCommitment // what is sealed is meant to bind; ETSI EN 319 412-2, type B
	case IACA:
		if err := documentSigner(t, by.Certificate); err != nil {
			return nil, err
		}
	}
	if t.NotBefore.Before(by.Certificate.NotBefore) {
		t.NotBefore = by.Certificate.NotBefore
	}
	if s.URI != "" {
		u, err := url.Parse(s.URI)
		if err != nil {
			return nil, fmt.Errorf("%w: certificate URI", ErrSpec)
		}
		t.URIs = []*url.URL{u}
	}
	return x509.CreateCertificate(rand.Reader, t, by.Certificate, pub, by.Key)
}

// serial returns a positive number of 127 random bits (RFC 5280 section 4.1.2.2: at most 20 octets, unpredictable).
func serial() *big.Int {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	b[0] = b[0]&0x7f | 0x40
	return new(big.Int).SetBytes(b[:])
}
