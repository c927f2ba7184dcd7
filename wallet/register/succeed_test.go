package register_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/gb"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/wallet/register"
)

// otherPolice is a second authority that may issue driving licences.
var otherPolice = register.Department{Code: "91993301MA2TRY023G", ClientID: "other-police"}

func renewal(number string) register.SuccessionRequest {
	r := record(number)
	r.ValidFrom, r.ValidTo = "2026-06-01", "2036-06-01"
	return register.SuccessionRequest{Operation: "renew", Reason: "期满换证", Record: r}
}

func TestRenewalMakesANewLicenceBehindTheOldOne(t *testing.T) {
	each(t, func(t *testing.T, db *sqlstore.DB, s *register.Service) {
		ctx := context.Background()
		old := imported(t, s, "A1")
		next, err := s.Succeed(ctx, policeDep, old, renewal("A1"))
		if err != nil {
			t.Fatal(err)
		}
		was, _ := gb.ParseLicenceID(old)
		is, err := gb.ParseLicenceID(next.ID)
		if err != nil || is.Strict() != nil || is.Serial != was.Serial || was.Version != "001" || is.Version != "002" || next.Predecessor != old || !next.InForce(now) {
			t.Fatalf("%s behind %s: %+v, %v", next.ID, old, next, err)
		}
		before, err := s.GetOwn(ctx, police, old)
		if err != nil || before.Successor != next.ID || before.Status.Info().Name != "lapsed" || before.Reason != "期满换证" || value(t, db, old) != 1 {
			t.Fatalf("%+v, %v", before, err)
		}
		again, err := s.Get(ctx, next.ID)
		if err != nil || again.Predecessor != old || again.Holder.Name != "李秀英" || again.RecordNumber != "A1" {
			t.Fatalf("%+v, %v", again, err)
		}
		third, err := s.Succeed(ctx, policeDep, next.ID, renewal("A1"))
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range []string{old, next.ID, third.ID} {
			x, err := s.Get(ctx, l)
			if err != nil {
				t.Fatal(err)
			}
			if chain, err := s.Chain(ctx, x); err != nil || !slices.Equal(chain, []string{old, next.ID, third.ID}) {
				t.Errorf("chain of %s: %v, %v", l, chain, err)
			}
		}
		// The authority's number names the newest now: its file of today is unchanged, that of yesterday differs.
		today := renewal("A1").Record
		if r, err := s.Import(ctx, policeDep, []register.ImportRecord{today}); err != nil || r.Unchanged != 1 || r.Records[0].LicenceID != third.ID {
			t.Errorf("today's file: %+v, %v", r, err)
		}
		if r, err := s.Import(ctx, policeDep, []register.ImportRecord{record("A1")}); err != nil || r.Refused != 1 {
			t.Errorf("yesterday's file: %+v, %v", r, err)
		}
		if n := audits(t, db, "register.licence_succeeded"); n != 2 {
			t.Errorf("%d audit events", n)
		}
		// The old one can be wound up, but not come back.
		change(t, s, old, "cancel")
	})
}

