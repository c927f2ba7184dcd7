package esealstore

import (
	"context"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"time"

	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/signing/eseal"
)

const requestColumns = `id, seal_id, maker, owner, operation, content, content_hash, organisation, proposed_by, proposed_at, expires_at,
	decision, decided_by, decided_at`

// Propose implements eseal.Store.
func (s *Store) Propose(ctx context.Context, r eseal.Request) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		if _, err := s.db.Exec(ctx, `UPDATE seal_requests SET decision = 'expired', decided_at = $1
			WHERE proposed_by = $2 AND content_hash = $3 AND decision = '' AND expires_at <= $1`,
			sqlstore.Micros(r.ProposedAt), r.ProposedBy, r.ContentHash); err != nil {
			return fmt.Errorf("esealstore: proposing: %w", err)
		}
		err := s.db.Claim(ctx, `INSERT INTO seal_requests (`+requestColumns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, '', '', 0) ON CONFLICT DO NOTHING`,
			r.ID, r.SealID, r.Maker, r.Owner, r.Operation, r.Content, r.ContentHash, r.Organisation, r.ProposedBy,
			sqlstore.Micros(r.ProposedAt), sqlstore.Micros(r.ExpiresAt))
		if errors.Is(err, sqlstore.ErrLost) {
			return eseal.ErrExists
		}
		if err != nil {
			return fmt.Errorf("esealstore: proposing: %w", err)
		}
		return nil
	})
}

func scanRequest(from row) (eseal.Request, error) {
	var r eseal.Request
	var proposed, expires, decided int64
	err := from.Scan(&r.ID, &r.SealID, &r.Maker, &r.Owner, &r.Operation, &r.Content, &r.ContentHash, &r.Organisation, &r.ProposedBy, &proposed, &expires,
		&r.Decision, &r.DecidedBy, &decided)
	if errors.Is(err, sql.ErrNoRows) {
		return r, eseal.ErrNoRequest
	}
	if err != nil {
		return r, fmt.Errorf("esealstore: reading request: %w", err)
	}
	r.ProposedAt, r.ExpiresAt = sqlstore.FromMicros(proposed), sqlstore.FromMicros(expires)
	if decided > 0 {
		r.DecidedAt = sqlstore.FromMicros(decided)
	}
	return r, nil
}

// Open implements eseal.Store.
func (s *Store) Open(ctx context.Context, proposedBy, contentHash string) (eseal.Request, error) {
	return scanRequest(s.db.QueryRow(ctx, `SELECT `+requestColumns+` FROM seal_requests WHERE proposed_by = $1 AND content_hash = $2 AND decision = ''`,
		proposedBy, contentHash))
}

// Request implements eseal.Store.
func (s *Store) Request(ctx context.Context, id string) (eseal.Request, error) {
	return scanRequest(s.db.QueryRow(ctx, `SELECT `+requestColumns+` FROM seal_requests WHERE id = $1`, id))
}

// Requests implements eseal.Store.
func (s *Store) Requests(ctx context.Context, organisation string, at time.Time, limit int) ([]eseal.Request, error) {
	rows, err := s.db.Query(ctx, `SELECT `+requestColumns+` FROM seal_requests
		WHERE (maker = $1 OR owner = $1 AND operation <> 'issue') AND decision = '' AND expires_at > $2 ORDER BY proposed_at, id LIMIT $3`, organisation, sqlstore.Micros(at), limit)
	if err != nil {
		return nil, fmt.Errorf("esealstore: listing requests: %w", err)
	}
	defer rows.Close()
	var out []eseal.Request
	for rows.Next() {
		r, err := scanRequest(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, rows.Err()
}

// Decide implements eseal.Store.
func (s *Store) Decide(ctx context.Context, id, decision, by string, at time.Time) error {
	err := s.db.Claim(ctx, `UPDATE seal_requests SET decision = $1, decided_by = $2, decided_at = $3
		WHERE id = $4 AND decision = '' AND expires_at > $3 AND proposed_by <> $2`, decision, by, sqlstore.Micros(at), id)
	if errors.Is(err, sqlstore.ErrLost) {
		return eseal.ErrDecided
	}
	if err != nil {
		return fmt.Errorf("esealstore: deciding: %w", err)
	}
	return nil
}

const useColumns = `organisation, request_id, seal_id, content_hash, digest, document_kind, file_name, media_type, protected, client_id, used_at`

// InsertUse implements eseal.Store.
func (s *Store) InsertUse(ctx context.Context, u eseal.Use) error {
	err := s.db.Claim(ctx, `INSERT INTO seal_uses (`+useColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) ON CONFLICT DO NOTHING`,
		u.Organisation, u.RequestID, u.SealID, u.ContentHash, u.Digest, u.DocumentKind, u.FileName, u.MediaType, u.Protected, u.ClientID, sqlstore.Micros(u.UsedAt))
	if errors.Is(err, sqlstore.ErrLost) {
		return eseal.ErrExists
	}
	if err != nil {
		return fmt.Errorf("esealstore: recording use: %w", err)
	}
	return nil
}

