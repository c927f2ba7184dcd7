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

// Places are given to many events by one statement, and to all of a batch or to none.
func TestEventsGetTheirPlacesTogether(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		chain := sqlstore.AuditChain{DB: db}
		for i := range 70 {
			if err := db.Audit(t.Context(), audit.Event{Kind: "test.event", Actor: fmt.Sprint(i)}); err != nil {
				t.Fatal(err)
			}
		}
		_, events, err := chain.Unchained(t.Context(), 1000)
		if err != nil || len(events) != 70 {
			t.Fatal(len(events), err)
		}
		var links []audit.Link
		for i, ev := range events {
			links = append(links, audit.Link{Event: ev, Seq: int64(i + 1), Chain: fmt.Sprint("chain ", i)})
		}
		doubled := append(links[:69:69], links[0])
		if err := chain.Append(t.Context(), doubled, audit.Head{Seq: 70, Chain: "x", Signature: "y"}); err == nil {
			t.Error("one event got two places")
		}
		if placed, err := chain.Links(t.Context(), 0, 1000); err != nil || len(placed) != 0 {
			t.Fatalf("%d events have places after a batch that failed (%v)", len(placed), err)
		}
		if err := chain.Append(t.Context(), links, audit.Head{Seq: 70, Chain: "x", Signature: "y"}); err != nil {
			t.Fatal(err)
		}
		placed, err := chain.Links(t.Context(), 0, 1000)
		if err != nil || len(placed) != 70 {
			t.Fatal(len(placed), err)
		}
		for i, l := range placed {
			if l.Seq != int64(i+1) || l.ID != links[i].ID || l.Chain != links[i].Chain {
				t.Errorf("place %d: %v", i, l)
			}
		}
		if err := chain.Append(t.Context(), links[:33], audit.Head{Seq: 103, Chain: "x", Signature: "y"}); !errors.Is(err, sqlstore.ErrLost) {
			t.Errorf("events that have places got others: %v", err)
		}
	})
}
