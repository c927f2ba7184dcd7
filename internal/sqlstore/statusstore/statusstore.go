// Package statusstore keeps status lists and their entries in SQL.
package statusstore

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/wallet/status"
)

// Store implements status.Store.
type Store struct{ db *sqlstore.DB }

var _ status.Store = (*Store)(nil)

// New returns a Store on a migrated database.
func New(db *sqlstore.DB) *Store { return &Store{db: db} }

// columns of a list; bare are the same without the tokens.
const (
	columns = `id, pool, ordinal, size, open, expires_at, seq, token_seq, token_iat, token_exp, token, token_cwt`
	bare    = `id, pool, ordinal, size, open, expires_at, seq, token_seq, token_iat, token_exp, '', ''`
)

func scan(row interface{ Scan(dest ...any) error }) (status.List, error) {
	var l status.List
	var open, expires, iat, exp int64
	var cwt string
	err := row.Scan(&l.ID, &l.Pool, &l.Ordinal, &l.Size, &open, &expires, &l.Seq, &l.TokenSeq, &iat, &exp, &l.Token, &cwt)
	if errors.Is(err, sql.ErrNoRows) {
		return l, status.ErrNotFound
	}
	if err != nil {
		return l, fmt.Errorf("statusstore: reading list: %w", err)
	}
	l.Open, l.ExpiresAt = open == 1, sqlstore.FromMicros(expires)
	if l.TokenSeq > 0 {
		l.TokenIssuedAt, l.TokenExpires = sqlstore.FromMicros(iat), sqlstore.FromMicros(exp)
	}
	if l.TokenCWT, err = base64.RawStdEncoding.DecodeString(cwt); err != nil {
		return l, fmt.Errorf("statusstore: reading list: %w", err)
	}
	return l, nil
}

func (s *Store) lists(ctx context.Context, query string, args ...any) ([]status.List, error) {
	rows, err := s.db.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("statusstore: reading lists: %w", err)
	}
	defer rows.Close()
	var out []status.List
	for rows.Next() {
		l, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, rows.Err()
}

// Get implements status.Store.
func (s *Store) Get(ctx context.Context, id string) (status.List, error) {
	return scan(s.db.QueryRow(ctx, `SELECT `+columns+` FROM status_lists WHERE id = $1`, id))
}

// Live implements status.Store.
func (s *Store) Live(ctx context.Context, at time.Time) ([]status.List, error) {
	return s.lists(ctx, `SELECT `+bare+` FROM status_lists WHERE expires_at > $1 ORDER BY id`, sqlstore.Micros(at))
}

// Newest implements status.Store.
func (s *Store) Newest(ctx context.Context, pool string) (status.List, error) {
	return scan(s.db.QueryRow(ctx, `SELECT `+bare+` FROM status_lists WHERE pool = $1 ORDER BY ordinal DESC LIMIT 1`, pool))
}

// NextList implements status.Store.
func (s *Store) NextList(ctx context.Context, l status.List) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		if _, err := s.db.Exec(ctx, `UPDATE status_lists SET open = 0 WHERE pool = $1 AND ordinal = $2 AND open = 1`,
			l.Pool, l.Ordinal-1); err != nil {
			return fmt.Errorf("statusstore: closing list: %w", err)
		}
		_, err := s.add(ctx, l, 1)
		return err
	})
}

func (s *Store) add(ctx context.Context, l status.List, open int64) (bool, error) {
	n, err := s.db.Exec(ctx, `INSERT INTO status_lists (id, pool, ordinal, size, open, expires_at, seq, begun_at, token_seq, token, token_iat, token_exp)
		VALUES ($1, $2, $3, $4, $5, $6, 0, 0, 0, '', 0, 0) ON CONFLICT DO NOTHING`,
		l.ID, l.Pool, l.Ordinal, l.Size, open, sqlstore.Micros(l.ExpiresAt))
	if err != nil {
		return false, fmt.Errorf("statusstore: adding list: %w", err)
	}
	return n == 1, nil
}

// placeholders writes rows of $n, each of the given number of columns and with the same end, counting from first.
func placeholders(q *strings.Builder, rows, columns, first int, end string) {
	n := first
	for i := range rows {
		if i > 0 {
			q.WriteByte(',')
		}
		for j := range columns {
			q.WriteString(map[bool]string{true: "($", false: ",$"}[j == 0])
			q.WriteString(strconv.Itoa(n))
			n++
		}
		q.WriteString(end)
	}
}

// numbers reads rows of one number.
func (s *Store) numbers(ctx context.Context, query string, args ...any) ([]int64, error) {
	rows, err := s.db.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []int64
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		out = append(out, n)
	}
	return out, rows.Err()
}

