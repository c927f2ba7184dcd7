package register

import (
	"fmt"
	"time"
)

// Licence is a record of the register: one e-licence (电子证照) that an authority granted to one holder.
type Licence struct {
	// ID is the licence identifier of GB/T 36904, assigned here when the record is imported.
	ID string
	// TypeID names the LicenceType, such as "driving-licence".
	TypeID string
	// Issuer is the issuing authority's unified social credit code; only that authority sees and changes the record.
	Issuer string
	// RecordNumber is the authority's own number of the record; (Issuer, TypeID, RecordNumber) is unique.
	RecordNumber string
	Holder       Holder
	// Fields holds the type's own fields, checked against LicenceType.Fields: strings, and lists of strings as []string.
	Fields map[string]any
	// ValidFrom and ValidTo bound the legal validity; both days belong to it. An empty ValidTo means for the long term (长期).
	ValidFrom, ValidTo Date

	Status LegalStatus
	// Reason is the reason given for the last change of status; empty for a licence that never changed.
	Reason string
	// StatusSince is when the status took legal effect.
	StatusSince time.Time
	// Seq counts the changes of status: the condition of the next one.
	Seq       int64
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Holder is whom a licence was granted to.
type Holder struct {
	Name string `json:"name"`
	// Code is the number of the holder's document and CodeType its kind: "111" resident identity card, "001" credit code. GB/T 36903.
	Code     string `json:"code"`
	CodeType string `json:"code_type"`
	// Reference is the authority's own reference for the holder, unique only within that authority.
	Reference string `json:"reference,omitempty"`
}

// Date is a civil day, YYYY-MM-DD, in China Standard Time. The empty Date is none.
type Date string

// chinaStandard is UTC+8 without daylight saving time, so that no time zone database is needed.
var chinaStandard = time.FixedZone("CST", 8*60*60)

// ParseDate checks that s is a day that exists, in the years 1900 to 2199.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || t.Year() < 1900 || t.Year() > 2199 {
		return "", fmt.Errorf("register: %q is not a day written YYYY-MM-DD", s)
	}
	return Date(s), nil
}

// DateOf is the civil day of an instant.
func DateOf(at time.Time) Date { return Date(at.In(chinaStandard).Format(time.DateOnly)) }

// Start is the first instant of the day; the zero time for none.
func (d Date) Start() time.Time {
	if d == "" {
		return time.Time{}
	}
	t, err := time.ParseInLocation(time.DateOnly, string(d), chinaStandard)
	if err != nil {
		return time.Time{}
	}
	return t
}

// InForce says whether the licence may be relied on at an instant: its status is valid and the day lies within its validity. A
// credential is issued only for a licence in force; the caller must ask again in the transaction that issues, and status.Allocate
// refuses a licence whose status entries were already flipped.
func (l Licence) InForce(at time.Time) bool {
	day := DateOf(at)
	return l.Status == StatusValid && l.ValidFrom <= day && (l.ValidTo == "" || day <= l.ValidTo)
}
