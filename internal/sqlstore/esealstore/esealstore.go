// Package esealstore keeps the register of seals in SQL.
package esealstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/signing/eseal"
)

// Store implements eseal.Store.
type Store struct{ db *sqlstore.DB }

var _ eseal.Store = (*Store)(nil)

// New returns a Store on a migrated database.
func New(db *sqlstore.DB) *Store { return &Store{db: db} }

const columns = `id, maker, owner, owner_name, kind, name, document_kinds, valid_from, valid_to, payload, payload_hash, credential,
	state, state_since, seq, created_at, updated_at`

// Insert implements eseal.Store.
func (s *Store) Insert(ctx context.Context, x eseal.Seal, first eseal.Change) error {
	kinds, err := json.Marshal(x.DocumentKinds)
	if err != nil {
		return fmt.Errorf("esealstore: document kinds: %w", err)
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		err := s.db.Claim(ctx, `INSERT INTO seals (`+columns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) ON CONFLICT DO NOTHING`,
			x.ID, x.Maker, x.Owner, x.OwnerName, x.Kind, x.Name, string(kinds), x.ValidFrom, x.ValidTo, x.Payload, x.PayloadHash, x.Credential,
			string(x.State), sqlstore.Micros(x.StateSince), x.Seq, sqlstore.Micros(x.CreatedAt), sqlstore.Micros(x.UpdatedAt))
		if errors.Is(err, sqlstore.ErrLost) {
			return eseal.ErrExists
		}
		if err != nil {
			return fmt.Errorf("esealstore: inserting seal: %w", err)
		}
		return s.changed(ctx, x.Maker, first)
	})
}

// changed writes the history and counts the change.
func (s *Store) changed(ctx context.Context, maker string, c eseal.Change) error {
	if _, err := s.db.Exec(ctx, `INSERT INTO seal_changes
		(seal_id, seq, operation, from_state, to_state, reason, effective_at, recorded_at, proposed_by, approved_by)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		c.SealID, c.Seq, c.Operation, string(c.From), string(c.To), c.Reason, sqlstore.Micros(c.EffectiveAt), sqlstore.Micros(c.RecordedAt),
		c.ProposedBy, c.ApprovedBy); err != nil {
		return fmt.Errorf("esealstore: writing history: %w", err)
	}
	if _, err := s.db.Exec(ctx, `INSERT INTO seal_versions (maker, version) VALUES ($1, 1)
		ON CONFLICT (maker) DO UPDATE SET version = seal_versions.version + 1`, maker); err != nil {
		return fmt.Errorf("esealstore: counting changes: %w", err)
	}
	return nil
}

type row interface{ Scan(dest ...any) error }

func scan(from row) (eseal.Seal, error) {
	var x eseal.Seal
	var kinds, state string
	var since, created, updated int64
	err := from.Scan(&x.ID, &x.Maker, &x.Owner, &x.OwnerName, &x.Kind, &x.Name, &kinds, &x.ValidFrom, &x.ValidTo, &x.Payload, &x.PayloadHash,
		&x.Credential, &state, &since, &x.Seq, &created, &updated)
	if errors.Is(err, sql.ErrNoRows) {
		return x, eseal.ErrNotFound
	}
	if err == nil {
		err = json.Unmarshal([]byte(kinds), &x.DocumentKinds)
	}
	if err != nil {
		return x, fmt.Errorf("esealstore: reading seal: %w", err)
	}
	x.State = eseal.State(state)
	x.StateSince, x.CreatedAt, x.UpdatedAt = sqlstore.FromMicros(since), sqlstore.FromMicros(created), sqlstore.FromMicros(updated)
	return x, nil
}

// Get implements eseal.Store.
func (s *Store) Get(ctx context.Context, id string) (eseal.Seal, error) {
	return scan(s.db.QueryRow(ctx, `SELECT `+columns+` FROM seals WHERE id = $1`, id))
}

// List implements eseal.Store.
func (s *Store) List(ctx context.Context, f eseal.Filter) ([]eseal.Seal, error) {
	rows, err := s.db.Query(ctx, `SELECT `+columns+` FROM seals WHERE (owner = $1 OR maker = $1) AND id > $2 ORDER BY id LIMIT $3`,
		f.Organisation, f.After, f.Limit)
	if err != nil {
		return nil, fmt.Errorf("esealstore: listing seals: %w", err)
	}
	defer rows.Close()
	var out []eseal.Seal
	for rows.Next() {
		x, err := scan(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, rows.Err()
}

// Lock implements eseal.Store. The row lock of an UPDATE that changes nothing is what makes others wait.
func (s *Store) Lock(ctx context.Context, id string, seq int64) error {
	return s.stale(s.db.Claim(ctx, `UPDATE seals SET seq = seq WHERE id = $1 AND seq = $2`, id, seq))
}

func (s *Store) stale(err error) error {
	if errors.Is(err, sqlstore.ErrLost) {
		return eseal.ErrStale
	}
	if err != nil {
		return fmt.Errorf("esealstore: changing seal: %w", err)
	}
	return nil
}

// SetState implements eseal.Store.
func (s *Store) SetState(ctx context.Context, c eseal.Change) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		err := s.stale(s.db.Claim(ctx, `UPDATE seals SET state = $1, state_since = $2, updated_at = $3, seq = $4 WHERE id = $5 AND state = $6 AND seq = $7`,
			string(c.To), sqlstore.Micros(c.EffectiveAt), sqlstore.Micros(c.RecordedAt), c.Seq, c.SealID, string(c.From), c.Seq-1))
		if err != nil {
			return err
		}
		x, err := s.Get(ctx, c.SealID)
		if err != nil {
			return err
		}
		return s.changed(ctx, x.Maker, c)
	})
}

