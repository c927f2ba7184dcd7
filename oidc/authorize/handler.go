// Package authorize leads a person from a client's request to a code: front door, dispatcher, consent.
//
// The dispatcher (decide) is one function over three facts: the request, the session, what was agreed. Each step (login, consent) returns
// to it and to nothing else, so a step can't be skipped by calling the next one, and reload, back and other tabs always find the
// right step again.
//
//	request ─ parse ─┬─ page 400 (client or address not verified)
//	                 ├─ redirect with error
//	                 └─ decide ─┬─ login    /login/{flow}/, comes back by LoggedIn
//	                            ├─ consent  /consent/{flow}
//	                            ├─ level    page: this login is not enough
//	                            ├─ refuse   redirect with error
//	                            └─ done     one transaction: grant with code; redirect with code
package authorize

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/oidc/claim"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/credential"
	"github.com/hufu-id/hufu/oidc/flow"
	"github.com/hufu-id/hufu/oidc/grant"
	"github.com/hufu-id/hufu/oidc/internal/fositex"
	"github.com/hufu-id/hufu/oidc/jar"
	"github.com/hufu-id/hufu/oidc/oauth"
	"github.com/hufu-id/hufu/oidc/pushed"
	"github.com/hufu-id/hufu/oidc/request"
	"github.com/hufu-id/hufu/oidc/respond"
	"github.com/hufu-id/hufu/oidc/session"
	"github.com/hufu-id/hufu/oidc/trail"
	"github.com/hufu-id/hufu/web"
)

// CodeLife is how long a code can be redeemed.
const CodeLife = 60 * time.Second

// Store is what this step writes.
type Store interface {
	ConsentStore
	PutGrant(ctx context.Context, g grant.Grant, ev audit.Event) error
	UsePushed(ctx context.Context, id string, at time.Time) error
	ClaimOnce(ctx context.Context, kind, id string, expires time.Time) error
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
	Audit(ctx context.Context, ev audit.Event) error
}

// Pages are the pages of this step; *web.Pages has them.
type Pages interface {
	Consent(w http.ResponseWriter, r *http.Request, page web.ConsentPage)
	Problem(w http.ResponseWriter, r *http.Request, page web.ProblemPage)
}

// Config of the step. CredentialScopes may be nil.
type Config struct {
	Issuer           string
	Store            Store
	Clients          *client.Registry
	Requests         *request.Parser
	Responses        *respond.Writer
	Sessions         *session.Manager
	Flows            *flow.Jar
	Engine           *fositex.Engine
	Persons          claim.Persons
	CredentialScopes claim.CredentialScopes
	Credentials      credential.Catalogue // may be nil
	Pairwise         claim.Pairwise
	Pages            Pages
	// ProvinceName names a province for a page; nil shows its code.
	ProvinceName func(code string) web.Text
	Log          *slog.Logger
	Now          func() time.Time
}

// Handler serves /authorize and /consent and takes the answers of the login step. Safe for concurrent use.
type Handler struct{ cfg Config }

// New makes the handler.
func New(cfg Config) *Handler { return &Handler{cfg: cfg} }

// credential looks up a credential scope.
func (h *Handler) credential(scope string) (audience []string, title web.Text, ok bool) {
	if h.cfg.CredentialScopes == nil {
		return nil, web.Text{}, false
	}
	return h.cfg.CredentialScopes.Lookup(scope)
}

