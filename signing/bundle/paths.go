package bundle

import (
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/hufu-id/hufu/signing/bundle/internal/wire"
)

// timestampPath is the one file without a version in its name.
const timestampPath = "timestamp.json"

func rootPath(version int64) string { return metaPath(metadata.ROOT, version) }

func metaPath(role string, version int64) string {
	return fmt.Sprintf("%d.%s.json", version, role)
}

// targetPath is where a target lies in a repository with consistent snapshots:
// the content's hash goes before the file name.
func targetPath(name, sha256 string) string {
	dir, file := path.Split(name)
	return "targets/" + dir + sha256 + "." + file
}

// newest has the newest version of each role's metadata.
func (f Files) newest() map[string]int64 {
	out := map[string]int64{}
	for name := range f {
		v, role, ok := strings.Cut(name, ".")
		role, isMeta := strings.CutSuffix(role, ".json")
		if !ok || !isMeta || strings.Contains(name, "/") {
			continue
		}
		if n, err := strconv.ParseInt(v, 10, 64); err == nil && n > out[role] && metaPath(role, n) == name {
			out[role] = n
		}
	}
	return out
}

// NewestRoot returns the newest root file: what is handed out as root of trust.
func (f Files) NewestRoot() (version int64, raw []byte, ok bool) {
	version = f.newest()[metadata.ROOT]
	raw, ok = f[rootPath(version)]
	return version, raw, ok
}

// Fingerprint is the hex SHA-256 of a root file's bytes, for comparing out of band.
func Fingerprint(root []byte) string { return wire.Hash(root) }

// MaxArchive is the largest archive in bytes, packed or unpacked.
const MaxArchive = wire.MaxArchive

// Archive packs a repository into one zip: the same files give the same bytes on every machine.
func Archive(f Files) ([]byte, error) { return wire.Pack(f) }

// Unpack reads an archive within the limits. It says nothing about trust. Errors: ErrMalformed, ErrTooLarge.
func Unpack(archive []byte) (Files, error) { return wire.Unpack(archive) }

// rolePaths are the only target paths that a delegated role may sign.
func rolePaths(role string) []string {
	if code, ok := strings.CutPrefix(role, issuerRole); ok {
		return []string{"issuers/" + code + "/*"}
	}
	return []string{role + "/*"}
}
