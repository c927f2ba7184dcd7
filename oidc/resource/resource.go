// Package resource protects an API with access tokens of Hufu, or of any issuer that follows the same specifications: an ordinary net/http middleware for departments'
// own servers. It needs nothing of the server: no database, no configuration file.
//
// It takes JWT access tokens (RFC 9068), checked with the issuer's published keys, and opaque ones, by asking the issuer (RFC 7662, 9701). Tokens bound to a key need its DPoP
// proof (RFC 9449), tokens bound to a certificate the connection with it (RFC 8705). Refusals say what to do next: RFC 6750, 9449 and, for a
// better or newer login, RFC 9470.
//
// See docs/resource-server.md.
package resource

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hufu-id/hufu/oidc/dpop"
)

// leeway is for clocks that differ.
const leeway = 30 * time.Second

// Config of a Guard. Issuer and Audience are required.
type Config struct {
	// Issuer is the issuer identifier, exactly as in "iss". It is https, or http on this machine for development.
	Issuer string
	// Audience is this API's own identifier; "aud" must name it.
	Audience string
	// BaseURL is where clients see this server, such as https://api.example or https://gateway.example/api: the path of the request is added to it, and DPoP proofs must
	// be for that. Empty means as the request says, which is wrong behind a proxy that ends TLS or changes Host.
	BaseURL string

	// Need is what every token must have; For asks for more at some places.
	Need Need

	// Introspection is for opaque tokens; nil refuses them.
	Introspection *Introspection

	// Replay uses up the id of a DPoP proof: nil the first time, ErrReplayed from then on, another error when it can't tell. The id is of
	// printable ASCII and may be forgotten at expires. Without it this process remembers up to 200,000 proofs,
	// which is 600 requests a second; beyond that requests are refused. Servers with more than one process need a shared memory.
	Replay func(ctx context.Context, id string, expires time.Time) error
	// Nonces makes DPoP proofs carry a nonce, which shows that they are new; nil doesn't ask for one. All processes need the same secret.
	Nonces *dpop.Nonces
	// Certificate finds the client's certificate where a proxy ended its connection; nil takes that of the connection itself.
	Certificate func(*http.Request) *x509.Certificate

	// HTTP asks the issuer; nil means a client of our own. Either follows no redirects, waits five seconds and reads 64 KiB at most. There is no guard on
	// addresses: only the issuer's own are asked, and a national issuer may live in a private network.
	HTTP *http.Client
	// Now is the clock; nil means time.Now.
	Now func() time.Time
	// Log receives refusals and faults, never a token; nil drops them.
	Log *slog.Logger
}

// Need is what a token must have, beyond being good. The zero Need asks for nothing.
type Need struct {
	// Scopes must all be there.
	Scopes []string
	// ACR lists the acceptable levels of the login, such as loa3 and loa4: "acr" must be one of them.
	ACR []string
	// MaxAge is how long ago the login may be, in whole seconds; 0 doesn't ask.
	MaxAge time.Duration
	// Bound refuses bearer tokens: whoever finds one can use it.
	Bound bool
}

// Token is what a good access token says.
type Token struct {
	Subject, ClientID string // a client acting for itself is its own subject
	Scopes            []string
	ACR               string    // level of the login, or ""
	AuthTime          time.Time // of the login; zero for a client acting for itself
	Expires           time.Time
	// AuthorizationDetails is the JSON array of RFC 9396, or nil.
	AuthorizationDetails json.RawMessage
	// JKT and CertificateThumbprint name the key and the certificate that the token is bound to, and which this request has shown; or "".
	JKT, CertificateThumbprint string
}

// ErrReplayed is what Config.Replay returns for an id that was used before.
var ErrReplayed = errors.New("resource: the proof was used before")

// Guard checks requests. Safe for concurrent use.
type Guard struct {
	cfg    Config
	issuer *issuer
	asker  *asker // nil: no opaque tokens
}

