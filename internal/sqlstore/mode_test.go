package sqlstore_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/hufu-id/hufu/internal/sqlstore"
)

// U05: on a shared machine nobody else reads or changes the database, whatever the umask. A file that is there keeps its mode.
func TestNewDatabaseFileIsItsOwnersOnly(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("no such modes")
	}
	dir := t.TempDir()
	old := filepath.Join(dir, "old.db")
	if err := os.WriteFile(old, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{"new.db": 0o600, "old.db": 0o640} {
		db, err := sqlstore.Open(t.Context(), "sqlite:"+filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		files, _ := filepath.Glob(filepath.Join(dir, name+"*"))
		for _, f := range files {
			if info, err := os.Stat(f); err != nil || info.Mode().Perm() != want {
				t.Errorf("%s: %v, %v", filepath.Base(f), info.Mode(), err)
			}
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	}
}
