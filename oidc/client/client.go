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
	"fmt"
	"net/url"
	"slices"
	"strings"

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
	None          AuthMethod = "none"
)

// Grant types.
const (
	AuthorizationCode = "authorization_code"
	ClientCredentials = "client_credentials"
	PreAuthorizedCode = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
)

// Client is one registered client. Values are treated as immutable: copy before changing.
type Client struct {
	ID string `json:"id"`
	// Name is the department, Service what it is for; both are shown on the consent page.
	Name    web.Text `json:"name"`
	Service web.Text `json:"service"`
	// Organisation is the unified social credit code: the sector of pairwise subjects. Empty: the redirect host is.
	Organisation           string   `json:"organisation,omitempty"`
	RedirectURIs           []string `json:"redirect_uris,omitempty"`
	PostLogoutRedirectURIs []string `json:"post_logout_redirect_uris,omitempty"`
	// AuthMethod is required; None needs Public and Public needs None.
	AuthMethod AuthMethod `json:"token_endpoint_auth_method"`
	Public     bool       `json:"public,omitempty"`
	// SecretHash is HashSecret of the secret; JWKS holds the public keys of PrivateKeyJWT.
	SecretHash string     `json:"secret_hash,omitempty"`
	JWKS       []jose.JWK `json:"jwks,omitempty"`
	// Profile is the security policy; "" is "core".
	Profile    string   `json:"profile,omitempty"`
	GrantTypes []string `json:"grant_types"`
	// Scopes that it may ask for; openid is one of them.
	Scopes []string `json:"scopes"`
	// OptionalClaims are claims that the person may leave out and still go on. All others are required.
	OptionalClaims []string `json:"optional_claims,omitempty"`
	// RequiredACR is the lowest level that a login must have: "loa1" to "loa4", or "".
	RequiredACR string `json:"required_acr,omitempty"`
	// Disabled clients are unknown everywhere, and their tokens are dead.
	Disabled bool `json:"disabled,omitempty"`
}

// Errors of the registry.
var (
	// ErrUnknown: no such client, or disabled.
	ErrUnknown = errors.New("client: unknown")
	// ErrInvalid: a registration that breaks a rule; the text says which.
	ErrInvalid = errors.New("client: invalid registration")
)

// HashSecret is what is stored of a secret: its SHA-256, base64url. That is enough because secrets are 256 random bits, made by us;
// a password hash would cost a third of a second on every token request and protect nothing.
func HashSecret(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Policy is a security profile as values, read in one place (ARCHITECTURE.md).
type Policy struct {
	// RequirePKCE makes PKCE mandatory for confidential clients too. Public clients always need it.
	RequirePKCE bool
	// TokenEndpointAudience accepts assertions for the token endpoint's URL beside the issuer, AudienceArray an array of one.
	TokenEndpointAudience, AudienceArray bool
}

var policies = map[string]Policy{
	"":     {TokenEndpointAudience: true, AudienceArray: true},
	"core": {TokenEndpointAudience: true, AudienceArray: true},
}

// Policy returns the values of the client's profile. Put refuses a profile that has none.
func (c Client) Policy() Policy { return policies[c.Profile] }

// Has says whether the client may use a grant type.
func (c Client) Has(grantType string) bool { return slices.Contains(c.GrantTypes, grantType) }

// MayAsk says whether the client may ask for a scope.
func (c Client) MayAsk(scope string) bool { return slices.Contains(c.Scopes, scope) }

// PKCERequired says whether an authorization request without a challenge is refused.
func (c Client) PKCERequired() bool { return c.Public || c.Policy().RequirePKCE }

// Sector is the space in which a person's subject is the same: the organisation, else the redirect host (OpenID Connect Core 8.1),
// else the client itself. A loopback address says nothing about who listens there, so it is no sector: two programs on
// one machine must not know a person by one subject.
func (c Client) Sector() string {
	if c.Organisation != "" {
		return "org:" + c.Organisation
	}
	if len(c.RedirectURIs) > 0 {
		if u, err := url.Parse(c.RedirectURIs[0]); err == nil && u.Scheme == "https" && !isLoopback(u.Hostname()) {
			return "host:" + strings.ToLower(u.Hostname())
		}
	}
	return "client:" + c.ID
}

// validID keeps text that no registered client can have away from the database.
func validID(id string) bool {
	return id != "" && len(id) <= 200 && !strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' })
}

// Check tells whether the registration is complete and safe. The error wraps ErrInvalid.
func (c Client) Check() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s: %s", ErrInvalid, c.ID, fmt.Sprintf(format, args...))
	}
	if !validID(c.ID) {
		return bad("the id must be 1 to 200 printable ASCII characters")
	}
	if _, ok := policies[c.Profile]; !ok {
		return bad("unknown profile %q", c.Profile)
	}
	if c.Public != (c.AuthMethod == None) {
		return bad("a public client has the authentication method none, and only a public one")
	}
	switch c.AuthMethod {
	case SecretBasic, SecretPost:
		if b, err := base64.RawURLEncoding.DecodeString(c.SecretHash); err != nil || len(b) != sha256.Size {
			return bad("the secret's SHA-256 is missing")
		}
	case PrivateKeyJWT:
		if len(c.JWKS) == 0 {
			return bad("private_key_jwt needs keys")
		}
	case None:
		if c.Has(ClientCredentials) {
			return bad("a public client has no credentials to use")
		}
	default:
		return bad("unknown authentication method %q", c.AuthMethod)
	}
	return c.checkRedirects(bad)
}

func (c Client) checkRedirects(bad func(string, ...any) error) error {
	hosts := map[string]bool{}
	for _, raw := range slices.Concat(c.RedirectURIs, c.PostLogoutRedirectURIs) {
		u, err := registrable(raw)
		if err != nil {
			return bad("%q: %v", raw, err)
		}
		hosts[strings.ToLower(u.Hostname())] = true
	}
	if c.Has(AuthorizationCode) && len(c.RedirectURIs) == 0 {
		return bad("the code flow needs a redirect URI")
	}
	// Without an organisation the host is the sector: two hosts would give one client two subjects, or one by accident.
	if c.Organisation == "" && len(hosts) > 1 && !onlyLoopback(hosts) {
		return bad("several redirect hosts need an organisation")
	}
	return nil
}

func onlyLoopback(hosts map[string]bool) bool {
	for h := range hosts {
		if !isLoopback(h) {
			return false
		}
	}
	return true
}

// Store keeps clients. Safe for concurrent use by several nodes.
type Store interface {
	// PutClient inserts or replaces a client, with an audit event.
	PutClient(ctx context.Context, c Client) error
	// Client reads one client, disabled ones too. ErrUnknown.
	Client(ctx context.Context, id string) (Client, error)
}
