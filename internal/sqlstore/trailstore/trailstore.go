// Package trailstore keeps the last steps of clients in SQL.
package trailstore

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/oidc/trail"
)

// Store implements trail.Store. Safe for concurrent use by several nodes.
type Store struct{ db *sqlstore.DB }

// New makes a store on a migrated database.
func New(db *sqlstore.DB) *Store { return &Store{db: db} }

// AppendTrail adds entries and forgets what is beyond the bound.
func (s *Store) AppendTrail(ctx context.Context, entries []trail.Folded) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		for _, e := range entries {
			if err := s.put(ctx, e); err != nil {
				return err
			}
		}
		for i, e := range entries {
			if i > 0 && e.ClientID == entries[i-1].ClientID {
				continue
			}
			if err := s.prune(ctx, e.ClientID); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *Store) put(ctx context.Context, e trail.Folded) error {
	detail, err := json.Marshal(e.Detail)
	if err != nil {
		return fmt.Errorf("trailstore: %w", err)
	}
	ok := 0
	if e.OK {
		ok = 1
	}
	_, err = s.db.Exec(ctx, `INSERT INTO oidc_trail (client_id, fold, step, ok, code, description, reason, detail, ties, trace, seen, first_at, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
		ON CONFLICT (client_id, fold) DO UPDATE SET seen = oidc_trail.seen + excluded.seen, ties = excluded.ties, trace = excluded.trace, at = excluded.at`,
		e.ClientID, e.Fold, string(e.Step), ok, e.Code, e.Description, e.Reason, string(detail), strings.Join(e.Ties, " "), e.Trace, e.Count,
		sqlstore.Micros(e.First), sqlstore.Micros(e.At))
	return err
}

// prune keeps the bound, fairly: the newest entry of every kind comes before the second newest of any, so that one kind, however often it
// comes, can't push out the others.
func (s *Store) prune(ctx context.Context, clientID string) error {
	_, err := s.db.Exec(ctx, `DELETE FROM oidc_trail WHERE client_id = $1 AND fold IN (
		SELECT fold FROM (
			SELECT fold, ROW_NUMBER() OVER (PARTITION BY ok ORDER BY turn, at DESC) AS place FROM (
				SELECT fold, ok, at, ROW_NUMBER() OVER (PARTITION BY ok, step, code, description ORDER BY at DESC) AS turn
				FROM oidc_trail WHERE client_id = $1) AS kinds) AS placed
		WHERE place > $2)`, clientID, trail.KeepEach)
	return err
}

// Trail returns what is kept of a client, newest first.
func (s *Store) Trail(ctx context.Context, clientID string) ([]trail.Entry, error) {
	rows, err := s.db.Query(ctx, `SELECT step, ok, code, description, reason, detail, ties, trace, seen, first_at, at
		FROM oidc_trail WHERE client_id = $1 ORDER BY at DESC, fold DESC`, clientID)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []trail.Entry
	for rows.Next() {
		e := trail.Entry{ClientID: clientID}
		var step, detail, ties string
		var ok int
		var first, at int64
		if err := rows.Scan(&step, &ok, &e.Code, &e.Description, &e.Reason, &detail, &ties, &e.Trace, &e.Count, &first, &at); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(detail), &e.Detail); err != nil {
			return nil, fmt.Errorf("trailstore: %w", err)
		}
		e.Step, e.OK, e.Ties, e.First, e.At = trail.Step(step), ok != 0, strings.Fields(ties), sqlstore.FromMicros(first), sqlstore.FromMicros(at)
		out = append(out, e)
	}
	return out, rows.Err()
}

// DeleteTrail forgets up to limit entries that are older.
func (s *Store) DeleteTrail(ctx context.Context, before time.Time, limit int) (int64, error) {
	return s.db.Exec(ctx, `DELETE FROM oidc_trail WHERE (client_id, fold) IN (SELECT client_id, fold FROM oidc_trail WHERE at < $1 LIMIT $2)`,
		sqlstore.Micros(before), limit)
}
