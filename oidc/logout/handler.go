// Package logout ends sessions, and what hangs on them.
//
// A person or a client asks for it at /logout (Handler: OpenID Connect RP-Initiated Logout 1.0). What follows is one transaction (Backchannel.Ended):
// the session goes, its grants end with all their tokens but the offline ones, and for each client that took part and wants to hear of it a
// delivery is written. The deliveries are made in the background (Backchannel.Deliver: OpenID Connect Back-Channel Logout 1.0).
package logout

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/oidc/claim"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/hint"
	"github.com/hufu-id/hufu/oidc/oauth"
	"github.com/hufu-id/hufu/oidc/session"
	"github.com/hufu-id/hufu/oidc/trail"
	"github.com/hufu-id/hufu/web"
)

// Pages are the pages of a logout; *web.Pages has them.
type Pages interface {
	LogoutConfirm(w http.ResponseWriter, r *http.Request, page web.LogoutPage)
	LoggedOut(w http.ResponseWriter, r *http.Request, page web.LoggedOutPage)
	Problem(w http.ResponseWriter, r *http.Request, page web.ProblemPage)
}

// Config of the handler. Everything is required.
type Config struct {
	Issuer   string
	Clients  *client.Registry
	Sessions *session.Manager
	Pairwise claim.Pairwise
	Hints    hint.Reader
	InTx     func(ctx context.Context, fn func(ctx context.Context) error) error
	// Sealer seals a verified request into the confirmation form, FormKey makes the form's token.
	Sealer  *httpx.Sealer
	FormKey []byte
	Pages   Pages
	Log     *slog.Logger
}

// Handler serves /logout and /logout/confirm. Safe for concurrent use.
type Handler struct{ cfg Config }

// New makes the handler.
func New(cfg Config) *Handler { return &Handler{cfg: cfg} }

// Logout is the end_session_endpoint. A valid id_token_hint of the person who is logged in ends the session at once; everything else
// asks first, because any page on the web can send a browser here.
func (h *Handler) Logout(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		// A POST from the client's site comes without our SameSite=Lax cookie, and would look like "nobody is logged in".
		form, err := httpx.Form(r)
		if err != nil {
			h.fail(w, r, badForm(err))
			return
		}
		http.Redirect(w, r, "/logout?"+form.Encode(), http.StatusSeeOther)
		return
	}
	req, err := h.read(r)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	sess, err := h.cfg.Sessions.Of(r)
	switch {
	case errors.Is(err, session.ErrNone):
		h.loggedOut(w, r, req)
	case err != nil:
		h.fail(w, r, err)
	case h.fits(req, sess):
		h.end(w, r, sess, req)
	default:
		h.ask(w, r, sess, req)
	}
}

// fits says whether the hint names the person who is logged in here.
func (h *Handler) fits(req request, sess session.Session) bool {
	return req.subject != "" && req.subject == h.cfg.Pairwise.Subject(req.client.Sector(), sess.PersonID) &&
		(req.sid == "" || req.sid == h.cfg.Pairwise.SessionID(req.ClientID, sess.SID))
}

// sealPurpose seals the verified request into the confirmation form.
const sealPurpose = "oidc.logout"

func (h *Handler) ask(w http.ResponseWriter, r *http.Request, sess session.Session, req request) {
	sealed, err := h.cfg.Sealer.Seal(sealPurpose, req)
	if err != nil {
		h.fail(w, r, err)
		return
	}
	httpx.AllowFormAction(w, client.Origin(req.Next))
	h.cfg.Pages.LogoutConfirm(w, r, web.LogoutPage{Client: req.client.Name, Action: "/logout/confirm", Stay: "/",
		CSRF: httpx.FormToken(h.cfg.FormKey, sess.Key), Hidden: []web.Field{{Name: "request", Value: sealed}}})
}

