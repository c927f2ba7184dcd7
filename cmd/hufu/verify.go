package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/hufu-id/hufu/internal/bundlecopy"
	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/signing/verify"
)

// maxPresentation bounds what verify reads; the verifier's own limits are tighter.
const maxPresentation = 3 << 19 // an mdoc of the greatest size as base64url

// maxRoot bounds a root file.
const maxRoot = 4 << 20

// verifyOptions are the flags of hufu verify.
type verifyOptions struct {
	root, bundle    string
	nonce, audience string
	purposes        []string
	holder          string
	seal            string
	at              string
	maxAge          time.Duration
	lang            string
	json            bool
}

// newVerifyCmd is hufu verify: the offline verifier on files. It opens no socket.
func newVerifyCmd() *cobra.Command {
	var o verifyOptions
	cmd := &cobra.Command{
		Use:   "verify --root ROOT --bundle BUNDLE [--nonce N --audience A | --purpose P | --holder any | --seal SIGNATURE] FILE|-",
		Short: "Check an e-licence or a sealed file offline against published keys",
		Long: `Check an e-licence without any network: an SD-JWT VC, or an mdoc (ISO/IEC 18013-5: IssuerSigned or
DeviceResponse, as CBOR or in base64url), as a wallet shows it; or, with --seal, a file that a
department sealed (a detached JAdES signature).

The holder of an mdoc answers --nonce and --audience by device authentication over the session
transcript of OpenID4VP, with the audience as client_id and as response_uri, not encrypted.

Trust comes from two files: the root of trust, which you got once and compared out of band
(hufu bundle show prints its fingerprint), and a trust bundle. Without both nothing is trusted:
CANNOT TELL. An older bundle never gives a better answer than a newer one.

Exit codes: 0 valid, 2 invalid, 3 cannot tell, 1 wrong usage or a file that can't be opened.`,
		Example: `  hufu verify --root root.json --bundle bundle.zip --nonce "$NONCE" --audience https://counter.example presentation.txt
  hufu verify --root root.json --bundle bundle.zip --holder any --json licence.txt
  hufu verify --root root.json --bundle bundle.zip --holder any licence.mdoc
  hufu verify --root root.json --bundle bundle.zip --seal decision.pdf.jades decision.pdf`,
		Args:          cobra.ExactArgs(1),
		SilenceUsage:  true,
		SilenceErrors: true,
		RunE:          func(cmd *cobra.Command, args []string) error { return runVerify(cmd, o, args[0]) },
	}
	f := cmd.Flags()
	f.StringVar(&o.root, "root", "", "root of trust (root.json)")
	f.StringVar(&o.bundle, "bundle", "", "trust bundle (bundle.zip)")
	f.StringVar(&o.nonce, "nonce", "", "the nonce that the holder had to answer")
	f.StringVar(&o.audience, "audience", "", "whom the holder had to answer")
	f.StringArrayVar(&o.purposes, "purpose", nil, "also accept what the holder showed for this purpose (https://id.example/purposes/...) without being asked, for ten minutes; repeatable")
	f.StringVar(&o.holder, "holder", "", `"any": judge the document alone, not who shows it`)
	f.StringVar(&o.seal, "seal", "", "FILE is a document of any kind, and this is the signature that seals it (F.jades)")
	f.StringVar(&o.at, "at", "", "judge as of this time (RFC 3339) instead of now")
	f.DurationVar(&o.maxAge, "holder-max-age", 0, "how long ago the holder may have answered (default 9m); raise it for a recorded presentation")
	f.BoolVar(&o.json, "json", false, "print the verdict as one line of JSON")
	f.StringVar(&o.lang, "lang", "", "language of the report: zh or en (default: from the environment)")
	return cmd
}

func runVerify(cmd *cobra.Command, o verifyOptions, file string) error {
	lang, err := language(o.lang)
	if err != nil {
		return err
	}
	challenge, at, err := o.parse()
	if err != nil {
		return err
	}
	contents, why, err := o.trust(at)
	if err != nil {
		return err
	}
	policy := verify.Policy{NewestSeen: newestSeen(o.bundle), BindingMaxAge: o.maxAge}
	var verdict verify.Verdict
	if o.seal != "" {
		verdict, err = judgeSealed(cmd.InOrStdin(), o.seal, file, contents, at, policy)
	} else {
		var presentation []byte
		presentation, err = readLimited(cmd.InOrStdin(), file, maxPresentation)
		verdict = verify.Verify(verify.AsText(presentation), contents, challenge, at, policy)
	}
	if err != nil {
		return err
	}
	if o.json {
		fmt.Fprintf(cmd.OutOrStdout(), "%s\n", verdict.JSON())
	} else {
		fmt.Fprint(cmd.OutOrStdout(), verdict.Text(lang))
	}
	if why != "" {
		fmt.Fprintln(cmd.ErrOrStderr(), say(lang, why))
	}
	if code := verdict.ExitCode(); code != exitOK {
		return exitError{code: code}
	}
	return nil
}

