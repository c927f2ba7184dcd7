package authorize

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/flow"
	"github.com/hufu-id/hufu/oidc/oauth"
	"github.com/hufu-id/hufu/oidc/request"
	"github.com/hufu-id/hufu/oidc/session"
	"github.com/hufu-id/hufu/oidc/trail"
	"github.com/hufu-id/hufu/web"
)

// BeginLogin starts a flow for one of our own pages.
func (h *Handler) BeginLogin(w http.ResponseWriter, r *http.Request, returnPath string) {
	state := h.cfg.Flows.New(flow.Request{})
	state.ReturnPath = localPath(returnPath)
	h.keep(w, r, client.Client{}, state, loginPath(state.ID))
}

// localPath keeps a return address on this host: "//evil.example" and "/\evil.example" are other hosts to a browser.
func localPath(p string) string {
	if !strings.HasPrefix(p, "/") || strings.HasPrefix(p, "//") || strings.ContainsFunc(p, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }) {
		return "/"
	}
	return p
}

// Describe tells the login step who sent the person.
func (h *Handler) Describe(r *http.Request, flowID string) (flow.Info, error) {
	state, c, err := h.load(r, flowID)
	if err != nil {
		return flow.Info{}, noFlow(err)
	}
	if state.ClientID == "" {
		return flow.Info{ClientName: web.Say("brand", nil)}, nil
	}
	return flow.Info{
		ClientName: c.Name, ServiceName: c.Service, RequiredACR: state.RequiredACR, ClientOrigin: client.Origin(state.RedirectURI),
		Fresh: state.Asks("login") || state.MaxAge != nil, LoginHint: state.LoginHint, About: about(c),
	}, nil
}

// noFlow makes a flow whose client is gone look like a flow that is gone: the page says the same, start again at the service.
func noFlow(err error) error {
	if _, ok := err.(*request.PageError); ok {
		return flow.ErrNone
	}
	return err
}

// LoggedIn makes the session and, when nothing more is to be asked, the code: in the caller's transaction.
func (h *Handler) LoggedIn(ctx context.Context, r *http.Request, flowID string, login Login) (func(http.ResponseWriter), error) {
	// In the transaction, too: a second connection, asked for while this one holds a lock that all others wait for, may never come.
	state, c, err := h.load(r.WithContext(ctx), flowID)
	if err != nil {
		return nil, noFlow(err)
	}
	made, err := h.cfg.Sessions.Start(ctx, r, session.Session{PersonID: login.PersonID, Province: login.Province, ACR: login.ACR, AMR: login.AMR,
		AuthTime: login.AuthTime})
	if err != nil {
		return nil, err
	}
	state.Login = made.Key
	if state.ClientID == "" {
		return func(w http.ResponseWriter) {
			made.SetCookie(w)
			h.cfg.Flows.End(w, r, flowID)
			http.Redirect(w, r, state.ReturnPath, http.StatusSeeOther)
		}, nil
	}
	d, err := h.decideFor(ctx, c, state, made.Session)
	if err != nil {
		return nil, err
	}
	if d.step != stepDone {
		// Back to the dispatcher, which finds the session and decides the same.
		return func(w http.ResponseWriter) {
			trail.OK(r.Context(), trail.Login)
			made.SetCookie(w)
			h.keep(w, r, c, state, dispatchPath(state.ID))
		}, nil
	}
	answer, err := h.issue(ctx, c, state, d)
	var refused *request.ClientError
	if usedBefore(err) || errors.As(err, &refused) {
		// Another tab had the code, or there is nothing to give. The person did log in, and her province did nothing wrong: the login stays, the
		// request is over.
		return func(w http.ResponseWriter) {
			made.SetCookie(w)
			h.fail(w, r, err)
		}, nil
	}
	if err != nil {
		return nil, err
	}
	return func(w http.ResponseWriter) {
		trail.OK(r.Context(), trail.Login)
		trail.OK(r.Context(), trail.Code)
		made.SetCookie(w)
		if err := h.cfg.Flows.Put(w, r, state); err != nil { // for the back button only
			h.cfg.Log.WarnContext(r.Context(), "flow not kept", "error", err)
		}
		h.cfg.Responses.Write(w, r, c, state.Request, answer)
	}, nil
}

// Cancelled ends a flow without a login.
func (h *Handler) Cancelled(w http.ResponseWriter, r *http.Request, flowID string) {
	state, c, err := h.load(r, flowID)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	h.cfg.Flows.End(w, r, flowID)
	if state.ClientID == "" {
		http.Redirect(w, r, "/", http.StatusSeeOther)
		return
	}
	h.fail(w, r, tell(c, state, oauth.New(oauth.AccessDenied, "the person cancelled the login")))
}

// Leave goes back to the client from a page that says that this login is not enough.
func (h *Handler) Leave(w http.ResponseWriter, r *http.Request, flowID string) {
	state, c, err := h.load(r, flowID)
	if err == nil && state.ClientID == "" {
		err = flow.ErrNone
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	answer := oauth.New(oauth.AccessDenied, "the person left")
	if d, err := h.decide(r.Context(), r, c, state); err == nil && d.step == stepLevel {
		answer = oauth.New(oauth.UnmetAuthentication, "the login did not reach the required level")
	}
	h.cfg.Flows.End(w, r, flowID)
	h.fail(w, r, tell(c, state, answer))
}

// levelPage says that the login is below what the service needs, and leaves both ways open: another province, or back.
func (h *Handler) levelPage(w http.ResponseWriter, r *http.Request, state flow.State, d decision) {
	province := web.Plain(d.session.Province)
	if h.cfg.ProvinceName != nil {
		province = h.cfg.ProvinceName(d.session.Province)
	}
	p := web.NewProblem(web.ProblemLevel, web.Args{"have": web.LevelText(d.session.ACR), "need": web.LevelText(state.RequiredACR), "province": province})
	p.Next = &web.Action{Label: web.Say("action.choose", nil), Href: loginPath(state.ID)}
	p.Others = []web.Action{{Label: web.Say("action.department", nil), Href: dispatchPath(state.ID) + "/leave"}}
	h.cfg.Pages.Problem(w, r, p)
}
