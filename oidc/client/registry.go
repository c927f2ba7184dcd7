package client

import (
	"context"
	"sync"
	"time"
)

// cacheTime is how long a node may believe a client row. A client that is disabled on another node is dead here after it.
const cacheTime = 2 * time.Second

// cacheMax bounds the cache. Only ids that exist are kept, so a stranger can't fill it.
const cacheMax = 10_000

// Registry finds clients. It keeps rows for a short time, because one login reads its client several times. Safe for concurrent use.
type Registry struct {
	store Store
	now   func() time.Time

	mu     sync.Mutex
	cached map[string]entry
}

type entry struct {
	client Client
	until  time.Time
}

// NewRegistry makes a registry over a store.
func NewRegistry(store Store, now func() time.Time) *Registry {
	return &Registry{store: store, now: now, cached: map[string]entry{}}
}

// Put checks and registers a client, or replaces its registration. ErrInvalid.
func (r *Registry) Put(ctx context.Context, c Client) error {
	if err := c.Check(); err != nil {
		return err
	}
	if err := r.store.PutClient(ctx, c); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.cached, c.ID)
	return nil
}

// Get returns a client that is registered and not disabled. ErrUnknown.
func (r *Registry) Get(ctx context.Context, id string) (Client, error) {
	if !validID(id) {
		return Client{}, ErrUnknown
	}
	now := r.now()
	r.mu.Lock()
	e, ok := r.cached[id]
	r.mu.Unlock()
	if !ok || !now.Before(e.until) {
		c, err := r.store.Client(ctx, id)
		if err != nil {
			return Client{}, err
		}
		e = entry{client: c, until: now.Add(cacheTime)}
		r.mu.Lock()
		if len(r.cached) >= cacheMax {
			clear(r.cached)
		}
		r.cached[id] = e
		r.mu.Unlock()
	}
	if e.client.Disabled {
		return Client{}, ErrUnknown
	}
	return e.client, nil
}
