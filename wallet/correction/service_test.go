package correction_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hufu-id/hufu/wallet/correction"
)

func TestReportAndAnswerAreReadByBothSides(t *testing.T) {
	each(t, func(t *testing.T, w *site) {
		ctx := context.Background()
		id := w.report("birth_date", " 应该是 1958-03-13\r\n请核对 ")
		open, err := w.s.List(ctx, correction.Query{Authority: police, State: correction.Open})
		if err != nil || len(open) != 1 || open[0].ID != id || open[0].Text != "应该是 1958-03-13\n请核对" || open[0].Field != "birth_date" || !open[0].AnsweredAt.IsZero() {
			t.Fatalf("%+v %v", open, err)
		}
		r, err := w.s.Answer(ctx, policeDep, id, correction.Corrected, "已按户口簿更正。")
		if err != nil || r.State != correction.Answered || r.LicenceID != own {
			t.Fatalf("%+v %v", r, err)
		}
		hers, err := w.s.Of(ctx, "li")
		if err != nil || len(hers) != 1 || hers[0].Answer != "已按户口簿更正。" || hers[0].Outcome != correction.Corrected || !hers[0].AnsweredAt.After(hers[0].ReportedAt) {
			t.Fatalf("%+v %v", hers, err)
		}
		if open, _ := w.s.List(ctx, correction.Query{Authority: police, State: correction.Open}); len(open) != 0 {
			t.Error("an answered report is still open")
		}
		if others, _ := w.s.Of(ctx, "wang"); len(others) != 0 {
			t.Error("V02: another person sees the report")
		}
		if w.audits("correction.reported") != 1 || w.audits("correction.answered") != 1 {
			t.Error("a report and an answer are one audit event each")
		}
	})
}

func TestAnAnswerIsFinalAndTheAuthoritysOwn(t *testing.T) { // V02
	each(t, func(t *testing.T, w *site) {
		ctx := context.Background()
		id := w.report("address", "x")
		for _, c := range []struct {
			name string
			dep  correction.Department
			id   string
			want error
		}{
			{"V02 another authority", marketDep, id, correction.ErrNotFound},
			{"no authority", correction.Department{}, id, correction.ErrNotFound},
			{"unknown", policeDep, strings.Repeat("0", 32), correction.ErrNotFound},
			{"no id", policeDep, "\x00", correction.ErrNotFound},
			{"twin", policeDep, id, nil},
			{"again", policeDep, id, correction.ErrAnswered},
			{"V02 another authority, afterwards", marketDep, id, correction.ErrNotFound},
		} {
			if _, err := w.s.Answer(ctx, c.dep, c.id, correction.NotWrong, "no"); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", c.name, err)
			}
		}
		for _, x := range []struct {
			outcome correction.Outcome
			text    string
		}{{"done", "text"}, {"", "text"}, {correction.Corrected, ""}, {correction.Corrected, " \n"}, {correction.Corrected, strings.Repeat("字", correction.MaxText+1)}} {
			if _, err := w.s.Answer(ctx, policeDep, id, x.outcome, x.text); !errors.Is(err, correction.ErrInvalid) {
				t.Errorf("%q %.9q: %v", x.outcome, x.text, err)
			}
		}
	})
}

func TestOfTwoAnswersAtOnceOneIsGiven(t *testing.T) {
	each(t, func(t *testing.T, w *site) {
		id := w.report("address", "x")
		var done, lost atomic.Int32
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				_, err := w.s.Answer(context.Background(), policeDep, id, correction.Outcomes[i%3], fmt.Sprint("answer ", i))
				switch {
				case err == nil:
					done.Add(1)
				case errors.Is(err, correction.ErrAnswered):
					lost.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if done.Load() != 1 || lost.Load() != 7 || w.audits("correction.answered") != 1 {
			t.Errorf("%d answers were given, %d lost, %d events", done.Load(), lost.Load(), w.audits("correction.answered"))
		}
	})
}

func TestTheSameReportIsOneWhileItIsOpen(t *testing.T) {
	each(t, func(t *testing.T, w *site) {
		first := w.report("address", "北京路 1 号")
		if again := w.report("address", " 北京路 1 号\r\n"); again != first {
			t.Error("a double click made a second report")
		}
		if other := w.report("birth_date", "北京路 1 号"); other == first {
			t.Error("another entry is another report")
		}
		if w.audits("correction.reported") != 2 {
			t.Error("the second click was audited")
		}
		if _, err := w.s.Answer(context.Background(), policeDep, first, correction.NotWrong, "no"); err != nil {
			t.Fatal(err)
		}
		if again := w.report("address", "北京路 1 号"); again == first {
			t.Error("after the answer the same text is a new report")
		}
	})
}

func TestClicksAtOnceAreOneReport(t *testing.T) {
	each(t, func(t *testing.T, w *site) {
		var ids sync.Map
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				id, err := w.s.Report(context.Background(), "li", licence(own), "address", "the same")
				if err != nil {
					t.Error(err)
				}
				ids.Store(id, true)
			})
		}
		wg.Wait()
		n := 0
		ids.Range(func(any, any) bool { n++; return true })
		if n != 1 || w.count(`SELECT COUNT(*) FROM correction_reports`) != 1 {
			t.Errorf("%d ids, %d reports", n, w.count(`SELECT COUNT(*) FROM correction_reports`))
		}
	})
}

