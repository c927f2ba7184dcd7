package oidc_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	crand "crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/oidcstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/internal/sqlstore/trailstore"
	"github.com/hufu-id/hufu/oidc"
	"github.com/hufu-id/hufu/oidc/attestation"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/registration"
	"github.com/hufu-id/hufu/web"
)

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	t  time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.t
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.t = c.t.Add(d)
}

// world is what the provider's neighbours would be.
type world struct {
	mu      sync.Mutex
	persons map[string]oidc.PersonClaims
	login   oidc.Login // who logs in at the next visit of the chooser
	key     jose.SigningKey
	offers  map[string]string // code -> tx_code
	tries   int
	open    func(province string) bool // nil: all are
}

func (w *world) provinceOpen(code string) bool { return w.open == nil || w.open(code) }

func (w *world) Claims(_ context.Context, id string) (oidc.PersonClaims, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p, ok := w.persons[id]
	if !ok {
		return p, oidc.ErrNoPerson
	}
	return p, nil
}

func (w *world) SigningKey(_ context.Context, alg jose.Alg) (jose.SigningKey, error) {
	if alg == jose.RS256 {
		return rsaKey()
	}
	return w.key, nil
}

// SignedAt: these keys live for ever.
func (w *world) SignedAt(context.Context, string, time.Time) (bool, error) { return true, nil }

func (w *world) VerificationKeys(context.Context) ([]jose.JWK, error) {
	r, err := rsaKey()
	if err != nil {
		return nil, err
	}
	var out []jose.JWK
	for _, key := range []jose.SigningKey{w.key, r} {
		k, err := key.Public()
		if err != nil {
			return nil, err
		}
		out = append(out, k)
	}
	return out, nil
}

// rsaKey signs ID tokens by RS256 in every world: making one takes a while.
var rsaKey = sync.OnceValues(func() (jose.SigningKey, error) { return jose.GenerateKey(jose.RS256) })

func (w *world) Lookup(scope string) ([]string, web.Text, bool) {
	if scope != "driving-licence" {
		return nil, web.Text{}, false
	}
	return []string{"http://localhost/i/1"}, web.Text{ZH: "机动车驾驶证", EN: "Driving licence"}, true
}

func (w *world) Redeem(_ context.Context, code, tx string) (oidc.PreAuthorized, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	want, ok := w.offers[code]
	switch {
	case !ok:
		return oidc.PreAuthorized{}, oidc.ErrUnknownOffer
	case tx == "":
		return oidc.PreAuthorized{}, oidc.ErrTxCodeMissing
	case tx != want:
		w.tries++
		return oidc.PreAuthorized{}, oidc.ErrTxCodeWrong
	}
	delete(w.offers, code)
	return oidc.PreAuthorized{OfferID: code, Issuer: "http://localhost/i/1", Scopes: []string{"driving-licence"}}, nil
}

// env is one server with its database, and possibly more nodes on the same database.
type env struct {
	t         testing.TB
	dsn       string
	world     *world
	clock     *clock
	issuer    string
	nodes     []*httptest.Server
	op        *oidc.Provider
	db        *sqlstore.DB
	secret    string
	jwtKey    jose.SigningKey
	ops       []*oidc.Provider            // of the nodes
	store     func(oidc.Store) oidc.Store // wraps the store of nodes, nil for none
	allow     func(netip.AddrPort) bool   // where nodes may connect to; nil is loopback
	openTrail bool                        // the developers' pages ask for no proof
	wallets   []attestation.Provider      // trusted
	renewal   oidc.Renewal                // of the credentials of offers
}

const rpCallback = "https://rp.example/cb"

// each runs a test on both engines.
func each(t *testing.T, nodes int, run func(t *testing.T, e *env)) {
	eachDSN(t, func(t *testing.T, dsn string) { run(t, newEnv(t, dsn, nodes)) })
}

