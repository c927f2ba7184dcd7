package eseal_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hufu-id/hufu/signing/eseal"
	"github.com/hufu-id/hufu/signing/jades"
	"github.com/hufu-id/hufu/signing/sealvc"
)

// checkSealed verifies a signature and that it is of the recorded header, over what was asked.
func (w *world) checkSealed(x eseal.Seal, req eseal.SignRequest, s eseal.Sealed) {
	w.t.Helper()
	p, err := jades.Parse(s.Signature)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := p.Verify(); err != nil {
		w.t.Fatal(err)
	}
	if string(p.Protected()) != s.Use.Protected || p.Seal() != x.Credential || fmt.Sprintf("%x", p.Document().SHA256) != req.SHA256 ||
		p.KindURI() != sealvc.DocumentKindURI(origin, s.Use.DocumentKind) {
		w.t.Errorf("%+v", p)
	}
	var recorded string
	if err := w.db.QueryRow(context.Background(), `SELECT protected FROM seal_uses WHERE organisation = $1 AND request_id = $2`, police, req.RequestID).Scan(&recorded); err != nil ||
		recorded != s.Use.Protected {
		w.t.Errorf("the record is not what was signed: %v", err)
	}
}

func TestSealingRecordsThenSigns(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		x := w.issued(nil)
		s, err := w.Sign(context.Background(), police1, x.ID, ask(1))
		if err != nil {
			t.Fatal(err)
		}
		if s.Use.DocumentKind != "approval" || s.Repeated || w.audits("eseal.document_sealed") != 1 {
			t.Errorf("%+v", s)
		}
		w.checkSealed(x, ask(1), s)
		uses, err := w.Uses(context.Background(), police2, x.ID)
		if err != nil || len(uses) != 1 || uses[0].ClientID != "police-1" || uses[0].Digest != ask(1).SHA256 {
			t.Errorf("%+v, %v", uses, err)
		}
		if _, err := w.Uses(context.Background(), maker1, x.ID); !errors.Is(err, eseal.ErrNotFound) {
			t.Errorf("the maker sees the owner's uses: %v", err)
		}
	})
}

func TestS04TheSealIsOnlyUsedAsItMay(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		x := w.issued(nil)
		wide := w.issued(func(i *eseal.Issue) { i.DocumentKinds = []string{"notice", "decision"} })
		future := w.issued(func(i *eseal.Issue) { i.ValidFrom = "2026-12-24" })
		n := 0
		try := func(name string, who eseal.Person, id, kind string, want error) {
			t.Helper()
			n++
			req := ask(n)
			req.DocumentKind = kind
			s, err := w.Sign(context.Background(), who, id, req)
			if !errors.Is(err, want) {
				t.Errorf("%s: %v", name, err)
			}
			if want != nil && (s.Signature != nil || w.count(`SELECT COUNT(*) FROM seal_uses WHERE request_id = $1`, req.RequestID) != 0) {
				t.Errorf("%s left a trace", name)
			}
		}
		try("another kind of document", police1, x.ID, "contract", eseal.ErrKind)
		try("a kind that there isn't", police1, x.ID, "poem", eseal.ErrInvalid)
		try("no kind of several", police1, wide.ID, "", eseal.ErrKind)
		try("one of several", police1, wide.ID, "decision", nil)
		try("another department's seal", market1, x.ID, "", eseal.ErrNotFound)
		try("a seal that there isn't", police1, police+"-99-0000000000", "", eseal.ErrNotFound)
		try("the maker itself", maker1, x.ID, "", eseal.ErrNotFound)
		try("before its validity", police1, future.ID, "", eseal.ErrValidity)
		try("in order", police1, x.ID, "approval", nil)
		w.change(x.ID, "suspend")
		try("suspended", police1, x.ID, "", eseal.ErrNotActive)
		w.clock.add(time.Minute)
		w.change(x.ID, "resume")
		try("resumed", police1, x.ID, "", nil)
		w.clock.add(800 * 24 * time.Hour)
		try("after its validity", police1, x.ID, "", eseal.ErrValidity)
		w.change(x.ID, "cancel")
		try("cancelled", police1, x.ID, "", eseal.ErrNotActive)
	})
}

func TestTheLastDayOfValidityIsADayInBeijing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		x := w.issued(func(i *eseal.Issue) { i.ValidTo = "2026-11-24" })
		w.clock.add(time.Date(2026, 11, 24, 15, 59, 59, 0, time.UTC).Sub(start))
		if _, err := w.Sign(context.Background(), police1, x.ID, ask(1)); err != nil {
			t.Error(err)
		}
		w.clock.add(time.Second)
		if _, err := w.Sign(context.Background(), police1, x.ID, ask(2)); !errors.Is(err, eseal.ErrValidity) {
			t.Error(err)
		}
	})
}

