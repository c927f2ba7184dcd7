package oidc_test

import (
	"context"
	crand "crypto/rand"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	rp "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

func rand() string {
	b := make([]byte, 12)
	_, _ = crand.Read(b)
	return hex.EncodeToString(b)
}

// An independent relying party (coreos/go-oidc, x/oauth2) that knows nothing but the issuer.
func TestIndependentRelyingPartyLogsIn(t *testing.T) {
	each(t, 1, func(t *testing.T, e *env) {
		ctx := context.Background()
		provider, err := rp.NewProvider(ctx, e.issuer)
		must(t, err)
		conf := oauth2.Config{ClientID: "app", ClientSecret: e.secret, RedirectURL: rpCallback, Endpoint: provider.Endpoint(), Scopes: []string{"openid", "profile"}}
		b := e.browser()
		login := func() (*rp.IDToken, *oauth2.Token) {
			pkce := oauth2.GenerateVerifier()
			a := b.get(conf.AuthCodeURL("the-state", oauth2.S256ChallengeOption(pkce), rp.Nonce("the-nonce")))
			if a.location == nil {
				a = b.agree(a)
			}
			q := a.location.Query()
			if q.Get("iss") != e.issuer || q.Get("state") != "the-state" || !strings.HasPrefix(a.location.String(), rpCallback+"?") {
				t.Fatalf("callback %s", a.location)
			}
			tok, err := conf.Exchange(ctx, q.Get("code"), oauth2.VerifierOption(pkce))
			must(t, err)
			id, err := provider.Verifier(&rp.Config{ClientID: "app", SupportedSigningAlgs: []string{"ES256"}}).Verify(ctx, tok.Extra("id_token").(string))
			must(t, err)
			must(t, id.VerifyAccessToken(tok.AccessToken))
			return id, tok
		}
		before := e.commits()
		id, tok := login()
		if n := e.commits() - before; n != 3 {
			t.Errorf("a first login with consent took %d writing transactions, want 3", n)
		}
		var claims struct {
			ACR      string   `json:"acr"`
			AMR      []string `json:"amr"`
			AuthTime int64    `json:"auth_time"`
			SID      string   `json:"sid"`
			Name     string   `json:"name"`
		}
		must(t, id.Claims(&claims))
		if id.Nonce != "the-nonce" || claims.ACR != "loa3" || len(claims.AMR) != 2 || claims.AuthTime != e.clock.Now().Unix() || claims.SID == "" || claims.Name != "" {
			t.Errorf("ID token: %+v nonce %q", claims, id.Nonce)
		}
		info, err := provider.UserInfo(ctx, oauth2.StaticTokenSource(tok))
		must(t, err)
		got := map[string]any{}
		must(t, info.Claims(&got))
		if info.Subject != id.Subject || got["name"] != "李秀英" || got["gender"] != "female" || got["phone_number"] != nil || got["resident_id"] != nil {
			t.Errorf("userinfo: %v", got)
		}
		// Returning, without a session: the consent stands. Two writing transactions in all: login with code, token.
		b = e.browser()
		before = e.commits()
		again, _ := login()
		if n := e.commits() - before; n != 2 {
			t.Errorf("a returning login took %d writing transactions, want 2", n)
		}
		if again.Subject != id.Subject {
			t.Error("the subject changed between logins")
		}
	})
}

func TestSingleSignOnWithOtherSubjectAndItsOwnConsent(t *testing.T) {
	each(t, 1, func(t *testing.T, e *env) {
		b := e.browser()
		first := e.token(redeem(b.login(request("app")).location.Query().Get("code")), "Authorization", basic("app", e.secret))
		e.loginAs("", "") // nobody can log in now: only the session helps
		page := b.get("/authorize?" + request("other").Encode())
		if !strings.HasPrefix(page.at.Path, "/consent/") {
			t.Fatalf("the second department did not ask: %s", page.at)
		}
		second := e.token(redeem(b.agree(page).location.Query().Get("code")), "Authorization", basic("other", e.secret))
		_, one := e.userinfo(first.Access)
		_, two := e.userinfo(second.Access)
		if one["sub"] == two["sub"] || one["name"] != two["name"] || one["sub"] == nil {
			t.Errorf("subjects %v and %v", one["sub"], two["sub"])
		}
		// Clients of one department share the subject.
		third := e.token(redeem(b.login(request("optional")).location.Query().Get("code")), "Authorization", basic("optional", e.secret))
		if _, three := e.userinfo(third.Access); three["sub"] != one["sub"] {
			t.Error("two clients of one department know a person by two subjects")
		}
	})
}

func TestOnlyAgreedClaimsAreDelivered(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	b := e.browser()
	v := request("optional", "scope", "openid profile phone")
	page := b.get("/authorize?" + v.Encode())
	for _, want := range []string{"李秀英", "138****1234", "share-phone_number"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("the consent page does not show %q", want)
		}
	}
	if strings.Contains(page.body, "990101195803120025") {
		t.Error("the page shows a number that nobody asked for")
	}
	got := func(a answer) map[string]any {
		tok := e.token(redeem(a.location.Query().Get("code")), "Authorization", basic("optional", e.secret))
		_, info := e.userinfo(tok.Access)
		return info
	}
	if info := got(b.agree(page)); info["phone_number"] != nil || info["name"] == nil {
		t.Errorf("unticked claim delivered: %v", info)
	}
	if info := got(b.login(v)); info["phone_number"] != nil {
		t.Errorf("the remembered consent gives more than was agreed: %v", info)
	}
	page = b.get("/authorize?" + with(v, "prompt", "consent").Encode())
	if info := got(b.agree(page, "share-phone_number", "1")); info["phone_number"] != "13812341234" || info["phone_number_verified"] != true {
		t.Errorf("ticked claim missing: %v", info)
	}
}

