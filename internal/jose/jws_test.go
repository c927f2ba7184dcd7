package jose

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/lestrrat-go/jwx/v2/jwa"
	"github.com/lestrrat-go/jwx/v2/jws"
)

var anyType = Policy{Typ: []string{"", "JWT"}, Algs: everyAlg}

// forge signs any header and payload text, whatever it says.
func forge(t testing.TB, k SigningKey, header, payload string) string {
	t.Helper()
	input := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	sig, err := k.Alg.Sign(k.Key, []byte(input))
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + base64.RawURLEncoding.EncodeToString(sig)
}

// TestRoundTripAndJWX: for each algorithm we read what we write, jwx reads what we write, and we read what jwx writes.
func TestRoundTripAndJWX(t *testing.T) {
	for _, alg := range everyAlg {
		t.Run(string(alg), func(t *testing.T) {
			k, pub := newKey(t, alg)
			for range 20 { // signatures differ in length before padding
				ours, err := Sign(k, Header{Typ: "JWT", X5C: [][]byte{{1, 2}, {3}}, Extra: map[string]any{"trust_chain": []string{"a"}}}, []byte(`{"a":1}`))
				if err != nil {
					t.Fatal(err)
				}
				v, err := Verify(ours, anyType, pub)
				if err != nil {
					t.Fatal(err)
				}
				h := v.Header()
				if h.KeyID != k.ID || h.Typ != "JWT" || h.Alg != alg || len(h.X5C) != 2 || string(h.X5C[1]) != "\x03" || h.Raw["trust_chain"] == nil {
					t.Errorf("header %+v", h)
				}
				got, err := jws.Verify([]byte(ours), jws.WithKey(jwa.SignatureAlgorithm(alg), pub.Public()), jws.WithCompact())
				if err != nil || string(got) != `{"a":1}` {
					t.Fatalf("jwx: %q %v", got, err)
				}
			}
			theirs, err := jws.Sign([]byte(`{"b":2}`), jws.WithKey(jwa.SignatureAlgorithm(alg), k.Key))
			if err != nil {
				t.Fatal(err)
			}
			if v, err := Verify(string(theirs), anyType, pub); err != nil || string(v.Payload()) != `{"b":2}` {
				t.Fatalf("theirs: %v", err)
			}
		})
	}
}

// TestTypInAnyCase: only where the policy says so, and no other type with it.
func TestTypInAnyCase(t *testing.T) {
	k, pub := newKey(t, ES256)
	for _, c := range []struct {
		typ     string
		anyCase bool
		want    error
	}{{"JWT", false, nil}, {"jWt", false, ErrType}, {"jWt", true, nil}, {"JWT", true, nil}, {"at+jwt", true, ErrType}, {"", true, ErrType}} {
		token := forge(t, k, `{"alg":"ES256","typ":"`+c.typ+`"}`, `{}`)
		if _, err := Verify(token, Policy{Typ: []string{"JWT", ""}, TypAnyCase: c.anyCase, Algs: []Alg{ES256}}, pub.renamed("")); !errors.Is(err, c.want) {
			t.Errorf("%q, any case %t: %v, want %v", c.typ, c.anyCase, err, c.want)
		}
	}
}

