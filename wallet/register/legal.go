package register

import (
	"errors"
	"slices"
	"time"
)

// LegalStatus is the legal state of a licence (certState), by the two-digit codes of the licence data standards.
type LegalStatus string

// The states. Administrative law tells apart what a status list shows as one value: the effect of each is different.
const (
	StatusValid          LegalStatus = "01" // 有效
	StatusWithheld       LegalStatus = "02" // 暂扣
	StatusAnnulled       LegalStatus = "03" // 撤销: should not have been granted
	StatusCancelled      LegalStatus = "04" // 注销: wound up
	StatusLapsed         LegalStatus = "05" // 失效
	StatusTransferredOut LegalStatus = "06" // 办理转出
	StatusRevoked        LegalStatus = "07" // 吊销: as a penalty
	StatusOther          LegalStatus = "99" // the reason says what
)

// StatusInfo describes a state for people and programs.
type StatusInfo struct {
	Status LegalStatus
	// Name is the stable word of our API; ZH and EN are for people.
	Name, ZH, EN string
	// Token is the value in a token status list: 0 valid, 1 invalid, 2 suspended. Other values would tell why (docs/trust.md 3).
	Token uint8
}

// Statuses is the table of all states.
var Statuses = []StatusInfo{
	{StatusValid, "valid", "有效", "valid", 0},
	{StatusWithheld, "withheld", "暂扣", "withheld", 2},
	{StatusAnnulled, "annulled", "撤销", "annulled", 1},
	{StatusCancelled, "cancelled", "注销", "cancelled", 1},
	{StatusLapsed, "lapsed", "失效", "lapsed", 1},
	{StatusTransferredOut, "transferred_out", "转出", "transferred out", 1},
	{StatusRevoked, "revoked", "吊销", "revoked", 1},
	{StatusOther, "other", "其他", "other", 1},
}

// Info returns the description of a state; an unknown code counts as invalid, never as valid.
func (s LegalStatus) Info() StatusInfo {
	for _, i := range Statuses {
		if i.Status == s {
			return i
		}
	}
	return StatusInfo{Status: s, Name: "unknown", ZH: "未知", EN: "unknown", Token: 1}
}

// Operation is a legal act on a licence.
type Operation struct {
	// Name is the word of the API and the command line; Code the operation code of the licence data standards.
	Name, Code string
	ZH, EN     string
	From       []LegalStatus
	To         LegalStatus
}

// Operations is the table of legal acts on an existing licence. Import is operation 01; renewal (02), transfer in (08) and change (09)
// make a new version of a licence. Cancellation (注销) is open to annulled, lapsed and revoked licences too: it is the formal end that follows
// them (Administrative Licensing Law, article 70), and the journal keeps what went before.
var Operations = []Operation{
	{"withhold", "03", "暂扣", "withhold", []LegalStatus{StatusValid}, StatusWithheld},
	{"restore", "06", "暂扣发还", "give back after withholding", []LegalStatus{StatusWithheld}, StatusValid},
	{"revoke", "05", "吊销", "revoke as a penalty", []LegalStatus{StatusValid, StatusWithheld}, StatusRevoked},
	{"annul", "05", "撤销", "annul", []LegalStatus{StatusValid, StatusWithheld, StatusLapsed}, StatusAnnulled},
	{"cancel", "05", "注销", "cancel", []LegalStatus{StatusValid, StatusWithheld, StatusAnnulled, StatusLapsed, StatusRevoked}, StatusCancelled},
	{"lapse", "04", "失效", "lapse", []LegalStatus{StatusValid, StatusWithheld}, StatusLapsed},
	{"transfer_out", "05", "转出", "transfer out", []LegalStatus{StatusValid}, StatusTransferredOut},
	{"undo_transfer_out", "10", "撤销转出", "undo the transfer out", []LegalStatus{StatusTransferredOut}, StatusValid},
	{"other", "07", "其他", "other", []LegalStatus{StatusValid, StatusWithheld}, StatusOther},
}

// OperationByName finds a legal act.
func OperationByName(name string) (Operation, bool) {
	i := slices.IndexFunc(Operations, func(o Operation) bool { return o.Name == name })
	if i < 0 {
		return Operation{}, false
	}
	return Operations[i], true
}

// Allows says whether the act is lawful on a licence in this state.
func (o Operation) Allows(from LegalStatus) bool { return slices.Contains(o.From, from) }

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
