package catalog

import (
	"time"

	"github.com/hufu-id/hufu/signing/sdjwt"
	"github.com/hufu-id/hufu/wallet/issuer/attest"
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
	// Approves says that copies of its licences go to wallets only after the authority released them (deferred issuance).
	Approves bool
}

// CredentialType is a licence type in the shape of a credential.
type CredentialType struct {
	// ID is the OAuth scope, and the credential_configuration_id of the SD-JWT VC: "driving-licence".
	ID string
	// VCT is the URL of the type metadata, VCTIntegrity its hash ("sha256-<base64>").
	VCT, VCTIntegrity string
	Display           []Display
	Claims            []Claim
	// RequiredACR is the lowest level of identification at which a person may take this credential: "loa3".
	RequiredACR string
	// MDoc says how the type looks as a mobile document; nil when it has no such form.
	MDoc *MDocForm
	// Images are pictures of the credential for wallets, the first for every language that has none of its own.
	Images []Image
	// Attested, when not nil, is what keys must be attested to have (key_attestations_required).
	Attested *attest.Levels
	// Lifetime is the technical life of a credential, not that of the licence; 90 days when zero.
	Lifetime time.Duration
}

// Format is a Credential Format Identifier (OpenID4VCI 1.0, appendix A).
type Format string

// The formats.
const (
	SDJWT Format = "dc+sd-jwt"
	MDoc  Format = "mso_mdoc"
)

// mdocSuffix makes the id of the mobile document of a type.
const mdocSuffix = ".mdoc"

// MDocForm is a type as a mobile document (ISO/IEC 18013-5).
type MDocForm struct {
	DocType  string
	Elements []ElementForm
}

// ElementForm is one data element of a mobile document.
type ElementForm struct {
	NameSpace, ID string
	Mandatory     bool
	Display       []Display
}

// Image is a picture of a credential: a data: or https: URI.
type Image struct {
	// Locale is the language of the picture; empty for all.
	Locale, URI, AltText string
}

// Configuration is a type in one format: a Credential Configuration of section 12.2.4.
type Configuration struct {
	// ID is the credential_configuration_id: the type's for an SD-JWT VC, with ".mdoc" after it for a mobile document.
	ID     string
	Format Format
	Type   CredentialType
}

// Configurations are the configurations of a type, the SD-JWT VC first.
func (t CredentialType) Configurations() []Configuration {
	out := []Configuration{{ID: t.ID, Format: SDJWT, Type: t}}
	if t.MDoc != nil {
		out = append(out, Configuration{ID: t.ID + mdocSuffix, Format: MDoc, Type: t})
	}
	return out
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
