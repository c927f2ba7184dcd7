package verify

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/signing/verify/internal/report"
)

// clock is what is known about the time. The caller's clock is believed only between the moment that the bundle was made and
// the moment that it expires: a computer at a counter may say anything, and a clock set back would bring every
// expired licence to life.
type clock struct {
	fact   *report.Bundle // nil without a bundle
	check  Check          // the check "bundle"
	floor  time.Time      // now is certainly not before this; zero without a bundle
	sure   bool           // the caller's time may be believed
	behind bool           // the caller's time is before the bundle's
}

func readClock(b *bundle.Contents, p Policy, at time.Time) clock {
	if b == nil {
		return clock{check: unknown(report.ReasonNoBundle, "no trust bundle, or none that the root vouches for")}
	}
	age := at.Sub(b.AsOf)
	c := clock{floor: b.AsOf, fact: &report.Bundle{Version: b.Version, Digest: b.Digest, AsOf: report.Stamp(b.AsOf), Expires: report.Stamp(b.Expires),
		AgeSeconds: int64(age / time.Second), At: b.AsOf, End: b.Expires}}
	switch {
	case age < -bundle.ClockLeeway:
		c.behind = true
		c.check = unknown(report.ReasonClockBehind, fmt.Sprintf("the clock says %s, but the bundle was made at %s: the clock is wrong",
			report.Stamp(at), report.Stamp(b.AsOf)))
	case !at.Before(b.Expires):
		c.check = unknown(report.ReasonStaleBundle, fmt.Sprintf("the bundle expired at %s: get a newer one, or check the clock (%s)",
			report.Stamp(b.Expires), report.Stamp(at)))
	case p.BundleMaxAge > 0 && age > p.BundleMaxAge:
		c.sure = true
		c.check = unknown(report.ReasonOldBundle, fmt.Sprintf("the bundle is %s old, more than %s", age.Round(time.Second), p.BundleMaxAge))
	default:
		c.sure = true
		c.check = pass(fmt.Sprintf("version %d, good until %s", b.Version, report.Stamp(b.Expires)))
	}
	c.check = c.check.AsAt(b.AsOf)
	return c
}

func (r *run) checkBundle() Check { return r.clock.check }

// over reports whether the moment end has passed: certainly, or only if the caller's clock is right.
func (c clock) over(end, at time.Time) (certain, claimed bool) {
	claimed = !at.Before(end)
	return claimed && c.sure || !c.floor.IsZero() && !c.floor.Before(end), claimed
}

// date reads a NumericDate claim; sdjwt has checked its form.
func (r *run) date(name string) (time.Time, bool) {
	n, ok := r.claims[name].(json.Number)
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
	if r.clock.fact == nil {
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
		certain, claimed := r.clock.over(t, r.at)
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
		if !r.clock.sure {
			return unknown(report.ReasonClockUnsure, fmt.Sprintf("%s lies after this clock's %s, but the clock is wrong", claim,
				report.Stamp(r.at))).AsAt(r.at)
		}
		return fail(report.ReasonNotYet, fmt.Sprintf("%s: not before %s", claim, report.Stamp(t))).AsAt(r.at)
	}
	if !r.clock.sure {
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
