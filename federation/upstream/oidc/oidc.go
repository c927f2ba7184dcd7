// Package oidc is the connector to a province that is an OpenID Provider.
//
// Everything is pinned to the configured issuer: its discovery document must name it, and every endpoint must lie on its
// origin (or on one that was agreed and configured), because a document that names somebody else's token endpoint would
// hand codes and client assertions to him. Specs: OpenID Connect Core 1.0 and Discovery 1.0, RFC 7636, 7523, 9207, 9700; with the
// profile FAPI2 the FAPI 2.0 Security Profile's rules for clients, RFC 9126, and 9449 or 8705.
package oidc

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hufu-id/hufu/federation/upstream"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
)

// HTTP is the one safe way out (httpx.Client): guarded addresses, no redirects, bounded time and size. An error means that no
// usable answer came. Safe for concurrent use.
type HTTP interface {
	Do(req *http.Request) (*httpx.Response, error)
}

// liveFor is how long a province that answered is taken to be up.
const liveFor = 10 * time.Second

// Connector is the upstream.Connector of one province. Safe for concurrent use.
type Connector struct {
	cfg      Config
	origins  []string // that endpoints may lie on; the issuer's first
	breaker  *breaker
	live     *cache[metadata] // of the last seconds: Start must not send people to a province that is down
	metadata *cache[metadata]
	keys     *cache[[]jose.JWK]

	serverNonce, resourceNonce nonce // for DPoP proofs
}

var _ upstream.Connector = (*Connector)(nil)

// New checks the configuration and asks nobody: a province that is down must not stop the national server from starting.
// Errors wrap ErrConfig.
func New(cfg Config) (*Connector, error) {
	if err := cfg.Check(); err != nil {
		return nil, err
	}
	cfg.defaults()
	if cfg.HTTP == nil || cfg.AuthMethod == PrivateKeyJWT && cfg.Signer == nil || cfg.Mutual() && cfg.Certified == nil {
		return nil, fmt.Errorf("%w: province %s needs a signer or a certificate, and a way out", ErrConfig, cfg.Province)
	}
	issuer, _ := url.Parse(cfg.Issuer)
	c := &Connector{cfg: cfg, origins: append([]string{origin(issuer)}, cfg.ForeignOrigins...), breaker: newBreaker(cfg.Now)}
	c.live = newCache(c.fetchMetadata, cfg.Now, liveFor, 0)
	c.live.gap = retryGap
	c.metadata = newCache(c.fetchMetadata, cfg.Now, cfg.DiscoveryTTL, 24*time.Hour)
	c.keys = newCache(c.fetchKeys, cfg.Now, cfg.JWKSTTL, time.Hour)
	return c, nil
}

// Origin returns scheme, host and port of the province's issuer, for the Content-Security-Policy of a page that leads there.
func (c *Connector) Origin() string { return c.origins[0] }

// State returns how the province has been doing; it asks nobody.
func (c *Connector) State() upstream.State { return c.breaker.state() }

// checkURL accepts an absolute https URL (http too when allowed) without user information and fragment.
func checkURL(raw string, allowHTTP bool) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, errors.New("not a URL")
	}
	switch {
	case u.Scheme != "https" && !(allowHTTP && u.Scheme == "http"):
		return nil, errors.New("not https")
	case u.Host == "" || u.User != nil || u.Fragment != "" || u.Opaque != "" || strings.HasSuffix(u.Hostname(), "."):
		return nil, errors.New("not a plain URL")
	}
	return u, nil
}

func origin(u *url.URL) string { return u.Scheme + "://" + strings.ToLower(u.Host) }

// endpoint checks that a URL of the discovery document belongs to the province.
func (c *Connector) endpoint(name, raw string) error {
	u, err := checkURL(raw, c.cfg.AllowHTTP)
	if err != nil {
		return fmt.Errorf("%w: %s is %w", upstream.ErrAnswer, name, err)
	}
	if !slices.Contains(c.origins, origin(u)) {
		return fmt.Errorf("%w: %s does not belong to the issuer", upstream.ErrAnswer, name)
	}
	return nil
}
