package request

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/hufu-id/hufu/oidc/claim"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/flow"
	"github.com/hufu-id/hufu/oidc/hint"
	"github.com/hufu-id/hufu/oidc/oauth"
)

// modes are the response modes, as sent and as kept. "jwt" is the JWT of the default (JARM section 2.3.4); fragment would put a code where
// scripts of the landing page read it, and no response type of ours needs it.
var modes = map[string]string{
	"": "query", "query": "query", "form_post": "form_post", "jwt": "query.jwt", "query.jwt": "query.jwt", "form_post.jwt": "form_post.jwt",
}

// Modes lists the values of response_mode, for the metadata.
func Modes() []string { return []string{"query", "form_post", "jwt", "query.jwt", "form_post.jwt"} }

// Levels are the acr values, lowest first. They sort as text.
var Levels = []string{"loa1", "loa2", "loa3", "loa4"}

// checkShape refuses what this server doesn't do. A parameter that would change the meaning of the others is never ignored.
func (p *Parser) checkShape(_ context.Context, c client.Client, v url.Values, req *flow.Request) error {
	switch {
	case v.Has("registration"):
		return oauth.New(oauth.RegistrationUnsupported, "registration is not supported")
	case v.Get("response_type") == "":
		return oauth.New(oauth.InvalidRequest, "response_type is missing")
	case v.Get("response_type") != "code":
		return oauth.New(oauth.UnsupportedResponseType, "only response_type=code is supported")
	case modes[v.Get("response_mode")] == "":
		return oauth.New(oauth.InvalidRequest, "response_mode is not one of those in the metadata")
	case !c.Has(client.AuthorizationCode):
		return oauth.New(oauth.UnauthorizedClient, "the client is not registered for the code flow")
	}
	req.Nonce = v.Get("nonce")
	return nil
}

// checkScope keeps the scopes that we know and the client may ask for. Unknown ones are ignored (OpenID Connect Core 3.1.2.1); a known one that
// the client is not registered for is an error, because going on with less would surprise it.
func (p *Parser) checkScope(_ context.Context, c client.Client, v url.Values, req *flow.Request) error {
	credential := false
	for _, s := range strings.Fields(v.Get("scope")) {
		_, _, isCredential := p.Credential(s)
		if !claim.Known(s) && !isCredential || slices.Contains(req.Scopes, s) {
			continue
		}
		if s == claim.OfflineAccess && !c.Has(client.RefreshToken) {
			continue // it could never get what it asks for (OpenID Connect Core section 11)
		}
		if !c.MayAsk(s) {
			return oauth.New(oauth.InvalidScope, "the client may not ask for one of the scopes")
		}
		credential = credential || isCredential
		req.Scopes = append(req.Scopes, s)
	}
	if !slices.Contains(req.Scopes, claim.OpenID) && !credential && v.Get("authorization_details") == "" {
		return oauth.New(oauth.InvalidScope, "scope must contain openid, or name a credential")
	}
	return nil
}

// checkPKCE accepts S256 only: plain is a challenge that anybody who sees the request can answer (RFC 7636, RFC 9700 2.1.1).
func checkPKCE(_ context.Context, c client.Client, v url.Values, req *flow.Request) error {
	challenge := v.Get("code_challenge")
	switch {
	case !v.Has("code_challenge") && v.Has("code_challenge_method"):
		return oauth.New(oauth.InvalidRequest, "code_challenge is missing")
	case !v.Has("code_challenge"):
		if c.PKCERequired() {
			return oauth.New(oauth.InvalidRequest, "this client needs a code_challenge")
		}
		return nil
	case v.Get("code_challenge_method") != "S256":
		return oauth.New(oauth.InvalidRequest, "code_challenge_method must be S256")
	case !isHash(challenge):
		return oauth.New(oauth.InvalidRequest, "code_challenge must be 43 characters of base64url")
	}
	req.Challenge = challenge
	return nil
}

// checkDPoP binds the code to a key before anybody has shown it (RFC 9449 section 10).
func checkDPoP(_ context.Context, _ client.Client, v url.Values, req *flow.Request) error {
	if !v.Has("dpop_jkt") {
		return nil
	}
	if req.JKT = v.Get("dpop_jkt"); !isHash(req.JKT) {
		return oauth.New(oauth.InvalidRequest, "dpop_jkt must be a SHA-256 thumbprint: 43 characters of base64url")
	}
	return nil
}

// isHash says whether s looks like a SHA-256 in base64url.
func isHash(s string) bool {
	return len(s) == 43 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	})
}

func checkPrompt(_ context.Context, c client.Client, v url.Values, req *flow.Request) error {
	req.Prompts = strings.Fields(v.Get("prompt"))
	for _, p := range req.Prompts {
		if !slices.Contains([]string{"none", "login", "consent", "select_account"}, p) {
			return oauth.New(oauth.InvalidRequest, "unknown prompt")
		}
		if p == "none" && len(req.Prompts) > 1 {
			return oauth.New(oauth.InvalidRequest, "prompt=none stands alone")
		}
	}
	if !v.Has("max_age") {
		req.MaxAge = c.DefaultMaxAge
		return nil
	}
	n, err := strconv.ParseUint(v.Get("max_age"), 10, 31)
	if err != nil {
		return oauth.New(oauth.InvalidRequest, "max_age must be a whole number of seconds")
	}
	seconds := int64(n)
	req.MaxAge = &seconds
	return nil
}

// checkLevel takes the higher of what the client is registered for and the lowest of the levels that it names: a list means that any of
// them will do. Values that are no level of ours are ignored.
func (p *Parser) checkLevel(_ context.Context, c client.Client, v url.Values, req *flow.Request) error {
	req.RequiredACR = max(c.RequiredACR, lowest(strings.Fields(v.Get("acr_values"))))
	return nil
}

// lowest returns the lowest level of a list, "" when it names none.
func lowest(values []string) string {
	found := ""
	for _, a := range values {
		if slices.Contains(Levels, a) && (found == "" || a < found) {
			found = a
		}
	}
	return found
}

func (p *Parser) checkHint(ctx context.Context, c client.Client, v url.Values, req *flow.Request) error {
	if v.Get("id_token_hint") == "" {
		return nil
	}
	got, err := p.Hints.Read(ctx, v.Get("id_token_hint"))
	if errors.Is(err, hint.ErrHint) || err == nil && got.ClientID != c.ID {
		return oauth.Because(oauth.InvalidRequest, "id_token_hint is not an ID token of this client", err)
	}
	req.HintSubject = got.Subject
	return err
}
