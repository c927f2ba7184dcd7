//go:build conformance

package suite

import "encoding/json"

// Config is a plan's configuration in the suite's words.
type Config struct {
	Alias       string          `json:"alias"`
	Description string          `json:"description"`
	Server      ServerConfig    `json:"server"`
	Client      *ClientConfig   `json:"client,omitempty"`
	Client2     *ClientConfig   `json:"client2,omitempty"`
	ClientPost  *ClientConfig   `json:"client_secret_post,omitempty"`
	MTLS        *CertConfig     `json:"mtls,omitempty"`
	MTLS2       *CertConfig     `json:"mtls2,omitempty"`
	Resource    *ResourceConfig `json:"resource,omitempty"`

	VCI         *VCIConfig         `json:"vci,omitempty"`
	Attestation *AttestationConfig `json:"client_attestation,omitempty"`
	Credential  *CredentialConfig  `json:"credential,omitempty"`
}

// ServerConfig is where the provider is, and what the suite asks of it.
type ServerConfig struct {
	DiscoveryURL string `json:"discoveryUrl,omitempty"`
	LoginHint    string `json:"login_hint,omitempty"`
	ACRValues    string `json:"acr_values,omitempty"`
}

// ClientConfig is a client that the suite plays.
type ClientConfig struct {
	ID     string          `json:"client_id,omitempty"`
	Name   string          `json:"client_name,omitempty"`
	Secret string          `json:"client_secret,omitempty"`
	Token  string          `json:"initial_access_token,omitempty"`
	Scope  string          `json:"scope,omitempty"`
	JWKS   json.RawMessage `json:"jwks,omitempty"`
	DPoP   string          `json:"dpop_signing_alg,omitempty"`
}

// CertConfig is a TLS client certificate, PEM.
type CertConfig struct {
	Cert string `json:"cert"`
	Key  string `json:"key"`
	CA   string `json:"ca,omitempty"`
}

// ResourceConfig is an API that takes access tokens.
type ResourceConfig struct {
	URL    string `json:"resourceUrl"`
	Method string `json:"resourceMethod,omitempty"`
}

// VCIConfig is the credential issuer that is tested.
type VCIConfig struct {
	Issuer        string `json:"credential_issuer_url"`
	Server        string `json:"authorization_server"`
	Configuration string `json:"credential_configuration_id"`
	ProofType     string `json:"credential_proof_type_hint,omitempty"`
}

// AttestationConfig makes the suite the provider of its own wallets. Both sets hold private keys with their certificates.
type AttestationConfig struct {
	Issuer   string          `json:"issuer"`
	Attester json.RawMessage `json:"attester_jwks"`
	Anchor   string          `json:"trust_anchor"`
	Keys     json.RawMessage `json:"key_attestation_jwks"`
}

// CredentialConfig is by what the suite checks credentials and status lists, PEM.
type CredentialConfig struct {
	Anchor       string `json:"trust_anchor_pem"`
	StatusAnchor string `json:"status_list_trust_anchor_pem"`
}
