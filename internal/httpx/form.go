package httpx

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
)

// Errors of reading a request.
var (
	ErrContentType        = errors.New("the body must be application/x-www-form-urlencoded")
	ErrTooLarge           = errors.New("the body is too large")
	ErrMalformed          = errors.New("the parameters are malformed")
	ErrDuplicateParameter = errors.New("a parameter was sent more than once")
)

// DuplicateError names the parameter that came twice. It is an ErrDuplicateParameter.
type DuplicateError struct{ Name string }

func (e *DuplicateError) Error() string {
	return "the parameter " + e.Name + " was sent more than once"
}

// Is makes errors.Is(err, ErrDuplicateParameter) true.
func (e *DuplicateError) Is(target error) bool { return target == ErrDuplicateParameter }

// Form reads a form-encoded POST body, and nothing else: multipart would spill to disk, and parameters of the query don't count. Two values
// for one name are refused: which of them counts would depend on who reads (RFC 6749, section 3.1).
func Form(r *http.Request, repeatable ...string) (url.Values, error) {
	if r.Method != http.MethodPost {
		return nil, ErrMalformed
	}
	ct, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || ct != "application/x-www-form-urlencoded" {
		return nil, ErrContentType
	}
	body, err := ReadBody(r)
	if err != nil {
		return nil, err
	}
	return parseQuery(string(body), repeatable)
}

// Query reads the parameters of the URL by the same rules.
func Query(r *http.Request, repeatable ...string) (url.Values, error) {
	return parseQuery(r.URL.RawQuery, repeatable)
}

// ReadBody reads the whole body, whose size Wrap limits; ErrTooLarge beyond that.
func ReadBody(r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, ErrTooLarge
	case err != nil:
		return nil, ErrMalformed
	}
	return body, nil
}

func parseQuery(raw string, repeatable []string) (url.Values, error) {
	v, err := url.ParseQuery(raw)
	if err != nil {
		return nil, ErrMalformed
	}
	for name, values := range v {
		if len(values) > 1 && !slices.Contains(repeatable, name) {
			return nil, &DuplicateError{Name: name}
		}
	}
	return v, nil
}

// WriteJSON writes v as JSON that no cache keeps.
func WriteJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(w, `{"error":"server_error"}`, http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n'))
}
