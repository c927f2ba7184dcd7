package fositex

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/openid"
	"github.com/ory/fosite/token/jwt"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc/grant"
)

// session carries the claims of both tokens, fixed when it is made.
type session struct {
	access  jwt.JWTClaims
	id      jwt.IDTokenClaims
	headers jwt.Headers
	expires time.Time
}

var (
	_ openid.Session             = (*session)(nil)
	_ oauth2.JWTSessionContainer = (*session)(nil)
)

func newSession(issuer string, m Mint) *session {
	g := m.Grant
	access := jwt.JWTClaims{Subject: g.Subject, Issuer: issuer, JTI: m.JTI, IssuedAt: m.IssuedAt,
		Extra: map[string]any{grant.GrantClaim: g.ID}}
	if g.ClientID != "" {
		access.Extra["client_id"] = g.ClientID
	}
	if !g.AuthTime.IsZero() {
		access.Extra["auth_time"], access.Extra["acr"] = g.AuthTime.Unix(), g.ACR
		if len(g.AMR) > 0 {
			access.Extra["amr"] = g.AMR
		}
	}
	switch {
	case m.JKT != "":
		access.Extra["cnf"] = map[string]any{"jkt": m.JKT} // RFC 9449 section 6.1
	case m.CertThumbprint != "":
		access.Extra["cnf"] = map[string]any{"x5t#S256": m.CertThumbprint} // RFC 8705 section 3.1
	}
	if len(g.Details) > 0 {
		access.Extra["authorization_details"] = g.Details // RFC 9396 section 9.1
	}
	id := jwt.IDTokenClaims{Issuer: issuer, Subject: g.Subject, Nonce: g.Nonce, IssuedAt: m.IssuedAt, ExpiresAt: m.IDTokenExpires,
		AuthTime: g.AuthTime, AuthenticationContextClassReference: g.ACR, AuthenticationMethodsReferences: g.AMR}
	id.Extra = map[string]any{}
	for name, value := range m.IDTokenValues {
		id.Extra[name] = value
	}
	if g.SessionID != "" {
		id.Extra["sid"] = g.SessionID
	}
	// fosite chooses the hash of at_hash by this header.
	return &session{access: access, id: id, headers: jwt.Headers{Extra: map[string]any{"alg": string(m.IDTokenAlg)}}, expires: m.ExpiresAt}
}

// GetJWTClaims returns a copy: fosite writes scopes, audience and expiry into it.
func (s *session) GetJWTClaims() jwt.JWTClaimsContainer {
	c := s.access
	return &c
}

func (s *session) GetJWTHeader() *jwt.Headers {
	return &jwt.Headers{Extra: map[string]any{"typ": grant.Type}}
}

func (s *session) IDTokenClaims() *jwt.IDTokenClaims { return &s.id }
func (s *session) IDTokenHeaders() *jwt.Headers      { return &s.headers }

// SetExpiresAt ignores what handlers read from the wall clock: the times were recorded before.
func (s *session) SetExpiresAt(fosite.TokenType, time.Time) {}

// GetExpiresAt of a code is far away, because its expiry is part of the statement that claimed it.
func (s *session) GetExpiresAt(key fosite.TokenType) time.Time {
	if key == fosite.AccessToken {
		return s.expires
	}
	return time.Unix(1<<40, 0)
}

func (s *session) GetUsername() string { return "" }
func (s *session) GetSubject() string  { return s.access.Subject }

func (s *session) Clone() fosite.Session {
	c := *s
	return &c
}

// preset is an access token that was made before fosite is asked.
type preset string

func (p preset) AccessTokenSignature(context.Context, string) string { return string(p) }
func (p preset) GenerateAccessToken(context.Context, fosite.Requester) (string, string, error) {
	return string(p), string(p), nil
}
func (p preset) ValidateAccessToken(context.Context, fosite.Requester, string) error {
	return errNoVerify
}