// purposeForm is the audience that stands for a purpose (docs/trust.md 5).
var purposeForm = regexp.MustCompile(`^https?://[^/?#]+/purposes/[a-z0-9-]+$`)

// parse checks the flags against each other.
func (o verifyOptions) parse() (verify.Challenge, time.Time, error) {
	c := verify.Challenge{Nonce: o.nonce, Audience: o.audience, Purposes: o.purposes}
	switch {
	case o.holder != "" && o.holder != "any":
		return c, time.Time{}, exitf(exitUsage, "--holder takes only the word any, not %q", o.holder)
	case o.holder == "any" && (o.nonce != "" || o.audience != "" || len(o.purposes) > 0):
		return c, time.Time{}, exitf(exitUsage, "--holder any and --nonce/--audience/--purpose exclude each other: is the holder asked or not?")
	case slices.ContainsFunc(o.purposes, func(p string) bool { return !purposeForm.MatchString(p) }):
		// A counter's own address here would make its answers good without their nonce.
		return c, time.Time{}, exitf(exitUsage, "--purpose needs the address of a purpose, such as https://id.example/purposes/driving-check; for a counter use --nonce and --audience")
	case o.seal != "" && (o.holder != "" || o.nonce != "" || o.audience != "" || len(o.purposes) > 0 || o.maxAge != 0):
		return c, time.Time{}, exitf(exitUsage, "--seal judges a document: it has no holder, so none of --holder, --nonce, --audience, --purpose and --holder-max-age go with it")
	case (o.nonce == "") != (o.audience == ""):
		return c, time.Time{}, exitf(exitUsage, "--nonce and --audience belong together")
	}
	c.HolderAny = o.holder == "any"
	if o.at == "" {
		return c, time.Now(), nil
	}
	at, err := time.Parse(time.RFC3339, o.at)
	if err != nil {
		return c, time.Time{}, exitf(exitUsage, "--at takes a time like 2026-11-23T08:00:00Z, not %q", o.at)
	}
	return c, at, nil
}

// trust opens root and bundle. Contents are nil when nothing can be trusted; then, and when the bundle is out of
// date, why is the key of a sentence that says so. The error is for files that can't be opened.
func (o verifyOptions) trust(at time.Time) (c *bundle.Contents, why string, err error) {
	var root, archive []byte
	if o.root != "" {
		if root, err = readLimited(nil, o.root, maxRoot); err != nil {
			return nil, "", err
		}
	}
	if o.bundle != "" {
		if archive, err = readLimited(nil, o.bundle, bundle.MaxArchive); err != nil {
			return nil, "", err
		}
	}
	switch {
	case o.root == "":
		return nil, "no_root", nil
	case o.bundle == "":
		return nil, "no_bundle", nil
	}
	c, err = bundle.Verify(root, archive, at)
	return c, bundleTrouble(err), nil
}

// bundleTrouble names the sentence for an error of bundle.Verify; "" for none.
func bundleTrouble(err error) string {
	for _, t := range []struct {
		err error
		key string
	}{
		{bundle.ErrRoot, "bad_root"}, {bundle.ErrTooLarge, "too_large"}, {bundle.ErrMalformed, "malformed"}, {bundle.ErrUntrusted, "untrusted"},
		{bundle.ErrExpired, "expired"}, {bundle.ErrClockBehind, "clock_behind"}, {bundle.ErrRollback, "rollback"},
	} {
		if errors.Is(err, t.err) {
			return t.key
		}
	}
	if err != nil {
		return "malformed"
	}
	return ""
}

// readLimited reads a file, or stdin for "-" (nil: no stdin). A longer file is cut one byte after the limit, so that
// whoever judges it sees that it is too long.
func readLimited(stdin io.Reader, name string, limit int64) ([]byte, error) {
	in := stdin
	if name != "-" || stdin == nil {
		f, err := os.Open(name)
		if err != nil {
			return nil, exitError{exitUsage, err}
		}
		defer f.Close()
		in = f
	}
	b, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err != nil {
		return nil, exitError{exitUsage, err}
	}
	return b, nil
}

// newestSeen is the highest version that was ever installed beside this bundle file; 0 when unknown.
func newestSeen(bundlePath string) int64 {
	if bundlePath == "" {
		return 0
	}
	return bundlecopy.Dir(filepath.Dir(bundlePath)).NewestSeen()
}

// language picks zh or en: the flag, else the environment as every Unix tool reads it.
func language(flag string) (string, error) {
	switch flag {
	case "zh", "en":
		return flag, nil
	case "":
		for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
			if v := os.Getenv(name); v != "" {
				if strings.HasPrefix(v, "zh") {
					return "zh", nil
				}
				return "en", nil
			}
		}
		return "en", nil
	}
	return "", exitf(exitUsage, "--lang takes zh or en, not %q", flag)
}
