// Package identitystore keeps persons, links, documents and the assurance ledger in SQL: the identity.Store of both engines.
package identitystore

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hufu-id/hufu/federation/identity"
	"github.com/hufu-id/hufu/federation/upstream"
	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/sqlstore"
)

// Store implements identity.Store. Safe for concurrent use.
type Store struct{ db *sqlstore.DB }

var _ identity.Store = (*Store)(nil)

// New returns a store over a migrated database.
func New(db *sqlstore.DB) *Store { return &Store{db: db} }

// InTx implements identity.Store.
func (s *Store) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	return s.db.InTx(ctx, fn)
}

// Audit implements identity.Store.
func (s *Store) Audit(ctx context.Context, ev audit.Event) error { return s.db.Audit(ctx, ev) }

const (
	linkColumns = `l.province, l.subject, l.person_id, l.claims, l.digest, l.document, l.acr, l.level, l.created_at, l.updated_at, p.disabled_at`
	linkTables  = `identity_links l JOIN identity_persons p ON p.id = l.person_id `
)

// Link implements identity.Store.
func (s *Store) Link(ctx context.Context, province, subject string) (identity.Link, bool, error) {
	return scanLink(s.db.QueryRow(ctx, `SELECT `+linkColumns+` FROM `+linkTables+`WHERE l.province = $1 AND l.subject = $2`, province, subject))
}

// LinkOf implements identity.Store.
func (s *Store) LinkOf(ctx context.Context, personID string) (l identity.Link, o identity.Owner, disabled bool, err error) {
	var owner, province sql.NullString
	var level sql.NullInt64
	l, disabled, err = scanLink(s.db.QueryRow(ctx, `SELECT `+linkColumns+`, d.person_id, d.province, d.level FROM `+linkTables+`
		LEFT JOIN identity_documents d ON d.document = l.document
		WHERE l.person_id = $1 ORDER BY l.created_at, l.province LIMIT 1`, personID), &owner, &province, &level)
	return l, identity.Owner{PersonID: owner.String, Province: province.String, Level: upstream.Level(level.Int64)}, disabled, err
}

func scanLink(row sqlstore.Row, more ...any) (l identity.Link, disabled bool, err error) {
	var level, created, updated int64
	var disabledAt sql.NullInt64
	err = row.Scan(append([]any{&l.Province, &l.Subject, &l.PersonID, &l.Claims, &l.Digest, &l.Document, &l.ACR, &level, &created, &updated, &disabledAt}, more...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return l, false, identity.ErrNotFound
	}
	if err != nil {
		return l, false, fmt.Errorf("identitystore: link: %w", err)
	}
	l.Level, l.CreatedAt, l.UpdatedAt = upstream.Level(level), sqlstore.FromMicros(created), sqlstore.FromMicros(updated)
	return l, disabledAt.Valid, nil
}

// PutPerson implements identity.Store. The person is written first, for the reference; when the link is taken she is removed
// again, because the caller's transaction goes on.
func (s *Store) PutPerson(ctx context.Context, l identity.Link) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		created := sqlstore.Micros(l.CreatedAt)
		if _, err := s.db.Exec(ctx, `INSERT INTO identity_persons (id, created_at) VALUES ($1, $2)`, l.PersonID, created); err != nil {
			return fmt.Errorf("identitystore: person: %w", err)
		}
		err := s.db.Claim(ctx, `INSERT INTO identity_links
			(province, subject, person_id, claims, digest, document, acr, level, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (province, subject) DO NOTHING`,
			l.Province, l.Subject, l.PersonID, l.Claims, l.Digest, l.Document, l.ACR, int64(l.Level), created, sqlstore.Micros(l.UpdatedAt))
		if !errors.Is(err, sqlstore.ErrLost) {
			return err
		}
		if _, err := s.db.Exec(ctx, `DELETE FROM identity_persons WHERE id = $1`, l.PersonID); err != nil {
			return fmt.Errorf("identitystore: person: %w", err)
		}
		return identity.ErrLinkTaken
	})
}

