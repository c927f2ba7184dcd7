package wire

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// The errors of package bundle with the same names.
var (
	ErrMalformed = errors.New("bundle: not a trust bundle")
	ErrTooLarge  = errors.New("bundle: larger than a trust bundle may be")
)

// Limits of an archive (R08). The national volume (credentials.md 5: a thousand
// million live entries) is 23 MB of lists.
const (
	// MaxArchive is the largest archive in bytes, packed or unpacked.
	MaxArchive = 256 << 20
	// MaxEntries is the most files in an archive.
	MaxEntries = 100_000
	// MaxFile is the largest file in it.
	MaxFile = 32 << 20
	maxPath = 240
)

// Pack packs a repository into one zip. The same files give the same bytes on
// every machine: sorted names, no times, nothing compressed (status lists already
// are, and compressors change between versions).
func Pack(f map[string][]byte) ([]byte, error) {
	var buf bytes.Buffer
	w := zip.NewWriter(&buf)
	for _, name := range slices.Sorted(maps.Keys(f)) {
		body := f[name]
		part, err := w.CreateRaw(&zip.FileHeader{
			Name: name, Method: zip.Store, CRC32: crc32.ChecksumIEEE(body),
			CompressedSize64: uint64(len(body)), UncompressedSize64: uint64(len(body)),
		})
		if err != nil {
			return nil, fmt.Errorf("packing %s: %w", name, err)
		}
		if _, err := part.Write(body); err != nil {
			return nil, fmt.Errorf("packing %s: %w", name, err)
		}
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("packing: %w", err)
	}
	return buf.Bytes(), nil
}

// Unpack reads an archive within the limits. It says nothing about trust. The
// container isn't signed, so any zip of the right files will do; what counts is
// inside. Errors: ErrMalformed, ErrTooLarge.
func Unpack(archive []byte) (map[string][]byte, error) {
	if len(archive) > MaxArchive {
		return nil, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(archive))
	}
	// Counted before the zip reader makes a record of each entry.
	if n := bytes.Count(archive, []byte("PK\x01\x02")); n > MaxEntries {
		return nil, fmt.Errorf("%w: %d entries", ErrTooLarge, n)
	}
	r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	if len(r.File) > MaxEntries {
		return nil, fmt.Errorf("%w: %d entries", ErrTooLarge, len(r.File))
	}
	out := map[string][]byte{}
	var total uint64
	for _, f := range r.File {
		name, isDir := strings.CutSuffix(f.Name, "/")
		if !safePath(name) {
			return nil, fmt.Errorf("%w: path %.40q", ErrMalformed, f.Name)
		}
		if isDir {
			continue
		}
		// Declared sizes are checked before, and enforced while, unpacking; summed
		// up too, since entries of a crafted zip may share their bytes.
		total += f.UncompressedSize64
		if f.UncompressedSize64 > MaxFile || total > MaxArchive {
			return nil, fmt.Errorf("%w: %.40q unpacks to %d bytes", ErrTooLarge, f.Name, f.UncompressedSize64)
		}
		if _, twice := out[name]; twice {
			return nil, fmt.Errorf("%w: %.40q is there twice", ErrMalformed, f.Name)
		}
		if out[name], err = readEntry(f); err != nil {
			return nil, fmt.Errorf("%w: %.40q: %w", ErrMalformed, f.Name, err)
		}
	}
	return out, nil
}

func readEntry(f *zip.File) ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	body, err := io.ReadAll(io.LimitReader(r, int64(f.UncompressedSize64)+1))
	if err != nil {
		return nil, err
	}
	if uint64(len(body)) != f.UncompressedSize64 {
		return nil, fmt.Errorf("%d bytes instead of %d", len(body), f.UncompressedSize64)
	}
	return body, nil
}

// safePath: relative, without "..", printable ASCII, no backslash or drive. The
// names never become file names here, but those who unpack the archive by other
// means must be as safe.
func safePath(name string) bool {
	if len(name) > maxPath || name == "." || !fs.ValidPath(name) {
		return false
	}
	for i := range len(name) {
		if c := name[i]; c <= ' ' || c > '~' || c == '\\' || c == ':' {
			return false
		}
	}
	return true
}
