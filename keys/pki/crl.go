package pki

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"time"
)

// Revoked is an entry of a revocation list.
type Revoked struct {
	Serial *big.Int
	// At is when it was revoked, CompromisedAt since when it may have been somebody else's (invalidityDate).
	At, CompromisedAt time.Time
}

var oidInvalidityDate = asn1.ObjectIdentifier{2, 5, 29, 24}

const keyCompromise = 1 // RFC 5280 section 5.3.1

// RevocationList makes an authority's list in DER (RFC 5280 section 5.1), good from now until next. Its number is the time in seconds, which grows.
func RevocationList(by Issuer, entries []Revoked, now, next time.Time) ([]byte, error) {
	t := &x509.RevocationList{Number: big.NewInt(now.Unix()), ThisUpdate: now.Truncate(time.Second), NextUpdate: next.Truncate(time.Second)}
	for _, e := range entries {
		since, err := asn1.MarshalWithParams(e.CompromisedAt.UTC().Truncate(time.Second), "generalized")
		if err != nil {
			return nil, fmt.Errorf("pki: invalidityDate: %w", err)
		}
		t.RevokedCertificateEntries = append(t.RevokedCertificateEntries, x509.RevocationListEntry{SerialNumber: e.Serial, ReasonCode: keyCompromise,
			RevocationTime: e.At.UTC().Truncate(time.Second), ExtraExtensions: []pkix.Extension{{Id: oidInvalidityDate, Value: since}}})
	}
	return x509.CreateRevocationList(rand.Reader, t, by.Certificate, by.Key)
}
