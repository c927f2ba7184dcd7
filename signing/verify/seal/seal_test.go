package seal

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/signing/sealvc"
	"github.com/hufu-id/hufu/signing/verify"
	"github.com/hufu-id/hufu/signing/verify/internal/report"
)

func TestASealedFileIsValid(t *testing.T) {
	w := newWorld(t)
	v := w.verify(w.sign(nil))
	expect(t, v, verify.Valid, "ok")
	var out struct {
		Verdict string
		Seal    struct {
			ID, Name, DocumentKind string
			Owner                  struct{ Code string }
			ClaimedTime            string `json:"claimed_time"`
			TimeTrusted            *bool  `json:"time_trusted"`
			StateThen              string `json:"state_then"`
			StateNow               string `json:"state_now"`
		}
		Checks []struct{ Name, Result string }
	}
	must(t, json.Unmarshal(v.JSON(), &out))
	if out.Verdict != "valid" || out.Seal.ID != sealID || out.Seal.Owner.Code != owner || out.Seal.ClaimedTime != "2026-11-24T01:00:00Z" ||
		out.Seal.TimeTrusted == nil || *out.Seal.TimeTrusted || out.Seal.StateThen != "active" || out.Seal.StateNow != "active" || len(out.Checks) != 10 {
		t.Errorf("%s", v.JSON())
	}
	for _, lang := range []string{"zh", "en"} {
		text := v.Text(lang)
		for _, must := range []string{"行政审批专用章", sealID, owner, maker, "2026-11-24 09:00:00", "Root CA"} {
			if !strings.Contains(text, must) {
				t.Errorf("%s: %s isn't told:\n%s", lang, must, text)
			}
		}
	}
	if again := w.verify(w.sign(nil)); !bytes.Equal(again.JSON(), v.JSON()) {
		t.Error("the same facts, another report")
	}
}

func TestS01AnotherFile(t *testing.T) {
	w := newWorld(t)
	sig := w.sign(nil)
	expect(t, Verify(sig, sha256.Sum256(file), w.contents, now, verify.Policy{}), verify.Valid, "ok")
	for i := range 8 * len(file) {
		changed := bytes.Clone(file)
		changed[i/8] ^= 1 << (i % 8)
		expect(t, Verify(sig, sha256.Sum256(changed), w.contents, now, verify.Policy{}), verify.Invalid, "digest_mismatch")
	}
	renamed := w.sign(func(u *use) { u.Document.Name = "另一个名字.txt" }) // the file's name isn't sealed: whatever it is called here, the bytes decide
	expect(t, w.verify(renamed), verify.Valid, "ok")
}

func TestS04UseOutsideOfWhatTheSealAllows(t *testing.T) {
	w := newWorld(t)
	expect(t, w.verify(w.sign(nil)), verify.Valid, "ok")
	for _, x := range []struct {
		name, reason string
		edit         func(*use)
	}{
		{"kind that the seal doesn't allow", "document_kind_not_allowed", func(u *use) { u.KindURI = sealvc.DocumentKindURI(origin, "contract") }},
		{"kind of another world", "document_kind_not_allowed", func(u *use) { u.KindURI = sealvc.DocumentKindURI("https://evil.example", "approval") }},
		{"after its validity", "outside_seal_validity", func(u *use) { u.IssuedAt = time.Date(2028, 11, 20, 16, 0, 1, 0, time.UTC) }},
		{"before it was made", "outside_seal_validity", func(u *use) { u.IssuedAt = made.Add(-2 * time.Minute) }},
		{"claimed for tomorrow", "claimed_time_ahead", func(u *use) { u.IssuedAt = now.Add(24 * time.Hour) }},
	} {
		t.Run(x.name, func(t *testing.T) {
			if x.reason == "outside_seal_validity" && x.name[0] == 'a' {
				later := w.edited(func(c *bundle.Contents) { c.AsOf, c.Expires = now.AddDate(2, 0, 0), now.AddDate(2, 0, 7) })
				expect(t, Verify(w.sign(x.edit), sha256.Sum256(file), later.contents, now.AddDate(2, 0, 1), verify.Policy{}), verify.Invalid, x.reason)
				return
			}
			expect(t, w.verify(w.sign(x.edit)), verify.Invalid, x.reason)
		})
	}
	if v := w.verify(w.sign(func(u *use) { u.KindURI = sealvc.DocumentKindURI(origin, "notice") })); v.Outcome() != verify.Valid {
		t.Errorf("the other allowed kind: %s", v.Reason())
	}
}

