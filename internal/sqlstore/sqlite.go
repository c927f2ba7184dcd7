package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"

	_ "modernc.org/sqlite" // the driver
)

// private makes a new database file that only its owner can read; SQLite gives its side files the same mode. An old file keeps its own.
func private(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("sqlstore: opening SQLite: %w", err)
	}
	return f.Close()
}

func openSQLite(ctx context.Context, path string) (*DB, error) {
	if !strings.ContainsAny(path, "?:") { // a plain file
		if err := private(path); err != nil {
			return nil, err
		}
	}
	// immediate: a deferred transaction that reads and then writes fails with SQLITE_BUSY in spite of the timeout.
	// FULL: an acknowledged code or issuance survives a power cut.
	dsn := "file:" + path + "?_txlock=immediate&_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)" +
		"&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&_pragma=cache_size(-16000)"
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, fmt.Errorf("sqlstore: opening SQLite: %w", err)
	}
	db.SetMaxOpenConns(8)
	db.SetMaxIdleConns(8)
	if err := db.PingContext(ctx); err != nil {
		_ = db.Close()
		return nil, fmt.Errorf("sqlstore: opening SQLite: %w", err)
	}
	return &DB{engine: SQLite, engineDB: liteDB{std{db}, db}}, nil
}

// liteDB is SQLite outside of a transaction. Statements don't leave the process, so none waits for another.
type liteDB struct {
	std
	db *sql.DB
}

func (l liteDB) ping(ctx context.Context) error { return l.db.PingContext(ctx) }
func (l liteDB) close() error                   { return l.db.Close() }

func (l liteDB) begin(ctx context.Context) (tx, error) {
	t, err := l.db.BeginTx(ctx, nil)
	return liteTx{std{t}, t}, err
}

// std is what *sql.DB and *sql.Tx share.
type std struct {
	q interface {
		ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
		QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
		QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	}
}

func (s std) exec(ctx context.Context, query string, args ...any) (int64, error) {
	res, err := s.q.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (s std) query(ctx context.Context, query string, args ...any) (Rows, error) {
	return s.q.QueryContext(ctx, query, args...)
}

func (s std) queryRow(ctx context.Context, query string, args ...any) Row {
	return s.q.QueryRowContext(ctx, query, args...)
}

type liteTx struct {
	std
	tx *sql.Tx
}

func (t liteTx) commit(context.Context) error { return t.tx.Commit() }

func (t liteTx) rollback(context.Context) error {
	if err := t.tx.Rollback(); err != nil && !errors.Is(err, sql.ErrTxDone) {
		return err
	}
	return nil
}
