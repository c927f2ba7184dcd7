// Package dpop checks DPoP proofs (RFC 9449): signatures by which the holder of a key shows, request by request, that a token bound to that key is
// in his hands. It is pure: time and secret are arguments, and what may be used once is told to the caller, who uses it up.
package dpop

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
)

// Errors of Verify. The first two are invalid_dpop_proof at the edge, the third use_dpop_nonce (RFC 9449 sections 5, 7.1, 8, 9).
var (
	// ErrMissing: there is no DPoP header. Whether that is an error depends on what the client or token is bound to.
	ErrMissing = errors.New("dpop: no proof")
	// ErrProof: the proof isn't one, or isn't one for this request.
	ErrProof = errors.New("dpop: proof not acceptable")
	// ErrUseNonce: good, but for the nonce: none, an old one, or a clock that can only be trusted together with one. The answer carries a
	// fresh one, and the client tries again.
	ErrUseNonce = errors.New("dpop: a fresh nonce is needed")
)

// Kind is the kind under which proof ids are used up.
const Kind = "oidc.dpop"

// Header is the name of the request header, NonceHeader that of the answer's header with a fresh nonce.
const (
	Header      = "DPoP"
	NonceHeader = "DPoP-Nonce"
)

// Limits of proofs.
const (
	maxProof = 8 << 10 // an RSA key of 4,096 bits and its signature need 2.5 KiB
	// window is how far iat may lie from our clock. With a nonce of ours, which proves the age by itself, clocks may differ more.
	window      = time.Minute
	nonceWindow = 5 * time.Minute
)

// algs are the algorithms of proofs. RS256 isn't among them (FAPI 2.0 Security Profile section 5.4).
var algs = []jose.Alg{jose.ES256, jose.PS256, jose.EdDSA}

// Algs lists the accepted algorithms, for dpop_signing_alg_values_supported and for "algs" in WWW-Authenticate.
func Algs() []jose.Alg { return slices.Clone(algs) }

// Proof is a DPoP proof whose signature and claims were checked. Only Verify makes one with a thumbprint.
//
// It may still be a copy of one that was seen before: use up ReplayID before you act on it.
type Proof struct {
	thumbprint, jti string
	expires         time.Time
}

// Thumbprint names the key that made the proof, as "jkt" does (RFC 7638, SHA-256, base64url).
func (p Proof) Thumbprint() string { return p.thumbprint }

// JTI is the proof's own id. Two keys may choose the same one.
func (p Proof) JTI() string { return p.jti }

// ReplayID is what to use up. Any bytes may be in it; hash it before you store it as text.
func (p Proof) ReplayID() string { return p.thumbprint + "\x00" + p.jti }

// Expires is until when the id must be remembered: no later time accepts the proof.
func (p Proof) Expires() time.Time { return p.expires }

// Expect is what a proof must be for.
type Expect struct {
	Method string // of the request, compared exactly
	URL    string // of the request as the client sees it; query and fragment don't count
	// AccessToken is the token that comes with the proof, whose hash must be in it; "" where there is none, as at the token endpoint.
	AccessToken string
	At          time.Time // required
	// Nonces judges the nonce; with nil a nonce is ignored.
	Nonces *Nonces
	// RequireNonce refuses a proof without one.
	RequireNonce bool
}