func eachDSN(t *testing.T, run func(t *testing.T, dsn string)) {
	for _, engine := range []sqlstore.Engine{sqlstore.SQLite, sqlstore.PostgreSQL} {
		t.Run(string(engine), func(t *testing.T) {
			t.Parallel() // both wait for the disk more than they compute
			run(t, sqltest.DSN(t, engine))
		})
	}
}

func newEnv(t testing.TB, dsn string, nodes int, options ...func(*env)) *env {
	t.Helper()
	key, err := jose.GenerateKey(jose.ES256)
	must(t, err)
	e := &env{t: t, dsn: dsn, clock: &clock{t: time.Now().Truncate(time.Second)}, secret: "s3cret/with:odd+characters%"}
	e.world = &world{key: key, persons: map[string]oidc.PersonClaims{
		"p-li":   {Name: "李秀英", Gender: "female", Birthdate: "1958-03-12", PhoneNumber: "13812341234", PhoneVerified: true, ResidentID: "990101195803120025"},
		"p-wang": {Name: "王建国", Gender: "male"},
	}, offers: map[string]string{"offer-1": "123456"}}
	e.loginAs("p-li", "loa3")
	for _, o := range options {
		o(e)
	}
	for range nodes {
		e.addNode()
	}
	e.seed()
	return e
}

func (e *env) loginAs(person, acr string) {
	e.world.mu.Lock()
	defer e.world.mu.Unlock()
	e.world.login = oidc.Login{PersonID: person, Province: "440000", ACR: acr, AMR: []string{"pwd", "otp"}}
}

// addNode starts another server process's worth of state on the same database. The issuer is the first node's address.
func (e *env) addNode() {
	t := e.t
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	if e.issuer == "" {
		e.issuer = "http://localhost:" + port
	}
	op, db, handler := e.provider()
	server := httptest.NewUnstartedServer(httpx.Wrap(handler, httpx.Options{}))
	server.Config.MaxHeaderBytes = 64 << 10
	server.Listener.Close()
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	server.URL = "http://localhost:" + port
	e.nodes, e.ops = append(e.nodes, server), append(e.ops, op)
	if e.op == nil {
		e.op, e.db = op, db
	}
}

// provider opens the database once more and makes a provider on it, whose configuration may differ, with its routes and the login step.
func (e *env) provider(change ...func(*oidc.Config)) (*oidc.Provider, *sqlstore.DB, http.Handler) {
	t := e.t
	db := sqltest.Open(t, e.dsn)
	pages, err := web.New(web.Config{Sandbox: true, Now: e.clock.Now})
	must(t, err)
	var store oidc.Store = oidcstore.New(db, e.clock.Now)
	if e.store != nil {
		store = e.store(store)
	}
	allow := e.allow
	if allow == nil {
		allow = func(a netip.AddrPort) bool { return a.Addr().IsLoopback() }
	}
	cfg := oidc.Config{
		Issuer: e.issuer, Store: store, HTTP: httpx.NewClient(httpx.ClientOptions{Allow: allow, Timeout: time.Second}), Keys: e.world, PairwiseSecret: bytes.Repeat([]byte{1}, 32),
		CodeSecret: bytes.Repeat([]byte{2}, 32), Sealer: httpx.NewSealer(bytes.Repeat([]byte{3}, 32)), Pages: pages, Persons: e.world,
		CredentialScopes: e.world, Credentials: shelf{e.world}, PreAuthorizedCodes: e.world, OpenTrail: e.openTrail, ProvinceOpen: e.world.provinceOpen, Now: e.clock.Now,
		Registration: registration.Policy{Mode: registration.Open, Scopes: []string{"openid", "profile", "phone"}}, LoopbackClients: true, WalletProviders: e.wallets, Renewal: e.renewal, Trail: trailstore.New(db),
	}
	for _, f := range change {
		f(&cfg)
	}
	op, err := oidc.New(cfg)
	must(t, err)
	r := mux.NewRouter().SkipClean(true).UseEncodedPath()
	op.Routes(r)
	r.HandleFunc("/login/{flow}/", func(w http.ResponseWriter, r *http.Request) { e.chooser(w, r, op, db) })
	return op, db, pages.Preferences(r)
}

