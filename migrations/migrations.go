// Package migrations holds the schema as numbered SQL files, one text for SQLite and PostgreSQL.
//
// A file is never changed after a release: its checksum is recorded with it. Files expand first and contract a
// release later, so that two releases can run beside each other during an upgrade.
package migrations

import "embed"

// Files are the migrations, named NNNN_name.sql.
//
//go:embed *.sql
var Files embed.FS
