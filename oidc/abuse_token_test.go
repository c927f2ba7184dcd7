package oidc_test

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc/client"
)

func refused(t *testing.T, name string, tok tokens, status int, code string) {
	t.Helper()
	if tok.status != status || tok.Error != code || tok.Access != "" || tok.ID != "" || tok.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s: %d %s (access token: %v), want %d %s", name, tok.status, tok.Error, tok.Access != "", status, code)
	}
	if got := tok.header.Get("WWW-Authenticate"); status == http.StatusUnauthorized && (got != "") != tok.asked {
		t.Errorf("%s: 401 with the challenge %q, and Authorization was sent: %v", name, got, tok.asked)
	}
}

func granted(t *testing.T, name string, tok tokens) {
	t.Helper()
	if tok.status != 200 || tok.Access == "" || tok.Type != "Bearer" || tok.Expires != 300 || tok.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%s: %d %s", name, tok.status, tok.Error)
	}
}

func TestB02B03B04Verifier(t *testing.T) {
	each(t, 1, func(t *testing.T, e *env) {
		auth := []string{"Authorization", basic("app", e.secret)}
		refused(t, "B02 no verifier", e.token(redeem(e.code(request("app")), "code_verifier", "-"), auth...), 400, "invalid_grant")
		refused(t, "B03 verifier without challenge", e.token(redeem(e.code(request("app", "code_challenge", "-", "code_challenge_method", "-"))), auth...), 400, "invalid_grant")
		code := e.code(request("app"))
		refused(t, "B04 wrong", e.token(redeem(code, "code_verifier", strings.Repeat("w", 50)), auth...), 400, "invalid_grant")
		refused(t, "B04 then none", e.token(redeem(code, "code_verifier", "-"), auth...), 400, "invalid_grant")
		refused(t, "B04 then right", e.token(redeem(code), auth...), 400, "invalid_grant")
		if e.count("oidc.code_burnt") != 3 || e.count("oidc.code_redeemed") != 0 {
			t.Errorf("audit: %d burnt, %d redeemed", e.count("oidc.code_burnt"), e.count("oidc.code_redeemed"))
		}
		granted(t, "twin", e.token(redeem(e.code(request("app"))), auth...))
	})
}

func TestB06ReuseRevokesButNotByAnotherClient(t *testing.T) {
	each(t, 1, func(t *testing.T, e *env) {
		auth := []string{"Authorization", basic("app", e.secret)}
		code := e.code(request("app"))
		tok := e.token(redeem(code), auth...)
		granted(t, "first", tok)
		refused(t, "another client's replay", e.token(redeem(code), "Authorization", basic("other", e.secret)), 400, "invalid_grant")
		refused(t, "replay without the verifier", e.token(redeem(code, "code_verifier", "-"), auth...), 400, "invalid_grant")
		if status, _ := e.userinfo(tok.Access); status != 200 {
			t.Errorf("somebody else's replay took the victim's tokens: %d", status)
		}
		refused(t, "same client again", e.token(redeem(code), auth...), 400, "invalid_grant")
		if status, _ := e.userinfo(tok.Access); status != 401 {
			t.Errorf("the grant lives on after a reuse: %d", status)
		}
		if _, err := e.op.ValidateAccessToken(context.Background(), tok.Access, e.issuer); err == nil {
			t.Error("ValidateAccessToken accepts a token of a revoked grant")
		}
		if n := e.count("oidc.grant_revoked"); n != 1 {
			t.Errorf("%d revocation events", n)
		}
	})
}

func TestB09CodeLivesSixtySeconds(t *testing.T) {
	each(t, 1, func(t *testing.T, e *env) {
		auth := []string{"Authorization", basic("app", e.secret)}
		young, old := e.code(request("app")), e.code(request("app"))
		e.clock.add(59 * time.Second)
		granted(t, "59 s", e.token(redeem(young), auth...))
		e.clock.add(2 * time.Second)
		refused(t, "61 s", e.token(redeem(old), auth...), 400, "invalid_grant")
	})
}

