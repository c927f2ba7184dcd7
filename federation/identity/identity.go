// Package identity keeps who logs in: persons, their links to accounts at provinces, and the assurance ledger (which source
// said what about them, when, and at which level).
//
// A person is found by (province, subject) and by nothing else. No claim is ever a key: not an e-mail address, not a phone
// number, not the id number. Two provinces that assert the same id number give two persons and a reported conflict, because
// otherwise the laxest province would decide who you are; joining them is a later, explicit act of the person (docs/trust.md 7).
//
// At rest claims are sealed to the person's id, subjects and document numbers are stored as keyed hashes only.
package identity

import (
	"errors"
	"io"
	"time"

	"github.com/hufu-id/hufu/federation/upstream"
)

// Errors of this package.
var (
	ErrUnknownPerson = errors.New("identity: unknown person")
	ErrDisabled      = errors.New("identity: person is disabled")
	ErrAssertion     = errors.New("identity: assertion lacks province, subject or time")
)

// DocumentState says what the person's id number is worth.
type DocumentState string

// The states of a document number. Only a proven one may open what belongs to the number's owner (licences, say).
const (
	DocumentNone     DocumentState = ""         // no province asserted one
	DocumentAsserted DocumentState = "asserted" // asserted below loa3: a register match, which proves no person
	DocumentProven   DocumentState = "proven"   // asserted at loa3 or above, and nobody else has it
	DocumentConflict DocumentState = "conflict" // another person of this server has it
)

// Person is a person as her province describes her now.
type Person struct {
	ID        string
	Province  string // whose assertion the claims are
	Claims    upstream.Claims
	Document  DocumentState
	Level     upstream.Level // of the last assertion, under the ceiling
	CreatedAt time.Time
	UpdatedAt time.Time // when the province last said something new
}

// ResidentID returns the id number when it is the person's own beyond doubt (DocumentProven), else "". What is looked up by
// id number must use this and never Claims.ResidentID.
func (p Person) ResidentID() string {
	if p.Document != DocumentProven {
		return ""
	}
	return p.Claims.ResidentID
}

// Resolved is the outcome of an assertion: whose it is and what it is worth here.
type Resolved struct {
	PersonID string
	Level    upstream.Level // min(asserted, ceiling)
	Created  bool           // first login of this account
	Conflict bool           // the asserted id number belongs to another person here
}

// Assurance is one line of the ledger: a source's statement, from when it was first made to when it was last repeated
// unchanged.
type Assurance struct {
	PersonID string
	Province string
	ACR      string // as the province wrote it
	Asserted upstream.Level
	Level    upstream.Level // under the ceiling of that time
	AMR      []string
	Digest   string // keyed hash of the claims: tells "the same" from "changed" without telling what
	FirstAt  time.Time
	LastAt   time.Time
}

// Conflict is a reported clash over one document number.
type Conflict struct {
	Document      string // keyed hash
	PersonID      string // who now asserts it
	Province      string
	OtherPersonID string // who has it, or had it until now
	OtherProvince string
	At            time.Time
}

// Sealer encrypts claims at rest; purpose is authenticated, so a value cannot be moved to another person. httpx.Sealer is one.
type Sealer interface {
	Seal(purpose string, v any) (string, error)
	Open(purpose, text string, v any) error
}

// Config is everything the service needs. IndexKey is 32 bytes that must never change, or every link is lost.
type Config struct {
	Store    Store
	Sealer   Sealer
	IndexKey []byte
	Now      func() time.Time
	Random   io.Reader
}

// Service answers who somebody is. Safe for concurrent use, on any number of nodes.
type Service struct{ cfg Config }
