// Package register is the departments' register of licences: types (licencetype), records with identifiers of GB/T 36904, and the machine of
// legal states. The department API over it is registerapi.
//
// It does not issue credentials (wallet/issuer) nor publish status lists (wallet/status); it tells the latter when a state changes, in
// the transaction of the change.
package register

import (
	"context"
	"errors"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/wallet/register/licencetype"
)

// Department is who calls the department API.
type Department struct {
	// Code is the authority's unified social credit code: the Issuer of its licences.
	Code string
	// ClientID is the system that called, for the journal and the audit trail.
	ClientID string
}

// Why Departments.Authenticate refused; wrap them. Any other error is taken for a fault of ours.
var (
	ErrUnauthenticated   = errors.New("register: no valid access token")
	ErrInsufficientScope = errors.New("register: the access token lacks the scope register")
)

// Departments tells which department an access token speaks for. The adapter validates the token and its audience and scope.
type Departments interface {
	Authenticate(ctx context.Context, bearer string) (Department, error)
}

// StatusLists is told of every change of state.
type StatusLists interface {
	// SetForLicence sets the value (0 valid, 1 invalid, 2 suspended) of every status list entry of the licence, also of those that
	// are allocated later, in the transaction in ctx.
	SetForLicence(ctx context.Context, licenceID string, value uint8) error
}

// Sealer encrypts what may not be read in a stolen database. The purpose is bound to the text: a sealed text moved to another row
// doesn't open.
type Sealer interface {
	Seal(purpose string, v any) (string, error)
	Open(purpose, text string, v any) error
}

// Config is what a Service needs. All members are required but Now.
type Config struct {
	Store  Store
	Tx     func(ctx context.Context, fn func(ctx context.Context) error) error
	Audit  func(ctx context.Context, ev audit.Event) error
	Status StatusLists
	// MayIssue says whether an authority may issue licences of a type. Without it any department could invent driving licences.
	MayIssue func(ctx context.Context, code, typeID string) (bool, error)
	Sealer   Sealer
	// IndexKey (32 bytes) keys the hashes by which records are found. It must never change.
	IndexKey []byte
	// TypeBase is where vct URLs start, without a slash at the end: TypeBase + "/types/driving-licence/1".
	TypeBase string
	Now      func() time.Time
}

// LicenceType defines a kind of licence; Field and Claim are its parts.
type (
	LicenceType = licencetype.Type
	Field       = licencetype.Field
	Claim       = licencetype.Claim
)

// Service is the register. It is safe for concurrent use and holds no state but its configuration.
type Service struct {
	cfg    Config
	types  []LicenceType // every version
	newest []LicenceType
}

// ImportRecord is a licence as a department sends it.
type ImportRecord struct {
	Type         string         `json:"type"`
	RecordNumber string         `json:"record_number"`
	Holder       Holder         `json:"holder"`
	Fields       map[string]any `json:"fields"`
	ValidFrom    string         `json:"valid_from"`
	ValidTo      string         `json:"valid_to,omitempty"`
}

// Import results of one record.
const (
	ResultCreated   = "created"
	ResultUnchanged = "unchanged"
	ResultRefused   = "refused"
)

// ImportLine reports on one record of an import.
type ImportLine struct {
	// Line counts from 1: the line of a JSONL file, the element of an array.
	Line         int    `json:"line"`
	RecordNumber string `json:"record_number,omitempty"`
	// Result is "created", "unchanged" (the same content was here already) or "refused".
	Result    string `json:"result"`
	LicenceID string `json:"licence_id,omitempty"`
	// Errors says what to change, field by field.
	Errors []FieldError `json:"errors,omitempty"`
}

// FieldError is one fault of a record.
type FieldError = licencetype.FieldError

// ImportReport sums up an import.
type ImportReport struct {
	Created   int          `json:"created"`
	Unchanged int          `json:"unchanged"`
	Refused   int          `json:"refused"`
	Records   []ImportLine `json:"records"`
}

// StatusRequest asks for a legal act.
type StatusRequest struct {
	// Operation is the name of one of Operations.
	Operation string `json:"operation"`
	// Reason is required; it is kept with the licence and shown to its holder, never published.
	Reason string `json:"reason"`
	// EffectiveAt is now if zero; never in the future, nor before the licence's validity.
	EffectiveAt time.Time `json:"effective_at,omitzero"`
}

// Query lists licences of one authority.
type Query struct {
	Issuer string
	TypeID string
	// Reference is the authority's own reference for the holder.
	Reference string
	// After continues after this licence id. Limit is 1 to 200; 0 means 50.
	After string
	Limit int
}
