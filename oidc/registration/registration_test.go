package registration_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/oidcstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/registration"
)

const issuer = "https://id.example"

// env is the endpoint on one database.
type env struct {
	t       *testing.T
	store   *oidcstore.Store
	db      *sqlstore.DB
	clients *client.Registry
	handler *registration.Handler
	server  *httptest.Server
	auth    client.Authenticator
	now     *atomic.Int64 // Unix seconds
}

func (e *env) clock() time.Time { return time.Unix(e.now.Load(), 0) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newEnv opens the endpoint. Outgoing requests reach the sockets that allow names.
func newEnv(t *testing.T, db *sqlstore.DB, policy registration.Policy, allow func(netip.AddrPort) bool) *env {
	t.Helper()
	e := &env{t: t, db: db, now: &atomic.Int64{}}
	e.now.Store(time.Now().Unix())
	e.store = oidcstore.New(db, e.clock)
	e.clients = client.NewRegistry(e.store, e.clock)
	out := httpx.NewClient(httpx.ClientOptions{Allow: allow, Timeout: 2 * time.Second})
	if policy.Scopes == nil {
		policy.Scopes = []string{"openid", "profile", "phone"}
	}
	e.handler = registration.New(registration.Config{Issuer: issuer, Policy: policy, Store: e.store, Clients: e.clients, HTTP: out, Log: discard(), Now: e.clock})
	e.auth = client.Authenticator{Registry: e.clients, Keys: client.NewKeys(out, e.clock), Issuer: issuer, Endpoints: []string{issuer + "/token"}, Now: e.clock}
	r := mux.NewRouter().SkipClean(true).UseEncodedPath()
	r.HandleFunc(registration.Path, e.handler.Create).Methods(http.MethodPost)
	r.HandleFunc(registration.Path+"/{id}", func(w http.ResponseWriter, r *http.Request) { e.handler.Manage(w, r, mux.Vars(r)["id"]) })
	e.server = httptest.NewServer(httpx.Wrap(r, httpx.Options{}))
	t.Cleanup(e.server.Close)
	return e
}

func open(t *testing.T, db *sqlstore.DB) *env {
	return newEnv(t, db, registration.Policy{Mode: registration.Open}, func(netip.AddrPort) bool { return true })
}

func sqlite(t *testing.T) *sqlstore.DB { return sqltest.Open(t, sqltest.DSN(t, sqlstore.SQLite)) }

// doc is metadata or an answer.
type doc map[string]any

func (d doc) text(name string) string { s, _ := d[name].(string); return s }

// with copies metadata; a nil value removes a member.
func (d doc) with(pairs ...any) doc {
	out := doc{}
	for k, v := range d {
		out[k] = v
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if out[pairs[i].(string)] = pairs[i+1]; pairs[i+1] == nil {
			delete(out, pairs[i].(string))
		}
	}
	return out
}

var good = doc{"client_name": "A test", "redirect_uris": []string{"https://rp.example/cb"}}

func (e *env) do(method, path, token, contentType string, body []byte) (int, doc, http.Header) {
	e.t.Helper()
	req, err := http.NewRequest(method, e.server.URL+path, bytes.NewReader(body))
	must(e.t, err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultClient.Do(req)
	must(e.t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	must(e.t, err)
	out := doc{}
	if len(text) > 0 {
		must(e.t, json.Unmarshal(text, &out))
	}
	return resp.StatusCode, out, resp.Header
}

func (e *env) post(m any, token string) (int, doc) {
	e.t.Helper()
	body, err := json.Marshal(m)
	must(e.t, err)
	status, out, _ := e.do(http.MethodPost, registration.Path, token, "application/json", body)
	return status, out
}

// create registers a client that must be accepted.
func (e *env) create(m doc, token string) doc {
	e.t.Helper()
	status, out := e.post(m, token)
	if status != http.StatusCreated {
		e.t.Fatalf("register: %d %v", status, out)
	}
	return out
}

func (e *env) put(made, m doc, token string) (int, doc) {
	e.t.Helper()
	body, err := json.Marshal(m)
	must(e.t, err)
	status, out, _ := e.do(http.MethodPut, registration.Path+"/"+made.text("client_id"), token, "application/json", body)
	return status, out
}

func (e *env) refused(name string, status int, out doc, wantStatus int, wantCode string) {
	e.t.Helper()
	if status != wantStatus || out.text("error") != wantCode {
		e.t.Errorf("%s: %d %v, want %d %s", name, status, out, wantStatus, wantCode)
	}
}

// authenticates says whether a client gets in by a secret.
func (e *env) authenticates(id, secret string) error {
	r := httptest.NewRequest(http.MethodPost, "/token", nil)
	form := url.Values{"client_id": {id}}
	if secret != "" {
		form.Set("client_secret", secret)
	}
	_, err := e.auth.Authenticate(r, form)
	return err
}

// digest is the whole table of clients, for "nothing was changed".
func (e *env) digest() string {
	e.t.Helper()
	all, err := e.store.Clients(context.Background(), "", 1000)
	must(e.t, err)
	text, err := json.Marshal(all)
	must(e.t, err)
	return string(text)
}

func keySet(t *testing.T, keys ...jose.SigningKey) json.RawMessage {
	t.Helper()
	var public []jose.JWK
	for _, k := range keys {
		p, err := k.Public()
		must(t, err)
		public = append(public, p)
	}
	set, err := jose.MarshalJWKS(public)
	must(t, err)
	return set
}

func newKey(t *testing.T, alg jose.Alg) jose.SigningKey {
	t.Helper()
	k, err := jose.GenerateKey(alg)
	must(t, err)
	return k
}

func TestClientLifeOnBothEngines(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		e := open(t, db)
		asked := good.with("logo_uri", "https://rp.example/logo.png", "policy_uri", "https://rp.example/p", "tos_uri", "https://rp.example/t", "client_uri", "https://rp.example",
			"contacts", []string{"a@rp.example"}, "initiate_login_uri", "https://rp.example/start", "backchannel_logout_uri", "https://rp.example/out",
			"backchannel_logout_session_required", true, "post_logout_redirect_uris", []string{"https://rp.example/bye"}, "default_max_age", 60,
			"jwks", keySet(t, newKey(t, jose.RS256)), "unknown_member", doc{"a": 1}, "frontchannel_logout_uri", "https://rp.example/f")
		made := e.create(asked, "")
		for name, want := range asked {
			if name == "unknown_member" || name == "frontchannel_logout_uri" {
				if _, ok := made[name]; ok {
					t.Errorf("%s came back", name)
				}
				continue
			}
			a, _ := json.Marshal(want)
			b, _ := json.Marshal(made[name])
			if name != "jwks" && !bytes.Equal(a, b) {
				t.Errorf("%s: sent %s, got %s", name, a, b)
			}
		}
		id, secret, token := made.text("client_id"), made.text("client_secret"), made.text("registration_access_token")
		for name, want := range map[string]any{"token_endpoint_auth_method": "client_secret_basic", "id_token_signed_response_alg": "RS256", "subject_type": "pairwise", "application_type": "web",
			"client_secret_expires_at": 0.0, "registration_client_uri": issuer + registration.Path + "/" + id, "client_id_issued_at": float64(e.clock().Unix()), "scope": "openid profile phone"} {
			if made[name] != want {
				t.Errorf("%s: %v, want %v", name, made[name], want)
			}
		}
		if len(secret) != 43 || len(token) != 43 || strings.Contains(e.digest(), secret) || strings.Contains(e.digest(), token) {
			t.Error("secrets are 256 bits, and only their hashes are kept")
		}
		must(t, e.authenticates(id, secret))

		status, read, header := e.do(http.MethodGet, registration.Path+"/"+id, token, "", nil)
		if status != http.StatusOK || read.text("registration_access_token") != token || read["client_secret"] != nil || read.text("initiate_login_uri") != "https://rp.example/start" {
			t.Errorf("read: %d %v", status, read)
		}
		if header.Get("Cache-Control") != "no-store" || header.Get("Content-Type") != "application/json" {
			t.Errorf("headers: %v", header)
		}

		status, changed := e.put(made, good.with("client_id", id, "redirect_uris", []string{"https://rp.example/cb2"}, "client_secret", secret), token)
		if status != http.StatusOK || changed["logo_uri"] != nil || changed.text("registration_access_token") == token {
			t.Fatalf("replace: %d %v", status, changed)
		}
		c, err := e.clients.Get(context.Background(), id)
		must(t, err)
		if c.AllowsRedirect("https://rp.example/cb") || !c.AllowsRedirect("https://rp.example/cb2") || c.LogoURI != "" {
			t.Errorf("after the change: %+v", c)
		}
		must(t, e.authenticates(id, secret))

		token = changed.text("registration_access_token")
		if status, _, _ := e.do(http.MethodDelete, registration.Path+"/"+id, token, "", nil); status != http.StatusNoContent {
			t.Fatalf("delete: %d", status)
		}
		if e.authenticates(id, secret) == nil {
			t.Error("the deleted client authenticates")
		}
		status, out, _ := e.do(http.MethodGet, registration.Path+"/"+id, token, "", nil)
		e.refused("deleted", status, out, 401, "invalid_token")
	})
}

func TestF01InitialTokens(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		e := newEnv(t, db, registration.Policy{Mode: registration.Token}, nil)
		ctx := context.Background()
		token, kept := registration.NewInitialToken("test", 2, e.clock().Add(time.Hour))
		must(t, e.store.PutInitialToken(ctx, kept))
		status, out := e.post(good, "")
		e.refused("F01 open registration", status, out, 401, "invalid_token")
		status, out = e.post(good, token+"x")
		e.refused("F01 wrong token", status, out, 401, "invalid_token")
		status, out = e.post(good.with("redirect_uris", []string{"https://rp.example/#"}), token)
		e.refused("bad metadata", status, out, 400, "invalid_redirect_uri")
		e.create(good, token) // the twin: a refused registration took no use
		e.create(good, token)
		before := e.digest()
		status, out = e.post(good, token)
		e.refused("F01 above the quota", status, out, 401, "invalid_token")
		if e.digest() != before {
			t.Error("something was registered")
		}
		late, kept := registration.NewInitialToken("late", 1, e.clock().Add(time.Minute))
		must(t, e.store.PutInitialToken(ctx, kept))
		e.now.Add(60)
		status, out = e.post(good, late)
		e.refused("F01 expired", status, out, 401, "invalid_token")
		// An operator meant these clients: they wait for their first use as long as it takes. The tokens go.
		e.now.Add(int64(2 * registration.UnusedLife / time.Second))
		if n, err := e.handler.Sweep(ctx, 100); err != nil || n != 2 || e.digest() != before {
			t.Errorf("swept %d, %v", n, err)
		}
	})
}

