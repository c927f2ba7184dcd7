package strictjson

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestDecodeBase64(t *testing.T) {
	for text, want := range map[string]error{"": nil, "AA": nil, "_-8": nil, "AB": ErrMalformed, "AA==": ErrMalformed, "A": ErrMalformed, "AA\n": ErrMalformed, "+/8": ErrMalformed, "A A": ErrMalformed} {
		if _, err := DecodeBase64(text); !errors.Is(err, want) {
			t.Errorf("%q: %v, want %v", text, err, want)
		}
	}
}

func TestDecode(t *testing.T) {
	type inner struct {
		Sub string `json:"sub"`
	}
	long := make([]string, 40)
	for i := range long {
		long[i] = fmt.Sprintf(`"k%d":%d`, i, i)
	}
	cases := map[string]struct {
		text    string
		structs bool // as decoded into a struct
		want    error
	}{
		"plain":                     {`{"sub":"a"}`, true, nil},
		"duplicate":                 {`{"sub":"a","sub":"a"}`, true, ErrDuplicateMember},
		"duplicate, escaped":        {`{"sub":"a","\u0073ub":"b"}`, true, ErrDuplicateMember},
		"duplicate, case":           {`{"sub":"a","SUB":"b"}`, true, ErrDuplicateMember},
		"duplicate, long s":         {`{"sub":"a","` + "\u017f" + `ub":"b"}`, true, ErrDuplicateMember},
		"case in a map":             {`{"sub":"a","SUB":"b"}`, false, nil},
		"duplicate deep inside":     {`{"a":[{"b":{"c":1,"c":2}}]}`, false, ErrDuplicateMember},
		"same name, other objects":  {`{"a":{"x":1},"b":{"x":1},"c":[{"x":1},{"x":2}],"x":1}`, false, nil},
		"name equal to a value":     {`{"a":"b","b":"a"}`, false, nil},
		"braces in strings":         {`{"a":"{\"a\":[","b":"}\\"}`, false, nil},
		"many members":              {`{` + strings.Join(long, ",") + `}`, false, nil},
		"many members, duplicate":   {`{` + strings.Join(long, ",") + `,"k3":1}`, false, ErrDuplicateMember},
		"many, late duplicate":      {`{` + strings.Join(long, ",") + `,"k39":1}`, false, ErrDuplicateMember},
		"two values":                {`{}{}`, false, ErrMalformed},
		"trailing comma":            {`{"a":1,}`, false, ErrMalformed},
		"comment":                   {`{"a":1}//`, false, ErrMalformed},
		"bad UTF-8":                 {"{\"a\":\"\xc3\x28\"}", false, ErrMalformed},
		"32 deep":                   {strings.Repeat(`{"a":`, 31) + `[]` + strings.Repeat(`}`, 31), false, nil},
		"33 deep":                   {strings.Repeat(`{"a":`, 32) + `[]` + strings.Repeat(`}`, 32), false, ErrTooLarge},
		"lone surrogates are equal": {`{"\ud800":1,"\ud801":2}`, false, ErrDuplicateMember},
	}
	for name, c := range cases {
		var err error
		if c.structs {
			err = Decode([]byte(c.text), &inner{})
		} else {
			var v map[string]any
			err = Decode([]byte(c.text), &v)
		}
		if !errors.Is(err, c.want) || c.want == nil && err != nil {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	if err := Decode([]byte(`{"sub":1}`), &inner{}); !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), "sub") {
		t.Errorf("wrong type: %v", err)
	}
	if err := Decode([]byte(`{}`), nil); !errors.Is(err, ErrMalformed) {
		t.Errorf("nil: %v", err)
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`{"a":1,"b":[{"c":"d"}]}`, `{"a":1,"a":2}`, `{"a":1,"\u0061":2}`, `"\\\""`, `[[[[]]]]`, `{"a":"{\"a\":[","b":"}\\"}`, `1e400`, ``} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var v any
		if err := Decode(b, &v); err != nil {
			return
		}
		var plain any
		if err := json.Unmarshal(b, &plain); err != nil && !isRangeError(err) {
			t.Errorf("accepted what encoding/json refuses: %v", err)
		}
		// No member was lost: writing and counting gives as many members as names in the text.
		if got, want := countMembers(v), countNames(b); got != want {
			t.Errorf("%d members of %d", got, want)
		}
	})
}

// isRangeError: 1e400 is fine as a json.Number and not as a float64.
func isRangeError(err error) bool {
	_, ok := err.(*json.UnmarshalTypeError)
	return ok
}

func countMembers(v any) (n int) {
	switch v := v.(type) {
	case map[string]any:
		for _, m := range v {
			n += 1 + countMembers(m)
		}
	case []any:
		for _, m := range v {
			n += countMembers(m)
		}
	}
	return n
}

// countNames counts colons outside of strings: one for each member.
func countNames(b []byte) (n int) {
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			i = stringEnd(b, i) - 1
		case ':':
			n++
		}
	}
	return n
}
