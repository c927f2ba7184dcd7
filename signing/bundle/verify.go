package bundle

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"
	"github.com/theupdateframework/go-tuf/v2/metadata/trustedmetadata"

	"github.com/hufu-id/hufu/signing/bundle/internal/tufkey"
	"github.com/hufu-id/hufu/signing/bundle/internal/wire"
)

// Verify checks an archive against a root of trust, as of the given time, and
// returns what it says. It needs no network: the chain of roots, if keys were
// rotated, is in the archive.
//
// The contents are nil unless every signature, version and hash is right. With
// ErrExpired or ErrClockBehind they are returned beside the error, so that a
// verifier can say how old they are; nobody may call them current. Other errors:
// ErrRoot, ErrMalformed, ErrTooLarge, ErrUntrusted.
func Verify(root, archive []byte, at time.Time) (*Contents, error) {
	files, err := Unpack(archive)
	if err != nil {
		return nil, err
	}
	return VerifyFiles(root, files, at)
}

// VerifyFiles is Verify for a repository that is already unpacked.
func VerifyFiles(root []byte, files Files, at time.Time) (c *Contents, err error) {
	// The TUF library dereferences what JSON null leaves out; a broken bundle must
	// end in an answer (R07).
	defer func() {
		if p := recover(); p != nil {
			c, err = nil, fmt.Errorf("%w: %v", ErrMalformed, p)
		}
	}()
	v := &verifier{files: files}
	if err := v.roots(root); err != nil {
		return nil, err
	}
	if err := v.roles(); err != nil {
		return nil, err
	}
	c, err = v.contents()
	if err != nil {
		return nil, err
	}
	switch {
	case !at.Before(c.Expires):
		return c, fmt.Errorf("%w at %s", ErrExpired, c.Expires.Format(time.RFC3339))
	case at.Add(ClockLeeway).Before(c.AsOf):
		return c, fmt.Errorf("%w of %s", ErrClockBehind, c.AsOf.Format(time.RFC3339))
	}
	return c, nil
}

// verifier is one verification under way.
type verifier struct {
	files     Files
	set       *trustedmetadata.TrustedMetadata
	rootBytes []byte
}

// roots follows the chain from the given root to the newest one in the archive.
// Each must be signed by the keys of the one before and by its own (R12).
func (v *verifier) roots(root []byte) error {
	if len(root) > wire.MaxFile {
		return fmt.Errorf("%w: %d bytes", ErrRoot, len(root))
	}
	set, err := newSet(root)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRoot, err)
	}
	// Expiry is judged at the end over all roles: here everything counts as fresh,
	// so that an expired bundle is still known to be genuine.
	set.RefTime = time.Time{}
	v.set, v.rootBytes = set, root
	if err := checkRoot(set.Root); err != nil {
		return fmt.Errorf("%w: %w", ErrRoot, err)
	}
	for {
		raw, ok := v.files[rootPath(set.Root.Signed.Version+1)]
		if !ok {
			return nil
		}
		last := set.Root
		next, err := set.UpdateRoot(raw)
		if err != nil {
			return refused("root", err)
		}
		if err := checkRoot(next); err != nil {
			return fmt.Errorf("%w: %w", ErrUntrusted, err)
		}
		if err := acceptRoot(last, next); err != nil {
			return refused("root", err)
		}
		v.rootBytes = raw
	}
}

// newSet shields the caller from a root file that makes the library panic.
func newSet(root []byte) (set *trustedmetadata.TrustedMetadata, err error) {
	defer func() {
		if p := recover(); p != nil {
			set, err = nil, fmt.Errorf("%v", p)
		}
	}()
	return trustedmetadata.New(root)
}

func checkRoot(md *metadata.Metadata[metadata.RootType]) error {
	if !md.Signed.ConsistentSnapshot {
		return errors.New("root without consistent snapshots")
	}
	for _, name := range metadata.TOP_LEVEL_ROLE_NAMES {
		role := md.Signed.Roles[name]
		if role == nil {
			return fmt.Errorf("root names no keys for role %s", name)
		}
		if err := tufkey.Check(name, role.KeyIDs, md.Signed.Keys, role.Threshold); err != nil {
			return err
		}
	}
	role := md.Signed.Roles[metadata.ROOT]
	return tufkey.CheckHolders(metadata.ROOT, md, role.KeyIDs, md.Signed.Keys, role.Threshold)
}

