// Package demo is `hufu demo`: it plays the main job on a throw-away sample world, with the production code and as its people would.
package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/hufu-id/hufu/cmd/hufu/internal/dev"
	"github.com/hufu-id/hufu/internal/sample/browser"
	"github.com/hufu-id/hufu/internal/sample/wallet"
)

// Run runs one command of this program, as if typed, and returns its exit code.
type Run func(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int

// NewCommand is `hufu demo`. run executes the commands that the demo shows.
func NewCommand(run Run) *cobra.Command {
	var asJSON bool
	var outDir string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Play the main job in the terminal: log in, take a licence, verify it offline, revoke it, verify again",
		Long: "Play the main job on a throw-away world: a person logs in to a department through her province, takes her driving licence into a wallet,\n" +
			"and a stranger verifies it offline; a department seals a document; she shows the licence without an app and a clerk checks it; then the seal\n" +
			"is suspended and the licence revoked. Exits 0, or says which step failed and exits 1.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			d := &demo{run: run, out: cmd.OutOrStdout(), json: asJSON, dir: outDir, start: time.Now(), person: browser.New(), files: map[string]string{}}
			return d.play(cmd.Context())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	cmd.Flags().StringVar(&outDir, "out", "", "keep what was made in this directory")
	return cmd
}

// demo is one performance.
type demo struct {
	run   Run
	out   io.Writer
	json  bool
	dir   string
	start time.Time

	world      *dev.World
	ready      dev.Ready
	tmp        string // removed at the end
	person     *browser.Browser
	subject    string
	credential wallet.Credential
	licenceID  string
	nonce      string
	audience   string
	// what the hosted wallet answered
	shownNonce, shownAudience string
	files                     map[string]string
}

// scene is one step: what it is called in JSON and in words, which standards it shows, and what it does. The text that it returns says what
// came of it.
type scene struct {
	name, title, standard string
	play                  func(ctx context.Context) (string, error)
}

func (d *demo) scenes() []scene {
	return []scene{
		{"start", "Start the national server, three provinces and two departments", "throw-away database", d.open},
		{"login", "Li Xiuying logs in to the traffic police through Guangdong", "OpenID Connect Core 1.0, PKCE (RFC 7636), RFC 9207", d.login},
		{"second_login", "The second department knows her without asking the province again", "pairwise subjects, OpenID Connect Core 8.1", d.secondLogin},
		{"offer", "She asks for her driving licence on the national server", "OpenID4VCI 1.0, section 4: credential offer", d.offer},
		{"bundle", "A counter far away fetches the trust bundle once", "The Update Framework", d.exportBefore},
		{"present", "The wallet shows the licence, all but her address", "SD-JWT VC with key binding, RFC 9901", d.present},
		{"verify", "The counter verifies it without a network", "hufu verify", d.verifyBefore},
		{"seal", "The traffic police seals a document", "e-seal as SD-JWT VC; JAdES, ETSI TS 119 182-1", d.seal},
		{"verify_seal", "A stranger checks the sealed file without a network", "hufu verify --seal", d.verifySealed},
		{"show", "Without an app: she shows the licence from the wallet on the national server", "OpenID4VCI taken by the server; SD-JWT VC with key binding", d.show},
		{"counter", "The clerk of another department checks what she shows", "the department's own copy of the trust bundle", d.check},
		{"suspend_seal", "The seal is reported lost, by two people", "hufu seal suspend, approve", d.suspendSeal},
		{"verify_seal_after", "The sealed file again, with the new bundle", "hufu verify --seal", d.verifySealedAfter},
		{"revoke", "The traffic police revokes the licence", "GB/T 36903 states, token status list", d.revoke},
		{"bundle_after", "The counter fetches a new bundle", "The Update Framework", d.exportAfter},
		{"verify_after", "The same licence again, with the new bundle", "hufu verify", d.verifyAfter},
		{"verify_old_bundle", "And with the old bundle: what it can honestly say", "hufu verify", d.verifyOld},
		{"logout", "She logs out", "OpenID Connect RP-Initiated Logout 1.0", d.logout},
	}
}

// errDemo was told already: the step that failed.
var errDemo = errors.New("the demo failed")

func (d *demo) play(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	defer func() {
		if d.world != nil {
			d.world.Stop()
		}
		if d.tmp != "" {
			_ = os.RemoveAll(d.tmp)
		}
	}()
	if !d.json {
		fmt.Fprintf(d.out, "Hufu demo. All people and data are invented.\n")
	}
	scenes := d.scenes()
	for i, s := range scenes {
		begin := time.Now()
		said, err := s.play(ctx)
		d.tell(i+1, len(scenes), s, said, err, time.Since(begin))
		if err != nil {
			d.finish(s.name)
			return fmt.Errorf("%w at step %q: %v", errDemo, s.name, err)
		}
	}
	if d.dir != "" {
		d.artefacts()
	}
	d.finish("")
	return nil
}

func (d *demo) line(v any) {
	b, err := json.Marshal(v)
	if err == nil {
		fmt.Fprintf(d.out, "%s\n", b)
	}
}

func (d *demo) tell(n, of int, s scene, said string, err error, took time.Duration) {
	if d.json {
		line := map[string]any{"step": s.name, "ok": err == nil, "ms": took.Milliseconds(), "title": s.title, "standard": s.standard, "result": said}
		if err != nil {
			line["error"] = err.Error()
		}
		d.line(line)
		return
	}
	fmt.Fprintf(d.out, "\n%2d/%d  %s\n       %s · %d ms\n", n, of, s.title, s.standard, took.Milliseconds())
	if err != nil {
		fmt.Fprintf(d.out, "       FAILED: %v\n", err)
		return
	}
	for line := range bytes.Lines([]byte(said)) {
		fmt.Fprintf(d.out, "       %s\n", bytes.TrimRight(line, "\n"))
	}
}

func (d *demo) artefacts() {
	if d.json {
		d.line(map[string]any{"step": "artefacts", "ok": true, "ms": 0, "files": d.files, "nonce": d.nonce, "audience": d.audience,
			"shown_nonce": d.shownNonce, "shown_audience": d.shownAudience})
		return
	}
	fmt.Fprintf(d.out, "\nKept in %s. Try:\n  hufu verify --root %s --bundle %s --nonce %s --audience %s %s\n", d.dir, d.files["root"], d.files["bundle"], d.nonce, d.audience, d.files["presentation"])
	fmt.Fprintf(d.out, "  hufu verify --root %s --bundle %s --seal %s %s\n", d.files["root"], d.files["bundle"], d.files["seal"], d.files["document"])
}

func (d *demo) finish(failed string) {
	took := time.Since(d.start)
	if d.json {
		line := map[string]any{"step": "done", "ok": failed == "", "ms": took.Milliseconds()}
		if failed != "" {
			line["failed"] = failed
		}
		d.line(line)
		return
	}
	if failed == "" {
		fmt.Fprintf(d.out, "\nDone in %.1f s.\n", took.Seconds())
	}
}

// open starts a world of its own on free ports, and a directory for what is made.
func (d *demo) open(ctx context.Context) (string, error) {
	dir := d.dir
	if dir == "" {
		tmp, err := os.MkdirTemp("", "hufu-demo-")
		if err != nil {
			return "", err
		}
		dir, d.tmp = tmp, tmp
	} else if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	for name, file := range map[string]string{"root": "root.json", "bundle": "bundle.zip", "bundle_after_revocation": "bundle-after-revocation.zip",
		"licence": "licence.sd-jwt", "presentation": "presentation.sd-jwt", "document": "approval.txt", "seal": "approval.txt.jades",
		"shown": "shown.sd-jwt", "bundle_after_suspension": "bundle-after-suspension.zip"} {
		d.files[name] = filepath.Join(dir, file)
	}
	// A root of a demo before this one is another world's: a bundle of this world would be refused under it.
	if err := os.Remove(d.files["root"]); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	base, err := dev.FreeBase()
	if err != nil {
		return "", err
	}
	if d.world, err = dev.Start(ctx, dev.Options{PortBase: base, Ephemeral: true}); err != nil {
		return "", err
	}
	d.ready = d.world.Ready()
	return "national server at " + d.ready.Issuer, nil
}

// command runs one of our own commands and returns what it printed.
func (d *demo) command(ctx context.Context, want int, args ...string) (string, error) {
	var out, errOut bytes.Buffer
	if code := d.run(ctx, args, bytes.NewReader(nil), &out, &errOut); code != want {
		return "", fmt.Errorf("hufu %s: exit code %d, want %d: %s%s", args[0], code, want, errOut.String(), out.String())
	}
	return out.String(), nil
}
