//go:build conformance

package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"image"
	"image/png"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/hufu-id/hufu/conformance/oidf/suite"
	"github.com/hufu-id/hufu/conformance/oidf/vci"
)

// Results of a module, as the suite says; the last is ours.
const (
	passed  = "PASSED"
	warning = "WARNING"
	failed  = "FAILED"
	skipped = "SKIPPED"
	review  = "REVIEW"
	timeout = "TIMEOUT"
)

// moduleResult is how one module ended.
type moduleResult struct {
	module, result string
	version        string
	complaints     []complaint
	seen           []string // by the browser
}

// complaint is a condition that was not met, or what else went wrong.
type complaint struct {
	source string // the suite's condition; "" for our own
	text   string // in one line
}

// planResult is how a plan ended.
type planResult struct {
	plan    plan
	version string // of the suite
	modules []moduleResult
}

// runPlan makes a plan in the suite and runs its modules one after another, whatever becomes of each.
func (w *world) runPlan(ctx context.Context, o options, p plan) (planResult, error) {
	out := planResult{plan: p}
	made, err := w.suite.MakePlan(ctx, p.plan, p.variant, w.configs[p.name])
	if err != nil {
		return out, err
	}
	if len(made.Modules) != p.modules {
		fmt.Printf("%s: the suite has %d modules, not %d\n", p.name, len(made.Modules), p.modules)
	}
	for i, m := range made.Modules {
		if !o.wants(m.Module) || ctx.Err() != nil {
			continue
		}
		begin := time.Now()
		r := w.runModule(ctx, o, p, made.ID, m.Module, m.Variant)
		fmt.Printf("%-18s %2d/%d %-8s %5.1fs  %s\n", p.name, i+1, len(made.Modules), r.result, time.Since(begin).Seconds(), m.Module)
		for _, c := range r.complaints {
			fmt.Println("      " + c.text)
		}
		if o.verbose || r.result == failed || r.result == timeout {
			fmt.Println("      browser: " + strings.Join(r.seen, " "))
		}
		out.modules = append(out.modules, r)
		if r.version != "" {
			out.version = r.version
		}
	}
	return out, nil
}

// runModule runs one module to its end or to its time limit.
func (w *world) runModule(ctx context.Context, o options, p plan, planID, module string, variant map[string]string) moduleResult {
	out := moduleResult{module: module, result: failed}
	limited, cancel := context.WithTimeout(ctx, o.limit)
	defer cancel()
	id, err := w.suite.MakeModule(limited, planID, module, variant)
	if err != nil {
		out.complain("could not start: " + err.Error())
		return out
	}
	v := w.newVisitor(acts[module])
	if p.clients == wallets {
		v.delivery = w.desk.Delivery(w.suite, vci.Named(p.name), v.person.Slug)
	}
	info, err := w.drive(limited, id, module, v)
	out.version, out.seen = info.Version, v.all
	log, logErr := w.suite.Log(context.WithoutCancel(ctx), id)
	switch {
	case limited.Err() != nil:
		out.result = timeout
		out.complain("not finished in time; status " + info.Status + "; the browser is at " + v.last)
	case err != nil || logErr != nil:
		out.complain(fmt.Sprint(errors.Join(err, logErr)))
	case info.Status == "FINISHED":
		out.result = info.Result
	}
	if info.Status != "FINISHED" {
		_ = w.suite.Cancel(context.WithoutCancel(ctx), id) // a module that runs on would only be in the way
	}
	out.complaints = append(out.complaints, complaints(log)...)
	return out
}

func (r *moduleResult) complain(text string) {
	r.complaints = append(r.complaints, complaint{text: text})
}

