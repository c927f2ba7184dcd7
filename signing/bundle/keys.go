package bundle

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"
	"github.com/theupdateframework/go-tuf/v2/metadata"
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

// holderField is our addition to a TUF key object; other clients ignore it.
const holderField = "x-hufu-holder"

func (r RoleKeys) threshold() int { return max(r.Threshold, 1) }

// public lists the keys of the role as TUF keys, signers first.
func (r RoleKeys) public(role string) ([]*metadata.Key, error) {
	var out []*metadata.Key
	seen := map[string]bool{}
	add := func(k crypto.PublicKey, holder string) error {
		key, err := tufKey(k, holder)
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

// tufKey makes the TUF form of a P-256 key.
func tufKey(pub crypto.PublicKey, holder string) (*metadata.Key, error) {
	ec, ok := pub.(*ecdsa.PublicKey)
	if !ok || ec.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%T is not an ECDSA key on P-256", pub)
	}
	key, err := metadata.KeyFromPublicKey(ec)
	if err != nil {
		return nil, err
	}
	if holder != "" {
		key.UnrecognizedFields = map[string]any{holderField: holder}
	}
	return key, nil
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
		key, err := tufKey(s.Key.Public(), s.Holder)
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

// checkKeys refuses, for one role, what the TUF library lets pass: other
// algorithms than ours, a key under a name that isn't its hash (then one key could
// pose as two), and thresholds that no two people are behind (R04).
func checkKeys(role string, keyIDs []string, keys map[string]*metadata.Key, threshold int) error {
	if threshold < 1 || len(keyIDs) < threshold {
		return fmt.Errorf("role %s: %d keys for a threshold of %d", role, len(keyIDs), threshold)
	}
	points := map[string]bool{}
	holders := map[string]bool{}
	for _, id := range keyIDs {
		key := keys[id]
		if key == nil {
			return fmt.Errorf("role %s: key %.8s is missing", role, id)
		}
		if key.Scheme != metadata.KeySchemeECDSA_SHA2_P256 {
			return fmt.Errorf("role %s: key scheme %q is not accepted", role, key.Scheme)
		}
		pub, err := key.ToPublicKey()
		if err != nil {
			return fmt.Errorf("role %s: key %.8s: %w", role, id, err)
		}
		ec, ok := pub.(*ecdsa.PublicKey)
		if !ok || ec.Curve != elliptic.P256() {
			return fmt.Errorf("role %s: key %.8s is not on P-256", role, id)
		}
		if own, err := key.ID(); err != nil || own != id {
			return fmt.Errorf("role %s: key %.8s is not named by its hash", role, id)
		}
		point, err := ec.Bytes()
		if err != nil || points[string(point)] {
			return fmt.Errorf("role %s: key %.8s is there twice", role, id)
		}
		points[string(point)] = true
		holders[holderOf(key)] = true
	}
	if threshold > 1 && len(holders) < threshold {
		return fmt.Errorf("role %s: %d holders for a threshold of %d", role, len(holders), threshold)
	}
	return nil
}

func holderOf(k *metadata.Key) string {
	s, _ := k.UnrecognizedFields[holderField].(string)
	return s
}

// checkHolders demands that a threshold above one was met by distinct holders.
// The library counted distinct keys; one person with two keys is still one person.
func checkHolders[T metadata.Roles](role string, md *metadata.Metadata[T], keyIDs []string, keys map[string]*metadata.Key, threshold int) error {
	if threshold < 2 {
		return nil
	}
	payload, err := cjson.EncodeCanonical(md.Signed)
	if err != nil {
		return fmt.Errorf("role %s: %w", role, err)
	}
	digest := sha256.Sum256(payload)
	counts := map[string]bool{}
	for _, s := range md.Signatures {
		for _, id := range keyIDs {
			if s.KeyID != id || keys[id] == nil {
				continue
			}
			pub, err := keys[id].ToPublicKey()
			if err != nil {
				continue
			}
			if ec, ok := pub.(*ecdsa.PublicKey); ok && ecdsa.VerifyASN1(ec, digest[:], s.Signature) {
				counts[holderOf(keys[id])] = true
			}
		}
	}
	if len(counts) < threshold {
		return fmt.Errorf("role %s: signed by %d holders, needs %d", role, len(counts), threshold)
	}
	return nil
}
