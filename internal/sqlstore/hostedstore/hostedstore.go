// Package hostedstore keeps the hosted wallet's copies and showings in SQL.
package hostedstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/wallet/hosted"
)

// Store implements hosted.Store. It is safe for concurrent use by many nodes.
type Store struct{ db *sqlstore.DB }

var _ hosted.Store = (*Store)(nil)

// New returns a Store on a migrated database.
func New(db *sqlstore.DB) *Store { return &Store{db: db} }

// claim is one conditional statement: a row that it didn't find is ErrNotFound.
func (s *Store) claim(ctx context.Context, query string, args ...any) error {
	err := s.db.Claim(ctx, query, args...)
	if errors.Is(err, sqlstore.ErrLost) {
		return hosted.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("hostedstore: %w", err)
	}
	return nil
}

// BeginCopy implements hosted.Store. The limit is a quota, not a promise: two copies begun at the same moment may both pass.
func (s *Store) BeginCopy(ctx context.Context, c hosted.Copy, limit int, since time.Time, ev audit.Event) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		err := s.claim(ctx, `INSERT INTO wallet_copies (id, person_id, licence_id, type_id, state, sealed, expires_at, created_at, ended_at)
			SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS TEXT), 'making', '', 0, CAST($5 AS BIGINT), 0
			WHERE (SELECT COUNT(*) FROM wallet_copies WHERE person_id = $2 AND licence_id = $3 AND created_at > $6) < $7`,
			c.ID, c.PersonID, c.LicenceID, c.TypeID, sqlstore.Micros(c.CreatedAt), sqlstore.Micros(since), limit)
		if errors.Is(err, hosted.ErrNotFound) {
			return hosted.ErrTooMany
		}
		if err != nil {
			return err
		}
		return s.db.Audit(ctx, ev)
	})
}

// FinishCopy implements hosted.Store. The row of the holding is what takes turns: whoever writes it later ends the copies before its own.
func (s *Store) FinishCopy(ctx context.Context, c hosted.Copy, at time.Time, ev audit.Event) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		if _, err := s.db.Exec(ctx, `INSERT INTO wallet_holdings (person_id, licence_id, copy_id) VALUES ($1, $2, $3)
			ON CONFLICT (person_id, licence_id) DO UPDATE SET copy_id = excluded.copy_id`, c.PersonID, c.LicenceID, c.ID); err != nil {
			return fmt.Errorf("hostedstore: taking the holding: %w", err)
		}
		if err := s.claim(ctx, `UPDATE wallet_copies SET state = 'ready', sealed = $2, expires_at = $3 WHERE id = $1 AND state = 'making'`,
			c.ID, c.Sealed, sqlstore.Micros(c.ExpiresAt)); err != nil {
			return err
		}
		if _, err := s.db.Exec(ctx, `UPDATE wallet_copies SET state = 'ended', sealed = '', ended_at = $4
			WHERE person_id = $1 AND licence_id = $2 AND state = 'ready' AND id <> $3`, c.PersonID, c.LicenceID, c.ID, sqlstore.Micros(at)); err != nil {
			return fmt.Errorf("hostedstore: ending the copy before: %w", err)
		}
		return s.db.Audit(ctx, ev)
	})
}

// EndCopy implements hosted.Store.
func (s *Store) EndCopy(ctx context.Context, personID, id string, at time.Time, ev audit.Event) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		if _, err := s.db.Exec(ctx, `DELETE FROM wallet_holdings WHERE person_id = $1 AND copy_id = $2`, personID, id); err != nil {
			return fmt.Errorf("hostedstore: ending a holding: %w", err)
		}
		if err := s.claim(ctx, `UPDATE wallet_copies SET state = 'ended', sealed = '', ended_at = $3
			WHERE id = $1 AND person_id = $2 AND state IN ('making', 'ready')`, id, personID, sqlstore.Micros(at)); err != nil {
			return err
		}
		// What it shows goes with it: a card that was removed can't be looked at by a link of a moment ago.
		if _, err := s.db.Exec(ctx, `UPDATE wallet_shows SET stopped_at = $3, sealed = '' WHERE copy_id = $1 AND person_id = $2 AND stopped_at = 0 AND expires_at > $3`,
			id, personID, sqlstore.Micros(at)); err != nil {
			return fmt.Errorf("hostedstore: ending its showings: %w", err)
		}
		return s.db.Audit(ctx, ev)
	})
}

// Current implements hosted.Store.
func (s *Store) Current(ctx context.Context, personID string) ([]hosted.Copy, error) {
	rows, err := s.db.Query(ctx, `SELECT c.id, c.person_id, c.licence_id, c.type_id, c.state, c.sealed, c.expires_at, c.created_at, c.ended_at
		FROM wallet_holdings h JOIN wallet_copies c ON c.id = h.copy_id WHERE h.person_id = $1 AND c.state = 'ready' ORDER BY c.created_at`, personID)
	if err != nil {
		return nil, fmt.Errorf("hostedstore: listing copies: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []hosted.Copy
	for rows.Next() {
		var c hosted.Copy
		var expires, created, ended int64
		if err := rows.Scan(&c.ID, &c.PersonID, &c.LicenceID, &c.TypeID, &c.State, &c.Sealed, &expires, &created, &ended); err != nil {
			return nil, fmt.Errorf("hostedstore: listing copies: %w", err)
		}
		c.ExpiresAt, c.CreatedAt, c.EndedAt = sqlstore.FromMicros(expires), sqlstore.FromMicros(created), sqlstore.FromMicros(ended)
		out = append(out, c)
	}
	return out, rows.Err()
}

// Unfinished implements hosted.Store.
func (s *Store) Unfinished(ctx context.Context, before, at time.Time, limit int) ([]string, error) {
	var out []string
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		out = nil
		if _, err := s.db.Exec(ctx, `UPDATE wallet_copies SET state = 'ended', ended_at = $2 WHERE state = 'making' AND created_at < $1`,
			sqlstore.Micros(before), sqlstore.Micros(at)); err != nil {
			return fmt.Errorf("hostedstore: ending copies: %w", err)
		}
		rows, err := s.db.Query(ctx, `SELECT id FROM wallet_copies WHERE state = 'ended' ORDER BY created_at LIMIT $1`, limit)
		if err != nil {
			return fmt.Errorf("hostedstore: ended copies: %w", err)
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				return fmt.Errorf("hostedstore: ended copies: %w", err)
			}
			out = append(out, id)
		}
		return rows.Err()
	})
	return out, err
}

// CopyGone implements hosted.Store.
func (s *Store) CopyGone(ctx context.Context, id string) error {
	_, err := s.db.Exec(ctx, `UPDATE wallet_copies SET state = 'gone' WHERE id = $1 AND state = 'ended'`, id)
	return err
}

func scanError(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return hosted.ErrNotFound
	}
	return fmt.Errorf("hostedstore: reading a showing: %w", err)
}
