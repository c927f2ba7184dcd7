package sqlstore

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/hufu-id/hufu/migrations"
)

// ErrNewerSchema says that the database was migrated by a newer release than this one.
var ErrNewerSchema = errors.New("sqlstore: the database has a newer schema than this release knows")

// ErrChangedMigration says that an applied migration's text is not the one this release carries.
var ErrChangedMigration = errors.New("sqlstore: an applied migration was changed")

// migrationLock is the key of PostgreSQL's advisory lock: "hufu" in ASCII.
const migrationLock = 0x68756675

type migration struct {
	number   int
	name     string
	text     string
	checksum string
}

// Migrate brings the schema up to date. Nodes that start together wait for the one that migrates. It returns ErrNewerSchema
// rather than run on tables it doesn't know.
func (db *DB) Migrate(ctx context.Context) error {
	all, err := load(migrations.Files)
	if err != nil {
		return err
	}
	return db.InTx(ctx, func(ctx context.Context) error {
		if db.engine == PostgreSQL {
			// Another node may hold it for longer than lock_timeout while it migrates.
			if _, err := db.Exec(ctx, `SET LOCAL lock_timeout = '60s'`); err != nil {
				return err
			}
			if _, err := db.Exec(ctx, `SET LOCAL statement_timeout = '60s'`); err != nil {
				return err
			}
			if _, err := db.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, migrationLock); err != nil {
				return fmt.Errorf("sqlstore: waiting for another migration: %w", err)
			}
		}
		return db.migrate(ctx, all)
	})
}

func (db *DB) migrate(ctx context.Context, all []migration) error {
	if _, err := db.Exec(ctx, `CREATE TABLE IF NOT EXISTS schema_migrations (
		number BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, applied_at BIGINT NOT NULL)`); err != nil {
		return fmt.Errorf("sqlstore: creating schema_migrations: %w", err)
	}
	applied, err := db.applied(ctx)
	if err != nil {
		return err
	}
	known := map[int]bool{}
	for _, m := range all {
		known[m.number] = true
		if sum, ok := applied[m.number]; ok {
			if sum != m.checksum {
				return fmt.Errorf("%w: %s", ErrChangedMigration, m.name)
			}
			continue
		}
		for _, stmt := range statements(m.text) {
			if _, err := db.Exec(ctx, stmt); err != nil {
				return fmt.Errorf("sqlstore: migration %s: %w", m.name, err)
			}
		}
		if _, err := db.Exec(ctx, `INSERT INTO schema_migrations (number, name, checksum, applied_at) VALUES ($1, $2, $3, $4)`,
			m.number, m.name, m.checksum, Micros(time.Now())); err != nil {
			return err
		}
	}
	for n := range applied {
		if !known[n] {
			return ErrNewerSchema
		}
	}
	return nil
}

// ErrOldSchema says that migrations of this release are still to be applied.
var ErrOldSchema = errors.New("sqlstore: the database was not migrated to this release")

// CheckSchema changes nothing. It returns ErrOldSchema, ErrNewerSchema or ErrChangedMigration unless the schema is exactly this release's.
func (db *DB) CheckSchema(ctx context.Context) error {
	all, err := load(migrations.Files)
	if err != nil {
		return err
	}
	applied, err := db.applied(ctx)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrOldSchema, err)
	}
	for _, m := range all {
		sum, ok := applied[m.number]
		switch {
		case !ok:
			return ErrOldSchema
		case sum != m.checksum:
			return fmt.Errorf("%w: %s", ErrChangedMigration, m.name)
		}
		delete(applied, m.number)
	}
	if len(applied) > 0 {
		return ErrNewerSchema
	}
	return nil
}

func (db *DB) applied(ctx context.Context) (map[int]string, error) {
	rows, err := db.Query(ctx, `SELECT number, checksum FROM schema_migrations`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	out := map[int]string{}
	for rows.Next() {
		var n int
		var sum string
		if err := rows.Scan(&n, &sum); err != nil {
			return nil, err
		}
		out[n] = sum
	}
	return out, rows.Err()
}

func load(files fs.FS) ([]migration, error) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, errors.New("sqlstore: no migrations are embedded")
	}
	sort.Strings(names)
	var out []migration
	for _, name := range names {
		prefix, _, ok := strings.Cut(name, "_")
		n, err := strconv.Atoi(prefix)
		if !ok || err != nil {
			return nil, fmt.Errorf("sqlstore: migration %q is not named NNNN_name.sql", name)
		}
		if len(out) > 0 && out[len(out)-1].number == n {
			return nil, fmt.Errorf("sqlstore: two migrations have number %d", n)
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(text)
		out = append(out, migration{number: n, name: name, text: string(text), checksum: hex.EncodeToString(sum[:])})
	}
	return out, nil
}

// statements splits a migration at semicolons that end a line. Comments are left out: they may hold a semicolon.
func statements(text string) []string {
	var out []string
	var cur strings.Builder
	for line := range strings.Lines(text) {
		trimmed := strings.TrimSpace(line)
		if trimmed == "" || strings.HasPrefix(trimmed, "--") {
			continue
		}
		cur.WriteString(line)
		if strings.HasSuffix(trimmed, ";") {
			out = append(out, strings.TrimSuffix(strings.TrimSpace(cur.String()), ";"))
			cur.Reset()
		}
	}
	if s := strings.TrimSpace(cur.String()); s != "" {
		out = append(out, s)
	}
	return out
}
