package oidc

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/hufu-id/hufu/federation/upstream"
	"github.com/hufu-id/hufu/internal/jose"
)

// ErrConfig is what New's refusals wrap.
var ErrConfig = errors.New("oidc: configuration")

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
	Binding    Binding
	// Signer signs our client assertions (private_key_jwt) towards this province; one key per province, so that an
	// assertion taken by one is worthless at another.
	Signer func(ctx context.Context) (jose.SigningKey, error)
	HTTP   HTTP
	// Certified is HTTP with our client certificate; needed for its methods of authentication and for MTLS.
	Certified HTTP

	// Levels maps the province's acr values to national levels, word by word as agreed when it joined. A value that is not
	// listed, or none at all, counts as loa1: a province cannot raise somebody by inventing a word.
	Levels map[string]upstream.Level

	Scopes         []string   // default openid, profile, phone, resident_id
	Algs           []jose.Alg // accepted for id_tokens and userinfo; default ES256, ES384, PS256, RS256, EdDSA
	SignedUserinfo bool       // its userinfo is signed, and nothing else is believed
	ClaimNames     ClaimNames // where the province's names differ from ours
	ForeignOrigins []string   // further origins that its endpoints may lie on

	AllowHTTP             bool // `hufu dev` only: loopback provinces without TLS
	AllowMissingIssParam  bool // an old province that can't send `iss` in its response (RFC 9207)
	AllowAudienceList     bool // a province that writes `aud` as a list; it must then hold us and nobody else (FAPI2: always)
	AllowUnlistedPKCE     bool // an old province that doesn't say whether it knows PKCE; it is sent the challenge all the same
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
	}
	known := []jose.Alg{jose.ES256, jose.PS256, jose.EdDSA}
	if cfg.Profile == Core {
		known = append(known, jose.ES384, jose.RS256)
	}
	for _, a := range cfg.Algs {
		if !slices.Contains(known, a) {
			return refuse("algorithm %q is none that %s takes", a, cfg.Profile)
		}
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
