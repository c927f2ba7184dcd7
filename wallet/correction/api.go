package correction

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
)

// ReportView is a report as the department API shows it: the licence, not the person's account.
type ReportView struct {
	ID         string     `json:"id"`
	Licence    string     `json:"licence"`
	Field      string     `json:"field"`
	Text       string     `json:"text"`
	State      State      `json:"state"`
	ReportedAt time.Time  `json:"reported_at"`
	Outcome    Outcome    `json:"outcome,omitempty"`
	Answer     string     `json:"answer,omitempty"`
	AnsweredAt *time.Time `json:"answered_at,omitempty"`
}

// ReportPage is the answer to a list.
type ReportPage struct {
	Reports []ReportView `json:"reports"`
	// Next is the value of after for the next page; absent on the last.
	Next string `json:"next,omitempty"`
}

// AnswerRequest is the body of an answer.
type AnswerRequest struct {
	// Answer is what the holder reads, 1 to MaxText characters.
	Answer  string  `json:"answer"`
	Outcome Outcome `json:"outcome"`
}

func viewOf(r Report) ReportView {
	v := ReportView{ID: r.ID, Licence: r.LicenceID, Field: r.Field, Text: r.Text, State: r.State, ReportedAt: r.ReportedAt.UTC(),
		Outcome: r.Outcome, Answer: r.Answer}
	if !r.AnsweredAt.IsZero() {
		at := r.AnsweredAt.UTC()
		v.AnsweredAt = &at
	}
	return v
}

func (s *Service) department(fn func(r *http.Request, d Department) (any, error)) http.HandlerFunc {
	return httpx.Answer(s.authenticate, s.refuse, fn)
}

// authenticate tells who calls, by the access token.
func (s *Service) authenticate(r *http.Request) (Department, error) {
	token, ok := bearer.Token(r)
	if !ok {
		return Department{}, ErrUnauthenticated
	}
	d, err := s.cfg.Departments.Authenticate(r.Context(), token)
	if err == nil && d.Code == "" {
		return Department{}, ErrUnauthenticated // or one without a code would read the reports without one
	}
	return d, err
}

func (s *Service) listReports(r *http.Request, d Department) (any, error) {
	q, err := httpx.Query(r)
	if err != nil {
		return nil, err
	}
	query := Query{Authority: d.Code, State: State(q.Get("state")), After: q.Get("after"), Limit: defaultLimit}
	if text := q.Get("limit"); text != "" {
		if query.Limit, err = strconv.Atoi(text); err != nil || query.Limit < 1 {
			return nil, fmt.Errorf("%w: limit must be 1 to 200", ErrInvalid)
		}
	}
	reports, err := s.List(r.Context(), query)
	if err != nil {
		return nil, err
	}
	page := ReportPage{Reports: make([]ReportView, 0, len(reports))}
	for _, x := range reports {
		page.Reports = append(page.Reports, viewOf(x))
	}
	if n := len(reports); n == query.Limit {
		page.Next = reports[n-1].ID
	}
	return page, nil
}

func (s *Service) answerReport(r *http.Request, d Department) (any, error) {
	body, err := httpx.ReadBody(r)
	if err != nil {
		return nil, err
	}
	req, err := parseAnswer(body)
	if err != nil {
		return nil, err
	}
	answered, err := s.Answer(r.Context(), d, mux.Vars(r)["id"], req.Outcome, req.Answer)
	if err != nil {
		return nil, err
	}
	return viewOf(answered), nil
}

// parseAnswer reads the body of an answer: a member that there isn't would be a rule that somebody believes in.
func parseAnswer(body []byte) (AnswerRequest, error) {
	var members map[string]json.RawMessage
	var req AnswerRequest
	if err := jose.DecodeStrict(body, &req); err != nil {
		return req, fmt.Errorf(`%w: the body must be {"answer": text, "outcome": "corrected", "not_wrong" or "forwarded"}`, ErrInvalid)
	}
	if err := json.Unmarshal(body, &members); err != nil {
		return req, fmt.Errorf("%w: the body is no JSON object", ErrInvalid)
	}
	for name := range members {
		if name != "answer" && name != "outcome" {
			return req, fmt.Errorf("%w: the members are answer and outcome", ErrInvalid)
		}
	}
	return req, nil
}

type problem = httpx.Problem

// bearer is how callers of the department API prove who they are.
var bearer = httpx.Bearer{Realm: "register", Scope: "register"}

// problemOf maps an error to what a caller may know of it. Anything unknown is a fault of ours, told without detail.
func problemOf(err error) problem {
	switch {
	case errors.Is(err, ErrUnauthenticated):
		return problem{Status: 401, Code: "unauthenticated", Title: "A valid access token is needed",
			Detail: "Get one at the token endpoint with grant_type=client_credentials and scope=register."}
	case errors.Is(err, ErrInsufficientScope):
		return problem{Status: 403, Code: "insufficient_scope", Title: "The access token lacks the scope register"}
	case errors.Is(err, ErrNotFound):
		// Also for another authority's report: that it exists is that authority's secret.
		return problem{Status: 404, Code: "report_not_found", Title: "This authority has no such report"}
	case errors.Is(err, ErrAnswered):
		return problem{Status: 409, Code: "already_answered", Title: "The report was answered already",
			Detail: "Nothing was done: the holder may have read the first answer. See it with state=answered."}
	case errors.Is(err, ErrInvalid):
		return problem{Status: 400, Code: "invalid_request", Title: "The request can't be carried out",
			Detail: strings.TrimPrefix(err.Error(), ErrInvalid.Error()+": ")}
	case errors.Is(err, httpx.ErrTooLarge):
		return problem{Status: 413, Code: "too_large", Title: "The body is too large"}
	case errors.Is(err, httpx.ErrMalformed), errors.Is(err, httpx.ErrDuplicateParameter):
		return problem{Status: 400, Code: "invalid_request", Title: "The request can't be read"}
	}
	return problem{Status: 500, Code: "server_error", Title: "Something failed here"}
}

func (s *Service) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	p.TraceID = httpx.Trace(r)
	if p.Status >= 500 {
		s.cfg.Log.ErrorContext(r.Context(), "department API", "trace", p.TraceID, "path", r.URL.Path, "error", err)
	}
	bearer.Refuse(w, r, p.Status, p.Code, p)
}
