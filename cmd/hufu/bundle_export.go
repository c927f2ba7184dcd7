package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hufu-id/hufu/internal/bundlecopy"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/signing/bundle"
)

// exportTimeout is for a national bundle on a slow line.
const exportTimeout = 5 * time.Minute

type exportOptions struct{ url, out, root, rootOut string }

func newBundleExportCmd() *cobra.Command {
	var o exportOptions
	cmd := &cobra.Command{
		Use:   "export --url URL --out FILE [--root ROOT] [--root-out FILE]",
		Short: "Fetch the trust bundle from a server into a file",
		Long: `Fetch the trust bundle from a server (its origin, or the address of the zip) into a file.

With --root the bundle is verified before it is written; one that this root doesn't vouch for is not
written at all. With --root-out the newest root of trust is written too: of the verified chain with
--root, else as the server hands it out, and then its fingerprint must be compared by another way.`,
		Args: cobra.NoArgs, SilenceUsage: true, SilenceErrors: true,
		RunE: func(cmd *cobra.Command, _ []string) error { return runExport(cmd, o) },
	}
	f := cmd.Flags()
	f.StringVar(&o.url, "url", "", "the server, such as https://id.example, or the address of its bundle.zip")
	f.StringVar(&o.out, "out", "", "where to write the bundle")
	f.StringVar(&o.root, "root", "", "root of trust to verify the bundle with")
	f.StringVar(&o.rootOut, "root-out", "", "where to write the newest root of trust")
	return cmd
}

func runExport(cmd *cobra.Command, o exportOptions) error {
	lang, err := bundleLang(cmd)
	if err != nil {
		return err
	}
	if o.url == "" || o.out == "" {
		return exitf(exitUsage, "--url and --out are needed")
	}
	zipURL, rootURL, err := bundleURLs(o.url)
	if err != nil {
		return err
	}
	var root []byte
	if o.root != "" {
		if root, err = readLimited(nil, o.root, maxRoot); err != nil {
			return err
		}
	}
	client := httpx.NewClient(httpx.ClientOptions{
		Allow:   func(netip.AddrPort) bool { return true }, // the person at the keyboard named the server
		Timeout: exportTimeout, MaxBytes: bundle.MaxArchive,
	})
	l := loadedBundle{}
	if l.archive, err = fetch(cmd.Context(), client, zipURL); err != nil {
		return err
	}
	l.load(root, time.Now())
	if l.err != nil {
		return l.trouble(lang)
	}
	if err := bundlecopy.WriteAtomic(o.out, l.archive); err != nil {
		return exitError{exitUsage, err}
	}
	fmt.Fprintln(cmd.OutOrStdout(), say(lang, "written", o.out, l.contents.Version, stampOf(l.contents.AsOf)))
	if root == nil {
		fmt.Fprintln(cmd.ErrOrStderr(), say(lang, "unchecked"))
	}
	return exportRoot(cmd, lang, o, client, rootURL, l)
}

// exportRoot writes the newest root: the one that the verified chain led to, or what the server hands out.
func exportRoot(cmd *cobra.Command, lang string, o exportOptions, client *httpx.Client, rootURL string, l loadedBundle) error {
	if o.rootOut == "" {
		return nil
	}
	root := l.contents.Root
	if !l.verified {
		var err error
		if root, err = fetch(cmd.Context(), client, rootURL); err != nil {
			return err
		}
		// A root that doesn't fit the bundle of the same server is of no use to anybody.
		if _, err := bundle.VerifyFiles(root, l.files, time.Now()); err != nil {
			l.err = err
			return l.trouble(lang)
		}
	}
	if err := bundlecopy.WriteAtomic(o.rootOut, root); err != nil {
		return exitError{exitUsage, err}
	}
	out := cmd.OutOrStdout()
	fmt.Fprintf(out, "%s\n  %s\n", say(lang, "root_written", o.rootOut), bundle.Fingerprint(root))
	if !l.verified {
		fmt.Fprintf(out, "  %s\n", say(lang, "compare"))
	}
	return nil
}

// bundleURLs derives the addresses from what the user gave: an origin, or the address of the zip.
func bundleURLs(raw string) (zip, root string, err error) {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return "", "", exitf(exitUsage, "--url must look like https://id.example, not %q", raw)
	}
	base := strings.TrimSuffix(strings.TrimSuffix(u.Path, "/bundle.zip"), "/")
	at := func(path string) string {
		v := *u
		v.Path, v.RawPath, v.RawQuery, v.Fragment = base+path, "", "", ""
		return v.String()
	}
	return at("/bundle.zip"), at("/bundle/root.json"), nil
}

func fetch(ctx context.Context, client *httpx.Client, from string) ([]byte, error) {
	if ctx == nil {
		ctx = context.Background()
	}
	res, err := client.Get(ctx, from)
	if errors.Is(err, httpx.ErrAnswer) || errors.Is(err, httpx.ErrUnreachable) || errors.Is(err, httpx.ErrURL) {
		return nil, exitf(exitUsage, "fetching %s: %w", from, err)
	}
	if err != nil {
		return nil, exitError{exitUsage, err}
	}
	return res.Body, nil
}
