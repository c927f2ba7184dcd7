// Package restorecmd is `hufu restore`: what must happen once after a database was restored from a backup, before the server starts.
package restorecmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/hufu-id/hufu/cmd/hufu/internal/node"
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
	if out.Status, err = lists.Restore(ctx, dir); err != nil {
		return out, err
	}
	return out, db.InTx(ctx, func(ctx context.Context) error {
		if out.Ended, err = restorestore.End(ctx, db); err != nil {
			return err
		}
		return db.Audit(ctx, audit.Event{At: time.Now(), Kind: "server.restored", Actor: "operator", Subject: "server", Detail: map[string]string{
			"epoch": out.Status.Epoch, "sessions": strconv.FormatInt(out.Ended.Sessions, 10), "grants": strconv.FormatInt(out.Ended.Grants, 10),
			"offers": strconv.FormatInt(out.Ended.Offers, 10)}})
	})
}

// NewCommand is `hufu restore`.
func NewCommand() *cobra.Command {
	var config string
	var yes bool
	cmd := &cobra.Command{
		Use:   "restore",
		Short: "After the database was restored from a backup: make it safe to serve",
		Long: `After the database was restored from a backup, and before the server starts: make it safe to serve.

Every login, authorization and untaken credential offer ends. Status lists begin a new epoch, so that no index that the database
forgot is given out a second time, and revocations made after the backup are read back from the revocation journal. If several
servers kept journals in directories of their own, put their files into the one that the configuration names first.

The server must not be running. Without --yes nothing is changed.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := node.ReadConfig(config)
			if err != nil {
				return err
			}
			db, err := sqlstore.Open(cmd.Context(), cfg.Database)
			if err != nil {
				return err
			}
			defer db.Close()
			if err := db.CheckSchema(cmd.Context()); err != nil {
				return fmt.Errorf("%w; run hufu migrate", err)
			}
			return run(cmd, db, cfg, yes)
		},
	}
	cmd.Flags().StringVar(&config, "config", "hufu.yaml", "configuration file of the server")
	cmd.Flags().BoolVar(&yes, "yes", false, "do it; without, only say what would happen")
	return cmd
}

func run(cmd *cobra.Command, db *sqlstore.DB, cfg node.Config, yes bool) error {
	if cfg.RevocationJournal == "" {
		fmt.Fprintln(cmd.ErrOrStderr(), "There is no revocation journal in the configuration: what was revoked after the backup stays unrevoked until the departments say it again.")
	}
	if !yes {
		lines := int64(0)
		err := journal.Read(cfg.RevocationJournal, cfg.Origin, func(journal.Line) error { lines++; return nil })
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.OutOrStdout(), "The journal has %d lines and is whole. Run again with --yes to end all logins and begin a new epoch.\n", lines)
		return nil
	}
	report, err := Restore(cmd.Context(), db, cfg.Origin, cfg.RevocationJournal)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetIndent("", "  ")
	return enc.Encode(report)
}
