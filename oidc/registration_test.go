package oidc_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/registration"
)

// register calls the registration endpoint and returns what it says.
func (e *env) register(method, path, token, body string) (int, map[string]any) {
	e.t.Helper()
	req, err := http.NewRequest(method, e.issuer+path, strings.NewReader(body))
	must(e.t, err)
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	must(e.t, err)
	defer resp.Body.Close()
	out := map[string]any{}
	if resp.StatusCode != http.StatusNoContent {
		must(e.t, json.NewDecoder(resp.Body).Decode(&out))
	}
	return resp.StatusCode, out
}

// A client that registered itself logs a person in; when it is deleted on one node, its tokens are dead on the other within a second.
func TestRegisteredClientFromFirstToLastToken(t *testing.T) {
	each(t, 2, func(t *testing.T, e *env) {
		_, openid := e.register(http.MethodGet, "/.well-known/openid-configuration", "", "")
		if openid["registration_endpoint"] != e.issuer+registration.Path {
			t.Fatalf("discovery: %v", openid["registration_endpoint"])
		}
		status, made := e.register(http.MethodPost, registration.Path, "", `{"redirect_uris":["`+rpCallback+`"],"client_name":"Self-made","id_token_signed_response_alg":"ES256"}`)
		if status != http.StatusCreated {
			t.Fatalf("%d %v", status, made)
		}
		id, secret := made["client_id"].(string), made["client_secret"].(string)
		b := e.browser()
		page := b.get("/authorize?" + request(id).Encode())
		if !strings.Contains(page.body, "Self-made") || !strings.Contains(page.body, "没有人核对过") || strings.Contains(page.body, "已登记") {
			t.Errorf("the consent page must say that nobody checked the client: %.900s", page.body)
		}
		code := b.agree(page).location.Query().Get("code")
		tok := e.token(redeem(code), "Authorization", basic(id, secret))
		granted(t, "token", tok)
		if status, _ := e.userinfo(tok.Access); status != http.StatusOK {
			t.Errorf("userinfo: %d", status)
		}
		at := func() int {
			req, err := http.NewRequest(http.MethodGet, e.nodes[1].URL+"/userinfo", nil)
			must(t, err)
			req.Header.Set("Authorization", "Bearer "+tok.Access)
			resp, err := http.DefaultClient.Do(req)
			must(t, err)
			resp.Body.Close()
			return resp.StatusCode
		}
		if status := at(); status != http.StatusOK {
			t.Errorf("userinfo at the other node: %d", status)
		}
		// More than the time after which unused clients go: this one was used.
		if status, _ := e.register(http.MethodDelete, registration.Path+"/"+id, made["registration_access_token"].(string), ""); status != http.StatusNoContent {
			t.Fatalf("delete: %d", status)
		}
		if status, _ := e.userinfo(tok.Access); status != http.StatusUnauthorized {
			t.Errorf("D14 deleted, here: %d", status)
		}
		e.clock.add(time.Second)
		if status := at(); status != http.StatusUnauthorized {
			t.Errorf("D14 deleted, at the other node after a second: %d", status)
		}
		refused(t, "D14 deleted client", e.token(redeem(code), "Authorization", basic(id, secret)), 401, "invalid_client")
		if a := e.browser().get("/authorize?" + request(id).Encode()); a.status != http.StatusBadRequest || a.location != nil {
			t.Errorf("D14 authorize: %d %v", a.status, a.location)
		}
	})
}

func TestLoopbackClientNeedsNoRegistration(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	const id, callback = "http://localhost:3000/app", "http://localhost:3000/cb"
	code := e.code(request(id, "redirect_uri", callback))
	refused(t, "no verifier", e.token(with(redeem(code, "client_id", id, "redirect_uri", callback), "code_verifier", "-")), 400, "invalid_grant")
	code = e.code(request(id, "redirect_uri", callback))
	tok := e.token(redeem(code, "client_id", id, "redirect_uri", callback))
	granted(t, "with the verifier", tok)
	if status, claims := e.userinfo(tok.Access); status != http.StatusOK || claims["name"] != "李秀英" {
		t.Errorf("userinfo: %d %v", status, claims)
	}
	for name, v := range map[string]url.Values{
		"A01 another port": request(id, "redirect_uri", "http://localhost:3001/cb"), "A01 another host": request(id, "redirect_uri", "http://127.0.0.1:3000/cb"),
		"A02 user info": request(id, "redirect_uri", "http://localhost:3000@evil.example/cb"), "A01 not loopback": request("http://rp.example/", "redirect_uri", "http://rp.example/cb"),
	} {
		if a := e.browser().get("/authorize?" + v.Encode()); a.status != http.StatusBadRequest || a.location != nil {
			t.Errorf("%s: %d %v", name, a.status, a.location)
		}
	}
	if a := e.browser().get("/authorize?" + with(request(id, "redirect_uri", callback), "code_challenge", "-", "code_challenge_method", "-").Encode()); a.location == nil || a.location.Query().Get("error") != "invalid_request" {
		t.Errorf("without PKCE: %d %v", a.status, a.location)
	}
	page := e.browser().get("/authorize?" + request(id, "redirect_uri", callback).Encode())
	if !strings.Contains(page.body, "localhost:3000") || !strings.Contains(page.body, "没有人核对过") {
		t.Error("the consent page must name the address and say that nobody checked it")
	}
}

