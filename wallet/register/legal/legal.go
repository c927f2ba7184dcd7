// Package legal is the law of licences as data (legal.json): states with what they mean for credentials and holders, acts that move a licence from
// one to another, and acts by which a new licence follows an old one. Pure.
//
// A boolean "revoked" is not enough: 撤销, 注销, 吊销, 暂扣 and 失效 have different effects in administrative law.
package legal

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
)

//go:embed legal.json
var file []byte

// Status is the legal state of a licence (certState), by the two-digit codes of the licence data standards.
type Status string

// The states.
const (
	Valid          Status = "01" // 有效
	Withheld       Status = "02" // 暂扣
	Annulled       Status = "03" // 撤销: should not have been granted
	Cancelled      Status = "04" // 注销: wound up
	Lapsed         Status = "05" // 失效
	TransferredOut Status = "06" // 办理转出
	Revoked        Status = "07" // 吊销: as a penalty
	Other          Status = "99" // the reason says what
)

// Words are a text in both languages.
type Words struct {
	ZH string `json:"zh"`
	EN string `json:"en"`
}

// StatusInfo describes a state for people and programs.
type StatusInfo struct {
	Status Status `json:"code"`
	// Name is the stable word of our API; ZH and EN are for people.
	Name string `json:"name"`
	ZH   string `json:"zh"`
	EN   string `json:"en"`
	// Token is the value in a token status list: 0 valid, 1 invalid, 2 suspended. Other values would tell why (docs/trust.md 3).
	Token uint8 `json:"token"`
	// Final: no act follows.
	Final bool `json:"final,omitempty"`
	// Holder is what the holder's page says of it.
	Holder Words `json:"holder"`
}

// Operation is a legal act on a licence.
type Operation struct {
	// Name is the word of the API and the command line; Code the operation code of the licence data standards.
	Name string   `json:"name"`
	Code string   `json:"code"`
	ZH   string   `json:"zh"`
	EN   string   `json:"en"`
	From []Status `json:"from"`
	// To is the state of the licence after the act; of the old one, where a new one follows.
	To Status `json:"to"`
	// Undo names the act that takes it back, if there is one.
	Undo string `json:"undo,omitempty"`
	// Retroactive: the licence counts as never valid, so the act may take effect before what was done with it.
	Retroactive bool `json:"retroactive,omitempty"`
	// SameHolder and OtherAuthority are conditions of a succession.
	SameHolder     bool `json:"same_holder,omitempty"`
	OtherAuthority bool `json:"other_authority,omitempty"`
	// Effect says in law what it does.
	Effect Words `json:"effect"`
}

// table is the file.
type table struct {
	States      []StatusInfo `json:"states"`
	Operations  []Operation  `json:"operations"`
	Successions []Operation  `json:"successions"`
}

var law = read()

// Statuses is the table of all states, Operations that of acts on an existing licence, Successions that of acts by which a new licence follows an
// old one. Import is operation 01. Cancellation (注销) is open to annulled, lapsed and revoked licences too: it is the formal end that
// follows them, and the journal keeps what went before.
var (
	Statuses    = law.States
	Operations  = law.Operations
	Successions = law.Successions
)

// read panics on a broken file, which is part of the program.
func read() table {
	var t table
	d := json.NewDecoder(bytes.NewReader(file))
	d.DisallowUnknownFields()
	if err := d.Decode(&t); err != nil {
		panic(fmt.Sprintf("legal: %v", err))
	}
	return t
}

// Info returns the description of a state; an unknown code counts as invalid, never as valid.
func (s Status) Info() StatusInfo {
	for _, i := range Statuses {
		if i.Status == s {
			return i
		}
	}
	return StatusInfo{Status: s, Name: "unknown", ZH: "未知", EN: "unknown", Token: 1}
}

// Find finds an act by its name.
func Find(acts []Operation, name string) (Operation, bool) {
	i := slices.IndexFunc(acts, func(o Operation) bool { return o.Name == name })
	if i < 0 {
		return Operation{}, false
	}
	return acts[i], true
}

// Allows says whether the act is lawful on a licence in this state.
func (o Operation) Allows(from Status) bool { return slices.Contains(o.From, from) }
