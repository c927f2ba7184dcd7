package messages

import (
	"errors"
	"fmt"
	"strings"
)

// pattern is a parsed message: literal text, arguments and plurals, in order.
type pattern []part

// part is a literal (arg empty), an argument, or a plural over an argument.
type part struct {
	literal string
	arg     string
	plural  map[string]pattern // "one", "other", "=0"; nil for a plain argument
}

var errPattern = errors.New("malformed pattern")

// parse reads the subset of ICU MessageFormat that the catalogue uses: {name} and {name, plural, one {...} other {...}} with # for the
// number. Chinese has only "other".
func parse(s string) (pattern, error) {
	p, rest, err := parseUntil(s, false)
	if err == nil && rest != "" {
		err = fmt.Errorf("%w: stray }", errPattern)
	}
	return p, err
}

// parseUntil parses up to the end of s or, inside a plural branch, up to its closing brace, which it consumes.
func parseUntil(s string, inBranch bool) (pattern, string, error) {
	var p pattern
	for {
		i := strings.IndexAny(s, "{}")
		if i < 0 {
			if inBranch {
				return nil, "", fmt.Errorf("%w: missing }", errPattern)
			}
			return p.literal(s), "", nil
		}
		p = p.literal(s[:i])
		if s[i] == '}' {
			if !inBranch {
				return p, s[i:], nil
			}
			return p, s[i+1:], nil
		}
		var err error
		var next part
		if next, s, err = parseArgument(s[i+1:]); err != nil {
			return nil, "", err
		}
		p = append(p, next)
	}
}

func (p pattern) literal(s string) pattern {
	if s == "" {
		return p
	}
	return append(p, part{literal: s})
}

// parseArgument parses what follows an opening brace.
func parseArgument(s string) (part, string, error) {
	i := strings.IndexAny(s, ",}")
	if i < 0 {
		return part{}, "", fmt.Errorf("%w: missing }", errPattern)
	}
	a := part{arg: strings.TrimSpace(s[:i])}
	if a.arg == "" {
		return part{}, "", fmt.Errorf("%w: argument without name", errPattern)
	}
	if s[i] == '}' {
		return a, s[i+1:], nil
	}
	s = strings.TrimSpace(s[i+1:])
	rest, ok := strings.CutPrefix(s, "plural,")
	if !ok {
		return part{}, "", fmt.Errorf("%w: only plural is known", errPattern)
	}
	a.plural = map[string]pattern{}
	for s = strings.TrimSpace(rest); !strings.HasPrefix(s, "}"); s = strings.TrimSpace(s) {
		name, branch, ok := strings.Cut(s, "{")
		if !ok {
			return part{}, "", fmt.Errorf("%w: plural without }", errPattern)
		}
		var err error
		if a.plural[strings.TrimSpace(name)], s, err = parseUntil(branch, true); err != nil {
			return part{}, "", err
		}
	}
	if a.plural["other"] == nil {
		return part{}, "", fmt.Errorf("%w: plural without other", errPattern)
	}
	return a, s[1:], nil
}

// unmark removes the marks of Marked from a literal.
var unmark = strings.NewReplacer("|", "", "**", "")

// fill writes the pattern for l, without its marks when plain. An argument that is not given stays visible as {name}: tests look for braces.
func (p pattern) fill(l Lang, args Args, plain bool) string {
	var b strings.Builder
	p.write(&b, l, args, plain, "#")
	return b.String()
}

func (p pattern) write(b *strings.Builder, l Lang, args Args, plain bool, number string) {
	for _, x := range p {
		if x.arg == "" {
			s := x.literal
			if plain {
				s = unmark.Replace(s)
			}
			b.WriteString(strings.ReplaceAll(s, "#", number))
			continue
		}
		v, ok := args[x.arg]
		if !ok {
			b.WriteString("{" + x.arg + "}")
			continue
		}
		s, _ := v.In(l)
		if x.plural == nil {
			b.WriteString(s)
			continue
		}
		branch, ok := x.plural["="+s]
		if !ok && s == "1" {
			branch, ok = x.plural["one"]
		}
		if !ok {
			branch = x.plural["other"]
		}
		branch.write(b, l, args, plain, s)
	}
}

// arguments adds the names of all arguments of p to set.
func (p pattern) arguments(set map[string]bool) {
	for _, x := range p {
		if x.arg != "" {
			set[x.arg] = true
		}
		for _, branch := range x.plural {
			branch.arguments(set)
		}
	}
}
