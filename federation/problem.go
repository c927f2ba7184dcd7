package federation

import (
	"errors"
	"net/http"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/federation/province"
	"github.com/hufu-id/hufu/federation/upstream"
	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/web"
)

// page is a problem with the ways on that exist: never a dead end. flow is "" when there is none to go on with, code "" when
// no province is concerned.
func (f *Federation) page(kind web.ProblemKind, flow string, code province.Code) web.ProblemPage {
	args := web.Args{}
	if p, ok := province.Lookup(code); ok {
		args["province"] = nameOf(p)
	}
	page := web.NewProblem(kind, args)
	if flow == "" {
		page.Next = &web.Action{Label: web.Say("action.home", nil), Href: "/"}
		return page
	}
	at := "/login/" + flow + "/"
	choose := web.Action{Label: web.Say("action.choose", nil), Href: at}
	page.Others = []web.Action{{Label: web.Say("action.department", nil), Href: at + "cancel"}}
	if _, member := f.members[code]; !member || kind == web.ProblemProvinceUnknown {
		page.Next = &choose
		return page
	}
	page.Next = &web.Action{Label: web.Say("action.retry", nil), Href: at + string(code)}
	page.Others = append([]web.Action{choose}, page.Others...)
	return page
}

func (f *Federation) problem(w http.ResponseWriter, r *http.Request, kind web.ProblemKind, flow string, code province.Code) {
	f.show(w, r, f.page(kind, flow, code))
}

// show writes the page. A page at the callback has no links to itself in another language: they would carry the code and the
// state, and opening one would send the answer again.
func (f *Federation) show(w http.ResponseWriter, r *http.Request, page web.ProblemPage) {
	if _, step := mux.Vars(r)["flow"]; !step {
		plain := r.Clone(r.Context())
		plain.Method, plain.URL.RawQuery = http.MethodPost, ""
		r = plain
	}
	f.cfg.Pages.Problem(w, r, page)
}

// finishProblem answers an error of Connector.Finish, with one audit event.
func (f *Federation) finishProblem(w http.ResponseWriter, r *http.Request, a upstream.Attempt, code province.Code, err error) {
	reason := "wrong_answer"
	for _, known := range []struct {
		err    error
		reason string
	}{{upstream.ErrUnavailable, "unavailable"}, {upstream.ErrRefused, "declined"}, {upstream.ErrSpent, "spent"}, {upstream.ErrRequest, "malformed_answer"}} {
		if errors.Is(err, known.err) {
			reason = known.reason
		}
	}
	f.refused(r, code, reason)
	f.upstreamProblem(w, r, a.Flow, code, err)
}

// upstreamProblem answers an error of a connector. What the province said stays in the log: it may quote anything. A fault of
// the province is 503, everything else that a browser can bring about is 400.
func (f *Federation) upstreamProblem(w http.ResponseWriter, r *http.Request, flow string, code province.Code, err error) {
	f.cfg.Log.WarnContext(r.Context(), "province", "trace", audit.Trace(r.Context()), "province", string(code), "err", err)
	kind, status := web.ProblemInternal, http.StatusInternalServerError
	switch {
	case errors.Is(err, upstream.ErrUnavailable):
		kind, status = web.ProblemProvinceDown, http.StatusServiceUnavailable
	case errors.Is(err, upstream.ErrRefused):
		kind, status = web.ProblemProvinceDeclined, http.StatusBadRequest
	case errors.Is(err, upstream.ErrSpent):
		kind, status = web.ProblemReplayed, http.StatusBadRequest
	case errors.Is(err, upstream.ErrAnswer), errors.Is(err, upstream.ErrRequest):
		kind, status = web.ProblemProvinceAnswer, http.StatusBadRequest
	}
	page := f.page(kind, flow, code)
	page.Status = status
	f.show(w, r, page)
}

func (f *Federation) internal(w http.ResponseWriter, r *http.Request, what string, err error) {
	f.cfg.Log.ErrorContext(r.Context(), what, "trace", audit.Trace(r.Context()), "err", err)
	f.problem(w, r, web.ProblemInternal, "", "")
}
