// Package jwe encrypts what we answer to clients and wallets (RFC 7516), and decrypts what wallets send: credential requests, and in a wallet the
// answers to them. What it decrypts is one form only: compact, ECDH-ES on P-256 without key wrapping, AES-GCM. That is done by the standard library
// alone: jwx accepts more than we offer, and panics at some of it.
//
// The package is pure. All its functions are safe for concurrent use.
package jwe

import (
	"errors"
	"fmt"
	"slices"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jwe"

	"github.com/hufu-id/hufu/internal/jose"
)

// Content encryption algorithms (RFC 7518 section 5). A128CBC-HS256 is the default of OpenID Connect registrations.
const (
	A128GCM      = "A128GCM"
	A256GCM      = "A256GCM"
	A128CBCHS256 = "A128CBC-HS256"
)

// Algs lists the key management algorithms of Encrypt, for metadata and registrations.
func Algs() []string { return []string{jose.ECDHES, jose.RSAOAEP256} }

// Encs lists the content encryption algorithms of Encrypt, for metadata and registrations.
func Encs() []string { return []string{A128GCM, A256GCM, A128CBCHS256} }

// Header is what the caller adds to the protected header; "alg", "enc", "kid" and "epk" come from the key.
type Header struct {
	Typ string
	Cty string // "JWT" when the payload is a signed token (RFC 7519 section 5.2)
}

// KeyOf picks the key of a client's set to encrypt with by alg: the first that says "use":"enc", else the first that does not say.
// jose.ErrNoKey when there is none.
func KeyOf(set []jose.JWK, alg string) (jose.JWK, error) {
	for _, use := range []string{"enc", ""} {
		if i := slices.IndexFunc(set, func(k jose.JWK) bool { return alg != "" && k.Use() == use && k.EncryptionAlg() == alg }); i >= 0 {
			return set[i], nil
		}
	}
	return jose.JWK{}, fmt.Errorf("%w: none for encryption by %q", jose.ErrNoKey, alg)
}

// Encrypt makes a compact JWE of payload for the holder of key. Key management follows from the key (jose.JWK.EncryptionAlg); enc is one of
// Encs. Nothing is compressed: the length of a compressed text tells of its content. Errors: jose.ErrAlgorithm.
func Encrypt(key jose.JWK, enc string, h Header, payload []byte) (token string, err error) {
	defer func() { // jwx v2 has panicked before
		if r := recover(); r != nil {
			err = errors.New("jwe: encrypt: library failure")
		}
	}()
	alg := key.EncryptionAlg()
	if alg == "" {
		return "", fmt.Errorf("%w: the key is not for encryption", jose.ErrAlgorithm)
	}
	if !slices.Contains(Encs(), enc) {
		return "", fmt.Errorf("%w: %q", jose.ErrAlgorithm, enc)
	}
	header := jwe.NewHeaders()
	for name, value := range map[string]string{jwe.KeyIDKey: key.KeyID(), jwe.TypeKey: h.Typ, jwe.ContentTypeKey: h.Cty} {
		if value == "" {
			continue
		}
		if err := header.Set(name, value); err != nil {
			return "", fmt.Errorf("%w: %s", jose.ErrHeader, name)
		}
	}
	out, err := jwe.Encrypt(payload, jwe.WithKey(jwa.KeyEncryptionAlgorithm(alg), key.Public()),
		jwe.WithContentEncryption(jwa.ContentEncryptionAlgorithm(enc)), jwe.WithCompress(jwa.NoCompress), jwe.WithProtectedHeaders(header))
	if err != nil {
		return "", fmt.Errorf("jwe: encrypt: %w", err)
	}
	return string(out), nil
}
