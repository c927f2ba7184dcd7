package mdoc

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/hufu-id/hufu/signing/cwt"
)

// FullDate is a calendar day, "2026-01-31", tag 1004 (RFC 8943).
type FullDate string

// TDate is a moment in whole seconds UTC, "2026-01-31T08:00:00Z", tag 0 (RFC 8949 section 3.4.1; ISO/IEC 18013-5 section 9.1.2.4).
type TDate string

const dateLayout = "2006-01-02"

// DateOf makes the FullDate of the day on which t lies in its own zone.
func DateOf(t time.Time) FullDate { return FullDate(t.Format(dateLayout)) }

// TDateOf makes the TDate of t, in UTC and cut to the second.
func TDateOf(t time.Time) TDate { return TDate(t.UTC().Truncate(time.Second).Format(time.RFC3339)) }

// Time reads the date in UTC (ErrMalformed).
func (d FullDate) Time() (time.Time, error) {
	t, err := time.Parse(dateLayout, string(d))
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: full-date", ErrMalformed)
	}
	return t, nil
}

// Time reads the moment (ErrMalformed).
func (d TDate) Time() (time.Time, error) {
	t, err := time.Parse(time.RFC3339, string(d))
	if err != nil {
		return time.Time{}, fmt.Errorf("%w: tdate", ErrMalformed)
	}
	return t.UTC(), nil
}

// MarshalCBOR writes the date with its tag.
func (d FullDate) MarshalCBOR() ([]byte, error) {
	if _, err := d.Time(); err != nil {
		return nil, err
	}
	return cwt.MarshalTag(cwt.TagFullDate, string(d))
}

// MarshalCBOR writes the moment with its tag; only the form with whole seconds and Z.
func (d TDate) MarshalCBOR() ([]byte, error) {
	t, err := d.Time()
	if err != nil || TDateOf(t) != d {
		return nil, fmt.Errorf("%w: tdate isn't in whole seconds UTC", ErrMalformed)
	}
	return cwt.MarshalTag(cwt.TagDateTime, string(d))
}

// checkValue refuses element values that we don't write: other Go types, floats, text that isn't UTF-8.
func checkValue(v any, depth int) error {
	if depth > cwt.MaxDepth-8 {
		return fmt.Errorf("%w: value nested too deep", ErrTemplate)
	}
	switch v := v.(type) {
	case bool, int, int64, []byte, FullDate, TDate:
		return nil
	case string:
		if !utf8.ValidString(v) {
			return fmt.Errorf("%w: text isn't UTF-8", ErrTemplate)
		}
		return nil
	case []any:
		for _, e := range v {
			if err := checkValue(e, depth+1); err != nil {
				return err
			}
		}
		return nil
	case map[string]any:
		for k, e := range v {
			if !utf8.ValidString(k) {
				return fmt.Errorf("%w: text isn't UTF-8", ErrTemplate)
			}
			if err := checkValue(e, depth+1); err != nil {
				return err
			}
		}
		return nil
	}
	return fmt.Errorf("%w: a value of type %T", ErrTemplate, v)
}

// decodeValue reads an element's value into string, bool, int64, float64, []byte, nil, FullDate, TDate, []any, map[string]any.
// Tags other than those of dates are dropped and their content kept. Map keys are text, or whole numbers written as text.
func decodeValue(raw cwt.Raw) (any, error) {
	if len(raw) == 0 {
		return nil, fmt.Errorf("%w: no value", ErrMalformed)
	}
	switch raw[0] >> 5 {
	case 4:
		var list []cwt.Raw
		if err := cwt.Unmarshal(raw, &list); err != nil {
			return nil, err
		}
		out := make([]any, len(list))
		for i, r := range list {
			var err error
			if out[i], err = decodeValue(r); err != nil {
				return nil, err
			}
		}
		return out, nil
	case 5:
		return decodeMap(raw)
	case 6:
		return decodeTagged(raw)
	}
	var v any
	if err := cwt.Unmarshal(raw, &v); err != nil {
		return nil, err
	}
	return v, nil
}

func decodeMap(raw cwt.Raw) (any, error) {
	var m map[any]cwt.Raw
	if err := cwt.Unmarshal(raw, &m); err != nil {
		return nil, err
	}
	out := make(map[string]any, len(m))
	for k, r := range m {
		var name string
		switch k := k.(type) {
		case string:
			name = k
		case int64:
			name = fmt.Sprint(k)
		default:
			return nil, fmt.Errorf("%w: a map key is neither text nor number", ErrMalformed)
		}
		if _, there := out[name]; there {
			return nil, fmt.Errorf("%w: two map keys with one name", ErrMalformed)
		}
		v, err := decodeValue(r)
		if err != nil {
			return nil, err
		}
		out[name] = v
	}
	return out, nil
}

func decodeTagged(raw cwt.Raw) (any, error) {
	number, content, err := cwt.ParseTag(raw)
	if err != nil {
		return nil, err
	}
	v, err := decodeValue(content)
	if err != nil {
		return nil, err
	}
	text, isText := v.(string)
	switch {
	case number == cwt.TagDateTime && isText:
		d := TDate(text)
		_, err := d.Time()
		return d, err
	case number == cwt.TagFullDate && isText:
		d := FullDate(text)
		_, err := d.Time()
		return d, err
	case number == cwt.TagDateTime, number == cwt.TagFullDate:
		return nil, fmt.Errorf("%w: a date isn't text", ErrMalformed)
	}
	return v, nil
}
