// Package keystest helps tests that need keys: a Store in memory, a ready Service, and the contract that every
// implementation of keys.Store fulfils.
package keystest

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hufu-id/hufu/keys"
)

// New returns a service on a store in memory with a random KEK, whose clock is now (nil for the real one).
func New(t testing.TB, now func() time.Time) *keys.Service {
	t.Helper()
	kek, _ := keys.NewKEK()
	s, err := keys.Open(t.Context(), keys.Config{Store: NewMemory(), KEK: kek, Now: now, CacheTTL: -1, Contact: "https://id.example", CRL: "https://id.example/iaca.crl"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Memory is a keys.Store in memory. It is safe for concurrent use.
type Memory struct {
	mu          sync.Mutex
	purposes    map[keys.Purpose]*keys.Record // with keys that are gone
	authorities map[keys.Kind]keys.Authority
	secrets     map[string]string
	singles     map[string]keys.Single // by class and thing
	revoked     []keys.Revoked
}

// NewMemory returns an empty store.
func NewMemory() *Memory {
	return &Memory{purposes: map[keys.Purpose]*keys.Record{}, authorities: map[keys.Kind]keys.Authority{}, secrets: map[string]string{},
		singles: map[string]keys.Single{}}
}

var _ keys.Store = (*Memory)(nil)

// Create implements keys.Store.
func (m *Memory) Create(_ context.Context, p keys.Purpose, spec keys.Spec) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.purposes[p] == nil {
		m.purposes[p] = &keys.Record{Purpose: p, Spec: spec}
	}
	return nil
}

// Load implements keys.Store.
func (m *Memory) Load(_ context.Context, p keys.Purpose) (keys.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	rec := m.purposes[p]
	if rec == nil {
		return keys.Record{}, keys.ErrNotFound
	}
	out := *rec
	out.Keys = slices.DeleteFunc(slices.Clone(rec.Keys), func(k keys.Key) bool { return k.State == keys.Gone })
	return out, nil
}

// Version implements keys.Store.
func (m *Memory) Version(_ context.Context, p keys.Purpose) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.purposes[p] == nil {
		return 0, keys.ErrNotFound
	}
	return m.purposes[p].Version, nil
}

// Purposes implements keys.Store.
func (m *Memory) Purposes(context.Context) ([]keys.Purpose, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []keys.Purpose
	for p := range m.purposes {
		out = append(out, p)
	}
	slices.Sort(out)
	return out, nil
}

// Apply implements keys.Store.
func (m *Memory) Apply(_ context.Context, p keys.Purpose, version int64, c keys.Change) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	rec := m.purposes[p]
	if rec == nil || rec.Version != version {
		return keys.ErrLost
	}
	list := slices.Clone(rec.Keys)
	if !leave(list, c) {
		return keys.ErrLost
	}
	if c.Activate != "" {
		k := move(list, c.Activate, keys.Next, keys.Active)
		if k == nil {
			return keys.ErrLost
		}
		k.ActivatedAt = c.At
	}
	if c.Insert != nil {
		if slices.ContainsFunc(list, func(k keys.Key) bool { return k.ID == c.Insert.ID }) {
			return keys.ErrLost
		}
		list = append(list, *c.Insert)
	}
	if count(list, keys.Active) > 1 || count(list, keys.Next) > 1 {
		return keys.ErrLost
	}
	for _, k := range list {
		if c.Revoke != "" && k.ID == c.Revoke {
			m.revoked = append(m.revoked, keys.Revoked{Purpose: p, ID: k.ID, Chain: k.Chain, CompromisedAt: c.CompromisedAt, RevokedAt: c.At})
		}
	}
	rec.Keys, rec.Version = list, rec.Version+1
	if c.Spec != nil {
		rec.Spec = *c.Spec
	}
	return nil
}

// move changes the state of a key; nil when none is in the state from.
func move(list []keys.Key, id string, from, to keys.State) *keys.Key {
	for i := range list {
		if list[i].ID == id && list[i].State == from {
			list[i].State = to
			return &list[i]
		}
	}
	return nil
}

// leave moves keys towards their end; false when one isn't where the change starts from.
func leave(list []keys.Key, c keys.Change) bool {
	if c.Discard != "" {
		k := move(list, c.Discard, keys.Next, keys.Gone)
		if k == nil {
			return false
		}
		k.Handle = ""
	}
	if c.Retire != "" {
		k := move(list, c.Retire, keys.Active, keys.Retired)
		if k == nil {
			return false
		}
		k.Handle, k.RetiredAt, k.ExpiresAt = "", c.At, c.Expires
	}
	if c.Revoke != "" {
		i := slices.IndexFunc(list, func(k keys.Key) bool { return k.ID == c.Revoke && k.State != keys.Gone })
		if i < 0 {
			return false
		}
		list[i].State, list[i].Handle, list[i].ExpiresAt = keys.Gone, "", c.At
	}
	for _, id := range c.Remove {
		if move(list, id, keys.Retired, keys.Gone) == nil {
			return false
		}
	}
	return true
}

// Revoked implements keys.Store.
func (m *Memory) Revoked(context.Context) ([]keys.Revoked, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.revoked), nil
}

func count(list []keys.Key, state keys.State) (n int) {
	for _, k := range list {
		if k.State == state {
			n++
		}
	}
	return n
}

// InsertAuthority implements keys.Store.
func (m *Memory) InsertAuthority(_ context.Context, a keys.Authority) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.authorities[a.Kind]; ok {
		return keys.ErrLost
	}
	m.authorities[a.Kind] = a
	return nil
}

// Authority implements keys.Store.
func (m *Memory) Authority(_ context.Context, kind keys.Kind) (keys.Authority, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a, ok := m.authorities[kind]
	if !ok {
		return a, keys.ErrNotFound
	}
	return a, nil
}

// InsertSecret implements keys.Store.
func (m *Memory) InsertSecret(_ context.Context, name, sealed string, _ time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.secrets[name]; !ok {
		m.secrets[name] = sealed
	}
	return nil
}

// Secret implements keys.Store.
func (m *Memory) Secret(_ context.Context, name string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	s, ok := m.secrets[name]
	if !ok {
		return "", keys.ErrNotFound
	}
	return s, nil
}

// InsertSingle implements keys.Singles.
func (m *Memory) InsertSingle(_ context.Context, k keys.Single) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := string(k.Class) + "/" + k.Thing
	if _, taken := m.singles[name]; taken {
		return keys.ErrLost
	}
	m.singles[name] = k
	return nil
}

// Single implements keys.Singles.
func (m *Memory) Single(_ context.Context, class keys.Class, thing string) (keys.Single, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k, ok := m.singles[string(class)+"/"+thing]
	if !ok {
		return keys.Single{}, keys.ErrNotFound
	}
	return k, nil
}

// DestroySingle implements keys.Singles.
func (m *Memory) DestroySingle(_ context.Context, class keys.Class, thing string, at time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	name := string(class) + "/" + thing
	k, ok := m.singles[name]
	switch {
	case !ok:
		return keys.ErrNotFound
	case k.DestroyedAt.IsZero():
		k.Handle, k.DestroyedAt = "", at
		m.singles[name] = k
	}
	return nil
}
