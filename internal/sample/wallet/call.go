package wallet

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
)

const maxAnswer = 4 << 20

// plain sends by an ordinary client, without following redirects.
func plain(given *http.Client) func(*http.Request) (*httpx.Response, error) {
	c := http.Client{Timeout: 10 * time.Second}
	if given != nil {
		c = *given
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return func(req *http.Request) (*httpx.Response, error) {
		resp, err := c.Do(req)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
		return &httpx.Response{Status: resp.StatusCode, Header: resp.Header, Body: body}, err
	}
}

// call is one request, which may have to be sent twice: a server may want a nonce of its own in the proof.
type call struct {
	address, contentType string
	body                 []byte // nil is GET
	accept               string
	token                Token
	// dpop, when set, proves this key (RFC 9449).
	dpop *jose.SigningKey
	// server, when set, is the authorization server to which the wallet shows its attestation.
	server *AuthServer
}

const (
	attestationHeader    = "OAuth-Client-Attestation"
	attestationPoPHeader = "OAuth-Client-Attestation-PoP"
	challengeHeader      = "OAuth-Client-Attestation-Challenge"
)

// do sends a call, once more with what the server asked for, and returns the answer; anything but 2xx is an *ErrorResponse.
func (w *Wallet) do(ctx context.Context, c call) (*httpx.Response, error) {
	for again := true; ; again = false {
		req, err := w.request(ctx, c)
		if err != nil {
			return nil, err
		}
		resp, err := w.send(req)
		if err != nil {
			return nil, fmt.Errorf("wallet: %w", err)
		}
		w.remember(c, resp)
		if resp.Status/100 == 2 {
			return resp, nil
		}
		e := readError(resp)
		if again && (e.Code == "use_dpop_nonce" && c.dpop != nil || e.Code == "use_attestation_challenge" && c.server != nil) {
			continue
		}
		return nil, e
	}
}

func (w *Wallet) request(ctx context.Context, c call) (*http.Request, error) {
	method, body := http.MethodGet, io.Reader(nil)
	if c.body != nil {
		method, body = http.MethodPost, bytes.NewReader(c.body)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.address, body)
	if err != nil {
		return nil, fmt.Errorf("wallet: %w", err)
	}
	if c.accept == "" {
		c.accept = "application/json"
	}
	req.Header.Set("Accept", c.accept)
	if c.contentType != "" {
		req.Header.Set("Content-Type", c.contentType)
	}
	if c.token.AccessToken != "" {
		scheme := "Bearer"
		if c.dpop != nil {
			scheme = "DPoP"
		}
		req.Header.Set("Authorization", scheme+" "+c.token.AccessToken)
	}
	if c.dpop != nil {
		proof, err := w.dpopProof(*c.dpop, method, c.address, c.token.AccessToken)
		if err != nil {
			return nil, err
		}
		req.Header.Set("DPoP", proof)
	}
	return req, w.attest(ctx, req, c.server)
}

// remember keeps the nonces that a server gave for the next request.
func (w *Wallet) remember(c call, resp *httpx.Response) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := resp.Header.Get("DPoP-Nonce"); n != "" {
		w.nonces[origin(c.address)] = n
	}
	if n := resp.Header.Get(challengeHeader); n != "" && c.server != nil {
		w.challenges[c.server.Issuer] = n
	}
}

func origin(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// dpopProof makes a proof for one request (RFC 9449 section 4.2).
func (w *Wallet) dpopProof(key jose.SigningKey, method, address, token string) (string, error) {
	pub, err := bare(key)
	if err != nil {
		return "", err
	}
	target, _, _ := strings.Cut(address, "?")
	claims := map[string]any{"jti": rand.Text(), "htm": method, "htu": target, "iat": w.now().Unix()}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	w.mu.Lock()
	if n := w.nonces[origin(address)]; n != "" {
		claims["nonce"] = n
	}
	w.mu.Unlock()
	return jose.SignJSON(key, jose.Header{Typ: "dpop+jwt", JWK: &pub}, claims)
}

// attest adds the wallet attestation and its proof. The instance key is one per authorization server, so that two servers can't compare it.
func (w *Wallet) attest(ctx context.Context, req *http.Request, s *AuthServer) error {
	if s == nil || w.attester == nil {
		return nil
	}
	key, err := w.instance(s.Issuer)
	if err != nil {
		return err
	}
	pub, err := bare(key)
	if err != nil {
		return err
	}
	attestation, err := w.attester.Wallet(pub)
	if err != nil {
		return err
	}
	challenge, err := w.challenge(ctx, *s)
	if err != nil {
		return err
	}
	proof, err := w.attester.Proof(key, s.Issuer, challenge)
	if err != nil {
		return err
	}
	req.Header.Set(attestationHeader, attestation)
	req.Header.Set(attestationPoPHeader, proof)
	return nil
}

func (w *Wallet) instance(server string) (jose.SigningKey, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if key, ok := w.instances[server]; ok {
		return key, nil
	}
	key, err := jose.GenerateKey(jose.ES256)
	if err == nil {
		w.instances[server] = key
	}
	return key, err
}

// challenge is the newest one of a server, asked for when the server has an endpoint for them; each is used once.
func (w *Wallet) challenge(ctx context.Context, s AuthServer) (string, error) {
	w.mu.Lock()
	known := w.challenges[s.Issuer]
	delete(w.challenges, s.Issuer)
	w.mu.Unlock()
	if known != "" || s.Challenge == "" {
		return known, nil
	}
	var answer struct {
		Challenge string `json:"attestation_challenge"`
	}
	err := w.json(ctx, call{address: s.Challenge, body: []byte{}}, &answer)
	return answer.Challenge, err
}

// readError reads an error of OAuth, from the body or from WWW-Authenticate.
func readError(resp *httpx.Response) *ErrorResponse {
	e := &ErrorResponse{Status: resp.Status}
	if json.Unmarshal(resp.Body, e) != nil || e.Code == "" {
		e.Code = "unknown"
		if _, rest, ok := strings.Cut(resp.Header.Get("WWW-Authenticate"), `error="`); ok {
			e.Code, _, _ = strings.Cut(rest, `"`)
		}
	}
	return e
}

// json sends a call and decodes the JSON answer.
func (w *Wallet) json(ctx context.Context, c call, into any) error {
	resp, err := w.do(ctx, c)
	if err != nil {
		return err
	}
	if err := jose.DecodeStrict(resp.Body, into); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrIssuer, origin(c.address), err)
	}
	return nil
}

func (w *Wallet) get(ctx context.Context, address string, into any) error {
	return w.json(ctx, call{address: address}, into)
}

// postForm sends a form to an authorization server, as the client that the wallet is there.
func (w *Wallet) postForm(ctx context.Context, s AuthServer, address string, form url.Values, dpop *jose.SigningKey, into any) error {
	return w.json(ctx, call{address: address, contentType: "application/x-www-form-urlencoded", body: []byte(form.Encode()), dpop: dpop, server: &s}, into)
}
