// Package statuslist implements status lists and status list tokens of the Token Status List specification
// (draft-ietf-oauth-status-list): one byte array with 1, 2, 4 or 8 bits per credential, compressed with zlib, signed as
// a JWT of type statuslist+jwt for SD-JWT VCs and, under the same address, as a CWT of type application/statuslist+cwt
// for mdocs.
//
// Publishing: [Build] makes a [List] from the few entries that aren't valid, [Payload] or [PayloadCWT] lays the token
// out, [Sign] or [SignCWT] signs it. Reading: [ParseToken] or [ParseCWT], [ParsedToken.Verify] with keys that the caller has anchored, [Token.At].
// A token's own x5c proves nothing: who verifies it with the key it carries lets anyone un-revoke anything.
//
// The package is pure and safe for concurrent use.
package statuslist

import "errors"

const (
	// Typ is the "typ" header of a status list token; MediaType is its media type.
	Typ       = "statuslist+jwt"
	MediaType = "application/statuslist+jwt"
	// TypCWT is both the "typ" header (label 16) and the media type of the CWT form.
	TypCWT = "application/statuslist+cwt"
	// MaxBytes is the most that a list may inflate to (2^27 entries of one bit). More is refused while inflating, so that
	// a small token can't fill the memory.
	MaxBytes = 16 << 20
	// MaxTokenBytes is the longest token that is read.
	MaxTokenBytes = 8 << 20
)

// Status is the value of one entry (section 7.1 of the specification).
type Status uint8

// The values that Hufu writes. Others exist (0x03 and 0x0B to 0x0F are the application's own), would leak why a licence
// isn't valid, and are never written.
const (
	Valid     Status = 0
	Invalid   Status = 1 // for good: revoked, cancelled, void
	Suspended Status = 2 // for now
)

// String names the value as the specification does, in lower case.
func (s Status) String() string {
	switch s {
	case Valid:
		return "valid"
	case Invalid:
		return "invalid"
	case Suspended:
		return "suspended"
	}
	return "application_specific"
}

// Errors of this package, wrapped with detail. Errors of signatures and tokens are those of internal/jose and signing/cwt.
var (
	// ErrBits: not 1, 2, 4 or 8 bits per entry, or a value that doesn't fit.
	ErrBits = errors.New("statuslist: bits")
	// ErrMalformed: not a status list: base64url, zlib, JSON or a member of the wrong type.
	ErrMalformed = errors.New("statuslist: malformed")
	// ErrTooLarge: over MaxBytes or MaxTokenBytes.
	ErrTooLarge = errors.New("statuslist: too large")
	// ErrIndex: the list has no entry of this index.
	ErrIndex = errors.New("statuslist: index out of range")
	// ErrSubject: the token is for another list: sub isn't the URI that the credential names.
	ErrSubject = errors.New("statuslist: token of another list")
	// ErrExpired: the token is past its exp, which is final.
	ErrExpired = errors.New("statuslist: token expired")
	// ErrNotYet: the token's iat lies in the future.
	ErrNotYet = errors.New("statuslist: token from the future")
)
