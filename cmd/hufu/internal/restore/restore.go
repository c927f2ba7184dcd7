// Package restore does what must happen once after a database was restored from a backup, before the server starts.
package restore

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/restorestore"
	"github.com/hufu-id/hufu/internal/sqlstore/statusstore"
	"github.com/hufu-id/hufu/wallet/status"
	"github.com/hufu-id/hufu/wallet/status/journal"
)

// Report says what was done.
type Report struct {
	Status status.Restored    `json:"status"`
	Ended  restorestore.Ended `json:"ended"`
}

// Restore makes a restored database safe to serve: logins, authorizations and offers of the past end; status lists begin a new epoch and learn from the
// journal, in dir, what the database has forgotten. dir is "" without a journal. It may be run again.
func Restore(ctx context.Context, db *sqlstore.DB, origin, dir string) (out Report, err error) {
	cfg := status.Config{Store: statusstore.New(db), Tx: db.InTx, Audit: db.Audit, BaseURL: origin, AfterCommit: db.AfterCommit,
		Signer: func(context.Context) (jose.SigningKey, [][]byte, error) {
			return jose.SigningKey{}, nil, errors.New("nothing is signed while restoring")
		}}
	if dir != "" {
		w, err := journal.Open(dir, origin)
		if err != nil {
			return out, err
		}
		defer w.Close()
		cfg.Journal = w
	}
	lists, err := status.New(cfg)
	if err != nil {
		return out, err
	}
	if dir != "" { // an altered journal changes nothing at all
		if err := journal.Read(dir, origin, func(journal.Line) error { return nil }); err != nil {
			return out, err
		}
	}
	// First what needs no journal: once the lists are restored, nothing keeps the server from starting.
	if out.Ended, err = restorestore.End(ctx, db); err != nil {
		return out, err
	}
	if out.Status, err = lists.Restore(ctx, dir); err != nil {
		return out, err
	}
	return out, db.InTx(ctx, func(ctx context.Context) error {
		return db.Audit(ctx, audit.Event{At: time.Now(), Kind: "server.restored", Actor: "operator", Subject: "server", Detail: map[string]string{
			"epoch": out.Status.Epoch, "sessions": strconv.FormatInt(out.Ended.Sessions, 10), "grants": strconv.FormatInt(out.Ended.Grants, 10),
			"offers": strconv.FormatInt(out.Ended.Offers, 10)}})
	})
}
