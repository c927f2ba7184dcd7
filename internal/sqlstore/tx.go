package sqlstore

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
)

type txKey struct{}

// Row is an answer of at most one row. Scan must be called; a missing row is sql.ErrNoRows.
type Row interface{ Scan(dest ...any) error }

// Rows is an answer of many rows, to be closed.
type Rows interface {
	Row
	Columns() ([]string, error)
	Next() bool
	Err() error
	Close() error
}

// querier is what a database and a transaction share.
type querier interface {
	exec(ctx context.Context, query string, args ...any) (int64, error)
	query(ctx context.Context, query string, args ...any) (Rows, error)
	queryRow(ctx context.Context, query string, args ...any) Row
}

// tx is a transaction. commit and rollback end it, whatever they return.
type tx interface {
	querier
	commit(ctx context.Context) error
	rollback(ctx context.Context) error
}

// transaction is what travels in the context.
type transaction struct {
	tx
	// events wait for the end of the transaction, to be written by one statement: a login has four.
	events []audit.Event
	// after is what AfterCommit was told.
	after []func(ctx context.Context) error
}

func (db *DB) q(ctx context.Context) querier {
	if tx, ok := ctx.Value(txKey{}).(*transaction); ok {
		return tx
	}
	return db.engineDB
}

// InTx runs fn in a transaction, which fn's context carries. Inside another InTx it joins that one: then an error of fn must be
// returned by the outer function too, or what fn did half is committed. A transaction that PostgreSQL gives up for a
// conflict is run again, up to four times: fn must not have effects other than on the database.
func (db *DB) InTx(ctx context.Context, fn func(ctx context.Context) error) error {
	if _, ok := ctx.Value(txKey{}).(*transaction); ok {
		return fn(ctx)
	}
	var err error
	for try := range 4 {
		if try > 0 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Duration(try*try) * 5 * time.Millisecond):
			}
		}
		if err = db.once(ctx, fn); !retryable(err) {
			return err
		}
	}
	return err
}

func (db *DB) once(ctx context.Context, fn func(ctx context.Context) error) (err error) {
	tx, err := db.begin(ctx)
	if err != nil {
		return fmt.Errorf("sqlstore: beginning: %w", err)
	}
	defer func() {
		if p := recover(); p != nil {
			_ = tx.rollback(ctx)
			panic(p)
		}
	}()
	state := &transaction{tx: tx}
	inner := context.WithValue(ctx, txKey{}, state)
	err = fn(inner)
	if err == nil {
		err = db.writeEvents(inner, state.events)
	}
	if err != nil {
		if rb := tx.rollback(ctx); rb != nil {
			return errors.Join(err, fmt.Errorf("sqlstore: rolling back: %w", rb))
		}
		return err
	}
	if err := tx.commit(ctx); err != nil {
		return fmt.Errorf("sqlstore: committing: %w", err)
	}
	for _, f := range state.after {
		err = errors.Join(err, f(context.WithoutCancel(ctx)))
	}
	return err
}

// AfterCommit runs fn when the transaction in ctx is committed, before InTx returns; without a transaction, now. It is not called when the
// transaction is rolled back. What fn returns, InTx returns too: then the transaction is done and the caller must not be told that all is well.
func (db *DB) AfterCommit(ctx context.Context, fn func(ctx context.Context) error) error {
	if tx, ok := ctx.Value(txKey{}).(*transaction); ok {
		tx.after = append(tx.after, fn)
		return nil
	}
	return fn(ctx)
}

// Exec runs a statement and returns how many rows it changed.
func (db *DB) Exec(ctx context.Context, query string, args ...any) (int64, error) {
	return db.q(ctx).exec(ctx, query, args...)
}

// Later runs a statement about which there is nothing to decide. In a transaction it may run as late as at its commit, which fails if it fails:
// nothing else tells of its error.
func (db *DB) Later(ctx context.Context, query string, args ...any) error {
	if tx, ok := ctx.Value(txKey{}).(*transaction); ok {
		if pg, ok := tx.tx.(*pgTx); ok {
			pg.later(query, args...)
			return nil
		}
	}
	_, err := db.Exec(ctx, query, args...)
	return err
}

