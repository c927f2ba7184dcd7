package status

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"
	"time"
)

// countAfter is how many indices in a row must turn out taken before the list is counted. At a fill of 3/4 that happens to one
// allocation in ten, at 1/2 to one in 250: so a list closes soon after 3/4 without a counter that all issuances would wait for.
const countAfter = 8

// Allocate claims an unpredictable index that was never used, for one credential of a licence that expires at the given time. It
// joins the transaction in ctx, and from then on until that transaction ends SetForLicence for the same licence waits: a
// legal act never misses a credential that is being issued. ErrNotValid if the act came first.
func (s *Service) Allocate(ctx context.Context, licenceID, issuanceID, typeID string, expires time.Time) (Ref, error) {
	pool, err := poolOf(typeID, expires)
	if err != nil {
		return Ref{}, err
	}
	var ref Ref
	err = s.cfg.Tx(ctx, func(ctx context.Context) error {
		value, err := s.cfg.Store.LockLicence(ctx, licenceID)
		if err != nil {
			return err
		}
		if value != Valid {
			return ErrNotValid
		}
		ref, err = s.claim(ctx, pool, poolEnd(expires), Entry{LicenceID: licenceID, IssuanceID: issuanceID})
		return err
	})
	return ref, err
}

// claim finds a list with room and an index in it.
func (s *Service) claim(ctx context.Context, pool string, end time.Time, e Entry) (Ref, error) {
	for range 8 { // lists: one is the rule, two when it is just full
		l, err := s.cfg.Store.OpenList(ctx, pool)
		if errors.Is(err, ErrNotFound) {
			if err := s.nextList(ctx, pool, 0, end); err != nil {
				return Ref{}, err
			}
			continue
		}
		if err != nil {
			return Ref{}, err
		}
		e.ListID = l.ID
		ok, err := s.claimIn(ctx, l, &e)
		if err != nil {
			return Ref{}, err
		}
		if ok {
			return Ref{URI: s.URI(l.ID), Index: e.Index}, nil
		}
		if err := s.nextList(ctx, pool, l.Ordinal, end); err != nil {
			return Ref{}, err
		}
	}
	return Ref{}, fmt.Errorf("status: no room in pool %s", pool)
}

// claimIn tries random indices of one list; false means that the list is full enough.
func (s *Service) claimIn(ctx context.Context, l List, e *Entry) (bool, error) {
	for try := 1; try <= 16*countAfter; try++ {
		n, err := rand.Int(rand.Reader, big.NewInt(l.Size))
		if err != nil {
			return false, fmt.Errorf("status: randomness: %w", err)
		}
		e.Index = n.Int64()
		err = s.cfg.Store.Insert(ctx, *e)
		if err == nil {
			return true, nil
		}
		if !errors.Is(err, ErrTaken) {
			return false, err
		}
		if try%countAfter == 0 {
			used, err := s.cfg.Store.Used(ctx, l.ID)
			if err != nil {
				return false, err
			}
			if used >= l.Size/4*3 {
				return false, nil
			}
		}
	}
	return false, nil
}

func (s *Service) nextList(ctx context.Context, pool string, after int64, end time.Time) error {
	ordinal := after + 1
	return s.cfg.Store.NextList(ctx, List{ID: pool + "-" + strconv.FormatInt(ordinal, 10), Pool: pool, Ordinal: ordinal,
		Size: s.cfg.Size, ExpiresAt: end})
}

// SetForLicence gives every entry of the licence a value, and refuses or allows new ones from then on. It joins the transaction in ctx.
// The first entry flips with the next publication, the others each at a random moment within Spread.
func (s *Service) SetForLicence(ctx context.Context, licenceID string, value uint8) error {
	if value > Suspended {
		return fmt.Errorf("status: value %d is never published", value)
	}
	return s.cfg.Tx(ctx, func(ctx context.Context) error {
		if err := s.cfg.Store.SetLicence(ctx, licenceID, value); err != nil {
			return err
		}
		now := s.cfg.Now()
		entries, err := s.cfg.Store.EntriesOf(ctx, licenceID, now)
		if err != nil {
			return err
		}
		for i, e := range entries {
			at := now
			if i > 0 && s.cfg.Spread > 0 {
				n, err := rand.Int(rand.Reader, big.NewInt(int64(s.cfg.Spread)))
				if err != nil {
					return fmt.Errorf("status: randomness: %w", err)
				}
				at = now.Add(time.Duration(n.Int64()))
			}
			if err := s.cfg.Store.Schedule(ctx, e.ListID, e.Index, value, at); err != nil {
				return err
			}
		}
		return nil
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
