package bundle

import (
	"errors"
	"time"

	"github.com/hufu-id/hufu/signing/bundle/facts"
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
	// CWTLists has the same lists as CBOR web tokens, for mdocs, by their URI.
	CWTLists map[string][]byte
	// Images has the pictures that type metadata refer to, by URI.
	Images map[string]Image
	Policy Policy
}

// The facts of a bundle; see package facts.
type (
	Anchor        = facts.Anchor
	Issuer        = facts.Issuer
	Seal          = facts.Seal
	SealState     = facts.SealState
	Authorisation = facts.Authorisation
	RevokedKey    = facts.RevokedKey
	TypeMetadata  = facts.TypeMetadata
	Image         = facts.Image
	Policy        = facts.Policy
	Input         = facts.Input
)

// The states of a seal.
const (
	SealActive    = facts.SealActive
	SealSuspended = facts.SealSuspended
	SealCancelled = facts.SealCancelled
)

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
