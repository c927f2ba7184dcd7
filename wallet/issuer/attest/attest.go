// Package attest checks key attestations: a wallet's maker says where keys live and how people unlock them (OpenID4VCI 1.0, appendix D). Pure.
package attest

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
)

const (
	typ = "key-attestation+jwt"
	// MaxBytes limits an attestation: a chain and the keys of a batch.
	MaxBytes = 24 << 10
	// maxKeys and maxChain bound the work that a stranger can ask for.
	maxKeys  = 64
	maxChain = 4
	maxRSA   = 4096
	// leeway is for the clocks of wallet makers; maxAge for attestations that name no end, which only the proof type attestation may do.
	leeway = time.Minute
	maxAge = 24 * time.Hour
)

// Error says that a key attestation is not valid; every error of Check is one.
var Error = errors.New("attest: key attestation not valid")

// Algs are the algorithms of key attestations.
func Algs() []jose.Alg { return []jose.Alg{jose.ES256} }

// AlgNames are Algs for metadata.
func AlgNames() []string {
	var names []string
	for _, a := range Algs() {
		names = append(names, string(a))
	}
	return names
}

// Policy is whose attestations count, and when.
type Policy struct {
	// Anchors are the certificates that wallet makers' certificates are signed by. Without any, no attestation is valid.
	Anchors []*x509.Certificate
	// At is now.
	At time.Time
	// NeedExp: an attestation inside a jwt proof must say when it ends (appendix D.1).
	NeedExp bool
}

// Levels are what a credential type accepts (key_attestations_required, section 12.2.4). An empty list accepts everything.
type Levels struct {
	KeyStorage         []string `json:"key_storage,omitempty"`
	UserAuthentication []string `json:"user_authentication,omitempty"`
}

// Attestation is a key attestation that was checked. Only Check makes one.
type Attestation struct {
	keys                        []jose.JWK
	keyStorage, authentications []string
	nonce                       string
}

// Keys are the attested keys, distinct and bare of labels.
func (a Attestation) Keys() []jose.JWK { return slices.Clone(a.keys) }

// Nonce is the nonce that the wallet was given for it; empty when it has none.
func (a Attestation) Nonce() string { return a.nonce }

// Has says whether a key is among the attested ones.
func (a Attestation) Has(k jose.JWK) bool {
	return slices.ContainsFunc(a.keys, func(have jose.JWK) bool { return have.Thumbprint() == k.Thumbprint() })
}

// Meets says whether storage and user authentication are of a level that is accepted.
func (a Attestation) Meets(l Levels) bool {
	return meets(a.keyStorage, l.KeyStorage) && meets(a.authentications, l.UserAuthentication)
}

func meets(have, accepted []string) bool {
	return len(accepted) == 0 || slices.ContainsFunc(have, func(h string) bool { return slices.Contains(accepted, h) })
}

// Check checks a key attestation: type, algorithm, chain, signature, times, keys. What it doesn't know is whether its nonce is ours and
// whether its levels are enough. Its status, if it names one, is not looked up: an attestation lives for minutes. Error.
func Check(compact string, p Policy) (Attestation, error) {
	u, err := jose.ParseUnverified(compact, jose.Policy{Typ: []string{typ}, Algs: Algs(), MaxBytes: MaxBytes})
	if err != nil {
		return Attestation{}, wrong(err)
	}
	signer, err := chain(u.Header, p)
	if err != nil {
		return Attestation{}, wrong(err)
	}
	v, err := u.Verify(signer)
	if err != nil {
		return Attestation{}, wrong(err)
	}
	claims, err := v.Claims(jose.ClaimPolicy{At: p.At, Leeway: leeway, OptionalExp: !p.NeedExp, RequireIat: true})
	if err != nil {
		return Attestation{}, wrong(err)
	}
	if err := fresh(claims, p.At); err != nil {
		return Attestation{}, wrong(err)
	}
	var a Attestation
	if a.keys, err = attestedKeys(v.Payload()); err != nil {
		return Attestation{}, wrong(err)
	}
	if a.keyStorage, err = levels(claims, "key_storage"); err != nil {
		return Attestation{}, wrong(err)
	}
	if a.authentications, err = levels(claims, "user_authentication"); err != nil {
		return Attestation{}, wrong(err)
	}
	if _, present := claims["nonce"]; present {
		if a.nonce, err = claims.String("nonce"); err != nil || a.nonce == "" {
			return Attestation{}, wrong(errors.New("the nonce is not a string"))
		}
	}
	return a, nil
}

