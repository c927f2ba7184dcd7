package issuer_test

import (
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
)

// proofParts are what a key proof is made of; a test changes one.
type proofParts struct {
	key    jose.SigningKey
	signer *jose.SigningKey // another key than the one in the header
	header map[string]any
	claims map[string]any
	raw    func(compact string) string
}

func (w *world) proof(change func(*proofParts)) string {
	w.t.Helper()
	key, err := jose.GenerateKey(jose.ES256)
	must(w.t, err)
	return w.proofWith(key, change)
}

func (w *world) proofWith(key jose.SigningKey, change func(*proofParts)) string {
	w.t.Helper()
	p := &proofParts{key: key, header: map[string]any{"alg": string(key.Alg), "typ": "openid4vci-proof+jwt", "jwk": publicMap(w.t, key)},
		claims: map[string]any{"aud": w.issuer.Identifier(traffic), "iat": w.Now().Unix(), "nonce": w.nonce(), "iss": "wallet"}}
	if change != nil {
		change(p)
	}
	signer := p.key
	if p.signer != nil {
		signer = *p.signer
	}
	compact := encode(w.t, signer, p.header, p.claims)
	if p.raw != nil {
		compact = p.raw(compact)
	}
	return compact
}

// encode makes a JWS with any header, also one that internal/jose would refuse to make.
func encode(t testing.TB, key jose.SigningKey, header, claims any) string {
	t.Helper()
	h, err := json.Marshal(header)
	must(t, err)
	c, err := json.Marshal(claims)
	must(t, err)
	return signRaw(t, key, base64.RawURLEncoding.EncodeToString(h)+"."+base64.RawURLEncoding.EncodeToString(c))
}

func publicMap(t testing.TB, key jose.SigningKey) map[string]any {
	t.Helper()
	pub, err := key.Public()
	must(t, err)
	pub, err = jose.FromPublic(pub.Public(), "", "")
	must(t, err)
	b, err := json.Marshal(pub)
	must(t, err)
	var m map[string]any
	must(t, json.Unmarshal(b, &m))
	return m
}

func (w *world) request(bearer, body string) answer {
	w.t.Helper()
	return w.send("POST", "/i/"+traffic+"/credential", "application/json", body, "Authorization", "Bearer "+bearer)
}

func credentialBody(proofs ...string) string {
	list, _ := json.Marshal(proofs)
	return `{"credential_configuration_id":"driving-licence","proofs":{"jwt":` + string(list) + `}}`
}

func TestKeyProof(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, c := range proofCases(w) {
			t.Run(c.name, func(t *testing.T) {
				proof := w.proof(c.change)
				before := w.count("issuer_issuances") + w.count("status_entries")
				began := time.Now()
				a := w.request(w.personToken("loa3"), credentialBody(proof))
				took := time.Since(began)
				if c.want == "" {
					if a.status != 200 {
						t.Fatalf("%d %s", a.status, a.body)
					}
					return
				}
				if a.status != 400 || a.code() != c.want {
					t.Errorf("%d %s, not %s", a.status, a.body, c.want)
				}
				if a.header.Get("Cache-Control") != "no-store" {
					t.Error("an error may be cached")
				}
				if n := w.count("issuer_issuances") + w.count("status_entries"); n != before {
					t.Errorf("%d rows were written", n-before)
				}
				if took > time.Second {
					t.Errorf("refused after %s", took)
				}
			})
		}
	})
}

type proofCase struct {
	name   string
	change func(*proofParts)
	want   string // error code, "" for a credential
}