// idTokens lays out ID tokens (OpenID Connect Core section 2). aud is one string, so azp is never needed; scope claims are told
// by userinfo only.
type idTokens struct{ sign signer }

func (t idTokens) GenerateIDToken(ctx context.Context, _ time.Duration, request fosite.Requester) (string, error) {
	s, ok := request.GetSession().(*session)
	if !ok || s.id.Subject == "" || s.id.AuthTime.IsZero() || s.id.ExpiresAt.IsZero() {
		return "", errors.New("fositex: the ID token lacks a fact")
	}
	claims := s.id.ToMap()
	claims["aud"] = request.GetClient().GetID()
	delete(claims, "jti")
	token, _, err := t.sign.Generate(ctx, claims, &jwt.Headers{Extra: map[string]any{"typ": "JWT"}})
	return token, err
}

// decided is a grant type about which there is nothing left to ask: the pre-authorized code of OpenID4VCI section 6, which the credential
// issuer redeemed, and the refresh token, which is ours alone (oidc/token). fosite's own refresh handler wants a stored token to rotate.
type decided struct {
	grantType string
	access    *oauth2.HandleHelper
	id        *openid.IDTokenHandleHelper // nil when there is no ID token
}

func (d decided) CanSkipClientAuth(context.Context, fosite.AccessRequester) bool { return true }

func (d decided) CanHandleTokenEndpointRequest(_ context.Context, r fosite.AccessRequester) bool {
	return r.GetGrantTypes().ExactOne(d.grantType)
}

func (d decided) HandleTokenEndpointRequest(ctx context.Context, r fosite.AccessRequester) error {
	if !d.CanHandleTokenEndpointRequest(ctx, r) {
		return fosite.ErrUnknownRequest
	}
	return nil
}

func (d decided) PopulateTokenEndpointResponse(ctx context.Context, r fosite.AccessRequester, resp fosite.AccessResponder) error {
	if !d.CanHandleTokenEndpointRequest(ctx, r) {
		return fosite.ErrUnknownRequest
	}
	if _, err := d.access.IssueAccessToken(ctx, time.Minute, r, resp); err != nil || d.id == nil {
		return err
	}
	s, ok := r.GetSession().(*session)
	if !ok {
		return errors.New("fositex: not a session of ours")
	}
	s.id.AccessTokenHash = d.id.GetAccessTokenHash(ctx, r, resp)
	return d.id.IssueExplicitIDToken(ctx, time.Minute, r, resp)
}

// signer signs fosite's claims with our key, through internal/jose. It never verifies: tokens are checked by grant.Verifier.
type signer struct {
	key func(ctx context.Context, alg jose.Alg) (jose.SigningKey, error)
	alg jose.Alg
}

var _ jwt.Signer = signer{}

var errNoVerify = errors.New("fositex: the engine does not verify")

func (s signer) Generate(ctx context.Context, claims jwt.MapClaims, header jwt.Mapper) (string, string, error) {
	key, err := s.key(ctx, s.alg)
	if err != nil {
		return "", "", err
	}
	typ, _ := header.ToMap()["typ"].(string)
	if key.Alg != s.alg || typ == "" {
		return "", "", errors.New("fositex: a token has a type, and the key its algorithm")
	}
	token, err := jose.SignJSON(key, jose.Header{Typ: typ}, map[string]any(claims))
	if err != nil {
		return "", "", err
	}
	return token, token[strings.LastIndexByte(token, '.')+1:], nil
}

func (s signer) Validate(context.Context, string) (string, error)   { return "", errNoVerify }
func (s signer) Hash(context.Context, []byte) ([]byte, error)       { return nil, errNoVerify }
func (s signer) Decode(context.Context, string) (*jwt.Token, error) { return nil, errNoVerify }
func (s signer) GetSignature(_ context.Context, token string) (string, error) {
	return token[strings.LastIndexByte(token, '.')+1:], nil
}
func (s signer) GetSigningMethodLength(context.Context) int { return 32 }
