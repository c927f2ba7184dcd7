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
	ran := make(chan struct{}, 100)
	r := sweep.New(lease(true), nil, sweep.Job{Name: "j", Every: time.Hour, Run: func(context.Context) error {
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
	<-ran
	r.Kick("j")
	<-ran
	r.Kick("j")
	<-ran
	r.Stop()
	r.Stop()
	if n := runs.Load(); n != 3 {
		t.Fatalf("%d runs", n)
	}
}

func TestRunnerWithoutTheLeaseRunsOnlyWhenKicked(t *testing.T) {
	ran := make(chan struct{}, 100)
	r := sweep.New(lease(false), nil, sweep.Job{Name: "j", Every: time.Millisecond, Run: func(context.Context) error {
		ran <- struct{}{}
		return nil
	}})
	r.Start(t.Context())
	defer r.Stop()
	select {
	case <-ran:
		t.Fatal("ran without the lease")
	case <-time.After(50 * time.Millisecond):
	}
	r.Kick("j")
	<-ran
}

// leaseOf remembers for how long the last lease was taken.
type leaseOf struct{ took atomic.Int64 }

func (l *leaseOf) Hold(_ context.Context, _, _ string, now, until time.Time) (bool, error) {
	l.took.Store(int64(until.Sub(now)))
	return true, nil
}

// A status change must be published within 10 s also when the node that published has just been killed.
func TestADeadNodesJobIsTakenOverWithinSeconds(t *testing.T) {
	var l leaseOf
	ran := make(chan struct{}, 100)
	r := sweep.New(&l, nil, sweep.Job{Name: "publish", Every: time.Second, Run: func(context.Context) error {
		ran <- struct{}{}
		return nil
	}})
	r.Start(t.Context())
	<-ran
	r.Stop()
	if took := time.Duration(l.took.Load()); took < 2*time.Second || took > 5*time.Second {
		t.Errorf("a job of every second is leased for %s", took)
	}
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
