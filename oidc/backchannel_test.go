package oidc_test

import (
	"context"
	crand "crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	rp "github.com/coreos/go-oidc/v3/oidc"
	gojose "github.com/go-jose/go-jose/v4"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/oidcstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/oidc/logout"
)

// listener is a client's backchannel_logout_uri.
type listener struct {
	*httptest.Server
	mu     sync.Mutex
	heard  []string // the logout tokens, in their order
	answer func(nth int) int
}

// listen starts one and registers it for a client. answer is the status of the nth request, from 1 on; nil is 200.
func (e *env) listen(clientID string, answer func(nth int) int) *listener {
	e.t.Helper()
	l := &listener{answer: answer}
	l.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || r.Method != http.MethodPost || len(r.PostForm) != 1 || len(r.PostForm["logout_token"]) != 1 {
			e.t.Errorf("not a logout request: %s %v %v", r.Method, r.PostForm, err)
		}
		l.mu.Lock()
		l.heard = append(l.heard, r.PostForm.Get("logout_token"))
		n := len(l.heard)
		l.mu.Unlock()
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(l.status(n))
	}))
	e.t.Cleanup(l.Close)
	e.setBackchannel(clientID, strings.Replace(l.URL, "127.0.0.1", "localhost", 1)+"/bye?x=1")
	return l
}

func (l *listener) status(n int) int {
	if l.answer == nil {
		return http.StatusOK
	}
	return l.answer(n)
}

func (l *listener) tokens() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return append([]string{}, l.heard...)
}

func (e *env) setBackchannel(clientID, uri string) {
	e.t.Helper()
	c, err := e.op.Clients().Get(context.Background(), clientID)
	must(e.t, err)
	c.BackchannelLogoutURI = uri
	for _, op := range e.ops { // each has a cache
		must(e.t, op.Clients().Put(context.Background(), c))
	}
}

func (e *env) deliver() {
	e.t.Helper()
	must(e.t, e.op.DeliverLogouts(context.Background()))
}

// delivery is the one delivery of a client.
func (e *env) delivery(clientID string) outcome {
	e.t.Helper()
	all, err := e.op.LogoutDeliveries(context.Background(), clientID)
	must(e.t, err)
	if len(all) != 1 {
		e.t.Fatalf("%d deliveries to %s", len(all), clientID)
	}
	return outcome{State: all[0].State.String(), Attempts: all[0].Attempts, Error: all[0].Error, Wait: all[0].NextAt.Sub(e.clock.Now())}
}

// outcome is how a delivery fares, and how long it waits.
type outcome struct {
	State    string
	Attempts int
	Error    string
	Wait     time.Duration
}

// leave logs in at the client and out again, and returns the tokens of the login.
func (e *env) leave(clientID string) tokens {
	e.t.Helper()
	b := e.browser()
	tok := e.token(redeem(b.login(request(clientID)).location.Query().Get("code")), "Authorization", basic(clientID, e.secret))
	if a := b.get("/logout?" + url.Values{"id_token_hint": {tok.ID}}.Encode()); a.status != 200 || !strings.Contains(a.body, "已退出登录") {
		e.t.Fatalf("logout: %d", a.status)
	}
	return tok
}

// parts decodes a compact token without checking it.
func parts(t testing.TB, token string) (header, claims map[string]any) {
	t.Helper()
	p := strings.Split(token, ".")
	if len(p) != 3 {
		t.Fatalf("no compact token: %q", token)
	}
	for i, into := range []*map[string]any{&header, &claims} {
		b, err := base64.RawURLEncoding.DecodeString(p[i])
		must(t, err)
		must(t, json.Unmarshal(b, into))
	}
	return header, claims
}

