package jose

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
)

// Key management algorithms (RFC 7518 section 4); package jwe encrypts by them.
const (
	ECDHES     = "ECDH-ES"      // direct key agreement on P-256 or P-384
	RSAOAEP256 = "RSA-OAEP-256" // RSA of 2048 to 4096 bits; RSA1_5 and RSA-OAEP with SHA-1 never
)

// EncryptionAlg returns the one key management algorithm that the key may be used with, "" for a key that is not for encryption: by "use" or
// "key_ops" it signs, its "alg" is another, or its type has none.
func (k JWK) EncryptionAlg() string {
	alg := ""
	switch p := k.pub.(type) {
	case *ecdsa.PublicKey:
		if p.Curve == elliptic.P256() || p.Curve == elliptic.P384() {
			alg = ECDHES
		}
	case *rsa.PublicKey:
		alg = RSAOAEP256
	}
	if k.use != "" && k.use != useEnc || k.alg != "" && string(k.alg) != alg {
		return ""
	}
	return alg
}
