package register_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hufu-id/hufu/internal/gb"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/wallet/register"
)

func TestImportAssignsAnIdentifierAndKeepsTheRecord(t *testing.T) {
	each(t, func(t *testing.T, db *sqlstore.DB, s *register.Service) {
		ctx := context.Background()
		id := imported(t, s, "A1")
		parsed, err := gb.ParseLicenceID(id)
		if err != nil || parsed.Strict() != nil || parsed.Issuer != police || parsed.TypeCode != "1199000000TRY00383002" || parsed.Version != "001" {
			t.Fatalf("identifier %s: %+v, %v", id, parsed, err)
		}
		l, err := s.GetOwn(ctx, police, id)
		if err != nil || l.Holder.Name != "李秀英" || l.RecordNumber != "A1" || l.Status != register.StatusValid || !l.InForce(now) {
			t.Fatalf("licence %+v, %v", l, err)
		}
		if !slices.Equal(l.Fields["vehicle_classes"].([]string), []string{"C1"}) {
			t.Fatalf("fields %v", l.Fields)
		}
		if n := audits(t, db, "register.licence_imported"); n != 1 {
			t.Fatalf("%d audit events", n)
		}
		own, err := s.List(ctx, register.Query{Issuer: police, Reference: "li-xiuying"})
		if err != nil || len(own) != 1 || own[0].ID != id {
			t.Fatalf("by reference: %v, %v", own, err)
		}
		if other, err := s.List(ctx, register.Query{Issuer: market, Reference: "li-xiuying"}); err != nil || len(other) != 0 {
			t.Fatalf("another authority's reference: %v, %v", other, err)
		}
		held, err := s.ListByHolder(ctx, "111", "99440119490312002X")
		if err != nil || len(held) != 1 || held[0].ID != id {
			t.Fatalf("by document: %v, %v", held, err)
		}
		if held, err := s.ListByHolder(ctx, "414", "99440119490312002X"); err != nil || len(held) != 0 {
			t.Fatalf("another kind of document: %v, %v", held, err)
		}
	})
}

func TestImportTwiceIsUnchangedAndOtherContentIsRefused(t *testing.T) {
	each(t, func(t *testing.T, db *sqlstore.DB, s *register.Service) {
		id := imported(t, s, "A1")
		again, err := s.Import(context.Background(), policeDep, []register.ImportRecord{record("A1")})
		if err != nil || again.Unchanged != 1 || again.Records[0].LicenceID != id {
			t.Fatalf("again: %+v, %v", again, err)
		}
		changed := record("A1")
		changed.ValidTo, changed.Fields["vehicle_classes"] = "2034-06-01", []any{"C1", "D"}
		report, err := s.Import(context.Background(), policeDep, []register.ImportRecord{changed})
		if err != nil || report.Refused != 1 {
			t.Fatalf("changed: %+v, %v", report, err)
		}
		var fields []string
		for _, e := range report.Records[0].Errors {
			fields = append(fields, e.Code+" "+e.Field)
		}
		if !slices.Equal(fields, []string{"changed valid_to", "changed fields.vehicle_classes"}) {
			t.Fatalf("report says %v", fields)
		}
		if n := audits(t, db, "register.licence_imported"); n != 1 {
			t.Fatalf("%d audit events", n)
		}
	})
}