// H03, the outgoing half: a client built on coreos/go-oidc takes our logout token, which is nothing but a logout token.
func TestH03LogoutTokensAreForOneClientAndGoodForNothingElse(t *testing.T) {
	each(t, 1, func(t *testing.T, e *env) {
		app, other := e.listen("app", nil), e.listen("other", nil)
		b := e.browser()
		login := func(id string) tokens {
			return e.token(redeem(b.login(request(id)).location.Query().Get("code")), "Authorization", basic(id, e.secret))
		}
		tok, theirs := login("app"), login("other")
		b.get("/logout?" + url.Values{"id_token_hint": {tok.ID}}.Encode())
		e.deliver()
		subjects := map[any]bool{}
		for id, x := range map[string]struct {
			l  *listener
			id string
		}{"app": {app, tok.ID}, "other": {other, theirs.ID}} {
			heard := x.l.tokens()
			if len(heard) != 1 {
				t.Fatalf("%s heard %d times of the logout", id, len(heard))
			}
			e.checkLogoutToken(id, heard[0], x.id)
			_, claims := parts(t, heard[0])
			subjects[claims["sub"]], subjects[claims["sid"]] = true, true
		}
		if len(subjects) != 4 {
			t.Error("two clients could join what they know by sub or sid")
		}
		token := app.tokens()[0]
		if status, _ := e.userinfo(token); status != http.StatusUnauthorized {
			t.Errorf("N01 logout token as access token: %d", status)
		}
		if a := e.browser().get("/logout?" + url.Values{"id_token_hint": {token}}.Encode()); a.status != http.StatusBadRequest {
			t.Errorf("N01 logout token as id_token_hint: %d", a.status)
		}
		if e.count("oidc.logout_delivered") != 2 || e.count("oidc.session_closed") != 1 {
			t.Error("the audit trail doesn't tell")
		}
	})
}

// checkLogoutToken checks what Back-Channel Logout 1.0 section 2.6 makes a client check, and the suite.
func (e *env) checkLogoutToken(clientID, token, idToken string) {
	t := e.t
	t.Helper()
	provider, err := rp.NewProvider(context.Background(), e.issuer)
	must(t, err)
	if _, err := provider.Verifier(&rp.Config{ClientID: clientID, Now: e.clock.Now}).Verify(context.Background(), token); err != nil {
		t.Errorf("go-oidc refuses the logout token: %v", err)
	}
	header, claims := parts(t, token)
	idHeader, idClaims := parts(t, idToken)
	if header["typ"] != "logout+jwt" || header["alg"] != idHeader["alg"] {
		t.Errorf("header: %v", header)
	}
	if events, _ := json.Marshal(claims["events"]); string(events) != `{"http://schemas.openid.net/event/backchannel-logout":{}}` {
		t.Errorf("events: %s", events)
	}
	if claims["sub"] != idClaims["sub"] || claims["sid"] != idClaims["sid"] || claims["sid"] == nil || claims["aud"] != clientID || claims["jti"] == "" {
		t.Errorf("claims %v for the ID token's %v", claims, idClaims)
	}
	if _, has := claims["nonce"]; has {
		t.Error("a nonce makes it an ID token")
	}
	if claims["exp"].(float64)-claims["iat"].(float64) != 120 || len(claims) != 8 {
		t.Errorf("claims: %v", claims)
	}
}

func TestDeliveriesAreRepeatedUntilTheClientHears(t *testing.T) {
	each(t, 1, func(t *testing.T, e *env) {
		l := e.listen("app", func(n int) int { return []int{500, 302, 404, 204}[n-1] })
		e.leave("app")
		for i, want := range []outcome{{"waiting", 0, "", 0}, {"waiting", 1, "status_500", time.Second}, {"waiting", 2, "status_302", 5 * time.Second},
			{"waiting", 3, "status_404", 30 * time.Second}, {"delivered", 4, "", 0}} {
			got := e.delivery("app")
			if want.State == "delivered" {
				got.Wait = 0
			}
			if got != want {
				t.Errorf("after %d attempts: %+v", i, got)
			}
			e.clock.add(want.Wait - time.Millisecond)
			if want.Wait > 0 {
				e.deliver() // not before its time
			}
			e.clock.add(time.Millisecond)
			e.deliver()
			e.deliver()
		}
		heard := l.tokens()
		if len(heard) != 4 {
			t.Fatalf("heard %d times", len(heard))
		}
		_, first := parts(t, heard[0])
		_, last := parts(t, heard[3])
		if first["jti"] != last["jti"] || last["iat"].(float64) < first["exp"].(float64)-120 || last["exp"] == first["exp"] {
			t.Errorf("the repetition must be known by its jti and be fresh: %v, %v", first, last)
		}
	})
}

