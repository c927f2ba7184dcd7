package oidc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/hufu-id/hufu/federation/upstream"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
)

// metadata is what we use of a discovery document (OpenID Connect Discovery 1.0 section 3).
type metadata struct {
	Issuer                string       `json:"issuer"`
	AuthorizationEndpoint string       `json:"authorization_endpoint"`
	TokenEndpoint         string       `json:"token_endpoint"`
	JWKSURI               string       `json:"jwks_uri"`
	UserinfoEndpoint      string       `json:"userinfo_endpoint"`
	PushedRequestEndpoint string       `json:"pushed_authorization_request_endpoint"`
	ResponseTypes         []string     `json:"response_types_supported"`
	AuthMethods           []AuthMethod `json:"token_endpoint_auth_methods_supported"`
	ChallengeMethods      []string     `json:"code_challenge_methods_supported"`
	ProofAlgs             []jose.Alg   `json:"dpop_signing_alg_values_supported"`
	RequiresPushed        bool         `json:"require_pushed_authorization_requests"`
	SendsIss              bool         `json:"authorization_response_iss_parameter_supported"`
	BindsToCertificate    bool         `json:"tls_client_certificate_bound_access_tokens"`
	Aliases               struct {
		TokenEndpoint         string `json:"token_endpoint"`
		UserinfoEndpoint      string `json:"userinfo_endpoint"`
		PushedRequestEndpoint string `json:"pushed_authorization_request_endpoint"`
	} `json:"mtls_endpoint_aliases"`
}

func (c *Connector) fetchMetadata(ctx context.Context) (metadata, error) {
	var m metadata
	body, err := c.getJSON(ctx, strings.TrimSuffix(c.cfg.Issuer, "/")+"/.well-known/openid-configuration")
	if err != nil {
		return m, fmt.Errorf("discovery: %w", err)
	}
	if err := jose.DecodeStrict(body, &m); err != nil {
		return m, fmt.Errorf("%w: discovery: %w", upstream.ErrAnswer, err)
	}
	if c.cfg.Mutual() {
		// Where the province takes certificates (RFC 8705 section 5); elsewhere nobody would ask for ours.
		m.TokenEndpoint = cmp.Or(m.Aliases.TokenEndpoint, m.TokenEndpoint)
		m.UserinfoEndpoint = cmp.Or(m.Aliases.UserinfoEndpoint, m.UserinfoEndpoint)
		m.PushedRequestEndpoint = cmp.Or(m.Aliases.PushedRequestEndpoint, m.PushedRequestEndpoint)
	}
	return m, c.checkMetadata(m)
}

// checkMetadata pins the document to the configured issuer.
func (c *Connector) checkMetadata(m metadata) error {
	if m.Issuer != c.cfg.Issuer {
		return fmt.Errorf("%w: discovery names another issuer", upstream.ErrAnswer)
	}
	for name, raw := range map[string]string{"authorization_endpoint": m.AuthorizationEndpoint, "token_endpoint": m.TokenEndpoint, "jwks_uri": m.JWKSURI} {
		if err := c.endpoint(name, raw); err != nil {
			return err
		}
	}
	for name, raw := range map[string]string{"userinfo_endpoint": m.UserinfoEndpoint, "pushed_authorization_request_endpoint": m.PushedRequestEndpoint} {
		if raw == "" {
			continue
		}
		if err := c.endpoint(name, raw); err != nil {
			return err
		}
	}
	methods := m.AuthMethods
	if methods == nil {
		methods = []AuthMethod{ClientSecretBasic} // what absence means
	}
	switch {
	case !slices.Contains(m.ResponseTypes, "code"):
		return fmt.Errorf("%w: no authorization code flow", upstream.ErrAnswer)
	case !slices.Contains(methods, c.cfg.AuthMethod):
		return fmt.Errorf("%w: no %s", upstream.ErrAnswer, c.cfg.AuthMethod)
	case !slices.Contains(m.ChallengeMethods, "S256") && !(m.ChallengeMethods == nil && c.cfg.AllowUnlistedPKCE):
		return fmt.Errorf("%w: no PKCE with S256", upstream.ErrAnswer)
	case c.pushes(m) && m.PushedRequestEndpoint == "":
		return fmt.Errorf("%w: no PAR endpoint", upstream.ErrAnswer)
	case c.cfg.Binding == DPoP && !slices.Contains(m.ProofAlgs, jose.ES256):
		return fmt.Errorf("%w: no DPoP with ES256", upstream.ErrAnswer)
	case c.cfg.Binding == MTLS && !m.BindsToCertificate:
		return fmt.Errorf("%w: no tokens bound to certificates", upstream.ErrAnswer)
	}
	return nil
}

// pushes says whether our requests go to the province's PAR endpoint.
func (c *Connector) pushes(m metadata) bool { return c.cfg.Profile == FAPI2 || m.RequiresPushed }

func (c *Connector) fetchKeys(ctx context.Context) ([]jose.JWK, error) {
	m, err := c.metadata.get(ctx)
	if err != nil {
		return nil, err
	}
	body, err := c.getJSON(ctx, m.JWKSURI)
	if err != nil {
		return nil, fmt.Errorf("jwks: %w", err)
	}
	keys, err := jose.ParseJWKS(body)
	if err != nil {
		return nil, fmt.Errorf("%w: jwks: %w", upstream.ErrAnswer, err)
	}
	return keys, nil
}

// getJSON fetches a document through the breaker.
func (c *Connector) getJSON(ctx context.Context, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", upstream.ErrAnswer, err)
	}
	req.Header.Set("Accept", "application/json")
	resp, err := c.send(c.cfg.HTTP, req)
	if err != nil {
		return nil, err
	}
	if resp.Status != http.StatusOK {
		return nil, fmt.Errorf("%w: status %d", upstream.ErrAnswer, resp.Status)
	}
	return resp.Body, nil
}

// send sends a request through the breaker. Status 5xx and 429 are ErrUnavailable, like no answer or one that is too large:
// whatever it means, the province can't be used at the moment.
//
// A browser that hangs up doesn't end the request, which has a time limit of its own: it would count as a province that doesn't
// answer, and three callers who do so on purpose would close the province for everybody.
func (c *Connector) send(way HTTP, req *http.Request) (*httpx.Response, error) {
	req = req.WithContext(context.WithoutCancel(req.Context()))
	var resp *httpx.Response
	err := c.breaker.run(func() (err error) {
		if resp, err = way.Do(req); err != nil {
			return fmt.Errorf("%w: %w", upstream.ErrUnavailable, err)
		}
		if resp.Status >= 500 || resp.Status == http.StatusTooManyRequests {
			return fmt.Errorf("%w: status %d", upstream.ErrUnavailable, resp.Status)
		}
		return nil
	})
	if errors.Is(err, errOpen) {
		return nil, fmt.Errorf("%w: %w", upstream.ErrUnavailable, err)
	}
	return resp, err
}