// Query runs a query of many rows.
func (db *DB) Query(ctx context.Context, query string, args ...any) (Rows, error) {
	return db.q(ctx).query(ctx, query, args...)
}

// QueryRow runs a query of one row. A missing row is sql.ErrNoRows, at Scan.
func (db *DB) QueryRow(ctx context.Context, query string, args ...any) Row {
	return db.q(ctx).queryRow(ctx, query, args...)
}

// Claim runs one conditional statement (UPDATE ... WHERE unused, DELETE ..., INSERT ... ON CONFLICT DO NOTHING) whose row count is
// the decision: nil for one row, ErrLost for none. Of any number of callers on any number of nodes exactly one gets nil.
func (db *DB) Claim(ctx context.Context, query string, args ...any) error {
	n, err := db.Exec(ctx, query, args...)
	switch {
	case err != nil:
		return err
	case n == 0:
		return ErrLost
	case n > 1:
		return fmt.Errorf("sqlstore: a claim changed %d rows", n)
	}
	return nil
}

// ClaimOnce marks id as used among ids of its kind, and returns ErrLost if it already was. The id is stored as a hash. The row is kept
// until expires, which must lie after the last moment at which the id could still be accepted.
func (db *DB) ClaimOnce(ctx context.Context, kind, id string, expires time.Time) error {
	sum := sha256.Sum256([]byte(id))
	return db.Claim(ctx, `INSERT INTO claims (kind, id, expires_at) VALUES ($1, $2, $3) ON CONFLICT (kind, id) DO NOTHING`,
		kind, base64.RawURLEncoding.EncodeToString(sum[:]), Micros(expires))
}

// DeleteExpiredClaims forgets up to limit ids whose time is over and returns how many.
func (db *DB) DeleteExpiredClaims(ctx context.Context, now time.Time, limit int) (int64, error) {
	return db.Exec(ctx, `DELETE FROM claims WHERE (kind, id) IN
		(SELECT kind, id FROM claims WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)`, Micros(now), limit)
}

// maxEvents is how many audit events wait in a transaction before they are written.
const maxEvents = 16

// Audit writes an event. In a transaction that ctx carries, it is written with the others of that transaction when it ends, or never.
func (db *DB) Audit(ctx context.Context, ev audit.Event) error {
	if ev.At.IsZero() {
		ev.At = time.Now()
	}
	if ev.ID == "" {
		ev.ID = audit.NewID(ev.At)
	}
	if ev.TraceID == "" {
		ev.TraceID = audit.Trace(ctx)
	}
	ev.Detail = maps.Clone(ev.Detail) // the caller's map may change before the transaction ends
	tx, ok := ctx.Value(txKey{}).(*transaction)
	if !ok {
		return db.writeEvents(ctx, []audit.Event{ev})
	}
	if tx.events = append(tx.events, ev); len(tx.events) < maxEvents {
		return nil
	}
	events := tx.events
	tx.events = nil
	return db.writeEvents(ctx, events)
}

// writeEvents writes events, if any, by one statement.
func (db *DB) writeEvents(ctx context.Context, events []audit.Event) error {
	if len(events) == 0 {
		return nil
	}
	const columns = 8
	var q strings.Builder
	q.WriteString(`INSERT INTO audit_events (id, at, kind, actor, subject, client, trace_id, detail) VALUES `)
	args := make([]any, 0, columns*len(events))
	for i, ev := range events {
		detail := []byte("{}")
		if len(ev.Detail) > 0 {
			var err error
			if detail, err = json.Marshal(ev.Detail); err != nil {
				return fmt.Errorf("sqlstore: audit detail: %w", err)
			}
		}
		if i > 0 {
			q.WriteByte(',')
		}
		n := columns * i
		fmt.Fprintf(&q, "($%d, $%d, $%d, $%d, $%d, $%d, $%d, $%d)", n+1, n+2, n+3, n+4, n+5, n+6, n+7, n+8)
		args = append(args, ev.ID, Micros(ev.At), string(ev.Kind), ev.Actor, ev.Subject, ev.Client, ev.TraceID, string(detail))
	}
	if err := db.Later(ctx, q.String(), args...); err != nil {
		return fmt.Errorf("sqlstore: writing audit event: %w", err)
	}
	return nil
}
