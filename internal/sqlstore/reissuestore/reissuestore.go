// Package reissuestore keeps the jobs of wallet/reissue in SQL. It reads what other modules wrote: who holds which copy, whose key it has, who signed it.
package reissuestore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/wallet/reissue"
)

// Store implements reissue.Store.
type Store struct{ db *sqlstore.DB }

var _ reissue.Store = (*Store)(nil)

// New returns a Store on a migrated database.
func New(db *sqlstore.DB) *Store { return &Store{db: db} }

// Begin implements reissue.Store.
func (s *Store) Begin(ctx context.Context, j reissue.Job, ev audit.Event) error {
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.db.Claim(ctx, `INSERT INTO reissue_jobs (id, signer_key, rate, state, cursor_person, cursor_licence, created_at, finished_at)
			VALUES ($1, $2, $3, $4, '', '', $5, 0) ON CONFLICT DO NOTHING`, j.ID, j.SignerKey, j.Rate, j.State, sqlstore.Micros(j.CreatedAt)); err != nil {
			return err
		}
		return s.db.Audit(ctx, ev)
	})
	if errors.Is(err, sqlstore.ErrLost) {
		return reissue.ErrRunning
	}
	return err
}

// Open implements reissue.Store.
func (s *Store) Open(ctx context.Context) (reissue.Job, error) {
	var j reissue.Job
	var created int64
	err := s.db.QueryRow(ctx, `SELECT id, signer_key, rate, state, created_at FROM reissue_jobs WHERE state <> 'finished' ORDER BY created_at, id LIMIT 1`).
		Scan(&j.ID, &j.SignerKey, &j.Rate, &j.State, &created)
	if errors.Is(err, sql.ErrNoRows) {
		return j, reissue.ErrNone
	}
	j.CreatedAt = sqlstore.FromMicros(created)
	return j, err
}

// Collect implements reissue.Store. The cursor moves in the statement that decides who collects these holdings.
func (s *Store) Collect(ctx context.Context, jobID string, limit int) (string, error) {
	state := reissue.Collecting
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		var key, person, licence string
		err := s.db.QueryRow(ctx, `SELECT signer_key, cursor_person, cursor_licence, state FROM reissue_jobs WHERE id = $1`, jobID).Scan(&key, &person, &licence, &state)
		if err != nil || state != reissue.Collecting {
			return err
		}
		var toPerson, toLicence string
		err = s.db.QueryRow(ctx, `SELECT person_id, licence_id FROM (SELECT person_id, licence_id FROM wallet_holdings WHERE (person_id, licence_id) > ($1, $2)
			ORDER BY person_id, licence_id LIMIT $3) h ORDER BY person_id DESC, licence_id DESC LIMIT 1`, person, licence, limit).Scan(&toPerson, &toLicence)
		if errors.Is(err, sql.ErrNoRows) {
			state = reissue.Renewing
			return s.db.Claim(ctx, `UPDATE reissue_jobs SET state = 'renewing' WHERE id = $1 AND state = 'collecting' AND cursor_person = $2 AND cursor_licence = $3`,
				jobID, person, licence)
		}
		if err != nil {
			return err
		}
		if err := s.db.Claim(ctx, `UPDATE reissue_jobs SET cursor_person = $2, cursor_licence = $3
			WHERE id = $1 AND state = 'collecting' AND cursor_person = $4 AND cursor_licence = $5`, jobID, toPerson, toLicence, person, licence); err != nil {
			return err
		}
		_, err = s.db.Exec(ctx, `INSERT INTO reissue_items (job_id, copy_id, person_id, licence_id, state, attempts, settled_at)
			SELECT $1, h.copy_id, h.person_id, h.licence_id, 'waiting', 0, 0 FROM wallet_holdings h
			JOIN key_singles k ON k.class = 'holder' AND k.thing IN (h.copy_id, h.copy_id || '-mdoc')
			JOIN issuer_issuances i ON i.licence_id = h.licence_id AND i.holder_key = k.id
			WHERE i.signer_key = $2 AND (h.person_id, h.licence_id) > ($3, $4) AND (h.person_id, h.licence_id) <= ($5, $6) ON CONFLICT DO NOTHING`,
			jobID, key, person, licence, toPerson, toLicence)
		return err
	})
	if errors.Is(err, sqlstore.ErrLost) { // another node collects too
		return reissue.Collecting, nil
	}
	return state, err
}

