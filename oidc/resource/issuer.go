package resource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
)

// Times of what the issuer publishes.
const (
	freshFor   = 5 * time.Minute // then it is fetched again
	usableFor  = time.Hour       // as long as the issuer doesn't answer
	retryAfter = time.Minute     // between two fetches, however many tokens name unknown keys
	fetchTime  = 5 * time.Second
	maxAnswer  = 64 << 10
)

// errIssuer: the issuer doesn't answer, or not as it should.
var errIssuer = errors.New("resource: the issuer's answer can't be had")

// errURL: an address that isn't https.
var errURL = errors.New("resource: not a URL of https")

// published is what the issuer publishes, as of one moment.
type published struct {
	at                    time.Time
	keys                  []jose.JWK
	introspectionEndpoint string
}

// issuer knows the issuer's metadata and keys (RFC 8414, RFC 7517). Requests read it without waiting; one at a time fetches.
type issuer struct {
	id      string
	client  *http.Client
	now     func() time.Time
	current atomic.Pointer[published]

	turn  chan struct{} // whoever holds it may fetch and touch tried
	tried time.Time     // when the last fetch ended
}

func newIssuer(cfg Config) (*issuer, error) {
	if err := checkURL(cfg.Issuer); err != nil || strings.ContainsAny(cfg.Issuer, "?#") {
		return nil, fmt.Errorf("resource: the issuer %q is not a URL of https", cfg.Issuer)
	}
	client := http.Client{Timeout: fetchTime}
	if cfg.HTTP != nil {
		client = *cfg.HTTP
	}
	if client.Timeout == 0 || client.Timeout > fetchTime {
		client.Timeout = fetchTime
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse } // to wherever it leads
	return &issuer{id: cfg.Issuer, client: &client, now: cfg.Now, turn: make(chan struct{}, 1)}, nil
}

// checkURL wants https: keys that came in the clear prove nothing. On one machine http will do.
func checkURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.Opaque != "" {
		return errURL
	}
	ip := net.ParseIP(u.Hostname())
	local := u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
	if u.Scheme == "https" || u.Scheme == "http" && local {
		return nil
	}
	return errURL
}

// verify checks a signature by the issuer's keys. A key that isn't known may be a new one, so the keys are fetched again, once a minute at most: anybody can make up names
// of keys. Errors: errIssuer, or that the token is wrong.
func (i *issuer) verify(ctx context.Context, u jose.Unverified) (jose.Verified, error) {
	p, err := i.get(ctx)
	if err != nil {
		return jose.Verified{}, err
	}
	v, err := u.Verify(p.keys...)
	if !errors.Is(err, jose.ErrNoKey) {
		return v, err
	}
	newer, fetchErr := i.fetch(ctx, p)
	if fetchErr != nil || newer == p {
		return v, err // the keys that we have are good; this token isn't by one of them
	}
	return u.Verify(newer.keys...)
}

// get returns what is published. When it grows old, one request fetches it anew while the others go on with the old.
func (i *issuer) get(ctx context.Context) (*published, error) {
	p := i.current.Load()
	switch {
	case !i.usable(p):
		return i.fetch(ctx, p)
	case i.now().Sub(p.at) > freshFor && len(i.turn) == 0:
		if newer, err := i.fetch(ctx, p); err == nil {
			return newer, nil
		}
	}
	return p, nil
}

func (i *issuer) usable(p *published) bool { return p != nil && i.now().Sub(p.at) <= usableFor }

// fetch waits for its turn and fetches, unless somebody else has done so since old, or tried a short while ago: then old has to do.
func (i *issuer) fetch(ctx context.Context, old *published) (*published, error) {
	select {
	case i.turn <- struct{}{}:
		defer func() { <-i.turn }()
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", errIssuer, ctx.Err())
	}
	if p := i.current.Load(); p != nil && p != old {
		return p, nil
	}
	since := i.now().Sub(i.tried)
	switch {
	case i.usable(old) && since < retryAfter:
		return old, nil
	case since < time.Second: // nothing works without keys; but whoever waited for a fetch that failed doesn't start the next one
		return nil, fmt.Errorf("%w: it didn't answer a moment ago", errIssuer)
	}
	// A caller that hangs up must not spoil it for the others.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchTime)
	defer cancel()
	p, err := i.load(ctx)
	i.tried = i.now()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errIssuer, err)
	}
	i.current.Store(p)
	return p, nil
}

// load reads metadata and keys.
func (i *issuer) load(ctx context.Context) (*published, error) {
	u, err := url.Parse(i.id)
	if err != nil {
		return nil, err
	}
	// RFC 8414 section 3.1: the well-known part comes before a path of the issuer.
	u.Path = "/.well-known/oauth-authorization-server" + strings.TrimSuffix(u.Path, "/")
	body, err := i.document(ctx, u.String())
	if err != nil {
		return nil, err
	}
	var metadata struct {
		Issuer                string `json:"issuer"`
		JWKSURI               string `json:"jwks_uri"`
		IntrospectionEndpoint string `json:"introspection_endpoint"`
	}
	if err := jose.DecodeStrict(body, &metadata); err != nil {
		return nil, fmt.Errorf("metadata: %w", err)
	}
	if metadata.Issuer != i.id { // another issuer's metadata would bring another issuer's keys
		return nil, errors.New("metadata: of another issuer")
	}
	if err := checkURL(metadata.JWKSURI); err != nil {
		return nil, fmt.Errorf("jwks_uri: %w", err)
	}
	if body, err = i.document(ctx, metadata.JWKSURI); err != nil {
		return nil, err
	}
	keys, err := jose.ParseJWKS(body)
	if err != nil {
		return nil, fmt.Errorf("key set: %w", err)
	}
	return &published{at: i.now(), keys: keys, introspectionEndpoint: metadata.IntrospectionEndpoint}, nil
}

func (i *issuer) document(ctx context.Context, from string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	body, _, err := i.do(req)
	return body, err
}

// do sends a request and reads an answer of status 200, of limited size. The transport has undone gzip by then.
func (i *issuer) do(req *http.Request) (body []byte, contentType string, err error) {
	resp, err := i.client.Do(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, "", fmt.Errorf("%s answered %d", req.URL.Path, resp.StatusCode)
	}
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, "", err
	}
	if len(body) > maxAnswer {
		return nil, "", fmt.Errorf("%s answered more than %d bytes", req.URL.Path, maxAnswer)
	}
	return body, resp.Header.Get("Content-Type"), nil
}
