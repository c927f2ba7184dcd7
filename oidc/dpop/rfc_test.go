package dpop_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/asn1"
	"errors"
	"math/big"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc/dpop"
	"github.com/hufu-id/hufu/oidc/dpop/dpoptest"
)

// The proofs of RFC 9449 sections 4.1 (for the token endpoint) and 7.1 (for a resource), and the thumbprint of their key from section 6.1.
const (
	rfc41 = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCR" +
		"nMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIj" +
		"oiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg" +
		"4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg"
	rfc71 = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCR" +
		"nMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIj" +
		"oiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNF" +
		"c05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA"
	rfcThumbprint = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
)

func TestRFC9449Examples(t *testing.T) {
	cases := []struct {
		name, proof string
		e           dpop.Expect
	}{
		{"4.1", rfc41, dpop.Expect{Method: "POST", URL: "https://server.example.com/token", At: time.Unix(1562262616, 0)}},
		{"7.1", rfc71, dpop.Expect{Method: "GET", URL: "https://resource.example.org/protectedresource", AccessToken: token, At: time.Unix(1562262618, 0)}},
	}
	for _, c := range cases {
		p, err := dpop.Verify([]string{c.proof}, c.e)
		if err != nil || p.Thumbprint() != rfcThumbprint {
			t.Errorf("section %s: %v, key %s", c.name, err, p.Thumbprint())
		}
		c.e.Method = "PUT"
		if _, err := dpop.Verify([]string{c.proof}, c.e); !errors.Is(err, dpop.ErrProof) {
			t.Errorf("section %s with another method: %v", c.name, err)
		}
	}
}

func FuzzVerify(f *testing.F) {
	key, _ := dpoptest.NewKey(f)
	f.Add(rfc41, "https://server.example.com/token")
	f.Add(rfc71, "https://resource.example.org/protectedresource")
	f.Add(dpoptest.Proof(f, key, "POST", "https://a.example:443/%7e/../%2f?q", "", at), "https://a.example/%2F")
	f.Add("..", "http://[::1]:80")
	f.Add("e30.e30.AA", "//")
	f.Fuzz(func(t *testing.T, proof, url string) {
		for _, now := range []time.Time{at, time.Unix(1562262617, 0)} {
			p, err := dpop.Verify([]string{proof}, dpop.Expect{Method: "POST", URL: url, At: now})
			switch {
			case err == nil && (p.Thumbprint() == "" || p.JTI() == "" || p.Expires().Before(now)):
				t.Errorf("accepted as %+v", p)
			case err != nil && !errors.Is(err, dpop.ErrProof):
				t.Errorf("unexpected error %v", err)
			}
		}
	})
}

// signature signs as jose does, for headers that jose would not write.
func signature(t testing.TB, key jose.SigningKey, input string) []byte {
	t.Helper()
	sum := sha256.Sum256([]byte(input))
	digest, opts := sum[:], crypto.SignerOpts(crypto.SHA256)
	switch key.Alg {
	case jose.EdDSA:
		digest, opts = []byte(input), crypto.Hash(0)
	case jose.PS256:
		opts = &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}
	case jose.ES384:
		long := sha512.Sum384([]byte(input))
		digest, opts = long[:], crypto.SHA384
	}
	sig, err := key.Key.Sign(rand.Reader, digest, opts)
	if err != nil {
		t.Fatal(err)
	}
	if size := map[jose.Alg]int{jose.ES256: 32, jose.ES384: 48}[key.Alg]; size != 0 {
		var rs struct{ R, S *big.Int }
		if _, err := asn1.Unmarshal(sig, &rs); err != nil {
			t.Fatal(err)
		}
		sig = append(rs.R.FillBytes(make([]byte, size)), rs.S.FillBytes(make([]byte, size))...)
	}
	return sig
}
