package sealapi

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/internal/httpx"
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
		"/seals/{id}":         a.serveSeal,
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

// PublicView is what everybody may know of a seal.
type PublicView struct {
	ID            string          `json:"id"`
	Kind          string          `json:"kind"`
	Name          string          `json:"name"`
	Owner         eseal.OwnerView `json:"owner"`
	Maker         eseal.OwnerView `json:"maker"`
	DocumentKinds []string        `json:"document_kinds"`
	ValidFrom     string          `json:"valid_from"`
	ValidTo       string          `json:"valid_to"`
	State         eseal.State     `json:"state"`
	States        []StateView     `json:"states"`
	Picture       string          `json:"picture,omitempty"`
}

// StateView is one state of a seal.
type StateView struct {
	State       eseal.State `json:"state"`
	EffectiveAt time.Time   `json:"effective_at"`
	RecordedAt  time.Time   `json:"recorded_at"`
}

// serveSeal tells a stranger of a seal: a page to a browser, JSON to a program. It says nothing about any document.
func (a *API) serveSeal(w http.ResponseWriter, r *http.Request) {
	x, err := a.seals.Public(r.Context(), pathID(r))
	page := strings.Contains(r.Header.Get("Accept"), "text/html") && a.page != nil
	w.Header().Set("Vary", "Accept")
	switch {
	case page && (err == nil || errors.Is(err, eseal.ErrNotFound)):
		a.page(w, r, x, err == nil)
		return
	case err != nil:
		a.absent(w, r, err)
		return
	}
	v := PublicView{ID: x.ID, Kind: x.Kind, Name: x.Name, Owner: eseal.OwnerView{Code: x.Owner, Name: x.OwnerName}, Maker: eseal.OwnerView{Code: x.Maker, Name: x.MakerName.ZH},
		DocumentKinds: x.DocumentKinds, ValidFrom: x.ValidFrom, ValidTo: x.ValidTo, State: x.State}
	for _, c := range x.History {
		v.States = append(v.States, StateView{State: c.To, EffectiveAt: c.EffectiveAt.UTC(), RecordedAt: c.RecordedAt.UTC()})
	}
	if x.Picture {
		v.Picture = "/seals/" + x.ID + "/picture"
	}
	httpx.WriteJSON(w, http.StatusOK, v)
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
