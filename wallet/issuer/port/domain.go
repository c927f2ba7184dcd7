// Package port is what the rooms of the credential issuer share: its values, and what it needs of others.
package port

import "time"

// Licence is what the register says about a licence when it is put into a credential.
type Licence struct {
	// ID is the licence identifier (GB/T 36904), Issuer the credit code of who issued it, TypeID a CredentialType.ID.
	ID, Issuer, TypeID string
	// Claims are the members of the credential that come from the licence, in the type's shape. The names that SD-JWT VC
	// keeps for itself (iss, iat, exp, nbf, cnf, vct, vct#integrity, status, sub, _sd, _sd_alg) are refused.
	Claims map[string]any
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
	// ACR is the level at which PersonID logged in; empty for offers.
	ACR string
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

// Issuance is the record of one credential, written before it is signed.
type Issuance struct {
	ID, Authority, TypeID, LicenceID string
	// PersonID or OfferID, GrantID and ClientID say on whose behalf.
	PersonID, OfferID, GrantID, ClientID string
	// HolderKey and SignerKey are RFC 7638 thumbprints (the latter the key id).
	HolderKey, SignerKey string
	StatusURI            string
	StatusIndex          int64
	// PayloadHash is the SHA-256 of the bytes that are then signed: a credential that no row accounts for was not issued by us.
	PayloadHash string
	// IssuedAt and ExpiresAt are what the credential says; RecordedAt is when this row was written.
	IssuedAt, ExpiresAt, RecordedAt time.Time
}

// StatusRef is where the status of a credential is looked up.
type StatusRef struct {
	URI   string
	Index int64
}
