package eseal_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/hufu-id/hufu/keys"
	"github.com/hufu-id/hufu/signing/eseal"
	"github.com/hufu-id/hufu/signing/jades"
)

// ticking is a clock that moves on a little whenever it is asked, as clocks do.
func (w *world) ticking(step time.Duration) *eseal.Service {
	return w.service(func(c *eseal.Config) {
		c.Now = func() time.Time { defer w.clock.add(step); return w.clock.now() }
	})
}

// TestV06ProposalsOfAMakerHideNothing: what a maker proposes for an owner, the owner can't see; nor may it push out what she must decide.
func TestV06ProposalsOfAMakerHideNothing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		x := w.issued(nil)
		for n := range 200 {
			i := issue()
			i.Name = fmt.Sprintf("专用章%d", n)
			w.propose(maker1, eseal.Proposal{Operation: "issue", Issue: i})
		}
		w.clock.add(time.Second)
		r := w.propose(police1, eseal.Proposal{Operation: "suspend", Seal: x.ID, Reason: "丢失"})
		seen, err := w.Requests(t.Context(), police2)
		if err != nil || len(seen) != 1 || seen[0].ID != r.ID {
			t.Fatalf("the owner sees %d requests, %v; her own suspension should be the only one", len(seen), err)
		}
		if seen, err = w.Requests(t.Context(), maker2); err != nil || len(seen) != 200 {
			t.Fatalf("the maker sees %d requests, %v", len(seen), err)
		}
	})
}

// TestS04ClaimedTimeWithinValidity: the day that counts is that of the time that is signed, also when midnight comes while we wait for the seal.
func TestS04ClaimedTimeWithinValidity(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		x := w.issued(func(i *eseal.Issue) { i.ValidFrom, i.ValidTo = "2026-11-24", "2026-11-25" })
		midnight := time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC)
		w.clock.add(midnight.Add(-50 * time.Millisecond).Sub(w.clock.now()))
		if _, err := w.ticking(100*time.Millisecond).Sign(t.Context(), police1, x.ID, ask(1)); !errors.Is(err, eseal.ErrValidity) {
			t.Fatalf("sealed with a claimed time before the first day: %v", err)
		}
		if n := w.count(`SELECT COUNT(*) FROM seal_uses`); n != 0 {
			t.Fatalf("%d uses recorded", n)
		}
		if _, err := w.ticking(100*time.Millisecond).Sign(t.Context(), police1, x.ID, ask(1)); err != nil { // it is after midnight now
			t.Fatal(err)
		}
	})
}

// TestResumedIsRecordedWhenItBegins: a node whose clock is slow claims the moment at which the seal became active again; that moment must be one for
// verifiers too, who take the later of effective and recorded, in whole seconds.
func TestResumedIsRecordedWhenItBegins(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		x := w.issued(nil)
		w.change(x.ID, "suspend")
		w.clock.add(time.Minute)
		r := w.propose(police1, eseal.Proposal{Operation: "resume", Seal: x.ID, Reason: "找到了"})
		w.clock.add(750*time.Millisecond - time.Duration(w.clock.now().Nanosecond()))
		// A second ends between two of the times that this asks for the clock.
		_, at, err := w.ticking(90*time.Millisecond).Approve(t.Context(), police2, r.ID)
		if err != nil {
			t.Fatal(err)
		}
		history, err := w.History(t.Context(), x.ID)
		if err != nil {
			t.Fatal(err)
		}
		if last := history[len(history)-1]; last.RecordedAt.Truncate(time.Second).After(at.StateSince) {
			t.Fatalf("effective %v, recorded %v: who claims the former is told that the seal was suspended", last.EffectiveAt, last.RecordedAt)
		}
	})
}

// TestHeaderTakesNoMembers: a file name or media type can't add to the header that is recorded and signed.
func TestHeaderTakesNoMembers(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		x := w.issued(nil)
		for n, change := range []func(*eseal.SignRequest){
			func(r *eseal.SignRequest) { r.FileName = `a","iat":1,"x":"` },
			func(r *eseal.SignRequest) { r.FileName = "a\r\nb" },
			func(r *eseal.SignRequest) { r.FileName = "a\u202egpj" },
			func(r *eseal.SignRequest) { r.MediaType = `text/plain","x":"` },
			func(r *eseal.SignRequest) { r.MediaType = "text/plain; charset=utf-8" },
		} {
			req := ask(n)
			change(&req)
			done, err := w.Sign(t.Context(), police1, x.ID, req)
			if errors.Is(err, eseal.ErrInvalid) {
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			p, err := jades.Parse(done.Signature)
			if err != nil || p.Document().Name != req.FileName || string(p.Protected()) != done.Use.Protected || !json.Valid(p.Protected()) {
				t.Fatalf("%q: %v", req.FileName, err)
			}
		}
	})
}

// TestT05ASealIsNotSignedByAKeyThatIsYounger: a certificate from after the seal's time of issue makes a seal that every verifier refuses. If that is all
// that is left, because the process died and the key was replaced before anybody needed the seal, nothing is sealed with it.
func TestT05ASealIsNotSignedByAKeyThatIsYounger(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for n, rotated := range []bool{false, true} {
			i := issue()
			i.Name = fmt.Sprint("专用章", rotated)
			r := w.propose(maker1, eseal.Proposal{Operation: "issue", Issue: i})
			w.keys.noMaker = true // as if the process died after the transaction
			if _, _, err := w.Approve(t.Context(), maker2, r.ID); !errors.Is(err, errFault) {
				t.Fatal(err)
			}
			w.keys.noMaker = false
			w.clock.add(time.Hour)
			if rotated {
				if _, err := w.keys.keys.Rotate(t.Context(), keys.SealMaker(maker), keys.RotateOptions{Force: true}); err != nil {
					t.Fatal(err)
				}
			}
			_, err := w.Sign(t.Context(), police1, r.SealID, ask(n))
			if !rotated {
				if err != nil {
					t.Fatal(err)
				}
				continue
			}
			x, err2 := w.Own(t.Context(), police1, r.SealID)
			if !errors.Is(err, eseal.ErrNotActive) || err2 != nil || x.Credential != "" || w.count(`SELECT COUNT(*) FROM seal_uses WHERE seal_id = $1`, x.ID) != 0 {
				t.Fatalf("sealed with a seal that no verifier takes: %v, %v", err, err2)
			}
			if w.change(x.ID, "cancel").State != eseal.Cancelled {
				t.Error("it can't be cancelled")
			}
		}
	})
}
