package bundlecopy_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/bundlecopy"
	"github.com/hufu-id/hufu/signing/bundle"
)

// publisher makes bundles of one root.
type publisher struct {
	t     *testing.T
	keys  bundle.Keys
	files bundle.Files
}

func newPublisher(t *testing.T) *publisher {
	one := func() bundle.RoleKeys {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return bundle.RoleKeys{Signers: []bundle.Signer{{Key: k}}}
	}
	return &publisher{t: t, keys: bundle.Keys{Root: one(), Timestamp: one(), Snapshot: one(), Targets: one(), Status: one()}}
}

func (p *publisher) publish(at time.Time, vct string) []byte {
	p.t.Helper()
	files, err := bundle.Build(p.files, bundle.Input{Types: map[string][]byte{vct: []byte(`{"vct":"` + vct + `"}`)}}, p.keys, bundle.Options{At: at})
	if err != nil {
		p.t.Fatal(err)
	}
	p.files = files
	b, err := bundle.Archive(files)
	if err != nil {
		p.t.Fatal(err)
	}
	return b
}

func TestR02InstallRemembersTheNewest(t *testing.T) {
	now := time.Now()
	p := newPublisher(t)
	first := p.publish(now, "https://a.example/1")
	root := p.files["1.root.json"]
	second := p.publish(now, "https://a.example/2")
	dir := bundlecopy.Dir(filepath.Join(t.TempDir(), "copy"))
	if _, err := dir.Load(root, now); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty directory: %v", err)
	}
	if _, _, err := dir.Install(nil, first, now); !errors.Is(err, bundlecopy.ErrNoRoot) {
		t.Errorf("without a root the first time: %v", err)
	}
	for _, x := range []struct {
		name    string
		archive []byte
		same    bool
		want    error
	}{
		{"the first", first, false, nil}, {"the first again", first, true, nil}, {"a newer one", second, false, nil},
		{"R02 an older one", first, false, bundle.ErrRollback}, {"R07 junk", []byte("junk"), false, bundle.ErrMalformed},
		{"R04 another root's", newPublisher(t).publish(now, "https://a.example/9"), false, bundle.ErrUntrusted}, {"the newest again", second, true, nil},
	} {
		_, same, err := dir.Install(root, x.archive, now)
		var refusal *bundlecopy.Refusal
		if !errors.Is(err, x.want) || (x.want != nil) != errors.As(err, &refusal) || same != x.same {
			t.Errorf("%s: same %v, %v", x.name, same, err)
		}
	}
	if c, err := dir.Load(nil, now); err != nil || c.Version != dir.NewestSeen() || c.Version != 2 {
		t.Errorf("by its own root: %v", err)
	}
	if c, err := dir.Load(root, now.AddDate(0, 0, 30)); !errors.Is(err, bundle.ErrExpired) || c == nil {
		t.Errorf("R01 expired: %v %v", c, err)
	}
	if err := os.WriteFile(filepath.Join(string(dir), bundlecopy.BundleFile), first, 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := dir.Load(root, now); !errors.Is(err, bundle.ErrRollback) || c != nil {
		t.Errorf("R02 an older one put there by hand: %v", err)
	}
	if err := os.WriteFile(filepath.Join(string(dir), "seen.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := dir.Install(root, second, now); err == nil {
		t.Error("installed without its memory")
	}
}
