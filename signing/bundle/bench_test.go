package bundle

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// BenchmarkVerify is opening a bundle: the sample one, and one of a thousand authorities and 23 MB of status lists.
func BenchmarkVerify(b *testing.B) {
	big, keys := sampleInput(), newKeys(b)
	for i := range 1000 {
		code := fmt.Sprintf("CODE%014d", i)
		big.Issuers = append(big.Issuers, Issuer{ID: "https://id.example/i/" + code, Code: code})
		keys.Issuers[code] = keys.Targets
	}
	for i := range 230 {
		big.StatusLists[fmt.Sprintf("https://id.example/status/%d", i)] = strings.Repeat("x", 100_000)
	}
	for name, in := range map[string]Input{"sample": sampleInput(), "national": big} {
		files, err := Build(nil, in, keys, Options{At: t0})
		if err != nil {
			b.Fatal(err)
		}
		root, archive := rootOf(b, files), pack(b, files)
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(archive)))
			for b.Loop() {
				if _, err := Verify(root, archive, t0); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+"/rebuild", func(b *testing.B) {
			for b.Loop() {
				if _, err := Build(files, in, keys, Options{At: t0.Add(time.Minute)}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
