//go:build conformance

package conformance_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/apptest"
)

// TestSealFromIssueToSuspension walks as people do, by commands: the maker's two people issue, the department seals, anybody verifies offline, the
// department's two people suspend, and the same file can't be told any more.
func TestSealFromIssueToSuspension(t *testing.T) {
	app := apptest.Start(t, apptest.Options{})
	w := &sealWalk{t: t, app: app, dir: t.TempDir()}
	owner, maker := app.Ready.Seals[0], app.Ready.SealMakers[0]
	file := w.path("decision.txt")
	if err := os.WriteFile(file, []byte("决定书\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	// The seal that is there from the start, without a kind: it allows one only.
	w.run(0, owner.KeyFile, "sign", "--seal", owner.ID, "--out", w.path("first.jades"), file)
	w.verify(0, "VALID", "first.jades", file)

	proposed := w.request(maker.KeyFile, "issue", "--owner", owner.OwnerCode, "--owner-name", owner.Owner, "--kind", "01", "--name", "公章",
		"--document-kind", "decision,notice", "--valid-to", time.Now().AddDate(1, 0, 0).Format(time.DateOnly))
	w.run(2, maker.KeyFile, "approve", proposed.ID) // not by the same person
	w.run(0, maker.SecondKeyFile, "approve", proposed.ID)
	seal := proposed.Seal
	w.run(2, owner.KeyFile, "sign", "--seal", seal, "--out", w.path("none"), file)                       // which kind?
	w.run(2, owner.KeyFile, "sign", "--seal", seal, "--kind", "contract", "--out", w.path("none"), file) // S04
	w.run(2, app.Ready.Seals[1].KeyFile, "sign", "--seal", seal, "--kind", "decision", "--out", w.path("none"), file)
	out := w.run(0, owner.KeyFile, "sign", "--seal", seal, "--kind", "decision", "--out", w.path("second.jades"), file)
	w.run(0, owner.KeyFile, "sign", "--seal", seal, "--kind", "decision", "--out", w.path("again.jades"), "--request-id", field(out, "request"), file)
	w.waitFor(0, "VALID", "second.jades", file)
	w.verify(0, "VALID", "again.jades", file)
	other := w.path("other.txt")
	if err := os.WriteFile(other, []byte("决定书 \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.verify(2, "INVALID", "second.jades", other)

	suspend := w.request(owner.KeyFile, "suspend", seal, "--reason", "丢失")
	w.verify(0, "VALID", "second.jades", file)
	w.run(0, owner.SecondKeyFile, "approve", suspend.ID)
	w.run(2, owner.KeyFile, "sign", "--seal", seal, "--kind", "decision", "--out", w.path("none"), file)
	w.waitFor(3, "CANNOT TELL", "second.jades", file)
	w.verify(0, "VALID", "first.jades", file) // the other seal is untouched
	if _, err := os.Stat(w.path("none")); err == nil {
		t.Error("a refused request left a file")
	}
}

type sealWalk struct {
	t   *testing.T
	app *apptest.App
	dir string
}

func (w *sealWalk) path(name string) string { return filepath.Join(w.dir, name) }

// run runs a command of `hufu seal` and returns what it printed.
func (w *sealWalk) run(code int, as string, args ...string) string {
	w.t.Helper()
	r := apptest.Run(w.t, append(append([]string{"seal"}, args...), "--as", as, "--url", w.app.Ready.Issuer)...)
	if r.Code != code {
		w.t.Fatalf("hufu seal %s: %d, want %d\n%s%s", strings.Join(args, " "), r.Code, code, r.Stdout, r.Stderr)
	}
	return r.Stdout
}

// proposed is what a command that changes a seal says with --json.
type proposed struct{ ID, Seal string }

func (w *sealWalk) request(as string, args ...string) (p proposed) {
	w.t.Helper()
	if err := json.Unmarshal([]byte(w.run(0, as, append(args, "--json")...)), &p); err != nil || p.ID == "" {
		w.t.Fatalf("%v: %v", args, err)
	}
	return p
}

// tryVerify verifies offline, by a bundle that was just fetched.
func (w *sealWalk) tryVerify(signature, file string) apptest.Result {
	w.t.Helper()
	root, bundle := w.path("root.json"), w.path("bundle.zip")
	if r := apptest.Run(w.t, "bundle", "export", "--url", w.app.Ready.Issuer, "--out", bundle, "--root-out", root); r.Code != 0 {
		w.t.Fatalf("%s%s", r.Stdout, r.Stderr)
	}
	return apptest.Run(w.t, "verify", "--root", root, "--bundle", bundle, "--seal", w.path(signature), file)
}

func (w *sealWalk) verify(code int, word, signature, file string) {
	w.t.Helper()
	if r := w.tryVerify(signature, file); r.Code != code || !strings.HasPrefix(r.Stdout, word+"\n") {
		w.t.Fatalf("%s: %d, want %d %s\n%s%s", signature, r.Code, code, word, r.Stdout, r.Stderr)
	}
}

// waitFor waits until a change is in the bundle, for ten seconds at most.
func (w *sealWalk) waitFor(code int, word, signature, file string) {
	w.t.Helper()
	begin := time.Now()
	for w.tryVerify(signature, file).Code != code && time.Since(begin) < 10*time.Second {
		time.Sleep(100 * time.Millisecond)
	}
	w.verify(code, word, signature, file)
	w.t.Logf("%s after %s", word, time.Since(begin).Round(100*time.Millisecond))
}

// field is the value after a word at the start of a line.
func field(text, word string) string {
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) == 2 && f[0] == word {
			return f[1]
		}
	}
	return ""
}
