package verify

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/hufu-id/hufu/signing/bundle"
)

// clock is what is known about the time. The caller's clock is believed only between the moment that the bundle was made and
// the moment that it expires: a computer at a counter may say anything, and a clock set back would bring every
// expired licence to life.
type clock struct {
	fact   *BundleFact // nil without a bundle
	check  Check       // the check "bundle"
	floor  time.Time   // now is certainly not before this; zero without a bundle
	sure   bool        // the caller's time may be believed
	behind bool        // the caller's time is before the bundle's
}

func readClock(b *bundle.Contents, p Policy, at time.Time) clock {
	if b == nil {
		return clock{check: unknown(reasonNoBundle, "no trust bundle, or none that the root vouches for")}
	}
	age := at.Sub(b.AsOf)
	c := clock{floor: b.AsOf, fact: &BundleFact{Version: b.Version, Digest: b.Digest, AsOf: stamp(b.AsOf), Expires: stamp(b.Expires),
		AgeSeconds: int64(age / time.Second), asOf: b.AsOf, expires: b.Expires}}
	switch {
	case age < -bundle.ClockLeeway:
		c.behind = true
		c.check = unknown(reasonClockBehind, fmt.Sprintf("the clock says %s, but the bundle was made at %s: the clock is wrong",
			stamp(at), stamp(b.AsOf)))
	case !at.Before(b.Expires):
		c.check = unknown(reasonStaleBundle, fmt.Sprintf("the bundle expired at %s: get a newer one, or check the clock (%s)",
			stamp(b.Expires), stamp(at)))
	case p.BundleMaxAge > 0 && age > p.BundleMaxAge:
		c.sure = true
		c.check = unknown(reasonOldBundle, fmt.Sprintf("the bundle is %s old, more than %s", age.Round(time.Second), p.BundleMaxAge))
	default:
		c.sure = true
		c.check = pass(fmt.Sprintf("version %d, good until %s", b.Version, stamp(b.Expires)))
	}
	c.check = c.check.asOf(b.AsOf)
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
		return unknown(reasonNoBundle, "nothing confirms the clock").asOf(r.at)
	}
	for _, end := range []struct{ claim, reason string }{{"exp", reasonExpired}, {"valid_to", reasonTermOver}} {
		t, ok := r.date(end.claim)
		if end.claim == "valid_to" {
			t, ok = r.termDay("valid_to", 1)
		}
		if !ok {
			continue
		}
		certain, claimed := r.clock.over(t, r.at)
		if certain {
			return fail(end.reason, fmt.Sprintf("%s: ended at %s", end.claim, stamp(t))).asOf(r.at)
		}
		if claimed {
			return unknown(reasonClockUnsure, fmt.Sprintf("%s: over by this clock (%s), but nothing confirms the clock", end.claim,
				stamp(r.at))).asOf(r.at)
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
			return unknown(reasonClockUnsure, fmt.Sprintf("%s lies after this clock's %s, but the clock is wrong", claim,
				stamp(r.at))).asOf(r.at)
		}
		return fail(reasonNotYet, fmt.Sprintf("%s: not before %s", claim, stamp(t))).asOf(r.at)
	}
	if !r.clock.sure {
		return unknown(reasonClockUnsure, "within its dates by this clock, but nothing confirms the clock").asOf(r.at)
	}
	return pass("within its dates").asOf(r.at)
}

// beijing is the legal time of the licences' own dates.
var beijing = time.FixedZone("UTC+8", 8*60*60)

// termDay reads the legal first or last day of a licence ("2032-05-12"), which is another thing than the technical exp:
// a copy refreshed yesterday must not outlive the licence. plus 1 gives the end of the day. Other forms
// ("long term") set no limit.
func (r *run) termDay(claim string, plus int) (time.Time, bool) {
	text, ok := r.claims[claim].(string)
	if !ok {
		return time.Time{}, false
	}
	day, err := time.ParseInLocation(time.DateOnly, text, beijing)
	if err != nil {
		return time.Time{}, false
	}
	return day.AddDate(0, 0, plus), true
}
