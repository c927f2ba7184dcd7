// Package clientfile is how clients are written down: the `clients` of the server's configuration, and the files of `hufu client`.
package clientfile

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/web"
)

// File is a file of `hufu client plan` and `apply`.
type File struct {
	Clients []Entry `yaml:"clients"`
}

// Entry is one client. Names are those of RFC 7591 and its extensions, as in the embedded types of package client, but where they are older here:
// auth_method, secret_file, jwks_file. docs/configuration.md is the manual.
type Entry struct {
	ID                     string   `json:"id"`
	Name                   web.Text `json:"name"`
	Service                web.Text `json:"service"`
	Organisation           string   `json:"organisation"`
	RedirectURIs           []string `json:"redirect_uris"`
	PostLogoutRedirectURIs []string `json:"post_logout_redirect_uris"`
	// Profile is core (the default), national, fapi2 or haip.
	Profile    string            `json:"profile"`
	AuthMethod client.AuthMethod `json:"auth_method"`
	// SecretFile holds the secret that `openssl rand -hex 32` or the like made: at least 256 random bits.
	SecretFile string `json:"secret_file"`
	// JWKSFile holds the client's public keys; or they are behind JWKSURI.
	JWKSFile       string   `json:"jwks_file"`
	JWKSURI        string   `json:"jwks_uri"`
	AuthSigningAlg jose.Alg `json:"token_endpoint_auth_signing_alg"`
	GrantTypes     []string `json:"grant_types"`
	Scopes         []string `json:"scopes"`
	Optional       []string `json:"optional_claims"`
	Resources      []string `json:"resources"`
	// Serves are the APIs that this client is.
	Serves        []string `json:"serves"`
	DetailTypes   []string `json:"authorization_details_types"`
	RequiredACR   string   `json:"required_acr"`
	DefaultMaxAge *int64   `json:"default_max_age"`
	// RequirePKCE is no choice; it stands here so that a file from elsewhere which switches PKCE off is told so.
	RequirePKCE *bool `json:"require_pkce"`
	Disabled    bool  `json:"disabled"`
	// WalletProvider is the entry of openid.wallets that vouches for this wallet (auth_method attest_jwt_client_auth).
	WalletProvider string `json:"wallet_provider"`
	client.Certificate
	client.Answers
	client.Requests
	client.Logout
	client.About
}

// UnmarshalYAML reads an entry by its JSON names. An unknown key is an error: a typing mistake must not become a default.
func (e *Entry) UnmarshalYAML(node *yaml.Node) error {
	var generic map[string]any
	if err := node.Decode(&generic); err != nil {
		return err
	}
	text, err := json.Marshal(generic)
	if err != nil {
		return fmt.Errorf("line %d: %w", node.Line, err)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(e); err != nil {
		return fmt.Errorf("line %d: client %q: %s", node.Line, e.ID, strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

// ErrNoSecret: a client with a secret whose entry names no file for it.
var ErrNoSecret = errors.New("secret_file is missing")

// Client turns the entry into a registration and checks it. known is the hash of the secret that the client has already, for an entry without a
// secret_file; "" for none, then ErrNoSecret.
func (e Entry) Client(known string) (client.Client, error) {
	c := client.Client{ID: e.ID, Name: e.Name, Service: e.Service, Organisation: e.Organisation, RedirectURIs: e.RedirectURIs,
		PostLogoutRedirectURIs: e.PostLogoutRedirectURIs, Profile: e.Profile, AuthMethod: e.AuthMethod, Public: e.AuthMethod == client.None,
		JWKSURI: e.JWKSURI, AuthSigningAlg: e.AuthSigningAlg, GrantTypes: e.GrantTypes, Scopes: e.Scopes, OptionalClaims: e.Optional,
		Resources: e.Resources, Serves: e.Serves, DetailTypes: e.DetailTypes, RequiredACR: e.RequiredACR, DefaultMaxAge: e.DefaultMaxAge, Disabled: e.Disabled, WalletProvider: e.WalletProvider,
		Certificate: e.Certificate, Answers: e.Answers, Requests: e.Requests, Logout: e.Logout, About: e.About}
	if err := e.pkce(c); err != nil {
		return c, err
	}
	var err error
	if e.hasSecret() {
		if c.SecretHash, err = e.secretHash(known); err != nil {
			return c, err
		}
	} else if e.SecretFile != "" {
		return c, fmt.Errorf("secret_file does not go with auth_method %q", e.AuthMethod)
	}
	if e.JWKSFile != "" {
		raw, err := os.ReadFile(e.JWKSFile)
		if err != nil {
			return c, err
		}
		if c.JWKS, err = jose.ParseJWKS(raw); err != nil {
			return c, fmt.Errorf("%s: %w", e.JWKSFile, err)
		}
	}
	return c, c.Check()
}

// pkce: who asks for a login without PKCE believes that it can be switched off, and would be wrong about what protects her codes.
func (e Entry) pkce(c client.Client) error {
	switch {
	case e.RequirePKCE == nil:
	case !*e.RequirePKCE:
		return errors.New("require_pkce: false is refused: PKCE keeps a stolen code from being used, and a challenge that was sent is always checked; leave the key out")
	case !c.PKCERequired():
		return errors.New("require_pkce: true comes with profile: national or fapi2; leave the key out")
	}
	return nil
}

func (e Entry) hasSecret() bool {
	return e.AuthMethod == client.SecretBasic || e.AuthMethod == client.SecretPost
}

func (e Entry) secretHash(known string) (string, error) {
	if e.SecretFile == "" {
		if known == "" {
			return "", ErrNoSecret
		}
		return known, nil
	}
	raw, err := os.ReadFile(e.SecretFile)
	if err != nil {
		return "", err
	}
	secret := strings.TrimSpace(string(raw))
	// 32 bytes are 43 characters of base64url. A short or chosen secret would need a slow hash, which we don't use.
	if len(secret) < 43 {
		return "", errors.New("the secret must be at least 256 random bits: 43 characters of base64 or 64 of hex")
	}
	return client.HashSecret(secret), nil
}
