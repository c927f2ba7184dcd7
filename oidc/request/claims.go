package request

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/hufu-id/hufu/internal/strictjson"
	"github.com/hufu-id/hufu/oidc/claim"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/credential"
	"github.com/hufu-id/hufu/oidc/flow"
	"github.com/hufu-id/hufu/oidc/oauth"
)

// Limits of the claims parameter: it is kept in the browser until the code.
const (
	maxClaimsBytes = 4 << 10
	maxClaims      = 64
)

// wanted is one member of the claims parameter: null, or what the client wants of the claim (OpenID Connect Core 5.5.1).
type wanted struct {
	Essential bool              `json:"essential"`
	Value     json.RawMessage   `json:"value"`
	Values    []json.RawMessage `json:"values"`
}

// strings returns the values that are strings.
func (w *wanted) strings() []string {
	if w == nil {
		return nil
	}
	var out []string
	for _, raw := range append(w.Values, w.Value) {
		var s string
		if raw != nil && strictjson.Decode(raw, &s) == nil {
			out = append(out, s)
		}
	}
	return out
}

// checkClaims reads the claims parameter. A claim that nobody knows is left out (OpenID Connect Core 5.5); what is asked for twice, once for
// each answer, is one thing to the person.
func (p *Parser) checkClaims(_ context.Context, _ client.Client, v url.Values, req *flow.Request) error {
	raw := v.Get("claims")
	if raw == "" {
		return nil
	}
	var asked struct {
		Userinfo map[string]*wanted `json:"userinfo"`
		IDToken  map[string]*wanted `json:"id_token"`
	}
	if len(raw) > maxClaimsBytes {
		return oauth.New(oauth.InvalidRequest, "the claims parameter is too long")
	}
	if err := strictjson.Decode([]byte(raw), &asked); err != nil {
		return oauth.Because(oauth.InvalidRequest, "the claims parameter is not the JSON object that it should be", err)
	}
	if len(asked.Userinfo)+len(asked.IDToken) > maxClaims {
		return oauth.New(oauth.InvalidRequest, "the claims parameter asks for too many claims")
	}
	if err := specialClaims(asked.IDToken, req); err != nil {
		return err
	}
	if err := subject(asked.Userinfo["sub"], req); err != nil {
		return err
	}
	for _, name := range claim.All() {
		for _, from := range []struct {
			asked map[string]*wanted
			into  *[]string
		}{{asked.Userinfo, &req.UserinfoClaims}, {asked.IDToken, &req.IDTokenClaims}} {
			w, ok := from.asked[name]
			if !ok {
				continue
			}
			*from.into = append(*from.into, name)
			if values := w.strings(); len(values) > 0 {
				if req.ClaimValues == nil {
					req.ClaimValues = map[string][]string{}
				}
				req.ClaimValues[name] = values
			}
		}
	}
	return nil
}

// specialClaims are those of the ID token that say how, and as whom, the person logs in.
func specialClaims(asked map[string]*wanted, req *flow.Request) error {
	if err := subject(asked["sub"], req); err != nil {
		return err
	}
	acr := asked["acr"]
	level := lowest(acr.strings())
	if acr != nil && acr.Essential && level == "" && len(acr.strings()) > 0 {
		// OpenID Connect Core 5.5.1.1: an essential acr that can't be reached fails the request.
		return oauth.New(oauth.UnmetAuthentication, "none of the essential acr values is known here")
	}
	req.RequiredACR = max(req.RequiredACR, level)
	return nil
}

// subject notes the sub that the client wants. It must be one and the same wherever it stands.
func subject(w *wanted, req *flow.Request) error {
	values := w.strings()
	if len(values) == 0 {
		return nil
	}
	if len(values) > 1 || req.HintSubject != "" && req.HintSubject != values[0] {
		return oauth.New(oauth.InvalidRequest, "claims and id_token_hint name different subjects")
	}
	req.HintSubject = values[0]
	return nil
}

// checkResources takes the resources (RFC 8707) that the client is registered for, and those that its scopes name anyway.
func (p *Parser) checkResources(_ context.Context, c client.Client, v url.Values, req *flow.Request) error {
	for _, r := range v["resource"] {
		u, err := url.Parse(r)
		if err != nil || !u.IsAbs() || strings.Contains(r, "#") {
			return oauth.New(oauth.InvalidTarget, "resource must be an absolute URI without a fragment")
		}
		switch {
		case p.ownAudience(req, r):
		case slices.Contains(c.Resources, r):
			if !slices.Contains(req.Resources, r) {
				req.Resources = append(req.Resources, r)
			}
		default:
			return oauth.New(oauth.InvalidTarget, "the client is not registered for this resource")
		}
	}
	return nil
}

// ownAudience says whether what is asked gives a token for this resource anyway: ourselves, and credential issuers.
func (p *Parser) ownAudience(req *flow.Request, resource string) bool {
	if resource == p.Issuer || slices.Contains(credential.Audience(req.Details, p.Credentials), resource) {
		return true
	}
	for _, s := range req.Scopes {
		if audience, _, ok := p.Credential(s); ok && slices.Contains(audience, resource) {
			return true
		}
	}
	return false
}
