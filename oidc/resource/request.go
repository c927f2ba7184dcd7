package resource

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hufu-id/hufu/oidc/dpop"
)

// Schemes of the Authorization header; they compare without regard to case (RFC 9110 section 11.1).
const (
	schemeBearer = "Bearer"
	schemeDPoP   = "DPoP"
)

// maxToken is how long a token may be.
const maxToken = 16 << 10

// credentials are what a request brings along.
type credentials struct{ scheme, token string }

// credentialsOf finds the one token of a request. It is never taken from the query, which ends up in logs and histories; nor from the body, which belongs to the API.
func credentialsOf(r *http.Request) (credentials, error) {
	if _, ok := r.URL.Query()["access_token"]; ok {
		return credentials{}, refuse(http.StatusBadRequest, invalidRequest, "send the token in the Authorization header, not in the query")
	}
	headers := r.Header.Values("Authorization")
	switch len(headers) {
	case 0:
		return credentials{}, errNothing
	case 1:
	default:
		return credentials{}, refuse(http.StatusBadRequest, invalidRequest, "send one Authorization header")
	}
	name, token, _ := strings.Cut(headers[0], " ")
	c := credentials{token: strings.TrimSpace(token)}
	for _, scheme := range []string{schemeBearer, schemeDPoP} {
		if strings.EqualFold(name, scheme) {
			c.scheme = scheme
		}
	}
	switch {
	case c.scheme == "":
		return credentials{}, errNothing
	case len(c.token) > maxToken || !token68(c.token):
		return c, refuse(http.StatusUnauthorized, invalidToken, "the access token is malformed")
	}
	return c, nil
}

// token68 is the form of tokens in a header (RFC 9110 section 11.2).
func token68(s string) bool {
	s = strings.TrimRight(s, "=")
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && !strings.ContainsRune("-._~+/", r)
	})
}

// shown checks that the request shows what the token is bound to, and returns the proof to use up, if there is one.
func (g *Guard) shown(r *http.Request, sent credentials, t Token, now time.Time) (*dpop.Proof, error) {
	if t.CertificateThumbprint != "" && g.certificate(r) != t.CertificateThumbprint {
		return nil, refuse(http.StatusUnauthorized, invalidToken, "the token is bound to a certificate that this connection doesn't use")
	}
	switch {
	case t.JKT == "" && sent.scheme == schemeDPoP: // what looks protected must be (RFC 9449 section 7.1)
		return nil, refuse(http.StatusUnauthorized, invalidToken, "the token is not bound to a key; send it as Bearer")
	case t.JKT == "":
		return nil, nil
	case sent.scheme != schemeDPoP: // a thief has the token, not the key
		return nil, refuse(http.StatusUnauthorized, invalidToken, "the token is bound to a key; send it as DPoP, with a proof")
	}
	proof, err := dpop.Verify(r.Header.Values(dpop.Header), dpop.Expect{Method: r.Method, URL: g.url(r), AccessToken: sent.token, At: now,
		Nonces: g.cfg.Nonces, RequireNonce: g.cfg.Nonces != nil})
	switch {
	case errors.Is(err, dpop.ErrUseNonce):
		return nil, because(http.StatusUnauthorized, useNonce, "repeat the request with the nonce of the DPoP-Nonce header in the proof", err)
	case errors.Is(err, dpop.ErrMissing):
		return nil, because(http.StatusUnauthorized, invalidProof, "the DPoP header is missing", err)
	case err != nil:
		return nil, because(http.StatusUnauthorized, invalidProof, "the DPoP proof is not one for this request and token", err)
	case proof.Thumbprint() != t.JKT:
		return nil, refuse(http.StatusUnauthorized, invalidProof, "the DPoP proof is of another key than the token is bound to")
	}
	return &proof, nil
}

// useUp claims the proof's id. It is hashed: a jti may hold bytes that no database takes as text.
func (g *Guard) useUp(ctx context.Context, p dpop.Proof) error {
	sum := sha256.Sum256([]byte(p.ReplayID()))
	err := g.cfg.Replay(ctx, base64.RawURLEncoding.EncodeToString(sum[:]), p.Expires())
	if errors.Is(err, ErrReplayed) {
		return because(http.StatusUnauthorized, invalidProof, "the DPoP proof was used before", err)
	}
	if err != nil {
		return fmt.Errorf("use up a proof: %w", err)
	}
	return nil
}

// url is the request's URL as the client sees it. RequestURI, because a router may have cut a prefix from URL.
func (g *Guard) url(r *http.Request) string {
	u, err := url.ParseRequestURI(r.RequestURI)
	if err != nil {
		u = r.URL
	}
	if g.cfg.BaseURL != "" {
		return g.cfg.BaseURL + u.EscapedPath()
	}
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return scheme + "://" + r.Host + u.EscapedPath()
}

// certificate is the thumbprint of the client's certificate (RFC 8705 section 3.1), or "". It proves possession because TLS has; who issued it doesn't matter.
func (g *Guard) certificate(r *http.Request) string {
	var c *x509.Certificate
	switch {
	case g.cfg.Certificate != nil:
		c = g.cfg.Certificate(r)
	case r.TLS != nil && len(r.TLS.PeerCertificates) > 0:
		c = r.TLS.PeerCertificates[0]
	}
	if c == nil {
		return ""
	}
	sum := sha256.Sum256(c.Raw)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}
