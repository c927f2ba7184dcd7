// Package metadata is what a Credential Issuer, its authorization server and a Credential Offer say, as much of it as a wallet needs (OpenID4VCI 1.0, sections
// 4.1 and 12.2; RFC 8414). They are wire types: nothing in them is checked.
package metadata

import "encoding/json"

// Issuer is a Credential Issuer as it describes itself, with its authorization server.
type Issuer struct {
	ID                   string                   `json:"credential_issuer"`
	AuthServers          []string                 `json:"authorization_servers"`
	CredentialEndpoint   string                   `json:"credential_endpoint"`
	NonceEndpoint        string                   `json:"nonce_endpoint"`
	DeferredEndpoint     string                   `json:"deferred_credential_endpoint"`
	NotificationEndpoint string                   `json:"notification_endpoint"`
	Configurations       map[string]Configuration `json:"credential_configurations_supported"`
	Batch                *struct {
		Size int `json:"batch_size"`
	} `json:"batch_credential_issuance"`
	RequestEncryption  *Encryption `json:"credential_request_encryption"`
	ResponseEncryption *Encryption `json:"credential_response_encryption"`

	Server AuthServer `json:"-"`
}

// Encryption says how requests or responses may be encrypted (section 12.2.4).
type Encryption struct {
	JWKS     json.RawMessage `json:"jwks"`
	Algs     []string        `json:"alg_values_supported"`
	Encs     []string        `json:"enc_values_supported"`
	Required bool            `json:"encryption_required"`
}

// Configuration is one credential that an issuer offers.
type Configuration struct {
	Format  string `json:"format"`
	VCT     string `json:"vct"`
	DocType string `json:"doctype"`
	Scope   string `json:"scope"`
	Proofs  map[string]struct {
		Algs         []string         `json:"proof_signing_alg_values_supported"`
		Attestations *json.RawMessage `json:"key_attestations_required"`
	} `json:"proof_types_supported"`
}

// Type is the vct or the document type.
func (c Configuration) Type() string {
	if c.Format == FormatMDoc {
		return c.DocType
	}
	return c.VCT
}

// Credential Format Identifiers (appendix A).
const (
	FormatSDJWT = "dc+sd-jwt"
	FormatMDoc  = "mso_mdoc"
)

// AuthServer is the metadata of an authorization server (RFC 8414).
type AuthServer struct {
	Issuer        string   `json:"issuer"`
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	PAR           string   `json:"pushed_authorization_request_endpoint"`
	Challenge     string   `json:"challenge_endpoint"`
	DPoPAlgs      []string `json:"dpop_signing_alg_values_supported"`
}

// Offer is a Credential Offer.
type Offer struct {
	Issuer           string   `json:"credential_issuer"`
	ConfigurationIDs []string `json:"credential_configuration_ids"`
	Grants           struct {
		PreAuthorized *struct {
			Code   string `json:"pre-authorized_code"`
			TxCode *struct {
				InputMode   string `json:"input_mode"`
				Length      int    `json:"length"`
				Description string `json:"description"`
			} `json:"tx_code"`
			Server string `json:"authorization_server"`
		} `json:"urn:ietf:params:oauth:grant-type:pre-authorized_code"`
		AuthorizationCode *struct {
			IssuerState string `json:"issuer_state"`
			Server      string `json:"authorization_server"`
		} `json:"authorization_code"`
	} `json:"grants"`
}