// Authorize is the authorization endpoint, GET and POST.
func (h *Handler) Authorize(w http.ResponseWriter, r *http.Request) {
	values, err := request.Read(r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	c, req, err := h.cfg.Requests.Browser(r.Context(), values)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	state := h.cfg.Flows.New(req)
	trail.Tie(r.Context(), "flow", state.ID)
	trail.Tie(r.Context(), "pushed", req.Pushed)
	trail.OK(r.Context(), trail.Authorize)
	if r.Method == http.MethodPost {
		// A POST from the client's site comes without our SameSite=Lax cookies: whoever is logged in would look logged out. The
		// redirect to our own address brings them.
		h.keep(w, r, c, state, dispatchPath(state.ID))
		return
	}
	h.dispatch(w, r, c, state)
}

// Dispatch is the address to which steps return.
func (h *Handler) Dispatch(w http.ResponseWriter, r *http.Request, flowID string) {
	state, c, err := h.load(r, flowID)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	if state.ClientID == "" {
		http.Redirect(w, r, state.ReturnPath, http.StatusSeeOther)
		return
	}
	h.dispatch(w, r, c, state)
}

// dispatch takes the next step, for a browser that sends a GET.
func (h *Handler) dispatch(w http.ResponseWriter, r *http.Request, c client.Client, state flow.State) {
	trail.At(r.Context(), trail.Login)
	d, err := h.decide(r.Context(), r, c, state)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	switch d.step {
	case stepLogin:
		h.keep(w, r, c, state, loginPath(state.ID))
	case stepConsent:
		h.keep(w, r, c, state, consentPath(state.ID))
	case stepLevel:
		h.levelPage(w, r, state, d)
	case stepRefuse:
		h.fail(w, r, tell(c, state, d.refusal))
	case stepDone:
		var answer url.Values
		err := h.cfg.Store.InTx(r.Context(), func(ctx context.Context) (err error) {
			answer, err = h.issue(ctx, c, state, d)
			return err
		})
		if errors.Is(err, session.ErrNone) {
			h.dispatch(w, r, c, state) // logged out in another tab since the decision: decide again, without the session
			return
		}
		if err != nil {
			h.fail(w, r, err)
			return
		}
		trail.OK(r.Context(), trail.Code)
		h.cfg.Responses.Write(w, r, c, state.Request, answer)
	}
}

// keep puts the flow into the browser and sends it on.
func (h *Handler) keep(w http.ResponseWriter, r *http.Request, c client.Client, state flow.State, path string) {
	err := h.cfg.Flows.Put(w, r, state)
	if errors.Is(err, flow.ErrTooLarge) {
		err = tell(c, state, oauth.Because(oauth.InvalidRequest, "the request is too long to be kept", err))
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	if state.UILocales != "" {
		path += "?" + url.Values{"ui_locales": {state.UILocales}}.Encode()
	}
	http.Redirect(w, r, path, http.StatusSeeOther)
}

func dispatchPath(id string) string { return "/authorize/" + id }
func loginPath(id string) string    { return "/login/" + id + "/" }
func consentPath(id string) string  { return "/consent/" + id }

// load reads a flow of this browser with its client. The client is read anew: it may have been disabled since.
func (h *Handler) load(r *http.Request, id string) (flow.State, client.Client, error) {
	state, err := h.cfg.Flows.Get(r, id)
	trail.Tie(r.Context(), "flow", state.ID)
	if err != nil || state.ClientID == "" {
		return state, client.Client{}, err
	}
	c, err := h.cfg.Clients.Get(r.Context(), state.ClientID)
	switch {
	case errors.Is(err, client.ErrUnknown):
		return state, c, &request.PageError{Kind: web.ProblemClient, Cause: err}
	case err == nil && !c.AllowsRedirect(state.RedirectURI):
		return state, c, &request.PageError{Kind: web.ProblemRedirect, Client: c, Cause: errors.New("redirect_uri no longer registered")}
	}
	return state, c, err
}

// tell makes an error that the client is told.
func tell(c client.Client, state flow.State, e *oauth.Error) error {
	return &request.ClientError{Client: c, Request: state.Request, Answer: e}
}

// fail is the one writer of errors of the browser's endpoints: to the client where its address is verified, else a page.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	var toClient *request.ClientError
	var page *request.PageError
	log := h.cfg.Log.With("trace", audit.Trace(r.Context()))
	switch {
	case errors.As(err, &toClient):
		log.InfoContext(r.Context(), "authorization refused", "error", err)
		h.cfg.Responses.Error(w, r, toClient.Client, toClient.Request, toClient.Answer)
	case errors.As(err, &page):
		log.InfoContext(r.Context(), "authorization request refused", "error", err)
		h.problem(w, r, page.Kind, page.Client, page.Answer)
	case usedBefore(err):
		log.InfoContext(r.Context(), "authorization request used before", "error", err)
		h.problem(w, r, web.ProblemRequestURI, client.Client{}, oauth.Because(oauth.InvalidRequestURI, "request_uri is unknown, expired, used or another client's", err))
	case errors.Is(err, flow.ErrNone):
		p := web.NewProblem(web.ProblemFlowGone, nil)
		p.Status = http.StatusForbidden
		h.cfg.Pages.Problem(w, r, p)
	default:
		log.ErrorContext(r.Context(), "authorization failed", "path", r.URL.Path, "error", err)
		oauth.New(oauth.ServerError, "").Record(r.Context())
		h.cfg.Pages.Problem(w, r, web.NewProblem(web.ProblemInternal, nil))
	}
}

// problem shows the page of a request that can't be answered to a client.
func (h *Handler) problem(w http.ResponseWriter, r *http.Request, kind web.ProblemKind, c client.Client, answer *oauth.Error) {
	name := c.Name
	if name.IsZero() {
		name = web.Say("problem.client.unnamed", nil)
	}
	p := web.NewProblem(kind, web.Args{"client": name})
	if kind != web.ProblemTooLarge {
		p.Status = http.StatusBadRequest
	}
	if answer != nil {
		answer.Record(r.Context())
		p.Developer = string(answer.Code) + ": " + answer.Description
		if e, ok := oauth.Lookup(answer.Code, answer.Description); ok {
			p.DeveloperLink = e.Path()
		}
	}
	h.cfg.Pages.Problem(w, r, p)
}

// useUp uses up what the request came from, in the transaction of its code: of two browsers with one reference one gets a code.
func (h *Handler) useUp(ctx context.Context, req flow.Request, at time.Time) error {
	if req.Pushed != "" {
		if err := h.cfg.Store.UsePushed(ctx, req.Pushed, at); err != nil {
			return err
		}
	}
	if req.Object == nil {
		return nil
	}
	return h.cfg.Store.ClaimOnce(ctx, jar.Kind, req.Object.ID, req.Object.Expires)
}

// usedBefore says that useUp came too late. It wrote nothing then, so that the transaction can go on.
func usedBefore(err error) bool {
	return errors.Is(err, pushed.ErrUnknown) || errors.Is(err, client.ErrReplayed)
}

// checkForm is the CSRF rule for the forms of a flow.
func (h *Handler) checkForm(r *http.Request, state flow.State, bound, token string) error {
	return httpx.CheckForm(r, h.cfg.Issuer, []byte(state.CSRF), bound, token)
}
