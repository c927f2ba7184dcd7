// Package wire is how the issuer's endpoints read bodies and answer errors.
package wire

import (
	"errors"
	"log/slog"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/httpx"
)

// Media types of bodies.
const (
	JSON = "application/json"
	JWT  = "application/jwt"
)

// ReadBody reads a body of at most limit bytes and one of the media types, or answers why not; code is the error that it answers. It returns the type.
func ReadBody(w http.ResponseWriter, r *http.Request, limit int64, code string, types ...string) (body []byte, mediaType string, ok bool) {
	ct, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	for _, t := range types {
		if err == nil && ct == t {
			mediaType = t
		}
	}
	if mediaType == "" {
		WriteError(w, http.StatusUnsupportedMediaType, code, "the body must be "+types[0])
		return nil, "", false
	}
	r.Body = http.MaxBytesReader(w, r.Body, limit)
	body, err = httpx.ReadBody(r)
	switch {
	case errors.Is(err, httpx.ErrTooLarge):
		WriteError(w, http.StatusRequestEntityTooLarge, code, "the body is too large")
		return nil, "", false
	case err != nil:
		WriteError(w, http.StatusBadRequest, code, "the body could not be read")
		return nil, "", false
	}
	return body, mediaType, true
}

// WriteError answers an error as OAuth does.
func WriteError(w http.ResponseWriter, status int, code, description string) {
	httpx.WriteJSON(w, status, map[string]string{"error": code, "error_description": description})
}

// Fault answers what is our fault, without detail.
func Fault(log *slog.Logger, w http.ResponseWriter, r *http.Request, err error) {
	log.ErrorContext(r.Context(), "issuer: fault", slog.String("trace", audit.Trace(r.Context())), slog.Any("error", err))
	WriteError(w, http.StatusInternalServerError, "server_error", "something failed here; trace id "+audit.Trace(r.Context()))
}

// Prefers says whether Accept headers rank one media type, by its own name, above another.
func Prefers(accept []string, one, other string) bool {
	rank := map[string]float64{}
	for _, part := range strings.Split(strings.Join(accept, ","), ",") {
		t, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		q := 1.0
		if text, set := params["q"]; set {
			if q, err = strconv.ParseFloat(text, 64); err != nil {
				continue
			}
		}
		rank[t] = max(rank[t], q)
	}
	against, named := rank[other]
	if !named {
		against = 0 // a wildcard doesn't outrank what was asked for by name
	}
	return rank[one] > against
}
