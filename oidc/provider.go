package oidc

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/oidc/access"
	"github.com/hufu-id/hufu/oidc/answer"
	"github.com/hufu-id/hufu/oidc/attestation"
	"github.com/hufu-id/hufu/oidc/attester"
	"github.com/hufu-id/hufu/oidc/authorize"
	"github.com/hufu-id/hufu/oidc/binding"
	"github.com/hufu-id/hufu/oidc/claim"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/developer"
	"github.com/hufu-id/hufu/oidc/dpop"
	"github.com/hufu-id/hufu/oidc/flow"
	"github.com/hufu-id/hufu/oidc/grant"
	"github.com/hufu-id/hufu/oidc/hint"
	"github.com/hufu-id/hufu/oidc/internal/fositex"
	"github.com/hufu-id/hufu/oidc/jar"
	"github.com/hufu-id/hufu/oidc/logout"
	"github.com/hufu-id/hufu/oidc/oauth"
	"github.com/hufu-id/hufu/oidc/par"
	"github.com/hufu-id/hufu/oidc/registration"
	"github.com/hufu-id/hufu/oidc/request"
	"github.com/hufu-id/hufu/oidc/respond"
	"github.com/hufu-id/hufu/oidc/session"
	"github.com/hufu-id/hufu/oidc/token"
	"github.com/hufu-id/hufu/oidc/tokens"
	"github.com/hufu-id/hufu/oidc/trail"
	"github.com/hufu-id/hufu/web"
	"github.com/hufu-id/hufu/web/developerpages"
)

