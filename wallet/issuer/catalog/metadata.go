package catalog

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/hufu-id/hufu/signing/sdjwt"
	"github.com/hufu-id/hufu/wallet/issuer/request"
)

// Document is a file that is served to anybody: its bytes and their entity tag.
type Document struct {
	Body []byte
	ETag string
}

// NewDocument is the JSON of v.
func NewDocument(v any) (Document, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return Document{}, fmt.Errorf("catalog: encoding metadata: %w", err)
	}
	sum := sha256.Sum256(b)
	return Document{Body: b, ETag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}, nil
}

// The wire form of Credential Issuer Metadata, section 12.2.4.
type issuerMetadata struct {
	CredentialIssuer     string                             `json:"credential_issuer"`
	AuthorizationServers []string                           `json:"authorization_servers"`
	CredentialEndpoint   string                             `json:"credential_endpoint"`
	NonceEndpoint        string                             `json:"nonce_endpoint"`
	Display              []Display                          `json:"display,omitempty"`
	Configurations       map[string]credentialConfiguration `json:"credential_configurations_supported"`
}

type credentialConfiguration struct {
	Format             string               `json:"format"`
	VCT                string               `json:"vct"`
	Scope              string               `json:"scope"`
	BindingMethods     []string             `json:"cryptographic_binding_methods_supported"`
	SigningAlgs        []string             `json:"credential_signing_alg_values_supported"`
	ProofTypes         map[string]proofType `json:"proof_types_supported"`
	CredentialMetadata credentialMetadata   `json:"credential_metadata"`
}

type proofType struct {
	SigningAlgs []string `json:"proof_signing_alg_values_supported"`
}

type credentialMetadata struct {
	Display []Display          `json:"display,omitempty"`
	Claims  []claimDescription `json:"claims,omitempty"`
}

type claimDescription struct {
	Path      sdjwt.Path `json:"path"`
	Mandatory bool       `json:"mandatory,omitempty"`
	Display   []Display  `json:"display,omitempty"`
}

func metadataDocument(origin string, a *Entry) (Document, error) {
	m := issuerMetadata{
		CredentialIssuer:     a.Identifier,
		AuthorizationServers: []string{origin},
		CredentialEndpoint:   a.Identifier + "/credential",
		NonceEndpoint:        a.Identifier + "/nonce",
		Display:              a.Display,
		Configurations:       map[string]credentialConfiguration{},
	}
	for id, t := range a.types {
		m.Configurations[id] = configuration(t)
	}
	return NewDocument(m)
}

func configuration(t CredentialType) credentialConfiguration {
	c := credentialConfiguration{
		Format:             "dc+sd-jwt",
		VCT:                t.VCT,
		Scope:              t.ID,
		BindingMethods:     []string{"jwk"},
		SigningAlgs:        []string{"ES256"},
		ProofTypes:         map[string]proofType{"jwt": {SigningAlgs: request.ProofAlgs()}},
		CredentialMetadata: credentialMetadata{Display: t.Display},
	}
	for _, claim := range t.Claims {
		c.CredentialMetadata.Claims = append(c.CredentialMetadata.Claims,
			claimDescription{Path: claim.Path, Mandatory: claim.Mandatory, Display: claim.Display})
	}
	return c
}
