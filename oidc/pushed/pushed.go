// Package pushed keeps authorization requests that clients push before they send the browser (RFC 9126).
//
// A pushed request is looked at as often as the browser comes with its reference, and used up by the code that it leads to: a reload, or
// going back, must not end in a dead end.
package pushed

import (
	"context"
	"errors"
	"time"
)

// Prefix of request_uri values (RFC 9126 section 2.2).
const Prefix = "urn:ietf:params:oauth:request_uri:"

// Life is how long the browser may take to come with the reference. FlowLife is longer than the flow that it then begins, which carries the request
// itself: so long it is remembered that a code was given.
const (
	Life     = 90 * time.Second
	FlowLife = time.Hour
)

// Kind is the kind under which the ids of pushed requests are used up.
const Kind = "oidc.pushed"

// PublicLimit is how many requests of one public client may be open: anybody can push in its name, and must not fill the table.
const PublicLimit = 1000

// Errors of the store.
var (
	ErrUnknown = errors.New("pushed: unknown") // no such pushed request, or a code was given for it already
	ErrTooMany = errors.New("pushed: too many")
)

// Request is a pushed request as it is kept.
type Request struct {
	// ID is the hash of the reference: who reads the database can't go on with a request.
	ID, ClientID string
	// Parameters are the checked request as JSON, sealed by the caller.
	Parameters string
	ExpiresAt  time.Time
}

// Store keeps pushed requests. Every method joins the transaction in ctx. Safe for concurrent use by several nodes.
type Store interface {
	// PutPushed writes a request. ErrTooMany when limit is above 0 and that many of the client are open.
	PutPushed(ctx context.Context, p Request, limit int) error
	// Pushed reads one that gave no code yet, expired ones too. ErrUnknown.
	Pushed(ctx context.Context, id string) (Request, error)
	// UsePushed uses it up by one conditional statement, also when the row has gone since. Of any number of callers exactly one gets nil, the
	// others ErrUnknown.
	UsePushed(ctx context.Context, id string, at time.Time) error
	// DeletePushed forgets up to limit requests that ended before now.
	DeletePushed(ctx context.Context, now time.Time, limit int) (int64, error)
}
