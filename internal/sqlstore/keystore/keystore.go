// Package keystore keeps the records of package keys in the database.
package keystore

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/keys"
)

// Store implements keys.Store.
type Store struct{ db *sqlstore.DB }

// New returns the store on a migrated database.
func New(db *sqlstore.DB) *Store { return &Store{db: db} }

var _ keys.Store = (*Store)(nil)

// Create implements keys.Store.
func (s *Store) Create(ctx context.Context, p keys.Purpose, spec keys.Spec) error {
	cert, err := certificateText(spec)
	if err != nil {
		return err
	}
	_, err = s.db.Exec(ctx, `INSERT INTO key_purposes (purpose, version, alg, rotate_every, publish_ahead, keep, certificate)
		VALUES ($1, 0, $2, $3, $4, $5, $6) ON CONFLICT (purpose) DO NOTHING`,
		string(p), string(spec.Alg), spec.RotateEvery.Microseconds(), spec.PublishAhead.Microseconds(), spec.Keep.Microseconds(), cert)
	return err
}

func certificateText(spec keys.Spec) (string, error) {
	if spec.Certificate == nil {
		return "", nil
	}
	b, err := json.Marshal(spec.Certificate)
	return string(b), err
}

// Load implements keys.Store with one statement, so that a reader never sees half a rotation.
func (s *Store) Load(ctx context.Context, p keys.Purpose) (keys.Record, error) {
	rows, err := s.db.Query(ctx, `SELECT p.version, p.alg, p.rotate_every, p.publish_ahead, p.keep, p.certificate,
			k.id, k.state, k.alg, k.public_jwk, k.handle, k.chain, k.created_at, k.activated_at, k.retired_at, k.expires_at
		FROM key_purposes p LEFT JOIN key_records k ON k.purpose = p.purpose AND k.state <> 'gone'
		WHERE p.purpose = $1 ORDER BY k.created_at, k.id`, string(p))
	if err != nil {
		return keys.Record{}, err
	}
	defer rows.Close()
	rec, found := keys.Record{Purpose: p}, false
	for rows.Next() {
		found = true
		var spec specRow
		var key keyRow
		if err := rows.Scan(&rec.Version, &spec.alg, &spec.rotate, &spec.ahead, &spec.keep, &spec.certificate,
			&key.id, &key.state, &key.alg, &key.public, &key.handle, &key.chain, &key.created, &key.activated, &key.retired, &key.expires); err != nil {
			return keys.Record{}, err
		}
		if rec.Spec, err = spec.spec(); err != nil {
			return keys.Record{}, err
		}
		if !key.id.Valid {
			continue // a purpose without keys
		}
		k, err := key.key(p)
		if err != nil {
			return keys.Record{}, err
		}
		rec.Keys = append(rec.Keys, k)
	}
	if err := rows.Err(); err != nil {
		return keys.Record{}, err
	}
	if !found {
		return keys.Record{}, keys.ErrNotFound
	}
	return rec, nil
}

type specRow struct {
	alg                 string
	rotate, ahead, keep int64
	certificate         string
}

func (r specRow) spec() (keys.Spec, error) {
	spec := keys.Spec{Alg: jose.Alg(r.alg), RotateEvery: time.Duration(r.rotate) * time.Microsecond,
		PublishAhead: time.Duration(r.ahead) * time.Microsecond, Keep: time.Duration(r.keep) * time.Microsecond}
	if r.certificate == "" {
		return spec, nil
	}
	spec.Certificate = &keys.CertificateSpec{}
	if err := json.Unmarshal([]byte(r.certificate), spec.Certificate); err != nil {
		return spec, fmt.Errorf("keystore: certificate specification: %w", err)
	}
	return spec, nil
}

type keyRow struct {
	id, state, alg, public, handle, chain sql.NullString
	created, activated, retired, expires  sql.NullInt64
}

func (r keyRow) key(p keys.Purpose) (keys.Key, error) {
	k := keys.Key{ID: r.id.String, Purpose: p, State: keys.State(r.state.String), Alg: jose.Alg(r.alg.String), Handle: r.handle.String,
		CreatedAt: at(r.created), ActivatedAt: at(r.activated), RetiredAt: at(r.retired), ExpiresAt: at(r.expires)}
	var err error
	if k.Public, err = jose.ParseJWK([]byte(r.public.String)); err != nil {
		return k, fmt.Errorf("keystore: key %s: %w", k.ID, err)
	}
	if k.Public.Thumbprint() != k.ID {
		return k, fmt.Errorf("keystore: key %s: the public key is another one", k.ID)
	}
	if k.Chain, err = parseChain(r.chain.String); err != nil {
		return k, fmt.Errorf("keystore: key %s: %w", k.ID, err)
	}
	return k, nil
}

