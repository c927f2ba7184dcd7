package eseal_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/signing/eseal"
	"github.com/hufu-id/hufu/signing/sdjwt"
	"github.com/hufu-id/hufu/signing/sealvc"
)

func TestASealIsIssuedByTwoPeopleOfItsMaker(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		r := w.propose(maker1, eseal.Proposal{Operation: "issue", Issue: issue()})
		if n := w.count(`SELECT COUNT(*) FROM seals`); n != 0 {
			t.Fatal("a proposal made a seal")
		}
		for name, try := range map[string]struct {
			who  eseal.Person
			want error
		}{
			"the proposer":            {maker1, eseal.ErrOwnProposal},
			"the owner's people":      {police1, eseal.ErrNoRequest},
			"another organisation":    {market1, eseal.ErrNoRequest},
			"nobody":                  {eseal.Person{ClientID: "x"}, eseal.ErrNoRequest},
			"proposer, another place": {eseal.Person{Organisation: police, ClientID: "maker-1"}, eseal.ErrNoRequest},
		} {
			if _, _, err := w.Approve(ctx, try.who, r.ID); !errors.Is(err, try.want) {
				t.Errorf("%s approves: %v", name, err)
			}
			if _, err := w.Refuse(ctx, try.who, r.ID); !errors.Is(err, try.want) {
				t.Errorf("%s refuses: %v", name, err)
			}
		}
		x := w.approve(maker2, r.ID) // the twin: a colleague
		if x.ID != r.SealID || x.State != eseal.Active || x.Credential == "" || w.audits("eseal.seal_issued") != 1 {
			t.Fatalf("%+v", x)
		}
		w.checkCredential(x)
		if _, _, err := w.Approve(ctx, maker2, r.ID); !errors.Is(err, eseal.ErrDecided) { // a replay
			t.Errorf("a second approval: %v", err)
		}
		history, err := w.History(ctx, x.ID)
		if err != nil || len(history) != 1 || history[0].ProposedBy != "maker-1" || history[0].ApprovedBy != "maker-2" || w.count(`SELECT COUNT(*) FROM seals`) != 1 {
			t.Errorf("history %+v, %v", history, err)
		}
	})
}

// checkCredential verifies a seal's credential as a verifier would, and that its payload is the recorded one.
func (w *world) checkCredential(x eseal.Seal) {
	w.t.Helper()
	p, err := sdjwt.Parse(x.Credential)
	if err != nil {
		w.t.Fatal(err)
	}
	_, published, err := w.MakerKeys(context.Background(), maker)
	if err != nil {
		w.t.Fatal(err)
	}
	v, err := p.Verify(published...)
	if err != nil {
		w.t.Fatal(err)
	}
	seal, err := sealvc.FromClaims(v.Claims())
	if err != nil || seal.ID != x.ID || seal.Owner.Code != police || !seal.CoversAt(start) {
		w.t.Fatalf("%+v, %v", seal, err)
	}
	key, err := w.keys.Seal(context.Background(), x.ID)
	if err != nil || len(seal.Signers) != 1 || seal.Signers[0] != sealvc.SignerHash(key.Chain[0]) {
		w.t.Fatalf("signers %v, %v", seal.Signers, err)
	}
	claims := v.Claims()
	if claims["iss"] != eseal.Identifier(origin, maker) || claims["vct"] != w.VCT() || claims["vct#integrity"] != sealvc.Integrity(w.Metadata()) {
		w.t.Errorf("%v", claims)
	}
	u, err := jose.ParseUnverified(x.Credential[:len(x.Credential)-1], jose.Policy{Typ: []string{sdjwt.Typ}, Algs: []jose.Alg{jose.ES256}})
	if err != nil {
		w.t.Fatal(err)
	}
	sum := sha256.Sum256(u.Payload)
	if string(u.Payload) != x.Payload || hex.EncodeToString(sum[:]) != x.PayloadHash {
		w.t.Error("the signed payload is not the recorded one")
	}
}

func TestTheSameProposalTwiceIsOneRequest(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ask := func() eseal.Proposal { return eseal.Proposal{Operation: "issue", Issue: issue()} }
		first := w.propose(maker1, ask())
		if again := w.propose(maker1, ask()); again.ID != first.ID || again.SealID != first.SealID || w.audits("eseal.change_proposed") != 1 {
			t.Errorf("twice: %+v", again)
		}
		other := ask()
		other.Issue.Name = "业务专用章"
		if r := w.propose(maker1, other); r.ID == first.ID {
			t.Error("another content is the same request")
		}
		if r := w.propose(maker2, ask()); r.ID == first.ID {
			t.Error("another person's is the same request")
		}
		w.clock.add(7*24*time.Hour + time.Second)
		// What has expired makes room. The days are those of then: the first day of validity is today.
		fixed := ask()
		fixed.Issue.ValidFrom = "2027-01-01"
		a := w.propose(maker1, fixed)
		w.clock.add(7*24*time.Hour + time.Second)
		if b := w.propose(maker1, fixed); b.ID == a.ID {
			t.Error("an expired request came back")
		}
	})
}

