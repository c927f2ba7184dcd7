// Package strictjson reads JSON and base64url that come from strangers, without what parsers disagree about. Pure.
//
// internal/jose is the door for most: it re-exports Decode and the errors.
package strictjson

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Errors of this package. None of them carries input, so they may be logged.
var (
	// ErrMalformed: the bytes are not what they claim to be.
	ErrMalformed = errors.New("jose: malformed")
	// ErrTooLarge: nested too deeply.
	ErrTooLarge = errors.New("jose: too large")
	// ErrDuplicateMember: a JSON object names a member twice (RFC 8259 section 4 leaves the meaning open; attackers use it).
	ErrDuplicateMember = errors.New("jose: duplicate JSON member")
)

// MaxDepth is the deepest nesting of JSON that Decode accepts.
const MaxDepth = 32

// Decode decodes exactly one JSON value into v, as encoding/json does with UseNumber, and refuses what parsers
// disagree about: duplicate members (ErrDuplicateMember), a second value, invalid UTF-8 (ErrMalformed), nesting deeper
// than MaxDepth (ErrTooLarge). Unknown members are ignored, as the protocols demand.
//
// encoding/json matches struct fields without regard to case, so that {"sub":"a","SUB":"b"} would yield "b". When v is
// anything but a map, slice of any, or any, members that differ only in case therefore count as duplicates.
//
// The caller limits the size of b.
func Decode(b []byte, v any) (err error) {
	defer func() {
		if recover() != nil { // a parser's panic must not stop a server
			err = fmt.Errorf("%w: parser failure", ErrMalformed)
		}
	}()
	if err := Check(b, !isGeneric(v)); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(v); err != nil {
		return fmt.Errorf("%w: JSON doesn't fit: %s", ErrMalformed, jsonErrorKind(err))
	}
	return nil
}

// isGeneric reports whether decoding into v keeps member names as they are.
func isGeneric(v any) bool {
	t := reflect.TypeOf(v)
	if t == nil || t.Kind() != reflect.Pointer {
		return false
	}
	e := t.Elem()
	for e.Kind() == reflect.Map || e.Kind() == reflect.Slice {
		e = e.Elem()
	}
	return e.Kind() == reflect.Interface || e.Kind() == reflect.String || e == reflect.TypeFor[byte]()
}

// jsonErrorKind names what went wrong without repeating input, which may be personal data.
func jsonErrorKind(err error) string {
	if te, ok := err.(*json.UnmarshalTypeError); ok {
		return "wrong type for member " + te.Field
	}
	return "not readable"
}

// frame is one open object or array of Check.
type frame struct {
	object bool
	key    bool // the next string is a member name
	names  []string
	seen   map[string]struct{} // used when names grows long, so that many members don't cost quadratic time
}

func (f *frame) add(name string) bool {
	if f.seen != nil {
		_, dup := f.seen[name]
		f.seen[name] = struct{}{}
		return !dup
	}
	for _, n := range f.names {
		if n == name {
			return false
		}
	}
	f.names = append(f.names, name)
	if len(f.names) > 16 {
		f.seen = make(map[string]struct{}, 64)
		for _, n := range f.names {
			f.seen[n] = struct{}{}
		}
	}
	return true
}

// Check refuses anything but one well-formed value without duplicate members; fold makes names that differ only in case equal. It relies on json.Valid for
// the grammar and then only needs to find strings, braces and commas.
func Check(b []byte, fold bool) error {
	if !utf8.Valid(b) || !json.Valid(b) {
		return fmt.Errorf("%w: not one JSON value in UTF-8", ErrMalformed)
	}
	var stack []frame
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '{', '[':
			if len(stack) == MaxDepth {
				return fmt.Errorf("%w: JSON nested deeper than %d", ErrTooLarge, MaxDepth)
			}
			stack = append(stack, frame{object: b[i] == '{', key: b[i] == '{'})
		case '}', ']':
			stack = stack[:len(stack)-1]
		case ',':
			top := &stack[len(stack)-1]
			top.key = top.object
		case '"':
			end := stringEnd(b, i)
			if len(stack) > 0 && stack[len(stack)-1].key {
				top := &stack[len(stack)-1]
				top.key = false
				if !top.add(memberName(b[i:end], fold)) {
					return ErrDuplicateMember
				}
			}
			i = end - 1
		}
	}
	return nil
}

// stringEnd returns the index after the closing quote of the string that starts at b[i]. b is valid JSON.
func stringEnd(b []byte, i int) int {
	for i++; b[i] != '"'; i++ {
		if b[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// memberName unquotes a member name, because "a" and "\u0061" name the same member.
func memberName(quoted []byte, fold bool) string {
	name := string(quoted[1 : len(quoted)-1])
	if strings.IndexByte(name, '\\') >= 0 {
		_ = json.Unmarshal(quoted, &name) // valid, as checked before
	}
	if fold {
		name = strings.Map(foldRune, name)
	}
	return name
}

// foldRune maps all runes that encoding/json takes for equal to one of them.
func foldRune(r rune) rune {
	if r < utf8.RuneSelf {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}
	least := r
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		least = min(least, f)
	}
	if least < utf8.RuneSelf {
		return foldRune(least)
	}
	return least
}

// Base64 is base64url without padding whose unused bits must be zero, so that one value has one spelling.
var Base64 = base64.RawURLEncoding.Strict()

// DecodeBase64 decodes strict base64url. Go's decoder skips line breaks; we don't.
func DecodeBase64(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, fmt.Errorf("%w: line break in base64url", ErrMalformed)
	}
	b, err := Base64.DecodeString(s)
	if err != nil {
		return nil, fmt.Errorf("%w: base64url", ErrMalformed)
	}
	return b, nil
}
