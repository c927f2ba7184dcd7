// Package provider is a wallet provider for tests: it attests that a wallet is a wallet, and that keys are kept as they should be. IT IS FOR TESTING
// ONLY: it attests whatever it is asked to, and its keys stand in a file in the clear. Never put its anchor where people's wallets are trusted.
//
// Client attestation: draft-ietf-oauth-attestation-based-client-auth, draft 07 (HAIP 1.0) or the current form. Key attestation: OpenID4VCI 1.0, appendix D.1.
package provider

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
)

// Forms of the client attestation.
const (
	HAIP    = "haip-1.0" // draft 07: both tokens carry iss
	Current = "current"  // later drafts: neither does
)

// Names of the files in a provider's directory.
const (
	ProviderFile = "provider.json"
	AnchorFile   = "anchor.pem"
)

const warning = "for testing only: this provider attests anything, and its private key stands here in the clear"

// Claims about keys that HAIP's wallets make (OpenID4VCI 1.0, appendix D.2).
const (
	levelHigh = "iso_18045_high"
	lifetime  = 24 * time.Hour
)

// Provider attests. It is safe for concurrent use.
type Provider struct {
	// Form is HAIP or Current.
	Form string
	// Level is what it says of keys: key_storage and user_authentication.
	Level string
	// Now is time.Now when nil.
	Now func() time.Time

	clientID, issuer string
	key              jose.SigningKey
	x5c              [][]byte // without the anchor
	anchor           []byte
}

// New makes a provider with a new anchor and a new attester key that the anchor certifies.
func New(clientID, issuer, form string, at time.Time) (*Provider, error) {
	if form != HAIP && form != Current {
		return nil, fmt.Errorf("provider: no form %q", form)
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	ca := &x509.Certificate{SerialNumber: serial(), Subject: pkix.Name{Country: []string{"CN"}, CommonName: "Test wallet provider (no trust)"},
		NotBefore: at.Add(-time.Hour), NotAfter: at.AddDate(10, 0, 0), IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	anchor, err := x509.CreateCertificate(rand.Reader, ca, ca, caKey.Public(), caKey)
	if err != nil {
		return nil, err
	}
	if ca, err = x509.ParseCertificate(anchor); err != nil {
		return nil, err
	}
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		return nil, err
	}
	pub, err := key.Public()
	if err != nil {
		return nil, err
	}
	leaf := &x509.Certificate{SerialNumber: serial(), Subject: pkix.Name{Country: []string{"CN"}, CommonName: "Test wallet attester (no trust)"},
		NotBefore: at.Add(-time.Hour), NotAfter: at.AddDate(2, 0, 0), BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature}
	// The anchor's key ends here: a second attester would need a second anchor.
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, pub.Public(), caKey)
	if err != nil {
		return nil, err
	}
	return &Provider{Form: form, Level: levelHigh, clientID: clientID, issuer: issuer, key: key, x5c: [][]byte{der}, anchor: anchor}, nil
}

func serial() *big.Int {
	var b [16]byte
	_, _ = rand.Read(b[:])
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b[:])
}

// Anchor is the certificate (DER) that issuers must trust.
func (p *Provider) Anchor() []byte { return p.anchor }

// AnchorPEM is Anchor as configuration files want it.
func (p *Provider) AnchorPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.anchor})
}

// Issuer is the iss of its attestations.
func (p *Provider) Issuer() string { return p.issuer }

// ClientID is the wallet's client identifier.
func (p *Provider) ClientID() string { return p.clientID }

func (p *Provider) now() time.Time {
	if p.Now != nil {
		return p.Now()
	}
	return time.Now()
}

// Wallet attests the wallet whose instance has this key.
func (p *Provider) Wallet(instance jose.JWK) (string, error) {
	now := p.now()
	claims := map[string]any{"sub": p.clientID, "iat": now.Unix(), "exp": now.Add(lifetime).Unix(), "cnf": map[string]any{"jwk": instance},
		"wallet_name": "Hufu test wallet"}
	if p.Form == HAIP {
		claims["iss"] = p.issuer
	}
	return jose.SignJSON(p.key, jose.Header{Typ: "oauth-client-attestation+jwt", X5C: p.x5c, NoKeyID: true}, claims)
}

// Proof is the instance's own; it stands here because its form goes with the attestation's.
func (p *Provider) Proof(instance jose.SigningKey, audience, challenge string) (string, error) {
	claims := map[string]any{"aud": audience, "jti": rand.Text(), "iat": p.now().Unix()}
	if challenge != "" {
		claims["challenge"] = challenge
	}
	if p.Form == HAIP {
		claims["iss"] = p.clientID
	}
	return jose.SignJSON(instance, jose.Header{Typ: "oauth-client-attestation-pop+jwt", NoKeyID: true}, claims)
}

// Keys attests keys for one nonce of an issuer.
func (p *Provider) Keys(keys []jose.JWK, nonce string) (string, error) {
	now := p.now()
	claims := map[string]any{"iat": now.Unix(), "exp": now.Add(lifetime).Unix(), "attested_keys": keys, "key_storage": []string{p.Level},
		"user_authentication": []string{p.Level}}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	return jose.SignJSON(p.key, jose.Header{Typ: "key-attestation+jwt", X5C: p.x5c, NoKeyID: true}, claims)
}

// stored is the file form.
type stored struct {
	Warning  string          `json:"warning"`
	ClientID string          `json:"client_id"`
	Issuer   string          `json:"issuer"`
	Form     string          `json:"form"`
	Level    string          `json:"level"`
	Key      json.RawMessage `json:"key"`
	X5C      [][]byte        `json:"x5c"`
	Anchor   []byte          `json:"anchor"`
}

// Save writes the provider into a directory as new files (mode 0600); it overwrites none.
func (p *Provider) Save(dir string) error {
	key, err := jose.MarshalPrivateJWK(p.key)
	if err != nil {
		return err
	}
	b, err := json.MarshalIndent(stored{warning, p.clientID, p.issuer, p.Form, p.Level, key, p.x5c, p.anchor}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, file := range []struct {
		name string
		b    []byte
	}{{ProviderFile, append(b, '\n')}, {AnchorFile, p.AnchorPEM()}} {
		f, err := os.OpenFile(filepath.Join(dir, file.name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		_, err = f.Write(file.b)
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// Load reads the provider of a directory.
func Load(dir string) (*Provider, error) {
	b, err := os.ReadFile(filepath.Join(dir, ProviderFile))
	if err != nil {
		return nil, err
	}
	var s stored
	if err := json.Unmarshal(b, &s); err != nil || s.ClientID == "" || len(s.X5C) == 0 || s.Form != HAIP && s.Form != Current {
		return nil, fmt.Errorf("provider: %s is not a provider's file", filepath.Join(dir, ProviderFile))
	}
	key, err := jose.ParsePrivateJWK(s.Key)
	if err != nil {
		return nil, fmt.Errorf("provider: %s: %w", filepath.Join(dir, ProviderFile), err)
	}
	return &Provider{Form: s.Form, Level: s.Level, clientID: s.ClientID, issuer: s.Issuer, key: key, x5c: s.X5C, anchor: s.Anchor}, nil
}
