package oidc

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/hufu-id/hufu/federation/upstream"
	"github.com/hufu-id/hufu/internal/jose"
)

// maxRequestURI bounds what a province may have us put into a browser's address.
const maxRequestURI = 512

// push hands our request to the province directly, so that neither the browser nor anybody behind it can read or change it
// (RFC 9126 section 2), and returns the reference to it.
func (c *Connector) push(ctx context.Context, m metadata, request url.Values) (string, error) {
	resp, err := c.post(ctx, m.PushedRequestEndpoint, request, holder{})
	if err != nil {
		return "", fmt.Errorf("pushed request: %w", err)
	}
	if resp.Status != http.StatusCreated {
		return "", fmt.Errorf("%w: PAR endpoint answered %d", upstream.ErrAnswer, resp.Status)
	}
	return parsePushed(resp.Body)
}

// parsePushed reads the answer of a PAR endpoint (section 2.2). The browser gets the reference, so it must be a plain URI.
func parsePushed(body []byte) (string, error) {
	var answer struct {
		RequestURI string `json:"request_uri"`
		ExpiresIn  int64  `json:"expires_in"`
	}
	if err := jose.DecodeStrict(body, &answer); err != nil {
		return "", fmt.Errorf("%w: pushed request: %w", upstream.ErrAnswer, err)
	}
	u, err := url.Parse(answer.RequestURI)
	if err != nil || !u.IsAbs() || len(answer.RequestURI) > maxRequestURI || strings.ContainsFunc(answer.RequestURI, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", fmt.Errorf("%w: pushed request without a request_uri", upstream.ErrAnswer)
	}
	if answer.ExpiresIn <= 0 {
		return "", fmt.Errorf("%w: pushed request has expired already", upstream.ErrAnswer)
	}
	return answer.RequestURI, nil
}
