// Package cwt is what Hufu needs of COSE (RFC 9052, RFC 9053, RFC 9360) and CWT (RFC 8392): strict CBOR, signatures by one
// signer (COSE_Sign1), public keys (COSE_Key), labels of claims.
//
// It is stricter than the specifications, as internal/jose is and for the same reason: every leniency is somebody's
// attack. Bytes have one reading or none: no duplicate keys, no indefinite lengths, no NaN, valid UTF-8, bounded depth
// and sizes, nothing after the end. The algorithm stands in the protected header, is named by the caller and bound to the
// curve; a label stands in one of the two headers; "crit" is refused. What was signed is checked as it was received and
// never encoded again.
//
// Three types mark how far a message has come: bytes, an [Unverified] whose structure was checked, and a [Verified] that
// only a signature check can make. The package is pure: no I/O, clock or state; safe for concurrent use.
package cwt

import "errors"

// Limits of what is decoded.
const (
	MaxDepth    = 16      // nested arrays, maps and tags
	MaxElements = 1 << 14 // of one array
	MaxPairs    = 1 << 12 // of one map
	// DefaultMaxBytes is the longest message that a Policy without MaxBytes accepts.
	DefaultMaxBytes = 256 << 10
	maxCertificates = 10
)

// Labels of header parameters (RFC 9052 section 3.1, RFC 9360, RFC 9596).
const (
	labelAlg     = 1
	labelCrit    = 2
	labelKeyID   = 4
	labelTyp     = 16
	labelX5Chain = 33
)

// Labels of claims: RFC 8392 section 3.1 and the Token Status List specification, section 5.2. They serve as struct tags of
// the form `cbor:"6,keyasint"`, which can't name a constant.
const (
	ClaimIssuer     = 1
	ClaimSubject    = 2
	ClaimExpires    = 4
	ClaimIssuedAt   = 6
	ClaimStatusList = 65533
	ClaimTTL        = 65534
	ClaimStatus     = 65535
)

// Errors of this package, wrapped with detail; none carries a value of the message. A wrong signature and a key that
// doesn't fit are jose.ErrSignature, jose.ErrNoKey; keys off their curve are jose.ErrInvalidKey.
var (
	// ErrMalformed: not the CBOR that was expected, or CBOR with two readings.
	ErrMalformed = errors.New("cwt: malformed")
	// ErrTooLarge: over a limit.
	ErrTooLarge = errors.New("cwt: too large")
	// ErrHeader: a header parameter is missing, of a wrong form, in the wrong header or in both.
	ErrHeader = errors.New("cwt: header refused")
	// ErrAlgorithm: the algorithm is unknown or not allowed by the policy.
	ErrAlgorithm = errors.New("cwt: algorithm not allowed")
	// ErrType: the typ header isn't one that the policy names.
	ErrType = errors.New("cwt: type not allowed")
	// ErrPayload: no payload where one is needed, or one where it must be detached.
	ErrPayload = errors.New("cwt: payload missing or not detached")
	// ErrUnsupportedKey: a well-formed key of a type or curve that Hufu doesn't use.
	ErrUnsupportedKey = errors.New("cwt: unsupported key")
	// ErrPrivateKey: a key that should be public contains private or symmetric key material.
	ErrPrivateKey = errors.New("cwt: private key material in a public key")
)
