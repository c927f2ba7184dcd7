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
	err := s.db.Claim(ctx, `INSERT INTO oidc_pushed (id, client_id, parameters, expires_at) SELECT $1, $2, $3, $4
		WHERE $5 = 0 OR (SELECT COUNT(*) FROM oidc_pushed WHERE client_id = $2 AND expires_at > $6) < $5`,
		p.ID, p.ClientID, p.Parameters, sqlstore.Micros(p.ExpiresAt), limit, sqlstore.Micros(s.now()))
	if errors.Is(err, sqlstore.ErrLost) {
		return fmt.Errorf("%w: %w", pushed.ErrTooMany, err)
	}
	return err
}

// Pushed reads a pushed request that gave no code yet.
func (s *Store) Pushed(ctx context.Context, id string) (pushed.Request, error) {
	p := pushed.Request{ID: id}
	var expires int64
	err := s.db.QueryRow(ctx, `SELECT client_id, parameters, expires_at FROM oidc_pushed WHERE id = $1`, id).Scan(&p.ClientID, &p.Parameters, &expires)
	if errors.Is(err, sql.ErrNoRows) {
		return pushed.Request{}, pushed.ErrUnknown
	}
	p.ExpiresAt = sqlstore.FromMicros(expires)
	return p, err
}

// UsePushed uses up a pushed request: of any number of callers exactly one gets nil. The claim decides, not the row: by then the row may be gone.
func (s *Store) UsePushed(ctx context.Context, id string, at time.Time) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		err := s.db.ClaimOnce(ctx, pushed.Kind, id, at.Add(pushed.Life+pushed.FlowLife))
		if errors.Is(err, sqlstore.ErrLost) {
			return fmt.Errorf("%w: %w", pushed.ErrUnknown, err)
		}
		if err != nil {
			return err
		}
		return s.db.Later(ctx, `DELETE FROM oidc_pushed WHERE id = $1`, id)
	})
}

// DeletePushed forgets pushed requests that nobody came for in time.
func (s *Store) DeletePushed(ctx context.Context, now time.Time, limit int) (int64, error) {
	return s.db.Exec(ctx, `DELETE FROM oidc_pushed WHERE id IN
		(SELECT id FROM oidc_pushed WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)`, sqlstore.Micros(now), limit)
}
