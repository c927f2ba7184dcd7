package sealvc

import (
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/signing/sdjwt"
)

const origin = "https://hufu.example"

func good() Seal {
	return Seal{
		ID: "1199440000TRY002X9-01-7K3M9Q2W8Z", Kind: "01", Name: "沙箱省公安厅交通管理局", Owner: Owner{Code: "1199440000TRY002X9", Name: "沙箱省公安厅交通管理局"},
		Picture: &Picture{MediaType: "image/png", SHA256: SignerHash([]byte("picture"))}, DocumentKinds: []string{"decision", "notice"},
		ValidFrom: "2026-01-01", ValidTo: "2028-12-31", Signers: []string{SignerHash([]byte("certificate"))},
	}
}

func TestACredentialIsReadBack(t *testing.T) {
	s := good()
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	vct := origin + Path
	laid, err := sdjwt.Build(sdjwt.Template{Claims: s.Credential(origin+"/seal-makers/1", vct, Integrity(Metadata(vct)), time.Unix(1_780_000_000, 0))})
	if err != nil {
		t.Fatal(err)
	}
	text, err := sdjwt.Issue(key, [][]byte{{1}}, laid)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(text, "~") || strings.Count(text, "~") != 1 {
		t.Errorf("something is selective: %s", text)
	}
	var claims map[string]any
	if err := jose.DecodeStrict(laid.Payload, &claims); err != nil {
		t.Fatal(err)
	}
	again, err := FromClaims(claims)
	if err != nil || !reflect.DeepEqual(again, s) {
		t.Errorf("%+v, %v", again, err)
	}
	if claims["exp"] != json.Number("1861891200") { // 2029-01-01 00:00 in Beijing
		t.Errorf("exp: %v", claims["exp"])
	}
	s.Picture = nil
	if again, err := FromClaims(s.Claims()); err != nil || !reflect.DeepEqual(again, s) {
		t.Errorf("without picture: %+v, %v", again, err)
	}
}

