package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/hufu-id/hufu/internal/strictjson"
	"github.com/lestrrat-go/jwx/v2/jwk"
)

// Size limits of keys. A verification costs 0.5 ms with an RSA key of 4,096 bits and 1.8 s with one of 262,144, and
// anybody may send us a key.
const (
	MaxKeyBytes = 8 << 10 // of one JWK
	minRSABits  = 2048
	maxRSABits  = 4096
	maxKeyID    = 256
)

// JWK is a public key that passed every check of ParseJWK or FromPublic. The zero JWK holds no key and verifies nothing.
type JWK struct {
	pub   crypto.PublicKey
	kid   string
	alg   Alg // as declared; "" when the key doesn't say
	use   string
	thumb string
}

// wireJWK is a JWK as written (RFC 7517 section 4, RFC 7518 section 6, RFC 8037 section 2).
type wireJWK struct {
	Kty    string   `json:"kty"`
	Crv    string   `json:"crv,omitempty"`
	X      string   `json:"x,omitempty"`
	Y      string   `json:"y,omitempty"`
	N      string   `json:"n,omitempty"`
	E      string   `json:"e,omitempty"`
	Kid    string   `json:"kid,omitempty"`
	Alg    string   `json:"alg,omitempty"`
	Use    string   `json:"use,omitempty"`
	KeyOps []string `json:"key_ops,omitempty"`
}

// secretMembers are the members that hold private or symmetric key material (RFC 7518 sections 6.2.2, 6.3.2, 6.4.1; "priv"
// and "seed" of AKP keys).
var secretMembers = []string{"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv", "seed"}

// ParseJWK reads one public key. It supports EC P-256 and P-384, RSA of 2048 to 4096 bits and Ed25519.
// Errors: ErrPrivateKey, ErrUnsupportedKey, ErrInvalidKey, ErrMalformed, ErrDuplicateMember, ErrTooLarge.
func ParseJWK(b []byte) (k JWK, err error) {
	defer recovered(&err)
	w, err := parseWire(b, false)
	if err != nil {
		return JWK{}, err
	}
	raw, err := w.public(b)
	if err != nil {
		return JWK{}, err
	}
	k, err = newJWK(raw)
	if err != nil {
		return JWK{}, err
	}
	k.kid, k.alg, k.use = w.Kid, algNamed(w.Alg), w.purpose()
	return k, nil
}

// Values of "use" (RFC 7517 section 4.2). useOther stands for a key whose "key_ops" leave nothing that we do, or contradict its "use".
const (
	useSig   = "sig"
	useEnc   = "enc"
	useOther = "key_ops"
)

// purpose is what the key is for by "use" and "key_ops" together.
func (w wireJWK) purpose() string {
	if w.KeyOps == nil {
		return w.Use
	}
	verifies := slices.Contains(w.KeyOps, "verify")
	encrypts := slices.ContainsFunc(w.KeyOps, func(op string) bool {
		return slices.Contains([]string{"encrypt", "wrapKey", "deriveKey", "deriveBits"}, op)
	})
	switch {
	case verifies && encrypts:
		return w.Use
	case verifies && (w.Use == "" || w.Use == useSig):
		return useSig
	case encrypts && (w.Use == "" || w.Use == useEnc):
		return useEnc
	}
	return useOther
}

// public makes the key. EC keys, which every proof of possession carries, take the short way of the standard library,
// five times faster than jwx; it also checks that the point is on the curve.
func (w wireJWK) public(b []byte) (crypto.PublicKey, error) {
	if w.Kty == "EC" {
		curve := elliptic.P256()
		if w.Crv == "P-384" {
			curve = elliptic.P384()
		}
		x, _ := strictjson.DecodeBase64(w.X) // checked by checkShape
		y, _ := strictjson.DecodeBase64(w.Y)
		p, err := ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y))
		if err != nil {
			return nil, fmt.Errorf("%w: point isn't on the curve", ErrInvalidKey)
		}
		return p, nil
	}
	parsed, err := jwk.ParseKey(b)
	if err != nil {
		return nil, fmt.Errorf("%w: not readable as %s", ErrInvalidKey, short(w.Kty))
	}
	var raw any
	if err := parsed.Raw(&raw); err != nil {
		return nil, fmt.Errorf("%w: values of the %s key", ErrInvalidKey, short(w.Kty))
	}
	return raw, nil
}

