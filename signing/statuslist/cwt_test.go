package statuslist

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/signing/cwt"
)

func specificationCWT(t testing.TB) (token []byte, key jose.JWK) {
	t.Helper()
	raw, err := os.ReadFile("testdata/vectors.json")
	must(t, err)
	var file struct {
		CWT string
		Key json.RawMessage `json:"cwt_key"`
	}
	must(t, json.Unmarshal(raw, &file))
	token, err = hex.DecodeString(file.CWT)
	must(t, err)
	key, err = jose.ParseJWK(file.Key)
	must(t, err)
	return token, key
}

// The specification's own token in CWT form, signature included.
func TestSpecificationCWT(t *testing.T) {
	b, key := specificationCWT(t)
	p, err := ParseCWT(b)
	must(t, err)
	token, err := p.Verify("https://example.com/statuslists/1", key)
	must(t, err)
	if token.IssuedAt().Unix() != 1686920170 || token.Expires().Unix() != 2291720170 || token.TTL() != 12*time.Hour {
		t.Errorf("%+v", token)
	}
	if hex.EncodeToString(token.List().Bytes()) != "b9a3" {
		t.Errorf("list %x", token.List().Bytes())
	}
	if _, err := p.Verify("https://example.com/statuslists/2", key); !errors.Is(err, ErrSubject) {
		t.Errorf("another list: %v", err)
	}
}

// Both forms of one list say the same.
func TestCWTRoundTrip(t *testing.T) {
	key, err := jose.GenerateKey(jose.ES256)
	must(t, err)
	pub, err := key.Public()
	must(t, err)
	other, err := jose.GenerateKey(jose.ES256)
	must(t, err)
	stranger, err := other.Public()
	must(t, err)
	at := time.Unix(1700000000, 0).UTC()
	l, err := Build(2, 1<<17, []Entry{{5, Invalid}, {6, Suspended}})
	must(t, err)
	small, err := l.Compress()
	must(t, err)
	c := Claims{URI: "https://s.example/1", IssuedAt: at, Expires: at.Add(time.Hour), TTL: time.Minute, List: l, Compressed: small, AggregationURI: "https://s.example/all"}
	payload, err := PayloadCWT(c)
	must(t, err)
	b, err := SignCWT(key, [][]byte{{1}, {2}}, payload)
	must(t, err)
	p, err := ParseCWT(b)
	must(t, err)
	if len(p.X5C()) != 2 || p.Alg() != jose.ES256 || !p.IssuedAt().Equal(at) {
		t.Errorf("%+v", p)
	}
	token, err := p.Verify(c.URI, pub)
	must(t, err)
	for i, want := range map[int64]Status{0: Valid, 5: Invalid, 6: Suspended} {
		if got, err := token.Status(i, at); err != nil || got != want {
			t.Errorf("entry %d: %v, %v", i, got, err)
		}
	}
	if token.TTL() != c.TTL || !token.Expires().Equal(c.Expires) {
		t.Errorf("%+v", token)
	}
	if _, err := token.Status(5, at.Add(time.Hour)); !errors.Is(err, ErrExpired) {
		t.Errorf("Q09 expired: %v", err)
	}
	if _, err := p.Verify(c.URI, stranger); !errors.Is(err, jose.ErrSignature) {
		t.Errorf("Q09 another key: %v", err)
	}
	text, err := Payload(c)
	must(t, err)
	jwt, err := Sign(key, nil, text)
	must(t, err)
	q, err := ParseToken(jwt)
	must(t, err)
	same, err := q.Verify(c.URI, pub)
	must(t, err)
	if string(same.List().Bytes()) != string(token.List().Bytes()) {
		t.Error("the two forms differ")
	}
	// Each form is refused where the other is due.
	if _, err := ParseCWT([]byte(jwt)); err == nil {
		t.Error("a JWT read as CWT")
	}
	if _, err := ParseToken(string(b)); err == nil {
		t.Error("a CWT read as JWT")
	}
	if _, err := (ParsedToken{}).Verify(c.URI, pub); err == nil {
		t.Error("the zero token verified")
	}
}

