package oidc_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/registration"
)

// kind makes a fresh token of one kind. All of them are good where they belong; those that are signed by us, or by the client, have the same keys.
type kind struct {
	name string
	make func() string
}

// place takes a token and says whether it did something for whoever sent it.
type place struct {
	name  string
	takes []string // kinds
	try   func(token string) bool
}

// matrix is the world of N01: a client with one key for all that it signs, and whatever anybody got from us.
type matrix struct {
	*fapi
	t *testing.T
	b *browser
}

func newMatrix(t *testing.T, e *env) *matrix {
	rs, err := rsaKey()
	must(t, err)
	f := newFAPI(e, "m", func(c *oidc.Client) {
		c.Profile, c.DPoPBound, c.UserinfoSignedAlg = "core", false, jose.ES256
		c.GrantTypes, c.Scopes = append(c.GrantTypes, client.ClientCredentials, client.RefreshToken), append(c.Scopes, "register")
	}, func(c *oidc.Client) { k, _ := rs.Public(); c.JWKS = append(c.JWKS, k) })
	f.dpop = f.key
	m := &matrix{fapi: f, t: t, b: e.browser()}
	m.b.login(request("m"))
	return m
}

func (m *matrix) tokens(bound bool) reply {
	m.t.Helper()
	header := []string{}
	if bound {
		header = []string{"DPoP", m.proof("POST", m.issuer+"/token", "")}
	}
	r := m.send(http.MethodPost, "/token", m.authenticated(redeem(m.code())), header...)
	if r.status != 200 {
		m.t.Fatalf("N01 a sample: %d %v", r.status, r.body)
	}
	return r
}

func (m *matrix) code() string { return m.b.login(request("m")).location.Query().Get("code") }

// opaque is an access token of the same client that says nothing.
func (m *matrix) opaque() string {
	m.t.Helper()
	set := func(opaque bool) {
		c, err := m.op.Clients().Get(context.Background(), "m")
		must(m.t, err)
		c.OpaqueTokens = opaque
		must(m.t, m.op.Clients().Put(context.Background(), c))
	}
	set(true)
	defer set(false)
	return m.tokens(false).text("access_token")
}

// text is a member of an answer.
func (r reply) text(name string) string { s, _ := r.body[name].(string); return s }

// signed is a token of ours of another kind: our key, the type of its own, and every claim that any reader asks for, as in "access_token" or "id_token".
func (m *matrix) signed(typ, like string) string {
	m.t.Helper()
	now := m.clock.Now()
	sample := m.tokens(false)
	claims := claimsOf(m.t, sample.text("id_token"))
	for name, v := range claimsOf(m.t, sample.text("access_token")) {
		if _, ok := claims[name]; !ok || like == "access_token" {
			claims[name] = v
		}
	}
	claims["exp"], claims["iat"] = now.Add(time.Minute).Unix(), now.Unix()
	s, err := jose.SignJSON(m.world.key, jose.Header{Typ: typ}, claims)
	must(m.t, err)
	return s
}

