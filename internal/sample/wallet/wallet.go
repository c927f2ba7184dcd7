// Package wallet is a small software wallet for hufu demo and for tests. IT IS FOR TESTING ONLY: its keys live in memory and, if
// asked, in a plain file; nothing protects them. A wallet for people keeps keys in hardware.
//
// It knows the issuer only by OpenID4VCI 1.0: it reads metadata, takes an offer by Pre-Authorized Code and Transaction Code or logs
// its person in by authorization code with PKCE, proves a key, checks what it gets, and shows it with selective disclosure
// and key binding (RFC 9901).
package wallet

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
)

// Options say what a Wallet is. The zero value is an anonymous wallet that can take offers by Pre-Authorized Code.
type Options struct {
	// HTTP does the requests; a client with a timeout of 10 s when nil. Redirects are never followed.
	HTTP *http.Client
	// Safe does the requests instead of HTTP, when set.
	Safe *httpx.Client
	// ClientID and RedirectURI are those of a public client at the authorization server, for the authorization code flow.
	ClientID, RedirectURI string
	// Alg is the algorithm of the keys: ES256 when empty, or EdDSA.
	Alg jose.Alg
	// Now is time.Now when nil.
	Now func() time.Time
}

// Wallet is the wallet of one person. It is safe for concurrent use.
type Wallet struct {
	send                  func(*http.Request) (*httpx.Response, error)
	clientID, redirectURI string
	alg                   jose.Alg
	now                   func() time.Time

	mu          sync.Mutex
	credentials []Credential
}

// New returns an empty wallet.
func New(o Options) *Wallet {
	w := &Wallet{clientID: o.ClientID, redirectURI: o.RedirectURI, alg: o.Alg, now: o.Now}
	if w.send = plain(o.HTTP); o.Safe != nil {
		w.send = o.Safe.Do
	}
	if w.alg == "" {
		w.alg = jose.ES256
	}
	if w.now == nil {
		w.now = time.Now
	}
	return w
}

// Credentials returns what the wallet holds, the oldest first.
func (w *Wallet) Credentials() []Credential {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]Credential(nil), w.credentials...)
}

func (w *Wallet) keep(c Credential) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.credentials = append(w.credentials, c)
}

// ErrorResponse is a protocol error that a server answered.
type ErrorResponse struct {
	Status      int    `json:"-"`
	Code        string `json:"error"`
	Description string `json:"error_description"`
}

func (e *ErrorResponse) Error() string {
	return fmt.Sprintf("wallet: the server answered %d %s: %s", e.Status, e.Code, e.Description)
}

// ErrIssuer says that an issuer's metadata or credential is not what it must be.
var ErrIssuer = errors.New("wallet: the issuer's answer was refused")

const maxAnswer = 1 << 20

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

// do sends a request and decodes the JSON answer.
func (w *Wallet) do(req *http.Request, into any) error {
	req.Header.Set("Accept", "application/json")
	resp, err := w.send(req)
	if err != nil {
		return fmt.Errorf("wallet: %w", err)
	}
	if resp.Status/100 != 2 {
		e := &ErrorResponse{Status: resp.Status}
		if json.Unmarshal(resp.Body, e) != nil || e.Code == "" {
			e.Code = "unknown"
		}
		return e
	}
	if err := jose.DecodeStrict(resp.Body, into); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrIssuer, req.URL.Path, err)
	}
	return nil
}

func (w *Wallet) get(ctx context.Context, address string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("wallet: %w", err)
	}
	return w.do(req, into)
}

func (w *Wallet) postForm(ctx context.Context, address string, form url.Values, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return fmt.Errorf("wallet: %w", err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return w.do(req, into)
}

func (w *Wallet) postJSON(ctx context.Context, address, bearer string, body, into any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("wallet: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(b))
	if err != nil {
		return fmt.Errorf("wallet: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if bearer != "" {
		req.Header.Set("Authorization", "Bearer "+bearer)
	}
	return w.do(req, into)
}
