package main

// statusLists is what keeps a revoked licence revoked, and an index one credential's.
var statusLists = []patch{
	{"index-given-twice", "internal/sqlstore/statusstore/statusstore.go", `ON CONFLICT DO NOTHING RETURNING idx`,
		`ON CONFLICT (list_id, idx) DO UPDATE SET licence_id = excluded.licence_id RETURNING idx`, "internal/sqlstore/statusstore", "TestInsertRefuses" + sqlite},
	{"index-of-revoked-licence", "wallet/status/allocate.go", `if value != Valid {`, `if value > Suspended {`, "wallet/status", "TestAllocateRefuses" + sqlite},
	{"older-list-after-newer", "internal/sqlstore/statusstore/publish.go", `WHERE id = $6 AND token_seq < $3`, `WHERE id = $6 AND $3 > 0`,
		"internal/sqlstore/statusstore", "TestFinishNever" + sqlite},
	{"bundle-ahead-of-lists", "wallet/status/allocate.go", `if at, err = moment.After(now, s.cfg.Spread); err != nil {`, `if at, err = moment.After(now, 0); err != nil {`,
		"wallet/status", "TestTokensForTheBundle" + sqlite},
	{"restored-database-issues", "wallet/status/record.go", `if !known {`, `if !known && l.N < 0 {`, "wallet/status", "TestCheckJournalNotices" + "/.*" + sqlite},
	{"journal-altered", "wallet/status/journal/read.go", `if hash != chain(last, raw[hashLen+1:]) || l.N != n`, `if hash != chain(last, raw[hashLen+1:]) && l.N < 0 || l.N != n`, "wallet/status/journal", "TestAlterationsShow"},
	{"journal-file-missing", "wallet/status/journal/read.go", `if !slices.Contains(names, other) {`, `if other == "" {`, "wallet/status/journal", "TestAlterationsShow"},
	{"restore-unrevokes", "wallet/status/restore.go", `if version >= c.Version {`, `if version > 0 {`, "cmd/hufu/internal/restore", "TestARestore" + sqlite},
	{"restore-keeps-logins", "internal/sqlstore/restorestore/restorestore.go", "`DELETE FROM oidc_grants`", "`DELETE FROM oidc_grants WHERE id = ''`",
		"cmd/hufu/internal/restore", "TestARestore" + sqlite},
	{"past-not-in-force", "wallet/status/http.go", `if !at.Before(p.Expires) || at.Before(p.IssuedAt) {`, `if at.Before(p.IssuedAt) {`, "wallet/status", "TestNothingWasInForce" + sqlite},
}
