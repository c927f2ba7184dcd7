package oidcstore

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/oidc/grant"
	"github.com/hufu-id/hufu/oidc/logout"
	"github.com/hufu-id/hufu/oidc/session"
)

var testEvent = audit.Event{Kind: "oidc.test"}

func check(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// H05: the end of a session ends its grants, and no other's.
func TestH05ASessionEndsItsOwnGrantsButTheOfflineOnes(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		ctx, now := t.Context(), time.Now().UTC().Truncate(time.Microsecond)
		s := New(db, nil)
		for id, g := range map[string]grant.Grant{"mine": {Session: "s1"}, "offline": {Session: "s1", Offline: true}, "other": {Session: "s2"}, "machine": {}} {
			g.ID, g.ClientID, g.CreatedAt, g.CodeSignature = id, "c", now, id
			check(t, s.PutGrant(ctx, g, testEvent))
		}
		for sid, want := range map[string]int64{"s1": 1, "": 0, "nobody": 0} {
			if n, err := s.RevokeSession(ctx, sid, now); n != want || err != nil {
				t.Errorf("session %q: %d grants ended, %v", sid, n, err)
			}
		}
		for id, ended := range map[string]bool{"mine": true, "offline": false, "other": false, "machine": false} {
			if g, err := s.Grant(ctx, id); err != nil || g.RevokedAt.IsZero() == ended {
				t.Errorf("%s: revoked at %v, %v", id, g.RevokedAt, err)
			}
		}
	})
}

func TestMembersStayWithTheirSession(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		ctx, now := t.Context(), time.Now().UTC().Truncate(time.Microsecond)
		s := New(db, nil)
		one := session.Session{Key: "k1", SID: "sid", PersonID: "p", CreatedAt: now, UsedAt: now, ExpiresAt: now.Add(time.Hour)}
		two := one
		two.Key, two.ExpiresAt = "k2", now.Add(2*time.Hour)
		check(t, s.PutSession(ctx, one, "", testEvent))
		for _, m := range []session.Member{{ClientID: "a", Subject: "sub-a"}, {ClientID: "b", Subject: "sub-b"}, {ClientID: "a", Subject: "again"}} {
			check(t, s.PutMember(ctx, "sid", m, one.ExpiresAt))
		}
		check(t, s.PutMember(ctx, "old", session.Member{ClientID: "a"}, now))
		check(t, s.PutSession(ctx, two, "k1", testEvent)) // she logs in again: the clients stay as long as the new session
		if n, err := s.DeleteExpired(ctx, now.Add(90*time.Minute), 100); n != 1 || err != nil {
			t.Errorf("%d rows forgotten, %v; only the old member has ended", n, err)
		}
		got, err := s.TakeMembers(ctx, "sid")
		if err != nil || len(got) != 2 {
			t.Fatalf("%v, %v", got, err)
		}
		for _, m := range got {
			if m.Subject != "sub-"+m.ClientID {
				t.Errorf("%+v", m)
			}
		}
		if got, err := s.TakeMembers(ctx, "sid"); len(got) != 0 || err != nil {
			t.Errorf("taken twice: %v, %v", got, err)
		}
	})
}

func delivery(id, client string, at time.Time) logout.Delivery {
	return logout.Delivery{ID: id, ClientID: client, Subject: "sub", SID: "sid", CreatedAt: at, NextAt: at}
}

