package status

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/signing/statuslist"
	"github.com/hufu-id/hufu/wallet/status/accept"
)

// maxAge is how many seconds an HTTP cache may answer for us: short, because the promise is that a legal act is seen within
// a minute; asking again costs little, thanks to the ETag. The token's ttl is for those who hold on to tokens.
const maxAge = "3"

// pastMaxAge is for what will never be different.
const pastMaxAge = "86400"

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

// form is one of the two forms in which a list is served at its one URL.
type form struct {
	mediaType string
	of        func(jwt string, cwt []byte) []byte
}

// forms by preference: where a reader takes both, it gets the first.
var forms = []form{
	{statuslist.MediaType, func(jwt string, _ []byte) []byte { return []byte(jwt) }},
	{statuslist.TypCWT, func(_ string, cwt []byte) []byte { return cwt }},
}

// serveList serves the newest token of a list, or that of an earlier time. Token Status List, sections 8.1 and 8.4.
func (s *Service) serveList(w http.ResponseWriter, r *http.Request) {
	if preflight(w, r) {
		return
	}
	w.Header().Add("Vary", "Accept")
	best, bestQ := form{}, 0.0
	for _, f := range forms {
		if q := accept.Quality(r.Header.Values("Accept"), f.mediaType); q > bestQ {
			best, bestQ = f, q
		}
	}
	if bestQ == 0 {
		problem(w, r, http.StatusNotAcceptable, "not_acceptable", "This list is served as "+statuslist.MediaType+" and as "+statuslist.TypCWT)
		return
	}
	id := mux.Vars(r)["list"]
	if r.URL.Query().Has("time") {
		s.servePast(w, r, id, best)
		return
	}
	l, err := s.current(r.Context(), id)
	if err != nil {
		s.refuse(w, r, id, err)
		return
	}
	s.serveToken(w, r, best, best.of(l.Token, l.TokenCWT), maxAge)
}

// servePast answers with the token that was the newest at the given time. Its iat and exp hold that time, which the reader checks.
func (s *Service) servePast(w http.ResponseWriter, r *http.Request, id string, f form) {
	if s.cfg.History < 0 {
		// Answering with today's list would be taken for the state of that day.
		problem(w, r, http.StatusNotImplemented, "no_history", "Earlier states of a list are not served here")
		return
	}
	seconds, err := strconv.ParseInt(r.URL.Query().Get("time"), 10, 64)
	if err != nil || len(r.URL.Query()["time"]) != 1 || seconds < 0 || seconds > 253402300799 { // the year 9999
		problem(w, r, http.StatusBadRequest, "bad_time", "time is one number of seconds since 1970")
		return
	}
	at := time.Unix(seconds, 0)
	if at.After(s.cfg.Now()) { // nobody knows yet
		s.refuse(w, r, id, ErrNotFound)
		return
	}
	p, err := s.past(r.Context(), id, at)
	if err != nil {
		s.refuse(w, r, id, err)
		return
	}
	s.serveToken(w, r, f, f.of(p.JWT, p.CWT), pastMaxAge)
}

// past returns what was published at a time: the list as it is now, if it is that old, or else a kept one.
func (s *Service) past(ctx context.Context, id string, at time.Time) (Signed, error) {
	l, err := s.cfg.Store.Get(ctx, id)
	if err != nil {
		return Signed{}, err
	}
	if l.Token != "" && !at.Before(l.TokenIssuedAt) && at.Before(l.TokenExpires) {
		return Signed{JWT: l.Token, CWT: l.TokenCWT, IssuedAt: l.TokenIssuedAt, Expires: l.TokenExpires}, nil
	}
	p, err := s.cfg.Store.Past(ctx, id, at)
	if err != nil {
		return Signed{}, err
	}
	if !at.Before(p.Expires) || at.Before(p.IssuedAt) {
		return Signed{}, ErrNotFound // nothing was in force then
	}
	return p, nil
}

// refuse answers why there is no token.
func (s *Service) refuse(w http.ResponseWriter, r *http.Request, id string, err error) {
	if errors.Is(err, ErrNotFound) {
		problem(w, r, http.StatusNotFound, "list_not_found", "There is no such status list, or none of that time")
		return
	}
	s.cfg.Log.ErrorContext(r.Context(), "status list", "trace", audit.Trace(r.Context()), "list", id, "error", err)
	w.Header().Set("Retry-After", "2")
	problem(w, r, http.StatusServiceUnavailable, "unavailable", "The list can't be read now")
}

// patience is how long a reader waits for the database before it gets what this node has in memory.
const patience = 2 * time.Second

// current returns a list with a token in force. When the database fails, that is the one in memory: it says itself of when it is.
func (s *Service) current(ctx context.Context, id string) (List, error) {
	now := s.cfg.Now()
	have, ok := s.cache.get(id)
	ok = ok && have.Token != "" && now.Before(have.TokenExpires)
	if ok && now.Sub(have.asked).Abs() < fresh {
		return have.List, nil
	}
	wait, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	l, err := s.newest(wait, id)
	switch {
	case err == nil:
		s.cache.put(l, now)
		return l, nil
	case ok && !errors.Is(err, ErrNotFound):
		s.cfg.Log.WarnContext(ctx, "status list served from memory", "list", id, "error", err)
		return have.List, nil
	}
	return List{}, err
}

// newest reads a list. A credential may be shown within milliseconds of its issuance, before the
// background step has seen its new list: then it is signed here, or by another node that was quicker.
func (s *Service) newest(ctx context.Context, id string) (List, error) {
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
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	lists, err := s.cfg.Store.Live(ctx, s.cfg.Now())
	if err != nil {
		if lists = s.cache.all(); len(lists) == 0 {
			s.refuse(w, r, "aggregation", err)
			return
		}
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
	serve(w, r, "application/json", b, "", maxAge)
}

// serveToken serves a token, compressed where the reader asks for that.
func (s *Service) serveToken(w http.ResponseWriter, r *http.Request, f form, body []byte, age string) {
	w.Header().Add("Vary", "Accept-Encoding")
	if len(body) == 0 { // a token of a release that didn't have this form
		problem(w, r, http.StatusNotAcceptable, "not_acceptable", "This list isn't there as "+f.mediaType)
		return
	}
	if !accept.Coding(r.Header.Values("Accept-Encoding"), "gzip") {
		serve(w, r, f.mediaType, body, "", age)
		return
	}
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write(body)
	if err = errors.Join(err, z.Close()); err != nil || b.Len() >= len(body) {
		serve(w, r, f.mediaType, body, "", age)
		return
	}
	serve(w, r, f.mediaType, b.Bytes(), "gzip", age)
}

func serve(w http.ResponseWriter, r *http.Request, contentType string, body []byte, encoding, age string) {
	sum := sha256.Sum256(body)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:]) + `"`
	h := w.Header()
	h.Set("ETag", tag)
	h.Set("Cache-Control", "public, max-age="+age)
	for part := range strings.SplitSeq(r.Header.Get("If-None-Match"), ",") {
		if part = strings.TrimPrefix(strings.TrimSpace(part), "W/"); part == tag || part == "*" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	if encoding != "" {
		h.Set("Content-Encoding", encoding)
	}
	h.Set("Content-Type", contentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
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
