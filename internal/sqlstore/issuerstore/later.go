package issuerstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/wallet/issuer"
)

// Defer implements issuer.Store.
func (s *Store) Defer(ctx context.Context, p issuer.Pending, ev audit.Event) error {
	keys, err := jose.MarshalJWKS(p.Keys)
	if err != nil {
		return fmt.Errorf("issuerstore: keys: %w", err)
	}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		_, err := s.db.Exec(ctx, `INSERT INTO issuer_pending (id, authority, configuration_id, licence_id, person_id, grant_id, holder_keys, created_at, expires_at, ended_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0)`, p.ID, p.Authority, p.ConfigurationID, p.LicenceID, p.PersonID, p.GrantID, string(keys),
			sqlstore.Micros(p.CreatedAt), sqlstore.Micros(p.ExpiresAt))
		if err != nil {
			return fmt.Errorf("issuerstore: deferring: %w", err)
		}
		return s.db.Audit(ctx, ev)
	})
}

// Pending implements issuer.Store.
func (s *Store) Pending(ctx context.Context, id string, at time.Time) (issuer.Pending, error) {
	p := issuer.Pending{ID: id}
	var keys string
	var created, expires int64
	err := s.db.QueryRow(ctx, `SELECT authority, configuration_id, licence_id, person_id, grant_id, holder_keys, created_at, expires_at FROM issuer_pending
		WHERE id = $1 AND ended_at = 0 AND expires_at > $2`, id, sqlstore.Micros(at)).
		Scan(&p.Authority, &p.ConfigurationID, &p.LicenceID, &p.PersonID, &p.GrantID, &keys, &created, &expires)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return p, issuer.ErrUnknownTransaction
	case err != nil:
		return p, fmt.Errorf("issuerstore: reading a deferred request: %w", err)
	}
	p.CreatedAt, p.ExpiresAt = sqlstore.FromMicros(created), sqlstore.FromMicros(expires)
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal([]byte(keys), &set); err != nil {
		return p, fmt.Errorf("issuerstore: keys of a deferred request: %w", err)
	}
	for _, raw := range set.Keys {
		k, err := jose.ParseJWK(raw)
		if err != nil {
			return p, fmt.Errorf("issuerstore: keys of a deferred request: %w", err)
		}
		p.Keys = append(p.Keys, k)
	}
	return p, nil
}

// EndPending implements issuer.Store.
func (s *Store) EndPending(ctx context.Context, id string, at time.Time) error {
	err := s.db.Claim(ctx, `UPDATE issuer_pending SET ended_at = $2 WHERE id = $1 AND ended_at = 0`, id, sqlstore.Micros(at))
	switch {
	case errors.Is(err, sqlstore.ErrLost):
		return issuer.ErrUnknownTransaction
	case err != nil:
		return fmt.Errorf("issuerstore: ending a deferred request: %w", err)
	}
	return nil
}

const releaseColumns = `licence_id, authority, type_id, state, reason, decided_by, requested_at, decided_at`

func scanRelease(row sqlstore.Row) (issuer.Release, error) {
	var r issuer.Release
	var requested, decided int64
	if err := row.Scan(&r.LicenceID, &r.Authority, &r.TypeID, &r.State, &r.Reason, &r.DecidedBy, &requested, &decided); err != nil {
		return r, fmt.Errorf("issuerstore: reading a release: %w", err)
	}
	r.RequestedAt, r.DecidedAt = sqlstore.FromMicros(requested), sqlstore.FromMicros(decided)
	return r, nil
}

// AskRelease implements issuer.Store.
func (s *Store) AskRelease(ctx context.Context, r issuer.Release) (issuer.Release, error) {
	return scanRelease(s.db.QueryRow(ctx, `INSERT INTO issuer_releases (`+releaseColumns+`) VALUES ($1, $2, $3, $4, '', '', $5, 0)
		ON CONFLICT (licence_id) DO UPDATE SET licence_id = excluded.licence_id RETURNING `+releaseColumns,
		r.LicenceID, r.Authority, r.TypeID, string(r.State), sqlstore.Micros(r.RequestedAt)))
}

// Releases implements issuer.Store.
func (s *Store) Releases(ctx context.Context, authority string, state issuer.ReleaseState, limit int) ([]issuer.Release, error) {
	rows, err := s.db.Query(ctx, `SELECT `+releaseColumns+` FROM issuer_releases WHERE authority = $1 AND state = $2 ORDER BY requested_at, licence_id LIMIT $3`,
		authority, string(state), limit)
	if err != nil {
		return nil, fmt.Errorf("issuerstore: reading releases: %w", err)
	}
	defer rows.Close()
	var out []issuer.Release
	for rows.Next() {
		r, err := scanRelease(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// Decide implements issuer.Store.
func (s *Store) Decide(ctx context.Context, r issuer.Release, ev audit.Event) (out issuer.Release, _ error) {
	err := s.db.InTx(ctx, func(ctx context.Context) (err error) {
		out, err = scanRelease(s.db.QueryRow(ctx, `INSERT INTO issuer_releases (`+releaseColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $7)
			ON CONFLICT (licence_id) DO UPDATE SET state = excluded.state, reason = excluded.reason, decided_by = excluded.decided_by, decided_at = excluded.decided_at
			RETURNING `+releaseColumns, r.LicenceID, r.Authority, r.TypeID, string(r.State), r.Reason, r.DecidedBy, sqlstore.Micros(r.DecidedAt)))
		if err != nil {
			return err
		}
		return s.db.Audit(ctx, ev)
	})
	return out, err
}
