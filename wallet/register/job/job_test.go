package job_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/wallet/register"
	"github.com/hufu-id/hufu/wallet/register/job"
)

// checkReport compares the report of a finished job with what it was to do, and its signature with the report.
func (w *world) checkReport(s *job.Service, id string, lines int) {
	w.t.Helper()
	url := w.server(s) + job.Path + "/" + id
	report := call(w.t, "GET", url+"/report", "police", nil, nil)
	sum := sha256.Sum256([]byte(report.body))
	n := 0
	seen := map[string]bool{}
	sc := bufio.NewScanner(strings.NewReader(report.body))
	for sc.Scan() {
		n++
		var l register.ImportLine
		if err := json.Unmarshal(sc.Bytes(), &l); err != nil || l.Line != n || l.Result == register.ResultCreated && seen[l.LicenceID] {
			w.t.Fatalf("line %d of the report: %s", n, sc.Text())
		}
		seen[l.LicenceID] = true
	}
	jws := call(w.t, "GET", url+"/report.jws", "police", nil, nil)
	pub, err := w.key.Public()
	if err != nil {
		w.t.Fatal(err)
	}
	v, err := jose.Verify(jws.body, jose.Policy{Algs: []jose.Alg{jose.ES256}, Typ: []string{job.ReportType}}, pub)
	if err != nil {
		w.t.Fatalf("the signed report: %v %s", err, jws.body)
	}
	var said job.Report
	if err := json.Unmarshal(v.Payload(), &said); err != nil || said.ReportSHA256 != hex.EncodeToString(sum[:]) || said.Job != id || n != lines ||
		said.Created+said.Unchanged+said.Refused != int64(lines) {
		w.t.Fatalf("%d lines, signed %+v, %v", n, said, err)
	}
}

func TestAJobRegistersItsFileAndReportsEachRecord(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		s := w.node()
		content := file(1200)
		bad := strings.Replace(string(vehicle(5000)), "private", "racing", 1)
		content = append(content, bad+"\n{broken\n"+string(vehicle(7))+"\n"...)
		j := w.create(s, job.Upload{Format: "jsonl", Body: bytes.NewReader(content)})
		if j.State != job.Running || j.Records != 1203 || j.Chunks < 3 || j.Size != int64(len(content)) {
			t.Fatalf("%+v", j)
		}
		if err := s.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		j = w.job(j.ID)
		if j.State != job.Done || j.Created != 1200 || j.Unchanged != 1 || j.Refused != 2 || j.JWS == "" {
			t.Fatalf("%+v", j)
		}
		w.checkReport(s, j.ID, 1203)
		if n := w.count(`SELECT COUNT(*) FROM licences`); n != 1200 {
			t.Errorf("%d licences", n)
		}
		if n := w.count(`SELECT COUNT(*) FROM licence_changes WHERE operation = 'import'`); n != 1200 {
			t.Errorf("%d rows of the journal", n)
		}
		if n := w.count(`SELECT COUNT(*) FROM import_job_chunks`); n != 0 {
			t.Errorf("%d chunks are left", n)
		}
		// The same file again is another job, in which nothing changes.
		again := w.create(s, job.Upload{Format: "jsonl", Body: bytes.NewReader(file(1200))})
		if err := s.Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		if j := w.job(again.ID); j.State != job.Done || j.Unchanged != 1200 || j.Created != 0 {
			t.Errorf("again: %+v", j)
		}
	})
}

// errKilled stands for a node that ends where it is.
var errKilled = errors.New("killed")

// Nodes die at any point of a step: before the transaction, within it, at its end. Whatever was not committed is done again by the next one.
func TestAJobSurvivesItsNodes(t *testing.T) { // R22
	const n = 4000
	each(t, func(t *testing.T, w *world) {
		j := w.create(w.node(), job.Upload{Format: "jsonl", Body: bytes.NewReader(file(n))})
		kills := 0
		for w.job(j.ID).State != job.Done {
			if kills > 200 {
				t.Fatal("it never ends")
			}
			ctx, kill := context.WithCancel(context.Background())
			steps := 1 + rand.IntN(4)
			dying := w.node(func(c *job.Config) {
				tx := c.Tx
				c.Tx = func(ctx context.Context, fn func(ctx context.Context) error) error {
					if steps--; steps > 0 {
						return tx(ctx, fn)
					}
					switch rand.IntN(3) {
					case 0: // before it began
						kill()
						return errKilled
					case 1: // with everything done but the commit
						return tx(ctx, func(ctx context.Context) error {
							if err := fn(ctx); err != nil {
								return err
							}
							kill()
							return errKilled
						})
					}
					err := tx(ctx, fn) // committed, and nobody was told
					kill()
					return errors.Join(err, errKilled)
				}
			})
			if err := dying.Run(ctx); err == nil && w.job(j.ID).State == job.Running {
				t.Log("nothing to have")
			}
			kill()
			kills++
			w.ahead += 11 * time.Second // the lease of the dead is over
		}
		if err := w.node().Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		if kills < 3 {
			t.Fatalf("only %d kills", kills)
		}
		w.complete(j.ID, n)
		t.Logf("%d kills", kills)
	})
}