// The whole of private_key_jwt by a jwks_uri, as a client of the conformance suite does it.
func TestRegisteredClientWithKeysByURL(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	key, err := jose.GenerateKey(jose.RS256)
	must(t, err)
	public, err := key.Public()
	must(t, err)
	set, err := jose.MarshalJWKS([]jose.JWK{public})
	must(t, err)
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(set) }))
	defer keys.Close()
	status, made := e.register(http.MethodPost, registration.Path, "", `{"redirect_uris":["`+rpCallback+`","https://other.example/cb"],"token_endpoint_auth_method":"private_key_jwt","jwks_uri":"`+keys.URL+`"}`)
	if status != http.StatusCreated || made["client_secret"] != nil {
		t.Fatalf("%d %v", status, made)
	}
	id := made["client_id"].(string)
	assertion := func(k jose.SigningKey) string {
		token, err := jose.SignJSON(k, jose.Header{}, map[string]any{"iss": id, "sub": id, "aud": e.issuer + "/token", "jti": registration.NewSecret(), "exp": e.clock.Now().Add(time.Minute).Unix()})
		must(t, err)
		return token
	}
	granted(t, "the published key", e.token(withAssertion(redeem(e.code(request(id))), assertion(key))))
	foreign, err := jose.GenerateKey(jose.RS256)
	must(t, err)
	refused(t, "another key", e.token(withAssertion(redeem(e.code(request(id))), assertion(foreign))), 401, "invalid_client")
	c, err := e.op.Clients().Get(t.Context(), id)
	must(t, err)
	if c.Sector() != "client:"+id || c.AuthMethod != client.PrivateKeyJWT {
		t.Errorf("%+v", c)
	}
}

// A client that wants its ID tokens encrypted must not lose a code because its keys could not be read for a moment.
func TestCodeSurvivesKeysThatAreDown(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	key, err := jose.GenerateKey(jose.ES256)
	must(t, err)
	public, err := key.Public()
	must(t, err)
	text, err := public.MarshalJSON()
	must(t, err)
	// The same point, published for encryption.
	set := `{"keys":[` + strings.Replace(strings.Replace(string(text), `"alg":"ES256"`, `"alg":"ECDH-ES"`, 1), `{`, `{"use":"enc",`, 1) + `]}`
	var up atomic.Bool
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if !up.Load() {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		_, _ = io.WriteString(w, set)
	}))
	defer keys.Close()
	c, err := e.op.Clients().Get(t.Context(), "app")
	must(t, err)
	c.ID, c.JWKSURI, c.IDTokenEncryptedAlg, c.IDTokenEncryptedEnc = "sealed", keys.URL, "ECDH-ES", "A256GCM"
	must(t, e.op.Clients().Put(t.Context(), c))
	code := e.code(request("sealed"))
	if tok := e.token(redeem(code), "Authorization", basic("sealed", e.secret)); tok.Error != "invalid_client" || tok.status != http.StatusBadRequest {
		t.Errorf("keys down: %d %s", tok.status, tok.Error)
	}
	up.Store(true)
	e.clock.add(50 * time.Second)
	later := e.code(request("sealed"))
	if tok := e.token(redeem(later), "Authorization", basic("sealed", e.secret)); tok.Error != "invalid_client" {
		t.Errorf("the source asks once a minute: %d %s", tok.status, tok.Error)
	}
	e.clock.add(11 * time.Second)
	tok := e.token(redeem(later), "Authorization", basic("sealed", e.secret))
	if tok.status != http.StatusOK || strings.Count(tok.ID, ".") != 4 {
		t.Errorf("twin, keys up: %d %s %q", tok.status, tok.Error, tok.ID)
	}
}