// chooser plays the login step: it logs in whoever the test chose, as federation does.
func (e *env) chooser(w http.ResponseWriter, r *http.Request, op *oidc.Provider, db *sqlstore.DB) {
	flow := mux.Vars(r)["flow"]
	if _, err := op.Describe(r, flow); err != nil {
		http.Error(w, err.Error(), http.StatusForbidden)
		return
	}
	e.world.mu.Lock()
	login := e.world.login
	e.world.mu.Unlock()
	if login.PersonID == "" {
		op.Cancelled(w, r, flow)
		return
	}
	if login.AuthTime.IsZero() {
		login.AuthTime = e.clock.Now()
	}
	var respond func(http.ResponseWriter)
	err := db.InTx(r.Context(), func(ctx context.Context) (err error) {
		respond, err = op.LoggedIn(ctx, r, flow, login)
		return err
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	respond(w)
}

func (e *env) seed() {
	var err error
	e.jwtKey, err = jose.GenerateKey(jose.ES256)
	must(e.t, err)
	pub, err := e.jwtKey.Public()
	must(e.t, err)
	code := []string{client.AuthorizationCode}
	base := oidc.Client{Name: web.Text{ZH: "沙箱省公安厅交通管理局", EN: "Sandbox Traffic Police"}, Service: web.Text{ZH: "驾驶证期满换证", EN: "Licence renewal"},
		Organisation: "1199440000TRY002X9", RedirectURIs: []string{rpCallback}, PostLogoutRedirectURIs: []string{"https://rp.example/out"},
		GrantTypes: code, Scopes: []string{"openid", "profile", "phone"}}
	secret := base
	secret.ID, secret.AuthMethod, secret.SecretHash = "app", client.SecretBasic, client.HashSecret(e.secret)
	optional := secret
	optional.ID, optional.OptionalClaims = "optional", []string{"phone_number"}
	signed := base
	signed.ID, signed.AuthMethod, signed.JWKS = "signed", client.PrivateKeyJWT, []jose.JWK{pub}
	signed.GrantTypes, signed.Scopes = append(code, client.ClientCredentials), append(base.Scopes, "register")
	public := base
	public.ID, public.AuthMethod, public.Public, public.Organisation = "public", client.None, true, ""
	public.RedirectURIs, public.PostLogoutRedirectURIs = []string{"http://127.0.0.1/cb", "http://127.0.0.1:7777/other"}, nil
	wallet := public
	wallet.ID, wallet.Scopes, wallet.GrantTypes = "wallet", []string{"driving-licence"}, append(code, client.PreAuthorizedCode)
	other := secret
	other.ID, other.Organisation = "other", "1199440000TRY0011H"
	strict := secret
	strict.ID, strict.RequiredACR = "strict", "loa4"
	for _, c := range []oidc.Client{secret, optional, signed, public, wallet, other, strict} {
		must(e.t, e.op.Clients().Put(context.Background(), c))
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// browser is a person's browser.
type browser struct {
	e *env
	*http.Client
}

func (e *env) browser() *browser {
	jar, err := cookiejar.New(nil)
	must(e.t, err)
	b := &browser{e: e}
	b.Client = &http.Client{Jar: jar, CheckRedirect: func(req *http.Request, _ []*http.Request) error {
		if "http://"+req.URL.Host != e.issuer {
			return http.ErrUseLastResponse // the client's address: the test reads it
		}
		return nil
	}}
	return b
}

// answer is what a browser ended at.
type answer struct {
	status   int
	location *url.URL // set when it was sent to the client
	body     string
	header   http.Header
	at       *url.URL
}

func (b *browser) do(req *http.Request) answer {
	b.e.t.Helper()
	resp, err := b.Do(req)
	must(b.e.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	must(b.e.t, err)
	a := answer{status: resp.StatusCode, body: string(body), header: resp.Header, at: resp.Request.URL}
	if l := resp.Header.Get("Location"); l != "" {
		a.location, err = url.Parse(l)
		must(b.e.t, err)
	}
	return a
}

func (b *browser) get(address string) answer {
	b.e.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = b.e.issuer + address
	}
	req, err := http.NewRequest(http.MethodGet, address, nil)
	must(b.e.t, err)
	return b.do(req)
}

func (b *browser) post(address string, form url.Values, header ...string) answer {
	b.e.t.Helper()
	if strings.HasPrefix(address, "/") {
		address = b.e.issuer + address
	}
	req, err := http.NewRequest(http.MethodPost, address, strings.NewReader(form.Encode()))
	must(b.e.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	return b.do(req)
}

var (
	csrfField = regexp.MustCompile(`name="csrf" value="([^"]+)"`)
	sealField = regexp.MustCompile(`name="request" value="([^"]+)"`)
)

func field(t testing.TB, re *regexp.Regexp, body string) string {
	t.Helper()
	m := re.FindStringSubmatch(body)
	if m == nil {
		t.Fatalf("no %s in page: %.600s", re, body)
	}
	return m[1]
}

// verifier and challenge are one PKCE pair for all tests.
const verifier = "abcdefghijklmnopqrstuvwxyz0123456789-abcdefghijk"

func challenge() string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// request is a good authorization request of a client; pairs change or (value "-") remove parameters.
func request(clientID string, pairs ...string) url.Values {
	v := url.Values{"client_id": {clientID}, "response_type": {"code"}, "scope": {"openid profile"}, "redirect_uri": {rpCallback},
		"state": {"st"}, "nonce": {"n1"}, "code_challenge": {challenge()}, "code_challenge_method": {"S256"}}
	switch clientID {
	case "public":
		v.Set("redirect_uri", "http://127.0.0.1:5001/cb")
	case "wallet":
		v.Set("redirect_uri", "http://127.0.0.1:5001/cb")
		v.Set("scope", "driving-licence")
	}
	return with(v, pairs...)
}

func with(v url.Values, pairs ...string) url.Values {
	out := url.Values{}
	for k, vs := range v {
		out[k] = append([]string{}, vs...)
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == "-" {
			out.Del(pairs[i])
		} else {
			out.Set(pairs[i], pairs[i+1])
		}
	}
	return out
}

// agree answers a consent page.
func (b *browser) agree(page answer, pairs ...string) answer {
	b.e.t.Helper()
	form := url.Values{"csrf": {field(b.e.t, csrfField, page.body)}, "decision": {"allow"}, "term": {"standing"}}
	return b.post(page.at.Path, with(form, pairs...), "Sec-Fetch-Site", "same-origin")
}

// login takes a request all the way to the client's address, agreeing when asked.
func (b *browser) login(v url.Values) answer {
	b.e.t.Helper()
	a := b.get("/authorize?" + v.Encode())
	if a.location == nil && strings.HasPrefix(a.at.Path, "/consent/") {
		a = b.agree(a)
	}
	if a.location == nil {
		b.e.t.Fatalf("the login ended at %s with %d: %.800s", a.at, a.status, a.body)
	}
	return a
}

// code logs in and returns the code.
func (e *env) code(v url.Values) string {
	e.t.Helper()
	a := e.browser().login(v)
	code := a.location.Query().Get("code")
	if code == "" {
		e.t.Fatalf("no code: %s", a.location)
	}
	return code
}

// tokens is the answer of the token endpoint.
type tokens struct {
	asked   bool // with the Authorization header
	status  int
	header  http.Header
	Error   string `json:"error"`
	Access  string `json:"access_token"`
	ID      string `json:"id_token"`
	Refresh string `json:"refresh_token"`
	Type    string `json:"token_type"`
	Scope   string `json:"scope"`
	Expires int64  `json:"expires_in"`
	Details []struct {
		Type          string   `json:"type"`
		Configuration string   `json:"credential_configuration_id"`
		Locations     []string `json:"locations"`
		Identifiers   []string `json:"credential_identifiers"`
	} `json:"authorization_details"`
}

func (e *env) tokenAt(node int, form url.Values, header ...string) tokens {
	req, err := http.NewRequest(http.MethodPost, e.nodes[node].URL+"/token", strings.NewReader(form.Encode()))
	must(e.t, err)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		e.t.Error(err)
		return tokens{}
	}
	defer resp.Body.Close()
	out := tokens{status: resp.StatusCode, header: resp.Header, asked: req.Header.Get("Authorization") != ""}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil && !errors.Is(err, io.EOF) {
		e.t.Errorf("token endpoint answered no JSON: %v", err)
	}
	return out
}

func (e *env) token(form url.Values, header ...string) tokens {
	e.t.Helper()
	return e.tokenAt(0, form, header...)
}

func basic(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
}

// redeem is a good token request for a code of client app.
func redeem(code string, pairs ...string) url.Values {
	return with(url.Values{"grant_type": {client.AuthorizationCode}, "code": {code}, "redirect_uri": {rpCallback}, "code_verifier": {verifier}}, pairs...)
}

func (e *env) assertion(pairs ...any) string {
	claims := map[string]any{"iss": "signed", "sub": "signed", "aud": e.issuer, "jti": rand(), "exp": e.clock.Now().Add(time.Minute).Unix()}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] == nil {
			delete(claims, pairs[i].(string))
		} else {
			claims[pairs[i].(string)] = pairs[i+1]
		}
	}
	s, err := jose.SignJSON(e.jwtKey, jose.Header{Typ: "JWT"}, claims)
	must(e.t, err)
	return s
}

func withAssertion(form url.Values, assertion string) url.Values {
	return with(form, "client_assertion", assertion, "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")
}

// userinfo asks with a bearer token.
func (e *env) userinfo(access string) (int, map[string]any) {
	e.t.Helper()
	req, err := http.NewRequest(http.MethodGet, e.issuer+"/userinfo", nil)
	must(e.t, err)
	req.Header.Set("Authorization", "Bearer "+access)
	resp, err := http.DefaultClient.Do(req)
	must(e.t, err)
	defer resp.Body.Close()
	out := map[string]any{}
	must(e.t, json.NewDecoder(resp.Body).Decode(&out))
	return resp.StatusCode, out
}

// count returns how many audit events of a kind there are.
func (e *env) count(kind string) int {
	e.t.Helper()
	var n int
	must(e.t, e.db.QueryRow(context.Background(), `SELECT COUNT(*) FROM audit_events WHERE kind = $1`, kind).Scan(&n))
	return n
}

// commits counts the requests that wrote, by the traces of their audit events. Each writes in one InTx.
func (e *env) commits() int {
	e.t.Helper()
	var n int
	must(e.t, e.db.QueryRow(context.Background(), `SELECT COUNT(DISTINCT trace_id) FROM audit_events WHERE trace_id <> ''`).Scan(&n))
	return n
}

// signRaw signs an encoded payload under a header as it is given, which no honest library would.
func (e *env) signRaw(header, payload string) string {
	input := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + payload
	sum := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(crand.Reader, e.jwtKey.Key.(*ecdsa.PrivateKey), sum[:])
	must(e.t, err)
	sig := make([]byte, 64)
	r.FillBytes(sig[:32])
	s.FillBytes(sig[32:])
	return input + "." + base64.RawURLEncoding.EncodeToString(sig)
}

func newRecorder() *httptest.ResponseRecorder { return httptest.NewRecorder() }
