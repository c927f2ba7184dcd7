package keystore

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/keys"
)

// InsertSingle implements keys.Singles.
func (s *Store) InsertSingle(ctx context.Context, k keys.Single) error {
	public, err := json.Marshal(k.Public)
	if err != nil {
		return fmt.Errorf("keystore: single key: %w", err)
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		err := s.db.Claim(ctx, `INSERT INTO key_singles (id, class, thing, alg, public_jwk, handle, chain, created_at, destroyed_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 0) ON CONFLICT DO NOTHING`,
			k.ID, string(k.Class), k.Thing, string(k.Alg), string(public), k.Handle, chainText(k.Chain), sqlstore.Micros(k.CreatedAt))
		if err != nil {
			return lost(err)
		}
		return s.db.Audit(ctx, audit.Event{Kind: "keys.single_created", At: k.CreatedAt, Actor: "system", Subject: k.ID,
			Detail: map[string]string{"class": string(k.Class), "thing": k.Thing}})
	})
}

// Single implements keys.Singles.
func (s *Store) Single(ctx context.Context, class keys.Class, thing string) (keys.Single, error) {
	k := keys.Single{Class: class, Thing: thing}
	var alg, public, chain string
	var created, destroyed int64
	err := s.db.QueryRow(ctx, `SELECT id, alg, public_jwk, handle, chain, created_at, destroyed_at FROM key_singles WHERE class = $1 AND thing = $2`,
		string(class), thing).Scan(&k.ID, &alg, &public, &k.Handle, &chain, &created, &destroyed)
	if err != nil {
		return keys.Single{}, notFound(err)
	}
	k.Alg, k.CreatedAt, k.DestroyedAt = jose.Alg(alg), sqlstore.FromMicros(created), sqlstore.FromMicros(destroyed)
	if k.Public, err = jose.ParseJWK([]byte(public)); err != nil {
		return keys.Single{}, fmt.Errorf("keystore: single key: %w", err)
	}
	if k.Public.Thumbprint() != k.ID {
		return keys.Single{}, fmt.Errorf("keystore: single key %s: the public key is another one", k.ID)
	}
	if k.Chain, err = parseChain(chain); err != nil {
		return keys.Single{}, fmt.Errorf("keystore: single key: %w", err)
	}
	return k, nil
}

// DestroySingle implements keys.Singles.
func (s *Store) DestroySingle(ctx context.Context, class keys.Class, thing string, at time.Time) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		n, err := s.db.Exec(ctx, `UPDATE key_singles SET handle = '', destroyed_at = $3 WHERE class = $1 AND thing = $2 AND destroyed_at = 0`,
			string(class), thing, sqlstore.Micros(at))
		if err != nil {
			return err
		}
		if n == 0 {
			_, err := s.Single(ctx, class, thing) // destroyed before, or never there
			return err
		}
		return s.db.Audit(ctx, audit.Event{Kind: "keys.single_destroyed", At: at, Actor: "system", Subject: thing, Detail: map[string]string{"class": string(class)}})
	})
}
