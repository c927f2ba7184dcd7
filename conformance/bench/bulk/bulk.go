// Package bulk measures the import of a national file: one job of many licences, on a server that is killed while it works, and what the server needed for it.
package bulk

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/hufu-id/hufu/conformance/bench/cost"
	"github.com/hufu-id/hufu/internal/sample/records"
	"github.com/hufu-id/hufu/internal/sqlstore"
)

// Env is the server, and the ways to it.
type Env struct {
	Dir string
	DB  *sqlstore.DB
	// Hufu runs a command of hufu to its end.
	Hufu func(ctx context.Context, args ...string) error
	// Kill ends the server as a power cut does; Start starts it again and returns its process id.
	Kill  func() error
	Start func(ctx context.Context) (pid int, err error)
	// Database is the CPU time of the database so far, in microseconds.
	Database func() (float64, error)
	// Department is the file with the authority's key, Origin the server.
	Department, Origin string
	Say                func(format string, args ...any)
}

// Result is what one job took. Times of the CPU are microseconds for each record.
type Result struct {
	Records       int     `json:"records"`
	Kills         int     `json:"kills"`
	SendSeconds   float64 `json:"first_after_seconds"`
	Seconds       float64 `json:"seconds"`
	PerSecond     float64 `json:"per_second"`
	PeakRSSMiB    float64 `json:"peak_rss_mib"`
	ServerUS      float64 `json:"server_us"`
	DatabaseUS    float64 `json:"database_us"`
	Missing       int64   `json:"missing"`
	Doubled       int64   `json:"doubled"`
	ReportLines   int     `json:"report_lines"`
	GoalSeconds   float64 `json:"goal_seconds"`
	LongestOutage float64 `json:"longest_outage_seconds"`
}

// Print writes the result for people.
func (r Result) Print() {
	fmt.Printf("%d licences by one job, %d kills: %.0f s from the file to the signed report (the first was registered after %.0f s), %.0f licences a second; goal %.0f s\n", r.Records, r.Kills, r.Seconds,
		r.SendSeconds, r.PerSecond, r.GoalSeconds)
	fmt.Printf("server %.0f us and database %.0f us for each; peak memory of the server %.0f MiB; longest pause after a kill %.1f s\n", r.ServerUS, r.DatabaseUS, r.PeakRSSMiB, r.LongestOutage)
	fmt.Printf("missing %d, doubled %d, lines of the report %d\n", r.Missing, r.Doubled, r.ReportLines)
}

// goal is the goal for a million: twenty minutes.
func goal(n int) float64 { return 20 * 60 * float64(n) / 1e6 }

// job is where a job is, as the database has it.
type job struct{ records, done, signed int64 }

func (e Env) job(ctx context.Context) (j job, err error) {
	var jws string
	err = e.DB.QueryRow(ctx, `SELECT records, created + unchanged + refused, jws FROM import_jobs ORDER BY created_at DESC LIMIT 1`).Scan(&j.records, &j.done, &jws)
	if jws != "" {
		j.signed = 1
	}
	return j, err
}

// Run imports n licences and kills the server several times on the way.
func Run(ctx context.Context, e Env, pid, n, kills int) (Result, error) {
	r := Result{Records: n, Kills: kills, GoalSeconds: goal(n)}
	file, report := filepath.Join(e.Dir, "bulk.jsonl"), filepath.Join(e.Dir, "bulk.report")
	e.Say("writing %d records", n)
	f, err := os.Create(file)
	if err != nil {
		return r, err
	}
	if err := errors.Join(records.WriteLines(f, 0, n), f.Close()); err != nil {
		return r, err
	}
	before, err := e.Database()
	if err != nil {
		return r, err
	}
	begin := time.Now()
	client := make(chan error, 1)
	go func() {
		client <- e.Hufu(ctx, "licence", "import", "--job", "--report", report, "--as", e.Department, "--url", e.Origin, file)
	}()
	w := watch{e: e, r: &r, pid: pid, n: int64(n), kills: kills, begin: begin}
	if err := w.until(ctx, client); err != nil {
		return r, err
	}
	r.Seconds = time.Since(begin).Seconds()
	r.PerSecond = float64(n) / r.Seconds
	after, err := e.Database()
	if err != nil {
		return r, err
	}
	r.ServerUS, r.DatabaseUS = w.server/float64(n), (after-before)/float64(n)
	if r.ReportLines, err = lines(report); err != nil {
		return r, err
	}
	var present, distinct int64
	err = e.DB.QueryRow(ctx, `SELECT COUNT(*), COUNT(DISTINCT record_index) FROM licences WHERE type_id = 'vehicle-licence'`).Scan(&present, &distinct)
	r.Missing, r.Doubled = int64(n)-distinct, present-distinct
	return r, err
}

// watch follows the job, the memory and the CPU time of the server, and kills it when its time has come.
type watch struct {
	e      Env
	r      *Result
	pid    int
	n      int64
	kills  int
	begin  time.Time
	killed int
	server float64 // of the processes that are dead, then of all
	outage time.Time
	stood  int64 // records when the server was killed
}

func (w *watch) until(ctx context.Context, client chan error) error {
	for {
		select {
		case err := <-client:
			own, cerr := cost.Of(w.pid)
			w.server += own
			return errors.Join(err, cerr, w.peak())
		case <-time.After(100 * time.Millisecond):
		}
		if err := w.peak(); err != nil {
			return err
		}
		j, err := w.e.job(ctx)
		if err != nil || j.records == 0 {
			continue // it is still being sent
		}
		if w.r.SendSeconds == 0 && j.done > 0 { // the first is registered when all have come
			w.r.SendSeconds = time.Since(w.begin).Seconds()
			w.e.Say("the first is registered after %.0f s", w.r.SendSeconds)
		}
		if !w.outage.IsZero() && j.done > w.stood {
			w.r.LongestOutage = max(w.r.LongestOutage, time.Since(w.outage).Seconds())
			w.outage = time.Time{}
		}
		if w.killed < w.kills && j.done >= w.n*int64(w.killed+1)/int64(w.kills+1) {
			if err := w.kill(ctx, j); err != nil {
				return err
			}
		}
	}
}

func (w *watch) kill(ctx context.Context, j job) error {
	w.killed++
	w.e.Say("kill %d at %d of %d", w.killed, j.done, w.n)
	own, err := cost.Of(w.pid)
	if err != nil {
		return err
	}
	w.server += own
	w.outage, w.stood = time.Now(), j.done
	if err := w.e.Kill(); err != nil {
		return err
	}
	w.pid, err = w.e.Start(ctx)
	return err
}

// peak reads the most memory that the process ever had.
func (w *watch) peak() error {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", w.pid))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			w.r.PeakRSSMiB = max(w.r.PeakRSSMiB, kb/1024)
			return err
		}
	}
	return nil
}

func lines(name string) (n int, err error) {
	f, err := os.Open(name)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	s.Buffer(nil, 1<<20)
	for s.Scan() {
		n++
	}
	return n, s.Err()
}
