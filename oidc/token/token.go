// Package token is the token endpoint (RFC 6749 section 3.2; OpenID4VCI section 6).
//
// Every grant goes through the same five phases, in one function that can be read from top to bottom:
//
//  1. authenticate the client (nothing is written);
//  2. bind: read what is to be redeemed and compare it with who asks (nothing is written);
//  3. claim: one transaction uses up the assertion and the code, and records what will be issued;
//  4. mint: sign what was recorded;
//  5. answer.
//
// A refusal may have something to write too: a code that is presented wrongly is burnt, a code that comes back is answered by
// revoking what it gave. Such a refusal is decided in phase 2 or 3, and written in phase 3.
package token

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/oidc/answer"
	"github.com/hufu-id/hufu/oidc/binding"
	"github.com/hufu-id/hufu/oidc/claim"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/credential"
	"github.com/hufu-id/hufu/oidc/grant"
	"github.com/hufu-id/hufu/oidc/internal/fositex"
	"github.com/hufu-id/hufu/oidc/oauth"
	"github.com/hufu-id/hufu/oidc/trail"
)

// Lives of tokens.
const (
	AccessLife = 5 * time.Minute
	IDLife     = 10 * time.Minute
)

// Store is what the endpoint writes.
type Store interface {
	grant.Store
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
	ClaimOnce(ctx context.Context, kind, id string, expires time.Time) error
	Audit(ctx context.Context, ev audit.Event) error
}

// Config of the endpoint.
type Config struct {
	Issuer             string
	Store              Store
	Authenticator      client.Authenticator
	Bindings           binding.Checker
	Engine             *fositex.Engine
	Answers            answer.Sealer
	Persons            claim.Persons
	RefreshTokens      grant.RefreshTokens
	OpaqueTokens       grant.OpaqueTokens
	PreAuthorizedCodes PreAuthorizedCodes   // may be nil
	Credentials        credential.Catalogue // may be nil
	Renewal            Renewal              // of the credentials of offers; zero is DefaultRenewal
	Anonymous          bool                 // a pre-authorized code may be redeemed by nobody in particular
	// Lapsed says why what a person agreed no longer carries new tokens: she is gone, her consent is, her province is. "" while it stands.
	Lapsed func(ctx context.Context, g grant.Grant) (why string, err error)
	// MachineAudience is where a token of a client_credentials scope may be used; false for a scope that this grant doesn't give.
	MachineAudience func(scope string) (audience string, ok bool)
	Log             *slog.Logger
	Now             func() time.Time
}

// Handler serves the token endpoint. Safe for concurrent use.
type Handler struct{ cfg Config }

// New makes the endpoint.
func New(cfg Config) *Handler {
	if cfg.Renewal == (Renewal{}) {
		cfg.Renewal = DefaultRenewal
	}
	return &Handler{cfg: cfg}
}

// request is a token request whose client proved who it is.
type request struct {
	who   client.Authenticated
	form  url.Values
	shown binding.Binding
	at    time.Time
}

// bound is what phase 2 found: what will be issued, and how phase 3 takes it.
type bound struct {
	code string // authorization_code only
	// claim runs in the transaction. It returns the grant as recorded, or a refusal whose writes are kept.
	claim func(ctx context.Context, jti string) (grant.Grant, *oauth.Error, error)
}

// ServeHTTP answers a token request.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.cfg.Bindings.Hand(w)
	answer, err := h.serve(r)
	if err != nil {
		oauth.Write(w, r, h.cfg.Log, err)
		return
	}
	trail.Put(r.Context(), "token_type", answer.TokenType)
	trail.Put(r.Context(), "granted", answer.Scope)
	trail.Passed(r.Context())
	w.Header().Set("Pragma", "no-cache")
	httpx.WriteJSON(w, http.StatusOK, answer)
}

// response is the successful answer (RFC 6749 section 5.1, OpenID Connect Core 3.1.3.3).
type response struct {
	AccessToken  string `json:"access_token"`
	TokenType    string `json:"token_type"`
	ExpiresIn    int64  `json:"expires_in"`
	Scope        string `json:"scope,omitempty"` // none when authorization_details alone say what was granted
	RefreshToken string `json:"refresh_token,omitempty"`
	IDToken      string `json:"id_token,omitempty"`
	// Details are the authorization_details that were agreed (RFC 9396 section 7).
	Details []json.RawMessage `json:"authorization_details,omitempty"`
}