// TestHeaderIsStrict: each bad header has the good one beside it, signed by the same key.
func TestHeaderIsStrict(t *testing.T) {
	k, pub := newKey(t, ES256)
	other, _ := newKey(t, ES256)
	pub = pub.renamed("")
	good := `{"alg":"ES256","typ":"JWT"}`
	if _, err := Verify(forge(t, k, good, `{}`), anyType, pub); err != nil {
		t.Fatalf("positive twin: %v", err)
	}
	private, _ := MarshalPrivateJWK(other)
	offCurve := `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a1"}`
	cases := map[string]struct {
		header string
		want   error
	}{
		"alg none":                    {`{"alg":"none","typ":"JWT"}`, ErrAlgorithm},
		"alg None":                    {`{"alg":"None","typ":"JWT"}`, ErrAlgorithm},
		"alg HS256":                   {`{"alg":"HS256","typ":"JWT"}`, ErrAlgorithm},
		"alg lower case":              {`{"alg":"es256","typ":"JWT"}`, ErrAlgorithm},
		"alg missing":                 {`{"typ":"JWT"}`, ErrAlgorithm},
		"alg number":                  {`{"alg":256,"typ":"JWT"}`, ErrMalformed},
		"alg list":                    {`{"alg":["ES256"],"typ":"JWT"}`, ErrMalformed},
		"alg twice":                   {`{"alg":"none","alg":"ES256","typ":"JWT"}`, ErrDuplicateMember},
		"alg twice, escaped":          {`{"\u0061lg":"none","alg":"ES256","typ":"JWT"}`, ErrDuplicateMember},
		"typ of another":              {`{"alg":"ES256","typ":"at+jwt"}`, ErrType},
		"typ in another case":         {`{"alg":"ES256","typ":"jwt"}`, ErrType},
		"typ empty":                   {`{"alg":"ES256","typ":""}`, ErrType},
		"typ null":                    {`{"alg":"ES256","typ":null}`, ErrMalformed},
		"kid number":                  {`{"alg":"ES256","typ":"JWT","kid":1}`, ErrMalformed},
		"kid long":                    {`{"alg":"ES256","typ":"JWT","kid":"` + strings.Repeat("k", 257) + `"}`, ErrTooLarge},
		"crit unknown":                {`{"alg":"ES256","typ":"JWT","crit":["x"],"x":1}`, ErrCritical},
		"crit empty":                  {`{"alg":"ES256","typ":"JWT","crit":[]}`, ErrCritical},
		"crit null":                   {`{"alg":"ES256","typ":"JWT","crit":null}`, ErrCritical},
		"crit string":                 {`{"alg":"ES256","typ":"JWT","crit":"x","x":1}`, ErrCritical},
		"b64 false":                   {`{"alg":"ES256","typ":"JWT","b64":false}`, ErrCritical},
		"b64 false, crit":             {`{"alg":"ES256","typ":"JWT","b64":false,"crit":["b64"]}`, ErrCritical},
		"not an object":               {`[]`, ErrMalformed},
		"null":                        {`null`, ErrMalformed},
		"trailing value":              {good + `{}`, ErrMalformed},
		"byte order mark":             {"\ufeff" + good, ErrMalformed},
		"bad UTF-8":                   {"{\"alg\":\"ES256\",\"typ\":\"JWT\",\"x\":\"\xff\"}", ErrMalformed},
		"deep":                        {`{"alg":"ES256","typ":"JWT","x":` + strings.Repeat("[", 32) + strings.Repeat("]", 32) + `}`, ErrTooLarge},
		"x5c empty":                   {`{"alg":"ES256","typ":"JWT","x5c":[]}`, ErrMalformed},
		"x5c base64url":               {`{"alg":"ES256","typ":"JWT","x5c":["_-8"]}`, ErrMalformed},
		"x5c six":                     {`{"alg":"ES256","typ":"JWT","x5c":["AA==","AA==","AA==","AA==","AA==","AA=="]}`, ErrMalformed},
		"x5c string":                  {`{"alg":"ES256","typ":"JWT","x5c":"AA=="}`, ErrMalformed},
		"jwk private":                 {`{"alg":"ES256","typ":"JWT","jwk":` + string(private) + `}`, ErrPrivateKey},
		"jwk symmetric":               {`{"alg":"ES256","typ":"JWT","jwk":{"kty":"oct","k":"AA"}}`, ErrPrivateKey},
		"jwk off curve":               {`{"alg":"ES256","typ":"JWT","jwk":` + offCurve + `}`, ErrInvalidKey},
		"jwk string":                  {`{"alg":"ES256","typ":"JWT","jwk":"x"}`, ErrMalformed},
		"header too large for anyone": {`{"alg":"ES256","typ":"JWT","x":"` + strings.Repeat("x", 12<<10) + `"}`, ErrTooLarge},
	}
	for name, c := range cases {
		if _, err := Verify(forge(t, k, c.header, `{}`), Policy{Typ: anyType.Typ, Algs: anyType.Algs, MaxBytes: 1 << 20}, pub); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestCritOnlyWhatThePolicyNames(t *testing.T) {
	k, pub := newKey(t, ES256)
	pub = pub.renamed("")
	p := Policy{Typ: []string{""}, Algs: []Alg{ES256}, Crit: []string{"sigD", "alg"}}
	for header, ok := range map[string]bool{
		`{"alg":"ES256","crit":["sigD"],"sigD":{}}`:                 true,
		`{"alg":"ES256","crit":["sigD"]}`:                           false, // named but absent
		`{"alg":"ES256","crit":["sigD","sigD"],"sigD":{}}`:          false,
		`{"alg":"ES256","crit":["sigD","other"],"sigD":{}}`:         false,
		`{"alg":"ES256","crit":["alg"]}`:                            false, // registered names are never critical
		`{"alg":"ES256","crit":["sigD",1],"sigD":{}}`:               false,
		`{"alg":"ES256","b64":true,"crit":["sigD"],"sigD":{"a":1}}`: true,
	} {
		_, err := Verify(forge(t, k, header, `{}`), p, pub)
		if ok != (err == nil) || !ok && !errors.Is(err, ErrCritical) {
			t.Errorf("%s: %v", header, err)
		}
	}
}

// TestCompactIsStrict: base64 with padding, other alphabets, line breaks, unused bits, JSON serialization.
func TestCompactIsStrict(t *testing.T) {
	k, pub := newKey(t, ES256)
	good, err := Sign(k, Header{Typ: "JWT"}, []byte(`{"n":"é"}`))
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(good, ".")
	bad := map[string]string{
		"padding in header":    parts[0] + "=." + parts[1] + "." + parts[2],
		"padding in signature": good + "=",
		"line break":           good + "\n",
		"line break inside":    parts[0] + "." + parts[1][:4] + "\n" + parts[1][4:] + "." + parts[2],
		"carriage return":      parts[0] + "." + parts[1] + ".\r" + parts[2],
		"space before":         " " + good,
		"two parts":            parts[0] + "." + parts[1],
		"four parts":           good + ".",
		"no signature":         parts[0] + "." + parts[1] + ".",
		"empty":                "",
		"dots":                 "..",
		"JSON serialization":   `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"unused bits set":      good[:len(good)-1] + string(good[len(good)-1]+1),
	}
	if _, err := Verify(good, anyType, pub); err != nil {
		t.Fatalf("positive twin: %v", err)
	}
	for name, token := range bad {
		if _, err := Verify(token, anyType, pub); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Verify(good, Policy{Typ: anyType.Typ, Algs: anyType.Algs, MaxBytes: len(good) - 1}, pub); !errors.Is(err, ErrTooLarge) {
		t.Errorf("one byte too long: %v", err)
	}
	if _, err := Verify(good, Policy{Typ: anyType.Typ, Algs: anyType.Algs, MaxBytes: len(good)}, pub); err != nil {
		t.Errorf("as long as allowed: %v", err)
	}
	if _, err := Verify(strings.Repeat(".", 5<<20), anyType, pub); !errors.Is(err, ErrTooLarge) {
		t.Errorf("5 MB of dots: %v", err)
	}
}

func TestZeroPolicyAcceptsNothing(t *testing.T) {
	k, pub := newKey(t, ES256)
	token, _ := Sign(k, Header{}, []byte(`{}`))
	for _, p := range []Policy{{}, {Typ: []string{""}}, {Algs: []Alg{ES256}}, {Typ: []string{""}, Algs: []Alg{"none", "HS256"}}} {
		if _, err := Verify(token, p, pub); err == nil {
			t.Errorf("%+v accepts", p)
		}
	}
	if _, err := Verify(token, Policy{Typ: []string{""}, Algs: []Alg{ES256}}, pub); err != nil {
		t.Error(err)
	}
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + ".e30.AA"
	if _, err := Verify(none, Policy{Typ: []string{""}, Algs: []Alg{"none"}}, pub); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("a policy that names none: %v", err)
	}
}

// TestKeySelection: by kid when a key has it; never a key that says it is another one, or is for something else.
func TestKeySelection(t *testing.T) {
	k, pub := newKey(t, ES256)
	_, other := newKey(t, ES256)
	_, p384 := newKey(t, ES384)
	named, _ := Sign(k, Header{Typ: "JWT"}, []byte(`{}`))
	nameless, _ := Sign(k, Header{Typ: "JWT", NoKeyID: true}, []byte(`{}`))
	cases := map[string]struct {
		token string
		keys  []JWK
		want  error
	}{
		"by kid":                              {named, []JWK{other, p384, pub}, nil},
		"key without kid":                     {named, []JWK{other, pub.renamed("")}, nil},
		"token without kid":                   {nameless, []JWK{other, pub}, nil},
		"no keys":                             {named, nil, ErrNoKey},
		"zero key":                            {named, []JWK{{}}, ErrNoKey},
		"only another kid":                    {named, []JWK{other}, ErrNoKey},
		"same key under another kid":          {named, []JWK{pub.renamed("x")}, ErrNoKey},
		"another key under that kid":          {named, []JWK{other.renamed(k.ID), pub.renamed("")}, ErrSignature},
		"token without kid, wrong keys":       {nameless, []JWK{other}, ErrSignature},
		"key for encryption":                  {named, []JWK{pub.WithUse("enc")}, ErrNoKey},
		"key of another curve":                {nameless, []JWK{p384}, ErrNoKey},
		"same kid, the second key is the one": {named, []JWK{other.renamed(k.ID), pub}, nil},
	}
	for name, c := range cases {
		if _, err := Verify(c.token, anyType, c.keys...); !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// TestCurveIsBoundToAlgorithm: jwx signs and verifies ES256 with P-384; we do neither.
func TestCurveIsBoundToAlgorithm(t *testing.T) {
	p384, pub := newKey(t, ES384)
	wrong := SigningKey{ID: p384.ID, Alg: ES256, Key: p384.Key}
	if _, err := Sign(wrong, Header{}, []byte(`{}`)); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("Sign: %v", err)
	}
	theirs, err := jws.Sign([]byte(`{}`), jws.WithKey(jwa.ES256, p384.Key))
	if err != nil {
		t.Fatalf("jwx refuses to make such a token now (%v): this test proves nothing any more", err)
	}
	if _, err := Verify(string(theirs), anyType, pub.renamed("")); !errors.Is(err, ErrNoKey) {
		t.Errorf("Verify: %v", err)
	}
}

// TestPS256SaltLength: only a salt as long as the hash (RFC 7518 section 3.5).
func TestPS256SaltLength(t *testing.T) {
	k, pub := newKey(t, PS256)
	input := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"PS256"}`)) + ".e30"
	for salt, ok := range map[int]bool{32: true, 20: false, 0: false, 64: false} {
		sig, err := rsa.SignPSS(rand.Reader, k.Key.(*rsa.PrivateKey), crypto.SHA256, digest(input), &rsa.PSSOptions{SaltLength: max(salt, -1)})
		if err != nil {
			t.Fatal(err)
		}
		if salt == 0 {
			continue // 0 means automatic to the standard library
		}
		_, err = Verify(input+"."+base64.RawURLEncoding.EncodeToString(sig), anyType, pub.renamed(""))
		if ok != (err == nil) {
			t.Errorf("salt of %d bytes: %v", salt, err)
		}
	}
}

func digest(s string) []byte {
	h := sha256.Sum256([]byte(s))
	return h[:]
}

func TestSignRefusesHeadersThatLie(t *testing.T) {
	k, pub := newKey(t, ES256)
	for _, name := range []string{"alg", "kid", "jwk", "x5c", "typ", "crit", "b64", "jku", "x5u"} {
		if _, err := Sign(k, Header{Extra: map[string]any{name: "x"}}, nil); !errors.Is(err, ErrHeader) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A name that tries to break out stays a name.
	token, err := Sign(k, Header{Typ: "JWT", Extra: map[string]any{`x":0,"alg":"none`: true}}, []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	if v, err := Verify(token, anyType, pub); err != nil || v.Header().Raw[`x":0,"alg":"none`] != true {
		t.Errorf("%v", err)
	}
	if _, err := Sign(SigningKey{Alg: ES256}, Header{}, nil); !errors.Is(err, ErrInvalidKey) {
		t.Errorf("no key: %v", err)
	}
}

// TestProofCarriesItsKey: a proof of possession has jwk and no kid; the verifier takes the key from the checked header.
// E02: a key or an address in the header is data, never trust: a token is checked with the caller's keys alone, and nothing is fetched.
func TestE02KeysInHeadersAreNotTrusted(t *testing.T) {
	ours, ourPub := newKey(t, ES256)
	theirs, theirPub := newKey(t, ES256)
	public := theirPub.renamed("")
	p := Policy{Typ: []string{"JWT"}, Algs: []Alg{ES256}}
	jwk, err := public.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	for name, header := range map[string]string{
		"jwk": `{"alg":"ES256","typ":"JWT","jwk":` + string(jwk) + `}`,
		"jku": `{"alg":"ES256","typ":"JWT","jku":"https://evil.example/jwks"}`,
		"x5u": `{"alg":"ES256","typ":"JWT","x5u":"https://evil.example/cert.pem"}`,
	} {
		if _, err := Verify(forge(t, theirs, header, `{"sub":"admin"}`), p, ourPub); err == nil {
			t.Errorf("%s: a token was believed for the key that it brought", name)
		}
	}
	good, err := SignJSON(ours, Header{Typ: "JWT"}, map[string]any{"sub": "admin"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(good, p, ourPub); err != nil {
		t.Errorf("twin: %v", err)
	}
}

func TestProofCarriesItsKey(t *testing.T) {
	k, pub := newKey(t, ES256)
	public := pub.renamed("")
	token, err := SignJSON(k, Header{Typ: "openid4vci-proof+jwt", JWK: &public}, map[string]any{"aud": "https://a.example/<&>", "iat": 1})
	if err != nil {
		t.Fatal(err)
	}
	p := Policy{Typ: []string{"openid4vci-proof+jwt"}, Algs: []Alg{ES256}}
	u, err := ParseUnverified(token, p)
	if err != nil {
		t.Fatal(err)
	}
	if u.Header.JWK == nil || u.Header.KeyID != "" || u.Header.JWK.Thumbprint() != pub.Thumbprint() {
		t.Fatalf("header %+v", u.Header)
	}
	if !strings.Contains(string(u.Payload), `https://a.example/<&>`) {
		t.Errorf("HTML escaping changed the payload: %s", u.Payload)
	}
	if _, err := u.Verify(*u.Header.JWK); err != nil {
		t.Error(err)
	}
}

func TestSignJSONRefusesWhatJSONCannotSay(t *testing.T) {
	k, _ := newKey(t, ES256)
	if _, err := SignJSON(k, Header{}, map[string]any{"x": func() {}}); err == nil {
		t.Error("signed a function")
	}
	if _, err := SignJSON(k, Header{}, map[string]any{"x": json.Number("1")}); err != nil {
		t.Error(err)
	}
}

// TestEd25519ByEitherName: what openid-client and oauth4webapi send for a key on Ed25519 is the name of RFC 9864.
func TestEd25519ByEitherName(t *testing.T) {
	k, pub := newKey(t, EdDSA)
	text, err := MarshalJWKS([]JWK{pub})
	if err != nil {
		t.Fatal(err)
	}
	renamed, err := ParseJWKS([]byte(strings.Replace(string(text), `"EdDSA"`, `"Ed25519"`, 1)))
	if err != nil || len(renamed) != 1 || renamed[0].Alg() != EdDSA {
		t.Fatalf("%v %v", renamed, err)
	}
	for _, name := range []string{"EdDSA", "Ed25519"} {
		token := forge(t, k, `{"alg":"`+name+`","typ":"JWT","kid":"`+k.ID+`"}`, `{}`)
		for _, key := range []JWK{pub, renamed[0]} {
			if v, err := Verify(token, anyType, key); err != nil || v.Header().Alg != EdDSA {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := Verify(token, Policy{Typ: []string{"JWT"}, Algs: []Alg{ES256}}, pub); !errors.Is(err, ErrAlgorithm) {
			t.Errorf("%s where it isn't allowed: %v", name, err)
		}
	}
	if _, err := Verify(forge(t, k, `{"alg":"Ed448","typ":"JWT"}`, `{}`), anyType, pub); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("the other curve: %v", err)
	}
	es, _ := newKey(t, ES256)
	if _, err := Verify(forge(t, es, `{"alg":"Ed25519","typ":"JWT"}`, `{}`), anyType, pub.renamed("")); !errors.Is(err, ErrSignature) {
		t.Errorf("another key: %v", err)
	}
}
