package issuerstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/wallet/issuer"
)

// Record implements issuer.Store. Only the count of the grant is a decision; all else goes with it or with the commit, whatever the number of copies.
func (s *Store) Record(ctx context.Context, i issuer.Issued, l issuer.Limit, ev audit.Event) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		now := sqlstore.Micros(i.RecordedAt)
		since := sqlstore.Micros(i.RecordedAt.Add(-l.Within))
		err := s.db.Claim(ctx, `INSERT INTO issuer_grants (id, issued, updated_at, began_at) VALUES ($1, 1, $2, $2)
			ON CONFLICT (id) DO UPDATE SET issued = CASE WHEN issuer_grants.began_at <= $4 THEN 1 ELSE issuer_grants.issued + 1 END,
				began_at = CASE WHEN issuer_grants.began_at <= $4 THEN excluded.began_at ELSE issuer_grants.began_at END, updated_at = excluded.updated_at
			WHERE issuer_grants.issued < $3 OR issuer_grants.began_at <= $4`, i.GrantID, now, l.Responses, since)
		switch {
		case errors.Is(err, sqlstore.ErrLost):
			return issuer.ErrGrantExhausted
		case err != nil:
			return fmt.Errorf("issuerstore: counting a grant: %w", err)
		}
		if err := s.db.Later(ctx, `UPDATE issuer_sets SET superseded_at = $1 WHERE licence_id = $2 AND configuration_id = $3 AND instance = $4
			AND superseded_at IS NULL AND expires_at > $1`, now, i.LicenceID, i.ConfigurationID, i.Instance); err != nil {
			return fmt.Errorf("issuerstore: superseding: %w", err)
		}
		if err := s.db.Later(ctx, `INSERT INTO issuer_sets (id, authority, configuration_id, licence_id, grant_id, instance, copies, event, changed_at,
			recorded_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, '', 0, $8, $9)`, i.ID, i.Authority, i.ConfigurationID, i.LicenceID, i.GrantID, i.Instance,
			len(i.Copies), now, sqlstore.Micros(i.ExpiresAt)); err != nil {
			return fmt.Errorf("issuerstore: recording a response: %w", err)
		}
		query, args := copies(i)
		if err := s.db.Later(ctx, query, args...); err != nil {
			return fmt.Errorf("issuerstore: recording issuances: %w", err)
		}
		return s.db.Audit(ctx, ev)
	})
}

// copies is the one statement that records all copies of a response.
func copies(i issuer.Issued) (string, []any) {
	var q strings.Builder
	q.WriteString(`INSERT INTO issuer_issuances (authority, configuration_id, licence_id, person_id, offer_id, grant_id, client_id, signer_key, issued_at, expires_at,
		recorded_at, set_id, id, type_id, holder_key, payload_hash, status_uri, status_index) VALUES `)
	args := []any{i.Authority, i.ConfigurationID, i.LicenceID, i.PersonID, i.OfferID, i.GrantID, i.ClientID, i.SignerKey,
		sqlstore.Micros(i.IssuedAt), sqlstore.Micros(i.ExpiresAt), sqlstore.Micros(i.RecordedAt), i.ID}
	for n, c := range i.Copies {
		if n > 0 {
			q.WriteByte(',')
		}
		b := len(args)
		fmt.Fprintf(&q, "($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $%d, $%d, $%d, $%d, $%d, $%d)", b+1, b+2, b+3, b+4, b+5, b+6)
		args = append(args, c.ID, c.TypeID, c.HolderKey, c.PayloadHash, c.Status.URI, c.Status.Index)
	}
	return q.String(), args
}

// Notice implements issuer.Store. One statement finds, compares and writes: who asks for another's id waits as long as who asks for none.
func (s *Store) Notice(ctx context.Context, id, authority, grantID, event string, at time.Time, ev audit.Event) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		var changed int64
		err := s.db.QueryRow(ctx, `UPDATE issuer_sets SET changed_at = CASE WHEN event = $4 THEN changed_at ELSE $5 END, event = $4
			WHERE id = $1 AND authority = $2 AND grant_id = $3 RETURNING changed_at, licence_id`, id, authority, grantID, event, sqlstore.Micros(at)).Scan(&changed, &ev.Subject)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return issuer.ErrUnknownNotification
		case err != nil:
			return fmt.Errorf("issuerstore: writing a notice: %w", err)
		case changed != sqlstore.Micros(at):
			return nil // said before
		}
		return s.db.Audit(ctx, ev)
	})
}

// Superseded implements issuer.Store.
func (s *Store) Superseded(ctx context.Context, before time.Time, limit int) (map[string][]issuer.StatusRef, error) {
	rows, err := s.db.Query(ctx, `SELECT s.id, i.status_uri, i.status_index FROM
		(SELECT id FROM issuer_sets WHERE superseded_at < $1 AND retired_at IS NULL ORDER BY superseded_at LIMIT $2) s
		JOIN issuer_issuances i ON i.set_id = s.id`, sqlstore.Micros(before), limit)
	if err != nil {
		return nil, fmt.Errorf("issuerstore: reading superseded copies: %w", err)
	}
	defer rows.Close()
	out := map[string][]issuer.StatusRef{}
	for rows.Next() {
		var set string
		var ref issuer.StatusRef
		if err := rows.Scan(&set, &ref.URI, &ref.Index); err != nil {
			return nil, fmt.Errorf("issuerstore: reading superseded copies: %w", err)
		}
		out[set] = append(out[set], ref)
	}
	return out, rows.Err()
}

// Retired implements issuer.Store.
func (s *Store) Retired(ctx context.Context, id string, at time.Time) error {
	if _, err := s.db.Exec(ctx, `UPDATE issuer_sets SET retired_at = $2 WHERE id = $1 AND retired_at IS NULL`, id, sqlstore.Micros(at)); err != nil {
		return fmt.Errorf("issuerstore: retiring copies: %w", err)
	}
	return nil
}
