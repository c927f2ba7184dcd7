package httpx

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
)

// Errors of the cross-site check.
var (
	// ErrCrossSite says that another site's page sent the request.
	ErrCrossSite = errors.New("the request came from another site")
	// ErrNoOrigin says that the request doesn't tell where it came from, as plain HTTP clients do: a form token decides then.
	ErrNoOrigin = errors.New("the request does not say where it came from")
)

// SameOrigin says whether a state-changing request came from a page of origin. Browsers set Sec-Fetch-Site themselves; older ones send
// Origin. "Origin: null" (a sandboxed frame, a redirect) is another site.
func SameOrigin(r *http.Request, origin string) error {
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin":
		return nil
	case "":
	case "none": // typed into the address bar: no form does that
		return ErrCrossSite
	default:
		return ErrCrossSite
	}
	switch r.Header.Get("Origin") {
	case origin:
		return nil
	case "":
		return ErrNoOrigin
	}
	return ErrCrossSite
}

// FormToken returns the hidden field that ties a form to a value which only this browser holds, such as a session id.
func FormToken(key []byte, bound string) string {
	m := hmac.New(sha256.New, key)
	m.Write([]byte("hufu form token\x00" + bound))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil))
}

// CheckForm decides whether a POST may change state: it is of our own origin, or it says nothing about its origin and carries
// the token of FormToken(key, bound). A request that says it comes from elsewhere is refused even with the token.
func CheckForm(r *http.Request, origin string, key []byte, bound, token string) error {
	err := SameOrigin(r, origin)
	if !errors.Is(err, ErrNoOrigin) {
		return err
	}
	if bound == "" || !hmac.Equal([]byte(token), []byte(FormToken(key, bound))) {
		return ErrNoOrigin
	}
	return nil
}
