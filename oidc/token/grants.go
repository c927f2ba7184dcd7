package token

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/credential"
	"github.com/hufu-id/hufu/oidc/grant"
	"github.com/hufu-id/hufu/oidc/oauth"
	"github.com/hufu-id/hufu/oidc/trail"
)

// invalidGrant is the one answer for a code that won't do. It doesn't say why: that would tell a thief what is missing.
// The client's developer may see it, signed in.
func invalidGrant(cause oauth.Reason) *oauth.Error {
	return oauth.Because(oauth.InvalidGrant, "the code is invalid, expired, used or not for this request", cause)
}

// authorizationCode binds a code to client, redirect URI and verifier (RFC 6749 4.1.3, RFC 7636 4.6).
func (h *Handler) authorizationCode(ctx context.Context, req request) (bound, error) {
	code := req.form.Get("code")
	if code == "" {
		return bound{}, oauth.New(oauth.InvalidRequest, "code is missing")
	}
	signature, err := h.cfg.Engine.Signature(ctx, code)
	if err != nil {
		return h.onlyRefuse(invalidGrant("not one of our codes")), nil
	}
	g, err := h.cfg.Store.GrantByCode(ctx, signature)
	if errors.Is(err, grant.ErrUnknown) {
		return h.onlyRefuse(invalidGrant("no such code")), nil
	}
	if err != nil {
		return bound{}, err
	}
	trail.Tie(ctx, "grant", g.ID)
	if mismatch := mismatchOf(g, req); mismatch != "" {
		return bound{claim: func(ctx context.Context, _ string) (grant.Grant, *oauth.Error, error) {
			return grant.Grant{}, invalidGrant(mismatch), h.burn(ctx, g, req, string(mismatch))
		}}, nil
	}
	if _, refused := narrow(g, req.form); refused != nil {
		return bound{}, refused
	}
	return bound{code: code, claim: func(ctx context.Context, jti string) (grant.Grant, *oauth.Error, error) {
		return h.claimCode(ctx, g, req, jti)
	}}, nil
}

// onlyRefuse still goes through the transaction, so that the client's assertion is used up.
func (h *Handler) onlyRefuse(e *oauth.Error) bound {
	return bound{claim: func(context.Context, string) (grant.Grant, *oauth.Error, error) { return grant.Grant{}, e, nil }}
}

// mismatchOf compares everything that the code is bound to and names the first difference. All must agree: one that
// is right never makes up for one that is wrong or missing.
func mismatchOf(g grant.Grant, req request) oauth.Reason {
	verifier := req.form.Get("code_verifier")
	switch {
	case g.ClientID != req.who.Client().ID:
		return "client"
	case g.RedirectURI != req.form.Get("redirect_uri"):
		return "redirect_uri"
	case g.Challenge == "" && verifier != "":
		// Somebody stripped the challenge from the authorization request (CVE-2024-23647).
		return "verifier without challenge"
	case g.Challenge != "" && !verifies(g.Challenge, verifier):
		return "verifier"
	case g.JKT != "" && g.JKT != req.shown.JKT:
		return "DPoP key"
	case g.Instance != "" && g.Instance != req.who.Instance():
		return "wallet instance"
	}
	return ""
}

// verifies is S256 of RFC 7636.
func verifies(challenge, verifier string) bool {
	if len(verifier) < 43 || len(verifier) > 128 {
		return false
	}
	sum := sha256.Sum256([]byte(verifier))
	return subtle.ConstantTimeCompare([]byte(base64.RawURLEncoding.EncodeToString(sum[:])), []byte(challenge)) == 1
}

// burn makes the code useless after a wrong presentation: whoever has it, it is not in good hands. A code that is used already stays as it
// is, and what it gave stays good: otherwise anybody who sees an old code could log a person out (library-traps F10).
func (h *Handler) burn(ctx context.Context, g grant.Grant, req request, reason string) error {
	err := h.cfg.Store.BurnCode(ctx, g.CodeSignature, audit.Event{Kind: "oidc.code_burnt", Actor: req.who.Client().ID, Subject: g.ID,
		Client: g.ClientID, Detail: map[string]string{"reason": reason}})
	if errors.Is(err, grant.ErrLost) {
		return nil
	}
	return err
}

