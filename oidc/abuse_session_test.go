package oidc_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestG01FormsNeedOurOrigin(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	b := e.browser()
	page := b.get("/authorize?" + request("app").Encode())
	form := url.Values{"csrf": {field(t, csrfField, page.body)}, "decision": {"allow"}, "term": {"standing"}}
	host := strings.TrimPrefix(e.issuer, "http://")
	for name, h := range map[string][]string{
		"Origin null": {"Origin", "null"}, "other origin": {"Origin", "https://evil.example"}, "other scheme": {"Origin", "https://" + host},
		"cross-site": {"Sec-Fetch-Site", "cross-site"}, "same-site": {"Sec-Fetch-Site", "same-site"},
		"cross-site with our Origin": {"Sec-Fetch-Site", "cross-site", "Origin", e.issuer},
	} {
		if a := b.post(page.at.Path, form, h...); a.status != http.StatusForbidden || a.location != nil {
			t.Errorf("%s: %d", name, a.status)
		}
	}
	for name, f := range map[string]url.Values{"no token": with(form, "csrf", "-"), "wrong token": with(form, "csrf", "x")} {
		if a := b.post(page.at.Path, f); a.status != http.StatusForbidden {
			t.Errorf("no origin, %s: %d", name, a.status)
		}
	}
	if e.count("oidc.consent_given") != 0 {
		t.Fatal("a refused form changed something")
	}
	if a := b.get(page.at.Path + "?" + form.Encode()); a.location != nil {
		t.Error("a GET agreed")
	}
	if a := b.post(page.at.Path, form); a.location == nil || a.location.Query().Get("code") == "" {
		t.Error("twin: a plain client with the right token")
	}
	if a := b.post(page.at.Path, form, "Origin", e.issuer); a.location == nil {
		t.Error("twin: our origin")
	}
}

func TestG02AFlowStaysInItsBrowser(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	attacker, victim := e.browser(), e.browser()
	page := attacker.get("/authorize?" + request("app").Encode())
	victim.login(request("other"))
	for _, path := range []string{page.at.Path, strings.Replace(page.at.Path, "/consent/", "/authorize/", 1), strings.Replace(page.at.Path, "/consent/", "/login/", 1) + "/"} {
		if a := victim.get(path); a.status != http.StatusForbidden || a.location != nil {
			t.Errorf("%s in another browser: %d", path, a.status)
		}
	}
	form := url.Values{"csrf": {field(t, csrfField, page.body)}, "decision": {"allow"}}
	if a := victim.post(page.at.Path, form, "Origin", e.issuer); a.status != http.StatusForbidden {
		t.Errorf("consent in another browser: %d", a.status)
	}
	if a := attacker.agree(page); a.location.Query().Get("code") == "" {
		t.Error("twin")
	}
}

func sessionCookie(b *browser) string {
	u, _ := url.Parse(b.e.issuer)
	for _, c := range b.Jar.Cookies(u) {
		if c.Name == "__Host-hufu-session" {
			return c.Value
		}
	}
	return ""
}

func TestG03FreshSessionAtLoginStepUpAndUserChange(t *testing.T) {
	each(t, 1, func(t *testing.T, e *env) {
		b := e.browser()
		u, _ := url.Parse(e.issuer)
		planted := strings.Repeat("a", 43)
		b.Jar.SetCookies(u, []*http.Cookie{{Name: "__Host-hufu-session", Value: planted, Path: "/", Secure: true}})
		b.login(request("app"))
		first := sessionCookie(b)
		if first == planted || first == "" {
			t.Fatal("a planted session id was adopted")
		}
		e.loginAs("p-li", "loa4")
		b.login(request("strict"))
		second := sessionCookie(b)
		if second == first {
			t.Error("the id survived a step-up")
		}
		e.loginAs("p-wang", "loa3")
		b.login(request("app", "prompt", "login"))
		if third := sessionCookie(b); third == second {
			t.Error("the id survived a change of user")
		}
		for _, old := range []string{planted, first, second} {
			other := e.browser()
			other.Jar.SetCookies(u, []*http.Cookie{{Name: "__Host-hufu-session", Value: old, Path: "/", Secure: true}})
			if a := other.get("/authorize?" + request("app", "prompt", "none").Encode()); a.location.Query().Get("error") != "login_required" {
				t.Error("an old id is alive")
			}
		}
		if a := b.get("/authorize?" + request("app", "prompt", "none").Encode()); a.location.Query().Get("code") == "" {
			t.Error("twin: the living session")
		}
	})
}

