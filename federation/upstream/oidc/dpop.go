package oidc

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/hufu-id/hufu/federation/upstream"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
)

// maxNonce bounds a nonce for DPoP proofs that a province makes.
const maxNonce = 1024

// nonce is the last nonce for DPoP proofs that one server of the province gave us (RFC 9449 section 8). Losing it costs one more
// request. Safe for concurrent use.
type nonce struct{ last atomic.Pointer[string] }

func (n *nonce) get() string {
	if p := n.last.Load(); p != nil {
		return *p
	}
	return ""
}

// take keeps the nonce that an answer brought, and returns it; "" when it brought none that can be used.
func (n *nonce) take(h http.Header) string {
	values := h.Values("DPoP-Nonce")
	if len(values) != 1 || !goodNonce(values[0]) {
		return ""
	}
	n.last.Store(&values[0])
	return values[0]
}

// goodNonce checks the syntax of RFC 9449 section 8.1: visible ASCII without quote and backslash.
func goodNonce(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] > '~' || s[i] == '"' || s[i] == '\\' {
			return false
		}
	}
	return s != "" && len(s) <= maxNonce
}

// wantsNonce says whether the request was refused only for want of the server's nonce: by an authorization server (section 8), or
// by a resource server (section 9), where the names of schemes are written in any case.
func wantsNonce(r *httpx.Response) bool {
	switch r.Status {
	case http.StatusBadRequest:
		var body struct {
			Error string `json:"error"`
		}
		return jose.DecodeStrict(r.Body, &body) == nil && body.Error == "use_dpop_nonce"
	case http.StatusUnauthorized:
		return strings.Contains(strings.Join(r.Header.Values("WWW-Authenticate"), ","), `"use_dpop_nonce"`)
	}
	return false
}

// proof makes the DPoP proof of one request (RFC 9449 section 4.2). The access token, if any, is bound in.
func (c *Connector) proof(key jose.SigningKey, method, address, nonce, accessToken string) (string, error) {
	public, err := key.Public()
	if err != nil {
		return "", err
	}
	htu, _, _ := strings.Cut(address, "?")
	claims := map[string]any{"jti": rand.Text(), "htm": method, "htu": htu, "iat": c.cfg.Now().Unix()}
	if nonce != "" {
		claims["nonce"] = nonce
	}
	if accessToken != "" {
		sum := sha256.Sum256([]byte(accessToken))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return jose.SignJSON(key, jose.Header{Typ: "dpop+jwt", JWK: &public}, claims)
}

// holder holds the key that one login's tokens are bound to. It lives as long as Finish runs, in memory: nobody needs the access token
// afterwards. Without a key tokens are bearer tokens, or bound to our certificate. The code is not bound to it: PKCE and our own
// authentication do that.
type holder struct{ key *jose.SigningKey }

func (c *Connector) newHolder() (holder, error) {
	if c.cfg.Binding != DPoP {
		return holder{}, nil
	}
	key, err := jose.GenerateKey(jose.ES256)
	return holder{&key}, err
}

// scheme is what a token's type and the scheme of its use are called.
func (h holder) scheme() string {
	if h.key != nil {
		return "DPoP"
	}
	return "Bearer"
}

// prove adds the proof to a request, when there is a key.
func (c *Connector) prove(h holder, req *http.Request, nonce, accessToken string) error {
	if h.key == nil {
		return nil
	}
	proof, err := c.proof(*h.key, req.Method, req.URL.String(), nonce, accessToken)
	req.Header.Set("DPoP", proof)
	return err
}

// withNonce sends the request that build makes with the nonce we know, and once more if the server wants another one in it. build
// is called for each try: proofs and client assertions are good for one.
func (c *Connector) withNonce(n *nonce, build func(nonce string) (*http.Request, error)) (*httpx.Response, error) {
	used := n.get()
	for second := false; ; second = true {
		req, err := build(used)
		if err != nil {
			return nil, err
		}
		resp, err := c.send(c.way(), req)
		if err != nil {
			return nil, err
		}
		fresh := n.take(resp.Header)
		if second || fresh == "" || fresh == used || !wantsNonce(resp) {
			return resp, nil
		}
		used = fresh
	}
}

// way is the way out for requests that say who we are.
func (c *Connector) way() HTTP {
	if c.cfg.Mutual() {
		return c.cfg.Certified
	}
	return c.cfg.HTTP
}

// post sends a form to the token or PAR endpoint, with proof of who we are.
func (c *Connector) post(ctx context.Context, address string, form url.Values, h holder) (*httpx.Response, error) {
	return c.withNonce(&c.serverNonce, func(nonce string) (*http.Request, error) {
		header, body := http.Header{}, maps.Clone(form)
		if err := c.authenticate(ctx, header, body); err != nil {
			return nil, err
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(body.Encode()))
		if err != nil {
			return nil, fmt.Errorf("%w: endpoint", upstream.ErrAnswer)
		}
		req.Header = header
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Accept", "application/json")
		return req, c.prove(h, req, nonce, "")
	})
}