func TestARefusedDeliveryIsNotRepeatedAndItsDeveloperSeesIt(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1, func(e *env) { e.openTrail = true })
	l := e.listen("app", func(int) int { return http.StatusBadRequest })
	e.leave("app")
	for range 3 {
		e.deliver()
		e.clock.add(time.Hour)
	}
	if got := e.delivery("app"); got.State != "refused" || got.Error != "status_400" || len(l.tokens()) != 1 {
		t.Errorf("%+v, heard %d times", got, len(l.tokens()))
	}
	page := e.browser().get("/developer/clients/app?lang=en").body
	if !strings.Contains(page, "logout-deliveries") || !strings.Contains(page, "Refused by the client") || !strings.Contains(page, "status_400") || strings.Contains(page, l.URL) {
		t.Errorf("the developers' page: %s", page)
	}
	if page := e.browser().get("/developer/clients/other").body; strings.Contains(page, "logout-deliveries") {
		t.Error("twin: another client's page shows them")
	}
}

func TestADeliveryIsGivenUpAfterItsLastAttempt(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	l := e.listen("app", func(int) int { return http.StatusServiceUnavailable })
	e.leave("app")
	for range 4000 {
		e.deliver()
		if e.delivery("app").State == "given_up" {
			break
		}
		e.clock.add(e.delivery("app").Wait)
	}
	if got := e.delivery("app"); got.State != "given_up" || got.Attempts != 7 || got.Error != "status_503" || len(l.tokens()) != 7 {
		t.Errorf("%+v, heard %d times", got, len(l.tokens()))
	}
	if e.count("oidc.logout_given_up") != 1 {
		t.Error("giving up is no audit event")
	}
}

func TestAClientThatIsGoneIsNotTold(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	l, twin := e.listen("app", nil), e.listen("other", nil)
	e.leave("app")
	e.leave("other")
	e.setBackchannel("app", "")
	e.deliver()
	if got := e.delivery("app"); got.State != "given_up" || got.Error != logout.ClientGone || len(l.tokens()) != 0 {
		t.Errorf("%+v", got)
	}
	if len(twin.tokens()) != 1 {
		t.Error("twin")
	}
	e.leave("optional") // never wanted to hear
	if all, err := e.op.LogoutDeliveries(t.Context(), "optional"); len(all) != 0 || err != nil {
		t.Errorf("%v, %v", all, err)
	}
}

// A client whose server is down must not keep the others waiting, and a thousand timeouts help nobody.
func TestAClientThatCantBeReachedRestsAndDelaysNobody(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	down, up := e.listen("app", nil), e.listen("other", nil)
	const logins = 12
	for range logins {
		e.leave("app")
	}
	e.leave("other")
	down.Close()
	e.deliver()
	if len(up.tokens()) != 1 {
		t.Error("the other client waits")
	}
	all, err := e.op.LogoutDeliveries(t.Context(), "app")
	must(t, err)
	tried := 0
	for _, d := range all {
		tried += d.Attempts
		if d.Attempts > 0 && d.Error != logout.Unreachable {
			t.Errorf("%+v", d)
		}
	}
	if len(all) != logins || tried == 0 || tried > 4 {
		t.Errorf("%d attempts for %d deliveries", tried, len(all))
	}
	e.clock.add(3 * time.Hour)
	e.deliver()
	all, err = e.op.LogoutDeliveries(t.Context(), "app")
	must(t, err)
	for _, d := range all {
		if d.State != logout.GivenUp || d.Error != logout.TooLate {
			t.Errorf("after three hours: %+v", d)
		}
	}
}

// A client that takes its time is waited for, and nobody else is: who logs out meanwhile is told of at once.
func TestASlowClientDelaysOnlyItself(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	asked, answer := make(chan struct{}, 1), make(chan struct{})
	slow, quick := e.listen("app", func(int) int { asked <- struct{}{}; <-answer; return 200 }), e.listen("other", nil)
	e.leave("app")
	ran := make(chan error)
	go func() { ran <- e.op.DeliverLogouts(context.Background()) }()
	<-asked
	e.leave("other")
	for until := time.Now().Add(10 * time.Second); len(quick.tokens()) == 0 && time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
	}
	if len(quick.tokens()) != 1 {
		t.Error("the other client waits")
	}
	close(answer)
	must(t, <-ran)
	if got := e.delivery("app"); len(slow.tokens()) != 1 || got.State == "waiting" && got.Error != logout.Unreachable {
		t.Errorf("%+v", got)
	}
}