func proofCases(w *world) []proofCase {
	header := func(name string, v any) func(*proofParts) { return func(p *proofParts) { p.header[name] = v } }
	claim := func(name string, v any) func(*proofParts) { return func(p *proofParts) { p.claims[name] = v } }
	other, err := jose.GenerateKey(jose.ES256)
	must(w.t, err)
	return []proofCase{
		{"P03 all right", nil, ""},
		{"P03 without iss", func(p *proofParts) { delete(p.claims, "iss") }, ""},
		{"P03 EdDSA", func(p *proofParts) {
			key, err := jose.GenerateKey(jose.EdDSA)
			must(w.t, err)
			p.key, p.header["alg"], p.header["jwk"] = key, "EdDSA", publicMap(w.t, key)
		}, ""},
		{"P03 unknown header member", header("x", 1), ""},
		{"P03 alg none", func(p *proofParts) {
			p.header["alg"] = "none"
			p.raw = func(s string) string { return s[:strings.LastIndexByte(s, '.')+1] }
		}, "invalid_proof"},
		{"P03 alg HS256", header("alg", "HS256"), "invalid_proof"},
		{"P03 alg ES384", header("alg", "ES384"), "invalid_proof"},
		{"P03 typ other", header("typ", "JWT"), "invalid_proof"},
		{"P03 typ missing", func(p *proofParts) { delete(p.header, "typ") }, "invalid_proof"},
		{"N01 a key binding JWT is no key proof", header("typ", "kb+jwt"), "invalid_proof"},
		{"P03 aud other", claim("aud", "https://other.test"), "invalid_proof"},
		{"P03 aud the endpoint", claim("aud", w.issuer.Identifier(traffic)+"/credential"), "invalid_proof"},
		{"P03 aud of another authority", claim("aud", w.issuer.Identifier(market)), "invalid_proof"},
		{"P03 aud array", claim("aud", []string{w.issuer.Identifier(traffic)}), "invalid_proof"},
		{"P03 aud missing", func(p *proofParts) { delete(p.claims, "aud") }, "invalid_proof"},
		{"P03 nonce missing", func(p *proofParts) { delete(p.claims, "nonce") }, "invalid_proof"},
		{"P03 nonce a number", claim("nonce", 5), "invalid_proof"},
		{"P03 nonce unknown", claim("nonce", strings.Repeat("A", 64)), "invalid_nonce"},
		{"P03 nonce empty", claim("nonce", ""), "invalid_nonce"},
		{"P03 nonce altered", func(p *proofParts) { p.claims["nonce"] = flip(p.claims["nonce"].(string)) }, "invalid_nonce"},
		{"N08 nonce with a line break", func(p *proofParts) { p.claims["nonce"] = p.claims["nonce"].(string) + "\n" }, "invalid_nonce"},
		{"N08 nonce padded", func(p *proofParts) { p.claims["nonce"] = p.claims["nonce"].(string) + "=" }, "invalid_nonce"},
		{"P03 nonce of another issuer", func(p *proofParts) {
			var n struct {
				Nonce string `json:"c_nonce"`
			}
			must(w.t, json.Unmarshal(w.send("POST", "/i/"+market+"/nonce", "", "").body, &n))
			p.claims["nonce"] = n.Nonce
		}, "invalid_nonce"},
		{"P03 iat 10 minutes ago", claim("iat", w.Now().Add(-10*time.Minute).Unix()), "invalid_proof"},
		{"P03 iat 4 minutes ago", claim("iat", w.Now().Add(-4*time.Minute).Unix()), ""},
		{"P03 iat in 10 years", claim("iat", w.Now().AddDate(10, 0, 0).Unix()), "invalid_proof"},
		{"N05 iat missing", func(p *proofParts) { delete(p.claims, "iat") }, "invalid_proof"},
		{"N05 iat a string", claim("iat", fmt.Sprint(w.Now().Unix())), "invalid_proof"},
		{"N05 iat a fraction", claim("iat", float64(w.Now().Unix())+0.5), "invalid_proof"},
		{"N05 exp past", claim("exp", w.Now().Add(-2*time.Minute).Unix()), "invalid_proof"},
		{"N05 exp to come", claim("exp", w.Now().Add(2*time.Minute).Unix()), ""},
		{"N05 nbf to come", claim("nbf", w.Now().Add(time.Hour).Unix()), "invalid_proof"},
		{"P03 iss of another client", claim("iss", "other"), "invalid_proof"},
		{"P03 jwk and kid", header("kid", "k1"), "invalid_proof"},
		{"P03 jwk and x5c", header("x5c", []string{"MIIB"}), "invalid_proof"},
		{"P03 kid only", func(p *proofParts) { delete(p.header, "jwk"); p.header["kid"] = "did:jwk:x" }, "invalid_proof"},
		{"P03 no key", func(p *proofParts) { delete(p.header, "jwk") }, "invalid_proof"},
		{"P03 signed by another key", func(p *proofParts) { p.signer = &other }, "invalid_proof"},
		{"N03 unknown crit", func(p *proofParts) { p.header["crit"], p.header["x"] = []string{"x"}, 1 }, "invalid_proof"},
		{"N03 empty crit", header("crit", []string{}), "invalid_proof"},
		{"N03 b64 false", header("b64", false), "invalid_proof"},
		{"N10 private key in the header", func(p *proofParts) {
			b, err := jose.MarshalPrivateJWK(p.key)
			must(w.t, err)
			var m map[string]any
			must(w.t, json.Unmarshal(b, &m))
			p.header["jwk"] = m
		}, "invalid_proof"},
		{"P03 symmetric key", header("jwk", map[string]any{"kty": "oct", "k": "AAAA"}), "invalid_proof"},
		{"W06 RSA key of 64k bits", func(p *proofParts) {
			p.header["jwk"] = map[string]any{"kty": "RSA", "n": base64.RawURLEncoding.EncodeToString(bigBytes(8192 - 2048)), "e": "AQAB"}
		}, "invalid_proof"},
		{"P03 off the curve", func(p *proofParts) {
			jwk := p.header["jwk"].(map[string]any)
			x := elliptic.P256().Params().Gx.FillBytes(make([]byte, 32))
			jwk["x"] = base64.RawURLEncoding.EncodeToString(x)
		}, "invalid_proof"},
		{"N04 member twice in the payload", func(p *proofParts) {
			p.raw = func(string) string {
				h, _ := json.Marshal(p.header)
				c, _ := json.Marshal(p.claims)
				c = append([]byte(`{"aud":"https://other.test",`), c[1:]...)
				return signRaw(w.t, p.key, base64.RawURLEncoding.EncodeToString(h)+"."+base64.RawURLEncoding.EncodeToString(c))
			}
		}, "invalid_proof"},
		{"N08 trailing bits", func(p *proofParts) { p.raw = func(s string) string { return s + "=" } }, "invalid_proof"},
		{"W06 a proof of 20 kB", claim("x", strings.Repeat("x", 20000)), "invalid_proof"},
	}
}

func bigBytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = 0xff
	}
	return b
}

func flip(s string) string {
	if s[20] == 'A' {
		return s[:20] + "B" + s[21:]
	}
	return s[:20] + "A" + s[21:]
}

func TestNonceExpiresAndIsUsedOnce(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		t.Run("P05 the endpoint writes nothing and is not cached", func(t *testing.T) {
			before := w.count("claims") + w.count("audit_events")
			seen := map[string]bool{}
			for range 200 {
				seen[w.nonce()] = true
			}
			if len(seen) != 200 || w.count("claims")+w.count("audit_events") != before {
				t.Errorf("%d different nonces, rows %d", len(seen), w.count("claims")-before)
			}
			if a := w.send("POST", "/i/"+traffic+"/nonce", "", ""); a.header.Get("Cache-Control") != "no-store" || a.status != 200 {
				t.Errorf("%d %v", a.status, a.header)
			}
			if a := w.send("GET", "/i/"+traffic+"/nonce", "", ""); a.status != 405 {
				t.Errorf("GET: %d", a.status)
			}
		})
		t.Run("P03 lifetime", func(t *testing.T) {
			nonce := w.nonce()
			with := func(p *proofParts) { p.claims["nonce"] = nonce; p.claims["iat"] = w.Now().Unix() }
			w.advance(5*time.Minute - time.Second)
			early := w.proof(with)
			if a := w.request(w.personToken("loa3"), credentialBody(early)); a.status != 200 {
				t.Errorf("a second before: %d %s", a.status, a.body)
			}
			nonce = w.nonce()
			w.advance(5 * time.Minute)
			if a := w.request(w.personToken("loa3"), credentialBody(w.proof(with))); a.code() != "invalid_nonce" {
				t.Errorf("after: %d %s", a.status, a.body)
			}
		})
		t.Run("P04 the same proof or nonce again", func(t *testing.T) {
			proof, bearer := w.proof(nil), w.personToken("loa3")
			if a := w.request(bearer, credentialBody(proof)); a.status != 200 {
				t.Fatalf("%d %s", a.status, a.body)
			}
			entries := w.count("status_entries")
			if a := w.request(bearer, credentialBody(proof)); a.code() != "invalid_nonce" {
				t.Errorf("same token: %d %s", a.status, a.body)
			}
			if a := w.request(w.personToken("loa3"), credentialBody(proof)); a.code() != "invalid_nonce" {
				t.Errorf("other token: %d %s", a.status, a.body)
			}
			if n := w.count("status_entries"); n != entries {
				t.Errorf("%d indices were used for nothing", n-entries)
			}
			if a := w.request(bearer, credentialBody(w.proof(nil))); a.status != 200 {
				t.Errorf("a wallet whose answer was lost, with a new nonce: %d %s", a.status, a.body)
			}
		})
	})
}
