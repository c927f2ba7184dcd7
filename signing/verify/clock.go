package verify

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/hufu-id/hufu/signing/verify/internal/report"
)

func (r *run) checkBundle() Check { return r.clock.Check }

// date reads a NumericDate claim; sdjwt has checked its form.
func (r *run) date(name string) (time.Time, bool) {
	return Date(r.claims, name)
}

// Date reads a NumericDate of processed claims; false when there is none.
func Date(claims map[string]any, name string) (time.Time, bool) {
	n, ok := claims[name].(json.Number)
	if !ok {
		return time.Time{}, false
	}
	s, err := n.Int64()
	if err != nil {
		return time.Time{}, false
	}
	return time.Unix(s, 0).UTC(), true
}

// checkTime judges exp, nbf and iat, and the legal term of a licence.
func (r *run) checkTime() Check {
	if r.clock.Fact == nil {
		return unknown(report.ReasonNoBundle, "nothing confirms the clock").AsAt(r.at)
	}
	for _, end := range []struct{ claim, reason string }{{"exp", report.ReasonExpired}, {"valid_to", report.ReasonTermOver}} {
		t, ok := r.date(end.claim)
		if end.claim == "valid_to" {
			t, ok = r.termDay("valid_to", 1)
		}
		if !ok {
			continue
		}
		certain, claimed := r.clock.Over(t, r.at)
		if certain {
			return fail(end.reason, fmt.Sprintf("%s: ended at %s", end.claim, report.Stamp(t))).AsAt(r.at)
		}
		if claimed {
			return unknown(report.ReasonClockUnsure, fmt.Sprintf("%s: over by this clock (%s), but nothing confirms the clock", end.claim,
				report.Stamp(r.at))).AsAt(r.at)
		}
	}
	for _, claim := range []string{"nbf", "iat", "valid_from"} {
		t, ok := r.date(claim)
		if claim == "valid_from" {
			t, ok = r.termDay(claim, 0)
		}
		if !ok || !t.After(r.at.Add(leeway)) {
			continue
		}
		if !r.clock.Sure {
			return unknown(report.ReasonClockUnsure, fmt.Sprintf("%s lies after this clock's %s, but the clock is wrong", claim,
				report.Stamp(r.at))).AsAt(r.at)
		}
		return fail(report.ReasonNotYet, fmt.Sprintf("%s: not before %s", claim, report.Stamp(t))).AsAt(r.at)
	}
	if !r.clock.Sure {
		return unknown(report.ReasonClockUnsure, "within its dates by this clock, but nothing confirms the clock").AsAt(r.at)
	}
	return pass("within its dates").AsAt(r.at)
}

// termDay reads the legal first or last day of a licence ("2032-05-12"), which is another thing than the technical exp:
// a copy refreshed yesterday must not outlive the licence. plus 1 gives the end of the day. Other forms
// ("long term") set no limit.
func (r *run) termDay(claim string, plus int) (time.Time, bool) {
	text, ok := r.claims[claim].(string)
	if !ok {
		return time.Time{}, false
	}
	day, err := time.ParseInLocation(time.DateOnly, text, report.Beijing)
	if err != nil {
		return time.Time{}, false
	}
	return day.AddDate(0, 0, plus), true
}
