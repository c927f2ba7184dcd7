package trail

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
)

// Limits of the buffer between two flushes: all clients together, and one client's successes and refusals. A client that is busy, or hammered
// by somebody, doesn't take the place of others.
const (
	maxPending   = 2000
	maxPerClient = 25
)

// Store keeps entries. Safe for concurrent use by several nodes.
type Store interface {
	// AppendTrail adds entries, in one transaction, and forgets what their clients have beyond KeepEach. An entry with a Fold that is there
	// already adds its count to it and replaces the rest.
	AppendTrail(ctx context.Context, entries []Folded) error
	// Trail returns what is kept of a client, newest first.
	Trail(ctx context.Context, clientID string) ([]Entry, error)
	// DeleteTrail forgets up to limit entries that are older.
	DeleteTrail(ctx context.Context, before time.Time, limit int) (int64, error)
}

// Folded is an entry with the name under which it is kept: refusals that say the same share one.
type Folded struct {
	Entry
	Fold string
}

// Config of a Recorder.
type Config struct {
	Store Store
	Now   func() time.Time
}

// Recorder buffers entries until Flush. Safe for concurrent use. A nil Recorder records nothing.
type Recorder struct {
	cfg Config

	mu      sync.Mutex
	pending map[string]*Folded // by client and fold
	counts  map[string]int     // by client and outcome
}

// New makes a Recorder.
func New(cfg Config) *Recorder {
	return &Recorder{cfg: cfg, pending: map[string]*Folded{}, counts: map[string]int{}}
}

func (r *Recorder) add(entries []Entry) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range entries {
		f := Folded{Entry: e, Fold: fold(e)}
		if r.merge(f) {
			continue
		}
		count := e.ClientID + "\x00" + fmt.Sprint(e.OK)
		if len(r.pending) >= maxPending || r.counts[count] >= maxPerClient {
			lost := Folded{Entry: Entry{ClientID: e.ClientID, Step: Dropped, Count: 1, First: e.At, At: e.At}, Fold: "dropped"}
			if !r.merge(lost) && len(r.pending) < 2*maxPending {
				r.pending[lost.ClientID+"\x00"+lost.Fold] = &lost
			}
			continue
		}
		r.counts[count]++
		r.pending[f.ClientID+"\x00"+f.Fold] = &f
	}
}

// merge adds to an entry that waits already.
func (r *Recorder) merge(f Folded) bool {
	old, ok := r.pending[f.ClientID+"\x00"+f.Fold]
	if !ok {
		return false
	}
	old.Count += f.Count
	old.Trace, old.Ties, old.At = f.Trace, f.Ties, f.At
	return true
}

// fold names an entry: a success by an id of its own, a refusal by all that it says.
func fold(e Entry) string {
	if e.OK {
		return audit.NewID(e.At)
	}
	parts := []string{string(e.Step), e.Code, e.Description, e.Reason}
	for _, name := range slices.Sorted(maps.Keys(e.Detail)) {
		parts = append(parts, name, e.Detail[name])
	}
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Flush writes what this node collected. What can't be written is dropped: the buffer must not grow with a database that is away.
func (r *Recorder) Flush(ctx context.Context) error {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	pending := r.pending
	r.pending, r.counts = map[string]*Folded{}, map[string]int{}
	r.mu.Unlock()
	if len(pending) == 0 {
		return nil
	}
	batch := make([]Folded, 0, len(pending))
	for _, k := range slices.Sorted(maps.Keys(pending)) { // one order on every node: no deadlocks
		batch = append(batch, *pending[k])
	}
	return r.cfg.Store.AppendTrail(ctx, batch)
}

// Of returns what is kept of a client, with what waits on this node.
func (r *Recorder) Of(ctx context.Context, clientID string) ([]Entry, error) {
	if r == nil {
		return nil, nil
	}
	if err := r.Flush(ctx); err != nil {
		return nil, err
	}
	return r.cfg.Store.Trail(ctx, clientID)
}

// Sweep forgets what is too old, up to limit entries.
func (r *Recorder) Sweep(ctx context.Context, limit int) (int64, error) {
	if r == nil {
		return 0, nil
	}
	return r.cfg.Store.DeleteTrail(ctx, r.cfg.Now().Add(-KeepFor), limit)
}
