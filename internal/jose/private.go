package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"

	"github.com/lestrrat-go/jwx/v2/jwk"
)

// SigningKey is a private key, or a handle to one in a device, with the name and the algorithm it signs under. It never
// shows its key: not in %v, not in a log, not in JSON.
type SigningKey struct {
	ID  string // "kid"; for our own keys the thumbprint of the public key
	Alg Alg
	Key crypto.Signer
}

// GenerateKey makes a new key in memory, named by its thumbprint. RSA keys have 2048 bits.
func GenerateKey(alg Alg) (SigningKey, error) {
	var key crypto.Signer
	var err error
	switch alg {
	case ES256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case ES384:
		key, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case EdDSA:
		_, key, err = ed25519.GenerateKey(rand.Reader)
	case PS256, RS256:
		key, err = rsa.GenerateKey(rand.Reader, minRSABits)
	default:
		return SigningKey{}, fmt.Errorf("%w: %q", ErrAlgorithm, short(string(alg)))
	}
	if err != nil {
		return SigningKey{}, fmt.Errorf("jose: generate key: %w", err)
	}
	return NewSigningKey(key, alg)
}

// NewSigningKey names key by its thumbprint. An empty alg is taken from the curve; RSA keys need one. Errors as
// FromPublic.
func NewSigningKey(key crypto.Signer, alg Alg) (SigningKey, error) {
	if alg == "" {
		alg = algFor(key.Public())
	}
	if alg == "" {
		return SigningKey{}, fmt.Errorf("%w: the key needs an algorithm", ErrAlgorithm)
	}
	pub, err := FromPublic(key.Public(), "", alg)
	if err != nil {
		return SigningKey{}, err
	}
	return SigningKey{ID: pub.Thumbprint(), Alg: alg, Key: key}, nil
}

// Public returns the public half with the same kid and alg. Errors as FromPublic.
func (k SigningKey) Public() (JWK, error) {
	if k.Key == nil {
		return JWK{}, fmt.Errorf("%w: no key", ErrInvalidKey)
	}
	return FromPublic(k.Key.Public(), k.ID, k.Alg)
}

// String names the key without showing it.
func (k SigningKey) String() string { return "signing-key:" + string(k.Alg) + ":" + k.ID }

// Format writes String for every verb: %d or %#v would print the private key.
func (k SigningKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, k.String()) }

// LogValue is String.
func (k SigningKey) LogValue() slog.Value { return slog.StringValue(k.String()) }

// MarshalJSON names the key without showing it: encoding/json would otherwise write an ecdsa.PrivateKey in full.
// MarshalPrivateJWK is the deliberate way.
func (k SigningKey) MarshalJSON() ([]byte, error) { return json.Marshal(k.String()) }

// ParsePrivateJWK reads the private key of a client, a wallet or a department from its file. The private and the public
// half must belong together. Without "kid" the key is named by its thumbprint; without "alg" by its curve (RSA keys need
// one). Errors as ParseJWK, and ErrInvalidKey for a public key.
func ParsePrivateJWK(b []byte) (k SigningKey, err error) {
	defer recovered(&err)
	w, err := parseWire(b, true)
	if err != nil {
		return SigningKey{}, err
	}
	parsed, err := jwk.ParseKey(b)
	if err != nil {
		return SigningKey{}, fmt.Errorf("%w: not readable as %s", ErrInvalidKey, short(w.Kty))
	}
	var raw any
	if err := parsed.Raw(&raw); err != nil {
		return SigningKey{}, fmt.Errorf("%w: values of the %s key", ErrInvalidKey, short(w.Kty))
	}
	signer, err := checkPrivate(raw)
	if err != nil {
		return SigningKey{}, err
	}
	k, err = NewSigningKey(signer, algNamed(w.Alg))
	if err == nil && w.Kid != "" {
		k.ID = w.Kid
	}
	return k, err
}

// checkPrivate makes sure that the private half made the public half, or the key would leak through wrong signatures.
func checkPrivate(raw any) (crypto.Signer, error) {
	mismatch := fmt.Errorf("%w: private and public half don't belong together", ErrInvalidKey)
	switch p := raw.(type) {
	case *ecdsa.PrivateKey:
		scalar, err := p.Bytes() // refuses one out of range
		if err != nil {
			return nil, mismatch
		}
		again, err := ecdsa.ParseRawPrivateKey(p.Curve, scalar)
		if err != nil || !again.PublicKey.Equal(&p.PublicKey) {
			return nil, mismatch
		}
		return again, nil
	case ed25519.PrivateKey:
		if len(p) != ed25519.PrivateKeySize || !ed25519.NewKeyFromSeed(p.Seed()).Equal(p) {
			return nil, mismatch
		}
		return p, nil
	case *rsa.PrivateKey:
		if err := checkRSA(&p.PublicKey); err != nil {
			return nil, err
		}
		if p.Validate() != nil {
			return nil, mismatch
		}
		return p, nil
	}
	return nil, fmt.Errorf("%w: not a private key", ErrInvalidKey)
}

// MarshalPrivateJWK writes the private key with kid and alg, for a key file. Keys that live in a device can't be written
// (ErrUnsupportedKey).
func MarshalPrivateJWK(k SigningKey) (b []byte, err error) {
	defer recovered(&err)
	switch k.Key.(type) {
	case *ecdsa.PrivateKey, ed25519.PrivateKey, *rsa.PrivateKey:
	default:
		return nil, fmt.Errorf("%w: %T can't leave its place", ErrUnsupportedKey, k.Key)
	}
	key, err := jwk.FromRaw(k.Key)
	if err != nil {
		return nil, fmt.Errorf("%w: %T", ErrInvalidKey, k.Key)
	}
	for name, value := range map[string]string{jwk.KeyIDKey: k.ID, jwk.AlgorithmKey: string(k.Alg)} {
		if err := key.Set(name, value); err != nil {
			return nil, fmt.Errorf("%w: %s", ErrInvalidKey, name)
		}
	}
	return json.Marshal(key)
}
