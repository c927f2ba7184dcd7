package hosted

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/web"
)

// visit is a request of a citizen who is logged in; form is nil for GET.
type visit struct {
	Citizen
	form url.Values
}

type handler func(rw http.ResponseWriter, r *http.Request, v visit)

// maxReturn bounds the address that a login comes back to: it travels in a cookie.
const maxReturn = 1500

// citizen lets only somebody who is logged in pass, and sends others to log in and back.
func (w *Wallet) citizen(h handler) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Cache-Control", "no-store") // also of redirects and of the list as a file
		c, ok := w.cfg.Citizens.Current(r)
		if !ok {
			w.cfg.Citizens.Login(rw, r, returnTo(r))
			return
		}
		h(rw, r, visit{Citizen: c})
	}
}

// returnTo is where a login comes back to: a page that can be asked for again and whose address is no secret.
func returnTo(r *http.Request) string {
	to := r.URL.EscapedPath()
	if r.Method != http.MethodGet || strings.HasPrefix(to, "/wallet/shown/") {
		return "/wallet"
	}
	if r.URL.RawQuery != "" {
		to += "?" + r.URL.RawQuery
	}
	if len(to) > maxReturn {
		return "/wallet"
	}
	return to
}

// form reads and checks a form of our own pages.
func (w *Wallet) form(h handler) handler {
	return func(rw http.ResponseWriter, r *http.Request, v visit) {
		form, err := httpx.Form(r)
		if err == nil {
			err = httpx.CheckForm(r, w.cfg.Origin, w.cfg.FormKey, v.SessionID, form.Get("csrf"))
		}
		if err != nil {
			w.cfg.Log.WarnContext(r.Context(), "hosted: form refused", slog.String("trace", audit.Trace(r.Context())), slog.Any("error", err))
			w.problem(rw, r, web.NewProblem(web.ProblemForm, nil))
			return
		}
		v.form = form
		h(rw, r, v)
	}
}

func (w *Wallet) token(v visit) string { return httpx.FormToken(w.cfg.FormKey, v.SessionID) }

func licencePath(id string) string { return "/wallet/licences/" + url.PathEscape(id) }

// refuse answers with the page that says why.
func (w *Wallet) refuse(rw http.ResponseWriter, r *http.Request, v visit, l Licence, err error) {
	switch {
	case errors.Is(err, ErrNotFound), errors.Is(err, ErrNoForm):
		w.problem(rw, r, web.NewProblem(web.ProblemNotFound, nil))
	case errors.Is(err, ErrNotInForce):
		w.problem(rw, r, web.NewProblem(web.ProblemLicence, web.Args{"licence": l.Name, "status": l.Status}))
	case errors.Is(err, ErrLevelTooLow):
		w.problem(rw, r, web.NewProblem(web.ProblemLevel, levelArgs(v.Citizen, l.RequiredACR)))
	case errors.Is(err, ErrTooMany):
		page := web.NewProblem(web.ProblemBusy, nil)
		page.Status = http.StatusTooManyRequests // the person's doing: a 5xx would wake whoever watches the server
		w.problem(rw, r, page)
	default:
		w.cfg.Log.ErrorContext(r.Context(), "hosted: fault", slog.String("trace", audit.Trace(r.Context())), slog.Any("error", err))
		w.problem(rw, r, web.NewProblem(web.ProblemInternal, nil))
	}
}

func levelArgs(c Citizen, required string) web.Args {
	return web.Args{"have": web.LevelText(c.ACR), "need": web.LevelText(required), "province": c.Province}
}

// levelEnough compares loa1..loa4, whose names sort as they rank. An unknown level is below all.
func levelEnough(have, required string) bool {
	return required == "" || len(have) == len("loa1") && have[:3] == "loa" && have <= "loa4" && have >= required
}

// problem shows a problem page with the way back to the wallet.
func (w *Wallet) problem(rw http.ResponseWriter, r *http.Request, page web.ProblemPage) {
	if page.Next == nil {
		page.Next = &web.Action{Label: web.Say("wallet.back", nil), Href: "/wallet"}
	}
	w.cfg.Pages.Problem(rw, r, page)
}
