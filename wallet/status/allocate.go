package status

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"

	"github.com/hufu-id/hufu/wallet/status/moment"
)

// A list is closed for new entries when about 3/4 of it is in use: beyond that, finding a free index by chance takes too many tries. Nobody counts:
// a counter would be a row that all issuances of the nation wait for, and counting reads the list. When probeAfter random indices in a row
// turn out taken, probes more are looked at, and the list is full when three of four of them are taken.
const (
	probeAfter = 8
	probes     = 64
)

// maxBatch is the most entries of one call: a batch is some tens of copies.
const maxBatch = 1000

// Allocate claims one index; see AllocateBatch.
func (s *Service) Allocate(ctx context.Context, licenceID, issuanceID, typeID string, expires time.Time) (Ref, error) {
	refs, err := s.AllocateBatch(ctx, licenceID, []string{issuanceID}, typeID, expires)
	if err != nil {
		return Ref{}, err
	}
	return refs[0], nil
}

// AllocateBatch claims an unpredictable index that was never used for each of the issuances, which are copies of one licence that expire at
// the given time, and returns them in the order of issuanceIDs. It joins the transaction in ctx, and from then on until that transaction ends
// SetForLicence for the same licence waits: a legal act never misses a credential that is being issued. ErrNotValid if the act came first.
//
// Each copy's index is drawn by itself, so the indices of a batch are as far from each other as those of strangers. They lie in the one list
// of the pool that is open now, together with everybody else's of these days: one list out of several, drawn per batch, would be a mark that
// copies share, and drawn per copy it would make each legal act sign many lists.
func (s *Service) AllocateBatch(ctx context.Context, licenceID string, issuanceIDs []string, typeID string, expires time.Time) ([]Ref, error) {
	pool, err := poolOf(typeID, expires)
	if err != nil {
		return nil, err
	}
	if len(issuanceIDs) == 0 || len(issuanceIDs) > maxBatch {
		return nil, fmt.Errorf("status: %d entries at once", len(issuanceIDs))
	}
	if s.restored.Load() {
		return nil, ErrRestored
	}
	var refs []Ref
	err = s.cfg.Tx(ctx, func(ctx context.Context) error {
		value, err := s.cfg.Store.LockLicence(ctx, licenceID)
		if err != nil {
			return err
		}
		if value != Valid {
			return ErrNotValid
		}
		if refs, err = s.claim(ctx, pool, poolEnd(expires), licenceID, issuanceIDs); err != nil {
			return err
		}
		return s.journalGiven(ctx, licenceID, refs)
	})
	return refs, err
}