func (h *Handler) claimCode(ctx context.Context, g grant.Grant, req request, jti string) (grant.Grant, *oauth.Error, error) {
	ev := audit.Event{Kind: "oidc.code_redeemed", Actor: g.ClientID, Subject: g.ID, Client: g.ClientID, Detail: map[string]string{"jti": jti}}
	fixed := redemption(g, req)
	err := h.cfg.Store.ClaimCode(ctx, g.CodeSignature, req.at, fixed, ev)
	if err == nil {
		g.RefreshExpires, g.RefreshKey = fixed.RefreshExpires, fixed.RefreshKey
		return g, nil, nil
	}
	if !errors.Is(err, grant.ErrLost) {
		return grant.Grant{}, nil, err
	}
	now, err := h.cfg.Store.Grant(ctx, g.ID)
	if errors.Is(err, grant.ErrUnknown) {
		return grant.Grant{}, invalidGrant("gone"), nil
	}
	if err != nil {
		return grant.Grant{}, nil, err
	}
	if now.CodeState != grant.Used {
		return grant.Grant{}, invalidGrant("expired or burnt"), nil
	}
	// The right client with the right verifier, a second time: one of the two is a thief, and nobody can say which (RFC 6749 4.1.2).
	err = h.cfg.Store.Revoke(ctx, g.ID, req.at, audit.Event{Kind: "oidc.grant_revoked", Actor: g.ClientID, Subject: g.ID, Client: g.ClientID,
		Detail: map[string]string{"reason": "code_reused"}})
	return grant.Grant{}, invalidGrant("used"), err
}

// clientCredentials gives a client a token of its own (RFC 6749 4.4), for scopes that belong to machines.
func (h *Handler) clientCredentials(req request) (bound, error) {
	c := req.who.Client()
	if c.Public {
		return bound{}, oauth.New(oauth.UnauthorizedClient, "a public client has no credentials")
	}
	asked := strings.Fields(req.form.Get("scope"))
	if len(asked) == 0 {
		for _, s := range c.Scopes {
			if _, ok := h.cfg.MachineAudience(s); ok {
				asked = append(asked, s)
			}
		}
	}
	g := grant.Grant{ID: random(16), Type: client.ClientCredentials, ClientID: c.ID, Subject: "client:" + c.ID, CreatedAt: req.at,
		ExpiresAt: req.at.Add(AccessLife)}
	for _, s := range asked {
		audience, ok := h.cfg.MachineAudience(s)
		if !ok || !c.MayAsk(s) {
			return bound{}, oauth.New(oauth.InvalidScope, "the client may not ask for this scope")
		}
		g.Scopes = append(g.Scopes, s)
		g.Audience = append(g.Audience, audience)
	}
	for _, r := range c.Resources { // what the client is registered for; resource narrows it
		if !slices.Contains(g.Audience, r) {
			g.Audience = append(g.Audience, r)
		}
	}
	if len(g.Audience) == 0 {
		return bound{}, oauth.New(oauth.InvalidScope, "the client has no scope for this grant_type")
	}
	if _, refused := narrow(g, req.form); refused != nil {
		return bound{}, refused
	}
	return bound{claim: func(ctx context.Context, jti string) (grant.Grant, *oauth.Error, error) {
		return g, nil, h.cfg.Store.PutGrant(ctx, g, audit.Event{Kind: "oidc.client_token_issued", Actor: c.ID, Subject: g.ID, Client: c.ID,
			Detail: map[string]string{"jti": jti, "scope": strings.Join(g.Scopes, " ")}})
	}}, nil
}

