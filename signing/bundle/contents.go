package bundle

import (
	"errors"
	"time"

	"github.com/hufu-id/hufu/signing/bundle/internal/wire"
)

// Why a bundle is not (or not fully) believed. Verify wraps them; callers tell
// them apart with errors.Is. A verifier answers "cannot tell" to every one of
// them: none says anything about the presentation itself.
var (
	// ErrRoot: the given root of trust can't be used: not TUF root metadata, not
	// signed by its own keys, or a key or threshold that we don't accept.
	ErrRoot = errors.New("bundle: the root of trust is unusable")
	// ErrMalformed: the archive is not a bundle: no zip, a part is missing, broken
	// or of another shape than the signed metadata say.
	ErrMalformed = wire.ErrMalformed
	// ErrTooLarge: the archive or a part passes a limit (size, entries, path).
	ErrTooLarge = wire.ErrTooLarge
	// ErrUntrusted: the archive has the shape of a bundle, but the given root does
	// not vouch for it: wrong keys, too few distinct signers, a part that
	// is not the one its snapshot names, or a role that signed what isn't its own.
	ErrUntrusted = errors.New("bundle: not signed by this root")
	// ErrExpired: genuine, but past Contents.Expires. The contents are returned
	// beside this error, so that a verifier can say how old the bundle is.
	ErrExpired = errors.New("bundle: expired")
	// ErrClockBehind: genuine, but made after the given time by more than
	// ClockLeeway: the clock is wrong. The contents are returned beside this error.
	ErrClockBehind = errors.New("bundle: the clock is earlier than the bundle")
	// ErrRollback: an older bundle than the last one seen, or another one of
	// the same version. Only installing compares (docs/trust.md 4).
	ErrRollback = errors.New("bundle: older than the bundle seen last")
)

// ClockLeeway is how far a verifier's clock may be behind the bundle's AsOf.
const ClockLeeway = 5 * time.Minute

// Contents is what a verified trust bundle says. Verify alone makes it
// from signed bytes; a Contents built by hand is for tests. It is read only and
// may be shared by goroutines.
type Contents struct {
	// Version is that of the timestamp role: it grows with every publication.
	Version int64
	// RootVersion and RootFingerprint (hex SHA-256 of the root file's bytes) name
	// the newest root that the bundle's chain of roots led to.
	RootVersion     int64
	RootFingerprint string
	// Root is that file.
	Root []byte
	// Digest is the hex SHA-256 of the timestamp file, which covers every part
	// (timestamp -> snapshot -> targets -> parts): equal digests, equal contents.
	Digest string
	// Roles has the version of every signed role, for rollback checks and reports.
	Roles map[string]int64
	// AsOf is when the publisher last confirmed the contents.
	AsOf time.Time
	// Expires is the earliest expiry of all roles: from then on nothing here is trusted.
	Expires time.Time

	Anchors []Anchor
	Issuers []Issuer
	// Types has type metadata by vct.
	Types map[string]TypeMetadata
	// StatusLists has status list tokens (compact JWS, as published) by their URI.
	// They carry the status key's own signature, which is verified where it is used.
	StatusLists map[string]string
	Policy      Policy
}

// Anchor is a certificate that chains may end at.
type Anchor struct {
	// Purpose says what chains may end here: "root" (the national root),
	// "credential" or "status" (intermediates).
	Purpose string
	// DER is the X.509 certificate.
	DER []byte
}

// Issuer is an issuing authority and what it may issue. The national targets
// role says who it is and what it may issue; the authority's own
// role adds its certificates and may revoke its own keys, and nothing else.
type Issuer struct {
	// ID is the credential issuer identifier (https URL), Code the credit code.
	ID   string
	Code string
	// Name is for people, by language ("zh", "en").
	Name map[string]string
	// Certificates are DER, for credentials that carry no x5c. May be empty.
	Certificates [][]byte
	Authorised   []Authorisation
	Revoked      []RevokedKey
	// Seals are those that a seal maker made, by the maker's own word. Nobody else's list counts for them.
	Seals []Seal
}

// Seal is what its maker says of an e-seal: which credential it is, and its states, oldest first.
type Seal struct {
	ID string
	// PayloadSHA256 is the hex SHA-256 of the payload of the seal's credential: another credential of the same id isn't this seal.
	PayloadSHA256 string
	History       []SealState
}

// The states of a seal.
const (
	SealActive    = "active"
	SealSuspended = "suspended" // 挂失
	SealCancelled = "cancelled" // for good
)

// SealState is one state of a seal and since when.
type SealState struct {
	State string
	// EffectiveAt is when it took legal effect, RecordedAt when the maker's register learnt of it.
	EffectiveAt, RecordedAt time.Time
}

// Authorisation is one type that an issuer may issue, where and when.
type Authorisation struct {
	VCT string
	// Region is a division code prefix ("44" is Guangdong); empty is the whole country.
	Region string
	// From and To bound the time of issue: From <= t < To. A zero To is open.
	From, To time.Time
}

// RevokedKey is a key that must not be believed any more.
type RevokedKey struct {
	// Thumbprint is RFC 7638, base64url, of the public key.
	Thumbprint string
	// CompromisedAt: from then on the signer's own claimed times count for nothing.
	CompromisedAt time.Time
}

// TypeMetadata is SD-JWT VC type metadata as published.
type TypeMetadata struct {
	Raw []byte
	// Integrity is "sha256-<base64>" of Raw, the form of vct#integrity.
	Integrity string
}

// Policy is what the federation advises verifiers; a caller may be stricter.
type Policy struct {
	// StatusMaxAge is how old (by iat) a status list may be before "in force" is
	// doubtful, by vct; the entry "" holds for the types without one. No entry:
	// only the list's own exp counts.
	StatusMaxAge map[string]time.Duration
}

// Issuer returns the issuer with this credential issuer identifier.
func (c *Contents) Issuer(id string) (Issuer, bool) {
	for _, i := range c.Issuers {
		if i.ID == id {
			return i, true
		}
	}
	return Issuer{}, false
}

// IssuerByCode returns the issuer with this credit code.
func (c *Contents) IssuerByCode(code string) (Issuer, bool) {
	for _, i := range c.Issuers {
		if i.Code == code {
			return i, true
		}
	}
	return Issuer{}, false
}
