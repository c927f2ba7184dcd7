// Package fositex is the token engine behind the front door, and the only importer of fosite.
//
// fosite v0.49.0 is frozen upstream, so it gets exactly the work it does well: making codes and checking that a code is ours (HMAC), and
// running the grant handlers that turn a granted request into an access token and an ID token. What it does wrongly or by habits that we
// can't steer stays outside, in our own packages:
//
//   - reading requests, redirect URIs, PKCE, client authentication, error texts: our front door. fosite sees no HTTP request;
//   - single use and expiry of codes: one conditional SQL statement, before the engine is asked to mint. Its own expiry check reads
//     the wall clock and its own invalidation comes after minting;
//   - times: handlers stamp wall-clock expiries into the session; ours ignores them and carries the times that were recorded;
//   - the ID token's claims: fosite's strategy re-judges prompt, max_age and hints against the wall clock after the code is spent.
//
// Storage is an exchange: one object for one request, which answers with the grant that the caller has already claimed and only notes
// what fosite would write. The caller's one transaction has recorded everything before the first signature is made.
package fositex

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/token/hmac"
	"github.com/ory/fosite/token/jwt"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/grant"
)

// ErrCode: not a code that this server made.
var ErrCode = errors.New("fositex: not one of our codes")

// Config of the engine.
type Config struct {
	Issuer string
	// CodeSecret is 32 bytes; every node has the same.
	CodeSecret []byte
	// SigningKey is the active key of an algorithm, ES256 or RS256.
	SigningKey func(ctx context.Context, alg jose.Alg) (jose.SigningKey, error)
}

// Engine makes codes and tokens. Safe for concurrent use; holds no request.
type Engine struct {
	base  fosite.Config
	codes *oauth2.HMACSHAStrategyUnPrefixed
	mac   *hmac.HMACStrategy
	sign  signer // access tokens
}

// New checks the configuration and makes an engine.
func New(cfg Config) (*Engine, error) {
	if cfg.Issuer == "" || len(cfg.CodeSecret) < 32 || cfg.SigningKey == nil {
		return nil, errors.New("fositex: issuer, signing key and a code secret of 32 bytes are required")
	}
	// Every field that a getter would fill in by itself is set: those writes would race.
	base := fosite.Config{
		GlobalSecret: cfg.CodeSecret, IDTokenIssuer: cfg.Issuer, AccessTokenIssuer: cfg.Issuer, TokenEntropy: 32, HMACHasher: nil,
		ScopeStrategy: fosite.ExactScopeStrategy, AudienceMatchingStrategy: fosite.ExactAudienceMatchingStrategy,
		JWTScopeClaimKey: jwt.JWTScopeFieldString, AuthorizeCodeLifespan: time.Minute, AccessTokenLifespan: 5 * time.Minute,
		IDTokenLifespan: time.Hour, RefreshTokenLifespan: time.Hour, RefreshTokenScopes: []string{"offline_access"},
		EnforcePKCE: true, EnforcePKCEForPublicClients: true, MinParameterEntropy: -1, OmitRedirectScopeParam: true,
	}
	e := &Engine{base: base, sign: signer{key: cfg.SigningKey, alg: jose.ES256}}
	e.mac = &hmac.HMACStrategy{Config: &e.base}
	e.codes = oauth2.NewHMACSHAStrategyUnPrefixed(e.mac, &e.base)
	return e, nil
}

// Signature checks that code was made by us and returns the name under which it is kept. A code can't be found out from its name, so
// that who reads the database can't redeem one. ErrCode.
func (e *Engine) Signature(ctx context.Context, code string) (string, error) {
	if len(code) > 200 {
		return "", ErrCode
	}
	if err := e.mac.Validate(ctx, code); err != nil {
		return "", ErrCode
	}
	return e.mac.Signature(code), nil
}

// IssueCode makes an authorization code for g. The caller keeps the grant under the returned signature in its transaction.
func (e *Engine) IssueCode(ctx context.Context, g grant.Grant) (code, signature string, err error) {
	x := &exchange{}
	request := &fosite.AuthorizeRequest{
		ResponseTypes: fosite.Arguments{"code"}, HandledResponseTypes: fosite.Arguments{}, ResponseMode: fosite.ResponseModeQuery,
		DefaultResponseMode: fosite.ResponseModeQuery, Request: e.request(g),
	}
	handler := e.authorizationCode(x, nil)
	cfg := e.base
	cfg.AuthorizeEndpointHandlers = fosite.AuthorizeEndpointHandlers{issueOnly{handler}}
	response, err := (&fosite.Fosite{Config: &cfg, Store: nil}).NewAuthorizeResponse(ctx, request, request.Session)
	if err != nil {
		return "", "", fmt.Errorf("fositex: code: %w", err)
	}
	if x.code == "" || response.GetCode() == "" {
		return "", "", errors.New("fositex: no code was made")
	}
	return response.GetCode(), x.code, nil
}

// issueOnly calls the part of fosite's handler that makes the code. What the handler checks before it (scopes, redirect) the front door has
// checked by stricter rules.
type issueOnly struct {
	h *oauth2.AuthorizeExplicitGrantHandler
}

func (i issueOnly) HandleAuthorizeEndpointRequest(ctx context.Context, ar fosite.AuthorizeRequester, resp fosite.AuthorizeResponder) error {
	return i.h.IssueAuthorizeCode(ctx, ar, resp)
}

