// Package jose is Hufu's only door to JSON Web Keys, Signatures and Tokens (RFC 7515, 7517, 7518, 7519, 7638, 8037).
//
// It is stricter than the specifications require, because every leniency here is somebody's attack: compact serialization only, strict base64url, no
// duplicate JSON members, algorithms and types named by the caller, "crit" refused (but for the signatures of sealed files, see [ParseDetached]), curve
// bound to algorithm, points on their curve, RSA keys between 2048 and 4096 bits, required claims of the right JSON type. Signatures are made and checked
// with the standard library directly; lestrrat-go/jwx turns JSON Web Keys into keys and back, behind our own checks, and encrypts in package jwe. No other
// package may import it.
//
// The package is pure: no I/O, no clock, no state; safe for concurrent use. Three types mark how far a token has come: a string as it arrived, an
// [Unverified] whose structure was checked, and a [Verified] that only a signature check can make.
package jose

import (
	"errors"
	"fmt"

	"github.com/hufu-id/hufu/internal/strictjson"
)

// Errors of this package. They are wrapped with detail; test with errors.Is. None of them carries a token, a key or a claim value, so they may be logged.
var (
	// ErrMalformed: the bytes are not what they claim to be (base64, JSON, number of parts, type of a member).
	ErrMalformed = strictjson.ErrMalformed
	// ErrTooLarge: above the caller's or the package's size, count or depth limit.
	ErrTooLarge = strictjson.ErrTooLarge
	// ErrDuplicateMember: a JSON object names a member twice (RFC 8259 section 4 leaves the meaning open; attackers use it).
	ErrDuplicateMember = strictjson.ErrDuplicateMember
	// ErrAlgorithm: the algorithm is unknown, not allowed by the policy, or doesn't fit the key.
	ErrAlgorithm = errors.New("jose: algorithm not allowed")
	// ErrType: the "typ" header isn't one the policy names (RFC 8725 section 3.11).
	ErrType = errors.New("jose: token type not allowed")
	// ErrCritical: the "crit" header is malformed or names an extension that this purpose doesn't understand.
	ErrCritical = errors.New("jose: critical header not understood")
	// ErrHeader: a header given to Sign can't be used.
	ErrHeader = errors.New("jose: header not allowed")
	// ErrNoKey: no given key could have made this signature. A caller with a cached key set may refresh it once.
	ErrNoKey = errors.New("jose: no matching key")
	// ErrSignature: a key fits but the signature is wrong.
	ErrSignature = errors.New("jose: signature is wrong")

	// ErrPrivateKey: a key that should be public contains private or symmetric key material.
	ErrPrivateKey = errors.New("jose: private key material in a public key")
	// ErrUnsupportedKey: a well-formed key of a type, curve or size that Hufu doesn't use.
	ErrUnsupportedKey = errors.New("jose: unsupported key")
	// ErrInvalidKey: a key of a supported type whose values are wrong (off the curve, wrong length, known weak).
	ErrInvalidKey = errors.New("jose: invalid key")
	// ErrDuplicateKeyID: two keys of one set have the same "kid".
	ErrDuplicateKeyID = errors.New("jose: duplicate key id in a set")

	// ErrClaim: a claim is missing or of the wrong JSON type. The other claim errors wrap it.
	ErrClaim = errors.New("jose: claim missing or wrong")
	// ErrExpired: "exp" lies in the past.
	ErrExpired = fmt.Errorf("%w: expired", ErrClaim)
	// ErrNotYetValid: "nbf" or "iat" lies in the future.
	ErrNotYetValid = fmt.Errorf("%w: not yet valid", ErrClaim)
	// ErrTooOld: "iat" is older than the policy's MaxAge.
	ErrTooOld = fmt.Errorf("%w: too old", ErrClaim)
	// ErrLifetime: "exp" is further away than the policy's MaxLifetime.
	ErrLifetime = fmt.Errorf("%w: lifetime too long", ErrClaim)
	// ErrIssuer: "iss" isn't the expected one.
	ErrIssuer = fmt.Errorf("%w: wrong issuer", ErrClaim)
	// ErrAudience: "aud" isn't the expected one.
	ErrAudience = fmt.Errorf("%w: wrong audience", ErrClaim)
)

// recovered turns a panic of a parser underneath into ErrMalformed, so that no input can stop a server: jwx v2 has panicked before. Use: defer recovered(&err).
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("%w: parser failure", ErrMalformed)
	}
}