func (m *matrix) kinds() []kind {
	token := func(name string, bound bool) func() string {
		return func() string { return m.tokens(bound).text(name) }
	}
	machine := func() string {
		return m.send(http.MethodPost, "/token", m.authenticated(url.Values{"grant_type": {client.ClientCredentials}, "scope": {"register"}})).text("access_token")
	}
	out := []kind{
		{"ID token", token("id_token", false)}, {"access token", token("access_token", false)}, {"bound access token", token("access_token", true)},
		{"machine's access token", machine}, {"opaque access token", m.opaque}, {"refresh token", token("refresh_token", false)}, {"code", m.code},
		{"client assertion", func() string { return m.authenticated(nil).Get("client_assertion") }},
		{"DPoP proof", func() string { return m.proof("POST", m.issuer+"/token", "") }},
		{"request object", func() string { return m.object(request("m")) }},
		{"authorization response", func() string { return m.b.login(request("m", "response_mode", "jwt")).location.Query().Get("response") }},
		{"userinfo response", func() string {
			return m.b.post("/userinfo", nil, "Authorization", "Bearer "+m.tokens(false).text("access_token"), "Content-Type", "").body
		}},
		{"introspection response", func() string {
			form := with(m.authenticated(nil), "token", m.tokens(false).text("access_token"))
			return m.b.post("/introspect", form, "Accept", "application/token-introspection+jwt").body
		}},
		{"JWT like access_token", func() string { return m.signed("JWT", "access_token") }},
		{"nothing", func() string { return "" }}, {"junk", func() string { return "junk" }},
	}
	for _, typ := range []string{"logout+jwt", "dc+sd-jwt", "kb+jwt", "openid4vci-proof+jwt", "statuslist+jwt", "oauth-client-attestation+jwt", "oauth-client-attestation-pop+jwt",
		"key-attestation+jwt", "entity-statement+jwt", "trust-mark+jwt", "token-introspection+jwt", "secevent+jwt", "jose", ""} {
		for _, like := range []string{"access_token", "id_token"} {
			t := m.signed(typ, like)
			out = append(out, kind{typ + " like " + like, func() string { return t }})
		}
	}
	return out
}

func (m *matrix) places() []place {
	ctx := context.Background()
	found := func(a answer) bool { return a.location != nil && a.location.Query().Get("code") != "" }
	bearer := func(method, path, scheme string) func(string) bool {
		return func(token string) bool {
			header := []string{"Authorization", scheme + " " + token}
			if scheme == "DPoP" {
				header = append(header, "DPoP", m.proof(method, m.issuer+path, token))
			}
			return m.send(method, path, nil, header...).status == 200
		}
	}
	_, _, byToken := m.provider(func(c *oidc.Config) { c.Registration.Mode = registration.Token })
	closed := httptest.NewServer(httpx.Wrap(byToken, httpx.Options{}))
	m.t.Cleanup(closed.Close)
	status, made := m.register(http.MethodPost, registration.Path, "", `{"redirect_uris":["`+rpCallback+`"],"client_name":"x"}`)
	if status != http.StatusCreated {
		m.t.Fatalf("N01 registration: %d %v", status, made)
	}
	told := []string{"access token", "bound access token", "machine's access token", "opaque access token", "refresh token"}
	return []place{
		{"userinfo, Bearer", []string{"access token", "opaque access token"}, bearer("GET", "/userinfo", "Bearer")},
		{"userinfo, DPoP", []string{"bound access token"}, bearer("GET", "/userinfo", "DPoP")},
		{"userinfo, in the form", []string{"access token", "opaque access token"}, func(token string) bool {
			return m.send(http.MethodPost, "/userinfo", url.Values{"access_token": {token}}).status == 200
		}},
		{"the register's API", []string{"machine's access token"}, func(token string) bool {
			_, err := m.op.ValidateAccessToken(ctx, token, m.issuer+"/register")
			return err == nil
		}},
		{"id_token_hint of a request", []string{"ID token"}, func(token string) bool {
			if token == "" {
				return false // the same as none
			}
			return found(m.b.get("/authorize?" + request("m", "prompt", "none", "id_token_hint", token).Encode()))
		}},
		{"id_token_hint of a logout", []string{"ID token"}, func(token string) bool {
			// Of another browser's login it asks first; what is no hint is refused.
			return token != "" && m.browser().get("/logout?"+url.Values{"id_token_hint": {token}}.Encode()).status == 200
		}},
		{"client_assertion", []string{"client assertion"}, func(token string) bool {
			return m.send(http.MethodPost, "/token", withAssertion(url.Values{"grant_type": {client.ClientCredentials}, "scope": {"register"}}, token)).status == 200
		}},
		{"client_assertion at PAR", []string{"client assertion"}, func(token string) bool {
			return m.send(http.MethodPost, "/par", withAssertion(request("m"), token)).status == http.StatusCreated
		}},
		{"client_secret", nil, func(token string) bool {
			return m.send(http.MethodPost, "/token", url.Values{"grant_type": {client.ClientCredentials}, "client_id": {"m"}, "client_secret": {token}}).status == 200
		}},
		{"request", []string{"request object"}, func(token string) bool {
			return found(m.b.get("/authorize?" + url.Values{"client_id": {"m"}, "request": {token}}.Encode()))
		}},
		{"request at PAR", []string{"request object"}, func(token string) bool {
			return m.push(url.Values{"client_id": {"m"}, "request": {token}}).status == http.StatusCreated
		}},
		{"DPoP header", []string{"DPoP proof"}, func(token string) bool {
			r := m.send(http.MethodPost, "/token", m.authenticated(redeem(m.code())), "DPoP", token)
			return r.status == 200 && r.body["token_type"] == "DPoP"
		}},
		{"code", []string{"code"}, func(token string) bool {
			return m.send(http.MethodPost, "/token", m.authenticated(redeem(token))).status == 200
		}},
		{"refresh_token", []string{"refresh token"}, func(token string) bool {
			return m.send(http.MethodPost, "/token", m.authenticated(url.Values{"grant_type": {client.RefreshToken}, "refresh_token": {token}})).status == 200
		}},
		{"introspection", told, func(token string) bool {
			return m.send(http.MethodPost, "/introspect", m.authenticated(url.Values{"token": {token}})).body["active"] == true
		}},
		{"revocation", told, func(token string) bool {
			before := m.count("oidc.grant_revoked")
			m.send(http.MethodPost, "/revoke", m.authenticated(url.Values{"token": {token}}))
			return m.count("oidc.grant_revoked") > before
		}},
		{"pre-authorized_code", nil, func(token string) bool {
			return m.send(http.MethodPost, "/token", url.Values{"grant_type": {client.PreAuthorizedCode}, "pre-authorized_code": {token}, "tx_code": {"123456"}}).status == 200
		}},
		{"registration access token", nil, func(token string) bool {
			status, _ := m.register(http.MethodGet, registration.Path+"/"+made["client_id"].(string), token, "")
			return status == 200
		}},
		{"initial access token", nil, func(token string) bool {
			req, err := http.NewRequest(http.MethodPost, closed.URL+registration.Path, strings.NewReader(`{"redirect_uris":["`+rpCallback+`"]}`))
			must(m.t, err)
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set("Authorization", "Bearer "+token)
			resp, err := http.DefaultClient.Do(req)
			must(m.t, err)
			defer resp.Body.Close()
			return resp.StatusCode == http.StatusCreated
		}},
	}
}

