package keystore

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/keys"
)

// Apply implements keys.Store. The first statement is the decision: it moves the version, and holds the row's lock until
// the transaction ends, so that the other statements see nobody else's change. Old keys are retired before a new one
// becomes active; two unique indexes stand behind that.
func (s *Store) Apply(ctx context.Context, p keys.Purpose, version int64, c keys.Change) error {
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		if err := s.db.Claim(ctx, `UPDATE key_purposes SET version = version + 1 WHERE purpose = $1 AND version = $2`,
			string(p), version); err != nil {
			return err
		}
		if err := s.replaceSpec(ctx, p, c); err != nil {
			return err
		}
		if err := s.leave(ctx, p, c); err != nil {
			return err
		}
		return s.enter(ctx, p, c)
	})
	return lost(err)
}

func (s *Store) replaceSpec(ctx context.Context, p keys.Purpose, c keys.Change) error {
	if c.Spec == nil {
		return nil
	}
	cert, err := certificateText(*c.Spec)
	if err != nil {
		return err
	}
	_, err = s.db.Exec(ctx, `UPDATE key_purposes SET alg = $2, rotate_every = $3, publish_ahead = $4, keep = $5, certificate = $6
		WHERE purpose = $1`, string(p), string(c.Spec.Alg), c.Spec.RotateEvery.Microseconds(),
		c.Spec.PublishAhead.Microseconds(), c.Spec.Keep.Microseconds(), cert)
	return err
}

// leave moves keys towards their end. The sealed private key goes as soon as the key stops signing.
func (s *Store) leave(ctx context.Context, p keys.Purpose, c keys.Change) error {
	if c.Discard != "" {
		if err := s.db.Claim(ctx, `UPDATE key_records SET state = 'gone', handle = '', expires_at = $3
			WHERE purpose = $1 AND id = $2 AND state = 'next'`, string(p), c.Discard, micros(c.At)); err != nil {
			return err
		}
		if err := s.audit(ctx, "keys.discarded", p, c.Discard, c); err != nil {
			return err
		}
	}
	if c.Retire != "" {
		if err := s.db.Claim(ctx, `UPDATE key_records SET state = 'retired', handle = '', retired_at = $3, expires_at = $4
			WHERE purpose = $1 AND id = $2 AND state = 'active'`, string(p), c.Retire, micros(c.At), micros(c.Expires)); err != nil {
			return err
		}
		if err := s.audit(ctx, "keys.retired", p, c.Retire, c); err != nil {
			return err
		}
	}
	if c.Revoke != "" {
		if err := s.revoke(ctx, p, c); err != nil {
			return err
		}
	}
	for _, id := range c.Remove {
		if err := s.db.Claim(ctx, `UPDATE key_records SET state = 'gone' WHERE purpose = $1 AND id = $2 AND state = 'retired'`,
			string(p), id); err != nil {
			return err
		}
		if err := s.audit(ctx, "keys.removed", p, id, c); err != nil {
			return err
		}
	}
	return nil
}

// revoke ends a key at once and remembers that it isn't to be believed. The row is there for good: what it signed may be shown in years.
func (s *Store) revoke(ctx context.Context, p keys.Purpose, c keys.Change) error {
	if err := s.db.Claim(ctx, `UPDATE key_records SET state = 'gone', handle = '', retired_at = COALESCE(retired_at, $3), expires_at = $3
		WHERE purpose = $1 AND id = $2 AND state <> 'gone'`, string(p), c.Revoke, micros(c.At)); err != nil {
		return err
	}
	if err := s.db.Claim(ctx, `INSERT INTO key_revocations (purpose, id, compromised_at, revoked_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
		string(p), c.Revoke, sqlstore.Micros(c.CompromisedAt), sqlstore.Micros(c.At)); err != nil {
		return err
	}
	return s.db.Audit(ctx, audit.Event{Kind: "keys.revoked", At: c.At, Actor: c.Actor, Subject: c.Revoke,
		Detail: map[string]string{"purpose": string(p), "compromised_at": c.CompromisedAt.UTC().Format(time.RFC3339)}})
}

// Revoked implements keys.Store.
func (s *Store) Revoked(ctx context.Context) ([]keys.Revoked, error) {
	rows, err := s.db.Query(ctx, `SELECT r.purpose, r.id, k.chain, r.compromised_at, r.revoked_at FROM key_revocations r
		JOIN key_records k ON k.purpose = r.purpose AND k.id = r.id ORDER BY r.revoked_at, r.id`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []keys.Revoked
	for rows.Next() {
		var r keys.Revoked
		var chain string
		var since, at int64
		if err := rows.Scan(&r.Purpose, &r.ID, &chain, &since, &at); err != nil {
			return nil, err
		}
		if r.Chain, err = parseChain(chain); err != nil {
			return nil, fmt.Errorf("keystore: key %s: %w", r.ID, err)
		}
		r.CompromisedAt, r.RevokedAt = sqlstore.FromMicros(since), sqlstore.FromMicros(at)
		out = append(out, r)
	}
	return out, rows.Err()
}

// enter brings in a new key and makes a next key active.
func (s *Store) enter(ctx context.Context, p keys.Purpose, c keys.Change) error {
	if c.Activate != "" {
		if err := s.db.Claim(ctx, `UPDATE key_records SET state = 'active', activated_at = $3
			WHERE purpose = $1 AND id = $2 AND state = 'next'
			AND NOT EXISTS (SELECT 1 FROM key_records a WHERE a.purpose = $1 AND a.state = 'active')`,
			string(p), c.Activate, micros(c.At)); err != nil {
			return err
		}
		if err := s.audit(ctx, "keys.activated", p, c.Activate, c); err != nil {
			return err
		}
	}
	if c.Insert == nil {
		return nil
	}
	k := c.Insert
	public, err := json.Marshal(k.Public)
	if err != nil {
		return fmt.Errorf("keystore: key %s: %w", k.ID, err)
	}
	if err := s.db.Claim(ctx, `INSERT INTO key_records (purpose, id, state, alg, public_jwk, handle, chain,
			created_at, activated_at, retired_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING`,
		string(p), k.ID, string(k.State), string(k.Alg), string(public), k.Handle, chainText(k.Chain),
		sqlstore.Micros(k.CreatedAt), micros(k.ActivatedAt), micros(k.RetiredAt), micros(k.ExpiresAt)); err != nil {
		return err
	}
	return s.audit(ctx, "keys.created", p, k.ID, c)
}

func (s *Store) audit(ctx context.Context, kind audit.Kind, p keys.Purpose, id string, c keys.Change) error {
	return s.db.Audit(ctx, audit.Event{Kind: kind, At: c.At, Actor: c.Actor, Subject: id, Detail: map[string]string{"purpose": string(p)}})
}
