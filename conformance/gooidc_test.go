//go:build conformance

package conformance

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/hufu-id/hufu/oidc/resource"
)

// goClient is a department's service built on coreos/go-oidc and golang.org/x/oauth2, which hears of logouts.
type goClient struct {
	t        *testing.T
	ctx      context.Context
	person   *player
	provider *oidc.Provider
	oauth    *oauth2.Config
	verifier *oidc.IDTokenVerifier
	heard    chan string // logout tokens
	api      string
}

// The service, and an API of another department that it calls.
const goClientID, goAPIID, goSecret = "go-service", "go-api", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// TestGoOIDCLogsInAndHearsOfLogouts: coreos/go-oidc with a secret: PKCE, an ID token by RS256, opaque access tokens about which an API asks, refresh with rotation,
// logout by the front and the back channel.
func TestGoOIDCLogsInAndHearsOfLogouts(t *testing.T) {
	t.Parallel()
	heard := make(chan string, 10)
	back := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { heard <- r.PostFormValue("logout_token") }))
	_, port, _ := net.SplitHostPort(back.Listener.Addr().String())
	back.Start()
	defer back.Close()
	redirect := redirectURI(t)
	entries := func(t *testing.T, dir string) []map[string]any {
		secret := filepath.Join(dir, "secret")
		if err := os.WriteFile(secret, []byte(goSecret), 0o600); err != nil {
			t.Fatal(err)
		}
		name := map[string]string{"zh": "测试单位", "en": "Tests"}
		return []map[string]any{{"id": goClientID, "name": name, "service": name, "auth_method": "client_secret_basic", "secret_file": secret,
			"redirect_uris": []string{redirect}, "post_logout_redirect_uris": []string{redirect}, "backchannel_logout_uri": "http://localhost:" + port + "/bye",
			"grant_types": []string{"authorization_code", "refresh_token"}, "scopes": []string{"openid", "profile", "offline_access"}, "id_token_signed_response_alg": "RS256", "opaque_access_tokens": true, "resources": []string{apiIdentifier}},
			{"id": goAPIID, "name": name, "service": name, "auth_method": "client_secret_basic", "secret_file": secret, "grant_types": []string{"client_credentials"},
				"serves": []string{apiIdentifier}}}
	}
	serving(t, entries, func(t *testing.T, s *served) {
		ctx := oidc.ClientContext(context.Background(), s.http)
		provider, err := oidc.NewProvider(ctx, s.origin)
		if err != nil {
			t.Fatal(err)
		}
		endpoint := provider.Endpoint()
		endpoint.AuthStyle = oauth2.AuthStyleInHeader
		c := &goClient{t: t, ctx: ctx, person: s.newPerson(), provider: provider, heard: heard,
			api:   s.startAPI(resource.Need{}, &resource.Introspection{ClientID: goAPIID, Secret: goSecret, Signed: true}),
			oauth: &oauth2.Config{ClientID: goClientID, ClientSecret: goSecret, Endpoint: endpoint, RedirectURL: redirect, Scopes: []string{"openid", "profile"}},
			// The default is what discovery lists; this client was registered for one algorithm.
			verifier: provider.Verifier(&oidc.Config{ClientID: goClientID, SupportedSigningAlgs: []string{oidc.RS256}})}
		c.run()
	})
}

// login asks the person in and returns the tokens with the verified ID token.
func (c *goClient) login(how errand, scopes ...string) (*oauth2.Token, *oidc.IDToken) {
	c.t.Helper()
	code, verifier, nonce := c.code(how, scopes...)
	token, err := c.oauth.Exchange(c.ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		c.t.Fatal(err)
	}
	id := c.idToken(token)
	if id.Nonce != nonce {
		c.t.Errorf("nonce %q", id.Nonce)
	}
	return token, id
}