// Whoever copies a seal's credential, which is public, still has no certificate that it lists.
func TestS04SealOfAnotherDepartment(t *testing.T) {
	w := newWorld(t)
	expect(t, w.verify(w.sign(func(u *use) { u.signer, u.Chain = w.stranger.Key(), w.stranger.Chain() })), verify.Invalid, "signer_not_listed")
	foreign := w.sealKey("three", other)
	expect(t, w.verify(w.sign(func(u *use) { u.signer, u.Chain = foreign.Key(), foreign.Chain() })), verify.Invalid, "signer_not_listed")
	// A maker that lists another organisation's certificate by mistake: the owner's name must be in it.
	w.seal.Signers = append(w.seal.Signers, sealvc.SignerHash(foreign.Chain()[0]))
	w.history(w.contents.Issuers[0].Seals[0].History...)
	expect(t, w.verify(w.sign(nil)), verify.Valid, "ok")
	expect(t, w.verify(w.sign(func(u *use) { u.signer, u.Chain = foreign.Key(), foreign.Chain() })), verify.Invalid, "signer_not_owner")
}

func TestQ07Q08ForgedMakersAndChains(t *testing.T) {
	w, evil := newWorld(t), newWorld(t) // evil has a root of the same name, and everything below it
	for _, x := range []struct {
		name, reason string
		outcome      verify.Outcome
		edit         func(*use)
	}{
		{"seal changed after it was made", "seal_wrong_signature", verify.Invalid, func(u *use) {
			head, tail, _ := strings.Cut(w.credential(), ".")
			payload, sig, _ := strings.Cut(tail, ".")
			u.Seal = head + "." + payload + "." + flip(sig)
		}},
		{"maker of another root of the same name", "untrusted_issuer", verify.Invalid, func(u *use) { u.Seal = w.credentialBy(evil.maker, evil.maker.Chain(), makerID, nil) }},
		{"owner makes its own seal", "untrusted_issuer", verify.Invalid, func(u *use) { u.Seal = w.credentialBy(w.signer, w.signer.Chain(), makerID, nil) }},
		{"another maker's name", "untrusted_issuer", verify.Invalid, func(u *use) { u.Seal = w.credentialBy(w.maker, w.maker.Chain(), makerID+"X", nil) }},
		{"another type", "issuer_not_authorised", verify.Invalid, func(u *use) {
			u.Seal = w.credentialBy(w.maker, w.maker.Chain(), makerID, func(c map[string]any) { c["vct"] = origin + "/types/e-seal/2" })
		}},
		{"another description of the type", "type_unknown", verify.CannotTell, func(u *use) {
			u.Seal = w.credentialBy(w.maker, w.maker.Chain(), makerID, func(c map[string]any) { c["vct#integrity"] = "sha256-AAAA" })
		}},
	} {
		t.Run(x.name, func(t *testing.T) {
			sig := w.sign(x.edit)
			_ = w.credential()
			expect(t, w.verify(sig), x.outcome, x.reason)
		})
	}
	w.sign(nil)
	foreign := evil.signer
	listed := newWorld(t)
	listed.seal.Signers = append(listed.seal.Signers, sealvc.SignerHash(foreign.Chain()[0]))
	listed.history(listed.contents.Issuers[0].Seals[0].History...)
	expect(t, listed.verify(listed.sign(func(u *use) { u.signer, u.Chain = foreign.Key(), foreign.Chain() })), verify.Invalid, "untrusted_issuer")
	for name, edit := range map[string]func(*bundle.Contents){
		"not a maker":    func(c *bundle.Contents) { c.Issuers[0].Authorised = nil },
		"unknown maker":  func(c *bundle.Contents) { c.Issuers[0].ID = origin + "/seal-makers/x" },
		"ended before":   func(c *bundle.Contents) { c.Issuers[0].Authorised = []bundle.Authorisation{{VCT: vct, To: made}} },
		"another's code": func(c *bundle.Contents) { c.Issuers[0].Code = other },
		"key was stolen": func(c *bundle.Contents) {
			c.Issuers[0].Revoked = []bundle.RevokedKey{{Thumbprint: w.maker.Key().ID, CompromisedAt: made}}
		},
		"seal key stolen": func(c *bundle.Contents) {
			c.Issuers[0].Revoked = []bundle.RevokedKey{{Thumbprint: w.signer.Key().ID, CompromisedAt: sealed}}
		},
	} {
		if v := w.edited(edit).verify(w.sign(nil)); v.Outcome() != verify.Invalid {
			t.Errorf("Q08 %s: %s (%s)", name, v.Outcome(), v.Reason())
		}
	}
	later := w.edited(func(c *bundle.Contents) {
		c.Issuers[0].Revoked = []bundle.RevokedKey{{Thumbprint: w.signer.Key().ID, CompromisedAt: sealed.Add(time.Second)}}
	})
	expect(t, later.verify(w.sign(nil)), verify.CannotTell, "key_compromised") // T08: it says that it was before; so would a thief
}

