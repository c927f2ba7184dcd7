package trust

import (
	"fmt"
	"time"

	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/signing/verify/internal/report"
)

// Clock is what is known about the time. The caller's clock is believed only between the moment that the bundle was made and
// the moment that it expires: a computer at a counter may say anything, and a clock set back would bring every
// expired licence to life.
type Clock struct {
	Fact  *report.Bundle // nil without a bundle
	Check report.Check   // the check "bundle"
	Sure  bool           // the caller's time may be believed
	floor time.Time      // now is certainly not before this; zero without a bundle
}

// ReadClock judges the bundle and the caller's time by each other. maxAge is how old the bundle may be; 0 leaves that to its expiry.
func ReadClock(b *bundle.Contents, maxAge time.Duration, at time.Time) Clock {
	if b == nil {
		return Clock{Check: report.Unclear(report.ReasonNoBundle, "no trust bundle, or none that the root vouches for")}
	}
	age := at.Sub(b.AsOf)
	c := Clock{floor: b.AsOf, Fact: &report.Bundle{Version: b.Version, Digest: b.Digest, AsOf: report.Stamp(b.AsOf), Expires: report.Stamp(b.Expires),
		AgeSeconds: int64(age / time.Second), At: b.AsOf, End: b.Expires}}
	switch {
	case age < -bundle.ClockLeeway:
		c.Check = report.Unclear(report.ReasonClockBehind, fmt.Sprintf("the clock says %s, but the bundle was made at %s: the clock is wrong",
			report.Stamp(at), report.Stamp(b.AsOf)))
	case !at.Before(b.Expires):
		c.Check = report.Unclear(report.ReasonStaleBundle, fmt.Sprintf("the bundle expired at %s: get a newer one, or check the clock (%s)",
			report.Stamp(b.Expires), report.Stamp(at)))
	case maxAge > 0 && age > maxAge:
		c.Sure = true
		c.Check = report.Unclear(report.ReasonOldBundle, fmt.Sprintf("the bundle is %s old, more than %s", age.Round(time.Second), maxAge))
	default:
		c.Sure = true
		c.Check = report.Yes(fmt.Sprintf("version %d, good until %s", b.Version, report.Stamp(b.Expires)))
	}
	c.Check = c.Check.AsAt(b.AsOf)
	return c
}

// Over reports whether the moment end has passed: certainly, or only if the caller's clock is right.
func (c Clock) Over(end, at time.Time) (certain, claimed bool) {
	claimed = !at.Before(end)
	return claimed && c.Sure || !c.floor.IsZero() && !c.floor.Before(end), claimed
}
