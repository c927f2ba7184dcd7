package job_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/hufu-id/hufu/wallet/register/job"
)

const csvHead = "record_number,holder.name,holder.code,holder.code_type,号牌号码,vehicle_type,use,brand_model,fields.vin,register_date,inspection_valid_to,issuing_authority,valid_from,valid_to\n"

func csvRow(i int) string {
	return fmt.Sprintf("C-%05d,李秀英,99440119490312002X,111,沙A%06d,\"小型,轿车\",private,样本牌,LSAMPLE%010d,2024-03-01,2030-03-31,沙箱省公安厅交通管理局,2024-03-01,\n", i, i, i)
}

func TestCSVIsReadByItsColumns(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		s := w.node()
		content := "\ufeff" + csvHead + csvRow(1) + ",,,,,,,,,,,,,\n" + csvRow(2) + "C-3,short\n" + strings.Replace(csvRow(4), "111", "999", 1)
		j := w.create(s, job.Upload{Format: "csv", TypeID: "vehicle-licence", Body: strings.NewReader(content)})
		if err := s.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		if j = w.job(j.ID); j.Created != 2 || j.Refused != 2 {
			t.Fatalf("%+v", j)
		}
		report := call(t, "GET", w.server(s)+job.Path+"/"+j.ID+"/report", "police", nil, nil).body
		for _, want := range []string{`{"line":2,"record_number":"C-00001","result":"created"`, `"line":5,"result":"refused"`, `has 2 cells, the first row has 14`, `"holder.code_type"`} {
			if !strings.Contains(report, want) {
				t.Errorf("the report lacks %s:\n%s", want, report)
			}
		}
		// A CSV of lists: the other department's type has one.
		market, _, err := s.Create(context.Background(), marketDep, job.Upload{Format: "csv", Body: strings.NewReader("type,record_number,holder.name,holder.code,holder.code_type,licence_number,place,main_form,items,issuing_authority,valid_from\n" +
			"food-permit,F1,粤测试商贸有限公司,91994401MA5TRY010A,001,JY19944010000001,样本路,catering,hot-dishes； cold-dishes,市监,2024-01-01\n")})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		if a := call(t, "GET", w.server(s)+job.Path+"/"+market.ID, "market", nil, nil); !strings.Contains(a.body, `"created":1`) {
			t.Errorf("%s", a.body)
		}
	})
}

func TestFilesThatAreNoGoodAreRefusedWhole(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		s := w.node()
		gbk := "\xc0\xee\xd0\xe3\xd3\xa2" // 李秀英
		for name, c := range map[string]struct{ format, typeID, content, want string }{
			"GBK rows":         {"csv", "vehicle-licence", csvHead + csvRow(1) + strings.Replace(csvRow(2), "李秀英", gbk, 1), "GBK"},
			"GBK head":         {"csv", "vehicle-licence", "record_number," + gbk + "\n", "GBK"},
			"GBK lines":        {"jsonl", "", string(vehicle(1)) + "\n" + strings.Replace(string(vehicle(2)), "李秀英", gbk, 1), "line 2 is not UTF-8"},
			"UTF-16":           {"jsonl", "", "\xff\xfe{\x00", "UTF-16"},
			"unknown column":   {"csv", "vehicle-licence", "record_number,colour\n1,red\n", `the column "colour"`},
			"column twice":     {"csv", "vehicle-licence", "vin,fields.vin\n1,2\n", "there twice"},
			"no type":          {"csv", "", csvHead[:strings.Index(csvHead, ",号")] + "\n", "licence type"},
			"unknown type":     {"csv", "passport", csvHead, "no licence type"},
			"quotation mark":   {"csv", "vehicle-licence", csvHead + "\"" + strings.Repeat("x", 400<<10), "quotation mark"},
			"quote in a cell":  {"csv", "vehicle-licence", csvHead + "a\"b,c\n", "line 2"},
			"empty":            {"jsonl", "", "\n\n", "no record"},
			"empty table":      {"csv", "vehicle-licence", "", "empty"},
			"only a first row": {"csv", "vehicle-licence", csvHead, "no record"},
			"another format":   {"xlsx", "", "PK", "text/csv"},
		} {
			_, _, err := s.Create(context.Background(), policeDep, job.Upload{Format: c.format, TypeID: c.typeID, Body: strings.NewReader(c.content)})
			if !errors.Is(err, job.ErrInvalid) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if err := s.Run(context.Background()); err != nil || w.count(`SELECT COUNT(*) FROM licences`) != 0 {
			t.Errorf("something was registered, %v", err)
		}
		long := string(vehicle(1)) + "\n" + strings.Repeat("x", 200<<10) + "\n" + string(vehicle(2)) + "\n"
		j := w.create(s, job.Upload{Format: "jsonl", Body: strings.NewReader(long)})
		if err := s.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		if j = w.job(j.ID); j.Created != 2 || j.Refused != 1 {
			t.Errorf("a record that is too long spoils the others: %+v", j)
		}
	})
}

