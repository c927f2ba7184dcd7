package bundle

import (
	"crypto"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"
	"github.com/theupdateframework/go-tuf/v2/metadata"

	"github.com/hufu-id/hufu/signing/bundle/internal/tufkey"
)

// Signer is one ES256 key that signs for a role.
type Signer struct {
	// Key signs SHA-256 digests; its public key is ECDSA on P-256. It is asked
	// without randomness, so a software key signs by RFC 6979 and the same input
	// gives the same bytes.
	Key crypto.Signer
	// Holder says who keeps the key, where a role needs more than one signature:
	// two keys of one holder count once (R04). May be empty with threshold 1.
	Holder string
}

// RoleKeys are the keys of one role.
type RoleKeys struct {
	// Signers sign now.
	Signers []Signer
	// Also are further keys that count for the role: of the root role the next
	// one (published before its first use, so that the chain of roots holds) and
	// the ones just retired.
	Also []PublicKey
	// Threshold is how many distinct keys (and holders) must sign; 0 means 1.
	Threshold int
}

// PublicKey is a key that counts for a role, without its private half.
type PublicKey struct {
	Key    crypto.PublicKey
	Holder string
}

// Keys are the keys of all roles of a repository.
type Keys struct {
	Root, Timestamp, Snapshot, Targets, Status RoleKeys
	// Issuers has the delegated role's keys by credit code.
	Issuers map[string]RoleKeys
}

func (r RoleKeys) threshold() int { return max(r.Threshold, 1) }

// public lists the keys of the role as TUF keys, signers first.
func (r RoleKeys) public(role string) ([]*metadata.Key, error) {
	var out []*metadata.Key
	seen := map[string]bool{}
	add := func(k crypto.PublicKey, holder string) error {
		key, err := tufkey.New(k, holder)
		if err != nil {
			return fmt.Errorf("%w: key of role %s: %w", ErrInput, role, err)
		}
		id, err := key.ID()
		if err != nil {
			return fmt.Errorf("%w: key of role %s: %w", ErrInput, role, err)
		}
		if !seen[id] {
			seen[id] = true
			out = append(out, key)
		}
		return nil
	}
	for _, s := range r.Signers {
		if err := add(s.Key.Public(), s.Holder); err != nil {
			return nil, err
		}
	}
	if len(out) < r.threshold() {
		return nil, fmt.Errorf("%w: role %s has %d signers and needs %d", ErrInput, role, len(out), r.threshold())
	}
	for _, p := range r.Also {
		if err := add(p.Key, p.Holder); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Digest is a SHA-256 over the public keys, holders and thresholds of all roles:
// equal digests, nothing to sign anew.
func (k Keys) Digest() ([32]byte, error) {
	all := map[string]RoleKeys{"root": k.Root, "timestamp": k.Timestamp, "snapshot": k.Snapshot, "targets": k.Targets, RoleStatus: k.Status}
	for code, keys := range k.Issuers {
		all[RoleIssuer(code)] = keys
	}
	h := sha256.New()
	for _, role := range slices.Sorted(maps.Keys(all)) {
		public, err := all[role].public(role)
		if err != nil {
			return [32]byte{}, err
		}
		var ids []string
		for _, key := range public {
			id, err := key.ID()
			if err != nil {
				return [32]byte{}, fmt.Errorf("naming the key of %s: %w", role, err)
			}
			ids = append(ids, id)
		}
		// The first len(Signers) sign: promoting a key changes the digest although the set stays.
		slices.Sort(ids[min(len(ids), len(all[role].Signers)):])
		fmt.Fprintf(h, "%s %d %v\n", role, all[role].threshold(), ids)
	}
	return [32]byte(h.Sum(nil)), nil
}

// sign adds the signatures of all signers and returns the file's bytes.
func sign[T metadata.Roles](md *metadata.Metadata[T], signers []Signer) ([]byte, error) {
	payload, err := cjson.EncodeCanonical(md.Signed)
	if err != nil {
		return nil, fmt.Errorf("encoding metadata: %w", err)
	}
	digest := sha256.Sum256(payload)
	md.ClearSignatures()
	done := map[string]bool{}
	for _, s := range signers {
		key, err := tufkey.New(s.Key.Public(), s.Holder)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrInput, err)
		}
		id, err := key.ID()
		if err != nil {
			return nil, fmt.Errorf("naming the key: %w", err)
		}
		if done[id] {
			continue
		}
		done[id] = true
		sig, err := s.Key.Sign(nil, digest[:], crypto.SHA256)
		if err != nil {
			return nil, fmt.Errorf("signing metadata: %w", err)
		}
		md.Signatures = append(md.Signatures, metadata.Signature{KeyID: id, Signature: sig})
	}
	return md.ToBytes(false)
}
