package licencetype

import (
	"bytes"
	"encoding/base64"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/hufu-id/hufu/internal/sample/portrait"
)

// record is a licence as far as this package knows it.
type record map[string]any

func (r record) Value(source string) any { return r[source] }

func driver() record {
	return record{"licence.id": "1.2.3", "licence.valid_from": "2023-05-21", "licence.valid_to": "2029-05-21", "holder.name": "李秀英", "holder.code": "99440119490312002X",
		"fields.licence_number": "99440119490312002X", "fields.sex": "female", "fields.birth_date": "1949-03-12", "fields.nationality": "中国",
		"fields.first_issue_date": "1985-06-01", "fields.vehicle_classes": []string{"C1", "C2", "M", "D", "E"}, "fields.issuing_authority": "沙箱省公安厅交通管理局",
		"fields.issuing_authority_latin": "Sandbox Traffic Police", "fields.family_name": "Li", "fields.given_name": "Xiuying",
		"fields.portrait": portrait.Text("li", true, true)}
}

func newest(t *testing.T, id string) (first, last Type) {
	t.Helper()
	all, err := Load("https://id.example")
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range all {
		if x.ID == id && first.ID == "" {
			first = x
		}
		if x.ID == id {
			last = x
		}
	}
	return first, last
}

// ISO/IEC 18013-5, table 5: what every mobile driving licence has, by form.
func TestDrivingLicenceHasTheMandatoryElements(t *testing.T) {
	_, driving := newest(t, "driving-licence")
	spaces, ok := driving.Elements(driver())
	if !ok || driving.MDoc.DocType != "org.iso.18013.5.1.mDL" || spaces[0].Name != "org.iso.18013.5.1" {
		t.Fatalf("%v %+v", ok, spaces)
	}
	got := map[string]any{}
	for _, e := range spaces[0].Elements {
		got[e.ID] = e.Value
	}
	expiry := Date("2029-05-21")
	want := map[string]any{"family_name": "Li", "given_name": "Xiuying", "birth_date": Date("1949-03-12"), "issue_date": Date("2023-05-21"), "expiry_date": expiry,
		"issuing_country": "CN", "issuing_authority": "Sandbox Traffic Police", "document_number": "99440119490312002X",
		"portrait": portrait.Draw("li", true, true), "un_distinguishing_sign": "CHN", "sex": int64(2),
		"driving_privileges": []any{map[string]any{"vehicle_category_code": "B", "expiry_date": expiry},
			map[string]any{"vehicle_category_code": "B", "expiry_date": expiry, "codes": []any{map[string]any{"code": "78"}}},
			map[string]any{"vehicle_category_code": "A", "expiry_date": expiry}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("elements %v\nwant %v", slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)))
		for k, v := range want {
			if !reflect.DeepEqual(v, got[k]) {
				t.Errorf("%s: %v, want %v", k, got[k], v)
			}
		}
	}
	if spaces[1].Name != "org.iso.18013.5.1.CN" || !slices.ContainsFunc(spaces[1].Elements, func(e ElementValue) bool { return e.ID == "name" && e.Value == "李秀英" }) {
		t.Errorf("domestic namespace %+v", spaces[1])
	}
}

func TestALongTermLicenceExpiresInTheLastYear(t *testing.T) {
	_, driving := newest(t, "driving-licence")
	long := driver()
	delete(long, "licence.valid_to")
	spaces, ok := driving.Elements(long)
	if !ok || spaces[0].Elements[4] != (ElementValue{"expiry_date", Date("9999-12-31")}) {
		t.Fatalf("%v %+v", ok, spaces)
	}
}

// A record of version 1 has no portrait: new SD-JWT copies of version 2 can be made of it, a mobile document only after its renewal.
func TestARecordOfTheFirstVersionServesTheSecondButForTheMobileDocument(t *testing.T) {
	v1, v2 := newest(t, "driving-licence")
	if v1.Version != 1 || v2.Version != 2 {
		t.Fatalf("versions %d and %d", v1.Version, v2.Version)
	}
	old := driver()
	for _, name := range []string{"portrait", "family_name", "given_name", "issuing_authority_latin"} {
		delete(old, "fields."+name)
	}
	if _, ok := v2.Elements(old); ok || !v2.Serves(old) || !v1.Serves(old) {
		t.Error("a record of version 1 is a mobile document, or no credential")
	}
	if _, ok := v2.Elements(driver()); !ok {
		t.Error("the twin is no mobile document")
	}
	if _, ok := v1.Elements(driver()); ok {
		t.Error("version 1 has no mobile form")
	}
	delete(old, "fields.sex")
	if v2.Serves(old) {
		t.Error("a record without a mandatory claim serves")
	}
}

func TestImagesOfRecords(t *testing.T) {
	png, err := base64.StdEncoding.DecodeString("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
	if err != nil {
		t.Fatal(err)
	}
	jpeg := portrait.Draw("x", false, false)
	text := base64.StdEncoding.EncodeToString
	padded := func(n int) []byte {
		return slices.Concat(jpeg[:2], bytes.Repeat([]byte{0xff, 0xd8}, 1), []byte{0xff}, make([]byte, n-7), []byte{0xff, 0xd9})
	}
	any := Field{Name: "photo", Kind: "image"}
	only := Field{Name: "photo", Kind: "image", Media: []string{JPEG}}
	for name, c := range map[string]struct {
		field Field
		text  string
		code  string
	}{
		"JPEG":                {any, text(jpeg), ""},
		"PNG":                 {any, text(png), ""},
		"JPEG where only":     {only, text(jpeg), ""},
		"PNG where only JPEG": {only, text(png), CodeFormat},
		"SVG":                 {any, text([]byte(`<svg xmlns="http://www.w3.org/2000/svg"/>`)), CodeFormat},
		"cut off":             {any, text(jpeg[:len(jpeg)-40]), CodeFormat},
		"something behind":    {any, text(append(slices.Clone(jpeg), "<script>"...)), CodeFormat},
		"base64url":           {any, base64.URLEncoding.EncodeToString(slices.Concat(jpeg[:3], []byte{0xfb, 0xff, 0xbf, 0xff, 0xd9})), CodeFormat},
		"without padding":     {any, strings.TrimRight(text(padded(100)), "="), CodeFormat},
		"with padding":        {any, text(padded(100)), ""},
		"a line end":          {any, text(jpeg)[:76] + "\n" + text(jpeg)[76:], CodeFormat},
		"stray bits":          {any, strings.Replace(text(padded(100)), "2Q==", "2R==", 1), CodeFormat},
		"a data URL":          {any, "data:image/jpeg;base64," + text(jpeg), CodeFormat},
		"the largest":         {any, text(padded(MaxImage)), ""},
		"too large":           {any, text(padded(MaxImage + 1)), CodeTooLarge},
		"far too large":       {any, text(padded(2 * MaxImage)), CodeTooLarge},
	} {
		var f Faults
		got := f.field(c.field, c.text)
		switch {
		case c.code == "" && (len(f) > 0 || got != c.text):
			t.Errorf("%s: %v", name, f)
		case c.code != "" && (len(f) != 1 || f[0].Code != c.code || got != nil):
			t.Errorf("%s: %v", name, f)
		}
	}
}

func TestAnImageBecomesADataURL(t *testing.T) {
	_, driving := newest(t, "driving-licence")
	got, _ := driving.ClaimsOf(driver())["portrait"].(string)
	if got != "data:image/jpeg;base64,"+portrait.Text("li", true, true) {
		t.Errorf("%.60s", got)
	}
}
