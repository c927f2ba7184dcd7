package dpop

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
)

// maxURL is longer than what servers take as a request line.
const maxURL = 8 << 10

// errURL: not an absolute http or https URL as RFC 3986 writes them.
var errURL = errors.New("dpop: not an http URL")

// normalise makes two spellings of one URL equal (RFC 9449 section 4.3, RFC 3986 sections 6.2.2 and 6.2.3): case of scheme, host and percent-encoding, percent-encoded
// letters, dot segments, default port, empty path. Query and fragment are left out.
func normalise(raw string) (string, error) {
	if len(raw) > maxURL || strings.ContainsFunc(raw, func(r rune) bool { return r <= ' ' || r > '~' }) {
		return "", errURL // ToLower would fold letters from outside of ASCII into it
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.Opaque != "" {
		return "", errURL
	}
	host := strings.TrimSuffix(strings.ToLower(u.Host), ":")
	switch port := u.Port(); {
	case u.Scheme == "https" && port == "443", u.Scheme == "http" && port == "80":
		host = strings.TrimSuffix(host, ":"+port)
	}
	plain, err := url.Parse(u.Scheme + "://" + host + "/" + strings.TrimPrefix(unescape(u.EscapedPath()), "/"))
	if err != nil {
		return "", errURL
	}
	return (&url.URL{}).ResolveReference(plain).String(), nil // resolving removes dot segments
}

// unescape decodes what needs no percent-encoding, and writes the rest in capitals. url.Parse has checked the form.
func unescape(path string) string {
	var b strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] != '%' {
			b.WriteByte(path[i])
			continue
		}
		c, err := strconv.ParseUint(path[i+1:i+3], 16, 8)
		if err == nil && unreserved(byte(c)) {
			b.WriteByte(byte(c))
		} else {
			b.WriteString(strings.ToUpper(path[i : i+3]))
		}
		i += 2
	}
	return b.String()
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}