func TestAnExpiredProposalCannotBeApproved(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		r := w.propose(maker1, eseal.Proposal{Operation: "issue", Issue: issue()})
		later := w.propose(maker1, eseal.Proposal{Operation: "issue", Issue: &eseal.Issue{Owner: issue().Owner, Kind: "01", Name: "公章", DocumentKinds: []string{"notice"}, ValidTo: "2027-11-22"}})
		w.clock.add(7 * 24 * time.Hour)
		for _, do := range []func() error{
			func() error { _, _, err := w.Approve(ctx, maker2, r.ID); return err },
			func() error { _, err := w.Refuse(ctx, maker2, r.ID); return err },
		} {
			if err := do(); !errors.Is(err, eseal.ErrExpired) {
				t.Errorf("after seven days: %v", err)
			}
		}
		if open, err := w.Requests(ctx, maker2); err != nil || len(open) != 0 {
			t.Errorf("open requests %v, %v", open, err)
		}
		w.clock.add(-time.Second) // the twin: a second earlier
		w.approve(maker2, later.ID)
	})
}

func TestARefusedProposalIsNotDone(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		x := w.issued(nil)
		r := w.propose(police1, eseal.Proposal{Operation: "suspend", Seal: x.ID, Reason: "丢失"})
		if open, err := w.Requests(ctx, maker1); err != nil || len(open) != 1 || open[0].ID != r.ID { // the maker may decide too
			t.Fatalf("%v, %v", open, err)
		}
		if done, err := w.Refuse(ctx, police2, r.ID); err != nil || done.Decision != eseal.Refused {
			t.Fatalf("%+v, %v", done, err)
		}
		if _, _, err := w.Approve(ctx, maker1, r.ID); !errors.Is(err, eseal.ErrDecided) {
			t.Errorf("approved after it was refused: %v", err)
		}
		if now, err := w.Own(ctx, police1, x.ID); err != nil || now.State != eseal.Active || now.Seq != 1 {
			t.Errorf("%+v, %v", now, err)
		}
	})
}

// The law as a table of its own, so that a slip in eseal.Operations shows.
func TestEveryStateAllowsExactlyItsChanges(t *testing.T) {
	lawful := map[string]eseal.State{"active suspend": eseal.Suspended, "active cancel": eseal.Cancelled, "suspended resume": eseal.Active, "suspended cancel": eseal.Cancelled}
	reach := map[eseal.State][]string{eseal.Active: nil, eseal.Suspended: {"suspend"}, eseal.Cancelled: {"cancel"}}
	each(t, func(t *testing.T, w *world) {
		for from, path := range reach {
			for _, op := range []string{"suspend", "resume", "cancel"} {
				x := w.issued(nil)
				for _, step := range path {
					x = w.change(x.ID, step)
				}
				to, ok := lawful[string(from)+" "+op]
				if !ok {
					if _, err := w.Propose(context.Background(), police1, eseal.Proposal{Operation: op, Seal: x.ID, Reason: "x"}); !errors.Is(err, eseal.ErrTransition) {
						t.Errorf("%s of a seal that is %s: %v", op, from, err)
					}
					continue
				}
				if x = w.change(x.ID, op); x.State != to {
					t.Errorf("%s of a seal that is %s: %s", op, from, x.State)
				}
			}
		}
	})
}

func TestAProposalIsForTheStateThatItsProposerSaw(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		x := w.issued(nil)
		old := w.propose(maker1, eseal.Proposal{Operation: "suspend", Seal: x.ID, Reason: "丢失"})
		w.change(x.ID, "suspend")
		w.change(x.ID, "resume")
		if _, _, err := w.Approve(context.Background(), maker2, old.ID); !errors.Is(err, eseal.ErrStale) {
			t.Errorf("an old suspension was approved: %v", err)
		}
		if r, err := w.Visible(context.Background(), maker2, old.ID); err != nil || r.Decision != "" {
			t.Errorf("a decision stands for nothing: %+v, %v", r, err)
		}
		w.approve(maker2, w.propose(maker1, eseal.Proposal{Operation: "suspend", Seal: x.ID, Reason: "丢失"}).ID) // the twin: proposed now
	})
}

func TestOfTwoApprovalsOneIsDone(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		x := w.issued(nil)
		for range 10 {
			r := w.propose(police1, eseal.Proposal{Operation: "suspend", Seal: x.ID, Reason: "丢失"})
			errs := make([]error, 6)
			var wg sync.WaitGroup
			for i := range errs {
				who := []eseal.Person{police2, maker1, maker2}[i%3]
				wg.Go(func() { _, _, errs[i] = w.Approve(context.Background(), who, r.ID) })
			}
			wg.Wait()
			done := 0
			for _, err := range errs {
				if err == nil {
					done++
				} else if !errors.Is(err, eseal.ErrDecided) {
					t.Errorf("loser got %v", err)
				}
			}
			if done != 1 {
				t.Fatalf("%d approvals were done", done)
			}
			w.change(x.ID, "resume")
		}
		if h, err := w.History(context.Background(), x.ID); err != nil || len(h) != 21 {
			t.Errorf("%d rows of history, %v", len(h), err)
		}
	})
}

