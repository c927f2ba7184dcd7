package register

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/httpx"
)

// requestError is a request that can't be read; the text says what it should look like.
type requestError struct{ text string }

func (e *requestError) Error() string { return e.text }

// problem is a problem detail with a stable code. RFC 9457.
type problem struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	// Code is what programs go by.
	Code    string `json:"code"`
	TraceID string `json:"trace_id,omitempty"`
}

// problemOf maps an error to what a caller may know of it. Anything unknown is a fault of ours, told without detail.
func problemOf(err error) problem {
	var bad *requestError
	detail := strings.TrimPrefix(err.Error(), ErrInvalid.Error()+": ")
	switch {
	case errors.Is(err, ErrUnauthenticated):
		return problem{Status: 401, Code: "unauthenticated", Title: "A valid access token is needed",
			Detail: "Get one at the token endpoint with grant_type=client_credentials and scope=register."}
	case errors.Is(err, ErrInsufficientScope):
		return problem{Status: 403, Code: "insufficient_scope", Title: "The access token lacks the scope register"}
	case errors.Is(err, ErrNotFound):
		// Also for another authority's licence: that it exists is that authority's secret.
		return problem{Status: 404, Code: "licence_not_found", Title: "This authority has no such licence"}
	case errors.Is(err, errNoType):
		return problem{Status: 404, Code: "type_not_found", Title: "There is no such licence type or version"}
	case errors.Is(err, ErrTransition):
		return problem{Status: 409, Code: "act_not_possible", Title: "The licence's state doesn't allow this act", Detail: detail}
	case errors.Is(err, ErrStale):
		return problem{Status: 409, Code: "changed_meanwhile", Title: "Somebody else changed the licence at the same time",
			Detail: "Nothing was done. Look at the licence again."}
	case errors.As(err, &bad), errors.Is(err, ErrInvalid):
		return problem{Status: 400, Code: "invalid_request", Title: "The request can't be carried out", Detail: detail}
	case errors.Is(err, httpx.ErrTooLarge):
		return problem{Status: 413, Code: "too_large", Title: "The body is too large", Detail: "Send fewer records at once."}
	case errors.Is(err, httpx.ErrMalformed), errors.Is(err, httpx.ErrDuplicateParameter):
		return problem{Status: 400, Code: "invalid_request", Title: "The request can't be read"}
	}
	return problem{Status: 500, Code: "server_error", Title: "Something failed here"}
}

func (s *Service) problem(w http.ResponseWriter, r *http.Request, err error) {
	p := problemOf(err)
	p.TraceID = audit.Trace(r.Context())
	if p.Status >= 500 {
		s.cfg.Log.ErrorContext(r.Context(), "department API", "trace", p.TraceID, "path", r.URL.Path, "error", err)
	}
	h := w.Header()
	if p.Status == http.StatusUnauthorized {
		challenge := `Bearer realm="register", scope="register"`
		if r.Header.Get("Authorization") != "" {
			challenge += `, error="invalid_token"`
		}
		h.Set("WWW-Authenticate", challenge)
	}
	if p.Status == http.StatusForbidden {
		h.Set("WWW-Authenticate", `Bearer realm="register", error="insufficient_scope", scope="register"`)
	}
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	b, merr := json.Marshal(p)
	if merr != nil {
		b = []byte(`{"status":500,"code":"server_error","title":"Something failed here"}`)
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(b, '\n'))
}
