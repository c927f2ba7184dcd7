// Package tokens answers what clients and APIs ask about tokens: is this one still good (RFC 7662, RFC 9701), and end this one (RFC 7009).
//
// A token is told about to whoever it was issued to and to the API that it is for, and to nobody else: to all others every token is inactive.
package tokens

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/oidc/answer"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/grant"
	"github.com/hufu-id/hufu/oidc/oauth"
	"github.com/hufu-id/hufu/oidc/trail"
)

// Store is what the endpoints write.
type Store interface {
	grant.Store
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
	ClaimOnce(ctx context.Context, kind, id string, expires time.Time) error
}

// Handler serves both endpoints. Safe for concurrent use.
type Handler struct {
	Issuer        string
	Store         Store
	Authenticator client.Authenticator
	Grants        *grant.Verifier
	Refresh       grant.RefreshTokens
	Answers       answer.Sealer
	Log           *slog.Logger
	Now           func() time.Time
}

// asked reads a request: who asks, and about which token.
func (h *Handler) asked(r *http.Request) (client.Authenticated, url.Values, error) {
	form, err := httpx.Form(r)
	if err != nil {
		return client.Authenticated{}, nil, oauth.FromForm(err)
	}
	who, err := h.Authenticator.Authenticate(r, form)
	if err == nil && who.Anonymous() {
		err = client.ErrAuthentication
	}
	if err != nil {
		return who, form, client.Refusal(err)
	}
	trail.Parameters(r.Context(), form)
	if form.Get("token") == "" {
		return who, form, oauth.New(oauth.InvalidRequest, "token is missing")
	}
	return who, form, nil
}

// useUp uses up the assertion of the request.
func (h *Handler) useUp(ctx context.Context, who client.Authenticated) error {
	return client.Refusal(who.UseUp(ctx, h.Store.ClaimOnce))
}

// Introspect answers RFC 7662 section 2, as a JWT for those that want one (RFC 9701).
func (h *Handler) Introspect(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	who, form, err := h.asked(r)
	c := who.Client()
	if err == nil && c.Public {
		err = client.Refusal(client.ErrAuthentication) // anybody could try out tokens in its name
	}
	if err == nil {
		err = h.useUp(ctx, who)
	}
	found := map[string]any{"active": false}
	if err == nil {
		found, err = h.about(ctx, c, form.Get("token"))
	}
	if err != nil {
		oauth.Write(w, r, h.Log, err)
		return
	}
	trail.Put(ctx, "active", strconv.FormatBool(found["active"] == true))
	trail.OK(ctx, trail.Introspect)
	if c.IntrospectionSignedAlg == "" && !strings.Contains(r.Header.Get("Accept"), "application/token-introspection+jwt") {
		httpx.WriteJSON(w, http.StatusOK, found)
		return
	}
	token, err := h.Answers.Introspection(ctx, c, found)
	if err != nil {
		oauth.Write(w, r, h.Log, err)
		return
	}
	w.Header().Set("Content-Type", "application/token-introspection+jwt")
	_, _ = io.WriteString(w, token)
}

// about is what c may know of a token.
func (h *Handler) about(ctx context.Context, c client.Client, token string) (map[string]any, error) {
	inactive := map[string]any{"active": false}
	t, err := h.Grants.Inspect(ctx, token)
	if errors.Is(err, grant.ErrToken) {
		return h.aboutRefresh(ctx, c, token)
	}
	if err != nil {
		return nil, err
	}
	if t.ClientID != c.ID && !slices.ContainsFunc(t.Audience, func(a string) bool { return slices.Contains(c.Serves, a) }) {
		return inactive, nil
	}
	out := map[string]any{"active": true, "iss": h.Issuer, "sub": t.Subject, "aud": t.Audience, "jti": t.JTI, "iat": t.IssuedAt.Unix(), "exp": t.ExpiresAt.Unix(),
		"scope": strings.Join(t.Scopes, " "), "token_type": "Bearer"}
	if t.ClientID != "" {
		out["client_id"] = t.ClientID
	}
	switch {
	case t.JKT != "":
		out["token_type"], out["cnf"] = "DPoP", map[string]string{"jkt": t.JKT}
	case t.CertThumbprint != "":
		out["cnf"] = map[string]string{"x5t#S256": t.CertThumbprint}
	}
	if !t.AuthTime.IsZero() {
		out["acr"], out["auth_time"] = t.ACR, t.AuthTime.Unix() // RFC 9470 section 6.2
	}
	if len(t.Details) > 0 {
		out["authorization_details"] = t.Details
	}
	return out, nil
}

// aboutRefresh tells a client about its own refresh token. It has no token_type, so that no API takes it for an access token.
func (h *Handler) aboutRefresh(ctx context.Context, c client.Client, token string) (map[string]any, error) {
	inactive := map[string]any{"active": false}
	id, generation, err := h.Refresh.Parse(token)
	if err != nil {
		return inactive, nil
	}
	g, err := h.Store.Grant(ctx, id)
	switch {
	case errors.Is(err, grant.ErrUnknown):
		return inactive, nil
	case err != nil:
		return nil, err
	case g.ClientID != c.ID || generation != g.RefreshGeneration || !g.RevokedAt.IsZero() || !h.Now().Before(g.RefreshExpires):
		return inactive, nil
	}
	return map[string]any{"active": true, "iss": h.Issuer, "sub": g.Subject, "client_id": g.ClientID, "scope": strings.Join(g.Scopes, " "),
		"exp": g.RefreshExpires.Unix()}, nil
}

// Revoke ends the grant of a token with all its tokens (RFC 7009 section 2): a client that gives up one of them gives up what was agreed. A token that is
// unknown, ended or another client's changes nothing and is 200, for there is nothing left to do.
func (h *Handler) Revoke(w http.ResponseWriter, r *http.Request) {
	who, form, err := h.asked(r)
	if err == nil {
		err = h.Store.InTx(r.Context(), func(ctx context.Context) error {
			if err := h.useUp(ctx, who); err != nil {
				return err
			}
			return h.revoke(ctx, who.Client(), form.Get("token"))
		})
	}
	var answer *oauth.Error
	if err != nil && !errors.As(err, &answer) {
		// Section 2.2.1: the client must take the token for alive and try again. 200 would be a lie (CVE-2020-15223 of fosite).
		h.Log.ErrorContext(r.Context(), "revocation failed", "trace", audit.Trace(r.Context()), "error", err)
		err = &oauth.Error{Code: oauth.ServerError, Description: "the token could not be revoked now: try again", Status: http.StatusServiceUnavailable, Cause: err}
	}
	if err != nil {
		oauth.Write(w, r, h.Log, err)
		return
	}
	trail.OK(r.Context(), trail.Revoke)
	w.WriteHeader(http.StatusOK)
}

func (h *Handler) revoke(ctx context.Context, c client.Client, token string) error {
	id, _, err := h.Refresh.Parse(token)
	if err != nil {
		t, err := h.Grants.Inspect(ctx, token)
		if errors.Is(err, grant.ErrToken) {
			return nil
		}
		if err != nil {
			return err
		}
		id = t.GrantID
	}
	g, err := h.Store.Grant(ctx, id)
	if errors.Is(err, grant.ErrUnknown) || err == nil && g.ClientID != c.ID {
		return nil
	}
	if err != nil {
		return err
	}
	return h.Store.Revoke(ctx, g.ID, h.Now(), audit.Event{Kind: "oidc.grant_revoked", Actor: c.ID, Subject: g.ID, Client: c.ID,
		Detail: map[string]string{"reason": "by_client"}})
}
