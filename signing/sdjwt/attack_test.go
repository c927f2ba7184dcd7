package sdjwt

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
)

// raw signs any payload: what a hostile or broken issuer could send.
func raw(t testing.TB, key jose.SigningKey, payload string, disclosures ...string) string {
	t.Helper()
	jwt, err := jose.Sign(key, jose.Header{Typ: Typ}, []byte(payload))
	must(t, err)
	return join(jwt, disclosures)
}

func b64(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// sd writes a payload of an SD-JWT VC with more members.
func sd(members string) string {
	return `{"iss":"https://i.example","vct":"v","exp":1900000000,` + members + `}`
}

func digests(disclosures ...string) string {
	quoted := make([]string, len(disclosures))
	for i, d := range disclosures {
		quoted[i] = `"` + digestText(d) + `"`
	}
	return "[" + strings.Join(quoted, ",") + "]"
}

// Q04: whatever is wrong with a disclosure, the whole is refused and nothing is dropped in silence. Each case has a twin
// that differs in the defect alone.
func TestQ04DisclosureAttacks(t *testing.T) {
	key, _ := newKey(t)
	name, city := b64(`["s1","name","Li"]`), b64(`["s2","city","B"]`)
	element := b64(`["s3","C1"]`)
	nested := func(depth int) string { return strings.Repeat("[", depth) + strings.Repeat("]", depth) }
	chainOf := func(n int) (outer string, all []string) { // n disclosures, each inside the next one
		inner := b64(`["s","a","x"]`)
		all = []string{inner}
		for range n - 1 {
			inner = b64(`["s","a",{"_sd":` + digests(inner) + `}]`)
			all = append(all, inner)
		}
		return inner, all
	}
	deepOuter, deep := chainOf(MaxDisclosures)
	flatOuter, flat := chainOf(5)
	many := make([]string, 10000)
	for i := range many {
		many[i] = b64(fmt.Sprintf(`["s","c%d",1]`, i))
	}
	object := func(d ...string) string { return raw(t, key, sd(`"_sd":`+digests(d...)), d...) }
	for name, c := range map[string]struct {
		bad, twin string
		want      error
	}{
		"unreferenced":                 {raw(t, key, sd(`"_sd":`+digests(name)), name, city), object(name, city), ErrDisclosure},
		"tampered":                     {raw(t, key, sd(`"_sd":`+digests(name)), b64(`["s1","name","Wu"]`)), object(name), ErrDisclosure},
		"another spelling":             {raw(t, key, sd(`"_sd":`+digests(name)), b64(`["s1", "name","Li"]`)), object(name), ErrDisclosure},
		"the same one twice":           {raw(t, key, sd(`"_sd":`+digests(name)), name, name), object(name), ErrDisclosure},
		"invalid UTF-8":                {object(b64("[\"s\",\"name\",\"\xff\"]")), object(b64(`["s","name","y"]`)), ErrMalformed},
		"one element":                  {object(b64(`["s"]`)), object(b64(`["s","n",1]`)), ErrDisclosure},
		"four elements":                {object(b64(`["s","n",1,2]`)), object(b64(`["s","n",1]`)), ErrDisclosure},
		"an object":                    {object(b64(`{"s":1}`)), object(b64(`["s","n",1]`)), ErrMalformed},
		"salt isn't a string":          {object(b64(`[1,"n",1]`)), object(b64(`["1","n",1]`)), ErrDisclosure},
		"name isn't a string":          {object(b64(`["s",1,1]`)), object(b64(`["s","1",1]`)), ErrDisclosure},
		"duplicate member inside":      {object(b64(`["s","n",{"a":1,"a":2}]`)), object(b64(`["s","n",{"a":1,"b":2}]`)), jose.ErrDuplicateMember},
		"padding":                      {object(b64(`["s","n",10]`) + "="), object(b64(`["s","n",10]`)), ErrMalformed},
		"line break":                   {object(name[:4] + "\n" + name[4:]), object(name), ErrMalformed},
		"empty":                        {object(name, ""), object(name), ErrMalformed},
		"name _sd":                     {object(b64(`["s","_sd",[]]`)), object(b64(`["s","sd",[]]`)), ErrDisclosure},
		"name ...":                     {object(b64(`["s","...","x"]`)), object(b64(`["s","..","x"]`)), ErrDisclosure},
		"name _sd_alg":                 {object(b64(`["s","_sd_alg","md5"]`)), object(b64(`["s","sd_alg","md5"]`)), ErrDisclosure},
		"name there already":           {raw(t, key, sd(`"name":"Wu","_sd":`+digests(name)), name), raw(t, key, sd(`"nom":"Wu","_sd":`+digests(name)), name), ErrDisclosure},
		"name disclosed twice":         {object(name, b64(`["s9","name","Wu"]`)), object(name, b64(`["s9","nom","Wu"]`)), ErrDisclosure},
		"iss":                          {object(b64(`["s","iss","x"]`)), object(b64(`["s","isa","x"]`)), ErrDisclosure},
		"exp":                          {object(b64(`["s","exp",1]`)), object(b64(`["s","exq",1]`)), ErrDisclosure},
		"nbf":                          {object(b64(`["s","nbf",1]`)), object(b64(`["s","nbg",1]`)), ErrReserved},
		"vct":                          {object(b64(`["s","vct","x"]`)), object(b64(`["s","vcu","x"]`)), ErrDisclosure},
		"cnf":                          {object(b64(`["s","cnf",{}]`)), object(b64(`["s","cng",{}]`)), ErrReserved},
		"status":                       {object(b64(`["s","status",{}]`)), object(b64(`["s","state",{}]`)), ErrReserved},
		"below status":                 {raw(t, key, sd(`"status":{"_sd":`+digests(name)+`}`), name), raw(t, key, sd(`"state":{"_sd":`+digests(name)+`}`), name), ErrReserved},
		"below cnf, withheld":          {raw(t, key, sd(`"cnf":{"_sd":`+digests(name)+`}`)), raw(t, key, sd(`"cng":{"_sd":`+digests(name)+`}`)), ErrReserved},
		"element for a member":         {object(element), object(name), ErrDisclosure},
		"member for an element":        {raw(t, key, sd(`"l":[{"...":"`+digestText(name)+`"}]`), name), raw(t, key, sd(`"l":[{"...":"`+digestText(element)+`"}]`), element), ErrDisclosure},
		"more in an element's place":   {raw(t, key, sd(`"l":[{"...":"`+digestText(element)+`","a":1}]`), element), raw(t, key, sd(`"l":[{"...":"`+digestText(element)+`"}]`), element), ErrMalformed},
		"... outside of an array":      {raw(t, key, sd(`"l":{"...":"`+digestText(element)+`"}`), element), raw(t, key, sd(`"l":[{"...":"`+digestText(element)+`"}]`), element), ErrReserved},
		"one digest in two places":     {raw(t, key, sd(`"_sd":`+digests(name)+`,"a":{"_sd":`+digests(name)+`}`), name), raw(t, key, sd(`"_sd":`+digests(name)+`,"a":{"_sd":`+digests(city)+`}`), name), ErrDuplicateDigest},
		"one digest twice in a row":    {raw(t, key, sd(`"_sd":`+digests(name, name)), name), raw(t, key, sd(`"_sd":`+digests(name, city)), name), ErrDuplicateDigest},
		"one decoy twice":              {raw(t, key, sd(`"_sd":`+digests(city, city))), raw(t, key, sd(`"_sd":`+digests(city, name))), ErrDuplicateDigest},
		"one digest inside another":    {raw(t, key, sd(`"_sd":`+digests(name, b64(`["s","o",{"_sd":`+digests(name)+`}]`))), name, b64(`["s","o",{"_sd":`+digests(name)+`}]`)), raw(t, key, sd(`"_sd":`+digests(name, b64(`["s","o",{"_sd":`+digests(city)+`}]`))), name, b64(`["s","o",{"_sd":`+digests(city)+`}]`)), ErrDuplicateDigest},
		"_sd isn't an array":           {raw(t, key, sd(`"_sd":"`+digestText(name)+`"`), name), object(name), ErrMalformed},
		"_sd holds a number":           {raw(t, key, sd(`"_sd":[1]`)), raw(t, key, sd(`"_sd":[]`)), ErrMalformed},
		"nested 1,000 in a value":      {object(b64(`["s","n",` + nested(1000) + `]`)), object(b64(`["s","n",` + nested(10) + `]`)), jose.ErrTooLarge},
		"nested through disclosures":   {raw(t, key, sd(`"_sd":`+digests(deepOuter)), deep...), raw(t, key, sd(`"_sd":`+digests(flatOuter)), flat...), ErrTooLarge},
		"10,000 disclosures":           {object(many...), object(many[:100]...), ErrTooLarge},
		"missing last tilde":           {strings.TrimSuffix(object(name), "~"), object(name), ErrKeyBinding},
		"no tilde at all":              {strings.TrimSuffix(object(), "~"), object(), ErrMalformed},
		"payload isn't an object":      {raw(t, key, `null`), raw(t, key, sd(`"a":1`)), ErrMalformed},
		"payload has a duplicate":      {raw(t, key, sd(`"a":1,"a":2`)), raw(t, key, sd(`"a":1,"b":2`)), jose.ErrDuplicateMember},
		"exp in text":                  {raw(t, key, `{"vct":"v","exp":"1900000000"}`), raw(t, key, `{"vct":"v","exp":1900000000}`), ErrMalformed},
		"exp with a fraction":          {raw(t, key, `{"vct":"v","exp":1900000000.5}`), raw(t, key, `{"vct":"v","exp":1900000000}`), ErrMalformed},
		"exp of 1e300":                 {raw(t, key, `{"vct":"v","exp":1e300}`), raw(t, key, `{"vct":"v"}`), ErrMalformed},
		"no vct":                       {raw(t, key, `{"exp":1900000000}`), raw(t, key, `{"vct":"v","exp":1900000000}`), ErrMalformed},
		"status isn't an object":       {raw(t, key, `{"vct":"v","status":[]}`), raw(t, key, `{"vct":"v","status":{}}`), ErrMalformed},
		"iss isn't text":               {raw(t, key, `{"vct":"v","iss":["https://i.example"]}`), raw(t, key, `{"vct":"v","iss":"https://i.example"}`), ErrMalformed},
		"too long":                     {object(name) + strings.Repeat("a", MaxBytes), object(name), ErrTooLarge},
		"the old type vc+sd-jwt (N01)": {withTyp(t, key, "vc+sd-jwt"), withTyp(t, key, Typ), jose.ErrType},
		"no type (N01)":                {withTyp(t, key, ""), withTyp(t, key, Typ), jose.ErrType},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse(c.twin); err != nil {
				t.Errorf("the twin was refused: %v", err)
			}
			if _, err := Parse(c.bad); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func withTyp(t testing.TB, key jose.SigningKey, typ string) string {
	t.Helper()
	jwt, err := jose.Sign(key, jose.Header{Typ: typ}, []byte(sd(`"a":1`)))
	must(t, err)
	return jwt + "~"
}

// Q05: the hash that an attacker would choose.
func TestQ05HashAlgorithm(t *testing.T) {
	key, _ := newKey(t)
	d := b64(`["s1","name","Li"]`)
	hex := fmt.Sprintf("%x", "0123456789abcdef0123456789abcdef")
	for name, c := range map[string]struct {
		payload string
		want    error
	}{
		"absent is sha-256":   {sd(`"_sd":` + digests(d)), nil},
		"sha-256":             {sd(`"_sd_alg":"sha-256","_sd":` + digests(d)), nil},
		"sha-512":             {sd(`"_sd_alg":"sha-512","_sd":["` + hashAlgs["sha-512"].digest(d) + `"]`), nil},
		"sha-384":             {sd(`"_sd_alg":"sha-384","_sd":["` + hashAlgs["sha-384"].digest(d) + `"]`), nil},
		"md5":                 {sd(`"_sd_alg":"md5","_sd":` + digests(d)), ErrHashAlgorithm},
		"SHA-256 in capitals": {sd(`"_sd_alg":"SHA-256","_sd":` + digests(d)), ErrHashAlgorithm},
		"unknown":             {sd(`"_sd_alg":"blake9","_sd":` + digests(d)), ErrHashAlgorithm},
		"not text":            {sd(`"_sd_alg":256,"_sd":` + digests(d)), ErrHashAlgorithm},
		"null":                {sd(`"_sd_alg":null,"_sd":` + digests(d)), ErrHashAlgorithm},
		"below the top":       {sd(`"a":{"_sd_alg":"sha-256"},"_sd":` + digests(d)), ErrReserved},
		"digests of sha-512":  {sd(`"_sd_alg":"sha-256","_sd":["` + hashAlgs["sha-512"].digest(d) + `"]`), ErrMalformed},
		"digests in hex":      {sd(`"_sd":["` + hex + `"]`), ErrMalformed},
		"digests padded":      {sd(`"_sd":["` + digestText(d) + `="]`), ErrMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse(raw(t, key, c.payload, d)); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

// Q01, Q02, Q03: the holder's proof, each against its twin.
func TestKeyBindingAttacks(t *testing.T) {
	key, pub := newKey(t)
	wallet, holder := newKey(t)
	stranger, _ := newKey(t)
	at := time.Unix(1700000100, 0)
	p, err := Parse(issue(t, key, licence(&holder)))
	must(t, err)
	text, err := p.Present(P("name"), P("flag"))
	must(t, err)
	proof := func(k jose.SigningKey, typ string, claims map[string]any) string {
		full := map[string]any{"iat": at.Unix(), "aud": "https://v.example", "nonce": "n-1", "sd_hash": digestText(text)}
		for name, v := range claims {
			full[name] = v
			if v == nil {
				delete(full, name)
			}
		}
		jwt, err := jose.SignJSON(k, jose.Header{Typ: typ, NoKeyID: true}, full)
		must(t, err)
		return jwt
	}
	judge := func(text string) error {
		p, err := Parse(text)
		if err != nil {
			return err
		}
		v, err := p.Verify(pub)
		if err != nil {
			return err
		}
		kb, err := v.KeyBinding()
		if err != nil {
			return err
		}
		return kb.Check(Challenge{Nonce: "n-1", Audience: "https://v.example", At: at})
	}
	good := text + proof(wallet, KeyBindingTyp, nil)
	must(t, judge(good))
	parts := strings.Split(good, "~")
	none := b64(`{"alg":"none","typ":"kb+jwt"}`) + "." + b64(`{}`) + "."
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"Q01 other nonce":         {text + proof(wallet, KeyBindingTyp, map[string]any{"nonce": "n-2"}), ErrChallenge},
		"Q01 no nonce":            {text + proof(wallet, KeyBindingTyp, map[string]any{"nonce": nil}), ErrKeyBinding},
		"Q01 empty nonce":         {text + proof(wallet, KeyBindingTyp, map[string]any{"nonce": ""}), ErrKeyBinding},
		"Q01 other audience":      {text + proof(wallet, KeyBindingTyp, map[string]any{"aud": "https://w.example"}), ErrChallenge},
		"Q01 audience with slash": {text + proof(wallet, KeyBindingTyp, map[string]any{"aud": "https://v.example/"}), ErrChallenge},
		"Q01 audience in a list":  {text + proof(wallet, KeyBindingTyp, map[string]any{"aud": []string{"https://v.example"}}), ErrKeyBinding},
		"Q02 absent":              {text, ErrNoKeyBinding},
		"Q02 other key":           {text + proof(stranger, KeyBindingTyp, nil), ErrKeyBinding},
		"Q02 issuer's key":        {text + proof(key, KeyBindingTyp, nil), ErrKeyBinding},
		"Q02 other type":          {text + proof(wallet, "JWT", nil), jose.ErrType},
		"Q02 ten minutes ago":     {text + proof(wallet, KeyBindingTyp, map[string]any{"iat": at.Unix() - 600}), ErrKeyBindingTime},
		"Q02 in ten minutes":      {text + proof(wallet, KeyBindingTyp, map[string]any{"iat": at.Unix() + 600}), ErrKeyBindingTime},
		"Q02 no iat":              {text + proof(wallet, KeyBindingTyp, map[string]any{"iat": nil}), ErrKeyBinding},
		"Q02 iat in text":         {text + proof(wallet, KeyBindingTyp, map[string]any{"iat": "1700000100"}), ErrKeyBinding},
		"Q02 alg none":            {text + none, jose.ErrAlgorithm},
		"Q03 disclosure removed":  {strings.Join(append(parts[:1:1], parts[2:]...), "~"), ErrKeyBinding},
		"Q03 reordered":           {strings.Join([]string{parts[0], parts[2], parts[1], parts[3]}, "~"), ErrKeyBinding},
		"Q03 disclosure added":    {strings.Join([]string{parts[0], parts[1], parts[2], disclosureOf(t, p, "address"), parts[3]}, "~"), ErrKeyBinding},
		"Q03 sd_hash absent":      {text + proof(wallet, KeyBindingTyp, map[string]any{"sd_hash": nil}), ErrKeyBinding},
		"Q03 sd_hash of less":     {text + proof(wallet, KeyBindingTyp, map[string]any{"sd_hash": digestText(strings.TrimSuffix(text, "~"))}), ErrKeyBinding},
	} {
		t.Run(name, func(t *testing.T) {
			if err := judge(c.text); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	t.Run("Q01 empty challenge", func(t *testing.T) {
		v, err := mustParse(t, good).Verify(pub)
		must(t, err)
		kb, err := v.KeyBinding()
		must(t, err)
		if err := kb.Check(Challenge{At: at}); !errors.Is(err, ErrChallenge) {
			t.Errorf("an empty challenge was answered: %v", err)
		}
	})
	t.Run("N10 private key in cnf", func(t *testing.T) {
		private, err := jose.MarshalPrivateJWK(wallet)
		must(t, err)
		v, err := mustParse(t, raw(t, key, sd(`"cnf":{"jwk":`+string(private)+`}`))).Verify(pub)
		must(t, err)
		if _, err := v.Holder(); !errors.Is(err, jose.ErrPrivateKey) {
			t.Errorf("got %v", err)
		}
	})
}

func mustParse(t testing.TB, text string) Parsed {
	t.Helper()
	p, err := Parse(text)
	must(t, err)
	return p
}

func disclosureOf(t testing.TB, p Parsed, name string) string {
	t.Helper()
	for _, d := range p.disclosures {
		if d.name == name {
			return d.text
		}
	}
	t.Fatalf("no disclosure of %s", name)
	return ""
}

func TestVerifyRefusesOtherKeys(t *testing.T) {
	key, pub := newKey(t)
	_, other := newKey(t)
	p := mustParse(t, issue(t, key, licence(nil)))
	if _, err := p.Verify(pub); err != nil {
		t.Errorf("the twin: %v", err)
	}
	if _, err := p.Verify(other); !errors.Is(err, jose.ErrNoKey) && !errors.Is(err, jose.ErrSignature) {
		t.Errorf("another key: %v", err)
	}
	if _, err := p.Verify(); !errors.Is(err, jose.ErrNoKey) {
		t.Errorf("no key: %v", err)
	}
}
