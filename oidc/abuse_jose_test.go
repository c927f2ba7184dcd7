package oidc_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/registration"
)

func b64(s string) string { return base64.RawURLEncoding.EncodeToString([]byte(s)) }

// reheaded are a token's claims under other headers, "signed" with what everybody knows of its key.
func reheaded(t *testing.T, token string, key jose.JWK) map[string]string {
	t.Helper()
	parts := strings.Split(token, ".")
	public, err := json.Marshal(key)
	must(t, err)
	mac := func(header, secret string) string {
		m := hmac.New(sha256.New, []byte(secret))
		m.Write([]byte(b64(header) + "." + parts[1]))
		return b64(header) + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(m.Sum(nil))
	}
	var head map[string]any
	raw, err := base64.RawURLEncoding.DecodeString(parts[0])
	must(t, err)
	must(t, json.Unmarshal(raw, &head))
	with := func(alg string) string {
		h := map[string]any{}
		for k, v := range head {
			h[k] = v
		}
		h["alg"] = alg
		text, err := json.Marshal(h)
		must(t, err)
		return string(text)
	}
	out := map[string]string{"HS256 by the JWK": mac(with("HS256"), string(public)), "HS256 by nothing": mac(with("HS256"), ""), "HS256 by its thumbprint": mac(with("HS256"), key.Thumbprint())}
	for _, alg := range []string{"none", "None", "nOnE", "NONE", "", "ES256K", "ES384", "RS256", "PS256", "HS512", "es256"} {
		out["alg "+alg] = b64(with(alg)) + "." + parts[1] + "." + parts[2]
		out["alg "+alg+", no signature"] = b64(with(alg)) + "." + parts[1] + "."
	}
	return out
}

// N02: no reader of tokens takes the algorithm from the token alone. The twin is the token as it was made.
func TestN02AlgorithmsOfEveryReader(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	m := newMatrix(t, e)
	ours, err := e.world.key.Public()
	must(t, err)
	theirs, err := m.key.Public()
	must(t, err)
	ofClient := []string{"client assertion", "DPoP proof", "request object"}
	kinds := map[string]kind{}
	for _, k := range m.kinds() {
		kinds[k.name] = k
	}
	tried := 0
	for _, p := range m.places() {
		for _, name := range p.takes {
			token := kinds[name].make()
			if strings.Count(token, ".") != 2 {
				continue // opaque
			}
			key := ours
			for _, c := range ofClient {
				if c == name {
					key = theirs
				}
			}
			for how, forged := range reheaded(t, token, key) {
				tried++
				if p.try(forged) {
					t.Errorf("N02 %s at %s: %s", name, p.name, how)
				}
			}
			if !p.try(token) {
				t.Errorf("twin: %s at %s", name, p.name)
			}
		}
	}
	if tried < 300 {
		t.Errorf("N02 only %d tries", tried)
	}
}

// N11: a token of another issuer is nobody's here, whosever key it has.
func TestN11TokensOfAnotherIssuer(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	m := newMatrix(t, e)
	for _, c := range []struct{ name, member, typ string }{{"userinfo, Bearer", "access_token", "at+jwt"}, {"introspection", "access_token", "at+jwt"}, {"id_token_hint of a request", "id_token", "JWT"}, {"id_token_hint of a logout", "id_token", "JWT"}} {
		for _, p := range m.places() {
			if p.name != c.name {
				continue
			}
			claims := claimsOf(t, m.tokens(false).text(c.member))
			for _, iss := range []string{e.issuer, "https://other.example", e.issuer + "/", e.issuer + "/tenant", strings.ToUpper(e.issuer), ""} {
				claims["iss"] = iss
				for _, n := range []string{"iat", "exp"} { // JSON numbers came back as floats
					if f, ok := claims[n].(float64); ok {
						claims[n] = int64(f)
					}
				}
				if f, ok := claims["auth_time"].(float64); ok {
					claims["auth_time"] = int64(f)
				}
				token, err := jose.SignJSON(e.world.key, jose.Header{Typ: c.typ}, claims)
				must(t, err)
				if got := p.try(token); got != (iss == e.issuer) {
					t.Errorf("N11 %s of %q at %s: %v", c.member, iss, c.name, got)
				}
			}
		}
	}
}

