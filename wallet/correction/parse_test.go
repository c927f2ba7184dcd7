package correction

import (
	"testing"
	"unicode/utf8"
)

func FuzzParseAnswer(f *testing.F) {
	for _, s := range []string{`{"answer":"done","outcome":"corrected"}`, `{"answer":"done","Outcome":"corrected"}`, `{"answer":1}`, `[]`, `null`, `{"answer":"a","answer":"b"}`, "{"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		req, err := parseAnswer(b)
		if err != nil && problemOf(err).Status != 400 {
			t.Errorf("%q is a fault: %v", b, err)
		}
		if err == nil && !utf8.ValidString(req.Answer) {
			t.Errorf("%q gave text that is not UTF-8", b)
		}
	})
}

func FuzzCleanText(f *testing.F) {
	for _, s := range []string{"应该是 1958\r\n", "", "\r\r\n", "a\u202eb", "\xff", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out, err := cleanText(s)
		if err != nil {
			return
		}
		if again, err := cleanText(out); err != nil || again != out || out == "" || utf8.RuneCountInString(out) > MaxText {
			t.Errorf("%q became %q, then %q %v", s, out, again, err)
		}
	})
}