func TestADeliveryMovesOnlyForward(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		ctx, now := t.Context(), time.Now().UTC().Truncate(time.Microsecond)
		s := New(db, nil)
		check(t, s.PutDelivery(ctx, delivery("1", "a", now)), s.PutDelivery(ctx, delivery("2", "a", now.Add(time.Second))), s.PutDelivery(ctx, delivery("3", "b", now)))
		due, err := s.Due(ctx, now, 10, 10)
		if err != nil || len(due) != 2 {
			t.Fatalf("due: %v, %v", due, err)
		}
		d, err := s.Deliveries(ctx, "a", 10)
		if err != nil || len(d) != 2 || d[0].ID != "2" || d[1] != delivery("1", "a", now) {
			t.Fatalf("deliveries of a: %+v, %v", d, err)
		}
		one := d[1]
		lost := func(what string, err error) {
			t.Helper()
			if !errors.Is(err, logout.ErrLost) {
				t.Errorf("%s: %v", what, err)
			}
		}
		lost("before it is due", s.Claim(ctx, one, now.Add(-time.Second), now))
		check(t, s.Claim(ctx, one, now, now.Add(time.Minute)))
		lost("the same attempt again", s.Claim(ctx, one, now.Add(2*time.Minute), now.Add(3*time.Minute)))
		first := one
		first.Attempts, first.Error, first.NextAt = 1, "status_500", now.Add(time.Second)
		lost("the next attempt while this one is held", s.Claim(ctx, first, now.Add(time.Second), now.Add(time.Minute)))
		check(t, s.Settle(ctx, first), s.Claim(ctx, first, now.Add(time.Second), now.Add(time.Minute)))
		lost("the first attempt reports late", s.Settle(ctx, first))
		second := first
		second.Attempts, second.State, second.Error = 2, logout.Delivered, ""
		check(t, s.Settle(ctx, second))
		lost("delivered, then refused", s.Settle(ctx, logout.Delivery{ID: "1", Attempts: 2, State: logout.Refused}))
		lost("an attempt after the end", s.Claim(ctx, second, now.Add(time.Hour), now.Add(2*time.Hour)))
		check(t, s.PutDelivery(ctx, delivery("4", "a", now.Add(2*time.Second))))
		if due, err := s.Due(ctx, now.Add(time.Hour), 10, 1); err != nil || len(due) != 2 || due[0].ID != "3" || due[1].ID != "2" {
			t.Errorf("one of each client, the longest waiting first: %+v, %v", due, err)
		}
		if n, err := s.DeleteExpired(ctx, now.Add(logout.Keep), 10); n != 0 || err != nil {
			t.Errorf("%d deliveries forgotten too early, %v", n, err)
		}
		if n, err := s.DeleteExpired(ctx, now.Add(logout.Keep+time.Millisecond), 10); n != 2 || err != nil {
			t.Errorf("%d deliveries forgotten, %v", n, err)
		}
	})
}

// Two stores, as on two nodes, claim everything that is due at the same time: each attempt has one owner.
func TestTwoNodesNeverMakeTheSameAttempt(t *testing.T) {
	for _, engine := range []sqlstore.Engine{sqlstore.SQLite, sqlstore.PostgreSQL} {
		t.Run(string(engine), func(t *testing.T) {
			const deliveries, callers = 40, 8
			dsn := sqltest.DSN(t, engine)
			ctx, now := context.Background(), time.Now().UTC().Truncate(time.Microsecond)
			nodes := []*Store{New(sqltest.Open(t, dsn), nil), New(sqltest.Open(t, dsn), nil)}
			for i := range deliveries {
				check(t, nodes[0].PutDelivery(ctx, delivery(fmt.Sprint(i), "a", now)))
			}
			var won, lost atomic.Int32
			var wg sync.WaitGroup
			for i := range callers {
				wg.Go(func() {
					s := nodes[i%2]
					due, err := s.Due(ctx, now, deliveries, deliveries)
					if err != nil {
						t.Error(err)
					}
					for _, d := range due {
						switch err := s.Claim(ctx, d, now, now.Add(time.Minute)); {
						case err == nil:
							won.Add(1)
						case errors.Is(err, logout.ErrLost):
							lost.Add(1)
						default:
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			if won.Load() != deliveries {
				t.Errorf("%d attempts were claimed of %d (%d lost)", won.Load(), deliveries, lost.Load())
			}
		})
	}
}