// A consent page shows one person's data: if another person logs in meanwhile, agreeing to it means nothing.
func TestG03ConsentOfAnotherPersonDoesNotCount(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	b := e.browser()
	page := b.get("/authorize?" + request("app").Encode())
	e.loginAs("p-wang", "loa3")
	b.login(request("other", "prompt", "login"))
	a := b.agree(page)
	if a.location != nil || !strings.Contains(a.body, "王建国") {
		t.Errorf("the form made for Li was taken from Wang: %v", a.location)
	}
	if a := b.agree(a); a.location.Query().Get("code") == "" {
		t.Error("twin")
	}
}

func TestSessionEndsIdleAndAbsolute(t *testing.T) {
	each(t, 1, func(t *testing.T, e *env) {
		silent := func(b *browser) string {
			return b.get("/authorize?" + request("app", "prompt", "none").Encode()).location.Query().Get("error")
		}
		b := e.browser()
		b.login(request("app"))
		e.clock.add(59 * time.Minute)
		if got := silent(b); got != "" {
			t.Errorf("59 min: %s", got)
		}
		e.clock.add(61 * time.Minute)
		if got := silent(b); got != "login_required" {
			t.Errorf("idle for 61 min: %q", got)
		}
		b.login(request("app"))
		for range 16 {
			e.clock.add(31 * time.Minute)
			if silent(b) != "" {
				break
			}
		}
		if got := silent(b); got != "login_required" {
			t.Error("used all day and still alive")
		}
	})
}

func TestG07AddressesComeFromConfiguration(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	evil := []string{"X-Forwarded-Host", "evil.example", "X-Forwarded-Proto", "https", "Forwarded", "host=evil.example;proto=https", "X-Original-URL", "/evil.example"}
	for _, path := range []string{"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/authorize?" + request("app").Encode()} {
		req, err := http.NewRequest(http.MethodGet, e.issuer+path, nil)
		must(t, err)
		for i := 0; i < len(evil); i += 2 {
			req.Header.Set(evil[i], evil[i+1])
		}
		req.Host = "evil.example"
		resp, err := http.DefaultTransport.RoundTrip(req)
		must(t, err)
		body := make([]byte, 20000)
		n, _ := resp.Body.Read(body)
		resp.Body.Close()
		if strings.Contains(string(body[:n]), "evil.example") || strings.Contains(resp.Header.Get("Location"), "evil.example") {
			t.Errorf("%s: evil.example found its way out", path)
		}
	}
}

func TestG10G11HeadersAndCORS(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	b := e.browser()
	for _, a := range []answer{b.get("/authorize?client_id=x"), b.get("/authorize?" + request("app").Encode()), b.get("/logout"), b.get("/consent/x")} {
		if csp := a.header.Get("Content-Security-Policy"); !strings.Contains(csp, "frame-ancestors 'none'") || a.header.Get("X-Frame-Options") != "DENY" {
			t.Errorf("%s may be framed", a.at)
		}
		if a.header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s has CORS", a.at)
		}
	}
	for _, path := range []string{"/token", "/userinfo", "/jwks", "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server", "/authorize", "/logout", "/consent/x"} {
		for _, origin := range []string{"https://evil.example", "null", "https://rp.example.evil.example"} {
			req, _ := http.NewRequest(http.MethodOptions, e.issuer+path, nil)
			req.Header.Set("Origin", origin)
			req.Header.Set("Access-Control-Request-Method", "POST")
			req.Header.Set("Access-Control-Request-Headers", strings.Repeat("x", 10<<10))
			resp, err := http.DefaultClient.Do(req)
			must(t, err)
			resp.Body.Close()
			allow, open := resp.Header.Get("Access-Control-Allow-Origin"), !strings.Contains("/authorize /logout /consent/x", path)
			if open && (allow != "*" || resp.StatusCode != 204) || !open && allow != "" || resp.Header.Get("Access-Control-Allow-Credentials") != "" {
				t.Errorf("%s from %s: %d %q", path, origin, resp.StatusCode, allow)
			}
			if strings.Contains(resp.Header.Get("Access-Control-Allow-Headers"), "xx") {
				t.Errorf("%s reflects header names", path)
			}
		}
	}
}

func TestG12CookieFlags(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	b := e.browser()
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	address := "/authorize?" + request("app").Encode()
	seen := 0
	for range 4 {
		a := b.get(address)
		for _, line := range a.header.Values("Set-Cookie") {
			seen++
			for _, want := range []string{"__Host-", "; Path=/", "; HttpOnly", "; Secure", "; SameSite=Lax"} {
				if !strings.Contains(line, want) {
					t.Errorf("cookie without %s: %s", want, line)
				}
			}
			if strings.Contains(line, "Domain=") {
				t.Errorf("cookie with a domain: %s", line)
			}
		}
		if a.location == nil {
			break
		}
		address = a.location.String()
	}
	if seen < 2 {
		t.Errorf("%d cookies seen", seen)
	}
}

