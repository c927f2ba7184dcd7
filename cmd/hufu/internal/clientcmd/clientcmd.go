// Package clientcmd is `hufu client`: how an operator registers clients from files, lists them and changes their secrets. It opens the database
// of the server by the server's configuration; the server may be running, and believes a change within a second.
package clientcmd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/hufu-id/hufu/cmd/hufu/internal/clientfile"
	"github.com/hufu-id/hufu/cmd/hufu/internal/configfile"
	"github.com/hufu-id/hufu/cmd/hufu/internal/deptclient"
	"github.com/hufu-id/hufu/cmd/hufu/internal/node"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/oidcstore"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/registration"
)

// ExitChanges says that there is something to change, or that a change was refused.
const ExitChanges = 2

const day = 24 * time.Hour

// maxOverlap bounds for how long two secrets of a client are good.
const maxOverlap = 30 * day

// flags are shared by all commands of `hufu client`.
type flags struct{ config string }

// room is what a command works in.
type room struct {
	cfg   node.Config
	store *oidcstore.Store
	now   func() time.Time
}

// NewCommand is `hufu client`. What its commands return is a *deptclient.ExitError or nil, or plain wrong usage.
func NewCommand() *cobra.Command {
	f := &flags{}
	cmd := &cobra.Command{
		Use:   "client",
		Short: "Register clients from files, list them, change their secrets",
		Long: `Register clients from files, list them, change their secrets.

A file of clients looks like "clients" in the server's configuration. Nothing is changed without --yes.

Exit codes: 0 nothing to change, or done; 1 wrong usage, a file or database that can't be opened; 2 there is something to change, or a change was refused.`,
		SilenceUsage: true, SilenceErrors: true,
	}
	cmd.PersistentFlags().StringVar(&f.config, "config", "hufu.yaml", "configuration file of the server")
	cmd.AddCommand(planCmd(f), applyCmd(f), listCmd(f), rotateCmd(f), tokenCmd(f))
	return cmd
}

// with opens the database for one command.
func (f *flags) with(ctx context.Context, do func(room) error) error {
	cfg, err := node.ReadConfig(f.config)
	if err != nil {
		return err
	}
	db, err := sqlstore.Open(ctx, cfg.Database)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.CheckSchema(ctx); err != nil {
		return fmt.Errorf("%w; run hufu migrate", err)
	}
	return do(room{cfg: cfg, store: oidcstore.New(db, time.Now), now: time.Now})
}

func readFile(path string) (clientfile.File, error) {
	var file clientfile.File
	err := configfile.Decode(path, &file)
	if err == nil && len(file.Clients) == 0 {
		err = fmt.Errorf("%s: there are no clients in it", path)
	}
	return file, err
}

func planCmd(f *flags) *cobra.Command {
	return &cobra.Command{
		Use: "plan FILE", Short: "Show what apply would change, client by client and field by field", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd, args[0], false, "")
		},
	}
}

func applyCmd(f *flags) *cobra.Command {
	var yes bool
	var id string
	cmd := &cobra.Command{
		Use: "apply FILE", Short: "Bring the clients of a file to what it says; without --yes, only show it", Args: cobra.ExactArgs(1),
		Long: "Bring the clients of a file to what it says, all of them or none. Clients that are not in the file stay as they are; set disabled to end one.\n" +
			"A client with a secret but no secret_file gets a new secret, which is printed once.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return f.run(cmd, args[0], yes, id)
		},
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do it; without, only say what would happen")
	cmd.Flags().StringVar(&id, "plan", "", "do it only if it is exactly what this plan said (hufu client plan prints its number)")
	return cmd
}

// run plans and, with yes, applies.
func (f *flags) run(cmd *cobra.Command, path string, yes bool, id string) error {
	file, err := readFile(path)
	if err != nil {
		return err
	}
	return f.with(cmd.Context(), func(r room) error {
		p, err := r.plan(cmd.Context(), file)
		if err != nil {
			return &deptclient.ExitError{Code: ExitChanges, Err: err}
		}
		out := &deptclient.Printer{Out: cmd.OutOrStdout()}
		p.print(out)
		if id != "" && id != p.id() {
			return &deptclient.ExitError{Code: ExitChanges, Err: errors.New("this is not what the plan said: the file or a client was changed since; nothing was changed")}
		}
		if !yes {
			if p.changes() == 0 {
				return nil
			}
			out.Line("Plan %s. Nothing was changed; to do exactly this: hufu client apply --yes --plan %s %s", p.id(), p.id(), path)
			return &deptclient.ExitError{Code: ExitChanges}
		}
		if err := r.apply(cmd.Context(), p); err != nil {
			return err
		}
		p.printSecrets(out)
		return nil
	})
}

