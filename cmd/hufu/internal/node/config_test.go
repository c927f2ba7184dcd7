package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hufu-id/hufu/internal/jose"
)

func TestASealMakerIsNoAuthority(t *testing.T) {
	const head = "origin: https://id.example\ndatabase: sqlite:x\nkek_file: kek\nauthorities:\n  - {code: 1199440000TRY002X9, name_zh: 交管, name_en: Police, types: [driving-licence]}\nseal_makers:\n"
	for name, c := range map[string]struct{ maker, fault string }{
		"another organisation": {"  - {code: 91990000MA9TRY042P, name_zh: 制章, name_en: Makers}", ""},
		"an authority":         {"  - {code: 1199440000TRY002X9, name_zh: 制章, name_en: Makers}", "can't be both"},
		"no credit code":       {"  - {code: 91990000MA9TRY0421, name_zh: 制章, name_en: Makers}", "credit code"},
		"no name":              {"  - {code: 91990000MA9TRY042P, name_zh: 制章}", "name_en"},
		"twice":                {"  - {code: 91990000MA9TRY042P, name_zh: a, name_en: a}\n  - {code: 91990000MA9TRY042P, name_zh: b, name_en: b}", "twice"},
	} {
		file := filepath.Join(t.TempDir(), "hufu.yaml")
		if err := os.WriteFile(file, []byte(head+c.maker+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := ReadConfig(file)
		if c.fault == "" && err != nil || c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// One person with two registrations could approve what she proposed.
func TestTwoPeopleAreTwoKeys(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a", "b"} {
		key, err := jose.GenerateKey(jose.ES256)
		if err != nil {
			t.Fatal(err)
		}
		public, err := key.Public()
		if err != nil {
			t.Fatal(err)
		}
		set, err := jose.MarshalJWKS([]jose.JWK{public})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), set, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for second, fault := range map[string]string{"b": "", "a": "one key"} {
		text := "origin: https://id.example\ndatabase: sqlite:x\nkek_file: kek\nclients:\n"
		for id, key := range map[string]string{"p1": "a", "p2": second} {
			text += "  - {id: " + id + ", name: {zh: a, en: a}, service: {zh: a, en: a}, organisation: 1199440000TRY002X9, auth_method: private_key_jwt, jwks_file: " +
				filepath.Join(dir, key) + ", grant_types: [client_credentials], scopes: [seal]}\n"
		}
		file := filepath.Join(dir, "hufu.yaml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadConfig(file); fault == "" && err != nil || fault != "" && (err == nil || !strings.Contains(err.Error(), fault)) {
			t.Errorf("%q: %v", fault, err)
		}
	}
}