// Taken implements status.Store.
func (s *Store) Taken(ctx context.Context, listID string, indices []int64) (int64, error) {
	var q strings.Builder
	q.WriteString(`SELECT idx FROM status_entries WHERE list_id = $1 AND idx IN (`)
	args := []any{listID}
	for _, i := range indices {
		args = append(args, i)
	}
	placeholders(&q, len(indices), 1, 2, ")")
	q.WriteByte(')')
	taken, err := s.numbers(ctx, q.String(), args...)
	if err != nil {
		return 0, fmt.Errorf("statusstore: looking at entries: %w", err)
	}
	return int64(len(taken)), nil
}

// insertAtOnce is how many rows one statement adds: SQLite takes 32,766 parameters.
const insertAtOnce = 500

// Insert implements status.Store. Rows go in by rising index, so that two batches that want the same two indices don't wait for each other.
func (s *Store) Insert(ctx context.Context, entries []status.Entry) ([]int64, error) {
	entries = slices.Clone(entries)
	slices.SortFunc(entries, func(a, b status.Entry) int { return cmp.Compare(a.Index, b.Index) })
	var out []int64
	for part := range slices.Chunk(entries, insertAtOnce) {
		var q strings.Builder
		q.WriteString(`INSERT INTO status_entries (list_id, idx, licence_id, issuance_id, value, next_value, next_at) VALUES `)
		args := make([]any, 0, 4*len(part))
		for _, e := range part {
			args = append(args, e.ListID, e.Index, e.LicenceID, e.IssuanceID)
		}
		placeholders(&q, len(part), 4, 1, ",0,0,NULL)")
		q.WriteString(` ON CONFLICT DO NOTHING RETURNING idx`)
		got, err := s.numbers(ctx, q.String(), args...)
		if err != nil {
			return nil, fmt.Errorf("statusstore: claiming indices: %w", err)
		}
		out = append(out, got...)
	}
	return out, nil
}

// LockLicence implements status.Store. The upsert takes the row's lock whether the row was there or not.
func (s *Store) LockLicence(ctx context.Context, licenceID string) (uint8, error) {
	var value uint8
	err := s.db.QueryRow(ctx, `INSERT INTO status_licences (licence_id, value, locks) VALUES ($1, 0, 1)
		ON CONFLICT (licence_id) DO UPDATE SET locks = status_licences.locks + 1 RETURNING value`, licenceID).Scan(&value)
	if err != nil {
		return 0, fmt.Errorf("statusstore: locking licence: %w", err)
	}
	return value, nil
}

// SetLicence implements status.Store.
func (s *Store) SetLicence(ctx context.Context, licenceID string, value uint8, now time.Time) (int64, error) {
	var version int64
	err := s.db.QueryRow(ctx, `INSERT INTO status_licences (licence_id, value, locks, version, changed_at) VALUES ($1, $2, 0, 1, $3)
		ON CONFLICT (licence_id) DO UPDATE SET value = excluded.value, version = status_licences.version + 1, changed_at = excluded.changed_at
		RETURNING version`, licenceID, int64(value), sqlstore.Micros(now)).Scan(&version)
	if err != nil {
		return 0, fmt.Errorf("statusstore: setting licence: %w", err)
	}
	return version, nil
}

// EntriesOf implements status.Store.
func (s *Store) EntriesOf(ctx context.Context, licenceID string, at time.Time) ([]status.Entry, error) {
	rows, err := s.db.Query(ctx, `SELECT e.list_id, e.idx, e.licence_id, e.issuance_id FROM status_entries e
		JOIN status_lists l ON l.id = e.list_id WHERE e.licence_id = $1 AND e.retired = 0 AND l.expires_at > $2 ORDER BY e.list_id, e.idx`,
		licenceID, sqlstore.Micros(at))
	if err != nil {
		return nil, fmt.Errorf("statusstore: reading entries: %w", err)
	}
	defer rows.Close()
	var out []status.Entry
	for rows.Next() {
		var e status.Entry
		if err := rows.Scan(&e.ListID, &e.Index, &e.LicenceID, &e.IssuanceID); err != nil {
			return nil, fmt.Errorf("statusstore: reading entries: %w", err)
		}
		out = append(out, e)
	}
	return out, rows.Err()
}

// Retire implements status.Store.
func (s *Store) Retire(ctx context.Context, listID string, index int64, at time.Time) error {
	n, err := s.db.Exec(ctx, `UPDATE status_entries SET retired = 1, next_value = 1, next_at = $1 WHERE list_id = $2 AND idx = $3`,
		sqlstore.Micros(at), listID, index)
	if err != nil {
		return fmt.Errorf("statusstore: retiring entry: %w", err)
	}
	if n != 1 {
		return status.ErrNotFound
	}
	return nil
}

// Schedule implements status.Store.
func (s *Store) Schedule(ctx context.Context, listID string, index int64, value uint8, at time.Time) error {
	n, err := s.db.Exec(ctx, `UPDATE status_entries SET next_value = $1, next_at = $2 WHERE list_id = $3 AND idx = $4`,
		int64(value), sqlstore.Micros(at), listID, index)
	if err != nil {
		return fmt.Errorf("statusstore: scheduling entry: %w", err)
	}
	if n != 1 {
		return status.ErrNotFound
	}
	return nil
}