// claim finds lists with room and indices in them.
func (s *Service) claim(ctx context.Context, pool string, end time.Time, licenceID string, issuanceIDs []string) ([]Ref, error) {
	refs := make([]Ref, len(issuanceIDs))
	missing := make([]int, len(issuanceIDs)) // positions without an index
	for i := range missing {
		missing[i] = i
	}
	for range 8 + len(issuanceIDs) { // lists: one is the rule, two when it is just full, more only when lists are tiny
		l, err := s.newestOf(ctx, pool)
		if err != nil && !errors.Is(err, ErrNotFound) {
			return nil, err
		}
		if !l.Open { // also when there is none
			if err := s.nextList(ctx, pool, l.Ordinal, end); err != nil {
				return nil, err
			}
			continue
		}
		claimed, err := s.claimIn(ctx, l, licenceID, issuanceIDs, missing)
		if err != nil {
			return nil, err
		}
		left := missing[:0]
		for _, i := range missing {
			if index, ok := claimed[i]; ok {
				refs[i] = Ref{URI: s.URI(l.ID), Index: index}
			} else {
				left = append(left, i)
			}
		}
		if missing = left; len(missing) == 0 {
			return refs, nil
		}
		s.open.Delete(pool)
		if err := s.nextList(ctx, pool, l.Ordinal, end); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("status: no room in pool %s", pool)
}

// reuse is for how long a node takes a list for the pool's open one without asking. That it is closed meanwhile does no harm: it has room for the
// entries that still come.
const reuse = 2 * time.Second

// opened is a pool's newest list, as of asked.
type opened struct {
	List
	asked time.Time
}

// newestOf is Store.Newest, remembered. Only a list that was published is: one of a transaction that may yet be rolled back must not be given to others.
func (s *Service) newestOf(ctx context.Context, pool string) (List, error) {
	now := s.cfg.Now()
	if v, ok := s.open.Load(pool); ok && now.Sub(v.(opened).asked).Abs() < reuse {
		return v.(opened).List, nil
	}
	l, err := s.cfg.Store.Newest(ctx, pool)
	if err == nil && l.Open && l.TokenSeq > 0 {
		s.open.Store(pool, opened{l, now})
	}
	return l, err
}

// claimIn tries random indices of one list for the issuances at the given positions. Where the answer lacks some, the list is full enough.
func (s *Service) claimIn(ctx context.Context, l List, licenceID string, issuanceIDs []string, positions []int) (map[int]int64, error) {
	claimed := make(map[int]int64, len(positions))
	misses := 0 // in a row
	for try := 0; try < 16*probeAfter && len(claimed) < len(positions); try++ {
		want := make([]int, 0, len(positions))
		for _, i := range positions {
			if _, ok := claimed[i]; !ok {
				want = append(want, i)
			}
		}
		want = want[:min(int64(len(want)), max(l.Size/4, 1))]
		indices, err := draw(l.Size, len(want))
		if err != nil {
			return nil, err
		}
		entries := make([]Entry, len(want))
		at := make(map[int64]int, len(want))
		for k, i := range want {
			entries[k] = Entry{ListID: l.ID, Index: indices[k], LicenceID: licenceID, IssuanceID: issuanceIDs[i]}
			at[indices[k]] = i
		}
		got, err := s.cfg.Store.Insert(ctx, entries)
		if err != nil {
			return nil, err
		}
		for _, index := range got {
			claimed[at[index]] = index
		}
		if misses += len(want); len(got) > 0 {
			misses = 0
		}
		if misses >= probeAfter {
			misses = 0
			if full, err := s.full(ctx, l); err != nil || full {
				return claimed, err
			}
		}
	}
	return claimed, nil
}

// full looks at some indices of the list.
func (s *Service) full(ctx context.Context, l List) (bool, error) {
	indices, err := draw(l.Size, int(min(probes, l.Size)))
	if err != nil {
		return false, err
	}
	taken, err := s.cfg.Store.Taken(ctx, l.ID, indices)
	return taken*4 >= int64(len(indices))*3, err
}

// draw returns n different random numbers below size, in random order.
func draw(size int64, n int) ([]int64, error) {
	out := make([]int64, 0, n)
	seen := make(map[int64]bool, n)
	for len(out) < n {
		r, err := rand.Int(rand.Reader, big.NewInt(size))
		if err != nil {
			return nil, fmt.Errorf("status: randomness: %w", err)
		}
		if v := r.Int64(); !seen[v] {
			seen[v] = true
			out = append(out, v)
		}
	}
	return out, nil
}

func (s *Service) nextList(ctx context.Context, pool string, after int64, end time.Time) error {
	first, err := newEpoch()
	if err != nil {
		return err
	}
	epoch, err := s.cfg.Store.Epoch(ctx, first, s.cfg.Now())
	if err != nil {
		return err
	}
	l := List{ID: fmt.Sprintf("%s-%s-%d", pool, epoch, after+1), Pool: pool, Ordinal: after + 1, Size: s.cfg.Size, ExpiresAt: end}
	if err := s.cfg.Store.NextList(ctx, l); err != nil {
		return err
	}
	return s.journalList(ctx, l)
}

// newEpoch names an epoch: 30 random bits, as part of URLs. Two epochs of one server share a name with a chance of one in a billion, and then
// HasEpoch would show it.
func newEpoch() (string, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(1<<30))
	if err != nil {
		return "", fmt.Errorf("status: randomness: %w", err)
	}
	const letters = "abcdefghijkmnpqrstuvwxyz23456789"
	var b [6]byte
	for i, v := 0, n.Int64(); i < len(b); i++ {
		b[i] = letters[v&31]
		v >>= 5
	}
	return string(b[:]), nil
}

// SetForLicence gives every entry of the licence a value, and refuses or allows new ones from then on. It joins the transaction in ctx; when
// that is committed, and before its caller hears of it, the change is in the revocation journal.
// The first entry flips with the next publication, the others each at a random moment within Spread.
func (s *Service) SetForLicence(ctx context.Context, licenceID string, value uint8) error {
	if value > Suspended {
		return fmt.Errorf("status: value %d is never published", value)
	}
	return s.cfg.Tx(ctx, func(ctx context.Context) error {
		now := s.cfg.Now()
		version, err := s.cfg.Store.SetLicence(ctx, licenceID, value, now)
		if err != nil {
			return err
		}
		entries, err := s.cfg.Store.EntriesOf(ctx, licenceID, now)
		if err != nil {
			return err
		}
		for i, e := range entries {
			at := now
			if i > 0 {
				if at, err = moment.After(now, s.cfg.Spread); err != nil {
					return err
				}
			}
			if err := s.cfg.Store.Schedule(ctx, e.ListID, e.Index, value, at); err != nil {
				return err
			}
		}
		return s.journalSet(ctx, Change{LicenceID: licenceID, Value: value, Version: version, At: now}, entries)
	})
}

// poolOf names the pool of a type and an expiry: "driving-licence-2027q1". It becomes part of a URL.
func poolOf(typeID string, expires time.Time) (string, error) {
	if typeID == "" || strings.Trim(typeID, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return "", fmt.Errorf("status: %q can't name a pool", typeID)
	}
	t := expires.UTC()
	return fmt.Sprintf("%s-%dq%d", typeID, t.Year(), (int(t.Month())-1)/3+1), nil
}

// poolEnd is when a pool's lists are no longer signed: a day after its quarter, for clocks that are behind.
func poolEnd(expires time.Time) time.Time {
	t := expires.UTC()
	quarter := (int(t.Month()) - 1) / 3
	return time.Date(t.Year(), time.Month(quarter*3+4), 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, 1)
}