// New checks the configuration and builds the provider. It reads and writes nothing.
func New(cfg Config) (*Provider, error) {
	if err := cfg.check(); err != nil {
		return nil, err
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Profile != "" {
		cfg.Registration.Profiles = []string{cfg.Profile}
	}
	pairwise, err := claim.NewPairwise(cfg.PairwiseSecret)
	if err != nil {
		return nil, err
	}
	engine, err := fositex.New(fositex.Config{Issuer: cfg.Issuer, CodeSecret: cfg.CodeSecret, SigningKey: cfg.Keys.SigningKey})
	if err != nil {
		return nil, err
	}
	p := &Provider{cfg: cfg, pairwise: pairwise, clients: client.NewRegistry(cfg.Store, cfg.Now), clientKeys: client.NewKeys(cfg.HTTP, cfg.Now),
		sessions: &session.Manager{Store: cfg.Store, Now: cfg.Now},
		hints:    hint.Reader{Issuer: cfg.Issuer, Keys: cfg.Keys.VerificationKeys, SignedAt: cfg.Keys.SignedAt},
		flows:    &flow.Jar{Sealer: cfg.Sealer, Now: cfg.Now},
		bindings: binding.Checker{Origins: origins(cfg), Nonces: dpop.NewNonces(derive(cfg.CodeSecret, "dpop nonces")), Now: cfg.Now},
	}
	p.clients.Loopback, p.clients.Profile = cfg.LoopbackClients, cfg.Profile
	p.answers = answer.Sealer{Issuer: cfg.Issuer, Key: cfg.Keys.SigningKey, Keys: p.clientKeys, Now: cfg.Now}
	p.openDeveloper()
	authenticator := client.Authenticator{Registry: p.clients, Keys: p.clientKeys, ClientCAs: cfg.ClientCAs, Issuer: cfg.Issuer,
		Endpoints: endpoints(cfg), Now: cfg.Now}
	if len(cfg.WalletProviders) > 0 {
		p.wallets = attester.New(cfg.Issuer, p.bindings, cfg.Now, cfg.WalletProviders)
		authenticator.Attester = p.wallets
	}
	p.openFrontDoor(engine, authenticator)
	p.openTokens(engine, authenticator)
	p.register = registration.New(registration.Config{Issuer: cfg.Issuer, Policy: cfg.Registration, Store: cfg.Store, Clients: p.clients, HTTP: cfg.HTTP,
		Log: cfg.Log, Now: cfg.Now})
	p.openLogout()
	p.documents, err = newDocuments(cfg, p.wallets)
	return p, err
}

// openFrontDoor makes what leads to a code.
func (p *Provider) openFrontDoor(engine *fositex.Engine, authenticator client.Authenticator) {
	cfg := p.cfg
	push := &par.Pushed{Store: cfg.Store, Sealer: cfg.Sealer, Now: cfg.Now}
	requests := &request.Parser{Issuer: cfg.Issuer, Clients: p.clients, Hints: p.hints, Credential: p.credential, Details: cfg.DetailTypes, Credentials: cfg.Credentials,
		Objects: jar.Reader{Issuer: cfg.Issuer, Keys: p.clientKeys, Now: cfg.Now}, Pushed: push, Now: cfg.Now}
	p.par = &par.Handler{Store: cfg.Store, Pushed: push, Authenticator: authenticator, Bindings: p.bindings, Requests: requests, Log: cfg.Log, Now: cfg.Now}
	p.authorize = authorize.New(authorize.Config{
		Issuer: cfg.Issuer, Store: cfg.Store, Clients: p.clients, Requests: requests,
		Responses: &respond.Writer{Issuer: cfg.Issuer, Sealer: p.answers, Pages: cfg.Pages, Log: cfg.Log, Now: cfg.Now},
		Sessions:  p.sessions, Flows: p.flows, Engine: engine, Persons: cfg.Persons, CredentialScopes: cfg.CredentialScopes, Credentials: cfg.Credentials, Pairwise: p.pairwise,
		Pages: cfg.Pages, ProvinceName: cfg.ProvinceName, Log: cfg.Log, Now: cfg.Now,
	})
}

// openTokens makes what issues tokens, and what judges them.
func (p *Provider) openTokens(engine *fositex.Engine, authenticator client.Authenticator) {
	cfg := p.cfg
	refresh, opaque := grant.NewRefreshTokens(cfg.CodeSecret, cfg.Issuer), grant.OpaqueTokens{Sealer: cfg.Sealer}
	p.grants = &grant.Verifier{Issuer: cfg.Issuer, Keys: cfg.Keys.VerificationKeys, SignedAt: cfg.Keys.SignedAt, Store: cfg.Store, Clients: p.clients, Opaque: opaque, Now: cfg.Now}
	p.access = access.Reader{Grants: p.grants, Clients: p.clients, Bindings: p.bindings, ClaimOnce: cfg.Store.ClaimOnce}
	p.token = token.New(token.Config{
		Issuer: cfg.Issuer, Store: cfg.Store, Engine: engine, Answers: p.answers, Persons: cfg.Persons, PreAuthorizedCodes: cfg.PreAuthorizedCodes,
		Credentials: cfg.Credentials, Anonymous: client.PolicyOf(cfg.Profile).Anonymous(), MachineAudience: p.machineAudience, Authenticator: authenticator, Bindings: p.bindings, RefreshTokens: refresh, OpaqueTokens: opaque,
		Renewal: cfg.Renewal, Lapsed: p.lapsed, Log: cfg.Log, Now: cfg.Now,
	})
	p.tokens = &tokens.Handler{Issuer: cfg.Issuer, Store: cfg.Store, Authenticator: authenticator, Grants: p.grants, Refresh: refresh, Answers: p.answers,
		Log: cfg.Log, Now: cfg.Now}
}

// openDeveloper makes what developers see of their clients.
func (p *Provider) openDeveloper() {
	cfg := p.cfg
	if cfg.Trail != nil {
		p.trail = trail.New(trail.Config{Store: cfg.Trail, Now: cfg.Now})
	}
	p.developer = &developer.Handler{Issuer: cfg.Issuer, Clients: p.clients, Trail: p.trail, Sealer: cfg.Sealer, Pages: developerpages.Pages{Pages: cfg.Pages},
		Open: cfg.OpenTrail, Deliveries: p.LogoutDeliveries, FormKey: derive(cfg.CodeSecret, "developer forms"), Log: cfg.Log, Now: cfg.Now}
}

// origins are the addresses under which clients reach the endpoints.
func origins(cfg Config) []string {
	if cfg.MTLSOrigin == "" {
		return []string{cfg.Issuer}
	}
	return []string{cfg.Issuer, cfg.MTLSOrigin}
}

// endpoints are what, beside the issuer, an assertion of profile core may name as its audience.
func endpoints(cfg Config) []string {
	var out []string
	for _, o := range origins(cfg) {
		out = append(out, o+"/token", o+"/par", o+"/introspect", o+"/revoke")
	}
	return out
}

// derive makes a key for one use of a secret that serves several.
func derive(secret []byte, label string) []byte {
	m := hmac.New(sha256.New, secret)
	m.Write([]byte("hufu oidc: " + label))
	return m.Sum(nil)
}

// credential looks up a credential scope.
func (p *Provider) credential(scope string) (audience []string, title web.Text, ok bool) {
	if p.cfg.CredentialScopes == nil {
		return nil, web.Text{}, false
	}
	return p.cfg.CredentialScopes.Lookup(scope)
}

func (p *Provider) openLogout() {
	cfg := p.cfg
	p.told = logout.NewBackchannel(logout.BackchannelConfig{Issuer: cfg.Issuer, Store: cfg.Store, Clients: p.clients, Pairwise: p.pairwise,
		SigningKey: cfg.Keys.SigningKey, Encrypt: p.answers.IDToken, Outgoing: cfg.HTTP, Log: cfg.Log, Now: cfg.Now})
	p.sessions.Ended = p.told.Ended
	p.logout = logout.New(logout.Config{Issuer: cfg.Issuer, Clients: p.clients, Sessions: p.sessions, Pairwise: p.pairwise, Hints: p.hints, InTx: cfg.Store.InTx,
		Sealer: cfg.Sealer, FormKey: cfg.CodeSecret, Pages: cfg.Pages, Log: cfg.Log})
}

func (cfg Config) check() error {
	u, err := url.Parse(cfg.Issuer)
	if err != nil || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.Scheme != "https" && u.Scheme != "http" {
		return fmt.Errorf("oidc: issuer %q is not a bare origin", cfg.Issuer)
	}
	if len(client.PolicyOf(cfg.Profile).AuthMethods) == 0 {
		return fmt.Errorf("oidc: unknown profile %q", cfg.Profile)
	}
	if cfg.Store == nil || cfg.Keys == nil || cfg.Sealer == nil || cfg.Pages == nil || cfg.Persons == nil {
		return errors.New("oidc: a required part of the configuration is missing")
	}
	return nil
}

// machineAudience says where a client_credentials token of a scope may be used.
func (p *Provider) machineAudience(scope string) (string, bool) {
	switch scope {
	case claim.Register:
		return p.cfg.Issuer + "/register", true
	case claim.Seal:
		return p.cfg.Issuer + "/seals", true
	}
	return "", false
}

// keepGrants is how long a grant is kept after its end, so that a code that comes back is still recognised as used.
const keepGrants = time.Hour

// Sweep forgets what ended long ago, up to limit rows a kind, and returns how many. Background work calls it.
func (p *Provider) Sweep(ctx context.Context, limit int) (int64, error) {
	n, err := p.cfg.Store.DeleteExpired(ctx, p.cfg.Now().Add(-keepGrants), limit)
	if err != nil {
		return n, err
	}
	// At once: anybody can push in the name of a public client.
	pushed, err := p.cfg.Store.DeletePushed(ctx, p.cfg.Now(), limit)
	if n += pushed; err != nil {
		return n, err
	}
	clients, err := p.register.Sweep(ctx, limit)
	if err != nil {
		return n + clients, err
	}
	old, err := p.trail.Sweep(ctx, limit)
	return n + clients + old, err
}

// FlushTrail writes what this node collected for the developers of clients. Every node calls it about once a second.
func (p *Provider) FlushTrail(ctx context.Context) error { return p.trail.Flush(ctx) }

// watching collects what a request does at a step; done hands it over.
func (p *Provider) watching(r *http.Request, step trail.Step) (watched *http.Request, done func()) {
	return p.trail.Begin(r.WithContext(oauth.WithIssuer(r.Context(), p.cfg.Issuer)), step)
}

func (p *Provider) watch(step trail.Step, h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r, done := p.watching(r, step)
		defer done()
		h(w, r)
	}
}