func TestParseCWTRefuses(t *testing.T) {
	key, err := jose.GenerateKey(jose.ES256)
	must(t, err)
	lst, err := hex.DecodeString("78dadbb918000217015d")
	must(t, err)
	good := func() map[int]any {
		return map[int]any{2: "u", 6: 1, 4: 2, 65534: 3, 65533: map[string]any{"bits": 1, "lst": lst}}
	}
	for name, c := range map[string]struct {
		typ    string
		form   cwt.Form
		change func(map[int]any)
		want   error
	}{
		"twin":               {TypCWT, cwt.Form{Tagged: true}, func(map[int]any) {}, nil},
		"twin: no exp, ttl":  {TypCWT, cwt.Form{Tagged: true}, func(m map[int]any) { delete(m, 4); delete(m, 65534) }, nil},
		"N01 other type":     {"application/cwt", cwt.Form{Tagged: true}, func(map[int]any) {}, cwt.ErrType},
		"no type":            {"", cwt.Form{Tagged: true}, func(map[int]any) {}, cwt.ErrType},
		"untagged":           {TypCWT, cwt.Form{}, func(map[int]any) {}, cwt.ErrMalformed},
		"no sub":             {TypCWT, cwt.Form{Tagged: true}, func(m map[int]any) { delete(m, 2) }, ErrMalformed},
		"sub a number":       {TypCWT, cwt.Form{Tagged: true}, func(m map[int]any) { m[2] = 1 }, ErrMalformed},
		"no iat":             {TypCWT, cwt.Form{Tagged: true}, func(m map[int]any) { delete(m, 6) }, ErrMalformed},
		"iat a fraction":     {TypCWT, cwt.Form{Tagged: true}, func(m map[int]any) { m[6] = 1.5 }, ErrMalformed},
		"iat a whole float":  {TypCWT, cwt.Form{Tagged: true}, func(m map[int]any) { m[6] = 1.0 }, ErrMalformed},
		"exp negative":       {TypCWT, cwt.Form{Tagged: true}, func(m map[int]any) { m[4] = -2 }, ErrMalformed},
		"ttl zero":           {TypCWT, cwt.Form{Tagged: true}, func(m map[int]any) { m[65534] = 0 }, ErrMalformed},
		"three bits":         {TypCWT, cwt.Form{Tagged: true}, func(m map[int]any) { m[65533] = map[string]any{"bits": 3, "lst": lst} }, ErrBits},
		"no bits":            {TypCWT, cwt.Form{Tagged: true}, func(m map[int]any) { m[65533] = map[string]any{"lst": lst} }, ErrMalformed},
		"no list":            {TypCWT, cwt.Form{Tagged: true}, func(m map[int]any) { m[65533] = map[string]any{"bits": 1} }, ErrMalformed},
		"list as base64url":  {TypCWT, cwt.Form{Tagged: true}, func(m map[int]any) { m[65533] = map[string]any{"bits": 1, "lst": "eNrbuRgAAhcBXQ"} }, ErrMalformed},
		"list not an object": {TypCWT, cwt.Form{Tagged: true}, func(m map[int]any) { m[65533] = []int{1} }, ErrMalformed},
	} {
		m := good()
		c.change(m)
		payload, err := cwt.Marshal(m)
		must(t, err)
		b, err := cwt.Sign(key, cwt.Header{Typ: c.typ}, c.form, payload)
		must(t, err)
		if _, err := ParseCWT(b); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

// Q10: a list that inflates without end, or not at all, is refused once its signature holds.
func TestQ10CWTInflation(t *testing.T) {
	key, err := jose.GenerateKey(jose.ES256)
	must(t, err)
	pub, err := key.Public()
	must(t, err)
	for name, c := range map[string]struct {
		lst  []byte
		want error
	}{
		"twin": {compress(t, 1<<14, 0), nil}, "1 GB": {bomb(t), ErrTooLarge}, "nothing": {[]byte{}, ErrMalformed}, "not zlib": {[]byte{1, 2, 3}, ErrMalformed},
	} {
		payload, err := cwt.Marshal(map[int]any{2: "u", 6: 1, 65533: map[string]any{"bits": 1, "lst": c.lst}})
		must(t, err)
		b, err := SignCWT(key, nil, payload)
		must(t, err)
		p, err := ParseCWT(b)
		must(t, err)
		if _, err := p.Verify("u", pub); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func FuzzParseCWT(f *testing.F) {
	b, key := specificationCWT(f)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		p, err := ParseCWT(b)
		if err != nil {
			return
		}
		if token, err := p.Verify("https://example.com/statuslists/1", key); err == nil && token.List().Len() != 16 {
			t.Error("a forgery")
		}
	})
}
