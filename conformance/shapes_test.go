//go:build conformance

package conformance

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"testing"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/signing/sdjwt"
)

const shapeTyp = "example+sd-jwt"

// shape is a way in which claims can be selectively disclosable. bare is what is left when nothing is shown.
type shape struct {
	name, claims, bare string
	paths              []sdjwt.Path
	frame              string // as @sd-jwt/core wants to be told the same
}

var shapes = []shape{
	{"nothing selective", `{"a":1,"b":{"c":[true,null]}}`, `{"a":1,"b":{"c":[true,null]}}`, nil, `{}`},
	{"flat", `{"sub":"john","name":"John","birth":"1940-01-01"}`, `{"sub":"john"}`, []sdjwt.Path{sdjwt.P("name"), sdjwt.P("birth")}, `{"_sd":["name","birth"]}`},
	{"an object whole", `{"address":{"street":"Main","city":"Any"}}`, `{}`, []sdjwt.Path{sdjwt.P("address")}, `{"_sd":["address"]}`},
	{"an object in parts", `{"address":{"street":"Main","city":"Any"}}`, `{"address":{"city":"Any"}}`, []sdjwt.Path{sdjwt.P("address", "street")}, `{"address":{"_sd":["street"]}}`},
	{"an object with nothing left", `{"address":{"street":"Main","city":"Any"}}`, `{"address":{}}`, []sdjwt.Path{sdjwt.P("address", "street"), sdjwt.P("address", "city")},
		`{"address":{"_sd":["street","city"]}}`},
	{"recursive", `{"address":{"street":"Main","city":"Any"}}`, `{}`, []sdjwt.Path{sdjwt.P("address"), sdjwt.P("address", "street"), sdjwt.P("address", "city")},
		`{"_sd":["address"],"address":{"_sd":["street","city"]}}`},
	{"recursive in three steps", `{"a":{"b":{"c":1,"d":2}}}`, `{}`, []sdjwt.Path{sdjwt.P("a"), sdjwt.P("a", "b"), sdjwt.P("a", "b", "c")}, `{"_sd":["a"],"a":{"_sd":["b"],"b":{"_sd":["c"]}}}`},
	{"elements of an array", `{"nationalities":["DE","CN","US"]}`, `{"nationalities":[]}`, []sdjwt.Path{{"nationalities", nil}}, `{"nationalities":{"_sd":[0,1,2]}}`},
	{"one element of an array", `{"nationalities":["DE","CN","US"]}`, `{"nationalities":["DE","US"]}`, []sdjwt.Path{{"nationalities", 1}}, `{"nationalities":{"_sd":[1]}}`},
	{"nulls in an array", `{"x":[null,"a",null]}`, `{"x":["a"]}`, []sdjwt.Path{{"x", 0}, {"x", 2}}, `{"x":{"_sd":[0,2]}}`},
	{"an array in an array", `{"x":[["a","b"],["c"]]}`, `{"x":[["b"],["c"]]}`, []sdjwt.Path{{"x", 0, 0}}, `{"x":{"0":{"_sd":[0]}}}`},
	{"an array in an array, recursive", `{"x":[["a","b"],["c"]]}`, `{"x":[["c"]]}`, []sdjwt.Path{{"x", 0}, {"x", 0, 1}}, `{"x":{"_sd":[0],"0":{"_sd":[1]}}}`},
	{"objects in an array", `{"degrees":[{"t":"B","y":1},{"t":"M","y":2}]}`, `{"degrees":[{"t":"B"},{"t":"M"}]}`, []sdjwt.Path{{"degrees", nil, "y"}}, `{"degrees":{"0":{"_sd":["y"]},"1":{"_sd":["y"]}}}`},
	{"objects in an array, recursive", `{"degrees":[{"t":"B","y":1},{"t":"M","y":2}]}`, `{"degrees":[]}`, []sdjwt.Path{{"degrees", nil}, {"degrees", nil, "y"}},
		`{"degrees":{"_sd":[0,1],"0":{"_sd":["y"]},"1":{"_sd":["y"]}}}`},
	{"empty values", `{"a":{},"b":[],"c":"","d":{"e":[]}}`, `{"d":{}}`, []sdjwt.Path{sdjwt.P("a"), sdjwt.P("b"), sdjwt.P("c"), sdjwt.P("d", "e")}, `{"_sd":["a","b","c"],"d":{"_sd":["e"]}}`},
	{"kinds of values", `{"n":0,"m":-12,"f":1.5,"t":true,"z":null,"s":"x"}`, `{}`, []sdjwt.Path{sdjwt.P("n"), sdjwt.P("m"), sdjwt.P("f"), sdjwt.P("t"), sdjwt.P("z"), sdjwt.P("s")},
		`{"_sd":["n","m","f","t","z","s"]}`},
	// Without a member of the name "", which the library takes for an array's element.
	{"characters", `{"姓名":"李秀英","emoji":"🎫","quote":"\"\\/\u0007","html":"<a>&","a.b":1}`, `{}`,
		[]sdjwt.Path{sdjwt.P("姓名"), sdjwt.P("emoji"), sdjwt.P("quote"), sdjwt.P("html"), sdjwt.P("a.b")}, `{"_sd":["姓名","emoji","quote","html","a.b"]}`},
}

