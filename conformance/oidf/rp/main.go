//go:build conformance

// Command rp runs the relying-party plans of the OpenID Foundation's conformance suite against our side of a login at a province:
//
//	go run -tags conformance ./conformance/oidf/rp -suite https://localhost:8443 -ca ca.pem [-plan NAME] [-module NAME] [-write] [-v]
//
// The suite is another program, started beforehand; -ca is a file with the certificate authority of its TLS. For each module the suite is a
// province, and a browser of our own logs in there through the real federation and the real connector. A module is right when the suite says so and
// the login ended as it has to: plans.go says which ones must be refused. The command prints a line for each module and a row for each plan; with -write
// the rows go into conformance/README.md. It ends with 1 when a module is not right.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"
)

// options are what the command line says.
type options struct {
	suite, mtls, ca, plan, module string
	write, verbose                bool
}

func main() {
	var o options
	flag.StringVar(&o.suite, "suite", "https://localhost:8443", "address of the suite")
	flag.StringVar(&o.mtls, "mtls", "https://localhost:8444", "origin where the suite takes client certificates")
	flag.StringVar(&o.ca, "ca", "", "file with the certificate authority of the suite's TLS (PEM)")
	flag.StringVar(&o.plan, "plan", "", "run only plans whose name contains this")
	flag.StringVar(&o.module, "module", "", "run only modules whose name contains this")
	flag.BoolVar(&o.write, "write", false, "write the tables into "+readme)
	flag.BoolVar(&o.verbose, "v", false, "print what the connector asked and why a login was refused")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ok, err := run(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, "rp:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

func run(ctx context.Context, o options) (ok bool, err error) {
	if o.write && (o.plan != "" || o.module != "") {
		return false, errors.New("-write is for a run of everything")
	}
	r := runner{options: o}
	if r.suite, err = openSuite(o.suite, o.mtls, o.ca); err != nil {
		return false, err
	}
	if r.hub, err = openHub(ctx, r.suite); err != nil {
		return false, err
	}
	defer r.hub.close()
	var done []tally
	ok = true
	for _, p := range plans {
		if !strings.Contains(p.name, o.plan) {
			continue
		}
		t, err := r.runPlan(ctx, p)
		if err != nil {
			return false, fmt.Errorf("%s: %w", p.name, err)
		}
		ok, done = ok && t.wrong == 0, append(done, t)
	}
	text := tables(done, time.Now())
	fmt.Print("\n", text)
	if o.write {
		return ok, writeReadme(text)
	}
	return ok, nil
}
