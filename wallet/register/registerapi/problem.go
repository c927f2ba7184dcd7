package registerapi

import (
	"errors"
	"net/http"
	"strings"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/wallet/register"
)

// requestError is a request that can't be read; the text says what it should look like.
type requestError struct{ text string }

func (e *requestError) Error() string { return e.text }

type problem = httpx.Problem

// bearer is how callers of the department API prove who they are.
var bearer = httpx.Bearer{Realm: "register", Scope: "register"}

// problemOf maps an error to what a caller may know of it. Anything unknown is a fault of ours, told without detail.
func problemOf(err error) problem {
	var bad *requestError
	detail := strings.TrimPrefix(err.Error(), register.ErrInvalid.Error()+": ")
	switch {
	case errors.Is(err, register.ErrUnauthenticated):
		return problem{Status: 401, Code: "unauthenticated", Title: "A valid access token is needed",
			Detail: "Get one at the token endpoint with grant_type=client_credentials and scope=register."}
	case errors.Is(err, register.ErrInsufficientScope):
		return problem{Status: 403, Code: "insufficient_scope", Title: "The access token lacks the scope register"}
	case errors.Is(err, register.ErrNotFound):
		// Also for another authority's licence: that it exists is that authority's secret.
		return problem{Status: 404, Code: "licence_not_found", Title: "This authority has no such licence"}
	case errors.Is(err, errNoType):
		return problem{Status: 404, Code: "type_not_found", Title: "There is no such licence type or version"}
	case errors.Is(err, register.ErrTransition):
		return problem{Status: 409, Code: "act_not_possible", Title: "The licence's state doesn't allow this act", Detail: detail}
	case errors.Is(err, register.ErrExists):
		return problem{Status: 409, Code: "record_exists", Title: "Another licence has this record number"}
	case errors.Is(err, register.ErrStale):
		return problem{Status: 409, Code: "changed_meanwhile", Title: "Somebody else changed the licence at the same time",
			Detail: "Nothing was done. Look at the licence again."}
	case errors.As(err, &bad), errors.Is(err, register.ErrInvalid):
		return problem{Status: 400, Code: "invalid_request", Title: "The request can't be carried out", Detail: detail}
	case errors.Is(err, httpx.ErrTooLarge):
		return problem{Status: 413, Code: "too_large", Title: "The body is too large", Detail: "Send fewer records at once."}
	case errors.Is(err, httpx.ErrMalformed), errors.Is(err, httpx.ErrDuplicateParameter):
		return problem{Status: 400, Code: "invalid_request", Title: "The request can't be read"}
	}
	return problem{Status: 500, Code: "server_error", Title: "Something failed here"}
}

func (a *API) problem(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	p.TraceID = httpx.Trace(r)
	if p.Status >= 500 {
		a.log.ErrorContext(r.Context(), "department API", "trace", p.TraceID, "path", r.URL.Path, "error", err)
	}
	bearer.Refuse(w, r, p.Status, p.Code, p)
}
