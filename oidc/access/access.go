// Package access checks the access tokens that requests to our own endpoints bring, with the proof of what a token is bound to.
//
// A bound token without its proof is worth nothing: whoever asks for a token to be checked gets the proof checked too, or no answer.
package access

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/hufu-id/hufu/oidc/binding"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/dpop"
	"github.com/hufu-id/hufu/oidc/grant"
	"github.com/hufu-id/hufu/oidc/oauth"
)

type presented struct{}

// Presenting keeps r in the context that handlers below next pass on, so that Check finds the proof. It goes around the router.
func Presenting(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") == "" { // a token in a body needs no proof: it can't be a bound one
			next.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), presented{}, r)))
	})
}

// Reader checks tokens. Safe for concurrent use.
type Reader struct {
	Grants    *grant.Verifier
	Clients   *client.Registry
	Bindings  binding.Checker
	ClaimOnce client.ClaimOnce
}

// Check validates a token for one audience: signature or seal, type, issuer, audience, time, living grant and client, and the proof in the
// request of ctx when the token is bound; with nonces, one of ours must be in it where the client's profile wants it. grant.ErrToken for a bad token, an *oauth.Error for a bad proof, else a fault.
func (d Reader) Check(ctx context.Context, token, audience string, nonces bool) (grant.AccessToken, error) {
	t, err := d.Grants.Validate(ctx, token, audience)
	if err != nil {
		return t, err
	}
	r, _ := ctx.Value(presented{}).(*http.Request)
	scheme := ""
	if r != nil {
		scheme, _, _ = strings.Cut(r.Header.Get("Authorization"), " ")
	}
	switch isDPoP := strings.EqualFold(scheme, "DPoP"); {
	case t.JKT == "" && isDPoP:
		return grant.AccessToken{}, bad("a token that is not bound came under the scheme DPoP")
	case t.JKT != "" && !isDPoP:
		// RFC 9449 section 7.1: a stolen bound token must not pass as a bearer token.
		return grant.AccessToken{}, bad("a bound token came without its proof")
	case t.JKT == "" && t.CertThumbprint == "":
		return t, nil
	case r == nil:
		return grant.AccessToken{}, bad("a bound token came without its certificate")
	}
	return d.proved(ctx, r, t, token, nonces)
}

// proved compares what the request shows with what the token is bound to.
func (d Reader) proved(ctx context.Context, r *http.Request, t grant.AccessToken, token string, nonces bool) (grant.AccessToken, error) {
	requireNonce := false
	if c, err := d.Clients.Get(ctx, t.ClientID); err == nil {
		requireNonce = nonces && c.Policy().DPoPNonce
	}
	if t.JKT != "" && len(r.Header.Values(dpop.Header)) == 0 {
		return grant.AccessToken{}, oauth.New(oauth.InvalidDPoPProof, "the token is bound to a key: send a DPoP proof")
	}
	shown, err := d.Bindings.With(r, r.URL.EscapedPath(), token, requireNonce)
	switch {
	case err != nil:
		return grant.AccessToken{}, err
	case t.JKT != "" && shown.JKT != t.JKT:
		return grant.AccessToken{}, bad("the proof is by another key than the token's")
	case t.CertThumbprint != "" && shown.CertThumbprint != t.CertThumbprint:
		return grant.AccessToken{}, bad("the certificate is not the token's")
	}
	return t, shown.UseUp(ctx, d.ClaimOnce)
}

func bad(text string) error { return fmt.Errorf("%w: %w", grant.ErrToken, errors.New(text)) }