// idToken verifies what came with an access token: signature, issuer, audience, times, and at_hash.
func (c *goClient) idToken(token *oauth2.Token) *oidc.IDToken {
	c.t.Helper()
	raw, _ := token.Extra("id_token").(string)
	id, err := c.verifier.Verify(c.ctx, raw)
	if err != nil {
		c.t.Fatal(err)
	}
	if err := id.VerifyAccessToken(token.AccessToken); err != nil {
		c.t.Errorf("at_hash: %v", err)
	}
	return id
}

func (c *goClient) code(how errand, scopes ...string) (code, verifier, nonce string) {
	c.t.Helper()
	oauth := *c.oauth
	oauth.Scopes = append(slices.Clone(oauth.Scopes), scopes...)
	verifier, nonce = oauth2.GenerateVerifier(), oauth2.GenerateVerifier()
	options := []oauth2.AuthCodeOption{oauth2.S256ChallengeOption(verifier), oidc.Nonce(nonce), oauth2.SetAuthURLParam("resource", apiIdentifier)}
	if len(scopes) > 0 {
		options = append(options, oauth2.SetAuthURLParam("prompt", "consent"))
	}
	how.Open = oauth.AuthCodeURL("a-state", options...)
	done := c.person.do(mustJSON(c.t, how)).(map[string]any)
	callback, err := url.Parse(done["callback"].(string))
	if err != nil {
		c.t.Fatal(err)
	}
	q := callback.Query()
	if q.Get("state") != "a-state" || q.Get("code") == "" {
		c.t.Fatalf("no code: %s", callback)
	}
	return q.Get("code"), verifier, nonce
}

// refresh lets oauth2 find that the access token is over.
func (c *goClient) refresh(refreshToken string) (*oauth2.Token, error) {
	return c.oauth.TokenSource(c.ctx, &oauth2.Token{RefreshToken: refreshToken, Expiry: time.Now().Add(-time.Minute)}).Token()
}

// refused checks the code of a token error.
func (c *goClient) refused(what, code string, err error) {
	c.t.Helper()
	var e *oauth2.RetrieveError
	if !errors.As(err, &e) || e.ErrorCode != code {
		c.t.Errorf("%s: %v, want %s", what, err, code)
	}
}

func (c *goClient) userinfo(token *oauth2.Token) (*oidc.UserInfo, error) {
	return c.provider.UserInfo(c.ctx, oauth2.StaticTokenSource(token))
}

// call calls the API, which asks the server about the token and takes signed answers only.
func (c *goClient) call(token *oauth2.Token) (status int, subject string) {
	c.t.Helper()
	res, err := c.oauth.Client(c.ctx, &oauth2.Token{AccessToken: token.AccessToken}).Get(c.api)
	if err != nil {
		c.t.Fatal(err)
	}
	defer res.Body.Close()
	var seen struct{ Sub string }
	_ = json.NewDecoder(res.Body).Decode(&seen) // a refusal has none
	return res.StatusCode, seen.Sub
}

