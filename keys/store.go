package keys

import (
	"context"
	"errors"
	"time"
)

// Errors of a Store.
var (
	// ErrNotFound: there is no such record.
	ErrNotFound = errors.New("keys: not found")
	// ErrLost: the condition of a change didn't hold any more; nothing was changed.
	ErrLost = errors.New("keys: condition lost")
)

// Record is one purpose with its keys, as of one moment.
type Record struct {
	Purpose Purpose
	Version int64 // grows with every change
	Spec    Spec
	Keys    []Key // all that aren't gone, oldest first
}

// Change is one step in the life of a purpose, applied as a whole or not at all.
type Change struct {
	Actor string // for the audit: who asked for it
	At    time.Time
	Spec  *Spec // replaces the specification; nil leaves it

	Retire   string    // id of the active key to retire: its handle is erased; "" for none
	Expires  time.Time // when the retired key goes
	Activate string    // id of the next key to make active; "" for none
	Insert   *Key      // a new key in the state that it names
	Remove   []string  // ids of retired keys that go
	Discard  string    // id of a next key that goes unused

	Revoke        string    // id of a key, in any state but gone, that goes at once and is remembered as revoked; its handle is erased
	CompromisedAt time.Time // since when the revoked key isn't ours alone
}

// Authority is a certificate authority of ours.
type Authority struct {
	ID          string
	Kind        Kind
	Certificate []byte // DER
	Handle      string // for the Custody; "" when the key is kept elsewhere
	CreatedAt   time.Time
}

// Store keeps keys, authorities and sealed secrets. All methods are safe for concurrent use by any number of nodes. A
// method that changes something is durable when it returns, and writes its audit event in the same transaction. When ctx
// carries a transaction of the caller, the Store joins it.
type Store interface {
	// Create adds a purpose at version 0 without keys; it changes nothing when the purpose exists.
	Create(ctx context.Context, p Purpose, spec Spec) error
	// Load returns the purpose as of one moment, or ErrNotFound.
	Load(ctx context.Context, p Purpose) (Record, error)
	// Version returns the purpose's version, or ErrNotFound. It is cheap.
	Version(ctx context.Context, p Purpose) (int64, error)
	// Purposes lists all purposes, sorted.
	Purposes(ctx context.Context) ([]Purpose, error)
	// Apply makes the change if the purpose is still at version, and raises the version by one; else ErrLost. It also
	// returns ErrLost when a key isn't in the state that the change starts from, or when two keys would be active or
	// next. Of any number of concurrent callers with one version, exactly one gets nil.
	Apply(ctx context.Context, p Purpose, version int64, c Change) error

	// Revoked returns all keys that were revoked, the oldest first. It is cheap.
	Revoked(ctx context.Context) ([]Revoked, error)

	Singles

	// InsertAuthority stores a as the current authority of its kind; ErrLost when the kind has one.
	InsertAuthority(ctx context.Context, a Authority) error
	// Authority returns the current authority of a kind, or ErrNotFound.
	Authority(ctx context.Context, kind Kind) (Authority, error)

	// InsertSecret stores a sealed secret under a name that has none; else it changes nothing.
	InsertSecret(ctx context.Context, name, sealed string, at time.Time) error
	// Secret returns the sealed secret, or ErrNotFound.
	Secret(ctx context.Context, name string) (string, error)
}