// W03, W05, W06: what costs much to read is refused unread, wherever a token is taken. None of them is a fault of ours.
func TestW05TokensThatCostMuch(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	f := newFAPI(e, "m", func(c *oidc.Client) {
		c.Profile, c.DPoPBound, c.GrantTypes, c.Scopes = "core", false, append(c.GrantTypes, client.ClientCredentials), append(c.Scopes, "register")
	})
	// 20,000 of them would be refused for the body's size (W02).
	many := strings.Repeat(`{"protected":"e30","signature":"AAAA"},`, 150)
	large := strings.Repeat("A", 16<<10) // an RSA modulus of 12 KiB
	for name, token := range map[string]string{
		"W05 p2c 2e9":             b64(`{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2s":"AAAA","p2c":2000000000}`) + ".AAAA.AAAA.AAAA.AAAA",
		"W05 zip":                 b64(`{"alg":"dir","enc":"A128GCM","zip":"DEF"}`) + "..AAAA.AAAA.AAAA",
		"W05 empty encrypted key": b64(`{"alg":"RSA-OAEP-256","enc":"A128GCM"}`) + "..AAAA.AAAA.AAAA",
		"W05 150 signatures":      `{"payload":"e30","signatures":[` + strings.TrimSuffix(many, ",") + `]}`,
		"W05 150 recipients":      `{"recipients":[` + strings.TrimSuffix(many, ",") + `],"ciphertext":"AAAA"}`,
		"W03 a deep header":       b64(strings.Repeat(`{"a":`, 3000)+"1"+strings.Repeat("}", 3000)) + ".e30.AAAA",
		"W03 a deep payload":      b64(`{"alg":"ES256"}`) + "." + b64(strings.Repeat("[", 5000)) + ".AAAA",
		"W03 a long number":       b64(`{"alg":"ES256"}`) + "." + b64(`{"sub":"m","exp":1`+strings.Repeat("0", 5000)+"}") + ".AAAA",
		"W03 1,000 members":       b64(`{"alg":"ES256"`+strings.Repeat(`,"a":1`, 1000)+"}") + ".e30.AAAA",
		"W06 an RSA key of 96 kB": b64(`{"typ":"dpop+jwt","alg":"PS256","jwk":{"kty":"RSA","e":"AQAB","n":"`+large+`"}}`) + ".e30.AAAA",
		"W04 dots":                strings.Repeat(".", 12<<10),
	} {
		for place, r := range map[string]reply{
			"client_assertion": f.send(http.MethodPost, "/token", withAssertion(url.Values{"grant_type": {client.ClientCredentials}}, token)),
			"request":          f.push(url.Values{"client_id": {"m"}, "request": {token}}),
			"DPoP":             f.send(http.MethodPost, "/token", f.authenticated(url.Values{"grant_type": {client.ClientCredentials}}), "DPoP", token),
			"Authorization":    f.send(http.MethodGet, "/userinfo", nil, "Authorization", "Bearer "+token),
			"introspection":    f.send(http.MethodPost, "/introspect", with(f.authenticated(nil), "token", token)),
			"hint":             f.send(http.MethodGet, "/logout?"+url.Values{"id_token_hint": {token}}.Encode(), nil),
		} {
			if place == "introspection" {
				if r.status != 200 || r.body["active"] != false {
					t.Errorf("%s at %s: %d %v", name, place, r.status, r.body)
				}
			} else if r.status != 400 && r.status != 401 && r.status != http.StatusRequestURITooLong {
				t.Errorf("%s at %s: %d %v", name, place, r.status, r.body)
			}
		}
	}
	if r := f.send(http.MethodPost, "/token", f.authenticated(url.Values{"grant_type": {client.ClientCredentials}, "scope": {"register"}})); r.status != 200 {
		t.Errorf("twin: %d %v", r.status, r.body)
	}
}

// G09: there is no way around the consent: every grant that needs no browser is unknown, or no person's.
func TestG09GrantsWithoutABrowser(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	auth := []string{"Authorization", basic("app", e.secret)}
	tok := e.token(redeem(e.code(request("app"))), auth...)
	for _, g := range []string{"password", "implicit", "urn:ietf:params:oauth:grant-type:jwt-bearer", "urn:ietf:params:oauth:grant-type:saml2-bearer", "urn:openid:params:grant-type:ciba",
		"urn:ietf:params:oauth:grant-type:token-exchange", "urn:ietf:params:oauth:grant-type:device_code", "AUTHORIZATION_CODE", "authorization_code ", "none"} {
		form := url.Values{"grant_type": {g}, "scope": {"openid profile"}, "assertion": {tok.ID}, "username": {"li"}, "password": {"x"}, "device_code": {"x"}, "auth_req_id": {"x"},
			"subject_token": {tok.Access}, "subject_token_type": {"urn:ietf:params:oauth:token-type:access_token"}}
		refused(t, "G09 "+g, e.token(form, auth...), 400, "unsupported_grant_type")
	}
	for _, path := range []string{"/device", "/device_authorization", "/bc-authorize"} {
		if r := (&fapi{env: e}).send(http.MethodPost, path, url.Values{"client_id": {"app"}}); r.status != http.StatusNotFound {
			t.Errorf("G09 %s: %d", path, r.status)
		}
	}
	if a := e.browser().get("/.well-known/openid-configuration"); strings.Contains(a.body, "token-exchange") || strings.Contains(a.body, "jwt-bearer\"") && strings.Contains(a.body, "grant-type:jwt-bearer") {
		t.Error("G09 discovery lists one of them")
	}
	granted(t, "twin", tok)
}

