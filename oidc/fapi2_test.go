package oidc_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/web"
)

// fapi is a client of the profile fapi2, with its keys.
type fapi struct {
	*env
	id    string
	key   jose.SigningKey // client authentication, request objects
	dpop  jose.SigningKey
	nonce string // the newest of the server
}

func newFAPI(e *env, id string, change ...func(*oidc.Client)) *fapi {
	e.t.Helper()
	f := &fapi{env: e, id: id}
	for _, k := range []*jose.SigningKey{&f.key, &f.dpop} {
		var err error
		*k, err = jose.GenerateKey(jose.ES256)
		must(e.t, err)
	}
	pub, err := f.key.Public()
	must(e.t, err)
	c := oidc.Client{ID: id, Name: web.Text{ZH: "沙箱银行", EN: "Sandbox Bank"}, Service: web.Text{ZH: "开户", EN: "Account opening"}, Organisation: "1199440000TRY002X9",
		Profile: "fapi2", RedirectURIs: []string{rpCallback}, GrantTypes: []string{client.AuthorizationCode}, Scopes: []string{"openid", "profile"},
		AuthMethod: client.PrivateKeyJWT, JWKS: []jose.JWK{pub}, Requests: client.Requests{DPoPBound: true}}
	for _, f := range change {
		f(&c)
	}
	must(e.t, e.op.Clients().Put(context.Background(), c))
	return f
}

// proof makes a DPoP proof; pairs change or (nil) remove claims.
func (f *fapi) proof(method, address, token string, pairs ...any) string {
	claims := map[string]any{"htm": method, "htu": address, "jti": rand(), "iat": f.clock.Now().Unix()}
	if f.nonce != "" {
		claims["nonce"] = f.nonce
	}
	if token != "" {
		sum := sha256.Sum256([]byte(token))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == nil {
			delete(claims, pairs[i].(string))
		} else {
			claims[pairs[i].(string)] = pairs[i+1]
		}
	}
	pub, err := f.dpop.Public()
	must(f.t, err)
	s, err := jose.SignJSON(f.dpop, jose.Header{Typ: "dpop+jwt", JWK: &pub}, claims)
	must(f.t, err)
	return s
}

// authenticated adds a fresh client assertion.
func (f *fapi) authenticated(form url.Values) url.Values {
	s, err := jose.SignJSON(f.key, jose.Header{Typ: "JWT"}, map[string]any{"iss": f.id, "sub": f.id, "aud": f.issuer, "jti": rand(),
		"exp": f.clock.Now().Add(time.Minute).Unix()})
	must(f.t, err)
	return withAssertion(form, s)
}

// object signs a request object; pairs change or (nil) remove claims.
func (f *fapi) object(v url.Values, pairs ...any) string {
	now := f.clock.Now()
	claims := map[string]any{"iss": f.id, "aud": f.issuer, "exp": now.Add(5 * time.Minute).Unix(), "nbf": now.Unix(), "iat": now.Unix(), "jti": rand()}
	for name, values := range v {
		claims[name] = values[0]
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == nil {
			delete(claims, pairs[i].(string))
		} else {
			claims[pairs[i].(string)] = pairs[i+1]
		}
	}
	s, err := jose.SignJSON(f.key, jose.Header{Typ: "oauth-authz-req+jwt"}, claims)
	must(f.t, err)
	return s
}

// reply is the answer to a program.
type reply struct {
	status int
	header http.Header
	body   map[string]any
}

