package sample

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

const (
	loginLife   = 30 * time.Minute
	sessionLife = 8 * time.Hour
)

// Department is a relying party that knows the national server by OpenID Connect only, with a foreign library. It keeps its
// sessions in memory.
type Department struct {
	cfg    DepartmentConfig
	prefix string // of its cookies: ports of one host share a jar
	mux    http.Handler

	mu       sync.Mutex
	provider *oidc.Provider
	logins   map[string]login
	sessions map[string]session
}

// login is one that is under way, known to one browser by its state.
type login struct {
	Nonce, Verifier string
	Expires         time.Time
}

// session is somebody who is logged in.
type session struct {
	IDToken string
	Claims  map[string]any
	Expires time.Time
}

// NewDepartment makes a department. The national server need not be up yet: it is looked for at the first login.
func NewDepartment(cfg DepartmentConfig) (*Department, error) {
	if cfg.BaseURL == "" || cfg.Issuer == "" || cfg.Info.ClientID == "" || cfg.ClientSecret == "" {
		return nil, errors.New("sample: a department needs its info, base URL, issuer and client secret")
	}
	if cfg.HTTP == nil {
		cfg.HTTP = &http.Client{Timeout: 10 * time.Second}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	d := &Department{cfg: cfg, prefix: "sample-" + string(cfg.Info.Kind) + "-", logins: map[string]login{}, sessions: map[string]session{}}
	var err error
	d.mux, err = d.routes()
	return d, err
}

// ServeHTTP serves the department at its base URL.
func (d *Department) ServeHTTP(w http.ResponseWriter, r *http.Request) { d.mux.ServeHTTP(w, r) }

func (d *Department) routes() (http.Handler, error) {
	m := http.NewServeMux()
	if err := d.api(m); err != nil {
		return nil, err
	}
	m.HandleFunc("GET /{$}", d.home)
	m.HandleFunc("GET /login", d.login)
	m.HandleFunc("GET /callback", d.callback)
	m.HandleFunc("GET /me", d.me)
	m.Handle("POST /logout", http.NewCrossOriginProtection().Handler(http.HandlerFunc(d.logout)))
	m.HandleFunc("GET /department.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		_, _ = w.Write([]byte(departmentCSS))
	})
	health(m)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		headers(w)
		r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		m.ServeHTTP(w, r)
	}), nil
}

// client discovers the national server, once it is there.
func (d *Department) client(ctx context.Context) (*oidc.Provider, *oauth2.Config, error) {
	d.mu.Lock()
	p := d.provider
	d.mu.Unlock()
	if p == nil {
		// The provider keeps the context for fetching keys later: it must not end with this request.
		found, err := oidc.NewProvider(oidc.ClientContext(context.Background(), d.cfg.HTTP), d.cfg.Issuer)
		if err != nil {
			return nil, nil, fmt.Errorf("discovery: %w", err)
		}
		d.mu.Lock()
		d.provider, p = found, found
		d.mu.Unlock()
	}
	endpoint := p.Endpoint()
	endpoint.AuthStyle = oauth2.AuthStyleInHeader // client_secret_basic
	return p, &oauth2.Config{ClientID: d.cfg.Info.ClientID, ClientSecret: d.cfg.ClientSecret, Endpoint: endpoint,
		RedirectURL: RedirectURI(d.cfg.BaseURL), Scopes: d.cfg.Info.Scopes}, nil
}

func (d *Department) home(w http.ResponseWriter, r *http.Request) {
	s, in := d.session(r)
	view := map[string]any{"D": d.cfg.Info, "T": departmentText[d.cfg.Info.Kind], "In": in, "Counter": d.cfg.Counter}
	if in {
		view["Facts"], view["Name"] = facts(s.Claims), s.Claims["name"]
	}
	if r.URL.Query().Get("problem") != "" {
		view["Problem"] = problemText(r.URL.Query().Get("problem"))
	}
	render(w, http.StatusOK, "department", view)
}

func (d *Department) login(w http.ResponseWriter, r *http.Request) {
	_, client, err := d.client(r.Context())
	if err != nil {
		d.failed(w, r, "unavailable", err)
		return
	}
	state := rand.Text()
	l := login{Nonce: rand.Text(), Verifier: oauth2.GenerateVerifier(), Expires: d.cfg.Now().Add(loginLife)}
	d.mu.Lock()
	forget(d.logins, func(l login) bool { return d.cfg.Now().After(l.Expires) })
	d.logins[state] = l
	d.mu.Unlock()
	d.setCookie(w, "login-"+tab(state), state, loginLife)
	http.Redirect(w, r, client.AuthCodeURL(state, oidc.Nonce(l.Nonce), oauth2.S256ChallengeOption(l.Verifier)), http.StatusSeeOther)
}

