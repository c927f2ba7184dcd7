package trail

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Present stands for a value that is not kept: only that it was sent.
const Present = "(present)"

// Registered and DiffersAt are the facts of a refused redirect_uri: the nearest registered address, and where the two differ (see Differ).
const (
	Registered = "registered"
	DiffersAt  = "differs_at"
)

// Others is the name of the fact that lists parameters nobody knows.
const Others = "others"

// shown are the parameters whose values may be shown, and addresses those that are URIs. All others are Present.
var (
	shown = []string{"response_type", "scope", "response_mode", "prompt", "max_age", "acr_values", "display", "code_challenge_method", "grant_type",
		"client_assertion_type", "token_type_hint", "ui_locales"}
	addresses = []string{"redirect_uri", "post_logout_redirect_uri", "resource"}
	hidden    = []string{"code", "state", "nonce", "code_challenge", "code_verifier", "client_secret", "client_assertion", "refresh_token", "token",
		"access_token", "id_token_hint", "login_hint", "logout_hint", "claims", "request", "request_uri", "authorization_details", "dpop_jkt",
		"pre-authorized_code", "tx_code", "issuer_state", "registration"}
)

// Limits of what is shown, in bytes.
const (
	maxValue = 200
	maxURI   = 300
	maxWord  = 64
)

// harmless is a parameter's name that can't be a value in the wrong place.
var harmless = regexp.MustCompile(`^[a-z][a-z_]{0,29}$`)

func redact(v url.Values) map[string]string {
	out := map[string]string{}
	var others []string
	for name, values := range v {
		value := strings.Join(values, " ")
		switch {
		case name == "client_id", name == "lang", name == "mode": // whose page it is; choices of our own pages
		case slices.Contains(shown, name):
			out[name] = clean(value)
		case slices.Contains(addresses, name):
			out[name] = cleanURI(value)
		case slices.Contains(hidden, name):
			out[name] = Present
		case harmless.MatchString(name):
			others = append(others, name)
		default:
			others = append(others, "?")
		}
	}
	if len(others) > 0 {
		slices.Sort(others)
		out[Others] = clean(strings.Join(slices.Compact(others), " "))
	}
	return out
}

// ascii keeps characters that look like what they are: no control characters, no letters that imitate others.
func ascii(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}

// clean makes a value fit to be shown. A long word is more likely a token in the wrong place than a value.
func clean(s string) string {
	words := strings.Fields(ascii(s))
	for i, w := range words {
		if len(w) > maxWord {
			words[i] = w[:8] + "..."
		}
	}
	return cut(strings.Join(words, " "), maxValue)
}

// cleanURI makes an address fit to be shown: user info, fragment and the values in its query are hidden.
func cleanURI(s string) string {
	s, _, fragment := strings.Cut(ascii(s), "#")
	base, query, hasQuery := strings.Cut(s, "?")
	if scheme, rest, ok := strings.Cut(base, "://"); ok {
		authority, path, hasPath := strings.Cut(rest, "/")
		if at := strings.LastIndex(authority, "@"); at >= 0 {
			authority = "..." + authority[at:]
		}
		base = scheme + "://" + authority
		if hasPath {
			base += "/" + path
		}
	}
	if hasQuery {
		parts := strings.Split(query, "&")
		for i, p := range parts {
			if name, _, ok := strings.Cut(p, "="); ok {
				parts[i] = name + "=..."
			} else if len(p) > 32 {
				parts[i] = "..."
			}
		}
		base += "?" + strings.Join(parts, "&")
	}
	if fragment {
		base += "#..."
	}
	return cut(base, maxURI)
}

func cut(s string, limit int) string {
	if len(s) > limit {
		return s[:limit-3] + "..."
	}
	return s
}

// Differ compares an address with the registered ones: the nearest one, and the place of the first character in which the two differ, counted
// from 0. sent comes back fit to be shown: up to that place it is a registered address, behind it values are hidden. ok is false when nothing is
// registered.
func Differ(sent string, registered []string) (shown, nearest string, at int, ok bool) {
	sent = cut(ascii(sent), maxURI)
	best := -1
	for _, r := range registered {
		prefix := common(sent, r)
		if score := 2*prefix + commonEnd(sent[prefix:], r[prefix:]); score > best {
			best, nearest, at, ok = score, r, prefix, true
		}
	}
	if before, after := sent[:at], sent[at:]; strings.Contains(before, "?") {
		value, rest, more := strings.Cut(after, "&")
		if value != "" {
			value = "..."
		}
		if more {
			value += "&" + strings.TrimPrefix(cleanURI("?"+rest), "?")
		}
		return before + value, nearest, at, ok
	}
	if shown = cleanURI(sent); !strings.HasPrefix(shown, sent[:at]) {
		at = common(shown, nearest) // user info was hidden
	}
	return shown, nearest, at, ok
}

func common(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}

func commonEnd(a, b string) int {
	n := 0
	for n < len(a) && n < len(b) && a[len(a)-1-n] == b[len(b)-1-n] {
		n++
	}
	return n
}
