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
