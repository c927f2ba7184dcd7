// Package restorecmd is `hufu restore`, the command.
package restorecmd

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/hufu-id/hufu/cmd/hufu/internal/node"
	"github.com/hufu-id/hufu/cmd/hufu/internal/restore"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/wallet/status/journal"
)

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
	report, err := restore.Restore(cmd.Context(), db, cfg.Origin, cfg.RevocationJournal)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(cmd.OutOrStdout())
	enc.SetIndent("", "  ")
	return enc.Encode(report)
}
