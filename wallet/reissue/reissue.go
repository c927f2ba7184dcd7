// Package reissue issues again what a compromised key signed, for the copies that the hosted wallet keeps: on the day after a key was stolen (hufu keys
// revoke) the whole country's copies need another signature, and nobody is to wait for the citizens to come by.
//
// A job belongs to one key. It first collects the copies that the key signed, then renews them at a bounded rate, each by the way of every copy: a new key, a
// new credential, and only then the end of the old one. It may be interrupted at any moment: what was renewed is told from what was not by the copy that the
// person holds now. When nothing waits any more it is finished, with a report.
package reissue

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
)

// Errors of this package and of its interfaces.
var (
	// ErrRunning: there is a job for this key that isn't finished.
	ErrRunning = errors.New("reissue: a job for this key is running")
	// ErrNone: nothing is to be done.
	ErrNone = errors.New("reissue: no job is running")
	// ErrGone: the copy can't be renewed, ever: the licence isn't in force, or the person is gone. Its holder sees that on her page.
	ErrGone = errors.New("reissue: the licence can't be issued")
	// ErrSpec: a job can't be like that.
	ErrSpec = errors.New("reissue: key and rate are needed")
)

// States of a job.
const (
	Collecting = "collecting"
	Renewing   = "renewing"
	Finished   = "finished"
)

// Outcomes of an item.
const (
	Waiting = "waiting"
	Renewed = "renewed"
	Gone    = "gone"   // see ErrGone
	Failed  = "failed" // after maxAttempts
)

const (
	maxAttempts = 5
	page        = 200
	workers     = 4
	// stepTime is how long one Step goes on: the lease of a background job outlives it.
	stepTime = 2 * time.Second
	// MaxRate is the most copies in a second that a job may be told.
	MaxRate = 10_000
)

// Job is one job and how far it is.
type Job struct {
	ID string
	// SignerKey is the key whose signatures are replaced, by its RFC 7638 thumbprint.
	SignerKey string
	// Rate is the most copies in a second.
	Rate                  int
	State                 string
	CreatedAt, FinishedAt time.Time
	// Items by outcome.
	Waiting, Renewed, Gone, Failed int64
}

// Total is how many copies the job knows of.
func (j Job) Total() int64 { return j.Waiting + j.Renewed + j.Gone + j.Failed }

// Item is one copy.
type Item struct {
	JobID, CopyID, PersonID, LicenceID string
	// Replaced: the person holds another copy by now, or none: a renewal that was interrupted before it was noted, or her own doing.
	Replaced bool
}

// Store keeps jobs. Every method is atomic and safe for use by several nodes at once.
type Store interface {
	// Begin adds a job. ErrRunning when its key has one that isn't finished.
	Begin(ctx context.Context, j Job, ev audit.Event) error
	// Open returns the oldest job that isn't finished, without counts. ErrNone.
	Open(ctx context.Context) (Job, error)
	// Collect looks at up to limit more holdings and adds those whose copy the job's key signed. When there are no more the job is Renewing. It returns the
	// state.
	Collect(ctx context.Context, jobID string, limit int) (state string, err error)
	// Waiting lists up to limit items that wait, the least tried first.
	Waiting(ctx context.Context, jobID string, limit int) ([]Item, error)
	// Tried counts an attempt that failed; after max the item has Failed.
	Tried(ctx context.Context, i Item, max int, at time.Time) error
	// Settle gives a waiting item its outcome. Settling twice changes nothing.
	Settle(ctx context.Context, i Item, outcome string, at time.Time) error
	// Finish ends a job that has no item waiting, with the event. Finishing twice changes nothing.
	Finish(ctx context.Context, jobID string, at time.Time, ev audit.Event) error
	// Jobs lists all jobs with their counts, the newest first.
	Jobs(ctx context.Context) ([]Job, error)
}

// Renewer is the hosted wallet.
type Renewer interface {
	// Renew takes a person's licence into a new copy, which replaces the one that she has. ErrGone.
	Renew(ctx context.Context, personID, licenceID string) error
}

// Config is what a Service needs. Now and Log have defaults. Renewer may be nil for who only begins jobs and reads reports.
type Config struct {
	Store   Store
	Renewer Renewer
	Now     func() time.Time
	Log     *slog.Logger
}

