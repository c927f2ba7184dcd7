package register_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/wallet/register"
)

// allowed is the law as a table of its own, so that a slip in register.Operations shows.
var allowed = map[string]map[string]string{ // operation -> from -> to
	"withhold":          {"valid": "withheld"},
	"restore":           {"withheld": "valid"},
	"revoke":            {"valid": "revoked", "withheld": "revoked"},
	"annul":             {"valid": "annulled", "withheld": "annulled", "lapsed": "annulled"},
	"cancel":            {"valid": "cancelled", "withheld": "cancelled", "annulled": "cancelled", "lapsed": "cancelled", "revoked": "cancelled"},
	"lapse":             {"valid": "lapsed", "withheld": "lapsed"},
	"transfer_out":      {"valid": "transferred_out"},
	"undo_transfer_out": {"transferred_out": "valid"},
	"other":             {"valid": "other", "withheld": "other"},
}

// reach says by which acts a fresh licence gets into a state.
var reach = map[string][]string{"valid": nil, "withheld": {"withhold"}, "annulled": {"annul"}, "cancelled": {"cancel"}, "lapsed": {"lapse"},
	"transferred_out": {"transfer_out"}, "revoked": {"revoke"}, "other": {"other"}}

func TestEveryStateAllowsExactlyTheLawfulActs(t *testing.T) {
	each(t, func(t *testing.T, db *sqlstore.DB, s *register.Service) {
		ctx := context.Background()
		if len(register.Operations) != len(allowed) || len(register.Statuses) != len(reach) {
			t.Fatal("the tables differ in size")
		}
		for _, from := range register.Statuses {
			for _, op := range register.Operations {
				id := imported(t, s, from.Name+"/"+op.Name)
				for _, act := range reach[from.Name] {
					change(t, s, id, act)
				}
				before := audits(t, db, "register.status_changed")
				l, c, err := s.Change(ctx, policeDep, id, register.StatusRequest{Operation: op.Name, Reason: "依法"})
				to, lawful := allowed[op.Name][from.Name]
				if !lawful {
					got, _ := s.Get(ctx, id)
					if !errors.Is(err, register.ErrTransition) || got.Status != from.Status || audits(t, db, "register.status_changed") != before {
						t.Errorf("%s of a %s licence: %v, now %s", op.Name, from.Name, err, got.Status)
					}
					continue
				}
				if err != nil || l.Status.Info().Name != to || l.Reason != "依法" || c.From != from.Status || value(t, db, id) != int(l.Status.Info().Token) {
					t.Errorf("%s of a %s licence: %+v, %v", op.Name, from.Name, l, err)
				}
				if stored, err := s.Get(ctx, id); err != nil || stored.Status != l.Status || stored.Seq != l.Seq || stored.Reason != "依法" {
					t.Errorf("stored %+v, %v", stored, err)
				}
			}
		}
	})
}

func change(t *testing.T, s *register.Service, id, op string) {
	t.Helper()
	if _, _, err := s.Change(context.Background(), policeDep, id, register.StatusRequest{Operation: op, Reason: "r"}); err != nil {
		t.Fatalf("%s: %v", op, err)
	}
}

func TestTokenValuesOfStates(t *testing.T) {
	for _, s := range register.Statuses {
		want := uint8(1)
		switch s.Name {
		case "valid":
			want = 0
		case "withheld":
			want = 2
		}
		if s.Token != want {
			t.Errorf("%s is published as %d", s.Name, s.Token)
		}
	}
	if register.LegalStatus("42").Info().Token != 1 {
		t.Error("an unknown state must not be published as valid")
	}
}

