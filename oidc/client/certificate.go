package client

import (
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc/client/dn"
)

// ErrCertificate: a client certificate that isn't the registered one, or isn't good.
var ErrCertificate = errors.New("client: certificate not accepted")

// Thumbprint is the x5t#S256 of a certificate: SHA-256 of its DER in base64url (RFC 8705 section 3.1).
func Thumbprint(c *x509.Certificate) string {
	sum := sha256.Sum256(c.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// MatchesSelfSigned says whether a certificate stands for one of the client's registered keys (RFC 8705 section 2.2). TLS has proved possession, so the key
// is all that counts, and that the certificate is valid at that time: its end is the client's own limit.
func MatchesSelfSigned(c *x509.Certificate, registered []jose.JWK, at time.Time) bool {
	key, ok := c.PublicKey.(interface{ Equal(crypto.PublicKey) bool })
	if !ok || at.Before(c.NotBefore) || at.After(c.NotAfter) {
		return false
	}
	return slices.ContainsFunc(registered, func(k jose.JWK) bool {
		return !k.IsZero() && (k.Use() == "" || k.Use() == "sig") && key.Equal(k.Public())
	})
}

// VerifyChain checks that one of the roots issued the first certificate, for clients; the others are intermediates, as sent. ErrCertificate.
func VerifyChain(chain []*x509.Certificate, roots *x509.CertPool, at time.Time) error {
	// Without roots x509 would take those of the system: every website would be a client. Without a time it reads the clock.
	if len(chain) == 0 || roots == nil || at.IsZero() {
		return fmt.Errorf("%w: no certificate, no certification authority or no time", ErrCertificate)
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCertificate, err)
	}
	return nil
}

// Matches says whether a certificate carries the registered name (RFC 8705 section 2.1.2). A registration with no name, or several, matches nothing. Names
// are compared exactly, DNS names without regard to case; a wildcard stands for itself only.
func (n Certificate) Matches(c *x509.Certificate) bool {
	named := 0
	for _, s := range []string{n.TLSSubjectDN, n.TLSSANDNS, n.TLSSANURI, n.TLSSANIP, n.TLSSANEmail} {
		if s != "" {
			named++
		}
	}
	switch {
	case named != 1:
		return false
	case n.TLSSubjectDN != "":
		return dn.Same(n.TLSSubjectDN, c.RawSubject)
	case n.TLSSANDNS != "":
		return slices.ContainsFunc(c.DNSNames, func(s string) bool { return strings.EqualFold(s, n.TLSSANDNS) })
	case n.TLSSANURI != "":
		for _, u := range c.URIs {
			if u.String() == n.TLSSANURI {
				return true
			}
		}
		return false
	case n.TLSSANIP != "":
		ip := net.ParseIP(n.TLSSANIP)
		return ip != nil && slices.ContainsFunc(c.IPAddresses, ip.Equal)
	}
	return slices.Contains(c.EmailAddresses, n.TLSSANEmail)
}
