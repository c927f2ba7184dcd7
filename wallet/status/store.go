package status

import (
	"context"
	"time"
)

// List is one status list.
type List struct {
	// ID is the last part of the list's URL, such as "driving-licence-2027q1-1"; Pool is it without the ordinal.
	ID, Pool string
	// Ordinal counts the lists of a pool from 1.
	Ordinal int64
	// Size is the number of entries.
	Size int64
	// ExpiresAt is when no credential of the pool can be valid any more: the list is no longer signed.
	ExpiresAt time.Time
	// Seq counts publications that were begun; TokenSeq is the one that Token came from, 0 when there is no token yet.
	Seq, TokenSeq int64
	Token         string
	TokenIssuedAt time.Time
	TokenExpires  time.Time
}

// Entry is a claimed index.
type Entry struct {
	ListID     string
	Index      int64
	LicenceID  string
	IssuanceID string
}

// Value is an entry that is not valid.
type Value struct {
	Index int64
	Value uint8
}

// Publication is the content of a list at one moment, about to be signed.
type Publication struct {
	ListID string
	Seq    int64
	Size   int64
	// LastIssuedAt is the iat of the publication before; zero when there was none.
	LastIssuedAt time.Time
	// Values holds the entries that are not valid, by rising index. Flipped is how many changed since the publication before.
	Values  []Value
	Flipped int64
}

// Store keeps lists and entries. All methods join the transaction in ctx and are safe on any number of nodes.
type Store interface {
	// OpenList returns the list of the pool that takes new entries, or ErrNotFound.
	OpenList(ctx context.Context, pool string) (List, error)
	// NextList closes the pool's list of ordinal l.Ordinal-1 for new entries, if there is one, and adds l, unless another caller just did:
	// both then go on with the same list.
	NextList(ctx context.Context, l List) error
	// Taken counts which of these indices of a list are in use.
	Taken(ctx context.Context, listID string, indices []int64) (int64, error)
	// Insert claims indices of one list and returns those that it got: the rows that the statement added decide. The others are in use.
	Insert(ctx context.Context, entries []Entry) ([]int64, error)
	// LockLicence returns the licence's value (Valid if it was never set) and keeps it from being changed until the transaction ends, so that an
	// entry can't be missed by a change that happens at the same time.
	LockLicence(ctx context.Context, licenceID string) (uint8, error)
	// SetLicence stores the licence's value, and waits for transactions that hold LockLicence.
	SetLicence(ctx context.Context, licenceID string, value uint8) error
	// EntriesOf returns the entries of a licence in lists that are still signed at that time, in order of list and index.
	EntriesOf(ctx context.Context, licenceID string, at time.Time) ([]Entry, error)
	// Schedule makes an entry take a value at a time; it replaces what was scheduled for it before.
	Schedule(ctx context.Context, listID string, index int64, value uint8, at time.Time) error
	// Hasten makes everything scheduled due now.
	Hasten(ctx context.Context, now time.Time) error

	// Due returns the lists to be signed: those with an entry to flip by now, with a token older than refreshBefore, without a
	// token, or whose signing began before abandonedBefore and never ended.
	Due(ctx context.Context, now, refreshBefore, abandonedBefore time.Time) ([]List, error)
	// Begin claims the publication l.Seq+1 (ErrStale if another caller has it), flips what is scheduled by now, and returns the content.
	// It holds the list until the transaction ends, so that a later number never has older content.
	Begin(ctx context.Context, l List, now time.Time) (Publication, error)
	// Record writes down what is about to be signed, in the transaction of Begin; digest is that of the payload. It forgets records of
	// tokens that expired before the new one was made.
	Record(ctx context.Context, p Publication, issuedAt, expires time.Time, digest string) error
	// Finish stores the token, unless one of a later publication is there already (ErrStale).
	Finish(ctx context.Context, listID string, seq int64, token string, issuedAt, expires time.Time) error
	// Get returns a list or ErrNotFound.
	Get(ctx context.Context, id string) (List, error)
	// Live returns the lists that are still signed at that time, in order of ID.
	Live(ctx context.Context, at time.Time) ([]List, error)
}
