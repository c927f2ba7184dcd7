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

// TestBrowserWalksTheLogin: Chromium walks step 1 with and without JavaScript. Pictures of every page go to HUFU_SHOTS, from one engine.
func TestBrowserWalksTheLogin(t *testing.T) {
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is needed (Debian package chromium): ", err)
	}
	eachEngine(t, func(t *testing.T, app *apptest.App) {
		departments, provinces := []string{}, map[string]string{}
		for _, d := range app.Ready.Departments {
			departments = append(departments, d.URL)
		}
		for _, p := range app.Ready.Provinces {
			provinces[p.Code] = p.URL
		}
		shots := ""
		if filepath.Base(t.Name()) == "sqlite" {
			if shots = os.Getenv("HUFU_SHOTS"); shots == "" {
				shots = t.TempDir()
			}
		}
		script(t, "walk.mjs", map[string]any{
			"issuer": app.Ready.Issuer, "departments": departments, "provinces": provinces, "chromium": chromium, "shots": shots,
		}, func(json.RawMessage) any { return nil })
	})
}
