package status

import (
	"context"
	"time"
)

// List is one status list.
type List struct {
	// ID is the last part of the list's URL, such as "driving-licence-2027q1-k3f9x2-1": pool, epoch, ordinal.
	ID, Pool string
	// Ordinal counts the lists of a pool from 1.
	Ordinal int64
	// Size is the number of entries.
	Size int64
	// Open says that the list takes new entries.
	Open bool
	// ExpiresAt is when no credential of the pool can be valid any more: the list is no longer signed.
	ExpiresAt time.Time
	// Seq counts publications that were begun; TokenSeq is the one that Token and TokenCWT came from. Token is empty when none is published.
	Seq, TokenSeq int64
	Token         string
	TokenCWT      []byte
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
	// LastKept is the iat of the newest token in the history; zero when there is none.
	LastKept time.Time
	// Values holds the entries that are not valid, by rising index. Flipped is how many changed since the publication before.
	Values  []Value
	Flipped int64
}

// Signed is a publication's tokens.
type Signed struct {
	ListID string
	Seq    int64
	// JWT and CWT are the two forms; CWT may be empty.
	JWT               string
	CWT               []byte
	IssuedAt, Expires time.Time
	// Keep adds it to the history.
	Keep bool
}

// Change is the newest value of a licence; see Store.Unjournaled.
type Change struct {
	LicenceID string
	Value     uint8
	// Version counts the licence's changes from 1.
	Version int64
	At      time.Time
}

// Store keeps lists and entries. All methods join the transaction in ctx and are safe on any number of nodes.
type Store interface {
	// Newest returns the pool's list of the highest ordinal, or ErrNotFound. Only this one may be open.
	Newest(ctx context.Context, pool string) (List, error)
	// NextList closes the pool's list of ordinal l.Ordinal-1 for new entries, if there is one, and adds l, unless another caller just did:
	// both then go on with the same list.
	NextList(ctx context.Context, l List) error
	// Epoch returns the current epoch; if there is none, first becomes it.
	Epoch(ctx context.Context, first string, now time.Time) (string, error)
	// Taken counts which of these indices of a list are in use.
	Taken(ctx context.Context, listID string, indices []int64) (int64, error)
	// Insert claims indices of one list and returns those that it got: the rows that the statement added decide. The others are in use.
	Insert(ctx context.Context, entries []Entry) ([]int64, error)
	// LockLicence returns the licence's value (Valid if it was never set) and keeps it from being changed until the transaction ends, so that an
	// entry can't be missed by a change that happens at the same time.
	LockLicence(ctx context.Context, licenceID string) (uint8, error)
	// SetLicence stores the licence's value, and waits for transactions that hold LockLicence. It returns the number of this change of the licence.
	SetLicence(ctx context.Context, licenceID string, value uint8, now time.Time) (int64, error)
	// Retire makes an entry Invalid from a time on, for good: it is no longer among EntriesOf. ErrNotFound.
	Retire(ctx context.Context, listID string, index int64, at time.Time) error
	// EntriesOf returns the entries of a licence, but retired ones, in lists that are still signed at that time, in order of list and index.
	EntriesOf(ctx context.Context, licenceID string, at time.Time) ([]Entry, error)
	// Schedule makes an entry take a value at a time; it replaces what was scheduled for it before.
	Schedule(ctx context.Context, listID string, index int64, value uint8, at time.Time) error

	// Due returns the lists to be signed: those with an entry to flip by now, with a token older than refreshBefore, without a
	// token, or whose signing began before abandonedBefore and never ended.
	Due(ctx context.Context, now, refreshBefore, abandonedBefore time.Time) ([]List, error)
	// Begin claims the publication l.Seq+1 (ErrStale if another caller has it), flips what is scheduled by now, and returns the content.
	// It holds the list until the transaction ends, so that a later number never has older content.
	Begin(ctx context.Context, l List, now time.Time) (Publication, error)
	// Record writes down what is about to be signed, in the transaction of Begin; digest is that of the payload. It forgets records of
	// tokens that expired before the new one was made.
	Record(ctx context.Context, p Publication, issuedAt, expires time.Time, digest string) error
	// Finish stores the tokens, unless those of a later publication are there already (ErrStale).
	Finish(ctx context.Context, s Signed) error
	// Get returns a list or ErrNotFound.
	Get(ctx context.Context, id string) (List, error)
	// Live returns the lists that are still signed at that time, in order of ID, without their tokens.
	Live(ctx context.Context, at time.Time) ([]List, error)
	// Past returns what was published at that time: the kept token of the highest iat that isn't after it. ErrNotFound.
	Past(ctx context.Context, id string, at time.Time) (Signed, error)
	// ForgetHistory deletes up to limit kept tokens that are of lists which expired before listsBefore, or that expired before tokensBefore.
	ForgetHistory(ctx context.Context, listsBefore, tokensBefore time.Time, limit int) (int64, error)

	// Unjournaled returns up to limit licences whose newest change was made before that time and not marked by Journaled, and
	// UnjournaledLists the same of lists.
	Unjournaled(ctx context.Context, before time.Time, limit int) ([]Change, error)
	UnjournaledLists(ctx context.Context, limit int) ([]List, error)
	// Journaled marks changes, unless the licence was changed again, and lists.
	Journaled(ctx context.Context, changes []Change, lists []List) error
}

// RestoreStore is what Restore needs beyond Store.
type RestoreStore interface {
	Store
	// BeginEpoch makes epoch the current one: it closes all lists for new entries and withdraws their tokens, so that each is signed again before it is served.
	BeginEpoch(ctx context.Context, epoch string, now time.Time) error
	// HasEpoch says whether there was such an epoch.
	HasEpoch(ctx context.Context, epoch string) (bool, error)
	// PutList adds a list that isn't there, closed for new entries.
	PutList(ctx context.Context, l List) (added bool, err error)
	// PutEntries adds the entries that aren't there, valid. conflicts counts those that are there for another licence.
	PutEntries(ctx context.Context, entries []Entry) (added, conflicts int64, err error)
	// Align gives all entries of a licence, but retired ones, the licence's value, at once.
	Align(ctx context.Context, licenceID string) error
	// Version returns the number of the licence's newest change, 0 if there was none.
	Version(ctx context.Context, licenceID string) (int64, error)
	// Force gives a licence and all its entries a value at once, as change number version.
	Force(ctx context.Context, c Change) error
}
