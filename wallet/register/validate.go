package register

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hufu-id/hufu/internal/gb"
)

// Codes of field errors. They are stable.
const (
	codeMissing  = "missing"
	codeUnknown  = "unknown"
	codeFormat   = "format"
	codeCheck    = "check_digit"
	codeChanged  = "changed"
	codeOrder    = "order"
	codeTooLong  = "too_long"
	codeNotJSON  = "not_json"
	codeTooLarge = "too_large"
)

// faults collects what is wrong with a record, so that a department mends it in one go.
type faults []FieldError

func (f *faults) add(field, code, format string, args ...any) {
	*f = append(*f, FieldError{Field: field, Code: code, Message: fmt.Sprintf(format, args...)})
}

// validate checks a record against its type and returns the licence it describes, without identifier and state.
func validate(t LicenceType, r ImportRecord) (Licence, []FieldError) {
	var f faults
	l := Licence{TypeID: t.ID, RecordNumber: r.RecordNumber, Holder: r.Holder, Fields: map[string]any{}}
	f.text("record_number", r.RecordNumber, true, 64)
	f.holder(t, &l.Holder)
	l.ValidFrom = f.date("valid_from", r.ValidFrom, true)
	l.ValidTo = f.date("valid_to", r.ValidTo, false)
	if l.ValidTo != "" && l.ValidTo < l.ValidFrom {
		f.add("valid_to", codeOrder, "is before valid_from (%s)", l.ValidFrom)
	}
	for _, name := range slices.Sorted(maps.Keys(r.Fields)) {
		if !slices.ContainsFunc(t.Fields, func(d Field) bool { return d.Name == name }) {
			f.add("fields."+clip(name), codeUnknown, "the type %s has no such field", t.ID)
		}
	}
	for _, d := range t.Fields {
		v, ok := r.Fields[d.Name]
		if !ok || v == nil || v == "" {
			if d.Required {
				f.add("fields."+d.Name, codeMissing, "%s (%s) is required", d.Text["zh"], d.Text["en"])
			}
			continue
		}
		if checked := f.field(d, v); checked != nil {
			l.Fields[d.Name] = checked
		}
	}
	return l, f
}

func (f *faults) holder(t LicenceType, h *Holder) {
	f.text("holder.name", h.Name, true, 100)
	f.text("holder.reference", h.Reference, false, 64)
	switch {
	case !slices.Contains(t.HolderCodes, h.CodeType):
		f.add("holder.code_type", codeFormat, "must be one of %s", strings.Join(t.HolderCodes, ", "))
	case h.CodeType == "111":
		id, err := gb.ParseResidentID(h.Code)
		switch {
		case errors.Is(err, gb.ErrCheck):
			f.add("holder.code", codeCheck, "the check character of the resident identity number is wrong")
		case err != nil:
			f.add("holder.code", codeFormat, "is not a resident identity number of 18 characters")
		default:
			h.Code = string(id)
		}
	default:
		f.text("holder.code", h.Code, true, 32)
	}
}

// field checks one value and returns it in the form in which it is kept, or nil.
func (f *faults) field(d Field, v any) any {
	name := "fields." + d.Name
	if d.Kind == "list" {
		return f.list(d, name, v)
	}
	s, ok := v.(string)
	if !ok {
		f.add(name, codeFormat, "must be a text")
		return nil
	}
	switch d.Kind {
	case "date":
		if day := f.date(name, s, true); day != "" {
			return string(day)
		}
		return nil
	case "enum":
		if !slices.Contains(d.Values, s) {
			f.add(name, codeFormat, "must be one of %s", strings.Join(d.Values, ", "))
			return nil
		}
		return s
	}
	limit := d.Max
	if limit == 0 {
		limit = 200
	}
	if !f.text(name, s, true, limit) {
		return nil
	}
	if d.Pattern != "" && !regexp.MustCompile(`^(?:`+d.Pattern+`)$`).MatchString(s) {
		f.add(name, codeFormat, "must be %s", d.Hint)
		return nil
	}
	return s
}

func (f *faults) list(d Field, name string, v any) any {
	var out []string
	items, ok := v.([]any)
	for _, item := range items {
		s, isText := item.(string)
		if !isText || !slices.Contains(d.Values, s) || slices.Contains(out, s) {
			ok = false
			break
		}
		out = append(out, s)
	}
	if !ok || len(out) == 0 {
		f.add(name, codeFormat, "must be a list, without repeats, of %s", strings.Join(d.Values, ", "))
		return nil
	}
	return out
}

func (f *faults) date(name, s string, required bool) Date {
	if s == "" {
		if required {
			f.add(name, codeMissing, "is required, as YYYY-MM-DD")
		}
		return ""
	}
	day, err := ParseDate(s)
	if err != nil {
		f.add(name, codeFormat, "must be a day that exists, as YYYY-MM-DD")
	}
	return day
}

// text refuses what could not be shown or compared: control and invisible formatting characters, blanks at the ends, broken UTF-8.
func (f *faults) text(name, s string, required bool, limit int) bool {
	switch {
	case s == "" && required:
		f.add(name, codeMissing, "is required")
	case s == "":
		return true
	case !utf8.ValidString(s) || strings.TrimSpace(s) != s ||
		strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == utf8.RuneError }):
		f.add(name, codeFormat, "holds control characters or blanks at an end")
	case utf8.RuneCountInString(s) > limit:
		f.add(name, codeTooLong, "is longer than %d characters", limit)
	default:
		return true
	}
	return false
}

// clip shortens a text of the sender for a message.
func clip(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}