func scanUse(from row) (eseal.Use, error) {
	var u eseal.Use
	var used int64
	err := from.Scan(&u.Organisation, &u.RequestID, &u.SealID, &u.ContentHash, &u.Digest, &u.DocumentKind, &u.FileName, &u.MediaType, &u.Protected, &u.ClientID, &used)
	if errors.Is(err, sql.ErrNoRows) {
		return u, eseal.ErrNotFound
	}
	if err != nil {
		return u, fmt.Errorf("esealstore: reading use: %w", err)
	}
	u.UsedAt = sqlstore.FromMicros(used)
	return u, nil
}

// UseOf implements eseal.Store.
func (s *Store) UseOf(ctx context.Context, organisation, requestID string) (eseal.Use, error) {
	return scanUse(s.db.QueryRow(ctx, `SELECT `+useColumns+` FROM seal_uses WHERE organisation = $1 AND request_id = $2`, organisation, requestID))
}

// LastUse implements eseal.Store.
func (s *Store) LastUse(ctx context.Context, sealID string) (time.Time, error) {
	var last int64
	if err := s.db.QueryRow(ctx, `SELECT COALESCE(MAX(used_at), 0) FROM seal_uses WHERE seal_id = $1`, sealID).Scan(&last); err != nil {
		return time.Time{}, fmt.Errorf("esealstore: last use: %w", err)
	}
	if last == 0 {
		return time.Time{}, nil
	}
	return sqlstore.FromMicros(last), nil
}

// Uses implements eseal.Store.
func (s *Store) Uses(ctx context.Context, sealID string, limit int) ([]eseal.Use, error) {
	rows, err := s.db.Query(ctx, `SELECT `+useColumns+` FROM seal_uses WHERE seal_id = $1 ORDER BY used_at DESC, request_id LIMIT $2`, sealID, limit)
	if err != nil {
		return nil, fmt.Errorf("esealstore: listing uses: %w", err)
	}
	defer rows.Close()
	var out []eseal.Use
	for rows.Next() {
		u, err := scanUse(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, u)
	}
	return out, rows.Err()
}

// PutPicture implements eseal.Store.
func (s *Store) PutPicture(ctx context.Context, p eseal.StoredPicture) error {
	if _, err := s.db.Exec(ctx, `INSERT INTO seal_pictures (seal_id, media_type, sha256, body) VALUES ($1, $2, $3, $4)`,
		p.SealID, p.MediaType, p.SHA256, base64.StdEncoding.EncodeToString(p.Body)); err != nil {
		return fmt.Errorf("esealstore: storing picture: %w", err)
	}
	return nil
}

// Picture implements eseal.Store.
func (s *Store) Picture(ctx context.Context, sealID string) (eseal.StoredPicture, error) {
	p := eseal.StoredPicture{SealID: sealID}
	var body string
	err := s.db.QueryRow(ctx, `SELECT media_type, sha256, body FROM seal_pictures WHERE seal_id = $1`, sealID).Scan(&p.MediaType, &p.SHA256, &body)
	if errors.Is(err, sql.ErrNoRows) {
		return p, eseal.ErrNotFound
	}
	if err == nil {
		p.Body, err = base64.StdEncoding.DecodeString(body)
	}
	if err != nil {
		return p, fmt.Errorf("esealstore: reading picture: %w", err)
	}
	return p, nil
}
