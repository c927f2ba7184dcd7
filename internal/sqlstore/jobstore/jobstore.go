// Package jobstore keeps jobs of the register in SQL.
package jobstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/wallet/register"
	"github.com/hufu-id/hufu/wallet/register/job"
)

// Store implements job.Store.
type Store struct{ db *sqlstore.DB }

var _ job.Store = (*Store)(nil)

// New returns a Store on a migrated database.
func New(db *sqlstore.DB) *Store { return &Store{db: db} }

const columns = `id, issuer, client_id, sha256, size, format, type_id, state, upload, chunks, records, at, chunk_at, steps, created, unchanged, refused,
	rate, hash_state, report_sha256, jws, created_at, started_at, updated_at, finished_at`

// Create implements job.Store.
func (s *Store) Create(ctx context.Context, j job.Job) error {
	marks := make([]string, 25)
	for i := range marks {
		marks[i] = "$" + strconv.Itoa(i+1)
	}
	err := s.db.Claim(ctx, `INSERT INTO import_jobs (`+columns+`, holder, lease_until) VALUES (`+strings.Join(marks, ", ")+`, '', 0) ON CONFLICT DO NOTHING`,
		j.ID, j.Issuer, j.ClientID, j.SHA256, j.Size, j.Format, j.TypeID, string(j.State), j.Upload, j.Chunks, j.Records, j.At, j.ChunkAt, j.Steps,
		j.Created, j.Unchanged, j.Refused, j.Rate, j.HashState, j.ReportSHA256, j.JWS,
		sqlstore.Micros(j.CreatedAt), sqlstore.Micros(j.StartedAt), sqlstore.Micros(j.UpdatedAt), sqlstore.Micros(j.FinishedAt))
	if errors.Is(err, sqlstore.ErrLost) {
		return register.ErrExists
	}
	return wrap("adding a job", err)
}

func wrap(what string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, sqlstore.ErrLost):
		return job.ErrLost
	case errors.Is(err, sql.ErrNoRows):
		return job.ErrNotFound
	}
	return fmt.Errorf("jobstore: %s: %w", what, err)
}

type row interface{ Scan(dest ...any) error }

func scan(from row) (job.Job, error) {
	var j job.Job
	var state string
	var created, started, updated, finished int64
	err := from.Scan(&j.ID, &j.Issuer, &j.ClientID, &j.SHA256, &j.Size, &j.Format, &j.TypeID, &state, &j.Upload, &j.Chunks, &j.Records, &j.At, &j.ChunkAt, &j.Steps,
		&j.Created, &j.Unchanged, &j.Refused, &j.Rate, &j.HashState, &j.ReportSHA256, &j.JWS, &created, &started, &updated, &finished)
	j.State = job.State(state)
	j.CreatedAt, j.StartedAt = sqlstore.FromMicros(created), sqlstore.FromMicros(started)
	j.UpdatedAt, j.FinishedAt = sqlstore.FromMicros(updated), sqlstore.FromMicros(finished)
	return j, wrap("reading a job", err)
}

// Get implements job.Store.
func (s *Store) Get(ctx context.Context, issuer, id string) (job.Job, error) {
	return scan(s.db.QueryRow(ctx, `SELECT `+columns+` FROM import_jobs WHERE id = $1 AND issuer = $2`, id, issuer))
}

// ByFile implements job.Store.
func (s *Store) ByFile(ctx context.Context, issuer, sha256 string) (job.Job, error) {
	return scan(s.db.QueryRow(ctx, `SELECT `+columns+` FROM import_jobs WHERE issuer = $1 AND sha256 = $2 AND sha256 <> '' ORDER BY created_at DESC LIMIT 1`, issuer, sha256))
}