// roles verifies timestamp, snapshot, targets and the delegated roles we know.
func (v *verifier) roles() error {
	raw, ok := v.files[timestampPath]
	if !ok {
		return fmt.Errorf("%w: no %s", ErrMalformed, timestampPath)
	}
	ts, err := v.set.UpdateTimestamp(raw)
	if err != nil {
		return refused("timestamp", err)
	}
	if err := topHolders(v, metadata.TIMESTAMP, ts); err != nil {
		return err
	}
	raw, err = v.named(metadata.SNAPSHOT, ts.Signed.Meta)
	if err != nil {
		return err
	}
	snap, err := v.set.UpdateSnapshot(raw, false)
	if err != nil {
		return refused("snapshot", err)
	}
	if err := topHolders(v, metadata.SNAPSHOT, snap); err != nil {
		return err
	}
	raw, err = v.named(metadata.TARGETS, snap.Signed.Meta)
	if err != nil {
		return err
	}
	national, err := v.set.UpdateTargets(raw)
	if err != nil {
		return refused("targets", err)
	}
	if err := topHolders(v, metadata.TARGETS, national); err != nil {
		return err
	}
	return v.delegated(national, snap.Signed.Meta)
}

func topHolders[T metadata.Roles](v *verifier, name string, md *metadata.Metadata[T]) error {
	role := v.set.Root.Signed.Roles[name]
	if err := tufkey.CheckHolders(name, md, role.KeyIDs, v.set.Root.Signed.Keys, role.Threshold); err != nil {
		return fmt.Errorf("%w: %w", ErrUntrusted, err)
	}
	return nil
}

// named finds the metadata file that its parent names. The parent must say its
// hash: a version alone would let parts of two snapshots be mixed (R03).
func (v *verifier) named(role string, meta map[string]*metadata.MetaFiles) ([]byte, error) {
	m := meta[role+".json"]
	if m == nil || len(m.Hashes["sha256"]) == 0 {
		return nil, fmt.Errorf("%w: %s is named without a hash", ErrUntrusted, role)
	}
	raw, ok := v.files[metaPath(role, m.Version)]
	if !ok {
		return nil, fmt.Errorf("%w: no %s", ErrMalformed, metaPath(role, m.Version))
	}
	return raw, nil
}

// delegated verifies the roles of status and issuers. A role that this version
// doesn't know is left alone: nothing of it is used.
func (v *verifier) delegated(national *metadata.Metadata[metadata.TargetsType], meta map[string]*metadata.MetaFiles) error {
	if national.Signed.Delegations == nil {
		return fmt.Errorf("%w: targets delegate nothing", ErrMalformed)
	}
	seen := map[string]bool{}
	for _, role := range national.Signed.Delegations.Roles {
		if !knownRole(role.Name) {
			continue
		}
		if seen[role.Name] {
			return fmt.Errorf("%w: role %s is delegated twice", ErrUntrusted, role.Name)
		}
		seen[role.Name] = true
		if err := v.delegate(role, national, meta); err != nil {
			return err
		}
	}
	return nil
}

func (v *verifier) delegate(role metadata.DelegatedRole, national *metadata.Metadata[metadata.TargetsType], meta map[string]*metadata.MetaFiles) error {
	if want := rolePaths(role.Name); len(role.Paths) != 1 || role.Paths[0] != want[0] {
		return fmt.Errorf("%w: role %s may sign %q", ErrUntrusted, role.Name, role.Paths)
	}
	keys := national.Signed.Delegations.Keys
	if err := tufkey.Check(role.Name, role.KeyIDs, keys, role.Threshold); err != nil {
		return fmt.Errorf("%w: %w", ErrUntrusted, err)
	}
	raw, err := v.named(role.Name, meta)
	if err != nil {
		return err
	}
	md, err := v.set.UpdateDelegatedTargets(raw, role.Name, metadata.TARGETS)
	if err != nil {
		return refused(role.Name, err)
	}
	if err := tufkey.CheckHolders(role.Name, md, role.KeyIDs, keys, role.Threshold); err != nil {
		return fmt.Errorf("%w: %w", ErrUntrusted, err)
	}
	for path := range md.Signed.Targets {
		if own, err := role.IsDelegatedPath(path); err != nil || !own {
			return fmt.Errorf("%w: role %s signs %.80q, which isn't its own", ErrUntrusted, role.Name, path)
		}
	}
	return nil
}

func knownRole(name string) bool {
	if code, ok := strings.CutPrefix(name, issuerRole); ok {
		return wire.PlainName(code)
	}
	return name == RoleStatus || name == RoleCWT
}

// refused sorts the library's errors: JSON that can't be read is junk, all
// else is a matter of trust.
func refused(role string, err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	if errors.As(err, &syntax) || errors.As(err, &kind) {
		return fmt.Errorf("%w: %s: %w", ErrMalformed, role, err)
	}
	return fmt.Errorf("%w: %s: %w", ErrUntrusted, role, err)
}
