// Package oidcstore keeps clients, sessions, consents and grants of the OpenID Provider in SQL.
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
	"github.com/hufu-id/hufu/oidc/authorize"
	"github.com/hufu-id/hufu/oidc/client"
)

// Store implements oidc.Store. Safe for concurrent use by several nodes.
type Store struct {
	db  *sqlstore.DB
	now func() time.Time
}

// New makes a store on a migrated database.
func New(db *sqlstore.DB, now func() time.Time) *Store {
	if now == nil {
		now = time.Now
	}
	return &Store{db: db, now: now}
}

// InTx runs fn in one transaction.
func (s *Store) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	return s.db.InTx(ctx, fn)
}

// Audit writes an event in the transaction of ctx.
func (s *Store) Audit(ctx context.Context, ev audit.Event) error {
	if ev.At.IsZero() {
		ev.At = s.now()
	}
	return s.db.Audit(ctx, ev)
}

// ClaimOnce uses up an id; client.ErrReplayed the second time.
func (s *Store) ClaimOnce(ctx context.Context, kind, id string, expires time.Time) error {
	err := s.db.ClaimOnce(ctx, kind, id, expires)
	if errors.Is(err, sqlstore.ErrLost) {
		return fmt.Errorf("%w: %w", client.ErrReplayed, err)
	}
	return err
}

// PutConsent replaces what is kept for (person, client).
func (s *Store) PutConsent(ctx context.Context, c authorize.Consent, ev audit.Event) error {
	asked, err1 := json.Marshal(c.Asked)
	agreed, err2 := json.Marshal(c.Agreed)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		err := s.db.Later(ctx, `INSERT INTO oidc_consents (person_id, client_id, asked, agreed, standing, at) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (person_id, client_id) DO UPDATE SET asked = excluded.asked, agreed = excluded.agreed,
			standing = excluded.standing, at = excluded.at`,
			c.PersonID, c.ClientID, string(asked), string(agreed), flag(c.Standing), sqlstore.Micros(c.At))
		if err != nil {
			return err
		}
		return s.Audit(ctx, ev)
	})
}

// Consent reads what a person agreed with a client.
func (s *Store) Consent(ctx context.Context, personID, clientID string) (authorize.Consent, error) {
	c := authorize.Consent{PersonID: personID, ClientID: clientID}
	var asked, agreed string
	var standing int
	var at int64
	err := s.db.QueryRow(ctx, `SELECT asked, agreed, standing, at FROM oidc_consents WHERE person_id = $1 AND client_id = $2`,
		personID, clientID).Scan(&asked, &agreed, &standing, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return authorize.Consent{}, authorize.ErrNoConsent
	}
	if err != nil {
		return authorize.Consent{}, err
	}
	if err := errors.Join(json.Unmarshal([]byte(asked), &c.Asked), json.Unmarshal([]byte(agreed), &c.Agreed)); err != nil {
		return authorize.Consent{}, fmt.Errorf("oidcstore: consent: %w", err)
	}
	c.Standing, c.At = standing != 0, sqlstore.FromMicros(at)
	return c, nil
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}
