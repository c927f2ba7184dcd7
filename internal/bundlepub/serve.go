package bundlepub

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"path"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/signing/bundle"
)

// maxStale is how long this node serves from memory before it asks the database
// whether another node published.
const maxStale = time.Second

// served is one version as this node serves it.
type served struct {
	head    Head
	files   bundle.Files
	checked time.Time
	archive func() ([]byte, error)
}

// Routes mounts the repository:
//
//	/bundle/timestamp.json, /bundle/<n>.<role>.json, /bundle/targets/...   any TUF client
//	/bundle/root.json   the newest root, to be handed out once; its ETag is its fingerprint
//	/bundle.zip         the same files in one archive
//
// All of it is public and without cookies, also for scripts of other origins.
func (s *Service) Routes(r *mux.Router) {
	r.HandleFunc("/bundle.zip", s.serveArchive).Methods(http.MethodGet, http.MethodHead)
	r.HandleFunc("/bundle/root.json", s.serveRoot).Methods(http.MethodGet, http.MethodHead)
	r.HandleFunc("/bundle/{path:.+}", s.serveFile).Methods(http.MethodGet, http.MethodHead)
}

// Archive returns the published bundle as one zip.
func (s *Service) Archive(ctx context.Context) ([]byte, Head, error) {
	v, err := s.current(ctx)
	if err != nil {
		return nil, Head{}, err
	}
	b, err := v.archive()
	return b, v.head, err
}

// Root returns the newest root file; bundle.Fingerprint names it.
func (s *Service) Root(ctx context.Context) ([]byte, error) {
	v, err := s.current(ctx)
	if err != nil {
		return nil, err
	}
	_, raw, ok := v.files.NewestRoot()
	if !ok {
		return nil, ErrNothing
	}
	return raw, nil
}

// known are the files in memory, which needn't be read again.
func (s *Service) known() bundle.Files {
	if v := s.served.Load(); v != nil {
		return v.files
	}
	return nil
}

// current returns the published version, at most maxStale old.
func (s *Service) current(ctx context.Context) (*served, error) {
	now := s.cfg.Now()
	if v := s.served.Load(); v != nil && now.Sub(v.checked).Abs() < maxStale {
		return v, nil
	}
	s.load.Lock()
	defer s.load.Unlock()
	v := s.served.Load()
	if v != nil && now.Sub(v.checked).Abs() < maxStale {
		return v, nil
	}
	head, err := s.cfg.Store.Head(ctx)
	if err != nil {
		return nil, err
	}
	if head.Version == 0 {
		return nil, ErrNothing
	}
	if v != nil && v.head.Version == head.Version {
		again := *v
		again.checked = now
		s.served.Store(&again)
		return &again, nil
	}
	head, files, err := s.cfg.Store.Load(ctx, s.known())
	if err != nil {
		return nil, err
	}
	fresh := &served{head: head, files: files, checked: now,
		archive: sync.OnceValues(func() ([]byte, error) { return bundle.Archive(files) })}
	s.served.Store(fresh)
	return fresh, nil
}

func (s *Service) serveArchive(w http.ResponseWriter, r *http.Request) {
	b, _, err := s.Archive(r.Context())
	if err != nil {
		s.unavailable(w, err)
		return
	}
	w.Header().Set("Content-Disposition", `attachment; filename="hufu-bundle.zip"`)
	send(w, r, "bundle.zip", b, false)
}

func (s *Service) serveRoot(w http.ResponseWriter, r *http.Request) {
	b, err := s.Root(r.Context())
	if err != nil {
		s.unavailable(w, err)
		return
	}
	send(w, r, "root.json", b, false)
}

func (s *Service) serveFile(w http.ResponseWriter, r *http.Request) {
	name := mux.Vars(r)["path"]
	v, err := s.current(r.Context())
	if err != nil {
		s.unavailable(w, err)
		return
	}
	body, ok := v.files[name]
	if !ok {
		// A mirror under way may still want a part of the version before.
		if body, err = s.cfg.Store.File(r.Context(), name); err != nil {
			s.unavailable(w, err)
			return
		}
	}
	send(w, r, name, body, name != "timestamp.json")
}

// send answers with the bytes. Names with a version or hash never change their content;
// the others are revalidated by ETag.
func send(w http.ResponseWriter, r *http.Request, name string, body []byte, immutable bool) {
	h := w.Header()
	h.Set("ETag", `"`+bundle.Fingerprint(body)+`"`)
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Content-Type", contentType(name))
	h.Set("Cache-Control", "public, no-cache")
	if immutable {
		h.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}

func contentType(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".json":
		return "application/json"
	case ".jwt":
		return "application/statuslist+jwt"
	case ".cer":
		return "application/pkix-cert"
	case ".zip":
		return "application/zip"
	}
	return "application/octet-stream"
}

// unavailable says why there is nothing to send; nothing of it may be cached.
func (s *Service) unavailable(w http.ResponseWriter, err error) {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Access-Control-Allow-Origin", "*")
	switch {
	case errors.Is(err, ErrNotFound):
		http.Error(w, "no such part of the trust bundle", http.StatusNotFound)
	case errors.Is(err, ErrNothing):
		w.Header().Set("Retry-After", "1")
		http.Error(w, "the trust bundle is not published yet", http.StatusServiceUnavailable)
	default:
		http.Error(w, "the trust bundle can't be read now", http.StatusInternalServerError)
	}
}