func TestB07OneWinnerPerCodeOnTwoNodes(t *testing.T) {
	rounds := 200
	if testing.Short() {
		rounds = 20
	}
	each(t, 2, func(t *testing.T, e *env) {
		auth := []string{"Authorization", basic("app", e.secret)}
		b := e.browser()
		for round := range rounds {
			code := b.login(request("app")).location.Query().Get("code")
			wins := race(20, func(i int) bool {
				tok := e.tokenAt(i%2, redeem(code), auth...)
				if tok.status != 200 && (tok.status != 400 || tok.Error != "invalid_grant") {
					t.Errorf("a loser got %d %s", tok.status, tok.Error)
				}
				return tok.status == 200
			})
			if wins != 1 {
				t.Fatalf("round %d: %d winners", round, wins)
			}
		}
	})
}

func TestD02OneWinnerPerAssertionOnTwoNodes(t *testing.T) {
	each(t, 2, func(t *testing.T, e *env) {
		form := url.Values{"grant_type": {client.ClientCredentials}, "scope": {"register"}}
		for range 20 {
			a := e.assertion()
			wins := race(20, func(i int) bool {
				tok := e.tokenAt(i%2, withAssertion(form, a))
				if tok.status != 200 && (tok.status != 401 || tok.Error != "invalid_client") {
					t.Errorf("a loser got %d %s", tok.status, tok.Error)
				}
				return tok.status == 200
			})
			if wins != 1 {
				t.Fatalf("%d winners", wins)
			}
			e.addRestart()
			refused(t, "again after a restart", e.tokenAt(len(e.nodes)-1, withAssertion(form, a)), 401, "invalid_client")
		}
		// A replayed assertion takes nothing with it: the code is still good.
		a, code := e.assertion(), e.code(request("signed"))
		granted(t, "assertion", e.token(withAssertion(form, a)))
		refused(t, "replay at a code", e.token(withAssertion(redeem(code), a)), 401, "invalid_client")
		granted(t, "the code survives", e.token(withAssertion(redeem(code), e.assertion())))
	})
}

// addRestart adds one fresh node, once.
func (e *env) addRestart() {
	if len(e.nodes) < 3 {
		e.addNode()
	}
}

// race starts n calls at once and counts the winners.
func race(n int, call func(i int) bool) int {
	var wg sync.WaitGroup
	var mu sync.Mutex
	wins := 0
	start := make(chan struct{})
	for i := range n {
		wg.Go(func() {
			<-start
			if call(i) {
				mu.Lock()
				wins++
				mu.Unlock()
			}
		})
	}
	close(start)
	wg.Wait()
	return wins
}