// New checks the configuration. It asks the issuer nothing: that happens at the first request, so that servers may start in any order.
func New(cfg Config) (*Guard, error) {
	if cfg.Audience == "" {
		return nil, errors.New("resource: the audience is missing")
	}
	if cfg.BaseURL != "" {
		if u, err := url.Parse(cfg.BaseURL); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" || u.RawQuery != "" {
			return nil, fmt.Errorf("resource: the base URL %q is not an http URL", cfg.BaseURL)
		}
		cfg.BaseURL = strings.TrimSuffix(cfg.BaseURL, "/")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Replay == nil {
		cfg.Replay = newReplay(cfg.Now).claim
	}
	is, err := newIssuer(cfg)
	if err != nil {
		return nil, err
	}
	g := &Guard{cfg: cfg, issuer: is}
	if cfg.Introspection != nil {
		if g.asker, err = newAsker(cfg, is); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// For returns a guard that asks for n instead of Config.Need. Keys and memory are shared with g.
func (g *Guard) For(n Need) *Guard {
	other := *g
	other.cfg.Need = n
	return &other
}

// Protect lets through to next only requests with a good token, which next finds by FromContext.
func (g *Guard) Protect(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sent, err := credentialsOf(r)
		var t Token
		if err == nil {
			t, err = g.check(r, sent)
		}
		if g.cfg.Nonces != nil && sent.scheme == schemeDPoP {
			w.Header().Set(dpop.NonceHeader, g.cfg.Nonces.Current(g.cfg.Now()))
		}
		if err != nil {
			g.refuse(w, r, sent.scheme, err)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), tokenKey{}, t)))
	})
}

// check is the whole decision, in one place. Using up the proof comes last: a refused request uses nothing up.
func (g *Guard) check(r *http.Request, sent credentials) (Token, error) {
	ctx, now := r.Context(), g.cfg.Now()
	t, err := g.token(ctx, sent.token, now)
	if err != nil {
		return Token{}, err
	}
	proof, err := g.shown(r, sent, t, now)
	if err != nil {
		return Token{}, err
	}
	if err := g.cfg.Need.met(t, now); err != nil {
		return Token{}, err
	}
	if proof != nil {
		if err := g.useUp(ctx, *proof); err != nil {
			return Token{}, err
		}
	}
	return t, nil
}

// token judges the token by itself: locally, or by asking the issuer.
func (g *Guard) token(ctx context.Context, token string, now time.Time) (Token, error) {
	if strings.Count(token, ".") == 2 {
		return g.jwt(ctx, token, now)
	}
	if g.asker == nil {
		return Token{}, refuse(http.StatusUnauthorized, invalidToken, "the access token is not a JWT")
	}
	return g.asker.ask(ctx, token, now)
}

// met compares the token with what is needed.
func (n Need) met(t Token, now time.Time) error {
	for _, s := range n.Scopes {
		if !slices.Contains(t.Scopes, s) {
			return &refusal{status: http.StatusForbidden, code: insufficientScope, text: "the token doesn't have the scope that is needed here",
				params: []string{"scope=" + quote(strings.Join(n.Scopes, " "))}}
		}
	}
	if n.Bound && t.JKT == "" && t.CertificateThumbprint == "" {
		return refuse(http.StatusUnauthorized, invalidToken, "only tokens bound to a key are taken here")
	}
	weak := len(n.ACR) > 0 && !slices.Contains(n.ACR, t.ACR)
	old := n.MaxAge > 0 && now.Sub(t.AuthTime) > n.MaxAge // a login that never was is older than any
	if !weak && !old {
		return nil
	}
	step := &refusal{status: http.StatusUnauthorized, code: insufficientAuthentication, text: "the login is older than is allowed here"}
	if weak {
		step.text = "the level of the login is too low here"
	}
	if len(n.ACR) > 0 {
		step.params = append(step.params, "acr_values="+quote(strings.Join(n.ACR, " ")))
	}
	if n.MaxAge > 0 {
		step.params = append(step.params, fmt.Sprintf("max_age=%d", n.MaxAge/time.Second))
	}
	return step
}

// tokenKey is the context's key of a Token.
type tokenKey struct{}

// FromContext returns the token of a request that Protect let through.
func FromContext(ctx context.Context) (Token, bool) {
	t, ok := ctx.Value(tokenKey{}).(Token)
	return t, ok
}
