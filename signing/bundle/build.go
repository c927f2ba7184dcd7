package bundle

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/hufu-id/hufu/signing/bundle/internal/layout"
	"github.com/hufu-id/hufu/signing/bundle/internal/tufkey"
	"github.com/hufu-id/hufu/signing/bundle/internal/wire"
)

// Lifetimes say how long a role's signature holds. Times in the repository are
// whole seconds. A bundle expires with its timestamp (7 days from AsOf): the other
// roles live longer and are signed anew at half their life, so that they never
// are the first to expire. Seven days lets a counter that is fed by a weekly USB
// stick work, and is the longest that a captured old bundle can be passed off
// as current.
type Lifetimes struct {
	Timestamp, Snapshot, Targets, Root time.Duration
}

// DefaultLifetimes: timestamp 7 days, snapshot 14, targets and delegated roles 35,
// root one year.
var DefaultLifetimes = Lifetimes{
	Timestamp: 7 * 24 * time.Hour,
	Snapshot:  14 * 24 * time.Hour,
	Targets:   35 * 24 * time.Hour,
	Root:      365 * 24 * time.Hour,
}

// Options are the circumstances of one Build.
type Options struct {
	// At is the time of publication: Contents.AsOf, and the start of all lifetimes.
	At time.Time
	// Version is for the timestamp; it must be above the previous one. 0 means the
	// previous plus one. A publisher that reserves versions gives the reserved one,
	// so that no two different timestamps ever share a version.
	Version int64
	// Floor is the least version of any metadata but roots: what is below it is signed again with Floor as its version. After a restore
	// prev is older than what verifiers have seen, and none of them takes a version that goes back. 0 is no floor.
	Floor int64
	// Lifetimes: zero fields take DefaultLifetimes.
	Lifetimes Lifetimes
}

// builder is one Build under way.
type builder struct {
	prev, out Files
	newest    map[string]int64 // versions in prev
	keys      Keys
	at        time.Time
	floor     int64
	lives     Lifetimes
	meta      map[string]*metadata.MetaFiles    // of the snapshot
	parts     map[string]map[string]layout.Part // targets by role
}

// Build makes the next state of a repository from the previous one (nil at first),
// which must be trusted: it is not verified again. What didn't change keeps its
// version and bytes: a new status list touches status, snapshot and
// timestamp only. The result has all root versions and, of everything else, the
// current version. Delegated roles of authorities that left stay, empty.
//
// Errors: ErrInput for a contradictory input, a missing key, or a root key that the
// previous root doesn't know (rotation must publish a key before its first use).
func Build(prev Files, in Input, keys Keys, o Options) (Files, error) {
	parts, err := layout.Of(in)
	if err != nil {
		return nil, err
	}
	b := &builder{
		prev: prev, newest: prev.newest(), out: Files{}, keys: keys, at: o.At.UTC().Truncate(time.Second),
		floor: o.Floor, lives: o.Lifetimes.orDefault(), meta: map[string]*metadata.MetaFiles{}, parts: parts,
	}
	if err := b.root(); err != nil {
		return nil, err
	}
	if err := b.targets(); err != nil {
		return nil, err
	}
	if err := b.snapshot(); err != nil {
		return nil, err
	}
	if err := b.timestamp(o.Version); err != nil {
		return nil, err
	}
	return b.out, nil
}

func (l Lifetimes) orDefault() Lifetimes {
	or := func(a, b time.Duration) time.Duration {
		if a > 0 {
			return a
		}
		return b
	}
	d := DefaultLifetimes
	return Lifetimes{or(l.Timestamp, d.Timestamp), or(l.Snapshot, d.Snapshot), or(l.Targets, d.Targets), or(l.Root, d.Root)}
}

// previous is the newest version of a role's metadata in the previous state.
func (b *builder) previous(role string) (version int64, raw []byte, ok bool) {
	version = b.newest[role]
	raw, ok = b.prev[metaPath(role, version)]
	return version, raw, ok
}

// fresh: more than half of its life is left.
func (b *builder) fresh(expires time.Time, life time.Duration) bool {
	return expires.Sub(b.at) > life/2
}

