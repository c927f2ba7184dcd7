// Package client knows the relying parties, wallets and departments: their registration, their exact redirect addresses, and how
// they prove who they are at the token endpoint.
//
// A client that has proved itself is an Authenticated, a type that only Authenticator makes.
package client

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/web"
)

// AuthMethod is how a client authenticates at the token endpoint (OpenID Connect Core section 9).
type AuthMethod string

// The methods. A client registered for one of the two secret methods may use either: they prove the same secret.
const (
	SecretBasic   AuthMethod = "client_secret_basic"
	SecretPost    AuthMethod = "client_secret_post"
	PrivateKeyJWT AuthMethod = "private_key_jwt"
	TLS           AuthMethod = "tls_client_auth"             // RFC 8705 section 2.1
	SelfSignedTLS AuthMethod = "self_signed_tls_client_auth" // RFC 8705 section 2.2
	None          AuthMethod = "none"
	Attestation   AuthMethod = "attest_jwt_client_auth" // of wallets, by their provider: package attester
)

// Grant types.
const (
	AuthorizationCode = "authorization_code"
	RefreshToken      = "refresh_token"
	ClientCredentials = "client_credentials"
	PreAuthorizedCode = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
)

// Client is one registered client. Values are treated as immutable: copy before changing. JSON names are those of RFC 7591, OpenID Connect
// Registration and their extensions where there is one.
type Client struct {
	ID string `json:"id"`
	// Name is the department, Service what it is for; both are shown on the consent page.
	Name    web.Text `json:"name"`
	Service web.Text `json:"service"`
	// Organisation is the unified social credit code: the sector of pairwise subjects. Empty: the sector identifier's or redirect host is.
	Organisation           string   `json:"organisation,omitempty"`
	RedirectURIs           []string `json:"redirect_uris,omitempty"`
	PostLogoutRedirectURIs []string `json:"post_logout_redirect_uris,omitempty"`
	// AuthMethod is required; None needs Public and Public needs None.
	AuthMethod AuthMethod `json:"token_endpoint_auth_method"`
	Public     bool       `json:"public,omitempty"`
	// SecretHash is HashSecret of the secret. While a secret is changed, the previous one is good until PreviousSecretEnds.
	SecretHash         string    `json:"secret_hash,omitempty"`
	PreviousSecretHash string    `json:"previous_secret_hash,omitempty"`
	PreviousSecretEnds time.Time `json:"previous_secret_ends,omitzero"`
	// JWKS holds the client's public keys, or JWKSURI says where they are.
	JWKS    []jose.JWK `json:"jwks,omitempty"`
	JWKSURI string     `json:"jwks_uri,omitempty"`
	// AuthSigningAlg is the one algorithm of its assertions; "" is any that the profile allows.
	AuthSigningAlg jose.Alg `json:"token_endpoint_auth_signing_alg,omitempty"`
	Certificate
	// WalletProvider names who vouches for the instances of a wallet that is registered for Attestation.
	WalletProvider string `json:"wallet_provider,omitempty"`
	// Profile is the security policy; "" is "core".
	Profile    string   `json:"profile,omitempty"`
	GrantTypes []string `json:"grant_types"`
	// Scopes that it may ask for; openid is one of them.
	Scopes []string `json:"scopes"`
	// OptionalClaims are claims that the person may leave out and still go on. All others are required.
	OptionalClaims []string `json:"optional_claims,omitempty"`
	// Serves are the APIs that this client is: it may ask about tokens for them (RFC 7662).
	Serves []string `json:"serves,omitempty"`
	// Resources are the further APIs (RFC 8707) for which it may get tokens, DetailTypes the types of authorization_details (RFC 9396).
	Resources   []string `json:"resources,omitempty"`
	DetailTypes []string `json:"authorization_details_types,omitempty"`
	// RequiredACR is the lowest level that a login must have: "loa1" to "loa4", or "".
	RequiredACR string `json:"required_acr,omitempty"`
	// DefaultMaxAge is max_age, in seconds, where a request sends none; nil for none.
	DefaultMaxAge *int64 `json:"default_max_age,omitempty"`
	Answers
	Requests
	Logout
	About
	Registration
	// Disabled clients are unknown everywhere, and their tokens are dead.
	Disabled bool `json:"disabled,omitempty"`
}

