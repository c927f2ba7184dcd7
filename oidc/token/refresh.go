package token

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/credential"
	"github.com/hufu-id/hufu/oidc/grant"
	"github.com/hufu-id/hufu/oidc/oauth"
	"github.com/hufu-id/hufu/oidc/trail"
)

// Lives of refresh tokens, from the redemption of the code. Use never extends them.
const (
	SessionLife = 8 * time.Hour       // without offline_access: as long as a login session can be, and no longer than this one
	OfflineLife = 90 * 24 * time.Hour // with it
)

// RetryWindow is how long the refresh token before the current one is answered with the current one again. A reply that got lost, or two
// tabs at once, are no theft; without the window every one of them would log a person out.
const RetryWindow = time.Minute

// redemption is what the redemption of a code fixes. A public client's refresh token is bound to the key of this request: nothing else would
// tell the client from a thief (RFC 9449 section 5). A wallet's is bound to its instance. A confidential client proves itself at every refresh, and may change its key.
func redemption(g grant.Grant, req request) grant.Redemption {
	r := grant.Redemption{TokensExpire: req.at.Add(IDLife)}
	c := req.who.Client()
	if g.PersonID == "" || !c.Has(client.RefreshToken) {
		return r
	}
	r.RefreshExpires = refreshEnd(g, req.at)
	if r.RefreshExpires.IsZero() {
		return r
	}
	r.RefreshKey = req.refreshKey()
	return r
}

// refreshEnd is when the refresh tokens of a grant end; zero when its session is over already. A code of the session's last minute must not
// carry it on for another day.
func refreshEnd(g grant.Grant, at time.Time) time.Time {
	if g.Offline {
		return at.Add(OfflineLife)
	}
	end := at.Add(SessionLife)
	if !g.SessionEnds.IsZero() && g.SessionEnds.Before(end) {
		end = g.SessionEnds
	}
	if !at.Before(end) {
		return time.Time{}
	}
	return end
}

// refreshKey names what the refresh tokens of the request are bound to, "" for the client alone. All installations of a wallet are one client: the
// key of the instance tells them apart (draft-ietf-oauth-attestation-based-client-auth, "Refresh token binding").
func (r request) refreshKey() string {
	switch {
	case r.who.Instance() != "":
		return "instance:" + r.who.Instance()
	case r.who.Client().Public:
		return r.keyName()
	}
	return ""
}

// keyName names what the tokens of the request are bound to, "" for nothing.
func (r request) keyName() string {
	key := keyOf(r.who.Client(), r.shown)
	if key.CertThumbprint != "" {
		return "x5t#S256:" + key.CertThumbprint
	}
	return key.JKT
}

// refreshTokenOf is the refresh token that goes out with the tokens of a recorded grant, "" for none.
func (h *Handler) refreshTokenOf(g grant.Grant) string {
	if g.RefreshExpires.IsZero() {
		return ""
	}
	return h.cfg.RefreshTokens.Make(g.ID, g.RefreshGeneration)
}

// refreshRefused is the one answer for a refresh token that won't do.
func refreshRefused(cause oauth.Reason) *oauth.Error {
	return oauth.Because(oauth.InvalidGrant, "the refresh token is invalid, expired, used or revoked", cause)
}

// presented is a refresh token of ours as it was shown by its client.
type presented struct {
	grant      grant.Grant // as it stood at phase 2
	generation int64
	scopes     []string // of the new tokens
}

// refresh binds a refresh token to its client and key, and asks whether what was agreed still stands (RFC 6749 section 6).
func (h *Handler) refresh(ctx context.Context, req request) (bound, error) {
	trail.At(ctx, trail.Refresh)
	token := req.form.Get("refresh_token")
	if token == "" {
		return bound{}, oauth.New(oauth.InvalidRequest, "refresh_token is missing")
	}
	id, generation, err := h.cfg.RefreshTokens.Parse(token)
	if err != nil {
		return h.onlyRefuse(refreshRefused("not one of ours")), nil
	}
	g, err := h.cfg.Store.Grant(ctx, id)
	switch {
	case errors.Is(err, grant.ErrUnknown):
		return h.onlyRefuse(refreshRefused("no such grant")), nil
	case err != nil:
		return bound{}, err
	case g.ClientID != req.who.Client().ID:
		// Nothing of the owner's ends: else anybody who sees an old token could log a person out (library-traps F10).
		return h.onlyRefuse(refreshRefused("another client's")), nil
	}
	trail.Tie(ctx, "grant", g.ID)
	lapsed, err := h.cfg.Lapsed(ctx, g)
	if err != nil {
		return bound{}, err
	}
	if lapsed != "" {
		return h.onlyRefuse(refreshRefused(oauth.Reason(lapsed))), nil
	}
	// What was taken from the client since is not renewed.
	g.Type = client.RefreshToken // narrowed as one, whatever it began as
	may := h.still(&g, req.who.Client())
	if len(may) == 0 && len(g.Details) == 0 {
		return h.onlyRefuse(refreshRefused("the client may ask for none of its scopes any more")), nil
	}
	p := presented{grant: g, generation: generation, scopes: may}
	if req.form.Has("scope") {
		if p.scopes = narrowed(may, req.form.Get("scope")); len(p.scopes) == 0 {
			return bound{}, oauth.New(oauth.InvalidScope, "scope must name some of what was granted, and nothing else")
		}
	}
	if _, refused := narrow(g, req.form); refused != nil {
		return bound{}, refused
	}
	return bound{claim: func(ctx context.Context, jti string) (grant.Grant, *oauth.Error, error) {
		return h.claimRefresh(ctx, p, req, jti)
	}}, nil
}

