package messages

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// TestCatalogueIsComplete: the same keys and arguments in every language, no key twice, no text empty.
func TestCatalogueIsComplete(t *testing.T) {
	for key := range catalogue[ZH] {
		if !Has(key) {
			t.Errorf("%s: missing in en", key)
		}
	}
	for key, en := range catalogue[EN] {
		zh, ok := catalogue[ZH][key]
		if !ok {
			t.Errorf("%s: missing in zh", key)
			continue
		}
		a, b := map[string]bool{}, map[string]bool{}
		zh.arguments(a)
		en.arguments(b)
		if !maps.Equal(a, b) {
			t.Errorf("%s: arguments %v in zh, %v in en", key, a, b)
		}
		if len(zh) == 0 || len(en) == 0 {
			t.Errorf("%s: empty text", key)
		}
	}
	names, err := filepath.Glob("*.json")
	if err != nil || len(names) < len(Langs) {
		t.Fatal("no catalogues", err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var keys map[string]json.RawMessage
		if err := json.Unmarshal(b, &keys); err != nil {
			t.Fatal(err)
		}
		if lines := strings.Count(string(b), "\n  \""); lines != len(keys) {
			t.Errorf("%s: %d lines, %d keys: a key stands twice", name, lines, len(keys))
		}
	}
}

// TestCatalogueSpeaksItsLanguage: an untranslated text is the most common fault of a catalogue.
func TestCatalogueSpeaksItsLanguage(t *testing.T) {
	isHan := func(r rune) bool { return unicode.Is(unicode.Han, r) }
	for key, en := range catalogue[EN] {
		if s := In(EN, key, nil); strings.ContainsFunc(s, isHan) && key != "chooser.hint" {
			t.Errorf("%s: Chinese in the English catalogue: %s", key, s)
		} else if strings.ContainsAny(s, "“”‘’，。？") {
			t.Errorf("%s: Chinese punctuation or curly quotes in English: %s", key, s)
		}
		_ = en
		if s := In(ZH, key, nil); !strings.ContainsFunc(s, isHan) && !strings.HasPrefix(key, "start.client.") && key != "chooser.app" {
			t.Errorf("%s: no Chinese in the Chinese catalogue: %s", key, s)
		}
	}
}

// TestCatalogueKeepsTheVoice: words that no page uses (design, voice).
func TestCatalogueKeepsTheVoice(t *testing.T) {
	for key := range catalogue[ZH] {
		for _, bad := range []string{"尊敬的用户", "点击这里", "系统繁忙", "操作失败", "输入有误", "身份提供方", "授权登录", "更好地为您服务"} {
			if strings.Contains(In(ZH, key, nil), bad) {
				t.Errorf("%s says %s", key, bad)
			}
		}
		for _, bad := range []string{"oops", "please wait", "click here", "valued"} {
			if strings.Contains(strings.ToLower(In(EN, key, nil)), bad) {
				t.Errorf("%s says %s", key, bad)
			}
		}
	}
}

// TestEveryUsedKeyExistsAndEveryKeyIsUsed reads the templates and the code of the web package.
func TestEveryUsedKeyExistsAndEveryKeyIsUsed(t *testing.T) {
	used := map[string]bool{}
	uses := regexp.MustCompile(`(?:\b[tr]|Say\(|messages\.In\([a-z.]+,) ?"([a-z0-9_.-]+)"`)
	var source strings.Builder
	for _, glob := range []string{"../templates/*.html", "../*.go", "../*/*.go", "../../wallet/*/*.go"} {
		files, err := filepath.Glob(glob)
		if err != nil || len(files) == 0 {
			t.Fatal("no sources", err)
		}
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") || strings.HasPrefix(f, "../messages/") {
				continue
			}
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			source.Write(b)
		}
	}
	for _, m := range uses.FindAllStringSubmatch(source.String(), -1) {
		used[m[1]] = true
		if !strings.HasSuffix(m[1], ".") && !Has(m[1]) {
			t.Errorf("%s is used and stands in no catalogue", m[1])
		}
	}
	prefixes := []string{"problem.", "action.", "claim.", "level.", "docket.loa", "why.", "gender.", "counter.trouble.", "counter.purpose.", "developer.step.", "developer.logout."}
	for key := range catalogue[ZH] {
		if !used[key] && !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(key, p) }) {
			t.Errorf("%s is never used", key)
		}
	}
}

func TestPluralAndArguments(t *testing.T) {
	for _, x := range []struct {
		pattern, n, want string
	}{
		{"{n, plural, one {# item} other {# items}}", "1", "1 item"},
		{"{n, plural, one {# item} other {# items}}", "2", "2 items"},
		{"{n, plural, =0 {none} one {# item} other {# items}}", "0", "none"},
		{"a {n} b", "x", "a x b"},
		{"a|b **c** #", "x", "ab c #"},
	} {
		p, err := parse(x.pattern)
		if err != nil {
			t.Fatal(err)
		}
		if got := p.fill(EN, Args{"n": {ZH: x.n, EN: x.n}}, true); got != x.want {
			t.Errorf("%s with %s: %q, want %q", x.pattern, x.n, got, x.want)
		}
	}
	for _, bad := range []string{"{", "}", "{}", "{n", "{n, select, a {b}}", "{n, plural, one {a}}", "{n, plural, one {a} other {b}", "{n, plural, other {{}}"} {
		if _, err := parse(bad); err == nil {
			t.Errorf("%q: parsed", bad)
		}
	}
}

func TestTextFallsBackAndSaysWhichLanguage(t *testing.T) {
	for _, x := range []struct {
		text Text
		ask  Lang
		want string
		in   Lang
	}{
		{Text{ZH: "甲", EN: "A"}, ZH, "甲", ZH}, {Text{ZH: "甲", EN: "A"}, EN, "A", EN}, {Text{ZH: "甲"}, EN, "甲", ZH}, {Text{EN: "A"}, ZH, "A", EN},
	} {
		if got, in := x.text.In(x.ask); got != x.want || in != x.in {
			t.Errorf("%v in %s: %q in %s", x.text, x.ask, got, in)
		}
	}
}

func TestSayPanicsOnAKeyThatDoesNotExist(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a missing key must be loud")
		}
	}()
	Say("no.such.key", nil)
}

func FuzzParsePattern(f *testing.F) {
	for key := range catalogue[EN] {
		f.Add(In(EN, key, nil))
	}
	f.Add("{n, plural, one {{person}, # licence} other {{person}, # licences}}")
	f.Fuzz(func(t *testing.T, s string) {
		p, err := parse(s)
		if err != nil {
			return
		}
		p.fill(EN, Args{"n": {EN: "1", ZH: "1"}}, false)
	})
}