func (c *goClient) run() {
	t := c.t
	first, id := c.login(errand{Person: "li-xiuying", Consent: true, Standing: true})
	info, err := c.userinfo(first)
	if err != nil {
		t.Fatal(err)
	}
	var claims struct{ Name string }
	if err := info.Claims(&claims); err != nil || info.Subject != id.Subject || claims.Name != "李秀英" {
		t.Errorf("userinfo: %+v %v %v", info, claims, err)
	}

	if status, subject := c.call(first); status != http.StatusOK || subject != id.Subject || strings.Contains(first.AccessToken, ".") {
		t.Errorf("an API that asks about an opaque token: %d %q", status, subject)
	}

	code, _, _ := c.code(errand{})
	_, err = c.oauth.Exchange(c.ctx, code, oauth2.VerifierOption(oauth2.GenerateVerifier()))
	c.refused("B04 a foreign verifier", "invalid_grant", err)
	code, verifier, _ := c.code(errand{})
	once, err := c.oauth.Exchange(c.ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.oauth.Exchange(c.ctx, code, oauth2.VerifierOption(verifier))
	c.refused("B06 a code works once", "invalid_grant", err)
	if _, err := c.userinfo(once); err == nil {
		t.Error("B06 a second try does not end what the code gave")
	}
	if status, _ := c.call(once); status != http.StatusUnauthorized {
		t.Errorf("B06 nor at an API that asks: %d", status)
	}
	_, err = c.refresh(once.RefreshToken)
	c.refused("B06 nor its refresh token", "invalid_grant", err)

	c.rotation(id)
	c.logout(first, id)
}

// rotation: a bearer's refresh token is replaced by each use. The one before is answered again, for a reply that got lost; an older one is a theft.
func (c *goClient) rotation(id *oidc.IDToken) {
	t := c.t
	token, _ := c.login(errand{})
	second, err := c.refresh(token.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if second.RefreshToken == token.RefreshToken || second.AccessToken == token.AccessToken {
		t.Error("nothing was rotated")
	}
	renewed := c.idToken(second)
	var was, is struct {
		AuthTime int64  `json:"auth_time"`
		SID      string `json:"sid"`
	}
	if err := errors.Join(id.Claims(&was), renewed.Claims(&is)); err != nil || was != is || renewed.Subject != id.Subject || renewed.Nonce != "" {
		t.Errorf("a refreshed ID token tells of another login: %+v %+v %q %v", was, is, renewed.Nonce, err)
	}
	again, err := c.refresh(token.RefreshToken)
	if err != nil || again.RefreshToken != second.RefreshToken {
		t.Errorf("C03 a lost reply is not repeated: %v", err)
	}
	third, err := c.refresh(second.RefreshToken)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.userinfo(third); err != nil {
		t.Error(err)
	}
	_, err = c.refresh(token.RefreshToken)
	c.refused("C02 a refresh token that was replaced twice", "invalid_grant", err)
	_, err = c.refresh(third.RefreshToken)
	c.refused("C02 the whole family after it", "invalid_grant", err)
	if _, err := c.userinfo(third); err == nil {
		t.Error("C02 an access token of the family still works")
	}
}

// logout ends the session by the front channel; the back channel tells of it, and what hung on the login ends.
func (c *goClient) logout(token *oauth2.Token, id *oidc.IDToken) {
	t := c.t
	offline, _ := c.login(errand{Consent: true}, oidc.ScopeOfflineAccess)
	var meta struct {
		EndSession string `json:"end_session_endpoint"`
	}
	if err := c.provider.Claims(&meta); err != nil {
		t.Fatal(err)
	}
	raw, _ := token.Extra("id_token").(string)
	q := url.Values{"id_token_hint": {raw}, "post_logout_redirect_uri": {c.oauth.RedirectURL}, "state": {"bye"}}
	done := c.person.do(mustJSON(t, errand{Logout: meta.EndSession + "?" + q.Encode()})).(map[string]any)
	if done["url"] != c.oauth.RedirectURL+"?state=bye" {
		t.Errorf("not back after the logout: %v", done)
	}
	var heard string
	select {
	case heard = <-c.heard:
	case <-time.After(20 * time.Second):
		t.Fatal("nobody told of the logout")
	}
	told, err := c.verifier.VerifyLogout(c.ctx, heard)
	if err != nil {
		t.Fatal(err)
	}
	var claims struct {
		SID string `json:"sid"`
	}
	if err := id.Claims(&claims); err != nil || told.Subject != id.Subject || told.SessionID != claims.SID {
		t.Errorf("%+v tells of another login than %+v", told, id)
	}
	if _, err := c.verifier.VerifyLogout(c.ctx, raw); err == nil {
		t.Error("H03 an ID token passes for a logout token")
	}
	if _, err := c.provider.Verifier(&oidc.Config{ClientID: "another"}).VerifyLogout(c.ctx, heard); err == nil {
		t.Error("H03 a logout token for everybody")
	}
	_, err = c.refresh(token.RefreshToken)
	c.refused("H05 the refresh token ends with the login", "invalid_grant", err)
	if _, err := c.refresh(offline.RefreshToken); err != nil {
		t.Errorf("one with offline_access does not: %v", err)
	}
}