func TestD01D03D04D05Assertions(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	form := url.Values{"grant_type": {client.ClientCredentials}}
	now := e.clock.Now()
	sec := func(d time.Duration) int64 { return now.Add(d).Unix() }
	for name, a := range map[string]string{
		"twin": e.assertion(), "aud token endpoint": e.assertion("aud", e.issuer+"/token"), "aud array of one": e.assertion("aud", []string{e.issuer}),
		"exp 59 min": e.assertion("exp", sec(59*time.Minute)), "iat and nbf 8 s ahead": e.assertion("iat", sec(8*time.Second), "nbf", sec(8*time.Second)),
	} {
		granted(t, name, e.token(withAssertion(form, a)))
	}
	foreign, err := jose.GenerateKey(jose.ES256)
	must(t, err)
	rs, err := jose.GenerateKey(jose.RS256)
	must(t, err)
	own := e.jwtKey
	by := func(k jose.SigningKey) string { e.jwtKey = k; defer func() { e.jwtKey = own }(); return e.assertion() }
	good := e.assertion()
	payload := strings.Split(good, ".")[1]
	bad := map[string]string{
		"D01 none": "eyJhbGciOiJub25lIn0." + payload + ".", "D01 nOnE": "eyJhbGciOiJuT25FIn0." + payload + ".", "D01 HS256": "eyJhbGciOiJIUzI1NiJ9." + payload + ".AAAA",
		"D01 RS256": by(rs), "foreign key": by(foreign), "N08 another spelling": good + "=",
		"D03 array with another": e.assertion("aud", []string{e.issuer, "https://evil.example"}), "D03 another": e.assertion("aud", "https://evil.example"),
		"D03 slash": e.assertion("aud", e.issuer+"/"), "D03 case": e.assertion("aud", strings.ToUpper(e.issuer)), "D03 none": e.assertion("aud", nil), "D03 empty": e.assertion("aud", []string{}),
		"D04 no exp": e.assertion("exp", nil), "D04 past": e.assertion("exp", sec(-time.Minute)), "D04 +61 min": e.assertion("exp", sec(61*time.Minute)),
		"D04 +50 y": e.assertion("exp", sec(50*365*24*time.Hour)), "D04 iat": e.assertion("iat", sec(10*time.Minute)), "D04 nbf": e.assertion("nbf", sec(10*time.Minute)),
		"D04 old iat, long exp": e.assertion("iat", sec(-2*time.Hour), "exp", sec(61*time.Minute)),
		"N05 exp string":        e.assertion("exp", fmt.Sprint(sec(time.Minute))), "N05 exp float": e.assertion("exp", float64(sec(time.Minute))+0.5), "N05 exp negative": e.assertion("exp", -1),
		"D05 jti 1 MiB": e.assertion("jti", strings.Repeat("j", 1<<20)), "D05 jti 1000": e.assertion("jti", strings.Repeat("j", 1000)), "no jti": e.assertion("jti", nil),
		"no sub": e.assertion("sub", nil), "other sub": e.assertion("sub", "app"), "unknown sub": e.assertion("sub", "' OR 1=1"), "N04 sub number": e.assertion("sub", 7), "other iss": e.assertion("iss", "app"),
		"garbage": "garbage", "empty": "",
	}
	for name, a := range bad {
		tok := e.token(withAssertion(form, a))
		if name == "D05 jti 1 MiB" {
			if tok.status != 413 && tok.status != 401 && tok.status != 400 {
				t.Errorf("%s: %d", name, tok.status)
			}
			continue
		}
		refused(t, name, tok, 401, "invalid_client")
	}
	for name, header := range map[string]string{"crit": `{"alg":"ES256","crit":["x"],"x":1}`, "crit empty": `{"alg":"ES256","crit":[]}`, "b64": `{"alg":"ES256","b64":false,"crit":["b64"]}`,
		"duplicate": `{"alg":"ES256","alg":"ES256"}`, "typ": `{"alg":"ES256","typ":"at+jwt"}`, "kid path": `{"alg":"ES256","kid":"../../x"}`} {
		refused(t, "N03/N04 "+name, e.token(withAssertion(form, e.signRaw(header, payload))), 401, "invalid_client")
	}
	granted(t, "twin of the raw ones", e.token(withAssertion(form, e.signRaw(`{"alg":"ES256"}`, payload))))
}