func TestFromClaimsIsStrict(t *testing.T) {
	set := func(path string, v any) func(map[string]any) {
		return func(c map[string]any) {
			if outer, inner, ok := strings.Cut(path, "."); ok {
				c = c[outer].(map[string]any)
				path = inner
			}
			if c[path] = v; v == nil {
				delete(c, path)
			}
		}
	}
	base := good().Credential("https://hufu.example/seal-makers/1", origin+Path, "sha256-x", time.Unix(1_780_000_000, 0))
	for name := range good().Claims() {
		if name == "picture" {
			continue
		}
		c := maps.Clone(base)
		delete(c, name)
		if _, err := FromClaims(c); !errors.Is(err, ErrSeal) {
			t.Errorf("without %s: %v", name, err)
		}
	}
	for name, change := range map[string]func(map[string]any){
		"unknown claim":              set("limit", "1"),
		"bound to a holder":          set("cnf", map[string]any{}),
		"status of its own":          set("status", map[string]any{}),
		"unknown in the owner":       set("owner.country", "CN"),
		"owner a text":               set("owner", "1199440000TRY002X9"),
		"another letter case":        set("SEAL_ID", "1199440000TRY002X9-01-7K3M9Q2W8Z"),
		"kind a number":              set("kind", 1),
		"unknown kind":               set("kind", "06"),
		"id of another owner":        set("owner.code", "1199440000TRY0011H"),
		"id of another kind":         set("kind", "02"),
		"id with a small letter":     set("seal_id", "1199440000TRY002X9-01-7k3M9Q2W8Z"),
		"id too long":                set("seal_id", "1199440000TRY002X9-01-7K3M9Q2W8Z1"),
		"no document kind":           set("document_kinds", []any{}),
		"unknown document kind":      set("document_kinds", []any{"decision", "law"}),
		"document kind twice":        set("document_kinds", []any{"decision", "decision"}),
		"document kind a number":     set("document_kinds", []any{"decision", 1}),
		"document kinds as one text": set("document_kinds", "decision"),
		"no signer":                  set("signers", []any{}),
		"signer twice":               set("signers", []any{SignerHash(nil), SignerHash(nil)}),
		"signer in hex":              set("signers", []any{strings.Repeat("ab", 32)}),
		"signer padded":              set("signers", []any{SignerHash(nil) + "="}),
		"signer not canonical":       set("signers", []any{strings.Repeat("A", 42) + "B"}),
		"signer with a line break":   set("signers", []any{strings.Repeat("A", 43) + "\n"}),
		"a script as picture":        set("picture.media_type", "text/html"),
		"picture a hash":             set("picture", SignerHash(nil)),
		"ends before it begins":      set("valid_from", "2029-01-01"),
		"no day":                     set("valid_to", "2028-02-30"),
		"a time":                     set("valid_to", "2028-12-31T00:00:00Z"),
		"exp of another day":         set("exp", 1861891201),
		"exp a text":                 set("exp", "1861891200"),
		"name turns its direction":   set("name", "公安厅\u202e"),
		"name of spaces":             set("name", "  "),
		"name too long":              set("name", strings.Repeat("局", MaxName+1)),
		"name of two lines":          set("name", "公安厅\n局"),
	} {
		c := maps.Clone(base)
		for k, v := range c {
			if inner, ok := v.(map[string]any); ok {
				c[k] = maps.Clone(inner)
			}
		}
		if _, err := FromClaims(c); err != nil {
			t.Fatalf("the twin of %q: %v", name, err)
		}
		change(c)
		if _, err := FromClaims(c); !errors.Is(err, ErrSeal) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := FromClaims(nil); !errors.Is(err, ErrSeal) {
		t.Error(err)
	}
}

func TestDaysAreBeijings(t *testing.T) {
	s := good()
	for text, want := range map[string]bool{
		"2025-12-31T15:59:59Z": false, "2025-12-31T16:00:00Z": true, "2028-12-31T15:59:59Z": true, "2028-12-31T16:00:00Z": false,
	} {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		if s.CoversAt(at) != want {
			t.Errorf("%s: %v", text, !want)
		}
	}
	if (Seal{}).CoversAt(time.Unix(0, 0)) || !(Seal{}).Expires().IsZero() {
		t.Error("an empty seal covers something")
	}
}

func TestMetadataIsPinned(t *testing.T) {
	vct := origin + Path
	if got, want := Integrity(Metadata(vct)), "sha256-r0YMYnnpvQGev+0EROzpagtBrXLWJr2+//PTEhS6Jb8="; got != want {
		t.Errorf("the bytes changed: %s, was %s; a change needs a new version in Path", got, want)
	}
	var doc struct {
		VCT    string
		Claims []struct{ Path []string }
	}
	if err := json.Unmarshal(Metadata(vct), &doc); err != nil || doc.VCT != vct {
		t.Fatalf("%v %s", err, doc.VCT)
	}
	described := map[string]bool{}
	for _, c := range doc.Claims {
		described[c.Path[0]] = true
	}
	for name := range good().Claims() {
		if !described[name] {
			t.Errorf("%s has no description", name)
		}
	}
}

func TestTablesHaveNames(t *testing.T) {
	for _, n := range append(Kinds(), DocumentKinds()...) {
		if n.ID == "" || n.ZH == "" || n.EN == "" {
			t.Errorf("%+v", n)
		}
	}
	if k, ok := KindNamed("04"); !ok || k.ZH != "合同专用章" {
		t.Error(k)
	}
	if _, ok := DocumentKindNamed("law"); ok {
		t.Error("law")
	}
	if DocumentKindURI(origin, "decision") != "https://hufu.example/document-kinds/decision" {
		t.Error(DocumentKindURI(origin, "decision"))
	}
}

func FuzzFromClaims(f *testing.F) {
	for _, s := range []Seal{good(), {}} {
		b, err := json.Marshal(s.Credential("https://hufu.example/seal-makers/1", origin+Path, "sha256-x", time.Unix(1_780_000_000, 0)))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var c map[string]any
		if jose.DecodeStrict(b, &c) != nil {
			return
		}
		s, err := FromClaims(c)
		if err != nil {
			if !errors.Is(err, ErrSeal) || !reflect.DeepEqual(s, Seal{}) {
				t.Errorf("%+v, %v", s, err)
			}
			return
		}
		again, err := FromClaims(s.Claims())
		if err != nil || !reflect.DeepEqual(again, s) {
			t.Errorf("%+v became %+v, %v", s, again, err)
		}
	})
}