func TestAChangeIsAllOrNothing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		x := w.issued(nil)
		faulty := w.service(func(c *eseal.Config) { c.Audit = broken })
		suspend := w.propose(police1, eseal.Proposal{Operation: "suspend", Seal: x.ID, Reason: "丢失"})
		made := w.propose(maker1, eseal.Proposal{Operation: "issue", Issue: issue()})
		for who, id := range map[eseal.Person]string{police2: suspend.ID, maker2: made.ID} {
			if _, _, err := faulty.Approve(ctx, who, id); !errors.Is(err, errFault) {
				t.Fatal(err)
			}
		}
		if _, err := faulty.Propose(ctx, police1, eseal.Proposal{Operation: "cancel", Seal: x.ID, Reason: "x"}); !errors.Is(err, errFault) {
			t.Fatal(err)
		}
		if n := w.count(`SELECT COUNT(*) FROM seals`) + w.count(`SELECT COUNT(*) FROM seal_changes`) + w.count(`SELECT COUNT(*) FROM seal_requests WHERE decision = ''`); n != 4 {
			t.Errorf("%d rows, want a seal, its first change and two open requests", n)
		}
		w.approve(police2, suspend.ID)
		w.approve(maker2, made.ID)
	})
}

func TestTheHistoryNeverGoesBack(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		x := w.issued(nil)
		for _, op := range []string{"suspend", "resume", "suspend", "resume", "cancel"} {
			w.change(x.ID, op) // all within one second of the clock
		}
		h, err := w.History(context.Background(), x.ID)
		if err != nil {
			t.Fatal(err)
		}
		for i := range h {
			if h[i].EffectiveAt.Nanosecond() != 0 || i > 0 && h[i].EffectiveAt.Before(h[i-1].EffectiveAt) || h[i].Seq != int64(i+1) {
				t.Errorf("row %d: %+v", i, h[i])
			}
			if h[i].To != eseal.Active && h[i].EffectiveAt.Before(start) {
				t.Errorf("a suspension reaches back: %+v", h[i])
			}
		}
		published, err := w.Published(context.Background(), maker)
		if err != nil || len(published) != 1 || published[0].ID != x.ID || published[0].PayloadHash != x.PayloadHash || len(published[0].Changes) != 6 {
			t.Errorf("%+v, %v", published, err)
		}
		y := w.issued(nil)
		if published, err = w.service(nil).Published(context.Background(), maker); err != nil || len(published) != 2 {
			t.Errorf("another node: %+v, %v", published, err)
		}
		if published, err = w.Published(context.Background(), maker); err != nil || len(published) != 2 || published[0].ID != y.ID && published[1].ID != y.ID {
			t.Errorf("after another seal: %+v, %v", published, err)
		}
	})
}

// TestACancelledSealHasNoKey: the key goes in the transaction of the cancellation; a suspended seal, which may come back, keeps its own.
func TestACancelledSealHasNoKey(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		const live = `SELECT COUNT(*) FROM key_singles WHERE class = 'seal' AND thing = $1 AND handle <> '' AND destroyed_at = 0`
		x := w.issued(nil)
		w.change(x.ID, "suspend")
		if w.count(live, x.ID) != 1 {
			t.Fatal("a suspended seal lost its key")
		}
		r := w.propose(police1, eseal.Proposal{Operation: "cancel", Seal: x.ID, Reason: "测试"})
		faulty := w.service(func(c *eseal.Config) { c.Audit = broken })
		if _, _, err := faulty.Approve(t.Context(), police2, r.ID); !errors.Is(err, errFault) || w.count(live, x.ID) != 1 {
			t.Fatalf("%v: the key is gone though nothing was cancelled", err)
		}
		if decided := w.approve(police2, r.ID); decided.State != eseal.Cancelled || w.count(live, x.ID) != 0 {
			t.Fatalf("%s, and its key can sign", decided.State)
		}
		if got, _, err := w.Approve(t.Context(), police2, r.ID); !errors.Is(err, eseal.ErrDecided) {
			t.Fatalf("a second time: %v %v", got, err)
		}
		if audits := w.audits("keys.single_destroyed"); audits != 1 {
			t.Errorf("%d events", audits)
		}
	})
}

// TestTheAnswerSaysWhenItWasDecided: also for a change, whose time is only known inside of the transaction.
func TestTheAnswerSaysWhenItWasDecided(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		x := w.issued(nil)
		r, _, err := w.Approve(t.Context(), police2, w.propose(police1, eseal.Proposal{Operation: "suspend", Seal: x.ID, Reason: "测试"}).ID)
		if err != nil || !r.DecidedAt.Equal(start.Truncate(time.Microsecond)) {
			t.Fatalf("decided at %v, %v", r.DecidedAt, err)
		}
	})
}
