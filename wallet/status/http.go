package status

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/signing/statuslist"
)

// maxAge is how many seconds an HTTP cache may answer for us: short, because the promise is that a legal act is seen within
// ten seconds; asking again costs little, thanks to the ETag. The token's ttl is for those who hold on to tokens.
const maxAge = "3"

// Routes mounts the lists and their aggregation.
func (s *Service) Routes(r *mux.Router) {
	methods := []string{http.MethodGet, http.MethodHead, http.MethodOptions}
	r.HandleFunc("/status/aggregation", s.serveAggregation).Methods(methods...)
	r.HandleFunc("/status/{list}", s.serveList).Methods(methods...)
}

// preflight sets what any web page needs to read the answer (a status list is public) and answers OPTIONS.
func preflight(w http.ResponseWriter, r *http.Request) bool {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "ETag")
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	if r.Method != http.MethodOptions {
		return false
	}
	h.Set("Access-Control-Allow-Methods", "GET, HEAD")
	h.Set("Access-Control-Allow-Headers", "Accept, If-None-Match")
	h.Set("Access-Control-Max-Age", "86400")
	w.WriteHeader(http.StatusNoContent)
	return true
}

// serveList serves the newest token of a list. Token Status List, section 8.1.
func (s *Service) serveList(w http.ResponseWriter, r *http.Request) {
	if preflight(w, r) {
		return
	}
	w.Header().Add("Vary", "Accept")
	if !accepts(r.Header.Values("Accept"), statuslist.MediaType) {
		problem(w, r, http.StatusNotAcceptable, "not_acceptable", "This list is served as "+statuslist.MediaType)
		return
	}
	if r.URL.Query().Has("time") {
		// Answering with today's list would be taken for the state of that day. Section 8.4 names this status.
		problem(w, r, http.StatusNotImplemented, "no_history", "Earlier states of a list are not served here")
		return
	}
	l, err := s.current(r.Context(), mux.Vars(r)["list"])
	switch {
	case errors.Is(err, ErrNotFound):
		problem(w, r, http.StatusNotFound, "list_not_found", "There is no such status list")
		return
	case err != nil:
		s.cfg.Log.ErrorContext(r.Context(), "status list", "trace", audit.Trace(r.Context()), "list", mux.Vars(r)["list"], "error", err)
		problem(w, r, http.StatusInternalServerError, "server_error", "Something failed here")
		return
	}
	serve(w, r, statuslist.MediaType, []byte(l.Token))
}

// current returns a list with a token in force. A credential may be shown within milliseconds of its issuance, before the
// background step has seen its new list: then it is signed here, or by another node that was quicker.
func (s *Service) current(ctx context.Context, id string) (List, error) {
	for try := range 20 {
		l, err := s.cfg.Store.Get(ctx, id)
		if err != nil {
			return List{}, err
		}
		now := s.cfg.Now()
		if l.Token != "" && now.Before(l.TokenExpires) {
			return l, nil
		}
		if !now.Before(l.ExpiresAt) {
			return List{}, ErrNotFound
		}
		if try > 0 {
			select {
			case <-ctx.Done():
				return List{}, ctx.Err()
			case <-time.After(25 * time.Millisecond):
			}
		}
		if err := s.publishList(ctx, l); err != nil && !errors.Is(err, ErrStale) {
			return List{}, err
		}
	}
	return List{}, errors.New("status: the list could not be signed in time")
}

// serveAggregation lists the URIs of all live lists. Token Status List, section 9.
func (s *Service) serveAggregation(w http.ResponseWriter, r *http.Request) {
	if preflight(w, r) {
		return
	}
	lists, err := s.cfg.Store.Live(r.Context(), s.cfg.Now())
	if err != nil {
		s.cfg.Log.ErrorContext(r.Context(), "status aggregation", "trace", audit.Trace(r.Context()), "error", err)
		problem(w, r, http.StatusInternalServerError, "server_error", "Something failed here")
		return
	}
	uris := make([]string, 0, len(lists))
	for _, l := range lists {
		uris = append(uris, s.URI(l.ID))
	}
	b, err := json.Marshal(map[string]any{"status_lists": uris})
	if err != nil {
		problem(w, r, http.StatusInternalServerError, "server_error", "Something failed here")
		return
	}
	serve(w, r, "application/json", b)
}

func serve(w http.ResponseWriter, r *http.Request, contentType string, body []byte) {
	sum := sha256.Sum256(body)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:]) + `"`
	h := w.Header()
	h.Set("ETag", tag)
	h.Set("Cache-Control", "public, max-age="+maxAge)
	for part := range strings.SplitSeq(r.Header.Get("If-None-Match"), ",") {
		if part = strings.TrimPrefix(strings.TrimSpace(part), "W/"); part == tag || part == "*" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
}

// accepts says whether Accept headers allow a media type. No header allows all; the most specific range decides. RFC 9110, section 12.5.1.
func accepts(headers []string, mediaType string) bool {
	if len(headers) == 0 || strings.TrimSpace(strings.Join(headers, "")) == "" {
		return true
	}
	major, _, _ := strings.Cut(mediaType, "/")
	best, allowed := 0, false
	for part := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		name, params, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err != nil {
			continue
		}
		rank := map[string]int{"*/*": 1, major + "/*": 2, mediaType: 3}[name]
		if rank > best {
			q, err := strconv.ParseFloat(params["q"], 64)
			best, allowed = rank, params["q"] == "" || err == nil && q > 0
		}
	}
	return allowed
}

// problem writes a problem detail. RFC 9457.
func problem(w http.ResponseWriter, r *http.Request, status int, code, title string) {
	b, err := json.Marshal(map[string]any{"status": status, "code": code, "title": title, "trace_id": audit.Trace(r.Context())})
	if err != nil {
		b = []byte(`{}`)
	}
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(append(b, '\n'))
}