// still takes from a grant the details that the client may not ask for, and returns the scopes for which it may.
func (h *Handler) still(g *grant.Grant, c client.Client) []string {
	g.Details = credential.Allowed(g.Details, h.cfg.Credentials, c.MayAsk)
	return slices.DeleteFunc(slices.Clone(g.Scopes), func(s string) bool { return !c.MayAsk(s) })
}

// narrowed returns the scopes that a request asks for, or nothing when one of them was not granted.
func narrowed(granted []string, asked string) []string {
	var out []string
	for _, s := range strings.Fields(asked) {
		if !slices.Contains(granted, s) {
			return nil
		}
		if !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// claimRefresh uses the token. A confidential client with a bound access token keeps its refresh token: who steals it can use neither.
// Everybody else gets the next generation.
func (h *Handler) claimRefresh(ctx context.Context, p presented, req request, jti string) (grant.Grant, *oauth.Error, error) {
	g := p.grant
	sameKey := g.RefreshKey == "" || g.RefreshKey == req.refreshKey()
	if !sameKey && p.generation == g.RefreshGeneration {
		return grant.Grant{}, refreshRefused("another key"), nil // the key did its work: nobody was robbed
	}
	rotate := req.who.Client().Public || req.keyName() == ""
	err := grant.ErrLost
	if sameKey {
		err = h.useRefresh(ctx, g, p.generation, req, rotate, map[string]string{"jti": jti, "generation": strconv.FormatInt(p.generation, 10)})
	}
	switch {
	case err == nil && rotate:
		return p.issued(p.generation + 1), nil, nil
	case err == nil:
		return p.issued(p.generation), nil, nil
	case !errors.Is(err, grant.ErrLost):
		return grant.Grant{}, nil, err
	}
	now, err := h.cfg.Store.Grant(ctx, g.ID)
	switch {
	case errors.Is(err, grant.ErrUnknown):
		return grant.Grant{}, refreshRefused("gone"), nil
	case err != nil:
		return grant.Grant{}, nil, err
	case !now.RevokedAt.IsZero():
		return grant.Grant{}, refreshRefused("revoked"), nil
	case !req.at.Before(now.RefreshExpires):
		return grant.Grant{}, refreshRefused("ended"), nil
	}
	if sameKey && now.RefreshGeneration == p.generation+1 && req.at.Sub(now.RefreshAt) <= RetryWindow {
		err := h.useRefresh(ctx, g, now.RefreshGeneration, req, false, map[string]string{"jti": jti, "retry": "true"})
		if !errors.Is(err, grant.ErrLost) {
			return p.issued(now.RefreshGeneration), nil, err
		}
	}
	// A token that was replaced comes back: one of the two who have it is a thief, and nobody can say which (RFC 9700 section 4.14.2).
	err = h.cfg.Store.Revoke(ctx, g.ID, req.at, audit.Event{Kind: "oidc.grant_revoked", Actor: g.ClientID, Subject: g.ID, Client: g.ClientID,
		Detail: map[string]string{"reason": "refresh_token_reused"}})
	return grant.Grant{}, refreshRefused("used"), err
}

func (h *Handler) useRefresh(ctx context.Context, g grant.Grant, generation int64, req request, rotate bool, detail map[string]string) error {
	use := grant.Use{Generation: generation, At: req.at, TokensExpire: req.at.Add(IDLife), Rotate: rotate, RefreshExpires: g.RefreshEnd(req.at)}
	return h.cfg.Store.Refresh(ctx, g.ID, use, audit.Event{Kind: "oidc.tokens_refreshed", Actor: g.ClientID,
		Subject: g.ID, Client: g.ClientID, Detail: detail})
}

// issued is the grant as the new tokens show it. The nonce belongs to the first ID token (OpenID Connect Core section 12.2).
func (p presented) issued(generation int64) grant.Grant {
	g := p.grant
	g.Type, g.RefreshGeneration, g.Scopes, g.Nonce = client.RefreshToken, generation, p.scopes, ""
	return g
}
