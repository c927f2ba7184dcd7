// Package correctionstore keeps reports of errors in licences in SQL.
package correctionstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/wallet/correction"
)

// Store implements correction.Store.
type Store struct{ db *sqlstore.DB }

var _ correction.Store = (*Store)(nil)

// New returns a Store on a migrated database.
func New(db *sqlstore.DB) *Store { return &Store{db: db} }

// Insert implements correction.Store. An open report takes one of the licence's places; the unique index on it decides between reports that
// come at once, and the loser looks again.
func (s *Store) Insert(ctx context.Context, r correction.Record) (id string, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		for range correction.MaxOpen + 1 {
			if id, err = s.sameOpen(ctx, r.Digest); err != nil || id != "" {
				return err
			}
			place, err := s.freePlace(ctx, r.LicenceID)
			if err != nil {
				return err
			}
			err = s.db.Claim(ctx, `INSERT INTO correction_reports
				(id, licence_id, authority, person_id, digest, place, sealed, state, outcome, answer, answered_by, reported_at, answered_at)
				VALUES ($1, $2, $3, $4, $5, $6, $7, 'open', '', '', '', $8, 0) ON CONFLICT DO NOTHING`,
				r.ID, r.LicenceID, r.Authority, r.PersonID, r.Digest, place, r.Sealed, sqlstore.Micros(r.ReportedAt))
			if err == nil {
				id = r.ID
				return nil
			}
			if !errors.Is(err, sqlstore.ErrLost) {
				return fmt.Errorf("correctionstore: inserting report: %w", err)
			}
		}
		return correction.ErrTooMany // others took every place that we saw free
	})
	return id, err
}

// sameOpen returns the id of the open report with this digest, or "".
func (s *Store) sameOpen(ctx context.Context, digest string) (id string, err error) {
	err = s.db.QueryRow(ctx, `SELECT id FROM correction_reports WHERE digest = $1 AND state = 'open'`, digest).Scan(&id)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("correctionstore: looking for the report: %w", err)
	}
	return id, nil
}

// freePlace returns the lowest place of the licence that no open report has.
func (s *Store) freePlace(ctx context.Context, licenceID string) (int64, error) {
	rows, err := s.db.Query(ctx, `SELECT place FROM correction_reports WHERE licence_id = $1 AND state = 'open'`, licenceID)
	if err != nil {
		return 0, fmt.Errorf("correctionstore: reading places: %w", err)
	}
	defer rows.Close()
	taken := map[int64]bool{}
	for rows.Next() {
		var place int64
		if err := rows.Scan(&place); err != nil {
			return 0, fmt.Errorf("correctionstore: reading places: %w", err)
		}
		taken[place] = true
	}
	if err := rows.Err(); err != nil {
		return 0, fmt.Errorf("correctionstore: reading places: %w", err)
	}
	for place := int64(1); place <= correction.MaxOpen; place++ {
		if !taken[place] {
			return place, nil
		}
	}
	return 0, correction.ErrTooMany
}

// Answer implements correction.Store.
func (s *Store) Answer(ctx context.Context, a correction.Record) error {
	err := s.db.Claim(ctx, `UPDATE correction_reports SET state = $1, outcome = $2, answer = $3, answered_by = $4, answered_at = $5
		WHERE id = $6 AND authority = $7 AND state = 'open'`,
		string(a.State), string(a.Outcome), a.Answer, a.AnsweredBy, sqlstore.Micros(a.AnsweredAt), a.ID, a.Authority)
	if errors.Is(err, sqlstore.ErrLost) {
		if _, err := s.Get(ctx, a.Authority, a.ID); err != nil {
			return err
		}
		return correction.ErrAnswered
	}
	if err != nil {
		return fmt.Errorf("correctionstore: answering: %w", err)
	}
	return nil
}

const columns = `id, licence_id, authority, person_id, digest, sealed, state, outcome, answer, answered_by, reported_at, answered_at`

// Get implements correction.Store.
func (s *Store) Get(ctx context.Context, authority, id string) (correction.Record, error) {
	return scan(s.db.QueryRow(ctx, `SELECT `+columns+` FROM correction_reports WHERE id = $1 AND authority = $2`, id, authority))
}

// List implements correction.Store.
func (s *Store) List(ctx context.Context, f correction.Filter) ([]correction.Record, error) {
	var where []string
	var args []any
	add := func(condition, v string) {
		if v != "" {
			args = append(args, v)
			where = append(where, condition+" $"+strconv.Itoa(len(args)))
		}
	}
	add("authority =", f.Authority)
	add("person_id =", f.PersonID)
	add("state =", string(f.State))
	add("id >", f.After)
	query := `SELECT ` + columns + ` FROM correction_reports`
	if len(where) > 0 {
		query += ` WHERE ` + strings.Join(where, " AND ")
	}
	query += ` ORDER BY id`
	if f.Newest {
		query += ` DESC`
	}
	args = append(args, f.Limit)
	rows, err := s.db.Query(ctx, query+` LIMIT $`+strconv.Itoa(len(args)), args...)
	if err != nil {
		return nil, fmt.Errorf("correctionstore: listing reports: %w", err)
	}
	defer rows.Close()
	var out []correction.Record
	for rows.Next() {
		r, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

type row interface{ Scan(dest ...any) error }

func scan(from row) (correction.Record, error) {
	var r correction.Record
	var state, outcome string
	var reported, answered int64
	err := from.Scan(&r.ID, &r.LicenceID, &r.Authority, &r.PersonID, &r.Digest, &r.Sealed, &state, &outcome, &r.Answer, &r.AnsweredBy,
		&reported, &answered)
	if errors.Is(err, sql.ErrNoRows) {
		return r, correction.ErrNotFound
	}
	if err != nil {
		return r, fmt.Errorf("correctionstore: reading report: %w", err)
	}
	r.State, r.Outcome, r.ReportedAt = correction.State(state), correction.Outcome(outcome), sqlstore.FromMicros(reported)
	if answered != 0 {
		r.AnsweredAt = sqlstore.FromMicros(answered)
	}
	return r, nil
}
