package folder_test

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sample/wallet"
	"github.com/hufu-id/hufu/internal/sample/wallet/folder"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func taking(t *testing.T, copies int) folder.Taking {
	t.Helper()
	out := folder.Taking{Issuer: "https://issuer.test", Configuration: "c", Format: "dc+sd-jwt", Type: "t", TakenAt: time.Unix(1, 0).UTC()}
	for range copies {
		key, err := jose.GenerateKey(jose.ES256)
		must(t, err)
		out.Copies = append(out.Copies, wallet.Credential{Text: "text", Key: key})
	}
	return out
}

func TestEachCopyIsGivenOutOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "w")
	f, err := folder.Open(dir)
	must(t, err)
	id, err := f.Add(taking(t, 5))
	must(t, err)
	given := map[string]bool{}
	var mu sync.Mutex
	var refused atomic.Int32
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			other, err := folder.Open(dir) // as another program would
			if err != nil {
				t.Error(err)
				return
			}
			got, err := other.Get(id)
			if err != nil {
				t.Error(err)
				return
			}
			c, _, err := other.Use(got)
			if errors.Is(err, folder.ErrUsedUp) {
				refused.Add(1)
				return
			}
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			if given[c.Key.String()] {
				t.Error("a copy was given out twice")
			}
			given[c.Key.String()] = true
		})
	}
	wg.Wait()
	if len(given) != 5 || refused.Load() != 15 {
		t.Errorf("%d copies given, %d refused", len(given), refused.Load())
	}
	got, err := f.Get(id)
	must(t, err)
	if got.Left() != 0 {
		t.Errorf("%d left", got.Left())
	}
}

func TestFilesArePrivateAndNotOverwritten(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "w")
	f, err := folder.Open(dir)
	must(t, err)
	id, err := f.Add(taking(t, 1))
	must(t, err)
	before, err := os.ReadFile(f.Path(id))
	must(t, err)
	got, err := f.Get(id)
	must(t, err)
	_, left, err := f.Use(got)
	must(t, err)
	if left != 0 {
		t.Errorf("%d left", left)
	}
	must(t, f.Replace(id, "aaaaaa"))
	if err := f.Replace(id, "bbbbbb"); !errors.Is(err, os.ErrExist) {
		t.Errorf("replaced twice: %v", err)
	}
	entries, err := os.ReadDir(dir)
	must(t, err)
	if len(entries) != 4 {
		t.Errorf("%d files", len(entries))
	}
	for _, e := range entries {
		info, err := e.Info()
		must(t, err)
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %o", e.Name(), info.Mode().Perm())
		}
	}
	info, err := os.Stat(dir)
	must(t, err)
	if info.Mode().Perm() != 0o700 {
		t.Errorf("directory has mode %o", info.Mode().Perm())
	}
	after, err := os.ReadFile(f.Path(id))
	must(t, err)
	if string(before) != string(after) {
		t.Error("the file changed")
	}
	if got, err = f.Get(id); err != nil || got.Replaced != "aaaaaa" {
		t.Errorf("%v %v", got.Replaced, err)
	}
}

func TestWhatIsNotThereOrBroken(t *testing.T) {
	dir := t.TempDir()
	f, err := folder.Open(dir)
	must(t, err)
	for _, id := range []string{"", "abcdef", "../x", "ABC"} {
		if _, err := f.Get(id); !errors.Is(err, folder.ErrNotFound) {
			t.Errorf("%q: %v", id, err)
		}
	}
	must(t, os.WriteFile(f.Path("abcdef"), []byte(`{"id":"other"}`), 0o600))
	if _, err := f.Get("abcdef"); !errors.Is(err, folder.ErrBroken) {
		t.Error(err)
	}
	if _, err := f.List(); !errors.Is(err, folder.ErrBroken) {
		t.Error(err)
	}
}
