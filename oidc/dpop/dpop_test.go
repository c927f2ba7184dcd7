package dpop_test

import (
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc/dpop"
	"github.com/hufu-id/hufu/oidc/dpop/dpoptest"
)

var at = time.Unix(1_800_000_000, 0)

const (
	resource = "https://api.example/accounts"
	token    = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU"
)

func expect() dpop.Expect {
	return dpop.Expect{Method: "GET", URL: resource, AccessToken: token, At: at}
}

// signed makes a proof with header and claims changed; nil removes a member.
func signed(t testing.TB, alg jose.Alg, change func(header, claims map[string]any)) string {
	t.Helper()
	key, err := jose.GenerateKey(alg)
	if err != nil {
		t.Fatal(err)
	}
	return signedWith(t, key, change)
}

func signedWith(t testing.TB, key jose.SigningKey, change func(header, claims map[string]any)) string {
	t.Helper()
	proof := dpoptest.Proof(t, key, "GET", resource, token, at)
	parts := strings.Split(proof, ".")
	var header, claims map[string]any
	for i, to := range []*map[string]any{&header, &claims} {
		b, _ := base64.RawURLEncoding.DecodeString(parts[i])
		d := json.NewDecoder(strings.NewReader(string(b)))
		d.UseNumber()
		if err := d.Decode(to); err != nil {
			t.Fatal(err)
		}
	}
	if change != nil {
		change(header, claims)
	}
	return compact(t, key, header, claims)
}

// compact signs any header, also those that jose.Sign refuses to make.
func compact(t testing.TB, key jose.SigningKey, header, claims any) string {
	t.Helper()
	h, err1 := json.Marshal(header)
	c, err2 := json.Marshal(claims)
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	return raw(t, key, string(h), string(c))
}

// raw signs header and payload as they are written.
func raw(t testing.TB, key jose.SigningKey, header, payload string) string {
	t.Helper()
	input := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	return input + "." + base64.RawURLEncoding.EncodeToString(signature(t, key, input))
}

func header(name string, value any) func(h, c map[string]any) {
	return func(h, _ map[string]any) { set(h, name, value) }
}

func claim(name string, value any) func(h, c map[string]any) {
	return func(_, c map[string]any) { set(c, name, value) }
}

func set(m map[string]any, name string, value any) {
	if value == nil {
		delete(m, name)
		return
	}
	m[name] = value
}

