package verify

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/signing/statuslist"
)

func TestR01StaleBundle(t *testing.T) {
	w := newWorld(t)
	p := w.present(w.issue(nil))
	end := w.contents.Expires
	p1 := w.bind(mustWithhold(t, w.issue(nil)), nonce, audience, end.Add(-2*time.Second))
	expect(t, Verify(p1, w.contents, challenge, end.Add(-time.Second), Policy{}), Valid, "ok")
	v := Verify(p1, w.contents, challenge, end, Policy{})
	expect(t, v, CannotTell, "stale_bundle")
	if text := v.Text("en"); !strings.Contains(text, "4 days old") {
		t.Errorf("the age is missing:\n%s", text)
	}
	if v.ExitCode() != 3 {
		t.Errorf("exit code %d", v.ExitCode())
	}
	expect(t, Verify(p, nil, challenge, now, Policy{}), CannotTell, "no_bundle")
	expect(t, Verify(p, w.contents, challenge, now, Policy{BundleMaxAge: 4 * time.Hour}), Valid, "ok")
	expect(t, Verify(p, w.contents, challenge, now, Policy{BundleMaxAge: 2 * time.Hour}), CannotTell, "bundle_too_old")
}

func TestR06WrongClock(t *testing.T) {
	w := newWorld(t)
	p := w.present(w.issue(nil))
	for name, c := range map[string]struct {
		at     time.Time
		want   Outcome
		reason string
	}{
		"twin":                       {now, Valid, "ok"},
		"ten years back":             {now.AddDate(-10, 0, 0), CannotTell, "clock_before_bundle"},
		"before the bundle":          {w.contents.AsOf.Add(-bundle.ClockLeeway - time.Second), CannotTell, "clock_before_bundle"},
		"ten years ahead":            {now.AddDate(10, 0, 0), CannotTell, "stale_bundle"},
		"the licence expired by it":  {now.AddDate(0, 6, 0), CannotTell, "stale_bundle"},
		"before the status list too": {now.Add(-90 * time.Minute), CannotTell, "clock_before_status_list"},
	} {
		t.Run(name, func(t *testing.T) {
			any := Challenge{HolderAny: true}
			v := Verify(p, w.contents, any, c.at, Policy{})
			expect(t, v, c.want, c.reason)
			if v.Outcome() != Valid && (!strings.Contains(v.Text("en"), "clock") || !strings.Contains(v.Text("zh"), "时钟")) {
				t.Errorf("the message doesn't name the clock:\n%s", v.Text("en"))
			}
		})
	}
}

func TestR11RevokedAfterTheBundle(t *testing.T) {
	w := newWorld(t)
	p := w.present(w.issue(nil))
	v := w.verify(p) // the bundle can't know of anything after its list
	expect(t, v, Valid, "ok")
	for lang, words := range map[string]string{"en": "in force as of 2026-11-23 17:18:00", "zh": "依据 2026-11-23 17:18:00 的名单"} {
		if text := v.Text(lang); !strings.Contains(text, words) {
			t.Errorf("%q is missing:\n%s", words, text)
		}
	}
	if c := v.Check(CheckStatus); !c.AsOf.Equal(now.Add(-42 * time.Minute)) {
		t.Errorf("as of %s", c.AsOf)
	}
	w.publish(2, statuslist.Entry{Index: index, Value: statuslist.Invalid})
	v = w.verify(p)
	expect(t, v, Invalid, "revoked")
	if text := v.Text("en"); !strings.Contains(text, "revoked as of 2026-11-23 17:18:00 (42 minutes old)") || !strings.HasPrefix(text, "INVALID") {
		t.Errorf("%s", text)
	}
	if text := v.Text("zh"); !strings.Contains(text, "不能凭此证办理") || !strings.HasPrefix(text, "无效") {
		t.Errorf("%s", text)
	}
}