// TestSDJWTShapesBothWays: npm @sd-jwt/core reads what signing/sdjwt builds, and the other way round.
func TestSDJWTShapesBothWays(t *testing.T) {
	t.Parallel()
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := key.Public()
	if err != nil {
		t.Fatal(err)
	}
	if pub, err = jose.FromPublic(pub.Public(), "", ""); err != nil {
		t.Fatal(err)
	}
	var given []map[string]any
	for _, s := range shapes {
		var claims map[string]any
		if err := jose.DecodeStrict([]byte(s.claims), &claims); err != nil {
			t.Fatal(s.name, err)
		}
		laid, err := sdjwt.Build(sdjwt.Template{Claims: claims, Selective: s.paths, Salts: rand.Reader})
		if err != nil {
			t.Fatal(s.name, err)
		}
		jwt, err := jose.Sign(key, jose.Header{Typ: shapeTyp}, laid.Payload)
		if err != nil {
			t.Fatal(err)
		}
		issued := jwt + "~"
		for _, d := range laid.Disclosures {
			issued += d + "~"
		}
		given = append(given, map[string]any{"name": s.name, "claims": json.RawMessage(s.claims), "bare": json.RawMessage(s.bare), "frame": json.RawMessage(s.frame),
			"issued": issued, "shown": jwt + "~"})
	}
	script(t, "shapes.mjs", map[string]any{"key": pub, "shapes": given}, func(request json.RawMessage) any {
		all, bare, err := readForeign(request)
		if err != nil {
			return map[string]any{"error": err.Error()}
		}
		return map[string]any{"all": all, "bare": bare}
	})
}

// readForeign reads an SD-JWT of others, with all disclosures and with none.
func readForeign(request json.RawMessage) (all, bare map[string]any, err error) {
	var r struct {
		Read string
		Key  jose.JWK
	}
	if err := json.Unmarshal(request, &r); err != nil {
		return nil, nil, err
	}
	p, err := sdjwt.ParseAs(r.Read, shapeTyp)
	if err != nil {
		return nil, nil, fmt.Errorf("parse: %w", err)
	}
	v, err := p.Verify(r.Key)
	if err != nil {
		return nil, nil, fmt.Errorf("verify: %w", err)
	}
	text, err := p.Present()
	if err != nil {
		return nil, nil, err
	}
	q, err := sdjwt.ParseAs(text, shapeTyp)
	if err != nil {
		return nil, nil, fmt.Errorf("parse what shows nothing: %w", err)
	}
	return v.Claims(), q.UnverifiedClaims(), nil
}