func wrong(err error) error { return fmt.Errorf("%w: %w", Error, err) }

// fresh refuses an attestation without an end when it is old.
func fresh(c jose.Claims, at time.Time) error {
	if _, present := c["exp"]; present {
		return nil
	}
	iat, err := c.Time("iat")
	if err != nil {
		return err
	}
	if at.Sub(iat) > maxAge {
		return errors.New("it names no end and is older than a day")
	}
	return nil
}

// chain finds the key that signed, under one of the anchors. The leaf must not sign itself, and the anchor must not come along: it has to be known
// already, and a verifier that takes it from the message trusts everybody (HAIP 1.0, section 4.5.1).
func chain(h jose.ParsedHeader, p Policy) (jose.JWK, error) {
	switch {
	case len(p.Anchors) == 0:
		return jose.JWK{}, errors.New("this issuer knows no makers of wallets")
	case len(h.X5C) == 0:
		return jose.JWK{}, errors.New("the header has no x5c")
	case len(h.X5C) > maxChain:
		return jose.JWK{}, errors.New("x5c is too long")
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	for _, a := range p.Anchors {
		roots.AddCert(a)
	}
	var leaf *x509.Certificate
	for n, der := range h.X5C {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return jose.JWK{}, errors.New("x5c holds no certificate")
		}
		if key, ok := c.PublicKey.(*rsa.PublicKey); ok && key.N.BitLen() > maxRSA {
			return jose.JWK{}, fmt.Errorf("x5c holds an RSA key above %d bits", maxRSA) // anybody may send one, and has us compute
		}
		if bytes.Equal(c.RawSubject, c.RawIssuer) || slices.ContainsFunc(p.Anchors, c.Equal) {
			return jose.JWK{}, errors.New("x5c holds a self-signed certificate or the trust anchor")
		}
		if n == 0 {
			leaf = c
		} else {
			between.AddCert(c)
		}
	}
	if leaf.IsCA {
		return jose.JWK{}, errors.New("the leaf is an authority's certificate")
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: p.At, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
		return jose.JWK{}, errors.New("the certificate does not lead to a trusted maker of wallets")
	}
	return jose.FromPublic(leaf.PublicKey, "", "")
}

// attestedKeys reads attested_keys: public, usable, each once.
func attestedKeys(payload []byte) ([]jose.JWK, error) {
	var members map[string]json.RawMessage // not a struct: encoding/json would also take "Attested_Keys"
	var list []json.RawMessage
	if err := jose.DecodeStrict(payload, &members); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(members["attested_keys"], &list); err != nil || len(list) == 0 || len(list) > maxKeys {
		return nil, fmt.Errorf("attested_keys must be a list of 1 to %d keys", maxKeys)
	}
	var out []jose.JWK
	seen := map[string]bool{}
	for _, raw := range list {
		k, err := bare(raw)
		if err != nil {
			return nil, err
		}
		t := k.Thumbprint()
		if seen[t] {
			return nil, errors.New("attested_keys has a key twice")
		}
		seen[t] = true
		out = append(out, k)
	}
	return out, nil
}

// bare reads a key that a credential can be bound to, without kid, alg and use: a wallet's label would tell its copies apart.
func bare(raw []byte) (jose.JWK, error) {
	k, err := jose.ParseJWK(raw)
	if err != nil {
		return jose.JWK{}, err
	}
	switch pub := k.Public().(type) {
	case *ecdsa.PublicKey:
		if pub.Curve != elliptic.P256() {
			return jose.JWK{}, errors.New("a key is not of P-256")
		}
	case ed25519.PublicKey:
	default:
		return jose.JWK{}, errors.New("a key is neither of P-256 nor Ed25519")
	}
	return jose.FromPublic(k.Public(), "", "")
}

// levels reads a list of levels, which must not be empty when it is there.
func levels(c jose.Claims, name string) ([]string, error) {
	raw, present := c[name]
	if !present {
		return nil, nil
	}
	list, ok := raw.([]any)
	if !ok || len(list) == 0 {
		return nil, fmt.Errorf("%s must be a list that is not empty", name)
	}
	var out []string
	for _, v := range list {
		s, ok := v.(string)
		if !ok || s == "" {
			return nil, fmt.Errorf("%s must hold strings", name)
		}
		out = append(out, s)
	}
	return out, nil
}
