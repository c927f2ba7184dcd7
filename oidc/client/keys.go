package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
)

// How a jwks_uri is read. A key that the client takes away is dead after keysFresh. We ask at most once per keysPause and client: anybody
// may send an unknown kid. While the client's server is down, the last answer is good for keysStale, so that a short outage ends no login.
const (
	keysFresh = 5 * time.Minute
	keysPause = time.Minute
	keysStale = time.Hour
)

// ErrKeys: the client's keys can't be had: its jwks_uri did not answer, or not with a key set. What it said is never repeated.
var ErrKeys = errors.New("client: the keys can't be read")

// KeySource finds the public keys of clients, for assertions, request objects and encryption. Safe for concurrent use.
type KeySource interface {
	// Keys returns the keys that count now. A kid that is not among them ("" for none) may ask the client's jwks_uri again. ErrKeys.
	Keys(ctx context.Context, c Client, kid string) ([]jose.JWK, error)
}

// Fetcher is the one safe way out (httpx.Client): it guards addresses, follows no redirect, and bounds time and size.
type Fetcher interface {
	Get(ctx context.Context, rawURL string) (*httpx.Response, error)
}

// Keys is the KeySource of registered clients: the keys of the registration, or those behind its jwks_uri, kept for a short time. Each node asks
// for itself. Make it with NewKeys.
type Keys struct {
	http Fetcher
	now  func() time.Time

	mu     sync.Mutex
	cached map[string]*remoteKeys // by jwks_uri and client
}

// remoteKeys are the keys behind one jwks_uri. Its lock is held while they are fetched: whoever comes meanwhile waits for the same answer.
type remoteKeys struct {
	mu      sync.Mutex
	keys    []jose.JWK
	fetched time.Time // the last good answer
	tried   time.Time
}

// NewKeys makes a source. A nil fetcher knows no jwks_uri.
func NewKeys(http Fetcher, now func() time.Time) *Keys {
	return &Keys{http: http, now: now, cached: map[string]*remoteKeys{}}
}

// Keys implements KeySource.
func (k *Keys) Keys(ctx context.Context, c Client, kid string) ([]jose.JWK, error) {
	if c.JWKSURI == "" {
		return c.JWKS, nil
	}
	if k.http == nil {
		return nil, fmt.Errorf("%w: no outgoing requests", ErrKeys)
	}
	r := k.remote(c)
	r.mu.Lock()
	defer r.mu.Unlock()
	now := k.now()
	needed := now.Sub(r.fetched) >= keysFresh || kid != "" && !r.has(kid)
	if needed && now.Sub(r.tried) >= keysPause {
		r.tried = now
		r.fetch(ctx, k.http, c.JWKSURI, now)
	}
	if now.Sub(r.fetched) >= keysStale {
		return nil, ErrKeys
	}
	return r.keys, nil
}

// remote finds the entry. Only registered clients come here, so a stranger can't fill the map.
func (k *Keys) remote(c Client) *remoteKeys {
	k.mu.Lock()
	defer k.mu.Unlock()
	name := c.JWKSURI + "\x00" + c.ID
	r, ok := k.cached[name]
	if !ok {
		if len(k.cached) >= cacheMax {
			clear(k.cached)
		}
		r = &remoteKeys{}
		k.cached[name] = r
	}
	return r
}

func (r *remoteKeys) has(kid string) bool {
	return slices.ContainsFunc(r.keys, func(k jose.JWK) bool { return k.KeyID() == kid })
}

// fetch replaces all keys by those of a good answer: one that is missing there is not accepted any more. A bad answer changes nothing.
func (r *remoteKeys) fetch(ctx context.Context, http Fetcher, uri string, now time.Time) {
	// The asker may hang up, others wait for the answer; the fetcher bounds the time.
	resp, err := http.Get(context.WithoutCancel(ctx), uri)
	if err != nil {
		return
	}
	keys, err := jose.ParseJWKS(resp.Body)
	if err != nil {
		return
	}
	r.keys, r.fetched = keys, now
}