// Certificate says by which certificate a client of tls_client_auth is known: exactly one of the fields (RFC 8705 section 2.1.2).
type Certificate struct {
	TLSSubjectDN string `json:"tls_client_auth_subject_dn,omitempty"`
	TLSSANDNS    string `json:"tls_client_auth_san_dns,omitempty"`
	TLSSANURI    string `json:"tls_client_auth_san_uri,omitempty"`
	TLSSANIP     string `json:"tls_client_auth_san_ip,omitempty"`
	TLSSANEmail  string `json:"tls_client_auth_san_email,omitempty"`
}

// Answers is how answers to the client are signed and encrypted. An algorithm of "" means: ID tokens and authorization responses are
// signed by ES256, userinfo and introspection are plain JSON, nothing is encrypted.
type Answers struct {
	IDTokenSignedAlg          jose.Alg `json:"id_token_signed_response_alg,omitempty"`
	IDTokenEncryptedAlg       string   `json:"id_token_encrypted_response_alg,omitempty"`
	IDTokenEncryptedEnc       string   `json:"id_token_encrypted_response_enc,omitempty"`
	UserinfoSignedAlg         jose.Alg `json:"userinfo_signed_response_alg,omitempty"`
	UserinfoEncryptedAlg      string   `json:"userinfo_encrypted_response_alg,omitempty"`
	UserinfoEncryptedEnc      string   `json:"userinfo_encrypted_response_enc,omitempty"`
	AuthorizationSignedAlg    jose.Alg `json:"authorization_signed_response_alg,omitempty"`
	AuthorizationEncryptedAlg string   `json:"authorization_encrypted_response_alg,omitempty"`
	AuthorizationEncryptedEnc string   `json:"authorization_encrypted_response_enc,omitempty"`
	IntrospectionSignedAlg    jose.Alg `json:"introspection_signed_response_alg,omitempty"`
	// OpaqueTokens: access tokens say nothing to whoever holds them; an API asks the introspection endpoint.
	OpaqueTokens bool `json:"opaque_access_tokens,omitempty"`
}

// Requests is what the client's requests must be like, beyond its profile.
type Requests struct {
	// RequestObjectAlg is the one algorithm of its request objects; "" is any that the profile allows.
	RequestObjectAlg     jose.Alg `json:"request_object_signing_alg,omitempty"`
	RequireRequestObject bool     `json:"require_signed_request_object,omitempty"`
	RequirePAR           bool     `json:"require_pushed_authorization_requests,omitempty"`
	// DPoPBound and TLSBound refuse to issue tokens that are bound to no key, or to no certificate (RFC 9449 section 5.2, RFC 8705 section 3.4).
	DPoPBound bool `json:"dpop_bound_access_tokens,omitempty"`
	TLSBound  bool `json:"tls_client_certificate_bound_access_tokens,omitempty"`
}

// Logout is where the client hears of logouts (OpenID Connect Back-Channel Logout 1.0).
type Logout struct {
	BackchannelLogoutURI             string `json:"backchannel_logout_uri,omitempty"`
	BackchannelLogoutSessionRequired bool   `json:"backchannel_logout_session_required,omitempty"`
}

// About is what people may want to know of the client, and where its software comes from.
type About struct {
	ClientURI           string   `json:"client_uri,omitempty"`
	LogoURI             string   `json:"logo_uri,omitempty"`
	PolicyURI           string   `json:"policy_uri,omitempty"`
	TermsURI            string   `json:"tos_uri,omitempty"`
	Contacts            []string `json:"contacts,omitempty"`
	InitiateLoginURI    string   `json:"initiate_login_uri,omitempty"`
	SectorIdentifierURI string   `json:"sector_identifier_uri,omitempty"`
	SoftwareID          string   `json:"software_id,omitempty"`
	SoftwareVersion     string   `json:"software_version,omitempty"`
}

