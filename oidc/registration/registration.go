// Package registration lets clients register themselves: RFC 7591, RFC 7592, OpenID Connect Dynamic Client Registration 1.0.
//
//	POST   /connect/register               make a client
//	GET    /connect/register/{client_id}   read it
//	PUT    /connect/register/{client_id}   replace it; the registration access token changes with it
//	DELETE /connect/register/{client_id}   end it and whatever was issued to it
//
// What a client asks for becomes a whole registration (build) that is checked as a whole, the same way on every change: nothing of the old one
// is believed but its id, its secret, who vouched for it, and what only an operator can set.
package registration

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/oauth"
	"github.com/hufu-id/hufu/oidc/trail"
)

// Path of the endpoint.
const Path = "/connect/register"

// Mode says who may register.
type Mode string

// The modes.
const (
	Off   Mode = ""
	Token Mode = "token" // whoever holds an initial access token (InitialToken)
	Open  Mode = "open"  // everybody, up to a number: dev only
)

// MaxOpen is how many clients may register themselves where everybody may. Those that were never used go after UnusedLife.
const (
	MaxOpen    = 10_000
	UnusedLife = 24 * time.Hour
)

// Policy is what a client may become by itself. The zero value lets nobody register.
type Policy struct {
	Mode Mode
	// Scopes that it may have; all of them when it names none.
	Scopes []string
	// Profiles that it may choose from; the first is the default. Empty: core.
	Profiles []string
	// Issuers may vouch for software (software_statement).
	Issuers []StatementIssuer
}

// StatementIssuer is somebody whose software statements count.
type StatementIssuer struct {
	Issuer string // iss
	Keys   []jose.JWK
}

// ErrToken: an initial access token that is unknown, used up or expired.
var ErrToken = errors.New("registration: initial access token")

// InitialToken lets its holder register a number of clients.
type InitialToken struct {
	// Hash is client.HashSecret of the token, Note what the operator remembers it by.
	Hash, Note string
	Uses       int
	ExpiresAt  time.Time
}

// NewInitialToken makes a token, and what is kept of it.
func NewInitialToken(note string, uses int, expires time.Time) (token string, kept InitialToken) {
	token = NewSecret()
	return token, InitialToken{Hash: client.HashSecret(token), Note: note, Uses: uses, ExpiresAt: expires}
}

// NewSecret returns 256 random bits as text.
func NewSecret() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// newID names a client. An id is never given twice, so nothing that a deleted client had can reach another.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:])
	return "dyn-" + hex.EncodeToString(b[:])
}

// Store keeps registrations. Every method joins the transaction in ctx. Safe for concurrent use by several nodes.
type Store interface {
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
	// ClientVersion reads a client, disabled ones too, with the version of its row. client.ErrUnknown.
	ClientVersion(ctx context.Context, id string) (client.Client, int64, error)
	// ChangeClient writes a client by one conditional statement if its row still has that version (0: if there is none). client.ErrChanged.
	ChangeClient(ctx context.Context, c client.Client, version int64, actor string) error
	// DeleteClient removes a client that registered itself, if its row still has that version. client.ErrChanged.
	DeleteClient(ctx context.Context, id string, version int64) error
	// DynamicClients counts the clients that registered themselves.
	DynamicClients(ctx context.Context) (int, error)
	// PutInitialToken writes a new token.
	PutInitialToken(ctx context.Context, t InitialToken) error
	// CheckInitialToken says whether a token has uses left at a time. ErrToken.
	CheckInitialToken(ctx context.Context, hash string, at time.Time) error
	// UseInitialToken takes one use by one conditional statement: of more callers than uses the rest gets ErrToken.
	UseInitialToken(ctx context.Context, hash string, at time.Time) error
	// DeleteUnused forgets up to limit clients that registered themselves before the given time and never authenticated.
	DeleteUnused(ctx context.Context, before time.Time, limit int) (int64, error)
	// DeleteInitialTokens forgets up to limit initial access tokens that ended before the given time.
	DeleteInitialTokens(ctx context.Context, before time.Time, limit int) (int64, error)
}