// parseWire does the checks that need the JWK as written: jwx forgives wrong lengths, padding and much else.
func parseWire(b []byte, private bool) (wireJWK, error) {
	var w wireJWK
	if len(b) > MaxKeyBytes {
		return w, fmt.Errorf("%w: JWK above %d bytes", ErrTooLarge, MaxKeyBytes)
	}
	var members map[string]any
	if err := DecodeStrict(b, &members); err != nil {
		return w, err
	}
	if !private {
		for _, name := range secretMembers {
			if _, ok := members[name]; ok {
				return w, ErrPrivateKey
			}
		}
	}
	for name, to := range map[string]*string{"kty": &w.Kty, "crv": &w.Crv, "x": &w.X, "y": &w.Y, "n": &w.N, "e": &w.E,
		"kid": &w.Kid, "alg": &w.Alg, "use": &w.Use} {
		v, present := members[name]
		s, isString := v.(string)
		if present && !isString {
			return w, fmt.Errorf("%w: JWK member %q isn't a string", ErrMalformed, name)
		}
		*to = s
	}
	if len(w.Kid) > maxKeyID {
		return w, fmt.Errorf("%w: kid above %d bytes", ErrTooLarge, maxKeyID)
	}
	if ops, present := members["key_ops"]; present {
		list, err := stringList(ops)
		if err != nil {
			return w, fmt.Errorf("%w: key_ops", ErrMalformed)
		}
		w.KeyOps = append([]string{}, list...)
	}
	return w, w.checkShape()
}

// checkShape checks type, curve and the lengths that the specifications demand.
func (w wireJWK) checkShape() error {
	type member struct {
		value string
		size  int // exact octets, 0 for any
	}
	var members []member
	switch {
	case w.Kty == "EC" && w.Crv == "P-256":
		members = []member{{w.X, 32}, {w.Y, 32}}
	case w.Kty == "EC" && w.Crv == "P-384":
		members = []member{{w.X, 48}, {w.Y, 48}}
	case w.Kty == "OKP" && w.Crv == "Ed25519":
		members = []member{{w.X, ed25519.PublicKeySize}}
	case w.Kty == "RSA":
		members = []member{{w.N, 0}, {w.E, 0}}
	case w.Kty == "":
		return fmt.Errorf("%w: JWK without kty", ErrMalformed)
	default:
		return fmt.Errorf("%w: kty %q crv %q", ErrUnsupportedKey, short(w.Kty), short(w.Crv))
	}
	for _, m := range members {
		b, err := strictjson.DecodeBase64(m.value)
		if err != nil || len(b) == 0 || m.size != 0 && len(b) != m.size {
			return fmt.Errorf("%w: a value of the %s key has the wrong length or isn't base64url", ErrInvalidKey, w.Kty)
		}
	}
	return nil
}

// newJWK checks the values of a public key: on its curve, within the sizes, not known to be weak.
func newJWK(raw crypto.PublicKey) (JWK, error) {
	switch p := raw.(type) {
	case *ecdsa.PublicKey:
		if p.Curve != elliptic.P256() && p.Curve != elliptic.P384() {
			return JWK{}, fmt.Errorf("%w: curve", ErrUnsupportedKey)
		}
		if _, err := p.ECDH(); err != nil { // an off-curve point is the invalid curve attack
			return JWK{}, fmt.Errorf("%w: point isn't on the curve", ErrInvalidKey)
		}
	case *rsa.PublicKey:
		if err := checkRSA(p); err != nil {
			return JWK{}, err
		}
	case ed25519.PublicKey:
		if len(p) != ed25519.PublicKeySize {
			return JWK{}, fmt.Errorf("%w: length of the Ed25519 key", ErrInvalidKey)
		}
	default:
		return JWK{}, fmt.Errorf("%w: %T", ErrUnsupportedKey, raw)
	}
	thumb, err := thumbprint(raw)
	if err != nil {
		return JWK{}, err
	}
	return JWK{pub: raw, thumb: thumb}, nil
}