// Service runs jobs. Safe for concurrent use.
type Service struct{ cfg Config }

// New returns a service.
func New(cfg Config) *Service {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{cfg: cfg}
}

// Begin starts a job for a key. Errors: ErrRunning, ErrSpec.
func (s *Service) Begin(ctx context.Context, signerKey string, rate int, actor string) (Job, error) {
	if signerKey == "" || rate < 1 || rate > MaxRate {
		return Job{}, fmt.Errorf("%w; at most %d copies in a second", ErrSpec, MaxRate)
	}
	j := Job{ID: strings.ToLower(rand.Text()), SignerKey: signerKey, Rate: rate, State: Collecting, CreatedAt: s.cfg.Now()}
	return j, s.cfg.Store.Begin(ctx, j, audit.Event{Kind: "reissue.begun", At: j.CreatedAt, Actor: actor, Subject: signerKey,
		Detail: map[string]string{"job": j.ID, "rate": fmt.Sprint(rate)}})
}

// Jobs lists all jobs with their counts, the newest first.
func (s *Service) Jobs(ctx context.Context) ([]Job, error) { return s.cfg.Store.Jobs(ctx) }

// Step is a background step, to be run every second under a lease: it renews at most as many copies as the job's rate allows in a second, and none when there is
// no job. Steps that run at once on two nodes waste work and do no harm.
func (s *Service) Step(ctx context.Context) error {
	j, err := s.cfg.Store.Open(ctx)
	if errors.Is(err, ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	begin := time.Now()
	for j.State == Collecting && time.Since(begin) < stepTime {
		if j.State, err = s.cfg.Store.Collect(ctx, j.ID, page); err != nil {
			return err
		}
	}
	for left := j.Rate; j.State == Renewing && left > 0 && time.Since(begin) < stepTime; {
		items, err := s.cfg.Store.Waiting(ctx, j.ID, min(left, page))
		if err != nil {
			return err
		}
		if len(items) == 0 {
			return s.finish(ctx, j)
		}
		if err := s.renew(ctx, items); err != nil {
			return err
		}
		left -= len(items)
	}
	return nil
}

// renew renews some copies, several at a time.
func (s *Service) renew(ctx context.Context, items []Item) error {
	queue := make(chan Item, len(items))
	for _, i := range items {
		queue <- i
	}
	close(queue)
	var wg sync.WaitGroup
	errs := make([]error, workers)
	for k := range workers {
		wg.Go(func() {
			for i := range queue {
				if errs[k] = s.one(ctx, i); errs[k] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// one renews one copy and notes it. Its error is the store's.
func (s *Service) one(ctx context.Context, i Item) error {
	if i.Replaced {
		return s.cfg.Store.Settle(ctx, i, Renewed, s.cfg.Now())
	}
	err := s.cfg.Renewer.Renew(ctx, i.PersonID, i.LicenceID)
	switch {
	case errors.Is(err, ErrGone):
		return s.cfg.Store.Settle(ctx, i, Gone, s.cfg.Now())
	case ctx.Err() != nil: // the node stops: that is nobody's failure
		return ctx.Err()
	case err != nil:
		s.cfg.Log.WarnContext(ctx, "reissue: a copy was not renewed", "copy", i.CopyID, "error", err)
		return s.cfg.Store.Tried(ctx, i, maxAttempts, s.cfg.Now())
	}
	return s.cfg.Store.Settle(ctx, i, Renewed, s.cfg.Now())
}

func (s *Service) finish(ctx context.Context, j Job) error {
	all, err := s.cfg.Store.Jobs(ctx)
	if err != nil {
		return err
	}
	for _, x := range all {
		if x.ID == j.ID {
			j = x
		}
	}
	return s.cfg.Store.Finish(ctx, j.ID, s.cfg.Now(), audit.Event{Kind: "reissue.finished", At: s.cfg.Now(), Actor: "system", Subject: j.SignerKey, Detail: map[string]string{
		"job": j.ID, "renewed": fmt.Sprint(j.Renewed), "gone": fmt.Sprint(j.Gone), "failed": fmt.Sprint(j.Failed)}})
}
