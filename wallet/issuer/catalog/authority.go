package catalog

import (
	"time"

	"github.com/hufu-id/hufu/signing/sdjwt"
)

// Display is a name for people in one language, as in the metadata of section 12.2.4.
type Display struct {
	// Locale is a BCP 47 tag: "zh-Hans", "en".
	Locale string `json:"locale"`
	Name   string `json:"name"`
}

// Authority is an issuing authority: a department that issues licences in its own name.
type Authority struct {
	// Code is its unified social credit code (GB 32100), the last part of its Credential Issuer Identifier.
	Code    string
	Display []Display
	// Types are what it may issue.
	Types []CredentialType
}

// CredentialType is a licence type in the shape of a credential: a Credential Configuration of section 12.2.4.
type CredentialType struct {
	// ID is the credential_configuration_id and the OAuth scope: "driving-licence".
	ID string
	// VCT is the URL of the type metadata, VCTIntegrity its hash ("sha256-<base64>").
	VCT, VCTIntegrity string
	Display           []Display
	Claims            []Claim
	// RequiredACR is the lowest level of identification at which a person may take this credential: "loa3".
	RequiredACR string
	// Lifetime is the technical life of a credential, not that of the licence; 90 days when zero.
	Lifetime time.Duration
}

// Claim is one claim of a type.
type Claim struct {
	// Path leads to the claim from the top: member names, indexes, or null for all elements.
	Path sdjwt.Path
	// Mandatory says that every licence of this type has it.
	Mandatory bool
	// Selective makes the claim a disclosure that the holder can withhold (RFC 9901).
	Selective bool
	Display   []Display
}

// Life is the technical life of credentials of the type.
func (t CredentialType) Life() time.Duration {
	if t.Lifetime > 0 {
		return t.Lifetime
	}
	return 90 * 24 * time.Hour
}

// Scope is what an OAuth scope of a credential stands for.
type Scope struct {
	// Audience are the Credential Issuer Identifiers that issue the type, sorted: the aud of the access token.
	Audience []string
	Display  []Display
	// RequiredACR is the lowest level at which the authorization server must identify the person.
	RequiredACR string
}
