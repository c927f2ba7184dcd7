package province

import (
	"strings"
	"testing"
)

func TestAllHas32InOrderOfCodeByRegion(t *testing.T) {
	list := All()
	if len(list) != 32 {
		t.Fatalf("%d entries", len(list))
	}
	var last Code
	seen := map[string]bool{}
	for _, p := range list {
		if p.Code <= last || len(p.Code) != 6 {
			t.Errorf("%s after %s", p.Code, last)
		}
		last = p.Code
		if got, ok := Lookup(p.Code); !ok || got.Name != p.Name {
			t.Errorf("lookup of %s", p.Code)
		}
		for _, field := range []string{p.Name, p.Short, p.English, p.Letters, p.Abbr, p.Pinyin, p.Initials, p.App} {
			if field == "" {
				t.Errorf("%s has an empty field", p.Code)
			}
		}
		for _, unique := range []string{p.Name, p.Letters, p.Abbr} {
			if seen[unique] {
				t.Errorf("%s twice", unique)
			}
			seen[unique] = true
		}
		if want := Regions()[strings.IndexByte("123456", p.Code[0])].Key; p.Region != want {
			t.Errorf("%s is in %s, want %s", p.Name, p.Region, want)
		}
	}
	for _, c := range []Code{"", "44", "710000", "810000", "820000", "440001", "999999"} {
		if _, ok := Lookup(c); ok {
			t.Errorf("%q is no regional platform", c)
		}
	}
}

func codes(list []Province) string {
	var s []string
	for _, p := range list {
		s = append(s, string(p.Code[:2]))
	}
	return strings.Join(s, " ")
}

func TestSearchFindsByEveryName(t *testing.T) {
	for q, want := range map[string]string{
		"广东": "44", "广东省": "44", "粤": "44", "粤省事": "44", "粤商通": "44", "gd": "44", "GD": "44", "ｇｄ": "44", "guangdong": "44", "Guang Dong": "44", "44": "44", "440000": "44",
		"广": "44 45", "guang": "44 45", "shanxi": "14 61", "陕": "61", "秦": "61", "shaanxi": "61", "蜀": "51", "黔": "52", "申": "31",
		"nmg": "15", "内蒙古": "15", "Nei Mongol": "15", "内蒙古自治区": "15", "hlj": "23", "兵团": "66", "XPCC": "66", "bingtuan": "66", "新疆": "65 66",
		"tibet": "54", "xizang": "54", "广东省广州市天河区": "44", "浙里办": "33", "hn": "41 43 46", "hb": "42 13", "atlantis": "", "<script>": "", "香港": "",
	} {
		if got := codes(Search(q)); got != want && !(q == "hb" && got == "13 42") {
			t.Errorf("%q: %q, want %q", q, got, want)
		}
	}
	if len(Search("")) != 32 || len(Search(" 　-")) != 32 {
		t.Error("an empty query shows all")
	}
}

func TestEveryNameFindsItsProvinceFirst(t *testing.T) {
	for _, p := range All() {
		for _, q := range []string{p.Name, p.Short, p.Abbr, p.App, string(p.Code), p.Letters, p.Pinyin, p.English} {
			found := false
			for _, got := range Search(q) {
				found = found || got.Code == p.Code
			}
			if !found {
				t.Errorf("%q doesn't find %s", q, p.Name)
			}
		}
	}
}

func FuzzSearch(f *testing.F) {
	for _, p := range All() {
		f.Add(p.Name + p.Pinyin)
		f.Add(p.App)
	}
	f.Fuzz(func(t *testing.T, q string) {
		seen := map[Code]bool{}
		for _, p := range Search(q) {
			if seen[p.Code] {
				t.Errorf("%q finds %s twice", q, p.Code)
			}
			seen[p.Code] = true
		}
	})
}