func (p *Provider) routes(r *mux.Router) {
	get := []string{http.MethodGet, http.MethodHead}
	r.HandleFunc("/.well-known/openid-configuration", anyOrigin(p.openidConfiguration)).Methods(append(get, http.MethodOptions)...)
	r.HandleFunc("/.well-known/oauth-authorization-server", anyOrigin(p.authorizationServer)).Methods(append(get, http.MethodOptions)...)
	r.HandleFunc("/jwks", anyOrigin(p.jwks)).Methods(append(get, http.MethodOptions)...)
	r.HandleFunc("/token", anyOrigin(p.wallets.Handing(p.watch(trail.Token, p.token.ServeHTTP)))).Methods(http.MethodPost, http.MethodOptions)
	r.HandleFunc("/introspect", p.wallets.Handing(p.watch(trail.Introspect, p.tokens.Introspect))).Methods(http.MethodPost)
	r.HandleFunc("/revoke", anyOrigin(p.wallets.Handing(p.watch(trail.Revoke, p.tokens.Revoke)))).Methods(http.MethodPost, http.MethodOptions)
	r.HandleFunc("/par", anyOrigin(p.wallets.Handing(p.watch(trail.Push, p.par.ServeHTTP)))).Methods(http.MethodPost, http.MethodOptions)
	r.HandleFunc("/userinfo", anyOrigin(p.watch(trail.Userinfo, access.Presenting(http.HandlerFunc(p.userinfo)).ServeHTTP))).Methods(http.MethodGet, http.MethodPost, http.MethodOptions)
	r.HandleFunc("/authorize", p.watch(trail.Authorize, p.authorize.Authorize)).Methods(http.MethodGet, http.MethodPost)
	r.HandleFunc("/authorize/{flow}", p.watch(trail.Login, inFlow(p.authorize.Dispatch))).Methods(http.MethodGet)
	r.HandleFunc("/authorize/{flow}/leave", p.watch(trail.Login, inFlow(p.authorize.Leave))).Methods(http.MethodGet)
	r.HandleFunc("/consent/{flow}", p.watch(trail.Consent, inFlow(p.authorize.Consent))).Methods(http.MethodGet, http.MethodPost)
	r.HandleFunc("/logout", p.watch(trail.Logout, p.logout.Logout)).Methods(http.MethodGet, http.MethodPost)
	r.HandleFunc("/logout/confirm", p.watch(trail.Logout, p.logout.Confirm)).Methods(http.MethodPost)
	p.developer.Routes(r)
	if p.wallets != nil {
		r.HandleFunc(attester.Path, anyOrigin(p.wallets.Challenge)).Methods(http.MethodPost, http.MethodOptions)
	}
	if p.cfg.Registration.Enabled() {
		r.HandleFunc(registration.Path, p.watch(trail.Register, p.register.Create)).Methods(http.MethodPost)
		r.HandleFunc(registration.Path+"/{client}", p.watch(trail.Register, p.manageClient)).Methods(http.MethodGet, http.MethodPut, http.MethodDelete)
	}
}

func (p *Provider) manageClient(w http.ResponseWriter, r *http.Request) {
	p.register.Manage(w, r, mux.Vars(r)["client"])
}

func inFlow(h func(w http.ResponseWriter, r *http.Request, flowID string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { h(w, r, mux.Vars(r)["flow"]) }
}

// anyOrigin lets scripts of any site call an endpoint, without cookies: nothing here is decided by a cookie. The answer never depends on the
// Origin sent, so there is nothing to reflect and nothing to vary by.
func anyOrigin(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Access-Control-Expose-Headers", "WWW-Authenticate, DPoP-Nonce, "+attestation.ChallengeHeader+", X-Trace-Id")
		w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
		if r.Method == http.MethodOptions {
			w.Header().Set("Access-Control-Allow-Methods", "GET, POST")
			w.Header().Set("Access-Control-Allow-Headers", "Authorization, Content-Type, DPoP, "+attestation.Header+", "+attestation.ProofHeader)
			w.Header().Set("Access-Control-Max-Age", "7200")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		h(w, r)
	}
}
