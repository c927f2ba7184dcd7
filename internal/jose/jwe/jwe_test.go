package jwe

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	gojose "github.com/go-jose/go-jose/v4"

	"github.com/hufu-id/hufu/internal/jose"
)

// encryptionKey is a client's pair, its public half as it would register it.
func encryptionKey(t testing.TB, kty, members string) (crypto.PrivateKey, jose.JWK) {
	t.Helper()
	var private crypto.Signer
	var err error
	switch kty {
	case "P-256":
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "P-384":
		private, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "RSA":
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		t.Fatal(err)
	}
	plain, err := jose.FromPublic(private.Public(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	text, err := plain.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	k, err := jose.ParseJWK([]byte("{" + members + "," + string(text[1:])))
	if err != nil {
		t.Fatal(err)
	}
	return private, k
}

// go-jose is the judge: what we encrypt, a client with another library reads.
func TestEncryptedForAClientOfAnotherLibrary(t *testing.T) {
	for _, kty := range []string{"P-256", "P-384", "RSA"} {
		private, pub := encryptionKey(t, kty, `"use":"enc","kid":"e1"`)
		alg := jose.ECDHES
		if kty == "RSA" {
			alg = jose.RSAOAEP256
		}
		for _, enc := range Encs() {
			t.Run(kty+"/"+enc, func(t *testing.T) {
				token, err := Encrypt(pub, enc, Header{Typ: "JWT", Cty: "JWT"}, []byte("a.b.c"))
				if err != nil {
					t.Fatal(err)
				}
				parsed, err := gojose.ParseEncryptedCompact(token, []gojose.KeyAlgorithm{gojose.KeyAlgorithm(alg)}, []gojose.ContentEncryption{gojose.ContentEncryption(enc)})
				if err != nil {
					t.Fatal(err)
				}
				payload, err := parsed.Decrypt(private)
				if err != nil || string(payload) != "a.b.c" {
					t.Fatalf("%q, %v", payload, err)
				}
				h := parsed.Header
				if h.KeyID != "e1" || h.ExtraHeaders["typ"] != "JWT" || h.ExtraHeaders["cty"] != "JWT" || h.ExtraHeaders["zip"] != nil {
					t.Errorf("header: %+v", h)
				}
				other, _ := encryptionKey(t, kty, `"use":"enc"`)
				if _, err := parsed.Decrypt(other); err == nil {
					t.Error("another key reads it")
				}
				again, err := Encrypt(pub, enc, Header{}, []byte("a.b.c"))
				if err != nil || again == token || strings.Split(again, ".")[2] == strings.Split(token, ".")[2] {
					t.Errorf("not made afresh: %v", err)
				}
			})
		}
	}
}

// A key does one thing. Each refused key differs from the accepted one above it in one member.
func TestKeysForSignaturesDoNotEncrypt(t *testing.T) {
	for _, c := range []struct {
		name, kty, members string
		enc, sig           bool
	}{
		{"says nothing", "P-256", `"kid":"k"`, true, true},
		{"use enc", "P-256", `"use":"enc"`, true, false},
		{"use sig", "P-256", `"use":"sig"`, false, true},
		{"use of another kind", "P-256", `"use":"tls"`, false, false},
		{"alg ECDH-ES", "P-256", `"alg":"ECDH-ES"`, true, false},
		{"alg jose.ES256", "P-256", `"alg":"ES256"`, false, true},
		{"alg ECDH-ES+A128KW", "P-256", `"alg":"ECDH-ES+A128KW"`, false, false},
		{"alg RSA-OAEP-256 with an EC key", "P-256", `"alg":"RSA-OAEP-256"`, false, false},
		{"use enc alg jose.ES256", "P-256", `"use":"enc","alg":"ES256"`, false, false},
		{"use sig alg ECDH-ES", "P-256", `"use":"sig","alg":"ECDH-ES"`, false, false},
		{"key_ops deriveKey", "P-256", `"key_ops":["deriveKey"]`, true, false},
		{"key_ops verify", "P-256", `"key_ops":["verify"]`, false, true},
		{"key_ops deriveKey use sig", "P-256", `"use":"sig","key_ops":["deriveKey"]`, false, false},
		{"key_ops verify use enc", "P-256", `"use":"enc","key_ops":["verify"]`, false, false},
		{"key_ops empty", "P-256", `"key_ops":[]`, false, false},
		{"RSA use enc", "RSA", `"use":"enc"`, true, false},
		{"RSA alg RSA-OAEP-256", "RSA", `"alg":"RSA-OAEP-256"`, true, false},
		{"RSA alg RSA-OAEP", "RSA", `"alg":"RSA-OAEP"`, false, false},
		{"RSA alg RSA1_5", "RSA", `"alg":"RSA1_5"`, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			private, pub := encryptionKey(t, c.kty, c.members)
			if _, err := Encrypt(pub, A256GCM, Header{}, []byte("x")); c.enc != (err == nil) || err != nil && !errors.Is(err, jose.ErrAlgorithm) {
				t.Errorf("encrypt: %v", err)
			}
			alg := jose.ES256
			if c.kty == "RSA" {
				alg = jose.PS256
			}
			signer := jose.SigningKey{ID: pub.KeyID(), Alg: alg, Key: private.(crypto.Signer)}
			token, err := jose.Sign(signer, jose.Header{}, []byte("x"))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := jose.Verify(token, jose.Policy{Typ: []string{""}, Algs: []jose.Alg{alg}}, pub); c.sig != (err == nil) {
				t.Errorf("verify: %v", err)
			}
			b, err := json.Marshal(pub)
			if err != nil {
				t.Fatal(err)
			}
			if again, err := jose.ParseJWK(b); err != nil || c.enc && again.EncryptionAlg() != pub.EncryptionAlg() {
				t.Errorf("written and read again: %q, %v", again.EncryptionAlg(), err)
			}
		})
	}
}

func TestEncryptRefusesWhatItDoesNotKnow(t *testing.T) {
	_, ec := encryptionKey(t, "P-256", `"use":"enc"`)
	signer, err := jose.GenerateKey(jose.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	ed, err := signer.Public()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		key jose.JWK
		enc string
		ok  bool
	}{
		"good":           {ec, A128GCM, true},
		"no enc":         {ec, "", false},
		"unknown enc":    {ec, "A192GCM", false},
		"enc like one":   {ec, "a128gcm", false},
		"no key":         {jose.JWK{}, A128GCM, false},
		"an Ed25519 key": {ed, A128GCM, false},
	} {
		if _, err := Encrypt(c.key, c.enc, Header{}, nil); c.ok != (err == nil) || err != nil && !errors.Is(err, jose.ErrAlgorithm) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestEncryptionKeyOfASet(t *testing.T) {
	_, sig := encryptionKey(t, "P-256", `"use":"sig","kid":"sig"`)
	_, plain := encryptionKey(t, "P-256", `"kid":"plain"`)
	_, enc := encryptionKey(t, "P-384", `"use":"enc","kid":"enc"`)
	_, oaep := encryptionKey(t, "RSA", `"use":"enc","kid":"rsa"`)
	for name, c := range map[string]struct {
		set  []jose.JWK
		alg  string
		want string
	}{
		"the one that says so": {[]jose.JWK{sig, plain, enc, oaep}, jose.ECDHES, "enc"},
		"one that may":         {[]jose.JWK{sig, plain, oaep}, jose.ECDHES, "plain"},
		"by algorithm":         {[]jose.JWK{sig, plain, enc, oaep}, jose.RSAOAEP256, "rsa"},
		"only for signatures":  {[]jose.JWK{sig}, jose.ECDHES, ""},
		"another type":         {[]jose.JWK{oaep}, jose.ECDHES, ""},
		"no algorithm":         {[]jose.JWK{sig, enc}, "", ""},
		"empty":                {nil, jose.ECDHES, ""},
	} {
		got, err := KeyOf(c.set, c.alg)
		if got.KeyID() != c.want || (err == nil) != (c.want != "") || err != nil && !errors.Is(err, jose.ErrNoKey) {
			t.Errorf("%s: %q, %v", name, got.KeyID(), err)
		}
	}
	text, err := jose.MarshalJWKS([]jose.JWK{sig, enc, oaep})
	if err != nil {
		t.Fatal(err)
	}
	set, err := jose.ParseJWKS(text)
	if err != nil || len(set) != 3 || set[1].Use() != "enc" || set[1].Alg() != "" {
		t.Errorf("a set with keys for encryption: %v, %v", set, err)
	}
}
