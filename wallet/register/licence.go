package register

import (
	"strings"
	"time"

	"github.com/hufu-id/hufu/wallet/register/licencetype"
)

// Licence is a record of the register: one e-licence (电子证照) that an authority granted to one holder.
type Licence struct {
	// ID is the licence identifier of GB/T 36904, assigned here when the record is imported.
	ID string
	// TypeID names the LicenceType, such as "driving-licence".
	TypeID string
	// TypeVersion is the version of the type that the record was checked against.
	TypeVersion int
	// Issuer is the issuing authority's unified social credit code; only that authority sees and changes the record.
	Issuer string
	// RecordNumber is the authority's own number of the record; (Issuer, TypeID, RecordNumber) is unique.
	RecordNumber string
	Holder       Holder
	// Fields holds the type's own fields, checked against LicenceType.Fields: strings, and lists of strings as []string.
	Fields map[string]any
	// ValidFrom and ValidTo bound the legal validity; both days belong to it. An empty ValidTo means for the long term (长期).
	ValidFrom, ValidTo Date

	// Predecessor and Successor are the licences before and after this one; empty for none.
	Predecessor, Successor string

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

// Value returns what a claim source of a LicenceType stands for, nil if the licence doesn't have it.
func (l Licence) Value(source string) any {
	text := ""
	switch source {
	case "licence.id":
		text = l.ID
	case "licence.valid_from":
		text = string(l.ValidFrom)
	case "licence.valid_to":
		text = string(l.ValidTo)
	case "holder.name":
		text = l.Holder.Name
	case "holder.code":
		text = l.Holder.Code
	case "representative.name":
		if l.Holder.Representative != nil {
			text = l.Holder.Representative.Name
		}
	default:
		name, _ := strings.CutPrefix(source, "fields.")
		return l.Fields[name]
	}
	if text == "" {
		return nil
	}
	return text
}

// Holder is whom a licence was granted to.
type Holder struct {
	Name string `json:"name"`
	// Code is the number of the holder's document and CodeType its kind: "111" resident identity card, "001" credit code. GB/T 36903.
	Code     string `json:"code"`
	CodeType string `json:"code_type"`
	// Reference is the authority's own reference for the holder, unique only within that authority.
	Reference string `json:"reference,omitempty"`
	// Representative acts for an organisation: she finds its licences among her own and may take them into a wallet.
	Representative *Representative `json:"representative,omitempty"`
}

// Representative is who acts for a holder that is an organisation (法定代表人).
type Representative struct {
	Name     string `json:"name"`
	Code     string `json:"code"`
	CodeType string `json:"code_type"`
}

// HeldBy says whether the licence is that of the bearer of a document: she is the holder, or acts for it.
func (l Licence) HeldBy(codeType, code string) bool {
	if codeType == "" || code == "" {
		return false
	}
	r := l.Holder.Representative
	return l.Holder.CodeType == codeType && l.Holder.Code == code || r != nil && r.CodeType == codeType && r.Code == code
}

// Date is a civil day, YYYY-MM-DD, in China Standard Time. The empty Date is none.
type Date = licencetype.Date

// InForce says whether the licence may be relied on at an instant: its status is valid and the day lies within its validity. A
// credential is issued only for a licence in force; the caller must ask again in the transaction that issues, and status.Allocate
// refuses a licence whose status entries were already flipped.
func (l Licence) InForce(at time.Time) bool {
	day := licencetype.DateOf(at)
	return l.Status == StatusValid && l.ValidFrom <= day && (l.ValidTo == "" || day <= l.ValidTo)
}
