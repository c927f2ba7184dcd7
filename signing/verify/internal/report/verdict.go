package report

import (
	"maps"
	"slices"
	"time"
)

// Verdict is the judgement on one presentation. Only Verify makes one that says anything: the zero Verdict is "cannot
// tell", and nothing outside of signing/verify can fill it.
type Verdict struct{ r Report }

// Outcome is the verdict in one word.
func (v Verdict) Outcome() Outcome { return v.r.Word() }

// ExitCode is the exit code of the command line: 0 valid, 2 invalid, 3 cannot tell.
func (v Verdict) ExitCode() int {
	switch v.Outcome() {
	case Valid:
		return 0
	case Invalid:
		return 2
	}
	return 3
}

// Reason is the code of the check that decided; "ok" for a valid one.
func (v Verdict) Reason() string { return v.r.Reason }

// Checks are the checks in their order.
func (v Verdict) Checks() []Check { return slices.Clone(v.r.Checks) }

// Check returns one check; the zero Check when there is none of this name.
func (v Verdict) Check(name CheckName) Check { return v.r.Check(name) }

// VCT is the credential's type; empty when it couldn't be read.
func (v Verdict) VCT() string { return v.r.VCT }

// DocType is the document type of an mdoc, whose Claims are elements by namespace; empty for an SD-JWT VC.
func (v Verdict) DocType() string { return v.r.DocType }

// Issuer is the issuer as the bundle knows it; false before chain and authorisation passed.
func (v Verdict) Issuer() (Issuer, bool) {
	if v.r.Issuer == nil {
		return Issuer{}, false
	}
	return *v.r.Issuer, true
}

// Claims are what the holder showed, without the registered claims. They are empty unless signature, chain and
// authorisation passed and nothing failed: what nobody vouches for is not to be shown on a screen.
func (v Verdict) Claims() map[string]any { return maps.Clone(v.r.Claims) }

// NotDisclosed are the claims that the type knows and that weren't shown, as dotted paths. Whether the issuer ever made
// them can't be told apart, on purpose.
func (v Verdict) NotDisclosed() []string { return v.r.NotDisclosed() }

// TrustPath is the chain of certificates from the root, or the anchor, to the issuer's.
func (v Verdict) TrustPath() []Certificate { return slices.Clone(v.r.Path) }

// Status is what the status list said; false when nothing is known.
func (v Verdict) Status() (Status, bool) {
	if v.r.Status == nil {
		return Status{}, false
	}
	return *v.r.Status, true
}

// Bundle is which bundle was used; false when there was none.
func (v Verdict) Bundle() (Bundle, bool) {
	if v.r.Bundle == nil {
		return Bundle{}, false
	}
	return *v.r.Bundle, true
}

// Sheet is the verdict in one language and in parts, for pages: the words of Text, set by somebody else.
func (v Verdict) Sheet(lang string) Sheet { return v.r.Sheet(lang) }

// At is the time of the judgement.
func (v Verdict) At() time.Time { return v.r.At }

// JSON is the verdict as one line of JSON, snake_case, in a stable order: same input, same bytes.
func (v Verdict) JSON() []byte { return v.r.JSON() }

// MarshalJSON is JSON.
func (v Verdict) MarshalJSON() ([]byte, error) { return v.r.JSON(), nil }

// Text is the verdict for a person at a counter: the word first, then who issued it, how old the knowledge is, what was
// shown and what wasn't, every check, and what to do next. lang is "zh" or "en"; anything else is English. Times are Beijing
// time.
func (v Verdict) Text(lang string) string { return v.r.Text(lang) }

// Conclude makes the verdict of a report whose checks must be those of order. It is the only place where a Verdict comes from, and it believes nothing but
// their results: a check that is missing, doubled, out of place or has no known result can't lead to "valid". describe adds what the report says besides.
func Conclude(v Report, order []CheckName, describe func(*Report)) Verdict {
	v.Outcome, v.Reason = Valid, ReasonOK
	if len(v.Checks) != len(order) {
		v.Outcome, v.Reason = CannotTell, ReasonNotChecked
	}
	for i, c := range v.Checks {
		known := i < len(order) && c.Name == order[i]
		switch {
		case known && c.Result == Pass:
		case c.Result == Fail:
			if v.Outcome != Invalid {
				v.Outcome, v.Reason = Invalid, c.Reason
			}
		case v.Outcome == Valid || v.Outcome == CannotTell && c.Name == CheckBundle:
			v.Outcome, v.Reason = CannotTell, c.Reason // the bundle explains most of what isn't known
		}
	}
	describe(&v)
	return Verdict{r: v}
}