// SetLink implements identity.Store.
func (s *Store) SetLink(ctx context.Context, l identity.Link) error {
	err := s.db.Claim(ctx, `UPDATE identity_links SET claims = $3, digest = $4, document = $5, acr = $6, level = $7, updated_at = $8
		WHERE province = $1 AND subject = $2`,
		l.Province, l.Subject, l.Claims, l.Digest, l.Document, l.ACR, int64(l.Level), sqlstore.Micros(l.UpdatedAt))
	if errors.Is(err, sqlstore.ErrLost) {
		return identity.ErrNotFound
	}
	return err
}

// SetDisabled implements identity.Store.
func (s *Store) SetDisabled(ctx context.Context, personID string, disabled bool, at time.Time) error {
	var when any
	if disabled {
		when = sqlstore.Micros(at)
	}
	err := s.db.Claim(ctx, `UPDATE identity_persons SET disabled_at = $2 WHERE id = $1`, personID, when)
	if errors.Is(err, sqlstore.ErrLost) {
		return identity.ErrNotFound
	}
	return err
}

// PutAssurance implements identity.Store.
func (s *Store) PutAssurance(ctx context.Context, a identity.Assurance) error {
	amr, err := json.Marshal(a.AMR)
	if err != nil {
		return fmt.Errorf("identitystore: amr: %w", err)
	}
	// The newest line is the one that may be repeated: after A, B, A the ledger has three lines.
	err = s.db.Claim(ctx, `UPDATE identity_assurances SET last_at = $1 WHERE id =
			(SELECT id FROM identity_assurances WHERE person_id = $2 AND province = $3 ORDER BY first_at DESC, id DESC LIMIT 1)
		AND acr = $4 AND asserted = $5 AND level = $6 AND amr = $7 AND digest = $8`,
		sqlstore.Micros(a.LastAt), a.PersonID, a.Province, a.ACR, int64(a.Asserted), int64(a.Level), string(amr), a.Digest)
	if !errors.Is(err, sqlstore.ErrLost) {
		return err
	}
	_, err = s.db.Exec(ctx, `INSERT INTO identity_assurances (id, person_id, province, acr, asserted, level, amr, digest, first_at, last_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		rand.Text(), a.PersonID, a.Province, a.ACR, int64(a.Asserted), int64(a.Level), string(amr), a.Digest,
		sqlstore.Micros(a.FirstAt), sqlstore.Micros(a.LastAt))
	if err != nil {
		return fmt.Errorf("identitystore: assurance: %w", err)
	}
	return nil
}

// Assurances implements identity.Store.
func (s *Store) Assurances(ctx context.Context, personID string) ([]identity.Assurance, error) {
	rows, err := s.db.Query(ctx, `SELECT person_id, province, acr, asserted, level, amr, digest, first_at, last_at
		FROM identity_assurances WHERE person_id = $1 ORDER BY first_at, id`, personID)
	if err != nil {
		return nil, fmt.Errorf("identitystore: assurances: %w", err)
	}
	defer rows.Close()
	var out []identity.Assurance
	for rows.Next() {
		var a identity.Assurance
		var asserted, level, first, last int64
		var amr string
		if err := rows.Scan(&a.PersonID, &a.Province, &a.ACR, &asserted, &level, &amr, &a.Digest, &first, &last); err != nil {
			return nil, fmt.Errorf("identitystore: assurances: %w", err)
		}
		if err := json.Unmarshal([]byte(amr), &a.AMR); err != nil {
			return nil, fmt.Errorf("identitystore: amr: %w", err)
		}
		a.Asserted, a.Level = upstream.Level(asserted), upstream.Level(level)
		a.FirstAt, a.LastAt = sqlstore.FromMicros(first), sqlstore.FromMicros(last)
		out = append(out, a)
	}
	return out, rows.Err()
}