// root keeps the newest root while its keys are the wanted ones, else adds the
// next version, which the previous root's keys must accept.
func (b *builder) root() error {
	var last *metadata.Metadata[metadata.RootType]
	for n := int64(1); ; n++ {
		raw, ok := b.prev[rootPath(n)]
		if !ok {
			break
		}
		md, err := metadata.Root().FromBytes(raw)
		if err != nil {
			return fmt.Errorf("%w: previous root %d: %w", ErrInput, n, err)
		}
		b.out[rootPath(n)], last = raw, md
	}
	next := metadata.Root(b.at.Add(b.lives.Root))
	for role, keys := range map[string]RoleKeys{
		metadata.ROOT: b.keys.Root, metadata.TIMESTAMP: b.keys.Timestamp,
		metadata.SNAPSHOT: b.keys.Snapshot, metadata.TARGETS: b.keys.Targets,
	} {
		public, err := keys.public(role)
		if err != nil {
			return err
		}
		for _, k := range public {
			if err := next.Signed.AddKey(k, role); err != nil {
				return fmt.Errorf("%w: %w", ErrInput, err)
			}
		}
		slices.Sort(next.Signed.Roles[role].KeyIDs)
		next.Signed.Roles[role].Threshold = keys.threshold()
		if err := tufkey.Check(role, next.Signed.Roles[role].KeyIDs, next.Signed.Keys, keys.threshold()); err != nil {
			return fmt.Errorf("%w: %w", ErrInput, err)
		}
	}
	if last != nil {
		if b.fresh(last.Signed.Expires, b.lives.Root) && bytes.Equal(rootKeys(last), rootKeys(next)) {
			return nil
		}
		next.Signed.Version = last.Signed.Version + 1
	}
	raw, err := sign(next, b.keys.Root.Signers)
	if err != nil {
		return err
	}
	if last != nil {
		if err := acceptRoot(last, next); err != nil {
			return fmt.Errorf("%w: root %d does not accept root %d: %w", ErrInput, last.Signed.Version, next.Signed.Version, err)
		}
	}
	b.out[rootPath(next.Signed.Version)] = raw
	return nil
}

// rootKeys is what makes two roots say the same.
func rootKeys(md *metadata.Metadata[metadata.RootType]) []byte {
	return wire.JSON([]any{md.Signed.Keys, md.Signed.Roles})
}

// targets lays out the national role and the delegated ones.
func (b *builder) targets() error {
	keys, err := b.delegatedKeys()
	if err != nil {
		return err
	}
	national := metadata.Targets(b.at.Add(b.lives.Targets))
	delegations := &metadata.Delegations{Keys: map[string]*metadata.Key{}}
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		public, err := keys[name].public(name)
		if err != nil {
			return err
		}
		role := metadata.DelegatedRole{Name: name, Terminating: true, Threshold: keys[name].threshold(), Paths: rolePaths(name)}
		for _, k := range public {
			id, err := k.ID()
			if err != nil {
				return fmt.Errorf("naming the key of %s: %w", name, err)
			}
			delegations.Keys[id] = k
			role.KeyIDs = append(role.KeyIDs, id)
		}
		slices.Sort(role.KeyIDs)
		if err := tufkey.Check(name, role.KeyIDs, delegations.Keys, role.Threshold); err != nil {
			return fmt.Errorf("%w: %w", ErrInput, err)
		}
		delegations.Roles = append(delegations.Roles, role)
		if err := b.targetsRole(name, metadata.Targets(b.at.Add(b.lives.Targets)), keys[name]); err != nil {
			return err
		}
	}
	national.Signed.Delegations = delegations
	return b.targetsRole(metadata.TARGETS, national, b.keys.Targets)
}

// delegatedKeys are the keys of every delegated role: of the input's issuers, and
// of those that the previous state had (a role that vanishes looks like an attack
// to every TUF client).
func (b *builder) delegatedKeys() (map[string]RoleKeys, error) {
	out := map[string]RoleKeys{RoleStatus: b.keys.Status, RoleCWT: b.keys.Status}
	codes := PublishedIssuers(b.prev)
	for name := range b.parts {
		if code, ok := strings.CutPrefix(name, issuerRole); ok {
			codes = append(codes, code)
		}
	}
	for _, code := range codes {
		keys, ok := b.keys.Issuers[code]
		if !ok {
			return nil, fmt.Errorf("%w: no key for role %s", ErrInput, RoleIssuer(code))
		}
		out[RoleIssuer(code)] = keys
	}
	return out, nil
}

// PublishedIssuers lists the credit codes of all authorities that a repository
// has a role for. Build needs keys for all of them, also for those that left.
func PublishedIssuers(prev Files) []string {
	raw := prev[metaPath(metadata.TARGETS, prev.newest()[metadata.TARGETS])]
	md, err := metadata.Targets().FromBytes(raw)
	if err != nil || md.Signed.Delegations == nil {
		return nil
	}
	var out []string
	for _, r := range md.Signed.Delegations.Roles {
		if code, ok := strings.CutPrefix(r.Name, issuerRole); ok {
			out = append(out, code)
		}
	}
	return out
}

