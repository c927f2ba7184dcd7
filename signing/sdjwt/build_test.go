package sdjwt

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
)

// counting gives the bytes 0, 1, 2 ...: salts that don't repeat, the same every time.
type counting byte

func (c *counting) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(*c)
		*c++
	}
	return len(b), nil
}

func newKey(t testing.TB) (jose.SigningKey, jose.JWK) {
	t.Helper()
	k, err := jose.GenerateKey(jose.ES256)
	must(t, err)
	pub, err := k.Public()
	must(t, err)
	return k, pub
}

func licence(holder *jose.JWK) Template {
	return Template{
		Claims: map[string]any{"iss": "https://issuer.example", "vct": "https://types.example/licence/1", "iat": 1700000000,
			"name": "李秀英", "classes": []any{"C1", "A2", "D"}, "degrees": []any{map[string]any{"type": "BA"}, map[string]any{"type": "MA"}},
			"address": map[string]any{"street": "1", "city": "2"}, "empty": nil, "flag": false},
		Selective: []Path{P("name"), P("address"), P("address", "street"), {"classes", nil}, {"degrees", nil, "type"}, P("empty"), P("flag")},
		Holder:    holder,
		Salts:     rand.Reader,
	}
}

func issue(t testing.TB, key jose.SigningKey, template Template) string {
	t.Helper()
	laid, err := Build(template)
	must(t, err)
	text, err := Issue(key, nil, laid)
	must(t, err)
	return text
}

