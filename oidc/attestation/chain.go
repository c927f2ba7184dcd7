package attestation

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
)

// keysOf finds the keys that a provider vouches for: that of the certificate in the header, if an anchor stands above it, else those that were
// configured. What the header itself says of keys (jwk, jku, x5u) never counts.
func (p Provider) keysOf(h jose.ParsedHeader, at time.Time) ([]jose.JWK, error) {
	if len(h.X5C) == 0 {
		if p.Profile.RequireChain || len(p.Keys) == 0 {
			return nil, fmt.Errorf("%w: no x5c", ErrAttestation)
		}
		return p.Keys, nil
	}
	leaf, err := p.chain(h.X5C, at)
	if err != nil {
		return nil, errors.Join(ErrAttestation, err)
	}
	// Without a kid: the header's is the provider's business.
	key, err := jose.FromPublic(leaf.PublicKey, "", "")
	if err != nil {
		return nil, errors.Join(ErrAttestation, err)
	}
	return []jose.JWK{key}, nil
}

// ErrChain: x5c that leads to no anchor, or isn't one. It comes with ErrAttestation.
var ErrChain = errors.New("attestation: certificate chain")

// maxRSA is the longest RSA key of a certificate in x5c.
const maxRSA = 4096

// chain checks x5c: leaf first, leaf not self-signed, anchor not included (HAIP 1.0, section 4.4.1).
func (p Provider) chain(der [][]byte, at time.Time) (*x509.Certificate, error) {
	if len(p.Anchors) == 0 || at.IsZero() {
		return nil, fmt.Errorf("%w: no anchor", ErrChain) // x509 would take the system's, and the clock's time
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	for _, a := range p.Anchors {
		roots.AddCert(a)
	}
	var leaf *x509.Certificate
	for i, raw := range der {
		c, err := x509.ParseCertificate(raw)
		if err != nil {
			return nil, errors.Join(ErrChain, err)
		}
		if key, ok := c.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > maxRSA {
			return nil, fmt.Errorf("%w: an RSA key above %d bits", ErrChain, maxRSA) // anybody may send one, and has us compute
		}
		for _, a := range p.Anchors {
			if bytes.Equal(a.Raw, c.Raw) {
				return nil, fmt.Errorf("%w: the anchor is in x5c", ErrChain)
			}
		}
		if i == 0 {
			leaf = c
			continue
		}
		between.AddCert(c)
	}
	switch {
	case bytes.Equal(leaf.RawIssuer, leaf.RawSubject) && leaf.CheckSignature(leaf.SignatureAlgorithm, leaf.RawTBSCertificate, leaf.Signature) == nil:
		return nil, fmt.Errorf("%w: the leaf is self-signed", ErrChain)
	case leaf.IsCA:
		return nil, fmt.Errorf("%w: the leaf is a certification authority", ErrChain)
	case leaf.KeyUsage != 0 && leaf.KeyUsage&x509.KeyUsageDigitalSignature == 0:
		return nil, fmt.Errorf("%w: the leaf is not for signatures", ErrChain)
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err != nil {
		return nil, errors.Join(ErrChain, err)
	}
	return leaf, nil
}
