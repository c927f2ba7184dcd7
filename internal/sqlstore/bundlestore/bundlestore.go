// Package bundlestore keeps the published trust bundle in SQL.
package bundlestore

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/bundlepub"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/signing/bundle"
)

// Store is bundlepub.Store on a database.
type Store struct{ DB *sqlstore.DB }

var _ bundlepub.Store = Store{}

// New returns the store on a database.
func New(db *sqlstore.DB) Store { return Store{DB: db} }

// Head implements bundlepub.Store.
func (s Store) Head(ctx context.Context) (bundlepub.Head, error) {
	var h bundlepub.Head
	var asOf int64
	err := s.DB.QueryRow(ctx, `SELECT version, reserved, input_digest, as_of FROM bundle_state WHERE id = 'national'`).
		Scan(&h.Version, &h.Reserved, &h.InputDigest, &asOf)
	if errors.Is(err, sql.ErrNoRows) {
		return bundlepub.Head{}, nil
	}
	h.AsOf = sqlstore.FromMicros(asOf)
	return h, err
}

// attempts is how often Load starts again when a publication comes between its two queries.
const attempts = 5

// Load implements bundlepub.Store. One query lists state and hashes together; then the missing bodies are read, each checked
// against the list, since timestamp.json may be replaced in between.
func (s Store) Load(ctx context.Context, known bundle.Files) (bundlepub.Head, bundle.Files, error) {
	for range attempts {
		head, want, err := s.list(ctx)
		if err != nil {
			return head, nil, err
		}
		files, missing := bundle.Files{}, map[string]string{}
		for path, sum := range want {
			if body, ok := known[path]; ok && hash(body) == sum {
				files[path] = body
			} else {
				missing[path] = sum
			}
		}
		complete, err := s.fetch(ctx, files, missing)
		if err != nil || complete {
			return head, files, err
		}
	}
	return bundlepub.Head{}, nil, errors.New("bundlestore: the bundle kept changing while it was read")
}

func (s Store) list(ctx context.Context) (bundlepub.Head, map[string]string, error) {
	var h bundlepub.Head
	var asOf int64
	want := map[string]string{}
	rows, err := s.DB.Query(ctx, `SELECT s.version, s.reserved, s.input_digest, s.as_of, f.path, f.sha256
		FROM bundle_state s LEFT JOIN bundle_files f ON f.dropped_at = 0 WHERE s.id = 'national'`)
	if err != nil {
		return h, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var path, sum sql.NullString
		if err := rows.Scan(&h.Version, &h.Reserved, &h.InputDigest, &asOf, &path, &sum); err != nil {
			return h, nil, err
		}
		h.AsOf = sqlstore.FromMicros(asOf)
		if path.Valid {
			want[path.String] = sum.String
		}
	}
	return h, want, rows.Err()
}

// batch is how many bodies one query asks for.
const batch = 200

// fetch reads the missing bodies into files; false says that one of them is not what was listed.
func (s Store) fetch(ctx context.Context, files bundle.Files, missing map[string]string) (bool, error) {
	for paths := range slices.Chunk(slices.Sorted(maps.Keys(missing)), batch) {
		args := make([]any, len(paths))
		marks := make([]string, len(paths))
		for i, p := range paths {
			args[i], marks[i] = p, fmt.Sprintf("$%d", i+1)
		}
		if err := s.bodies(ctx, files, `SELECT path, body FROM bundle_files WHERE path IN (`+strings.Join(marks, ",")+`)`, args); err != nil {
			return false, err
		}
		for _, p := range paths {
			if body, ok := files[p]; !ok || hash(body) != missing[p] {
				return false, nil
			}
		}
	}
	return true, nil
}

func (s Store) bodies(ctx context.Context, files bundle.Files, query string, args []any) error {
	rows, err := s.DB.Query(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var path, body string
		if err := rows.Scan(&path, &body); err != nil {
			return err
		}
		if files[path], err = base64.RawURLEncoding.DecodeString(body); err != nil {
			return fmt.Errorf("bundlestore: %s: %w", path, err)
		}
	}
	return rows.Err()
}

// File implements bundlepub.Store.
func (s Store) File(ctx context.Context, path string) ([]byte, error) {
	var body string
	err := s.DB.QueryRow(ctx, `SELECT body FROM bundle_files WHERE path = $1`, path).Scan(&body)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, bundlepub.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return base64.RawURLEncoding.DecodeString(body)
}

// Reserve implements bundlepub.Store. The conditional update is the decision between nodes.
func (s Store) Reserve(ctx context.Context, from bundlepub.Head, version int64, ev audit.Event) error {
	return lost(s.DB.InTx(ctx, func(ctx context.Context) error {
		if version <= from.Reserved {
			return sqlstore.ErrLost
		}
		if _, err := s.DB.Exec(ctx, `INSERT INTO bundle_state (id, version, reserved, input_digest, as_of)
			VALUES ('national', 0, 0, '', 0) ON CONFLICT (id) DO NOTHING`); err != nil {
			return err
		}
		if err := s.DB.Claim(ctx, `UPDATE bundle_state SET reserved = $1 WHERE id = 'national' AND version = $2 AND reserved = $3`,
			version, from.Version, from.Reserved); err != nil {
			return err
		}
		return s.DB.Audit(ctx, ev)
	}))
}

// Publish implements bundlepub.Store.
func (s Store) Publish(ctx context.Context, p bundlepub.Publication) error {
	return lost(s.DB.InTx(ctx, func(ctx context.Context) error {
		if err := s.DB.Claim(ctx, `UPDATE bundle_state SET version = $1, input_digest = $2, as_of = $3
			WHERE id = 'national' AND version = $4 AND reserved = $5 AND version < $6`,
			p.Head.Version, p.Head.InputDigest, sqlstore.Micros(p.Head.AsOf), p.From.Version, p.Head.Version, p.Head.Version); err != nil {
			return err
		}
		if err := s.replace(ctx, p); err != nil {
			return err
		}
		return s.DB.Audit(ctx, p.Event)
	}))
}

// replace writes what is new, marks what is dropped, and forgets what was dropped long ago.
func (s Store) replace(ctx context.Context, p bundlepub.Publication) error {
	_, have, err := s.list(ctx)
	if err != nil {
		return err
	}
	now := sqlstore.Micros(p.Head.AsOf)
	for _, path := range slices.Sorted(maps.Keys(have)) {
		if _, stays := p.Files[path]; stays {
			continue
		}
		if _, err := s.DB.Exec(ctx, `UPDATE bundle_files SET dropped_at = $1 WHERE path = $2`, now, path); err != nil {
			return err
		}
	}
	for _, path := range slices.Sorted(maps.Keys(p.Files)) {
		body := p.Files[path]
		sum := hash(body)
		if have[path] == sum {
			continue
		}
		if _, err := s.DB.Exec(ctx, `INSERT INTO bundle_files (path, sha256, body, dropped_at) VALUES ($1, $2, $3, 0)
			ON CONFLICT (path) DO UPDATE SET sha256 = excluded.sha256, body = excluded.body, dropped_at = 0`,
			path, sum, base64.RawURLEncoding.EncodeToString(body)); err != nil {
			return err
		}
	}
	_, err = s.DB.Exec(ctx, `DELETE FROM bundle_files WHERE dropped_at > 0 AND dropped_at < $1`, sqlstore.Micros(p.ForgetBefore))
	return err
}

func lost(err error) error {
	if errors.Is(err, sqlstore.ErrLost) {
		return bundlepub.ErrLost
	}
	return err
}

func hash(b []byte) string {
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}
