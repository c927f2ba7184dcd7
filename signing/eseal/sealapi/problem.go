package sealapi

import (
	"errors"
	"net/http"
	"strings"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/signing/eseal"
)

// problem is a problem detail with a stable code. RFC 9457.
type problem struct {
	httpx.Problem
	// DocumentKinds are those that the seal allows, with kind_not_allowed.
	DocumentKinds []string `json:"document_kinds,omitempty"`
}

// bearer is how people prove who they are.
var bearer = httpx.Bearer{Realm: "seals", Scope: "seal"}

// plain are the errors whose answer is always the same; the text of an error after its first colon is the detail.
var plain = []struct {
	err     error
	problem httpx.Problem
}{
	{ErrUnauthenticated, httpx.Problem{Status: 401, Code: "unauthenticated", Title: "A valid access token is needed",
		Detail: "Get one at the token endpoint with grant_type=client_credentials and scope=seal."}},
	{ErrInsufficientScope, httpx.Problem{Status: 403, Code: "insufficient_scope", Title: "The access token lacks the scope seal"}},
	{eseal.ErrNotMaker, httpx.Problem{Status: 403, Code: "not_a_seal_maker", Title: "Only a seal maker issues seals"}},
	{eseal.ErrOwnProposal, httpx.Problem{Status: 403, Code: "own_proposal", Title: "Another person must decide",
		Detail: "Every change of a seal needs two people: whoever proposed it can't decide on it."}},
	// Also for another organisation's: that it exists is that organisation's affair.
	{eseal.ErrNotFound, httpx.Problem{Status: 404, Code: "seal_not_found", Title: "This organisation has no such seal"}},
	{eseal.ErrNoRequest, httpx.Problem{Status: 404, Code: "request_not_found", Title: "This organisation has no such request"}},
	{errNoDocument, httpx.Problem{Status: 404, Code: "not_found", Title: "There is nothing here"}},
	{eseal.ErrExpired, httpx.Problem{Status: 409, Code: "request_expired", Title: "The request has expired", Detail: "Nothing was done. Propose it again."}},
	{eseal.ErrStale, httpx.Problem{Status: 409, Code: "changed_meanwhile", Title: "The seal was changed meanwhile", Detail: "Nothing was done. Look at the seal again."}},
	{eseal.ErrReused, httpx.Problem{Status: 409, Code: "request_id_reused", Title: "The request id was used for something else",
		Detail: "Nothing was done. Take a new request id for a new document."}},
	{httpx.ErrTooLarge, httpx.Problem{Status: 413, Code: "too_large", Title: "The body is too large"}},
	{httpx.ErrMalformed, httpx.Problem{Status: 400, Code: "invalid_request", Title: "The request can't be read"}},
	{httpx.ErrDuplicateParameter, httpx.Problem{Status: 400, Code: "invalid_request", Title: "The request can't be read"}},
}

// problemOf maps an error to what a caller may know of it. Anything unknown is a fault of ours, told without detail.
func problemOf(err error) problem {
	for _, p := range plain {
		if errors.Is(err, p.err) {
			return problem{Problem: p.problem}
		}
	}
	detail := func(of error) string { return strings.TrimPrefix(strings.TrimPrefix(err.Error(), of.Error()), ": ") }
	var kind *eseal.KindError
	switch {
	case errors.As(err, &kind):
		return problem{httpx.Problem{Status: 403, Code: "kind_not_allowed", Title: "The seal may not be used so", Detail: err.Error()}, kind.Allowed}
	case errors.Is(err, eseal.ErrDecided):
		return problem{Problem: httpx.Problem{Status: 409, Code: "already_decided", Title: "The request was decided already", Detail: detail(eseal.ErrDecided)}}
	case errors.Is(err, eseal.ErrTransition):
		return problem{Problem: httpx.Problem{Status: 409, Code: "change_not_possible", Title: "The seal's state doesn't allow this", Detail: err.Error()}}
	case errors.Is(err, eseal.ErrNotActive):
		return problem{Problem: httpx.Problem{Status: 409, Code: "seal_not_active", Title: "Nothing can be sealed with this seal now", Detail: detail(eseal.ErrNotActive)}}
	case errors.Is(err, eseal.ErrValidity):
		return problem{Problem: httpx.Problem{Status: 409, Code: "seal_outside_validity", Title: "The seal is not within its validity", Detail: detail(eseal.ErrValidity)}}
	case errors.Is(err, eseal.ErrInvalid):
		return problem{Problem: httpx.Problem{Status: 400, Code: "invalid_request", Title: "The request can't be carried out", Detail: detail(eseal.ErrInvalid)}}
	}
	return problem{Problem: httpx.Problem{Status: 500, Code: "server_error", Title: "Something failed here"}}
}

func (a *API) problem(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	p.TraceID = httpx.Trace(r)
	if p.Status >= 500 {
		a.log.ErrorContext(r.Context(), "seals", "trace", p.TraceID, "path", r.URL.Path, "error", err)
	}
	bearer.Refuse(w, r, p.Status, p.Code, p)
}
