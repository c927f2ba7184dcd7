// Package registerstore keeps the register of licences in SQL.
package registerstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/wallet/register"
)

// Store implements register.Store.
type Store struct{ db *sqlstore.DB }

var _ register.Store = (*Store)(nil)

// New returns a Store on a migrated database.
func New(db *sqlstore.DB) *Store { return &Store{db: db} }

const columns = `id, type_id, type_version, issuer, record_index, holder_index, reference_index, representative_index, sealed, valid_from, valid_to, predecessor, successor,
	status, reason, status_since, seq, created_at, updated_at`

// Insert implements register.Store.
func (s *Store) Insert(ctx context.Context, r register.Record, first register.Change) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		err := s.db.Claim(ctx, `INSERT INTO licences (`+columns+`) VALUES `+rowsOf(1, width)+` ON CONFLICT DO NOTHING`, values(nil, r)...)
		if errors.Is(err, sqlstore.ErrLost) {
			return register.ErrExists
		}
		if err != nil {
			return fmt.Errorf("registerstore: inserting licence: %w", err)
		}
		return s.journal(ctx, first)
	})
}

func (s *Store) journal(ctx context.Context, c register.Change) error {
	_, err := s.db.Exec(ctx, `INSERT INTO licence_changes
		(licence_id, seq, operation, from_status, to_status, reason, effective_at, recorded_at, actor)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		c.LicenceID, c.Seq, c.Operation, string(c.From), string(c.To), c.Reason,
		sqlstore.Micros(c.EffectiveAt), sqlstore.Micros(c.RecordedAt), c.Actor)
	if err != nil {
		return fmt.Errorf("registerstore: writing journal: %w", err)
	}
	return nil
}

// Get implements register.Store.
func (s *Store) Get(ctx context.Context, id string) (register.Record, error) {
	return scan(s.db.QueryRow(ctx, `SELECT `+columns+` FROM licences WHERE id = $1`, id))
}

// GetByRecordIndex implements register.Store.
func (s *Store) GetByRecordIndex(ctx context.Context, issuer, typeID, recordIndex string) (register.Record, error) {
	return scan(s.db.QueryRow(ctx, `SELECT `+columns+` FROM licences WHERE issuer = $1 AND type_id = $2 AND record_index = $3 AND successor = ''`,
		issuer, typeID, recordIndex))
}

type row interface{ Scan(dest ...any) error }

func scan(from row) (register.Record, error) {
	var r register.Record
	var validFrom, validTo, status string
	var since, created, updated int64
	err := from.Scan(&r.ID, &r.TypeID, &r.TypeVersion, &r.Issuer, &r.RecordIndex, &r.HolderIndex, &r.ReferenceIndex, &r.RepresentativeIndex, &r.Sealed, &validFrom, &validTo, &r.Predecessor, &r.Successor,
		&status, &r.Reason, &since, &r.Seq, &created, &updated)
	if errors.Is(err, sql.ErrNoRows) {
		return r, register.ErrNotFound
	}
	if err != nil {
		return r, fmt.Errorf("registerstore: reading licence: %w", err)
	}
	r.ValidFrom, r.ValidTo, r.Status = register.Date(validFrom), register.Date(validTo), register.LegalStatus(status)
	r.StatusSince, r.CreatedAt, r.UpdatedAt = sqlstore.FromMicros(since), sqlstore.FromMicros(created), sqlstore.FromMicros(updated)
	return r, nil
}

// List implements register.Store.
func (s *Store) List(ctx context.Context, f register.Filter) ([]register.Record, error) {
	var where []string
	var args []any
	add := func(condition string, v string) {
		if v != "" {
			args = append(args, v)
			where = append(where, condition+" $"+strconv.Itoa(len(args)))
		}
	}
	add("issuer =", f.Issuer)
	add("type_id =", f.TypeID)
	if f.HolderIndex != "" {
		args = append(args, f.HolderIndex)
		n := "$" + strconv.Itoa(len(args))
		where = append(where, "(holder_index = "+n+" OR representative_index = "+n+")")
	}
	add("reference_index =", f.ReferenceIndex)
	add("id >", f.After)
	query := `SELECT ` + columns + ` FROM licences`
	if len(where) > 0 {
		query += ` WHERE ` + strings.Join(where, " AND ")
	}
	args = append(args, f.Limit)
	rows, err := s.db.Query(ctx, query+` ORDER BY id LIMIT $`+strconv.Itoa(len(args)), args...)
	if err != nil {
		return nil, fmt.Errorf("registerstore: listing licences: %w", err)
	}
	return scanAll(rows)
}

// SetStatus implements register.Store.
func (s *Store) SetStatus(ctx context.Context, c register.Change) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		err := s.db.Claim(ctx, `UPDATE licences SET status = $1, reason = $2, status_since = $3, updated_at = $4, seq = $5
			WHERE id = $6 AND status = $7 AND seq = $8`,
			string(c.To), c.Reason, sqlstore.Micros(c.EffectiveAt), sqlstore.Micros(c.RecordedAt), c.Seq,
			c.LicenceID, string(c.From), c.Seq-1)
		if errors.Is(err, sqlstore.ErrLost) {
			return register.ErrStale
		}
		if err != nil {
			return fmt.Errorf("registerstore: changing status: %w", err)
		}
		return s.journal(ctx, c)
	})
}

// Succeed implements register.Store. The old record goes first: only then is its number free for the new one.
func (s *Store) Succeed(ctx context.Context, last register.Change, next register.Record, first register.Change) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		err := s.db.Claim(ctx, `UPDATE licences SET status = $1, reason = $2, status_since = $3, updated_at = $4, seq = $5, successor = $6
			WHERE id = $7 AND status = $8 AND seq = $9 AND successor = ''`,
			string(last.To), last.Reason, sqlstore.Micros(last.EffectiveAt), sqlstore.Micros(last.RecordedAt), last.Seq, next.ID,
			last.LicenceID, string(last.From), last.Seq-1)
		if errors.Is(err, sqlstore.ErrLost) {
			return register.ErrStale
		}
		if err != nil {
			return fmt.Errorf("registerstore: ending a licence: %w", err)
		}
		if err := s.journal(ctx, last); err != nil {
			return err
		}
		return s.Insert(ctx, next, first)
	})
}

// Hold implements register.Store. The row lock of an UPDATE that changes nothing is what makes a legal act wait.
func (s *Store) Hold(ctx context.Context, id string) (register.Record, error) {
	r, err := scan(s.db.QueryRow(ctx, `UPDATE licences SET seq = seq WHERE id = $1 AND status = $2 RETURNING `+columns, id, string(register.StatusValid)))
	if errors.Is(err, register.ErrNotFound) {
		if _, err := s.Get(ctx, id); err != nil {
			return register.Record{}, err
		}
		return register.Record{}, register.ErrNotInForce
	}
	if err != nil {
		return register.Record{}, fmt.Errorf("registerstore: holding licence: %w", err)
	}
	return r, nil
}

// Journal implements register.Store.
func (s *Store) Journal(ctx context.Context, id string) ([]register.Change, error) {
	rows, err := s.db.Query(ctx, `SELECT licence_id, seq, operation, from_status, to_status, reason, effective_at, recorded_at, actor
		FROM licence_changes WHERE licence_id = $1 ORDER BY seq`, id)
	if err != nil {
		return nil, fmt.Errorf("registerstore: reading journal: %w", err)
	}
	defer rows.Close()
	var out []register.Change
	for rows.Next() {
		var c register.Change
		var from, to string
		var effective, recorded int64
		if err := rows.Scan(&c.LicenceID, &c.Seq, &c.Operation, &from, &to, &c.Reason, &effective, &recorded, &c.Actor); err != nil {
			return nil, fmt.Errorf("registerstore: reading journal: %w", err)
		}
		c.From, c.To = register.LegalStatus(from), register.LegalStatus(to)
		c.EffectiveAt, c.RecordedAt = sqlstore.FromMicros(effective), sqlstore.FromMicros(recorded)
		out = append(out, c)
	}
	return out, rows.Err()
}
