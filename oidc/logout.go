package oidc

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/session"
	"github.com/hufu-id/hufu/web"
)

// logoutRequest is a request to log out, as far as it could be verified.
type logoutRequest struct {
	Client client.Client `json:"-"`
	// ClientID is set when a client is named or proved by a hint; Next is its exact registered address, or "".
	ClientID string  `json:"c,omitempty"`
	Next     string  `json:"n,omitempty"`
	State    *string `json:"s,omitempty"`
	// subject and sid of a valid hint.
	subject, sid string
}

// errLogout: a request whose hint or parameters can't be believed.
var errLogout = errors.New("oidc: logout request refused")

// logout is RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0). A valid id_token_hint of the person who is logged in ends
// the session at once; everything else asks first, because any page on the web can send a browser here.
func (p *Provider) logout(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		// A POST from the client's site comes without our SameSite=Lax cookie, and would look like "nobody is logged in".
		form, err := httpx.Form(r)
		if err != nil {
			p.logoutProblem(w, r, err)
			return
		}
		http.Redirect(w, r, "/logout?"+form.Encode(), http.StatusSeeOther)
		return
	}
	req, err := p.readLogout(r)
	if err != nil {
		p.logoutProblem(w, r, err)
		return
	}
	sess, err := p.sessions.Of(r)
	switch {
	case errors.Is(err, session.ErrNone):
		p.loggedOut(w, r, req)
	case err != nil:
		p.logoutProblem(w, r, err)
	case p.hintFits(req, sess):
		p.endSession(w, r, sess, req)
	default:
		p.confirmLogout(w, r, sess, req)
	}
}

// hintFits says whether the hint names the person who is logged in here.
func (p *Provider) hintFits(req logoutRequest, sess Session) bool {
	return req.subject != "" && req.subject == p.pairwise.Subject(req.Client.Sector(), sess.PersonID) &&
		(req.sid == "" || req.sid == p.pairwise.SessionID(req.Client.ID, sess.SID))
}

func (p *Provider) readLogout(r *http.Request) (logoutRequest, error) {
	var req logoutRequest
	v, err := httpx.Query(r)
	if err != nil {
		return req, errors.Join(errLogout, err)
	}
	req.ClientID = v.Get("client_id")
	if raw := v.Get("id_token_hint"); raw != "" {
		got, err := p.hints.Read(r.Context(), raw)
		if err != nil {
			return req, errors.Join(errLogout, err)
		}
		if req.ClientID != "" && req.ClientID != got.ClientID {
			return req, errors.Join(errLogout, errors.New("the hint is another client's"))
		}
		req.ClientID, req.subject, req.sid = got.ClientID, got.Subject, got.SessionID
	}
	if req.ClientID == "" {
		return req, nil
	}
	req.Client, err = p.clients.Get(r.Context(), req.ClientID)
	if errors.Is(err, client.ErrUnknown) {
		return logoutRequest{}, nil // nothing that it says counts
	}
	if err != nil {
		return req, err
	}
	// An address that isn't registered octet by octet is not gone to; the person is logged out all the same.
	if next := v.Get("post_logout_redirect_uri"); req.Client.AllowsPostLogoutRedirect(next) {
		req.Next = next
		if v.Has("state") {
			state := v.Get("state")
			req.State = &state
		}
	}
	return req, nil
}

// logoutPurpose seals the verified request into the confirmation form.
const logoutPurpose = "oidc.logout"

func (p *Provider) confirmLogout(w http.ResponseWriter, r *http.Request, sess Session, req logoutRequest) {
	sealed, err := p.cfg.Sealer.Seal(logoutPurpose, req)
	if err != nil {
		p.logoutProblem(w, r, err)
		return
	}
	httpx.AllowFormAction(w, client.Origin(req.Next))
	p.cfg.Pages.LogoutConfirm(w, r, web.LogoutPage{Client: req.Client.Name, Action: "/logout/confirm", Stay: "/",
		CSRF: httpx.FormToken(p.cfg.CodeSecret, sess.Key), Hidden: []web.Field{{Name: "request", Value: sealed}}})
}

// logoutConfirmed takes the person's answer.
func (p *Provider) logoutConfirmed(w http.ResponseWriter, r *http.Request) {
	form, err := httpx.Form(r)
	if err != nil {
		p.logoutProblem(w, r, errors.Join(errLogout, err))
		return
	}
	var req logoutRequest
	if err := p.cfg.Sealer.Open(logoutPurpose, form.Get("request"), &req); err != nil {
		p.logoutProblem(w, r, errors.Join(errLogout, err))
		return
	}
	sess, err := p.sessions.Of(r)
	if errors.Is(err, session.ErrNone) {
		p.loggedOut(w, r, req)
		return
	}
	if err != nil {
		p.logoutProblem(w, r, err)
		return
	}
	if err := httpx.CheckForm(r, p.cfg.Issuer, p.cfg.CodeSecret, sess.Key, form.Get("csrf")); err != nil {
		p.cfg.Pages.Problem(w, r, web.NewProblem(web.ProblemForm, nil))
		return
	}
	p.endSession(w, r, sess, req)
}

func (p *Provider) endSession(w http.ResponseWriter, r *http.Request, sess Session, req logoutRequest) {
	err := p.cfg.Store.InTx(r.Context(), func(ctx context.Context) error { return p.sessions.End(ctx, sess, req.ClientID) })
	if err != nil {
		p.logoutProblem(w, r, err) // never "logged out" when it isn't so
		return
	}
	p.loggedOut(w, r, req)
}

func (p *Provider) loggedOut(w http.ResponseWriter, r *http.Request, req logoutRequest) {
	session.ClearCookie(w)
	if req.Next == "" && r.Method == http.MethodPost {
		// The page that says so has an address of its own: a reload, or the other language, must not end in "wrong method".
		http.Redirect(w, r, "/logout", http.StatusSeeOther)
		return
	}
	if req.Next == "" {
		p.cfg.Pages.LoggedOut(w, r, web.LoggedOutPage{})
		return
	}
	next := req.Next
	if req.State != nil {
		sep := "?"
		if strings.Contains(next, "?") {
			sep = "&"
		}
		next += sep + url.Values{"state": {*req.State}}.Encode()
	}
	http.Redirect(w, r, next, http.StatusSeeOther)
}

func (p *Provider) logoutProblem(w http.ResponseWriter, r *http.Request, err error) {
	log := p.cfg.Log.With("trace", audit.Trace(r.Context()))
	if errors.Is(err, errLogout) || errors.Is(err, httpx.ErrContentType) || errors.Is(err, httpx.ErrMalformed) ||
		errors.Is(err, httpx.ErrTooLarge) || errors.Is(err, httpx.ErrDuplicateParameter) {
		log.InfoContext(r.Context(), "logout refused", "error", err)
		page := web.NewProblem(web.ProblemLogout, nil)
		page.Status = http.StatusBadRequest
		p.cfg.Pages.Problem(w, r, page)
		return
	}
	log.ErrorContext(r.Context(), "logout failed", "error", err)
	page := web.NewProblem(web.ProblemInternal, nil)
	page.Status = http.StatusServiceUnavailable
	p.cfg.Pages.Problem(w, r, page)
}
