package pki

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // a name for a key, not a proof: annex B prescribes it
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"net/url"
	"slices"
	"time"
)

// The extensions that ISO/IEC 18013-5 annex B adds.
var (
	oidIssuerAltName = asn1.ObjectIdentifier{2, 5, 29, 18}
	oidExtKeyUsage   = asn1.ObjectIdentifier{2, 5, 29, 37}
	// OIDDocumentSigner is the extended key usage of a document signer, the only one it has, and critical (table B.3).
	OIDDocumentSigner = asn1.ObjectIdentifier{1, 0, 18013, 5, 1, 2}
)

// annexB adds to an IACA's certificate what table B.1 asks for beyond RFC 5280: how to reach the authority, and where its revocation list is.
func (n Names) annexB(t *x509.Certificate) error {
	if u, err := url.Parse(n.Contact); err != nil || !u.IsAbs() || u.Host == "" {
		return fmt.Errorf("%w: an IACA needs a URL of contact", ErrSpec)
	}
	alt, err := asn1.Marshal([]asn1.RawValue{{Class: asn1.ClassContextSpecific, Tag: 6, Bytes: []byte(n.Contact)}}) // GeneralName uniformResourceIdentifier
	if err != nil {
		return fmt.Errorf("pki: issuerAltName: %w", err)
	}
	t.ExtraExtensions = []pkix.Extension{{Id: oidIssuerAltName, Value: alt}}
	if n.CRL != "" {
		t.CRLDistributionPoints = []string{n.CRL}
	}
	return nil
}

// documentSigner adds what table B.3 asks for: the extended key usage, and the contact and revocation list of the IACA.
func documentSigner(t *x509.Certificate, iaca *x509.Certificate) error {
	if t.NotAfter.Sub(t.NotBefore) > IACA.MaxLife()+backdate {
		return fmt.Errorf("%w: a document signer's certificate for more than 457 days", ErrSpec)
	}
	if limit := t.NotBefore.Add(IACA.MaxLife()); t.NotAfter.After(limit) {
		t.NotAfter = limit.Truncate(time.Second)
	}
	usage, err := asn1.Marshal([]asn1.ObjectIdentifier{OIDDocumentSigner})
	if err != nil {
		return fmt.Errorf("pki: extKeyUsage: %w", err)
	}
	t.ExtraExtensions = []pkix.Extension{{Id: oidExtKeyUsage, Critical: true, Value: usage}}
	if i := slices.IndexFunc(iaca.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(oidIssuerAltName) }); i >= 0 {
		t.ExtraExtensions = append(t.ExtraExtensions, pkix.Extension{Id: oidIssuerAltName, Value: iaca.Extensions[i].Value})
	}
	t.CRLDistributionPoints = iaca.CRLDistributionPoints
	return nil
}

// keyID is the key identifier: 160 bits of the SHA-256 of the key's bit string (RFC 7093 section 2 method 1), but the SHA-1 of it where annex B says so.
func keyID(kind Kind, pub crypto.PublicKey) []byte {
	var bits []byte
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		bits, _ = k.Bytes() // our own key, on its curve
	case ed25519.PublicKey:
		bits = k
	case *rsa.PublicKey:
		bits = x509.MarshalPKCS1PublicKey(k)
	}
	if kind == IACA {
		sum := sha1.Sum(bits) //nolint:gosec // see the import
		return sum[:]
	}
	sum := sha256.Sum256(bits)
	return sum[:20]
}
