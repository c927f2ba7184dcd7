package sdjwt

import (
	"reflect"
	"strings"
	"testing"

	"github.com/hufu-id/hufu/internal/jose"
)

// FuzzParse: no panic, and what is accepted keeps its promises: every disclosure has a place, and presenting everything gives
// the same claims again.
func FuzzParse(f *testing.F) {
	v, _ := loadVectors(f)
	key, _ := newKey(f)
	_, holder := newKey(f)
	f.Add(issue(f, key, licence(&holder)))
	f.Add(issue(f, key, licence(nil)))
	f.Add(join(v.Issued.JWT, v.Issued.Disclosures))
	f.Add(join(v.Issued.JWT, v.Presented.Disclosures) + v.Presented.KeyBinding)
	f.Add(join(v.Structured.JWT, v.Structured.Disclosures))
	f.Add("")
	f.Add("~~")
	f.Add(raw(f, key, sd(`"_sd":[],"l":[{"...":"x"}]`), b64(`["s","x"]`)))
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParseAs(text, Typ, exampleTyp)
		if err != nil {
			return
		}
		for _, path := range p.Disclosed() {
			if len(path) == 0 || !path.Lookup(p.UnverifiedClaims()) {
				t.Errorf("disclosure of %v has no place", path)
			}
		}
		if p.HasKeyBinding() {
			return
		}
		all, err := p.Withhold()
		if err != nil || !strings.HasPrefix(all, p.jwt+"~") {
			t.Fatalf("presenting everything: %v", err)
		}
		again, err := ParseAs(all, Typ, exampleTyp)
		if err != nil || len(again.Disclosed()) != len(p.Disclosed()) || again.Hidden() != p.Hidden() {
			t.Errorf("presented again: %v", err)
		}
	})
}

// FuzzProcess mutates payload and disclosures below the signature, where the fuzzer can't get by itself.
func FuzzProcess(f *testing.F) {
	key, _ := newKey(f)
	name := `["s1","name","Li"]`
	f.Add(sd(`"_sd":`+digests(b64(name))), name, "")
	f.Add(sd(`"l":[{"...":"`+digestText(b64(`["s","C1"]`))+`"},1]`), `["s","C1"]`, "")
	inner := `["s","b",{"c":[1,2,null]}]`
	outer := `["s","a",{"_sd":` + digests(b64(inner)) + `}]`
	f.Add(sd(`"_sd":`+digests(b64(outer))), outer, inner)
	f.Fuzz(func(t *testing.T, payload, one, two string) {
		disclosures := []string{b64(one)}
		if two != "" {
			disclosures = append(disclosures, b64(two))
		}
		p, err := Parse(raw(t, key, payload, disclosures...))
		if err != nil {
			return
		}
		for name := range p.UnverifiedClaims() {
			if name == memberDigests || name == memberElement || name == memberHashAlg {
				t.Errorf("%s is left over", name)
			}
		}
		for _, path := range p.Disclosed() {
			if s, ok := path[0].(string); ok && neverSelective[s] {
				t.Errorf("%s was disclosed", path)
			}
		}
	})
}

// FuzzReadJSON holds our reader equal to jose.DecodeStrict: the same texts are accepted, with the same values.
func FuzzReadJSON(f *testing.F) {
	for _, seed := range []string{`{"a":[1,-2.5e+3,"\u0061\ud83d\ude00\ud800",true,false,null,{}],"b":{"a":""}}`, `[]`, ` 1 `, `01`, `-`, `1.`, `{"a":1,"\u0061":2}`,
		"\"\xff\"", `"\x"`, `{"a":}`, `[1,]`, `[1 2]`, `{,}`, `tru`, `"a`, "\"\n\"", `1 2`, strings.Repeat("[", 40), `{"a"}`, `-0`, `1E9`, "", `"\`,
		strings.Repeat("[", 32) + strings.Repeat("]", 32), strings.Repeat("[", 33) + strings.Repeat("]", 33)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var want any
		wantErr := jose.DecodeStrict(b, &want)
		got, err := readJSON(b)
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: %v, jose says %v", b, err, wantErr)
		}
		if err == nil && !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: %#v, jose says %#v", b, got, want)
		}
	})
}