// broken is a body whose sender goes away.
type broken struct{ r io.Reader }

func (b broken) Read(p []byte) (int, error) {
	n, err := b.r.Read(p)
	if errors.Is(err, io.EOF) {
		err = errors.New("gone")
	}
	return n, err
}

func TestAnUploadThatBrokeOffIsSentAgainAsTheSameJob(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		s := w.node()
		content := file(1500)
		sum := sha256.Sum256(content)
		said := hex.EncodeToString(sum[:])
		if _, _, err := s.Create(context.Background(), policeDep, job.Upload{Format: "jsonl", SHA256: said, Body: broken{bytes.NewReader(content[:len(content)/2])}}); err == nil {
			t.Fatal("half a file was taken")
		}
		if err := s.Run(context.Background()); err != nil || w.count(`SELECT COUNT(*) FROM licences`) != 0 {
			t.Fatalf("half a file was registered, %v", err)
		}
		// Sent again, and once more after it broke off again: what the first attempt left doesn't stand in the way.
		for range 2 {
			gone := broken{bytes.NewReader(content[:len(content)*3/4])}
			if _, _, err := s.Create(context.Background(), policeDep, job.Upload{Format: "jsonl", SHA256: said, Body: gone}); err == nil || errors.Is(err, job.ErrLost) {
				t.Fatalf("sent again: %v", err)
			}
		}
		// Twice at once: one of them, or both after each other, makes the one job.
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				_, _, err := s.Create(context.Background(), policeDep, job.Upload{Format: "jsonl", SHA256: said, Body: bytes.NewReader(content)})
				if err != nil && !errors.Is(err, job.ErrLost) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		j := w.create(s, job.Upload{Format: "jsonl", SHA256: said, Body: bytes.NewReader(content)})
		if n := w.count(`SELECT COUNT(*) FROM import_jobs`); n != 1 || j.Records != 1500 {
			t.Fatalf("%d jobs, %+v", n, j)
		}
		if err := s.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		w.complete(j.ID, 1500)
		if _, _, err := s.Create(context.Background(), policeDep, job.Upload{Format: "jsonl", SHA256: strings.Repeat("0", 64), Body: bytes.NewReader(content)}); !errors.Is(err, job.ErrInvalid) {
			t.Errorf("another hash than was said: %v", err)
		}
	})
}

