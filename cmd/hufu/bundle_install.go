package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/hufu-id/hufu/signing/bundle"
)

// The files of an installation. hufu verify --root D/root.json --bundle D/bundle.zip uses them.
const (
	installedBundle = "bundle.zip"
	installedRoot   = "root.json"
	seenFile        = "seen.json"
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
	roots, err := installRoots(rootPath, dir)
	if err != nil {
		return err
	}
	l := loadedBundle{}
	if l.archive, err = readLimited(nil, file, bundle.MaxArchive); err != nil {
		return err
	}
	// Both the given and the remembered root must lead here: a given root that is years old
	// might be one whose keys were stolen since.
	for _, root := range roots {
		if l.load(root, time.Now()); l.err != nil {
			return l.trouble(lang)
		}
	}
	seen, err := readSeen(dir)
	if err != nil {
		return err
	}
	if l.err = seen.Check(l.contents); l.err != nil {
		return l.trouble(lang)
	}
	if seen.Version == l.contents.Version && sameFile(filepath.Join(dir, installedBundle), l.archive) {
		fmt.Fprintln(cmd.OutOrStdout(), say(lang, "same"))
		return nil
	}
	if err := install(dir, l); err != nil {
		return exitError{exitUsage, err}
	}
	fmt.Fprintln(cmd.OutOrStdout(), say(lang, "installed", l.contents.Version, stampOf(l.contents.AsOf)))
	return nil
}

// installRoots are the given root and the one of the directory, at least one of them.
func installRoots(rootPath, dir string) ([][]byte, error) {
	var roots [][]byte
	if rootPath != "" {
		raw, err := readLimited(nil, rootPath, maxRoot)
		if err != nil {
			return nil, err
		}
		roots = append(roots, raw)
	}
	own := filepath.Join(dir, installedRoot)
	if _, err := os.Stat(own); err == nil {
		raw, err := readLimited(nil, own, maxRoot)
		if err != nil {
			return nil, err
		}
		roots = append(roots, raw)
	}
	if len(roots) == 0 {
		return nil, exitf(exitUsage, "--root is needed the first time")
	}
	return roots, nil
}

// readSeen reads what the directory remembers. A memory that can't be read stops the installation: going on without it
// would let an old bundle in.
func readSeen(dir string) (bundle.Seen, error) {
	var seen bundle.Seen
	raw, err := os.ReadFile(filepath.Join(dir, seenFile))
	if errors.Is(err, fs.ErrNotExist) {
		return seen, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &seen)
	}
	if err != nil {
		return seen, exitf(exitUsage, "reading %s: %w", filepath.Join(dir, seenFile), err)
	}
	return seen, nil
}

// install writes the memory first: if the power fails in between, the next run installs the same bundle again, and
// never an older one.
func install(dir string, l loadedBundle) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	memory, err := json.MarshalIndent(l.contents.Seen(), "", "  ")
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		body []byte
	}{{seenFile, append(memory, '\n')}, {installedRoot, l.contents.Root}, {installedBundle, l.archive}} {
		if err := writeAtomic(filepath.Join(dir, f.name), f.body); err != nil {
			return err
		}
	}
	return nil
}

func sameFile(path string, body []byte) bool {
	have, err := os.ReadFile(path)
	return err == nil && bundle.Fingerprint(have) == bundle.Fingerprint(body)
}