// TestD13SuiteBlocks are the blocks of the OpenID Foundation's module dpop-negative-tests that concern the proof alone; those on scheme and token are in
// oidc/resource. Each refusal differs from "as is" in one thing.
func TestD13SuiteBlocks(t *testing.T) {
	private := func(h, _ map[string]any) { h["jwk"].(map[string]any)["d"] = "AAAA" }
	blocks := []struct {
		name   string
		change func(h, c map[string]any)
		alg    jose.Alg
		want   error
	}{
		{"D13 as is", nil, jose.ES256, nil},
		{"D13 as is PS256", nil, jose.PS256, nil},
		{"D13 as is EdDSA", nil, jose.EdDSA, nil},
		{"D13 further header member", header("foo", "bar"), jose.ES256, nil},
		{"D13 further claim", claim("foo", map[string]any{"a": 1}), jose.ES256, nil},
		{"D13 nbf and exp", func(_, c map[string]any) { c["nbf"], c["exp"] = at.Unix()-10, at.Unix()+60 }, jose.ES256, nil},
		{"D13 without typ", header("typ", nil), jose.ES256, jose.ErrType},
		{"D13 other typ", header("typ", "JWT"), jose.ES256, jose.ErrType},
		{"D13 typ in capitals", header("typ", "DPoP+JWT"), jose.ES256, jose.ErrType},
		{"D13 without alg", header("alg", nil), jose.ES256, jose.ErrAlgorithm},
		{"D13 alg none", header("alg", "none"), jose.ES256, jose.ErrAlgorithm},
		{"D13 alg HS256", header("alg", "HS256"), jose.ES256, jose.ErrAlgorithm},
		{"D13 alg RS256", nil, jose.RS256, jose.ErrAlgorithm},
		{"D13 alg ES384", nil, jose.ES384, jose.ErrAlgorithm},
		{"D13 alg of another key", header("alg", "EdDSA"), jose.ES256, jose.ErrNoKey},
		{"D13 without jwk", header("jwk", nil), jose.ES256, jose.ErrMalformed},
		{"D13 N10 private key in jwk", private, jose.ES256, jose.ErrPrivateKey},
		{"D13 jwk for encryption", func(h, _ map[string]any) { h["jwk"].(map[string]any)["use"] = "enc" }, jose.ES256, jose.ErrNoKey},
		{"D13 without jti", claim("jti", nil), jose.ES256, jose.ErrClaim},
		{"D13 jti empty", claim("jti", ""), jose.ES256, jose.ErrClaim},
		{"D13 jti a number", claim("jti", 1), jose.ES256, jose.ErrClaim},
		{"D13 jti of 256", claim("jti", strings.Repeat("j", 256)), jose.ES256, nil},
		{"D13 jti of 257", claim("jti", strings.Repeat("j", 257)), jose.ES256, jose.ErrClaim},
		{"D13 without htm", claim("htm", nil), jose.ES256, jose.ErrClaim},
		{"D13 wrong htm", claim("htm", "POST"), jose.ES256, jose.ErrClaim},
		{"D13 htm in small letters", claim("htm", "get"), jose.ES256, jose.ErrClaim},
		{"D13 without htu", claim("htu", nil), jose.ES256, jose.ErrClaim},
		{"D13 wrong htu", claim("htu", resource+"/x"), jose.ES256, jose.ErrClaim},
		{"D13 without iat", claim("iat", nil), jose.ES256, jose.ErrClaim},
		{"D13 iat an hour ago", claim("iat", at.Unix()-3600), jose.ES256, jose.ErrClaim},
		{"D13 iat in an hour", claim("iat", at.Unix()+3600), jose.ES256, jose.ErrNotYetValid},
		{"D13 iat 10 seconds ago", claim("iat", at.Unix()-10), jose.ES256, nil},
		{"D13 iat in 10 seconds", claim("iat", at.Unix()+10), jose.ES256, nil},
		{"D13 iat 60 seconds ago", claim("iat", at.Unix()-60), jose.ES256, nil},
		{"D13 iat 61 seconds ago", claim("iat", at.Unix()-61), jose.ES256, jose.ErrClaim},
		{"D13 iat in 60 seconds", claim("iat", at.Unix()+60), jose.ES256, nil},
		{"D13 iat in 61 seconds", claim("iat", at.Unix()+61), jose.ES256, jose.ErrClaim},
		{"D13 without ath", claim("ath", nil), jose.ES256, jose.ErrClaim},
		{"D13 wrong ath", claim("ath", "fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEp"), jose.ES256, jose.ErrClaim},
		{"D13 ath a list", claim("ath", []string{"x"}), jose.ES256, jose.ErrClaim},
		{"D13 exp passed", claim("exp", at.Unix()-1), jose.ES256, jose.ErrExpired},
		{"D13 nbf in an hour", claim("nbf", at.Unix()+3600), jose.ES256, jose.ErrNotYetValid},
		{"D13 nbf in 60 seconds", claim("nbf", at.Unix()+60), jose.ES256, nil},
		{"D13 nbf in 61 seconds", claim("nbf", at.Unix()+61), jose.ES256, jose.ErrNotYetValid},
		{"N05 exp a string", claim("exp", "x"), jose.ES256, jose.ErrClaim},
		{"N05 iat with a fraction", claim("iat", 1_800_000_000.5), jose.ES256, jose.ErrClaim},
		{"N05 iat negative", claim("iat", -1), jose.ES256, jose.ErrClaim},
		{"N03 crit", func(h, _ map[string]any) { h["crit"], h["x"] = []string{"x"}, 1 }, jose.ES256, jose.ErrCritical},
		{"N03 crit empty", header("crit", []string{}), jose.ES256, jose.ErrCritical},
		{"N03 b64", func(h, _ map[string]any) { h["crit"], h["b64"] = []string{"b64"}, false }, jose.ES256, jose.ErrCritical},
	}
	for _, b := range blocks {
		t.Run(b.name, func(t *testing.T) {
			_, err := dpop.Verify([]string{signed(t, b.alg, b.change)}, expect())
			check(t, err, b.want)
		})
	}
}

