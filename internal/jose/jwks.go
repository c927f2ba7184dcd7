package jose

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/hufu-id/hufu/internal/strictjson"
)

// Limits of a key set.
const (
	MaxKeySetBytes = 64 << 10
	MaxKeySetKeys  = 20
)

// ParseJWKS reads a key set (RFC 7517 section 5) and returns the keys that we can use, in order. A key of an unknown
// type, curve or size is left out, because one new key must not take a whole province offline. Everything else that is
// wrong with one key fails the set: a set that publishes private or symmetric keys (ErrPrivateKey), two keys with one
// "kid" that could both be meant (ErrDuplicateKeyID), a key off its curve (ErrInvalidKey). Keys for different algorithms may
// share a "kid": FAPI 2.0 section 5.4.3 has the verifier look at the rest. The result may be empty.
func ParseJWKS(b []byte) (keys []JWK, err error) {
	defer recovered(&err)
	if len(b) > MaxKeySetBytes {
		return nil, fmt.Errorf("%w: key set above %d bytes", ErrTooLarge, MaxKeySetBytes)
	}
	var set map[string]json.RawMessage
	if err := strictjson.Check(b, false); err != nil {
		return nil, err
	}
	if err := json.Unmarshal(b, &set); err != nil {
		return nil, fmt.Errorf("%w: key set isn't an object", ErrMalformed)
	}
	var items []json.RawMessage
	if err := json.Unmarshal(set["keys"], &items); err != nil || items == nil {
		return nil, fmt.Errorf("%w: key set without a list of keys", ErrMalformed)
	}
	if len(items) > MaxKeySetKeys {
		return nil, fmt.Errorf("%w: key set above %d keys", ErrTooLarge, MaxKeySetKeys)
	}
	for i, item := range items {
		k, err := ParseJWK(item)
		if errors.Is(err, ErrUnsupportedKey) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("key %d of the set: %w", i, err)
		}
		if slices.ContainsFunc(keys, k.rivals) {
			return nil, ErrDuplicateKeyID
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// rivals says whether a "kid" that two keys have leaves open which one is meant: both encrypt, or one algorithm would take both.
func (k JWK) rivals(other JWK) bool {
	if k.kid == "" || k.kid != other.kid {
		return false
	}
	return k.use == "enc" && other.use == "enc" ||
		slices.ContainsFunc([]Alg{ES256, ES384, PS256, RS256, EdDSA}, func(a Alg) bool { return k.usable(a) && other.usable(a) })
}

// MarshalJWKS writes a key set.
func MarshalJWKS(keys []JWK) ([]byte, error) {
	if keys == nil {
		keys = []JWK{}
	}
	return json.Marshal(struct {
		Keys []JWK `json:"keys"`
	}{keys})
}
