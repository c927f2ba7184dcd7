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
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/registration"
)

// PutClient inserts or replaces a client.
func (s *Store) PutClient(ctx context.Context, c client.Client) error {
	b, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("oidcstore: client: %w", err)
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		_, err := s.db.Exec(ctx, `INSERT INTO oidc_clients (id, version, disabled, registration, updated_at, dynamic, registered_at)
			VALUES ($1, 1, $2, $3, $4, $5, $6)
			ON CONFLICT (id) DO UPDATE SET version = oidc_clients.version + 1, disabled = excluded.disabled,
			registration = excluded.registration, updated_at = excluded.updated_at, dynamic = excluded.dynamic`,
			c.ID, flag(c.Disabled), string(b), sqlstore.Micros(s.now()), flag(c.Dynamic), sqlstore.Micros(c.RegisteredAt))
		if err != nil {
			return err
		}
		return s.Audit(ctx, registered(c, "system"))
	})
}

func registered(c client.Client, actor string) audit.Event {
	return audit.Event{Kind: "oidc.client_registered", Actor: actor, Subject: c.ID, Client: c.ID, Detail: map[string]string{"method": string(c.AuthMethod)}}
}

// Client reads one client.
func (s *Store) Client(ctx context.Context, id string) (client.Client, error) {
	c, _, err := s.ClientVersion(ctx, id)
	return c, err
}

const clientColumns = `SELECT id, version, registration, disabled, used FROM oidc_clients `

// ClientVersion reads one client with the version of its row.
func (s *Store) ClientVersion(ctx context.Context, id string) (client.Client, int64, error) {
	return scanClient(s.db.QueryRow(ctx, clientColumns+`WHERE id = $1`, id))
}

func scanClient(row interface{ Scan(...any) error }) (client.Client, int64, error) {
	var id, text string
	var version int64
	var disabled, used int
	err := row.Scan(&id, &version, &text, &disabled, &used)
	if errors.Is(err, sql.ErrNoRows) {
		return client.Client{}, 0, client.ErrUnknown
	}
	if err != nil {
		return client.Client{}, 0, err
	}
	var c client.Client
	if err := json.Unmarshal([]byte(text), &c); err != nil {
		return client.Client{}, 0, fmt.Errorf("oidcstore: client %s: %w", id, err)
	}
	c.Disabled, c.Used = disabled != 0, used != 0
	return c, version, nil
}

// Clients lists up to limit clients whose ids follow after, in the order of their ids.
func (s *Store) Clients(ctx context.Context, after string, limit int) ([]client.Client, error) {
	rows, err := s.db.Query(ctx, clientColumns+`WHERE id > $1 ORDER BY id LIMIT $2`, after, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []client.Client
	for rows.Next() {
		c, _, err := scanClient(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, rows.Err()
}

// ChangeClient writes a client if its row still has the version that was read; 0 is a client that isn't there yet. client.ErrChanged.
func (s *Store) ChangeClient(ctx context.Context, c client.Client, version int64, actor string) error {
	b, err := json.Marshal(c)
	if err != nil {
		return fmt.Errorf("oidcstore: client: %w", err)
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		var err error
		if version == 0 {
			err = s.db.Claim(ctx, `INSERT INTO oidc_clients (id, version, disabled, registration, updated_at, dynamic, registered_at)
				VALUES ($1, 1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING`,
				c.ID, flag(c.Disabled), string(b), sqlstore.Micros(s.now()), flag(c.Dynamic), sqlstore.Micros(c.RegisteredAt))
		} else {
			err = s.db.Claim(ctx, `UPDATE oidc_clients SET version = version + 1, disabled = $3, registration = $4, updated_at = $5
				WHERE id = $1 AND version = $2`, c.ID, version, flag(c.Disabled), string(b), sqlstore.Micros(s.now()))
		}
		if errors.Is(err, sqlstore.ErrLost) {
			return fmt.Errorf("%w: %w", client.ErrChanged, err)
		}
		if err != nil {
			return err
		}
		return s.Audit(ctx, registered(c, actor))
	})
}

// MarkUsed records the first use of a client that registered itself.
func (s *Store) MarkUsed(ctx context.Context, id string) error {
	_, err := s.db.Exec(ctx, `UPDATE oidc_clients SET used = 1 WHERE id = $1 AND used = 0`, id)
	return err
}

// DynamicClients counts the clients that registered themselves.
func (s *Store) DynamicClients(ctx context.Context) (n int, err error) {
	err = s.db.QueryRow(ctx, `SELECT COUNT(*) FROM oidc_clients WHERE dynamic = 1`).Scan(&n)
	return n, err
}

// DeleteClient removes a client that registered itself. Its ids are never given again, so whatever was issued to it is dead.
func (s *Store) DeleteClient(ctx context.Context, id string, version int64) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		err := s.db.Claim(ctx, `DELETE FROM oidc_clients WHERE id = $1 AND version = $2 AND dynamic = 1`, id, version)
		if errors.Is(err, sqlstore.ErrLost) {
			return fmt.Errorf("%w: %w", client.ErrChanged, err)
		}
		if err != nil {
			return err
		}
		return s.Audit(ctx, audit.Event{Kind: "oidc.client_deleted", Actor: id, Subject: id, Client: id})
	})
}