func TestChangeNeedsAReasonAndATimeThatCanBe(t *testing.T) {
	each(t, func(t *testing.T, db *sqlstore.DB, s *register.Service) {
		id := imported(t, s, "A1")
		for name, req := range map[string]register.StatusRequest{
			"no reason":          {Operation: "revoke"},
			"reason of controls": {Operation: "revoke", Reason: "a\x00b"},
			"unknown operation":  {Operation: "destroy", Reason: "r"},
			"import":             {Operation: "import", Reason: "r"},
			"future":             {Operation: "revoke", Reason: "r", EffectiveAt: now.Add(time.Hour)},
			"before validity":    {Operation: "revoke", Reason: "r", EffectiveAt: time.Date(2023, 5, 31, 15, 0, 0, 0, time.UTC)},
		} {
			if _, _, err := s.Change(context.Background(), policeDep, id, req); !errors.Is(err, register.ErrInvalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
		at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.FixedZone("CST", 8*3600))
		l, _, err := s.Change(context.Background(), policeDep, id, register.StatusRequest{Operation: "revoke", Reason: "r", EffectiveAt: at})
		if err != nil || !l.StatusSince.Equal(at) || l.InForce(now) {
			t.Fatalf("%+v, %v", l, err)
		}
	})
}

func TestOfTwoActsAtOnceOneIsDone(t *testing.T) {
	each(t, func(t *testing.T, db *sqlstore.DB, s *register.Service) {
		for round := range 10 {
			id := imported(t, s, fmt.Sprint("RACE", round))
			var wg sync.WaitGroup
			errs := make([]error, 8)
			for i := range errs {
				op := []string{"revoke", "transfer_out"}[i%2] // neither is possible after the other
				wg.Go(func() {
					_, _, errs[i] = s.Change(context.Background(), policeDep, id, register.StatusRequest{Operation: op, Reason: "r"})
				})
			}
			wg.Wait()
			done := 0
			for _, err := range errs {
				switch {
				case err == nil:
					done++
				case !errors.Is(err, register.ErrStale) && !errors.Is(err, register.ErrTransition):
					t.Errorf("loser got %v", err)
				}
			}
			journal, err := s.Journal(context.Background(), id)
			if done != 1 || err != nil || len(journal) != 2 {
				t.Fatalf("%d done, journal %v, %v", done, journal, err)
			}
		}
	})
}

func TestChangeIsAllOrNothing(t *testing.T) {
	each(t, func(t *testing.T, db *sqlstore.DB, s *register.Service) {
		id := imported(t, s, "A1")
		cfg := config(db)
		cfg.Audit = func(context.Context, audit.Event) error { return errFault }
		broken, err := register.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := broken.Change(context.Background(), policeDep, id, register.StatusRequest{Operation: "revoke", Reason: "r"}); !errors.Is(err, errFault) {
			t.Fatal(err)
		}
		l, err := s.Get(context.Background(), id)
		journal, jerr := s.Journal(context.Background(), id)
		var n int
		serr := db.QueryRow(context.Background(), `SELECT COUNT(*) FROM status_licences`).Scan(&n)
		if err != nil || jerr != nil || serr != nil || l.Status != register.StatusValid || len(journal) != 1 || n != 0 {
			t.Fatalf("%+v, %v, %d status rows", l, journal, n)
		}
		change(t, s, id, "revoke")
	})
}

func TestHoldKeepsTheStateUntilTheTransactionEnds(t *testing.T) { // P12
	each(t, func(t *testing.T, db *sqlstore.DB, s *register.Service) {
		ctx := context.Background()
		id := imported(t, s, "A1")
		held, release, revoked := make(chan struct{}), make(chan struct{}), make(chan error, 1)
		go func() {
			<-held
			go func() { time.Sleep(100 * time.Millisecond); close(release) }()
			_, _, err := s.Change(ctx, policeDep, id, register.StatusRequest{Operation: "revoke", Reason: "r"})
			revoked <- err
		}()
		err := db.InTx(ctx, func(ctx context.Context) error {
			if _, err := s.Hold(ctx, id); err != nil {
				return err
			}
			close(held)
			<-release
			if l, err := s.Get(ctx, id); err != nil || l.Status != register.StatusValid {
				t.Errorf("while held: %+v, %v", l, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := <-revoked; err != nil {
			t.Fatal(err)
		}
		if _, err := s.Hold(ctx, id); !errors.Is(err, register.ErrNotInForce) {
			t.Fatalf("revoked: %v", err)
		}
		if _, err := s.Hold(ctx, "x"); !errors.Is(err, register.ErrNotFound) {
			t.Fatalf("unknown: %v", err)
		}
	})
}

func TestInForceByCivilDaysOfChina(t *testing.T) {
	l := register.Licence{Status: register.StatusValid, ValidFrom: "2026-11-23", ValidTo: "2026-11-24"}
	for at, want := range map[time.Time]bool{
		time.Date(2026, 11, 22, 15, 59, 59, 0, time.UTC): false, time.Date(2026, 11, 22, 16, 0, 0, 0, time.UTC): true,
		time.Date(2026, 11, 24, 15, 59, 59, 0, time.UTC): true, time.Date(2026, 11, 24, 16, 0, 0, 0, time.UTC): false,
	} {
		if l.InForce(at) != want {
			t.Errorf("%s: %v", at, !want)
		}
	}
}
