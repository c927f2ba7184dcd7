package sdjwt

import (
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/hufu-id/hufu/internal/jose"
)

// readJSON reads exactly one JSON value as jose.DecodeStrict does into an any, in one pass: objects are map[string]any,
// numbers json.Number; duplicate members, invalid UTF-8, a second value and nesting deeper than jose.MaxDepth are
// refused. A credential has a dozen small JSON texts, and going over each three times was a third of the cost of
// verifying it; FuzzReadJSON holds the two readers equal.
func readJSON(b []byte) (any, error) {
	r := jsonReader{b: b}
	v, err := r.value(0)
	if err != nil {
		return nil, err
	}
	if r.space(); r.i != len(b) {
		return nil, errJSON
	}
	return v, nil
}

var errJSON = fmt.Errorf("%w: not one JSON value in UTF-8", jose.ErrMalformed)

type jsonReader struct {
	b []byte
	i int
}

func (r *jsonReader) space() {
	for r.i < len(r.b) && (r.b[r.i] == ' ' || r.b[r.i] == '\t' || r.b[r.i] == '\n' || r.b[r.i] == '\r') {
		r.i++
	}
}

// next skips white space and returns the next byte without taking it; 0 at the end.
func (r *jsonReader) next() byte {
	r.space()
	if r.i == len(r.b) {
		return 0
	}
	return r.b[r.i]
}

func (r *jsonReader) value(depth int) (any, error) {
	switch c := r.next(); c {
	case '{', '[':
		if depth == jose.MaxDepth {
			return nil, fmt.Errorf("%w: JSON nested deeper than %d", jose.ErrTooLarge, jose.MaxDepth)
		}
		r.i++
		if c == '{' {
			return r.object(depth + 1)
		}
		return r.array(depth + 1)
	case '"':
		return r.text()
	case 't':
		return true, r.word("true")
	case 'f':
		return false, r.word("false")
	case 'n':
		return nil, r.word("null")
	default:
		return r.number()
	}
}

func (r *jsonReader) word(w string) error {
	if len(r.b)-r.i < len(w) || string(r.b[r.i:r.i+len(w)]) != w {
		return errJSON
	}
	r.i += len(w)
	return nil
}

// more is called behind a value: true for a comma, false for the closing bracket.
func (r *jsonReader) more(closing byte) (bool, error) {
	c := r.next()
	if c != ',' && c != closing || c == 0 {
		return false, errJSON
	}
	r.i++
	return c == ',', nil
}

func (r *jsonReader) object(depth int) (any, error) {
	out := make(map[string]any)
	if r.next() == '}' {
		r.i++
		return out, nil
	}
	for {
		if r.next() != '"' {
			return nil, errJSON
		}
		name, err := r.text()
		if err != nil {
			return nil, err
		}
		if r.next() != ':' {
			return nil, errJSON
		}
		r.i++
		v, err := r.value(depth)
		if err != nil {
			return nil, err
		}
		if _, twice := out[name]; twice {
			return nil, jose.ErrDuplicateMember
		}
		out[name] = v
		if more, err := r.more('}'); err != nil || !more {
			return out, err
		}
	}
}

func (r *jsonReader) array(depth int) (any, error) {
	out := []any{}
	if r.next() == ']' {
		r.i++
		return out, nil
	}
	for {
		v, err := r.value(depth)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
		if more, err := r.more(']'); err != nil || !more {
			return out, err
		}
	}
}

// text reads a string; r.i is at the opening quote. Escapes are left to encoding/json.
func (r *jsonReader) text() (string, error) {
	start, escaped := r.i, false
	for r.i++; r.i < len(r.b); r.i++ {
		switch c := r.b[r.i]; {
		case c == '"':
			r.i++
			quoted := r.b[start:r.i]
			if !utf8.Valid(quoted) {
				return "", errJSON
			}
			if !escaped {
				return string(quoted[1 : len(quoted)-1]), nil
			}
			var s string
			if json.Unmarshal(quoted, &s) != nil {
				return "", errJSON
			}
			return s, nil
		case c < ' ':
			return "", errJSON
		case c == '\\':
			escaped = true
			r.i++
		}
	}
	return "", errJSON
}

func (r *jsonReader) number() (any, error) {
	start := r.i
	for r.i < len(r.b) {
		c := r.b[r.i]
		if (c < '0' || c > '9') && c != '-' && c != '+' && c != '.' && c != 'e' && c != 'E' {
			break
		}
		r.i++
	}
	text := r.b[start:r.i]
	if len(text) == 0 || !plainInteger(text) && !json.Valid(text) {
		return nil, errJSON
	}
	return json.Number(text), nil
}

// plainInteger recognises the usual number without asking encoding/json.
func plainInteger(text []byte) bool {
	for _, c := range text {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(text) == 1 || text[0] != '0'
}
