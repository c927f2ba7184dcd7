package oidc_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc"
	"github.com/hufu-id/hufu/oidc/client"
)

// machine registers a client that gets tokens of its own.
func machine(profile string, keys ...jose.SigningKey) func(*oidc.Client) {
	return func(c *oidc.Client) {
		c.Profile, c.GrantTypes, c.Scopes, c.RedirectURIs, c.DPoPBound = profile, []string{client.ClientCredentials}, []string{"register"}, nil, false
		for _, k := range keys {
			pub, err := k.Public()
			if err != nil {
				panic(err)
			}
			c.JWKS = append(c.JWKS, pub)
		}
	}
}

// asserted asks for a machine's token with an assertion by some key, and a proof where tokens must be bound.
func (f *fapi) asserted(key jose.SigningKey, pairs ...any) reply {
	f.t.Helper()
	claims := map[string]any{"iss": f.id, "sub": f.id, "aud": f.issuer, "jti": rand(), "exp": f.clock.Now().Add(time.Minute).Unix()}
	for i := 0; i+1 < len(pairs); i += 2 {
		claims[pairs[i].(string)] = pairs[i+1]
	}
	s, err := jose.SignJSON(key, jose.Header{Typ: "JWT"}, claims)
	must(f.t, err)
	return f.send(http.MethodPost, "/token", withAssertion(url.Values{"grant_type": {client.ClientCredentials}}, s), "DPoP", f.proof("POST", f.issuer+"/token", ""))
}

// warmMachine fetches a nonce.
func (f *fapi) warmMachine() { f.asserted(f.key) }

// Which algorithms count is the profile's matter, also for a key that is registered: RS256 only in core.
func TestD01AlgorithmsByProfile(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	rs, err := rsaKey()
	must(t, err)
	ed, err := jose.GenerateKey(jose.EdDSA)
	must(t, err)
	for profile, wantRSA := range map[string]int{"core": 200, "national": 401, "fapi2": 401} {
		f := newFAPI(e, "m-"+profile, machine(profile, rs, ed))
		f.warmMachine()
		for name, try := range map[string]struct {
			key  jose.SigningKey
			want int
		}{"RS256": {rs, wantRSA}, "EdDSA": {ed, 200}, "ES256": {f.key, 200}} {
			if r := f.asserted(try.key); r.status != try.want || r.status == 401 && r.body["error"] != "invalid_client" {
				t.Errorf("D01 %s at %s: %d %v", name, profile, r.status, r.body)
			}
		}
	}
}

// The audience is the issuer; the token endpoint and a list of one only where the profile says so (FAPI 2.0 Security Profile 5.3.2.1).
func TestD03AudiencesByProfile(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	for profile, want := range map[string][4]int{"core": {200, 200, 200, 200}, "national": {200, 200, 200, 401}, "fapi2": {200, 401, 401, 401}} {
		f := newFAPI(e, "m-"+profile, machine(profile))
		f.warmMachine()
		for i, aud := range []any{e.issuer, e.issuer + "/token", e.issuer + "/par", []string{e.issuer}} {
			if r := f.asserted(f.key, "aud", aud); r.status != want[i] {
				t.Errorf("D03 %v at %s: %d %v, want %d", aud, profile, r.status, r.body, want[i])
			}
		}
		for _, aud := range []any{[]string{e.issuer, "https://other.example"}, e.issuer + "/", e.issuer + "/userinfo", "https://other.example/token", []string{}, 7, nil} {
			if r := f.asserted(f.key, "aud", aud); r.status != 401 || r.body["error"] != "invalid_client" {
				t.Errorf("D03 %v at %s: %d %v", aud, profile, r.status, r.body)
			}
		}
	}
}

// One assertion is good once, wherever it is shown: of a push and a token request that carry the same one, one succeeds.
func TestD02AssertionsAtPARAreUsedOnce(t *testing.T) {
	each(t, 2, func(t *testing.T, e *env) {
		f := newFAPI(e, "bank")
		f.warm()
		form := f.authenticated(request("bank"))
		if wins := race(20, func(i int) bool { return e.tokenPath(i%2, "/par", form).status == http.StatusCreated }); wins != 1 {
			t.Errorf("D02 %d pushes with one assertion", wins)
		}
		refused(t, "D02 at the token endpoint after PAR", e.token(with(redeem("x"), "client_assertion", form.Get("client_assertion"), "client_assertion_type",
			form.Get("client_assertion_type")), "DPoP", f.proof("POST", e.issuer+"/token", "")), 401, "invalid_client")
		if r := f.push(request("bank")); r.status != http.StatusCreated {
			t.Errorf("twin: %d %v", r.status, r.body)
		}
	})
}

// tokenPath posts a form that is answered like a token request.
func (e *env) tokenPath(node int, path string, form url.Values, header ...string) tokens {
	e.t.Helper()
	r := (&fapi{env: e}).sendTo(node, path, form, header...)
	out := tokens{status: r.status, header: r.header}
	out.Error, _ = r.body["error"].(string)
	return out
}

