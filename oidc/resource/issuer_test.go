package resource_test

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc/dpop/dpoptest"
	"github.com/hufu-id/hufu/oidc/resource"
)

// issuer is a small issuer: metadata, keys, introspection, and tokens by request.
type issuer struct {
	*httptest.Server
	key jose.SigningKey

	mu       sync.Mutex
	handlers map[string]http.HandlerFunc // instead of the usual answers
	asked    map[string]int
}

func startIssuer() *issuer {
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		panic(err)
	}
	is := &issuer{key: key, handlers: map[string]http.HandlerFunc{}, asked: map[string]int{}}
	is.Server = httptest.NewServer(http.HandlerFunc(is.serve))
	is.handle("/.well-known/oauth-authorization-server", answerJSON(map[string]any{"issuer": is.URL, "jwks_uri": is.URL + "/jwks", "introspection_endpoint": is.URL + "/introspect"}))
	is.publish(key)
	return is
}

func newIssuer(t testing.TB) *issuer {
	is := startIssuer()
	t.Cleanup(is.Close)
	return is
}

func (is *issuer) serve(w http.ResponseWriter, r *http.Request) {
	is.mu.Lock()
	is.asked[r.URL.Path]++
	h := is.handlers[r.URL.Path]
	is.mu.Unlock()
	if h == nil {
		http.NotFound(w, r)
		return
	}
	h(w, r)
}

func (is *issuer) handle(path string, h http.HandlerFunc) {
	is.mu.Lock()
	defer is.mu.Unlock()
	is.handlers[path] = h
}

func (is *issuer) count(path string) int {
	is.mu.Lock()
	defer is.mu.Unlock()
	return is.asked[path]
}

// publish makes keys the published ones.
func (is *issuer) publish(keys ...jose.SigningKey) {
	var set []jose.JWK
	for _, k := range keys {
		pub, err := k.Public()
		if err != nil {
			panic(err)
		}
		set = append(set, pub)
	}
	body, err := jose.MarshalJWKS(set)
	if err != nil {
		panic(err)
	}
	is.handle("/jwks", answerJSON(json.RawMessage(body)))
}

func answerJSON(v any) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
}

// claims are those of a good access token, with changes; nil removes one.
func (is *issuer) claims(at time.Time, changes map[string]any) map[string]any {
	c := map[string]any{"iss": is.URL, "aud": audience, "sub": "person-1", "client_id": "app-1", "scope": "read write", "jti": "j-1",
		"iat": at.Unix(), "exp": at.Add(5 * time.Minute).Unix(), "auth_time": at.Add(-time.Minute).Unix(), "acr": "loa2"}
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

// token signs an access token.
func (is *issuer) token(at time.Time, changes map[string]any) string {
	token, err := jose.SignJSON(is.key, jose.Header{Typ: "at+jwt"}, is.claims(at, changes))
	if err != nil {
		panic(err)
	}
	return token
}

const audience = "https://api.example"

// world is an issuer, an API protected by a guard, a clock and the key of a client.
type world struct {
	*issuer
	t     testing.TB
	guard *resource.Guard
	key   jose.SigningKey
	jkt   string

	clock sync.Mutex
	at    time.Time
}

func newWorld(t testing.TB, change func(*resource.Config)) *world {
	t.Helper()
	w := &world{issuer: newIssuer(t), t: t, at: time.Unix(1_800_000_000, 0)}
	w.key, w.jkt = dpoptest.NewKey(t)
	cfg := resource.Config{Issuer: w.URL, Audience: audience, BaseURL: audience, Now: w.now}
	if change != nil {
		change(&cfg)
	}
	var err error
	if w.guard, err = resource.New(cfg); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) now() time.Time {
	w.clock.Lock()
	defer w.clock.Unlock()
	return w.at
}

func (w *world) pass(d time.Duration) {
	w.clock.Lock()
	defer w.clock.Unlock()
	w.at = w.at.Add(d)
}

// request is a GET of /things with an Authorization header, if any, and DPoP headers.
func request(authorization string, proofs ...string) *http.Request {
	r := httptest.NewRequest(http.MethodGet, "/things", nil)
	if authorization != "" {
		r.Header.Set("Authorization", authorization)
	}
	for _, p := range proofs {
		r.Header.Add("DPoP", p)
	}
	return r
}

// send lets the guard judge r. On 200 it returns what the API saw.
func (w *world) send(r *http.Request) (*httptest.ResponseRecorder, resource.Token) {
	return send(w.guard, r)
}

func send(g *resource.Guard, r *http.Request) (*httptest.ResponseRecorder, resource.Token) {
	var seen resource.Token
	rec := httptest.NewRecorder()
	g.Protect(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { seen, _ = resource.FromContext(r.Context()) })).ServeHTTP(rec, r)
	return rec, seen
}

// codeOf is the error code of an answer: "ok", or "none" for a refusal without one.
func codeOf(rec *httptest.ResponseRecorder) string {
	if rec.Code == http.StatusOK {
		return "ok"
	}
	var body struct {
		Error string `json:"error"`
	}
	_ = json.Unmarshal(rec.Body.Bytes(), &body)
	if body.Error == "" {
		return "none"
	}
	return body.Error
}

// want checks status and code together.
func want(t *testing.T, rec *httptest.ResponseRecorder, code string) {
	t.Helper()
	status := map[string]int{"ok": 200, "none": 401, "invalid_request": 400, "invalid_token": 401, "insufficient_scope": 403, "insufficient_user_authentication": 401,
		"invalid_dpop_proof": 401, "use_dpop_nonce": 401, "temporarily_unavailable": 503}[code]
	if rec.Code != status || codeOf(rec) != code {
		t.Errorf("%d %s, want %d %s", rec.Code, rec.Body, status, code)
	}
	if rec.Code != http.StatusOK && (rec.Header().Get("Cache-Control") != "no-store" || rec.Header().Get("Content-Type") != "application/json") {
		t.Errorf("headers %v", rec.Header())
	}
	if (rec.Code == 401 || rec.Code == 403) != (rec.Header().Get("WWW-Authenticate") != "") {
		t.Errorf("WWW-Authenticate %q with %d", rec.Header().Values("WWW-Authenticate"), rec.Code)
	}
}