func TestDepartmentsNeverSeeEachOthersJobs(t *testing.T) { // V02
	each(t, func(t *testing.T, w *world) {
		s := w.node()
		base := w.server(s)
		content := file(3)
		sum := sha256.Sum256(content)
		digest := map[string]string{"Content-Type": "application/x-ndjson", "Content-Digest": "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"}
		made := call(t, "POST", base+job.Path, "police", digest, bytes.NewReader(content))
		if made.code != 201 {
			t.Fatalf("%d %s", made.code, made.body)
		}
		if again := call(t, "POST", base+job.Path, "police", digest, bytes.NewReader(content)); again.code != 200 || again.header.Get("Location") != made.header.Get("Location") {
			t.Errorf("again: %d %v", again.code, again.header)
		}
		if err := s.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		own := made.header.Get("Location")
		for _, c := range []struct {
			method, path, token, body string
			want                      int
		}{
			{"GET", own, "police", "", 200}, {"GET", own, "market", "", 404}, {"GET", own, "", "", 401}, {"GET", own, "nobody", "", 401},
			{"GET", own + "/report", "police", "", 200}, {"GET", own + "/report", "market", "", 404},
			{"GET", own + "/report.jws", "police", "", 200}, {"GET", own + "/report.jws", "market", "", 404},
			{"PATCH", own, "market", `{"state":"cancelled"}`, 404}, {"PATCH", own, "police", `{"state":"cancelled"}`, 409},
			{"PATCH", own, "police", `{"state":"gone"}`, 400}, {"PATCH", own, "police", `{}`, 400}, {"PATCH", own, "police", `{"rate":-1}`, 400}, {"PATCH", own, "police", "[", 400},
			{"GET", job.Path + "/%00", "police", "", 404}, {"GET", job.Path + "?sha256=x", "police", "", 400}, {"POST", job.Path + "?rate=x", "police", "", 400},
			{"POST", job.Path, "police", "x", 400}, {"GET", job.KeysPath, "", "", 200},
		} {
			if a := call(t, c.method, base+c.path, c.token, nil, strings.NewReader(c.body)); a.code != c.want {
				t.Errorf("%s %s as %q: %d %s", c.method, c.path, c.token, a.code, a.body)
			}
		}
		for token, want := range map[string]int{"police": 1, "market": 0} {
			if a := call(t, "GET", base+job.Path, token, nil, nil); strings.Count(a.body, `"id"`) != want {
				t.Errorf("%s lists %s", token, a.body)
			}
			if a := call(t, "GET", base+job.Path+"?sha256="+hex.EncodeToString(sum[:]), token, nil, nil); strings.Count(a.body, `"id"`) != want {
				t.Errorf("%s finds %s", token, a.body)
			}
		}
	})
}

// What a department sent is personal: neither the file nor the report may be read in a stolen database.
func TestAJobKeepsNothingPersonalInClear(t *testing.T) { // U01
	each(t, func(t *testing.T, w *world) {
		s := w.node()
		j := w.create(s, job.Upload{Format: "jsonl", Body: bytes.NewReader(file(300))})
		look := func(table string) {
			rows, err := w.db.Query(t.Context(), `SELECT body FROM `+table)
			if err != nil {
				t.Fatal(err)
			}
			defer rows.Close()
			n := 0
			for rows.Next() {
				var body string
				if err := rows.Scan(&body); err != nil {
					t.Fatal(err)
				}
				raw, _ := base64.StdEncoding.DecodeString(body)
				if n++; bytes.Contains(raw, []byte("V-0000")) || bytes.HasPrefix(raw, []byte("\x1f\x8b")) {
					t.Errorf("%s can be read", table)
				}
			}
			if n == 0 {
				t.Errorf("%s is empty", table)
			}
		}
		look("import_job_chunks")
		if err := s.Run(context.Background()); err != nil || w.job(j.ID).Created != 300 {
			t.Fatal(err)
		}
		look("import_job_reports")
	})
}

func FuzzCSV(f *testing.F) {
	for _, seed := range []string{csvHead + csvRow(1), "\ufeff" + csvHead, "a,b\n", "\"", csvHead + "\"a\"b", "type\nvehicle-licence\n", csvHead + strings.Repeat(",", 14) + "\n\r\n\x00"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		n, err := job.CountRecords(bytes.NewReader(b), "vehicle-licence")
		if err != nil && !errors.Is(err, job.ErrInvalid) {
			t.Fatalf("%d records, %v", n, err)
		}
	})
}

// A file whose sender didn't say its hash may turn out to be one that is under way: it is refused, and nothing of it stays.
func TestAFileUnderWayIsntTakenAgainWithoutItsHash(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		s := w.node()
		content := file(600)
		for n, other := range [][]byte{content, file(601)} {
			if n == 0 {
				w.create(s, job.Upload{Format: "jsonl", Body: bytes.NewReader(content)})
			}
			_, _, err := s.Create(context.Background(), policeDep, job.Upload{Format: "jsonl", Body: bytes.NewReader(other)})
			if errors.Is(err, job.ErrLost) != (n == 0) || n == 1 && err != nil {
				t.Errorf("file %d: %v", n, err)
			}
		}
		if n := w.count(`SELECT COUNT(*) FROM import_jobs WHERE state = 'uploading'`); n != 0 {
			t.Errorf("%d uploads are left", n)
		}
	})
}
