package identity

import (
	"context"
	"errors"
	"time"

	"github.com/hufu-id/hufu/federation/upstream"
	"github.com/hufu-id/hufu/internal/audit"
)

// Errors of Store.
var (
	ErrNotFound = errors.New("identity: not found")
	// ErrLinkTaken: another login made this link first. The caller reads it and goes on.
	ErrLinkTaken = errors.New("identity: link exists")
)

// Link ties one account at a province to a person.
type Link struct {
	Province  string
	Subject   string // keyed hash of the province's subject
	PersonID  string
	Claims    string // sealed
	Digest    string // keyed hash of the claims
	Document  string // keyed hash of the asserted document number, "" when none
	ACR       string // as the province last wrote it
	Level     upstream.Level
	CreatedAt time.Time
	UpdatedAt time.Time // of claims, ACR or level; repeated assertions move only the ledger
}

// Owner says who has a document number.
type Owner struct {
	PersonID string
	Province string
	Level    upstream.Level
}

// Store keeps persons, links, documents, the ledger and conflicts. All methods join the transaction of ctx when there is one
// and are durable when that commits. Safe for concurrent use. Every implementation passes identitytest.Run.
type Store interface {
	// InTx runs fn in the transaction of ctx, or in a new one.
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
	// Link finds a link, or ErrNotFound. disabled tells whether its person is.
	Link(ctx context.Context, province, subject string) (l Link, disabled bool, err error)
	// LinkOf finds the link of a person, or ErrNotFound, and in the same question whose the asserted number is: the zero Owner if
	// it is nobody's.
	LinkOf(ctx context.Context, personID string) (l Link, owner Owner, disabled bool, err error)
	// PutPerson makes a person together with the first link, or ErrLinkTaken and nothing is made.
	PutPerson(ctx context.Context, l Link) error
	// SetLink replaces claims, digest, document, acr, level and update time of a link; ErrNotFound when there is none.
	SetLink(ctx context.Context, l Link) error
	// ClaimDocument makes o the owner of a free document number, or keeps who owns it, and returns the owner after that.
	// One conditional statement decides; of two at the same time exactly one becomes the owner.
	ClaimDocument(ctx context.Context, document string, o Owner, at time.Time) (Owner, error)
	// RaiseDocument moves ownership to o when the owner's level is below floor; won tells whether it did. It also raises
	// the level of o's own entry.
	RaiseDocument(ctx context.Context, document string, o Owner, floor upstream.Level, at time.Time) (won bool, err error)
	// ReleaseDocument gives up a number that the person no longer asserts; it is no error when she doesn't own it.
	ReleaseDocument(ctx context.Context, document, personID string) error
	// DocumentOwner returns the owner of a number, or ErrNotFound.
	DocumentOwner(ctx context.Context, document string) (Owner, error)
	// PutAssurance adds a line, or moves LastAt of the newest line of that person and province when all else is the same.
	PutAssurance(ctx context.Context, a Assurance) error
	// Assurances lists the ledger of a person, oldest first.
	Assurances(ctx context.Context, personID string) ([]Assurance, error)
	// PutConflict reports a clash once; reported tells whether it is new.
	PutConflict(ctx context.Context, c Conflict) (reported bool, err error)
	// Conflicts lists all reported clashes, oldest first.
	Conflicts(ctx context.Context) ([]Conflict, error)
	// SetDisabled disables or enables a person; ErrNotFound when there is none.
	SetDisabled(ctx context.Context, personID string, disabled bool, at time.Time) error
	// Audit writes an event in the same transaction.
	Audit(ctx context.Context, ev audit.Event) error
}