// FromPublic makes a JWK of a key that we already hold: *ecdsa.PublicKey, *rsa.PublicKey or ed25519.PublicKey. An empty
// kid or alg leaves that member out. Errors as ParseJWK.
func FromPublic(pub crypto.PublicKey, kid string, alg Alg) (k JWK, err error) {
	defer recovered(&err)
	k, err = newJWK(pub)
	if err != nil {
		return JWK{}, err
	}
	if alg != "" {
		if err := alg.checkKey(pub); err != nil {
			return JWK{}, err
		}
	}
	k.kid, k.alg = kid, alg
	return k, nil
}

// Public returns the key itself; nil of the zero JWK. Don't change what it points to.
func (k JWK) Public() crypto.PublicKey { return k.pub }

// KeyID returns "kid" as the key declares it, or "".
func (k JWK) KeyID() string { return k.kid }

// Alg returns the algorithm that the key declares or that its curve dictates; "" for keys that leave a choice: RSA, or for encryption.
func (k JWK) Alg() Alg {
	if k.alg != "" || k.use == useEnc {
		return k.alg
	}
	return algFor(k.pub)
}

// Use returns "use" as declared: "sig", "enc" or "".
func (k JWK) Use() string { return k.use }

// Thumbprint returns the RFC 7638 thumbprint with SHA-256 in base64url: the identity of the key whatever its "kid".
func (k JWK) Thumbprint() string { return k.thumb }

// IsZero reports whether k holds no key.
func (k JWK) IsZero() bool { return k.pub == nil }

// WithUse returns a copy that declares "use", as key sets for OpenID Connect clients should ("sig").
func (k JWK) WithUse(use string) JWK {
	k.use = use
	return k
}

// usable reports whether the key may check signatures of algorithm a.
func (k JWK) usable(a Alg) bool {
	return k.pub != nil && (k.use == "" || k.use == useSig) && (k.alg == "" || k.alg == a) && a.checkKey(k.pub) == nil
}

// MarshalJSON writes the public members only: those of the key type, and kid, alg and use when set. Foreign members of a
// parsed key are dropped, which also keeps their names from being written unescaped.
func (k JWK) MarshalJSON() ([]byte, error) {
	w, err := wireOf(k.pub)
	if err != nil {
		return nil, err
	}
	w.Kid, w.Alg = k.kid, string(k.alg)
	if k.use != useOther {
		w.Use = k.use
	}
	return json.Marshal(w)
}

// wireOf writes the members that make the key.
func wireOf(pub crypto.PublicKey) (w wireJWK, err error) {
	enc := base64.RawURLEncoding.EncodeToString
	switch p := pub.(type) {
	case *ecdsa.PublicKey:
		point, err := p.Bytes()
		if err != nil {
			return w, fmt.Errorf("%w: point isn't on the curve", ErrInvalidKey)
		}
		size := (len(point) - 1) / 2
		w.Kty, w.Crv, w.X, w.Y = "EC", p.Curve.Params().Name, enc(point[1:1+size]), enc(point[1+size:])
	case *rsa.PublicKey:
		w.Kty, w.N, w.E = "RSA", enc(p.N.Bytes()), enc(exponent(p.E))
	case ed25519.PublicKey:
		w.Kty, w.Crv, w.X = "OKP", "Ed25519", enc(p)
	default:
		return w, fmt.Errorf("%w: no key", ErrInvalidKey)
	}
	return w, nil
}

// thumbprint hashes the required members in the order of their names (RFC 7638 section 3). None of the values needs
// escaping in JSON.
func thumbprint(pub crypto.PublicKey) (string, error) {
	w, err := wireOf(pub)
	if err != nil {
		return "", err
	}
	var text string
	switch w.Kty {
	case "EC":
		text = `{"crv":"` + w.Crv + `","kty":"EC","x":"` + w.X + `","y":"` + w.Y + `"}`
	case "RSA":
		text = `{"e":"` + w.E + `","kty":"RSA","n":"` + w.N + `"}`
	default:
		text = `{"crv":"` + w.Crv + `","kty":"` + w.Kty + `","x":"` + w.X + `"}`
	}
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:]), nil
}

// UnmarshalJSON is ParseJWK, so that wire types may embed keys.
func (k *JWK) UnmarshalJSON(b []byte) error {
	parsed, err := ParseJWK(b)
	if err == nil {
		*k = parsed
	}
	return err
}

// String names the key by its thumbprint.
func (k JWK) String() string { return "jwk:" + k.thumb }