func (s *Store) many(ctx context.Context, query string, args ...any) ([]job.Job, error) {
	rows, err := s.db.Query(ctx, `SELECT `+columns+` FROM import_jobs `+query, args...)
	if err != nil {
		return nil, wrap("listing jobs", err)
	}
	defer rows.Close()
	var out []job.Job
	for rows.Next() {
		j, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, j)
	}
	return out, rows.Err()
}

// List implements job.Store.
func (s *Store) List(ctx context.Context, issuer string, limit int) ([]job.Job, error) {
	return s.many(ctx, `WHERE issuer = $1 ORDER BY created_at DESC LIMIT $2`, issuer, limit)
}

// Unsigned implements job.Store.
func (s *Store) Unsigned(ctx context.Context, limit int) ([]job.Job, error) {
	return s.many(ctx, `WHERE state IN ('done', 'cancelled') AND jws = '' ORDER BY created_at LIMIT $1`, limit)
}

// Restart implements job.Store.
func (s *Store) Restart(ctx context.Context, id, upload string, now time.Time) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.db.Claim(ctx, `UPDATE import_jobs SET upload = $1, chunks = 0, records = 0, updated_at = $2 WHERE id = $3 AND state = 'uploading'`,
			upload, sqlstore.Micros(now), id); err != nil {
			return wrap("restarting an upload", err)
		}
		_, err := s.db.Exec(ctx, `DELETE FROM import_job_chunks WHERE job_id = $1`, id)
		return wrap("forgetting chunks", err)
	})
}

// AddChunk implements job.Store.
func (s *Store) AddChunk(ctx context.Context, id, upload string, seq, n int64, body string, now time.Time) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.db.Claim(ctx, `UPDATE import_jobs SET chunks = $1, records = records + $2, updated_at = $3
			WHERE id = $4 AND upload = $5 AND chunks = $6 AND state = 'uploading'`, seq+1, n, sqlstore.Micros(now), id, upload, seq); err != nil {
			return wrap("adding a chunk", err)
		}
		_, err := s.db.Exec(ctx, `INSERT INTO import_job_chunks (job_id, seq, records, body) VALUES ($1, $2, $3, $4)`, id, seq, n, body)
		return wrap("adding a chunk", err)
	})
}

// Uploaded implements job.Store.
func (s *Store) Uploaded(ctx context.Context, id, upload, sha256 string, size int64, now time.Time) error {
	return wrap("ending an upload", s.db.Claim(ctx, `UPDATE import_jobs SET state = 'running', sha256 = $1, size = $2, started_at = $3, updated_at = $3
		WHERE id = $4 AND upload = $5 AND state = 'uploading' AND NOT EXISTS (SELECT 1 FROM import_jobs o WHERE o.issuer = import_jobs.issuer AND o.sha256 = $1
		AND o.id <> import_jobs.id AND o.state IN ('uploading', 'running', 'paused'))`, sha256, size, sqlstore.Micros(now), id, upload))
}

// Set implements job.Store. A pause ends the lease, so that whoever goes on needn't wait for it.
func (s *Store) Set(ctx context.Context, j job.Job, from ...job.State) error {
	args := []any{string(j.State), j.Rate, sqlstore.Micros(j.UpdatedAt), sqlstore.Micros(j.FinishedAt), j.HashState, j.ReportSHA256, j.ID, j.Steps}
	marks := make([]string, len(from))
	for i, f := range from {
		args = append(args, string(f))
		marks[i] = "$" + strconv.Itoa(len(args))
	}
	return wrap("changing a job", s.db.Claim(ctx, `UPDATE import_jobs SET state = $1, rate = $2, updated_at = $3, finished_at = $4, hash_state = $5, report_sha256 = $6,
		lease_until = CASE WHEN $1 = 'running' THEN lease_until ELSE 0 END WHERE id = $7 AND steps = $8 AND state IN (`+strings.Join(marks, ", ")+`)`, args...))
}

