// Package facts is what a trust bundle says, without the signatures: what goes into one and what comes out. Package bundle re-exports all of it; it makes
// bundles of facts, and facts of bundles that it verified.
package facts

import (
	"errors"
	"time"
)

// ErrInput: the input of a bundle contradicts itself, or misses a part or a key.
var ErrInput = errors.New("bundle: unusable input")

// Input is what goes into a bundle. Order doesn't matter: Build sorts.
type Input struct {
	Anchors []Anchor
	Issuers []Issuer
	// Types has type metadata, byte for byte as published, by vct.
	Types map[string][]byte
	// StatusLists has status list tokens as published, by URI (their sub).
	StatusLists map[string]string
	// CWTLists has the same lists as CBOR web tokens, by URI; a list may have either form, or both.
	CWTLists map[string][]byte
	// Images has the pictures that type metadata refer to, by URI.
	Images map[string][]byte
	Policy Policy
}

// Role names of the delegated roles.
const (
	// RoleStatus signs status list tokens.
	RoleStatus = "status"
	// RoleCWT signs the same lists as CBOR web tokens, with the keys of RoleStatus. It is a role of its own because verifiers leave a role alone that they
	// don't know, and refuse a file of a role that they do.
	RoleCWT = "status-cwt"
	// IssuerRole + credit code is the role of one issuing authority.
	IssuerRole = "issuer-"
)

// RoleIssuer is the name of the delegated role of the authority with this credit code.
func RoleIssuer(code string) string { return IssuerRole + code }

// Anchor is a certificate that chains may end at.
type Anchor struct {
	// Purpose says what chains may end here: "root" (the national root), "iaca" (the
	// root of mdocs), "credential" or "status" (intermediates).
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
	// DocType is the document type of the same licences as mdocs; empty when the type has no such form.
	DocType string
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

// Image is a picture that type metadata refer to (SD-JWT VC, "uri" and "uri#integrity").
type Image struct {
	Raw []byte
	// Integrity is "sha256-<base64>" of Raw, the form of uri#integrity.
	Integrity string
}

// Policy is what the federation advises verifiers; a caller may be stricter.
type Policy struct {
	// StatusMaxAge is how old (by iat) a status list may be before "in force" is
	// doubtful, by vct; the entry "" holds for the types without one. No entry:
	// only the list's own exp counts.
	StatusMaxAge map[string]time.Duration
}