// Config is what the endpoint needs.
type Config struct {
	Issuer string
	Policy Policy
	Store  Store
	// Clients is told to forget what changed.
	Clients *client.Registry
	// HTTP fetches sector_identifier_uri.
	HTTP client.Fetcher
	Log  *slog.Logger
	Now  func() time.Time
}

// Handler is the endpoint. Safe for concurrent use.
type Handler struct{ cfg Config }

// New makes the endpoint.
func New(cfg Config) *Handler { return &Handler{cfg: cfg} }

// Enabled says whether the endpoint is to be mounted and listed.
func (p Policy) Enabled() bool { return p.Mode == Token || p.Mode == Open }

// Create is POST /connect/register.
func (h *Handler) Create(w http.ResponseWriter, r *http.Request) {
	a, err := h.create(r)
	if err == nil {
		trail.Client(r.Context(), a.ClientID)
	}
	h.answer(w, r, http.StatusCreated, a, err)
}

// Manage is /connect/register/{client_id}.
func (h *Handler) Manage(w http.ResponseWriter, r *http.Request, id string) {
	c, version, token, err := h.owner(r, id)
	if err != nil {
		h.answer(w, r, 0, answer{}, err)
		return
	}
	switch r.Method {
	case http.MethodPut:
		a, err := h.replace(r, c, version)
		h.answer(w, r, http.StatusOK, a, err)
	case http.MethodDelete:
		if err := gone(h.cfg.Store.DeleteClient(r.Context(), id, version)); err != nil {
			h.answer(w, r, 0, answer{}, err)
			return
		}
		h.cfg.Clients.Forget(id)
		w.WriteHeader(http.StatusNoContent)
	default:
		h.answer(w, r, http.StatusOK, answerOf(h.cfg.Issuer, c, token), nil)
	}
}

