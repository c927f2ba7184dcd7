package oidcstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/oidc/logout"
	"github.com/hufu-id/hufu/oidc/session"
)

// RevokeSession ends the grants of a session, but the offline ones.
func (s *Store) RevokeSession(ctx context.Context, sid string, at time.Time) (int64, error) {
	return s.db.Exec(ctx, `UPDATE oidc_grants SET revoked_at = $2 WHERE session = $1 AND offline = 0 AND revoked_at = 0 AND session <> ''`,
		sid, sqlstore.Micros(at))
}

// TakeMembers forgets the clients of a session and returns them.
func (s *Store) TakeMembers(ctx context.Context, sid string) ([]session.Member, error) {
	rows, err := s.db.Query(ctx, `DELETE FROM oidc_session_clients WHERE sid = $1 RETURNING client_id, subject`, sid)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []session.Member
	for rows.Next() {
		var m session.Member
		if err := rows.Scan(&m.ClientID, &m.Subject); err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, rows.Err()
}

// PutDelivery writes a new delivery.
func (s *Store) PutDelivery(ctx context.Context, d logout.Delivery) error {
	_, err := s.db.Exec(ctx, `INSERT INTO oidc_logout_deliveries (`+deliveryColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		d.ID, d.ClientID, d.Subject, d.SID, int(d.State), d.Attempts, d.Error, sqlstore.Micros(d.CreatedAt), sqlstore.Micros(d.NextAt), sqlstore.Micros(d.At))
	return err
}

const deliveryColumns = `id, client_id, subject, session_id, state, attempts, error, created_at, next_at, at`

// Due lists deliveries whose next attempt is due.
func (s *Store) Due(ctx context.Context, at time.Time, limit, share int) ([]logout.Delivery, error) {
	return deliveries(s.db.Query(ctx, `SELECT `+deliveryColumns+` FROM (SELECT `+deliveryColumns+`, ROW_NUMBER() OVER (PARTITION BY client_id ORDER BY next_at) AS nth
		FROM oidc_logout_deliveries WHERE state = 0 AND next_at <= $1) AS due WHERE nth <= $3 ORDER BY next_at LIMIT $2`, sqlstore.Micros(at), limit, share))
}

// Deliveries lists the newest deliveries of a client.
func (s *Store) Deliveries(ctx context.Context, clientID string, limit int) ([]logout.Delivery, error) {
	return deliveries(s.db.Query(ctx, `SELECT `+deliveryColumns+` FROM oidc_logout_deliveries WHERE client_id = $1 ORDER BY created_at DESC, id LIMIT $2`,
		clientID, limit))
}

func deliveries(rows sqlstore.Rows, err error) ([]logout.Delivery, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []logout.Delivery
	for rows.Next() {
		var d logout.Delivery
		var created, next, at int64
		if err := rows.Scan(&d.ID, &d.ClientID, &d.Subject, &d.SID, &d.State, &d.Attempts, &d.Error, &created, &next, &at); err != nil {
			return nil, err
		}
		d.CreatedAt, d.NextAt, d.At = sqlstore.FromMicros(created), sqlstore.FromMicros(next), sqlstore.FromMicros(at)
		out = append(out, d)
	}
	return out, rows.Err()
}

// Claim takes the next attempt of a delivery: the row count of one conditional statement decides.
func (s *Store) Claim(ctx context.Context, d logout.Delivery, at, until time.Time) error {
	return notHad(s.db.Claim(ctx, `UPDATE oidc_logout_deliveries SET attempts = attempts + 1, at = $3, next_at = $4
		WHERE id = $1 AND attempts = $2 AND state = 0 AND next_at <= $3`, d.ID, d.Attempts, sqlstore.Micros(at), sqlstore.Micros(until)))
}

// Settle writes how an attempt ended, unless a later one has begun.
func (s *Store) Settle(ctx context.Context, d logout.Delivery) error {
	return notHad(s.db.Claim(ctx, `UPDATE oidc_logout_deliveries SET state = $3, error = $4, next_at = $5 WHERE id = $1 AND attempts = $2 AND state = 0`,
		d.ID, d.Attempts, int(d.State), d.Error, sqlstore.Micros(d.NextAt)))
}

func notHad(err error) error {
	if errors.Is(err, sqlstore.ErrLost) {
		return fmt.Errorf("%w: %w", logout.ErrLost, err)
	}
	return err
}
