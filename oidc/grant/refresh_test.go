package grant

import (
	"bytes"
	"encoding/base64"
	"math"
	"strings"
	"testing"
)

func TestRefreshTokensAreOnlyOurs(t *testing.T) {
	secret := bytes.Repeat([]byte{1}, 32)
	r := NewRefreshTokens(secret, "https://id.example")
	for _, generation := range []int64{0, 1, math.MaxInt64} {
		if id, n, err := r.Parse(r.Make("AAAAAAAAAAAAAAAAAAAAAA", generation)); err != nil || id != "AAAAAAAAAAAAAAAAAAAAAA" || n != generation {
			t.Errorf("%d: %q %d %v", generation, id, n, err)
		}
	}
	good := r.Make("AAAAAAAAAAAAAAAAAAAAAA", 3)
	raw, _ := base64.RawURLEncoding.DecodeString(good)
	flipped := func(i int) string {
		b := bytes.Clone(raw)
		b[i] ^= 1
		return base64.RawURLEncoding.EncodeToString(b)
	}
	for name, token := range map[string]string{
		"empty": "", "another issuer": NewRefreshTokens(secret, "https://other.example").Make("AAAAAAAAAAAAAAAAAAAAAA", 3),
		"another secret":     NewRefreshTokens(bytes.Repeat([]byte{2}, 32), "https://id.example").Make("AAAAAAAAAAAAAAAAAAAAAA", 3),
		"another generation": flipped(39), "another grant": flipped(41), "another hash": flipped(0), "cut": good[:len(good)-4], "longer": good + "AAAA",
		"only a hash": base64.RawURLEncoding.EncodeToString(raw[:32]), "padded": good + "=", "line feed inside": good[:10] + "\n" + good[10:], "huge": strings.Repeat("A", 1<<20),
		"negative generation": r.Make("AAAAAAAAAAAAAAAAAAAAAA", -1),
	} {
		if _, _, err := r.Parse(token); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

func FuzzRefreshToken(f *testing.F) {
	r := NewRefreshTokens(bytes.Repeat([]byte{1}, 32), "https://id.example")
	for _, token := range []string{r.Make("AAAAAAAAAAAAAAAAAAAAAA", 0), r.Make("x", 7), "", "e30", "eyJ0eXAiOiJhdCtqd3QifQ.e30.AA"} {
		f.Add(token)
	}
	f.Fuzz(func(t *testing.T, token string) {
		id, n, err := r.Parse(token)
		if err == nil && r.Make(id, n) != token {
			t.Errorf("%q is a second spelling of the token of %q, %d", token, id, n)
		}
	})
}
