package oidc

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/oidc/claim"
	"github.com/hufu-id/hufu/oidc/dpop"
	"github.com/hufu-id/hufu/oidc/oauth"
	"github.com/hufu-id/hufu/oidc/trail"
)

// userinfo tells what was agreed, no more (OpenID Connect Core 5.3). A token comes in the header, or in the body of a POST; never in the query,
// which ends up in logs.
func (p *Provider) userinfo(w http.ResponseWriter, r *http.Request) {
	bearer, err := bearerOf(r)
	if err != nil {
		p.bearerError(w, r, err)
		return
	}
	p.bindings.Hand(w)
	t, err := p.access.Check(r.Context(), bearer, p.cfg.Issuer, true)
	if errors.Is(err, ErrInvalidToken) {
		err = oauth.Because(oauth.InvalidToken, "the access token is invalid, expired or revoked", err)
	}
	if err == nil && (t.PersonID == "" || !slices.Contains(t.Scopes, claim.OpenID)) {
		err = oauth.New(oauth.InsufficientScope, "the token was not issued for openid")
	}
	if err != nil {
		p.bearerError(w, r, err)
		return
	}
	person, err := p.cfg.Persons.Claims(r.Context(), t.PersonID)
	if errors.Is(err, ErrNoPerson) {
		err = oauth.Because(oauth.InvalidToken, "the access token is invalid, expired or revoked", err)
	}
	if err != nil {
		p.bearerError(w, r, err)
		return
	}
	values := map[string]any{"sub": t.Subject}
	for name, value := range person.Values(t.Claims) {
		values[name] = value
	}
	c, err := p.clients.Get(r.Context(), t.ClientID)
	if err != nil {
		p.bearerError(w, r, err)
		return
	}
	token, err := p.answers.Userinfo(r.Context(), c, values)
	if err != nil {
		p.bearerError(w, r, err)
		return
	}
	trail.OK(r.Context(), trail.Userinfo)
	if token != "" {
		w.Header().Set("Content-Type", "application/jwt")
		_, _ = io.WriteString(w, token)
		return
	}
	httpx.WriteJSON(w, http.StatusOK, values)
}

// errNoToken: nothing was sent. RFC 6750 3.1 answers without an error code.
var errNoToken = errors.New("no access token")

// bearerOf finds the one token of a request (RFC 6750 section 2).
func bearerOf(r *http.Request) (string, error) {
	if _, inQuery := r.URL.Query()["access_token"]; inQuery {
		return "", oauth.New(oauth.InvalidRequest, "send the token in the Authorization header")
	}
	header := r.Header.Values("Authorization")
	var form url.Values
	if r.Method == http.MethodPost && r.Header.Get("Content-Type") != "" {
		var err error
		if form, err = httpx.Form(r); err != nil && !errors.Is(err, httpx.ErrContentType) {
			return "", oauth.FromForm(err)
		}
	}
	switch {
	case len(header) > 1 || len(header) == 1 && form.Has("access_token"):
		return "", oauth.New(oauth.InvalidRequest, "send the token once")
	case len(header) == 1:
		token, ok := httpx.AccessToken(r)
		if !ok {
			return "", errNoToken
		}
		return token, nil
	case form.Has("access_token"):
		return form.Get("access_token"), nil
	}
	return "", errNoToken
}

// bearerError writes WWW-Authenticate as RFC 6750 section 3 and RFC 9449 section 7.1 have it: a challenge for each scheme, the error in the one
// that the request used.
func (p *Provider) bearerError(w http.ResponseWriter, r *http.Request, err error) {
	bearer, proof := `Bearer realm="hufu"`, `DPoP realm="hufu", algs="`+algs()+`"`
	if errors.Is(err, errNoToken) {
		w.Header()["Www-Authenticate"] = []string{bearer, proof}
		httpx.WriteJSON(w, http.StatusUnauthorized, struct{}{})
		return
	}
	var e *oauth.Error
	if errors.As(err, &e) {
		status := map[oauth.Code]int{oauth.InvalidToken: http.StatusUnauthorized, oauth.InvalidDPoPProof: http.StatusUnauthorized,
			oauth.UseDPoPNonce: http.StatusUnauthorized, oauth.InsufficientScope: http.StatusForbidden}[e.Code]
		if status != 0 {
			e.Status = status
		}
		detail := `, error="` + string(e.Code) + `", error_description="` + e.Description + `"`
		if scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " "); strings.EqualFold(scheme, "DPoP") {
			proof += detail
		} else {
			bearer += detail
		}
		w.Header()["Www-Authenticate"] = []string{bearer, proof}
	}
	oauth.Write(w, r, p.cfg.Log, err)
}

// algs are the algorithms of DPoP proofs, as a challenge lists them.
func algs() string {
	var out []string
	for _, a := range dpop.Algs() {
		out = append(out, string(a))
	}
	return strings.Join(out, " ")
}
