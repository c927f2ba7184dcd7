package cwt

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"fmt"
	"slices"

	"github.com/hufu-id/hufu/internal/jose"
)

// Numbers of COSE_Key (RFC 9052 section 7, RFC 9053 section 7).
const (
	keyTypeOKP = 1
	keyTypeEC2 = 2
	curveP256  = 1
	curveP384  = 2
	curveEd    = 6
)

type wireKey struct {
	Type  int64 `cbor:"1,keyasint"`
	Alg   Raw   `cbor:"3,keyasint,omitempty"`
	Curve Raw   `cbor:"-1,keyasint,omitempty"` // of a symmetric key it is the key
	X     Raw   `cbor:"-2,keyasint,omitempty"`
	Y     Raw   `cbor:"-3,keyasint,omitempty"`
	D     Raw   `cbor:"-4,keyasint,omitempty"`
}

// MarshalKey writes a public key as COSE_Key: P-256, P-384 or Ed25519, with the members that make the key and no others.
// Errors: ErrUnsupportedKey.
func MarshalKey(k jose.JWK) (Raw, error) {
	switch p := k.Public().(type) {
	case *ecdsa.PublicKey:
		curve := curveP256
		if p.Curve == elliptic.P384() {
			curve = curveP384
		}
		point, err := p.Bytes()
		if err != nil {
			return nil, fmt.Errorf("%w: point isn't on the curve", ErrUnsupportedKey)
		}
		size := (len(point) - 1) / 2
		return Marshal(map[int]any{1: keyTypeEC2, -1: curve, -2: point[1 : 1+size], -3: point[1+size:]})
	case ed25519.PublicKey:
		return Marshal(map[int]any{1: keyTypeOKP, -1: curveEd, -2: []byte(p)})
	}
	return nil, fmt.Errorf("%w: neither EC nor Ed25519", ErrUnsupportedKey)
}

// ParseKey reads a public COSE_Key of P-256, P-384 or Ed25519; the point must lie on the curve. Errors: ErrMalformed,
// ErrUnsupportedKey, ErrPrivateKey, and jose.ErrInvalidKey.
func ParseKey(b []byte) (jose.JWK, error) {
	if len(b) > jose.MaxKeyBytes {
		return jose.JWK{}, fmt.Errorf("%w: key", ErrTooLarge)
	}
	var w wireKey
	if err := Unmarshal(b, &w); err != nil {
		return jose.JWK{}, err
	}
	if w.Type == 4 || len(w.D) > 0 {
		return jose.JWK{}, ErrPrivateKey
	}
	if w.Type != keyTypeEC2 && w.Type != keyTypeOKP {
		return jose.JWK{}, fmt.Errorf("%w: key type %d", ErrUnsupportedKey, w.Type)
	}
	var curve int64
	var x []byte
	if err := Unmarshal(w.Curve, &curve); err != nil {
		return jose.JWK{}, err
	}
	if err := byteString(w.X, &x); err != nil {
		return jose.JWK{}, err
	}
	alg, err := keyAlg(w.Alg)
	if err != nil {
		return jose.JWK{}, err
	}
	switch {
	case w.Type == keyTypeOKP && curve == curveEd && len(x) == ed25519.PublicKeySize && len(w.Y) == 0:
		return jose.FromPublic(ed25519.PublicKey(x), "", alg)
	case w.Type == keyTypeEC2 && curve == curveP256 && len(x) == 32:
		return point(elliptic.P256(), x, w.Y, alg)
	case w.Type == keyTypeEC2 && curve == curveP384 && len(x) == 48:
		return point(elliptic.P384(), x, w.Y, alg)
	}
	return jose.JWK{}, fmt.Errorf("%w: curve %d", ErrUnsupportedKey, curve)
}

// keyAlg reads the algorithm that a key restricts itself to; "" when it doesn't, or names one for key agreement.
func keyAlg(raw Raw) (jose.Alg, error) {
	if len(raw) == 0 {
		return "", nil
	}
	var n int64
	if err := Unmarshal(raw, &n); err != nil {
		return "", err
	}
	return algorithms[n], nil
}

// byteString decodes a byte string and nothing else: the decoder would also fill []byte from an array of numbers.
func byteString(raw Raw, out *[]byte) error {
	if len(raw) == 0 || raw[0]>>5 != 2 {
		return fmt.Errorf("%w: not a byte string", ErrMalformed)
	}
	return Unmarshal(raw, out)
}

// point makes a key of x and of y, which is a byte string, or the sign of y as a boolean.
func point(curve elliptic.Curve, x []byte, rawY Raw, alg jose.Alg) (jose.JWK, error) {
	y := make([]byte, len(x))
	if len(rawY) == 1 && (rawY[0] == 0xf4 || rawY[0] == 0xf5) {
		_, found := elliptic.UnmarshalCompressed(curve, append([]byte{2 + rawY[0] - 0xf4}, x...))
		if found == nil {
			return jose.JWK{}, fmt.Errorf("%w: no point has this x", jose.ErrInvalidKey)
		}
		found.FillBytes(y)
	} else if err := byteString(rawY, &y); err != nil {
		return jose.JWK{}, err
	}
	pub, err := ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y))
	if err != nil {
		return jose.JWK{}, fmt.Errorf("%w: not a point of the curve", jose.ErrInvalidKey)
	}
	return jose.FromPublic(pub, "", alg)
}
