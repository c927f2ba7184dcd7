// Package tufkey makes and judges the keys of TUF roles, more strictly than the TUF library: one algorithm, keys named by their hash, and thresholds
// that as many people are behind.
package tufkey

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"fmt"

	"github.com/secure-systems-lab/go-securesystemslib/cjson"
	"github.com/theupdateframework/go-tuf/v2/metadata"
)

// holderField is our addition to a TUF key object; other clients ignore it.
const holderField = "x-hufu-holder"

// New makes the TUF form of a P-256 key.
func New(pub crypto.PublicKey, holder string) (*metadata.Key, error) {
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

// Check refuses, for one role, what the TUF library lets pass: other
// algorithms than ours, a key under a name that isn't its hash (then one key could
// pose as two), and thresholds that no two people are behind (R04).
func Check(role string, keyIDs []string, keys map[string]*metadata.Key, threshold int) error {
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

// CheckHolders demands that a threshold above one was met by distinct holders.
// The library counted distinct keys; one person with two keys is still one person.
func CheckHolders[T metadata.Roles](role string, md *metadata.Metadata[T], keyIDs []string, keys map[string]*metadata.Key, threshold int) error {
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
