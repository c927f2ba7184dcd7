package sdjwt

import (
	"encoding/json"
	"errors"
	"math"
	"reflect"
	"testing"

	"github.com/hufu-id/hufu/internal/jose"
)

// The short way of copying claims gives what encoding and decoding gives, and refuses what that refuses.
func TestCloneIsTheWayByJSON(t *testing.T) {
	type point struct {
		X int `json:"x"`
	}
	deep := any("end")
	for range jose.MaxDepth - 1 {
		deep = []any{deep}
	}
	for name, v := range map[string]any{
		"kinds": map[string]any{"text": "李秀英 <&> \u2028", "yes": true, "none": nil, "int": 7, "big": int64(math.MaxInt64), "number": json.Number("1.50"), "float": 2.5,
			"list": []any{"C1", 1, []any{}, nil}, "texts": []string{"a", "b"}, "no list": []any(nil), "no texts": []string(nil), "no map": map[string]any(nil),
			"object": map[string]any{"a": map[string]any{}}, "struct": point{3}, "bytes": []byte{1, 2}},
		"not UTF-8":             map[string]any{"a": "x\xffy"},
		"name not UTF-8":        map[string]any{"x\xff": "y"},
		"two names become one":  map[string]any{"x\xff": "y", "x\xfe": "z"},
		"as deep as may be":     map[string]any{"a": deep},
		"deeper":                map[string]any{"a": []any{deep}},
		"not a number":          map[string]any{"a": math.NaN()},
		"a number that isn't":   map[string]any{"a": json.Number("1x")},
		"what JSON hasn't":      map[string]any{"a": func() {}},
		"nothing":               map[string]any(nil),
		"differ in case alone":  map[string]any{"a": 1, "A": 2},
		"a list of the deepest": map[string]any{"a": []any{map[string]any{"b": []any{"c"}}}},
	} {
		want, wantErr := byJSON(v)
		got, err := clone(v, 1)
		if (err == nil) != (wantErr == nil) || err == nil && !reflect.DeepEqual(got, want) || errors.Is(err, jose.ErrTooLarge) != errors.Is(wantErr, jose.ErrTooLarge) {
			t.Errorf("%s: %#v, %v; by JSON %#v, %v", name, got, err, want, wantErr)
		}
	}
	// The caller's values stay.
	inner := map[string]any{"a": "b"}
	got, err := cloneClaims(map[string]any{"o": inner, "l": []any{inner}})
	if err != nil {
		t.Fatal(err)
	}
	delete(got["o"].(map[string]any), "a")
	if inner["a"] != "b" {
		t.Error("the claims are shared")
	}
}
