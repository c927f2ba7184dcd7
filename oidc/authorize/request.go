package authorize

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/oidc/claim"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/flow"
	"github.com/hufu-id/hufu/oidc/hint"
	"github.com/hufu-id/hufu/oidc/oauth"
	"github.com/hufu-id/hufu/web"
)

// maxRequest is how long the parameters of a request may be together, as sent. state and nonce may have any length within it.
const maxRequest = 16 << 10

// pageError is a request that can't be answered by redirect: nobody has shown yet that the address is the client's.
type pageError struct {
	kind   web.ProblemKind
	client web.Text
	cause  error
}

func (e *pageError) Error() string { return "authorization request refused: " + e.cause.Error() }
func (e *pageError) Unwrap() error { return e.cause }

func refuse(kind web.ProblemKind, cause string) error {
	return &pageError{kind: kind, cause: errors.New(cause)}
}

// redirectError is an error that the client is told. It exists only for a verified client and redirect URI.
type redirectError struct {
	redirectURI string
	state       *string
	answer      *oauth.Error
}

func (e *redirectError) Error() string { return e.answer.Error() }
func (e *redirectError) Unwrap() error { return e.answer }

// read takes the parameters from where the method puts them.
func read(r *http.Request) (url.Values, error) {
	var v url.Values
	var err error
	if r.Method == http.MethodPost {
		if v, err = httpx.Form(r); err == nil {
			var query url.Values
			if query, err = httpx.Query(r); err == nil && overlap(v, query) {
				err = httpx.ErrDuplicateParameter
			}
		}
	} else {
		if len(r.URL.RawQuery) > maxRequest {
			return nil, refuse(web.ProblemTooLarge, "query too long")
		}
		v, err = httpx.Query(r)
	}
	if err != nil {
		return nil, &pageError{kind: web.ProblemRequest, cause: err}
	}
	return v, checkValues(v)
}

// overlap says whether a parameter stands both in the body and in the query.
func overlap(body, query url.Values) bool {
	for name := range query {
		if _, ok := body[name]; ok {
			return true
		}
	}
	return false
}

// checkValues refuses names that some reader would take for the same parameter, text that is no text, and too much of it.
func checkValues(v url.Values) error {
	total := 0
	seen := map[string]bool{}
	for name, values := range v {
		key := strings.ToLower(strings.TrimSuffix(name, "[]"))
		if seen[key] {
			return refuse(web.ProblemRequest, "a parameter was sent more than once")
		}
		seen[key] = true
		total += len(name) + len(values[0])
		for _, s := range []string{name, values[0]} {
			if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f }) {
				return refuse(web.ProblemRequest, "control characters or no UTF-8")
			}
		}
	}
	if total > maxRequest {
		return refuse(web.ProblemTooLarge, "parameters too long")
	}
	return nil
}

// parse is the front door: it checks a request completely, in an order in which nothing is told to an address before the address is
// known to be the client's. The error is a *pageError, a *redirectError or a fault.
func (h *Handler) parse(ctx context.Context, v url.Values) (client.Client, flow.Request, error) {
	c, err := h.cfg.Clients.Get(ctx, v.Get("client_id"))
	if errors.Is(err, client.ErrUnknown) {
		return c, flow.Request{}, &pageError{kind: web.ProblemClient, cause: err}
	}
	if err != nil {
		return c, flow.Request{}, err
	}
	if !c.AllowsRedirect(v.Get("redirect_uri")) {
		return c, flow.Request{}, &pageError{kind: web.ProblemRedirect, client: c.Name, cause: errors.New("redirect_uri not registered")}
	}
	req := flow.Request{ClientID: c.ID, RedirectURI: v.Get("redirect_uri"), LoginHint: clip(v.Get("login_hint"), 256),
		UILocales: clip(v.Get("ui_locales"), 128), IssuerState: v.Get("issuer_state")}
	if v.Has("state") {
		state := v.Get("state")
		req.State = &state
	}
	for _, check := range []func(context.Context, client.Client, url.Values, *flow.Request) error{
		h.checkShape, h.checkScope, checkPKCE, checkPrompt, h.checkLevel, h.checkHint,
	} {
		if err := check(ctx, c, v, &req); err != nil {
			var answer *oauth.Error
			if errors.As(err, &answer) {
				err = &redirectError{redirectURI: req.RedirectURI, state: req.State, answer: answer}
			}
			return c, req, err
		}
	}
	return c, req, nil
}

