// Package attesttest is a wallet provider for tests: it attests instances, and instances make their proofs.
package attesttest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc/attestation"
)

// Provider has a root, and a leaf that signs attestations.
type Provider struct {
	t      testing.TB
	Issuer string
	Root   *x509.Certificate
	key    *ecdsa.PrivateKey // of the root
	// Signer and Chain are what attestations are signed by: leaf first, without the root.
	Signer jose.SigningKey
	Chain  [][]byte
}

// New makes a provider whose certificates are good around a time.
func New(t testing.TB, at time.Time) *Provider {
	t.Helper()
	p := &Provider{t: t, Issuer: "https://provider.example"}
	p.key = newKey(t)
	root := Template("Sandbox wallet provider root", at)
	root.IsCA, root.BasicConstraintsValid, root.KeyUsage = true, true, x509.KeyUsageCertSign
	p.Root = p.certificate(root, root, &p.key.PublicKey, p.key)
	p.Signer, p.Chain = p.Leaf(Template("Sandbox wallet provider", at))
	return p
}

// Template is a certificate for signatures, good around a time.
func Template(name string, at time.Time) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, big.NewInt(1<<62))
	return &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: at.Add(-time.Hour), NotAfter: at.Add(100 * 24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature}
}

// Leaf makes a key with a certificate of the root's.
func (p *Provider) Leaf(template *x509.Certificate) (jose.SigningKey, [][]byte) {
	p.t.Helper()
	key := newKey(p.t)
	c := p.certificate(template, p.Root, &key.PublicKey, p.key)
	signer, err := jose.NewSigningKey(key, jose.ES256)
	if err != nil {
		p.t.Fatal(err)
	}
	return signer, [][]byte{c.Raw}
}

func (p *Provider) certificate(template, parent *x509.Certificate, public crypto.PublicKey, by *ecdsa.PrivateKey) *x509.Certificate {
	p.t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, by)
	if err != nil {
		p.t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		p.t.Fatal(err)
	}
	return c
}

// Trusted is the provider as a server trusts it, in a form of the specification.
func (p *Provider) Trusted(name, profile string) attestation.Provider {
	p.t.Helper()
	form, ok := attestation.ProfileOf(profile)
	if !ok {
		p.t.Fatalf("no profile %s", profile)
	}
	return attestation.Provider{Name: name, Profile: form, Issuer: p.Issuer, Anchors: []*x509.Certificate{p.Root}}
}

// Attest makes the attestation of an instance's key, as draft 07 has it; pairs change or (nil) remove claims.
func (p *Provider) Attest(clientID string, instance jose.SigningKey, at time.Time, pairs ...any) string {
	p.t.Helper()
	pub, err := instance.Public()
	if err != nil {
		p.t.Fatal(err)
	}
	claims := changed(map[string]any{"iss": p.Issuer, "sub": clientID, "iat": at.Unix(), "nbf": at.Unix(), "exp": at.Add(5 * time.Minute).Unix(),
		"cnf": map[string]any{"jwk": pub}}, pairs)
	return p.Sign(p.Signer, jose.Header{Typ: attestation.Type, X5C: p.Chain}, claims)
}

// Prove makes the proof of an instance; pairs change or (nil) remove claims.
func (p *Provider) Prove(clientID string, instance jose.SigningKey, audience string, at time.Time, pairs ...any) string {
	p.t.Helper()
	claims := changed(map[string]any{"iss": clientID, "aud": audience, "jti": rand.Text(), "iat": at.Unix()}, pairs)
	return p.Sign(instance, jose.Header{Typ: attestation.ProofType}, claims)
}

// Sign signs claims.
func (p *Provider) Sign(key jose.SigningKey, h jose.Header, claims map[string]any) string {
	p.t.Helper()
	s, err := jose.SignJSON(key, h, claims)
	if err != nil {
		p.t.Fatal(err)
	}
	return s
}

func changed(claims map[string]any, pairs []any) map[string]any {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == nil {
			delete(claims, pairs[i].(string))
		} else {
			claims[pairs[i].(string)] = pairs[i+1]
		}
	}
	return claims
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}
