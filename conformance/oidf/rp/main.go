//go:build conformance

// Command rp runs the relying-party plans of the OpenID Foundation's conformance suite against our side of a login at a province:
//
//	go run -tags conformance ./conformance/oidf/rp -suite https://localhost:8443 -ca ca.pem [-plan NAME] [-module NAME] [-v]
//
// The suite is another program, started beforehand; -ca is a file with the certificate authority of its TLS. For each module the suite is a
// province, and a browser of our own logs in there through the real federation and the real connector. A module is right when the suite says so and
// the login ended as it has to: plans.go says which ones must be refused. The command prints a line for each module and a row for each plan, and
// ends with 1 when one is not right.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"time"
)

func main() {
	address := flag.String("suite", "https://localhost:8443", "address of the suite")
	mtls := flag.String("mtls", "https://localhost:8444", "origin where the suite takes client certificates")
	ca := flag.String("ca", "", "file with the certificate authority of the suite's TLS (PEM)")
	onlyPlan := flag.String("plan", "", "run only plans whose name contains this")
	onlyModule := flag.String("module", "", "run only modules whose name contains this")
	verbose := flag.Bool("v", false, "print what the connector asked and why a login was refused")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	ok, err := run(ctx, *address, *mtls, *ca, runner{onlyPlan: *onlyPlan, onlyModule: *onlyModule, verbose: *verbose})
	if err != nil {
		fmt.Fprintln(os.Stderr, "rp:", err)
	}
	if err != nil || !ok {
		os.Exit(1)
	}
}

func run(ctx context.Context, address, mtls, ca string, r runner) (ok bool, err error) {
	if r.suite, err = openSuite(address, ca); err != nil {
		return false, err
	}
	r.suite.mtls = mtls
	if r.hub, err = openHub(ctx, r.suite); err != nil {
		return false, err
	}
	defer r.hub.close()
	var rows []string
	ok = true
	for _, p := range plans {
		if !strings.Contains(p.name, r.onlyPlan) {
			continue
		}
		t, err := r.plan(ctx, p)
		if err != nil {
			return false, fmt.Errorf("%s: %w", p.name, err)
		}
		ok = ok && t.wrong == 0
		rows = append(rows, t.row(p))
	}
	fmt.Println("\n| plan | variant | modules | passed | skipped | warned | failed | suite |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n" + strings.Join(rows, "\n"))
	return ok, nil
}

// runner runs plans one after the other.
type runner struct {
	suite                *suite
	hub                  *hub
	onlyPlan, onlyModule string
	verbose              bool
}

// tally counts the results of a plan.
type tally struct {
	result  map[string]int
	modules int
	wrong   int // modules that are not as they have to be
	version string
}

func (t tally) row(p plan) string {
	var kind []string
	for _, k := range []string{"client_auth_type", "sender_constrain", "fapi_profile", "fapi_client_type", "client_registration", "request_type"} {
		if v, ok := p.variant[k]; ok {
			kind = append(kind, v)
		}
	}
	return fmt.Sprintf("| %s | %s | %d | %d | %d | %d | %d | %s |", p.name, strings.Join(kind, ", "), t.modules, t.result["PASSED"], t.result["SKIPPED"],
		t.result["WARNING"], t.modules-t.result["PASSED"]-t.result["SKIPPED"]-t.result["WARNING"], t.version)
}

func (r runner) plan(ctx context.Context, p plan) (t tally, err error) {
	t.result = map[string]int{}
	settings, err := p.settings(r.hub)
	if err != nil {
		return t, err
	}
	made, err := r.suite.makePlan(ctx, p.name, p.variant, settings)
	if err != nil {
		return t, err
	}
	fmt.Printf("%s %s/plan-detail.html?plan=%s\n", p.name, r.suite.base, made.ID)
	for _, m := range made.Modules {
		if !strings.Contains(m.Name, r.onlyModule) {
			continue
		}
		t.modules++
		o, err := r.module(ctx, p, made.ID, m.Name, m.Variant)
		if err != nil {
			o.problems = append(o.problems, err.Error())
		}
		t.result[o.Result]++
		t.version = o.Version
		mark := "ok   "
		if len(o.problems) > 0 {
			mark, t.wrong = "WRONG", t.wrong+1
		}
		fmt.Printf("  %s %-8s %-10s %s\n", mark, o.Result, o.ended, m.Name)
		for _, line := range o.problems {
			fmt.Println("          ", line)
		}
	}
	return t, nil
}

// outcome is what became of a module.
type outcome struct {
	info
	ended    string   // "logged in", "refused"
	problems []string // why it isn't right
}

func (r runner) module(ctx context.Context, p plan, planID, name string, v variant) (o outcome, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	id, err := r.suite.makeModule(ctx, planID, name, v)
	if err != nil {
		return o, err
	}
	if o.info, err = r.suite.wait(ctx, id, func(i info) bool { return i.Status == "WAITING" || i.over() }); err != nil {
		return o, err
	}
	want := p.modules[name]
	if !o.over() {
		if o.ended, err = r.logIn(ctx, p, id, want); err != nil {
			o.problems = append(o.problems, err.Error())
		}
	}
	if o.info, err = r.suite.wait(ctx, id, info.over); err != nil {
		return o, err
	}
	if want.result == "" {
		want.result = "PASSED"
	}
	if o.Result != want.result || o.Status != "FINISHED" {
		found, err := r.suite.complaints(ctx, id)
		if err != nil {
			return o, err
		}
		o.problems = append(o.problems, fmt.Sprintf("%s %s, see %s/log-detail.html?log=%s", o.Status, o.Result, r.suite.base, id))
		o.problems = append(o.problems, found...)
	}
	return o, nil
}

// logIn logs in at a module as often as it wants, and says how it ended.
func (r runner) logIn(ctx context.Context, p plan, id string, want module) (string, error) {
	exposed, err := r.suite.exposed(ctx, id)
	if err != nil {
		return "", err
	}
	visit, err := r.hub.join(ctx, p, exposed["issuer"], "")
	if err != nil {
		return "", err
	}
	visit.until = want.until
	ended := "refused"
	for range max(1, want.logins) {
		in, err := visit.walk(ctx)
		r.tell(visit)
		switch {
		case err != nil:
			return ended, err
		case want.until != "" && visit.done:
			return "stopped", nil
		case in && want.refuse:
			return "logged in", fmt.Errorf("logged in where it must be refused")
		case !in && !want.refuse:
			return ended, fmt.Errorf("refused: %s", visit.log)
		case in:
			ended = "logged in"
		}
	}
	if exposed["accounts_endpoint"] == "" || want.refuse {
		return ended, nil
	}
	// The FAPI modules end with a call of a resource. A login needs none but userinfo, so in a second login the resource takes its place: the
	// connector's own code makes the call. What comes back is no userinfo, and is refused.
	if visit, err = r.hub.join(ctx, p, exposed["issuer"], exposed["accounts_endpoint"]); err != nil {
		return ended, err
	}
	_, err = visit.walk(ctx)
	r.tell(visit)
	return ended, err
}

// tell prints what a visit saw.
func (r runner) tell(v *visit) {
	if !r.verbose {
		return
	}
	for _, line := range v.calls {
		fmt.Println("          ", line)
	}
	if v.log.Len() > 0 {
		fmt.Print("           ", v.log)
	}
	v.calls = nil
}
