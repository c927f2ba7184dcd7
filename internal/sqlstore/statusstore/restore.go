package statusstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/wallet/status"
)

var _ status.RestoreStore = (*Store)(nil)

// Epoch implements status.Store.
func (s *Store) Epoch(ctx context.Context, first string, now time.Time) (string, error) {
	for range 2 {
		var epoch string
		err := s.db.QueryRow(ctx, `SELECT epoch FROM status_epochs ORDER BY ordinal DESC LIMIT 1`).Scan(&epoch)
		if err == nil {
			return epoch, nil
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return "", fmt.Errorf("statusstore: reading epoch: %w", err)
		}
		if _, err := s.db.Exec(ctx, `INSERT INTO status_epochs (ordinal, epoch, at) VALUES (1, $1, $2) ON CONFLICT DO NOTHING`,
			first, sqlstore.Micros(now)); err != nil {
			return "", fmt.Errorf("statusstore: first epoch: %w", err)
		}
	}
	return "", errors.New("statusstore: no epoch")
}

// HasEpoch implements status.RestoreStore.
func (s *Store) HasEpoch(ctx context.Context, epoch string) (bool, error) {
	var n int64
	if err := s.db.QueryRow(ctx, `SELECT COUNT(*) FROM status_epochs WHERE epoch = $1`, epoch).Scan(&n); err != nil {
		return false, fmt.Errorf("statusstore: reading epoch: %w", err)
	}
	return n > 0, nil
}

// BeginEpoch implements status.RestoreStore. A higher seq with an old begun_at makes each list due.
func (s *Store) BeginEpoch(ctx context.Context, epoch string, now time.Time) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		_, err := s.db.Exec(ctx, `INSERT INTO status_epochs (ordinal, epoch, at)
			SELECT COALESCE(MAX(ordinal), 0) + 1, $1, $2 FROM status_epochs`, epoch, sqlstore.Micros(now))
		if err == nil {
			_, err = s.db.Exec(ctx, `UPDATE status_lists SET open = 0, token = '', token_cwt = '', seq = seq + 1, begun_at = 0`)
		}
		if err != nil {
			return fmt.Errorf("statusstore: beginning epoch: %w", err)
		}
		return nil
	})
}

// PutList implements status.RestoreStore.
func (s *Store) PutList(ctx context.Context, l status.List) (bool, error) {
	var n int64
	err := s.db.QueryRow(ctx, `SELECT COUNT(*) FROM status_lists WHERE id = $1`, l.ID).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("statusstore: reading list: %w", err)
	}
	if n > 0 {
		return false, nil
	}
	added, err := s.add(ctx, l, 0)
	if err != nil || added {
		return added, err
	}
	// Somebody made another list of this number since: the number doesn't matter for one that is closed.
	if err := s.db.QueryRow(ctx, `SELECT MAX(ordinal) + 1 FROM status_lists WHERE pool = $1`, l.Pool).Scan(&l.Ordinal); err != nil {
		return false, fmt.Errorf("statusstore: reading list: %w", err)
	}
	return s.add(ctx, l, 0)
}

// Version implements status.RestoreStore.
func (s *Store) Version(ctx context.Context, licenceID string) (int64, error) {
	var v int64
	err := s.db.QueryRow(ctx, `SELECT version FROM status_licences WHERE licence_id = $1`, licenceID).Scan(&v)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("statusstore: reading licence: %w", err)
	}
	return v, nil
}

// Force implements status.RestoreStore.
func (s *Store) Force(ctx context.Context, c status.Change) error {
	_, err := s.db.Exec(ctx, `INSERT INTO status_licences (licence_id, value, locks, version, journaled, changed_at) VALUES ($1, $2, 0, $3, $3, $4)
		ON CONFLICT (licence_id) DO UPDATE SET value = excluded.value, version = excluded.version, journaled = excluded.version,
		changed_at = excluded.changed_at`, c.LicenceID, int64(c.Value), c.Version, sqlstore.Micros(c.At))
	if err != nil {
		return fmt.Errorf("statusstore: forcing licence: %w", err)
	}
	return s.Align(ctx, c.LicenceID)
}

// Align implements status.RestoreStore.
func (s *Store) Align(ctx context.Context, licenceID string) error {
	if _, err := s.db.Exec(ctx, `UPDATE status_entries SET next_at = NULL, value = l.value FROM status_licences l
		WHERE l.licence_id = $1 AND status_entries.licence_id = $1 AND status_entries.retired = 0`, licenceID); err != nil {
		return fmt.Errorf("statusstore: aligning entries: %w", err)
	}
	return nil
}

// PutEntries implements status.RestoreStore.
func (s *Store) PutEntries(ctx context.Context, entries []status.Entry) (added, conflicts int64, err error) {
	for _, e := range entries {
		var licence string
		err := s.db.QueryRow(ctx, `SELECT licence_id FROM status_entries WHERE list_id = $1 AND idx = $2`, e.ListID, e.Index).Scan(&licence)
		switch {
		case err == nil:
			if licence != e.LicenceID {
				conflicts++
			}
			continue
		case !errors.Is(err, sql.ErrNoRows):
			return added, conflicts, fmt.Errorf("statusstore: reading entry: %w", err)
		}
		got, err := s.Insert(ctx, []status.Entry{e})
		if err != nil {
			return added, conflicts, err
		}
		added += int64(len(got))
	}
	return added, conflicts, nil
}

// Unjournaled implements status.Store.
func (s *Store) Unjournaled(ctx context.Context, before time.Time, limit int) ([]status.Change, error) {
	rows, err := s.db.Query(ctx, `SELECT licence_id, value, version, changed_at FROM status_licences
		WHERE journaled < version AND changed_at < $1 ORDER BY changed_at LIMIT $2`, sqlstore.Micros(before), limit)
	if err != nil {
		return nil, fmt.Errorf("statusstore: reading changes: %w", err)
	}
	defer rows.Close()
	var out []status.Change
	for rows.Next() {
		var c status.Change
		var at int64
		if err := rows.Scan(&c.LicenceID, &c.Value, &c.Version, &at); err != nil {
			return nil, fmt.Errorf("statusstore: reading changes: %w", err)
		}
		c.At = sqlstore.FromMicros(at)
		out = append(out, c)
	}
	return out, rows.Err()
}

// UnjournaledLists implements status.Store.
func (s *Store) UnjournaledLists(ctx context.Context, limit int) ([]status.List, error) {
	return s.lists(ctx, `SELECT `+bare+` FROM status_lists WHERE journaled = 0 ORDER BY id LIMIT $1`, limit)
}

// Journaled implements status.Store.
func (s *Store) Journaled(ctx context.Context, changes []status.Change, lists []status.List) error {
	for _, c := range changes {
		if err := s.db.Later(ctx, `UPDATE status_licences SET journaled = version WHERE licence_id = $1 AND version = $2`,
			c.LicenceID, c.Version); err != nil {
			return fmt.Errorf("statusstore: marking changes: %w", err)
		}
	}
	for _, l := range lists {
		if _, err := s.db.Exec(ctx, `UPDATE status_lists SET journaled = 1 WHERE id = $1`, l.ID); err != nil {
			return fmt.Errorf("statusstore: marking list: %w", err)
		}
	}
	return nil
}
