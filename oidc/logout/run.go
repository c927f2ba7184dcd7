package logout

import (
	"context"
	"fmt"
	"sync"
	"time"
)

const (
	// batch is how many due deliveries are looked at, share how many of them may be one client's, lanes how many go to one client at once.
	batch = 500
	share = 32
	lanes = 4
	// rest is how long a client that can't be reached is left alone: a thousand timeouts in a row would help nobody.
	rest = 5 * time.Second
	// glance is how often something new is looked for while somebody slow is waited for.
	glance = 500 * time.Millisecond
)

// run is one call of Deliver. It works on all clients at once, so that one that is slow delays only itself.
type run struct {
	b     *Backchannel
	ended chan struct{} // holds one element when work on some client has ended

	mu   sync.Mutex
	busy map[string]bool // clients that are worked on
	err  error
}

// Deliver makes the attempts that are due, and returns when there are none left. Background work calls it about every second. It may run on
// several nodes at once: each attempt is claimed. A client hears of a logout at least once.
func (b *Backchannel) Deliver(ctx context.Context) error {
	if b.cfg.Outgoing == nil {
		return nil
	}
	r := &run{b: b, ended: make(chan struct{}, 1), busy: map[string]bool{}}
	for {
		due, err := b.cfg.Store.Due(ctx, b.cfg.Now(), batch, share)
		if err != nil {
			err = fmt.Errorf("logout: due deliveries: %w", err)
		}
		if idle, err := r.start(ctx, due, err); idle {
			return err
		}
		select {
		case <-r.ended:
		case <-time.After(glance):
		}
	}
}

// start begins work on the clients that nobody works on yet, unless something failed, and says whether nothing is left to wait for.
func (r *run) start(ctx context.Context, due []Delivery, err error) (idle bool, failed error) {
	byClient := map[string][]Delivery{}
	for _, d := range due {
		if r.b.late(d) || !r.b.rests(d.ClientID) {
			byClient[d.ClientID] = append(byClient[d.ClientID], d)
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.err = err
	}
	for clientID, list := range byClient {
		if r.err != nil || r.busy[clientID] {
			continue
		}
		r.busy[clientID] = true
		go r.serve(ctx, clientID, list)
	}
	return len(r.busy) == 0, r.err
}

// serve makes the attempts of one client.
func (r *run) serve(ctx context.Context, clientID string, list []Delivery) {
	queue := make(chan Delivery, len(list))
	for _, d := range list {
		queue <- d
	}
	close(queue)
	var wg sync.WaitGroup
	for range min(lanes, len(list)) {
		wg.Go(func() { r.lane(ctx, queue) })
	}
	wg.Wait()
	r.mu.Lock()
	delete(r.busy, clientID)
	r.mu.Unlock()
	select {
	case r.ended <- struct{}{}:
	default:
	}
}

// lane makes one attempt after the other.
func (r *run) lane(ctx context.Context, queue <-chan Delivery) {
	for d := range queue {
		late := r.b.late(d)
		if !late && r.b.rests(d.ClientID) {
			continue
		}
		reached, err := r.b.attempt(ctx, d, late)
		if err != nil {
			r.mu.Lock()
			r.err = err
			r.mu.Unlock()
			return
		}
		if !reached {
			r.b.letRest(d.ClientID)
		}
	}
}

// late says that no attempt is worth it any more.
func (b *Backchannel) late(d Delivery) bool { return b.cfg.Now().Sub(d.CreatedAt) > GiveUp }

// rests says whether a client could not be reached a moment ago. Each node finds that out for itself.
func (b *Backchannel) rests(clientID string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cfg.Now().Before(b.resting[clientID])
}

func (b *Backchannel) letRest(clientID string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.cfg.Now()
	for id, until := range b.resting {
		if !now.Before(until) {
			delete(b.resting, id)
		}
	}
	b.resting[clientID] = now.Add(rest)
}
