package oidc

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/hufu-id/hufu/internal/jose"
)

// The document is kept, but never longer than its keys.
func TestJWKSFollowsTheKeys(t *testing.T) {
	var keys []jose.JWK
	for range 2 {
		k, err := jose.GenerateKey(jose.ES256)
		if err != nil {
			t.Fatal(err)
		}
		public, err := k.Public()
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, public)
	}
	var s keySet
	for _, want := range [][]jose.JWK{keys[:1], keys[:1], keys, {keys[1], keys[0]}, keys[1:], {}, keys} {
		d, err := s.of(want)
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Keys []struct{ Kid, Use string }
		}
		if err := json.Unmarshal(d.body, &got); err != nil {
			t.Fatal(err)
		}
		var kids, wanted []string
		for _, k := range got.Keys {
			kids = append(kids, k.Kid)
			if k.Use != "sig" {
				t.Errorf("use %q", k.Use)
			}
		}
		for _, k := range want {
			wanted = append(wanted, k.KeyID())
		}
		if !slices.Equal(kids, wanted) {
			t.Errorf("%v, want %v", kids, wanted)
		}
	}
}
