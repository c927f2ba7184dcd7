package oidc_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc"
	"github.com/hufu-id/hufu/oidc/client"
)

// nowhere is a way out that counts who wants to go.
type nowhere struct{ asked atomic.Int64 }

func (n *nowhere) Get(context.Context, string) (*httpx.Response, error) {
	n.asked.Add(1)
	return nil, errors.New("nowhere")
}

func (n *nowhere) Do(*http.Request) (*httpx.Response, error) { return n.Get(context.Background(), "") }

// The address of a request is never fetched, at no endpoint (CVE-2020-10770 of Keycloak): not one socket is opened.
func TestA12RequestURIsAreNotFetched(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	f := newFAPI(e, "m", func(c *oidc.Client) { c.Profile, c.DPoPBound = "core", false })
	var hits atomic.Int64
	target := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer target.Close()
	out := &nowhere{}
	_, _, handler := e.provider(func(c *oidc.Config) { c.HTTP = out })
	e.nodes[0].Config.Handler = httpx.Wrap(handler, httpx.Options{})
	b := e.browser()
	for _, uri := range []string{"http://169.254.169.254/", target.URL, target.URL + "/object.jwt", "https://rp.example/object", "file:///etc/passwd", "gopher://127.0.0.1/", "urn:other:x", "x", ""} {
		redir(t, e, b.get("/authorize?"+request("m", "request_uri", uri).Encode()), "request_uri_not_supported")
		page400(t, b.get("/authorize?"+request("m", "request_uri", uri, "redirect_uri", "https://evil.example/").Encode()), "//evil.example")
		if r := f.push(request("m", "request_uri", uri)); r.status != 400 || r.body["error"] != "invalid_request" {
			t.Errorf("A12 pushed %s: %d %v", uri, r.status, r.body)
		}
		if r := f.push(url.Values{"client_id": {"m"}, "request": {f.object(request("m"), "request_uri", uri)}}); r.status != 400 || r.body["error"] != "invalid_request_object" {
			t.Errorf("A12 %s in an object: %d %v", uri, r.status, r.body)
		}
	}
	if hits.Load() != 0 || out.asked.Load() != 0 {
		t.Errorf("A12 %d requests came in, %d went out", hits.Load(), out.asked.Load())
	}
	if b.login(request("m")).location.Query().Get("code") == "" {
		t.Error("twin: without it")
	}
}

// One pushed request gives one code, however many browsers come with it, and to whichever node.
func TestA14OnePushedRequestOneCode(t *testing.T) {
	each(t, 2, func(t *testing.T, e *env) {
		f := newFAPI(e, "bank")
		f.warm()
		b := e.browser()
		b.login(f.pushed(request("bank"))) // the consent stands from now on
		u, err := url.Parse(e.issuer)
		must(t, err)
		cookies := b.Jar.Cookies(u)
		for range 5 {
			carried := f.pushed(request("bank"))
			wins := race(20, func(i int) bool {
				req, err := http.NewRequest(http.MethodGet, e.nodes[i%2].URL+"/authorize?"+carried.Encode(), nil)
				must(t, err)
				for _, c := range cookies {
					req.AddCookie(c)
				}
				resp, err := http.DefaultTransport.RoundTrip(req)
				must(t, err)
				resp.Body.Close()
				won := strings.Contains(resp.Header.Get("Location"), "code=")
				if !won && resp.StatusCode != http.StatusBadRequest {
					t.Errorf("A14 a loser got %d %s", resp.StatusCode, resp.Header.Get("Location"))
				}
				return won
			})
			if wins != 1 {
				t.Errorf("A14 %d codes for one request", wins)
			}
		}
	})
}

// A request object with a jti gives one code, when the browser carries it too.
func TestA10ObjectsAreUsedOnce(t *testing.T) {
	each(t, 2, func(t *testing.T, e *env) {
		f := newFAPI(e, "m", func(c *oidc.Client) { c.Profile, c.DPoPBound = "core", false })
		b := e.browser()
		for _, once := range []bool{true, false} {
			pairs := []any{}
			if !once {
				pairs = []any{"jti", nil}
			}
			v := url.Values{"client_id": {"m"}, "request": {f.object(request("m"), pairs...)}}
			if b.login(v).location.Query().Get("code") == "" {
				t.Fatal("twin: the first time")
			}
			again := b.get("/authorize?" + v.Encode())
			if once {
				page400(t, again, "")
			} else if again.location == nil || again.location.Query().Get("code") == "" {
				t.Errorf("twin: an object without jti, again: %d %v", again.status, again.location)
			}
		}
	})
}

