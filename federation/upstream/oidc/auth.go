package oidc

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
)

// AuthMethod is how we prove to a province who we are (OpenID Connect Core 1.0 section 9).
type AuthMethod string

// The methods that we know, by their registered names.
const (
	PrivateKeyJWT     AuthMethod = "private_key_jwt" // the default: nothing that a province's leak could give away
	ClientSecretBasic AuthMethod = "client_secret_basic"
	ClientSecretPost  AuthMethod = "client_secret_post"
	// The certificate in the TLS connection says who we are (RFC 8705 section 2).
	TLSClientAuth           AuthMethod = "tls_client_auth"
	SelfSignedTLSClientAuth AuthMethod = "self_signed_tls_client_auth"
)

// secret says whether the method needs one.
func (m AuthMethod) secret() bool { return m == ClientSecretBasic || m == ClientSecretPost }

const (
	// assertionLife is how long our client assertions are good for.
	assertionLife = time.Minute
	// minSecret is the shortest client secret in bytes that New takes: it is sent to nobody but the province, but it has to be
	// beyond guessing there.
	minSecret = 16
)

// authenticate adds to a request for the token or the PAR endpoint who we are. It is called anew for every try: an assertion is
// good for one.
func (c *Connector) authenticate(ctx context.Context, header http.Header, form url.Values) error {
	switch c.cfg.AuthMethod {
	case ClientSecretBasic:
		// Both are form-encoded first (RFC 6749 section 2.3.1): a colon in the identifier would move the boundary.
		req := http.Request{Header: header}
		req.SetBasicAuth(url.QueryEscape(c.cfg.ClientID), url.QueryEscape(c.cfg.Secret))
	case ClientSecretPost:
		form.Set("client_id", c.cfg.ClientID)
		form.Set("client_secret", c.cfg.Secret)
	case TLSClientAuth, SelfSignedTLSClientAuth:
		form.Set("client_id", c.cfg.ClientID)
	default:
		assertion, err := c.clientAssertion(ctx)
		if err != nil {
			return err
		}
		form.Set("client_id", c.cfg.ClientID)
		form.Set("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
		form.Set("client_assertion", assertion)
	}
	return nil
}

// clientAssertion authenticates us (RFC 7523 section 3). Its only audience is the province's issuer: an assertion for a token
// endpoint URL, or for several parties, could be replayed by one province at another.
func (c *Connector) clientAssertion(ctx context.Context) (string, error) {
	key, err := c.cfg.Signer(ctx)
	if err != nil {
		return "", fmt.Errorf("oidc: our key towards %s: %w", c.cfg.Province, err)
	}
	now := c.cfg.Now()
	return jose.SignJSON(key, jose.Header{Typ: "client-authentication+jwt"}, map[string]any{
		"iss": c.cfg.ClientID, "sub": c.cfg.ClientID, "aud": c.cfg.Issuer, "jti": rand.Text(),
		"iat": now.Unix(), "exp": now.Add(assertionLife).Unix(),
	})
}