// Lease implements job.Store.
func (s *Store) Lease(ctx context.Context, holder string, now, until time.Time) (job.Job, error) {
	for {
		j, err := scan(s.db.QueryRow(ctx, `SELECT `+columns+` FROM import_jobs WHERE state = 'running' AND lease_until < $1 ORDER BY created_at LIMIT 1`, sqlstore.Micros(now)))
		if err != nil {
			return j, err
		}
		err = s.db.Claim(ctx, `UPDATE import_jobs SET holder = $1, lease_until = $2 WHERE id = $3 AND state = 'running' AND lease_until < $4`,
			holder, sqlstore.Micros(until), j.ID, sqlstore.Micros(now))
		if !errors.Is(err, sqlstore.ErrLost) {
			if err != nil {
				return j, wrap("leasing a job", err)
			}
			return s.Get(ctx, j.Issuer, j.ID) // as it stands now: the node before may have moved it after our look
		}
	}
}

// Hold implements job.Store.
func (s *Store) Hold(ctx context.Context, j job.Job, holder string, until time.Time) error {
	return wrap("holding a job", s.db.Claim(ctx, `UPDATE import_jobs SET lease_until = $1 WHERE id = $2 AND holder = $3 AND state = 'running' AND steps = $4`,
		sqlstore.Micros(until), j.ID, holder, j.Steps))
}

// Chunk implements job.Store.
func (s *Store) Chunk(ctx context.Context, id string, seq int64) (string, error) {
	var body string
	err := s.db.QueryRow(ctx, `SELECT body FROM import_job_chunks WHERE job_id = $1 AND seq = $2`, id, seq).Scan(&body)
	return body, wrap("reading a chunk", err)
}

// Advance implements job.Store.
func (s *Store) Advance(ctx context.Context, st job.Step) error {
	t := st.To
	if err := s.db.Claim(ctx, `UPDATE import_jobs SET at = $1, chunk_at = $2, steps = $3, created = $4, unchanged = $5, refused = $6, hash_state = $7, report_sha256 = $8,
		updated_at = $9 WHERE id = $10 AND steps = $11 AND state = 'running'`, t.At, t.ChunkAt, t.Steps, t.Created, t.Unchanged, t.Refused, t.HashState, t.ReportSHA256,
		sqlstore.Micros(t.UpdatedAt), t.ID, st.From.Steps); err != nil {
		return wrap("moving a job", err)
	}
	if err := s.db.Later(ctx, `INSERT INTO import_job_reports (job_id, seq, body) VALUES ($1, $2, $3)`, t.ID, st.From.Steps, st.Report); err != nil {
		return wrap("writing a report", err)
	}
	if !st.ChunkDone {
		return nil
	}
	return wrap("forgetting a chunk", s.db.Later(ctx, `DELETE FROM import_job_chunks WHERE job_id = $1 AND seq = $2`, t.ID, st.From.At))
}

// Report implements job.Store.
func (s *Store) Report(ctx context.Context, id string, seq int64, limit int) ([]string, error) {
	rows, err := s.db.Query(ctx, `SELECT body FROM import_job_reports WHERE job_id = $1 AND seq >= $2 ORDER BY seq LIMIT $3`, id, seq, limit)
	if err != nil {
		return nil, wrap("reading a report", err)
	}
	defer rows.Close()
	var out []string
	for rows.Next() {
		var body string
		if err := rows.Scan(&body); err != nil {
			return nil, wrap("reading a report", err)
		}
		out = append(out, body)
	}
	return out, rows.Err()
}

// Sign implements job.Store.
func (s *Store) Sign(ctx context.Context, id, jws string) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.db.Claim(ctx, `UPDATE import_jobs SET jws = $1 WHERE id = $2 AND jws = '' AND state IN ('done', 'cancelled')`, jws, id); err != nil {
			return wrap("signing a job", err)
		}
		_, err := s.db.Exec(ctx, `DELETE FROM import_job_chunks WHERE job_id = $1`, id)
		return wrap("forgetting chunks", err)
	})
}