// Registration is how the client came to be known.
type Registration struct {
	// Dynamic clients registered themselves (RFC 7591). TokenHash is HashSecret of the registration access token.
	Dynamic      bool      `json:"dynamic,omitempty"`
	TokenHash    string    `json:"registration_token_hash,omitempty"`
	RegisteredAt time.Time `json:"registered_at,omitzero"`
	// ApplicationType is what it says of itself: web or native.
	ApplicationType string `json:"application_type,omitempty"`
	// StatementIssuer vouched for it by a software statement.
	StatementIssuer string `json:"software_statement_issuer,omitempty"`
	// Used: it has authenticated at least once. Kept beside the registration, see Store.MarkUsed.
	Used bool `json:"-"`
	// Loopback clients are known by their URL alone and are in no store (Registry.Loopback).
	Loopback bool `json:"-"`
}

// Errors of the registry.
var (
	// ErrUnknown: no such client, or disabled.
	ErrUnknown = errors.New("client: unknown")
	// ErrInvalid: a registration that breaks a rule; the text says which.
	ErrInvalid = errors.New("client: invalid registration")
	// ErrChanged: somebody else changed the client meanwhile, or it is there already, or gone.
	ErrChanged = errors.New("client: changed meanwhile")
	// ErrRedirect is the ErrInvalid of a redirect URI.
	ErrRedirect = errors.New("redirect URI")
)

// HashSecret is what is stored of a secret: its SHA-256, base64url. That is enough because secrets are 256 random bits, made by us;
// a password hash would cost a third of a second on every token request and protect nothing.
func HashSecret(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Has says whether the client may use a grant type.
func (c Client) Has(grantType string) bool { return slices.Contains(c.GrantTypes, grantType) }

// HearsOfLogouts says whether the client has to do with logouts, and so with sid. To any other it would only tell two logins of one person apart.
func (c Client) HearsOfLogouts() bool {
	return c.BackchannelLogoutURI != "" || len(c.PostLogoutRedirectURIs) > 0
}

// MayAsk says whether the client may ask for a scope.
func (c Client) MayAsk(scope string) bool { return slices.Contains(c.Scopes, scope) }

// Sector is the space in which a person's subject is the same: the organisation, else the host of the sector identifier or of
// all redirects (OpenID Connect Core 8.1), else the client itself. A loopback address says nothing about who listens there, so it is no
// sector: two programs on one machine must not know a person by one subject.
func (c Client) Sector() string {
	if c.Organisation != "" {
		return "org:" + c.Organisation
	}
	if u, err := url.Parse(c.SectorIdentifierURI); err == nil && u.Host != "" {
		return "host:" + strings.ToLower(u.Hostname())
	}
	host := ""
	for _, raw := range c.RedirectURIs {
		u, err := url.Parse(raw)
		if err != nil || u.Scheme != "https" || isLoopback(u.Hostname()) || host != "" && host != strings.ToLower(u.Hostname()) {
			return "client:" + c.ID
		}
		host = strings.ToLower(u.Hostname())
	}
	if host == "" {
		return "client:" + c.ID
	}
	return "host:" + host
}

// validID keeps text that no registered client can have away from the database.
func validID(id string) bool {
	return id != "" && len(id) <= 200 && !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' })
}

// Store keeps clients. Safe for concurrent use by several nodes.
type Store interface {
	// PutClient inserts or replaces a client, with an audit event.
	PutClient(ctx context.Context, c Client) error
	// Client reads one client, disabled ones too. ErrUnknown.
	Client(ctx context.Context, id string) (Client, error)
	// MarkUsed records the first use of a client that registered itself; no error when it is gone.
	MarkUsed(ctx context.Context, id string) error
}
