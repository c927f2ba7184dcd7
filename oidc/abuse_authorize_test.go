package oidc_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// page400 asserts PAGE400: HTML, 400, no Location, nothing of the request echoed.
func page400(t *testing.T, a answer, echo string) {
	t.Helper()
	if a.status != http.StatusBadRequest || a.location != nil || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") {
		t.Errorf("want PAGE400, got %d %v %s", a.status, a.location, a.header.Get("Content-Type"))
	}
	if echo != "" && strings.Contains(a.body, echo) {
		t.Errorf("the page echoes %q", echo)
	}
}

// redir asserts REDIR(e).
func redir(t *testing.T, e *env, a answer, want string) {
	t.Helper()
	if a.status != http.StatusSeeOther || a.location == nil {
		t.Errorf("want REDIR(%s), got %d %.300s", want, a.status, a.body)
		return
	}
	q := a.location.Query()
	if q.Get("error") != want || q.Get("iss") != e.issuer || q.Get("state") != "st" || q.Has("code") || !strings.HasPrefix(a.location.String(), rpCallback+"?") {
		t.Errorf("want REDIR(%s), got %s", want, a.location)
	}
	for name := range q {
		if name != "error" && name != "error_description" && name != "error_uri" && name != "iss" && name != "state" {
			t.Errorf("error response carries %s", name)
		}
	}
}

func TestA01RedirectMutants(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	b := e.browser()
	b.login(request("app"))
	for _, m := range []string{
		"https://rp.example/cb/", "https://rp.example/cb?", "https://rp.example/cb?x=1", "https://rp.example/cb#", "https://rp.example/cb#x", "https://rp.example/a/../cb",
		"https://rp.example/./cb", "https://rp.example/%2e/cb", "https://rp.example/%63b", "https://rp.example/cb%20", "https://RP.example/cb", "HTTPS://rp.example/cb",
		"https://rp.example/CB", "https://rp.example:443/cb", "https://rp.example:8443/cb", "https://user@rp.example/cb", "https://rp.example@evil.example/cb",
		"https://rp.example.evil.example/cb", "https://evil.example/cb", `https://rp.example\cb`, `https:\\rp.example\cb`, "https://rp.example//cb", "//rp.example/cb",
		"//evil.example/cb", "/cb", "cb", "http://rp.example/cb", "https://rp.example/cb\t", "https://rp.example/cb\r\nX: y", "https://rp.example/cb\x00",
		"https://rр.example/cb", "https://xn--r-pub.example/cb", "javascript:alert(1)", "data:text/html,x", "https://rp.example./cb", "https://rp.example", "https://rp.example/",
		"https://rp.example/cb;x", "https://rp.example/cb&x", " https://rp.example/cb", "*", "https://*/cb",
	} {
		page400(t, b.get("/authorize?"+request("app", "redirect_uri", m).Encode()), "//evil.example")
	}
	if a := b.get("/authorize?" + request("app").Encode()); a.location == nil || a.location.Query().Get("code") == "" {
		t.Error("positive twin failed")
	}
}

func TestA02LoopbackPortOnly(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	b := e.browser()
	for _, ok := range []string{"http://127.0.0.1/cb", "http://127.0.0.1:1/cb", "http://127.0.0.1:65535/cb", "http://127.0.0.1:9/other"} {
		if a := b.login(request("public", "redirect_uri", ok)); a.location.Query().Get("code") == "" || !strings.HasPrefix(a.location.String(), ok+"?") {
			t.Errorf("%s: %v", ok, a.location)
		}
	}
	for _, bad := range []string{"https://127.0.0.1/cb", "http://x@127.0.0.1:9999/cb", "http://127.0.0.1:9999/%63b", "http://127.0.0.1:9999@evil.example/cb",
		"http://127.0.0.1:/cb", "http://127.0.0.1:0/cb", "http://127.0.0.1:65536/cb", "http://127.0.0.1:099/cb", "http://127.1:9/cb", "http://localhost:9/cb",
		"http://[::1]:9/cb", "http://127.0.0.1.evil.example/cb", "http://127.0.0.1:9evil.example/cb", "http://127.0.0.1:9/cb?x"} {
		page400(t, b.get("/authorize?"+request("public", "redirect_uri", bad).Encode()), "//evil.example")
	}
	page400(t, b.get("/authorize?"+request("app", "redirect_uri", "https://rp.example:9999/cb").Encode()), "") // no port rule without loopback
}

func TestA04A05NothingIsToldToAnUnverifiedAddress(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	b := e.browser()
	page400(t, b.get("/authorize?"+request("app", "redirect_uri", "-").Encode()), "")
	page400(t, b.get("/authorize?"+request("nobody").Encode()), "")
	page400(t, b.get("/authorize?"+request("app", "client_id", "-").Encode()), "")
	page400(t, b.get("/authorize?"+request("app", "client_id", "a\x00pp").Encode()), "")
	page400(t, b.get("/authorize?"+request("app", "redirect_uri", "https://evil.example", "response_type", "token").Encode()), "//evil.example")
	page400(t, b.get("/authorize?"+request("app", "redirect_uri", "https://evil.example", "scope", "profile").Encode()), "//evil.example")
	redir(t, e, b.get("/authorize?"+request("app", "scope", "profile").Encode()), "invalid_scope")
	redir(t, e, b.get("/authorize?"+request("app", "response_type", "-").Encode()), "invalid_request")
}

