package sdjwt

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Path points at a claim, as in type metadata and DCQL (claims path pointer, OpenID4VP 1.0 section 7): a string is a
// member of an object, an int an element of an array, nil all elements of an array.
type Path []any

// P makes a path of member names: P("address", "street").
func P(names ...string) Path {
	p := make(Path, len(names))
	for i, n := range names {
		p[i] = n
	}
	return p
}

// String joins the parts with dots; elements are numbers, all elements a star. For people and logs; not for parsing.
func (p Path) String() string {
	parts := make([]string, len(p))
	for i, s := range p {
		switch s := s.(type) {
		case string:
			parts[i] = s
		case int:
			parts[i] = strconv.Itoa(s)
		case nil:
			parts[i] = "*"
		default:
			parts[i] = "?"
		}
	}
	return strings.Join(parts, ".")
}

// UnmarshalJSON reads the form of type metadata: ["address", "street"], ["degrees", null, "type"].
func (p *Path) UnmarshalJSON(b []byte) error {
	var parts []any
	if err := json.Unmarshal(b, &parts); err != nil || len(parts) == 0 {
		return fmt.Errorf("%w: claim path", ErrMalformed)
	}
	for i, s := range parts {
		switch s := s.(type) {
		case string, nil:
		case float64:
			if s < 0 || s != float64(int(s)) {
				return fmt.Errorf("%w: claim path", ErrMalformed)
			}
			parts[i] = int(s)
		default:
			return fmt.Errorf("%w: claim path", ErrMalformed)
		}
	}
	*p = parts
	return nil
}

// Matches reports whether the path, as a pattern, selects the place at: equal parts, or nil for any element.
func (p Path) Matches(at Path) bool {
	return len(p) == len(at) && p.contains(at)
}

// contains reports whether the place at is selected by p or lies below it.
func (p Path) contains(at Path) bool {
	if len(p) > len(at) {
		return false
	}
	for i, s := range p {
		if s == at[i] {
			continue
		}
		if _, element := at[i].(int); s != nil || !element {
			return false
		}
	}
	return true
}

// with returns the path extended by one part, in memory of its own.
func (p Path) with(part any) Path {
	q := make(Path, len(p)+1)
	copy(q, p)
	q[len(p)] = part
	return q
}

// Lookup returns whether the processed claims hold something at the path. For nil, one element is enough.
func (p Path) Lookup(claims any) bool {
	if len(p) == 0 {
		return true
	}
	switch v := claims.(type) {
	case map[string]any:
		name, ok := p[0].(string)
		if !ok {
			return false
		}
		child, ok := v[name]
		return ok && p[1:].Lookup(child)
	case []any:
		if i, ok := p[0].(int); ok {
			return i >= 0 && i < len(v) && p[1:].Lookup(v[i])
		}
		if p[0] != nil {
			return false
		}
		for _, e := range v {
			if p[1:].Lookup(e) {
				return true
			}
		}
	}
	return false
}
