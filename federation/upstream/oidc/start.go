package oidc

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/hufu-id/hufu/federation/upstream"
)

// Start returns the address of the province's authorization endpoint with our request (OpenID Connect Core 3.1.2.1), or with the
// reference to it that the province gave us (RFC 9126). It makes sure that the province answers at all: a person sent to a server
// that is down has no way back.
func (c *Connector) Start(ctx context.Context, a upstream.Attempt, o upstream.StartOptions) (string, error) {
	if a.Province != c.cfg.Province || len(a.State) < 22 || len(a.Nonce) < 22 || len(a.Verifier) < 43 {
		return "", fmt.Errorf("%w: attempt is not one for %s", upstream.ErrRequest, c.cfg.Province)
	}
	if c.breaker.state().Down {
		return "", fmt.Errorf("%w: %w", upstream.ErrUnavailable, errOpen)
	}
	m, err := c.live.get(ctx)
	if err != nil {
		return "", err
	}
	c.metadata.put(m)
	u, err := url.Parse(m.AuthorizationEndpoint)
	if err != nil {
		return "", fmt.Errorf("%w: authorization_endpoint", upstream.ErrAnswer)
	}
	request := c.request(a, o)
	if c.pushes(m) {
		reference, err := c.push(ctx, m, request)
		if err != nil {
			return "", err
		}
		request = url.Values{"client_id": {c.cfg.ClientID}, "request_uri": {reference}}
	}
	q := u.Query()
	maps.Copy(q, request)
	u.RawQuery = q.Encode()
	return u.String(), nil
}

// request is our authorization request.
func (c *Connector) request(a upstream.Attempt, o upstream.StartOptions) url.Values {
	challenge := sha256.Sum256([]byte(a.Verifier))
	q := url.Values{}
	for k, v := range map[string]string{
		"response_type":         "code",
		"client_id":             c.cfg.ClientID,
		"redirect_uri":          c.cfg.RedirectURI,
		"scope":                 strings.Join(c.cfg.Scopes, " "),
		"state":                 a.State,
		"nonce":                 a.Nonce,
		"code_challenge":        base64.RawURLEncoding.EncodeToString(challenge[:]),
		"code_challenge_method": "S256",
	} {
		q.Set(k, v)
	}
	if acr := c.acrValues(o.Level); acr != "" {
		q.Set("acr_values", acr)
	}
	if o.Language != "" {
		q.Set("ui_locales", o.Language)
	}
	if a.Fresh {
		q.Set("prompt", "login")
		q.Set("max_age", "0")
	}
	return q
}

// acrValues lists the province's words for the level and above, lowest first: it is asked for what the service needs, and
// not for more.
func (c *Connector) acrValues(need upstream.Level) string {
	if need == upstream.LevelNone {
		return ""
	}
	var words []string
	for word, level := range c.cfg.Levels {
		if level >= need {
			words = append(words, word)
		}
	}
	slices.SortFunc(words, func(x, y string) int {
		return cmp.Or(cmp.Compare(c.cfg.Levels[x], c.cfg.Levels[y]), strings.Compare(x, y))
	})
	return strings.Join(words, " ")
}