// SetCredential implements eseal.Store.
func (s *Store) SetCredential(ctx context.Context, id, credential string) error {
	if _, err := s.db.Exec(ctx, `UPDATE seals SET credential = $1 WHERE id = $2 AND credential = ''`, credential, id); err != nil {
		return fmt.Errorf("esealstore: storing credential: %w", err)
	}
	return nil
}

const changeColumns = `seal_id, seq, operation, from_state, to_state, reason, effective_at, recorded_at, proposed_by, approved_by`

// History implements eseal.Store.
func (s *Store) History(ctx context.Context, id string) ([]eseal.Change, error) {
	return s.changes(ctx, `SELECT `+changeColumns+` FROM seal_changes WHERE seal_id = $1 ORDER BY seq`, id)
}

func (s *Store) changes(ctx context.Context, query string, args ...any) ([]eseal.Change, error) {
	rows, err := s.db.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("esealstore: reading history: %w", err)
	}
	defer rows.Close()
	var out []eseal.Change
	for rows.Next() {
		var c eseal.Change
		var from, to string
		var effective, recorded int64
		if err := rows.Scan(&c.SealID, &c.Seq, &c.Operation, &from, &to, &c.Reason, &effective, &recorded, &c.ProposedBy, &c.ApprovedBy); err != nil {
			return nil, fmt.Errorf("esealstore: reading history: %w", err)
		}
		c.From, c.To = eseal.State(from), eseal.State(to)
		c.EffectiveAt, c.RecordedAt = sqlstore.FromMicros(effective), sqlstore.FromMicros(recorded)
		out = append(out, c)
	}
	return out, rows.Err()
}

// Hold implements eseal.Store.
func (s *Store) Hold(ctx context.Context, id string, seq int64) error {
	err := s.db.Claim(ctx, `UPDATE seals SET seq = seq WHERE id = $1 AND state = $2 AND seq = $3`, id, string(eseal.Active), seq)
	if errors.Is(err, sqlstore.ErrLost) {
		x, err := s.Get(ctx, id)
		switch {
		case err != nil:
			return err
		case x.State == eseal.Active:
			return eseal.ErrStale
		}
		return eseal.ErrNotActive
	}
	if err != nil {
		return fmt.Errorf("esealstore: holding seal: %w", err)
	}
	return nil
}

// Version implements eseal.Store.
func (s *Store) Version(ctx context.Context, maker string) (int64, error) {
	var v int64
	err := s.db.QueryRow(ctx, `SELECT version FROM seal_versions WHERE maker = $1`, maker).Scan(&v)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("esealstore: counting changes: %w", err)
	}
	return v, nil
}

// AllOf implements eseal.Store.
func (s *Store) AllOf(ctx context.Context, maker string) ([]eseal.SealHistory, error) {
	var out []eseal.SealHistory
	err := s.db.InTx(ctx, func(ctx context.Context) (err error) {
		out, err = s.allOf(ctx, maker)
		return err
	})
	return out, err
}

func (s *Store) allOf(ctx context.Context, maker string) ([]eseal.SealHistory, error) {
	// The history first: a seal that comes between the two queries is missing in out, and the version says so next time.
	all, err := s.changes(ctx, `SELECT `+changeColumns+` FROM seal_changes WHERE seal_id IN (SELECT id FROM seals WHERE maker = $1) ORDER BY seal_id, seq`, maker)
	if err != nil {
		return nil, err
	}
	byID := map[string][]eseal.Change{}
	for _, c := range all {
		byID[c.SealID] = append(byID[c.SealID], c)
	}
	rows, err := s.db.Query(ctx, `SELECT id, payload_hash FROM seals WHERE maker = $1 ORDER BY id`, maker)
	if err != nil {
		return nil, fmt.Errorf("esealstore: reading seals of a maker: %w", err)
	}
	defer rows.Close()
	var out []eseal.SealHistory
	for rows.Next() {
		var h eseal.SealHistory
		if err := rows.Scan(&h.ID, &h.PayloadHash); err != nil {
			return nil, fmt.Errorf("esealstore: reading seals of a maker: %w", err)
		}
		if h.Changes = byID[h.ID]; len(h.Changes) > 0 {
			out = append(out, h)
		}
	}
	return out, rows.Err()
}
