package statusstore

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/wallet/status"
)

// Due implements status.Store.
func (s *Store) Due(ctx context.Context, now, refreshBefore, abandonedBefore time.Time) ([]status.List, error) {
	return s.lists(ctx, `SELECT `+bare+` FROM status_lists WHERE expires_at > $1 AND (
			seq = 0
			OR (token_seq = seq AND token_iat < $2)
			OR (token_seq < seq AND begun_at < $3)
			OR id IN (SELECT list_id FROM status_entries WHERE next_at <= $1))
		ORDER BY id`, sqlstore.Micros(now), sqlstore.Micros(refreshBefore), sqlstore.Micros(abandonedBefore))
}

// Begin implements status.Store.
func (s *Store) Begin(ctx context.Context, l status.List, now time.Time) (status.Publication, error) {
	p := status.Publication{ListID: l.ID, Seq: l.Seq + 1, Size: l.Size}
	err := s.db.InTx(ctx, func(ctx context.Context) error {
		err := s.db.Claim(ctx, `UPDATE status_lists SET seq = $1, begun_at = $2 WHERE id = $3 AND seq = $4`,
			p.Seq, sqlstore.Micros(now), l.ID, l.Seq)
		if errors.Is(err, sqlstore.ErrLost) {
			return status.ErrStale
		}
		if err != nil {
			return fmt.Errorf("statusstore: beginning publication: %w", err)
		}
		if p.Flipped, err = s.db.Exec(ctx, `UPDATE status_entries SET value = next_value, next_at = NULL
			WHERE list_id = $1 AND next_at <= $2`, l.ID, sqlstore.Micros(now)); err != nil {
			return fmt.Errorf("statusstore: flipping entries: %w", err)
		}
		return s.content(ctx, &p)
	})
	return p, err
}

func (s *Store) content(ctx context.Context, p *status.Publication) error {
	var last, kept sql.NullInt64
	err := s.db.QueryRow(ctx, `SELECT (SELECT iat FROM status_publications WHERE list_id = $1 ORDER BY seq DESC LIMIT 1),
		(SELECT iat FROM status_history WHERE list_id = $1 ORDER BY seq DESC LIMIT 1)`, p.ListID).Scan(&last, &kept)
	if err != nil {
		return fmt.Errorf("statusstore: reading publications: %w", err)
	}
	if last.Valid {
		p.LastIssuedAt = sqlstore.FromMicros(last.Int64)
	}
	if kept.Valid {
		p.LastKept = sqlstore.FromMicros(kept.Int64)
	}
	rows, err := s.db.Query(ctx, `SELECT idx, value FROM status_entries WHERE list_id = $1 AND value <> 0 ORDER BY idx`, p.ListID)
	if err != nil {
		return fmt.Errorf("statusstore: reading values: %w", err)
	}
	defer rows.Close()
	p.Values = nil
	for rows.Next() {
		var v status.Value
		if err := rows.Scan(&v.Index, &v.Value); err != nil {
			return fmt.Errorf("statusstore: reading values: %w", err)
		}
		p.Values = append(p.Values, v)
	}
	return rows.Err()
}

// Record implements status.Store.
func (s *Store) Record(ctx context.Context, p status.Publication, issuedAt, expires time.Time, digest string) error {
	_, err := s.db.Exec(ctx, `DELETE FROM status_publications WHERE list_id = $1 AND exp < $2`, p.ListID, sqlstore.Micros(issuedAt))
	if err == nil {
		_, err = s.db.Exec(ctx, `INSERT INTO status_publications (list_id, seq, iat, exp, nonzero, digest) VALUES ($1, $2, $3, $4, $5, $6)`,
			p.ListID, p.Seq, sqlstore.Micros(issuedAt), sqlstore.Micros(expires), len(p.Values), digest)
	}
	if err != nil {
		return fmt.Errorf("statusstore: recording publication: %w", err)
	}
	return nil
}

// Finish implements status.Store.
func (s *Store) Finish(ctx context.Context, p status.Signed) error {
	cwt := base64.RawStdEncoding.EncodeToString(p.CWT)
	return s.db.InTx(ctx, func(ctx context.Context) error {
		err := s.db.Claim(ctx, `UPDATE status_lists SET token = $1, token_cwt = $2, token_seq = $3, token_iat = $4, token_exp = $5
			WHERE id = $6 AND token_seq < $3`, p.JWT, cwt, p.Seq, sqlstore.Micros(p.IssuedAt), sqlstore.Micros(p.Expires), p.ListID)
		if errors.Is(err, sqlstore.ErrLost) {
			return status.ErrStale
		}
		if err == nil && p.Keep {
			_, err = s.db.Exec(ctx, `INSERT INTO status_history (list_id, seq, iat, exp, token, token_cwt) VALUES ($1, $2, $3, $4, $5, $6)
				ON CONFLICT DO NOTHING`, p.ListID, p.Seq, sqlstore.Micros(p.IssuedAt), sqlstore.Micros(p.Expires), p.JWT, cwt)
		}
		if err != nil {
			return fmt.Errorf("statusstore: storing token: %w", err)
		}
		return nil
	})
}

// Past implements status.Store.
func (s *Store) Past(ctx context.Context, id string, at time.Time) (status.Signed, error) {
	p := status.Signed{ListID: id}
	var iat, exp int64
	var cwt string
	err := s.db.QueryRow(ctx, `SELECT seq, iat, exp, token, token_cwt FROM status_history WHERE list_id = $1 AND iat <= $2
		ORDER BY iat DESC, seq DESC LIMIT 1`, id, sqlstore.Micros(at)).Scan(&p.Seq, &iat, &exp, &p.JWT, &cwt)
	if errors.Is(err, sql.ErrNoRows) {
		return p, status.ErrNotFound
	}
	if err == nil {
		p.IssuedAt, p.Expires = sqlstore.FromMicros(iat), sqlstore.FromMicros(exp)
		p.CWT, err = base64.RawStdEncoding.DecodeString(cwt)
	}
	if err != nil {
		return p, fmt.Errorf("statusstore: reading history: %w", err)
	}
	return p, nil
}

// ForgetHistory implements status.Store.
func (s *Store) ForgetHistory(ctx context.Context, listsBefore, tokensBefore time.Time, limit int) (int64, error) {
	n, err := s.db.Exec(ctx, `DELETE FROM status_history WHERE (list_id, seq) IN (SELECT h.list_id, h.seq FROM status_history h
		JOIN status_lists l ON l.id = h.list_id WHERE l.expires_at < $1 OR h.exp < $2 LIMIT $3)`,
		sqlstore.Micros(listsBefore), sqlstore.Micros(tokensBefore), limit)
	if err != nil {
		return 0, fmt.Errorf("statusstore: forgetting history: %w", err)
	}
	return n, nil
}