func flip(s string) string {
	if s[10] == 'A' {
		return s[:10] + "B" + s[11:]
	}
	return s[:10] + "A" + s[11:]
}

func TestS04StatesOfTheSeal(t *testing.T) {
	at := func(state string, effective, recorded time.Time) bundle.SealState {
		return bundle.SealState{State: state, EffectiveAt: effective, RecordedAt: recorded}
	}
	active := at(bundle.SealActive, made, made)
	before, after := sealed.Add(-time.Hour), sealed.Add(time.Hour)
	for _, x := range []struct {
		name    string
		history []bundle.SealState
		outcome verify.Outcome
		reason  string
	}{
		{"active", []bundle.SealState{active}, verify.Valid, "ok"},
		{"suspended since", []bundle.SealState{active, at(bundle.SealSuspended, after, after)}, verify.CannotTell, "seal_suspended_since"},
		{"cancelled since", []bundle.SealState{active, at(bundle.SealCancelled, after, after)}, verify.CannotTell, "seal_cancelled_since"},
		{"suspended then", []bundle.SealState{active, at(bundle.SealSuspended, before, before)}, verify.Invalid, "seal_not_active_then"},
		{"cancelled then", []bundle.SealState{active, at(bundle.SealCancelled, before, before)}, verify.Invalid, "seal_not_active_then"},
		{"suspended with effect before, recorded after", []bundle.SealState{active, at(bundle.SealSuspended, before, after)}, verify.Invalid, "seal_not_active_then"},
		{"recorded before, effect after", []bundle.SealState{active, at(bundle.SealSuspended, after, before)}, verify.Invalid, "seal_not_active_then"},
		{"suspended then, back now", []bundle.SealState{active, at(bundle.SealSuspended, before, before), at(bundle.SealActive, after, after)}, verify.Invalid, "seal_not_active_then"},
		{"back before it was used", []bundle.SealState{active, at(bundle.SealSuspended, made.Add(time.Hour), made.Add(time.Hour)), at(bundle.SealActive, before, before)}, verify.Valid, "ok"},
		{"suspended since, and back", []bundle.SealState{active, at(bundle.SealSuspended, after, after), at(bundle.SealActive, after.Add(time.Hour), after.Add(time.Hour))}, verify.Valid, "ok"},
		{"not yet", []bundle.SealState{at(bundle.SealActive, after, after)}, verify.Invalid, "seal_not_active_then"},
		{"a state that we don't know", []bundle.SealState{active, at("melted", after, after)}, verify.CannotTell, "status_value_unknown"},
	} {
		t.Run(x.name, func(t *testing.T) {
			w := newWorld(t)
			w.history(x.history...)
			expect(t, w.verify(w.sign(nil)), x.outcome, x.reason)
		})
	}
	w := newWorld(t)
	gone := w.edited(func(c *bundle.Contents) { c.Issuers[0].Seals = nil })
	expect(t, gone.verify(w.sign(nil)), verify.Invalid, "seal_unknown")
	young := w.edited(func(c *bundle.Contents) { c.Issuers[0].Seals, c.AsOf = nil, made.Add(time.Minute) })
	expect(t, young.verify(w.sign(nil)), verify.CannotTell, "seal_unknown")
	second := w.edited(func(c *bundle.Contents) {
		c.Issuers[0].Seals = []bundle.Seal{{ID: sealID, PayloadSHA256: strings.Repeat("0", 64), History: w.contents.Issuers[0].Seals[0].History}}
	})
	expect(t, second.verify(w.sign(nil)), verify.Invalid, "seal_not_the_registered_one")
}