func TestConsentIsAskedAgainWhenTheSetGrows(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	b := e.browser()
	b.login(request("app"))
	if a := b.get("/authorize?" + request("app").Encode()); a.location == nil {
		t.Fatal("the same set was asked again")
	}
	a := b.get("/authorize?" + request("app", "scope", "openid profile phone").Encode())
	if a.location != nil || !strings.Contains(a.body, "13812") && !strings.Contains(a.body, "138****1234") {
		t.Fatal("a larger set was not asked")
	}
	// Once means once.
	b.agree(a, "term", "once")
	if a := b.get("/authorize?" + request("app").Encode()); a.location != nil {
		t.Fatal("a consent for once was remembered")
	}
}

func TestDeclineGoesBackWithAccessDenied(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	b := e.browser()
	a := b.agree(b.get("/authorize?"+request("app").Encode()), "decision", "deny")
	if q := a.location.Query(); q.Get("error") != "access_denied" || q.Get("state") != "st" || q.Get("iss") != e.issuer || q.Get("code") != "" {
		t.Errorf("decline: %s", a.location)
	}
	e.loginAs("", "")
	if q := e.browser().get("/authorize?" + request("app").Encode()).location.Query(); q.Get("error") != "access_denied" || q.Get("iss") != e.issuer {
		t.Errorf("cancel: %v", q)
	}
}