func TestF01QuotaHoldsInARace(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		e := newEnv(t, db, registration.Policy{Mode: registration.Token}, nil)
		const uses, callers = 5, 20
		token, kept := registration.NewInitialToken("race", uses, e.clock().Add(time.Hour))
		must(t, e.store.PutInitialToken(context.Background(), kept))
		results := make(chan int, callers)
		for range callers {
			go func() {
				status, _ := e.post(good, token)
				results <- status
			}()
		}
		made := 0
		for range callers {
			switch status := <-results; status {
			case http.StatusCreated:
				made++
			case http.StatusUnauthorized:
			default:
				t.Errorf("status %d", status)
			}
		}
		if n, err := e.store.DynamicClients(context.Background()); err != nil || made != uses || n != uses {
			t.Errorf("%d answers, %d rows (%v), want %d", made, n, err, uses)
		}
	})
}

func TestF05RegistrationTokens(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		e := open(t, db)
		a, b := e.create(good, ""), e.create(good, "")
		tokenA, tokenB := a.text("registration_access_token"), b.text("registration_access_token")
		for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete} {
			body, err := json.Marshal(good.with("client_id", b["client_id"]))
			must(t, err)
			before := e.digest()
			status, out, header := e.do(method, registration.Path+"/"+b.text("client_id"), tokenA, "application/json", body)
			e.refused("F05 token of A on B: "+method, status, out, 401, "invalid_token")
			if header.Get("WWW-Authenticate") == "" || e.digest() != before {
				t.Error("no challenge, or something changed")
			}
			status, out, _ = e.do(method, registration.Path+"/"+b.text("client_id"), "", "application/json", body)
			e.refused("F05 no token: "+method, status, out, 401, "invalid_token")
		}
		status, changed := e.put(b, good.with("client_id", b["client_id"]), tokenB) // the twin
		if status != http.StatusOK {
			t.Fatalf("%d %v", status, changed)
		}
		status, out, _ := e.do(http.MethodGet, registration.Path+"/"+b.text("client_id"), tokenB, "", nil)
		e.refused("F05 after rotation", status, out, 401, "invalid_token")
		if status, _, _ := e.do(http.MethodGet, registration.Path+"/"+b.text("client_id"), changed.text("registration_access_token"), "", nil); status != http.StatusOK {
			t.Errorf("the new token: %d", status)
		}
		// The operator's word stands: a client that was disabled can't bring itself back.
		c, version, err := e.store.ClientVersion(context.Background(), a.text("client_id"))
		must(t, err)
		c.Disabled = true
		must(t, e.store.ChangeClient(context.Background(), c, version, "operator"))
		status, out = e.put(a, good.with("client_id", a["client_id"]), tokenA)
		e.refused("disabled by the operator", status, out, 401, "invalid_token")
		if e.authenticates(a.text("client_id"), a.text("client_secret")) == nil {
			t.Error("D14 a disabled client authenticates")
		}
		static := client.Client{ID: "static", AuthMethod: client.SecretBasic, SecretHash: client.HashSecret("s"), GrantTypes: []string{"authorization_code"},
			Scopes: []string{"openid"}, RedirectURIs: []string{"https://rp.example/cb"}}
		must(t, e.clients.Put(context.Background(), static))
		status, out, _ = e.do(http.MethodDelete, registration.Path+"/static", tokenA, "", nil)
		e.refused("a client of the configuration", status, out, 401, "invalid_token")
	})
}