func TestSuccessionIsLawfulOrNothing(t *testing.T) {
	each(t, func(t *testing.T, db *sqlstore.DB, s *register.Service) {
		ctx := context.Background()
		fresh := func(acts ...string) string {
			id := imported(t, s, fmt.Sprint("N", audits(t, db, "register.licence_imported")))
			for _, a := range acts {
				change(t, s, id, a)
			}
			return id
		}
		number := func() string { return fmt.Sprint("X", audits(t, db, "register.licence_succeeded")) }
		for _, c := range []struct {
			name string
			acts []string
			edit func(r *register.SuccessionRequest)
			dep  register.Department
			want error
		}{
			{"a valid one", nil, func(*register.SuccessionRequest) {}, policeDep, nil},
			{"a lapsed one", []string{"lapse"}, func(*register.SuccessionRequest) {}, policeDep, nil},
			{"a revoked one", []string{"revoke"}, func(*register.SuccessionRequest) {}, policeDep, register.ErrTransition},
			{"a withheld one", []string{"withhold"}, func(*register.SuccessionRequest) {}, policeDep, register.ErrTransition},
			{"change of a lapsed one", []string{"lapse"}, func(r *register.SuccessionRequest) { r.Operation = "change" }, policeDep, register.ErrTransition},
			{"change", nil, func(r *register.SuccessionRequest) { r.Operation, r.Record.Holder.Name = "change", "李秀瑛" }, policeDep, nil},
			{"another holder", nil, func(r *register.SuccessionRequest) { r.Record.Holder.Code = "993301197806151171" }, policeDep, register.ErrInvalid},
			{"no reason", nil, func(r *register.SuccessionRequest) { r.Reason = "" }, policeDep, register.ErrInvalid},
			{"an act that makes none", nil, func(r *register.SuccessionRequest) { r.Operation = "revoke" }, policeDep, register.ErrInvalid},
			{"a faulty record", nil, func(r *register.SuccessionRequest) { r.Record.Fields["sex"] = "x" }, policeDep, register.ErrInvalid},
			{"another authority's", nil, func(*register.SuccessionRequest) {}, otherPolice, register.ErrNotFound},
			{"taking in what wasn't let go", nil, func(r *register.SuccessionRequest) { r.Operation = "transfer_in" }, otherPolice, register.ErrNotFound},
			{"taking in one's own", []string{"transfer_out"}, func(r *register.SuccessionRequest) { r.Operation = "transfer_in" }, policeDep, register.ErrInvalid},
			{"taking in for somebody else", []string{"transfer_out"}, func(r *register.SuccessionRequest) {
				r.Operation, r.Record.Holder.Code = "transfer_in", "993301197806151171"
			}, otherPolice, register.ErrNotFound},
			{"taking in", []string{"transfer_out"}, func(r *register.SuccessionRequest) { r.Operation = "transfer_in" }, otherPolice, nil},
		} {
			id := fresh(c.acts...)
			before, _ := s.Get(ctx, id)
			req := renewal(number())
			c.edit(&req)
			next, err := s.Succeed(ctx, c.dep, id, req)
			after, _ := s.Get(ctx, id)
			switch {
			case c.want == nil && (err != nil || after.Successor != next.ID || next.Issuer != c.dep.Code):
				t.Errorf("%s: %+v, %v", c.name, next, err)
			case c.want != nil && (!errors.Is(err, c.want) || after.Status != before.Status || after.Seq != before.Seq || after.Successor != ""):
				t.Errorf("%s: %v, then %+v", c.name, err, after)
			}
		}
	})
}

func TestATransferThatWasTakenInCantBeUndone(t *testing.T) {
	each(t, func(t *testing.T, db *sqlstore.DB, s *register.Service) {
		ctx := context.Background()
		id := imported(t, s, "A1")
		change(t, s, id, "transfer_out")
		change(t, s, id, "undo_transfer_out") // the twin
		change(t, s, id, "transfer_out")
		req := renewal("B7")
		req.Operation = "transfer_in"
		next, err := s.Succeed(ctx, otherPolice, id, req)
		if err != nil || next.Issuer != otherPolice.Code || !strings.Contains(next.ID, otherPolice.Code) {
			t.Fatalf("%+v, %v", next, err)
		}
		if _, _, err := s.Change(ctx, policeDep, id, register.StatusRequest{Operation: "undo_transfer_out", Reason: "r"}); !errors.Is(err, register.ErrTransition) {
			t.Errorf("undone: %v", err)
		}
		if _, err := s.GetOwn(ctx, police, next.ID); !errors.Is(err, register.ErrNotFound) { // V02
			t.Errorf("the old authority sees the new licence: %v", err)
		}
		journal, err := s.Journal(ctx, id)
		if err != nil || journal[len(journal)-1].Operation != "transfer_in" || journal[len(journal)-1].Actor != "other-police" {
			t.Errorf("%+v, %v", journal, err)
		}
		held, err := s.ListByHolder(ctx, "111", "99440119490312002X")
		if err != nil || len(held) != 2 {
			t.Errorf("her licences: %d, %v", len(held), err)
		}
	})
}

// Of a renewal, a change, an act and a taking in at the same time one is done, and nothing of the others.
func TestOfTwoSuccessorsOneIsMade(t *testing.T) {
	each(t, func(t *testing.T, db *sqlstore.DB, s *register.Service) {
		ctx := context.Background()
		for round := range 6 {
			id := imported(t, s, fmt.Sprint("RACE", round))
			if round%2 == 1 {
				change(t, s, id, "transfer_out")
			}
			errs := make([]error, 8)
			var wg sync.WaitGroup
			for i := range errs {
				wg.Go(func() {
					req := renewal(fmt.Sprint("RACE", round, "-", i))
					switch {
					case round%2 == 0 && i%2 == 0:
						_, errs[i] = s.Succeed(ctx, policeDep, id, req)
					case round%2 == 0:
						_, _, errs[i] = s.Change(ctx, policeDep, id, register.StatusRequest{Operation: "revoke", Reason: "r"})
					case i%2 == 0:
						req.Operation = "transfer_in"
						_, errs[i] = s.Succeed(ctx, otherPolice, id, req)
					default:
						_, _, errs[i] = s.Change(ctx, policeDep, id, register.StatusRequest{Operation: "undo_transfer_out", Reason: "r"})
					}
				})
			}
			wg.Wait()
			done := 0
			for _, err := range errs {
				if err == nil {
					done++
				} else if !errors.Is(err, register.ErrStale) && !errors.Is(err, register.ErrTransition) && !errors.Is(err, register.ErrNotFound) {
					t.Errorf("loser got %v", err)
				}
			}
			var successors int
			if err := db.QueryRow(ctx, `SELECT COUNT(*) FROM licences WHERE predecessor = $1`, id).Scan(&successors); err != nil {
				t.Fatal(err)
			}
			l, err := s.Get(ctx, id)
			if err != nil || done != 1 || successors > 1 || (successors == 1) != (l.Successor != "") {
				t.Fatalf("round %d: %d done, %d successors, %+v, %v", round, done, successors, l, err)
			}
		}
	})
}