func check(t *testing.T, err, want error) {
	t.Helper()
	if want == nil && err != nil {
		t.Errorf("refused: %v", err)
	}
	if want != nil && (!errors.Is(err, dpop.ErrProof) || !errors.Is(err, want)) {
		t.Errorf("%v, want %v", err, want)
	}
}

func TestD13HeadersAndText(t *testing.T) {
	key, thumbprint := dpoptest.NewKey(t)
	good := dpoptest.Proof(t, key, "GET", resource, token, at)
	pub, err := key.Public()
	if err != nil {
		t.Fatal(err)
	}
	jwk, _ := json.Marshal(pub)
	head := `{"typ":"dpop+jwt","alg":"ES256","jwk":` + string(jwk) + `}`
	body, _ := json.Marshal(dpoptest.Claims("GET", resource, token, at))
	other, _ := dpoptest.NewKey(t)
	parts, others := strings.Split(good, "."), strings.Split(dpoptest.Proof(t, other, "GET", resource, token, at), ".")
	cases := []struct {
		name    string
		headers []string
		want    error
	}{
		{"as is", []string{good}, nil},
		{"as is, by hand", []string{raw(t, key, head, string(body))}, nil},
		{"D13 no header", nil, dpop.ErrMissing},
		{"D13 two headers", []string{good, good}, dpop.ErrProof},
		{"D13 two in one header", []string{good + ", " + good}, dpop.ErrProof},
		{"D13 empty", []string{""}, dpop.ErrProof},
		{"D13 not a JWT", []string{"not a JWT"}, dpop.ErrProof},
		{"D13 padded", []string{good + "="}, dpop.ErrProof},
		{"D13 too long", []string{raw(t, key, head, `{"x":"`+strings.Repeat("x", 8<<10)+`",`+string(body[1:]))}, jose.ErrTooLarge},
		{"D13 wrong signature", []string{parts[0] + "." + parts[1] + "." + others[2]}, jose.ErrSignature},
		{"D13 no signature", []string{parts[0] + "." + parts[1] + "."}, dpop.ErrProof},
		{"D13 jwk of another", []string{others[0] + "." + parts[1] + "." + parts[2]}, jose.ErrSignature},
		{"N04 header member twice", []string{raw(t, key, `{"typ":"JWT",`+head[1:], string(body))}, jose.ErrDuplicateMember},
		{"N04 jwk member twice", []string{raw(t, key, strings.Replace(head, `"kty":"EC"`, `"kty":"EC","kty":"EC"`, 1), string(body))}, jose.ErrDuplicateMember},
		{"N04 claim twice", []string{raw(t, key, head, `{"htm":"GET",`+string(body[1:]))}, jose.ErrDuplicateMember},
		{"N04 byte order mark", []string{raw(t, key, head, "\ufeff"+string(body))}, jose.ErrMalformed},
		{"N04 trailing bytes", []string{raw(t, key, head, string(body)+"{}")}, jose.ErrMalformed},
		{"N04 claims a list", []string{raw(t, key, head, "[]")}, jose.ErrMalformed},
		{"E02 jku isn't fetched", []string{raw(t, key, `{"jku":"https://evil.example/jwks","x5u":"https://evil.example/x5u",`+head[1:], string(body))}, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p, err := dpop.Verify(c.headers, expect())
			if !errors.Is(err, c.want) || c.want == nil && (err != nil || p.Thumbprint() != thumbprint) {
				t.Errorf("%v, want %v", err, c.want)
			}
			if err != nil && p != (dpop.Proof{}) {
				t.Error("an error and a proof")
			}
		})
	}
}