func TestWithoutTrustNothingIsValid(t *testing.T) {
	w := newWorld(t)
	sig := w.sign(nil)
	digest := sha256.Sum256(file)
	expect(t, Verify(sig, digest, nil, now, verify.Policy{}), verify.CannotTell, "no_bundle")
	expect(t, Verify(sig, digest, w.contents, w.contents.Expires, verify.Policy{}), verify.CannotTell, "stale_bundle")
	expect(t, Verify(sig, digest, w.contents, sealed, verify.Policy{}), verify.CannotTell, "clock_before_bundle") // R06
	if v := Verify(sig, sha256.Sum256(nil), nil, now, verify.Policy{}); v.Outcome() != verify.Invalid {
		t.Errorf("another file needs no bundle to be told: %s", v.Outcome())
	}
	if v := Verify(sig, digest, nil, now, verify.Policy{}); strings.Contains(v.Text("en"), "行政审批专用章") {
		t.Error("a seal that nobody vouches for is named")
	}
	for _, junk := range [][]byte{nil, []byte("{}"), []byte("null"), bytes.Repeat([]byte("["), 1<<20), sig[:len(sig)/2]} {
		expect(t, Verify(junk, digest, w.contents, now, verify.Policy{}), verify.Invalid, "seal_malformed")
	}
}

// With unchanged facts an older bundle never gives a better answer.
func TestAnOlderBundleIsNeverBetter(t *testing.T) {
	rank := map[verify.Outcome]int{verify.Invalid: 0, verify.CannotTell: 1, verify.Valid: 2}
	w := newWorld(t)
	sig := w.sign(nil)
	last := 2
	for age := time.Hour; age < 20*24*time.Hour; age += 5 * time.Hour {
		old := w.edited(func(c *bundle.Contents) {
			c.AsOf, c.Expires = now.Add(-age), now.Add(7*24*time.Hour-age)
			if c.AsOf.Before(made) {
				c.Issuers[0].Seals = nil
			}
		})
		got := rank[old.verify(sig).Outcome()]
		if got > last {
			t.Errorf("%s old: better than a newer one", age)
		}
		if got == 0 {
			t.Errorf("%s old: invalid, though nothing is wrong", age)
		}
		last = got
	}
	if last != 1 {
		t.Error("an expired bundle still says valid")
	}
	before := w.edited(func(c *bundle.Contents) { // from before there were seals, and in date
		c.Issuers, c.Types = nil, nil
		c.Anchors = slices.DeleteFunc(slices.Clone(c.Anchors), func(a bundle.Anchor) bool { return strings.HasPrefix(a.Purpose, "seal-") })
	})
	expect(t, before.verify(sig), verify.CannotTell, "issuer_unknown")
}

// Q17: each check alone, forced to any other result than pass, ends "valid".
func TestQ17EachCheckOfASealDecides(t *testing.T) {
	w := newWorld(t)
	sig, digest := w.sign(nil), sha256.Sum256(file)
	for _, name := range report.SealOrder {
		for _, result := range []report.Result{report.Fail, report.Unknown, "", "PASS"} {
			v := judge(sig, digest, w.contents, now, verify.Policy{}, func(c report.Check) report.Check {
				if c.Name == name {
					c.Result, c.Reason = result, "forced"
				}
				return c
			})
			if v.Outcome() == verify.Valid || v.ExitCode() == 0 {
				t.Errorf("%s forced to %q: %s", name, result, v.Outcome())
			}
		}
	}
}

// FuzzVerify: no bytes make the verifier panic, and none but what the owner sealed is valid.
func FuzzVerify(f *testing.F) {
	w := newWorld(f)
	good := w.sign(nil)
	f.Add(good)
	f.Add(w.sign(func(u *use) { u.signer, u.Chain = w.stranger.Key(), w.stranger.Chain() }))
	f.Add([]byte(`{"protected":"e30","signature":"AA"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		v := Verify(b, sha256.Sum256(file), w.contents, now, verify.Policy{})
		if v.Outcome() == verify.Valid && !bytes.Contains(bytes.Join(bytes.Fields(b), nil), bytes.TrimSpace(good)[:200]) {
			t.Errorf("valid: %q", b)
		}
		_, _ = v.Text("zh"), v.JSON()
	})
}