func TestA06DuplicateParameters(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	b := e.browser()
	v := request("app")
	for name := range v {
		page400(t, b.get("/authorize?"+v.Encode()+"&"+name+"="+url.QueryEscape(v.Get(name))), "")
		page400(t, b.get("/authorize?"+v.Encode()+"&"+name+"[]=x"), "")
		page400(t, b.get("/authorize?"+v.Encode()+"&"+strings.ToUpper(name)+"=x"), "")
		page400(t, b.post("/authorize?"+name+"=x", v), "")
	}
	b.login(v)
	if tok := e.token(url.Values{"grant_type": {"client_credentials", "client_credentials"}}, "Authorization", basic("app", e.secret)); tok.status != 400 || tok.Error != "invalid_request" {
		t.Errorf("token endpoint: %d %s", tok.status, tok.Error)
	}
}

func TestA07A09A12UnsupportedIsRefusedNotIgnored(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	b := e.browser()
	for _, rt := range []string{"token", "id_token", "code token", "code id_token", "none", "CODE"} {
		redir(t, e, b.get("/authorize?"+request("app", "response_type", rt).Encode()), "unsupported_response_type")
	}
	redir(t, e, b.get("/authorize?"+request("app", "request", "eyJhbGciOiJub25lIn0.e30.").Encode()), "invalid_request_object")
	redir(t, e, b.get("/authorize?"+request("app", "request_uri", "http://169.254.169.254/").Encode()), "request_uri_not_supported")
	redir(t, e, b.get("/authorize?"+request("app", "registration", "{}").Encode()), "registration_not_supported")
	redir(t, e, b.get("/authorize?"+request("app", "response_mode", "fragment").Encode()), "invalid_request")
	b.login(request("app", "response_mode", "query"))
}

func TestA08ScriptInParametersIsText(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	b := e.browser()
	evil := `"><script>alert(1)</script>`
	a := b.get("/authorize?" + request("app", "state", evil, "login_hint", evil, "nonce", evil, "ui_locales", evil).Encode())
	if strings.Contains(a.body, "<script>alert") || a.location != nil {
		t.Error("the consent page carries the script")
	}
	csp := a.header.Get("Content-Security-Policy")
	if strings.Contains(csp, "unsafe-inline") || !strings.Contains(csp, "form-action 'self' https://rp.example") {
		t.Errorf("policy: %s", csp)
	}
	if got := b.agree(a).location.Query().Get("state"); got != evil {
		t.Errorf("state %q", got)
	}
}

func TestA16OddValues(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	b := e.browser()
	redir(t, e, b.get("/authorize?"+request("app", "scope", "openid resident_id").Encode()), "invalid_scope")
	b.login(request("app", "scope", "openid profile offline_access unknown"))
	b.login(request("app", "resource", "https://evil.example", "claims", strings.Repeat("{", 1000)))
	if a := b.get("/authorize?" + request("app", "state", strings.Repeat("x", 20<<10)).Encode()); a.status != http.StatusRequestEntityTooLarge || a.location != nil {
		t.Errorf("a huge state: %d", a.status)
	}
	page400(t, b.get("/authorize?"+request("app", "state", "a\r\nSet-Cookie: x=1").Encode()), "")
	page400(t, b.get("/authorize?"+request("app", "nonce", "a\x00b").Encode()), "")
	page400(t, b.get("/authorize?%zz"), "")
}

func TestB01ChallengeMustBeS256(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	b := e.browser()
	for _, v := range []url.Values{
		request("app", "code_challenge_method", "plain"), request("app", "code_challenge_method", "-"), request("app", "code_challenge", challenge()[:42]),
		request("app", "code_challenge", strings.Repeat("a", 129)), request("app", "code_challenge", challenge()[:42]+"="), request("app", "code_challenge", "-"),
		request("app", "code_challenge", ""),
	} {
		redir(t, e, b.get("/authorize?"+v.Encode()), "invalid_request")
	}
	public := b.get("/authorize?" + request("public", "code_challenge", "-", "code_challenge_method", "-").Encode())
	if public.location == nil || public.location.Query().Get("error") != "invalid_request" {
		t.Errorf("a public client without PKCE: %v", public.location)
	}
	// Core: a confidential client may go without, and then without a verifier.
	code := e.code(request("app", "code_challenge", "-", "code_challenge_method", "-"))
	if tok := e.token(redeem(code, "code_verifier", "-"), "Authorization", basic("app", e.secret)); tok.status != 200 {
		t.Errorf("confidential without PKCE: %d %s", tok.status, tok.Error)
	}
}

func TestIDTokenHintAtAuthorization(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	b := e.browser()
	tok := e.token(redeem(b.login(request("app")).location.Query().Get("code")), "Authorization", basic("app", e.secret))
	e.clock.add(30 * 60 * 1e9) // expired by now, and still a hint
	if a := b.get("/authorize?" + request("app", "prompt", "none", "id_token_hint", tok.ID).Encode()); a.location.Query().Get("code") == "" {
		t.Errorf("hint of who is logged in: %s", a.location)
	}
	redir(t, e, b.get("/authorize?"+request("app", "id_token_hint", tok.ID[:len(tok.ID)-4]+"AAAA").Encode()), "invalid_request")
	redir(t, e, b.get("/authorize?"+request("app", "id_token_hint", tok.Access).Encode()), "invalid_request")
	redir(t, e, b.get("/authorize?"+request("other", "id_token_hint", tok.ID).Encode()), "invalid_request")
	e.loginAs("p-wang", "loa3")
	b2 := e.browser()
	b2.login(request("app"))
	redir(t, e, b2.get("/authorize?"+request("app", "prompt", "none", "id_token_hint", tok.ID).Encode()), "login_required")
	redir(t, e, b2.get("/authorize?"+request("app", "id_token_hint", tok.ID).Encode()), "login_required")
}