// Verify checks all values of the DPoP header of a request (RFC 9449 section 4.3). Errors: ErrMissing, ErrProof, ErrUseNonce; the cause is wrapped and may be
// logged. jose.ErrPrivateKey among the causes means that a client has shown its private key.
func Verify(headers []string, e Expect) (Proof, error) {
	switch len(headers) {
	case 0:
		return Proof{}, ErrMissing
	case 1:
	default: // which of them counts would depend on the reader
		return Proof{}, fmt.Errorf("%w: more than one header", ErrProof)
	}
	thumbprint, claims, err := open(headers[0], e.At)
	if err != nil {
		return Proof{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	if err := e.matches(claims); err != nil {
		return Proof{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	expires, err := e.inTime(claims)
	if err != nil {
		return Proof{}, err
	}
	jti, err := claims.String("jti")
	if err != nil {
		return Proof{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	return Proof{thumbprint: thumbprint, jti: jti, expires: expires}, nil
}

// open checks that the proof is one, signed by the key it carries, and well-formed as of at.
func open(compact string, at time.Time) (thumbprint string, claims jose.Claims, err error) {
	u, err := jose.ParseUnverified(compact, jose.Policy{Typ: []string{"dpop+jwt"}, Algs: algs, MaxBytes: maxProof})
	if err != nil {
		return "", nil, err
	}
	if u.Header.JWK == nil {
		return "", nil, fmt.Errorf("%w: header without jwk", jose.ErrMalformed)
	}
	v, err := u.Verify(*u.Header.JWK)
	if err != nil {
		return "", nil, err
	}
	// The leeway is the widest there is; inTime is stricter.
	claims, err = v.Claims(jose.ClaimPolicy{At: at, Leeway: nonceWindow, OptionalExp: true, RequireIat: true, RequireJTI: true})
	return v.Key().Thumbprint(), claims, err
}

// matches compares the proof with the request and the token.
func (e Expect) matches(c jose.Claims) error {
	if htm, err := c.String("htm"); err != nil || htm != e.Method {
		return fmt.Errorf("%w: htm", jose.ErrClaim)
	}
	htu, err := c.String("htu")
	if err != nil {
		return err
	}
	got, err := normalise(htu)
	if err != nil {
		return fmt.Errorf("%w: htu", jose.ErrClaim)
	}
	want, err := normalise(e.URL)
	if err != nil {
		return fmt.Errorf("the request's own URL: %w", err)
	}
	if got != want {
		return fmt.Errorf("%w: htu", jose.ErrClaim)
	}
	if e.AccessToken == "" {
		return nil
	}
	ath, err := c.String("ath")
	if err != nil || subtle.ConstantTimeCompare([]byte(ath), []byte(hash(e.AccessToken))) != 1 {
		return fmt.Errorf("%w: ath", jose.ErrClaim)
	}
	return nil
}

// inTime judges the nonce and the times, and returns until when they would be good.
func (e Expect) inTime(c jose.Claims) (time.Time, error) {
	iat, err := c.Time("iat")
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	// exp and nbf aren't asked for; open has checked their form. An exp is the client's own wish, so it gets no leeway.
	if exp, err := c.Time("exp"); err == nil && !e.At.Before(exp) {
		return time.Time{}, fmt.Errorf("%w: %w", ErrProof, jose.ErrExpired)
	}
	if nbf, err := c.Time("nbf"); err == nil && e.At.Add(window).Before(nbf) {
		return time.Time{}, fmt.Errorf("%w: %w", ErrProof, jose.ErrNotYetValid)
	}
	off := e.At.Sub(iat).Abs()
	if off > nonceWindow { // no nonce could help, so none is asked for
		return time.Time{}, fmt.Errorf("%w: %w: iat is %v off", ErrProof, jose.ErrClaim, off)
	}
	fresh, err := e.nonce(c)
	if err != nil {
		return time.Time{}, err
	}
	switch {
	case fresh:
		return iat.Add(nonceWindow), nil
	case off <= window:
		return iat.Add(window), nil
	case e.Nonces != nil:
		// Clocks of phones go wrong by minutes. A nonce helps, so ask for it.
		return time.Time{}, fmt.Errorf("%w: iat is %v off", ErrUseNonce, off)
	}
	return time.Time{}, fmt.Errorf("%w: %w: iat is %v off", ErrProof, jose.ErrClaim, off)
}

// nonce says whether the proof carries a fresh nonce of ours. An old one is refused even where none is needed: the client believes in it, and learns the new
// one this way.
func (e Expect) nonce(c jose.Claims) (fresh bool, err error) {
	_, present := c["nonce"]
	switch {
	case e.Nonces == nil && !e.RequireNonce, !present && !e.RequireNonce:
		return false, nil
	case e.Nonces == nil || !present:
		return false, fmt.Errorf("%w: none sent", ErrUseNonce)
	}
	nonce, err := c.String("nonce")
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrProof, err)
	}
	if !e.Nonces.Valid(nonce, e.At) {
		return false, fmt.Errorf("%w: an old one sent", ErrUseNonce)
	}
	return true, nil
}

// hash is the value of "ath" (RFC 9449 section 4.2).
func hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