// Waiting implements reissue.Store.
func (s *Store) Waiting(ctx context.Context, jobID string, limit int) ([]reissue.Item, error) {
	rows, err := s.db.Query(ctx, `SELECT i.copy_id, i.person_id, i.licence_id, CASE WHEN h.copy_id = i.copy_id THEN 0 ELSE 1 END FROM reissue_items i
		LEFT JOIN wallet_holdings h ON h.person_id = i.person_id AND h.licence_id = i.licence_id
		WHERE i.job_id = $1 AND i.state = 'waiting' ORDER BY i.attempts LIMIT $2`, jobID, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []reissue.Item
	for rows.Next() {
		i := reissue.Item{JobID: jobID}
		var replaced int
		if err := rows.Scan(&i.CopyID, &i.PersonID, &i.LicenceID, &replaced); err != nil {
			return nil, err
		}
		i.Replaced = replaced == 1
		out = append(out, i)
	}
	return out, rows.Err()
}

// Tried implements reissue.Store.
func (s *Store) Tried(ctx context.Context, i reissue.Item, max int, at time.Time) error {
	_, err := s.db.Exec(ctx, `UPDATE reissue_items SET attempts = attempts + 1, state = CASE WHEN attempts + 1 >= CAST($3 AS BIGINT) THEN 'failed' ELSE 'waiting' END,
		settled_at = CASE WHEN attempts + 1 >= CAST($3 AS BIGINT) THEN CAST($4 AS BIGINT) ELSE 0 END WHERE job_id = $1 AND copy_id = $2 AND state = 'waiting'`,
		i.JobID, i.CopyID, int64(max), sqlstore.Micros(at))
	return err
}

// Settle implements reissue.Store.
func (s *Store) Settle(ctx context.Context, i reissue.Item, outcome string, at time.Time) error {
	_, err := s.db.Exec(ctx, `UPDATE reissue_items SET state = $3, settled_at = $4 WHERE job_id = $1 AND copy_id = $2 AND state = 'waiting'`,
		i.JobID, i.CopyID, outcome, sqlstore.Micros(at))
	return err
}

// Finish implements reissue.Store.
func (s *Store) Finish(ctx context.Context, jobID string, at time.Time, ev audit.Event) error {
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.db.Claim(ctx, `UPDATE reissue_jobs SET state = 'finished', finished_at = $2 WHERE id = $1 AND state = 'renewing'
			AND NOT EXISTS (SELECT 1 FROM reissue_items WHERE job_id = $1 AND state = 'waiting')`, jobID, sqlstore.Micros(at)); err != nil {
			return err
		}
		return s.db.Audit(ctx, ev)
	})
	if errors.Is(err, sqlstore.ErrLost) {
		return nil
	}
	return err
}

// Jobs implements reissue.Store.
func (s *Store) Jobs(ctx context.Context) ([]reissue.Job, error) {
	rows, err := s.db.Query(ctx, `SELECT j.id, j.signer_key, j.rate, j.state, j.created_at, j.finished_at, COALESCE(i.state, ''), COUNT(i.copy_id) FROM reissue_jobs j
		LEFT JOIN reissue_items i ON i.job_id = j.id GROUP BY j.id, j.signer_key, j.rate, j.state, j.created_at, j.finished_at, i.state
		ORDER BY j.created_at DESC, j.id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []reissue.Job
	for rows.Next() {
		var j reissue.Job
		var outcome string
		var created, finished, n int64
		if err := rows.Scan(&j.ID, &j.SignerKey, &j.Rate, &j.State, &created, &finished, &outcome, &n); err != nil {
			return nil, err
		}
		if len(out) == 0 || out[len(out)-1].ID != j.ID {
			j.CreatedAt = sqlstore.FromMicros(created)
			if finished > 0 {
				j.FinishedAt = sqlstore.FromMicros(finished)
			}
			out = append(out, j)
		}
		last := &out[len(out)-1]
		switch outcome {
		case reissue.Waiting:
			last.Waiting = n
		case reissue.Renewed:
			last.Renewed = n
		case reissue.Gone:
			last.Gone = n
		case reissue.Failed:
			last.Failed = n
		case "":
		default:
			return nil, fmt.Errorf("reissuestore: outcome %q", outcome)
		}
	}
	return out, rows.Err()
}