func (h *Handler) serve(r *http.Request) (*response, error) {
	ctx := r.Context()
	form, err := httpx.Form(r, "resource")
	if err != nil {
		return nil, oauth.FromForm(err)
	}
	trail.Parameters(ctx, form)

	// 1. Authenticate the client.
	who, err := h.cfg.Authenticator.Authenticate(r, form)
	if err != nil {
		return nil, client.Refusal(err)
	}
	req := request{who: who, form: form, at: h.cfg.Now()}

	// 2. Bind.
	if req.shown, err = h.shown(r, who.Client()); err != nil {
		return nil, err
	}
	b, err := h.bind(ctx, req)
	if err != nil {
		return nil, err
	}

	// 3. Claim, in one transaction. It may run again after a conflict, so that what it found is set anew each time.
	var g grant.Grant
	var refused *oauth.Error
	jti := random(16)
	err = h.cfg.Store.InTx(ctx, func(ctx context.Context) (err error) {
		g, refused = grant.Grant{}, nil
		if err := req.who.UseUp(ctx, h.cfg.Store.ClaimOnce); err != nil {
			return client.Refusal(err)
		}
		if err := req.shown.UseUp(ctx, h.cfg.Store.ClaimOnce); err != nil {
			return err
		}
		g, refused, err = b.claim(ctx, jti)
		return err
	})
	switch {
	case err != nil:
		return nil, err
	case refused != nil:
		return nil, refused
	}

	// 4. Mint.
	if g, refused = narrow(g, form); refused != nil {
		return nil, refused
	}
	tokens, err := h.mint(ctx, req, g, b.code, jti)
	if err != nil {
		return nil, err
	}

	// 5. Answer.
	return &response{AccessToken: tokens.AccessToken, TokenType: tokenType(req), ExpiresIn: int64(AccessLife / time.Second),
		Scope: strings.Join(g.Scopes, " "), RefreshToken: h.refreshTokenOf(g), IDToken: tokens.IDToken, Details: g.Details}, nil
}

// mint signs what was recorded, and encrypts the ID token for a client that registered so.
func (h *Handler) mint(ctx context.Context, req request, g grant.Grant, code, jti string) (fositex.Tokens, error) {
	c, issued, key := req.who.Client(), req.at.Truncate(time.Second), keyOf(req.who.Client(), req.shown)
	values, err := h.idTokenValues(ctx, g)
	if err != nil {
		return fositex.Tokens{}, err
	}
	opaque, err := h.opaque(c, g, key, jti, issued)
	if err != nil {
		return fositex.Tokens{}, err
	}
	tokens, err := h.cfg.Engine.Mint(ctx, fositex.Mint{Grant: g, Code: code, JTI: jti, IssuedAt: issued, ExpiresAt: issued.Add(AccessLife),
		IDTokenExpires: issued.Add(IDLife), IDTokenAlg: c.IDTokenAlg(), ClientPublic: c.Public, JKT: key.JKT, CertThumbprint: key.CertThumbprint,
		IDTokenValues: values, Opaque: opaque})
	if err != nil {
		return fositex.Tokens{}, err
	}
	tokens.IDToken, err = h.cfg.Answers.IDToken(ctx, c, tokens.IDToken)
	return tokens, err
}

// bind picks the grant's way through phases 2 and 3.
func (h *Handler) bind(ctx context.Context, req request) (bound, error) {
	grantType := req.form.Get("grant_type")
	c := req.who.Client()
	switch grantType {
	case "":
		return bound{}, oauth.New(oauth.InvalidRequest, "grant_type is missing")
	case client.AuthorizationCode, client.RefreshToken, client.ClientCredentials, client.PreAuthorizedCode:
	default:
		return bound{}, oauth.New(oauth.UnsupportedGrantType, "this grant_type is not supported")
	}
	if err := h.cfg.Answers.Ready(ctx, c); err != nil {
		return bound{}, err
	}
	// Only the pre-authorized code stands for itself; everything else is a client's.
	if req.who.Anonymous() && (grantType != client.PreAuthorizedCode || !h.cfg.Anonymous) {
		return bound{}, client.Refusal(fmt.Errorf("%w: none sent", client.ErrAuthentication))
	}
	if !req.who.Anonymous() && !c.Has(grantType) {
		return bound{}, oauth.New(oauth.UnauthorizedClient, "the client is not registered for this grant_type")
	}
	switch grantType {
	case client.ClientCredentials:
		return h.clientCredentials(req)
	case client.PreAuthorizedCode:
		return h.preAuthorizedCode(ctx, req)
	case client.RefreshToken:
		return h.refresh(ctx, req)
	}
	return h.authorizationCode(ctx, req)
}

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails since Go 1.24
	return base64.RawURLEncoding.EncodeToString(b)
}
