package resource

import (
	"errors"
	"fmt"
	"testing"
	"time"
)

// TestMemoryOfProofsIsBounded: when it is full, nothing is let through until something has expired; forgetting would let a proof be used twice.
func TestMemoryOfProofsIsBounded(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	m := newReplay(func() time.Time { return at })
	m.max = 3
	for i := range 3 {
		if err := m.claim(t.Context(), fmt.Sprint(i), at.Add(time.Duration(10*(i+1))*time.Second)); err != nil {
			t.Fatal(err)
		}
	}
	if err := m.claim(t.Context(), "3", at.Add(time.Minute)); !errors.Is(err, errFull) {
		t.Error(err)
	}
	if err := m.claim(t.Context(), "0", at.Add(time.Minute)); !errors.Is(err, ErrReplayed) {
		t.Error(err)
	}
	at = at.Add(11 * time.Second)
	if err := m.claim(t.Context(), "3", at.Add(time.Minute)); err != nil {
		t.Error(err)
	}
	if err := m.claim(t.Context(), "1", at.Add(time.Minute)); !errors.Is(err, ErrReplayed) {
		t.Error(err)
	}
	at = at.Add(2 * time.Minute)
	if err := m.claim(t.Context(), "4", at.Add(time.Minute)); err != nil || len(m.seen) != 1 {
		t.Errorf("%v, %d remembered", err, len(m.seen))
	}
}
