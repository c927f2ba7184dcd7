package counter

import (
	"context"
	"errors"
	"time"

	"github.com/hufu-id/hufu/web"
)

// What a Store answers when it can't.
var (
	// ErrNotFound: no check with this receipt number.
	ErrNotFound = errors.New("counter: no such check")
	// ErrExists: the receipt number is in use.
	ErrExists = errors.New("counter: the receipt number is in use")
	// ErrSaid: whether it is the same person was said before.
	ErrSaid = errors.New("counter: the person was compared already")
)

// Mode says what the holder's proof was an answer to.
type Mode string

// The modes.
const (
	ModeAsked   Mode = "asked"   // a challenge of this counter
	ModeUnasked Mode = "unasked" // nobody: a purpose and ten minutes
	ModeNone    Mode = "none"    // there was no proof that this counter could use
)

// Source says how the presentation came.
type Source string

// The sources.
const (
	SourceText Source = "text" // pasted, or by a scanner that types
	SourceFile Source = "file"
	SourceLink Source = "link" // fetched from the national server
)

// Check is the record of one check. It holds no claim value and nothing that names the holder.
type Check struct {
	// Receipt is the number to quote, such as "V-7F3K-22Q9".
	Receipt string
	At      time.Time
	// VCT and Type are empty unless the bundle knows the type; IssuerCode and Issuer unless the issuer was proven.
	VCT        string
	Type       web.Text
	IssuerCode string
	Issuer     web.Text
	// Verdict is valid, invalid or cannot_tell, Reason the code of the check that decided.
	Verdict, Reason string
	Mode            Mode
	// Purpose is what was asked for, or what the holder chose; empty when unknown.
	Purpose string
	Source  Source
	// BundleVersion is 0 without a bundle; the times are zero when unknown.
	BundleVersion          int64
	BundleAsOf, StatusAsOf time.Time
	// Person is "same" or "other" once the clerk has compared; else empty.
	Person string
}

// Filter selects checks. Zero fields don't.
type Filter struct {
	Verdict string
	// From and To bound the time: From <= t < To.
	From, To time.Time
	Limit    int
}

// Store keeps the checks of one counter. All methods join the transaction in ctx and are safe on any number of nodes.
type Store interface {
	// Insert adds a check. ErrExists when the receipt number is taken: the statement's row count decides.
	Insert(ctx context.Context, c Check) error
	// Get returns one check, or ErrNotFound.
	Get(ctx context.Context, receipt string) (Check, error)
	// List returns checks, newest first.
	List(ctx context.Context, f Filter) ([]Check, error)
	// SetPerson says once whether it was the same person. ErrSaid when it was said before, ErrNotFound.
	SetPerson(ctx context.Context, receipt, person string) error
	// Key returns the key of this name, which becomes fresh if there was none: all nodes get the same one.
	Key(ctx context.Context, name string, fresh []byte) ([]byte, error)
}
