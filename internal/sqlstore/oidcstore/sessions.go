package oidcstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/oidc/session"
)

// PutSession writes a new session that carries on the replaced one.
func (s *Store) PutSession(ctx context.Context, n session.Session, replaces string, ev audit.Event) error {
	amr, err := json.Marshal(n.AMR)
	if err != nil {
		return err
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		if replaces != "" {
			if err := s.db.Later(ctx, `DELETE FROM oidc_sessions WHERE key = $1`, replaces); err != nil {
				return err
			}
			if err := s.db.Later(ctx, `UPDATE oidc_session_clients SET expires_at = $2 WHERE sid = $1`, n.SID, sqlstore.Micros(n.ExpiresAt)); err != nil {
				return err
			}
		}
		err := s.db.Later(ctx, `INSERT INTO oidc_sessions (key, person_id, province, acr, amr, auth_time, created_at, used_at, expires_at, sid)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`, n.Key, n.PersonID, n.Province, n.ACR, string(amr), sqlstore.Micros(n.AuthTime),
			sqlstore.Micros(n.CreatedAt), sqlstore.Micros(n.UsedAt), sqlstore.Micros(n.ExpiresAt), n.SID)
		if err != nil {
			return err
		}
		return s.Audit(ctx, ev)
	})
}

// Session reads a session.
func (s *Store) Session(ctx context.Context, key string) (session.Session, error) {
	n := session.Session{Key: key}
	var amr string
	var authTime, created, used, expires int64
	err := s.db.QueryRow(ctx, `SELECT person_id, province, acr, amr, auth_time, created_at, used_at, expires_at, sid
		FROM oidc_sessions WHERE key = $1`, key).Scan(&n.PersonID, &n.Province, &n.ACR, &amr, &authTime, &created, &used, &expires, &n.SID)
	if errors.Is(err, sql.ErrNoRows) {
		return session.Session{}, session.ErrNone
	}
	if err != nil {
		return session.Session{}, err
	}
	if err := json.Unmarshal([]byte(amr), &n.AMR); err != nil {
		return session.Session{}, fmt.Errorf("oidcstore: session: %w", err)
	}
	n.AuthTime, n.CreatedAt = sqlstore.FromMicros(authTime), sqlstore.FromMicros(created)
	n.UsedAt, n.ExpiresAt = sqlstore.FromMicros(used), sqlstore.FromMicros(expires)
	return n, nil
}

// UseSession moves the last use forward, never back, for another node may be ahead. It writes in any case: that holds the row.
func (s *Store) UseSession(ctx context.Context, key string, usedAt time.Time) error {
	err := s.db.Claim(ctx, `UPDATE oidc_sessions SET used_at = CASE WHEN used_at < $2 THEN $2 ELSE used_at END WHERE key = $1`, key, sqlstore.Micros(usedAt))
	if errors.Is(err, sqlstore.ErrLost) {
		return session.ErrNone
	}
	return err
}

// PutMember remembers a client of a session.
func (s *Store) PutMember(ctx context.Context, sid string, m session.Member, expires time.Time) error {
	return s.db.Later(ctx, `INSERT INTO oidc_session_clients (sid, client_id, subject, expires_at) VALUES ($1, $2, $3, $4)
		ON CONFLICT (sid, client_id) DO NOTHING`, sid, m.ClientID, m.Subject, sqlstore.Micros(expires))
}

// EndSession deletes a session; the event is written only by who ended it.
func (s *Store) EndSession(ctx context.Context, key string, ev audit.Event) (ended bool, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		n, err := s.db.Exec(ctx, `DELETE FROM oidc_sessions WHERE key = $1`, key)
		if ended = n > 0; err != nil || !ended {
			return err
		}
		return s.Audit(ctx, ev)
	})
	return ended, err
}
