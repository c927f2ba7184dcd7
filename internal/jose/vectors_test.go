package jose

import (
	"crypto/elliptic"
	"encoding/hex"
	"encoding/json"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hufu-id/hufu/internal/jose/roca"
	"github.com/hufu-id/hufu/internal/strictjson"
)

// vectors reads a Wycheproof file. The data isn't in this repository: a lone clone runs without it and says so; when the
// folder is named, a missing file is a failure.
func vectors(t *testing.T, name string, v any) {
	t.Helper()
	dir := os.Getenv("HUFU_VECTORS")
	if dir == "" {
		t.Skip("HUFU_VECTORS is not set: running without the Wycheproof vectors")
	}
	b, err := os.ReadFile(filepath.Join(dir, "wycheproof", name))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		t.Fatal(err)
	}
}

type jwsVectors struct {
	TestGroups []struct {
		Comment string
		Private json.RawMessage
		Public  json.RawMessage
		Tests   []struct {
			TcID    int
			Comment string
			JWS     json.RawMessage
			Result  string
			Flags   []string
		}
	}
}

var everyAlg = []Alg{ES256, ES384, PS256, RS256, EdDSA}

// TestWycheproofJWS: no vector is accepted wrongly. Of the valid ones those are accepted whose algorithm we have; HMAC,
// RS384, RS512, PS384, PS512 and P-521 are refused by choice.
func TestWycheproofJWS(t *testing.T) {
	for file, wantAccepted := range map[string]int{"json_web_signature_test.json": 16, "json_web_key_test.json": 1, "json_web_crypto_test.json": 2} {
		t.Run(file, func(t *testing.T) {
			var v jwsVectors
			vectors(t, file, &v)
			ran, accepted := 0, 0
			for _, g := range v.TestGroups {
				key := g.Public
				if key == nil {
					key = g.Private // symmetric: must be refused as a key
				}
				keys, keyErr := parseVectorKeys(key)
				for _, c := range g.Tests {
					if c.JWS == nil {
						continue // an encryption vector
					}
					ran++
					var compact string
					if json.Unmarshal(c.JWS, &compact) != nil {
						compact = string(c.JWS) // JSON serialization
					}
					_, err := Verify(compact, Policy{Typ: []string{"", "JWT"}, Algs: everyAlg}, keys...)
					ok := keyErr == nil && err == nil
					if ok && c.Result != "valid" {
						t.Errorf("%s %d %s: accepted", g.Comment, c.TcID, c.Comment)
					}
					if ok {
						accepted++
					} else if c.Result == "valid" && supported(compact, key) {
						t.Errorf("%s %d %s: refused: %v %v", g.Comment, c.TcID, c.Comment, keyErr, err)
					}
				}
			}
			t.Logf("%d vectors, %d accepted", ran, accepted)
			if accepted < wantAccepted {
				t.Errorf("%d of %d vectors accepted, want at least %d: the test isn't testing", accepted, ran, wantAccepted)
			}
		})
	}
}

func parseVectorKeys(b []byte) ([]JWK, error) {
	if strings.Contains(string(b), `"keys"`) {
		return ParseJWKS(b)
	}
	k, err := ParseJWK(b)
	return []JWK{k}, err
}

// supported says, without our own parser, whether a valid vector should be accepted.
func supported(compact string, key []byte) bool {
	head, _, _ := strings.Cut(compact, ".")
	b, err := strictjson.DecodeBase64(head)
	var h struct{ Alg string }
	if err != nil || json.Unmarshal(b, &h) != nil || strings.Contains(string(key), `"oct"`) {
		return false
	}
	switch h.Alg {
	case "ES256", "ES384", "PS256", "RS256", "EdDSA":
		return true
	}
	return false
}

type rawVectors struct {
	TestGroups []struct {
		PublicKey struct {
			Wx, Wy, Pk string
		}
		Tests []struct {
			TcID             int
			Comment          string
			Msg, Sig, Result string
		}
	}
}

// TestWycheproofRawSignatures (N09) runs the edge cases of r and s, and of Ed25519, through the same verify as tokens.
func TestWycheproofRawSignatures(t *testing.T) {
	for file, alg := range map[string]Alg{"ecdsa_secp256r1_sha256_p1363_test.json": ES256, "ed25519_test.json": EdDSA} {
		t.Run(file, func(t *testing.T) {
			var v rawVectors
			vectors(t, file, &v)
			ran := 0
			for _, g := range v.TestGroups {
				var jwk string
				if alg == ES256 {
					jwk = `{"kty":"EC","crv":"P-256","x":"` + coordinate(t, g.PublicKey.Wx) + `","y":"` + coordinate(t, g.PublicKey.Wy) + `"}`
				} else {
					jwk = `{"kty":"OKP","crv":"Ed25519","x":"` + strictjson.Base64.EncodeToString(unhex(t, g.PublicKey.Pk)) + `"}`
				}
				k, err := ParseJWK([]byte(jwk))
				if err != nil {
					t.Fatal(err)
				}
				for _, c := range g.Tests {
					ran++
					err := alg.Verify(k.pub, unhex(t, c.Msg), unhex(t, c.Sig))
					if (err == nil) != (c.Result == "valid") {
						t.Errorf("%d %s: %v, want %s", c.TcID, c.Comment, err, c.Result)
					}
				}
			}
			if ran < 100 {
				t.Errorf("only %d vectors", ran)
			}
		})
	}
}

func coordinate(t *testing.T, s string) string {
	n, ok := new(big.Int).SetString(s, 16)
	if !ok {
		t.Fatal(s)
	}
	return strictjson.Base64.EncodeToString(n.FillBytes(make([]byte, elliptic.P256().Params().BitSize/8)))
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestT07ROCA: the vector's modulus is also too short for us, so the fingerprint is tested by itself.
func TestT07ROCA(t *testing.T) {
	var v jwsVectors
	vectors(t, "json_web_key_test.json", &v)
	for _, g := range v.TestGroups {
		if g.Comment != "jws_rsa_roca_key" {
			continue
		}
		var set struct{ Keys []struct{ N string } }
		if err := json.Unmarshal(g.Public, &set); err != nil {
			t.Fatal(err)
		}
		n, err := strictjson.DecodeBase64(set.Keys[0].N)
		if err != nil {
			t.Fatal(err)
		}
		if !roca.Vulnerable(new(big.Int).SetBytes(n)) {
			t.Error("not recognised")
		}
		return
	}
	t.Fatal("vector not found")
}
