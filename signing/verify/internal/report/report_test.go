package report

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Every reason, check, result, outcome and step has words in both languages, and both have the same keys.
func TestWordsAreComplete(t *testing.T) {
	for _, lang := range []string{"zh", "en"} {
		other := words[map[string]string{"zh": "en", "en": "zh"}[lang]]
		for key := range words[lang] {
			if other[key] == "" {
				t.Errorf("%q is only in %s", key, lang)
			}
		}
		for _, name := range append(Order[:], SealOrder[:]...) {
			for _, prefix := range []string{"check_", "ok_"} {
				if words[lang][prefix+string(name)] == "" {
					t.Errorf("%s: no %s%s", lang, prefix, name)
				}
			}
		}
		for _, reason := range reasons(t) {
			if words[lang]["reason_"+reason] == "" {
				t.Errorf("%s: no words for %s", lang, reason)
			}
			for _, o := range []Outcome{Valid, Invalid, CannotTell} {
				for _, sealed := range []bool{false, true} {
					for _, step := range (Report{Outcome: o, Reason: reason, Sealed: sealed}).nextSteps() {
						if words[lang][step] == "" {
							t.Errorf("%s: no words for %s", lang, step)
						}
					}
				}
			}
		}
	}
}

// reasons reads the codes from the source, so that a new one can't be forgotten.
func reasons(t *testing.T) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "vocabulary.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if ok && strings.HasPrefix(spec.Names[0].Name, "Reason") {
			code, err := strconv.Unquote(spec.Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, code)
		}
		return true
	})
	if len(out) < 30 {
		t.Fatalf("only %d reasons found", len(out))
	}
	return out
}

// A claim value must not steer the terminal of a clerk.
func TestTextHidesControlCharacters(t *testing.T) {
	r := Report{Outcome: Valid, Reason: ReasonOK, At: time.Unix(0, 0), Claims: map[string]any{
		"name": "Li\x1b[2J\x1b[31mVALID\u202e\u2028\r\n  holder  pass", "ok": "阿依古丽·买买提"}}
	text := r.Text("en")
	for _, bad := range []string{"\x1b", "\u202e", "\u2028", "\r", "\n  holder  pass"} {
		if strings.Contains(text, bad) {
			t.Errorf("%q reached the terminal", bad)
		}
	}
	if !strings.Contains(text, "阿依古丽·买买提") {
		t.Error("an ordinary name was damaged")
	}
}

func TestTextOfZeroReport(t *testing.T) {
	if text := (Report{}).Text("en"); !strings.HasPrefix(text, "CANNOT TELL") {
		t.Errorf("%s", text)
	}
}
