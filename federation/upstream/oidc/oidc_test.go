package oidc_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	foreign "github.com/coreos/go-oidc/v3/oidc"

	"github.com/hufu-id/hufu/federation/upstream"
	"github.com/hufu-id/hufu/federation/upstream/oidc"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sample"
)

const (
	clientID = "https://national.example"
	redirect = "https://national.example/callback/440000"
)

// rig is one connector before one sample province.
type rig struct {
	t         *testing.T
	province  *sample.Province
	issuer    string
	connector *oidc.Connector
	now       time.Time
	jwks      atomic.Int32 // requests
	discovery atomic.Int32
	token     func(r *http.Request) // sees token requests
	rawToken  func(w http.ResponseWriter)
	onKeys    func(w http.ResponseWriter)
	bank      *bank // before the province, if any
}

// handle is the province, with its bank if it has one.
func (r *rig) handle(w http.ResponseWriter, req *http.Request) {
	if r.bank != nil {
		r.bank.ServeHTTP(w, req)
		return
	}
	r.province.ServeHTTP(w, req)
}

func newRig(t *testing.T, change func(*oidc.Config)) *rig {
	r := &rig{t: t, now: time.Now()}
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	pub, _ := key.Public()
	set, _ := jose.MarshalJWKS([]jose.JWK{pub})
	keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(set) }))
	t.Cleanup(keys.Close)
	srv := httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(srv.Close)
	r.issuer = srv.URL
	info, _ := sample.NewWorld().Province("440000")
	clock := func() time.Time { return r.now }
	r.province, err = sample.NewProvince(sample.ProvinceConfig{Info: info, People: sample.NewWorld().PeopleOf("440000"), BaseURL: r.issuer,
		ClientID: clientID, RedirectURI: redirect, JWKSURI: keys.URL, Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	port := srv.Listener.Addr().(*net.TCPAddr).Port
	cfg := oidc.Config{Province: "440000", Issuer: r.issuer, ClientID: clientID, RedirectURI: redirect, Levels: info.Levels, AllowHTTP: true, Now: clock,
		Signer: func(context.Context) (jose.SigningKey, error) { return key, nil },
		HTTP: httpx.NewClient(httpx.ClientOptions{Timeout: time.Second,
			Allow: func(a netip.AddrPort) bool { return a.Addr().IsLoopback() && int(a.Port()) == port }})}
	if change != nil {
		change(&cfg)
	}
	if r.connector, err = oidc.New(cfg); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *rig) serve(w http.ResponseWriter, req *http.Request) {
	switch req.URL.Path {
	case "/jwks":
		r.jwks.Add(1)
		if r.onKeys != nil {
			r.onKeys(w)
			return
		}
	case "/.well-known/openid-configuration":
		r.discovery.Add(1)
	case "/token":
		_ = req.ParseForm() // read, so that the server notices who hangs up
		if r.token != nil {
			r.token(req)
		}
		if r.rawToken != nil {
			r.rawToken(w)
			return
		}
	}
	r.handle(w, req)
}

func (r *rig) attempt() upstream.Attempt {
	return upstream.Attempt{Flow: "f", Province: "440000", State: strings.Repeat("s", 43), Nonce: strings.Repeat("n", 43),
		Verifier: strings.Repeat("v", 43), Started: r.now}
}

var personLink = regexp.MustCompile(`id="person-li-xiuying" href="([^"]+)"`)

// answer walks through the province and returns what comes back.
func (r *rig) answer(a upstream.Attempt) url.Values {
	r.t.Helper()
	location, err := r.connector.Start(context.Background(), a, upstream.StartOptions{Level: upstream.Level3, Language: "en"})
	if err != nil {
		r.t.Fatal(err)
	}
	page := httptest.NewRecorder()
	r.handle(page, httptest.NewRequest(http.MethodGet, location, nil))
	m := personLink.FindStringSubmatch(page.Body.String())
	if m == nil {
		r.t.Fatalf("province shows %d %s", page.Code, page.Body)
	}
	back := httptest.NewRecorder()
	r.province.ServeHTTP(back, httptest.NewRequest(http.MethodGet, strings.ReplaceAll(m[1], "&amp;", "&"), nil))
	u, err := url.Parse(back.Header().Get("Location"))
	if err != nil {
		r.t.Fatal(err)
	}
	return u.Query()
}

func (r *rig) login() (upstream.Assertion, error) {
	r.t.Helper()
	a := r.attempt()
	return r.connector.Finish(context.Background(), a, r.answer(a))
}

func (r *rig) mustLogin() {
	r.t.Helper()
	if _, err := r.login(); err != nil {
		r.t.Fatalf("twin: %v", err)
	}
}

func TestFinishGivesACheckedAssertion(t *testing.T) {
	r := newRig(t, nil)
	got, err := r.login()
	if err != nil {
		t.Fatal(err)
	}
	if got.Province != "440000" || got.Subject == "" || got.Claims.Name != "李秀英" || got.Claims.ResidentID != "99440119490312002X" ||
		got.Claims.PhoneNumber != "+8613800000101" || !got.Claims.PhoneVerified || got.Claims.Gender != "female" || got.ACR != "L4" || got.Level != upstream.Level3 || got.AuthTime.IsZero() {
		t.Errorf("%+v", got)
	}
}

// TestI12ClientAssertionIsForThisProvinceOnly also checks the rest of the token request.
func TestI12ClientAssertionIsForThisProvinceOnly(t *testing.T) {
	r := newRig(t, nil)
	seen := map[string]bool{}
	r.token = func(req *http.Request) {
		u, err := jose.ParseUnverified(req.PostFormValue("client_assertion"), jose.Policy{Typ: []string{"client-authentication+jwt"}, Algs: []jose.Alg{jose.ES256}})
		if err != nil {
			t.Error(err)
			return
		}
		var c map[string]any
		if err := json.Unmarshal(u.Payload, &c); err != nil {
			t.Error(err)
		}
		if c["aud"] != r.issuer || c["iss"] != clientID || c["sub"] != clientID || seen[fmt.Sprint(c["jti"])] {
			t.Errorf("claims %v", c)
		}
		seen[fmt.Sprint(c["jti"])] = true
		if req.PostFormValue("code_verifier") != strings.Repeat("v", 43) || req.PostFormValue("client_secret") != "" {
			t.Error("token request")
		}
	}
	r.mustLogin()
	r.mustLogin()
}

func TestE04KeyThatDisappearsIsNotAcceptedAfterTheRefresh(t *testing.T) {
	r := newRig(t, nil)
	r.mustLogin()
	old, err := r.province.RotateKey()
	if err != nil {
		t.Fatal(err)
	}
	r.province.SignWith(&old)
	r.mustLogin() // still within the cache time: known risk, bounded by it
	r.now = r.now.Add(16 * time.Minute)
	if _, err := r.login(); !errors.Is(err, upstream.ErrAnswer) {
		t.Errorf("old key: %v", err)
	}
	r.province.SignWith(nil)
	r.mustLogin()
}

func TestRotatedKeyIsFoundAtOnceAndUnknownKeysAskAtMostOnceAMinute(t *testing.T) {
	r := newRig(t, nil)
	r.mustLogin()
	r.now = r.now.Add(2 * time.Minute)
	if _, err := r.province.RotateKey(); err != nil {
		t.Fatal(err)
	}
	r.mustLogin()
	asked := r.jwks.Load()
	rogue, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	r.province.SignWith(&rogue)
	for range 20 {
		r.now = r.now.Add(2 * time.Second)
		if _, err := r.login(); !errors.Is(err, upstream.ErrAnswer) {
			t.Errorf("unknown key: %v", err)
		}
	}
	if n := r.jwks.Load() - asked; n > 1 {
		t.Errorf("%d requests in 40 s", n)
	}
}

func TestE03HostileKeySets(t *testing.T) {
	for name, fault := range map[string]sample.Fault{"10-MiB": sample.HugeKeys, "2001-keys": sample.ManyKeys, "redirect": sample.RedirectKeys, "slow": sample.Slow} {
		t.Run("E03/"+name, func(t *testing.T) {
			r := newRig(t, nil)
			a := r.attempt()
			answer := r.answer(a)
			r.province.SetFault(fault)
			started := time.Now()
			if _, err := r.connector.Finish(context.Background(), a, answer); !errors.Is(err, upstream.ErrAnswer) && !errors.Is(err, upstream.ErrUnavailable) {
				t.Errorf("%v", err)
			}
			if took := time.Since(started); took > 3*time.Second {
				t.Errorf("took %v", took)
			}
			r.province.SetFault(sample.NoFault)
			r.now = r.now.Add(time.Minute)
			r.mustLogin()
		})
	}
}

func TestE03HostileTokenResponses(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 5000) + "1" + strings.Repeat("}", 5000)
	for name, body := range map[string]string{"empty": "", "html": "<html>", "null": "null", "array": "[]", "deep": deep,
		"twice": `{"id_token":"a","id_token":"b","token_type":"Bearer"}`, "none": `{"token_type":"Bearer"}`,
		"alg-none": `{"id_token":"eyJhbGciOiJub25lIn0.e30.","token_type":"Bearer"}`, "not-bearer": `{"id_token":"a.b.c","token_type":"mac"}`} {
		r := newRig(t, nil)
		r.rawToken = func(w http.ResponseWriter) { _, _ = w.Write([]byte(body)) }
		if _, err := r.login(); !errors.Is(err, upstream.ErrAnswer) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestE01InternalAddressesAreRefusedWhenConnecting configures provinces at addresses that must never be asked. The client allows
// one loopback socket, as `hufu dev` does, which is the positive twin.
func TestE01InternalAddressesAreRefusedWhenConnecting(t *testing.T) {
	newRig(t, nil).mustLogin()
	var touched atomic.Bool
	trap := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { touched.Store(true) }))
	defer trap.Close()
	port := trap.Listener.Addr().(*net.TCPAddr).Port
	for _, host := range []string{"127.0.0.1", "localhost", "localhost.", "[::1]", "[::ffff:7f00:1]", "0.0.0.0", "2130706433", "0177.0.0.1", "10.0.0.1",
		"169.254.169.254", "192.168.1.1", "[fe80::1%25lo]", "user@127.0.0.1"} {
		for _, scheme := range []string{"http", "https", "gopher", "file"} {
			issuer := fmt.Sprintf("%s://%s:%d", scheme, host, port)
			c, err := oidc.New(oidc.Config{Province: "440000", Issuer: issuer, ClientID: clientID, RedirectURI: redirect, AllowHTTP: true,
				Levels: map[string]upstream.Level{"1": upstream.Level1}, HTTP: httpx.NewClient(httpx.ClientOptions{Timeout: time.Second}),
				Signer: func(context.Context) (jose.SigningKey, error) { return jose.SigningKey{}, nil }})
			if err != nil {
				continue // refused even earlier
			}
			a := upstream.Attempt{Province: "440000", State: strings.Repeat("s", 43), Nonce: strings.Repeat("n", 43), Verifier: strings.Repeat("v", 43)}
			if _, err := c.Start(context.Background(), a, upstream.StartOptions{}); !errors.Is(err, upstream.ErrUnavailable) {
				t.Errorf("%s: %v", issuer, err)
			}
		}
	}
	if touched.Load() {
		t.Error("a request arrived")
	}
}

