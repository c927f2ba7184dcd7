package statusstore_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/internal/sqlstore/statusstore"
	"github.com/hufu-id/hufu/wallet/status"
)

var now = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

func newList(t *testing.T, s *statusstore.Store, ordinal int64) status.List {
	t.Helper()
	id := "t-2027q1-" + string(rune('0'+ordinal))
	l := status.List{ID: id, Pool: "t-2027q1", Ordinal: ordinal, Size: 64, ExpiresAt: now.AddDate(0, 4, 0)}
	if err := s.NextList(context.Background(), l); err != nil {
		t.Fatal(err)
	}
	got, err := s.Get(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestNextListIsMadeOnceAndClosesTheOneBefore(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		ctx, s := context.Background(), statusstore.New(db)
		if _, err := s.Newest(ctx, "t-2027q1"); !errors.Is(err, status.ErrNotFound) {
			t.Fatalf("empty pool: %v", err)
		}
		first := newList(t, s, 1)
		newList(t, s, 1) // another caller makes the same list
		if got, err := s.Newest(ctx, "t-2027q1"); err != nil || got.ID != first.ID || !got.Open || !got.ExpiresAt.Equal(now.AddDate(0, 4, 0)) {
			t.Fatalf("open list: %+v, %v", got, err)
		}
		second := newList(t, s, 2)
		newList(t, s, 1) // a late caller doesn't open the first again
		if got, err := s.Newest(ctx, "t-2027q1"); err != nil || got.ID != second.ID || !got.Open {
			t.Fatalf("open list: %+v, %v", got, err)
		}
		if got, err := s.Get(ctx, first.ID); err != nil || got.Open {
			t.Fatalf("the first is still open: %+v, %v", got, err)
		}
	})
}

func insert(t *testing.T, s *statusstore.Store, want int, entries ...status.Entry) []int64 {
	t.Helper()
	got, err := s.Insert(context.Background(), entries)
	if err != nil || len(got) != want {
		t.Fatalf("inserting %v: %v, %v", entries, got, err)
	}
	return got
}

func TestInsertRefusesATakenIndex(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		ctx, s := context.Background(), statusstore.New(db)
		l := newList(t, s, 1)
		e := func(index int64, licence string) status.Entry {
			return status.Entry{ListID: l.ID, Index: index, LicenceID: licence, IssuanceID: licence}
		}
		insert(t, s, 1, e(5, "a"))
		insert(t, s, 0, e(5, "b"))
		if got := insert(t, s, 2, e(9, "b"), e(5, "b"), e(6, "b")); slices.Contains(got, 5) {
			t.Fatalf("a taken index was given: %v", got)
		}
		if n, err := s.Taken(ctx, l.ID, []int64{5, 6, 7, 9}); err != nil || n != 3 {
			t.Fatalf("taken %d, %v", n, err)
		}
		if of, err := s.EntriesOf(ctx, "a", now); err != nil || len(of) != 1 || of[0].Index != 5 {
			t.Fatalf("the first holder's entry: %v, %v", of, err)
		}
	})
}

func TestBeginFlipsWhatIsDueAndNumbersPublications(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		ctx, s := context.Background(), statusstore.New(db)
		l := newList(t, s, 1)
		for i := range int64(3) {
			insert(t, s, 1, status.Entry{ListID: l.ID, Index: 10 - i, LicenceID: "a", IssuanceID: "x"})
		}
		must(t, s.Schedule(ctx, l.ID, 10, 2, now))
		must(t, s.Schedule(ctx, l.ID, 9, 1, now.Add(2*time.Second)))
		p, err := s.Begin(ctx, l, now)
		must(t, err)
		if p.Seq != 1 || p.Flipped != 1 || !slices.Equal(p.Values, []status.Value{{Index: 10, Value: 2}}) || !p.LastIssuedAt.IsZero() {
			t.Fatalf("first publication: %+v", p)
		}
		if _, err := s.Begin(ctx, l, now); !errors.Is(err, status.ErrStale) {
			t.Fatalf("the same number twice: %v", err)
		}
		must(t, s.Record(ctx, p, now, now.Add(time.Hour), "digest"))
		must(t, s.Schedule(ctx, l.ID, 9, 1, now))
		l.Seq = 1
		p, err = s.Begin(ctx, l, now)
		must(t, err)
		if p.Seq != 2 || !slices.Equal(p.Values, []status.Value{{Index: 9, Value: 1}, {Index: 10, Value: 2}}) || !p.LastIssuedAt.Equal(now) {
			t.Fatalf("second publication: %+v", p)
		}
	})
}

func TestFinishNeverReplacesALaterToken(t *testing.T) { // Q09: older list after newer
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		ctx, s := context.Background(), statusstore.New(db)
		l := newList(t, s, 1)
		must(t, s.Finish(ctx, status.Signed{ListID: l.ID, Seq: 2, JWT: "newer", IssuedAt: now, Expires: now.Add(time.Hour)}))
		if err := s.Finish(ctx, status.Signed{ListID: l.ID, Seq: 1, JWT: "older", IssuedAt: now, Expires: now.Add(time.Hour)}); !errors.Is(err, status.ErrStale) {
			t.Fatalf("older after newer: %v", err)
		}
		got, err := s.Get(ctx, l.ID)
		must(t, err)
		if got.Token != "newer" || got.TokenSeq != 2 || !got.TokenIssuedAt.Equal(now) {
			t.Fatalf("stored %+v", got)
		}
		must(t, s.Finish(ctx, status.Signed{ListID: l.ID, Seq: 3, JWT: "newest", IssuedAt: now, Expires: now.Add(time.Hour)}))
	})
}

func TestDueNamesListsForEachReason(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		ctx, s := context.Background(), statusstore.New(db)
		l := newList(t, s, 1)
		due := func(at time.Time) bool {
			t.Helper()
			lists, err := s.Due(ctx, at, at.Add(-time.Hour), at.Add(-3*time.Second))
			must(t, err)
			return len(lists) == 1
		}
		if !due(now) {
			t.Fatal("a new list has no token and is due")
		}
		_, err := s.Begin(ctx, l, now)
		must(t, err)
		if due(now.Add(2*time.Second)) || !due(now.Add(4*time.Second)) {
			t.Fatal("a publication that was begun is due again only when it is abandoned")
		}
		must(t, s.Finish(ctx, status.Signed{ListID: l.ID, Seq: 1, JWT: "token", IssuedAt: now, Expires: now.AddDate(0, 0, 35)}))
		if due(now.Add(time.Minute)) || !due(now.Add(61*time.Minute)) {
			t.Fatal("an unchanged list is due when its token is old")
		}
		insert(t, s, 1, status.Entry{ListID: l.ID, Index: 1, LicenceID: "a", IssuanceID: "1"})
		must(t, s.Schedule(ctx, l.ID, 1, 1, now.Add(10*time.Second)))
		if due(now.Add(9*time.Second)) || !due(now.Add(10*time.Second)) {
			t.Fatal("a list is due at the moment of a flip")
		}
		if due(l.ExpiresAt) {
			t.Fatal("a list of expired credentials is not signed")
		}
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
