package status_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/wallet/status"
)

// number reads a size from the environment.
func number(name string, initial int) int {
	if n, err := strconv.Atoi(os.Getenv(name)); err == nil && n > 0 {
		return n
	}
	return initial
}

// fill makes lists by SQL: 3 of 4 indices in use, each licence with 10 of them, 1 % not valid.
func fill(t testing.TB, db *sqlstore.DB, lists, size int, expires time.Time) {
	t.Helper()
	ctx := context.Background()
	run := func(query string, args ...any) {
		t.Helper()
		if db.Engine() == sqlstore.PostgreSQL { // without the timeout of requests
			query = "SET statement_timeout = 0; " + query
			if _, err := db.Pool().Exec(ctx, query); err != nil {
				t.Fatalf("%s: %v", query, err)
			}
			return
		}
		if _, err := db.Exec(ctx, query, args...); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	}
	run(`DROP INDEX status_entries_licence`)
	for i := range lists {
		id := fmt.Sprintf("driving-licence-2027q1-volume-%d", i+1)
		run(fmt.Sprintf(`INSERT INTO status_lists (id, pool, ordinal, size, open, expires_at, seq, begun_at, token_seq, token, token_iat, token_exp)
			VALUES ('%s', 'driving-licence-2027q1', %d, %d, 0, %d, 0, 0, 0, '', 0, 0)`, id, i+1, size, expires.UnixMicro()))
		// A licence's indices lie far from each other, like those of a wallet that came for new copies: licence n has every 1/10 of the list.
		series := fmt.Sprintf(`SELECT g.v AS idx, g.v %% %d AS licence FROM generate_series(0, %d) AS g(v)`, size/10, size-1)
		if db.Engine() == sqlstore.SQLite {
			series = fmt.Sprintf(`WITH RECURSIVE g(v) AS (SELECT 0 UNION ALL SELECT v + 1 FROM g WHERE v < %d) SELECT v AS idx, v %% %d AS licence FROM g`, size-1, size/10)
		}
		run(fmt.Sprintf(`INSERT INTO status_entries (list_id, idx, licence_id, issuance_id, value, next_value, next_at)
			SELECT '%s', idx, 'lic-%03d-' || licence || '-0123456789', 'iss-%03d-' || idx || '-0123456789',
			CASE WHEN licence %% 100 = 7 THEN 1 ELSE 0 END, 0, NULL FROM (%s) AS s WHERE idx %% 4 <> 3`, id, i, i, series))
	}
	run(`CREATE INDEX status_entries_licence ON status_entries (licence_id)`)
	run(`ANALYZE`)
}

// say prints: a benchmark's log is cut.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

func percentile(d []time.Duration, p int) time.Duration {
	slices.Sort(d)
	return d[min(len(d)-1, len(d)*p/100)]
}

// BenchmarkVolume measures allocation and publication beside many entries. HUFU_STATUS_LISTS (3) and HUFU_STATUS_SIZE (2^17) say how many; 100 and
// 1048576 are 100 million indices, and take 25 GB.
func BenchmarkVolume(b *testing.B) {
	lists, size := number("HUFU_STATUS_LISTS", 3), number("HUFU_STATUS_SIZE", 1<<17)
	for _, engine := range []sqlstore.Engine{sqlstore.SQLite, sqlstore.PostgreSQL} {
		if only := os.Getenv("HUFU_STATUS_ENGINE"); only != "" && only != string(engine) {
			continue
		}
		b.Run(string(engine), func(b *testing.B) {
			db := sqltest.Open(b, sqltest.DSN(b, engine))
			w := newWorld(b, db, func(c *status.Config) { c.Spread, c.Size = -1, int64(size) })
			begun := time.Now()
			fill(b, db, lists, size, start.AddDate(0, 6, 0))
			say("%d entries loaded in %s", lists*size/4*3, time.Since(begun).Round(time.Second))
			for b.Loop() {
				volume(b, w, lists, size)
			}
		})
	}
}

func volume(b *testing.B, w *world, lists, size int) {
	ctx := context.Background()
	step := func(name string, f func() error) {
		begun := time.Now()
		if err := f(); err != nil {
			b.Fatal(err)
		}
		say("%-60s %s", name, time.Since(begun).Round(100*time.Microsecond))
	}
	step("first publication of all lists", func() error { return w.Publish(ctx) })
	step("a step with nothing to do", func() error { return w.Publish(ctx) })
	step("tokens for the bundle, all read", func() error { _, err := w.Tokens(ctx); return err })
	step("tokens for the bundle, none changed", func() error { _, err := w.Tokens(ctx); return err })
	w.pass(time.Second)
	revoke := func(list, licence int) {
		if err := w.SetForLicence(ctx, fmt.Sprintf("lic-%03d-%d-0123456789", list, licence), status.Invalid); err != nil {
			b.Fatal(err)
		}
	}
	step("one licence revoked", func() error { revoke(0, 8); return nil })
	step("  and published", func() error { return w.Publish(ctx) })
	w.pass(time.Second)
	step("1,000 licences revoked, in all lists", func() error {
		for i := range 1000 {
			revoke(i%lists, 10+i/lists*3)
		}
		return nil
	})
	step("  and published", func() error { return w.Publish(ctx) })
	var mu sync.Mutex
	var took []time.Duration
	const workers, rounds = 8, 50
	step(fmt.Sprintf("%d batches of 10 by %d workers on one open list", workers*rounds, workers), func() error {
		var wg sync.WaitGroup
		for g := range workers {
			wg.Go(func() {
				for i := range rounds {
					begun := time.Now()
					if _, err := w.AllocateBatch(ctx, fmt.Sprint("new", b.N, g, "/", i), ids(10), "driving-licence", start.AddDate(0, 3, 0)); err != nil {
						b.Error(err)
					}
					mu.Lock()
					took = append(took, time.Since(begun))
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		return nil
	})
	say("  one batch: p50 %s, p99 %s", percentile(took, 50).Round(10*time.Microsecond), percentile(took, 99).Round(10*time.Microsecond))
	if w.db.Engine() == sqlstore.PostgreSQL {
		var bytes int64
		if err := w.db.QueryRow(ctx, `SELECT pg_total_relation_size('status_entries')`).Scan(&bytes); err != nil {
			b.Fatal(err)
		}
		say("%d bytes for each entry, indices included", bytes/int64(lists*size/4*3))
	}
}
