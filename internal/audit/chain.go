package audit

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// ErrBroken says that the audit trail was altered. The error names the first event that doesn't fit.
var ErrBroken = errors.New("audit: the trail was altered")

// Link is an event with its place in the chain.
type Link struct {
	Event
	Seq   int64
	Chain string
}

// Head is the end of the chain after a batch, signed: whoever keeps it elsewhere can tell that the trail was cut.
type Head struct {
	Seq   int64  `json:"seq"`
	At    int64  `json:"at"` // Unix microseconds
	Chain string `json:"chain"`
	// Signature is a compact JWS over the other three; "" in what is signed.
	Signature string `json:"signature,omitempty"`
}

// Store keeps the chain. Append is called by one node at a time; if two try, one of them fails and changes nothing.
type Store interface {
	// Unchained returns the newest head (zero at the start) and up to limit events that have no place yet, oldest first.
	Unchained(ctx context.Context, limit int) (Head, []Event, error)
	// Append gives the events their places and stores the head, all or nothing.
	Append(ctx context.Context, links []Link, head Head) error
	// Links returns up to limit links after seq, in order.
	Links(ctx context.Context, after int64, limit int) ([]Link, error)
	// Heads returns all heads, in order.
	Heads(ctx context.Context) ([]Head, error)
}

// Chainer is the background step that numbers and chains events, so that no request waits for it.
type Chainer struct {
	Store Store
	// Sign signs a head's payload and returns a compact JWS.
	Sign func(ctx context.Context, payload []byte) (string, error)
	Now  func() time.Time
}

// batch is how many events one head covers at most.
const batch = 1000

// Run chains everything that waits. It may run on several nodes; the loser of a round tries again at the next.
func (c *Chainer) Run(ctx context.Context) error {
	for {
		head, events, err := c.Store.Unchained(ctx, batch)
		if err != nil || len(events) == 0 {
			return err
		}
		links := make([]Link, len(events))
		for i, ev := range events {
			head.Seq++
			head.Chain = chain(head.Chain, head.Seq, ev)
			links[i] = Link{Event: ev, Seq: head.Seq, Chain: head.Chain}
		}
		head.At, head.Signature = c.Now().UnixMicro(), ""
		payload, err := json.Marshal(head)
		if err != nil {
			return err
		}
		if head.Signature, err = c.Sign(ctx, payload); err != nil {
			return fmt.Errorf("audit: signing the head: %w", err)
		}
		if err := c.Store.Append(ctx, links, head); err != nil {
			return fmt.Errorf("audit: appending: %w", err)
		}
		if len(events) < batch {
			return nil
		}
	}
}

// chain links an event to the one before it.
func chain(prev string, seq int64, ev Event) string {
	b, err := json.Marshal(struct {
		Prev    string            `json:"prev"`
		Seq     int64             `json:"seq"`
		ID      string            `json:"id"`
		At      int64             `json:"at"`
		Kind    Kind              `json:"kind"`
		Actor   string            `json:"actor"`
		Subject string            `json:"subject"`
		Client  string            `json:"client"`
		Trace   string            `json:"trace"`
		Detail  map[string]string `json:"detail"`
	}{prev, seq, ev.ID, ev.At.UnixMicro(), ev.Kind, ev.Actor, ev.Subject, ev.Client, ev.TraceID, ev.Detail})
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Verify walks the whole chain and every head. verify checks a head's signature and returns the payload that was signed. It returns how many events hold,
// and an ErrBroken that names the first that doesn't (abuse case U05).
func Verify(ctx context.Context, s Store, verify func(jws string) ([]byte, error)) (int64, error) {
	heads, err := s.Heads(ctx)
	if err != nil {
		return 0, err
	}
	at := map[int64]string{}
	var last int64
	for _, h := range heads {
		payload, err := verify(h.Signature)
		if err != nil {
			return 0, fmt.Errorf("%w: the head at %d is not signed by us: %v", ErrBroken, h.Seq, err)
		}
		var signed Head
		if err := json.Unmarshal(payload, &signed); err != nil || signed.Seq != h.Seq || signed.Chain != h.Chain || signed.At != h.At {
			return 0, fmt.Errorf("%w: the head at %d is not what was signed", ErrBroken, h.Seq)
		}
		at[h.Seq], last = h.Chain, h.Seq
	}
	var seq int64
	prev := ""
	for {
		links, err := s.Links(ctx, seq, batch)
		if err != nil {
			return seq, err
		}
		if len(links) == 0 {
			break
		}
		for _, l := range links {
			want := chain(prev, seq+1, l.Event)
			if l.Seq != seq+1 || l.Chain != want {
				return seq, fmt.Errorf("%w: event %d (%s)", ErrBroken, seq+1, l.ID)
			}
			seq, prev = l.Seq, l.Chain
			if head, ok := at[seq]; ok && head != prev {
				return seq, fmt.Errorf("%w: head at %d", ErrBroken, seq)
			}
		}
	}
	if seq != last {
		return seq, fmt.Errorf("%w: the trail ends at %d, the last signed head is at %d", ErrBroken, seq, last)
	}
	return seq, nil
}
