//go:build conformance

package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// readme is the file with the tables, from the root of the repository.
const readme = "conformance/README.md"

// Between these lines the tables stand. Rows start with the plan's name, so that a run of one plan replaces its rows only.
const (
	beginTables = "<!-- oidf: begin -->"
	endTables   = "<!-- oidf: end -->"
)

const (
	planHead = "| plan | in the suite | modules | passed | warned | failed | skipped | review | suite | date |\n" +
		"| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n"
	deviationHead = "| in plan | module | ended | because |\n| --- | --- | --- | --- |\n"
)

// pages are the pages of ours that the browser came to, once each.
func (r moduleResult) pages() []string {
	var out []string
	for _, s := range r.seen {
		if s != "suite" && s != "province" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

func (r planResult) count(results ...string) (n int) {
	for _, m := range r.modules {
		if slices.Contains(results, m.result) {
			n++
		}
	}
	return n
}

func (r planResult) summary() string {
	return fmt.Sprintf("%s: %d modules, %d passed, %d warned, %d failed, %d skipped, %d review", r.plan.name, len(r.modules),
		r.count(passed), r.count(warning), r.count(failed, timeout), r.count(skipped), r.count(review))
}

// explained says whether every module passed or has a reason not to.
func (r planResult) explained() bool {
	for _, m := range r.modules {
		if m.result != passed && reason(r.plan, m) == "" {
			return false
		}
	}
	return true
}

// rows are the plan's rows in the two tables.
func (r planResult) rows(now time.Time) (plans, deviations []string) {
	plans = []string{fmt.Sprintf("| `%s` | `%s` %s | %d | %d | %d | %d | %d | %d | %s | %s |", r.plan.name, r.plan.plan, r.plan.variantText(), len(r.modules),
		r.count(passed), r.count(warning), r.count(failed, timeout), r.count(skipped), r.count(review), r.version, now.UTC().Format(time.DateOnly))}
	for _, m := range r.modules {
		if m.result == passed {
			continue
		}
		why := reason(r.plan, m)
		if why == "" {
			why = "not explained"
		}
		deviations = append(deviations, fmt.Sprintf("| `%s` | `%s` | %s | %s |", r.plan.name, m.module, strings.ToLower(m.result), why))
	}
	return plans, deviations
}

// writeReadme puts a plan's rows in place of its old ones.
func writeReadme(r planResult) error {
	raw, err := os.ReadFile(readme)
	if err != nil {
		return err
	}
	before, rest, ok1 := strings.Cut(string(raw), beginTables)
	inside, after, ok2 := strings.Cut(rest, endTables)
	if !ok1 || !ok2 {
		return fmt.Errorf("%s has no lines %q and %q", readme, beginTables, endTables)
	}
	newPlans, newDeviations := r.rows(time.Now())
	planRows, deviationRows, _ := strings.Cut(inside, "| in plan |")
	text := before + beginTables + "\n" + planHead + table(planRows, r.plan.name, newPlans) + "\n" +
		deviationHead + table(deviationRows, r.plan.name, newDeviations) + endTables + after
	return os.WriteFile(readme, []byte(text), 0o644)
}

// table is the old rows of other plans and the new rows, in the order of plans.
func table(old, name string, rows []string) string {
	for line := range strings.Lines(old) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "| `") && !strings.HasPrefix(line, "| `"+name+"`") {
			rows = append(rows, line)
		}
	}
	slices.SortStableFunc(rows, func(a, b string) int { return place(a) - place(b) })
	var b strings.Builder
	for _, row := range rows {
		b.WriteString(row + "\n")
	}
	return b.String()
}

// place is where a row's plan stands in plans.
func place(row string) int {
	return slices.IndexFunc(plans, func(p plan) bool { return strings.HasPrefix(row, "| `"+p.name+"`") })
}
