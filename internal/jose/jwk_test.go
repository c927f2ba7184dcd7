package jose

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"strings"
	"testing"

	"github.com/hufu-id/hufu/internal/strictjson"
)

const goodEC = `{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}`

func TestParseJWKRefuses(t *testing.T) {
	if k := mustKey(t, goodEC); k.Alg() != ES256 || k.KeyID() != "" || k.IsZero() {
		t.Fatalf("positive twin: %v", k)
	}
	rsaJWK := func(bits int, e string) string {
		n := new(big.Int).Lsh(big.NewInt(1), uint(bits-1))
		n.SetBit(n, 0, 1)
		return `{"kty":"RSA","n":"` + strictjson.Base64.EncodeToString(n.Bytes()) + `","e":"` + e + `"}`
	}
	cases := map[string]struct {
		jwk  string
		want error
	}{
		"off curve":           {strings.Replace(goodEC, "IFyM", "IFyN", 1), ErrInvalidKey},
		"point at zero":       {`{"kty":"EC","crv":"P-256","x":"` + strings.Repeat("A", 43) + `","y":"` + strings.Repeat("A", 43) + `"}`, ErrInvalidKey},
		"short coordinate":    {`{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}`, ErrInvalidKey},
		"padded coordinate":   {strings.Replace(goodEC, "v7D4", "v7D4=", 1), ErrInvalidKey},
		"no y":                {`{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"}`, ErrInvalidKey},
		"wrong curve":         {strings.Replace(goodEC, "P-256", "P-384", 1), ErrInvalidKey},
		"P-521":               {strings.Replace(goodEC, "P-256", "P-521", 1), ErrUnsupportedKey},
		"SM2":                 {strings.Replace(goodEC, "P-256", "SM2", 1), ErrUnsupportedKey},
		"T07 P-192":           {strings.Replace(goodEC, "P-256", "P-192", 1), ErrUnsupportedKey},
		"secp256k1":           {strings.Replace(goodEC, "P-256", "secp256k1", 1), ErrUnsupportedKey},
		"kty in another case": {strings.Replace(goodEC, `"EC"`, `"ec"`, 1), ErrUnsupportedKey},
		"no kty":              {`{"crv":"P-256"}`, ErrMalformed},
		"unknown kty":         {`{"kty":"AKP","alg":"ML-DSA-44","pub":"AA"}`, ErrUnsupportedKey},
		"kty twice":           {`{"kty":"oct",` + goodEC[1:], ErrDuplicateMember},
		"private":             {`{"d":"AA",` + goodEC[1:], ErrPrivateKey},
		"private, empty":      {`{"d":"",` + goodEC[1:], ErrPrivateKey},
		"private, null":       {`{"d":null,` + goodEC[1:], ErrPrivateKey},
		"T07 symmetric":       {`{"kty":"oct","k":"AAAA"}`, ErrPrivateKey},
		"RSA primes":          {`{"kty":"RSA","n":"AQAB","e":"AQAB","p":"AQ"}`, ErrPrivateKey},
		"x a number":          {`{"kty":"EC","crv":"P-256","x":1,"y":"AA"}`, ErrMalformed},
		"kid a number":        {`{"kid":1,` + goodEC[1:], ErrMalformed},
		"kid long":            {`{"kid":"` + strings.Repeat("k", 257) + `",` + goodEC[1:], ErrTooLarge},
		"key_ops a string":    {`{"key_ops":"verify",` + goodEC[1:], ErrMalformed},
		"too large":           {`{"kid":"` + strings.Repeat("k", MaxKeyBytes) + `",` + goodEC[1:], ErrTooLarge},
		"list":                {`[` + goodEC + `]`, ErrMalformed},
		"string":              {`"x"`, ErrMalformed},
		"null":                {`null`, ErrMalformed},
		"empty":               {``, ErrMalformed},
		"T07 RSA 1024":        {rsaJWK(1024, "AQAB"), ErrUnsupportedKey},
		"RSA 2047":            {rsaJWK(2047, "AQAB"), ErrUnsupportedKey},
		"RSA 4097":            {rsaJWK(4097, "AQAB"), ErrUnsupportedKey},
		"RSA 16384":           {rsaJWK(16384, "AQAB"), ErrUnsupportedKey},
		"T07 RSA e=1":         {rsaJWK(2048, "AQ"), ErrInvalidKey},
		"RSA e=3":             {rsaJWK(2048, "Aw"), ErrInvalidKey},
		"RSA e even":          {rsaJWK(2048, "AQAC"), ErrInvalidKey},
		"RSA e huge":          {rsaJWK(2048, strings.Repeat("f", 44)), ErrInvalidKey},
		"RSA n missing":       {`{"kty":"RSA","e":"AQAB"}`, ErrInvalidKey},
		"Ed25519 short":       {`{"kty":"OKP","crv":"Ed25519","x":"AAAA"}`, ErrInvalidKey},
		"X25519":              {`{"kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`, ErrUnsupportedKey},
		"Ed448":               {`{"kty":"OKP","crv":"Ed448","x":"AAAA"}`, ErrUnsupportedKey},
	}
	for name, c := range cases {
		if k, err := ParseJWK([]byte(c.jwk)); !errors.Is(err, c.want) || !k.IsZero() {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestJWKRoundTrip(t *testing.T) {
	for _, alg := range everyAlg {
		_, pub := newKey(t, alg)
		for _, k := range []JWK{pub, pub.WithUse("sig"), pub.renamed("")} {
			b, err := json.Marshal(k)
			if err != nil {
				t.Fatal(err)
			}
			again, err := ParseJWK(b)
			if err != nil {
				t.Fatalf("%s: %v", b, err)
			}
			b2, _ := json.Marshal(again)
			if !bytes.Equal(b, b2) || again.Thumbprint() != k.Thumbprint() || again.KeyID() != k.KeyID() || again.Use() != k.Use() || again.Alg() != alg {
				t.Errorf("%s became %s", b, b2)
			}
			var embedded struct{ JWK JWK }
			if err := json.Unmarshal([]byte(`{"JWK":`+string(b)+`}`), &embedded); err != nil || embedded.JWK.Thumbprint() != k.Thumbprint() {
				t.Errorf("embedded: %v", err)
			}
		}
	}
	if _, err := json.Marshal(JWK{}); err == nil {
		t.Error("a zero key was written")
	}
	// Foreign members are dropped, also when their names try to break out (GHSA-4cf7-xm37-g63h).
	k := mustKey(t, `{"x\":0,\"admin":true,"x5u":"http://evil.example",`+goodEC[1:])
	if b, _ := json.Marshal(k); string(b) != goodEC {
		t.Errorf("wrote %s", b)
	}
}

func TestFromPublicChecksToo(t *testing.T) {
	p224, _ := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	p256, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	//lint:ignore SA1019 only raw coordinates can name a point off the curve
	off := ecdsa.PublicKey{Curve: elliptic.P256(), X: big.NewInt(1), Y: big.NewInt(1)}
	for name, c := range map[string]struct {
		pub  any
		alg  Alg
		want error
	}{
		"good":        {&p256.PublicKey, ES256, nil},
		"P-224":       {&p224.PublicKey, "", ErrUnsupportedKey},
		"off curve":   {&off, ES256, ErrInvalidKey},
		"wrong alg":   {&p256.PublicKey, ES384, ErrAlgorithm},
		"private":     {p256, ES256, ErrUnsupportedKey},
		"nil":         {nil, ES256, ErrUnsupportedKey},
		"nil pointer": {(*ecdsa.PublicKey)(nil), ES256, ErrMalformed},
		"empty RSA":   {&rsa.PublicKey{}, RS256, ErrInvalidKey},
	} {
		if _, err := FromPublic(c.pub, "", c.alg); !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// TestParseJWKS: one key that we don't know doesn't fail the set; one that is wrong does.
func TestParseJWKS(t *testing.T) {
	pq := `{"kty":"AKP","alg":"ML-DSA-44","kid":"pq","pub":"AA"}`
	sm2 := strings.Replace(goodEC, "P-256", "SM2", 1)
	small := `{"kty":"RSA","kid":"old","n":"` + strictjson.Base64.EncodeToString(append([]byte{0x80}, bytes.Repeat([]byte{1}, 127)...)) + `","e":"AQAB"}`
	named := func(kid string) string { return `{"kid":"` + kid + `",` + goodEC[1:] }
	used := func(kid, use string) string { return `{"use":"` + use + `",` + named(kid)[1:] }
	typed := func(kid string, kind, declared Alg) string {
		k, _ := newKey(t, kind)
		pub, err := FromPublic(k.Key.Public(), kid, declared)
		if err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(pub)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	many := func(n int) string {
		list := make([]string, n)
		for i := range list {
			list[i] = named(fmt.Sprint(i))
		}
		return strings.Join(list, ",")
	}
	cases := map[string]struct {
		keys string
		n    int
		want error
	}{
		"one":                    {goodEC, 1, nil},
		"none":                   {``, 0, nil},
		"with unknown ones":      {pq + "," + sm2 + "," + small + "," + goodEC, 1, nil},
		"without kid twice":      {goodEC + "," + goodEC, 2, nil},
		"twenty":                 {many(20), 20, nil},
		"twenty-one":             {many(21), 0, ErrTooLarge},
		"T07 duplicate kid":      {named("a") + "," + named("a"), 0, ErrDuplicateKeyID},
		"one kid, two types":     {named("a") + "," + typed("a", EdDSA, "") + "," + typed("a", RS256, ""), 3, nil},
		"one kid, two RSA algs":  {typed("a", RS256, "RS256") + "," + typed("a", RS256, "PS256"), 2, nil},
		"one kid, one RSA alg":   {typed("a", RS256, "RS256") + "," + typed("a", RS256, ""), 0, ErrDuplicateKeyID},
		"one kid, two uses":      {named("a") + "," + used("a", "enc"), 2, nil},
		"one kid, one use enc":   {used("a", "enc") + "," + used("a", "enc"), 0, ErrDuplicateKeyID},
		"with a private key":     {goodEC + `,{"d":"AA",` + goodEC[1:], 0, ErrPrivateKey},
		"with a symmetric key":   {goodEC + `,{"kty":"oct","k":"AAAA"}`, 0, ErrPrivateKey},
		"with a key off a curve": {goodEC + "," + strings.Replace(goodEC, "IFyM", "IFyN", 1), 0, ErrInvalidKey},
		"with a string":          {`"x"`, 0, ErrMalformed},
		"with a duplicate":       {`{"kty":"EC",` + goodEC[1:], 0, ErrDuplicateMember},
	}
	for name, c := range cases {
		got, err := ParseJWKS([]byte(`{"keys":[` + c.keys + `],"x":1}`))
		if !errors.Is(err, c.want) || c.want == nil && err != nil || len(got) != c.n {
			t.Errorf("%s: %d keys, %v; want %d, %v", name, len(got), err, c.n, c.want)
		}
	}
	for _, junk := range []string{``, `[]`, `{}`, `{"keys":{}}`, `{"keys":null}`, `{"keys":[],"keys":[]}`, `{"KEYS":[]}`, `{"keys":[]}x`, goodEC} {
		if _, err := ParseJWKS([]byte(junk)); err == nil {
			t.Errorf("%s accepted", junk)
		}
	}
	if _, err := ParseJWKS([]byte(`{"keys":[],"x":"` + strings.Repeat("x", MaxKeySetBytes) + `"}`)); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
	if b, err := MarshalJWKS(nil); err != nil || string(b) != `{"keys":[]}` {
		t.Errorf("%s %v", b, err)
	}
}

func TestPrivateJWK(t *testing.T) {
	for _, alg := range everyAlg {
		k, pub := newKey(t, alg)
		b, err := MarshalPrivateJWK(k)
		if err != nil {
			t.Fatal(err)
		}
		again, err := ParsePrivateJWK(b)
		if err != nil || again.ID != k.ID || again.Alg != alg {
			t.Fatalf("%s: %v", alg, err)
		}
		token, err := Sign(again, Header{}, []byte(`{}`))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(token, anyType, pub); err != nil {
			t.Error(err)
		}
		if _, err := ParseJWK(b); !errors.Is(err, ErrPrivateKey) {
			t.Errorf("%s: a private key passes for a public one: %v", alg, err)
		}
	}
	bad := map[string]string{
		"public":               goodEC,
		"halves of two keys":   strings.Replace(rfc7515A3Key, "jpsQ", "jpsR", 1),
		"Ed25519, two keys":    strings.Replace(rfc8037Key, "nWGx", "nWGy", 1),
		"d of zero":            `{"d":"` + strings.Repeat("A", 43) + `",` + goodEC[1:],
		"RSA without alg":      rfc7515A2Key,
		"junk":                 `{"kty":"EC"}`,
		"alg of another curve": `{"alg":"ES384",` + rfc7515A3Key[1:],
	}
	for name, text := range bad {
		if _, err := ParsePrivateJWK([]byte(text)); err == nil {
			t.Errorf("%s accepted", name)
		}
	}
	if k, err := ParsePrivateJWK([]byte(`{"kid":"mine",` + rfc7515A3Key[1:])); err != nil || k.ID != "mine" {
		t.Errorf("%v %v", k, err)
	}
}

// TestT03SigningKeyIsNeverShown by printing, logging or marshalling.
func TestT03SigningKeyIsNeverShown(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(slog.NewJSONHandler(&out, nil))
	for _, alg := range everyAlg {
		k, _ := newKey(t, alg)
		b, _ := MarshalPrivateJWK(k)
		var members map[string]string
		if err := json.Unmarshal(b, &members); err != nil {
			t.Fatal(err)
		}
		log.Info("x", "key", k, "in", struct{ K SigningKey }{k})
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x"} {
			fmt.Fprintf(&out, verb+verb, k, &k)
		}
		j, _ := json.Marshal(map[string]any{"k": k, "p": &k})
		out.Write(j)
		raw, _ := strictjson.DecodeBase64(members["d"])
		for _, secret := range []string{members["d"], new(big.Int).SetBytes(raw).String(), fmt.Sprintf("%x", raw), strings.Trim(fmt.Sprint(raw), "[]")} {
			if strings.Contains(out.String(), secret) {
				t.Errorf("%s: private key shown", alg)
			}
		}
		if !strings.Contains(out.String(), k.ID) {
			t.Errorf("%s: not even the name is shown", alg)
		}
	}
}

func TestAlgorithmsAreReadByEitherName(t *testing.T) {
	var got struct{ A, B, C Alg }
	if err := json.Unmarshal([]byte(`{"A":"Ed25519","B":"EdDSA","C":"none"}`), &got); err != nil || got.A != EdDSA || got.B != EdDSA || got.C != "none" {
		t.Errorf("%v %v", got, err)
	}
}
