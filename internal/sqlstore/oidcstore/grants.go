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
	"github.com/hufu-id/hufu/oidc/grant"
	"github.com/hufu-id/hufu/oidc/logout"
)

// terms is what of a grant is read whole and never searched for.
type terms struct {
	OfferID       string            `json:"offer,omitempty"`
	Scopes        []string          `json:"scopes,omitempty"`
	Audience      []string          `json:"aud,omitempty"`
	Claims        []string          `json:"claims,omitempty"`
	IDTokenClaims []string          `json:"id_claims,omitempty"`
	Resources     []string          `json:"resources,omitempty"`
	Details       []json.RawMessage `json:"details,omitempty"`
	ACR           string            `json:"acr,omitempty"`
	AMR           []string          `json:"amr,omitempty"`
	AuthTime      int64             `json:"auth_time,omitempty"` // Unix microseconds
	Province      string            `json:"province,omitempty"`
	SessionID     string            `json:"sid,omitempty"`
	SessionEnds   int64             `json:"session_ends,omitempty"` // Unix microseconds
	Nonce         string            `json:"nonce,omitempty"`
	IssuerState   string            `json:"issuer_state,omitempty"`
	RedirectURI   string            `json:"redirect_uri,omitempty"`
	Challenge     string            `json:"challenge,omitempty"`
	JKT           string            `json:"jkt,omitempty"`
	Instance      string            `json:"instance,omitempty"`
	RefreshIdle   int64             `json:"refresh_idle,omitempty"` // microseconds
	RefreshEnds   int64             `json:"refresh_ends,omitempty"` // Unix microseconds
}

// PutGrant writes a new grant.
func (s *Store) PutGrant(ctx context.Context, g grant.Grant, ev audit.Event) error {
	t := terms{OfferID: g.OfferID, Scopes: g.Scopes, Audience: g.Audience, Claims: g.Claims, IDTokenClaims: g.IDTokenClaims, Resources: g.Resources,
		Details: g.Details, ACR: g.ACR, AMR: g.AMR, Province: g.Province, SessionID: g.SessionID, Nonce: g.Nonce, IssuerState: g.IssuerState,
		RedirectURI: g.RedirectURI, Challenge: g.Challenge, JKT: g.JKT, Instance: g.Instance}
	if !g.AuthTime.IsZero() {
		t.AuthTime = sqlstore.Micros(g.AuthTime)
	}
	if !g.SessionEnds.IsZero() {
		t.SessionEnds = sqlstore.Micros(g.SessionEnds)
	}
	if g.RefreshIdle != 0 {
		t.RefreshIdle, t.RefreshEnds = g.RefreshIdle.Microseconds(), sqlstore.Micros(g.RefreshEnds)
	}
	b, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("oidcstore: grant: %w", err)
	}
	code := sql.NullString{String: g.CodeSignature, Valid: g.CodeSignature != ""}
	return s.db.InTx(ctx, func(ctx context.Context) error {
		err := s.db.Later(ctx, `INSERT INTO oidc_grants (id, type, client_id, person_id, subject, terms, code, code_state, code_expires,
			created_at, expires_at, revoked_at, session, offline, refresh_at, refresh_expires, refresh_key)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0, $12, $13, $14, $15, $16)`,
			g.ID, g.Type, g.ClientID, g.PersonID, g.Subject, string(b), code, int(g.CodeState), sqlstore.Micros(g.CodeExpires),
			sqlstore.Micros(g.CreatedAt), sqlstore.Micros(g.ExpiresAt), g.Session, flag(g.Offline), sqlstore.Micros(g.RefreshAt), sqlstore.Micros(g.RefreshExpires), g.RefreshKey)
		if err != nil {
			return err
		}
		return s.Audit(ctx, ev)
	})
}

const grantColumns = `SELECT id, type, client_id, person_id, subject, terms, code, code_state, code_expires, created_at, expires_at, revoked_at,
	session, offline, refresh_generation, refresh_at, refresh_expires, refresh_key FROM oidc_grants WHERE `

// Grant reads a grant by id.
func (s *Store) Grant(ctx context.Context, id string) (grant.Grant, error) {
	return scanGrant(s.db.QueryRow(ctx, grantColumns+`id = $1`, id))
}

// GrantByCode reads a grant by the signature of its code.
func (s *Store) GrantByCode(ctx context.Context, signature string) (grant.Grant, error) {
	return scanGrant(s.db.QueryRow(ctx, grantColumns+`code = $1`, signature))
}

