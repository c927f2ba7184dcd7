package verify

import (
	"strings"
	"testing"

	"github.com/hufu-id/hufu/signing/sdjwt"
)

// TestQ12UsedChallenge: an answer to a challenge that was answered before is a replay; the first one is the twin.
func TestQ12UsedChallenge(t *testing.T) {
	w := newWorld(t)
	p := w.present(w.issue(nil))
	for _, x := range []struct {
		name    string
		used    bool
		outcome Outcome
		reason  string
	}{{"first", false, Valid, "ok"}, {"Q12 second", true, Invalid, "challenge_used"}} {
		c := challenge
		c.Used = x.used
		v := Verify(p, w.contents, c, now, Policy{})
		expect(t, v, x.outcome, x.reason)
		if claims := v.Claims(); (len(claims) > 0) != (x.outcome == Valid) {
			t.Errorf("%s: claims %v", x.name, claims)
		}
	}
}

// TestSheetSaysWhatTextSays: pages and the command line have one wording.
func TestSheetSaysWhatTextSays(t *testing.T) {
	w := newWorld(t)
	for _, v := range []Verdict{w.verify(w.present(w.issue(nil))), w.verify("junk"), {}} {
		for _, lang := range []string{"zh", "en"} {
			text, s := v.Text(lang), v.Sheet(lang)
			parts := []string{s.Word, s.Reason, s.Type, s.Issuer, s.Status, s.Bundle, s.Checked}
			for _, x := range s.Shown {
				parts = append(parts, x.Label, x.Value)
			}
			for _, x := range s.Checks {
				if x.Label == "" || x.Said == "" {
					t.Errorf("%s: a check without words: %+v", lang, x)
				}
				if lang == "zh" {
					parts = append(parts, x.Label, x.Said)
				}
			}
			for _, x := range s.Steps {
				parts = append(parts, x.Text)
			}
			for _, part := range append(parts, s.Hidden...) {
				if !strings.Contains(text, part) {
					t.Errorf("%s: %q stands in the sheet and not in\n%s", lang, part, text)
				}
			}
			if len(s.Steps) == 0 {
				t.Errorf("%s: nobody is left alone", lang)
			}
		}
	}
}

// TestUnverifiedBindingFindsTheChallenge: the signed part names a proof whatever happens to its signature.
func TestUnverifiedBindingFindsTheChallenge(t *testing.T) {
	w := newWorld(t)
	p := w.present(w.issue(nil))
	parsed, err := sdjwt.Parse(p)
	must(t, err)
	b, ok := parsed.UnverifiedBinding()
	if !ok || b.Nonce != nonce || b.Audience != audience || !strings.HasSuffix(p[:strings.LastIndexByte(p, '.')], b.Signed) || strings.Count(b.Signed, ".") != 1 {
		t.Errorf("%v %+v", ok, b)
	}
	bare, err := sdjwt.Parse(p[:strings.LastIndexByte(p, '~')+1])
	must(t, err)
	if _, ok := bare.UnverifiedBinding(); ok {
		t.Error("a binding that isn't there")
	}
}
