package attest_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/wallet/issuer/attest"
)

var now = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// maker is a maker of wallets: an authority of its own and a leaf that attests.
type maker struct {
	root, leaf *x509.Certificate
	rootKey    *ecdsa.PrivateKey
	key        jose.SigningKey
}

func newMaker(t testing.TB) maker {
	t.Helper()
	m := maker{rootKey: p256(t)}
	m.root = certify(t, "Maker root", true, m.rootKey.Public(), nil, m.rootKey)
	leaf := p256(t)
	m.leaf = certify(t, "Maker", false, leaf.Public(), m.root, m.rootKey)
	var err error
	if m.key, err = jose.NewSigningKey(leaf, jose.ES256); err != nil {
		t.Fatal(err)
	}
	return m
}

func p256(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func certify(t testing.TB, name string, ca bool, pub crypto.PublicKey, parent *x509.Certificate, signer *ecdsa.PrivateKey) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		IsCA: ca, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	if parent == nil {
		parent = template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, pub, signer)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// parts are what a key attestation is made of; a test changes one.
type parts struct {
	header, claims map[string]any
	key            jose.SigningKey
	policy         attest.Policy
	raw            func(string) string
}

func public(t testing.TB, pub crypto.PublicKey) map[string]any {
	t.Helper()
	k, err := jose.FromPublic(pub, "", "")
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(k)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

func x5c(certs ...*x509.Certificate) []string {
	var out []string
	for _, c := range certs {
		out = append(out, base64.StdEncoding.EncodeToString(c.Raw))
	}
	return out
}

func (m maker) attestation(t testing.TB, change func(*parts)) (string, attest.Policy) {
	t.Helper()
	p := &parts{header: map[string]any{"alg": "ES256", "typ": "key-attestation+jwt", "x5c": x5c(m.leaf)}, key: m.key,
		claims: map[string]any{"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "nonce": "n", "key_storage": []string{"iso_18045_high"},
			"attested_keys": []any{public(t, p256(t).Public()), public(t, p256(t).Public())}},
		policy: attest.Policy{Anchors: []*x509.Certificate{m.root}, At: now, NeedExp: true}}
	if change != nil {
		change(p)
	}
	h, _ := json.Marshal(p.header)
	c, _ := json.Marshal(p.claims)
	input := base64.RawURLEncoding.EncodeToString(h) + "." + base64.RawURLEncoding.EncodeToString(c)
	sig, err := p.key.Alg.Sign(p.key.Key, []byte(input))
	if err != nil {
		t.Fatal(err)
	}
	compact := input + "." + base64.RawURLEncoding.EncodeToString(sig)
	if p.raw != nil {
		compact = p.raw(compact)
	}
	return compact, p.policy
}

func TestP11KeyAttestations(t *testing.T) {
	m, foreign := newMaker(t), newMaker(t)
	big4, err := rsa.GenerateKey(rand.Reader, 4104)
	if err != nil {
		t.Fatal(err)
	}
	key := func() any { return public(t, p256(t).Public()) }
	one := key()
	betweenKey, leafKey := p256(t), p256(t)
	between := certify(t, "Between", true, betweenKey.Public(), m.root, m.rootKey)
	below := certify(t, "Maker below", false, leafKey.Public(), between, betweenKey)
	belowKey, err := jose.NewSigningKey(leafKey, jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		ok     bool
		change func(*parts)
	}{
		{"as it should be", true, nil},
		{"a maker that nobody trusts", false, func(p *parts) { p.header["x5c"], p.key = x5c(foreign.leaf), foreign.key }},
		{"a maker that is trusted too", true, func(p *parts) {
			p.header["x5c"], p.key, p.policy.Anchors = x5c(foreign.leaf), foreign.key, append(p.policy.Anchors, foreign.root)
		}},
		{"no anchors", false, func(p *parts) { p.policy.Anchors = nil }},
		{"signed by another key", false, func(p *parts) { p.key = foreign.key }},
		{"the anchor in x5c", false, func(p *parts) { p.header["x5c"] = x5c(m.leaf, m.root) }},
		{"the anchor as leaf", false, func(p *parts) { p.header["x5c"] = x5c(m.root) }},
		{"a leaf that signs itself", false, func(p *parts) {
			k := p256(t)
			p.header["x5c"] = x5c(certify(t, "Maker", false, k.Public(), nil, k))
			p.key, _ = jose.NewSigningKey(k, jose.ES256)
		}},
		{"an authority as leaf", false, func(p *parts) {
			k := p256(t)
			p.header["x5c"] = x5c(certify(t, "Between", true, k.Public(), m.root, m.rootKey))
			p.key, _ = jose.NewSigningKey(k, jose.ES256)
		}},
		{"an RSA key of 4104 bits", false, func(p *parts) {
			p.header["x5c"] = x5c(m.leaf, certify(t, "Big", true, big4.Public(), m.root, m.rootKey))
		}},
		{"an anchor between", true, func(p *parts) {
			p.header["x5c"], p.key, p.policy.Anchors = x5c(below), belowKey, []*x509.Certificate{between}
		}},
		{"an anchor between that comes along", false, func(p *parts) {
			p.header["x5c"], p.key, p.policy.Anchors = x5c(below, between), belowKey, []*x509.Certificate{between}
		}},
		{"no x5c", false, func(p *parts) { delete(p.header, "x5c") }},
		{"x5c of junk", false, func(p *parts) { p.header["x5c"] = []string{"AAAA"} }},
		{"a long x5c", false, func(p *parts) { p.header["x5c"] = x5c(m.leaf, foreign.leaf, foreign.leaf, foreign.leaf, foreign.leaf) }},
		{"certificate over", false, func(p *parts) { p.policy.At = now.Add(2 * time.Hour); p.claims["exp"] = now.Add(3 * time.Hour).Unix() }},
		{"typ of a proof", false, func(p *parts) { p.header["typ"] = "openid4vci-proof+jwt" }},
		{"alg none", false, func(p *parts) { p.header["alg"] = "none" }},
		{"crit", false, func(p *parts) { p.header["crit"] = []string{"exp"} }},
		{"expired", false, func(p *parts) { p.claims["exp"] = now.Add(-2 * time.Minute).Unix() }},
		{"no end inside a proof", false, func(p *parts) { delete(p.claims, "exp") }},
		{"no end as a proof of its own", true, func(p *parts) { delete(p.claims, "exp"); p.policy.NeedExp = false }},
		{"no end, and old", false, func(p *parts) {
			delete(p.claims, "exp")
			p.claims["iat"], p.policy.NeedExp = now.Add(-25*time.Hour).Unix(), false
		}},
		{"no iat", false, func(p *parts) { delete(p.claims, "iat") }},
		{"from the future", false, func(p *parts) { p.claims["iat"] = now.Add(10 * time.Minute).Unix() }},
		{"no keys", false, func(p *parts) { p.claims["attested_keys"] = []any{} }},
		{"a key twice", false, func(p *parts) { p.claims["attested_keys"] = []any{one, one} }},
		{"the same key once", true, func(p *parts) { p.claims["attested_keys"] = []any{one} }},
		{"a private key", false, func(p *parts) {
			k := public(t, p256(t).Public())
			k["d"] = k["x"]
			p.claims["attested_keys"] = []any{k}
		}},
		{"a key of P-384", false, func(p *parts) {
			k, _ := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
			p.claims["attested_keys"] = []any{public(t, k.Public())}
		}},
		{"65 keys", false, func(p *parts) {
			var all []any
			for range 65 {
				all = append(all, key())
			}
			p.claims["attested_keys"] = all
		}},
		{"keys under a name in capitals", false, func(p *parts) {
			p.claims["Attested_Keys"] = p.claims["attested_keys"]
			delete(p.claims, "attested_keys")
		}},
		{"a nonce that is a number", false, func(p *parts) { p.claims["nonce"] = 1 }},
		{"storage as text", false, func(p *parts) { p.claims["key_storage"] = "iso_18045_high" }},
		{"a bit of the signature flipped", false, func(p *parts) {
			p.raw = func(s string) string {
				if strings.HasSuffix(s, "A") {
					return s[:len(s)-2] + "Bw"
				}
				return s[:len(s)-4] + "AAAA"
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			compact, policy := m.attestation(t, c.change)
			a, err := attest.Check(compact, policy)
			if (err == nil) != c.ok || err != nil && !errors.Is(err, attest.Error) {
				t.Fatalf("%v", err)
			}
			if err == nil && (a.Nonce() != "n" || len(a.Keys()) == 0 || !a.Has(a.Keys()[0])) {
				t.Errorf("%+v", a)
			}
		})
	}
}

func TestLevels(t *testing.T) {
	m := newMaker(t)
	compact, policy := m.attestation(t, nil)
	a, err := attest.Check(compact, policy)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		want attest.Levels
		ok   bool
	}{
		{attest.Levels{}, true},
		{attest.Levels{KeyStorage: []string{"iso_18045_high", "iso_18045_moderate"}}, true},
		{attest.Levels{KeyStorage: []string{"iso_18045_moderate"}}, false},
		{attest.Levels{UserAuthentication: []string{"iso_18045_high"}}, false}, // it says nothing of that
	} {
		if a.Meets(c.want) != c.ok {
			t.Errorf("%+v: %v", c.want, !c.ok)
		}
	}
}

func FuzzCheck(f *testing.F) {
	m := newMaker(f)
	good, policy := m.attestation(f, nil)
	for _, s := range []string{good, good[:len(good)-3], strings.Replace(good, ".", "..", 1), "a.b.c", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if _, err := attest.Check(s, policy); (err == nil) != (s == good) || err != nil && !errors.Is(err, attest.Error) {
			t.Errorf("%q: %v", s, err)
		}
	})
}