func scanGrant(row sqlstore.Row) (grant.Grant, error) {
	var g grant.Grant
	var text string
	var code sql.NullString
	var state, offline int
	var codeExpires, created, expires, revoked, refreshAt, refreshExpires int64
	err := row.Scan(&g.ID, &g.Type, &g.ClientID, &g.PersonID, &g.Subject, &text, &code, &state, &codeExpires, &created, &expires, &revoked,
		&g.Session, &offline, &g.RefreshGeneration, &refreshAt, &refreshExpires, &g.RefreshKey)
	if errors.Is(err, sql.ErrNoRows) {
		return grant.Grant{}, grant.ErrUnknown
	}
	if err != nil {
		return grant.Grant{}, err
	}
	var t terms
	if err := json.Unmarshal([]byte(text), &t); err != nil {
		return grant.Grant{}, fmt.Errorf("oidcstore: grant %s: %w", g.ID, err)
	}
	g.OfferID, g.Scopes, g.Audience, g.Claims, g.ACR, g.AMR = t.OfferID, t.Scopes, t.Audience, t.Claims, t.ACR, t.AMR
	g.IDTokenClaims, g.Resources, g.Details, g.JKT, g.Instance = t.IDTokenClaims, t.Resources, t.Details, t.JKT, t.Instance
	g.RefreshIdle, g.RefreshEnds = time.Duration(t.RefreshIdle)*time.Microsecond, sqlstore.FromMicros(t.RefreshEnds)
	g.SessionID, g.Nonce, g.IssuerState, g.RedirectURI, g.Challenge = t.SessionID, t.Nonce, t.IssuerState, t.RedirectURI, t.Challenge
	g.AuthTime, g.SessionEnds, g.Province = sqlstore.FromMicros(t.AuthTime), sqlstore.FromMicros(t.SessionEnds), t.Province
	g.CodeSignature, g.CodeState, g.Offline = code.String, grant.CodeState(state), offline != 0
	g.CodeExpires, g.CreatedAt = sqlstore.FromMicros(codeExpires), sqlstore.FromMicros(created)
	g.ExpiresAt, g.RevokedAt = sqlstore.FromMicros(expires), sqlstore.FromMicros(revoked)
	g.RefreshAt, g.RefreshExpires = sqlstore.FromMicros(refreshAt), sqlstore.FromMicros(refreshExpires)
	return g, nil
}

// ClaimCode uses up a code: the row count of one conditional statement decides.
func (s *Store) ClaimCode(ctx context.Context, signature string, at time.Time, r grant.Redemption, ev audit.Event) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		err := s.db.Claim(ctx, `UPDATE oidc_grants SET code_state = 2, expires_at = $3, refresh_at = $2, refresh_expires = $4, refresh_key = $5
			WHERE code = $1 AND code_state = 1 AND code_expires > $2 AND revoked_at = 0`,
			signature, sqlstore.Micros(at), sqlstore.Micros(r.TokensExpire), sqlstore.Micros(r.RefreshExpires), r.RefreshKey)
		if err != nil {
			return lost(err)
		}
		return s.Audit(ctx, ev)
	})
}

// Refresh uses the refresh token of a generation: the row count of one conditional statement decides. The grant of an offer has no code (0),
// one whose code was not used has no end of refresh tokens yet.
func (s *Store) Refresh(ctx context.Context, id string, u grant.Use, ev audit.Event) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		err := s.db.Claim(ctx, `UPDATE oidc_grants SET refresh_generation = refresh_generation + $4,
			refresh_at = CASE WHEN $4 = 1 THEN $3 ELSE refresh_at END,
			expires_at = CASE WHEN expires_at > $5 THEN expires_at ELSE $5 END,
			refresh_expires = CASE WHEN refresh_expires > $6 THEN refresh_expires ELSE $6 END
			WHERE id = $1 AND refresh_generation = $2 AND refresh_expires > $3 AND code_state IN (0, 2) AND revoked_at = 0`,
			id, u.Generation, sqlstore.Micros(u.At), flag(u.Rotate), sqlstore.Micros(u.TokensExpire), sqlstore.Micros(u.RefreshExpires))
		if err != nil {
			return lost(err)
		}
		return s.Audit(ctx, ev)
	})
}

// BurnCode makes an unused code useless.
func (s *Store) BurnCode(ctx context.Context, signature string, ev audit.Event) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		err := s.db.Claim(ctx, `UPDATE oidc_grants SET code_state = 3 WHERE code = $1 AND code_state = 1`, signature)
		if err != nil {
			return lost(err)
		}
		return s.Audit(ctx, ev)
	})
}

// Revoke ends a grant; only the first to do so writes the event.
func (s *Store) Revoke(ctx context.Context, id string, at time.Time, ev audit.Event) error {
	return s.db.InTx(ctx, func(ctx context.Context) error {
		n, err := s.db.Exec(ctx, `UPDATE oidc_grants SET revoked_at = $2 WHERE id = $1 AND revoked_at = 0`, id, sqlstore.Micros(at))
		if err != nil || n == 0 {
			return err
		}
		return s.Audit(ctx, ev)
	})
}

// DeleteExpired forgets what ended before the given time, up to limit rows a table. Deliveries of logout tokens are kept for their readers.
func (s *Store) DeleteExpired(ctx context.Context, before time.Time, limit int) (int64, error) {
	us := sqlstore.Micros(before)
	var all int64
	for _, table := range []struct {
		query string
		upTo  int64
	}{
		{`DELETE FROM oidc_grants WHERE id IN
			(SELECT id FROM oidc_grants WHERE expires_at < $1 AND code_expires < $1 AND refresh_expires < $1 ORDER BY expires_at LIMIT $2)`, us},
		{`DELETE FROM oidc_sessions WHERE key IN (SELECT key FROM oidc_sessions WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)`, us},
		{`DELETE FROM oidc_session_clients WHERE (sid, client_id) IN
			(SELECT sid, client_id FROM oidc_session_clients WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)`, us},
		{`DELETE FROM oidc_logout_deliveries WHERE id IN
			(SELECT id FROM oidc_logout_deliveries WHERE created_at < $1 ORDER BY created_at LIMIT $2)`, sqlstore.Micros(before.Add(-logout.Keep))},
	} {
		n, err := s.db.Exec(ctx, table.query, table.upTo, limit)
		if all += n; err != nil {
			return all, err
		}
	}
	return all, nil
}

func lost(err error) error {
	if errors.Is(err, sqlstore.ErrLost) {
		return fmt.Errorf("%w: %w", grant.ErrLost, err)
	}
	return err
}
