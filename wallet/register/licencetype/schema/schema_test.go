package schema_test

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/hufu-id/hufu/internal/sample"
	"github.com/hufu-id/hufu/internal/sample/records"
	"github.com/hufu-id/hufu/wallet/register/licencetype"
	"github.com/hufu-id/hufu/wallet/register/licencetype/schema"
)

// compile has the schema read by an implementation that isn't ours, which also checks it against the meta-schema.
func compile(t *testing.T, x licencetype.Type) *jsonschema.Schema {
	t.Helper()
	raw, err := schema.Of(x)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	url := x.VCT + "/" + schema.Name
	if err := c.AddResource(url, doc); err != nil {
		t.Fatal(err)
	}
	out, err := c.Compile(url)
	if err != nil {
		t.Fatalf("%s: %v", x.Path(), err)
	}
	return out
}

// fresh is a good record as JSON gives it.
func fresh(t *testing.T, x licencetype.Type) map[string]any {
	t.Helper()
	w := sample.NewWorld()
	p, _ := w.Person("li-xiuying")
	raw, err := json.Marshal(records.Of(x.ID, p, 1).Body)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	if x.ID == "driving-licence" && x.Version == 1 {
		for _, name := range []string{"portrait", "family_name", "given_name", "issuing_authority_latin"} {
			delete(out["fields"].(map[string]any), name)
		}
	}
	return out
}

// registered says whether the type's own check, which the register uses, takes the fields.
func registered(x licencetype.Type, fields any) bool {
	var f licencetype.Faults
	values, _ := fields.(map[string]any)
	f.Fields(x, values)
	return len(f) == 0
}

func TestAForeignValidatorAgreesWithTheRegister(t *testing.T) {
	all, err := licencetype.Load("https://id.example")
	if err != nil || len(licencetype.Newest(all)) < 10 {
		t.Fatalf("%d types, %v", len(all), err)
	}
	refused := 0
	for _, x := range all {
		s := compile(t, x)
		if err := s.Validate(fresh(t, x)); err != nil || !registered(x, fresh(t, x)["fields"]) {
			t.Fatalf("%s: the good record is refused: %v", x.Path(), err)
		}
		for name, change := range breaks(x) {
			r := fresh(t, x)
			change(r["fields"].(map[string]any))
			foreign, own := s.Validate(r) == nil, registered(x, r["fields"])
			if foreign || own {
				t.Errorf("%s: %s: schema says %v, register %v", x.Path(), name, foreign, own)
			}
			refused++
		}
		for _, name := range []string{"type", "record_number", "holder", "fields", "valid_from"} {
			r := fresh(t, x)
			delete(r, name)
			if s.Validate(r) == nil {
				t.Errorf("%s: without %s", x.Path(), name)
			}
		}
	}
	if refused < 300 {
		t.Errorf("only %d broken records", refused)
	}
}

// breaks are one fault each, for every field of a type.
func breaks(x licencetype.Type) map[string]func(f map[string]any) {
	out := map[string]func(f map[string]any){"unknown field": func(f map[string]any) { f["colour"] = "red" }}
	for _, d := range x.Fields {
		set := func(why string, v any) {
			out[d.Name+" "+why] = func(f map[string]any) { f[d.Name] = v }
		}
		if d.Required {
			out[d.Name+" missing"] = func(f map[string]any) { delete(f, d.Name) }
		}
		set("is a number", 7.0)
		set("is an object", map[string]any{})
		switch d.Kind {
		case "date":
			set("no day", "2024-13-01")
			set("no such day", "2024-02-30")
			set("compact", "20240301")
			set("too early", "1800-01-01")
		case "enum":
			set("no value", "purple")
		case "list":
			set("is a text", d.Values[0])
			set("empty", []any{})
			set("twice", []any{d.Values[0], d.Values[0]})
			set("no value", []any{"purple"})
		case "image":
			set("base64url", "_-__")
			set("too large", strings.Repeat("A", 90000))
		default:
			set("with a control character", "a\x07b")
			set("blank at its end", "a ")
			set("too long", strings.Repeat("长", 600))
			if d.Pattern != "" {
				set("of another form", "长*")
			}
		}
	}
	return out
}

// One type has one text, so that it can be pinned.
func TestASchemaIsTheSameEachTime(t *testing.T) {
	all, err := licencetype.Load("https://id.example")
	if err != nil {
		t.Fatal(err)
	}
	a, _ := schema.Of(all[0])
	for range 20 {
		if b, _ := schema.Of(all[0]); !bytes.Equal(a, b) {
			t.Fatal("two texts")
		}
	}
	var doc map[string]any
	if err := json.Unmarshal(a, &doc); err != nil || !slices.Contains(slices.Collect(maps.Keys(doc)), "$id") {
		t.Fatal(err)
	}
}