func TestALicenceHasAtMostFiveOpenReports(t *testing.T) {
	each(t, func(t *testing.T, w *site) {
		ctx := context.Background()
		var done, full atomic.Int32
		var wg sync.WaitGroup
		for i := range 12 {
			wg.Go(func() {
				_, err := w.s.Report(ctx, "li", licence(own), "address", fmt.Sprint("text ", i))
				switch {
				case err == nil:
					done.Add(1)
				case errors.Is(err, correction.ErrTooMany):
					full.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if done.Load() != correction.MaxOpen || full.Load() != 12-correction.MaxOpen {
			t.Fatalf("%d reports were taken, %d refused", done.Load(), full.Load())
		}
		if _, err := w.s.Report(ctx, "wang", licence(wangs), "address", "text"); err != nil {
			t.Errorf("another licence: %v", err)
		}
		open, _ := w.s.List(ctx, correction.Query{Authority: police})
		if _, err := w.s.Answer(ctx, policeDep, open[2].ID, correction.Forwarded, "to the province"); err != nil {
			t.Fatal(err)
		}
		w.report("address", "after the answer")
		if _, err := w.s.Report(ctx, "li", licence(own), "address", "one more"); !errors.Is(err, correction.ErrTooMany) {
			t.Errorf("the sixth: %v", err)
		}
	})
}

func TestReportsKeepNothingPersonalInClear(t *testing.T) { // U01
	each(t, func(t *testing.T, w *site) {
		ctx := context.Background()
		a, b := w.report("address", "canary 北京路"), w.report("birth_date", "second")
		if _, err := w.s.Answer(ctx, policeDep, a, correction.Corrected, "canary answer"); err != nil {
			t.Fatal(err)
		}
		if n := w.count(`SELECT COUNT(*) FROM correction_reports WHERE sealed || answer || digest LIKE '%canary%' OR sealed LIKE '%address%'`); n != 0 {
			t.Error("U01: a text can be read in the database")
		}
		if n := w.count(`SELECT COUNT(*) FROM audit_events WHERE detail LIKE '%canary%'`); n != 0 {
			t.Error("U01: a text is in the audit trail")
		}
		// A text that was moved to another report doesn't open there.
		if _, err := w.db.Exec(ctx, `UPDATE correction_reports SET sealed = (SELECT sealed FROM correction_reports WHERE id = $1) WHERE id = $2`, a, b); err != nil {
			t.Fatal(err)
		}
		if _, err := w.s.List(ctx, correction.Query{Authority: police, State: correction.Open}); err == nil {
			t.Error("a sealed text opens under another report's id")
		}
		if _, err := w.s.List(ctx, correction.Query{Authority: police, State: correction.Answered}); err != nil {
			t.Errorf("twin: %v", err)
		}
	})
}

func TestReportAndAnswerAreAllOrNothing(t *testing.T) {
	each(t, func(t *testing.T, w *site) {
		ctx := context.Background()
		id := w.report("address", "x")
		w.noDB.Store(true)
		if _, err := w.s.Report(ctx, "li", licence(own), "address", "y"); err == nil {
			t.Error("a report without its audit event")
		}
		if _, err := w.s.Answer(ctx, policeDep, id, correction.Corrected, "done"); err == nil {
			t.Error("an answer without its audit event")
		}
		w.noDB.Store(false)
		open, err := w.s.List(ctx, correction.Query{Authority: police, State: correction.Open})
		if err != nil || len(open) != 1 || open[0].ID != id {
			t.Errorf("%+v %v", open, err)
		}
	})
}

func TestWhatIsNoReport(t *testing.T) {
	each(t, func(t *testing.T, w *site) {
		ctx := context.Background()
		for _, x := range []struct {
			name, field, text string
			want              error
		}{
			{"twin", "address", "text", nil}, {"other", correction.FieldOther, "text", nil}, {"500 characters", "address", strings.Repeat("字", 500), nil},
			{"no such entry", "holder", "text", correction.ErrInvalid}, {"no entry", "", "text", correction.ErrInvalid},
			{"empty", "address", "", correction.ErrInvalid}, {"blank", "address", " \t\r\n", correction.ErrInvalid},
			{"501 characters", "address", strings.Repeat("字", 501), correction.ErrInvalid}, {"NUL", "address", "a\x00b", correction.ErrInvalid},
			{"not UTF-8", "address", "a\xff", correction.ErrInvalid}, {"right to left", "address", "a\u202eb", correction.ErrInvalid},
			{"escape", "address", "a\x1b[2J", correction.ErrInvalid},
		} {
			if _, err := w.s.Report(ctx, "li", licence(own), x.field, x.text); !errors.Is(err, x.want) {
				t.Errorf("%s: %v", x.name, err)
			}
		}
		if n := w.count(`SELECT COUNT(*) FROM correction_reports`); n != 3 {
			t.Errorf("%d reports were kept", n)
		}
	})
}
