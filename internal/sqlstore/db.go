// Package sqlstore is the one room that speaks SQL: two engines, one text.
//
// PostgreSQL is reached by pgx through database/sql, SQLite is embedded and pure Go. A transaction travels in the context: a
// method that is called inside InTx joins it, so that stores of several modules can take part in one transaction without
// knowing each other. One folder below this one per module holds that module's Store.
package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite" // the SQLite driver
)

// Engine names a database engine.
type Engine string

// The two engines.
const (
	SQLite     Engine = "sqlite"
	PostgreSQL Engine = "postgres"
)

// ErrLost says that a conditional statement changed nothing: somebody else was first, or the condition never held.
var ErrLost = errors.New("sqlstore: claim lost")

// DB is an open database. It is safe for concurrent use.
type DB struct {
	engine Engine
	sql    *sql.DB
	pool   *pgxpool.Pool // nil on SQLite
}

// Open opens the database that dsn names: "sqlite:PATH" or a "postgres://" URL. It does not create or change tables; see Migrate.
func Open(ctx context.Context, dsn string) (*DB, error) {
	switch {
	case strings.HasPrefix(dsn, "sqlite:"):
		return openSQLite(ctx, strings.TrimPrefix(dsn, "sqlite:"))
	case strings.HasPrefix(dsn, "postgres://"), strings.HasPrefix(dsn, "postgresql://"):
		return openPostgreSQL(ctx, dsn)
	}
	return nil, errors.New(`sqlstore: the database must be "sqlite:PATH" or "postgres://..."`)
}

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
	return &DB{engine: SQLite, sql: db}, nil
}

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
	db := stdlib.OpenDBFromPool(pool)
	return &DB{engine: PostgreSQL, sql: db, pool: pool}, nil
}

// Engine says which engine this is.
func (db *DB) Engine() Engine { return db.engine }

// Pool is the pgx pool for batches and notifications; nil on SQLite.
func (db *DB) Pool() *pgxpool.Pool { return db.pool }

// Ping says whether the database answers.
func (db *DB) Ping(ctx context.Context) error { return db.sql.PingContext(ctx) }

// Close closes all connections.
func (db *DB) Close() error {
	err := db.sql.Close()
	if db.pool != nil {
		db.pool.Close()
	}
	return err
}

// Micros turns a time into the form in which every table keeps it: Unix microseconds. The zero time, "never", is 0.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// FromMicros is the inverse of Micros, in UTC.
func FromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// retryable says whether PostgreSQL asks for the whole transaction again: a serialization failure or a deadlock.
func retryable(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40001" || pg.Code == "40P01")
}