// callback ends a login that this browser began: its own state, the right issuer, a nonce that fits.
func (d *Department) callback(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	state := q.Get("state")
	c, err := r.Cookie(d.prefix + "login-" + tab(state))
	d.mu.Lock()
	l, known := d.logins[state]
	delete(d.logins, state)
	d.mu.Unlock()
	if err != nil || !known || subtle.ConstantTimeCompare([]byte(c.Value), []byte(state)) != 1 || d.cfg.Now().After(l.Expires) {
		d.failed(w, r, "state", errors.New("state of another browser, or used"))
		return
	}
	d.setCookie(w, "login-"+tab(state), "", -time.Second)
	switch {
	case q.Get("iss") != d.cfg.Issuer: // RFC 9207
		d.failed(w, r, "answer", errors.New("iss of the response"))
		return
	case q.Get("error") == "access_denied":
		d.failed(w, r, "declined", errors.New("access_denied"))
		return
	case q.Get("error") != "":
		d.failed(w, r, "answer", errors.New("error response"))
		return
	}
	s, err := d.exchange(r.Context(), q.Get("code"), l)
	if err != nil {
		d.failed(w, r, "answer", err)
		return
	}
	id := rand.Text() + rand.Text()
	d.mu.Lock()
	forget(d.sessions, func(s session) bool { return d.cfg.Now().After(s.Expires) })
	d.sessions[id] = s
	d.mu.Unlock()
	d.setCookie(w, "session", id, sessionLife)
	http.Redirect(w, r, "/", http.StatusSeeOther)
}

// exchange gets and checks id_token and userinfo. go-oidc checks signature, issuer, audience and times; nonce, at_hash and the
// subject of userinfo are the caller's.
func (d *Department) exchange(ctx context.Context, code string, l login) (session, error) {
	ctx = oidc.ClientContext(ctx, d.cfg.HTTP)
	provider, client, err := d.client(ctx)
	if err != nil {
		return session{}, err
	}
	token, err := client.Exchange(ctx, code, oauth2.VerifierOption(l.Verifier))
	if err != nil {
		return session{}, fmt.Errorf("token: %w", err)
	}
	raw, _ := token.Extra("id_token").(string)
	idToken, err := provider.Verifier(&oidc.Config{ClientID: d.cfg.Info.ClientID, Now: d.cfg.Now}).Verify(ctx, raw)
	if err != nil {
		return session{}, fmt.Errorf("id_token: %w", err)
	}
	if idToken.Nonce != l.Nonce {
		return session{}, errors.New("nonce")
	}
	if idToken.AccessTokenHash != "" {
		if err := idToken.VerifyAccessToken(token.AccessToken); err != nil {
			return session{}, fmt.Errorf("at_hash: %w", err)
		}
	}
	claims, more := map[string]any{}, map[string]any{}
	if err := idToken.Claims(&claims); err != nil {
		return session{}, fmt.Errorf("id_token: %w", err)
	}
	info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return session{}, fmt.Errorf("userinfo: %w", err)
	}
	if err := info.Claims(&more); err != nil || info.Subject != idToken.Subject {
		return session{}, errors.New("userinfo of another subject")
	}
	maps.Copy(more, claims) // what the id_token said stands
	return session{IDToken: raw, Claims: more, Expires: d.cfg.Now().Add(sessionLife)}, nil
}

// me is what the department knows, for programs.
func (d *Department) me(w http.ResponseWriter, r *http.Request) {
	s, in := d.session(r)
	if !in {
		writeJSON(w, http.StatusUnauthorized, map[string]string{"error": "login_required"})
		return
	}
	writeJSON(w, http.StatusOK, s.Claims)
}

// logout ends the session here first, then at the national server (OpenID Connect RP-Initiated Logout 1.0).
func (d *Department) logout(w http.ResponseWriter, r *http.Request) {
	s, in := d.session(r)
	if c, err := r.Cookie(d.prefix + "session"); err == nil {
		d.mu.Lock()
		delete(d.sessions, c.Value)
		d.mu.Unlock()
	}
	d.setCookie(w, "session", "", -time.Second)
	var meta struct {
		EndSession string `json:"end_session_endpoint"`
	}
	provider, _, err := d.client(r.Context())
	if !in || err != nil || provider.Claims(&meta) != nil || meta.EndSession == "" {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	q := url.Values{"id_token_hint": {s.IDToken}, "client_id": {d.cfg.Info.ClientID}, "state": {rand.Text()},
		"post_logout_redirect_uri": {PostLogoutRedirectURI(d.cfg.BaseURL)}}
	http.Redirect(w, r, meta.EndSession+"?"+q.Encode(), http.StatusSeeOther)
}

func (d *Department) session(r *http.Request) (session, bool) {
	c, err := r.Cookie(d.prefix + "session")
	if err != nil {
		return session{}, false
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	s, ok := d.sessions[c.Value]
	return s, ok && d.cfg.Now().Before(s.Expires)
}

// failed goes home with a word that the page explains; what went wrong in detail is for the log.
func (d *Department) failed(w http.ResponseWriter, r *http.Request, kind string, err error) {
	d.cfg.Log.WarnContext(r.Context(), "login failed", "department", string(d.cfg.Info.Kind), "kind", kind, "err", err)
	http.Redirect(w, r, "/?problem="+kind, http.StatusSeeOther)
}

func (d *Department) setCookie(w http.ResponseWriter, name, value string, life time.Duration) {
	http.SetCookie(w, &http.Cookie{Name: d.prefix + name, Value: value, Path: "/", MaxAge: int(max(life, -time.Second) / time.Second), HttpOnly: true,
		SameSite: http.SameSiteLaxMode, Secure: strings.HasPrefix(d.cfg.BaseURL, "https://")})
}

// tab names the cookie of one login, so that two tabs don't disturb each other.
func tab(state string) string {
	sum := sha256.Sum256([]byte(state))
	return hex.EncodeToString(sum[:6])
}
