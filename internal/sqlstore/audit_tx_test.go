package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
)

// Events of a transaction are written with it: all of them, with what they said when they were made, or none.
func TestAuditEventsAreOfTheirTransaction(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		write := func(n int, end error) error {
			return db.InTx(t.Context(), func(ctx context.Context) error {
				detail := map[string]string{}
				for i := range n {
					detail["n"] = fmt.Sprint(i)
					if err := db.InTx(ctx, func(ctx context.Context) error {
						return db.Audit(ctx, audit.Event{Kind: "test.event", Actor: "a", Detail: detail})
					}); err != nil {
						return err
					}
				}
				detail["n"] = "changed"
				return end
			})
		}
		count := func(query string) (n int) {
			t.Helper()
			if err := db.QueryRow(t.Context(), query).Scan(&n); err != nil {
				t.Fatal(err)
			}
			return n
		}
		for _, n := range []int{1, 2, 16, 17, 50} { // a statement takes 16
			before := count(`SELECT COUNT(*) FROM audit_events`)
			gone := errors.New("not now")
			if err := write(n, gone); !errors.Is(err, gone) {
				t.Fatal(err)
			}
			if got := count(`SELECT COUNT(*) FROM audit_events`); got != before {
				t.Errorf("%d events of a transaction that was given up are there", got-before)
			}
			if err := write(n, nil); err != nil {
				t.Fatal(err)
			}
			if got := count(`SELECT COUNT(*) FROM audit_events`); got != before+n {
				t.Errorf("%d events of %d were written", got-before, n)
			}
		}
		if got := count(`SELECT COUNT(DISTINCT detail) FROM audit_events`); got != 50 {
			t.Errorf("%d different details of 50", got)
		}
		if got := count(`SELECT COUNT(*) FROM audit_events WHERE detail LIKE '%changed%'`); got != 0 {
			t.Errorf("%d events say what came later", got)
		}
	})
}
