// Package sdjwt implements SD-JWT (RFC 9901) and its credential profile SD-JWT VC (media type application/dc+sd-jwt).
//
// An issuer calls [Build] and [Issue]; a wallet [Parse], [Parsed.Present] or [Parsed.Withhold], and [BindKey]; a
// verifier [Parse], [Parsed.Verify], [Verified.KeyBinding] and [KeyBinding.Check].
//
// Three types mark how far a credential has come: text as it arrived, a [Parsed] whose structure and digests hold
// together, and a [Verified] that only a signature check can make. Nothing is ever dropped silently: a disclosure that the
// issuer-signed part doesn't account for makes the whole thing worthless (RFC 9901 section 7.1), because a verifier
// that skips it can be made to show claims that nobody signed.
//
// The package is pure: no I/O, clock, global state; randomness comes in as an io.Reader. All functions are safe
// for concurrent use; values are read only once made.
package sdjwt

import (
	"errors"

	"github.com/hufu-id/hufu/internal/jose"
)

const (
	// Typ is the "typ" header of an SD-JWT VC; MediaType is its media type.
	Typ       = "dc+sd-jwt"
	MediaType = "application/dc+sd-jwt"
	// KeyBindingTyp is the "typ" header of a key binding JWT (RFC 9901 section 4.3).
	KeyBindingTyp = "kb+jwt"
)

// Limits of what is parsed. They bound memory and time for hostile input and leave room for a licence with a portrait.
const (
	MaxBytes       = 256 << 10 // of the whole text
	MaxJWTBytes    = 128 << 10 // of the issuer-signed JWT
	MaxDisclosures = 256
	maxDepth       = 32 // objects and arrays, counted through disclosures
)

// Errors of this package, wrapped with detail; none carries a claim value. Errors of signatures and tokens are those of
// internal/jose.
var (
	// ErrMalformed: not an SD-JWT: parts, base64url, JSON, or a member of the wrong type.
	ErrMalformed = errors.New("sdjwt: malformed")
	// ErrTooLarge: over one of the limits above.
	ErrTooLarge = errors.New("sdjwt: too large")
	// ErrHashAlgorithm: "_sd_alg" names a hash that we don't accept.
	ErrHashAlgorithm = errors.New("sdjwt: hash algorithm not allowed")
	// ErrDisclosure: a disclosure isn't what the issuer signed: unreferenced, of the wrong shape for its place, of a
	// forbidden name, or of a name that is there already.
	ErrDisclosure = errors.New("sdjwt: disclosure refused")
	// ErrDuplicateDigest: one digest stands in two places.
	ErrDuplicateDigest = errors.New("sdjwt: duplicate digest")
	// ErrReserved: a claim that must never be selectively disclosable is, or a reserved name is used for a claim.
	ErrReserved = errors.New("sdjwt: reserved claim")
	// ErrNoSuchClaim: a path selects nothing.
	ErrNoSuchClaim = errors.New("sdjwt: no such claim")
	// ErrNoHolder: the credential isn't bound to a holder key.
	ErrNoHolder = errors.New("sdjwt: not bound to a holder key")
	// ErrNoKeyBinding: a key binding JWT is needed and absent.
	ErrNoKeyBinding = errors.New("sdjwt: no key binding")
	// ErrKeyBinding: the key binding JWT is wrong: key, type, shape, or made for another presentation.
	ErrKeyBinding = errors.New("sdjwt: key binding refused")
	// ErrChallenge: the key binding JWT answers another challenge: nonce or audience. Wraps ErrKeyBinding.
	ErrChallenge = wrapped{"sdjwt: key binding answers another challenge", ErrKeyBinding}
	// ErrKeyBindingTime: the key binding JWT was made too long ago or in the future. Wraps ErrKeyBinding.
	ErrKeyBindingTime = wrapped{"sdjwt: key binding is not from now", ErrKeyBinding}
)

// wrapped is a sentinel that is also another one.
type wrapped struct {
	text  string
	under error
}

func (w wrapped) Error() string { return w.text }
func (w wrapped) Unwrap() error { return w.under }

// Algs are the signature algorithms accepted from issuers and holders. RS256 is left out: no wallet uses it and it
// only widens what can be confused.
var algs = []jose.Alg{jose.ES256, jose.ES384, jose.EdDSA, jose.PS256}

// neverSelective are the claims of SD-JWT VC section 2.2.2.2 that must stay readable for everyone: without
// them a holder could hide that a credential has expired, was revoked, or belongs to somebody else.
var neverSelective = map[string]bool{
	"iss": true, "nbf": true, "exp": true, "cnf": true, "vct": true, "vct#integrity": true, "aka_vcts": true, "status": true,
}

// Names that carry the mechanism itself (RFC 9901 section 4).
const (
	memberDigests = "_sd"
	memberElement = "..."
	memberHashAlg = "_sd_alg"
)