// targetsRole fills md with the role's parts, and keeps the previous version when
// it says the same and is signed by the current keys.
func (b *builder) targetsRole(name string, md *metadata.Metadata[metadata.TargetsType], keys RoleKeys) error {
	for path, p := range b.parts[name] {
		target, err := metadata.TargetFile().FromBytes(path, p.Body)
		if err != nil {
			return fmt.Errorf("hashing %s: %w", path, err)
		}
		if p.Custom != nil {
			target.Custom = &p.Custom
		}
		md.Signed.Targets[path] = target
		b.out[targetPath(path, wire.Hash(p.Body))] = p.Body
	}
	if version, raw, ok := b.previous(name); ok {
		old, err := metadata.Targets().FromBytes(raw)
		if err != nil {
			return fmt.Errorf("%w: previous %s: %w", ErrInput, name, err)
		}
		same := bytes.Equal(targetsSays(old), targetsSays(md)) && signedBy(old.Signatures, keys)
		if same && version >= b.floor && b.fresh(old.Signed.Expires, b.lives.Targets) {
			b.put(name, version, raw)
			return nil
		}
		md.Signed.Version = max(version+1, b.floor)
	}
	raw, err := sign(md, keys.Signers)
	if err != nil {
		return err
	}
	b.put(name, md.Signed.Version, raw)
	return nil
}

func targetsSays(md *metadata.Metadata[metadata.TargetsType]) []byte {
	return wire.JSON([]any{md.Signed.Targets, md.Signed.Delegations})
}

// signedBy: the signatures are those of the role's signers, no more and no less.
func signedBy(sigs []metadata.Signature, keys RoleKeys) bool {
	have, want := map[string]bool{}, map[string]bool{}
	for _, s := range sigs {
		have[s.KeyID] = true
	}
	for _, s := range keys.Signers {
		key, err := tufkey.New(s.Key.Public(), s.Holder)
		if err != nil {
			return false
		}
		id, err := key.ID()
		if err != nil {
			return false
		}
		want[id] = true
	}
	return maps.Equal(have, want)
}

// put stores a metadata file and lists it, hash and length included, for the
// snapshot: one snapshot names the exact bytes of all parts (R03).
func (b *builder) put(name string, version int64, raw []byte) {
	b.out[metaPath(name, version)] = raw
	b.meta[name+".json"] = metaFile(version, raw)
}

func metaFile(version int64, raw []byte) *metadata.MetaFiles {
	m := metadata.MetaFile(version)
	m.Length = int64(len(raw))
	sum := sha256.Sum256(raw)
	m.Hashes["sha256"] = sum[:]
	return m
}

func (b *builder) snapshot() error {
	md := metadata.Snapshot(b.at.Add(b.lives.Snapshot))
	md.Signed.Meta = b.meta
	if version, raw, ok := b.previous(metadata.SNAPSHOT); ok {
		old, err := metadata.Snapshot().FromBytes(raw)
		if err != nil {
			return fmt.Errorf("%w: previous snapshot: %w", ErrInput, err)
		}
		same := bytes.Equal(wire.JSON(old.Signed.Meta), wire.JSON(md.Signed.Meta)) && signedBy(old.Signatures, b.keys.Snapshot)
		if same && version >= b.floor && b.fresh(old.Signed.Expires, b.lives.Snapshot) {
			b.put(metadata.SNAPSHOT, version, raw)
			return nil
		}
		md.Signed.Version = max(version+1, b.floor)
	}
	raw, err := sign(md, b.keys.Snapshot.Signers)
	if err != nil {
		return err
	}
	b.put(metadata.SNAPSHOT, md.Signed.Version, raw)
	return nil
}

// asOfField is our addition to the timestamp: when it was published. TUF has only
// an expiry, but a verifier must say "as of", and must notice a clock that is behind.
const asOfField = "x-hufu-as-of"

func (b *builder) timestamp(version int64) error {
	md := metadata.Timestamp(b.at.Add(b.lives.Timestamp))
	md.Signed.Meta = map[string]*metadata.MetaFiles{"snapshot.json": b.meta["snapshot.json"]}
	md.Signed.UnrecognizedFields = map[string]any{asOfField: b.at.Format(time.RFC3339)}
	last := int64(0)
	if raw, ok := b.prev[timestampPath]; ok {
		old, err := metadata.Timestamp().FromBytes(raw)
		if err != nil {
			return fmt.Errorf("%w: previous timestamp: %w", ErrInput, err)
		}
		last = old.Signed.Version
	}
	if version == 0 {
		version = last + 1
	}
	if version <= last {
		return fmt.Errorf("%w: version %d after version %d", ErrInput, version, last)
	}
	md.Signed.Version = version
	raw, err := sign(md, b.keys.Timestamp.Signers)
	if err != nil {
		return err
	}
	b.out[timestampPath] = raw
	return nil
}

// acceptRoot: next is signed by enough keys, and holders, of the roots last and next.
func acceptRoot(last, next *metadata.Metadata[metadata.RootType]) error {
	for _, r := range []*metadata.Metadata[metadata.RootType]{last, next} {
		if err := r.VerifyDelegate(metadata.ROOT, next); err != nil {
			return err
		}
		role := r.Signed.Roles[metadata.ROOT]
		if err := tufkey.CheckHolders(metadata.ROOT, next, role.KeyIDs, r.Signed.Keys, role.Threshold); err != nil {
			return err
		}
	}
	return nil
}
