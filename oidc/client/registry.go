package client

import (
	"context"
	"sync"
	"time"

	"github.com/hufu-id/hufu/oidc/trail"
)

// cacheTime is how long a node may believe a client row. A client that is disabled on another node is dead here after it.
const cacheTime = time.Second

// cacheMax bounds the cache. Only ids that exist are kept, so a stranger can't fill it.
const cacheMax = 10_000

// Registry finds clients. It keeps rows for a short time, because one login reads its client several times. Safe for concurrent use.
type Registry struct {
	// Loopback makes every loopback URL a public client of its own, without registration (dev only). Set it before use.
	Loopback bool
	// Profile, when set, is the only one whose clients exist here, with the machines of those that it names. Set it before use.
	Profile string

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
	if !r.serves(c) {
		return c.bad("this server serves clients of the profile %s only", r.Profile)
	}
	if err := r.store.PutClient(ctx, c); err != nil {
		return err
	}
	r.Forget(c.ID)
	return nil
}

func (r *Registry) serves(c Client) bool {
	return r.Profile == "" || c.Of(r.Profile) || c.machineOf(PolicyOf(r.Profile).MachinesOf)
}

// Forget makes this node read a client again, after its row was changed past Put. Other nodes do so within a second.
func (r *Registry) Forget(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.cached, id)
}

// used records that a client that registered itself is more than a row.
func (r *Registry) used(ctx context.Context, c Client) error {
	if !c.Dynamic || c.Used {
		return nil
	}
	return r.store.MarkUsed(ctx, c.ID)
}

// Get returns a client that is registered and not disabled. ErrUnknown.
func (r *Registry) Get(ctx context.Context, id string) (Client, error) {
	if !validID(id) {
		return Client{}, ErrUnknown
	}
	if r.Loopback {
		if c, ok := loopbackClient(id); ok {
			return c, nil
		}
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
	if e.client.Disabled || !r.serves(e.client) {
		return Client{}, ErrUnknown
	}
	trail.Client(ctx, id)
	return e.client, nil
}
