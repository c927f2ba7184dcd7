//go:build conformance

package conformance

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/hufu-id/hufu/internal/apptest"
)

// TestPersonsWalk: a citizen, a clerk and a stranger in Chromium at 390 px, with and without JavaScript, and what a department sealed; axe-core on every page.
func TestPersonsWalk(t *testing.T) {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is needed (Debian package chromium): ", err)
	}
	eachEngine(t, func(t *testing.T, app *apptest.App) {
		var counters []string
		for _, d := range app.Ready.Departments {
			counters = append(counters, d.CounterURL)
		}
		// Pages look alike on both engines: on the second one the walk alone is repeated.
		shots, brief := "", filepath.Base(t.Name()) != "sqlite"
		if !brief {
			shots = os.Getenv("HUFU_SHOTS")
		}
		script(t, "persons.mjs", map[string]any{"issuer": app.Ready.Issuer, "wallet": app.Ready.WalletURL, "counters": counters, "chromium": chromium, "shots": shots, "brief": brief},
			func(request json.RawMessage) any { return officeErrand(t, app, request) })
	})
}

// officeErrand is what the script asks the people at offices to do: seal a document, answer a report.
func officeErrand(t *testing.T, app *apptest.App, request json.RawMessage) any {
	t.Helper()
	var r struct {
		Seal   bool
		Answer string
	}
	if err := json.Unmarshal(request, &r); err != nil {
		t.Fatal(err)
	}
	seal, department := app.Ready.Seals[0], app.Ready.Departments[0]
	if r.Seal {
		dir := t.TempDir()
		document, signature := filepath.Join(dir, "approval.txt"), filepath.Join(dir, "approval.txt.jades")
		if err := os.WriteFile(document, []byte("批复"), 0o600); err != nil {
			t.Fatal(err)
		}
		if out := apptest.Run(t, "seal", "sign", "--as", seal.KeyFile, "--url", app.Ready.Issuer, "--seal", seal.ID, "--out", signature, document); out.Code != 0 {
			t.Fatalf("hufu seal sign: %+v", out)
		}
		return map[string]string{"id": seal.ID}
	}
	var list struct {
		Reports []struct{ ID, Text string } `json:"reports"`
	}
	apptest.Run(t, "licence", "reports", "--as", department.KeyFile, "--url", app.Ready.Issuer, "--json").JSON(t, &list)
	if len(list.Reports) == 0 {
		return map[string]string{}
	}
	last := list.Reports[len(list.Reports)-1]
	if out := apptest.Run(t, "licence", "answer", last.ID, "--outcome", "corrected", "--text", r.Answer, "--as", department.KeyFile, "--url", app.Ready.Issuer); out.Code != 0 {
		t.Fatalf("hufu licence answer: %+v", out)
	}
	return map[string]string{"text": last.Text}
}