func TestD06MethodsAreNotMixed(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	cc := url.Values{"grant_type": {client.ClientCredentials}}
	refused(t, "private_key_jwt client by secret in body", e.token(with(cc, "client_id", "signed", "client_secret", e.secret)), 401, "invalid_client")
	refused(t, "by Basic", e.token(cc, "Authorization", basic("signed", "")), 401, "invalid_client")
	refused(t, "by none", e.token(with(cc, "client_id", "signed")), 401, "invalid_client")
	refused(t, "Basic and assertion", e.token(withAssertion(cc, "junk"), "Authorization", basic("app", e.secret)), 400, "invalid_request")
	refused(t, "Basic and body", e.token(with(cc, "client_id", "app", "client_secret", e.secret), "Authorization", basic("app", e.secret)), 400, "invalid_request")
	refused(t, "assertion and secret", e.token(with(withAssertion(cc, e.assertion()), "client_secret", "x")), 400, "invalid_request")
	refused(t, "assertion without type", e.token(with(withAssertion(cc, e.assertion()), "client_assertion_type", "-")), 400, "invalid_request")
	refused(t, "assertion of another client_id", e.token(with(withAssertion(cc, e.assertion()), "client_id", "app")), 400, "invalid_request")
	granted(t, "twin", e.token(with(withAssertion(cc, e.assertion()), "client_id", "signed")))

	refused(t, "wrong secret", e.token(redeem(e.code(request("app"))), "Authorization", basic("app", "wrong")), 401, "invalid_client")
	refused(t, "secret client as public", e.token(redeem(e.code(request("app")), "client_id", "app")), 401, "invalid_client")
	refused(t, "Bearer scheme", e.token(redeem(e.code(request("app"))), "Authorization", "Bearer x"), 401, "invalid_client")
	refused(t, "junk Basic", e.token(redeem(e.code(request("app"))), "Authorization", "Basic %%%"), 401, "invalid_client")
	refused(t, "unknown client", e.token(redeem(e.code(request("app"))), "Authorization", basic("no\x00body", "x")), 401, "invalid_client")
	granted(t, "client_secret_post", e.token(redeem(e.code(request("app")), "client_id", "app", "client_secret", e.secret)))
	granted(t, "public", e.token(redeem(e.code(request("public")), "client_id", "public", "redirect_uri", "http://127.0.0.1:5001/cb")))
	refused(t, "public with a secret", e.token(redeem(e.code(request("public")), "client_id", "public", "client_secret", "x", "redirect_uri", "http://127.0.0.1:5001/cb")), 401, "invalid_client")
}

func TestTokenEndpointErrors(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	auth := []string{"Authorization", basic("app", e.secret)}
	refused(t, "no grant_type", e.token(url.Values{}, auth...), 400, "invalid_request")
	refused(t, "unknown grant_type", e.token(url.Values{"grant_type": {"password"}}, auth...), 400, "unsupported_grant_type")
	refused(t, "not registered", e.token(url.Values{"grant_type": {client.ClientCredentials}}, auth...), 400, "unauthorized_client")
	refused(t, "no code", e.token(url.Values{"grant_type": {client.AuthorizationCode}}, auth...), 400, "invalid_request")
	refused(t, "unknown code", e.token(redeem("nonsense"), auth...), 400, "invalid_grant")
	refused(t, "nobody", e.token(redeem("nonsense")), 401, "invalid_client")
	code := e.code(request("app"))
	mac := code[strings.IndexByte(code, '.')+1:]
	refused(t, "signature of a code without its key", e.token(redeem("AAAA."+mac), auth...), 400, "invalid_grant")
	refused(t, "A16 resource that was not granted", e.token(redeem(code, "resource", "https://x.example"), auth...), 400, "invalid_target")
	granted(t, "unknown parameters are ignored", e.token(redeem(code, "resource", e.issuer, "x", "y"), auth...))
	refused(t, "scope of another kind", e.token(withAssertion(url.Values{"grant_type": {client.ClientCredentials}, "scope": {"openid"}}, e.assertion())), 400, "invalid_scope")
	if tok := e.token(redeem(code), append(auth, "Content-Type", "multipart/form-data; boundary=x")...); tok.status != 415 || tok.Error != "invalid_request" {
		t.Errorf("multipart: %d", tok.status)
	}
	if resp, err := http.Get(e.issuer + "/token"); err != nil || resp.StatusCode != 405 {
		t.Errorf("GET: %v %v", resp.StatusCode, err)
	}
}