// N01: every kind of token at every place that takes one. A token passes where it belongs, and nowhere else (RFC 8725 section 3.11).
func TestN01TokenKinds(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	m := newMatrix(t, e)
	kinds, places := m.kinds(), m.places()
	tried := 0
	for _, p := range places {
		for _, k := range kinds {
			tried++
			if got, want := p.try(k.make()), slices.Contains(p.takes, k.name); got != want {
				t.Errorf("N01 %s at %s: accepted %v, want %v", k.name, p.name, got, want)
			}
		}
	}
	t.Logf("N01 %d kinds at %d places: %d tries", len(kinds), len(places), tried)
}

// The same for the places whose tokens are no JWTs: what is only a long random text passes where it was made for.
func TestN01SecretsAreOfTheirKind(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	m := newMatrix(t, e)
	_, made := m.register(http.MethodPost, registration.Path, "", `{"redirect_uris":["`+rpCallback+`"],"client_name":"x"}`)
	token, secret := made["registration_access_token"].(string), made["client_secret"].(string)
	path := registration.Path + "/" + made["client_id"].(string)
	for _, p := range m.places() {
		if p.try(token) && p.name != "initial access token" || p.try(secret) {
			t.Errorf("N01 a registration's secrets at %s", p.name)
		}
	}
	for name, try := range map[string]string{"its secret": secret, "an access token": m.tokens(false).text("access_token")} {
		if status, _ := m.register(http.MethodGet, path, try, ""); status != 401 {
			t.Errorf("N01 %s as registration access token: %d", name, status)
		}
	}
	if status, _ := m.register(http.MethodGet, path, token, ""); status != 200 {
		t.Errorf("twin: %d", status)
	}
}
