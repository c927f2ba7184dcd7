package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/hufu-id/hufu/cmd/hufu/internal/node"
	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/keys"
)

// newKeysCmd is hufu keys: what the operator may do by hand. The schedule does the same by itself.
func newKeysCmd() *cobra.Command {
	var config string
	cmd := &cobra.Command{Use: "keys", Short: "List and rotate signing keys"}
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
	cmd.AddCommand(list, rotate)
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
		return exitf(exitUsage, "there is no purpose %q; hufu keys list shows them", p)
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
		return exitf(exitUsage, "the next key was published too short a time ago (ready at %s); --force uses it all the same", r.ReadyAt.UTC().Format(time.RFC3339))
	}
	if err != nil {
		return err
	}
	for word, id := range map[string]string{"created": r.Created, "activated": r.Activated, "retired": r.Retired} {
		if id != "" {
			fmt.Fprintf(cmd.OutOrStdout(), "%s %s\n", word, id)
		}
	}
	return nil
}

// newAuditCmd is hufu audit: is the trail what was written?
func newAuditCmd() *cobra.Command {
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
					return exitError{code: exitInvalid, err: err}
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
