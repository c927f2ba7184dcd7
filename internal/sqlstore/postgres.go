package sqlstore

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A statement on PostgreSQL costs its way there and back more than its work: the switch between two processes on each side. So statements whose
// answer nobody waits for go with the next one: BEGIN with the first, what Later was told with the next, all that is left with COMMIT.

// pgPool is PostgreSQL outside of a transaction.
type pgPool struct{ *pgxpool.Pool }

func openPostgreSQL(ctx context.Context, dsn string) (*DB, error) {
	cfg, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, errors.New("sqlstore: the PostgreSQL URL can't be parsed") // the cause would print the password
	}
	cfg.MaxConns = max(cfg.MaxConns, 8)
	cfg.MinIdleConns = 2
	cfg.MaxConnLifetime = 30 * time.Minute
	cfg.MaxConnLifetimeJitter = 5 * time.Minute
	cfg.MaxConnIdleTime = 5 * time.Minute
	for k, v := range map[string]string{"statement_timeout": "5s", "lock_timeout": "2s",
		"idle_in_transaction_session_timeout": "10s", "application_name": "hufu"} {
		if _, set := cfg.ConnConfig.RuntimeParams[k]; !set {
			cfg.ConnConfig.RuntimeParams[k] = v
		}
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: opening PostgreSQL: %w", err)
	}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return nil, fmt.Errorf("sqlstore: reaching PostgreSQL: %w", err)
	}
	return &DB{engine: PostgreSQL, engineDB: pgPool{pool}, pool: pool}, nil
}

func (p pgPool) ping(ctx context.Context) error { return p.Ping(ctx) }

func (p pgPool) close() error {
	p.Close()
	return nil
}

func (p pgPool) exec(ctx context.Context, query string, args ...any) (int64, error) {
	tag, err := p.Exec(ctx, query, args...)
	return tag.RowsAffected(), err
}

func (p pgPool) query(ctx context.Context, query string, args ...any) (Rows, error) {
	rows, err := p.Query(ctx, query, args...)
	return pgRows{Rows: rows}, err
}

func (p pgPool) queryRow(ctx context.Context, query string, args ...any) Row {
	return p.QueryRow(ctx, query, args...)
}

func (p pgPool) begin(ctx context.Context) (tx, error) {
	conn, err := p.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	t := &pgTx{conn: conn}
	t.waiting.Queue("BEGIN")
	return t, nil
}

// pgTx is a transaction on a connection of its own. For one goroutine at a time.
type pgTx struct {
	conn *pgxpool.Conn
	// waiting are statements that go with the next one.
	waiting pgx.Batch
	// failed is the error of such a company. BEGIN may have been in it: what came after would stand alone, so nothing may.
	failed error
}

func (t *pgTx) later(query string, args ...any) { t.waiting.Queue(query, args...) }

// send sends what waits, with one more statement at its end. After an error PostgreSQL skips the rest.
func (t *pgTx) send(ctx context.Context, query string, args ...any) (pgx.BatchResults, error) {
	t.waiting.Queue(query, args...)
	batch := t.waiting
	t.waiting = pgx.Batch{}
	results := t.conn.SendBatch(ctx, &batch)
	for range batch.Len() - 1 {
		if _, err := results.Exec(); err != nil {
			_ = results.Close() // says the same
			t.failed = err
			return nil, err
		}
	}
	return results, nil
}

func (t *pgTx) exec(ctx context.Context, query string, args ...any) (int64, error) {
	switch {
	case t.failed != nil:
		return 0, t.failed
	case t.waiting.Len() == 0:
		tag, err := t.conn.Exec(ctx, query, args...)
		return tag.RowsAffected(), err
	}
	results, err := t.send(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	tag, err := results.Exec()
	t.failed = errors.Join(err, results.Close())
	return tag.RowsAffected(), t.failed
}

func (t *pgTx) query(ctx context.Context, query string, args ...any) (Rows, error) {
	switch {
	case t.failed != nil:
		return nil, t.failed
	case t.waiting.Len() == 0:
		rows, err := t.conn.Query(ctx, query, args...)
		return pgRows{Rows: rows}, err
	}
	results, err := t.send(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	rows, err := results.Query()
	if err != nil {
		t.failed = errors.Join(err, results.Close())
		return nil, t.failed
	}
	return pgRows{rows, results}, nil
}

func (t *pgTx) queryRow(ctx context.Context, query string, args ...any) Row {
	rows, err := t.query(ctx, query, args...)
	return pgRow{rows, err}
}

// commit sends what waits with COMMIT. A transaction in which a statement failed is rolled back by COMMIT, and PostgreSQL only says so.
func (t *pgTx) commit(ctx context.Context) error {
	if t.failed != nil {
		return errors.Join(t.failed, t.rollback(ctx))
	}
	results, err := t.send(ctx, "COMMIT")
	if err == nil {
		tag, failed := results.Exec()
		if err = errors.Join(failed, results.Close()); err == nil && tag.String() != "COMMIT" {
			err = fmt.Errorf("%w: %s", pgx.ErrTxCommitRollback, tag)
		}
	}
	if err != nil {
		return errors.Join(err, t.rollback(ctx))
	}
	t.conn.Release()
	return nil
}

// rollback also works when ctx is done. The pool closes a connection that comes back with a transaction still open.
func (t *pgTx) rollback(ctx context.Context) error {
	defer t.conn.Release()
	conn := t.conn.Conn()
	if conn.IsClosed() || conn.PgConn().TxStatus() == 'I' {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_, err := conn.Exec(ctx, "ROLLBACK")
	return err
}

// pgRows are rows that may come with a batch.
type pgRows struct {
	pgx.Rows
	results pgx.BatchResults // nil without
}

// Columns implements Rows.
func (r pgRows) Columns() ([]string, error) {
	var names []string
	for _, f := range r.FieldDescriptions() {
		names = append(names, f.Name)
	}
	return names, nil
}

// Close implements Rows.
func (r pgRows) Close() error {
	r.Rows.Close()
	if r.results == nil {
		return nil
	}
	return r.results.Close()
}

// pgRow is the first of rows.
type pgRow struct {
	rows Rows
	err  error
}

// Scan implements Row.
func (r pgRow) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	if !r.rows.Next() {
		if err := errors.Join(r.rows.Err(), r.rows.Close()); err != nil {
			return err
		}
		return pgx.ErrNoRows
	}
	if err := r.rows.Scan(dest...); err != nil {
		return errors.Join(err, r.rows.Close())
	}
	return r.rows.Close()
}
