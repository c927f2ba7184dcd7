package licencetype

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// FieldError is one fault of a record.
type FieldError struct {
	// Field is a path such as "fields.birth_date"; empty for the record as a whole.
	Field string `json:"field,omitempty"`
	// Code is stable: "missing", "unknown", "format", "changed", ... Message is for people.
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Codes of field errors.
const (
	CodeMissing  = "missing"
	CodeUnknown  = "unknown"
	CodeFormat   = "format"
	CodeCheck    = "check_digit"
	CodeChanged  = "changed"
	CodeOrder    = "order"
	CodeTooLong  = "too_long"
	CodeNotJSON  = "not_json"
	CodeTooLarge = "too_large"
)

// Faults collects what is wrong with a record, so that a department mends it in one go.
type Faults []FieldError

// Add notes a fault; the format is for people and must not repeat values.
func (f *Faults) Add(field, code, format string, args ...any) {
	*f = append(*f, FieldError{Field: field, Code: code, Message: fmt.Sprintf(format, args...)})
}

// Fields checks the fields of a record and returns them in the form in which they are kept: texts, and lists as []string.
func (f *Faults) Fields(t Type, values map[string]any) map[string]any {
	out := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !slices.ContainsFunc(t.Fields, func(d Field) bool { return d.Name == name }) {
			f.Add("fields."+Clip(name), CodeUnknown, "the type %s has no such field", t.ID)
		}
	}
	for _, d := range t.Fields {
		v, ok := values[d.Name]
		if !ok || v == nil || v == "" {
			if d.Required {
				f.Add("fields."+d.Name, CodeMissing, "%s (%s) is required", d.Text["zh"], d.Text["en"])
			}
			continue
		}
		if checked := f.field(d, v); checked != nil {
			out[d.Name] = checked
		}
	}
	return out
}

// field checks one value and returns it in the form in which it is kept, or nil.
func (f *Faults) field(d Field, v any) any {
	name := "fields." + d.Name
	if d.Kind == "list" {
		return f.list(d, name, v)
	}
	s, ok := v.(string)
	if !ok {
		f.Add(name, CodeFormat, "must be a text")
		return nil
	}
	switch d.Kind {
	case "date":
		if day := f.Date(name, s, true); day != "" {
			return string(day)
		}
		return nil
	case "enum":
		if !slices.Contains(d.Values, s) {
			f.Add(name, CodeFormat, "must be one of %s", strings.Join(d.Values, ", "))
			return nil
		}
		return s
	case "image":
		return f.image(d, name, s)
	}
	limit := d.Max
	if limit == 0 {
		limit = 200
	}
	if !f.Text(name, s, true, limit) {
		return nil
	}
	if d.form != nil && !d.form.MatchString(s) {
		f.Add(name, CodeFormat, "must be %s", d.Hint)
		return nil
	}
	return s
}

func (f *Faults) list(d Field, name string, v any) any {
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
		f.Add(name, CodeFormat, "must be a list, without repeats, of %s", strings.Join(d.Values, ", "))
		return nil
	}
	return out
}

// Date reads a day.
func (f *Faults) Date(name, s string, required bool) Date {
	if s == "" {
		if required {
			f.Add(name, CodeMissing, "is required, as YYYY-MM-DD")
		}
		return ""
	}
	day, err := ParseDate(s)
	if err != nil {
		f.Add(name, CodeFormat, "must be a day that exists, as YYYY-MM-DD")
	}
	return day
}

// Text refuses what could not be shown or compared: control and invisible formatting characters, blanks at the ends, broken UTF-8.
func (f *Faults) Text(name, s string, required bool, limit int) bool {
	switch {
	case s == "" && required:
		f.Add(name, CodeMissing, "is required")
	case s == "":
		return true
	case !utf8.ValidString(s) || strings.TrimSpace(s) != s ||
		strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == utf8.RuneError }):
		f.Add(name, CodeFormat, "holds control characters or blanks at an end")
	case utf8.RuneCountInString(s) > limit:
		f.Add(name, CodeTooLong, "is longer than %d characters", limit)
	default:
		return true
	}
	return false
}

// Members notes members of a JSON object that nobody reads, and gives out those that there are; out may be nil.
func (f *Faults) Members(prefix string, raw []byte, known []string, out *map[string]json.RawMessage) {
	var m map[string]json.RawMessage
	if err := json.Unmarshal(raw, &m); err != nil {
		return // it was decoded before; null is no object and lacks its required members
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if !slices.Contains(known, name) {
			f.Add(prefix+Clip(name), CodeUnknown, "there is no such member")
		}
	}
	if out != nil {
		*out = m
	}
}

// Clip shortens a text of the sender for a message.
func Clip(s string) string {
	if r := []rune(s); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return s
}

// Date is a civil day, YYYY-MM-DD, in China Standard Time. The empty Date is none.
type Date string

// chinaStandard is UTC+8 without daylight saving time, so that no time zone database is needed.
var chinaStandard = time.FixedZone("CST", 8*60*60)

// ParseDate checks that s is a day that exists, in the years 1900 to 2199.
func ParseDate(s string) (Date, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil || t.Year() < 1900 || t.Year() > 2199 {
		return "", fmt.Errorf("licencetype: %q is not a day written YYYY-MM-DD", s)
	}
	return Date(s), nil
}

// DateOf is the civil day of an instant.
func DateOf(at time.Time) Date { return Date(at.In(chinaStandard).Format(time.DateOnly)) }

// Start is the first instant of the day; the zero time for none.
func (d Date) Start() time.Time {
	if d == "" {
		return time.Time{}
	}
	t, err := time.ParseInLocation(time.DateOnly, string(d), chinaStandard)
	if err != nil {
		return time.Time{}
	}
	return t
}
