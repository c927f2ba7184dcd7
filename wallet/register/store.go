package register

import (
	"context"
	"time"
)

// Record is a licence as it is stored. Nothing in it but the authority, the type, the state and times can be read without the keys:
// the holder, the fields and the record number are in Sealed, and the indices are keyed hashes.
type Record struct {
	ID     string
	TypeID string
	// TypeVersion is the version of the type that the record was checked against.
	TypeVersion int
	Issuer      string
	// RecordIndex, HolderIndex and ReferenceIndex are keyed hashes (see Service); ReferenceIndex may be empty.
	RecordIndex, HolderIndex, ReferenceIndex string
	// RepresentativeIndex is as HolderIndex, for who acts for the holder; empty for nobody.
	RepresentativeIndex string
	Sealed              string
	ValidFrom, ValidTo  Date
	// Predecessor and Successor are identifiers of the licences before and after; empty for none.
	Predecessor, Successor string
	Status                 LegalStatus
	// Reason is sealed too: it may name the holder's offence.
	Reason               string
	StatusSince          time.Time
	Seq                  int64
	CreatedAt, UpdatedAt time.Time
}

// Filter selects records. Empty members don't filter; a query without Issuer or HolderIndex is refused by Service, not by the store.
type Filter struct {
	Issuer, TypeID, ReferenceIndex string
	// HolderIndex is that of the holder or of who acts for it.
	HolderIndex string
	// After is the ID of the last record of the page before; records come in order of ID.
	After string
	// Limit is the most records to return.
	Limit int
}

// MaxBatch is the most records of one InsertMany.
const MaxBatch = 500

// Store keeps records and their journal. All methods join the transaction in ctx, are safe for concurrent use on any number of
// nodes, and are durable when the transaction commits.
type Store interface {
	// Insert adds a record and the first row of its journal. ErrExists if the ID, or the RecordIndex within issuer and type, is taken.
	Insert(ctx context.Context, r Record, first Change) error
	// Get returns ErrNotFound for an unknown id.
	Get(ctx context.Context, id string) (Record, error)
	// GetByRecordIndex finds the record of an authority by its own number. ErrNotFound.
	GetByRecordIndex(ctx context.Context, issuer, typeID, recordIndex string) (Record, error)
	// GetByRecordIndexes finds those that there are among some hundred numbers.
	GetByRecordIndexes(ctx context.Context, issuer, typeID string, recordIndexes []string) ([]Record, error)
	// InsertMany adds up to MaxBatch records, each with the first row of its journal, and returns how many it added: what exists is left out.
	// After fewer than all, the transaction must be rolled back: the journal has nothing of them.
	InsertMany(ctx context.Context, records []Record, first []Change) (int, error)
	List(ctx context.Context, f Filter) ([]Record, error)
	// SetStatus moves the record to c.To, sets Reason, StatusSince and UpdatedAt from c and Seq to c.Seq, and adds c to the journal, if the
	// record still is in c.From with Seq c.Seq-1: one conditional statement decides, of two callers one gets ErrStale.
	SetStatus(ctx context.Context, c Change) error
	// Succeed moves the old record to last.To as SetStatus does, if it has no successor, and adds next behind it with the first row of its
	// journal. ErrStale if the old one changed meanwhile or has a successor; ErrExists as Insert.
	Succeed(ctx context.Context, last Change, next Record, first Change) error
	// Hold returns the record, or ErrNotInForce unless it is valid, and keeps it so until the transaction in ctx ends (a conditional UPDATE
	// that changes nothing). ErrNotFound for an unknown id.
	Hold(ctx context.Context, id string) (Record, error)
	// Journal returns the changes of a licence, oldest first.
	Journal(ctx context.Context, id string) ([]Change, error)
}
