// Package sqltest gives tests an empty, migrated database on each engine.
//
// PostgreSQL is the one that HUFU_TEST_DATABASE_URL names, or a throw-away cluster that is started from local binaries, also as root.
// Without either a test fails rather than skips: lost updates show only on PostgreSQL.
package sqltest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/url"
	"path/filepath"
	"testing"

	"github.com/hufu-id/hufu/internal/sqlstore"
)

// Each runs the test once on SQLite and once on PostgreSQL.
func Each(t *testing.T, run func(t *testing.T, db *sqlstore.DB)) {
	t.Helper()
	for _, engine := range []sqlstore.Engine{sqlstore.SQLite, sqlstore.PostgreSQL} {
		t.Run(string(engine), func(t *testing.T) { run(t, Open(t, DSN(t, engine))) })
	}
}

// Open opens and migrates the database that dsn names, and closes it when the test ends. Two calls with one dsn are two nodes.
func Open(t testing.TB, dsn string) *sqlstore.DB {
	t.Helper()
	db, err := sqlstore.Open(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	if err := db.Migrate(context.Background()); err != nil {
		t.Fatal(err)
	}
	return db
}

// DSN names a new, empty database on the engine, which is dropped when the test ends.
func DSN(t testing.TB, engine sqlstore.Engine) string {
	t.Helper()
	if engine == sqlstore.SQLite {
		return "sqlite:" + filepath.Join(t.TempDir(), "hufu.db")
	}
	base, err := Server()
	if err != nil {
		t.Fatalf("PostgreSQL is needed: %v", err)
	}
	var b [6]byte
	_, _ = rand.Read(b[:])
	name := "hufu_test_" + hex.EncodeToString(b[:])
	admin, err := sqlstore.Open(context.Background(), base)
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close()
	if _, err := admin.Pool().Exec(context.Background(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		admin, err := sqlstore.Open(context.Background(), base)
		if err != nil {
			return
		}
		defer admin.Close()
		_, _ = admin.Pool().Exec(context.Background(), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
	})
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	return u.String()
}