func TestOneOfManyReplacementsWins(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		e := open(t, db)
		made := e.create(good, "")
		const callers = 8
		results := make(chan int, callers)
		for range callers {
			go func() {
				status, _ := e.put(made, good.with("client_id", made["client_id"]), made.text("registration_access_token"))
				results <- status
			}()
		}
		won := 0
		for range callers {
			switch status := <-results; status {
			case http.StatusOK:
				won++
			case http.StatusUnauthorized:
			default:
				t.Errorf("status %d", status)
			}
		}
		if won != 1 {
			t.Errorf("%d replacements by one token", won)
		}
	})
}

func TestOpenRegistrationIsBounded(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		ctx := context.Background()
		e := open(t, db)
		used, unused := e.create(good, ""), e.create(good, "")
		must(t, e.authenticates(used.text("client_id"), used.text("client_secret")))
		e.now.Add(int64(registration.UnusedLife/time.Second) + 1)
		young := e.create(good, "")
		if n, err := e.handler.Sweep(ctx, 100); err != nil || n != 1 {
			t.Errorf("swept %d, %v", n, err)
		}
		for name, want := range map[string]bool{used.text("client_id"): true, unused.text("client_id"): false, young.text("client_id"): true} {
			if _, err := e.store.Client(ctx, name); (err == nil) != want {
				t.Errorf("%s: %v", name, err)
			}
		}
		// W08: the number of rows has an end.
		must(t, e.db.InTx(ctx, func(ctx context.Context) error {
			_, err := e.db.Exec(ctx, `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
				INSERT INTO oidc_clients (id, version, disabled, registration, updated_at, dynamic, registered_at) SELECT 'x' || i, 1, 0, '{}', 0, 1, $2 FROM n`,
				registration.MaxOpen, sqlstore.Micros(e.clock()))
			return err
		}))
		status, out := e.post(good, "")
		e.refused("W08 one too many", status, out, 503, "temporarily_unavailable")
		e.now.Add(int64(registration.UnusedLife/time.Second) + 1)
		if _, err := e.handler.Sweep(ctx, 20_000); err != nil {
			t.Fatal(err)
		}
		e.create(good, "")
	})
}