func TestNewRefusesHalfAConfiguration(t *testing.T) {
	good := oidc.Config{Province: "440000", Issuer: "https://p.example", ClientID: clientID, RedirectURI: redirect, HTTP: httpx.NewClient(httpx.ClientOptions{}),
		Levels: map[string]upstream.Level{"1": upstream.Level1}, Signer: func(context.Context) (jose.SigningKey, error) { return jose.SigningKey{}, nil }}
	if _, err := oidc.New(good); err != nil {
		t.Fatalf("twin: %v", err)
	}
	for name, change := range map[string]func(*oidc.Config){
		"I02/empty-client-id": func(c *oidc.Config) { c.ClientID = "" }, "I02/empty-issuer": func(c *oidc.Config) { c.Issuer = "" },
		"http": func(c *oidc.Config) { c.Issuer = "http://p.example" }, "query": func(c *oidc.Config) { c.Issuer = "https://p.example?x" },
		"user": func(c *oidc.Config) { c.Issuer = "https://u@p.example" }, "redirect": func(c *oidc.Config) { c.RedirectURI = "" },
		"levels": func(c *oidc.Config) { c.Levels = nil }, "signer": func(c *oidc.Config) { c.Signer = nil }, "client": func(c *oidc.Config) { c.HTTP = nil },
	} {
		cfg := good
		change(&cfg)
		if _, err := oidc.New(cfg); !errors.Is(err, oidc.ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestResponseErrorsKeepTheirMeaning(t *testing.T) {
	r := newRig(t, nil)
	a := r.attempt()
	for code, want := range map[string]error{"access_denied": upstream.ErrRefused, "login_required": upstream.ErrRefused,
		"server_error": upstream.ErrUnavailable, "temporarily_unavailable": upstream.ErrUnavailable, "invalid_request": upstream.ErrAnswer, "<script>": upstream.ErrAnswer} {
		answer := url.Values{"state": {a.State}, "iss": {r.issuer}, "error": {code}}
		if _, err := r.connector.Finish(context.Background(), a, answer); !errors.Is(err, want) {
			t.Errorf("%s: %v", code, err)
		}
		answer.Set("iss", "https://another.example") // nobody else may end her login
		if _, err := r.connector.Finish(context.Background(), a, answer); !errors.Is(err, upstream.ErrAnswer) {
			t.Errorf("%s of another issuer: %v", code, err)
		}
	}
}

func TestCodeThatWasUsedIsSpent(t *testing.T) {
	r := newRig(t, nil)
	a := r.attempt()
	answer := r.answer(a)
	if _, err := r.connector.Finish(context.Background(), a, answer); err != nil {
		t.Fatalf("twin: %v", err)
	}
	if _, err := r.connector.Finish(context.Background(), a, answer); !errors.Is(err, upstream.ErrSpent) {
		t.Errorf("again: %v", err)
	}
}

func TestAudienceListOnlyWhereAgreedAndOnlyUs(t *testing.T) {
	r := newRig(t, func(c *oidc.Config) { c.AllowAudienceList = true })
	r.province.SetFault(sample.AudienceList)
	if _, err := r.login(); !errors.Is(err, upstream.ErrAnswer) {
		t.Errorf("a list with others: %v", err)
	}
	r.province.SetFault(sample.NoFault)
	r.mustLogin()
}

func TestBreakerOpensAndCloses(t *testing.T) {
	r := newRig(t, nil)
	r.mustLogin()
	r.province.SetFault(sample.Down)
	for range 3 {
		r.now = r.now.Add(11 * time.Second)
		if _, err := r.connector.Start(context.Background(), r.attempt(), upstream.StartOptions{}); !errors.Is(err, upstream.ErrUnavailable) {
			t.Fatalf("down: %v", err)
		}
	}
	if s := r.connector.State(); !s.Down || !s.Until.After(r.now) {
		t.Errorf("state %+v", s)
	}
	asked := r.discovery.Load()
	for range 10 {
		_, _ = r.connector.Start(context.Background(), r.attempt(), upstream.StartOptions{})
	}
	if r.discovery.Load() != asked {
		t.Error("an open breaker asked")
	}
	r.province.SetFault(sample.NoFault)
	r.now = r.now.Add(16 * time.Second)
	r.mustLogin()
	if r.connector.State().Down {
		t.Error("still down")
	}
}

// TestSampleProvinceSatisfiesAForeignLibrary lets go-oidc judge what our sample signs, so that connector and sample can't be
// wrong together.
func TestSampleProvinceSatisfiesAForeignLibrary(t *testing.T) {
	r := newRig(t, nil)
	ctx := context.Background()
	p, err := foreign.NewProvider(ctx, r.issuer)
	if err != nil {
		t.Fatal(err)
	}
	verifier := p.Verifier(&foreign.Config{ClientID: clientID, Now: func() time.Time { return r.now }})
	for fault, good := range map[sample.Fault]bool{sample.NoFault: true, sample.BadSignature: false, sample.Expired: false, sample.WrongIssuer: false, sample.WrongAudience: false} {
		r.province.SetFault(fault)
		var raw string
		r.rawToken = nil
		a := r.attempt()
		answer := r.answer(a)
		rec := httptest.NewRecorder()
		r.token = func(req *http.Request) {
			r.rawToken = func(w http.ResponseWriter) { w.WriteHeader(http.StatusBadRequest) }
			r.province.ServeHTTP(rec, req)
		}
		_, _ = r.connector.Finish(ctx, a, answer)
		r.token = nil
		var body map[string]any
		if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil {
			t.Fatal(err)
		}
		raw, _ = body["id_token"].(string)
		if _, err := verifier.Verify(ctx, raw); (err == nil) != good {
			t.Errorf("%q: %v", fault, err)
		}
	}
}

func FuzzFinishAnswer(f *testing.F) {
	c, err := oidc.New(oidc.Config{Province: "440000", Issuer: "https://p.example", ClientID: clientID, RedirectURI: redirect,
		HTTP: nobody{}, Levels: map[string]upstream.Level{"1": upstream.Level1}, Signer: func(context.Context) (jose.SigningKey, error) { return jose.SigningKey{}, nil }})
	if err != nil {
		f.Fatal(err)
	}
	a := upstream.Attempt{Province: "440000", State: "s", Nonce: "n", Verifier: "v"}
	f.Add("state=s&iss=https%3A%2F%2Fp.example&code=abc")
	f.Add("state=s&iss=https%3A%2F%2Fp.example&error=access_denied")
	f.Add("state=x&code=abc")
	f.Fuzz(func(t *testing.T, raw string) {
		q, err := url.ParseQuery(raw)
		if err != nil {
			return
		}
		if _, err := c.Finish(context.Background(), a, q); err == nil {
			t.Error("accepted without asking anybody")
		}
	})
}

// nobody is a network without anybody.
type nobody struct{}

func (nobody) Do(*http.Request) (*httpx.Response, error) { return nil, httpx.ErrUnreachable }
