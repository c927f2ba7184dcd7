// Package bundlecopy keeps the trust bundle of one computer in a directory, with the newest root of trust and the memory of the newest versions that it
// ever held: an older bundle, or another one of the same version, is refused, whoever signed it (docs/trust.md 4).
//
// One installation at a time; reading beside it is safe, because every file is replaced in one step.
package bundlecopy

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/hufu-id/hufu/signing/bundle"
)

// The files of an installation. hufu verify --root D/root.json --bundle D/bundle.zip uses them.
const (
	BundleFile = "bundle.zip"
	RootFile   = "root.json"
	seenFile   = "seen.json"
)

// MaxRoot bounds a root file.
const MaxRoot = 4 << 20

// ErrNoRoot says that neither a root was given nor one is there from an earlier installation.
var ErrNoRoot = errors.New("bundlecopy: a root of trust is needed the first time")

// Refusal says that the bundle isn't believed, expired, or is older than what was seen; it wraps the error of package bundle that says why.
type Refusal struct{ Err error }

func (r *Refusal) Error() string { return r.Err.Error() }
func (r *Refusal) Unwrap() error { return r.Err }

// Dir is a directory of an installation. It need not exist before the first Install.
type Dir string

// Install verifies a bundle and puts it, with the newest root, into the directory. Both the given root (nil: none) and the remembered one must lead to it: a
// given root that is years old might be one whose keys were stolen since. same says that it was there already. Errors: ErrNoRoot, *Refusal, and
// those of files.
func (d Dir) Install(given, archive []byte, at time.Time) (c *bundle.Contents, same bool, err error) {
	roots, err := d.roots(given)
	if err != nil {
		return nil, false, err
	}
	for _, root := range roots {
		if c, err = bundle.Verify(root, archive, at); err != nil {
			return nil, false, &Refusal{err}
		}
	}
	seen, err := d.seen()
	if err != nil {
		return nil, false, err
	}
	if err := seen.Check(c); err != nil {
		return nil, false, &Refusal{err}
	}
	if seen.Version == c.Version && sameFile(filepath.Join(string(d), BundleFile), archive) {
		return c, true, nil
	}
	return c, false, d.write(c, archive)
}

// Load reads and verifies the bundle that was installed. An expired bundle comes beside its error, as from bundle.Verify; without one the error is
// fs.ErrNotExist. A file that was put there past Install is refused if it is older than what was seen.
func (d Dir) Load(given []byte, at time.Time) (*bundle.Contents, error) {
	archive, err := readLimited(filepath.Join(string(d), BundleFile), bundle.MaxArchive)
	if err != nil {
		return nil, err
	}
	roots, err := d.roots(given)
	if err != nil {
		return nil, err
	}
	var c *bundle.Contents
	var late error
	for _, root := range roots {
		if c, late = bundle.Verify(root, archive, at); c == nil {
			return nil, &Refusal{late}
		}
	}
	seen, err := d.seen()
	if err != nil {
		return nil, err
	}
	if err := seen.Check(c); err != nil {
		return nil, &Refusal{err}
	}
	return c, late
}

// NewestSeen is the highest version that was ever installed here; 0 when none was, or when the memory can't be read.
func (d Dir) NewestSeen() int64 {
	seen, err := d.seen()
	if err != nil {
		return 0
	}
	return seen.Version
}

// roots are the given root and the one of the directory, at least one of them.
func (d Dir) roots(given []byte) ([][]byte, error) {
	var roots [][]byte
	if given != nil {
		roots = append(roots, given)
	}
	own, err := readLimited(filepath.Join(string(d), RootFile), MaxRoot)
	switch {
	case err == nil:
		roots = append(roots, own)
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if len(roots) == 0 {
		return nil, ErrNoRoot
	}
	return roots, nil
}

// seen reads what the directory remembers. A memory that can't be read stops the installation: going on without it would let an old
// bundle in.
func (d Dir) seen() (bundle.Seen, error) {
	var seen bundle.Seen
	path := filepath.Join(string(d), seenFile)
	raw, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return seen, nil
	}
	if err == nil {
		err = json.Unmarshal(raw, &seen)
	}
	if err != nil {
		return seen, fmt.Errorf("reading %s: %w", path, err)
	}
	return seen, nil
}

// write writes the memory first: if the power fails in between, the next run installs the same bundle again, and never an older one.
func (d Dir) write(c *bundle.Contents, archive []byte) error {
	if err := os.MkdirAll(string(d), 0o755); err != nil {
		return err
	}
	memory, err := json.MarshalIndent(c.Seen(), "", "  ")
	if err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		body []byte
	}{{seenFile, append(memory, '\n')}, {RootFile, c.Root}, {BundleFile, archive}} {
		if err := WriteAtomic(filepath.Join(string(d), f.name), f.body); err != nil {
			return err
		}
	}
	return nil
}

func sameFile(path string, body []byte) bool {
	have, err := os.ReadFile(path)
	return err == nil && bundle.Fingerprint(have) == bundle.Fingerprint(body)
}

// readLimited reads a file; a longer one is cut one byte after the limit, so that whoever judges it sees that it is too long.
func readLimited(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit+1))
}

// WriteAtomic replaces a file in one step: a reader sees the old or the new one, also when the power fails.
func WriteAtomic(path string, body []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".hufu-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(body)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
