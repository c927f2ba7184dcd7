// Command bench measures what one operation costs on this machine, and says how that compares with the raw signatures that the operation can't do
// without, measured in the same run:
//
//	go run ./conformance/bench [-json] [-n 1500] [-c 16] [-only oidc|issuing|bulk]
//
// It builds hufu, starts `hufu serve` as a process of its own on a throw-away PostgreSQL cluster that syncs its commits, and plays the people,
// the relying party, the wallet and the province (OpenID provider, with TLS) itself. So the CPU time of the hufu process is that of the
// national server alone. Costs are CPU microseconds per operation: they move by a tenth when neighbours are busy, wall times by
// more than double. The CPU time of the database is that of all PostgreSQL processes. Needs Linux (/proc).
//
// With -only oidc it measures the hot paths of the OpenID Provider, and beside them a minimal server (floor) that makes the same statements and
// signatures and checks nothing, as a process of its own in the same run. With -only issuing it measures credentials (package issuing).
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
	"github.com/hufu-id/hufu/conformance/bench/process"
	"github.com/hufu-id/hufu/conformance/bench/report"
)

func main() {
	asJSON := flag.Bool("json", false, "print one JSON object")
	n := flag.Int("n", 1500, "operations of each kind")
	c := flag.Int("c", 16, "clients at once")
	only := flag.String("only", "", "oidc: the OpenID Provider's hot paths, beside a floor; issuing: credentials, beside the bare cost of proof and signature; bulk: a job of -records licences with -kills kills")
	bulkN, kills := flag.Int("records", 1_000_000, "with -only bulk: licences"), flag.Int("kills", 3, "with -only bulk: kills")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if *only != "" && *only != "oidc" && *only != "issuing" && *only != "bulk" {
		fmt.Fprintln(os.Stderr, "bench: -only knows oidc, issuing and bulk")
		os.Exit(2)
	}
	if *only == "bulk" {
		if err := runBulk(ctx, *bulkN, *kills, *asJSON); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	found, err := run(ctx, *n, *c, *only)
	switch {
	case err != nil:
	case *asJSON:
		err = json.NewEncoder(os.Stdout).Encode(found)
	case *only == "oidc":
		found.PrintProvider()
	case *only == "issuing":
		found.PrintIssuing()
	default:
		found.Print()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		stop()
		os.Exit(1)
	}
}

// run measures everything. It says on stderr what it does.
func run(ctx context.Context, n, c int, only string) (found report.Report, err error) {
	found.At, found.Concurrency = time.Now().UTC(), c
	say("building hufu")
	b, err := newBench(ctx)
	if err != nil {
		return found, err
	}
	defer b.close()
	if only != "" {
		return found, runOnly(ctx, only, n, c, &found, b)
	}
	if found.BinaryMiB, err = cost.Mebibytes(b.binary); err != nil {
		return found, err
	}
	if found.DevReadyMS, found.DevRSSMiB, err = process.Dev(ctx, b.binary); err != nil {
		return found, err
	}
	if found.ServeReadyMS, err = b.serve(ctx); err != nil {
		return found, err
	}
	if err := b.prepare(ctx); err != nil {
		return found, err
	}
	if err := b.idle(ctx, &found); err != nil {
		return found, err
	}
	before, err := cost.Signature()
	if err != nil {
		return found, err
	}
	if found.Rows, err = b.operations(ctx, n, c); err != nil {
		return found, err
	}
	if found.LoadedRSSMiB, err = cost.RSS(b.server.Process.Pid); err != nil {
		return found, err
	}
	offline, err := b.offline(ctx)
	if err != nil {
		return found, err
	}
	found.Rows = append(found.Rows, offline...)
	after, err := cost.Signature()
	if err != nil {
		return found, err
	}
	found.SignUS, found.VerifyUS = (before.Sign+after.Sign)/2, (before.Verify+after.Verify)/2
	for i := range found.Rows {
		r := &found.Rows[i]
		if floor := float64(r.Signs)*found.SignUS + float64(r.Verifies)*found.VerifyUS; floor > 0 {
			r.Ratio = (r.ServerUS + r.DatabaseUS) / floor
		}
	}
	return found, nil
}

func say(format string, args ...any) { fmt.Fprintf(os.Stderr, "bench: "+format+"\n", args...) }
