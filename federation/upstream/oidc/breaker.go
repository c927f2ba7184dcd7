package oidc

import (
	"errors"
	"sync"
	"time"

	"github.com/hufu-id/hufu/federation/upstream"
)

const (
	failuresToOpen = 3                // in a row
	openFor        = 15 * time.Second // before one caller may try again
	slowFrom       = 2 * time.Second
	slowRemembered = 5 * time.Minute
)

var errOpen = errors.New("breaker open")

// breaker stops asking a province that doesn't answer: people get its page at once instead of after a time limit, and the
// province gets air. After openFor one request goes through; if it succeeds, all do.
type breaker struct {
	now func() time.Time

	mu       sync.Mutex
	failures int
	until    time.Time // open until then; zero when closed
	probing  bool
	took     time.Duration // smoothed time of recent answers
	tookAt   time.Time
}

func newBreaker(now func() time.Time) *breaker { return &breaker{now: now} }

// run calls fn unless the breaker is open. Errors of fn that are upstream.ErrUnavailable count as failures, others prove
// that the province answers.
func (b *breaker) run(fn func() error) error {
	if !b.enter() {
		return errOpen
	}
	started := b.now()
	failed := true // also when fn panics
	defer func() { b.leave(failed, b.now().Sub(started)) }()
	err := fn()
	failed = errors.Is(err, upstream.ErrUnavailable)
	return err
}

func (b *breaker) enter() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.until.IsZero() {
		return true
	}
	if b.now().Before(b.until) || b.probing {
		return false
	}
	b.probing = true
	return true
}

func (b *breaker) leave(failed bool, took time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.probing = false
	if !failed {
		b.failures, b.until = 0, time.Time{}
		if b.tookAt.IsZero() || b.now().Sub(b.tookAt) > slowRemembered {
			b.took = took
		}
		b.took, b.tookAt = (3*b.took+took)/4, b.now()
		return
	}
	if b.failures++; b.failures >= failuresToOpen {
		b.until = b.now().Add(openFor)
	}
}

func (b *breaker) state() upstream.State {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	s := upstream.State{}
	if !b.until.IsZero() && now.Before(b.until) {
		s.Down, s.Until = true, b.until
	}
	if b.took >= slowFrom && now.Sub(b.tookAt) < slowRemembered {
		s.Slow = b.took.Round(time.Second)
	}
	return s
}
