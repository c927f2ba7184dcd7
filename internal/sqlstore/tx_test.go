package sqlstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
)

const (
	putClaim = `INSERT INTO claims (kind, id, expires_at) VALUES ('tx', $1, 1)`
	broken   = `INSERT INTO no_such_table (id) VALUES ($1)`
)

// A transaction is whole whichever of its statements fails, also of those that go to the database later than they were given.
func TestATransactionIsWholeOrNothing(t *testing.T) {
	gone := errors.New("given up")
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		exec := func(query string) func(context.Context) error {
			return func(ctx context.Context) error { _, err := db.Exec(ctx, query, "a"); return err }
		}
		later := func(query string) func(context.Context) error {
			return func(ctx context.Context) error { return db.Later(ctx, query, "b") }
		}
		read := func(ctx context.Context) error {
			var n int
			return db.QueryRow(ctx, `SELECT COUNT(*) FROM claims WHERE id = $1`, "a").Scan(&n)
		}
		give := func(err error) func(context.Context) error { return func(context.Context) error { return err } }
		type steps []func(context.Context) error
		for _, c := range []struct {
			name  string
			steps steps
			rows  int // that stay
			fails bool
		}{
			{"a statement", steps{exec(putClaim)}, 1, false},
			{"a statement for later", steps{later(putClaim)}, 1, false},
			{"both ways", steps{later(putClaim), exec(putClaim)}, 2, false},
			{"a read between", steps{exec(putClaim), read, later(putClaim), read}, 2, false},
			{"reads only", steps{read, read}, 0, false},
			{"nothing", nil, 0, false},
			{"an error at the end", steps{exec(putClaim), later(putClaim), give(gone)}, 0, true},
			{"an error before anything was sent", steps{later(putClaim), give(gone)}, 0, true},
			{"the first statement fails", steps{exec(broken)}, 0, true},
			{"one for later fails", steps{later(putClaim), later(broken)}, 0, true},
			{"one for later fails beside another", steps{later(broken), exec(putClaim)}, 0, true},
			{"one for later fails beside a read", steps{exec(putClaim), later(broken), read}, 0, true},
			{"a second row of one key", steps{exec(putClaim), exec(putClaim)}, 0, true},
		} {
			t.Run(c.name, func(t *testing.T) {
				err := db.InTx(t.Context(), func(ctx context.Context) error {
					for _, step := range c.steps {
						if err := step(ctx); err != nil {
							return err
						}
					}
					return nil
				})
				if (err != nil) != c.fails {
					t.Errorf("error: %v", err)
				}
				expectRows(t, db, c.rows)
			})
		}
	})
}

// Who forgets an error commits nothing on PostgreSQL: what comes after a failed statement must not stand alone.
func TestAForgottenErrorCommitsNothing(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		if db.Engine() != sqlstore.PostgreSQL {
			return // SQLite gives up the statement, not the transaction
		}
		for name, first := range map[string]func(context.Context){
			"first": func(ctx context.Context) { _, _ = db.Exec(ctx, broken, "a") },
			"later": func(ctx context.Context) { _ = db.Later(ctx, broken, "a"); _, _ = db.Exec(ctx, putClaim, "c") },
			"after another": func(ctx context.Context) {
				_, _ = db.Exec(ctx, putClaim, "c")
				_, _ = db.Exec(ctx, broken, "a")
			},
			"read": func(ctx context.Context) { _ = db.QueryRow(ctx, `SELECT id FROM no_such_table`).Scan(new(string)) },
		} {
			t.Run(name, func(t *testing.T) {
				if err := db.InTx(t.Context(), func(ctx context.Context) error {
					first(ctx)
					_, _ = db.Exec(ctx, putClaim, "b")
					return nil
				}); err == nil {
					t.Error("committed")
				}
				expectRows(t, db, 0)
			})
		}
	})
}

func TestATransactionEndsWithItsContextOrAPanic(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		ctx, cancel := context.WithCancel(t.Context())
		if err := db.InTx(ctx, func(ctx context.Context) error {
			_, err := db.Exec(ctx, putClaim, "a")
			cancel()
			return err
		}); err == nil {
			t.Error("committed after its context had ended")
		}
		expectRows(t, db, 0)
		func() {
			defer func() { _ = recover() }()
			_ = db.InTx(t.Context(), func(ctx context.Context) error {
				_, _ = db.Exec(ctx, putClaim, "a")
				panic("x")
			})
		}()
		expectRows(t, db, 0)
		for range 20 { // no connection is lost by any of it
			if err := db.InTx(t.Context(), func(ctx context.Context) error { _, err := db.Exec(ctx, broken, "a"); return err }); err == nil {
				t.Fatal("no error")
			}
		}
		ctx, cancel = context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := db.Ping(ctx); err != nil {
			t.Error(err)
		}
	})
}

// expectRows counts what stayed, and removes it.
func expectRows(t *testing.T, db *sqlstore.DB, want int) {
	t.Helper()
	got, err := db.Exec(t.Context(), `DELETE FROM claims WHERE kind = 'tx'`)
	if err != nil || got != int64(want) {
		t.Errorf("%d rows stayed (%v), want %d", got, err, want)
	}
}
