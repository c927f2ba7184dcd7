package sdjwt

import (
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
)

var bindingPolicy = jose.Policy{Typ: []string{KeyBindingTyp}, Algs: algs}

// KeyBinding is a key binding JWT that the credential's own key signed over exactly this presentation. Whether it
// answers the caller's challenge is what Check tells.
type KeyBinding struct {
	key      jose.JWK
	audience string
	nonce    string
	issuedAt time.Time
}

// Holder returns the key that the credential is bound to (cnf.jwk), ErrNoHolder when there is none.
func (v Verified) Holder() (jose.JWK, error) { return holderKey(v.parsed.claims) }

func holderKey(claims map[string]any) (jose.JWK, error) {
	cnf, ok := claims["cnf"].(map[string]any)
	if !ok {
		return jose.JWK{}, ErrNoHolder
	}
	raw, ok := cnf["jwk"].(map[string]any)
	if !ok { // other confirmation methods (RFC 7800) can't be checked offline
		return jose.JWK{}, fmt.Errorf("%w: cnf without jwk", ErrNoHolder)
	}
	b, err := json.Marshal(raw)
	if err != nil {
		return jose.JWK{}, fmt.Errorf("%w: cnf.jwk", ErrMalformed)
	}
	key, err := jose.ParseJWK(b)
	if err != nil {
		return jose.JWK{}, fmt.Errorf("sdjwt: cnf.jwk: %w", err)
	}
	return key, nil
}

// KeyBinding checks the key binding JWT against the credential: signed by cnf.jwk, whole, and made for exactly these
// disclosures in this order (sd_hash, RFC 9901 section 7.3). It doesn't judge the challenge: Check does. Errors:
// ErrNoHolder, ErrNoKeyBinding, ErrKeyBinding.
func (v Verified) KeyBinding() (KeyBinding, error) {
	key, err := v.Holder()
	if err != nil {
		return KeyBinding{}, err
	}
	if v.parsed.binding == nil {
		return KeyBinding{}, ErrNoKeyBinding
	}
	jwt, err := v.parsed.binding.Verify(key)
	if err != nil {
		return KeyBinding{}, fmt.Errorf("%w: %w", ErrKeyBinding, err)
	}
	var claims map[string]any
	if err := jose.DecodeStrict(jwt.Payload(), &claims); err != nil {
		return KeyBinding{}, fmt.Errorf("%w: %w", ErrKeyBinding, err)
	}
	kb := KeyBinding{key: key}
	var hash string
	// An audience in an array is refused: it would let one proof answer two verifiers.
	for name, to := range map[string]*string{"aud": &kb.audience, "nonce": &kb.nonce, "sd_hash": &hash} {
		s, ok := claims[name].(string)
		if !ok || s == "" {
			return KeyBinding{}, fmt.Errorf("%w: %s isn't a string", ErrKeyBinding, name)
		}
		*to = s
	}
	iat, ok := seconds(claims["iat"])
	if !ok {
		return KeyBinding{}, fmt.Errorf("%w: iat isn't a time in whole seconds", ErrKeyBinding)
	}
	kb.issuedAt = time.Unix(iat, 0).UTC()
	if subtle.ConstantTimeCompare([]byte(hash), []byte(v.parsed.alg.digest(v.parsed.bound))) != 1 {
		return KeyBinding{}, fmt.Errorf("%w: made for another presentation", ErrKeyBinding)
	}
	return kb, nil
}

// IssuedAt is the holder's own claim of when the proof was made.
func (k KeyBinding) IssuedAt() time.Time { return k.issuedAt }

// UnverifiedBinding is what a key binding JWT says before anybody checked it: enough to find the challenge that it may answer. Signed is
// what its signature is over, in one spelling: whoever gives challenges out remembers a proof by it, since the signature itself can be
// rewritten by anyone.
type UnverifiedBinding struct{ Audience, Nonce, Signed string }

// UnverifiedBinding returns it; false when no proof came along, or one that can't be read.
func (p Parsed) UnverifiedBinding() (UnverifiedBinding, bool) {
	if p.binding == nil {
		return UnverifiedBinding{}, false
	}
	var claims map[string]any
	if err := jose.DecodeStrict(p.binding.Payload, &claims); err != nil {
		return UnverifiedBinding{}, false
	}
	signed := p.text[strings.LastIndexByte(p.text, '~')+1:]
	b := UnverifiedBinding{Signed: signed[:strings.LastIndexByte(signed, '.')]}
	b.Audience, _ = claims["aud"].(string)
	b.Nonce, _ = claims["nonce"].(string)
	return b, true
}

// Audience is whom or what the holder answered, Nonce with which value.
func (k KeyBinding) Audience() string { return k.audience }

// Nonce is the value that the holder answered.
func (k KeyBinding) Nonce() string { return k.nonce }

// Key is the holder's key.
func (k KeyBinding) Key() jose.JWK { return k.key }

// Challenge is what a verifier asked and when it judges the answer.
type Challenge struct {
	Nonce, Audience string
	At              time.Time
	// MaxAge bounds how long ago the proof was made; 0 means five minutes. Leeway is what the holder's clock may be
	// ahead; 0 means one minute.
	MaxAge, Leeway time.Duration
}

// Check reports whether the proof answers the challenge: nonce and audience equal, both given, and made just now.
// Errors: ErrChallenge, ErrKeyBindingTime. That a nonce is answered only once is the business of whoever
// gave it out.
func (k KeyBinding) Check(c Challenge) error {
	if c.Nonce == "" || c.Audience == "" || k.nonce == "" {
		return fmt.Errorf("%w: no nonce or no audience to compare with", ErrChallenge)
	}
	if subtle.ConstantTimeCompare([]byte(k.nonce), []byte(c.Nonce)) != 1 {
		return fmt.Errorf("%w: nonce", ErrChallenge)
	}
	if k.audience != c.Audience {
		return fmt.Errorf("%w: audience", ErrChallenge)
	}
	if c.MaxAge == 0 {
		c.MaxAge = 5 * time.Minute
	}
	if c.Leeway == 0 {
		c.Leeway = time.Minute
	}
	if age := c.At.Sub(k.issuedAt); age > c.MaxAge || age < -c.Leeway {
		return ErrKeyBindingTime
	}
	return nil
}
