package fositex

import (
	"context"

	"github.com/ory/fosite"
	"github.com/ory/fosite/handler/oauth2"
	"github.com/ory/fosite/handler/openid"

	"github.com/hufu-id/hufu/oidc/grant"
)

// exchange is fosite's storage for one request. It reads nothing and writes nothing: the grant in it was claimed, and recorded as
// issuing tokens, before fosite was asked.
type exchange struct {
	grant   grant.Grant
	request fosite.Requester
	code    string // signature of the code that was made
	spent   bool
}

var (
	_ oauth2.CoreStorage                 = (*exchange)(nil)
	_ oauth2.TokenRevocationStorage      = (*exchange)(nil)
	_ openid.OpenIDConnectRequestStorage = (*exchange)(nil)
)

func (x *exchange) CreateAuthorizeCodeSession(_ context.Context, signature string, _ fosite.Requester) error {
	x.code = signature
	return nil
}

// GetAuthorizeCodeSession answers with the claimed grant, and only for its own code. fosite asks twice; both times it gets the same fresh
// request and never what a caller put into the session passed in.
func (x *exchange) GetAuthorizeCodeSession(_ context.Context, signature string, _ fosite.Session) (fosite.Requester, error) {
	if x.request == nil || signature == "" || signature != x.grant.CodeSignature || x.spent {
		return nil, fosite.ErrNotFound
	}
	return x.request, nil
}

func (x *exchange) InvalidateAuthorizeCodeSession(_ context.Context, signature string) error {
	if x.spent || signature != x.grant.CodeSignature {
		return fosite.ErrNotFound
	}
	x.spent = true
	return nil
}

func (x *exchange) CreateAccessTokenSession(context.Context, string, fosite.Requester) error {
	return nil // the grant row is the token's session
}

func (x *exchange) GetAccessTokenSession(context.Context, string, fosite.Session) (fosite.Requester, error) {
	return nil, fosite.ErrNotFound
}

func (x *exchange) DeleteAccessTokenSession(context.Context, string) error { return fosite.ErrNotFound }

func (x *exchange) CreateOpenIDConnectSession(context.Context, string, fosite.Requester) error {
	return fosite.ErrNotFound // never asked: the ID token's facts stand in the grant
}

func (x *exchange) GetOpenIDConnectSession(context.Context, string, fosite.Requester) (fosite.Requester, error) {
	return x.request, nil
}

func (x *exchange) DeleteOpenIDConnectSession(context.Context, string) error { return nil }

// Refresh tokens are not this engine's (grant.RefreshTokens); a handler that tries to make one fails.
func (x *exchange) CreateRefreshTokenSession(context.Context, string, string, fosite.Requester) error {
	return fosite.ErrServerError
}

func (x *exchange) GetRefreshTokenSession(context.Context, string, fosite.Session) (fosite.Requester, error) {
	return nil, fosite.ErrNotFound
}

func (x *exchange) DeleteRefreshTokenSession(context.Context, string) error {
	return fosite.ErrNotFound
}

func (x *exchange) RotateRefreshToken(context.Context, string, string) error {
	return fosite.ErrNotFound
}

func (x *exchange) RevokeRefreshToken(context.Context, string) error { return fosite.ErrNotFound }
func (x *exchange) RevokeAccessToken(context.Context, string) error  { return fosite.ErrNotFound }
