package jose

import (
	"encoding/json"
	"testing"

	"github.com/hufu-id/hufu/internal/strictjson"
)

func FuzzParseUnverified(f *testing.F) {
	for _, seed := range []string{rfc7515A2, rfc7515A3, rfc8037A4, "", "..", "e30.e30.AA", rfc7515A3 + "="} {
		f.Add(seed)
	}
	k, pub := newKey(f, ES256)
	public := pub.renamed("")
	for _, h := range []Header{{Typ: "JWT"}, {JWK: &public}, {X5C: [][]byte{{1}}}, {Extra: map[string]any{"x": map[string]any{"y": 1}}}} {
		token, err := Sign(k, h, []byte(`{"a":[1,{"b":"c"}]}`))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(token)
	}
	p := Policy{Typ: []string{"", "JWT"}, Algs: everyAlg, Crit: []string{"x"}}
	f.Fuzz(func(t *testing.T, token string) {
		u, err := ParseUnverified(token, p)
		if err != nil {
			return
		}
		// What is accepted has one spelling: encoding the parts again gives the token.
		if again := u.input + "." + strictjson.Base64.EncodeToString(u.signature); again != token {
			t.Errorf("%q is also %q", token, again)
		}
		if u.Header.Raw == nil || u.Header.Alg == "" {
			t.Error("accepted without header")
		}
		if _, err := u.Verify(public); err == nil && u.Header.Alg != ES256 {
			t.Error("verified by a key of another algorithm")
		}
	})
}

func FuzzParseJWK(f *testing.F) {
	for _, seed := range []string{rfc7515A2Key, rfc7515A3Key, rfc8037Key, rfc7638Key, goodEC, `{"kty":"AKP"}`, `{"kty":"oct","k":"AA"}`, ``} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := ParseJWK(b)
		if err != nil {
			if !k.IsZero() {
				t.Error("an error and a key")
			}
		} else {
			text, err := json.Marshal(k)
			if err != nil {
				t.Fatal(err)
			}
			again, err := ParseJWK(text)
			if err != nil || again.Thumbprint() != k.Thumbprint() {
				t.Errorf("%s: %v", text, err)
			}
		}
		if p, err := ParsePrivateJWK(b); err == nil {
			if _, err := p.Public(); err != nil {
				t.Errorf("a private key without public half: %v", err)
			}
		}
	})
}
