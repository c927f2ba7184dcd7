// Package keyscmd is `hufu keys` and `hufu audit`: what an operator does with the keys of a server by hand.
package keyscmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/hufu-id/hufu/cmd/hufu/internal/deptclient"
	"github.com/hufu-id/hufu/cmd/hufu/internal/node"
	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/keys"
)

// exitBroken: the audit trail is not what was written.
const exitBroken = 2

// NewCommand is `hufu keys`: what the operator may do by hand. The schedule does the same by itself.
func NewCommand() *cobra.Command {
	var config string
	cmd := &cobra.Command{Use: "keys", Short: "List, rotate and revoke keys"}
	cmd.PersistentFlags().StringVar(&config, "config", "hufu.yaml", "configuration file of the server")
	list := &cobra.Command{
		Use:   "list",
		Short: "List the keys of every purpose with their state",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withKeys(cmd.Context(), config, func(k *node.KeyRoom) error { return listKeys(cmd, k) })
		},
	}
	var yes, force bool
	rotate := &cobra.Command{
		Use:   "rotate PURPOSE",
		Short: "Publish the next key of a purpose, or use the one that was published long enough",
		Long: "Publish the next key of a purpose; called again once every verifier can know it, make it the one that signs. The old key goes on verifying what it signed.\n" +
			"Without --yes nothing is changed.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return withKeys(cmd.Context(), config, func(k *node.KeyRoom) error {
				return rotateKey(cmd, k, keys.Purpose(args[0]), yes, force)
			})
		},
	}
	rotate.Flags().BoolVar(&yes, "yes", false, "do it; without, only say what would happen")
	rotate.Flags().BoolVar(&force, "force", false, "use the next key at once, although some verifiers can't know it yet: for a stolen key")
	cmd.AddCommand(list, rotate, newRevokeCmd(&config), newReissueCmd(&config))
	return cmd
}

// newRevokeCmd is hufu keys revoke: for the day on which somebody else has a key of ours.
func newRevokeCmd(config *string) *cobra.Command {
	var since, key string
	var yes bool
	cmd := &cobra.Command{
		Use:   "revoke PURPOSE --compromised-at TIME",
		Short: "Take a stolen key out of use at once and tell verifiers",
		Long: "Take a key out of use for good: it vanishes from the published keys, its private half is destroyed, another key signs from now on, and of an\n" +
			"issuing authority's key the next trust bundle says since when it isn't to be believed. What it signed must be issued again.\n" +
			"Without --yes nothing is changed.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			at, err := time.Parse(time.RFC3339, since)
			if err != nil {
				return fmt.Errorf("--compromised-at needs a time like 2026-11-26T08:00:00+08:00: since when may somebody else have signed with the key?")
			}
			if !yes {
				fmt.Fprintf(cmd.OutOrStdout(), "Would revoke a key of %s, compromised since %s. Nothing was changed; add --yes to do it.\n", args[0], at.UTC().Format(time.RFC3339))
				return nil
			}
			return withKeys(cmd.Context(), *config, func(k *node.KeyRoom) error {
				r, err := k.Keys.Revoke(cmd.Context(), keys.Purpose(args[0]), keys.RevokeOptions{Key: key, CompromisedAt: at, Actor: "operator"})
				if errors.Is(err, keys.ErrNoPurpose) || errors.Is(err, keys.ErrNotFound) || errors.Is(err, keys.ErrSpec) || errors.Is(err, keys.ErrTooEarly) {
					return fmt.Errorf("%v; hufu keys list shows purposes and keys", err)
				}
				if err != nil {
					return err
				}
				return printRotation(cmd, r, "revoked")
			})
		},
	}
	cmd.Flags().StringVar(&since, "compromised-at", "", "since when the key isn't ours alone (RFC 3339)")
	cmd.Flags().StringVar(&key, "key", "", "which key of the purpose; the active one if empty")
	cmd.Flags().BoolVar(&yes, "yes", false, "do it; without, only say what would happen")
	return cmd
}

func withKeys(ctx context.Context, config string, do func(*node.KeyRoom) error) error {
	cfg, err := node.ReadConfig(config)
	if err != nil {
		return err
	}
	k, err := node.OpenKeys(ctx, cfg)
	if err != nil {
		return err
	}
	defer k.Close()
	return do(k)
}

func listKeys(cmd *cobra.Command, k *node.KeyRoom) error {
	w := tabwriter.NewWriter(cmd.OutOrStdout(), 0, 4, 2, ' ', 0)
	fmt.Fprintln(w, "PURPOSE\tSTATE\tPUBLISHED (UTC)\tKEY")
	for _, p := range k.Purposes() {
		all, err := k.Keys.Keys(cmd.Context(), p)
		if errors.Is(err, keys.ErrNoPurpose) {
			fmt.Fprintf(w, "%s\tnone yet\t\tthe server makes it when it starts\n", p)
			continue
		}
		if err != nil {
			return err
		}
		for _, key := range all {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", p, key.State, key.CreatedAt.UTC().Format(time.DateTime), key.ID)
		}
	}
	return w.Flush()
}

func rotateKey(cmd *cobra.Command, k *node.KeyRoom, p keys.Purpose, yes, force bool) error {
	all, err := k.Keys.Keys(cmd.Context(), p)
	if errors.Is(err, keys.ErrNoPurpose) {
		return fmt.Errorf("there is no purpose %q; hufu keys list shows them", p)
	}
	if err != nil {
		return err
	}
	if !yes {
		next := "publish a new key; it signs from the next rotation on"
		if slices.ContainsFunc(all, func(k keys.Key) bool { return k.State == keys.Next }) {
			next = "make the published key the one that signs, if it was published long enough"
		}
		fmt.Fprintf(cmd.OutOrStdout(), "Would %s. Nothing was changed; add --yes to do it.\n", next)
		return nil
	}
	r, err := k.Keys.Rotate(cmd.Context(), p, keys.RotateOptions{Force: force, Actor: "operator"})
	if errors.Is(err, keys.ErrTooEarly) {
		return fmt.Errorf("the next key was published too short a time ago (ready at %s); --force uses it all the same", r.ReadyAt.UTC().Format(time.RFC3339))
	}
	if err != nil {
		return err
	}
	return printRotation(cmd, r, "retired")
}

// printRotation says what became of which key; gone is the word for the one that signs no more.
func printRotation(cmd *cobra.Command, r keys.Rotation, gone string) error {
	for word, id := range map[string]string{"created": r.Created, "activated": r.Activated, gone: r.Retired} {
		if id != "" {
			fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", word, id)
		}
	}
	return nil
}

// NewAudit is `hufu audit`: is the trail what was written?
func NewAudit() *cobra.Command {
	var config string
	cmd := &cobra.Command{Use: "audit", Short: "Check the audit trail"}
	verify := &cobra.Command{
		Use:   "verify",
		Short: "Walk the whole chain and every signed head; name the first event that was altered",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withKeys(cmd.Context(), config, func(k *node.KeyRoom) error {
				n, err := k.VerifyAudit(cmd.Context())
				if errors.Is(err, audit.ErrBroken) {
					return &deptclient.ExitError{Code: exitBroken, Err: err}
				}
				if err != nil {
					return err
				}
				fmt.Fprintf(cmd.OutOrStdout(), "The trail is whole: %d events, each linked to the one before, the last head signed by us.\n", n)
				return nil
			})
		},
	}
	verify.Flags().StringVar(&config, "config", "hufu.yaml", "configuration file of the server")
	cmd.AddCommand(verify)
	return cmd
}