func TestSuccessionIsAllOrNothing(t *testing.T) {
	each(t, func(t *testing.T, db *sqlstore.DB, s *register.Service) {
		id := imported(t, s, "A1")
		cfg := config(db)
		cfg.Audit = func(context.Context, audit.Event) error { return errFault }
		broken, err := register.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := broken.Succeed(context.Background(), policeDep, id, renewal("A1")); !errors.Is(err, errFault) {
			t.Fatal(err)
		}
		l, err := s.Get(context.Background(), id)
		if err != nil || l.Status != register.StatusValid || l.Successor != "" {
			t.Fatalf("%+v, %v", l, err)
		}
		if _, err := s.Succeed(context.Background(), policeDep, id, renewal("A1")); err != nil { // the twin
			t.Fatal(err)
		}
	})
}

func TestTheAPIShowsTheChain(t *testing.T) {
	each(t, func(t *testing.T, db *sqlstore.DB, s *register.Service) {
		base := serve(t, s).URL + "/register/v1/licences/"
		id := imported(t, s, "A1")
		body := func(edit func(m map[string]any)) string {
			raw, err := json.Marshal(renewal("A1"))
			if err != nil {
				t.Fatal(err)
			}
			var m map[string]any
			if err := json.Unmarshal(raw, &m); err != nil {
				t.Fatal(err)
			}
			edit(m)
			raw, _ = json.Marshal(m)
			return string(raw)
		}
		for name, c := range map[string]struct {
			token string
			edit  func(m map[string]any)
			want  int
		}{
			"another department":    {"market", func(map[string]any) {}, 400}, // it may not issue the type: said before anything about the licence
			"without a record":      {"police", func(m map[string]any) { delete(m, "record") }, 400},
			"an unknown member":     {"police", func(m map[string]any) { m["x"] = 1 }, 400},
			"a misspelt record":     {"police", func(m map[string]any) { m["record"].(map[string]any)["valid_too"] = "x" }, 400},
			"an unknown operation":  {"police", func(m map[string]any) { m["operation"] = "x" }, 400},
			"taking in one's own":   {"police", func(m map[string]any) { m["operation"] = "transfer_in" }, 400},
			"the record as a text":  {"police", func(m map[string]any) { m["record"] = "x" }, 400},
			"the record as nothing": {"police", func(m map[string]any) { m["record"] = nil }, 400},
		} {
			if a := call(t, "POST", base+id+"/successors", c.token, body(c.edit)); a.code != c.want {
				t.Errorf("%s: %d %s", name, a.code, a.body)
			}
		}
		if a := call(t, "POST", base+"9.9/successors", "police", body(func(map[string]any) {})); a.code != 404 {
			t.Errorf("an unknown licence: %d", a.code)
		}
		a := call(t, "POST", base+id+"/successors", "police", body(func(map[string]any) {}))
		var v struct {
			ID, Predecessor string
			Chain           []string
			Journal         []struct{ Operation string }
		}
		if err := json.Unmarshal(a.body, &v); err != nil || a.code != 200 || v.Predecessor != id || len(v.Chain) != 2 || v.Journal[0].Operation != "renew" {
			t.Fatalf("%d %s %v", a.code, a.body, err)
		}
		if a := call(t, "GET", base+id, "police", ""); !strings.Contains(string(a.body), `"successor":"`+v.ID+`"`) {
			t.Errorf("the old one: %s", a.body)
		}
		if a := call(t, "POST", base+id+"/successors", "police", body(func(map[string]any) {})); a.code != 409 {
			t.Errorf("a second successor: %d %s", a.code, a.body)
		}
	})
}
