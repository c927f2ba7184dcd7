package cwt

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/hufu-id/hufu/internal/jose"
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	check(t, err)
	return b
}

func newKey(t testing.TB, alg jose.Alg) (jose.SigningKey, jose.JWK) {
	t.Helper()
	k, err := jose.GenerateKey(alg)
	check(t, err)
	pub, err := k.Public()
	check(t, err)
	return k, pub
}

var all = []jose.Alg{jose.ES256, jose.ES384, jose.EdDSA, jose.PS256}

// Messages of the COSE working group, with the key of RFC 9052 appendix C.7.1.
func TestSign1Vectors(t *testing.T) {
	raw, err := os.ReadFile("testdata/vectors.json")
	check(t, err)
	var file struct {
		Key   json.RawMessage
		Cases []struct {
			Name, Hex, Payload, KeyID string
			OK                        bool
		}
	}
	check(t, json.Unmarshal(raw, &file))
	key, err := jose.ParseJWK(file.Key)
	check(t, err)
	for _, c := range file.Cases {
		u, err := Parse(unhex(t, c.Hex), Policy{Tagged: true, Algs: all})
		if !c.OK && errors.Is(err, ErrAlgorithm) {
			continue
		}
		check(t, err)
		if string(u.KeyID()) != c.KeyID || string(u.Payload()) != c.Payload {
			t.Errorf("%s: %q %q", c.Name, u.KeyID(), u.Payload())
		}
		if _, err := u.Verify(key); (err == nil) != c.OK {
			t.Errorf("%s: %v", c.Name, err)
		}
	}
}

func TestSign1RoundTrip(t *testing.T) {
	_, stranger := newKey(t, jose.ES256)
	for _, alg := range all {
		k, pub := newKey(t, alg)
		for _, f := range []Form{{}, {Tagged: true}, {Detached: true}, {Tagged: true, Detached: true}} {
			b, err := Sign(k, Header{Typ: "text/x", KeyID: []byte("12"), X5Chain: [][]byte{{1}, {2}}}, f, []byte("payload"))
			check(t, err)
			u, err := Parse(b, Policy{Tagged: f.Tagged, Detached: f.Detached, Algs: all, Typ: "text/x"})
			check(t, err)
			if u.Alg() != alg || string(u.KeyID()) != "12" || len(u.X5Chain()) != 2 || u.Typ() != "text/x" {
				t.Errorf("%+v", u)
			}
			verify, other := u.Verify, u.VerifyDetached
			if f.Detached {
				verify = func(keys ...jose.JWK) (Verified, error) { return u.VerifyDetached([]byte("payload"), keys...) }
				other = func(_ []byte, keys ...jose.JWK) (Verified, error) { return u.Verify(keys...) }
				if _, err := u.VerifyDetached([]byte("another"), pub); !errors.Is(err, jose.ErrSignature) {
					t.Errorf("another payload: %v", err)
				}
			}
			v, err := verify(stranger, pub)
			check(t, err)
			if string(v.Payload()) != "payload" || v.Key().Thumbprint() != pub.Thumbprint() {
				t.Errorf("%s: %q", alg, v.Payload())
			}
			if _, err := verify(stranger); err == nil {
				t.Error("a stranger's key verified")
			}
			if _, err := other([]byte("payload"), pub); !errors.Is(err, ErrPayload) {
				t.Errorf("detached and not: %v", err)
			}
			if _, err := verify(pub.WithUse("enc")); !errors.Is(err, jose.ErrNoKey) {
				t.Errorf("a key for encryption: %v", err)
			}
			b[len(b)-1] ^= 1
			if u, err := Parse(b, Policy{Tagged: f.Tagged, Detached: f.Detached, Algs: all}); err != nil {
				t.Error(err)
			} else if _, err := u.verify([]byte("payload"), []jose.JWK{pub}); !errors.Is(err, jose.ErrSignature) {
				t.Errorf("changed signature: %v", err)
			}
		}
	}
}

// message writes a COSE_Sign1 of raw parts.
func message(protected, unprotected, payload, signature string) string {
	return "84" + protected + unprotected + payload + signature
}

