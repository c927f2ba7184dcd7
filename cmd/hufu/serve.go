package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"

	"github.com/spf13/cobra"

	"github.com/hufu-id/hufu/cmd/hufu/internal/node"
	"github.com/hufu-id/hufu/cmd/hufu/internal/node/listen"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/keys"
)

func newServeCmd() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "serve --config FILE",
		Short: "Run the national server",
		Long: "Run the national server. The database must have been migrated by this release (hufu migrate).\n" +
			"The fields of the configuration file are described in docs/configuration.md.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := node.ReadConfig(path)
			if err != nil {
				return err
			}
			log := slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), nil))
			if err := noCore(); err != nil {
				log.Warn("a core dump of this process would hold its keys", "error", err)
			}
			return serve(cmd.Context(), cfg, log)
		},
	}
	cmd.Flags().StringVar(&path, "config", "hufu.yaml", "configuration file")
	return cmd
}

func serve(ctx context.Context, cfg node.Config, log *slog.Logger) error {
	kek, err := keys.ReadKEK(cfg.KEKFile)
	if err != nil {
		return err
	}
	networks, err := cfg.Networks()
	if err != nil {
		return err
	}
	clients, err := cfg.Registrations()
	if err != nil {
		return err
	}
	policy, err := cfg.ClientRegistration.Policy()
	if err != nil {
		return err
	}
	n, err := node.Open(ctx, node.Options{
		Config:       cfg,
		KEK:          kek,
		Log:          log,
		Clients:      clients,
		Registration: policy,
		Allow:        httpx.Within(networks),
	})
	if err != nil {
		return err
	}
	defer n.Close()
	return listenAndServe(ctx, cfg, n, log)
}

// listenAndServe serves on both listeners. When one fails, the other ends too: half a server is noticed late.
func listenAndServe(ctx context.Context, cfg node.Config, n *node.Node, log *slog.Logger) error {
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return err
	}
	log.Info("listening", "address", l.Addr().String(), "origin", cfg.Origin)
	serving, stop := context.WithCancel(ctx)
	defer stop()
	mtls := make(chan error, 1)
	if m := cfg.MTLS; m == nil {
		mtls <- nil
	} else {
		ml, err := net.Listen("tcp", m.Address())
		if err != nil {
			return errors.Join(err, l.Close())
		}
		log.Info("listening for clients with certificates", "address", ml.Addr().String(), "origin", m.Origin)
		go func() {
			defer stop()
			mtls <- httpx.ServeMTLS(serving, ml, n.Handler(), m.CertFile, m.KeyFile)
		}()
	}
	n.Start(ctx)
	var tls listen.Files
	if cfg.TLS != nil {
		tls = *cfg.TLS
	}
	err = httpx.Serve(serving, l, n.Handler(), tls.CertFile, tls.KeyFile)
	stop()
	return errors.Join(err, <-mtls)
}

func newMigrateCmd() *cobra.Command {
	var path, database string
	cmd := &cobra.Command{
		Use:   "migrate [--config FILE | --database DSN]",
		Short: "Bring the database's tables up to date",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if database == "" {
				cfg, err := node.ReadConfig(path)
				if err != nil {
					return err
				}
				database = cfg.Database
			}
			db, err := sqlstore.Open(cmd.Context(), database)
			if err != nil {
				return err
			}
			defer db.Close()
			if err := db.Migrate(cmd.Context()); err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), "The tables are up to date.")
			return err
		},
	}
	cmd.Flags().StringVar(&path, "config", "hufu.yaml", "configuration file")
	cmd.Flags().StringVar(&database, "database", "", `"sqlite:PATH" or "postgres://...", instead of a configuration file`)
	return cmd
}

func newConfigCmd() *cobra.Command {
	cmd := &cobra.Command{Use: "config", Short: "Look at configuration files"}
	var path string
	check := &cobra.Command{
		Use:   "check --config FILE",
		Short: "Report every problem of a configuration file",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := node.ReadConfig(path)
			if err != nil {
				return err
			}
			if info, err := os.Stat(cfg.KEKFile); err != nil {
				return err
			} else if info.Mode().Perm()&0o077 != 0 {
				return fmt.Errorf("%s: others can read it; run chmod 600", cfg.KEKFile)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s is fine: %d provinces, %d authorities, %d clients.\n", path, len(cfg.Provinces), len(cfg.Authorities), len(cfg.Clients))
			return err
		},
	}
	check.Flags().StringVar(&path, "config", "hufu.yaml", "configuration file")
	cmd.AddCommand(check)
	return cmd
}
