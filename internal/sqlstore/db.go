// Package sqlstore is the one room that speaks SQL: two engines, one text.
//
// PostgreSQL is reached by pgx, SQLite is embedded and pure Go. A transaction travels in the context: a
// method that is called inside InTx joins it, so that stores of several modules can take part in one transaction without
// knowing each other. One folder below this one per module holds that module's Store.
package sqlstore

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
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
	engineDB
	engine Engine
	pool   *pgxpool.Pool // nil on SQLite
}

// engineDB is what the two engines are to the rest of this package. Ping and Close are DB's.
type engineDB interface {
	querier
	begin(ctx context.Context) (tx, error)
	ping(ctx context.Context) error
	close() error
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

// Engine says which engine this is.
func (db *DB) Engine() Engine { return db.engine }

// Pool is the pgx pool for batches and notifications; nil on SQLite.
func (db *DB) Pool() *pgxpool.Pool { return db.pool }

// Ping says whether the database answers.
func (db *DB) Ping(ctx context.Context) error { return db.ping(ctx) }

// Close closes all connections.
func (db *DB) Close() error { return db.close() }

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