func TestS12OneRequestIDIsOneRecord(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		x := w.issued(nil)
		first, err := w.Sign(ctx, police1, x.ID, ask(1))
		if err != nil {
			t.Fatal(err)
		}
		w.clock.add(time.Hour)
		again, err := w.Sign(ctx, police2, x.ID, ask(1)) // a colleague repeats it
		if err != nil || !again.Repeated || again.Use != first.Use || w.audits("eseal.document_sealed") != 1 {
			t.Fatalf("%+v, %v", again, err)
		}
		w.checkSealed(x, ask(1), again)
		other := ask(2)
		other.RequestID = ask(1).RequestID
		if s, err := w.Sign(ctx, police1, x.ID, other); !errors.Is(err, eseal.ErrReused) || s.Signature != nil {
			t.Errorf("another document under the same request id: %v", err)
		}
		named := ask(1)
		named.FileName = "b.pdf"
		if _, err := w.Sign(ctx, police1, x.ID, named); !errors.Is(err, eseal.ErrReused) {
			t.Errorf("another name under the same request id: %v", err)
		}
		// Another organisation's id is its own.
		y := w.issued(func(i *eseal.Issue) { i.Owner = eseal.OwnerView{Code: market, Name: "沙箱省市场监督管理局"} })
		if s, err := w.Sign(ctx, market1, y.ID, ask(1)); err != nil || s.Repeated {
			t.Errorf("%v", err)
		}
		w.change(x.ID, "suspend")
		if s, err := w.Sign(ctx, police1, x.ID, ask(1)); !errors.Is(err, eseal.ErrNotActive) || s.Signature != nil {
			t.Errorf("repeated after the suspension: %v", err)
		}
	})
}

func TestS12OneRequestIDAtOnceIsOneRecord(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		x := w.issued(nil)
		for round := range 5 {
			var wg sync.WaitGroup
			var mu sync.Mutex
			fresh, headers := 0, map[string]bool{}
			for range 20 {
				wg.Go(func() {
					s, err := w.Sign(context.Background(), police1, x.ID, ask(round))
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						t.Error(err)
						return
					}
					headers[s.Use.Protected] = true
					if !s.Repeated {
						fresh++
					}
				})
			}
			wg.Wait()
			if fresh != 1 || len(headers) != 1 || w.count(`SELECT COUNT(*) FROM seal_uses`) != round+1 {
				t.Errorf("round %d: %d fresh, %d headers", round, fresh, len(headers))
			}
		}
	})
}

func TestNothingIsSealedAfterASuspension(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		s := w.service(func(c *eseal.Config) { c.Now = time.Now })
		begin := time.Now()
		w.clock.add(begin.Sub(w.clock.now()))
		x := w.issued(nil)
		for round := range 8 {
			r, err := s.Propose(ctx, police1, eseal.Proposal{Operation: "suspend", Seal: x.ID, Reason: "丢失"})
			if err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			for i := range 10 {
				wg.Go(func() {
					if _, err := s.Sign(ctx, police1, x.ID, ask(round*100+i)); err != nil && !errors.Is(err, eseal.ErrNotActive) && !errors.Is(err, eseal.ErrStale) {
						t.Error(err)
					}
				})
			}
			wg.Go(func() {
				if _, _, err := s.Approve(ctx, police2, r.ID); err != nil {
					t.Error(err)
				}
			})
			wg.Wait()
			w.checkUses(x.ID)
			back, err := s.Propose(ctx, police1, eseal.Proposal{Operation: "resume", Seal: x.ID, Reason: "找到"})
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := s.Approve(ctx, police2, back.ID); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A suspension on a node whose clock is behind is still after what was sealed before it.
func TestASuspensionIsAfterEveryUseWhateverTheClocksSay(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		x := w.issued(nil)
		ahead := w.service(func(c *eseal.Config) { c.Now = func() time.Time { return w.clock.now().Add(3 * time.Second) } })
		if _, err := ahead.Sign(context.Background(), police1, x.ID, ask(1)); err != nil {
			t.Fatal(err)
		}
		w.change(x.ID, "suspend")
		w.checkUses(x.ID)
		h, err := w.History(context.Background(), x.ID)
		if err != nil || h[1].RecordedAt.Before(h[1].EffectiveAt) {
			t.Errorf("%+v, %v", h, err)
		}
	})
}

