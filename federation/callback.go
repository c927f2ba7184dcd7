package federation

import (
	"context"
	"errors"
	"net/http"
	"net/url"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/federation/identity"
	"github.com/hufu-id/hufu/federation/province"
	"github.com/hufu-id/hufu/federation/upstream"
	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/web"
)

// maxState bounds the state that is looked for; ours has 43 characters.
const maxState = 128

// callback takes a province's answer: 1 is it for an attempt of this very browser and this province, 2 does the connector
// believe it, 3 claim the state, find the person and record the login in one transaction, 4 go on with the flow.
func (f *Federation) callback(w http.ResponseWriter, r *http.Request) {
	code := province.Code(mux.Vars(r)["province"])
	m, ok := f.members[code]
	if !ok {
		f.problem(w, r, web.ProblemProvinceUnknown, "", "")
		return
	}
	a, answer, ok := f.attempt(w, r, code)
	if !ok {
		return
	}
	assertion, err := m.Connector.Finish(r.Context(), a, answer)
	if err != nil {
		f.finishProblem(w, r, a, code, err)
		return
	}
	respond, err := f.logIn(r, a, m, assertion)
	if err != nil {
		f.loginProblem(w, r, a, code, err)
		return
	}
	f.attemptCookie(attemptName(a.State)).Clear(w, r)
	if err := f.memory().Set(w, r, code); err != nil {
		f.cfg.Log.ErrorContext(r.Context(), "remembering the province", "trace", audit.Trace(r.Context()), "err", err)
	}
	respond(w)
}

// attempt finds what this browser started. Without the sealed cookie an answer is refused, however right it is: otherwise
// somebody could log another person in as himself by sending her a link (login CSRF, session fixation).
func (f *Federation) attempt(w http.ResponseWriter, r *http.Request, code province.Code) (upstream.Attempt, url.Values, bool) {
	var a upstream.Attempt
	answer, err := httpx.Query(r)
	if err != nil {
		f.unasked(r, code, "malformed_answer")
		f.problem(w, r, web.ProblemProvinceAnswer, "", code)
		return a, nil, false
	}
	state := answer.Get("state")
	if state == "" || len(state) > maxState || f.attemptCookie(attemptName(state)).Get(r, &a) != nil {
		f.unasked(r, code, "other_browser")
		page := f.page(web.ProblemFlowGone, "", code)
		page.Status = http.StatusForbidden
		f.show(w, r, page)
		return a, nil, false
	}
	if a.Province != string(code) || a.State != state {
		f.refused(r, code, "other_province")
		f.problem(w, r, web.ProblemProvinceAnswer, a.Flow, code)
		return a, nil, false
	}
	return a, answer, true
}

// logIn is the one writing transaction of a login. The state is claimed first: of any number of copies of one answer, on any
// number of nodes, one goes on.
func (f *Federation) logIn(r *http.Request, a upstream.Attempt, m Member, assertion upstream.Assertion) (respond func(http.ResponseWriter), err error) {
	err = f.cfg.Tx(r.Context(), func(ctx context.Context) error {
		if err := f.cfg.ClaimOnce(ctx, claimKind, a.State, a.Started.Add(2*attemptLife)); err != nil {
			return err
		}
		who, err := f.cfg.Persons.Resolve(ctx, assertion, m.Ceiling)
		if err != nil {
			return err
		}
		login := Login{PersonID: who.PersonID, Province: a.Province, ACR: who.Level.String(), AMR: assertion.AMR, AuthTime: assertion.AuthTime}
		if respond, err = f.cfg.Flows.LoggedIn(ctx, r, a.Flow, login); err != nil {
			return err
		}
		return f.cfg.Audit(ctx, audit.Event{Kind: "federation.logged_in", Actor: who.PersonID, Subject: who.PersonID,
			Detail: map[string]string{"province": a.Province, "acr": login.ACR, "asserted": assertion.Level.String()}})
	})
	return respond, err
}

// loginProblem answers when the province was believed but the login could not be recorded.
func (f *Federation) loginProblem(w http.ResponseWriter, r *http.Request, a upstream.Attempt, code province.Code, err error) {
	switch {
	case errors.Is(err, f.cfg.Lost):
		f.refused(r, code, "replayed")
		f.problem(w, r, web.ProblemReplayed, "", code)
	case errors.Is(err, ErrNoFlow):
		f.problem(w, r, web.ProblemFlowGone, "", code)
	case errors.Is(err, identity.ErrDisabled):
		f.refused(r, code, "disabled")
		page := f.page(web.ProblemProvinceDeclined, a.Flow, code)
		page.Status = http.StatusForbidden
		f.show(w, r, page)
	default:
		f.internal(w, r, "recording a login", err)
	}
}

// unasked notes an answer for which this browser has no attempt. It goes to the log only: an event would let anybody fill the audit table
// as fast as he can send requests.
func (f *Federation) unasked(r *http.Request, code province.Code, reason string) {
	f.cfg.Log.WarnContext(r.Context(), "answer refused", "trace", audit.Trace(r.Context()), "province", string(code), "reason", reason)
}

// refused leaves one audit event for an answer that was not accepted. It is written on its own: there is no transaction that
// it could belong to.
func (f *Federation) refused(r *http.Request, code province.Code, reason string) {
	// Also when the browser has hung up: who tries wrong answers would do so and leave no trace.
	err := f.cfg.Audit(context.WithoutCancel(r.Context()), audit.Event{Kind: "federation.answer_refused", Actor: string(code),
		Detail: map[string]string{"province": string(code), "reason": reason}})
	if err != nil {
		f.cfg.Log.ErrorContext(r.Context(), "audit", "trace", audit.Trace(r.Context()), "err", err)
	}
}