func TestParseRefuses(t *testing.T) {
	// a10126 = {1: -7}; 4101 = h'01'
	for name, c := range map[string]struct {
		hex  string
		want error
	}{
		"twin":                            {message("43a10126", "a0", "4101", "4102"), nil},
		"twin: x5chain of one":            {message("43a10126", "a118214101", "4101", "4102"), nil},
		"twin: x5chain of two":            {message("43a10126", "a11821"+"8241014102", "4101", "4102"), nil},
		"twin: x5chain protected":         {message("47a20126182141"+"01", "a0", "4101", "4102"), nil},
		"twin: fully specified ESP256":    {message("43a10128", "a0", "4101", "4102"), nil},
		"twin: unknown label":             {message("47a2012619040000", "a0", "4101", "4102"), nil},
		"alg in both headers":             {message("43a10126", "a10126", "4101", "4102"), ErrHeader},
		"alg unprotected only":            {message("41a0", "a10126", "4101", "4102"), ErrHeader},
		"no alg":                          {message("41a0", "a0", "4101", "4102"), ErrHeader},
		"protected empty":                 {message("40", "a0", "4101", "4102"), ErrHeader},
		"alg as text":                     {message("48a101654553323536", "a0", "4101", "4102"), ErrHeader},
		"alg unknown":                     {message("45a101390303", "a0", "4101", "4102"), ErrAlgorithm},
		"alg of HMAC":                     {message("43a10105", "a0", "4101", "4102"), ErrAlgorithm},
		"alg RS256":                       {message("45a101390100", "a0", "4101", "4102"), ErrAlgorithm},
		"alg a fraction":                  {message("45a101f94700", "a0", "4101", "4102"), ErrHeader},
		"crit":                            {message("46a20126028101", "a0", "4101", "4102"), ErrHeader},
		"crit unprotected":                {message("43a10126", "a1028101", "4101", "4102"), ErrHeader},
		"typ unprotected":                 {message("43a10126", "a11061"+"61", "4101", "4102"), ErrHeader},
		"kid in both":                     {message("46a20126044101", "a1044101", "4101", "4102"), ErrHeader},
		"kid not bytes":                   {message("43a10126", "a10401", "4101", "4102"), ErrHeader},
		"kid null":                        {message("43a10126", "a104f6", "4101", "4102"), ErrHeader},
		"twin: kid undefined":             {message("43a10126", "a104f7", "4101", "4102"), nil},
		"label twice":                     {message("45a201260126", "a0", "4101", "4102"), ErrMalformed},
		"label twice, one of them longer": {message("46a20126180126", "a0", "4101", "4102"), ErrMalformed},
		"label twice unprotected":         {message("43a10126", "a204410104"+"4102", "4101", "4102"), ErrMalformed},
		"x5chain empty":                   {message("43a10126", "a1182180", "4101", "4102"), ErrHeader},
		"x5chain of numbers":              {message("43a10126", "a118218101", "4101", "4102"), ErrHeader},
		"x5chain in both":                 {message("47a2012618214101", "a118214101", "4101", "4102"), ErrHeader},
		"protected not bytes":             {message("a10126", "a0", "4101", "4102"), ErrMalformed},
		"protected an array of numbers":   {message("8318a10126", "a0", "4101", "4102"), ErrMalformed},
		"protected not a map":             {message("4101", "a0", "4101", "4102"), ErrHeader},
		"unprotected null":                {message("43a10126", "f6", "4101", "4102"), ErrHeader},
		"payload null":                    {message("43a10126", "a0", "f6", "4102"), ErrPayload},
		"payload text":                    {message("43a10126", "a0", "6161", "4102"), ErrMalformed},
		"signature null":                  {message("43a10126", "a0", "4101", "f6"), ErrMalformed},
		"three parts":                     {"83" + "43a10126" + "a0" + "4101", ErrMalformed},
		"five parts":                      {"85" + "43a10126" + "a0" + "4101" + "4102" + "4103", ErrMalformed},
		"array of indefinite length":      {"9f" + "43a10126" + "a0" + "4101" + "4102" + "ff", ErrMalformed},
		"payload of indefinite length":    {message("43a10126", "a0", "5f4101ff", "4102"), ErrMalformed},
		"tagged":                          {"d2" + message("43a10126", "a0", "4101", "4102"), ErrMalformed},
		"bytes after the end":             {message("43a10126", "a0", "4101", "4102") + "00", ErrMalformed},
		"null (Rekor CVE-2026-23831)":     {"f6", ErrMalformed},
		"nothing":                         {"", ErrMalformed},
		"map":                             {"a0", ErrMalformed},
		"unprotected nested too deep":     {message("43a10126", "a10a"+"81818181818181818181818181818181818181818100", "4101", "4102"), ErrTooLarge},
		"key of a header is an array":     {message("43a10126", "a18000", "4101", "4102"), ErrMalformed},
		"unprotected with a NaN":          {message("43a10126", "a118fff97e00", "4101", "4102"), ErrMalformed},
	} {
		_, err := Parse(unhex(t, c.hex), Policy{Algs: all})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestPolicy(t *testing.T) {
	k, _ := newKey(t, jose.ES256)
	b, err := Sign(k, Header{Typ: "a"}, Form{Tagged: true}, []byte("p"))
	check(t, err)
	good := Policy{Tagged: true, Algs: all, Typ: "a"}
	if _, err := Parse(b, good); err != nil {
		t.Fatal("twin:", err)
	}
	for name, c := range map[string]struct {
		change func(*Policy)
		want   error
	}{
		"zero policy":    {func(p *Policy) { *p = Policy{Tagged: true} }, ErrAlgorithm},
		"other alg":      {func(p *Policy) { p.Algs = []jose.Alg{jose.ES384} }, ErrAlgorithm},
		"other typ":      {func(p *Policy) { p.Typ = "b" }, ErrType},
		"must be bare":   {func(p *Policy) { p.Tagged = false }, ErrMalformed},
		"must be absent": {func(p *Policy) { p.Detached = true }, ErrPayload},
		"too long":       {func(p *Policy) { p.MaxBytes = len(b) - 1 }, ErrTooLarge},
	} {
		p := good
		c.change(&p)
		if _, err := Parse(b, p); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	untyped, err := Sign(k, Header{}, Form{Tagged: true}, nil)
	check(t, err)
	if _, err := Parse(untyped, good); !errors.Is(err, ErrType) {
		t.Errorf("no typ: %v", err)
	}
	if _, err := Sign(jose.SigningKey{}, Header{}, Form{}, nil); err == nil {
		t.Error("signed without a key")
	}
	rsa, _ := newKey(t, jose.RS256)
	if _, err := Sign(rsa, Header{}, Form{}, nil); !errors.Is(err, ErrAlgorithm) {
		t.Errorf("RS256: %v", err)
	}
}

func TestKeys(t *testing.T) {
	for _, alg := range []jose.Alg{jose.ES256, jose.ES384, jose.EdDSA} {
		_, pub := newKey(t, alg)
		b, err := MarshalKey(pub)
		check(t, err)
		back, err := ParseKey(b)
		check(t, err)
		if back.Thumbprint() != pub.Thumbprint() || back.Alg() != alg {
			t.Errorf("%s: %s", alg, back)
		}
		if alg == jose.EdDSA {
			continue
		}
		// y as its sign is another spelling of the same key.
		var m map[int]any
		check(t, Unmarshal(b, &m))
		y := m[-3].([]byte)
		m[-3] = y[len(y)-1]&1 == 1
		short, err := Marshal(m)
		check(t, err)
		if back, err := ParseKey(short); err != nil || back.Thumbprint() != pub.Thumbprint() {
			t.Errorf("%s compressed: %v", alg, err)
		}
	}
	_, rsa := newKey(t, jose.PS256)
	if _, err := MarshalKey(rsa); !errors.Is(err, ErrUnsupportedKey) {
		t.Errorf("RSA: %v", err)
	}
	if _, err := MarshalKey(jose.JWK{}); !errors.Is(err, ErrUnsupportedKey) {
		t.Errorf("no key: %v", err)
	}
}

func TestParseKeyRefuses(t *testing.T) {
	_, pub := newKey(t, jose.ES256)
	b, err := MarshalKey(pub)
	check(t, err)
	for name, c := range map[string]struct {
		change func(map[int]any)
		want   error
	}{
		"twin":                 {func(map[int]any) {}, nil},
		"twin: alg and kid":    {func(m map[int]any) { m[3], m[2] = -7, []byte("k") }, nil},
		"private":              {func(m map[int]any) { m[-4] = make([]byte, 32) }, ErrPrivateKey},
		"symmetric":            {func(m map[int]any) { clear(m); m[1], m[-1] = 4, make([]byte, 32) }, ErrPrivateKey},
		"off the curve":        {func(m map[int]any) { m[-3] = make([]byte, 32) }, jose.ErrInvalidKey},
		"no point of this x":   {func(m map[int]any) { m[-2], m[-3] = bytes.Repeat([]byte{0xff}, 32), true }, jose.ErrInvalidKey},
		"no y":                 {func(m map[int]any) { delete(m, -3) }, ErrMalformed},
		"no x":                 {func(m map[int]any) { delete(m, -2) }, ErrMalformed},
		"x too short":          {func(m map[int]any) { m[-2] = m[-2].([]byte)[1:] }, ErrUnsupportedKey},
		"y with a leading 0":   {func(m map[int]any) { m[-3] = append([]byte{0}, m[-3].([]byte)...) }, jose.ErrInvalidKey},
		"x an array":           {func(m map[int]any) { m[-2] = make([]int, 32) }, ErrMalformed},
		"curve of 521 bits":    {func(m map[int]any) { m[-1] = 3 }, ErrUnsupportedKey},
		"curve for key type 1": {func(m map[int]any) { m[1] = 1 }, ErrUnsupportedKey},
		"RSA":                  {func(m map[int]any) { m[1] = 3 }, ErrUnsupportedKey},
		"alg of another curve": {func(m map[int]any) { m[3] = -35 }, jose.ErrAlgorithm},
		"too large":            {func(m map[int]any) { m[2] = make([]byte, 9000) }, ErrTooLarge},
	} {
		var m map[int]any
		check(t, Unmarshal(b, &m))
		c.change(m)
		changed, err := Marshal(m)
		check(t, err)
		if _, err := ParseKey(changed); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestEncoded(t *testing.T) {
	tagged, err := Encoded([]byte{0xa0})
	check(t, err)
	if inner, err := ParseEncoded(tagged); err != nil || !bytes.Equal(inner, []byte{0xa0}) {
		t.Errorf("%x %v", inner, err)
	}
	for name, text := range map[string]string{"bare": "41a0", "another tag": "d81941a0", "text": "d81861a0", "array": "d81881a0", "nothing": "", "indefinite": "d8185f41a0ff"} {
		if _, err := ParseEncoded(unhex(t, text)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	k, pub := newKey(f, jose.ES256)
	b, err := Sign(k, Header{Typ: "a", X5Chain: [][]byte{{1}}}, Form{Tagged: true}, []byte("p"))
	check(f, err)
	f.Add(b)
	f.Add(unhex(f, message("43a10126", "a118214101", "4101", "4102")))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, p := range []Policy{{Tagged: true, Algs: all}, {Algs: all}, {Detached: true, Algs: all}} {
			u, err := Parse(b, p)
			if err != nil {
				continue
			}
			if u.Alg() == "" || (u.Payload() == nil) != p.Detached {
				t.Error("read what it shouldn't have")
			}
			if v, err := u.Verify(pub); err == nil && string(v.Payload()) != "p" {
				t.Error("a forgery")
			}
		}
	})
}

func FuzzParseKey(f *testing.F) {
	for _, alg := range []jose.Alg{jose.ES256, jose.ES384, jose.EdDSA} {
		_, pub := newKey(f, alg)
		b, err := MarshalKey(pub)
		check(f, err)
		f.Add([]byte(b))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		k, err := ParseKey(b)
		if err != nil {
			return
		}
		again, err := MarshalKey(k)
		check(t, err)
		if back, err := ParseKey(again); err != nil || back.Thumbprint() != k.Thumbprint() {
			t.Errorf("another key comes back: %v", err)
		}
	})
}
