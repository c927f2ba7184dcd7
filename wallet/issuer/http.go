package issuer

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/wallet/issuer/catalog"
	"github.com/hufu-id/hufu/wallet/issuer/envelope"
	"github.com/hufu-id/hufu/wallet/issuer/format"
	"github.com/hufu-id/hufu/wallet/issuer/wire"
)

// Routes mounts everything that doc.go lists.
func (i *Issuer) Routes(r *mux.Router) {
	public := func(path, method string, h http.HandlerFunc) {
		r.HandleFunc(path, cors(h)).Methods(method)
		r.HandleFunc(path, preflight(method)).Methods(http.MethodOptions)
	}
	public("/.well-known/openid-credential-issuer/i/{code}", http.MethodGet, i.serveMetadata)
	public("/.well-known/jwt-vc-issuer/i/{code}", http.MethodGet, i.serveKeys)
	public("/i/{code}/offer/{id}", http.MethodGet, i.serveOffer)
	public("/i/{code}/nonce", http.MethodPost, i.serveNonce)
	public("/i/{code}/credential", http.MethodPost, i.serveCredential)
	public("/i/{code}/deferred_credential", http.MethodPost, i.serveDeferred)
	public("/i/{code}/notification", http.MethodPost, i.serveNotification)
	r.HandleFunc("/register/v1/offers", i.offers.ServeDepartment).Methods(http.MethodPost)
	r.HandleFunc("/register/v1/releases", i.releases.List).Methods(http.MethodGet)
	r.HandleFunc("/register/v1/releases", i.releases.Decide).Methods(http.MethodPost)
}

// cors lets wallets that live in a web page call us. No credentials of the browser are ever used here, so any origin may.
func cors(h http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Access-Control-Expose-Headers", "WWW-Authenticate, ETag, X-Trace-Id")
		h(w, r)
	}
}

func preflight(method string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		h := w.Header()
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Access-Control-Allow-Methods", method)
		h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type, If-None-Match")
		h.Set("Access-Control-Max-Age", "3600")
		w.WriteHeader(http.StatusNoContent)
	}
}

// authority finds the authority of the URL, or answers 404.
func (i *Issuer) authority(w http.ResponseWriter, r *http.Request) (*catalog.Entry, bool) {
	a, ok := i.authorities.Load().Entry(mux.Vars(r)["code"])
	if !ok {
		wire.WriteError(w, http.StatusNotFound, "not_found", "there is no such credential issuer")
	}
	return a, ok
}

// serveMetadata serves Credential Issuer Metadata: signed to who prefers that (section 12.2.3), else as JSON.
func (i *Issuer) serveMetadata(w http.ResponseWriter, r *http.Request) {
	a, ok := i.authority(w, r)
	if !ok {
		return
	}
	enc, err := i.encryption(r.Context())
	if err != nil {
		wire.Fault(i.cfg.Log, w, r, err)
		return
	}
	w.Header().Add("Vary", "Accept")
	if wire.Prefers(r.Header.Values("Accept"), wire.JWT, wire.JSON) {
		i.serveSigned(w, r, a, enc)
		return
	}
	doc, err := a.Metadata(enc)
	if err != nil {
		wire.Fault(i.cfg.Log, w, r, err)
		return
	}
	serveDocument(w, r, doc)
}

func (i *Issuer) serveSigned(w http.ResponseWriter, r *http.Request, a *catalog.Entry, enc catalog.Encryption) {
	s, err := i.cfg.Signers.Signer(r.Context(), a.Code, format.SDJWT)
	var token string
	if err == nil {
		token, err = jose.SignJSON(s.Key, jose.Header{Typ: metadataTyp, X5C: s.Chain}, a.SignedMetadata(enc, i.cfg.Now()))
	}
	if err != nil {
		wire.Fault(i.cfg.Log, w, r, err)
		return
	}
	w.Header().Set("Cache-Control", "public, max-age=300")
	w.Header().Set("Content-Type", wire.JWT)
	_, _ = io.WriteString(w, token)
}

// metadataTyp has no "4" in it (section 12.2.3).
const metadataTyp = "openidvci-issuer-metadata+jwt"

// encryption is what is offered now: keys rotate.
func (i *Issuer) encryption(ctx context.Context) (catalog.Encryption, error) {
	if i.cfg.Decrypter == nil {
		return catalog.Encryption{}, nil
	}
	d, err := i.cfg.Decrypter(ctx)
	if err != nil {
		return catalog.Encryption{}, err
	}
	return envelope.Offered(d), nil
}

// serveKeys serves JWT VC Issuer Metadata (SD-JWT VC section 4).
func (i *Issuer) serveKeys(w http.ResponseWriter, r *http.Request) {
	a, ok := i.authority(w, r)
	if !ok {
		return
	}
	keys, err := i.cfg.Signers.JWKS(r.Context(), a.Code)
	if err != nil {
		wire.Fault(i.cfg.Log, w, r, err)
		return
	}
	doc, err := catalog.NewDocument(map[string]any{"issuer": a.Identifier, "jwks": map[string]any{"keys": keys}})
	if err != nil {
		wire.Fault(i.cfg.Log, w, r, err)
		return
	}
	serveDocument(w, r, doc)
}

// serveDocument serves a document that caches may keep for five minutes: keys are published longer than that before they sign.
func serveDocument(w http.ResponseWriter, r *http.Request, d catalog.Document) {
	h := w.Header()
	h.Set("Cache-Control", "public, max-age=300")
	h.Set("ETag", d.ETag)
	if etagMatches(r.Header.Get("If-None-Match"), d.ETag) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", "application/json")
	h.Set("Content-Length", strconv.Itoa(len(d.Body)))
	_, _ = w.Write(d.Body)
}

func etagMatches(header, etag string) bool {
	for _, t := range strings.Split(header, ",") {
		if t = strings.TrimPrefix(strings.TrimSpace(t), "W/"); t == etag || t == "*" {
			return true
		}
	}
	return false
}

func (i *Issuer) serveNonce(w http.ResponseWriter, r *http.Request) {
	a, ok := i.authority(w, r)
	if !ok {
		return
	}
	nonce, err := i.desk.Nonce(a.Identifier)
	if err != nil {
		wire.Fault(i.cfg.Log, w, r, err)
		return
	}
	httpx.WriteJSON(w, http.StatusOK, map[string]string{"c_nonce": nonce})
}

func (i *Issuer) serveOffer(w http.ResponseWriter, r *http.Request) {
	if a, ok := i.authority(w, r); ok {
		i.offers.ServeOffer(w, r, a)
	}
}
