package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/hufu-id/hufu/internal/bundlecopy"
	"github.com/hufu-id/hufu/signing/bundle"
)

func newBundleInstallCmd() *cobra.Command {
	var root, dir string
	cmd := &cobra.Command{
		Use:   "install --root ROOT --dir DIR FILE",
		Short: "Install a trust bundle for this computer; an older one than the last is refused",
		Long: `Verify a trust bundle and put it, with the newest root of trust, into a directory.

The directory remembers the newest versions it ever held: an older bundle, or another one of the same
version, is refused, whoever signed it. One installation at a time. From the second time on the
directory's own root counts too, so --root may be left out.`,
		Args: cobra.ExactArgs(1), SilenceUsage: true, SilenceErrors: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			lang, err := bundleLang(cmd)
			if err != nil {
				return err
			}
			if dir == "" {
				return exitf(exitUsage, "--dir is needed")
			}
			return runInstall(cmd, lang, root, dir, args[0])
		},
	}
	cmd.Flags().StringVar(&root, "root", "", "root of trust; needed the first time")
	cmd.Flags().StringVar(&dir, "dir", "", "the directory of the installation")
	return cmd
}

func runInstall(cmd *cobra.Command, lang, rootPath, dir, file string) error {
	var root []byte
	var err error
	if rootPath != "" {
		if root, err = readLimited(nil, rootPath, maxRoot); err != nil {
			return err
		}
	}
	archive, err := readLimited(nil, file, bundle.MaxArchive)
	if err != nil {
		return err
	}
	contents, same, err := bundlecopy.Dir(dir).Install(root, archive, time.Now())
	var refused *bundlecopy.Refusal
	switch {
	case errors.As(err, &refused):
		return loadedBundle{err: refused.Err}.trouble(lang)
	case errors.Is(err, bundlecopy.ErrNoRoot):
		return exitf(exitUsage, "--root is needed the first time")
	case err != nil:
		return exitError{exitUsage, err}
	case same:
		fmt.Fprintln(cmd.OutOrStdout(), say(lang, "same"))
		return nil
	}
	fmt.Fprintln(cmd.OutOrStdout(), say(lang, "installed", contents.Version, stampOf(contents.AsOf)))
	return nil
}
