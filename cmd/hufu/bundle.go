package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/hufu-id/hufu/signing/bundle"
)

// newBundleCmd is hufu bundle: getting, reading, comparing and installing trust bundles.
func newBundleCmd() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bundle",
		Short: "Get, inspect, compare and install trust bundles",
		Long: `A trust bundle holds the published keys, issuers, status lists and type metadata, signed as a TUF
repository. Only "export" uses the network; everything else works on files.

Exit codes: 0 done, 3 the bundle isn't trusted (or expired, or older than the one installed),
1 wrong usage or a file that can't be opened.`,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return exitf(exitUsage, "choose one of: export, show, diff, install")
		},
	}
	cmd.PersistentFlags().String("lang", "", "language: zh or en (default: from the environment)")
	cmd.AddCommand(newBundleExportCmd(), newBundleShowCmd(), newBundleDiffCmd(), newBundleInstallCmd())
	return cmd
}

// bundleLang reads the flag that all bundle commands share.
func bundleLang(cmd *cobra.Command) (string, error) {
	flag, err := cmd.Flags().GetString("lang")
	if err != nil {
		return "", exitError{exitUsage, err}
	}
	return language(flag)
}

func newBundleShowCmd() *cobra.Command {
	var root, at string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "show [--root ROOT] FILE",
		Short: "Say what a trust bundle holds, how old it is, and its root's fingerprint",
		Args:  cobra.ExactArgs(1), SilenceUsage: true, SilenceErrors: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			lang, err := bundleLang(cmd)
			if err != nil {
				return err
			}
			now, err := timeFlag(at)
			if err != nil {
				return err
			}
			l, err := openBundle(root, args[0], now)
			if err != nil {
				return err
			}
			if l.contents != nil && asJSON {
				err = showJSON(cmd.OutOrStdout(), l)
			} else if l.contents != nil {
				showText(cmd.OutOrStdout(), lang, l, now)
			}
			if err != nil {
				return exitError{exitUsage, err}
			}
			return l.trouble(lang)
		},
	}
	cmd.Flags().StringVar(&root, "root", "", "root of trust to verify the bundle with")
	cmd.Flags().StringVar(&at, "at", "", "judge ages as of this time (RFC 3339) instead of now")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newBundleDiffCmd() *cobra.Command {
	var root string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "diff [--root ROOT] A B",
		Short: "Say what changed from trust bundle A to B",
		Args:  cobra.ExactArgs(2), SilenceUsage: true, SilenceErrors: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			lang, err := bundleLang(cmd)
			if err != nil {
				return err
			}
			var sides [2]loadedBundle
			for i := range sides {
				if sides[i], err = openBundle(root, args[i], time.Now()); err != nil {
					return err
				}
				// Two old bundles may be compared too; they only have to be genuine.
				if sides[i].contents == nil {
					return sides[i].trouble(lang)
				}
			}
			if root == "" {
				fmt.Fprintln(cmd.ErrOrStderr(), say(lang, "not_verified"))
			}
			return showDiff(cmd.OutOrStdout(), lang, asJSON, diffBundles(sides[0].contents, sides[1].contents))
		},
	}
	cmd.Flags().StringVar(&root, "root", "", "root of trust to verify both bundles with")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// loadedBundle is a bundle file as far as it could be understood.
type loadedBundle struct {
	archive  []byte
	files    bundle.Files
	contents *bundle.Contents // nil when it doesn't verify
	verified bool             // by a root that the user gave
	err      error            // of bundle.Verify
}

// openBundle reads and verifies a bundle file. Without a root the bundle's own first root stands in: enough to read
// it, not to trust it. The error is for files that can't be opened.
func openBundle(rootPath, path string, at time.Time) (loadedBundle, error) {
	var l loadedBundle
	var root []byte
	var err error
	if rootPath != "" {
		if root, err = readLimited(nil, rootPath, maxRoot); err != nil {
			return l, err
		}
	}
	if l.archive, err = readLimited(nil, path, bundle.MaxArchive); err != nil {
		return l, err
	}
	l.load(root, at)
	return l, nil
}

func (l *loadedBundle) load(root []byte, at time.Time) {
	l.verified = root != nil
	if l.files, l.err = bundle.Unpack(l.archive); l.err != nil {
		return
	}
	if !l.verified {
		root = l.files["1.root.json"]
	}
	l.contents, l.err = bundle.VerifyFiles(root, l.files, at)
}

// trouble is the exit for a bundle that isn't (fully) believed.
func (l loadedBundle) trouble(lang string) error {
	if l.err == nil {
		return nil
	}
	return exitf(exitCannotTell, "%s\n(%w)", say(lang, bundleTrouble(l.err)), l.err)
}

func timeFlag(s string) (time.Time, error) {
	if s == "" {
		return time.Now(), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return t, exitf(exitUsage, "--at takes a time like 2026-11-23T08:00:00Z, not %q", s)
	}
	return t, nil
}

func writeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
