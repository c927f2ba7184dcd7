package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/hufu-id/hufu/internal/audit"
)

// AuditChain is the audit.Store on this database.
type AuditChain struct{ DB *DB }

// Unchained implements audit.Store.
func (a AuditChain) Unchained(ctx context.Context, limit int) (audit.Head, []audit.Event, error) {
	var head audit.Head
	err := a.DB.QueryRow(ctx, `SELECT seq, at, chain, signature FROM audit_heads ORDER BY seq DESC LIMIT 1`).
		Scan(&head.Seq, &head.At, &head.Chain, &head.Signature)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return head, nil, err
	}
	rows, err := a.DB.Query(ctx, `SELECT id, at, kind, actor, subject, client, trace_id, detail FROM audit_events
		WHERE seq IS NULL ORDER BY id LIMIT $1`, limit)
	if err != nil {
		return head, nil, err
	}
	defer rows.Close()
	var events []audit.Event
	for rows.Next() {
		ev, err := scanEvent(rows)
		if err != nil {
			return head, nil, err
		}
		events = append(events, ev)
	}
	return head, events, rows.Err()
}

func scanEvent(rows Rows, more ...any) (audit.Event, error) {
	var ev audit.Event
	var at int64
	var kind, detail string
	if err := rows.Scan(append([]any{&ev.ID, &at, &kind, &ev.Actor, &ev.Subject, &ev.Client, &ev.TraceID, &detail}, more...)...); err != nil {
		return ev, err
	}
	ev.At, ev.Kind = FromMicros(at), audit.Kind(kind)
	if detail != "{}" {
		if err := json.Unmarshal([]byte(detail), &ev.Detail); err != nil {
			return ev, fmt.Errorf("audit event %s: %w", ev.ID, err)
		}
	}
	return ev, nil
}

// Since returns up to limit events from the newest one of a kind on, oldest first. It reads the whole table: for people who look at a small one.
func (a AuditChain) Since(ctx context.Context, kind audit.Kind, limit int) ([]audit.Event, error) {
	rows, err := a.DB.Query(ctx, `SELECT id, at, kind, actor, subject, client, trace_id, detail FROM audit_events
		WHERE id >= (SELECT MAX(id) FROM audit_events WHERE kind = $1) ORDER BY id LIMIT $2`, string(kind), limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []audit.Event
	for rows.Next() {
		ev, err := scanEvent(rows)
		if err != nil {
			return nil, err
		}
		out = append(out, ev)
	}
	return out, rows.Err()
}

// Append implements audit.Store. The unique sequence number makes the second of two nodes fail as a whole.
func (a AuditChain) Append(ctx context.Context, links []audit.Link, head audit.Head) error {
	return a.DB.InTx(ctx, func(ctx context.Context) error {
		if _, err := a.DB.Exec(ctx, `INSERT INTO audit_heads (seq, at, chain, signature) VALUES ($1, $2, $3, $4)`,
			head.Seq, head.At, head.Chain, head.Signature); err != nil {
			return err
		}
		for len(links) > 0 {
			n := 1
			if len(links) >= chainTogether {
				n = chainTogether
			}
			if err := a.chain(ctx, links[:n]); err != nil {
				return err
			}
			links = links[n:]
		}
		return nil
	})
}

// chainTogether is how many links one statement writes. Whoever is fewer goes alone: each length is a statement that the database must plan.
const chainTogether = 32

var chainQueries = map[int]string{1: chainQuery(1), chainTogether: chainQuery(chainTogether)}

func chainQuery(n int) string {
	var rows strings.Builder
	for i := range n {
		if i > 0 {
			rows.WriteByte(',')
		}
		fmt.Fprintf(&rows, "(CAST($%d AS BIGINT), CAST($%d AS TEXT), CAST($%d AS TEXT))", 3*i+1, 3*i+2, 3*i+3)
	}
	return `WITH links (seq, chain, id) AS (VALUES ` + rows.String() + `)
		UPDATE audit_events SET seq = links.seq, chain = links.chain FROM links WHERE audit_events.id = links.id AND audit_events.seq IS NULL`
}

// chain gives events their places. ErrLost when one of them has one.
func (a AuditChain) chain(ctx context.Context, links []audit.Link) error {
	args := make([]any, 0, 3*len(links))
	for _, l := range links {
		args = append(args, l.Seq, l.Chain, l.ID)
	}
	n, err := a.DB.Exec(ctx, chainQueries[len(links)], args...)
	if err == nil && n != int64(len(links)) {
		err = ErrLost
	}
	return err
}

// Links implements audit.Store.
func (a AuditChain) Links(ctx context.Context, after int64, limit int) ([]audit.Link, error) {
	rows, err := a.DB.Query(ctx, `SELECT id, at, kind, actor, subject, client, trace_id, detail, seq, chain FROM audit_events
		WHERE seq > $1 ORDER BY seq LIMIT $2`, after, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []audit.Link
	for rows.Next() {
		var l audit.Link
		if l.Event, err = scanEvent(rows, &l.Seq, &l.Chain); err != nil {
			return nil, err
		}
		out = append(out, l)
	}
	return out, rows.Err()
}

// Heads implements audit.Store.
func (a AuditChain) Heads(ctx context.Context) ([]audit.Head, error) {
	rows, err := a.DB.Query(ctx, `SELECT seq, at, chain, signature FROM audit_heads ORDER BY seq`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var out []audit.Head
	for rows.Next() {
		var h audit.Head
		if err := rows.Scan(&h.Seq, &h.At, &h.Chain, &h.Signature); err != nil {
			return nil, err
		}
		out = append(out, h)
	}
	return out, rows.Err()
}