// The crash of a node between claim and answer costs half a minute; the client hears the same jti again.
func TestAnAttemptThatDiedIsMadeAgain(t *testing.T) {
	each(t, 1, func(t *testing.T, e *env) {
		l := e.listen("app", nil)
		e.leave("app")
		_, err := e.db.Exec(t.Context(), `UPDATE oidc_logout_deliveries SET attempts = 1, next_at = $1`, sqlstore.Micros(e.clock.Now().Add(30*time.Second)))
		must(t, err)
		e.deliver()
		if len(l.tokens()) != 0 {
			t.Error("somebody else's attempt was made")
		}
		e.clock.add(30 * time.Second)
		e.deliver()
		if got := e.delivery("app"); got.State != "delivered" || got.Attempts != 2 || len(l.tokens()) != 1 {
			t.Errorf("%+v, heard %d times", got, len(l.tokens()))
		}
	})
}

// Two nodes work at once: nobody hears of a logout twice.
func TestTwoNodesDeliverEachLogoutOnce(t *testing.T) {
	each(t, 2, func(t *testing.T, e *env) {
		l := e.listen("app", func(int) int { time.Sleep(3 * time.Millisecond); return 200 })
		const logins = 20
		for range logins {
			e.leave("app")
		}
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Go(func() {
				if err := e.ops[i%2].DeliverLogouts(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		jtis := map[any]int{}
		for _, token := range l.tokens() {
			_, claims := parts(t, token)
			jtis[claims["jti"]]++
		}
		if len(jtis) != logins || len(l.tokens()) != logins {
			t.Errorf("%d tokens, %d of them different, for %d logouts", len(l.tokens()), len(jtis), logins)
		}
	})
}

// E01, E06: a backchannel_logout_uri never leads into our own network, and the developer learns no more than that.
func TestE01BackchannelNeverReachesPrivateAddresses(t *testing.T) {
	e := newEnv(t, sqltest.DSN(t, sqlstore.SQLite), 1, func(e *env) { e.allow = func(netip.AddrPort) bool { return false } })
	inside := e.listen("app", nil)
	secure := httptest.NewTLSServer(inside.Config.Handler)
	t.Cleanup(secure.Close)
	port := secure.URL[strings.LastIndex(secure.URL, ":"):]
	for _, address := range []string{inside.URL, "https://127.0.0.1" + port, "https://[::1]" + port, "https://[::ffff:7f00:1]" + port, "https://0.0.0.0" + port,
		"https://localhost" + port, "https://localhost." + port, "https://10.0.0.1/", "https://169.254.169.254/latest", "https://2130706433" + port, "https://0x7f.1" + port} {
		e.setBackchannel("app", address)
		e.leave("app")
		e.deliver()
		all, err := e.op.LogoutDeliveries(t.Context(), "app")
		must(t, err)
		if d := all[0]; len(inside.tokens()) != 0 || d.Attempts != 1 || d.Error != logout.BadAddress && d.Error != logout.Unreachable {
			t.Errorf("E01 %s: %+v", address, d)
		}
		_, err = e.db.Exec(t.Context(), `DELETE FROM oidc_logout_deliveries`)
		must(t, err)
		e.clock.add(5 * time.Second) // a client that was unreachable rests
	}
	for _, address := range []string{"http://rp.example/bye", "gopher://rp.example/", "file:///etc/passwd", "https://u:p@rp.example/", "https://rp.example/#f"} {
		c, err := e.op.Clients().Get(t.Context(), "app")
		must(t, err)
		if c.BackchannelLogoutURI = address; e.op.Clients().Put(t.Context(), c) == nil {
			t.Errorf("E01 %s was registered", address)
		}
	}
	// A redirect is an answer, and nobody follows it.
	twin := newEnv(t, sqltest.DSN(t, sqlstore.SQLite), 1)
	target := twin.listen("app", nil)
	from := httptest.NewServer(http.RedirectHandler(target.URL, http.StatusTemporaryRedirect))
	t.Cleanup(from.Close)
	twin.setBackchannel("app", from.URL)
	twin.leave("app")
	twin.deliver()
	if d := twin.delivery("app"); d.Error != "status_307" || len(target.tokens()) != 0 {
		t.Errorf("E01 redirect: %+v", d)
	}
	// The twin: the same listener, where the guard lets through.
	twin.setBackchannel("app", target.URL)
	twin.clock.add(time.Second)
	twin.deliver()
	if d := twin.delivery("app"); d.State != "delivered" || len(target.tokens()) != 1 {
		t.Errorf("twin: %+v", d)
	}
}

func TestDiscoveryListsTheBackChannelOnlyWhereThereIsOne(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	body := e.browser().get("/.well-known/openid-configuration").body
	for _, want := range []string{`"backchannel_logout_supported":true`, `"backchannel_logout_session_supported":true`, `"end_session_endpoint":"` + e.issuer + `/logout"`} {
		if !strings.Contains(body, want) {
			t.Errorf("discovery lacks %s", want)
		}
	}
	for _, never := range []string{"frontchannel", "check_session_iframe"} {
		if strings.Contains(body, never) {
			t.Errorf("discovery lists %s", never)
		}
	}
}

// A client gets logout tokens as it gets its ID tokens: by its algorithm, and in its envelope.
func TestLogoutTokensAreSignedAndEncryptedAsIDTokens(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	e.rs256()
	key, err := rsa.GenerateKey(crand.Reader, 2048)
	must(t, err)
	raw, err := json.Marshal(gojose.JSONWebKeySet{Keys: []gojose.JSONWebKey{{Key: key.Public(), KeyID: "enc", Use: "enc", Algorithm: "RSA-OAEP-256"}}})
	must(t, err)
	keys, err := jose.ParseJWKS(raw)
	must(t, err)
	plain := e.listen("rs256", nil)
	c, err := e.op.Clients().Get(t.Context(), "other")
	must(t, err)
	c.IDTokenEncryptedAlg, c.JWKS = jose.RSAOAEP256, keys
	must(t, e.op.Clients().Put(t.Context(), c))
	sealed := e.listen("other", nil)
	idToken := e.leave("rs256").ID
	b := e.browser()
	e.token(redeem(b.login(request("other")).location.Query().Get("code")), "Authorization", basic("other", e.secret))
	page := b.get("/logout")
	b.post("/logout/confirm", url.Values{"csrf": {field(t, csrfField, page.body)}, "request": {field(t, sealField, page.body)}})
	e.deliver()
	if len(plain.tokens()) != 1 || len(sealed.tokens()) != 1 {
		t.Fatalf("heard: %d, %d", len(plain.tokens()), len(sealed.tokens()))
	}
	if h := headerOf(t, plain.tokens()[0]); h.Alg != "RS256" || h.Typ != "logout+jwt" || h.Kid != headerOf(t, idToken).Kid {
		t.Errorf("RS256: %+v", h)
	}
	envelope, err := gojose.ParseEncrypted(sealed.tokens()[0], []gojose.KeyAlgorithm{gojose.RSA_OAEP_256}, []gojose.ContentEncryption{gojose.A128CBC_HS256})
	must(t, err)
	inside, err := envelope.Decrypt(key)
	must(t, err)
	if header, claims := parts(t, string(inside)); header["typ"] != "logout+jwt" || claims["aud"] != "other" {
		t.Errorf("inside: %v %v", header, claims)
	}
	// Without its key it is told nothing, rather than in the clear. A registration can't be so, but keys can be taken away.
	b.login(request("other"))
	page = b.get("/logout")
	b.post("/logout/confirm", url.Values{"csrf": {field(t, csrfField, page.body)}, "request": {field(t, sealField, page.body)}})
	c.JWKS, c.BackchannelLogoutURI = nil, sealed.URL
	must(t, oidcstore.New(e.db, e.clock.Now).PutClient(t.Context(), c))
	e.clock.add(time.Minute)
	e.deliver()
	all, err := e.op.LogoutDeliveries(t.Context(), "other")
	must(t, err)
	waiting := 0
	for _, d := range all {
		if d.State == logout.Waiting && d.Error == logout.NoKey {
			waiting++
		}
	}
	if len(all) != 2 || waiting != 1 || len(sealed.tokens()) != 1 {
		t.Errorf("without a key: %+v", all)
	}
}