// Confirm takes the person's answer.
func (h *Handler) Confirm(w http.ResponseWriter, r *http.Request) {
	form, err := httpx.Form(r)
	if err != nil {
		h.fail(w, r, badForm(err))
		return
	}
	var req request
	if err := h.cfg.Sealer.Open(sealPurpose, form.Get("request"), &req); err != nil {
		h.fail(w, r, refuse("Send the browser to the end_session_endpoint, not to this address.", err))
		return
	}
	sess, err := h.cfg.Sessions.Of(r)
	if errors.Is(err, session.ErrNone) {
		h.loggedOut(w, r, req)
		return
	}
	if err != nil {
		h.fail(w, r, err)
		return
	}
	if err := httpx.CheckForm(r, h.cfg.Issuer, h.cfg.FormKey, sess.Key, form.Get("csrf")); err != nil {
		h.cfg.Pages.Problem(w, r, web.NewProblem(web.ProblemForm, nil))
		return
	}
	h.end(w, r, sess, req)
}

func (h *Handler) end(w http.ResponseWriter, r *http.Request, sess session.Session, req request) {
	err := h.cfg.InTx(r.Context(), func(ctx context.Context) error { return h.cfg.Sessions.End(ctx, sess, req.ClientID) })
	if err != nil {
		h.fail(w, r, err) // never "logged out" when it isn't so
		return
	}
	trail.OK(r.Context(), trail.Logout)
	h.loggedOut(w, r, req)
}

// loggedOut is for whoever is logged out, or was already.
func (h *Handler) loggedOut(w http.ResponseWriter, r *http.Request, req request) {
	if session.Sent(r) {
		// Without a cookie there is none to clear: an image on somebody's page must not make the browser drop one that it held back.
		session.ClearCookie(w)
	}
	switch {
	case req.Next != "":
		http.Redirect(w, r, req.target(), http.StatusSeeOther)
	case r.Method == http.MethodPost:
		// The page that says so has an address of its own: a reload, or the other language, must not end in "wrong method".
		http.Redirect(w, r, "/logout"+req.again(), http.StatusSeeOther)
	default:
		if req.Stray != "" {
			oauth.Because(oauth.InvalidRequest, "post_logout_redirect_uri is not registered for this client",
				&client.RedirectMismatch{Sent: req.Stray, Registered: req.client.PostLogoutRedirectURIs}).Record(r.Context())
			h.cfg.Log.InfoContext(r.Context(), "logged out, not sent back", "trace", audit.Trace(r.Context()), "client", req.ClientID, "error", "post_logout_redirect_uri is not registered")
		}
		h.cfg.Pages.LoggedOut(w, r, web.LoggedOutPage{Stray: req.Stray != "", Client: req.client.Name})
	}
}

// target is the registered address, a query of its own included, with the state if one was sent.
func (req request) target() string {
	if req.State == nil {
		return req.Next
	}
	sep := "?"
	if strings.Contains(req.Next, "?") {
		sep = "&"
	}
	return req.Next + sep + url.Values{"state": {*req.State}}.Encode()
}

// again is the query with which the page "logged out" says once more what was wrong.
func (req request) again() string {
	if req.Stray == "" {
		return ""
	}
	return "?" + url.Values{"client_id": {req.ClientID}, "post_logout_redirect_uri": {req.Stray}}.Encode()
}

// fail is the one writer of errors here. It never redirects.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	log := h.cfg.Log.With("trace", audit.Trace(r.Context()))
	var refused *refusal
	if !errors.As(err, &refused) {
		log.ErrorContext(r.Context(), "logout failed", "error", err)
		page := web.NewProblem(web.ProblemInternal, nil)
		page.Status = http.StatusServiceUnavailable
		h.cfg.Pages.Problem(w, r, page)
		return
	}
	log.InfoContext(r.Context(), "logout refused", "error", err)
	_, _ = h.cfg.Clients.Get(r.Context(), r.URL.Query().Get("client_id")) // whose developer may want to know
	trail.Refuse(r.Context(), trail.Refusal{Code: "logout_refused", Description: refused.developer})
	page := web.NewProblem(web.ProblemLogout, nil)
	page.Status, page.Developer = http.StatusBadRequest, refused.developer
	page.Next = &web.Action{Label: web.Say("logout.confirm", nil), Href: "/logout"} // she came to log out, and still can
	h.cfg.Pages.Problem(w, r, page)
}
