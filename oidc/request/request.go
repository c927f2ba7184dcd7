// Package request is the front door of the authorization endpoint: it reads a request, wherever its parameters stand (in the query, in a
// form, in a signed request object, pushed before), and checks it completely before anything is stored or redirected.
//
// Its order is its point. Nothing is told to an address before the address is known to be the client's; what stands in a request object
// or was pushed is never mixed with what stands beside it.
package request

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/credential"
	"github.com/hufu-id/hufu/oidc/flow"
	"github.com/hufu-id/hufu/oidc/hint"
	"github.com/hufu-id/hufu/oidc/jar"
	"github.com/hufu-id/hufu/oidc/oauth"
	"github.com/hufu-id/hufu/oidc/pushed"
	"github.com/hufu-id/hufu/oidc/trail"
	"github.com/hufu-id/hufu/web"
)

// maxRequest is how long the parameters of a request may be together, as sent. state and nonce may have any length within it.
const maxRequest = 16 << 10

// Repeatable are the parameters that may be sent more than once (RFC 8707 section 2).
const Repeatable = "resource"

// PageError is a request that can't be answered by redirect: nobody has shown yet that the address is the client's.
type PageError struct {
	Kind   web.ProblemKind
	Client client.Client // zero when unknown
	Answer *oauth.Error  // for the developer
	Cause  error
}

func (e *PageError) Error() string { return "authorization request refused: " + e.Cause.Error() }
func (e *PageError) Unwrap() error { return e.Cause }

func refuse(kind web.ProblemKind, cause string) error {
	return &PageError{Kind: kind, Cause: errors.New(cause)}
}

// ClientError is an error that the client is told. It exists only for a verified client and redirect URI.
type ClientError struct {
	Client client.Client
	// Request has the redirect URI, state and response mode.
	Request flow.Request
	Answer  *oauth.Error
}

func (e *ClientError) Error() string { return e.Answer.Error() }
func (e *ClientError) Unwrap() error { return e.Answer }

// Parser checks requests. Safe for concurrent use.
type Parser struct {
	Issuer  string
	Clients *client.Registry
	Hints   hint.Reader
	// Credential looks up a credential scope.
	Credential func(scope string) (audience []string, title web.Text, ok bool)
	// Details are the types of authorization_details that can be asked for.
	Details Catalogue
	// Credentials are those that can be asked for by authorization_details; may be nil.
	Credentials credential.Catalogue
	Objects     jar.Reader
	Pushed      Opener
	Now         func() time.Time
}

// Opener finds the request that a client pushed. pushed.ErrUnknown when there is none that is still good.
type Opener interface {
	Open(ctx context.Context, c client.Client, requestURI string) (flow.Request, error)
}

