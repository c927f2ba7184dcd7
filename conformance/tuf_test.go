//go:build conformance

package conformance

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/hufu-id/hufu/internal/apptest"
)

var pythonOnce sync.Mutex

// pythonClients returns the Python of an environment with the pinned TUF client.
func pythonClients(t *testing.T) string {
	t.Helper()
	pythonOnce.Lock()
	defer pythonOnce.Unlock()
	const requirements = "clients/tuf/requirements.txt"
	dir := cached(t, "tuf", []string{requirements}, func(dir string) error {
		if err := command(".", "python3", "-m", "venv", filepath.Join(dir, "venv")); err != nil {
			return err
		}
		return command(".", filepath.Join(dir, "venv", "bin", "pip"), "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "-r", requirements)
	})
	return filepath.Join(dir, "venv", "bin", "python")
}

// mirror mirrors the bundle into a folder with PyPI tuf and returns the version that it found there.
func mirror(t *testing.T, app *apptest.App, directory string, atLeast int64, kinds ...string) (version int64) {
	t.Helper()
	given, err := json.Marshal(map[string]any{
		"issuer": app.Ready.Issuer, "root_url": app.Ready.RootURL, "bundle_url": app.Ready.BundleURL, "directory": directory, "at_least": atLeast, "kinds": kinds,
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(pythonClients(t), "clients/tuf/mirror.py")
	cmd.Env = append(os.Environ(), "HUFU_TEST="+string(given), "PYTHONDONTWRITEBYTECODE=1")
	converse(t, cmd, func(request json.RawMessage) any {
		var r struct{ Version int64 }
		if err := json.Unmarshal(request, &r); err != nil {
			t.Fatal(err)
		}
		version = r.Version
		return nil
	})
	return version
}