func at(v sql.NullInt64) time.Time {
	if !v.Valid {
		return time.Time{}
	}
	return sqlstore.FromMicros(v.Int64)
}

func micros(t time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: sqlstore.Micros(t), Valid: !t.IsZero()}
}

// chainText writes certificates as base64url joined by spaces.
func chainText(chain [][]byte) string {
	parts := make([]string, len(chain))
	for i, der := range chain {
		parts[i] = base64.RawURLEncoding.EncodeToString(der)
	}
	return strings.Join(parts, " ")
}

func parseChain(text string) ([][]byte, error) {
	var chain [][]byte
	for _, part := range strings.Fields(text) {
		der, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil {
			return nil, errors.New("certificate chain isn't readable")
		}
		chain = append(chain, der)
	}
	return chain, nil
}

// Version implements keys.Store.
func (s *Store) Version(ctx context.Context, p keys.Purpose) (int64, error) {
	var v int64
	err := s.db.QueryRow(ctx, `SELECT version FROM key_purposes WHERE purpose = $1`, string(p)).Scan(&v)
	return v, notFound(err)
}

// Purposes implements keys.Store.
func (s *Store) Purposes(ctx context.Context) ([]keys.Purpose, error) {
	rows, err := s.db.Query(ctx, `SELECT purpose FROM key_purposes ORDER BY purpose`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []keys.Purpose
	for rows.Next() {
		var p string
		if err := rows.Scan(&p); err != nil {
			return nil, err
		}
		out = append(out, keys.Purpose(p))
	}
	return out, rows.Err()
}

func notFound(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return keys.ErrNotFound
	}
	return err
}

// InsertAuthority implements keys.Store.
func (s *Store) InsertAuthority(ctx context.Context, a keys.Authority) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		err := s.db.Claim(ctx, `INSERT INTO key_authorities (id, kind, is_current, certificate, handle, created_at)
			VALUES ($1, $2, 1, $3, $4, $5) ON CONFLICT DO NOTHING`,
			a.ID, string(a.Kind), base64.RawURLEncoding.EncodeToString(a.Certificate), a.Handle, sqlstore.Micros(a.CreatedAt))
		if err != nil {
			return lost(err)
		}
		return s.db.Audit(ctx, audit.Event{Kind: "keys.authority_created", At: a.CreatedAt, Actor: "system", Subject: a.ID,
			Detail: map[string]string{"kind": string(a.Kind)}})
	})
}

// Authority implements keys.Store.
func (s *Store) Authority(ctx context.Context, kind keys.Kind) (keys.Authority, error) {
	a := keys.Authority{Kind: kind}
	var cert string
	var created int64
	err := s.db.QueryRow(ctx, `SELECT id, certificate, handle, created_at FROM key_authorities WHERE kind = $1 AND is_current = 1`,
		string(kind)).Scan(&a.ID, &cert, &a.Handle, &created)
	if err != nil {
		return keys.Authority{}, notFound(err)
	}
	a.CreatedAt = sqlstore.FromMicros(created)
	if a.Certificate, err = base64.RawURLEncoding.DecodeString(cert); err != nil {
		return keys.Authority{}, fmt.Errorf("keystore: %s authority: certificate isn't readable", kind)
	}
	return a, nil
}

// InsertSecret implements keys.Store.
func (s *Store) InsertSecret(ctx context.Context, name, sealed string, at time.Time) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		n, err := s.db.Exec(ctx, `INSERT INTO key_secrets (name, sealed, created_at) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING`,
			name, sealed, sqlstore.Micros(at))
		if err != nil || n == 0 {
			return err
		}
		return s.db.Audit(ctx, audit.Event{Kind: "keys.secret_created", At: at, Actor: "system", Subject: name})
	})
}

// Secret implements keys.Store.
func (s *Store) Secret(ctx context.Context, name string) (string, error) {
	var sealed string
	err := s.db.QueryRow(ctx, `SELECT sealed FROM key_secrets WHERE name = $1`, name).Scan(&sealed)
	return sealed, notFound(err)
}

func lost(err error) error {
	if errors.Is(err, sqlstore.ErrLost) {
		return keys.ErrLost
	}
	return err
}
