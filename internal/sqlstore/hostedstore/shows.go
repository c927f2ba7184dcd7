package hostedstore

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/wallet/hosted"
)

const showColumns = `id, person_id, licence_id, type_id, copy_id, preset, claims, asker, asker_zh, asker_en, audience, sealed,
	created_at, expires_at, stopped_at, opened, last_opened_at`

// AddShow implements hosted.Store. Writing only while the copy is current keeps a copy that was removed a moment ago from being shown.
func (s *Store) AddShow(ctx context.Context, v hosted.Show, ev audit.Event) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		err := s.claim(ctx, `INSERT INTO wallet_shows (`+showColumns+`)
			SELECT CAST($1 AS TEXT), CAST($2 AS TEXT), CAST($3 AS TEXT), CAST($4 AS TEXT), CAST($5 AS TEXT), CAST($6 AS TEXT), CAST($7 AS TEXT), CAST($8 AS TEXT),
			CAST($9 AS TEXT), CAST($10 AS TEXT), CAST($11 AS TEXT), '', CAST($12 AS BIGINT), CAST($13 AS BIGINT), 0, 0, 0
			WHERE EXISTS (SELECT 1 FROM wallet_holdings WHERE person_id = $2 AND licence_id = $3 AND copy_id = $5)`,
			v.ID, v.PersonID, v.LicenceID, v.TypeID, v.CopyID, v.Preset, strings.Join(v.Claims, " "), v.Asker, v.AskerName.ZH, v.AskerName.EN, v.Audience,
			sqlstore.Micros(v.CreatedAt), sqlstore.Micros(v.ExpiresAt))
		if err != nil {
			return err
		}
		return s.db.Audit(ctx, ev)
	})
}

// SealShow implements hosted.Store.
func (s *Store) SealShow(ctx context.Context, id, sealed string) error {
	return s.claim(ctx, `UPDATE wallet_shows SET sealed = $2 WHERE id = $1 AND sealed = '' AND stopped_at = 0`, id, sealed)
}

// Show implements hosted.Store.
func (s *Store) Show(ctx context.Context, id string) (hosted.Show, error) {
	return scanShow(s.db.QueryRow(ctx, `SELECT `+showColumns+` FROM wallet_shows WHERE id = $1`, id))
}

// OpenShow implements hosted.Store.
func (s *Store) OpenShow(ctx context.Context, id string, at time.Time, ev audit.Event) (v hosted.Show, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		v, err = scanShow(s.db.QueryRow(ctx, `UPDATE wallet_shows SET opened = opened + 1, last_opened_at = $2
			WHERE id = $1 AND stopped_at = 0 AND expires_at > $2 AND sealed <> '' RETURNING `+showColumns, id, sqlstore.Micros(at)))
		if err != nil {
			return err
		}
		ev.Subject = v.LicenceID
		return s.db.Audit(ctx, ev)
	})
	return v, err
}

// StopShow implements hosted.Store.
func (s *Store) StopShow(ctx context.Context, personID, id string, at time.Time, ev audit.Event) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.claim(ctx, `UPDATE wallet_shows SET stopped_at = $3, sealed = '' WHERE id = $1 AND person_id = $2 AND stopped_at = 0 AND expires_at > $3`,
			id, personID, sqlstore.Micros(at)); err != nil {
			return err
		}
		return s.db.Audit(ctx, ev)
	})
}

// Shows implements hosted.Store.
func (s *Store) Shows(ctx context.Context, personID, licenceID string, limit int) ([]hosted.Show, error) {
	query, args := `SELECT `+showColumns+` FROM wallet_shows WHERE person_id = $1`, []any{personID, limit}
	if licenceID != "" {
		query, args = query+` AND licence_id = $3`, append(args, licenceID)
	}
	rows, err := s.db.Query(ctx, query+` ORDER BY created_at DESC, id LIMIT $2`, args...)
	if err != nil {
		return nil, fmt.Errorf("hostedstore: listing showings: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var out []hosted.Show
	for rows.Next() {
		v, err := scanShow(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}

// ForgetShown implements hosted.Store.
func (s *Store) ForgetShown(ctx context.Context, at time.Time, limit int) error {
	_, err := s.db.Exec(ctx, `UPDATE wallet_shows SET sealed = '' WHERE id IN (SELECT id FROM wallet_shows WHERE expires_at < $1 AND sealed <> '' LIMIT $2)`,
		sqlstore.Micros(at), limit)
	return err
}

func scanShow(row interface{ Scan(...any) error }) (hosted.Show, error) {
	var v hosted.Show
	var claims string
	var created, expires, stopped, last int64
	err := row.Scan(&v.ID, &v.PersonID, &v.LicenceID, &v.TypeID, &v.CopyID, &v.Preset, &claims, &v.Asker, &v.AskerName.ZH, &v.AskerName.EN, &v.Audience, &v.Sealed,
		&created, &expires, &stopped, &v.Opened, &last)
	if err != nil {
		return hosted.Show{}, scanError(err)
	}
	v.Claims = strings.Fields(claims)
	v.CreatedAt, v.ExpiresAt, v.StoppedAt, v.LastOpenedAt = sqlstore.FromMicros(created), sqlstore.FromMicros(expires), sqlstore.FromMicros(stopped), sqlstore.FromMicros(last)
	return v, nil
}
