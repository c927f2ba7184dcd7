package bundle

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"

	"github.com/hufu-id/hufu/signing/bundle/facts"
	"github.com/hufu-id/hufu/signing/bundle/internal/layout"
)

// ErrInput: the input of Build contradicts itself, or misses a part or a key.
var ErrInput = facts.ErrInput

// Files is a TUF repository: bytes by path, relative to the repository's base
// ("timestamp.json", "1.root.json", "targets/status/<sha256>.<name>").
type Files map[string][]byte

// Digest is a SHA-256 over everything in an input: equal digests, equal bundles.
func Digest(in Input) ([32]byte, error) {
	roles, err := layout.Of(in)
	if err != nil {
		return [32]byte{}, err
	}
	h := sha256.New()
	for _, role := range slices.Sorted(maps.Keys(roles)) {
		fmt.Fprintf(h, "role %s\n", role)
		parts := roles[role]
		for _, path := range slices.Sorted(maps.Keys(parts)) {
			fmt.Fprintf(h, "%x %x %x\n", sha256.Sum256([]byte(path)), sha256.Sum256(parts[path].Body), sha256.Sum256(parts[path].Custom))
		}
	}
	return [32]byte(h.Sum(nil)), nil
}

// RoleStatus is the delegated role that signs status list tokens, RoleCWT the one for their CBOR form; both have the keys of Keys.Status.
const (
	RoleStatus = facts.RoleStatus
	RoleCWT    = facts.RoleCWT
	issuerRole = facts.IssuerRole
)

// RoleIssuer is the name of the delegated role of the authority with this credit code.
func RoleIssuer(code string) string { return facts.RoleIssuer(code) }