// DeleteUnused forgets clients that registered themselves before the given time and never authenticated.
func (s *Store) DeleteUnused(ctx context.Context, before time.Time, limit int) (int64, error) {
	return s.db.Exec(ctx, `DELETE FROM oidc_clients WHERE used = 0 AND id IN
		(SELECT id FROM oidc_clients WHERE dynamic = 1 AND used = 0 AND registered_at < $1 ORDER BY registered_at LIMIT $2)`, sqlstore.Micros(before), limit)
}

// PutInitialToken writes a new initial access token.
func (s *Store) PutInitialToken(ctx context.Context, t registration.InitialToken) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		_, err := s.db.Exec(ctx, `INSERT INTO oidc_initial_tokens (hash, note, remaining, expires_at, created_at) VALUES ($1, $2, $3, $4, $5)`,
			t.Hash, t.Note, t.Uses, sqlstore.Micros(t.ExpiresAt), sqlstore.Micros(s.now()))
		if err != nil {
			return err
		}
		return s.Audit(ctx, audit.Event{Kind: "oidc.initial_token_made", Actor: "operator", Subject: t.Note})
	})
}

// CheckInitialToken says whether a token has uses left. registration.ErrToken.
func (s *Store) CheckInitialToken(ctx context.Context, hash string, at time.Time) error {
	var n int
	err := s.db.QueryRow(ctx, `SELECT COUNT(*) FROM oidc_initial_tokens WHERE hash = $1 AND remaining > 0 AND expires_at > $2`,
		hash, sqlstore.Micros(at)).Scan(&n)
	if err == nil && n == 0 {
		err = registration.ErrToken
	}
	return err
}

// UseInitialToken takes one use of a token by one conditional statement. registration.ErrToken.
func (s *Store) UseInitialToken(ctx context.Context, hash string, at time.Time) error {
	err := s.db.Claim(ctx, `UPDATE oidc_initial_tokens SET remaining = remaining - 1 WHERE hash = $1 AND remaining > 0 AND expires_at > $2`,
		hash, sqlstore.Micros(at))
	if errors.Is(err, sqlstore.ErrLost) {
		return fmt.Errorf("%w: %w", registration.ErrToken, err)
	}
	return err
}

// DeleteInitialTokens forgets initial access tokens that ended before the given time.
func (s *Store) DeleteInitialTokens(ctx context.Context, before time.Time, limit int) (int64, error) {
	return s.db.Exec(ctx, `DELETE FROM oidc_initial_tokens WHERE hash IN
		(SELECT hash FROM oidc_initial_tokens WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)`, sqlstore.Micros(before), limit)
}