func (h *Handler) answer(w http.ResponseWriter, r *http.Request, status int, a answer, err error) {
	if err == nil {
		trail.OK(r.Context(), trail.Register)
		httpx.WriteJSON(w, status, a)
		return
	}
	var e *oauth.Error
	if errors.As(err, &e) && e.Status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="registration", error="invalid_token"`)
	}
	if errors.As(err, &e) && e.Status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", "3600")
	}
	oauth.Write(w, r, h.cfg.Log, err)
}

// refused is the one answer to a bearer who may not do this: why is for the log.
func refused(cause error) error {
	return &oauth.Error{Code: oauth.InvalidToken, Description: "a token that allows this is needed", Status: http.StatusUnauthorized, Cause: cause}
}

// gone turns a lost race into what the loser would have heard a moment later: its token is not the client's any more.
func gone(err error) error {
	if errors.Is(err, client.ErrChanged) {
		return refused(err)
	}
	return err
}

// owner finds the client whose registration access token the caller holds. An unknown client answers like a wrong token.
func (h *Handler) owner(r *http.Request, id string) (client.Client, int64, string, error) {
	token, ok := httpx.Bearer{}.Token(r)
	if !ok {
		return client.Client{}, 0, "", refused(errors.New("no bearer token"))
	}
	c, version, err := h.cfg.Store.ClientVersion(r.Context(), id)
	if err == nil {
		trail.Client(r.Context(), id)
	}
	switch {
	case errors.Is(err, client.ErrUnknown):
		return client.Client{}, 0, "", refused(err)
	case err != nil:
		return client.Client{}, 0, "", err
	case c.Disabled || c.TokenHash == "" || !client.SecretMatches(token, c.TokenHash):
		return client.Client{}, 0, "", refused(errors.New("not the client's registration access token"))
	}
	return c, version, token, nil
}

// admit says who may register, before anything is read or fetched on behalf of a stranger. It returns the hash of the initial access token, "" for none.
func (h *Handler) admit(r *http.Request) (string, error) {
	if r.Header.Get("Authorization") == "" && h.cfg.Policy.Mode == Open {
		n, err := h.cfg.Store.DynamicClients(r.Context())
		if err == nil && n >= MaxOpen {
			err = &oauth.Error{Code: "temporarily_unavailable", Description: "too many clients have registered", Status: http.StatusServiceUnavailable}
		}
		return "", err
	}
	token, ok := httpx.Bearer{}.Token(r)
	if !ok {
		return "", refused(errors.New("no initial access token"))
	}
	hash := client.HashSecret(token)
	err := h.cfg.Store.CheckInitialToken(r.Context(), hash, h.cfg.Now())
	if errors.Is(err, ErrToken) {
		return "", refused(err)
	}
	return hash, err
}

func (h *Handler) create(r *http.Request) (answer, error) {
	initial, err := h.admit(r)
	if err != nil {
		return answer{}, err
	}
	m, err := h.read(r)
	if err != nil {
		return answer{}, err
	}
	now := h.cfg.Now()
	c := client.Client{ID: newID(), Registration: client.Registration{Dynamic: true, RegisteredAt: now.UTC().Truncate(time.Second)}}
	c, secret, token, err := h.build(r.Context(), c, m)
	if err != nil {
		return answer{}, err
	}
	err = h.cfg.Store.InTx(r.Context(), func(ctx context.Context) error {
		if initial != "" {
			if err := h.cfg.Store.UseInitialToken(ctx, initial, now); err != nil {
				return err
			}
		}
		return h.cfg.Store.ChangeClient(ctx, c, 0, c.ID)
	})
	if errors.Is(err, ErrToken) {
		err = refused(err)
	}
	a := answerOf(h.cfg.Issuer, c, token)
	a.Secret, a.SoftwareStatement = secret, m.SoftwareStatement
	return a, err
}

// replace puts a whole new registration in the place of the old one. The version of the row is the decision: of two holders of one token, one.
func (h *Handler) replace(r *http.Request, old client.Client, version int64) (answer, error) {
	m, err := h.read(r)
	if err != nil {
		return answer{}, err
	}
	if m.ClientID != old.ID {
		return answer{}, invalid("client_id must be that of the client")
	}
	if m.ClientSecret != "" && !client.SecretMatches(m.ClientSecret, old.SecretHash) {
		return answer{}, invalid("client_secret can't be chosen")
	}
	if old.StatementIssuer != "" && m.SoftwareStatement == "" {
		return answer{}, &oauth.Error{Code: InvalidSoftwareStatement, Description: "a client that registered by a software statement changes by one"}
	}
	c := client.Client{ID: old.ID, Registration: old.Registration, SecretHash: old.SecretHash,
		PreviousSecretHash: old.PreviousSecretHash, PreviousSecretEnds: old.PreviousSecretEnds}
	c.StatementIssuer = ""
	// What only an operator can set stays: a client must not shake off the level that was demanded of its logins.
	c.Organisation, c.Service, c.OptionalClaims, c.RequiredACR = old.Organisation, old.Service, old.OptionalClaims, old.RequiredACR
	c.Serves, c.Resources = old.Serves, old.Resources
	c, secret, token, err := h.build(r.Context(), c, m)
	if err != nil {
		return answer{}, err
	}
	// Whoever got by without a secret was weighed as such, by people too (client.Impersonable).
	if c.Public != old.Public {
		return answer{}, invalid("a public client stays one, a confidential client too: register another client")
	}
	if err := gone(h.cfg.Store.ChangeClient(r.Context(), c, version, c.ID)); err != nil {
		return answer{}, err
	}
	h.cfg.Clients.Forget(c.ID)
	a := answerOf(h.cfg.Issuer, c, token)
	a.Secret, a.SoftwareStatement = secret, m.SoftwareStatement
	return a, nil
}

// Sweep forgets what nobody needs any more, up to limit rows a kind, and returns how many. Where a token is needed to register, a client that
// waits for its first use is kept: an operator meant it.
func (h *Handler) Sweep(ctx context.Context, limit int) (int64, error) {
	now := h.cfg.Now()
	n, err := h.cfg.Store.DeleteInitialTokens(ctx, now, limit)
	if err != nil || h.cfg.Policy.Mode != Open {
		return n, err
	}
	clients, err := h.cfg.Store.DeleteUnused(ctx, now.Add(-UnusedLife), limit)
	return n + clients, err
}
