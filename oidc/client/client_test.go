package client

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
)

func valid() Client {
	return Client{ID: "c", AuthMethod: SecretBasic, SecretHash: HashSecret("s"), GrantTypes: []string{AuthorizationCode}, Scopes: []string{"openid"},
		RedirectURIs: []string{"https://rp.example/cb"}}
}

func TestCheckRefusesUnsafeRegistrations(t *testing.T) {
	if err := valid().Check(); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Client){
		"no id": func(c *Client) { c.ID = "" }, "id with NUL": func(c *Client) { c.ID = "a\x00" }, "unknown profile": func(c *Client) { c.Profile = "lax" },
		"public with a secret": func(c *Client) { c.Public = true }, "none and not public": func(c *Client) { c.AuthMethod = None },
		"secret missing": func(c *Client) { c.SecretHash = "" }, "plain secret": func(c *Client) { c.SecretHash = "secret" },
		"keys missing": func(c *Client) { c.AuthMethod = PrivateKeyJWT }, "no redirect": func(c *Client) { c.RedirectURIs = nil },
		"public machine": func(c *Client) {
			c.Public, c.AuthMethod, c.GrantTypes = true, None, append(c.GrantTypes, ClientCredentials)
		},
		"two hosts, no organisation": func(c *Client) { c.RedirectURIs = append(c.RedirectURIs, "https://other.example/cb") },
	} {
		c := valid()
		change(&c)
		if c.Check() == nil {
			t.Errorf("%s was accepted", name)
		}
	}
	for _, uri := range []string{"http://rp.example/cb", "https://rp.example/cb#x", "https://rp.example/cb#", "https://u@rp.example/cb", "/cb", "javascript:alert(1)", "https:///cb", "https://*.example/cb",
		"http://127.0.0.1.evil.example/cb", "http://127.0.0.1:0/cb", "https://rp.example/c b", "https://rp.example\\cb", "custom:/cb", "http://localhost.evil.example/"} {
		c := valid()
		c.RedirectURIs = []string{uri}
		if c.Check() == nil {
			t.Errorf("%s was accepted", uri)
		}
	}
	for _, uri := range []string{"http://127.0.0.1/cb", "http://[::1]:80/", "http://localhost:8090/cb?x=1", "https://rp.example:8443/a?b=c"} {
		c := valid()
		c.RedirectURIs = []string{uri}
		if err := c.Check(); err != nil {
			t.Error(err)
		}
	}
}

func TestServerOfOneProfile(t *testing.T) {
	registry := NewRegistry(memory{}, time.Now)
	registry.Profile = "core"
	c := valid()
	for profile, want := range map[string]bool{"": true, "core": true, "national": false} {
		c.Profile = profile
		if got := registry.serves(c); got != want {
			t.Errorf("%q on a server of core: %v", profile, got)
		}
	}
}

func TestSectorIsTheOrganisationThenTheHostThenTheClient(t *testing.T) {
	c := valid()
	if c.Sector() != "host:rp.example" {
		t.Error(c.Sector())
	}
	c.RedirectURIs = []string{"http://localhost:1/cb"}
	if c.Sector() != "client:c" {
		t.Error(c.Sector())
	}
	c.Organisation = "1199440000TRY002X9"
	if c.Sector() != "org:1199440000TRY002X9" {
		t.Error(c.Sector())
	}
}

// Whatever is accepted beside the registered text differs from it in the port alone.
func FuzzAllowsRedirect(f *testing.F) {
	for _, seed := range []string{"http://127.0.0.1:9/cb", "http://127.0.0.1/cb", "http://[::1]:1/cb", "http://x@127.0.0.1/cb", "http://127.0.0.1:9@e/cb", "http://localhost:70000/cb", "https://rp.example/cb"} {
		f.Add(seed)
	}
	c := Client{RedirectURIs: []string{"http://127.0.0.1/cb", "http://[::1]:1234/cb", "https://rp.example/cb"}}
	f.Fuzz(func(t *testing.T, uri string) {
		if !c.AllowsRedirect(uri) {
			return
		}
		u, err := url.Parse(uri)
		if err != nil {
			t.Fatalf("accepted and not a URL: %q", uri)
		}
		if u.User != nil || u.Fragment != "" || u.RawQuery != "" || u.EscapedPath() != "/cb" {
			t.Errorf("accepted: %q", uri)
		}
		switch u.Hostname() {
		case "127.0.0.1", "::1":
			if u.Scheme != "http" {
				t.Errorf("accepted: %q", uri)
			}
		default:
			if uri != "https://rp.example/cb" {
				t.Errorf("accepted: %q", uri)
			}
		}
	})
}

// Check accepts no address that AllowsRedirect or a browser would read as another host.
func FuzzRegistrable(f *testing.F) {
	for _, seed := range []string{"https://rp.example/cb", "http://127.0.0.1:1/", "https://a@b/", "https://a\\@b/", "http://localhost/x", "https://[::1]/", "https://rp.example:x/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, uri string) {
		u, err := registrable(uri)
		if err != nil {
			return
		}
		if u.User != nil || strings.ContainsAny(uri, "\\@ \t#") && !strings.Contains(u.Path+u.RawQuery, "@") {
			t.Errorf("registrable: %q", uri)
		}
		if u.Scheme == "http" && !isLoopback(u.Hostname()) {
			t.Errorf("registrable without TLS: %q", uri)
		}
	})
}

func TestD09WeakKeysDoNotGetIn(t *testing.T) {
	for name, jwk := range map[string]string{
		"private": `{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","d":"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"}`,
		"oct":     `{"kty":"oct","k":"AAAA"}`, "off curve": `{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyN"}`,
	} {
		if _, err := jose.ParseJWK([]byte(jwk)); err == nil {
			t.Errorf("%s was parsed", name)
		}
	}
}

// A client that has nothing to do with logouts gets no sid: it would only let it tell two logins of one person apart.
func TestWhoHearsOfLogouts(t *testing.T) {
	for want, c := range map[bool]Client{false: {RedirectURIs: []string{"https://a.example/cb"}}, true: {PostLogoutRedirectURIs: []string{"https://a.example/"}}} {
		if c.HearsOfLogouts() != want {
			t.Errorf("%+v", c)
		}
	}
	if !(Client{Logout: Logout{BackchannelLogoutURI: "https://a.example/out"}}).HearsOfLogouts() {
		t.Error("a client with backchannel_logout_uri")
	}
}
