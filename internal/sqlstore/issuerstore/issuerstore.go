// Package issuerstore keeps credential offers and the records of issued credentials in SQL.
package issuerstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/wallet/issuer"
)

// Store implements issuer.Store. It is safe for concurrent use by many nodes.
type Store struct{ db *sqlstore.DB }

var _ issuer.Store = (*Store)(nil)

// New returns a Store on a migrated database.
func New(db *sqlstore.DB) *Store { return &Store{db: db} }

const nonceKind = "issuer-nonce"

func orNull(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }

// CreateOffer implements issuer.Store. The limit is a quota, not a promise: two offers made at the same moment may both pass.
func (s *Store) CreateOffer(ctx context.Context, o issuer.Offer, maxOpen int, ev audit.Event) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		if o.PersonID != "" {
			var open int
			err := s.db.QueryRow(ctx, `SELECT COUNT(*) FROM issuer_offers
				WHERE licence_id = $1 AND person_id = $2 AND redeemed_at = 0 AND expires_at > $3`,
				o.LicenceID, o.PersonID, sqlstore.Micros(o.CreatedAt)).Scan(&open)
			if err != nil {
				return fmt.Errorf("issuerstore: counting offers: %w", err)
			}
			if open >= maxOpen {
				return issuer.ErrTooManyOffers
			}
		}
		_, err := s.db.Exec(ctx, `INSERT INTO issuer_offers (id, authority, type_id, licence_id, person_id, acr, made_by, code_hash, tx_mac,
			state_hash, tries, created_at, expires_at, redeemed_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 0, $11, $12, 0)`,
			o.ID, o.Authority, o.TypeID, o.LicenceID, o.PersonID, o.ACR, o.MadeBy, orNull(o.CodeHash), o.TxMAC,
			orNull(o.StateHash), sqlstore.Micros(o.CreatedAt), sqlstore.Micros(o.ExpiresAt))
		if err != nil {
			return fmt.Errorf("issuerstore: writing an offer: %w", err)
		}
		return s.db.Audit(ctx, ev)
	})
}

const selectOffer = `SELECT id, authority, type_id, licence_id, person_id, acr, made_by, code_hash, tx_mac, state_hash, tries,
	created_at, expires_at, redeemed_at FROM issuer_offers `

// Offer implements issuer.Store.
func (s *Store) Offer(ctx context.Context, id string) (issuer.Offer, error) {
	return scanOffer(s.db.QueryRow(ctx, selectOffer+`WHERE id = $1`, id))
}

// OfferByCode implements issuer.Store.
func (s *Store) OfferByCode(ctx context.Context, codeHash string) (issuer.Offer, error) {
	return scanOffer(s.db.QueryRow(ctx, selectOffer+`WHERE code_hash = $1`, codeHash))
}

// OfferByState implements issuer.Store.
func (s *Store) OfferByState(ctx context.Context, stateHash string) (issuer.Offer, error) {
	return scanOffer(s.db.QueryRow(ctx, selectOffer+`WHERE state_hash = $1`, stateHash))
}

func scanOffer(row sqlstore.Row) (issuer.Offer, error) {
	var o issuer.Offer
	var code, state sql.NullString
	var created, expires, redeemed int64
	err := row.Scan(&o.ID, &o.Authority, &o.TypeID, &o.LicenceID, &o.PersonID, &o.ACR, &o.MadeBy, &code, &o.TxMAC, &state, &o.Tries,
		&created, &expires, &redeemed)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return issuer.Offer{}, issuer.ErrUnknownOffer
	case err != nil:
		return issuer.Offer{}, fmt.Errorf("issuerstore: reading an offer: %w", err)
	}
	o.CodeHash, o.StateHash = code.String, state.String
	o.CreatedAt, o.ExpiresAt, o.RedeemedAt = sqlstore.FromMicros(created), sqlstore.FromMicros(expires), sqlstore.FromMicros(redeemed)
	return o, nil
}

// Try implements issuer.Store. Comparing and counting are one statement: with a comparison first, twenty guesses that arrive
// together would all be compared before the first is counted.
func (s *Store) Try(ctx context.Context, id, txMAC string, maxTries int, at time.Time) (right bool, tries int, err error) {
	err = s.db.InTx(ctx, func(ctx context.Context) error {
		var licence, person string
		var redeemed int64
		err := s.db.QueryRow(ctx, `UPDATE issuer_offers
			SET tries = tries + 1, redeemed_at = CASE WHEN tx_mac = $2 THEN $3 ELSE redeemed_at END
			WHERE id = $1 AND redeemed_at = 0 AND tries < $4 AND expires_at > $5
			RETURNING tries, redeemed_at, licence_id, person_id`,
			id, txMAC, sqlstore.Micros(at), maxTries, sqlstore.Micros(at)).Scan(&tries, &redeemed, &licence, &person)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			return issuer.ErrOfferEnded
		case err != nil:
			return fmt.Errorf("issuerstore: redeeming an offer: %w", err)
		}
		right = redeemed != 0
		ev := audit.Event{Kind: "issuer.offer_redeemed", Actor: "offer:" + id, Subject: licence}
		if !right {
			ev.Kind, ev.Detail = "issuer.tx_code_wrong", map[string]string{"try": fmt.Sprint(tries)}
			if tries >= maxTries {
				ev.Kind = "issuer.offer_ended"
			}
		}
		return s.db.Audit(ctx, ev)
	})
	return right, tries, err
}

// ClaimNonce implements issuer.Store.
func (s *Store) ClaimNonce(ctx context.Context, nonce string, expires time.Time) error {
	err := s.db.ClaimOnce(ctx, nonceKind, nonce, expires)
	switch {
	case errors.Is(err, sqlstore.ErrLost):
		return issuer.ErrNonceUsed
	case err != nil:
		return fmt.Errorf("issuerstore: claiming a nonce: %w", err)
	}
	return nil
}

// Audit implements issuer.Store.
func (s *Store) Audit(ctx context.Context, ev audit.Event) error { return s.db.Audit(ctx, ev) }

// DeleteExpired implements issuer.Store. Grant counters outlive every token of their grant by far: they go two days later.
func (s *Store) DeleteExpired(ctx context.Context, before time.Time, limit int) (int64, error) {
	offers, err := s.deleteOffers(ctx, before, limit)
	if err != nil {
		return 0, fmt.Errorf("issuerstore: deleting offers: %w", err)
	}
	grants, err := s.db.Exec(ctx, `DELETE FROM issuer_grants WHERE id IN
		(SELECT id FROM issuer_grants WHERE updated_at < $1 ORDER BY updated_at LIMIT $2)`, sqlstore.Micros(before.Add(-48*time.Hour)), limit)
	if err != nil {
		return offers, fmt.Errorf("issuerstore: deleting grants: %w", err)
	}
	pending, err := s.db.Exec(ctx, `DELETE FROM issuer_pending WHERE id IN
		(SELECT id FROM issuer_pending WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)`, sqlstore.Micros(before), limit)
	if err != nil {
		return offers + grants, fmt.Errorf("issuerstore: deleting deferred requests: %w", err)
	}
	return offers + grants + pending, nil
}