func TestTimeOfTheCredential(t *testing.T) {
	w := newWorld(t)
	hour := func(n int) int64 { return now.Add(time.Duration(n) * time.Hour).Unix() }
	for name, c := range map[string]struct {
		pairs  []any
		want   Outcome
		reason string
	}{
		"twin":                     {nil, Valid, "ok"},
		"exp now":                  {[]any{"exp", now.Unix()}, Invalid, "expired"},
		"exp in a second":          {[]any{"exp", now.Unix() + 1}, Valid, "ok"},
		"no exp":                   {[]any{"exp", nil}, Valid, "ok"},
		"nbf in an hour":           {[]any{"nbf", hour(1)}, Invalid, "not_yet_valid"},
		"nbf an hour ago":          {[]any{"nbf", hour(-1)}, Valid, "ok"},
		"iat in an hour":           {[]any{"iat", hour(1)}, Invalid, "not_yet_valid"},
		"iat half a minute ahead":  {[]any{"iat", now.Unix() + 30}, Valid, "ok"},
		"term over yesterday":      {[]any{"valid_to", "2026-11-22"}, Invalid, "licence_term_over"},
		"term over today":          {[]any{"valid_to", "2026-11-23"}, Valid, "ok"}, // the last day belongs to it
		"term not begun":           {[]any{"valid_from", "2026-11-24"}, Invalid, "not_yet_valid"},
		"term begun today":         {[]any{"valid_from", "2026-11-23"}, Valid, "ok"},
		"for the long term":        {[]any{"valid_to", "长期"}, Valid, "ok"},
		"expired before the clock": {[]any{"exp", w.contents.AsOf.Unix()}, Invalid, "expired"},
	} {
		t.Run(name, func(t *testing.T) {
			expect(t, w.verify(w.present(w.issue(set(c.pairs...)))), c.want, c.reason)
		})
	}
	// The bundle itself says that this one has expired, whatever the clock says.
	old := w.present(w.issue(set("exp", w.contents.AsOf.Add(-time.Hour).Unix())))
	expect(t, Verify(old, w.contents, challenge, now.AddDate(-1, 0, 0), Policy{}), Invalid, "expired")
	expect(t, Verify(old, w.contents, challenge, now.AddDate(1, 0, 0), Policy{}), Invalid, "expired")
}

// What isn't valid under a newer bundle isn't valid under an older one, when the facts are the same: random worlds, each seen
// through bundles of all ages. What is revoked stays revoked however old the bundle.
func TestOlderBundleIsNeverBetter(t *testing.T) {
	w := newWorld(t)
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(list ...any) any { return list[random.IntN(len(list))] }
	for round := range 60 {
		credential := w.issue(set("exp", now.Add(time.Duration(random.IntN(60*24)-100)*time.Hour).Unix(),
			"iat", now.Add(-time.Duration(random.IntN(1000)-5)*time.Hour).Unix(), "area_code", pick("440100", "330100")))
		challenge := pick(challenge, Challenge{HolderAny: true}, Challenge{}).(Challenge)
		p := w.present(credential)
		value := pick(statuslist.Valid, statuslist.Valid, statuslist.Invalid, statuslist.Suspended).(statuslist.Status)
		gone := random.IntN(6) == 0
		at := now.Add(time.Duration(random.IntN(4*24)-24) * time.Hour)
		worse := false
		for _, age := range []time.Duration{0, time.Hour, 12 * time.Hour, 3 * 24 * time.Hour, 8 * 24 * time.Hour, 40 * 24 * time.Hour, 300 * 24 * time.Hour} {
			made := now.Add(-age)
			set := []statuslist.Entry{{Index: index, Value: value}}
			token := w.listToken(w.status, [][]byte{w.status.cert.Raw}, 2, set, func(c *statuslist.Claims) {
				c.IssuedAt, c.Expires = made.Add(-time.Minute), made.Add(35*24*time.Hour)
			})
			older := w.edited(func(c *bundle.Contents) {
				c.AsOf, c.Expires, c.StatusLists[listURI] = made, made.Add(7*24*time.Hour), token
				if gone {
					c.Issuers = nil
				}
			})
			v := Verify(p, older.contents, challenge, at, Policy{})
			where := fmt.Sprintf("round %d, age %s, at %s, status %s", round, age, at, value)
			if worse && v.Outcome() == Valid {
				t.Errorf("%s: an older bundle says valid", where)
			}
			if value == statuslist.Invalid && !gone && v.Check(CheckStatus).Result != Fail {
				t.Errorf("%s: a revocation was forgotten: %s", where, v.Check(CheckStatus).Reason)
			}
			worse = worse || v.Outcome() != Valid
		}
		if v := Verify(p, nil, challenge, at, Policy{}); v.Outcome() == Valid {
			t.Errorf("round %d: valid without a bundle", round)
		}
	}
}

// The same with the clock: under one bundle, once the time has made a licence doubtful it stays so.
func TestLaterIsNeverBetter(t *testing.T) {
	w := newWorld(t)
	p := w.present(w.issue(nil))
	worse := false
	verifier := New(w.contents, Policy{})
	for hours := range 24 * 120 {
		v := verifier.Verify(p, Challenge{HolderAny: true}, now.Add(time.Duration(hours)*time.Hour))
		if worse && v.Outcome() == Valid {
			t.Fatalf("valid again after %d hours", hours)
		}
		worse = worse || v.Outcome() != Valid
	}
	if !worse {
		t.Error("valid for ever")
	}
}

func TestNewerBundleSeen(t *testing.T) {
	w := newWorld(t)
	p := w.present(w.issue(nil))
	for seen, noted := range map[int64]bool{0: false, 12: false, 13: true} {
		v := Verify(p, w.contents, challenge, now, Policy{NewestSeen: seen})
		expect(t, v, Valid, "ok")
		if got := strings.Contains(string(v.JSON()), "a newer bundle was seen"); got != noted {
			t.Errorf("seen %d: noted %t", seen, got)
		}
	}
}
