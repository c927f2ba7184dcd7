package jose

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha256" // ES256, PS256, RS256
	_ "crypto/sha512" // ES384
	"fmt"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Alg is a JWS algorithm (RFC 7518 section 3.1, RFC 8037). Only the named constants are supported; "none" and HMAC never.
type Alg string

// The algorithms of Hufu. ES256 is the default of everything we sign.
const (
	ES256 Alg = "ES256" // ECDSA on P-256 with SHA-256
	ES384 Alg = "ES384" // ECDSA on P-384 with SHA-384
	PS256 Alg = "PS256" // RSASSA-PSS with SHA-256, salt as long as the hash
	RS256 Alg = "RS256" // RSASSA-PKCS1-v1_5 with SHA-256, because OpenID Connect clients expect it
	EdDSA Alg = "EdDSA" // Ed25519 only
)

// UnmarshalText reads an algorithm in a registration or configuration, by either name. Whether it is one of ours is for the reader to check.
func (a *Alg) UnmarshalText(text []byte) error {
	*a = algNamed(string(text))
	return nil
}

// algNamed reads the name of an algorithm. RFC 9864 calls EdDSA with a key on Ed25519 by the curve, and libraries send one name or the other.
func algNamed(name string) Alg {
	if name == "Ed25519" {
		return EdDSA
	}
	return Alg(name)
}

// hash returns the hash of the algorithm; 0 for EdDSA, which hashes by itself.
func (a Alg) hash() crypto.Hash {
	switch a {
	case ES256, PS256, RS256:
		return crypto.SHA256
	case ES384:
		return crypto.SHA384
	}
	return 0
}

// checkKey refuses a key that doesn't belong to the algorithm. The curve is part of that: libraries happily sign ES256
// with a P-384 key.
func (a Alg) checkKey(pub crypto.PublicKey) error {
	ok := false
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		ok = a == ES256 && k.Curve == elliptic.P256() || a == ES384 && k.Curve == elliptic.P384()
	case *rsa.PublicKey:
		ok = a == PS256 || a == RS256
	case ed25519.PublicKey:
		ok = a == EdDSA
	}
	if !ok {
		return fmt.Errorf("%w: %q with a %T", ErrAlgorithm, short(string(a)), pub)
	}
	return nil
}

// algFor is the one algorithm of a key whose type leaves no choice, else "".
func algFor(pub crypto.PublicKey) Alg {
	for _, a := range []Alg{ES256, ES384, EdDSA} {
		if a.checkKey(pub) == nil {
			return a
		}
	}
	return ""
}

// Sign makes the raw signature of input (RFC 7518 section 3), which is that of COSE too (RFC 9053 section 2).
func (a Alg) Sign(key crypto.Signer, input []byte) ([]byte, error) {
	if err := a.checkKey(key.Public()); err != nil {
		return nil, err
	}
	if a == EdDSA {
		return key.Sign(rand.Reader, input, crypto.Hash(0))
	}
	h := a.hash().New()
	h.Write(input)
	digest := h.Sum(nil)
	var opts crypto.SignerOpts = a.hash()
	if a == PS256 {
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
	}
	sig, err := key.Sign(rand.Reader, digest, opts)
	if err != nil {
		return nil, fmt.Errorf("jose: sign: %w", err)
	}
	if size := a.coordinateSize(); size != 0 {
		return rawECDSA(sig, size)
	}
	return sig, nil
}

// coordinateSize is the length of r and of s in octets, 0 for algorithms other than ECDSA.
func (a Alg) coordinateSize() int {
	switch a {
	case ES256:
		return 32
	case ES384:
		return 48
	}
	return 0
}

// rawECDSA turns the ASN.1 signature that crypto.Signer returns into r || s (RFC 7518 section 3.4).
func rawECDSA(der []byte, size int) ([]byte, error) {
	var r, s []byte
	in, seq := cryptobyte.String(der), cryptobyte.String(nil)
	if !in.ReadASN1(&seq, asn1.SEQUENCE) || !in.Empty() || !seq.ReadASN1Integer(&r) || !seq.ReadASN1Integer(&s) ||
		!seq.Empty() || len(r) > size || len(s) > size {
		return nil, fmt.Errorf("jose: sign: the key returned no ECDSA signature")
	}
	raw := make([]byte, 2*size)
	copy(raw[size-len(r):size], r)
	copy(raw[2*size-len(s):], s)
	return raw, nil
}

// Verify checks a raw signature of input. Any failure is ErrSignature or, when the key doesn't fit, ErrAlgorithm.
func (a Alg) Verify(pub crypto.PublicKey, input, sig []byte) error {
	if err := a.checkKey(pub); err != nil {
		return err
	}
	var digest []byte
	if a != EdDSA {
		h := a.hash().New()
		h.Write(input)
		digest = h.Sum(nil)
	}
	ok := false
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		if size := a.coordinateSize(); len(sig) == 2*size {
			ok = ecdsa.Verify(k, digest, new(big.Int).SetBytes(sig[:size]), new(big.Int).SetBytes(sig[size:]))
		}
	case *rsa.PublicKey:
		if a == RS256 {
			ok = rsa.VerifyPKCS1v15(k, crypto.SHA256, digest, sig) == nil
		} else {
			ok = rsa.VerifyPSS(k, crypto.SHA256, digest, sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
	case ed25519.PublicKey:
		ok = len(k) == ed25519.PublicKeySize && ed25519.Verify(k, input, sig)
	}
	if !ok {
		return ErrSignature
	}
	return nil
}

// short keeps foreign text in errors short and printable.
func short(s string) string {
	if len(s) > 32 {
		s = s[:32]
	}
	return s
}
