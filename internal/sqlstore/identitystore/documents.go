package identitystore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/hufu-id/hufu/federation/identity"
	"github.com/hufu-id/hufu/federation/upstream"
	"github.com/hufu-id/hufu/internal/sqlstore"
)

// ClaimDocument implements identity.Store.
func (s *Store) ClaimDocument(ctx context.Context, document string, o identity.Owner, at time.Time) (identity.Owner, error) {
	err := s.db.Claim(ctx, `INSERT INTO identity_documents (document, person_id, province, level, since)
		VALUES ($1, $2, $3, $4, $5) ON CONFLICT (document) DO NOTHING`,
		document, o.PersonID, o.Province, int64(o.Level), sqlstore.Micros(at))
	if errors.Is(err, sqlstore.ErrLost) {
		return s.DocumentOwner(ctx, document)
	}
	return o, err
}

// RaiseDocument implements identity.Store.
func (s *Store) RaiseDocument(ctx context.Context, document string, o identity.Owner, floor upstream.Level, at time.Time) (bool, error) {
	err := s.db.Claim(ctx, `UPDATE identity_documents SET
			since = CASE WHEN person_id = $2 THEN since ELSE $5 END, person_id = $2, province = $3, level = $4
		WHERE document = $1 AND level < $4 AND (person_id = $2 OR level < $6)`,
		document, o.PersonID, o.Province, int64(o.Level), sqlstore.Micros(at), int64(floor))
	if errors.Is(err, sqlstore.ErrLost) {
		return false, nil
	}
	return err == nil, err
}

// ReleaseDocument implements identity.Store.
func (s *Store) ReleaseDocument(ctx context.Context, document, personID string) error {
	_, err := s.db.Exec(ctx, `DELETE FROM identity_documents WHERE document = $1 AND person_id = $2`, document, personID)
	return err
}

// DocumentOwner implements identity.Store.
func (s *Store) DocumentOwner(ctx context.Context, document string) (o identity.Owner, err error) {
	var level int64
	err = s.db.QueryRow(ctx, `SELECT person_id, province, level FROM identity_documents WHERE document = $1`, document).
		Scan(&o.PersonID, &o.Province, &level)
	if errors.Is(err, sql.ErrNoRows) {
		return o, identity.ErrNotFound
	}
	if err != nil {
		return o, fmt.Errorf("identitystore: document: %w", err)
	}
	o.Level = upstream.Level(level)
	return o, nil
}

// PutConflict implements identity.Store.
func (s *Store) PutConflict(ctx context.Context, c identity.Conflict) (bool, error) {
	err := s.db.Claim(ctx, `INSERT INTO identity_conflicts (document, person_id, province, other_id, other_province, at)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (document, person_id, other_id) DO NOTHING`,
		c.Document, c.PersonID, c.Province, c.OtherPersonID, c.OtherProvince, sqlstore.Micros(c.At))
	if errors.Is(err, sqlstore.ErrLost) {
		return false, nil
	}
	return err == nil, err
}

// Conflicts implements identity.Store.
func (s *Store) Conflicts(ctx context.Context) ([]identity.Conflict, error) {
	rows, err := s.db.Query(ctx, `SELECT document, person_id, province, other_id, other_province, at FROM identity_conflicts
		ORDER BY at, document, person_id`)
	if err != nil {
		return nil, fmt.Errorf("identitystore: conflicts: %w", err)
	}
	defer rows.Close()
	var out []identity.Conflict
	for rows.Next() {
		var c identity.Conflict
		var at int64
		if err := rows.Scan(&c.Document, &c.PersonID, &c.Province, &c.OtherPersonID, &c.OtherProvince, &at); err != nil {
			return nil, fmt.Errorf("identitystore: conflicts: %w", err)
		}
		c.At = sqlstore.FromMicros(at)
		out = append(out, c)
	}
	return out, rows.Err()
}
