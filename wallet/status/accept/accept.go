// Package accept reads the headers by which a reader says what it takes (RFC 9110, section 12.5). Pure.
package accept

import (
	"mime"
	"strconv"
	"strings"
)

// Quality says how much Accept headers like a media type, 0 is not at all. No header likes all; the most specific range decides.
// RFC 9110, section 12.5.1.
func Quality(headers []string, mediaType string) float64 {
	if strings.TrimSpace(strings.Join(headers, "")) == "" {
		return 1
	}
	major, _, _ := strings.Cut(mediaType, "/")
	best, out := 0, 0.0
	for part := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		name, params, err := mime.ParseMediaType(strings.TrimSpace(part))
		if err != nil {
			continue
		}
		if rank := map[string]int{"*/*": 1, major + "/*": 2, mediaType: 3}[name]; rank > best {
			best, out = rank, weight(params["q"])
		}
	}
	return out
}

// weight reads a quality value. RFC 9110, section 12.4.2.
func weight(q string) float64 {
	if q == "" {
		return 1
	}
	v, err := strconv.ParseFloat(q, 64)
	if err != nil || !(v > 0) || v > 1 {
		return 0
	}
	return v
}

// Coding says whether Accept-Encoding headers name a coding and don't refuse it. RFC 9110, section 12.5.3; "*" is not taken at its word.
func Coding(headers []string, coding string) bool {
	for part := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		name, params, _ := strings.Cut(part, ";")
		_, q, _ := strings.Cut(params, "=")
		if strings.EqualFold(strings.TrimSpace(name), coding) {
			return weight(strings.TrimSpace(q)) > 0
		}
	}
	return false
}