// Read takes the parameters from where the method puts them. The error is a *PageError.
func Read(r *http.Request) (url.Values, error) {
	var v url.Values
	var err error
	if r.Method == http.MethodPost {
		if v, err = httpx.Form(r, Repeatable); err == nil {
			var query url.Values
			if query, err = httpx.Query(r, Repeatable); err == nil && overlap(v, query) {
				err = httpx.ErrDuplicateParameter
			}
		}
	} else {
		if len(r.URL.RawQuery) > maxRequest {
			return nil, refuse(web.ProblemTooLarge, "query too long")
		}
		v, err = httpx.Query(r, Repeatable)
	}
	if err != nil {
		return nil, &PageError{Kind: web.ProblemRequest, Cause: err}
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
		for _, s := range append([]string{name}, values...) {
			total += len(s)
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

// Browser checks what a browser brings. The error is a *PageError, a *ClientError or a fault.
func (p *Parser) Browser(ctx context.Context, v url.Values) (client.Client, flow.Request, error) {
	c, err := p.Clients.Get(ctx, v.Get("client_id"))
	if errors.Is(err, client.ErrUnknown) {
		return c, flow.Request{}, &PageError{Kind: web.ProblemClient, Cause: err, Answer: oauth.Because(oauth.InvalidClient, "client_id is not registered", err)}
	}
	if err != nil {
		return c, flow.Request{}, err
	}
	if uri := v.Get("request_uri"); strings.HasPrefix(uri, pushed.Prefix) {
		req, err := p.open(ctx, c, uri)
		return c, req, err
	}
	values, object, refused := p.resolve(ctx, c, v)
	trail.Parameters(ctx, values)
	var fault *oauth.Error
	if refused != nil && !errors.As(refused, &fault) {
		return c, flow.Request{}, refused
	}
	req, err := p.target(c, values)
	if err != nil {
		return c, req, err
	}
	answer := fault
	if answer == nil {
		answer, err = p.check(ctx, c, values, &req)
		if err != nil {
			return c, req, err
		}
	}
	if answer == nil && c.PARRequired() {
		answer = oauth.New(oauth.InvalidRequest, "this client must push its requests")
	}
	if answer != nil {
		return c, req, &ClientError{Client: c, Request: req, Answer: answer}
	}
	req.Object = object
	return c, req, nil
}

// open goes on with a pushed request. Whatever stands beside the reference is ignored, even where the pushed request says nothing (FAPI 2.0
// Security Profile 5.3.2.2; library-traps F7).
func (p *Parser) open(ctx context.Context, c client.Client, uri string) (flow.Request, error) {
	req, err := p.Pushed.Open(ctx, c, uri)
	if errors.Is(err, pushed.ErrUnknown) {
		return req, &PageError{Kind: web.ProblemRequestURI, Client: c, Cause: err,
			Answer: oauth.Because(oauth.InvalidRequestURI, "request_uri is unknown, expired, used or another client's", err)}
	}
	if err == nil && !c.AllowsRedirect(req.RedirectURI) {
		return req, p.badRedirect(c, req.RedirectURI)
	}
	return req, err
}

// resolve finds the parameters that count: those in the request object, if there is one, and never a mixture (RFC 9101 section 6.3). With an
// error that the client may be told it still returns the values outside, in which the redirect URI may stand.
func (p *Parser) resolve(ctx context.Context, c client.Client, v url.Values) (values url.Values, object *flow.Once, err error) {
	switch {
	case v.Has("request_uri"):
		// Never fetched: the address of a request is a way to make us call somebody (CVE-2020-10770 of Keycloak).
		return v, object, oauth.New(oauth.RequestURINotSupported, "only a request_uri of the pushed authorization request endpoint is supported")
	case v.Has("request"):
		inner, once, err := p.Objects.Read(ctx, c, v.Get("request"))
		if err == nil {
			err = checkObject(inner)
		}
		if errors.Is(err, jar.ErrObject) {
			return v, object, oauth.Because(oauth.InvalidRequestObject, "the request object is not valid: its signature, issuer, audience or times", err)
		}
		return inner, once, err
	case c.RequireRequestObject:
		return v, object, oauth.New(oauth.InvalidRequest, "this client must send a signed request object")
	}
	return v, object, nil
}

// checkObject holds what is in a request object to what is outside one: a signature makes no text of control characters.
func checkObject(inner url.Values) error {
	if err := checkValues(inner); err != nil {
		return fmt.Errorf("%w: %w", jar.ErrObject, err)
	}
	return nil
}

// target verifies where answers go.
func (p *Parser) target(c client.Client, v url.Values) (flow.Request, error) {
	if !c.AllowsRedirect(v.Get("redirect_uri")) {
		return flow.Request{}, p.badRedirect(c, v.Get("redirect_uri"))
	}
	req := flow.Request{ClientID: c.ID, RedirectURI: v.Get("redirect_uri")}
	if v.Has("state") {
		state := v.Get("state")
		req.State = &state
	}
	if mode, ok := modes[v.Get("response_mode")]; ok {
		req.Mode = mode
	}
	return req, nil
}

func (p *Parser) badRedirect(c client.Client, sent string) error {
	err := c.Mismatch(sent)
	return &PageError{Kind: web.ProblemRedirect, Client: c, Cause: err, Answer: oauth.Because(oauth.InvalidRequest, "redirect_uri is not registered for this client", err)}
}

// Push checks what an authenticated client pushes (RFC 9126 section 2.1): the whole request, with its redirect URI, by the same rules. The
// error is an *oauth.Error or a fault.
func (p *Parser) Push(ctx context.Context, c client.Client, v url.Values) (flow.Request, *flow.Once, error) {
	if v.Has("request_uri") {
		return flow.Request{}, nil, oauth.New(oauth.InvalidRequest, "request_uri can't be pushed")
	}
	var page *PageError
	if err := checkValues(v); errors.As(err, &page) {
		return flow.Request{}, nil, oauth.Because(oauth.InvalidRequest, "the parameters are malformed", page.Cause)
	}
	values, object, err := p.resolve(ctx, c, v)
	trail.Parameters(ctx, values)
	if err != nil {
		return flow.Request{}, object, err
	}
	req, err := p.target(c, values)
	if errors.As(err, &page) {
		return req, object, page.Answer
	}
	answer, err := p.check(ctx, c, values, &req)
	if answer != nil {
		err = answer
	}
	return req, object, err
}

// check runs the checks of a request whose client and address are verified.
func (p *Parser) check(ctx context.Context, c client.Client, v url.Values, req *flow.Request) (*oauth.Error, error) {
	req.LoginHint, req.UILocales, req.IssuerState = clip(v.Get("login_hint"), 256), clip(v.Get("ui_locales"), 128), v.Get("issuer_state")
	for _, check := range []func(context.Context, client.Client, url.Values, *flow.Request) error{
		p.checkShape, p.checkScope, checkPKCE, checkDPoP, checkPrompt, p.checkLevel, p.checkHint, p.checkClaims, p.checkDetails, p.checkResources,
	} {
		if err := check(ctx, c, v, req); err != nil {
			var answer *oauth.Error
			if errors.As(err, &answer) {
				return answer, nil
			}
			return nil, err
		}
	}
	return nil, nil
}

// clip drops hints that are too long to be hints.
func clip(s string, limit int) string {
	if len(s) > limit {
		return ""
	}
	return s
}