func (f *fapi) send(method, path string, form url.Values, header ...string) reply {
	f.t.Helper()
	req, err := http.NewRequest(method, f.issuer+path, strings.NewReader(form.Encode()))
	must(f.t, err)
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Add(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	must(f.t, err)
	defer resp.Body.Close()
	out := reply{status: resp.StatusCode, header: resp.Header, body: map[string]any{}}
	_ = json.NewDecoder(resp.Body).Decode(&out.body)
	if n := resp.Header.Get("DPoP-Nonce"); n != "" {
		f.nonce = n
	}
	return out
}

func (f *fapi) push(v url.Values, header ...string) reply {
	f.t.Helper()
	return f.send(http.MethodPost, "/par", f.authenticated(v), header...)
}

// pushed pushes a request and returns what the browser carries.
func (f *fapi) pushed(v url.Values, header ...string) url.Values {
	f.t.Helper()
	a := f.push(v, header...)
	uri, _ := a.body["request_uri"].(string)
	if a.status != http.StatusCreated || uri == "" {
		f.t.Fatalf("push: %d %v", a.status, a.body)
	}
	return url.Values{"client_id": {f.id}, "request_uri": {uri}}
}

func (f *fapi) redeem(code string, pairs ...string) reply {
	f.t.Helper()
	return f.send(http.MethodPost, "/token", f.authenticated(redeem(code, pairs...)), "DPoP", f.proof("POST", f.issuer+"/token", ""))
}

// warm fetches a nonce, as any first request does.
func (f *fapi) warm() {
	f.t.Helper()
	a := f.send(http.MethodPost, "/token", f.authenticated(url.Values{"grant_type": {"authorization_code"}, "code": {"x"}}), "DPoP", f.proof("POST", f.issuer+"/token", ""))
	if a.body["error"] != "use_dpop_nonce" || f.nonce == "" {
		f.t.Fatalf("no nonce asked for: %d %v", a.status, a.body)
	}
}

func TestFAPI2LoginFromPushToUserinfo(t *testing.T) {
	each(t, 1, func(t *testing.T, e *env) {
		f := newFAPI(e, "bank")
		f.warm()
		carried := f.pushed(request("bank", "response_mode", "jwt"), "DPoP", f.proof("POST", e.issuer+"/par", ""))
		a := e.browser().login(carried)
		if a.location.Query().Has("code") {
			t.Error("a JWT response carries the code beside it")
		}
		claims := f.jarm(a.location.Query().Get("response"))
		if claims["state"] != "st" || claims["aud"] != "bank" {
			t.Errorf("response: %v", claims)
		}
		code, _ := claims["code"].(string)
		tok := f.redeem(code)
		access, _ := tok.body["access_token"].(string)
		if tok.status != 200 || tok.body["token_type"] != "DPoP" {
			t.Fatalf("token: %d %v", tok.status, tok.body)
		}
		address := e.issuer + "/userinfo"
		info := f.send(http.MethodGet, "/userinfo", nil, "Authorization", "DPoP "+access, "DPoP", f.proof("GET", address, access))
		if info.status != 200 || info.body["name"] != "李秀英" {
			t.Errorf("userinfo: %d %v", info.status, info.body)
		}
		for name, header := range map[string][]string{
			"D13 Bearer scheme":       {"Authorization", "Bearer " + access, "DPoP", f.proof("GET", address, access)},
			"D13 no proof":            {"Authorization", "DPoP " + access},
			"D13 proof of another":    {"Authorization", "DPoP " + access, "DPoP", newFAPI(e, "other-bank").proof("GET", address, access, "nonce", f.nonce)},
			"D13 wrong htm":           {"Authorization", "DPoP " + access, "DPoP", f.proof("POST", address, access)},
			"D13 wrong htu":           {"Authorization", "DPoP " + access, "DPoP", f.proof("GET", e.issuer+"/token", access)},
			"D13 no ath":              {"Authorization", "DPoP " + access, "DPoP", f.proof("GET", address, "")},
			"D13 no nonce":            {"Authorization", "DPoP " + access, "DPoP", f.proof("GET", address, access, "nonce", nil)},
			"D13 two proofs":          {"Authorization", "DPoP " + access, "DPoP", f.proof("GET", address, access), "DPoP", f.proof("GET", address, access)},
			"D13 ath of another text": {"Authorization", "DPoP " + access, "DPoP", f.proof("GET", address, access+"x")},
		} {
			if r := f.send(http.MethodGet, "/userinfo", nil, header...); r.status != http.StatusUnauthorized || r.header.Get("WWW-Authenticate") == "" {
				t.Errorf("%s: %d %v", name, r.status, r.body)
			}
		}
		once := f.proof("GET", address, access)
		for i, want := range []int{200, 401} {
			if r := f.send(http.MethodGet, "/userinfo", nil, "Authorization", "DPoP "+access, "DPoP", once); r.status != want {
				t.Errorf("D13 proof, time %d: %d %v", i+1, r.status, r.body)
			}
		}
		if _, err := e.op.ValidateAccessToken(context.Background(), access, e.issuer); err == nil {
			t.Error("a bound token is good without the request that proves it")
		}
	})
}

// idToken verifies the ID token of an answer.
func (f *fapi) idToken(r reply) jose.Claims {
	f.t.Helper()
	token, _ := r.body["id_token"].(string)
	return f.jarm(token)
}

// jarm verifies a JWT response.
func (f *fapi) jarm(token string) jose.Claims {
	f.t.Helper()
	keys, err := f.world.VerificationKeys(context.Background())
	must(f.t, err)
	v, err := jose.Verify(token, jose.Policy{Typ: []string{"JWT"}, Algs: []jose.Alg{jose.ES256}}, keys...)
	must(f.t, err)
	claims, err := v.Claims(jose.ClaimPolicy{Issuer: f.issuer, Audience: f.id, At: f.clock.Now()})
	must(f.t, err)
	return claims
}

func TestA13A14PushedRequests(t *testing.T) {
	each(t, 2, func(t *testing.T, e *env) {
		f, other := newFAPI(e, "bank"), newFAPI(e, "bank2")
		f.warm()
		// A13: what stands beside the reference doesn't count.
		carried := f.pushed(request("bank"))
		a := e.browser().login(with(carried, "nonce", "evil", "scope", "openid phone", "prompt", "none", "state", "evil", "redirect_uri", "https://evil.example/"))
		if a.location.Query().Get("state") != "st" || a.location.Host != "rp.example" {
			t.Errorf("A13: %s", a.location)
		}
		tok := f.redeem(a.location.Query().Get("code"))
		if tok.status != 200 || tok.body["scope"] != "openid profile" || f.idToken(tok)["nonce"] != "n1" {
			t.Errorf("A13: %d %v", tok.status, tok.body)
		}
		// A14: used up by its code, and not before.
		page400(t, e.browser().get("/authorize?"+carried.Encode()), "")
		carried = f.pushed(request("bank", "prompt", "consent"))
		b := e.browser()
		b.get("/authorize?" + carried.Encode())
		b.get("/authorize?" + carried.Encode())
		page400(t, e.browser().get("/authorize?"+with(carried, "client_id", other.id).Encode()), "")
		if b.login(carried).location.Query().Get("code") == "" {
			t.Error("A14: looked at three times, once by another client: no code")
		}
		carried = f.pushed(request("bank", "prompt", "consent"))
		e.clock.add(91 * time.Second)
		page400(t, e.browser().get("/authorize?"+carried.Encode()), "")
		for name, r := range map[string]reply{
			"A14 request_uri pushed": f.push(request("bank", "request_uri", carried.Get("request_uri"))),
			"A14 no redirect_uri":    f.push(request("bank", "redirect_uri", "-")),
			"A14 other redirect_uri": f.push(request("bank", "redirect_uri", "https://rp.example/cb2")),
			"B01 no challenge":       f.push(request("bank", "code_challenge", "-", "code_challenge_method", "-")),
			"A14 GET":                f.send(http.MethodGet, "/par?"+request("bank").Encode(), nil),
		} {
			if r.status < 400 || r.status > 405 || r.body["request_uri"] != nil {
				t.Errorf("%s: %d %v", name, r.status, r.body)
			}
		}
		if r := f.send(http.MethodPost, "/par", request("bank")); r.status != 401 || r.body["error"] != "invalid_client" {
			t.Errorf("A14 without authentication: %d %v", r.status, r.body)
		}
		if r := f.send(http.MethodPost, "/par", request("bank", "client_id", "-")); r.status != 401 || r.body["error"] != "invalid_client" {
			t.Errorf("A14 by nobody: %d %v", r.status, r.body)
		}
		redir(t, e, e.browser().get("/authorize?"+request("bank").Encode()), "invalid_request")
	})
}

func TestA09A10RequestObjects(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	f, other := newFAPI(e, "bank", func(c *oidc.Client) { c.RequireRequestObject = true }), newFAPI(e, "bank2")
	f.warm()
	now := e.clock.Now()
	good := func(pairs ...any) url.Values {
		return url.Values{"client_id": {"bank"}, "request": {f.object(request("bank"), pairs...)}}
	}
	if a := e.browser().login(f.pushed(good("aud", []string{e.issuer, "https://other.example"}, "max_age", 10000))); a.location.Query().Get("code") == "" {
		t.Fatalf("a good object: %s", a.location)
	}
	once := good()
	f.pushed(once)
	for name, v := range map[string]url.Values{
		"A10 jti twice":            once,
		"A10 no iss":               good("iss", nil),
		"A10 other iss":            good("iss", "bank2"),
		"A10 no aud":               good("aud", nil),
		"A10 other aud":            good("aud", "https://other.example"),
		"A10 no exp":               good("exp", nil),
		"A10 past":                 good("exp", now.Add(-time.Minute).Unix()),
		"A10 exp far away":         good("exp", now.Add(62*time.Minute).Unix()),
		"A10 no nbf":               good("nbf", nil),
		"A10 nbf long ago":         good("nbf", now.Add(-61*time.Minute).Unix()),
		"A10 nbf far away":         good("nbf", now.Add(time.Minute).Unix()),
		"A09 another client's key": {"client_id": {"bank"}, "request": {other.object(request("bank"), "iss", "bank")}},
		"A09 none":                 {"client_id": {"bank"}, "request": {"eyJhbGciOiJub25lIn0." + strings.Split(f.object(request("bank")), ".")[1] + "."}},
		"A09 client_id of another": good("client_id", "bank2"),
		"A09 no client_id":         good("client_id", nil),
		"N01 client assertion":     {"client_id": {"bank"}, "request": {f.authenticated(nil).Get("client_assertion")}},
		"A14 request_uri inside":   good("request_uri", "urn:ietf:params:oauth:request_uri:x"),
		"A09 no object":            request("bank"),
	} {
		r := f.push(v)
		if r.status != 400 || r.body["error"] != "invalid_request_object" && name != "A09 no object" {
			t.Errorf("%s: %d %v", name, r.status, r.body)
		}
	}
}