func TestClientCredentialsAndDisabledClient(t *testing.T) {
	each(t, 1, func(t *testing.T, e *env) {
		ctx := context.Background()
		tok := e.token(withAssertion(url.Values{"grant_type": {client.ClientCredentials}}, e.assertion()))
		granted(t, "token", tok)
		at, err := e.op.ValidateAccessToken(ctx, tok.Access, e.issuer+"/register")
		must(t, err)
		if at.ClientID != "signed" || at.Subject != "client:signed" || at.PersonID != "" || len(at.Scopes) != 1 || at.Scopes[0] != "register" {
			t.Errorf("access token: %+v", at)
		}
		if _, err := e.op.ValidateAccessToken(ctx, tok.Access, e.issuer); err == nil {
			t.Error("accepted for another audience")
		}
		if status, _ := e.userinfo(tok.Access); status != 401 {
			t.Errorf("userinfo for a machine: %d", status)
		}
		c, err := e.op.Clients().Get(ctx, "signed")
		must(t, err)
		c.Disabled = true
		must(t, e.op.Clients().Put(ctx, c))
		if _, err := e.op.ValidateAccessToken(ctx, tok.Access, e.issuer+"/register"); err == nil {
			t.Error("D14: a disabled client's token is alive")
		}
		refused(t, "D14 disabled", e.token(withAssertion(url.Values{"grant_type": {client.ClientCredentials}}, e.assertion())), 401, "invalid_client")
	})
}

func TestPreAuthorizedCode(t *testing.T) {
	each(t, 1, func(t *testing.T, e *env) {
		form := url.Values{"grant_type": {client.PreAuthorizedCode}, "pre-authorized_code": {"offer-1"}, "tx_code": {"123456"}}
		refused(t, "wrong tx_code", e.token(with(form, "tx_code", "000000")), 400, "invalid_grant")
		refused(t, "no tx_code", e.token(with(form, "tx_code", "-")), 400, "invalid_request")
		refused(t, "unknown", e.token(with(form, "pre-authorized_code", "x")), 400, "invalid_grant")
		refused(t, "client without the grant", e.token(form, "Authorization", basic("app", e.secret)), 400, "unauthorized_client")
		tok := e.token(form)
		granted(t, "anonymous", tok)
		at, err := e.op.ValidateAccessToken(context.Background(), tok.Access, "http://localhost/i/1")
		must(t, err)
		if at.OfferID != "offer-1" || at.Subject != "offer:offer-1" || at.PersonID != "" || at.ClientID != "" || tok.ID != "" {
			t.Errorf("access token %+v", at)
		}
		refused(t, "again", e.token(form), 400, "invalid_grant")
		e.world.mu.Lock()
		e.world.offers["offer-2"] = "1"
		e.world.mu.Unlock()
		granted(t, "by the wallet", e.token(with(form, "client_id", "wallet", "pre-authorized_code", "offer-2", "tx_code", "1")))
	})
}

func TestWalletTakesACredentialScope(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	b := e.browser()
	page := b.get("/authorize?" + request("wallet", "issuer_state", "is-1").Encode())
	if !strings.Contains(page.body, "机动车驾驶证") {
		t.Error("the consent page does not name the credential")
	}
	code := b.agree(page).location.Query().Get("code")
	tok := e.token(redeem(code, "client_id", "wallet", "redirect_uri", "http://127.0.0.1:5001/cb"))
	granted(t, "wallet", tok)
	at, err := e.op.ValidateAccessToken(context.Background(), tok.Access, "http://localhost/i/1")
	must(t, err)
	if tok.ID != "" || tok.Scope != "driving-licence" || at.PersonID != "p-li" || at.ACR != "loa3" || at.IssuerState != "is-1" || at.ClientID != "wallet" {
		t.Errorf("token %+v id token %v", at, tok.ID != "")
	}
	if status, _ := e.userinfo(tok.Access); status != 401 {
		t.Errorf("userinfo with a credential token: %d", status)
	}
}
