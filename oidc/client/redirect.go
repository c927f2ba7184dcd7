package client

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/hufu-id/hufu/oidc/trail"
	"github.com/hufu-id/hufu/web"
)

// loopbackHosts are the spellings of this very machine that a native client may register (RFC 8252 section 7.3). No decoding and no
// resolving: 127.1, 0x7f.1 and localhost.example are other hosts.
var loopbackHosts = []string{"127.0.0.1", "[::1]", "localhost"}

func isLoopback(hostname string) bool {
	return hostname == "127.0.0.1" || hostname == "::1" || hostname == "localhost"
}

// AllowsRedirect says whether uri is registered: octet by octet, and only the port may differ when a http loopback address was
// registered. Both sides stay text: a parser would accept user info, other spellings of the path, or another scheme.
func (c Client) AllowsRedirect(uri string) bool {
	return registered(c.RedirectURIs, uri) || c.Loopback && sameLoopback(c.ID, uri)
}

// AllowsPostLogoutRedirect is the same for the addresses after a logout.
func (c Client) AllowsPostLogoutRedirect(uri string) bool {
	return registered(c.PostLogoutRedirectURIs, uri) || c.Loopback && sameLoopback(c.ID, uri)
}

// Impersonable says that whoever listens at uri may be another program than the one that the person once agreed with: a public client shows
// no secret, and any program on a machine may listen on its loopback (RFC 8252 section 8.6, RFC 6749 section 10.2).
func (c Client) Impersonable(uri string) bool {
	_, _, loopback := loopbackOrigin(uri)
	return c.Public && loopback
}

func registered(list []string, uri string) bool {
	if uri == "" {
		return false
	}
	if slices.Contains(list, uri) {
		return true
	}
	host, rest, ok := cutLoopback(uri)
	if !ok {
		return false
	}
	return slices.ContainsFunc(list, func(reg string) bool {
		regHost, regRest, ok := cutLoopback(reg)
		return ok && regHost == host && regRest == rest
	})
}

// loopbackOrigin splits "https://localhost:8443/cb" into "https://localhost:8443" and "/cb", with or without TLS.
func loopbackOrigin(uri string) (origin, rest string, ok bool) {
	plain := uri
	if after, tls := strings.CutPrefix(uri, "https://"); tls {
		plain = "http://" + after
	}
	_, rest, ok = cutLoopback(plain)
	return strings.TrimSuffix(uri, rest), rest, ok
}

// sameLoopback says whether two URLs lie on one origin on loopback: scheme, host and port as they are written.
func sameLoopback(a, b string) bool {
	one, _, ok1 := loopbackOrigin(a)
	two, _, ok2 := loopbackOrigin(b)
	if !ok1 || !ok2 || one != two {
		return false
	}
	_, err := registrable(b)
	return err == nil
}

// LoopbackScopes are what a loopback client may ask for: everything of people, nothing of machines.
func LoopbackScopes() []string {
	return []string{"openid", "profile", "phone", "resident_id", "offline_access"}
}

// loopbackClient is the client that a loopback URL is by itself: public, so PKCE binds its code, and known by nothing but its URL. Whoever
// listens there gets what the person agrees to, each time anew (Impersonable).
func loopbackClient(id string) (Client, bool) {
	if _, _, ok := loopbackOrigin(id); !ok {
		return Client{}, false
	}
	if _, err := registrable(id); err != nil {
		return Client{}, false
	}
	return Client{ID: id, Name: web.Plain(id),
		AuthMethod: None, Public: true, GrantTypes: []string{AuthorizationCode, RefreshToken},
		Scopes: LoopbackScopes(), Registration: Registration{Loopback: true}}, true
}

// cutLoopback splits "http://127.0.0.1:8090/cb?x" into "127.0.0.1" and "/cb?x".
func cutLoopback(uri string) (host, rest string, ok bool) {
	s, ok := strings.CutPrefix(uri, "http://")
	if !ok {
		return "", "", false
	}
	for _, host := range loopbackHosts {
		after, ok := strings.CutPrefix(s, host)
		if !ok {
			continue
		}
		if digits, hasPort := strings.CutPrefix(after, ":"); hasPort {
			end := strings.IndexFunc(digits, func(r rune) bool { return r < '0' || r > '9' })
			if end < 0 {
				end = len(digits)
			}
			if n, err := strconv.Atoi(digits[:end]); err != nil || n < 1 || n > 65535 || digits[0] == '0' {
				return "", "", false
			}
			after = digits[end:]
		}
		if after != "" && after[0] != '/' {
			return "", "", false
		}
		return host, after, true
	}
	return "", "", false
}

// registrable refuses what must never be registered as a redirect address: no TLS (but on loopback), user info, fragment, or a spelling
// that two parsers could read differently.
func registrable(raw string) (*url.URL, error) {
	if strings.ContainsFunc(raw, func(r rune) bool {
		return r <= ' ' || r > '~' || r == '\\' || r == '*' || r == '"' || r == '\'' || r == ';' || r == ','
	}) {
		return nil, errors.New("characters that do not belong into a redirect URI")
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return nil, errors.New("not an absolute URL")
	case strings.Contains(raw, "#"):
		return nil, errors.New("a redirect URI has no fragment")
	case u.User != nil:
		return nil, errors.New("a redirect URI has no user info")
	case u.Scheme == "https":
	case u.Scheme == "http":
		if _, _, ok := cutLoopback(raw); !ok {
			return nil, errors.New("http only on loopback")
		}
	default:
		return nil, errors.New("https, or http on loopback")
	}
	return u, nil
}

// Origin returns scheme://host[:port] of a URI, for form-action; "" when it has none.
func Origin(uri string) string {
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

// RedirectMismatch is the cause of a refused redirect URI. The address as sent is for the developer's page only.
type RedirectMismatch struct {
	Sent       string
	Registered []string
}

// Mismatch compares a refused redirect URI with what the client may use. On loopback a port is taken as sent: it is free, so that it is never
// where the two differ.
func (c Client) Mismatch(sent string) *RedirectMismatch {
	m := &RedirectMismatch{Sent: sent}
	host, rest, loopback := cutLoopback(sent)
	for _, uri := range c.RedirectURIs {
		if h, path, ok := cutLoopback(uri); ok && loopback && h == host {
			uri = strings.TrimSuffix(sent, rest) + path
		}
		m.Registered = append(m.Registered, uri)
	}
	if c.Loopback {
		m.Registered = append(m.Registered, c.ID)
	}
	return m
}

func (*RedirectMismatch) Error() string { return "redirect_uri not registered" }

// TrailDetail says where the address leaves the nearest registered one.
func (m *RedirectMismatch) TrailDetail() map[string]string {
	shown, nearest, at, ok := trail.Differ(m.Sent, m.Registered)
	if !ok || m.Sent == "" {
		return nil
	}
	return map[string]string{"redirect_uri": shown, trail.Registered: nearest, trail.DiffersAt: strconv.Itoa(at)}
}
