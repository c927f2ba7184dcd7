package sqlstore_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
)

func TestClaimOnceHasOneWinnerOnTwoNodes(t *testing.T) {
	for _, engine := range []sqlstore.Engine{sqlstore.SQLite, sqlstore.PostgreSQL} {
		t.Run(string(engine), func(t *testing.T) {
			dsn := sqltest.DSN(t, engine)
			nodes := []*sqlstore.DB{sqltest.Open(t, dsn), sqltest.Open(t, dsn)}
			for round := range 10 {
				id := string(rune('a' + round))
				var wg sync.WaitGroup
				results := make([]error, 20)
				for i := range results {
					wg.Add(1)
					go func() {
						defer wg.Done()
						results[i] = nodes[i%2].ClaimOnce(t.Context(), "test", id, time.Now().Add(time.Hour))
					}()
				}
				wg.Wait()
				won := 0
				for _, err := range results {
					switch {
					case err == nil:
						won++
					case !errors.Is(err, sqlstore.ErrLost):
						t.Fatalf("a loser got %v", err)
					}
				}
				if won != 1 {
					t.Fatalf("%d winners", won)
				}
			}
		})
	}
}

func TestClaimOnceKeepsKindsApart(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		exp := time.Now().Add(time.Hour)
		if err := db.ClaimOnce(t.Context(), "jti", "x", exp); err != nil {
			t.Fatal(err)
		}
		if err := db.ClaimOnce(t.Context(), "nonce", "x", exp); err != nil {
			t.Fatal("the same id of another kind was refused")
		}
		if err := db.ClaimOnce(t.Context(), "jti", "x", exp); !errors.Is(err, sqlstore.ErrLost) {
			t.Fatalf("got %v, want ErrLost", err)
		}
	})
}

func TestInTxRollsBackTheClaimAndTheAuditEventTogether(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		fault := errors.New("fault")
		try := func(fail bool) error {
			return db.InTx(t.Context(), func(ctx context.Context) error {
				if err := db.ClaimOnce(ctx, "jti", "x", time.Now().Add(time.Hour)); err != nil {
					return err
				}
				// A joined transaction commits with the outer one only.
				if err := db.InTx(ctx, func(ctx context.Context) error {
					return db.Audit(ctx, audit.Event{Kind: "test.done", Actor: "system"})
				}); err != nil {
					return err
				}
				if fail {
					return fault
				}
				return nil
			})
		}
		count := func() (n int) {
			if err := db.QueryRow(t.Context(), `SELECT COUNT(*) FROM audit_events`).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		if err := try(true); !errors.Is(err, fault) {
			t.Fatal(err)
		}
		if n := count(); n != 0 {
			t.Fatalf("%d events of a transaction that was rolled back", n)
		}
		if err := try(false); err != nil {
			t.Fatal(err)
		}
		if n := count(); n != 1 {
			t.Fatalf("%d events, want 1", n)
		}
	})
}

func TestMigrateIsIdempotentAndSafeForNodesThatStartTogether(t *testing.T) {
	for _, engine := range []sqlstore.Engine{sqlstore.SQLite, sqlstore.PostgreSQL} {
		t.Run(string(engine), func(t *testing.T) {
			dsn := sqltest.DSN(t, engine)
			var wg sync.WaitGroup
			errs := make([]error, 4)
			for i := range errs {
				wg.Add(1)
				go func() {
					defer wg.Done()
					db, err := sqlstore.Open(context.Background(), dsn)
					if err != nil {
						errs[i] = err
						return
					}
					defer db.Close()
					errs[i] = db.Migrate(context.Background())
				}()
			}
			wg.Wait()
			if err := errors.Join(errs...); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestMigrateRefusesANewerSchema(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		if _, err := db.Exec(t.Context(), `INSERT INTO schema_migrations (number, name, checksum, applied_at) VALUES (9999, 'x', 'x', 0)`); err != nil {
			t.Fatal(err)
		}
		if err := db.Migrate(t.Context()); !errors.Is(err, sqlstore.ErrNewerSchema) {
			t.Fatalf("got %v, want ErrNewerSchema", err)
		}
	})
}

func TestMigrateRefusesAChangedMigration(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		if _, err := db.Exec(t.Context(), `UPDATE schema_migrations SET checksum = 'x' WHERE number = 1`); err != nil {
			t.Fatal(err)
		}
		if err := db.Migrate(t.Context()); !errors.Is(err, sqlstore.ErrChangedMigration) {
			t.Fatalf("got %v, want ErrChangedMigration", err)
		}
	})
}