// TestD13WrongKeys: keys that cost too much or are worth nothing are refused before any signature is checked.
func TestD13WrongKeys(t *testing.T) {
	good, err := jose.GenerateKey(jose.PS256)
	if err != nil {
		t.Fatal(err)
	}
	n := func(bits uint) string {
		x := new(big.Int).SetBit(new(big.Int).Lsh(big.NewInt(1), bits-1), 0, 1)
		return base64.RawURLEncoding.EncodeToString(x.Bytes())
	}
	modulus := base64.RawURLEncoding.EncodeToString(good.Key.(*rsa.PrivateKey).N.Bytes())
	cases := []struct {
		name string
		jwk  map[string]any
		want error
	}{
		{"D13 RSA 2048", map[string]any{"kty": "RSA", "e": "AQAB", "n": modulus}, nil},
		{"D13 RSA 1024", map[string]any{"kty": "RSA", "e": "AQAB", "n": n(1024)}, jose.ErrUnsupportedKey},
		{"D13 W06 RSA 8192", map[string]any{"kty": "RSA", "e": "AQAB", "n": n(8192)}, jose.ErrUnsupportedKey},
		{"D13 W06 RSA 65536", map[string]any{"kty": "RSA", "e": "AQAB", "n": n(65536)}, jose.ErrTooLarge},
		{"D13 RSA e=1", map[string]any{"kty": "RSA", "e": "AQ", "n": modulus}, jose.ErrInvalidKey},
		{"D13 symmetric", map[string]any{"kty": "oct", "k": "AAAA"}, jose.ErrPrivateKey},
		{"D13 jwk a string", nil, jose.ErrMalformed},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			change := func(h, _ map[string]any) {
				if h["jwk"] = any(c.jwk); c.jwk == nil {
					h["jwk"] = "x"
				}
			}
			start := time.Now()
			_, err := dpop.Verify([]string{signedWith(t, good, change)}, expect())
			check(t, err, c.want)
			if d := time.Since(start); d > time.Second {
				t.Errorf("took %v", d)
			}
		})
	}
}

// TestD13URLs: htu and the URL of the request are compared as URLs, without query and fragment.
func TestD13URLs(t *testing.T) {
	key, _ := dpoptest.NewKey(t)
	cases := []struct {
		htu, url string
		same     bool
	}{
		{resource, resource, true},
		{resource + "?a=b", resource, true},
		{resource + "#f", resource, true},
		{resource, resource + "?a=b#f", true},
		{"HTTPS://API.example/accounts", resource, true},
		{"https://api.example:443/accounts", resource, true},
		{resource, "https://api.example:443/accounts", true},
		{"https://api.example:/accounts", resource, true},
		{"https://api.example/%61ccounts", resource, true},
		{"https://api.example/a%2fb", "https://api.example/a%2Fb", true},
		{"https://api.example/./x/../accounts", resource, true},
		{"https://api.example", "https://api.example/", true},
		{"http://[::1]:80/x", "http://[::1]/x", true},
		{"https://api.example/a/", "https://api.example/a", false},
		{"https://api.example//accounts", resource, false},
		{"https://api.example/Accounts", resource, false},
		{"https://api.example/a%2Fb", "https://api.example/a/b", false},
		{"https://api.example:8443/accounts", resource, false},
		{"https://api.example:80/accounts", resource, false},
		{"http://api.example:443/accounts", resource, false},
		{"http://api.example/accounts", resource, false},
		{"https://api.example.evil/accounts", resource, false},
		{"https://api.example@evil.example/accounts", resource, false},
		{"https://u@api.example/accounts", resource, false},
		{"https://ap\u0130.example/accounts", resource, false},
		{"https://api.example\\accounts", resource, false},
		{"https://api.example/accounts ", resource, false},
		{"https://api.example/%zz", "https://api.example/%zz", false},
		{"https:api.example/accounts", resource, false},
		{"//api.example/accounts", resource, false},
		{"/accounts", resource, false},
		{"", resource, false},
		{resource + "?" + strings.Repeat("q", 9000), resource, false},
	}
	for _, c := range cases {
		e := expect()
		e.URL = c.url
		_, err := dpop.Verify([]string{dpoptest.Proof(t, key, "GET", c.htu, token, at)}, e)
		if (err == nil) != c.same || err != nil && !errors.Is(err, dpop.ErrProof) {
			t.Errorf("D13 htu %q for %q: %v", c.htu, c.url, err)
		}
	}
}