// checkUses holds every use against the history: the state at its claimed time is active.
func (w *world) checkUses(id string) {
	w.t.Helper()
	history, err := w.History(context.Background(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	uses, err := w.Service.Uses(context.Background(), police1, id)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, u := range uses {
		var iat int64
		_, rest, _ := strings.Cut(u.Protected, `"iat":`)
		if _, err := fmt.Sscan(strings.FieldsFunc(rest, func(r rune) bool { return r < '0' || r > '9' })[0], &iat); err != nil {
			w.t.Fatal(err)
		}
		state := eseal.State("none")
		for _, c := range history {
			if c.EffectiveAt.Unix() <= iat {
				state = c.To
			}
		}
		if state != eseal.Active {
			w.t.Errorf("a use claims %d, when the seal was %s", iat, state)
		}
	}
}

func TestASealThatWasNotSignedIsSignedByWhoNeedsIt(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		r := w.propose(maker1, eseal.Proposal{Operation: "issue", Issue: issue()})
		w.keys.noMaker = true // as if the process died after the transaction
		if _, _, err := w.Approve(ctx, maker2, r.ID); !errors.Is(err, errFault) {
			t.Fatal(err)
		}
		before, err := w.Own(ctx, police1, r.SealID)
		if err != nil || before.Credential != "" || before.State != eseal.Active {
			t.Fatalf("%+v, %v", before, err)
		}
		if _, err := w.Sign(ctx, police1, r.SealID, ask(1)); !errors.Is(err, errFault) || w.count(`SELECT COUNT(*) FROM seal_uses`) != 0 {
			t.Fatalf("sealed with a seal that isn't signed: %v", err)
		}
		w.keys.noMaker = false
		s, err := w.Sign(ctx, police1, r.SealID, ask(1))
		if err != nil {
			t.Fatal(err)
		}
		after, err := w.Own(ctx, police1, r.SealID)
		if err != nil || after.Payload != before.Payload || after.PayloadHash != before.PayloadHash {
			t.Fatalf("%+v, %v", after, err)
		}
		w.checkCredential(after)
		w.checkSealed(after, ask(1), s)
	})
}

func TestSealingIsAllOrNothing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		x := w.issued(nil)
		faulty := w.service(func(c *eseal.Config) { c.Audit = broken })
		if s, err := faulty.Sign(context.Background(), police1, x.ID, ask(1)); !errors.Is(err, errFault) || s.Signature != nil || w.count(`SELECT COUNT(*) FROM seal_uses`) != 0 {
			t.Errorf("%v", err)
		}
		if s, err := w.Sign(context.Background(), police1, x.ID, ask(1)); err != nil || s.Repeated {
			t.Errorf("the twin: %v", err)
		}
	})
}

func TestWhatIsAskedMustBeInOrder(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		x := w.issued(nil)
		for name, change := range map[string]func(*eseal.SignRequest){
			"short request id":   func(r *eseal.SignRequest) { r.RequestID = "abc" },
			"long request id":    func(r *eseal.SignRequest) { r.RequestID = strings.Repeat("a", 65) },
			"blank in an id":     func(r *eseal.SignRequest) { r.RequestID = "request 0000000001" },
			"short digest":       func(r *eseal.SignRequest) { r.SHA256 = r.SHA256[2:] },
			"upper-case digest":  func(r *eseal.SignRequest) { r.SHA256 = strings.ToUpper(r.SHA256) },
			"no digest":          func(r *eseal.SignRequest) { r.SHA256 = "" },
			"digest of nothing":  func(r *eseal.SignRequest) { r.SHA256 = strings.Repeat("0", 64) },
			"path":               func(r *eseal.SignRequest) { r.FileName = "../a.pdf" },
			"name too long":      func(r *eseal.SignRequest) { r.FileName = strings.Repeat("长", 100) },
			"name that turns":    func(r *eseal.SignRequest) { r.FileName = "a\u202efdp.exe" },
			"no such media type": func(r *eseal.SignRequest) { r.MediaType = "pdf" },
			"NUL":                func(r *eseal.SignRequest) { r.FileName = "a\x00b" },
			"not UTF-8":          func(r *eseal.SignRequest) { r.FileName = "a\xffb" },
		} {
			req := ask(1)
			change(&req)
			if _, err := w.Sign(context.Background(), police1, x.ID, req); !errors.Is(err, eseal.ErrInvalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
		good := ask(1)
		good.FileName, good.MediaType = "批复 1.pdf", "application/pdf"
		if s, err := w.Sign(context.Background(), police1, x.ID, good); err != nil {
			t.Error(err)
		} else {
			w.checkSealed(x, good, s)
		}
	})
}
