package resource

import (
	"context"
	"errors"
	"sync"
	"time"
)

// maxRemembered bounds the memory of proofs: about 100 bytes each.
const maxRemembered = 200_000

// errFull: more proofs than can be remembered. Forgetting one would let it be used again.
var errFull = errors.New("resource: the memory of proofs is full")

// replay remembers the proofs that this process has seen.
type replay struct {
	now func() time.Time
	max int

	mu    sync.Mutex
	seen  map[string]time.Time
	swept time.Time
}

func newReplay(now func() time.Time) *replay {
	return &replay{now: now, max: maxRemembered, seen: map[string]time.Time{}}
}

func (m *replay) claim(_ context.Context, id string, expires time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := m.now()
	if now.Sub(m.swept) > time.Minute || len(m.seen) >= m.max && now.Sub(m.swept) > time.Second { // looking through all of it isn't for every request
		m.swept = now
		for k, until := range m.seen {
			if until.Before(now) {
				delete(m.seen, k)
			}
		}
	}
	if _, used := m.seen[id]; used {
		return ErrReplayed
	}
	if len(m.seen) >= m.max {
		return errFull
	}
	m.seen[id] = expires
	return nil
}
