package verify

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"testing"

	"github.com/hufu-id/hufu/signing/sdjwt"
)

// twelve is a credential with twelve selectively disclosable claims, all shown.
func twelve(w *world) string {
	return w.issue(func(b *sdjwt.Template) {
		for i := len(b.Selective); i < 12; i++ {
			name := fmt.Sprintf("claim_%d", i)
			b.Claims[name] = "a value of ordinary length"
			b.Selective = append(b.Selective, sdjwt.P(name))
		}
	})
}

// The measure of settled.md: SD-JWT VC with 12 claims, no key binding, chain and status list cached; with key binding as a
// second line; the raw signature check beside them.
func BenchmarkOfflineVerify(b *testing.B) {
	w := newWorld(b)
	plain := twelve(w)
	bound := w.bind(plain, nonce, audience, now)
	v := New(w.contents, Policy{})
	digest := sha256.Sum256([]byte("x"))
	sig, err := ecdsa.SignASN1(rand.Reader, w.issuer.key, digest[:])
	must(b, err)
	b.Run("RawES256Verify", func(b *testing.B) {
		for b.Loop() {
			if !ecdsa.VerifyASN1(&w.issuer.key.PublicKey, digest[:], sig) {
				b.Fatal("wrong")
			}
		}
	})
	for name, c := range map[string]struct {
		text string
		c    Challenge
	}{"SDJWT12": {plain, Challenge{HolderAny: true}}, "SDJWT12KeyBinding": {bound, challenge}} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got := v.Verify(c.text, c.c, now); got.Outcome() != Valid {
					b.Fatal(got.Reason())
				}
			}
		})
	}
	b.Run("SDJWT12Uncached", func(b *testing.B) {
		for b.Loop() {
			if got := Verify(plain, w.contents, Challenge{HolderAny: true}, now, Policy{}); got.Outcome() != Valid {
				b.Fatal(got.Reason())
			}
		}
	})
}
