package eseal

import (
	"context"
	"time"
)

// Seal is a seal as it is stored.
type Seal struct {
	ID, Maker, Owner, OwnerName string
	Kind, Name                  string
	DocumentKinds               []string
	// ValidFrom and ValidTo are days in Beijing, both included.
	ValidFrom, ValidTo string
	// Payload is the credential's JWT payload, the bytes that are signed; PayloadHash its SHA-256 in hex.
	Payload, PayloadHash string
	// Credential is the SD-JWT VC; "" until it was signed.
	Credential           string
	State                State
	StateSince           time.Time
	Seq                  int64
	CreatedAt, UpdatedAt time.Time
}

// Change is one row of a seal's history.
type Change struct {
	SealID string
	// Seq counts from 1 within the seal; 1 is its issue.
	Seq       int64
	Operation string
	From, To  State
	Reason    string
	// EffectiveAt is in whole seconds, never before the one of the row before.
	EffectiveAt, RecordedAt time.Time
	// ProposedBy and ApprovedBy are the client ids of the two people.
	ProposedBy, ApprovedBy string
}

// Request is what one person proposed.
type Request struct {
	ID, SealID   string
	Maker, Owner string
	Operation    string
	// Content is JSON: an IssueContent or a ChangeContent. ContentHash tells one proposal from another.
	Content, ContentHash string
	// Organisation and ProposedBy are who proposed.
	Organisation, ProposedBy string
	ProposedAt, ExpiresAt    time.Time
	// Decision is "" while open, then "approved", "refused" or "expired".
	Decision, DecidedBy string
	DecidedAt           time.Time
}

// Decisions on a request.
const (
	Approved = "approved"
	Refused  = "refused"
)

// StoredPicture is a seal's picture.
type StoredPicture struct {
	SealID, MediaType, SHA256 string
	Body                      []byte
}

// Use is one use of a seal.
type Use struct {
	// Organisation and RequestID together name the use.
	Organisation, RequestID string
	SealID                  string
	ContentHash             string
	// Digest is the document's SHA-256 in hex.
	Digest, DocumentKind, FileName, MediaType string
	// Protected is the exact protected header that was, or may yet be, signed.
	Protected string
	ClientID  string
	UsedAt    time.Time
}

// Filter selects seals of an organisation, as owner or maker, in order of ID.
type Filter struct {
	Organisation string
	After        string
	Limit        int
}

// Store keeps seals, their history, requests and uses. All methods join the transaction in ctx, are safe for concurrent use on any number of nodes, and
// are durable when the transaction commits.
type Store interface {
	// Propose adds a request. ErrExists when the same person has the same content open; then Open finds it. An open request of that kind whose time is
	// over at r.ProposedAt makes room.
	Propose(ctx context.Context, r Request) error
	// Open returns a person's open request by content. ErrNoRequest.
	Open(ctx context.Context, proposedBy, contentHash string) (Request, error)
	// Request returns ErrNoRequest for an unknown id.
	Request(ctx context.Context, id string) (Request, error)
	// Requests returns the open requests that have not expired at the time, of an organisation's seals, oldest first. OpIssue is the maker's alone: what
	// makers propose for an owner mustn't push the owner's own requests over the limit.
	Requests(ctx context.Context, organisation string, at time.Time, limit int) ([]Request, error)
	// Decide decides a request by one conditional statement: it is open, has not expired, and somebody else proposed it. Of any number of callers
	// one gets nil, the others ErrDecided; the caller finds out why.
	Decide(ctx context.Context, id, decision, by string, at time.Time) error

	// Insert adds a seal and the first row of its history. ErrExists.
	Insert(ctx context.Context, s Seal, first Change) error
	// Get returns ErrNotFound for an unknown id.
	Get(ctx context.Context, id string) (Seal, error)
	List(ctx context.Context, f Filter) ([]Seal, error)
	// Lock keeps a seal from being changed or used by others until the transaction in ctx ends, if it still has this Seq; else ErrStale.
	Lock(ctx context.Context, id string, seq int64) error
	// SetState moves the seal to c.To if it still is in c.From with Seq c.Seq-1, and adds c to its history; else ErrStale.
	SetState(ctx context.Context, c Change) error
	// SetCredential stores the signed credential unless there is one already; then it changes nothing.
	SetCredential(ctx context.Context, id, credential string) error
	// History returns a seal's changes, oldest first.
	History(ctx context.Context, id string) ([]Change, error)

	// Hold returns ErrNotActive unless the seal is active, ErrStale if it no longer has this Seq, and keeps both so until the transaction in ctx
	// ends (a conditional UPDATE that changes nothing): a suspension that comes meanwhile waits. ErrNotFound.
	Hold(ctx context.Context, id string, seq int64) error
	// InsertUse adds a use. ErrExists if the organisation used the request id before.
	InsertUse(ctx context.Context, u Use) error
	// UseOf returns ErrNotFound if the organisation never used the request id.
	UseOf(ctx context.Context, organisation, requestID string) (Use, error)
	// LastUse is the time of a seal's newest use; zero if there is none.
	LastUse(ctx context.Context, sealID string) (time.Time, error)
	// Uses returns a seal's uses, newest first.
	Uses(ctx context.Context, sealID string, limit int) ([]Use, error)

	// PutPicture stores the picture of a seal that is proposed. Picture returns ErrNotFound when there is none.
	PutPicture(ctx context.Context, p StoredPicture) error
	Picture(ctx context.Context, sealID string) (StoredPicture, error)

	// Version counts the changes of a maker's seals; AllOf returns those seals with their histories, in order of ID.
	Version(ctx context.Context, maker string) (int64, error)
	AllOf(ctx context.Context, maker string) ([]SealHistory, error)
}

// SealHistory is what the trust bundle says of a seal.
type SealHistory struct {
	ID, PayloadHash string
	Changes         []Change
}
