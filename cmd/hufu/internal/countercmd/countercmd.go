// Package countercmd is `hufu counter`: a department's counter as a program of its own. hufu dev opens its counters by the same code.
package countercmd

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"time"

	"github.com/spf13/cobra"

	"github.com/hufu-id/hufu/cmd/hufu/internal/node"
	"github.com/hufu-id/hufu/cmd/hufu/internal/node/listen"
	"github.com/hufu-id/hufu/internal/bundlecopy"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/counterstore"
	"github.com/hufu-id/hufu/internal/sweep"
	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/wallet/counter"
	"github.com/hufu-id/hufu/web"
	"github.com/hufu-id/hufu/web/counterpages"
)

// fetchTimeout is for a bundle on a slow line; shownTimeout is how long a clerk waits for a link.
const (
	fetchTimeout = 2 * time.Minute
	shownTimeout = 4 * time.Second
)

// NewCommand is `hufu counter`.
func NewCommand() *cobra.Command {
	var path string
	var check bool
	cmd := &cobra.Command{
		Use:   "counter --config FILE",
		Short: "Run a department's counter: ask for a licence, check it, keep a record",
		Long: "Run a department's counter. It checks with its own copy of the trust bundle and goes on without the national server.\n" +
			"It has no login of its own: put it behind the department's. The fields of the file are described in docs/configuration.md.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := ReadConfig(path)
			if err != nil {
				return err
			}
			if check {
				cmd.Printf("%s is fine: %d things to ask for.\n", path, len(cfg.Requests))
				return nil
			}
			return serve(cmd.Context(), cfg, slog.New(slog.NewJSONHandler(cmd.ErrOrStderr(), nil)))
		},
	}
	cmd.Flags().StringVar(&path, "config", "counter.yaml", "configuration file")
	cmd.Flags().BoolVar(&check, "check", false, "only report every problem of the file")
	return cmd
}

// Running is an open counter with its database and its background work.
type Running struct {
	*counter.Counter
	db     *sqlstore.DB
	runner *sweep.Runner
}

// Open opens a counter. A nil root is read from the file that the configuration names. allow lets outgoing requests reach sockets that the guard refuses.
func Open(ctx context.Context, cfg Config, root []byte, allow func(netip.AddrPort) bool, log *slog.Logger) (*Running, error) {
	var err error
	if root == nil {
		if root, err = cfg.root(); err != nil {
			return nil, err
		}
	}
	pages, err := web.New(web.Config{Sandbox: cfg.Sandbox, Version: node.Version, Desk: &web.Desk{Base: counter.Path, Department: cfg.Department}})
	if err != nil {
		return nil, err
	}
	db, err := sqlstore.Open(ctx, cfg.Database)
	if err != nil {
		return nil, err
	}
	r := &Running{db: db}
	if err := db.Migrate(ctx); err != nil {
		r.Close()
		return nil, err
	}
	r.Counter, err = counter.New(ctx, counter.Config{BaseURL: cfg.BaseURL, Department: cfg.Department, Code: cfg.Code, ClientID: cfg.ClientID, National: cfg.National,
		Requests: cfg.requests(), Purposes: cfg.Purposes, OldAfter: cfg.OldAfter, Store: counterstore.New(db), Tx: db.InTx, ClaimOnce: db.ClaimOnce,
		Lost: sqlstore.ErrLost, Audit: db.Audit, Pages: counterpages.Pages{Pages: pages}, Bundle: bundlecopy.Dir(cfg.BundleDir), Root: root,
		Shown:        httpx.NewClient(httpx.ClientOptions{Allow: allow, Timeout: shownTimeout}),
		BundleSource: httpx.NewClient(httpx.ClientOptions{Allow: allow, Timeout: fetchTimeout, MaxBytes: bundle.MaxArchive}), Log: log})
	if err != nil {
		r.Close()
		return nil, err
	}
	jobs := []sweep.Job{{Name: "expired", Every: time.Minute, Run: func(ctx context.Context) error {
		_, err := db.DeleteExpiredClaims(ctx, time.Now(), 5000)
		return err
	}}}
	if every := cfg.refresh(); every > 0 {
		jobs = append(jobs, sweep.Job{Name: "bundle", Every: every, Run: r.Refresh})
	}
	r.runner = sweep.New(everyNode{}, log, jobs...)
	return r, nil
}

// Start runs the background work until Close.
func (r *Running) Start(ctx context.Context) { r.runner.Start(ctx) }

// Close ends the background work and the connections.
func (r *Running) Close() {
	if r.runner != nil {
		r.runner.Stop()
	}
	_ = r.db.Close()
}

// everyNode lets every process run the jobs: each has a bundle directory of its own.
type everyNode struct{}

// Hold implements sweep.Leases.
func (everyNode) Hold(context.Context, string, string, time.Time, time.Time) (bool, error) {
	return true, nil
}

func serve(ctx context.Context, cfg Config, log *slog.Logger) error {
	networks, err := cfg.networks()
	if err != nil {
		return err
	}
	c, err := Open(ctx, cfg, nil, httpx.Within(networks), log)
	if err != nil {
		return err
	}
	defer c.Close()
	l, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return err
	}
	log.Info("listening", "address", l.Addr().String(), "base_url", cfg.BaseURL)
	c.Start(ctx)
	var tls listen.Files
	if cfg.TLS != nil {
		tls = *cfg.TLS
	}
	return httpx.Serve(ctx, l, c.Handler(), tls.CertFile, tls.KeyFile)
}