// What a request object may not be.
func TestA09RequestObjectsAreTheClients(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	ed, err := jose.GenerateKey(jose.EdDSA)
	must(t, err)
	f := newFAPI(e, "m", func(c *oidc.Client) { c.Profile, c.DPoPBound, c.RequestObjectAlg = "core", false, jose.ES256 },
		func(c *oidc.Client) { k, _ := ed.Public(); c.JWKS = append(c.JWKS, k) })
	b := e.browser()
	send := func(object string, outside ...string) answer {
		return b.get("/authorize?" + with(url.Values{"client_id": {"m"}, "redirect_uri": {rpCallback}, "state": {"st"}, "request": {object}}, outside...).Encode())
	}
	own := f.key
	by := func(k jose.SigningKey) string {
		f.key = k
		defer func() { f.key = own }()
		return f.object(request("m"))
	}
	foreign, err := jose.GenerateKey(jose.ES256)
	must(t, err)
	good := f.object(request("m"))
	parts := strings.Split(good, ".")
	e.jwtKey = f.key
	for name, object := range map[string]string{
		"A09 none":                        "eyJhbGciOiJub25lIn0." + parts[1] + ".",
		"A09 none with a signature":       "eyJhbGciOiJub25lIn0." + parts[1] + "." + parts[2],
		"A09 HS256":                       "eyJhbGciOiJIUzI1NiJ9." + parts[1] + ".AAAA",
		"A09 a key of nobody":             by(foreign),
		"A09 an algorithm not registered": by(ed),
		"A09 sub in it":                   f.object(request("m"), "sub", "m"),
		"A09 an object in an object":      f.object(request("m"), "request", good),
		"A09 client_assertion in it":      f.object(request("m"), "client_assertion", "x"),
		"A10 aud of another":              f.object(request("m"), "aud", "https://other.example"),
		"A10 exp is text":                 f.object(request("m"), "exp", "tomorrow"),
		"A10 exp far away":                f.object(request("m"), "nbf", nil, "exp", e.clock.Now().Add(62*time.Minute).Unix()),
		"A10 jti of 1 KiB":                f.object(request("m"), "jti", strings.Repeat("j", 1<<10)),
		"N03 crit":                        e.signRaw(`{"alg":"ES256","crit":["x"],"x":1}`, parts[1]),
		"N04 duplicate member":            e.signRaw(`{"alg":"ES256","alg":"ES256"}`, parts[1]),
		"N08 another spelling":            good + "=",
		"W04 dots":                        strings.Repeat(".", 10<<10),
	} {
		if a := send(object); a.location == nil || a.location.Query().Get("error") != "invalid_request_object" {
			t.Errorf("%s: %d %v", name, a.status, a.location)
		}
		page400(t, send(object, "redirect_uri", "https://evil.example/"), "//evil.example") // A05: the address first
		page400(t, send(object, "redirect_uri", "-"), "")
	}
	if a := b.login(url.Values{"client_id": {"m"}, "request": {good}}); a.location.Query().Get("code") == "" {
		t.Errorf("twin: %v", a.location)
	}
	// What stands outside of an object doesn't count (RFC 9101 section 6.3).
	v := url.Values{"client_id": {"m"}, "request": {f.object(request("m"))}, "redirect_uri": {"https://evil.example/"}, "state": {"evil"}, "scope": {"openid phone"}, "nonce": {"evil"}}
	if a := b.login(v); a.location.Host != "rp.example" || a.location.Query().Get("state") != "st" {
		t.Errorf("A13 outside of the object: %v", a.location)
	}
}

// The claims parameter is kept in the browser until the code: it is small, or refused.
func TestA16ClaimsAreBounded(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	b := e.browser()
	b.login(request("app"))
	members := func(n int, name string) string {
		all := map[string]any{}
		for i := range n {
			all[fmt.Sprintf(name, i)] = nil
		}
		text, err := json.Marshal(map[string]any{"userinfo": all})
		must(t, err)
		return string(text)
	}
	for name, claims := range map[string]string{
		"A16 1,000 members": members(1000, "c%d"), "A16 65 members": members(65, "c%d"), "A16 5 KiB": members(60, "c%0100d"), "W03 deep": strings.Repeat("[", 2000),
		"W03 a deep object": strings.Repeat(`{"userinfo":`, 300) + "1" + strings.Repeat("}", 300), "W03 a long number": `{"userinfo":{"name":{"value":1` + strings.Repeat("0", 3000) + `}}}`,
		"N04 twice": `{"userinfo":{},"userinfo":{}}`, "no object": "7", "no JSON": "{", "A16 null inside": `{"userinfo":[]}`,
	} {
		a := b.get("/authorize?" + request("app", "claims", claims).Encode())
		switch name {
		case "A16 1,000 members":
			if a.status != http.StatusRequestEntityTooLarge || a.location != nil {
				t.Errorf("%s: %d", name, a.status)
			}
		case "W03 a long number": // a value that nobody has
			if a.status >= 500 {
				t.Errorf("%s: %d", name, a.status)
			}
		default:
			redir(t, e, a, "invalid_request")
		}
	}
	for name, claims := range map[string]string{"64 members": members(64, "c%d"), "empty": "{}", "unknown": `{"userinfo":{"x":{"essential":true}},"x":1}`} {
		if a := b.get("/authorize?" + request("app", "claims", claims).Encode()); a.location == nil || a.location.Query().Get("code") == "" {
			t.Errorf("twin: %s: %d %v", name, a.status, a.location)
		}
	}
}