func TestN01OtherTokensAreNotAccessTokens(t *testing.T) {
	each(t, 1, func(t *testing.T, e *env) {
		tok := e.token(redeem(e.code(request("app"))), "Authorization", basic("app", e.secret))
		code := e.code(request("app"))
		for name, bearer := range map[string]string{"ID token": tok.ID, "code": code, "assertion": e.assertion(), "spelling": tok.Access + "=", "empty parts": "..",
			"dots": strings.Repeat(".", 30<<10), "altered": tok.Access[:len(tok.Access)-4] + "AAAA"} {
			if status, _ := e.userinfo(bearer); status != 401 {
				t.Errorf("%s: %d", name, status)
			}
		}
		if status, info := e.userinfo(tok.Access); status != 200 || info["sub"] == nil {
			t.Errorf("twin: %d", status)
		}
		e.clock.add(5*time.Minute + time.Second)
		if status, info := e.userinfo(tok.Access); status != 401 || info["error"] != "invalid_token" {
			t.Errorf("expired: %d", status)
		}
	})
}

func TestUserinfoByPostAndNeverByQuery(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	tok := e.token(redeem(e.code(request("app"))), "Authorization", basic("app", e.secret))
	b := e.browser()
	if a := b.post("/userinfo", url.Values{"access_token": {tok.Access}}); a.status != 200 {
		t.Errorf("form: %d", a.status)
	}
	if a := b.post("/userinfo", url.Values{}, "Authorization", "bearer "+tok.Access); a.status != 200 {
		t.Errorf("header by POST: %d", a.status)
	}
	if a := b.post("/userinfo", url.Values{"access_token": {tok.Access}}, "Authorization", "Bearer "+tok.Access); a.status != 400 {
		t.Errorf("both: %d", a.status)
	}
	if a := b.get("/userinfo?access_token=" + tok.Access); a.status != 400 {
		t.Errorf("query: %d", a.status)
	}
	if a := b.get("/userinfo"); a.status != 401 || a.header.Get("WWW-Authenticate") == "" {
		t.Errorf("nothing: %d", a.status)
	}
	e.world.mu.Lock()
	delete(e.world.persons, "p-li")
	e.world.mu.Unlock()
	if a := b.post("/userinfo", url.Values{"access_token": {tok.Access}}); a.status != 401 {
		t.Errorf("a person who is gone: %d", a.status)
	}
}

func TestOwnPagesLogInAndReturnLocally(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	for path, want := range map[string]string{"/licences?x=1": "/licences?x=1", "//evil.example": "/", "/\\evil.example": "/", "https://evil.example": "/", "": "/"} {
		b := e.browser()
		w := newRecorder()
		r, _ := http.NewRequest(http.MethodGet, e.issuer+"/licences", nil)
		e.op.BeginLogin(w, r, path)
		u, _ := url.Parse(e.issuer)
		b.Jar.SetCookies(u, w.Result().Cookies())
		b.CheckRedirect = func(req *http.Request, _ []*http.Request) error { return http.ErrUseLastResponse }
		a := b.get(w.Header().Get("Location"))
		if a.location == nil || a.location.String() != want {
			t.Errorf("%q returned to %v", path, a.location)
		}
		req, _ := http.NewRequest(http.MethodGet, e.issuer, nil)
		for _, c := range b.Jar.Cookies(u) {
			req.AddCookie(c)
		}
		if s, ok := e.op.Session(req); !ok || s.PersonID != "p-li" || s.ACR != "loa3" {
			t.Errorf("session: %+v %v", s, ok)
		}
	}
	req, _ := http.NewRequest(http.MethodGet, e.issuer, nil)
	if _, ok := e.op.Session(req.WithContext(context.Background())); ok {
		t.Error("a session out of nothing")
	}
}

func TestDiscoveryAndJWKS(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	b := e.browser()
	a := b.get("/.well-known/openid-configuration")
	for _, want := range []string{`"issuer":"` + e.issuer + `"`, `"request_uri_parameter_supported":false`, `"S256"`, `"end_session_endpoint"`, `"pairwise"`} {
		if !strings.Contains(a.body, want) {
			t.Errorf("discovery lacks %s", want)
		}
	}
	if strings.Contains(b.get("/.well-known/oauth-authorization-server").body, "userinfo") {
		t.Error("RFC 8414 metadata carries OpenID members")
	}
	req, _ := http.NewRequest(http.MethodGet, e.issuer+"/.well-known/openid-configuration", nil)
	req.Header.Set("If-None-Match", a.header.Get("ETag"))
	if again := b.do(req); again.status != http.StatusNotModified {
		t.Errorf("ETag: %d", again.status)
	}
	keys := b.get("/jwks")
	if strings.Contains(keys.body, `"d":`) || !strings.Contains(keys.body, `"use":"sig"`) || !strings.Contains(keys.body, `"kid"`) {
		t.Errorf("jwks: %s", keys.body)
	}
}