// Mint is what to make tokens of. Everything in it stands in the record already.
type Mint struct {
	Grant grant.Grant
	Code  string // authorization_code only
	JTI   string // of the access token
	// IssuedAt and ExpiresAt are those of the access token, IDTokenExpires of the ID token; whole seconds.
	IssuedAt, ExpiresAt, IDTokenExpires time.Time
	// JKT or CertThumbprint is what the access token is bound to; both "" for a bearer token.
	JKT, CertThumbprint string
	// Opaque is the access token for a client that takes no JWT; "" makes a JWT.
	Opaque string
	// IDTokenValues are claims of the person for the ID token.
	IDTokenValues map[string]any
	// IDTokenAlg signs the ID token; "" is ES256. Access tokens are always signed by ES256.
	IDTokenAlg jose.Alg
	// ClientPublic is set for public clients.
	ClientPublic bool
}

// Tokens are what was minted. IDToken is empty without the scope openid.
type Tokens struct{ AccessToken, IDToken string }

// Mint makes the tokens of a grant whose code or refresh token was claimed.
func (e *Engine) Mint(ctx context.Context, m Mint) (Tokens, error) {
	if m.IDTokenAlg == "" {
		m.IDTokenAlg = jose.ES256
	}
	x := &exchange{grant: m.Grant}
	inner := e.request(m.Grant)
	inner.Client.(*fosite.DefaultClient).Public = m.ClientPublic
	inner.Session = newSession(e.base.AccessTokenIssuer, m)
	inner.Form.Set("grant_type", m.Grant.Type)
	inner.Form.Set("code", m.Code)
	for _, aud := range m.Grant.Audience {
		inner.GrantAudience(aud)
	}
	for _, scope := range m.Grant.Scopes {
		inner.GrantScope(scope)
	}
	x.request = &inner
	request := &fosite.AccessRequest{GrantTypes: fosite.Arguments{m.Grant.Type}, Request: inner}
	cfg := e.base
	cfg.TokenEndpointHandlers = e.handlers(x, m)
	if err := handle(ctx, cfg.TokenEndpointHandlers, request); err != nil {
		return Tokens{}, fmt.Errorf("fositex: %s: %w", m.Grant.Type, err)
	}
	response, err := (&fosite.Fosite{Config: &cfg}).NewAccessResponse(ctx, request)
	if err != nil {
		return Tokens{}, fmt.Errorf("fositex: %s: %w", m.Grant.Type, err)
	}
	id, _ := response.GetExtra("id_token").(string)
	return Tokens{AccessToken: response.GetAccessToken(), IDToken: id}, nil
}

// handle runs the first half of the handlers, as fosite's NewAccessRequest does after reading the request.
func handle(ctx context.Context, handlers fosite.TokenEndpointHandlers, request *fosite.AccessRequest) error {
	handled := false
	for _, h := range handlers {
		switch err := h.HandleTokenEndpointRequest(ctx, request); {
		case err == nil:
			handled = true
		case !errors.Is(err, fosite.ErrUnknownRequest):
			return err
		}
	}
	if !handled {
		return fosite.ErrUnknownRequest
	}
	return nil
}

func (e *Engine) handlers(x *exchange, m Mint) fosite.TokenEndpointHandlers {
	access := &oauth2.DefaultJWTStrategy{Signer: e.sign, HMACSHAStrategy: e.codes, Config: &e.base}
	var strategy oauth2.AccessTokenStrategy = access
	if m.Opaque != "" {
		strategy = preset(m.Opaque)
	}
	helper := &oauth2.HandleHelper{AccessTokenStrategy: strategy, AccessTokenStorage: x, Config: &e.base}
	var ids *openid.IDTokenHandleHelper
	if slices.Contains(m.Grant.Scopes, "openid") {
		ids = &openid.IDTokenHandleHelper{IDTokenStrategy: idTokens{signer{key: e.sign.key, alg: m.IDTokenAlg}}}
	}
	handlers := fosite.TokenEndpointHandlers{ // Append would drop the second one of a type
		e.authorizationCode(x, strategy),
		&oauth2.ClientCredentialsGrantHandler{HandleHelper: helper, Config: &e.base},
		decided{grantType: client.PreAuthorizedCode, access: helper},
		decided{grantType: client.RefreshToken, access: helper, id: ids},
	}
	if ids != nil {
		handlers = append(handlers, &openid.OpenIDConnectExplicitHandler{OpenIDConnectRequestStorage: x, Config: &e.base, IDTokenHandleHelper: ids})
	}
	return handlers
}

func (e *Engine) authorizationCode(x *exchange, access oauth2.AccessTokenStrategy) *oauth2.AuthorizeExplicitGrantHandler {
	return &oauth2.AuthorizeExplicitGrantHandler{
		AccessTokenStrategy: access, RefreshTokenStrategy: e.codes, AuthorizeCodeStrategy: e.codes, CoreStorage: x,
		TokenRevocationStorage: x, Config: &e.base,
	}
}

// request is a grant in fosite's words. The client carries only what the handlers look at.
func (e *Engine) request(g grant.Grant) fosite.Request {
	r := *fosite.NewRequest()
	r.ID = g.ID
	r.RequestedAt = g.CreatedAt
	r.Client = &fosite.DefaultClient{ID: g.ClientID, GrantTypes: fosite.Arguments{g.Type}, ResponseTypes: fosite.Arguments{"code"},
		Scopes: g.Scopes, Audience: g.Audience}
	r.SetRequestedScopes(fosite.Arguments(g.Scopes))
	r.Form.Set("redirect_uri", g.RedirectURI)
	r.Session = newSession(e.base.AccessTokenIssuer, Mint{Grant: g})
	return r
}
