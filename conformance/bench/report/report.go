// Package report is what a run of bench found, and how it is printed.
package report

import (
	"fmt"
	"time"
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
	// FloorUS is what the minimal server takes for the same, server and database together; 0 where there is none.
	FloorUS float64 `json:"floor_us,omitempty"`
	// PerSecond is how many operations there were in a second of wall time, a hint only.
	PerSecond float64 `json:"per_second,omitempty"`
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

// Print writes the table of all rooms to standard output.
func (r Report) Print() {
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
}

// PrintIssuing writes the table of credentials, each beside the bare cost of checking a proof and signing.
func (r Report) PrintIssuing() {
	fmt.Printf("CPU microseconds per credential; %d clients at once; raw ES256 in this run: sign %.1f, verify %.1f\n\n", r.Concurrency, r.SignUS, r.VerifyUS)
	fmt.Printf("%-40s %8s %8s %8s %8s %8s %8s %7s %9s %6s\n", "credential", "server", "database", "together", "goal", "bare", "x bare", "writes", "requests", "per s")
	for _, row := range r.Rows {
		together := row.ServerUS + row.DatabaseUS
		fmt.Printf("%-40s %8.0f %8.0f %8.0f %8.0f %8.0f %8.1f %7.2f %9.1f %6.0f\n", row.Name, row.ServerUS, row.DatabaseUS, together, row.GoalUS, row.FloorUS, together/row.FloorUS,
			row.Writes, row.Requests, row.PerSecond)
	}
	fmt.Printf("\nhufu serve: %.0f MiB after load\n", r.LoadedRSSMiB)
}

// PrintProvider writes the table of the OpenID Provider's hot paths, each beside the floor.
func (r Report) PrintProvider() {
	fmt.Printf("CPU microseconds per operation; %d clients at once; raw ES256 in this run: sign %.1f, verify %.1f\n\n", r.Concurrency, r.SignUS, r.VerifyUS)
	fmt.Printf("%-34s %8s %8s %8s %8s %8s %8s %7s %9s\n", "operation", "server", "database", "together", "goal", "floor", "x floor", "writes", "requests")
	for _, row := range r.Rows {
		together := row.ServerUS + row.DatabaseUS
		fmt.Printf("%-34s %8.0f %8.0f %8.0f %8.0f %8.0f %8.1f %7.2f %9.1f\n", row.Name, row.ServerUS, row.DatabaseUS, together, row.GoalUS, row.FloorUS, together/row.FloorUS,
			row.Writes, row.Requests)
	}
	fmt.Printf("\nhufu serve: %.0f MiB after load\n", r.LoadedRSSMiB)
}