// preAuthorizedCode redeems the code of a credential offer (OpenID4VCI section 6.1). The wallet may be anonymous.
// With authorization_details it asks for some of what is offered, and is told by which identifiers (OpenID4VCI section 6.1.1).
func (h *Handler) preAuthorizedCode(ctx context.Context, req request) (bound, error) {
	code := req.form.Get("pre-authorized_code")
	switch {
	case h.cfg.PreAuthorizedCodes == nil:
		return bound{}, oauth.New(oauth.UnsupportedGrantType, "this grant_type is not supported")
	case code == "":
		return bound{}, oauth.New(oauth.InvalidRequest, "pre-authorized_code is missing")
	}
	asked, scopes, err := h.askedCredentials(req.form.Get("authorization_details"))
	if err != nil {
		return bound{}, err
	}
	return bound{claim: func(ctx context.Context, jti string) (grant.Grant, *oauth.Error, error) {
		offer, err := h.cfg.PreAuthorizedCodes.Redeem(ctx, code, req.form.Get("tx_code"))
		if err != nil {
			refused, err := redeemRefused(err)
			return grant.Grant{}, refused, err
		}
		c := req.who.Client()
		g := grant.Grant{ID: random(16), Type: client.PreAuthorizedCode, ClientID: c.ID, Subject: "offer:" + offer.OfferID, OfferID: offer.OfferID, Instance: req.who.Instance(),
			Scopes: offer.Scopes, Audience: offer.Audience, CreatedAt: req.at, ExpiresAt: req.at.Add(AccessLife)}
		if len(g.Audience) == 0 {
			g.Audience = []string{offer.Issuer}
		}
		if g, err = h.onlyAsked(ctx, g, asked, scopes); err != nil {
			return grant.Grant{}, nil, err // rolls the redemption back: the code is as good as before
		}
		g = h.renewable(g, req)
		return g, nil, h.cfg.Store.PutGrant(ctx, g, audit.Event{Kind: "oidc.offer_redeemed", Actor: c.ID, Subject: g.ID, Client: c.ID,
			Detail: map[string]string{"jti": jti, "offer": offer.OfferID}})
	}}, nil
}

// errNotOffered answers authorization_details that ask for more than the offer has.
func errNotOffered() *oauth.Error {
	return oauth.New(oauth.InvalidDetails, "authorization_details must ask for credentials of the offer")
}

// askedCredentials reads the authorization_details of a wallet without a person's grant: credentials, and nothing else. It returns them with the
// scopes that ask for the same.
func (h *Handler) askedCredentials(raw string) (asked []json.RawMessage, scopes []string, err error) {
	if raw == "" {
		return nil, nil, nil
	}
	list, err := credential.List(raw)
	if err != nil {
		return nil, nil, oauth.Because(oauth.InvalidDetails, "authorization_details must be a JSON array of one to five objects, 4 KiB at most", err)
	}
	for _, one := range list {
		detail, c, err := credential.Ask(one, h.cfg.Credentials)
		if errors.Is(err, credential.ErrDetail) {
			return nil, nil, oauth.Because(oauth.InvalidDetails, "authorization_details asks for a credential that is not offered here", err)
		}
		if err != nil {
			return nil, nil, err
		}
		asked, scopes = append(asked, detail), append(scopes, c.Scope)
	}
	return asked, scopes, nil
}

// onlyAsked limits the grant of an offer to the credentials that were asked for, at the offer's issuer.
func (h *Handler) onlyAsked(ctx context.Context, g grant.Grant, asked []json.RawMessage, scopes []string) (grant.Grant, error) {
	if len(asked) == 0 {
		return g, nil
	}
	for _, s := range scopes {
		if !slices.Contains(g.Scopes, s) {
			return g, errNotOffered()
		}
	}
	for _, d := range credential.Granted(asked) {
		if slices.ContainsFunc(d.Locations, func(l string) bool { return !slices.Contains(g.Audience, l) }) {
			return g, errNotOffered()
		}
	}
	var err error
	g.Details, err = credential.Grant(ctx, h.cfg.Credentials, credential.Holder{OfferID: g.OfferID}, asked)
	if err == nil && len(g.Details) != len(asked) {
		err = errNotOffered()
	}
	g.Scopes = nil // what was asked for is all that was granted
	return g, err
}

// redeemRefused tells answers from faults. The answers' writes (a counted try) are kept.
func redeemRefused(err error) (*oauth.Error, error) {
	switch {
	case errors.Is(err, ErrOffer), errors.Is(err, ErrTxCode):
		return oauth.Because(oauth.InvalidGrant, "the code or the transaction code is wrong, or the offer has ended", err), nil
	case errors.Is(err, ErrTxMissing):
		return oauth.Because(oauth.InvalidRequest, "the offer expects a tx_code", err), nil
	case errors.Is(err, ErrTxUnasked):
		return oauth.Because(oauth.InvalidRequest, "the offer expects no tx_code", err), nil
	}
	return nil, err
}