func TestBuildRoundTrip(t *testing.T) {
	key, pub := newKey(t)
	_, holder := newKey(t)
	template := licence(&holder)
	before, err := json.Marshal(template.Claims)
	must(t, err)
	p, err := Parse(issue(t, key, template))
	must(t, err)
	verified, err := p.Verify(pub)
	must(t, err)
	got, err := json.Marshal(verified.Claims())
	must(t, err)
	jwk, err := json.Marshal(holder)
	must(t, err)
	want := strings.Replace(string(before), `"degrees"`, `"cnf":{"jwk":`+string(jwk)+`},"degrees"`, 1)
	if !reflect.DeepEqual(asMap(t, string(got)), asMap(t, want)) {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if after, _ := json.Marshal(template.Claims); string(after) != string(before) {
		t.Error("the caller's claims were changed")
	}
	if len(p.Disclosed()) != 10 {
		t.Errorf("disclosures: %v", p.Disclosed())
	}
	if strings.Contains(string(mustLaid(t, template).Payload), "李秀英") {
		t.Error("a selective claim is in the open payload")
	}
}

func mustLaid(t testing.TB, template Template) Laid {
	t.Helper()
	laid, err := Build(template)
	must(t, err)
	return laid
}

func TestBuildIsDeterministic(t *testing.T) {
	one, other := licence(nil), licence(nil)
	one.Salts, other.Salts = new(counting), new(counting)
	one.Decoys, other.Decoys = 3, 3
	if !reflect.DeepEqual(mustLaid(t, one), mustLaid(t, other)) {
		t.Error("same template and salts, other bytes")
	}
}

func TestBuildAddsDecoys(t *testing.T) {
	key, _ := newKey(t)
	template := licence(nil)
	template.Decoys = 4
	p, err := Parse(issue(t, key, template))
	must(t, err)
	if p.Hidden() != 4+4+4+4 { // top level, address, two degrees
		t.Errorf("hidden: %d", p.Hidden())
	}
}

func TestBuildRefuses(t *testing.T) {
	_, holder := newKey(t)
	for name, c := range map[string]struct {
		edit func(*Template)
		want error
	}{
		"iss selective":            {func(b *Template) { b.Selective = append(b.Selective, P("iss")) }, ErrReserved},
		"vct selective":            {func(b *Template) { b.Selective = append(b.Selective, P("vct")) }, ErrReserved},
		"status member selective":  {func(b *Template) { b.Selective = append(b.Selective, P("status", "status_list")) }, ErrReserved},
		"exp selective":            {func(b *Template) { b.Selective = append(b.Selective, P("exp")) }, ErrReserved},
		"nbf selective":            {func(b *Template) { b.Selective = append(b.Selective, P("nbf")) }, ErrReserved},
		"cnf selective":            {func(b *Template) { b.Selective = append(b.Selective, P("cnf")) }, ErrReserved},
		"vct#integrity selective":  {func(b *Template) { b.Selective = append(b.Selective, P("vct#integrity")) }, ErrReserved},
		"claim named _sd":          {func(b *Template) { b.Claims["_sd"] = []any{} }, ErrReserved},
		"claim named ... deep":     {func(b *Template) { b.Claims["a"] = []any{map[string]any{"...": "x"}} }, ErrReserved},
		"claim named _sd_alg":      {func(b *Template) { b.Claims["_sd_alg"] = "md5" }, ErrReserved},
		"cnf twice":                {func(b *Template) { b.Claims["cnf"] = map[string]any{}; b.Holder = &holder }, ErrReserved},
		"misspelt path":            {func(b *Template) { b.Selective = append(b.Selective, P("nmae")) }, ErrNoSuchClaim},
		"empty path":               {func(b *Template) { b.Selective = append(b.Selective, Path{}) }, ErrNoSuchClaim},
		"element out of the array": {func(b *Template) { b.Selective = append(b.Selective, Path{"classes", 3}) }, ErrNoSuchClaim},
	} {
		t.Run(name, func(t *testing.T) {
			good, bad := licence(nil), licence(nil)
			c.edit(&bad)
			if _, err := Build(good); err != nil {
				t.Fatalf("the twin: %v", err)
			}
			if _, err := Build(bad); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	t.Run("no salts", func(t *testing.T) {
		bad := licence(nil)
		bad.Salts = strings.NewReader("short")
		if _, err := Build(bad); err == nil {
			t.Error("a credential without enough randomness")
		}
	})
	t.Run("iat may be selective", func(t *testing.T) {
		b := licence(nil)
		b.Selective = append(b.Selective, P("iat"))
		mustLaid(t, b)
	})
	t.Run("absent claims on request", func(t *testing.T) {
		b := licence(nil)
		b.Selective, b.AbsentOK = append(b.Selective, P("remarks")), true
		mustLaid(t, b)
	})
}

func TestPresentShowsOnlyWhatIsAsked(t *testing.T) {
	key, pub := newKey(t)
	wallet, holder := newKey(t)
	p, err := Parse(issue(t, key, licence(&holder)))
	must(t, err)
	for name, c := range map[string]struct {
		text    func() (string, error)
		present []Path
		absent  []Path
	}{
		"nothing":       {func() (string, error) { return p.Present() }, []Path{P("vct")}, []Path{P("name"), {"classes", 0}, {"degrees", 0, "type"}}},
		"one":           {func() (string, error) { return p.Present(P("name")) }, []Path{P("name")}, []Path{P("address"), P("flag")}},
		"with outer":    {func() (string, error) { return p.Present(P("address", "street")) }, []Path{P("address", "street"), P("address", "city")}, []Path{P("name")}},
		"outer alone":   {func() (string, error) { return p.Present(P("address")) }, []Path{P("address", "city")}, []Path{P("address", "street")}},
		"all elements":  {func() (string, error) { return p.Present(Path{"classes", nil}) }, []Path{{"classes", 2}}, []Path{P("name")}},
		"one element":   {func() (string, error) { return p.Present(Path{"classes", 1}) }, []Path{{"classes", 0}}, []Path{{"classes", 1}}},
		"withheld":      {func() (string, error) { return p.Withhold(P("name")) }, []Path{P("address", "street"), P("flag")}, []Path{P("name")}},
		"withheld tree": {func() (string, error) { return p.Withhold(P("address")) }, []Path{P("name")}, []Path{P("address")}},
	} {
		t.Run(name, func(t *testing.T) {
			text, err := c.text()
			must(t, err)
			shown, err := Parse(text)
			must(t, err)
			verified, err := shown.Verify(pub)
			must(t, err)
			for _, path := range c.present {
				if !path.Lookup(verified.Claims()) {
					t.Errorf("%s is missing", path)
				}
			}
			for _, path := range c.absent {
				if path.Lookup(verified.Claims()) {
					t.Errorf("%s is there", path)
				}
			}
			bound, err := BindKey(text, wallet, "https://verifier.example", "n", time.Unix(1700000100, 0))
			must(t, err)
			q, err := Parse(bound)
			must(t, err)
			again, err := q.Verify(pub)
			must(t, err)
			_, err = again.KeyBinding()
			must(t, err)
		})
	}
	if _, err := p.Present(P("nmae")); !errors.Is(err, ErrNoSuchClaim) {
		t.Errorf("a claim that doesn't exist: %v", err)
	}
	if _, err := p.Present(P("vct")); !errors.Is(err, ErrNoSuchClaim) {
		t.Errorf("a claim that is always shown: %v", err)
	}
}

func TestBindKeyRefuses(t *testing.T) {
	key, _ := newKey(t)
	wallet, holder := newKey(t)
	stranger, _ := newKey(t)
	at := time.Unix(1700000100, 0)
	bound, unbound := issue(t, key, licence(&holder)), issue(t, key, licence(nil))
	good, err := BindKey(bound, wallet, "a", "n", at)
	must(t, err)
	for name, c := range map[string]struct {
		text       string
		key        jose.SigningKey
		aud, nonce string
		want       error
	}{
		"another key":         {bound, stranger, "a", "n", ErrKeyBinding},
		"unbound credential":  {unbound, wallet, "a", "n", ErrNoHolder},
		"no nonce":            {bound, wallet, "a", "", ErrChallenge},
		"no audience":         {bound, wallet, "", "n", ErrChallenge},
		"already bound":       {good, wallet, "a", "n", ErrKeyBinding},
		"not a credential":    {"x", wallet, "a", "n", ErrMalformed},
		"without last tilde~": {strings.TrimSuffix(bound, "~"), wallet, "a", "n", ErrKeyBinding},
	} {
		if _, err := BindKey(c.text, c.key, c.aud, c.nonce, at); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestPathJSON(t *testing.T) {
	var p Path
	must(t, json.Unmarshal([]byte(`["degrees", null, "type", 2]`), &p))
	if !reflect.DeepEqual(p, Path{"degrees", nil, "type", 2}) || p.String() != "degrees.*.type.2" {
		t.Errorf("%#v", p)
	}
	for _, bad := range []string{`[]`, `"a"`, `[1.5]`, `[-1]`, `[true]`, `[["a"]]`} {
		if err := json.Unmarshal([]byte(bad), &p); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
}