func TestProofWithoutToken(t *testing.T) {
	key, _ := dpoptest.NewKey(t)
	e := expect()
	e.AccessToken = ""
	for _, accessToken := range []string{"", token} { // at the token endpoint an ath means nothing
		if _, err := dpop.Verify([]string{dpoptest.Proof(t, key, "GET", resource, accessToken, at)}, e); err != nil {
			t.Error(err)
		}
	}
}

func TestReplayIDBelongsToTheKey(t *testing.T) {
	claims := dpoptest.Claims("GET", resource, token, at)
	var ids []string
	for range 2 {
		key, thumbprint := dpoptest.NewKey(t)
		for range 2 {
			p, err := dpop.Verify([]string{dpoptest.Sign(t, key, claims)}, expect())
			if err != nil {
				t.Fatal(err)
			}
			if p.Thumbprint() != thumbprint || p.JTI() != claims["jti"] || !p.Expires().Equal(at.Add(time.Minute)) {
				t.Errorf("%+v", p)
			}
			ids = append(ids, p.ReplayID())
		}
	}
	if ids[0] != ids[1] || ids[0] == ids[2] {
		t.Errorf("D13 replayed jti: %q", ids)
	}
}

// TestProofIsGoodUntilItExpires: the id is remembered as long as the proof would be accepted, with and without nonce.
func TestProofIsGoodUntilItExpires(t *testing.T) {
	key, _ := dpoptest.NewKey(t)
	nonces := dpop.NewNonces(make([]byte, 32))
	for _, withNonce := range []bool{false, true} {
		for _, skew := range []time.Duration{-50 * time.Second, 0, 50 * time.Second} {
			claims := dpoptest.Claims("GET", resource, token, at.Add(skew))
			e := expect()
			if withNonce {
				e.Nonces, claims["nonce"] = nonces, nonces.Current(at)
			}
			proof := []string{dpoptest.Sign(t, key, claims)}
			first, err := dpop.Verify(proof, e)
			if err != nil {
				t.Fatal(err)
			}
			for d := time.Duration(0); d < 15*time.Minute; d += time.Second {
				e.At = at.Add(d)
				if _, err := dpop.Verify(proof, e); err == nil && e.At.After(first.Expires()) {
					t.Fatalf("nonce %v, skew %v: good at +%v, but its id is forgotten at %v", withNonce, skew, d, first.Expires())
				}
			}
		}
	}
}

func TestErrorsCarryNoInput(t *testing.T) {
	for _, change := range []func(h, c map[string]any){claim("htm", "canary"), claim("htu", "canary"), claim("ath", "canary"), claim("jti", 7), header("jwk", "canary")} {
		_, err := dpop.Verify([]string{signed(t, jose.ES256, change)}, expect())
		if err == nil || strings.Contains(fmt.Sprint(err), "canary") {
			t.Errorf("U01 %v", err)
		}
	}
}
