// Command bench measures what one operation costs on this machine, and says how that compares with the raw signatures that the operation can't do
// without, measured in the same run:
//
//	go run ./conformance/bench [-json] [-n 1500] [-c 16]
//
// It builds hufu, starts `hufu serve` as a process of its own on a throw-away PostgreSQL cluster that syncs its commits, and plays the people,
// the relying party, the wallet and the province (OpenID provider, with TLS) itself. So the CPU time of the hufu process is that of the
// national server alone. Costs are CPU microseconds per operation: they move by a tenth when neighbours are busy, wall times by
// more than double. The CPU time of the database is that of all PostgreSQL processes. Needs Linux (/proc).
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/hufu-id/hufu/conformance/bench/cost"
)

// Row is one measured operation. Times are CPU microseconds per operation.
type Row struct {
	Name       string  `json:"name"`
	Operations int     `json:"operations"`
	ServerUS   float64 `json:"server_us"`
	DatabaseUS float64 `json:"database_us"`
	// Requests to the national server per operation; what it asks the province is not among them.
	Requests float64 `json:"requests"`
	// Writes is how many transactions with a write were begun per operation, background work included.
	Writes float64 `json:"writing_transactions"`
	// Signs and Verifies are the ES256 operations that the protocol demands of the server.
	Signs    int `json:"signs"`
	Verifies int `json:"verifies"`
	// Ratio is server and database over the raw cost of these signatures in this run.
	Ratio float64 `json:"ratio"`
	// GoalUS is the goal for server and database together, 0 for none; GoalRatio the one for Ratio: of the offline verifier, for which a
	// check written by hand takes 1.4.
	GoalUS    float64 `json:"goal_us,omitempty"`
	GoalRatio float64 `json:"goal_ratio,omitempty"`
	// WallMS is the median wall time, a hint only.
	WallMS float64 `json:"wall_ms,omitempty"`
}

// Report is what one run found.
type Report struct {
	At           time.Time `json:"at"`
	SignUS       float64   `json:"raw_es256_sign_us"`
	VerifyUS     float64   `json:"raw_es256_verify_us"`
	Rows         []Row     `json:"operations"`
	Concurrency  int       `json:"concurrency"`
	IdleServerUS float64   `json:"idle_server_us_per_s"`
	IdleDBUS     float64   `json:"idle_database_us_per_s"`
	IdleWrites   float64   `json:"idle_writing_transactions_per_s"`
	ServeReadyMS float64   `json:"serve_ready_ms"`
	ServeRSSMiB  float64   `json:"serve_idle_rss_mib"`
	LoadedRSSMiB float64   `json:"serve_loaded_rss_mib"`
	DevReadyMS   float64   `json:"dev_ready_ms"`
	DevRSSMiB    float64   `json:"dev_idle_rss_mib"`
	BinaryMiB    float64   `json:"binary_stripped_mib"`
}

func main() {
	asJSON := flag.Bool("json", false, "print one JSON object")
	n := flag.Int("n", 1500, "operations of each kind")
	c := flag.Int("c", 16, "clients at once")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	report, err := run(ctx, *n, *c)
	if err == nil {
		err = print(report, *asJSON)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// run measures everything. It says on stderr what it does.
func run(ctx context.Context, n, c int) (report Report, err error) {
	report.At, report.Concurrency = time.Now().UTC(), c
	say("building hufu")
	b, err := newBench(ctx)
	if err != nil {
		return report, err
	}
	defer b.close()
	if report.BinaryMiB, err = cost.Mebibytes(b.binary); err != nil {
		return report, err
	}
	if report.DevReadyMS, report.DevRSSMiB, err = b.measureDev(ctx); err != nil {
		return report, err
	}
	if report.ServeReadyMS, err = b.serve(ctx); err != nil {
		return report, err
	}
	if err := b.prepare(ctx); err != nil {
		return report, err
	}
	if err := b.idle(ctx, &report); err != nil {
		return report, err
	}
	before, err := cost.Signature()
	if err != nil {
		return report, err
	}
	if report.Rows, err = b.operations(ctx, n, c); err != nil {
		return report, err
	}
	if report.LoadedRSSMiB, err = cost.RSS(b.server.Process.Pid); err != nil {
		return report, err
	}
	offline, err := b.offline(ctx)
	if err != nil {
		return report, err
	}
	report.Rows = append(report.Rows, offline...)
	after, err := cost.Signature()
	if err != nil {
		return report, err
	}
	report.SignUS, report.VerifyUS = (before.Sign+after.Sign)/2, (before.Verify+after.Verify)/2
	for i := range report.Rows {
		r := &report.Rows[i]
		if floor := float64(r.Signs)*report.SignUS + float64(r.Verifies)*report.VerifyUS; floor > 0 {
			r.Ratio = (r.ServerUS + r.DatabaseUS) / floor
		}
	}
	return report, nil
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...) }

func print(r Report, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(os.Stdout).Encode(r)
	}
	fmt.Printf("CPU microseconds per operation; %d clients at once; raw ES256 in this run: sign %.1f, verify %.1f\n\n", r.Concurrency, r.SignUS, r.VerifyUS)
	fmt.Printf("%-34s %8s %8s %8s %8s %7s %9s %7s %9s\n", "operation", "server", "database", "together", "goal", "ES256", "x ES256", "writes", "requests")
	for _, row := range r.Rows {
		goal, ratio := "", ""
		switch {
		case row.GoalUS > 0:
			goal = fmt.Sprintf("%.0f", row.GoalUS)
		case row.GoalRatio > 0:
			goal = fmt.Sprintf("%.1fx", row.GoalRatio)
		}
		if row.Ratio > 0 {
			ratio = fmt.Sprintf("%.1f", row.Ratio)
		}
		fmt.Printf("%-34s %8.0f %8.0f %8.0f %8s %7s %9s %7.2f %9.1f\n", row.Name, row.ServerUS, row.DatabaseUS, row.ServerUS+row.DatabaseUS, goal,
			fmt.Sprintf("%ds+%dv", row.Signs, row.Verifies), ratio, row.Writes, row.Requests)
	}
	fmt.Printf("\nidle: server %.0f us/s, database %.0f us/s, %.1f writing transactions/s\n", r.IdleServerUS, r.IdleDBUS, r.IdleWrites)
	fmt.Printf("hufu serve: ready in %.0f ms (goal 100), %.0f MiB idle (goal 30), %.0f MiB after load (goal 64)\n", r.ServeReadyMS, r.ServeRSSMiB, r.LoadedRSSMiB)
	fmt.Printf("hufu dev: ready in %.0f ms (goal 1000), %.0f MiB idle (goal 60); binary %.1f MiB stripped (goal 30)\n", r.DevReadyMS, r.DevRSSMiB, r.BinaryMiB)
	return nil
}
