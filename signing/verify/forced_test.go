package verify

import (
	"testing"

	"github.com/hufu-id/hufu/signing/verify/internal/report"
	"github.com/hufu-id/hufu/signing/verify/internal/trust"
)

// Q17: each check alone, forced to any other result than pass, ends "valid". The twin is the same presentation unforced.
func TestQ17EachCheckDecides(t *testing.T) {
	w := newWorld(t)
	p := w.present(w.issue(nil))
	expect(t, w.verify(p), Valid, "ok")
	for _, name := range report.Order {
		for result, want := range map[Result]Outcome{Fail: Invalid, Unknown: CannotTell, "": CannotTell, "PASS": CannotTell, "skipped": CannotTell} {
			v := New(w.contents, Policy{})
			v.fault = func(c Check) Check {
				if c.Name == name {
					c.Result, c.Reason = result, "forced"
				}
				return c
			}
			got := v.Verify(p, challenge, now)
			if got.Outcome() != want && got.Outcome() != Invalid || got.Outcome() == Valid {
				t.Errorf("%s forced to %q: %s", name, result, got.Outcome())
			}
			if got.ExitCode() == 0 {
				t.Errorf("%s forced to %q: exit code 0", name, result)
			}
		}
	}
}

// A list of checks that isn't exactly the nine never makes a verdict "valid".
func TestQ17ChecksMissingOrDoubled(t *testing.T) {
	w := newWorld(t)
	good := w.verify(w.present(w.issue(nil))).Checks()
	conclude := func(checks []Check) Outcome {
		r := &run{v: New(w.contents, Policy{}), at: now, clock: trust.ReadClock(w.contents, 0, now), checks: checks}
		return r.conclude().Outcome()
	}
	if conclude(good) != Valid {
		t.Fatal("the twin isn't valid")
	}
	for i := range good {
		missing := append(append([]Check{}, good[:i]...), good[i+1:]...)
		if conclude(missing) == Valid {
			t.Errorf("valid without %s", good[i].Name)
		}
		doubled := append([]Check{}, good...)
		doubled[i] = good[(i+1)%len(good)]
		if conclude(doubled) == Valid {
			t.Errorf("valid with %s in place of %s", doubled[i].Name, good[i].Name)
		}
		if conclude(append(append([]Check{}, good...), good[i])) == Valid {
			t.Errorf("valid with a second %s", good[i].Name)
		}
	}
	if conclude(nil) == Valid {
		t.Error("valid without checks")
	}
}
