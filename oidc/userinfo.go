package oidc

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/oidc/claim"
	"github.com/hufu-id/hufu/oidc/oauth"
)

// userinfo tells what was agreed, no more (OpenID Connect Core 5.3). A token comes in the header, or in the body of a POST; never in the query,
// which ends up in logs.
func (p *Provider) userinfo(w http.ResponseWriter, r *http.Request) {
	bearer, err := bearerOf(r)
	if err != nil {
		p.bearerError(w, r, err)
		return
	}
	t, err := p.grants.Validate(r.Context(), bearer, p.cfg.Issuer)
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
	answer := person.Values(t.Claims)
	answer["sub"] = t.Subject
	httpx.WriteJSON(w, http.StatusOK, answer)
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
		scheme, token, _ := strings.Cut(header[0], " ")
		if !strings.EqualFold(scheme, "Bearer") || token == "" {
			return "", errNoToken
		}
		return strings.TrimSpace(token), nil
	case form.Has("access_token"):
		return form.Get("access_token"), nil
	}
	return "", errNoToken
}

// bearerError writes WWW-Authenticate as RFC 6750 section 3 has it.
func (p *Provider) bearerError(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, errNoToken) {
		w.Header().Set("WWW-Authenticate", `Bearer realm="hufu"`)
		httpx.WriteJSON(w, http.StatusUnauthorized, struct{}{})
		return
	}
	var e *oauth.Error
	if errors.As(err, &e) {
		status := map[oauth.Code]int{oauth.InvalidToken: http.StatusUnauthorized, oauth.InsufficientScope: http.StatusForbidden}[e.Code]
		if status != 0 {
			e.Status = status
		}
		w.Header().Set("WWW-Authenticate", `Bearer realm="hufu", error="`+string(e.Code)+`", error_description="`+e.Description+`"`)
	}
	oauth.Write(w, r, p.cfg.Log, err)
}
