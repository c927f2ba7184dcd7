package jose

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
)

var benchClaims = map[string]any{"iss": "https://id.example", "sub": "0a1b2c3d4e5f", "aud": "https://id.example", "exp": 1_800_000_300, "iat": 1_800_000_000, "jti": "AbCdEfGhIjKlMnOpQrStUv", "client_id": "dept-a", "scope": "openid profile"}

// BenchmarkES256 shows the cost of a token beside that of its raw signature, in one run.
func BenchmarkES256(b *testing.B) {
	k, pub := newKey(b, ES256)
	private := k.Key.(*ecdsa.PrivateKey)
	token, err := SignJSON(k, Header{Typ: "at+jwt"}, benchClaims)
	if err != nil {
		b.Fatal(err)
	}
	digest := sha256.Sum256([]byte(token))
	der, err := ecdsa.SignASN1(rand.Reader, private, digest[:])
	if err != nil {
		b.Fatal(err)
	}
	p := Policy{Typ: []string{"at+jwt"}, Algs: []Alg{ES256}}
	run := func(name string, f func() error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	run("sign/raw", func() error { _, err := ecdsa.SignASN1(rand.Reader, private, digest[:]); return err })
	run("sign/jose", func() error { _, err := SignJSON(k, Header{Typ: "at+jwt"}, benchClaims); return err })
	run("sign/jwx", func() error { _, err := jws.Sign([]byte(token[:400]), jws.WithKey(jwa.ES256, private)); return err })
	run("verify/raw", func() error {
		if !ecdsa.VerifyASN1(&private.PublicKey, digest[:], der) {
			return ErrSignature
		}
		return nil
	})
	run("verify/jose", func() error { _, err := Verify(token, p, pub); return err })
	run("verify/jose+claims", func() error {
		v, err := Verify(token, p, pub)
		if err == nil {
			_, err = v.Claims(ClaimPolicy{Issuer: "https://id.example", Audience: "https://id.example", At: time.Unix(1_800_000_000, 0), RequireJTI: true})
		}
		return err
	})
	run("verify/jwx", func() error {
		_, err := jws.Verify([]byte(token), jws.WithKey(jwa.ES256, &private.PublicKey), jws.WithCompact())
		return err
	})
	text, _ := pub.MarshalJSON()
	run("parse-jwk", func() error { _, err := ParseJWK(text); return err })
}
