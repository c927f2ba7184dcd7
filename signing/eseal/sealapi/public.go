package sealapi

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/signing/eseal"
	"github.com/hufu-id/hufu/signing/sealvc"
)

// errNoDocument: the public address names nothing.
var errNoDocument = errors.New("eseal: nothing here")

// Caching of public documents: what never changes, and keys, which are published for longer than this before they sign.
const (
	forEver     = "public, max-age=31536000, immutable"
	fiveMinutes = "public, max-age=300"
)

func (a *API) publicRoutes(r *mux.Router) {
	for path, h := range map[string]http.HandlerFunc{
		sealvc.Path:           a.serveType,
		"/seals/{id}/picture": a.servePicture,
		"/.well-known/jwt-vc-issuer/seal-makers/{code}": a.serveKeys,
	} {
		r.HandleFunc(path, anyOrigin(h)).Methods(http.MethodGet, http.MethodHead, http.MethodOptions)
	}
}

// anyOrigin lets verifiers that live in a web page call us. No credentials of the browser are ever used here.
func anyOrigin(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Cross-Origin-Resource-Policy", "cross-origin")
		if r.Method == http.MethodOptions {
			h.Set("Access-Control-Allow-Methods", "GET, HEAD")
			h.Set("Access-Control-Max-Age", "86400")
			w.WriteHeader(http.StatusNoContent)
			return
		}
		next(w, r)
	}
}

func send(w http.ResponseWriter, r *http.Request, mediaType, cache string, body []byte) {
	sum := sha256.Sum256(body)
	tag := `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
	h := w.Header()
	h.Set("Cache-Control", cache)
	h.Set("ETag", tag)
	for part := range strings.SplitSeq(r.Header.Get("If-None-Match"), ",") {
		if part = strings.TrimPrefix(strings.TrimSpace(part), "W/"); part == tag || part == "*" {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	h.Set("Content-Type", mediaType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = w.Write(body)
}

// serveType serves the metadata of the type at the URL that vct names.
func (a *API) serveType(w http.ResponseWriter, r *http.Request) {
	send(w, r, "application/json", forEver, a.seals.Metadata())
}

// serveKeys serves JWT VC Issuer Metadata of a seal maker (SD-JWT VC section 4).
func (a *API) serveKeys(w http.ResponseWriter, r *http.Request) {
	issuer, keys, err := a.seals.MakerKeys(r.Context(), mux.Vars(r)["code"])
	if err != nil {
		a.absent(w, r, err)
		return
	}
	body, err := json.Marshal(map[string]any{"issuer": issuer, "jwks": map[string]any{"keys": keys}})
	if err != nil {
		a.problem(w, r, err)
		return
	}
	send(w, r, "application/json", fiveMinutes, body)
}

// servePicture serves the picture of a seal that was issued. Its hash is in the credential.
func (a *API) servePicture(w http.ResponseWriter, r *http.Request) {
	p, err := a.seals.Picture(r.Context(), pathID(r))
	if err != nil {
		a.absent(w, r, err)
		return
	}
	send(w, r, p.MediaType, forEver, p.Body)
}

// absent answers for a public address that names nothing.
func (a *API) absent(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, eseal.ErrNotFound) {
		err = errNoDocument
	}
	a.problem(w, r, err)
}
