package correction

import (
	"context"
	"time"
)

// Record is a report as it is stored. Which entry, the text and the answer can't be read without the key.
type Record struct {
	ID, LicenceID, Authority, PersonID string
	// Digest is a keyed hash of who reports what about which licence.
	Digest string
	// Sealed holds entry and text, Answer the answer; Answer is empty while the report is open.
	Sealed, Answer string
	State          State
	Outcome        Outcome
	AnsweredBy     string
	// AnsweredAt is zero while the report is open.
	ReportedAt, AnsweredAt time.Time
}

// Filter selects records. An empty member doesn't filter; Service never leaves both Authority and PersonID empty.
type Filter struct {
	Authority, PersonID string
	State               State
	// After is the ID of the last record of the page before; records come in order of ID, which is that of time.
	After string
	// Newest turns the order around.
	Newest bool
	// Limit is the most records to return.
	Limit int
}

// Store keeps reports. All methods join the transaction in ctx, are safe for concurrent use on any number of nodes, and are durable when
// the transaction commits.
type Store interface {
	// Insert adds an open report. If an open report has the same Digest, it returns the ID of that one and adds nothing. ErrTooMany when
	// the licence has MaxOpen open reports: of reports that come at once, never more than MaxOpen are added.
	Insert(ctx context.Context, r Record) (id string, err error)
	// Answer moves the report from open to answered, if it is of that authority: one conditional statement decides, of two callers one
	// gets ErrAnswered. ErrNotFound for an unknown report and for another authority's.
	Answer(ctx context.Context, a Record) error
	// Get returns a report of an authority. ErrNotFound.
	Get(ctx context.Context, authority, id string) (Record, error)
	List(ctx context.Context, f Filter) ([]Record, error)
}