// sendTo posts a form to one node.
func (f *fapi) sendTo(node int, path string, form url.Values, header ...string) reply {
	f.t.Helper()
	other := *f.env
	other.issuer = f.nodes[node].URL
	return (&fapi{env: &other}).send(http.MethodPost, path, form, header...)
}

// A client that was registered for one method gets in by no other, with keys on file or not.
func TestD06AKeyOnFileIsNoMethod(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	for _, method := range []client.AuthMethod{client.PrivateKeyJWT, client.SecretBasic, client.SecretPost} {
		f := newFAPI(e, "m", machine("core"), func(c *oidc.Client) { c.AuthMethod, c.SecretHash = method, client.HashSecret(e.secret) })
		want := map[bool]int{true: 200, false: 401}[method == client.PrivateKeyJWT]
		if r := f.asserted(f.key); r.status != want {
			t.Errorf("D06 assertion of a client of %s: %d %v", method, r.status, r.body)
		}
		tok := e.token(url.Values{"grant_type": {client.ClientCredentials}}, "Authorization", basic("m", e.secret))
		if bySecret := tok.status == 200; bySecret != (method != client.PrivateKeyJWT) {
			t.Errorf("D06 secret of a client of %s: %d %s", method, tok.status, tok.Error)
		}
	}
}

// A client that is disabled or deleted, or belongs to another server's profile, is nobody: at every endpoint, with a code and a token in hand.
func TestD14ClientsThatAreGone(t *testing.T) {
	each(t, 2, func(t *testing.T, e *env) {
		ctx := context.Background()
		for name, end := range map[string]func(c oidc.Client){
			"disabled": func(c oidc.Client) { c.Disabled = true; must(t, e.op.Clients().Put(ctx, c)) },
			"deleted": func(c oidc.Client) {
				_, err := e.db.Exec(ctx, `DELETE FROM oidc_clients WHERE id = $1`, c.ID)
				must(t, err)
				e.op.Clients().Forget(c.ID)
			},
		} {
			c, err := e.op.Clients().Get(ctx, "app")
			must(t, err)
			c.ID = name
			must(t, e.op.Clients().Put(ctx, c))
			auth := []string{"Authorization", basic(name, e.secret)}
			b := e.browser()
			waiting := b.get("/authorize?" + request(name).Encode())
			tok := e.token(redeem(b.agree(waiting).location.Query().Get("code")), auth...)
			granted(t, name+" before", tok)
			code := e.code(request(name))
			end(c)
			e.clock.add(2 * time.Second) // what the other node may believe for a second
			for node := range e.nodes {
				refused(t, "D14 "+name+" with a code", e.tokenAt(node, redeem(code), auth...), 401, "invalid_client")
			}
			if status, _ := e.userinfo(tok.Access); status != 401 {
				t.Errorf("D14 %s: its token is good: %d", name, status)
			}
			page400(t, e.browser().get("/authorize?"+request(name).Encode()), "")
			if a := b.agree(waiting); a.location != nil && a.location.Host == "rp.example" {
				t.Errorf("D14 %s: a flow that had begun went on to %s", name, a.location)
			}
		}
	})
}

// A server of one profile doesn't know the clients of another, which may stand in the same database.
func TestServerOfOneProfile(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	newFAPI(e, "bank")
	for profile, want := range map[string][2]int{"fapi2": {400, 401}, "core": {303, 400}, "": {303, 400}} {
		if profile == "core" {
			c, err := e.op.Clients().Get(context.Background(), "app")
			must(t, err)
			c.Profile = "core"
			must(t, e.op.Clients().Put(context.Background(), c))
		}
		_, _, handler := e.provider(func(c *oidc.Config) { c.Profile = profile })
		server := httptest.NewServer(httpx.Wrap(handler, httpx.Options{}))
		defer server.Close()
		noFollow := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		resp, err := noFollow.Get(server.URL + "/authorize?" + request("app").Encode())
		must(t, err)
		resp.Body.Close()
		req, err := http.NewRequest(http.MethodPost, server.URL+"/token", strings.NewReader(redeem("x").Encode()))
		must(t, err)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Authorization", basic("app", e.secret))
		token, err := noFollow.Do(req)
		must(t, err)
		token.Body.Close()
		if resp.StatusCode != want[0] || token.StatusCode != want[1] {
			t.Errorf("D14 a core client at a server of %q: authorize %d, token %d", profile, resp.StatusCode, token.StatusCode)
		}
	}
}