// apply writes all changes of a plan or none.
func (r room) apply(ctx context.Context, p plan) error {
	return r.store.InTx(ctx, func(ctx context.Context) error {
		for _, c := range p {
			if len(c.fields) == 0 {
				continue
			}
			err := r.store.ChangeClient(ctx, c.after, c.version, "operator")
			if errors.Is(err, client.ErrChanged) {
				err = &deptclient.ExitError{Code: ExitChanges, Err: fmt.Errorf("%s was changed by somebody else meanwhile; nothing was changed, plan again", c.after.ID)}
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

func listCmd(f *flags) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List all clients, without secrets", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return f.with(cmd.Context(), func(r room) error {
				all, err := r.all(cmd.Context())
				if err != nil {
					return err
				}
				if asJSON {
					return json.NewEncoder(cmd.OutOrStdout()).Encode(map[string]any{"clients": redacted(all)})
				}
				return printList(cmd.OutOrStdout(), all, r.now())
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// all reads every client.
func (r room) all(ctx context.Context) (out []client.Client, err error) {
	const page = 500
	for after := ""; ; after = out[len(out)-1].ID {
		some, err := r.store.Clients(ctx, after, page)
		if err != nil {
			return nil, err
		}
		out = append(out, some...)
		if len(some) < page {
			return out, nil
		}
	}
}

func rotateCmd(f *flags) *cobra.Command {
	var overlap time.Duration
	var yes bool
	cmd := &cobra.Command{
		Use: "rotate-secret ID", Short: "Give a client a new secret, printed once; the old one stays good for a while", Args: cobra.ExactArgs(1),
		Long: "Give a client a new secret, printed once; the old one stays good until the overlap ends.\n" +
			"Keys need no command: publish the new key beside the old one in jwks_file or behind jwks_uri, change over, then take the old one away.",
		RunE: func(cmd *cobra.Command, args []string) error {
			if overlap < 0 || overlap > maxOverlap {
				return deptclient.Usage("--overlap: from 0 to %s", maxOverlap)
			}
			return f.with(cmd.Context(), func(r room) error {
				out := &deptclient.Printer{Out: cmd.OutOrStdout()}
				return r.rotate(cmd.Context(), out, args[0], overlap, yes)
			})
		},
	}
	cmd.Flags().DurationVar(&overlap, "overlap", day, "how long the old secret stays good; 0 ends it at once, as for a stolen one")
	cmd.Flags().BoolVar(&yes, "yes", false, "do it; without, only say what would happen")
	return cmd
}

func (r room) rotate(ctx context.Context, out *deptclient.Printer, id string, overlap time.Duration, yes bool) error {
	c, version, err := r.store.ClientVersion(ctx, id)
	if errors.Is(err, client.ErrUnknown) {
		return deptclient.Usage("there is no client %q; hufu client list shows them", id)
	}
	if err != nil {
		return err
	}
	if r.configured(id) {
		return deptclient.Usage("%s is in the server's configuration, whose secret_file goes before at the next start: change it there", id)
	}
	if c.SecretHash == "" {
		return deptclient.Usage("%s proves who it is by %s, not by a secret", id, c.AuthMethod)
	}
	now := r.now()
	if c.PreviousSecretHash != "" && now.Before(c.PreviousSecretEnds) {
		out.Line("The secret before the present one, good until %s, would end now.", stamp(c.PreviousSecretEnds))
	}
	ends := now.Add(overlap)
	if !yes {
		out.Line("Would give %s a new secret; the present one would stay good until %s. Nothing was changed; add --yes to do it.", id, stamp(ends))
		return nil
	}
	secret := registration.NewSecret()
	c.PreviousSecretHash, c.PreviousSecretEnds, c.SecretHash = c.SecretHash, ends.UTC().Truncate(time.Second), client.HashSecret(secret)
	if overlap == 0 {
		c.PreviousSecretHash, c.PreviousSecretEnds = "", time.Time{}
	}
	err = r.store.ChangeClient(ctx, c, version, "operator")
	if errors.Is(err, client.ErrChanged) {
		return &deptclient.ExitError{Code: ExitChanges, Err: fmt.Errorf("%s was changed by somebody else meanwhile; nothing was changed, try again", id)}
	}
	if err != nil {
		return err
	}
	out.Line("%s", secret)
	out.Line("This is the new secret of %s. It is not shown again. The old one is good until %s.", id, stamp(ends))
	return nil
}

// configured says whether a client is in the server's own configuration, which is written over the database at every start.
func (r room) configured(id string) bool {
	for _, e := range r.cfg.Clients {
		if e.ID == id {
			return true
		}
	}
	return false
}

func tokenCmd(f *flags) *cobra.Command {
	var uses int
	var expires time.Duration
	var note string
	cmd := &cobra.Command{
		Use: "initial-token", Short: "Print a token with which clients may register themselves (RFC 7591)", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if uses < 1 || uses > 10_000 || expires <= 0 || expires > 90*day {
				return deptclient.Usage("--uses: from 1 to 10000; --expires: up to 2160h")
			}
			return f.with(cmd.Context(), func(r room) error {
				if p, err := r.cfg.ClientRegistration.Policy(); err != nil || !p.Enabled() {
					return deptclient.Usage("client_registration is off in %s: nobody could use a token", f.config)
				}
				ends := r.now().Add(expires)
				token, kept := registration.NewInitialToken(note, uses, ends)
				if err := r.store.PutInitialToken(cmd.Context(), kept); err != nil {
					return err
				}
				out := &deptclient.Printer{Out: cmd.OutOrStdout()}
				out.Line("%s", token)
				out.Line("Good for %d clients until %s. It is not shown again.", uses, stamp(ends))
				return nil
			})
		},
	}
	cmd.Flags().IntVar(&uses, "uses", 1, "how many clients may register by it")
	cmd.Flags().DurationVar(&expires, "expires", day, "how long it is good")
	cmd.Flags().StringVar(&note, "note", "", "what to remember it by in the audit trail, such as the department's name")
	return cmd
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }
