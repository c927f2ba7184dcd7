//go:build conformance

package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// readme is the file with the tables, from the root of the repository; they stand between the two lines.
const (
	readme      = "conformance/README.md"
	beginTables = "<!-- rp: begin -->\n"
	endTables   = "<!-- rp: end -->\n"
)

// The suite's words for results.
const (
	passed  = "PASSED"
	skipped = "SKIPPED"
	warning = "WARNING"
)

func (t tally) count(result string) (n int) {
	for _, o := range t.outcomes {
		if o.Result == result {
			n++
		}
	}
	return n
}

// kind is what the plan's variant leaves open, without what is the same in all.
func (p plan) kind() string {
	var out []string
	for _, name := range []string{"client_auth_type", "sender_constrain", "fapi_profile", "fapi_client_type", "client_registration"} {
		if v, ok := p.variant[name]; ok {
			out = append(out, v)
		}
	}
	if p.alg != "" {
		out = append(out, string(p.alg))
	}
	return strings.Join(out, ", ")
}

// tables are a row for each plan, and one for each module that didn't pass.
func tables(done []tally, now time.Time) string {
	var plans, deviations strings.Builder
	for _, t := range done {
		version, n := "", len(t.outcomes)
		for _, o := range t.outcomes {
			if version = o.Version; o.Result == passed {
				continue
			}
			why := o.why
			if why == "" {
				why = "not explained"
			}
			fmt.Fprintf(&deviations, "| `%s` | `%s` | %s | %s |\n", t.plan.name, o.name, strings.ToLower(o.Result), why)
		}
		ok, warned, left := t.count(passed), t.count(warning), t.count(skipped)
		fmt.Fprintf(&plans, "| `%s` | `%s` %s | %d | %d | %d | %d | %d | %s | %s |\n", t.plan.name, t.plan.plan, t.plan.kind(), n, ok, warned, n-ok-warned-left, left,
			version, now.UTC().Format(time.DateOnly))
	}
	return "| plan | in the suite | modules | passed | warned | failed | skipped | suite | date |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n" +
		plans.String() + "\n| in plan | module | ended | because |\n| --- | --- | --- | --- |\n" + deviations.String()
}

// writeReadme puts the tables in place of the old ones.
func writeReadme(text string) error {
	raw, err := os.ReadFile(readme)
	if err != nil {
		return err
	}
	before, rest, ok := strings.Cut(string(raw), beginTables)
	_, after, closed := strings.Cut(rest, endTables)
	if !ok || !closed {
		return fmt.Errorf("%s has no place for the tables", readme)
	}
	return os.WriteFile(readme, []byte(before+beginTables+text+endTables+after), 0o644)
}
