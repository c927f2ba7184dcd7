package sweep_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/internal/sweep"
)

type lease bool

func (l lease) Hold(context.Context, string, string, time.Time, time.Time) (bool, error) {
	return bool(l), nil
}

func TestRunnerSurvivesErrorsAndPanicsAndStopsWaiting(t *testing.T) {
	var runs atomic.Int32
	ran := make(chan struct{}, 1000)
	r := sweep.New(lease(true), nil, sweep.Job{Name: "j", Every: time.Millisecond, Run: func(context.Context) error {
		defer func() { ran <- struct{}{} }()
		switch runs.Add(1) {
		case 1:
			return errors.New("fault")
		case 2:
			panic("boom")
		}
		return nil
	}})
	r.Start(t.Context())
	for range 3 {
		<-ran
	}
	r.Stop()
	r.Stop()
	n := runs.Load()
	time.Sleep(20 * time.Millisecond)
	if runs.Load() != n {
		t.Fatal("a job ran after Stop")
	}
}

func TestRunnerWithoutTheLeaseDoesNotRun(t *testing.T) {
	for _, mine := range []bool{false, true} {
		ran := make(chan struct{}, 1000)
		r := sweep.New(lease(mine), nil, sweep.Job{Name: "j", Every: time.Millisecond, Run: func(context.Context) error {
			ran <- struct{}{}
			return nil
		}})
		r.Start(t.Context())
		if mine {
			<-ran // the twin
		} else {
			time.Sleep(50 * time.Millisecond)
		}
		r.Stop()
		if !mine && len(ran) > 0 {
			t.Fatal("ran without the lease")
		}
	}
}

func TestAJobForEveryNodeNeedsNoLease(t *testing.T) {
	ran := make(chan struct{}, 1000)
	r := sweep.New(lease(false), nil, sweep.Job{Name: "j", Every: time.Millisecond, Everywhere: true, Run: func(context.Context) error {
		ran <- struct{}{}
		return nil
	}})
	r.Start(t.Context())
	<-ran
	r.Stop()
}

func TestHoldGivesALeaseToOneNodeUntilItRunsOut(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		now := time.Unix(1_800_000_000, 0)
		for i, step := range []struct {
			holder string
			after  time.Duration
			want   bool
		}{{"a", 0, true}, {"b", 0, false}, {"a", 30 * time.Second, true}, {"b", 80 * time.Second, false}, {"b", 100 * time.Second, true}, {"a", 100 * time.Second, false}} {
			at := now.Add(step.after)
			got, err := db.Hold(t.Context(), "job", step.holder, at, at.Add(time.Minute))
			if err != nil || got != step.want {
				t.Fatalf("step %d: %v, %v", i, got, err)
			}
		}
	})
}

// counted is a lease that is always free, and counts.
type counted struct{ n atomic.Int32 }

func (c *counted) Hold(context.Context, string, string, time.Time, time.Time) (bool, error) {
	c.n.Add(1)
	return true, nil
}

// A lease that holds for a while longer isn't renewed at each turn; one that is short is.
func TestALeaseIsRenewedWhenItRunsOut(t *testing.T) {
	var leases counted
	runs := make(chan struct{}, 1000)
	r := sweep.New(&leases, nil, sweep.Job{Name: "j", Every: 10 * time.Millisecond, Run: func(context.Context) error {
		runs <- struct{}{}
		return nil
	}})
	r.Start(t.Context())
	for range 50 {
		<-runs
	}
	r.Stop()
	if n := leases.n.Load(); n != 1 { // 50 turns are half a second, and the lease is for three
		t.Fatalf("%d renewals in 50 turns", n)
	}
}