// complete checks that every licence is there once.
func (w *world) complete(id string, n int) {
	w.t.Helper()
	j := w.job(id)
	if j.State != job.Done || j.Created != int64(n) || j.Unchanged != 0 || j.Refused != 0 {
		w.t.Fatalf("%+v", j)
	}
	for query, want := range map[string]int{`SELECT COUNT(*) FROM licences`: n, `SELECT COUNT(DISTINCT record_index) FROM licences`: n, `SELECT COUNT(*) FROM licence_changes`: n} {
		if got := w.count(query); got != want {
			w.t.Errorf("%s: %d, want %d", query, got, want)
		}
	}
	w.checkReport(w.node(), id, n)
}

// Leases save double work and guard nothing: nodes whose clocks disagree all believe that they have the job, and still each record is put in once.
func TestManyNodesOnOneJobDoItOnce(t *testing.T) {
	const n = 2000
	each(t, func(t *testing.T, w *world) {
		j := w.create(w.node(), job.Upload{Format: "jsonl", Body: bytes.NewReader(file(n))})
		var wg sync.WaitGroup
		for i := range 4 {
			w.ahead = time.Duration(i) * time.Minute
			s := w.node()
			wg.Go(func() {
				for w.job(j.ID).State == job.Running {
					if err := s.Run(context.Background()); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		wg.Wait()
		if err := w.node().Run(context.Background()); err != nil {
			t.Fatal(err)
		}
		w.complete(j.ID, n)
	})
}

func TestAJobKeepsItsRateAndCanBePausedAndCancelled(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		s := w.node()
		j := w.create(s, job.Upload{Format: "jsonl", Rate: 100, Body: bytes.NewReader(file(3000))})
		done := make(chan error, 1)
		ctx, stop := context.WithCancel(context.Background())
		defer stop()
		go func() { done <- s.Run(ctx) }()
		base := w.server(s) + job.Path + "/" + j.ID
		patch := func(body string) answer { return call(t, "PATCH", base, "police", nil, strings.NewReader(body)) }
		began := time.Now()
		for w.job(j.ID).Steps < 3 {
			time.Sleep(20 * time.Millisecond)
		}
		if got := time.Since(began); got < 1700*time.Millisecond {
			t.Errorf("300 records at 100 in a second took %v", got)
		}
		if a := patch(`{"state":"paused"}`); a.code != 200 || !strings.Contains(a.body, `"state":"paused"`) {
			t.Fatalf("%d %s", a.code, a.body)
		}
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		stood := w.job(j.ID)
		if err := s.Run(ctx); err != nil || w.job(j.ID).Steps != stood.Steps {
			t.Fatalf("a paused job went on: %v", err)
		}
		if a := patch(`{"state":"running","rate":0}`); a.code != 200 {
			t.Fatalf("%d %s", a.code, a.body)
		}
		if err := s.Run(ctx); err != nil || w.job(j.ID).State != job.Done {
			t.Fatalf("%v %+v", err, w.job(j.ID))
		}
		w.complete(j.ID, 3000)
		if a := patch(`{"state":"cancelled"}`); a.code != 409 {
			t.Errorf("cancelling what is done: %d %s", a.code, a.body)
		}
		more := w.create(s, job.Upload{Format: "jsonl", Body: bytes.NewReader(file(3001))})
		base = w.server(s) + job.Path + "/" + more.ID
		if a := patch(`{"state":"cancelled"}`); a.code != 200 {
			t.Fatalf("%d %s", a.code, a.body)
		}
		if err := s.Run(ctx); err != nil || w.job(more.ID).State != job.Cancelled || w.count(`SELECT COUNT(*) FROM licences`) != 3000 {
			t.Errorf("%v %+v", err, w.job(more.ID))
		}
		w.checkReport(s, more.ID, 0)
	})
}