func TestImportKeepsNothingPersonalInClear(t *testing.T) { // U01
	each(t, func(t *testing.T, db *sqlstore.DB, s *register.Service) {
		ctx := context.Background()
		r := record("CANARY-RECORD")
		r.Fields["address"], r.Holder.Reference = "CANARY-ADDRESS", "CANARY-REFERENCE"
		report, err := s.Import(ctx, policeDep, []register.ImportRecord{r})
		if err != nil || report.Created != 1 {
			t.Fatal(report, err)
		}
		if _, _, err := s.Change(ctx, policeDep, report.Records[0].LicenceID, register.StatusRequest{Operation: "withhold", Reason: "CANARY-REASON"}); err != nil {
			t.Fatal(err)
		}
		for _, q := range []string{`SELECT id || record_index || holder_index || reference_index || sealed || reason FROM licences`,
			`SELECT licence_id || reason || actor FROM licence_changes`, `SELECT subject || detail FROM audit_events`} {
			rows, err := db.Query(ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			for rows.Next() {
				var text string
				if err := rows.Scan(&text); err != nil {
					t.Fatal(err)
				}
				for _, secret := range []string{"CANARY", "99440119490312002X", "李秀英"} {
					if strings.Contains(text, secret) {
						t.Errorf("%s shows %s", q, secret)
					}
				}
			}
			rows.Close()
		}
		journal, err := s.Journal(ctx, report.Records[0].LicenceID)
		if err != nil || len(journal) != 2 || journal[1].Reason != "CANARY-REASON" {
			t.Fatalf("journal %+v, %v", journal, err)
		}
	})
}

func TestImportValidatesEveryField(t *testing.T) {
	s := open(t, sqltest.Open(t, sqltest.DSN(t, sqlstore.SQLite)))
	for name, c := range map[string]struct {
		change      func(r *register.ImportRecord)
		field, code string
	}{
		"type unknown":         {func(r *register.ImportRecord) { r.Type = "passport" }, "type", "unknown"},
		"no record number":     {func(r *register.ImportRecord) { r.RecordNumber = "" }, "record_number", "missing"},
		"check digit":          {func(r *register.ImportRecord) { r.Holder.Code = "994401194903120021" }, "holder.code", "check_digit"},
		"not a number":         {func(r *register.ImportRecord) { r.Holder.Code = "123" }, "holder.code", "format"},
		"kind of document":     {func(r *register.ImportRecord) { r.Holder.CodeType = "001" }, "holder.code_type", "format"},
		"no name":              {func(r *register.ImportRecord) { r.Holder.Name = "" }, "holder.name", "missing"},
		"name with controls":   {func(r *register.ImportRecord) { r.Holder.Name = "李\x1b[2J" }, "holder.name", "format"},
		"name reversed":        {func(r *register.ImportRecord) { r.Holder.Name = "李\u202e秀英" }, "holder.name", "format"},
		"name too long":        {func(r *register.ImportRecord) { r.Holder.Name = strings.Repeat("长", 101) }, "holder.name", "too_long"},
		"field missing":        {func(r *register.ImportRecord) { delete(r.Fields, "sex") }, "fields.sex", "missing"},
		"field unknown":        {func(r *register.ImportRecord) { r.Fields["colour"] = "red" }, "fields.colour", "unknown"},
		"field of other type":  {func(r *register.ImportRecord) { r.Fields["sex"] = json.Number("1") }, "fields.sex", "format"},
		"value not in the set": {func(r *register.ImportRecord) { r.Fields["sex"] = "f" }, "fields.sex", "format"},
		"class unknown":        {func(r *register.ImportRecord) { r.Fields["vehicle_classes"] = []any{"C1", "Z9"} }, "fields.vehicle_classes", "format"},
		"class twice":          {func(r *register.ImportRecord) { r.Fields["vehicle_classes"] = []any{"C1", "C1"} }, "fields.vehicle_classes", "format"},
		"no class":             {func(r *register.ImportRecord) { r.Fields["vehicle_classes"] = []any{} }, "fields.vehicle_classes", "format"},
		"day that isn't":       {func(r *register.ImportRecord) { r.Fields["birth_date"] = "1949-02-30" }, "fields.birth_date", "format"},
		"file number":          {func(r *register.ImportRecord) { r.Fields["file_number"] = "12345" }, "fields.file_number", "format"},
		"no validity":          {func(r *register.ImportRecord) { r.ValidFrom = "" }, "valid_from", "missing"},
		"ends before it began": {func(r *register.ImportRecord) { r.ValidTo = "2020-01-01" }, "valid_to", "order"},
	} {
		t.Run(name, func(t *testing.T) {
			r := record("V-" + name)
			c.change(&r)
			report, err := s.Import(context.Background(), policeDep, []register.ImportRecord{r})
			if err != nil || report.Refused != 1 || len(report.Records[0].Errors) != 1 {
				t.Fatalf("%+v, %v", report, err)
			}
			if e := report.Records[0].Errors[0]; e.Field != c.field || e.Code != c.code || e.Message == "" {
				t.Fatalf("%+v", e)
			}
		})
	}
	// The twin of all of them.
	imported(t, s, "good")
	long := record("long term")
	long.ValidTo, long.Fields["address"] = "", nil
	if report, err := s.Import(context.Background(), policeDep, []register.ImportRecord{long}); err != nil || report.Created != 1 {
		t.Fatalf("%+v, %v", report, err)
	}
}

func TestImportRefusesATypeThatTheAuthorityMayNotIssue(t *testing.T) { // V02
	each(t, func(t *testing.T, db *sqlstore.DB, s *register.Service) {
		report, err := s.Import(context.Background(), marketDep, []register.ImportRecord{record("A1")})
		if err != nil || report.Refused != 1 || report.Records[0].Errors[0].Code != "not_authorised" {
			t.Fatalf("%+v, %v", report, err)
		}
		if report, err = s.Import(context.Background(), policeDep, []register.ImportRecord{record("A1")}); err != nil || report.Created != 1 {
			t.Fatalf("%+v, %v", report, err)
		}
	})
}

func TestImportTakesGoodRecordsBesideBadOnes(t *testing.T) {
	each(t, func(t *testing.T, db *sqlstore.DB, s *register.Service) {
		good, err := json.Marshal(record("A1"))
		if err != nil {
			t.Fatal(err)
		}
		items, err := register.ParseImport(fmt.Appendf(nil, "%s\n\n{broken\n%s\n{\"type\":\"driving-licence\",\"valid_too\":\"x\"}\n", good,
			strings.Replace(string(good), "A1", "A2", 1)))
		if err != nil {
			t.Fatal(err)
		}
		report, err := s.ImportItems(context.Background(), policeDep, items)
		if err != nil || report.Created != 2 || report.Refused != 2 {
			t.Fatalf("%+v, %v", report, err)
		}
		var got []string
		for _, l := range report.Records {
			got = append(got, fmt.Sprint(l.Line, " ", l.Result))
		}
		if !slices.Equal(got, []string{"1 created", "3 refused", "4 created", "5 refused"}) {
			t.Fatal(got)
		}
	})
}

func TestImportOfOneRecordByManyCreatesOneLicence(t *testing.T) {
	each(t, func(t *testing.T, db *sqlstore.DB, s *register.Service) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		results, ids := map[string]int{}, map[string]bool{}
		for range 20 {
			wg.Go(func() {
				report, err := s.Import(context.Background(), policeDep, []register.ImportRecord{record("RACE")})
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				results[report.Records[0].Result]++
				ids[report.Records[0].LicenceID] = true
			})
		}
		wg.Wait()
		if results["created"] != 1 || results["unchanged"] != 19 || len(ids) != 1 {
			t.Fatalf("%v, %d licences", results, len(ids))
		}
	})
}

func FuzzParseImport(f *testing.F) {
	good, err := json.Marshal(record("A1"))
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{string(good), "[" + string(good) + "]", string(good) + "\r\n" + string(good), "\xef\xbb\xbf" + string(good), "[]", "[1]", "null",
		`{"type":"driving-licence","type":"x"}`, `{"Valid_to":"2030-01-01"}`, `{"holder":null}`, `{"holder":[]}`, "[" + strings.Repeat("[", 40)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		items, err := register.ParseImport(b)
		if err != nil {
			return
		}
		if len(items) == 0 {
			t.Fatal("nothing and no error")
		}
		for _, i := range items {
			if i.Line < 1 {
				t.Fatalf("line %d", i.Line)
			}
		}
	})
}
