package oidc

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/hufu-id/hufu/federation/upstream"
)

// minGap is the least time between two fetches of the same document for the same reason, whoever asks: a stream of tokens with
// invented key ids, or of logins while the province is down, must not become a stream of requests to it.
const minGap = 60 * time.Second

// retryGap is minGap while nothing at all could be fetched yet, so that a province that comes up is found soon.
const retryGap = 500 * time.Millisecond

// cache holds one document of the province. One fetch runs at a time, in the name of nobody: a browser that goes away must
// not spoil it for the others. While refreshing fails, the last good document is used for up to stale longer.
type cache[T any] struct {
	fetch      func(ctx context.Context) (T, error)
	now        func() time.Time
	ttl, stale time.Duration
	gap        time.Duration

	turn chan struct{} // held while fetching

	mu    sync.Mutex
	value T
	have  bool
	at    time.Time // of value
	tried time.Time
	again time.Time // of the last refresh
	err   error     // of the last try
}

func newCache[T any](fetch func(context.Context) (T, error), now func() time.Time, ttl, stale time.Duration) *cache[T] {
	return &cache[T]{fetch: fetch, now: now, ttl: ttl, stale: stale, gap: minGap, turn: make(chan struct{}, 1)}
}

// get returns the document, at most ttl old if the province answers.
func (c *cache[T]) get(ctx context.Context) (T, error) {
	if v, ok := c.fresh(c.ttl); ok {
		return v, nil
	}
	_, err := c.load(ctx, false)
	if v, ok := c.fresh(c.ttl + c.stale); ok {
		return v, nil
	}
	var none T
	if err == nil {
		err = fmt.Errorf("%w: document too old", upstream.ErrUnavailable)
	}
	return none, err
}

func (c *cache[T]) fresh(age time.Duration) (T, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.value, c.have && c.now().Sub(c.at) < age
}

// put keeps a document that was fetched for another purpose.
func (c *cache[T]) put(v T) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.value, c.have, c.at = v, true, c.now()
}

// refresh fetches although what is kept is young, because something isn't in it: a province may change its keys the moment after
// we asked. It does so at most once in a gap; fetched tells whether a document is there that is newer than the call.
func (c *cache[T]) refresh(ctx context.Context) (fetched bool, err error) { return c.load(ctx, true) }

// load fetches unless that was done (or tried) less than the gap ago.
func (c *cache[T]) load(ctx context.Context, again bool) (fetched bool, err error) {
	asked := c.now()
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return false, fmt.Errorf("%w: %w", upstream.ErrUnavailable, ctx.Err())
	}
	c.mu.Lock()
	gap := c.gap
	if !c.have {
		gap = min(gap, retryGap)
	}
	tried, last, since := c.tried, c.err, c.tried
	if again && last == nil {
		since = c.again
	}
	c.mu.Unlock()
	if !since.IsZero() && c.now().Sub(since) < gap {
		return last == nil && !tried.Before(asked), last
	}
	v, err := c.fetch(context.WithoutCancel(ctx))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tried, c.err = c.now(), err
	if again {
		c.again = c.tried
	}
	if err == nil {
		c.value, c.have, c.at = v, true, c.tried
	}
	return err == nil, err
}
