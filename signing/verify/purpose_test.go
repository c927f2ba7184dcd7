package verify

import (
	"testing"
	"time"

	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/signing/sdjwt"
)

// TestShownUnasked: a proof for a purpose is enough for who accepts the purpose, for ten minutes, and for nobody else.
func TestShownUnasked(t *testing.T) {
	const driving, hotel = "https://id.example/purposes/driving-check", "https://id.example/purposes/hotel"
	w := newWorld(t)
	p, err := sdjwt.Parse(w.issue(nil))
	must(t, err)
	shown, err := p.Withhold(sdjwt.P("id_number"))
	must(t, err)
	at := func(age time.Duration) string { return w.bind(shown, "a-nonce-of-its-own", driving, now.Add(-age)) }
	fresh := at(time.Minute)
	asked := challenge
	asked.Purposes = []string{hotel, driving}
	for _, x := range []struct {
		name         string
		presentation string
		challenge    Challenge
		outcome      Outcome
		reason       string
	}{
		{"accepted purpose", fresh, Challenge{Purposes: []string{hotel, driving}}, Valid, "ok"},
		{"just within ten minutes", at(PurposeMaxAge), Challenge{Purposes: []string{driving}}, Valid, "ok"},
		{"eleven minutes", at(11 * time.Minute), Challenge{Purposes: []string{driving}}, Invalid, "holder_proof_not_from_now"},
		{"from tomorrow", at(-time.Hour), Challenge{Purposes: []string{driving}}, Invalid, "holder_proof_not_from_now"},
		{"another purpose", fresh, Challenge{Purposes: []string{hotel}}, Invalid, "wrong_challenge"},
		{"no purposes", fresh, Challenge{}, CannotTell, "no_challenge"},
		{"asked by challenge only", fresh, challenge, Invalid, "wrong_challenge"},
		{"challenge and purposes: unasked", fresh, asked, Valid, "ok"},
		{"challenge and purposes: answered", w.bind(shown, nonce, audience, now), asked, Valid, "ok"},
		{"Q01 challenge and purposes: another nonce", w.bind(shown, "other", audience, now), asked, Invalid, "wrong_challenge"},
		{"Q01 challenge whose audience is a purpose: another nonce", fresh, Challenge{Nonce: nonce, Audience: driving, Purposes: []string{driving}}, Invalid, "wrong_challenge"},
		{"challenge whose audience is a purpose: answered", w.bind(shown, nonce, driving, now.Add(-time.Minute)),
			Challenge{Nonce: nonce, Audience: driving, Purposes: []string{driving}}, Valid, "ok"},
		{"Q12 used", fresh, Challenge{Purposes: []string{driving}, Used: true}, Invalid, "challenge_used"},
		{"Q02 without proof", shown, Challenge{Purposes: []string{driving}}, CannotTell, "no_holder_proof"},
		{"Q03 for another presentation", w.issue(nil) + fresh[len(shown):], Challenge{Purposes: []string{driving}}, Invalid, "wrong_holder_proof"},
	} {
		t.Run(x.name, func(t *testing.T) {
			v := Verify(x.presentation, w.contents, x.challenge, now, Policy{})
			expect(t, v, x.outcome, x.reason)
			if x.outcome == Valid && x.presentation == fresh && v.Check(CheckHolder).Reason != "holder_shown_unasked" {
				t.Errorf("the report doesn't say that nobody asked: %+v", v.Check(CheckHolder))
			}
		})
	}
	old := at(5 * time.Minute)
	expect(t, Verify(old, w.contents, Challenge{Purposes: []string{driving}}, now, Policy{BindingMaxAge: time.Minute}), Invalid, "holder_proof_not_from_now")
	expect(t, Verify(old, w.contents, Challenge{Purposes: []string{driving}}, now, Policy{BindingMaxAge: 6 * time.Minute}), Valid, "ok")
	expect(t, Verify(at(11*time.Minute), w.contents, Challenge{Purposes: []string{driving}}, now, Policy{BindingMaxAge: time.Hour}), Invalid, "holder_proof_not_from_now")
	slow := w.edited(func(c *bundle.Contents) { c.AsOf = now.Add(time.Hour) }) // the clock is behind: nothing about time is certain
	expect(t, Verify(at(11*time.Minute), slow.contents, Challenge{Purposes: []string{driving}}, now, Policy{}), CannotTell, "clock_before_bundle")
}