// A token is for whom the client is registered (RFC 8707), whatever it asks for.
func TestA16ForeignResources(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	c, err := e.op.Clients().Get(context.Background(), "app")
	must(t, err)
	c.Resources = []string{"https://api.example"}
	must(t, e.op.Clients().Put(context.Background(), c))
	b := e.browser()
	for _, resource := range []string{"https://api.example", e.issuer} {
		if a := b.login(request("app", "resource", resource)); a.location.Query().Get("code") == "" {
			t.Errorf("twin: %s: %v", resource, a.location)
		}
	}
	for _, resource := range []string{"https://evil.example", "https://api.example/", "https://api.example/x", "https://API.example", "http://api.example", "https://api.example#x", "api", ""} {
		redir(t, e, b.get("/authorize?"+request("app", "resource", resource).Encode()), "invalid_target")
	}
}

// Text of a request that comes back in a form is text there, and the form goes to the registered origin only.
func TestA08FormPost(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	evil := `"><script>alert(1)</script>`
	a := e.browser().get("/authorize?" + request("app", "response_mode", "form_post", "state", evil, "prompt", "none").Encode())
	if a.status != 200 || strings.Contains(a.body, "<script>alert") || !strings.Contains(a.body, `action="`+rpCallback+`"`) {
		t.Errorf("A08 %d %.500s", a.status, a.body)
	}
	if csp := a.header.Get("Content-Security-Policy"); strings.Contains(csp, "unsafe-inline") || !strings.Contains(csp, "form-action 'self' https://rp.example") {
		t.Errorf("A08 policy: %s", csp)
	}
	base, err := e.op.Clients().Get(context.Background(), "app")
	must(t, err)
	for _, uri := range []string{"javascript:alert(1)", "data:text/html,x", "https://rp.example/cb' x", `https://rp.example/"`, "https://rp.example/;script-src", "//rp.example/", "https://rp.example/#x"} {
		c := base
		c.ID, c.RedirectURIs = "evil", []string{uri}
		if err := e.op.Clients().Put(context.Background(), c); !errors.Is(err, client.ErrInvalid) {
			t.Errorf("A08 %s was registered: %v", uri, err)
		}
	}
	// A name that is script is text on the consent page.
	c := base
	c.ID, c.Name.ZH, c.Name.EN = "evil", evil, evil
	must(t, e.op.Clients().Put(context.Background(), c))
	if a := e.browser().get("/authorize?" + request("evil").Encode()); !strings.HasPrefix(a.at.Path, "/consent/") || strings.Contains(a.body, "<script>alert") {
		t.Errorf("A08 a name: %s", a.at)
	}
}

// Nothing that could carry a token in an address is there to be asked for, and a flow can't be begun or altered by hand.
func TestA07NoTokenInAnyAddress(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	b := e.browser()
	for _, rt := range []string{"token", "id_token", "code token", "id_token token", "code id_token token", "none", "code code"} {
		for _, mode := range []string{"-", "query", "form_post"} {
			a := b.get("/authorize?" + request("app", "response_type", rt, "response_mode", mode).Encode())
			if strings.Contains(a.body, "access_token") || a.location != nil && (a.location.Fragment != "" || a.location.Query().Has("access_token") || a.location.Query().Has("id_token")) {
				t.Errorf("A07 %s by %s: %v", rt, mode, a.location)
			}
		}
	}
	page := b.get("/authorize?" + request("app").Encode())
	flow := strings.TrimPrefix(page.at.Path, "/consent/")
	u, err := url.Parse(e.issuer)
	must(t, err)
	for _, c := range b.Jar.Cookies(u) {
		if !strings.Contains(c.Name, flow) {
			continue
		}
		for name, value := range map[string]string{"altered": c.Value[:len(c.Value)-2] + "AA", "plain JSON": "e30", "empty": ""} {
			other := e.browser()
			other.Jar.SetCookies(u, []*http.Cookie{{Name: c.Name, Value: value, Path: "/", Secure: true}})
			if a := other.get("/authorize/" + flow); a.status != http.StatusForbidden {
				t.Errorf("A07 a flow that is %s: %d %v", name, a.status, a.location)
			}
		}
		other := e.browser()
		id := "0" + flow[1:]
		if id == flow {
			id = "1" + flow[1:]
		}
		other.Jar.SetCookies(u, []*http.Cookie{{Name: strings.Replace(c.Name, flow, id, 1), Value: c.Value, Path: "/", Secure: true}})
		if a := other.get("/authorize/" + id); a.status != http.StatusForbidden {
			t.Errorf("A07 a flow under another name: %d %v", a.status, a.location)
		}
	}
	e.clock.add(31 * time.Minute)
	if a := b.get(page.at.Path); a.status != http.StatusForbidden {
		t.Errorf("A07 a flow of half an hour ago: %d", a.status)
	}
	if b.agree(b.get("/authorize?"+request("app").Encode())).location.Query().Get("code") == "" {
		t.Error("twin")
	}
}
