// Package oidc is the connector to a province that is an OpenID Provider.
//
// Everything is pinned to the configured issuer: its discovery document must name it, and every endpoint must lie on its
// origin (or on one that was agreed and configured), because a document that names somebody else's token endpoint would
// hand codes and client assertions to him. Specs: OpenID Connect Core 1.0 and Discovery 1.0, RFC 7636, 7523, 9207, 9700; with the
// profile FAPI2 the FAPI 2.0 Security Profile's rules for clients, RFC 9126, and 9449 or 8705.
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

// Profile is how strict the exchange with a province is, as agreed when it joined.
type Profile string

// The profiles.
const (
	// Core is OpenID Connect Core with PKCE, and PAR where the province requires it. It is the default.
	Core Profile = "core"
	// FAPI2 is the FAPI 2.0 Security Profile: PAR, private_key_jwt or a client certificate, bound tokens, `iss` in the response,
	// and id_tokens by ES256, PS256 or EdDSA. Nothing may be allowed that it forbids.
	FAPI2 Profile = "fapi2"
)

// Binding is what a province binds access tokens to, so that a stolen one is worthless.
type Binding string

// The bindings. Without one tokens are bearer tokens, which is the default of Core; that of FAPI2 is DPoP.
const (
	DPoP Binding = "dpop" // a key of ours for each login (RFC 9449)
	MTLS Binding = "mtls" // our client certificate (RFC 8705 section 3)
)

// Config describes one province. The zero value of every option is the strict one.
type Config struct {
	Profile     Profile
	Province    string // six digits
	Issuer      string // exact issuer identifier; https unless AllowHTTP
	ClientID    string // our identifier at the province
	RedirectURI string // our callback for this province and no other

	// AuthMethod is how we authenticate; the secret is for the two methods that need one.
	AuthMethod AuthMethod
	Secret     string
	// Signer signs our client assertions (private_key_jwt) towards this province; one key per province, so that an
	// assertion taken by one is worthless at another.
	Signer  func(ctx context.Context) (jose.SigningKey, error)
	Binding Binding
	HTTP    HTTP
	// Certified is HTTP with our client certificate; needed for its methods of authentication and for MTLS.
	Certified HTTP

	// Levels maps the province's acr values to national levels, word by word as agreed when it joined. A value that is not
	// listed, or none at all, counts as loa1: a province cannot raise somebody by inventing a word.
	Levels map[string]upstream.Level

	Scopes         []string   // default openid, profile, phone, resident_id
	Algs           []jose.Alg // accepted for id_tokens and userinfo; default ES256, ES384, PS256, RS256, EdDSA
	ClaimNames     ClaimNames // where the province's names differ from ours
	ForeignOrigins []string   // further origins that its endpoints may lie on

	AllowHTTP             bool // `hufu dev` only: loopback provinces without TLS
	AllowMissingIssParam  bool // an old province that can't send `iss` in its response (RFC 9207)
	AllowAudienceList     bool // a province that writes `aud` as a list; it must then hold us and nobody else (FAPI2: always)
	AllowUnlistedPKCE     bool // an old province that doesn't say whether it knows PKCE; it is sent the challenge all the same
	SignedUserinfo        bool // its userinfo is signed, and nothing else is believed
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

// Check looks at everything that an operator writes; the signer and the way out are New's to check. Errors wrap ErrConfig. An empty
// issuer, client id or redirect URI is refused, since each is an expected value of a check.
func (cfg Config) Check() error {
	refuse := func(format string, args ...any) error {
		return fmt.Errorf("%w: province %s: %s", ErrConfig, cfg.Province, fmt.Sprintf(format, args...))
	}
	cfg.defaults()
	if issuer, err := checkURL(cfg.Issuer, cfg.AllowHTTP); err != nil || issuer.RawQuery != "" {
		return refuse("issuer %q is no https URL", cfg.Issuer)
	}
	redirect, err := url.Parse(cfg.RedirectURI)
	switch {
	case err != nil || !redirect.IsAbs() || cfg.ClientID == "" || len(cfg.Province) != 6:
		return refuse("its code, a client id and a redirect URI are needed")
	case len(cfg.Levels) == 0:
		return refuse("its table of levels is needed")
	case cfg.Profile != Core && cfg.Profile != FAPI2:
		return refuse("profile %q is neither core nor fapi2", cfg.Profile)
	case !slices.Contains([]AuthMethod{PrivateKeyJWT, ClientSecretBasic, ClientSecretPost, TLSClientAuth, SelfSignedTLSClientAuth}, cfg.AuthMethod):
		return refuse("authentication method %q is not known", cfg.AuthMethod)
	case cfg.Binding != "" && cfg.Binding != DPoP && cfg.Binding != MTLS:
		return refuse("binding %q is neither dpop nor mtls", cfg.Binding)
	case cfg.AuthMethod.secret() != (cfg.Secret != ""):
		return refuse("a secret belongs to client_secret_basic and client_secret_post, and only to them")
	case cfg.Secret != "" && len(cfg.Secret) < minSecret:
		return refuse("the secret is shorter than %d characters", minSecret)
	case cfg.Profile == FAPI2 && (cfg.AuthMethod.secret() || cfg.AllowMissingIssParam || cfg.AllowUnlistedPKCE):
		return refuse("fapi2 wants private_key_jwt or a client certificate, and allows neither a missing iss nor unlisted PKCE")
	case cfg.Profile == FAPI2 && (slices.Contains(cfg.Algs, jose.RS256) || slices.Contains(cfg.Algs, jose.ES384)):
		return refuse("fapi2 knows ES256, PS256 and EdDSA only")
	}
	return nil
}

// Mutual says whether we show our client certificate.
func (cfg Config) Mutual() bool {
	return cfg.Binding == MTLS || cfg.AuthMethod == TLSClientAuth || cfg.AuthMethod == SelfSignedTLSClientAuth
}

func (cfg *Config) defaults() {
	if cfg.Profile == "" {
		cfg.Profile = Core
	}
	if cfg.AuthMethod == "" {
		cfg.AuthMethod = PrivateKeyJWT
	}
	if cfg.Profile == FAPI2 {
		cfg.AllowAudienceList = true
		if cfg.Binding == "" {
			cfg.Binding = DPoP
		}
		if len(cfg.Algs) == 0 {
			cfg.Algs = []jose.Alg{jose.ES256, jose.PS256, jose.EdDSA}
		}
	}
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
