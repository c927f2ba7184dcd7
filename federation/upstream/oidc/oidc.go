// Package oidc is the connector to a province that is an OpenID Provider.
//
// Everything is pinned to the configured issuer: its discovery document must name it, and every endpoint must lie on its
// origin (or on one that was agreed and configured), because a document that names somebody else's token endpoint would
// hand codes and client assertions to him. Specs: OpenID Connect Core 1.0 and Discovery 1.0, RFC 7636, 7523, 9207, 9700.
package oidc

import (
	"context"
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

// ErrConfig is what New's refusals wrap.
var ErrConfig = errors.New("oidc: configuration")

// HTTP is the one safe way out (httpx.Client): guarded addresses, no redirects, bounded time and size. An error means that no
// usable answer came. Safe for concurrent use.
type HTTP interface {
	Do(req *http.Request) (*httpx.Response, error)
}

// Config describes one province. The zero value of every option is the strict one.
type Config struct {
	Province    string // six digits
	Issuer      string // exact issuer identifier; https unless AllowHTTP
	ClientID    string // our identifier at the province
	RedirectURI string // our callback for this province and no other

	// Signer signs our client assertions (private_key_jwt) towards this province; one key per province, so that an
	// assertion taken by one is worthless at another.
	Signer func(ctx context.Context) (jose.SigningKey, error)
	HTTP   HTTP

	// Levels maps the province's acr values to national levels, word by word as agreed when it joined. A value that is not
	// listed, or none at all, counts as loa1: a province cannot raise somebody by inventing a word.
	Levels map[string]upstream.Level

	Scopes         []string   // default openid, profile, phone, resident_id
	Algs           []jose.Alg // accepted for id_tokens; default ES256, ES384, PS256, RS256, EdDSA
	ClaimNames     ClaimNames // where the province's names differ from ours
	ForeignOrigins []string   // further origins that its endpoints may lie on

	AllowHTTP             bool // `hufu dev` only: loopback provinces without TLS
	AllowMissingIssParam  bool // an old province that can't send `iss` in its response (RFC 9207)
	AllowAudienceList     bool // a province that writes `aud` as a list; it must then hold us and nobody else
	Now                   func() time.Time
	MaxAge                time.Duration // of id_tokens by iat; default 10 min
	Leeway                time.Duration // clock difference; default 60 s
	DiscoveryTTL, JWKSTTL time.Duration // default 1 h and 15 min
}

// ClaimNames names the claims of a province; an empty name means the usual one.
type ClaimNames struct{ Name, Birthdate, Gender, PhoneNumber, ResidentID string }

func (n ClaimNames) withDefaults() ClaimNames {
	for _, f := range []struct {
		to    *string
		usual string
	}{{&n.Name, "name"}, {&n.Birthdate, "birthdate"}, {&n.Gender, "gender"}, {&n.PhoneNumber, "phone_number"}, {&n.ResidentID, "resident_id"}} {
		if *f.to == "" {
			*f.to = f.usual
		}
	}
	return n
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
}

var _ upstream.Connector = (*Connector)(nil)

// New checks the configuration and asks nobody: a province that is down must not stop the national server from starting.
// Errors wrap ErrConfig. An empty issuer, client id or redirect URI is refused, since each is an expected value of a check.
func New(cfg Config) (*Connector, error) {
	issuer, err := checkURL(cfg.Issuer, cfg.AllowHTTP)
	if err != nil || issuer.RawQuery != "" {
		return nil, fmt.Errorf("%w: issuer of %s is no https URL", ErrConfig, cfg.Province)
	}
	if redirect, err := url.Parse(cfg.RedirectURI); err != nil || !redirect.IsAbs() || cfg.ClientID == "" || len(cfg.Province) != 6 {
		return nil, fmt.Errorf("%w: province %s needs its code, a client id and a redirect URI", ErrConfig, cfg.Province)
	}
	if cfg.Signer == nil || cfg.HTTP == nil || len(cfg.Levels) == 0 {
		return nil, fmt.Errorf("%w: province %s needs a signer, a way out and its table of levels", ErrConfig, cfg.Province)
	}
	cfg.defaults()
	c := &Connector{cfg: cfg, origins: append([]string{origin(issuer)}, cfg.ForeignOrigins...), breaker: newBreaker(cfg.Now)}
	c.live = newCache(c.fetchMetadata, cfg.Now, liveFor, 0)
	c.live.gap = retryGap
	c.metadata = newCache(c.fetchMetadata, cfg.Now, cfg.DiscoveryTTL, 24*time.Hour)
	c.keys = newCache(c.fetchKeys, cfg.Now, cfg.JWKSTTL, time.Hour)
	return c, nil
}

func (cfg *Config) defaults() {
	if len(cfg.Scopes) == 0 {
		cfg.Scopes = []string{"openid", "profile", "phone", "resident_id"}
	}
	if len(cfg.Algs) == 0 {
		cfg.Algs = []jose.Alg{jose.ES256, jose.ES384, jose.PS256, jose.RS256, jose.EdDSA}
	}
	cfg.ClaimNames = cfg.ClaimNames.withDefaults()
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	for _, d := range []struct {
		to    *time.Duration
		usual time.Duration
	}{{&cfg.MaxAge, 10 * time.Minute}, {&cfg.Leeway, time.Minute}, {&cfg.DiscoveryTTL, time.Hour}, {&cfg.JWKSTTL, 15 * time.Minute}} {
		if *d.to == 0 {
			*d.to = d.usual
		}
	}
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
