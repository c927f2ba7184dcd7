// Package sweep runs the work that no request should wait for: publishing status lists and bundles, chaining the audit trail, deleting what has expired,
// moving keys along their schedule.
package sweep

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"sync"
	"time"
)

// Leases decides which node runs a job. It saves double work only: a job must be safe to run twice.
type Leases interface {
	// Hold takes or renews the lease of a job and says whether holder has it until then.
	Hold(ctx context.Context, name, holder string, now, until time.Time) (bool, error)
}

// Job is one kind of work.
type Job struct {
	// Name is stable: it names the lease.
	Name string
	// Every is how long the pause between two runs is.
	Every time.Duration
	// Everywhere runs the job on every node, without a lease: for work on what a node has in its own memory.
	Everywhere bool
	// Run does what is due and returns. It must be safe to run twice, also at the same time on two nodes.
	Run func(ctx context.Context) error
}

// Runner runs jobs until it is stopped. Make it with New.
type Runner struct {
	leases Leases
	log    *slog.Logger
	holder string
	jobs   []Job
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// grace is how long beyond two turns a job waits for the node that has it. It is the delay that a crash costs: a revocation that comes right
// after it must still be published within a minute. A run that takes longer may meet a second one, for which every job must be ready anyway.
const grace = 3 * time.Second

// New returns a runner of the jobs. A nil log drops what it would say.
func New(leases Leases, log *slog.Logger, jobs ...Job) *Runner {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	var b [8]byte
	_, _ = rand.Read(b[:])
	r := &Runner{leases: leases, log: log, holder: hex.EncodeToString(b[:]), jobs: jobs}
	return r
}

// Start returns at once; the jobs run until Stop.
func (r *Runner) Start(ctx context.Context) {
	ctx, r.cancel = context.WithCancel(ctx)
	for _, j := range r.jobs {
		r.done.Add(1)
		go r.loop(ctx, j)
	}
}

// Stop ends all jobs and waits for those that run. It may be called more than once, also before Start.
func (r *Runner) Stop() {
	if r.cancel != nil {
		r.cancel()
	}
	r.done.Wait()
}

func (r *Runner) loop(ctx context.Context, j Job) {
	defer r.done.Done()
	timer := time.NewTimer(0)
	defer timer.Stop()
	var held time.Time
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		held = r.once(ctx, j, held)
		timer.Reset(j.Every)
	}
}

// once runs a job if it is this node's turn. held is until when this node has the lease, as it knows; the answer is the same afterwards. A lease is
// renewed only when it would end before the turn after the next second: an idle server writes little.
func (r *Runner) once(ctx context.Context, j Job, held time.Time) (until time.Time) {
	defer func() {
		if p := recover(); p != nil {
			r.log.ErrorContext(ctx, "job panicked", "job", j.Name, "panic", p)
		}
	}()
	now := time.Now()
	mine, err := j.Everywhere, error(nil)
	until = held
	if !mine && now.Add(j.Every+time.Second).Before(held) {
		mine = true
	}
	if !mine {
		until = now.Add(2*j.Every + grace)
		if mine, err = r.leases.Hold(ctx, j.Name, r.holder, now, until); err != nil || !mine {
			until = time.Time{}
		}
	}
	if err == nil && mine {
		err = j.Run(ctx)
	}
	if err != nil && ctx.Err() == nil {
		r.log.ErrorContext(ctx, "job failed", "job", j.Name, "error", err)
	}
	return until
}