func TestPromptMaxAgeAndLevel(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	b := e.browser()
	expect := func(name string, v []string, wantErr string) {
		t.Helper()
		a := b.get("/authorize?" + request("app", v...).Encode())
		if a.location == nil || a.location.Query().Get("error") != wantErr {
			t.Errorf("%s: location %v status %d, want error %q", name, a.location, a.status, wantErr)
		}
	}
	expect("none, nobody logged in", []string{"prompt", "none"}, "login_required")
	expect("none with login", []string{"prompt", "none login"}, "invalid_request")
	b.login(request("app"))
	expect("none, logged in and agreed", []string{"prompt", "none"}, "")
	a := b.get("/authorize?" + request("other", "prompt", "none").Encode())
	if a.location.Query().Get("error") != "consent_required" {
		t.Errorf("none without consent: %s", a.location)
	}
	first := e.count("oidc.session_started")
	logins := func(name string, want int, v ...string) {
		t.Helper()
		b.login(request("app", v...))
		if n := e.count("oidc.session_started"); n-first != want {
			t.Errorf("%s: %d logins, want %d", name, n-first, want)
		}
		first = e.count("oidc.session_started")
	}
	e.clock.add(10 * time.Second)
	logins("nothing", 0)
	logins("max_age=3600", 0, "max_age", "3600")
	logins("max_age=0", 1, "max_age", "0")
	e.clock.add(61 * time.Second)
	logins("max_age=60", 1, "max_age", "60")
	logins("prompt=login", 1, "prompt", "login")
	logins("prompt=select_account", 1, "prompt", "select_account")
	expect("max_age=-1", []string{"max_age", "-1"}, "invalid_request")
	expect("prompt=nonsense", []string{"prompt", "nonsense"}, "invalid_request")
	logins("acr_values below", 0, "acr_values", "urn:x loa2")
	e.clock.add(2 * time.Minute)
	expect("none, max_age passed", []string{"prompt", "none", "max_age", "60"}, "login_required")
	expect("none, level too low", []string{"prompt", "none", "acr_values", "loa4"}, "login_required")
	for _, v := range [][]string{{"login_hint", "x"}, {"ui_locales", "en zh"}, {"display", "page"}, {"claims_locales", "zh"}, {"unknown", "1"}} {
		expect(v[0], v, "")
	}
}

func TestLevelTooLowEndsOnAPageWithBothWaysOpen(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	b := e.browser()
	page := b.get("/authorize?" + request("strict").Encode())
	if page.location != nil || page.status != http.StatusForbidden {
		t.Fatalf("a loa3 login got in where loa4 is needed: %d %v", page.status, page.location)
	}
	if back := b.get(page.at.Path + "/leave"); back.location.Query().Get("error") != "unmet_authentication_requirements" {
		t.Errorf("leave: %v", back.location)
	}
	page = b.get("/authorize?" + request("strict").Encode())
	e.loginAs("p-li", "loa4")
	b.get(strings.Replace(page.at.Path, "/authorize/", "/login/", 1) + "/")
	if a := b.login(request("strict")); a.location.Query().Get("code") == "" {
		t.Errorf("positive twin: %s", a.location)
	}
}

func TestAuthorizationByPost(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	b := e.browser()
	b.login(request("app"))
	if a := b.post("/authorize", request("app"), "Sec-Fetch-Site", "cross-site", "Origin", "https://rp.example"); a.location == nil || a.location.Query().Get("code") == "" {
		t.Errorf("POST: %d %.200s", a.status, a.body)
	}
}

func TestBackReloadAndTabsNeverDeadEnd(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	b := e.browser()
	one := b.get("/authorize?" + request("app").Encode())
	two := b.get("/authorize?" + request("other").Encode()) // second tab
	if a := b.agree(one); a.location.Query().Get("code") == "" {
		t.Error("first tab")
	}
	if a := b.agree(two); a.location.Query().Get("code") == "" {
		t.Error("second tab")
	}
	back := b.get(one.at.Path) // back to the consent page, and again
	if a := b.agree(back); a.location.Query().Get("code") == "" {
		t.Error("back and again")
	}
	// More tabs than are kept: the oldest ends with a page, not with a fault.
	for range 12 {
		e.clock.add(time.Second)
		b.get("/authorize?" + request("app", "prompt", "consent").Encode())
	}
	if a := b.get(one.at.Path); a.status != http.StatusForbidden {
		t.Errorf("an evicted flow answers %d", a.status)
	}
}

func TestStateAndNonceOfAnyLength(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	b := e.browser()
	for _, n := range []int{0, 1, 384, 12 << 10} {
		s := strings.Repeat("é+/=&", n)[:n]
		s = strings.ToValidUTF8(s, "x")
		v := request("app", "state", s, "nonce", s)
		if n > 5000 {
			v = request("app", "state", strings.Repeat("x", n), "nonce", "-")
			s = strings.Repeat("x", n)
		}
		if n == 0 {
			v = request("app", "state", "-", "nonce", "-")
		}
		a := b.login(with(v, "prompt", "consent"))
		if got := a.location.Query().Get("state"); got != s {
			t.Errorf("state of %d came back with %d", n, len(got))
		}
		if n == 0 && a.location.Query().Has("state") {
			t.Error("a state that was not sent came back")
		}
	}
}
