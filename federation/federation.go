// Package federation is the way in: a person chooses a province, logs in there, and comes back as a known person.
//
// It owns the HTTP steps between a login flow and the provinces (chooser, start, callback, cancel). What a flow is, it does
// not know: it asks Flows. Who the person is, identity decides; how a province is spoken to, a connector of upstream.
//
//	GET /login/{flow}/            chooser (search by ?q=)
//	GET /login/{flow}/{province}  to the province
//	GET /login/{flow}/cancel      back to the service with "access_denied"
//	GET /login/{flow}/forget      forgets the remembered province on this browser
//	GET /callback/{province}      the province's answer; one address per province, so that an answer cannot be moved to another
//	GET /callback/{province}/jwks our public keys towards that province (private_key_jwt)
package federation

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/hufu-id/hufu/federation/identity"
	"github.com/hufu-id/hufu/federation/province"
	"github.com/hufu-id/hufu/federation/upstream"
	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/web"
)

// ErrNoFlow: the flow in the address is unknown to this browser, or too old. The page tells the person to start again at
// the service.
var ErrNoFlow = errors.New("federation: no such login flow")

// FlowInfo is what the chooser says about who sent the person. Registered text only, never text from a request.
type FlowInfo struct {
	ClientName   web.Text
	ServiceName  web.Text
	RequiredACR  string // "loa1".."loa4" or ""
	ClientOrigin string // "" for a flow of our own pages
	About        web.About
	Fresh        bool // the person must prove herself again (prompt=login, max_age)
}

// Login is a person who has just proved herself at a province.
type Login struct {
	PersonID string
	Province string
	ACR      string // the lower of what was asserted and the province's ceiling
	AMR      []string
	AuthTime time.Time
}

// Flows are the login flows that wait for a person. Implementations read them from the browser and keep no state in memory.
type Flows interface {
	// Describe returns what may be shown about the flow, or ErrNoFlow.
	Describe(r *http.Request, flow string) (FlowInfo, error)
	// LoggedIn records the login. It is called inside one transaction (Config.Tx), which also holds the claim of the
	// state and the person's record; respond is called after the commit and only then. ErrNoFlow when the flow is gone.
	LoggedIn(ctx context.Context, r *http.Request, flow string, login Login) (respond func(http.ResponseWriter), err error)
	// Cancelled ends the flow and answers with the way back to the client (access_denied).
	Cancelled(w http.ResponseWriter, r *http.Request, flow string)
}

// Persons finds or makes the person an assertion speaks of, in the transaction of ctx. identity.Service is one.
type Persons interface {
	Resolve(ctx context.Context, a upstream.Assertion, ceiling upstream.Level) (identity.Resolved, error)
}

// Member is a province that has joined.
type Member struct {
	Code      province.Code
	Connector upstream.Connector
	Ceiling   upstream.Level                                // highest level it was admitted for; LevelNone is refused by New
	Keys      func(ctx context.Context) ([]jose.JWK, error) // our keys towards it, published for it; may be nil
}

// Config is everything the module needs. All fields but Log and Now are required.
type Config struct {
	Origin    string // of the national server, e.g. "https://id.example"
	Members   []Member
	Flows     Flows
	Persons   Persons
	Tx        func(ctx context.Context, fn func(ctx context.Context) error) error
	ClaimOnce func(ctx context.Context, kind, id string, expires time.Time) error // second use: an error that Lost recognises
	Lost      error                                                               // the sentinel ClaimOnce wraps when the id was used before
	Audit     func(ctx context.Context, ev audit.Event) error
	Sealer    *httpx.Sealer
	Pages     *web.Pages
	Log       *slog.Logger
	Now       func() time.Time
}

// Federation serves the steps of the login at a province. Safe for concurrent use; holds no login in memory.
type Federation struct {
	cfg     Config
	members map[province.Code]Member
}

// New checks the configuration. It refuses a member twice, one without a ceiling, and one that is no known province.
func New(cfg Config) (*Federation, error) {
	if u, err := url.Parse(cfg.Origin); err != nil || u.Host == "" || u.Path != "" {
		return nil, fmt.Errorf("federation: origin %q is not a bare origin", cfg.Origin)
	}
	if cfg.Flows == nil || cfg.Persons == nil || cfg.Tx == nil || cfg.ClaimOnce == nil || cfg.Lost == nil ||
		cfg.Audit == nil || cfg.Sealer == nil || cfg.Pages == nil {
		return nil, errors.New("federation: a required part of the configuration is missing")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	f := &Federation{cfg: cfg, members: make(map[province.Code]Member, len(cfg.Members))}
	for _, m := range cfg.Members {
		if _, ok := province.Lookup(m.Code); !ok {
			return nil, fmt.Errorf("federation: %q is not a province", m.Code)
		}
		if _, twice := f.members[m.Code]; twice {
			return nil, fmt.Errorf("federation: province %s is configured twice", m.Code)
		}
		if m.Connector == nil || m.Ceiling < upstream.Level1 || m.Ceiling > upstream.Level4 {
			return nil, fmt.Errorf("federation: province %s needs a connector and a ceiling", m.Code)
		}
		f.members[m.Code] = m
	}
	return f, nil
}

// CallbackURL is the one redirect URI of a province: origin/callback/<code>.
func CallbackURL(origin string, code province.Code) string {
	return origin + "/callback/" + string(code)
}

// KeysURL is where a province finds our public keys towards it: origin/callback/<code>/jwks.
func KeysURL(origin string, code province.Code) string { return CallbackURL(origin, code) + "/jwks" }
