package oidcstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/oidc/pushed"
)

// PutPushed writes a pushed request. The count decides in the same statement; a few more than the limit may slip in at one moment, no more.
func (s *Store) PutPushed(ctx context.Context, p pushed.Request, limit int) error {
	err := s.db.Claim(ctx, `INSERT INTO oidc_pushed (id, client_id, parameters, expires_at, keep_until, used) SELECT $1, $2, $3, $4, $5, 0
		WHERE $6 = 0 OR (SELECT COUNT(*) FROM oidc_pushed WHERE client_id = $2 AND used = 0 AND expires_at > $7) < $6`,
		p.ID, p.ClientID, p.Parameters, sqlstore.Micros(p.ExpiresAt), sqlstore.Micros(p.KeepUntil), limit, sqlstore.Micros(s.now()))
	if errors.Is(err, sqlstore.ErrLost) {
		return fmt.Errorf("%w: %w", pushed.ErrTooMany, err)
	}
	return err
}

// Pushed reads a pushed request that gave no code yet.
func (s *Store) Pushed(ctx context.Context, id string) (pushed.Request, error) {
	p := pushed.Request{ID: id}
	var expires, keep int64
	err := s.db.QueryRow(ctx, `SELECT client_id, parameters, expires_at, keep_until FROM oidc_pushed WHERE id = $1 AND used = 0`, id).
		Scan(&p.ClientID, &p.Parameters, &expires, &keep)
	if errors.Is(err, sql.ErrNoRows) {
		return pushed.Request{}, pushed.ErrUnknown
	}
	p.ExpiresAt, p.KeepUntil = sqlstore.FromMicros(expires), sqlstore.FromMicros(keep)
	return p, err
}

// UsePushed uses up a pushed request: of any number of callers exactly one gets nil.
func (s *Store) UsePushed(ctx context.Context, id string, at time.Time) error {
	err := s.db.Claim(ctx, `UPDATE oidc_pushed SET used = 1 WHERE id = $1 AND used = 0 AND keep_until > $2`, id, sqlstore.Micros(at))
	if errors.Is(err, sqlstore.ErrLost) {
		return fmt.Errorf("%w: %w", pushed.ErrUnknown, err)
	}
	return err
}
