//go:build conformance

// Command oidf runs plans of the OpenID Foundation's conformance suite against the built `hufu serve`:
//
//	go run -tags conformance ./conformance/oidf -suite https://localhost:8443 -ca ca.pem [-plan NAME,...] [-module NAME,...] [-write] [-v]
//
// The suite is another program, started beforehand at the given address; -ca is a file with the certificate authority of its TLS. The command makes
// the rest: certificates, the sample provinces, a configuration with the clients that the plans need, `hufu serve` on SQLite. It drives the suite
// over its REST API, plays the person in the browser, and prints each module's result with the conditions that were not met. With -write whole plans go
// into the tables of conformance/README.md. It ends with 1 when a module failed, warned or was skipped and expectations.go doesn't say why.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/hufu-id/hufu/conformance/oidf/suite"
)

func main() {
	var o options
	flag.StringVar(&o.suite, "suite", "https://localhost:8443", "address of the running suite")
	flag.StringVar(&o.ca, "ca", "", "PEM file with the certificate authority of the suite")
	flag.StringVar(&o.plans, "plan", "", "plans to run, by our name or the suite's, separated by commas; default all")
	flag.StringVar(&o.modules, "module", "", "modules to run, separated by commas; names may hold *; default all")
	flag.DurationVar(&o.limit, "limit", 5*time.Minute, "time that one module may take")
	flag.BoolVar(&o.write, "write", false, "write the results into "+readme)
	flag.BoolVar(&o.verbose, "v", false, "print what the browser saw for every module")
	list := flag.Bool("list", false, "list the plans and end")
	flag.Parse()
	if *list {
		for _, p := range plans {
			fmt.Printf("%-20s %s %s\n", p.name, p.plan, p.variantText())
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	ok, err := run(ctx, o)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "oidf:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	suite, ca, plans, modules string
	limit                     time.Duration
	write, verbose            bool
}

// names splits a list of the command line.
func names(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

// chosen are the plans of the command line.
func (o options) chosen() ([]plan, error) {
	if o.plans == "" {
		return plans, nil
	}
	var out []plan
	for _, name := range names(o.plans) {
		found := false
		for _, p := range plans {
			if p.name == name || p.plan == name {
				out, found = append(out, p), true
			}
		}
		if !found {
			return nil, fmt.Errorf("no plan %q; -list names them", name)
		}
	}
	return out, nil
}

// wants says whether a module is to be run.
func (o options) wants(module string) bool {
	return o.modules == "" || slices.ContainsFunc(names(o.modules), func(name string) bool {
		matched, _ := path.Match(name, module) // a malformed pattern matches nothing
		return matched
	})
}

// run runs the chosen plans and says whether all went as it should.
func run(ctx context.Context, o options) (ok bool, err error) {
	chosen, err := o.chosen()
	if err != nil {
		return false, err
	}
	s, err := suite.Open(o.suite, o.ca)
	if err != nil {
		return false, err
	}
	if err := s.Ready(ctx); err != nil {
		return false, err
	}
	var w *world
	defer func() { w.close() }()
	ok = true
	for i, p := range chosen {
		if i == 0 || p.profile() != chosen[i-1].profile() {
			w.close()
			if w, err = openWorld(ctx, s, p.profile(), chosen); err != nil {
				return false, err
			}
		}
		r, err := w.runPlan(ctx, o, p)
		if err != nil {
			fmt.Printf("%s: %v\n", p.name, err)
			ok = false
			continue
		}
		fmt.Println(r.summary())
		ok = ok && r.explained()
		if o.write && o.modules == "" && len(r.modules) > 0 {
			if err := writeReadme(r); err != nil {
				return false, err
			}
		}
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
	}
	return ok, nil
}
