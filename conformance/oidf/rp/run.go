//go:build conformance

package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	api "github.com/hufu-id/hufu/conformance/oidf/suite"
)

// runner runs plans one after the other.
type runner struct {
	options
	suite *suite
	hub   *hub
}

// outcome is what became of a module.
type outcome struct {
	api.Info
	name     string
	ended    string   // the login: "logged in", "refused" or "stopped"
	problems []string // why it isn't right
	why      string   // why it is right although it didn't pass
}

// tally is what became of a plan.
type tally struct {
	plan     plan
	outcomes []outcome
	wrong    int // modules that are not as they have to be
}

func (r runner) runPlan(ctx context.Context, p plan) (tally, error) {
	t := tally{plan: p}
	settings, err := p.settings(r.hub)
	if err != nil {
		return t, err
	}
	made, err := r.suite.MakePlan(ctx, p.plan, p.variant, settings)
	if err != nil {
		return t, err
	}
	fmt.Printf("%s: %s/plan-detail.html?plan=%s\n", p.name, r.suite.Base, made.ID)
	for _, m := range made.Modules {
		if !strings.Contains(m.Module, r.module) {
			continue
		}
		o, err := r.runModule(ctx, p, made.ID, m.Module, m.Variant)
		if err != nil {
			o.problems = append(o.problems, err.Error())
		}
		mark := "ok   "
		if len(o.problems) > 0 {
			mark, t.wrong = "WRONG", t.wrong+1
		}
		fmt.Printf("  %s %-8s %-10s %s\n", mark, o.Result, o.ended, m.Module)
		r.print(o.problems...)
		t.outcomes = append(t.outcomes, o)
	}
	return t, nil
}

// runModule lets the suite be a province, logs in there, and compares.
func (r runner) runModule(ctx context.Context, p plan, planID, name string, v variant) (o outcome, err error) {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	want := p.modules[name]
	o.name, o.why = name, want.why
	id, err := r.suite.MakeModule(ctx, planID, name, v)
	if err != nil {
		return o, err
	}
	if o.Info, err = r.suite.Wait(ctx, id, func(i api.Info) bool { return i.Status == "WAITING" || i.Over() }); err != nil {
		return o, err
	}
	if !o.Over() {
		if o.ended, err = r.logIn(ctx, p, id, want); err != nil {
			o.problems = append(o.problems, err.Error())
		}
	}
	if o.Info, err = r.suite.Wait(ctx, id, api.Info.Over); err != nil {
		return o, err
	}
	if want.result == "" {
		want.result = passed
	}
	if o.Result != want.result || o.Status != "FINISHED" {
		found, err := r.suite.complaints(ctx, id)
		if err != nil {
			return o, err
		}
		o.problems = append(o.problems, fmt.Sprintf("%s %s, see %s/log-detail.html?log=%s", o.Status, o.Result, r.suite.Base, id))
		o.problems = append(o.problems, found...)
	}
	return o, nil
}

// logIn logs in at a module as often as it wants, and says how it ended.
func (r runner) logIn(ctx context.Context, p plan, id string, want module) (ended string, err error) {
	exposed, err := r.suite.Exposed(ctx, id)
	if err != nil {
		return "", err
	}
	visit, err := r.hub.join(p, exposed["issuer"], "")
	if err != nil {
		return "", err
	}
	visit.until = want.until
	for range max(1, want.logins) {
		in, err := visit.walk(ctx)
		r.tell(visit)
		ended = "refused"
		switch {
		case err != nil:
			return ended, err
		case want.until != "" && visit.done:
			return "stopped", nil
		case in && want.refuse:
			return "logged in", errors.New("logged in where it must be refused")
		case in:
			ended = "logged in"
		case !want.refuse:
			return ended, fmt.Errorf("refused: %s", visit.log)
		}
	}
	if exposed["accounts_endpoint"] == "" || want.refuse {
		return ended, nil
	}
	// The FAPI modules end with a call of a resource. A login needs none but userinfo, so in a second login the resource takes its place: the
	// connector's own code makes the call. What comes back is no userinfo, and is refused.
	if visit, err = r.hub.join(p, exposed["issuer"], exposed["accounts_endpoint"]); err != nil {
		return ended, err
	}
	_, err = visit.walk(ctx)
	r.tell(visit)
	return ended, err
}

// tell prints what a visit saw.
func (r runner) tell(v *visit) {
	if r.verbose {
		r.print(v.calls...)
		r.print(strings.TrimSpace(v.log.String()))
	}
	v.calls = nil
}

func (r runner) print(lines ...string) {
	for _, l := range lines {
		if l != "" {
			fmt.Println("          ", l)
		}
	}
}