// clip drops hints that are too long to be hints.
func clip(s string, limit int) string {
	if len(s) > limit {
		return ""
	}
	return s
}

// checkShape refuses what this server doesn't do. A parameter that would change the meaning of the others is never ignored.
func (h *Handler) checkShape(_ context.Context, c client.Client, v url.Values, req *flow.Request) error {
	switch {
	case v.Has("request"):
		return oauth.New(oauth.RequestNotSupported, "request objects are not supported")
	case v.Has("request_uri"):
		return oauth.New(oauth.RequestURINotSupported, "request_uri is not supported")
	case v.Has("registration"):
		return oauth.New(oauth.RegistrationUnsupported, "registration is not supported")
	case v.Get("response_type") == "":
		return oauth.New(oauth.InvalidRequest, "response_type is missing")
	case v.Get("response_type") != "code":
		return oauth.New(oauth.UnsupportedResponseType, "only response_type=code is supported")
	case v.Has("response_mode") && v.Get("response_mode") != "query":
		return oauth.New(oauth.InvalidRequest, "only response_mode=query is supported")
	case !c.Has(client.AuthorizationCode):
		return oauth.New(oauth.UnauthorizedClient, "the client is not registered for the code flow")
	}
	req.Nonce = v.Get("nonce")
	return nil
}

// checkScope keeps the scopes that we know and the client may ask for. Unknown ones are ignored (OpenID Connect Core 3.1.2.1); a known one that
// the client is not registered for is an error, because going on with less would surprise it.
func (h *Handler) checkScope(_ context.Context, c client.Client, v url.Values, req *flow.Request) error {
	credential := false
	for _, s := range strings.Fields(v.Get("scope")) {
		_, _, isCredential := h.credential(s)
		if !claim.Known(s) && !isCredential || slices.Contains(req.Scopes, s) {
			continue
		}
		if !c.MayAsk(s) {
			return oauth.New(oauth.InvalidScope, "the client may not ask for one of the scopes")
		}
		credential = credential || isCredential
		req.Scopes = append(req.Scopes, s)
	}
	if !slices.Contains(req.Scopes, claim.OpenID) && !credential {
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
	case len(challenge) != 43 || strings.ContainsFunc(challenge, notBase64URL):
		return oauth.New(oauth.InvalidRequest, "code_challenge must be 43 characters of base64url")
	}
	req.Challenge = challenge
	return nil
}

func notBase64URL(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
}

func checkPrompt(_ context.Context, _ client.Client, v url.Values, req *flow.Request) error {
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
func (h *Handler) checkLevel(_ context.Context, c client.Client, v url.Values, req *flow.Request) error {
	asked := ""
	for _, a := range strings.Fields(v.Get("acr_values")) {
		if slices.Contains(Levels, a) && (asked == "" || a < asked) {
			asked = a
		}
	}
	req.RequiredACR = max(c.RequiredACR, asked)
	return nil
}

func (h *Handler) checkHint(ctx context.Context, c client.Client, v url.Values, req *flow.Request) error {
	if v.Get("id_token_hint") == "" {
		return nil
	}
	got, err := h.cfg.Hints.Read(ctx, v.Get("id_token_hint"))
	if errors.Is(err, hint.ErrHint) || err == nil && got.ClientID != c.ID {
		return oauth.Because(oauth.InvalidRequest, "id_token_hint is not an ID token of this client", err)
	}
	req.HintSubject = got.Subject
	return err
}

// Levels are the acr values, lowest first. They sort as text.
var Levels = []string{"loa1", "loa2", "loa3", "loa4"}
