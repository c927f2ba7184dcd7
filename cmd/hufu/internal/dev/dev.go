// Package dev runs the whole federation on loopback in one process: the national server as in production, and around it sample provinces,
// departments and people that say what they are. `hufu demo` plays the main job on it.
package dev

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/hufu-id/hufu/internal/httpx"
)

// Options say how the sample world is run.
type Options struct {
	// PortBase is the national server's port; provinces follow at +1..+3, departments at +10 and +11.
	PortBase int
	// Data is the directory that keeps keys and the embedded database.
	Data string
	// Ephemeral throws both away at the end.
	Ephemeral bool
	// Database is a PostgreSQL URL instead of the embedded database.
	Database string
	// ReleaseByHand has the authorities release each licence before copies of it go to wallets.
	ReleaseByHand bool
	Log           *slog.Logger
}

// NewCommand is `hufu dev`.
func NewCommand() *cobra.Command {
	var o Options
	var asJSON, verbose bool
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Run the whole federation on this machine, with sample provinces, departments and people",
		Long: "Run the national server, three sample provinces and two sample departments on loopback, in one process.\n" +
			"All people and data are invented. Nothing but a browser is needed; what to try is printed and shown on the home page.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Log = slog.New(slog.DiscardHandler)
			if verbose {
				o.Log = slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
			}
			w, err := Start(cmd.Context(), o)
			if err != nil {
				return err
			}
			defer w.Stop()
			if asJSON {
				err = json.NewEncoder(cmd.OutOrStdout()).Encode(w.Ready())
			} else {
				err = w.printReady(cmd.OutOrStdout())
			}
			if err != nil {
				return err
			}
			return w.Wait(cmd.Context())
		},
	}
	f := cmd.Flags()
	f.IntVar(&o.PortBase, "port-base", 8080, "port of the national server; provinces at +1 to +3, departments at +10 and +11")
	f.StringVar(&o.Data, "data", "", "directory for keys and the database (default: a folder of its own in the user's cache)")
	f.BoolVar(&o.Ephemeral, "ephemeral", false, "throw keys and data away at the end")
	f.StringVar(&o.Database, "database", "", "a PostgreSQL URL instead of the embedded database")
	f.BoolVar(&o.ReleaseByHand, "release-by-hand", false, "authorities release each licence before wallets get it (POST /register/v1/releases); until then wallets wait")
	f.BoolVar(&asJSON, "json", false, "print one JSON line when ready")
	f.BoolVar(&verbose, "verbose", false, "log every request to standard error")
	return cmd
}

// listener is one door of the world.
type listener struct {
	port    int
	handler http.Handler
	server  *http.Server
}

// listen binds the ports of the world before anything else is opened: a port in use is the most likely fault, and is told at once.
func listen(base int) (map[int]net.Listener, error) {
	ports := map[int]net.Listener{}
	for _, offset := range []int{0, 1, 2, 3, 10, 11} {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(base+offset)))
		if err != nil {
			for _, open := range ports {
				_ = open.Close()
			}
			return nil, fmt.Errorf("port %d can't be opened (%w); is another hufu running? --port-base moves everything", base+offset, err)
		}
		ports[offset] = l
	}
	return ports, nil
}

// dataDir returns the directory that keeps the world, and whether it goes at the end.
func dataDir(o Options) (dir string, cleanup func(), err error) {
	if o.Ephemeral {
		dir, err = os.MkdirTemp("", "hufu-dev-")
		return dir, func() { _ = os.RemoveAll(dir) }, err
	}
	if dir = o.Data; dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", nil, fmt.Errorf("no place for data (%w); name one with --data", err)
		}
		dir = filepath.Join(cache, "hufu", "dev-"+strconv.Itoa(o.PortBase))
	}
	return dir, func() {}, os.MkdirAll(dir, 0o700)
}

// Wait returns when ctx is done or a listener fails.
func (w *World) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-w.failed:
		return err
	}
}

// Stop ends everything and, for an ephemeral world, removes what it kept. It may be called more than once.
func (w *World) Stop() {
	w.stop.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
		defer cancel()
		for _, d := range w.doors {
			if d.server.Shutdown(ctx) != nil {
				_ = d.server.Close()
			}
		}
		for _, c := range w.counters {
			c.Close()
		}
		if w.node != nil {
			w.node.Close()
		}
		w.cleanup()
	})
}

func (w *World) serve(listeners map[int]net.Listener) {
	for offset, l := range listeners {
		d := &listener{port: w.port(offset), handler: w.handlers[offset], server: httpx.NewServer(w.handlers[offset])}
		w.doors = append(w.doors, d)
		go func() {
			if err := d.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				select {
				case w.failed <- err:
				default:
				}
			}
		}()
	}
}

// FreeBase finds a port base with all ports of the world free, away from the default.
func FreeBase() (int, error) {
	for base := 18080; base < 28000; base += 20 {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(base)))
		if err != nil {
			continue
		}
		_ = l.Close()
		listeners, err := listen(base)
		if err != nil {
			continue
		}
		for _, l := range listeners {
			_ = l.Close()
		}
		return base, nil
	}
	return 0, errors.New("no free ports")
}
