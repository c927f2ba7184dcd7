package oidc

import (
	"context"
	"crypto/subtle"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/hufu-id/hufu/federation/upstream"
	"github.com/hufu-id/hufu/internal/jose"
)

// Finish checks the authorization response, exchanges the code and checks the id_token (OpenID Connect Core 3.1.2.5 to 3.1.3.8).
func (c *Connector) Finish(ctx context.Context, a upstream.Attempt, answer url.Values) (upstream.Assertion, error) {
	code, err := c.checkResponse(a, answer)
	if err != nil {
		return upstream.Assertion{}, err
	}
	m, err := c.metadata.get(ctx)
	if err != nil {
		return upstream.Assertion{}, err
	}
	if m.SendsIss && !answer.Has("iss") {
		return upstream.Assertion{}, fmt.Errorf("%w: iss of the response is missing, though the province says that it sends one", upstream.ErrAnswer)
	}
	h, err := c.newHolder()
	if err != nil {
		return upstream.Assertion{}, err
	}
	tokens, err := c.exchange(ctx, m, a, code, h)
	if err != nil {
		return upstream.Assertion{}, err
	}
	claims, assertion, err := c.checkIDToken(ctx, a, tokens)
	if err != nil {
		return upstream.Assertion{}, err
	}
	if err := c.addUserinfo(ctx, m, tokens, h, claims); err != nil {
		return upstream.Assertion{}, err
	}
	assertion.Claims = c.cfg.ClaimNames.read(claims)
	return assertion, nil
}

// checkResponse returns the code. The issuer is looked at first: what another server says, even an error, means nothing here
// (mix-up, RFC 9207 and RFC 9700 section 4.4).
func (c *Connector) checkResponse(a upstream.Attempt, answer url.Values) (string, error) {
	for name, values := range answer {
		if len(values) > 1 {
			return "", fmt.Errorf("%w: %q twice", upstream.ErrRequest, name)
		}
	}
	if a.Province != c.cfg.Province || subtle.ConstantTimeCompare([]byte(answer.Get("state")), []byte(a.State)) != 1 {
		return "", fmt.Errorf("%w: state", upstream.ErrRequest)
	}
	if iss, sent := answer["iss"]; sent && iss[0] != c.cfg.Issuer || !sent && !c.cfg.AllowMissingIssParam {
		return "", fmt.Errorf("%w: iss of the response", upstream.ErrAnswer)
	}
	switch answer.Get("error") {
	case "":
	case "server_error", "temporarily_unavailable":
		return "", fmt.Errorf("%w: error response", upstream.ErrUnavailable)
	case "access_denied", "login_required", "interaction_required", "consent_required", "account_selection_required",
		"unmet_authentication_requirements":
		return "", fmt.Errorf("%w: error response", upstream.ErrRefused)
	default:
		return "", fmt.Errorf("%w: error response", upstream.ErrAnswer)
	}
	code := answer.Get("code")
	if code == "" || len(code) > 2048 {
		return "", fmt.Errorf("%w: code", upstream.ErrRequest)
	}
	return code, nil
}

// tokens is a token response (RFC 6749 section 5.1).
type tokens struct {
	IDToken     string `json:"id_token"`
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	Error       string `json:"error"`
}

func (c *Connector) exchange(ctx context.Context, m metadata, a upstream.Attempt, code string, h holder) (tokens, error) {
	var t tokens
	resp, err := c.post(ctx, m.TokenEndpoint, url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {code},
		"redirect_uri":  {c.cfg.RedirectURI},
		"code_verifier": {a.Verifier},
	}, h)
	if err != nil {
		return t, fmt.Errorf("token: %w", err)
	}
	if err := jose.DecodeStrict(resp.Body, &t); err != nil {
		return t, fmt.Errorf("%w: token response: %w", upstream.ErrAnswer, err)
	}
	switch {
	case resp.Status != http.StatusOK && t.Error == "invalid_grant":
		return t, fmt.Errorf("%w: invalid_grant", upstream.ErrSpent)
	case resp.Status != http.StatusOK:
		return t, fmt.Errorf("%w: token endpoint answered %d", upstream.ErrAnswer, resp.Status)
	case t.IDToken == "" || !strings.EqualFold(t.TokenType, h.scheme()):
		// A bearer token where a bound one was asked for is a downgrade: whoever steals it could use it.
		return t, fmt.Errorf("%w: token response without id_token, or with a token that is not %s", upstream.ErrAnswer, h.scheme())
	}
	return t, nil
}
