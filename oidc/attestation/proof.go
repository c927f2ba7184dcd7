package attestation

import (
	"errors"
	"fmt"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
)

// Expect is what a request must show.
type Expect struct {
	// Audience is the issuer identifier of this authorization server, compared as a string.
	Audience string
	// ClientID is whose trust the provider was chosen by: the attestation must be for it.
	ClientID string
	At       time.Time // required
	// Challenge says whether a challenge is one of ours and fresh.
	Challenge func(challenge string) bool
}

// Verify checks an attestation with a proof of its own (draft 07, section 9; draft 11, section 7.2). Errors: ErrAttestation, ErrStale, ErrChallenge.
func (p Provider) Verify(attestations, proofs []string, e Expect) (Instance, error) {
	a, err := p.attestation(attestations, e.At)
	if err != nil {
		return Instance{}, err
	}
	if a.clientID != e.ClientID {
		return Instance{}, fmt.Errorf("%w: for another client", ErrAttestation)
	}
	u, err := open(proofs, ProofType, maxProof)
	if err != nil {
		return Instance{}, err
	}
	v, err := u.Verify(a.key)
	if err != nil {
		return Instance{}, errors.Join(ErrAttestation, err)
	}
	claims, err := v.Claims(jose.ClaimPolicy{Audience: e.Audience, At: e.At, Leeway: challengeWindow, OptionalExp: true, RequireIat: true, RequireJTI: true})
	if err != nil {
		return Instance{}, errors.Join(ErrAttestation, err)
	}
	if iss, err := claims.String("iss"); p.Profile.Issuers && (err != nil || iss != a.clientID) {
		return Instance{}, fmt.Errorf("%w: iss of the proof", ErrAttestation)
	}
	expires, err := p.inTime(claims, e)
	if err != nil {
		return Instance{}, err
	}
	jti, err := claims.String("jti")
	if err != nil {
		return Instance{}, errors.Join(ErrAttestation, err)
	}
	return Instance{clientID: a.clientID, key: a.key.Thumbprint(), id: a.key.Thumbprint() + "\x00" + jti, expires: expires}, nil
}

// Combined checks an attestation whose proof is the DPoP proof of the request, which the caller has verified: proofKey is its key's thumbprint,
// fresh says that it carries a challenge of ours (draft 11, section 7.3). Errors as Verify.
func (p Provider) Combined(attestations []string, proofKey string, fresh bool, e Expect) (Instance, error) {
	if !p.Profile.Combined || proofKey == "" {
		return Instance{}, fmt.Errorf("%w: no proof of the instance's key", ErrAttestation)
	}
	a, err := p.attestation(attestations, e.At)
	switch {
	case err != nil:
		return Instance{}, err
	case a.clientID != e.ClientID:
		return Instance{}, fmt.Errorf("%w: for another client", ErrAttestation)
	case a.key.Thumbprint() != proofKey:
		return Instance{}, fmt.Errorf("%w: the DPoP proof is by another key", ErrAttestation)
	case p.Profile.RequireChallenge && !fresh:
		return Instance{}, fmt.Errorf("%w: none sent", ErrChallenge)
	}
	return Instance{clientID: a.clientID, key: proofKey}, nil
}

// inTime judges the challenge and the times, and returns until when they would be good.
func (p Provider) inTime(c jose.Claims, e Expect) (time.Time, error) {
	iat, err := c.Time("iat")
	if err != nil {
		return time.Time{}, errors.Join(ErrAttestation, err)
	}
	// exp and nbf are the wallet's own wish.
	if exp, err := c.Time("exp"); err == nil && !e.At.Before(exp) {
		return time.Time{}, errors.Join(ErrAttestation, jose.ErrExpired)
	}
	off := e.At.Sub(iat).Abs()
	if off > challengeWindow { // no challenge could help, so none is asked for
		return time.Time{}, fmt.Errorf("%w: iat is %v off", ErrAttestation, off)
	}
	fresh := false
	if _, present := c["challenge"]; present {
		challenge, err := c.String("challenge")
		if err != nil {
			return time.Time{}, errors.Join(ErrAttestation, err)
		}
		if fresh = e.Challenge != nil && e.Challenge(challenge); !fresh {
			return time.Time{}, fmt.Errorf("%w: an old one sent", ErrChallenge)
		}
	}
	switch {
	case fresh:
		return iat.Add(challengeWindow), nil
	case p.Profile.RequireChallenge:
		return time.Time{}, fmt.Errorf("%w: none sent", ErrChallenge)
	case off <= window:
		return iat.Add(window), nil
	}
	// Clocks of phones go wrong by minutes. A challenge helps, so ask for it.
	return time.Time{}, fmt.Errorf("%w: iat is %v off", ErrChallenge, off)
}
