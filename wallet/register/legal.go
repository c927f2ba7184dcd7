package register

import (
	"errors"
	"time"

	"github.com/hufu-id/hufu/wallet/register/legal"
)

// LegalStatus, StatusInfo and Operation are the law's (register/legal).
type (
	LegalStatus = legal.Status
	StatusInfo  = legal.StatusInfo
	Operation   = legal.Operation
)

// The states that programs ask for, and the tables.
const (
	StatusValid    = legal.Valid
	StatusWithheld = legal.Withheld
)

// Statuses, Operations and Successions are the tables of the law.
var (
	Statuses    = legal.Statuses
	Operations  = legal.Operations
	Successions = legal.Successions
)

// OperationByName finds a legal act on an existing licence.
func OperationByName(name string) (Operation, bool) { return legal.Find(Operations, name) }

// Change is one row of a licence's journal.
type Change struct {
	LicenceID string
	// Seq counts from 1 within the licence; 1 is the import.
	Seq       int64
	Operation string
	From, To  LegalStatus
	Reason    string
	// EffectiveAt is when the act took legal effect, RecordedAt when we learnt of it.
	EffectiveAt, RecordedAt time.Time
	// Actor is the client id of the department's system that asked.
	Actor string
}

// Why the register refused. The department API turns each into a stable code.
var (
	ErrNotFound   = errors.New("register: no such licence")
	ErrTransition = errors.New("register: the licence's state doesn't allow this act")
	ErrStale      = errors.New("register: the licence was changed by somebody else at the same time")
	ErrInvalid    = errors.New("register: invalid request")
	ErrExists     = errors.New("register: the record exists already")
	// ErrNotInForce: a credential is asked for a licence that is not valid, not yet or not any more.
	ErrNotInForce = errors.New("register: the licence is not in force")
)