// G12: a cookie that a sibling host could have set, because its name doesn't keep it to this host, is not read.
func TestG12CookiesOfSiblings(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	b := e.browser()
	b.login(request("app"))
	for name, ok := range map[string]bool{"__Host-hufu-session": true, "hufu-session": false, "__Secure-hufu-session": false, "__host-hufu-session": false, "__Host-hufu-session.0": false} {
		req, err := http.NewRequest(http.MethodGet, e.issuer+"/authorize?"+request("app", "prompt", "none").Encode(), nil)
		must(t, err)
		req.Header.Set("Cookie", name+"="+sessionCookie(b))
		resp, err := http.DefaultTransport.RoundTrip(req)
		must(t, err)
		resp.Body.Close()
		if got := strings.Contains(resp.Header.Get("Location"), "code="); got != ok {
			t.Errorf("G12 %s: logged in %v", name, got)
		}
	}
}

// E06: whoever makes us fetch something hears that it did not work, and nothing of what was found there.
func TestE06ErrorsOfFetchingTellNothing(t *testing.T) {
	const canary = "canary-7f3a"
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	inner := httpServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/500" {
			w.WriteHeader(500)
		}
		_, _ = w.Write([]byte(`{"internal":"` + canary + `"}`))
	})
	for _, address := range []string{inner + "/x", inner + "/500", "http://127.0.0.1:1/x", "https://10.0.0.1/x", "https://169.254.169.254/x", "https://no-such-host.invalid/x"} {
		body, err := json.Marshal(map[string]any{"redirect_uris": []string{rpCallback, "https://other.example/cb"}, "sector_identifier_uri": address})
		must(t, err)
		status, made := e.register(http.MethodPost, registration.Path, "", string(body))
		text, err := json.Marshal(made)
		must(t, err)
		if status != 400 || made["error"] != "invalid_client_metadata" {
			t.Errorf("E06 %s: %d %s", address, status, text)
		}
		for _, leak := range []string{canary, "dial", "refused", "lookup", "tcp", "127.0.0.1", "169.254", "no such host", "timeout", "not allowed"} {
			if strings.Contains(string(text), leak) {
				t.Errorf("E06 %s: the answer says %q: %s", address, leak, text)
			}
		}
	}
}

func httpServer(t *testing.T, h http.HandlerFunc) string {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s.URL
}

// An access token says what its grant says: our own key under another subject or client, or under a grant that isn't there, makes no token.
func TestN01TokensOfTheirGrant(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	m := newMatrix(t, e)
	claims := claimsOf(t, m.tokens(false).text("access_token"))
	for _, n := range []string{"iat", "exp", "auth_time"} {
		if f, ok := claims[n].(float64); ok {
			claims[n] = int64(f)
		}
	}
	for name, change := range map[string][2]any{"twin": {"sub", claims["sub"]}, "another sub": {"sub", "x"}, "another client": {"client_id", "app"}, "no client": {"client_id", nil},
		"another grant": {"gid", "x"}, "no grant": {"gid", nil}, "cnf of another kind": {"cnf", map[string]any{"kid": "x"}}, "cnf of two": {"cnf", map[string]any{"jkt": "x", "kid": "x"}}} {
		forged := map[string]any{}
		for k, v := range claims {
			forged[k] = v
		}
		if forged[change[0].(string)] = change[1]; change[1] == nil {
			delete(forged, change[0].(string))
		}
		token, err := jose.SignJSON(e.world.key, jose.Header{Typ: "at+jwt"}, forged)
		must(t, err)
		if r := m.send(http.MethodGet, "/userinfo", nil, "Authorization", "Bearer "+token); (r.status == 200) != (name == "twin") {
			t.Errorf("N01 %s: %d %v", name, r.status, r.body)
		}
	}
}
