package trailstore_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/internal/sqlstore/trailstore"
	"github.com/hufu-id/hufu/oidc/trail"
)

var at = time.Date(2026, 11, 21, 2, 47, 3, 0, time.UTC)

func entry(client string, step trail.Step, fold string, after time.Duration, change ...func(*trail.Folded)) trail.Folded {
	f := trail.Folded{Fold: fold, Entry: trail.Entry{ClientID: client, Step: step, Count: 1, First: at.Add(after), At: at.Add(after), Trace: "t-" + fold,
		Detail: map[string]string{"scope": "openid"}, Ties: []string{"a", "b"}}}
	for _, c := range change {
		c(&f)
	}
	return f
}

func refused(code, description string) func(*trail.Folded) {
	return func(f *trail.Folded) { f.Code, f.Description, f.Reason = code, description, "why" }
}

func good(f *trail.Folded) { f.OK = true }

func TestTrailKeepsFoldsAndReads(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		s, ctx := trailstore.New(db), t.Context()
		for i := range 3 {
			d := time.Duration(i) * time.Second
			if err := s.AppendTrail(ctx, []trail.Folded{entry("app", trail.Token, "same", d, refused("invalid_grant", "no")), entry("app", trail.Code, fmt.Sprint(i), d, good),
				entry("other", trail.Code, "x", d, good)}); err != nil {
				t.Fatal(err)
			}
		}
		got, err := s.Trail(ctx, "app")
		if err != nil || len(got) != 4 {
			t.Fatalf("%v %v", err, got)
		}
		for _, e := range got {
			if e.OK {
				continue
			}
			if e.Count != 3 || !e.First.Equal(at) || !e.At.Equal(at.Add(2*time.Second)) || e.Code != "invalid_grant" || e.Description != "no" || e.Reason != "why" ||
				e.Trace != "t-same" || len(e.Ties) != 2 || e.Detail["scope"] != "openid" {
				t.Errorf("%+v", e)
			}
		}
		if n, err := s.DeleteTrail(ctx, at.Add(time.Second), 100); err != nil || n != 1 {
			t.Errorf("deleted %d, %v", n, err)
		}
		if got, err := s.Trail(ctx, "nobody"); err != nil || len(got) != 0 {
			t.Errorf("%v %v", err, got)
		}
	})
}

// Anybody can send requests in a client's name: what they cause must not push out what the developer looks for.
func TestNoiseOfOneKindLeavesTheOthers(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		s, ctx := trailstore.New(db), t.Context()
		batch := []trail.Folded{entry("app", trail.Token, "mine", 0, refused("invalid_grant", "the code is invalid")), entry("app", trail.Token, "ok", 0, good)}
		for i := range 400 {
			d := time.Duration(i+1) * time.Second
			batch = append(batch, entry("app", trail.Authorize, fmt.Sprint("n", i), d, refused("invalid_request", "redirect_uri")), entry("app", trail.Authorize, fmt.Sprint("o", i), d, good))
		}
		if err := s.AppendTrail(ctx, batch); err != nil {
			t.Fatal(err)
		}
		got, err := s.Trail(ctx, "app")
		if err != nil {
			t.Fatal(err)
		}
		folds, counts := map[string]bool{}, map[bool]int{}
		for _, e := range got {
			folds[e.Trace] = true
			counts[e.OK]++
		}
		if counts[true] != trail.KeepEach || counts[false] != trail.KeepEach {
			t.Errorf("kept %v, want %d each", counts, trail.KeepEach)
		}
		if !folds["t-mine"] || !folds["t-ok"] || !folds["t-n399"] || folds["t-n0"] {
			t.Errorf("the single ones and the newest must stay, the oldest of the noise must go")
		}
	})
}

func TestNodesFlushAtOnce(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		s := trailstore.New(db)
		var wg sync.WaitGroup
		for range 4 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for i := range 10 {
					if err := s.AppendTrail(context.Background(), []trail.Folded{entry("app", trail.Token, "a", 0, refused("x", "")), entry("app", trail.Token, "b", 0, refused("y", ""))}); err != nil {
						t.Error(i, err)
					}
				}
			}()
		}
		wg.Wait()
		got, err := s.Trail(t.Context(), "app")
		if err != nil || len(got) != 2 || got[0].Count != 40 || got[1].Count != 40 {
			t.Errorf("%v %v", err, got)
		}
	})
}
