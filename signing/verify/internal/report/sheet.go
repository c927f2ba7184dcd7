package report

import (
	"cmp"
	"fmt"
	"slices"
)

// Sheet is the report in one language and in parts, for a page that sets them by itself. Sheet and Text say the same words; foreign text in it was
// made harmless for a terminal, not for HTML.
type Sheet struct {
	// Word is the outcome, Reason the sentence that explains it, Type the name of the licence's type; empty when the bundle doesn't know it.
	Word, Reason, Type string
	// Issuer is the issuer's name; empty when it isn't proven.
	Issuer string
	// Status, Bundle and Checked say how old the knowledge is, StatusAge and BundleAge the age alone (empty when unknown), Notes what else to know.
	Status, Bundle, Checked string
	StatusAge, BundleAge    string
	Notes                   []string
	// Shown are the claims in the order of their type, Hidden the labels of those that weren't disclosed.
	Shown  []Shown
	Hidden []string
	Checks []Judged
	Steps  []Step
}

// Shown is one claim. Picture is the data URL of a claim that is one, of an image type that browsers draw as nothing but an image; Value then says so in words.
type Shown struct{ Name, Label, Value, Picture string }

// Judged is one check in words.
type Judged struct {
	Check
	Label, Said string
	// Age says how old the moment is that the result is about; empty where it has none.
	Age string
}

// Step is what to do next. ID names it: a page may have a button for it.
type Step struct{ ID, Text string }

// labels are the names of checks for people, where the word in Text is the one of the JSON.
var labels = map[string]map[CheckName]string{"en": {CheckParse: "Format", CheckSignature: "Signature", CheckChain: "Chain", CheckIssuerAuthorised: "Authority",
	CheckTime: "Dates", CheckStatus: "Status", CheckTypeMetadata: "Type", CheckHolder: "Holder", CheckBundle: "Trust bundle"}}

// Sheet returns the report in parts; lang as in Text.
func (v Report) Sheet(lang string) Sheet {
	t := writer(lang)
	s := Sheet{Word: t.w[string(v.Word())], Reason: t.reason(v.Reason), Type: t.local(v.TypeName), Checked: t.clock(v.At)}
	if v.Issuer != nil {
		s.Issuer = t.local(v.Issuer.Name)
	}
	s.Status, s.Bundle = t.status(v), t.bundle(v)
	if v.Status != nil {
		s.StatusAge = t.age(v.At.Sub(v.Status.At))
	}
	if v.Bundle != nil {
		s.BundleAge = t.age(v.At.Sub(v.Bundle.At))
	}
	for _, n := range v.Notes {
		s.Notes = append(s.Notes, t.w[n])
	}
	for _, c := range v.rows() {
		s.Shown = append(s.Shown, Shown{Name: c.name, Label: t.label(v, c.name), Value: printable(plain(c.value)), Picture: drawable(c.value)})
	}
	for _, h := range v.Hidden {
		s.Hidden = append(s.Hidden, t.hidden(h))
	}
	for _, c := range v.Checks {
		s.Checks = append(s.Checks, t.judged(v, c))
	}
	for _, step := range v.nextSteps() {
		s.Steps = append(s.Steps, Step{ID: step, Text: t.w[step]})
	}
	return s
}

func (t *textWriter) judged(v Report, c Check) Judged {
	j := Judged{Check: c, Label: labels[t.lang][c.Name], Said: t.reason(c.Reason)}
	if j.Label == "" {
		j.Label = t.w["check_"+string(c.Name)]
	}
	if c.Reason == ReasonOK {
		j.Said = t.fine(v, c.Name)
	}
	if !c.AsOf.IsZero() && !c.AsOf.Equal(v.At.UTC()) {
		j.Age = t.age(v.At.Sub(c.AsOf))
	}
	return j
}

func (t *textWriter) status(v Report) string {
	if v.Status == nil {
		return t.w["status_none"]
	}
	return fmt.Sprintf(t.w["status_value"], t.w["value_"+v.Status.Value], t.clock(v.Status.At), t.age(v.At.Sub(v.Status.At)))
}

func (t *textWriter) bundle(v Report) string {
	b := v.Bundle
	if b == nil {
		return t.w["bundle_none"]
	}
	return fmt.Sprintf(t.w["bundle_value"], b.Version, t.clock(b.At), t.age(v.At.Sub(b.At)), t.clock(b.End))
}

func (t *textWriter) label(v Report, name string) string {
	if label := t.local(v.Labels[name]); label != "" {
		return label
	}
	return printable(name)
}

func (t *textWriter) hidden(h Hidden) string {
	if label := t.local(h.Labels); label != "" {
		return label
	}
	return printable(h.Path)
}

// row is one claim that was shown.
type row struct {
	name  string
	value any
}

// rows are the claims that were shown: those that the type knows in its order, then the others by name. Of an mdoc they are the elements, whose
// names may come twice, in different namespaces.
func (v Report) rows() []row {
	var rows []row
	for name, value := range v.Claims {
		elements, nested := value.(map[string]any)
		if v.DocType == "" || !nested {
			rows = append(rows, row{name, value})
			continue
		}
		for id, element := range elements {
			rows = append(rows, row{id, element})
		}
	}
	rank := func(name string) int {
		if i := slices.Index(v.TypeOrder, name); i >= 0 {
			return i
		}
		return len(v.TypeOrder)
	}
	slices.SortFunc(rows, func(a, b row) int {
		return cmp.Or(cmp.Compare(rank(a.name), rank(b.name)), cmp.Compare(a.name, b.name), cmp.Compare(plain(a.value), plain(b.value)))
	})
	return rows
}

// Words is an outcome in Chinese and English.
func Words(o Outcome) (zh, en string) { return words["zh"][string(o)], words["en"][string(o)] }

// ReasonWords is a reason in Chinese and English; the code itself when there are no words for it.
func ReasonWords(code string) (zh, en string) {
	return writer("zh").reason(code), writer("en").reason(code)
}
