package report

import (
	"bytes"
	"encoding/json"
	"time"
)

// Check is the outcome of one check.
type Check struct {
	Name   CheckName
	Result Result
	// Reason is a stable code ("revoked", "stale_bundle", "ok"), Detail a sentence in English without claim values.
	Reason string
	Detail string
	// AsOf is the moment that the result is about; zero where it has none.
	AsOf time.Time
}

// AsAt returns the check with the moment that it is about.
func (c Check) AsAt(t time.Time) Check {
	c.AsOf = t.UTC()
	return c
}

// Yes makes a check that passed.
func Yes(detail string) Check { return Check{Result: Pass, Reason: ReasonOK, Detail: detail} }

// No makes a check that failed.
func No(reason, detail string) Check { return Check{Result: Fail, Reason: reason, Detail: detail} }

// Unclear makes a check that can't be decided.
func Unclear(reason, detail string) Check {
	return Check{Result: Unknown, Reason: reason, Detail: detail}
}

// Issuer is who issued the credential, as the bundle knows it.
type Issuer struct {
	ID   string            `json:"id"`
	Code string            `json:"code"`
	Name map[string]string `json:"name"`
}

// Status is what the status list said.
type Status struct {
	URI        string `json:"uri"`
	Index      int64  `json:"index"`
	Value      string `json:"value"`
	AsOf       string `json:"as_of"`
	AgeSeconds int64  `json:"age_seconds"`
	Expires    string `json:"expires,omitempty"`

	At time.Time `json:"-"`
}

// Bundle is which bundle was used.
type Bundle struct {
	Version    int64  `json:"version"`
	Digest     string `json:"digest,omitempty"`
	AsOf       string `json:"as_of"`
	Expires    string `json:"expires"`
	AgeSeconds int64  `json:"age_seconds"`

	At  time.Time `json:"-"`
	End time.Time `json:"-"`
}

// Certificate is one link of the trust path.
type Certificate struct {
	Subject   string `json:"subject"`
	SHA256    string `json:"sha256"`
	NotBefore string `json:"not_before"`
	NotAfter  string `json:"not_after"`
}

// Hidden is a claim that the type knows and that wasn't shown.
type Hidden struct {
	Path   string
	Labels map[string]string // by language
}

// NoteNewer: a newer bundle than the one used was installed before.
const NoteNewer = "a newer bundle was seen on this machine"

// Report is everything that a verdict says. The zero Report says "cannot tell".
type Report struct {
	Outcome Outcome
	Reason  string
	At      time.Time
	Checks  []Check
	VCT     string
	// DocType is the document type of an mdoc; then Claims are its elements by namespace.
	DocType  string
	TypeName map[string]string
	Issuer   *Issuer
	Claims   map[string]any
	Hidden   []Hidden
	Labels   map[string]map[string]string // of claims that were shown, by name and language
	// TypeOrder are the type's claims in its own order, for people; the JSON is sorted by name.
	TypeOrder []string
	Path      []Certificate
	Status    *Status
	Bundle    *Bundle
	Holder    string
	Notes     []string
	// Sealed says that a sealed file was judged; Seal is set when somebody vouches for the seal.
	Sealed bool
	Seal   *Seal
}

// Seal is the seal of a sealed file.
type Seal struct {
	ID            string        `json:"id"`
	Kind          string        `json:"kind"`
	Name          string        `json:"name"`
	Owner         Owner         `json:"owner"`
	DocumentKind  string        `json:"document_kind"`
	DocumentKinds []string      `json:"document_kinds"`
	DocumentName  string        `json:"document_name"` // what the signer called the file; not sealed
	ValidFrom     string        `json:"valid_from"`
	ValidTo       string        `json:"valid_to"`
	Signer        Signer        `json:"signer"`
	MakerPath     []Certificate `json:"maker_path"`
	ClaimedTime   string        `json:"claimed_time"`
	TimeTrusted   bool          `json:"time_trusted"` // false: there are no timestamps yet
	StateThen     string        `json:"state_then,omitempty"`
	StateNow      string        `json:"state_now,omitempty"`
	States        []SealState   `json:"states,omitempty"`

	Claimed, Since time.Time `json:"-"`
}

// Owner is whose seal it is.
type Owner struct {
	Code string `json:"code"`
	Name string `json:"name"`
}

// Signer is the certificate that was used.
type Signer struct {
	Subject string `json:"subject"`
	SHA256  string `json:"sha256"`
}

// SealState is one entry of a seal's history.
type SealState struct {
	State       string `json:"state"`
	EffectiveAt string `json:"effective_at"`
	RecordedAt  string `json:"recorded_at"`
}

// Word is the outcome; "cannot tell" when none was set.
func (r Report) Word() Outcome {
	if r.Outcome == "" {
		return CannotTell
	}
	return r.Outcome
}

// Check returns one check; the zero Check when there is none of this name.
func (r Report) Check(name CheckName) Check {
	for _, c := range r.Checks {
		if c.Name == name {
			return c
		}
	}
	return Check{}
}

// NotDisclosed are the paths of Hidden.
func (r Report) NotDisclosed() []string {
	out := make([]string, len(r.Hidden))
	for i, h := range r.Hidden {
		out[i] = h.Path
	}
	return out
}

type checkJSON struct {
	Name   CheckName `json:"name"`
	Result Result    `json:"result"`
	Reason string    `json:"reason"`
	Detail string    `json:"detail,omitempty"`
	AsOf   string    `json:"as_of,omitempty"`
}

// JSON is the report as one line of JSON, snake_case, in a stable order: same input, same bytes.
func (r Report) JSON() []byte {
	view := struct {
		Verdict      Outcome           `json:"verdict"`
		Reason       string            `json:"reason"`
		At           string            `json:"at"`
		VCT          string            `json:"vct,omitempty"`
		DocType      string            `json:"doc_type,omitempty"`
		TypeName     map[string]string `json:"type_name,omitempty"`
		Issuer       *Issuer           `json:"issuer,omitempty"`
		Seal         *Seal             `json:"seal,omitempty"`
		Checks       []checkJSON       `json:"checks"`
		Claims       map[string]any    `json:"claims,omitempty"`
		NotDisclosed []string          `json:"not_disclosed"`
		TrustPath    []Certificate     `json:"trust_path"`
		Holder       string            `json:"holder_key,omitempty"`
		Status       *Status           `json:"status,omitempty"`
		Bundle       *Bundle           `json:"bundle,omitempty"`
		Notes        []string          `json:"notes,omitempty"`
	}{
		r.Word(), r.Reason, Stamp(r.At), r.VCT, r.DocType, r.TypeName, r.Issuer, r.Seal, make([]checkJSON, len(r.Checks)), r.Claims,
		r.NotDisclosed(), append([]Certificate{}, r.Path...), r.Holder, r.Status, r.Bundle, r.Notes,
	}
	for i, c := range r.Checks {
		view.Checks[i] = checkJSON{c.Name, c.Result, c.Reason, c.Detail, Stamp(c.AsOf)}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(view); err != nil { // only JSON types are in it
		return []byte(`{"verdict":"cannot_tell","reason":"internal"}`)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// Stamp writes a time in UTC to the second; empty for the zero time.
func Stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

// Beijing is the legal time of licences and of people who read reports.
var Beijing = time.FixedZone("UTC+8", 8*60*60)
