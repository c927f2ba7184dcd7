// Package binding finds out which key or certificate a request shows, so that what is issued can be bound to it and what is bound can be used
// (RFC 9449, RFC 8705).
package binding

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/dpop"
	"github.com/hufu-id/hufu/oidc/oauth"
)

// Binding is what a request showed. The zero Binding showed nothing.
type Binding struct {
	// JKT is the thumbprint of the DPoP key, CertThumbprint the SHA-256 of the client certificate; both base64url.
	JKT, CertThumbprint string
	proof               string // id to use up
	expires             time.Time
}

// UseUp uses up the DPoP proof, in the transaction of ctx. Nothing to do without one.
func (b Binding) UseUp(ctx context.Context, once client.ClaimOnce) error {
	if b.proof == "" {
		return nil
	}
	err := once(ctx, dpop.Kind, b.proof, b.expires)
	if errors.Is(err, client.ErrReplayed) {
		return oauth.Because(oauth.InvalidDPoPProof, "the DPoP proof was used before", err)
	}
	return err
}

// Once is what UseUp uses up, for whoever takes the proof for something else as well.
func (b Binding) Once() (id string, expires time.Time) { return b.proof, b.expires }

// Checker reads what requests show. Safe for concurrent use.
type Checker struct {
	// Origins are the addresses under which the same endpoints are reached: the issuer, and that of the TLS listener for clients with
	// certificates. A proof may name either.
	Origins []string
	Nonces  *dpop.Nonces
	Now     func() time.Time
}

// At finds what a request to a path of ours shows, without a token. The error is an *oauth.Error.
func (k Checker) At(r *http.Request, path string, requireNonce bool) (Binding, error) {
	return k.check(r, path, "", requireNonce)
}

// With is At for a request that carries an access token: a proof must be for that token.
func (k Checker) With(r *http.Request, path, token string, requireNonce bool) (Binding, error) {
	return k.check(r, path, token, requireNonce)
}

func (k Checker) check(r *http.Request, path, token string, requireNonce bool) (Binding, error) {
	var b Binding
	if chain := httpx.ClientCertificates(r); len(chain) > 0 {
		b.CertThumbprint = client.Thumbprint(chain[0])
	}
	headers := r.Header.Values(dpop.Header)
	if len(headers) == 0 {
		return b, nil
	}
	proof, err := k.verify(r, headers, path, token, requireNonce)
	switch {
	case errors.Is(err, dpop.ErrUseNonce):
		return b, oauth.Because(oauth.UseDPoPNonce, "send the proof again with the nonce of this answer", err)
	case err != nil:
		return b, oauth.Because(oauth.InvalidDPoPProof, "the DPoP proof is not valid for this request", err)
	}
	sum := sha256.Sum256([]byte(proof.ReplayID()))
	b.JKT, b.proof, b.expires = proof.Thumbprint(), base64.RawURLEncoding.EncodeToString(sum[:]), proof.Expires()
	return b, nil
}

// verify tries the addresses of the endpoint: which one a client used is not ours to guess from a Host header (G07).
func (k Checker) verify(r *http.Request, headers []string, path, token string, requireNonce bool) (proof dpop.Proof, err error) {
	for _, origin := range k.Origins {
		proof, err = dpop.Verify(headers, dpop.Expect{Method: r.Method, URL: strings.TrimSuffix(origin, "/") + path, AccessToken: token, At: k.Now(),
			Nonces: k.Nonces, RequireNonce: requireNonce})
		if err == nil || errors.Is(err, dpop.ErrUseNonce) {
			return proof, err
		}
	}
	return proof, err
}

// Hand gives the browser-less caller the nonce for its next proof (RFC 9449 section 8.2).
func (k Checker) Hand(w http.ResponseWriter) {
	if k.Nonces != nil {
		w.Header().Set(dpop.NonceHeader, k.Nonces.Current(k.Now()))
	}
}
