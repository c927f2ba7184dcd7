package sdjwt

import (
	"encoding/json"
	"errors"
	"os"
	"reflect"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
)

// vectors are the example values that RFC 9901 prints.
type vectors struct {
	IssuerKey json.RawMessage `json:"issuer_key"`
	Issued    struct {
		JWT         string
		Disclosures []string
		Digests     []string
		Claims      []string
	}
	Presented struct {
		Disclosures []string
		KeyBinding  string `json:"key_binding"`
		Nonce       string
		Audience    string
		IssuedAt    int64 `json:"iat"`
	}
	Structured struct {
		JWT         string
		Disclosures []string
	}
}

const exampleTyp = "example+sd-jwt"

func loadVectors(t testing.TB) (v vectors, key jose.JWK) {
	t.Helper()
	raw, err := os.ReadFile("testdata/rfc9901.json")
	must(t, err)
	must(t, json.Unmarshal(raw, &v))
	key, err = jose.ParseJWK(v.IssuerKey)
	must(t, err)
	return v, key
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// asMap reads JSON the way that payloads are read.
func asMap(t testing.TB, text string) map[string]any {
	t.Helper()
	var m map[string]any
	must(t, jose.DecodeStrict([]byte(text), &m))
	return m
}

func TestRFC9901DigestsOfSection51(t *testing.T) {
	v, _ := loadVectors(t)
	for i, d := range v.Issued.Disclosures {
		if got := digestText(d); got != v.Issued.Digests[i] {
			t.Errorf("%s: %s, want %s", v.Issued.Claims[i], got, v.Issued.Digests[i])
		}
	}
}

func TestRFC9901IssuedSDJWT(t *testing.T) {
	v, key := loadVectors(t)
	p, err := ParseAs(join(v.Issued.JWT, v.Issued.Disclosures), exampleTyp)
	must(t, err)
	verified, err := p.Verify(key)
	must(t, err)
	want := asMap(t, `{"iss":"https://issuer.example.com","iat":1683000000,"exp":1883000000,"sub":"user_42",
		"given_name":"John","family_name":"Doe","email":"johndoe@example.com","phone_number":"+1-202-555-0101",
		"phone_number_verified":true,"birthdate":"1940-01-01","updated_at":1570000000,"nationalities":["US","DE"],
		"address":{"street_address":"123 Main St","locality":"Anytown","region":"Anystate","country":"US"},
		"cnf":{"jwk":{"kty":"EC","crv":"P-256","x":"TCAER19Zvu3OHF4j4W4vfSVoHIP1ILilDls7vCeGemc",
		"y":"ZxjiWWbZMQGHVWKVQ4hbSIirsVfuecCE6t4jT9F2HZQ"}}}`)
	if !reflect.DeepEqual(verified.Claims(), want) {
		t.Errorf("processed payload: %v", verified.Claims())
	}
	for i, path := range p.Disclosed() {
		if path.String() != v.Issued.Claims[i] {
			t.Errorf("disclosure %d is at %s, want %s", i, path, v.Issued.Claims[i])
		}
	}
	if p.Hidden() != 0 {
		t.Errorf("hidden: %d", p.Hidden())
	}
}

func TestRFC9901PresentationWithKeyBinding(t *testing.T) {
	v, key := loadVectors(t)
	text := join(v.Issued.JWT, v.Presented.Disclosures) + v.Presented.KeyBinding
	p, err := ParseAs(text, exampleTyp)
	must(t, err)
	verified, err := p.Verify(key)
	must(t, err)
	kb, err := verified.KeyBinding()
	must(t, err)
	at := time.Unix(v.Presented.IssuedAt, 0).Add(time.Minute)
	must(t, kb.Check(Challenge{Nonce: v.Presented.Nonce, Audience: v.Presented.Audience, At: at}))
	if p.Hidden() != 6 {
		t.Errorf("hidden: %d", p.Hidden())
	}
	want := asMap(t, `{"nationalities":["US"]}`)["nationalities"]
	if !reflect.DeepEqual(verified.Claims()["nationalities"], want) {
		t.Errorf("nationalities: %v", verified.Claims()["nationalities"])
	}
	// The wallet's side: the same selection has the same text, apart from the order of disclosures.
	issued, err := ParseAs(join(v.Issued.JWT, v.Issued.Disclosures), exampleTyp)
	must(t, err)
	own, err := issued.Present(P("family_name"), P("address"), P("given_name"), Path{"nationalities", 0})
	must(t, err)
	if len(own) != len(join(v.Issued.JWT, v.Presented.Disclosures)) {
		t.Errorf("presented: %s", own)
	}
	if _, err := p.Present(P("address")); !errors.Is(err, ErrKeyBinding) {
		t.Errorf("a bound presentation was presented again: %v", err)
	}
}

func TestRFC9901StructuredWithUnicode(t *testing.T) {
	v, key := loadVectors(t)
	p, err := ParseAs(join(v.Structured.JWT, v.Structured.Disclosures), exampleTyp)
	must(t, err)
	verified, err := p.Verify(key)
	must(t, err)
	want := asMap(t, `{"iss":"https://issuer.example.com","iat":1683000000,"exp":1883000000,
		"address":{"region":"\u6e2f\u533a","country":"JP"}}`)
	if !reflect.DeepEqual(verified.Claims(), want) {
		t.Errorf("processed payload: %v", verified.Claims())
	}
}
