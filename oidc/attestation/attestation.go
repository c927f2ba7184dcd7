// Package attestation checks how a wallet proves what it is: by a Client Attestation of its provider over a key of the instance, and a proof that it
// has that key (draft-ietf-oauth-attestation-based-client-auth). HAIP 1.0 pins draft 07; later drafts dropped a claim and added a mode. Which form
// counts is a Profile, as values.
//
// It is pure: time, trust and nonces are arguments, and what may be used once is told to the caller, who uses it up.
package attestation

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
)

// The headers of a request, and of the answer that hands out a challenge.
const (
	Header          = "OAuth-Client-Attestation"
	ProofHeader     = "OAuth-Client-Attestation-PoP"
	ChallengeHeader = "OAuth-Client-Attestation-Challenge"
)

// Types of the two tokens. They keep either from passing as the other, or as anything else.
const (
	Type      = "oauth-client-attestation+jwt"
	ProofType = "oauth-client-attestation-pop+jwt"
)

// Limits.
const (
	maxAttestation = 16 << 10 // with a chain of five certificates
	maxProof       = 8 << 10
	leeway         = 30 * time.Second
	// window is how far the iat of a proof may lie from our clock; with a challenge of ours, which says when it was made, clocks may differ more.
	window          = time.Minute
	challengeWindow = 5 * time.Minute
)

// Errors. The first three have codes of their own at the edge: invalid_client_attestation, use_fresh_attestation, use_attestation_challenge.
var (
	// ErrAttestation: the attestation or the proof is not one, or not one for this server.
	ErrAttestation = errors.New("attestation: not acceptable")
	// ErrStale: the attestation is good, but too old: the wallet's provider makes a new one.
	ErrStale = errors.New("attestation: too old")
	// ErrChallenge: good, but for the challenge: none, an old one, or a clock that can only be trusted together with one.
	ErrChallenge = errors.New("attestation: a fresh challenge is needed")
)

// Profile is one form of the specification, as values.
type Profile struct {
	// Issuers demands iss in both tokens: that of the proof is the client_id.
	Issuers bool
	// RequireChain demands x5c in the attestation (HAIP 1.0, section 4.4.1).
	RequireChain bool
	// Combined accepts the DPoP proof of the request in place of a proof of its own, if it is by the same key.
	Combined bool
	// RequireChallenge refuses a proof without a challenge of ours.
	RequireChallenge bool
}

// profiles are the forms by name.
var profiles = map[string]Profile{
	// HAIP 1.0 with draft 07. Wallets of its time seldom ask for a challenge; one that is sent must be good.
	"haip-1.0": {Issuers: true, RequireChain: true},
	// Draft 11.
	"current": {Combined: true, RequireChallenge: true},
}

// ProfileOf finds a form by name.
func ProfileOf(name string) (Profile, bool) {
	p, ok := profiles[name]
	return p, ok
}

// Algs are the algorithms of attestations and of proofs, for the metadata.
func Algs() []jose.Alg { return slices.Clone(algs) }

var algs = []jose.Alg{jose.ES256, jose.ES384, jose.EdDSA, jose.PS256}

// Provider is who vouches for wallets, and how that is known.
type Provider struct {
	Name    string
	Profile Profile
	// Issuer is the one iss of its attestations; "" accepts any that its anchors vouch for.
	Issuer string
	// Anchors are the roots of its certificates, Keys those of a provider without certificates.
	Anchors []*x509.Certificate
	Keys    []jose.JWK
}

// Instance is a wallet that proved itself. Only Verify and Combined make one with a key.
//
// Its proof may still be a copy of one that was seen before: use up ID before you act on it.
type Instance struct {
	clientID, key, id string
	expires           time.Time
}

// ClientID is the wallet solution, Key the thumbprint of the key that is this instance's alone.
func (i Instance) ClientID() string { return i.clientID }

// Key is the thumbprint of the instance's key.
func (i Instance) Key() string { return i.key }

// ID is what to use up: any bytes may be in it. A combined proof has none of its own, "": the DPoP proof is used up.
func (i Instance) ID() string { return i.id }

// Expires is until when ID must be remembered: no later time accepts the proof.
func (i Instance) Expires() time.Time { return i.expires }

// Subject reads the client_id that an attestation names, without believing it: for finding whose anchors to check by. ErrAttestation.
func Subject(headers []string) (string, error) {
	u, err := open(headers, Type, maxAttestation)
	if err != nil {
		return "", err
	}
	var who struct {
		Sub string `json:"sub"`
	}
	if err := jose.DecodeStrict(u.Payload, &who); err != nil || who.Sub == "" {
		return "", fmt.Errorf("%w: sub", ErrAttestation)
	}
	return who.Sub, nil
}

// open reads the one token of a header.
func open(headers []string, typ string, limit int) (jose.Unverified, error) {
	if len(headers) != 1 { // which of them counts would depend on the reader
		return jose.Unverified{}, fmt.Errorf("%w: %d headers for %s", ErrAttestation, len(headers), typ)
	}
	u, err := jose.ParseUnverified(headers[0], jose.Policy{Typ: []string{typ}, Algs: algs, MaxBytes: limit})
	if err != nil {
		return u, errors.Join(ErrAttestation, err)
	}
	return u, nil
}

// attested is an attestation whose signature, chain and times were checked.
type attested struct {
	clientID string
	key      jose.JWK
}

// attestation checks the first token by a provider's trust.
func (p Provider) attestation(headers []string, at time.Time) (attested, error) {
	u, err := open(headers, Type, maxAttestation)
	if err != nil {
		return attested{}, err
	}
	keys, err := p.keysOf(u.Header, at)
	if err != nil {
		return attested{}, err
	}
	v, err := u.Verify(keys...)
	if err != nil {
		return attested{}, errors.Join(ErrAttestation, err)
	}
	claims, err := v.Claims(jose.ClaimPolicy{At: at, Leeway: leeway})
	switch {
	case errors.Is(err, jose.ErrExpired):
		return attested{}, errors.Join(ErrStale, err)
	case err != nil:
		return attested{}, errors.Join(ErrAttestation, err)
	}
	if err := p.issuer(claims); err != nil {
		return attested{}, err
	}
	return confirmation(v.Payload())
}

// issuer compares iss. Draft 08 and later have none, and what isn't understood is ignored; one that names somebody else is no such thing.
func (p Provider) issuer(claims jose.Claims) error {
	_, present := claims["iss"]
	if !present && !p.Profile.Issuers {
		return nil
	}
	iss, err := claims.String("iss")
	if err != nil || iss == "" || p.Issuer != "" && iss != p.Issuer {
		return fmt.Errorf("%w: iss", ErrAttestation)
	}
	return nil
}

// confirmation reads sub and cnf. A private key in cnf fails the reading of the key (jose.ErrPrivateKey).
func confirmation(payload []byte) (attested, error) {
	var c struct {
		Sub string `json:"sub"`
		Cnf struct {
			JWK jose.JWK `json:"jwk"`
		} `json:"cnf"`
	}
	if err := jose.DecodeStrict(payload, &c); err != nil {
		return attested{}, errors.Join(ErrAttestation, err)
	}
	if c.Sub == "" || c.Cnf.JWK.IsZero() {
		return attested{}, fmt.Errorf("%w: sub or cnf", ErrAttestation)
	}
	return attested{clientID: c.Sub, key: c.Cnf.JWK}, nil
}
