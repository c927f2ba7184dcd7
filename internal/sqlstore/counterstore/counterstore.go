// Package counterstore keeps the checks of a department's counter in SQL.
package counterstore

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/wallet/counter"
)

// Store implements counter.Store.
type Store struct{ db *sqlstore.DB }

// New returns a store on db.
func New(db *sqlstore.DB) *Store { return &Store{db} }

const columns = `receipt, at, vct, type_zh, type_en, issuer_code, issuer_zh, issuer_en, verdict, reason, mode, purpose, source,
	bundle_version, bundle_as_of, status_as_of, person`

// Insert implements counter.Store.
func (s *Store) Insert(ctx context.Context, c counter.Check) error {
	err := s.db.Claim(ctx, `INSERT INTO counter_checks (`+columns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) ON CONFLICT (receipt) DO NOTHING`,
		c.Receipt, sqlstore.Micros(c.At), c.VCT, c.Type.ZH, c.Type.EN, c.IssuerCode, c.Issuer.ZH, c.Issuer.EN, c.Verdict, c.Reason, string(c.Mode), c.Purpose,
		string(c.Source), c.BundleVersion, sqlstore.Micros(c.BundleAsOf), sqlstore.Micros(c.StatusAsOf), c.Person)
	if errors.Is(err, sqlstore.ErrLost) {
		return counter.ErrExists
	}
	if err != nil {
		return fmt.Errorf("counterstore: inserting check: %w", err)
	}
	return nil
}

// Get implements counter.Store.
func (s *Store) Get(ctx context.Context, receipt string) (counter.Check, error) {
	return scan(s.db.QueryRow(ctx, `SELECT `+columns+` FROM counter_checks WHERE receipt = $1`, receipt))
}

// List implements counter.Store.
func (s *Store) List(ctx context.Context, f counter.Filter) ([]counter.Check, error) {
	var where []string
	var args []any
	add := func(condition string, v any) {
		args = append(args, v)
		where = append(where, condition+" $"+strconv.Itoa(len(args)))
	}
	if f.Verdict != "" {
		add("verdict =", f.Verdict)
	}
	if !f.From.IsZero() {
		add("at >=", sqlstore.Micros(f.From))
	}
	if !f.To.IsZero() {
		add("at <", sqlstore.Micros(f.To))
	}
	query := `SELECT ` + columns + ` FROM counter_checks`
	if len(where) > 0 {
		query += ` WHERE ` + strings.Join(where, " AND ")
	}
	args = append(args, f.Limit)
	rows, err := s.db.Query(ctx, query+` ORDER BY at DESC, receipt LIMIT $`+strconv.Itoa(len(args)), args...)
	if err != nil {
		return nil, fmt.Errorf("counterstore: listing checks: %w", err)
	}
	defer rows.Close()
	var out []counter.Check
	for rows.Next() {
		c, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, rows.Err()
}

type row interface{ Scan(dest ...any) error }

func scan(from row) (counter.Check, error) {
	var c counter.Check
	var at, bundleAsOf, statusAsOf int64
	var mode, source string
	err := from.Scan(&c.Receipt, &at, &c.VCT, &c.Type.ZH, &c.Type.EN, &c.IssuerCode, &c.Issuer.ZH, &c.Issuer.EN, &c.Verdict, &c.Reason, &mode, &c.Purpose,
		&source, &c.BundleVersion, &bundleAsOf, &statusAsOf, &c.Person)
	if errors.Is(err, sql.ErrNoRows) {
		return c, counter.ErrNotFound
	}
	if err != nil {
		return c, fmt.Errorf("counterstore: reading check: %w", err)
	}
	c.At, c.BundleAsOf, c.StatusAsOf = sqlstore.FromMicros(at), sqlstore.FromMicros(bundleAsOf), sqlstore.FromMicros(statusAsOf)
	c.Mode, c.Source = counter.Mode(mode), counter.Source(source)
	return c, nil
}

// SetPerson implements counter.Store.
func (s *Store) SetPerson(ctx context.Context, receipt, person string) error {
	err := s.db.Claim(ctx, `UPDATE counter_checks SET person = $1 WHERE receipt = $2 AND person = ''`, person, receipt)
	if errors.Is(err, sqlstore.ErrLost) {
		if _, err := s.Get(ctx, receipt); err != nil {
			return err
		}
		return counter.ErrSaid
	}
	if err != nil {
		return fmt.Errorf("counterstore: comparing person: %w", err)
	}
	return nil
}

// Key implements counter.Store.
func (s *Store) Key(ctx context.Context, name string, fresh []byte) ([]byte, error) {
	if _, err := s.db.Exec(ctx, `INSERT INTO counter_keys (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`,
		name, base64.StdEncoding.EncodeToString(fresh)); err != nil {
		return nil, fmt.Errorf("counterstore: keeping key: %w", err)
	}
	var text string
	if err := s.db.QueryRow(ctx, `SELECT value FROM counter_keys WHERE name = $1`, name).Scan(&text); err != nil {
		return nil, fmt.Errorf("counterstore: reading key: %w", err)
	}
	return base64.StdEncoding.DecodeString(text)
}
