package issuer

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/wallet/issuer/catalog"
	"github.com/hufu-id/hufu/wallet/issuer/request"
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
	r.HandleFunc("/register/v1/offers", i.offers.ServeDepartment).Methods(http.MethodPost)
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

func (i *Issuer) serveMetadata(w http.ResponseWriter, r *http.Request) {
	if a, ok := i.authority(w, r); ok {
		serveDocument(w, r, a.Metadata)
	}
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

func (i *Issuer) serveCredential(w http.ResponseWriter, r *http.Request) {
	a, ok := i.authority(w, r)
	if !ok {
		return
	}
	bearer, err := bearerToken(r)
	if err != nil {
		writeUnauthorized(w, err)
		return
	}
	token, err := i.cfg.Tokens.Validate(r.Context(), bearer, a.Identifier)
	if errors.Is(err, ErrInvalidToken) {
		writeUnauthorized(w, ErrInvalidToken)
		return
	}
	if err != nil {
		wire.Fault(i.cfg.Log, w, r, err)
		return
	}
	body, _, ok := wire.ReadBody(w, r, request.MaxBytes, "invalid_credential_request", wire.JSON)
	if !ok {
		return
	}
	req, err := request.Parse(body)
	var credential string
	if err == nil {
		credential, err = i.desk.Issue(r.Context(), a, token, req)
	}
	if err != nil {
		i.refuse(w, r, a, token, err)
		return
	}
	httpx.WriteJSON(w, http.StatusOK, map[string]any{"credentials": []any{map[string]string{"credential": credential}}})
}

var errNoToken = errors.New("issuer: no access token")

// bearerToken takes the access token from the Authorization header, and from nowhere else: one in the query ends in logs and
// histories, so it is refused even when the header has one too.
func bearerToken(r *http.Request) (string, error) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil || q.Has("access_token") {
		return "", ErrInvalidToken
	}
	if len(r.Header.Values("Authorization")) == 0 {
		return "", errNoToken
	}
	token, ok := httpx.AccessToken(r)
	if !ok || len(token) > 8<<10 {
		return "", ErrInvalidToken
	}
	return token, nil
}

// writeUnauthorized answers as RFC 6750 section 3: without an error when the request tried nothing.
func writeUnauthorized(w http.ResponseWriter, err error) {
	challenge := `Bearer realm="credential"`
	code, description := "invalid_token", "send the access token in the Authorization header as Bearer"
	if !errors.Is(err, errNoToken) {
		description = "the access token is not valid here: unknown, expired, for another issuer, or not sent as Bearer in the header"
		challenge += `, error="invalid_token", error_description="` + description + `"`
	}
	w.Header().Set("WWW-Authenticate", challenge)
	wire.WriteError(w, http.StatusUnauthorized, code, description)
}
