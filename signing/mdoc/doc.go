// Package mdoc implements the mobile document of ISO/IEC 18013-5 as far as issuing and presenting online need it:
// IssuerSigned with its mobile security object (MSO), DeviceResponse, and device authentication by signature over a
// session transcript.
//
// An issuer calls [Build] and [Issue]; a wallet [ParseIssuerSigned] and [Parsed.Present]; a verifier [ParseDeviceResponse] or
// ParseIssuerSigned, [Parsed.Verify], and [Verified.DeviceAuth] with the transcript of the challenge that it gave.
//
// Three types mark how far a document has come, as in signing/sdjwt: bytes as they arrived, a [Parsed] whose structure and digests
// hold together, and a [Verified] that only a signature check can make. An element whose digest isn't in the MSO makes the
// whole document worthless. Digests are taken over the bytes as received: nothing is encoded again.
//
// What is left out: deviceMac (a verifier without a key agreement with the device can't check it; HAIP 1.0 wallets sign),
// the proximity transports, reader authentication.
//
// The package is pure: no I/O, clock, global state; randomness comes in as an io.Reader. All functions are safe for
// concurrent use; values are read only once made.
package mdoc

import "errors"

// Format is the credential format identifier of OpenID4VCI and OpenID4VP.
const Format = "mso_mdoc"

// Names of the mobile driving licence (ISO/IEC 18013-5, sections 7.1 and 7.2).
const (
	MDL          = "org.iso.18013.5.1.mDL"
	MDLNameSpace = "org.iso.18013.5.1"
)

// Limits of what is parsed.
const (
	MaxBytes    = 1 << 20 // of IssuerSigned or DeviceResponse; leaves room for a portrait
	MaxElements = 512     // of one document
	MaxDocs     = 16      // of one DeviceResponse
	MinRandom   = 16      // bytes of random of one element (ISO/IEC 18013-5 section 9.1.2.5)
	randomBytes = 32
)

// Errors of this package, wrapped with detail; none carries an element's value. Errors of signatures are those of internal/jose, of
// encoding those of signing/cwt.
var (
	// ErrMalformed: not an mdoc: CBOR, members, or a value that its type forbids.
	ErrMalformed = errors.New("mdoc: malformed")
	// ErrNotIssuerSigned: CBOR of another kind, perhaps DeviceResponse. Wraps ErrMalformed.
	ErrNotIssuerSigned = wrapped{"mdoc: not IssuerSigned", ErrMalformed}
	// ErrTooLarge: over one of the limits.
	ErrTooLarge = errors.New("mdoc: too large")
	// ErrTemplate: a template that can't be laid out.
	ErrTemplate = errors.New("mdoc: template")
	// ErrDigest: an element isn't what the issuer signed: no digest for it, or another one.
	ErrDigest = errors.New("mdoc: digest refused")
	// ErrDuplicate: one element comes twice in a namespace.
	ErrDuplicate = errors.New("mdoc: duplicate element")
	// ErrRandom: the random of an element is shorter than MinRandom, so its value could be guessed from the digest.
	ErrRandom = errors.New("mdoc: random too short")
	// ErrDocType: the document and its MSO are of different types.
	ErrDocType = errors.New("mdoc: docType differs")
	// ErrValidity: validityInfo contradicts itself: signed after validFrom, or validFrom not before validUntil.
	ErrValidity = errors.New("mdoc: validityInfo refused")
	// ErrNoChain: the issuer's certificate doesn't stand in the unprotected header.
	ErrNoChain = errors.New("mdoc: no x5chain")
	// ErrNoSuchElement: a namespace or an element isn't there.
	ErrNoSuchElement = errors.New("mdoc: no such element")
	// ErrNoDeviceAuth: device authentication is needed and absent.
	ErrNoDeviceAuth = errors.New("mdoc: no device authentication")
	// ErrDeviceMAC: the device authenticated by MAC, which isn't supported. Wraps ErrDeviceAuth.
	ErrDeviceMAC = wrapped{"mdoc: deviceMac not supported", ErrDeviceAuth}
	// ErrDeviceAuth: device authentication is wrong: key, form, or made for another session.
	ErrDeviceAuth = errors.New("mdoc: device authentication refused")
	// ErrKeyAuthorization: the device signed elements that the issuer doesn't let its key sign. Wraps ErrDeviceAuth.
	ErrKeyAuthorization = wrapped{"mdoc: device key not authorised for these elements", ErrDeviceAuth}
)

// wrapped is a sentinel that also is another.
type wrapped struct {
	text string
	is   error
}

func (w wrapped) Error() string { return w.text }
func (w wrapped) Unwrap() error { return w.is }
