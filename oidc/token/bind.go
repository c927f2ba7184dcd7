package token

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/hufu-id/hufu/oidc/binding"
	"github.com/hufu-id/hufu/oidc/claim"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/credential"
	"github.com/hufu-id/hufu/oidc/grant"
	"github.com/hufu-id/hufu/oidc/oauth"
)

// shown finds the key or certificate of a request, and refuses one that shows none where the client's tokens must be bound. It comes before
// anything is looked up: a proof without a nonce must not cost the client its code.
func (h *Handler) shown(r *http.Request, c client.Client) (binding.Binding, error) {
	b, err := h.cfg.Bindings.At(r, "/token", c.Policy().DPoPNonce)
	switch key := keyOf(c, b); {
	case err != nil:
		return b, err
	case c.DPoPRequired() && key.JKT == "":
		return b, oauth.New(oauth.InvalidDPoPProof, "this client's tokens are bound to a key: send a DPoP proof")
	case c.TLSBound && key.CertThumbprint == "":
		return b, oauth.New(oauth.InvalidRequest, "this client's tokens are bound to a certificate: use the endpoint of mtls_endpoint_aliases")
	case c.BindingRequired() && key == binding.Binding{}:
		return b, oauth.New(oauth.InvalidRequest, "this client's tokens must be bound: send a DPoP proof, or a client certificate")
	}
	return b, nil
}

// narrow limits the access token to the resources that the request names (RFC 8707 section 2.2): one that is for one API only can't be
// used by that API at another. A resource that was not agreed is refused; a wallet without a person's grant is not held to it, because
// foreign wallets send what their libraries do. authorization_details limit it the same way (RFC 9396 section 6.1).
func narrow(g grant.Grant, form url.Values) (grant.Grant, *oauth.Error) {
	if g.Type == client.PreAuthorizedCode {
		return g, nil // preAuthorizedCode has looked at both
	}
	if asked := form.Get("authorization_details"); asked != "" {
		var err error
		if g.Details, err = credential.Narrow(g.Details, asked); err != nil {
			return g, oauth.Because(oauth.InvalidDetails, "authorization_details must be some of what was granted", err)
		}
	}
	asked := form["resource"]
	if len(asked) == 0 || g.OfferID != "" {
		return g, nil
	}
	for _, r := range asked {
		if !slices.Contains(g.Audience, r) {
			return g, oauth.New(oauth.InvalidTarget, "resource must be one of those that were granted")
		}
	}
	g.Audience = slices.Compact(slices.Sorted(slices.Values(asked)))
	return g, nil
}

// idTokenValues are the claims of the person that the client asked to have in the ID token too (the claims parameter).
func (h *Handler) idTokenValues(ctx context.Context, g grant.Grant) (map[string]any, error) {
	if len(g.IDTokenClaims) == 0 {
		return nil, nil
	}
	person, err := h.cfg.Persons.Claims(ctx, g.PersonID)
	if errors.Is(err, claim.ErrNoPerson) {
		return nil, oauth.Because(oauth.InvalidGrant, "the person may not log in any more", err)
	}
	return person.Values(g.IDTokenClaims), err
}

// opaque seals the access token of a client that takes no JWT; "" for others.
func (h *Handler) opaque(c client.Client, g grant.Grant, key binding.Binding, jti string, issued time.Time) (string, error) {
	if !c.OpaqueTokens {
		return "", nil
	}
	return h.cfg.OpaqueTokens.Make(grant.AccessToken{GrantID: g.ID, JTI: jti, Subject: g.Subject, ClientID: g.ClientID, Scopes: g.Scopes, Audience: g.Audience,
		Details: g.Details, JKT: key.JKT, CertThumbprint: key.CertThumbprint, IssuedAt: issued, ExpiresAt: issued.Add(AccessLife)})
}

// keyOf says what the tokens of a client are bound to, given what it shows. A certificate binds only where that was registered, or the
// profile wants a binding: a client that happens to have one would else get tokens that it can't use elsewhere.
func keyOf(c client.Client, b binding.Binding) binding.Binding {
	switch {
	case c.TLSBound:
		return binding.Binding{CertThumbprint: b.CertThumbprint}
	case b.JKT != "" || c.DPoPRequired():
		return binding.Binding{JKT: b.JKT}
	case c.Policy().RequireBinding:
		return binding.Binding{CertThumbprint: b.CertThumbprint}
	}
	return binding.Binding{}
}

// tokenType is DPoP for a token that needs a proof at every use (RFC 9449 section 5). A certificate needs no word: the connection shows it.
func tokenType(req request) string {
	if keyOf(req.who.Client(), req.shown).JKT != "" {
		return "DPoP"
	}
	return "Bearer"
}