// drive plays the person until the module has ended.
func (w *world) drive(ctx context.Context, id, module string, v *visitor) (info suite.Info, err error) {
	started := false
	for ; ctx.Err() == nil; time.Sleep(150 * time.Millisecond) {
		if info, err = w.suite.Info(ctx, id); err != nil {
			return info, err
		}
		switch info.Status {
		case "FINISHED", "INTERRUPTED":
			return info, nil
		case "CONFIGURED":
			// One module waits for its start: others are there for a moment only.
			if module == rotatesKeys && !started {
				started = true
				if err := w.rotateKeys(ctx); err != nil {
					return info, err
				}
				if err := w.suite.Start(ctx, id); err != nil {
					return info, err
				}
			}
		case "WAITING":
			if err := w.browse(ctx, id, v); err != nil {
				return info, err
			}
		}
	}
	return info, nil
}

// browse visits what the suite asks for, and gives it the pictures that it wants as evidence.
func (w *world) browse(ctx context.Context, id string, v *visitor) error {
	visits, err := w.suite.Visits(ctx, id)
	if err != nil {
		return nil // the module ended between two questions; the next one says so
	}
	if len(visits) == 0 && v.delivery != nil {
		return v.delivery.Do(ctx, id)
	}
	for _, to := range visits {
		if err := w.suite.Visited(ctx, id, to.URL); err != nil {
			return err
		}
		if err := v.visit(ctx, to); err != nil {
			return err
		}
	}
	if !v.shows() {
		return nil
	}
	pictures, err := w.suite.Pictures(ctx, id)
	if err != nil {
		return err
	}
	for _, p := range pictures {
		if err := w.suite.Upload(ctx, id, p, stamp()); err != nil {
			return err
		}
	}
	return nil
}

// stamp stands for a picture. What the picture would show was checked by shows: the suite can't look at pictures either.
func stamp() string {
	var b bytes.Buffer
	_ = png.Encode(&b, image.NewGray(image.Rect(0, 0, 8, 8))) // fails never into memory
	return "data:image/png;base64," + base64.StdEncoding.EncodeToString(b.Bytes())
}

// Members of a log entry that say nothing about a failure.
var dull = []string{"_id", "testId", "testOwner", "src", "time", "result", "msg", "requirements", "blockId", "stacktrace", "cause_stacktrace", "config", "baseUrl",
	"_class", "testName", "http", "testmodule_result"}

// complaints are the entries of a log that say what was not met.
func complaints(log []suite.Entry) []complaint {
	var out []complaint
	block := ""
	for _, e := range log {
		result := e.Text("result")
		if e["startBlock"] == true {
			block = e.Text("msg")
		}
		// What ended the module is mostly a failure that stands before it.
		if !slices.Contains([]string{"FAILURE", "WARNING", "SKIPPED"}, result) && (result != "INTERRUPTED" || len(out) > 0) {
			continue
		}
		var facts []string
		for _, k := range slices.Sorted(maps.Keys(e)) {
			if slices.Contains(dull, k) {
				continue
			}
			facts = append(facts, k+"="+clip(fmt.Sprint(e[k]), 240))
		}
		text := fmt.Sprintf("%s %s: %s", result, e.Text("src"), clip(e.Text("msg"), 400))
		if len(facts) > 0 {
			text += " {" + clip(strings.Join(facts, ", "), 700) + "}"
		}
		if block != "" {
			text += " in: " + clip(block, 160)
		}
		out = append(out, complaint{e.Text("src"), text})
	}
	return out
}

func clip(s string, limit int) string {
	s = strings.Join(strings.Fields(s), " ")
	if len(s) > limit {
		return strings.ToValidUTF8(s[:limit], "") + "..."
	}
	return s
}

// rotateKeys makes a new key sign, as an operator would, and waits until the server tells it: it looks at the keys now and then.
func (w *world) rotateKeys(ctx context.Context) error {
	before, err := w.get(ctx, "/jwks")
	if err != nil {
		return err
	}
	for range 2 {
		if _, err := w.hufu(ctx, "keys", "rotate", idTokenPurpose, "--yes", "--force"); err != nil {
			return err
		}
	}
	for ; ctx.Err() == nil; time.Sleep(500 * time.Millisecond) {
		if now, err := w.get(ctx, "/jwks"); err != nil || !bytes.Equal(now, before) {
			return err
		}
	}
	return ctx.Err()
}
