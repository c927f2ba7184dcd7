// Package port is what the rooms of the credential issuer share: its values, and what it needs of others.
package port

import (
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/wallet/issuer/format"
)

// Licence is what the register says about a licence when it is put into a credential.
type Licence struct {
	// ID is the licence identifier (GB/T 36904), Issuer the credit code of who issued it, TypeID a CredentialType.ID.
	ID, Issuer, TypeID string
	// Claims are the members of the credential that come from the licence, in the type's shape. The names that SD-JWT VC
	// keeps for itself (iss, iat, exp, nbf, cnf, vct, vct#integrity, status, sub, _sd, _sd_alg) are refused.
	Claims map[string]any
	// NameSpaces are the same as data elements of a mobile document; empty when the type has none.
	NameSpaces []format.NameSpace
}

// Person is who asks, read once and passed on.
type Person struct {
	ID string
	// Document is the number by which the register knows her; what it means is between the adapters. Empty: she has no licences.
	Document string
}

// AccessToken is what a valid access token says.
type AccessToken struct {
	// GrantID is one per authorization: the tokens of one code or of one offer share it.
	GrantID string
	// PersonID is who logged in; empty for a token of a Pre-Authorized Code.
	PersonID string
	// OfferID is the offer that a Pre-Authorized Code belonged to; empty for the authorization code flow.
	OfferID string
	// ClientID is the wallet; empty when it was anonymous at the token endpoint.
	ClientID string
	// IssuerState is that of the authorization request, if it had one: it leads to the offer that the flow began with.
	IssuerState string
	Scopes      []string
	// Granted are the credentials that were granted by authorization_details, with their identifiers; empty when only scopes were asked for.
	Granted []Granted
	// Instance names the device: the thumbprint of the key of the wallet's instance. Empty when the wallet showed none.
	Instance string
	// ACR is the level at which PersonID logged in; empty for offers.
	ACR string
}

// Granted is an element of authorization_details, as it was granted.
type Granted struct {
	ConfigurationID string
	// Issuers are the Credential Issuer Identifiers at which it counts; empty for all.
	Issuers []string
	// Identifiers are the credential_identifiers.
	Identifiers []string
}

// Offer is a Credential Offer as it is kept. It holds no secret: neither the id in its URL, nor the Pre-Authorized Code, nor
// the Transaction Code can be computed from it without the issuer's key.
type Offer struct {
	// ID is the hash of the opaque id in the offer's URL.
	ID string
	// Authority and TypeID say which credential; LicenceID which licence.
	Authority, TypeID, LicenceID string
	// PersonID asked for it, at level ACR. Both are empty when the department made it: then the department knows to whom it
	// handed the code, and answers for it.
	PersonID, ACR string
	// MadeBy is the person id or the department's credit code, for the audit.
	MadeBy string
	// CodeHash is the SHA-256 of the Pre-Authorized Code; empty when the offer is for the authorization code flow.
	CodeHash string
	// TxMAC is the keyed hash of the Transaction Code; empty when none is expected.
	TxMAC string
	// StateHash is the SHA-256 of issuer_state; empty when the offer is for the pre-authorized code flow.
	StateHash string
	// Tries counts the attempts to redeem the code, the right one too.
	Tries     int
	CreatedAt time.Time
	ExpiresAt time.Time
	// RedeemedAt is zero until the code was redeemed.
	RedeemedAt time.Time
}

// Issued is the record of one Credential Response: all copies of one licence for one device, and each of them.
type Issued struct {
	// ID is the hash of the notification_id.
	ID, Authority, ConfigurationID, LicenceID string
	// PersonID or OfferID, GrantID and ClientID say on whose behalf; Instance on which device.
	PersonID, OfferID, GrantID, ClientID, Instance string
	// SignerKey is the key id.
	SignerKey string
	// IssuedAt and ExpiresAt are what the credentials say; RecordedAt is when this was written.
	IssuedAt, ExpiresAt, RecordedAt time.Time
	Copies                          []Issuance
}

// Issuance is the record of one credential, written before it is signed.
type Issuance struct {
	ID, TypeID string
	// HolderKey is a RFC 7638 thumbprint.
	HolderKey string
	Status    StatusRef
	// PayloadHash is the SHA-256 of the bytes that are then signed: a credential that no row accounts for was not issued by us.
	PayloadHash string
}

// Limit is how many Credential Responses a grant gives within a time: a wallet whose answer was lost asks again, one that refreshes its copies comes back.
type Limit struct {
	Responses int
	Within    time.Duration
}

// Pending is a Credential Request whose answer was deferred.
type Pending struct {
	// ID is the hash of the transaction_id.
	ID, Authority, ConfigurationID, LicenceID, PersonID string
	GrantID                                             string
	// Keys are the keys that were proven, as JWKs.
	Keys                 []jose.JWK
	CreatedAt, ExpiresAt time.Time
}

// Release is the decision of an authority whether copies of a licence may go to wallets.
type Release struct {
	LicenceID, Authority, TypeID string
	State                        ReleaseState
	// Reason says why it was refused. DecidedBy is a client of the department.
	Reason, DecidedBy      string
	RequestedAt, DecidedAt time.Time
}

// ReleaseState is where a Release stands.
type ReleaseState string

// The states of a release.
const (
	Waiting  ReleaseState = "waiting"
	Released ReleaseState = "released"
	Refused  ReleaseState = "refused"
)

// StatusRef is where the status of a credential is looked up.
type StatusRef = format.StatusRef