// Whose tokens must be bound gets none without a key, and the code waits for the proof.
func TestD13TokensMustBeBound(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	for name, change := range map[string]func(*oidc.Client){
		"by the profile":      func(c *oidc.Client) { c.DPoPBound = false },
		"by the registration": func(c *oidc.Client) { c.Profile = "core" },
		"by both":             func(*oidc.Client) {},
		"by certificate":      func(c *oidc.Client) { c.DPoPBound, c.TLSBound = false, true },
	} {
		f := newFAPI(e, "bank", change)
		c, err := e.op.Clients().Get(context.Background(), "bank")
		must(t, err)
		v := request("bank")
		if c.PARRequired() {
			v = f.pushed(v)
		}
		code := e.browser().login(v).location.Query().Get("code")
		wrong := map[bool]string{true: "invalid_dpop_proof", false: "invalid_request"}[c.DPoPBound]
		if r := f.send(http.MethodPost, "/token", f.authenticated(redeem(code))); r.status != 400 || r.body["error"] != wrong || r.body["access_token"] != nil {
			t.Errorf("D13 %s: a token that isn't bound: %d %v", name, r.status, r.body)
		}
		r := f.redeem(code)
		if r.body["error"] == "use_dpop_nonce" {
			r = f.redeem(code)
		}
		if ok := r.status == 200 && r.body["token_type"] == "DPoP"; ok == c.TLSBound {
			t.Errorf("D13 %s, with a proof: %d %v", name, r.status, r.body)
		}
	}
}

// A machine gets what it is registered for, never what people have, and its sub is no person's (RFC 9700 4.15).
func TestMachineScopes(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	ask := func(f *fapi, scope string) tokens {
		return e.token(f.authenticated(url.Values{"grant_type": {client.ClientCredentials}, "scope": {scope}}))
	}
	f := newFAPI(e, "m", machine("core"))
	granted(t, "its own", ask(f, "register"))
	none := newFAPI(e, "none", machine("core"), func(c *oidc.Client) { c.Scopes = []string{"openid"} })
	for _, scope := range []string{"register", "openid", ""} {
		refused(t, "not registered: "+scope, ask(none, scope), 400, "invalid_scope")
	}
	refused(t, "a scope of people", ask(f, "register profile"), 400, "invalid_scope")
	// A client whose id is a person's sub.
	_, info := e.userinfo(e.token(redeem(e.code(request("app"))), "Authorization", basic("app", e.secret)).Access)
	sub, _ := info["sub"].(string)
	twin := newFAPI(e, sub, machine("core"))
	tok := ask(twin, "register")
	granted(t, "a client that is called like a sub", tok)
	at, err := e.op.ValidateAccessToken(context.Background(), tok.Access, e.issuer+"/register")
	must(t, err)
	if sub == "" || at.Subject == sub || at.PersonID != "" {
		t.Errorf("N12 sub %q of client %q", at.Subject, sub)
	}
}

// A person who may not log in any more gets no code, also where a session and a consent of hers still stand.
func TestPersonWhoIsGone(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	b := e.browser()
	b.login(request("app"))
	if a := b.get("/authorize?" + request("app").Encode()); a.location == nil || a.location.Query().Get("code") == "" {
		t.Fatalf("twin: %d %v", a.status, a.location)
	}
	e.world.mu.Lock()
	delete(e.world.persons, "p-li")
	e.world.mu.Unlock()
	redir(t, e, b.get("/authorize?"+request("app", "prompt", "none").Encode()), "login_required")
	redir(t, e, b.get("/authorize?"+request("app").Encode()), "access_denied")
}

// A token that was issued for a credential, or for another API, opens no userinfo.
func TestUserinfoNeedsOpenID(t *testing.T) {
	const api = "https://api.example"
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	c, err := e.op.Clients().Get(context.Background(), "app")
	must(t, err)
	c.Scopes, c.Resources = append(c.Scopes, "driving-licence"), []string{e.issuer + "/x", api}
	must(t, e.op.Clients().Put(context.Background(), c))
	auth := []string{"Authorization", basic("app", e.secret)}
	for name, want := range map[string]struct{ scope, resource, status string }{
		"openid": {"openid", "-", "200"}, "openid and an API": {"openid", api, "200"}, "a credential for us": {"driving-licence", e.issuer, "4xx"}, "a credential": {"driving-licence", "-", "4xx"},
	} {
		tok := e.token(redeem(e.code(request("app", "scope", want.scope, "resource", want.resource))), auth...)
		granted(t, name, tok)
		status, info := e.userinfo(tok.Access)
		if ok := status == 200; ok != (want.status == "200") || status >= 500 || !ok && info["sub"] != nil {
			t.Errorf("P08 %s: %d %v", name, status, info)
		}
	}
	// Narrowed by a refresh (RFC 6749 section 6), the token is still for us, and says nothing of the person.
	e.renewing()
	refresh := e.start("renew").Refresh
	for scope, want := range map[string]int{"openid profile": 200, "profile": 403} {
		tok := e.renew("renew", refresh, "scope", scope)
		granted(t, scope, tok)
		if status, info := e.userinfo(tok.Access); status != want || want != 200 && info["sub"] != nil {
			t.Errorf("P08 %s: %d %v", scope, status, info)
		}
		refresh = tok.Refresh
	}
}
