// Package deptclient is what the commands of departments share: the key file, the client of our own APIs, flags, exit codes and texts.
package deptclient

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
)

// Key is the file by which a department's system proves who it is.
type Key struct {
	ClientID string `json:"client_id"`
	// Key is the private JWK of the client.
	Key json.RawMessage `json:"key"`
	// Department is the credit code, Name for people; both are only shown.
	Department string `json:"department"`
	Name       string `json:"name"`

	signing jose.SigningKey
}

// ReadKey reads a key file.
func ReadKey(path string) (Key, error) {
	var k Key
	b, err := os.ReadFile(path)
	if err != nil {
		return k, fmt.Errorf("the key file can't be read: %w", err)
	}
	if err := jose.DecodeStrict(b, &k); err != nil || k.ClientID == "" {
		return k, fmt.Errorf(`%s is not a department's key file: it needs "client_id" and "key"`, path)
	}
	if k.signing, err = jose.ParsePrivateJWK(k.Key); err != nil {
		return k, fmt.Errorf("%s holds no usable private key: %w", path, err)
	}
	return k, nil
}

// Client talks to an API of a national server, as a department or a person.
type Client struct {
	key    Key
	issuer string
	http   *http.Client
	scope  string
	token  string
}

// Organisation is the credit code that the key file names.
func (c *Client) Organisation() string { return c.key.Department }

// maxAnswer bounds what we read of an answer.
const maxAnswer = 32 << 20

// New returns a client for the API that a scope opens.
func New(key Key, serverURL, scope string) (*Client, error) {
	u, err := url.Parse(strings.TrimSuffix(serverURL, "/"))
	if err != nil || u.Host == "" || u.Path != "" || u.RawQuery != "" || u.User != nil {
		return nil, errors.New("--url must be an origin such as https://id.example or http://localhost:8080")
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())) {
		return nil, errors.New("--url must use https; only a server on this machine may be reached by http")
	}
	return &Client{key: key, issuer: u.String(), scope: scope, http: &http.Client{Timeout: time.Minute,
		// A redirect could carry the token to somebody else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}, nil
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Refusal is the no of a server, with its reason.
type Refusal struct {
	Status  int    `json:"status"`
	Code    string `json:"code"`
	Title   string `json:"title"`
	Detail  string `json:"detail,omitempty"`
	TraceID string `json:"trace_id,omitempty"`
}

func (e *Refusal) Error() string {
	text := e.Title
	if e.Detail != "" {
		text += ": " + e.Detail
	}
	if e.TraceID != "" {
		text += " (trace " + e.TraceID + ")"
	}
	return Clean(fmt.Sprintf("the server refused [%d %s]: %s", e.Status, e.Code, text))
}

// parseRefusal reads a problem detail (RFC 9457) or an error of OAuth.
func parseRefusal(status int, body []byte, trace string) *Refusal {
	var m struct {
		Code, Title, Detail, Error string
		TraceID                    string `json:"trace_id"`
		Description                string `json:"error_description"`
	}
	_ = json.Unmarshal(body, &m) // what isn't JSON leaves the status to speak
	e := &Refusal{Status: status, Code: m.Code, Title: m.Title, Detail: m.Detail, TraceID: m.TraceID}
	if e.Code == "" {
		e.Code, e.Title = m.Error, m.Description
	}
	if e.Title == "" {
		e.Title = http.StatusText(status)
	}
	if e.TraceID == "" {
		e.TraceID = trace
	}
	return e
}

// authorize gets an access token by client_credentials with private_key_jwt (RFC 7523), at the token endpoint that discovery names.
func (c *Client) authorize(ctx context.Context) error {
	c.token = "" // an old one has no place in a request for a new one
	var meta struct {
		Issuer        string `json:"issuer"`
		TokenEndpoint string `json:"token_endpoint"`
	}
	if err := c.do(ctx, http.MethodGet, c.issuer+"/.well-known/oauth-authorization-server", "", nil, &meta); err != nil {
		return fmt.Errorf("asking %s for its metadata: %w", c.issuer, err)
	}
	if meta.Issuer != c.issuer {
		// Or a server that we were led to could have us sign an assertion for another one.
		return fmt.Errorf("the server at %s says that it is %q", c.issuer, meta.Issuer)
	}
	endpoint, err := url.Parse(meta.TokenEndpoint)
	if err != nil || endpoint.Scheme+"://"+endpoint.Host != c.issuer {
		return fmt.Errorf("the token endpoint %q is not at %s", meta.TokenEndpoint, c.issuer)
	}
	var id [16]byte
	_, _ = rand.Read(id[:])
	now := time.Now()
	assertion, err := jose.SignJSON(c.key.signing, jose.Header{Typ: "JWT"}, map[string]any{"iss": c.key.ClientID, "sub": c.key.ClientID,
		"aud": c.issuer, "jti": hex.EncodeToString(id[:]), "iat": now.Unix(), "exp": now.Add(time.Minute).Unix()})
	if err != nil {
		return fmt.Errorf("signing the client assertion: %w", err)
	}
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {c.scope}, "client_assertion": {assertion},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}}
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := c.do(ctx, http.MethodPost, meta.TokenEndpoint, "application/x-www-form-urlencoded", []byte(form.Encode()), &answer); err != nil {
		return fmt.Errorf("getting an access token as %s: %w", c.key.ClientID, err)
	}
	if answer.AccessToken == "" {
		return errors.New("the token endpoint gave no access token")
	}
	c.token = answer.AccessToken
	return nil
}

// Call sends a request to the API; the answer is decoded into out.
func (c *Client) Call(ctx context.Context, method, path, contentType string, body []byte, out any) error {
	if c.token == "" {
		if err := c.authorize(ctx); err != nil {
			return err
		}
	}
	err := c.do(ctx, method, c.issuer+path, contentType, body, out)
	var refused *Refusal
	if errors.As(err, &refused) && refused.Status == http.StatusUnauthorized {
		// A long import outlives its token.
		if err := c.authorize(ctx); err != nil {
			return err
		}
		err = c.do(ctx, method, c.issuer+path, contentType, body, out)
	}
	return err
}

func (c *Client) do(ctx context.Context, method, target, contentType string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, target, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "application/json, application/problem+json")
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return fmt.Errorf("the server can't be reached: %w", err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("the answer broke off: %w", err)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return parseRefusal(resp.StatusCode, answer, resp.Header.Get("X-Trace-Id"))
	}
	if err := json.Unmarshal(answer, out); err != nil {
		return fmt.Errorf("the server's answer can't be read: %w", err)
	}
	return nil
}
