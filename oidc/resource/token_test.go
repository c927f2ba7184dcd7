package resource_test

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc/dpop/dpoptest"
	"github.com/hufu-id/hufu/oidc/resource"
)

func sign(t testing.TB, key jose.SigningKey, h jose.Header, payload string) string {
	t.Helper()
	token, err := jose.Sign(key, h, []byte(payload))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// TestAccessTokenClaims: each refused token differs from the good one in one claim.
func TestAccessTokenClaims(t *testing.T) {
	w := newWorld(t, nil)
	now := w.at.Unix()
	jwk := map[string]any{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "d": "AA"}
	cases := []struct {
		name    string
		changes map[string]any
		code    string
	}{
		{"as is", nil, "ok"},
		{"audience in a list", map[string]any{"aud": []string{"x", audience}}, "ok"},
		{"P08 other audience", map[string]any{"aud": "https://api.example/"}, "invalid_token"},
		{"P08 list without us", map[string]any{"aud": []string{"x"}}, "invalid_token"},
		{"no audience", map[string]any{"aud": nil}, "invalid_token"},
		{"N11 other issuer", map[string]any{"iss": "https://id.example"}, "invalid_token"},
		{"N11 issuer with a slash", map[string]any{"iss": w.URL + "/"}, "invalid_token"},
		{"no issuer", map[string]any{"iss": nil}, "invalid_token"},
		{"no subject", map[string]any{"sub": nil}, "invalid_token"},
		{"empty subject", map[string]any{"sub": ""}, "invalid_token"},
		{"N04 subject a number", map[string]any{"sub": 1}, "invalid_token"},
		{"no client", map[string]any{"client_id": nil}, "invalid_token"},
		{"no jti", map[string]any{"jti": nil}, "invalid_token"},
		{"no scope", map[string]any{"scope": nil}, "ok"},
		{"scope a list", map[string]any{"scope": []string{"read"}}, "invalid_token"},
		{"no login", map[string]any{"auth_time": nil, "acr": nil}, "ok"},
		{"acr a number", map[string]any{"acr": 2}, "invalid_token"},
		{"auth_time a string", map[string]any{"auth_time": "x"}, "invalid_token"},
		{"details a list", map[string]any{"authorization_details": []any{map[string]any{"type": "x"}}}, "ok"},
		{"details an object", map[string]any{"authorization_details": map[string]any{"type": "x"}}, "invalid_token"},
		{"N05 no exp", map[string]any{"exp": nil}, "invalid_token"},
		{"N05 exp a string", map[string]any{"exp": "1800000300"}, "invalid_token"},
		{"N05 exp with a fraction", map[string]any{"exp": 1800000300.5}, "invalid_token"},
		{"N05 exp huge", map[string]any{"exp": json.Number("1e300")}, "invalid_token"},
		{"N05 exp negative", map[string]any{"exp": -1}, "invalid_token"},
		{"N05 exp passed", map[string]any{"exp": now - 31}, "invalid_token"},
		{"N05 exp passed, clocks differ", map[string]any{"exp": now - 29}, "ok"},
		{"N05 iat ahead", map[string]any{"iat": now + 31}, "invalid_token"},
		{"N05 iat ahead, clocks differ", map[string]any{"iat": now + 29}, "ok"},
		{"N05 no iat", map[string]any{"iat": nil}, "invalid_token"},
		{"N05 nbf ahead", map[string]any{"nbf": now + 31}, "invalid_token"},
		{"N05 nbf passed", map[string]any{"nbf": now}, "ok"},
		{"N10 private key in cnf", map[string]any{"cnf": map[string]any{"jwk": jwk}}, "invalid_token"},
		{"cnf of an unknown kind", map[string]any{"cnf": map[string]any{"kid": "x"}}, "invalid_token"},
		{"cnf empty", map[string]any{"cnf": map[string]any{}}, "invalid_token"},
		{"cnf a string", map[string]any{"cnf": "x"}, "invalid_token"},
		{"cnf with a jkt of no type", map[string]any{"cnf": map[string]any{"jkt": 1}}, "invalid_token"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			rec, _ := w.send(request("Bearer " + w.token(w.at, c.changes)))
			want(t, rec, c.code)
		})
	}
}

// TestN01OnlyAccessTokensAreTaken: everything else that the issuer or the client signs is refused, though it carries the same claims.
func TestN01OnlyAccessTokensAreTaken(t *testing.T) {
	w := newWorld(t, nil)
	payload, _ := json.Marshal(w.claims(w.at, nil))
	pub, _ := w.key.Public()
	kinds := []struct{ name, token, code string }{
		{"N01 access token", sign(t, w.issuer.key, jose.Header{Typ: "at+jwt"}, string(payload)), "ok"},
		{"N01 access token, long typ", sign(t, w.issuer.key, jose.Header{Typ: "application/at+jwt"}, string(payload)), "ok"},
		{"N01 ID token", sign(t, w.issuer.key, jose.Header{Typ: "JWT"}, string(payload)), "invalid_token"},
		{"N01 ID token without typ", sign(t, w.issuer.key, jose.Header{}, string(payload)), "invalid_token"},
		{"N01 typ in capitals", sign(t, w.issuer.key, jose.Header{Typ: "AT+JWT"}, string(payload)), "invalid_token"},
		{"N01 logout token", sign(t, w.issuer.key, jose.Header{Typ: "logout+jwt"}, string(payload)), "invalid_token"},
		{"N01 introspection answer", sign(t, w.issuer.key, jose.Header{Typ: "token-introspection+jwt"}, string(payload)), "invalid_token"},
		{"N01 credential", sign(t, w.issuer.key, jose.Header{Typ: "dc+sd-jwt"}, string(payload)), "invalid_token"},
		{"N01 status list", sign(t, w.issuer.key, jose.Header{Typ: "statuslist+jwt"}, string(payload)), "invalid_token"},
		{"N01 refresh token", "9vM0cXbF3tYwS.8dJq0aVfWn2", "invalid_token"},
		{"N01 client assertion", sign(t, w.key, jose.Header{Typ: "JWT"}, string(payload)), "invalid_token"},
		{"N01 client assertion dressed up", sign(t, w.key, jose.Header{Typ: "at+jwt"}, string(payload)), "invalid_token"},
		{"N01 request object", sign(t, w.key, jose.Header{Typ: "oauth-authz-req+jwt"}, string(payload)), "invalid_token"},
		{"N01 DPoP proof", dpoptest.Proof(t, w.key, "GET", audience+"/things", "", w.at), "invalid_token"},
		{"E02 own key in jwk", sign(t, w.key, jose.Header{Typ: "at+jwt", JWK: &pub}, string(payload)), "invalid_token"},
		{"E02 x5c", sign(t, w.key, jose.Header{Typ: "at+jwt", X5C: [][]byte{{1}}}, string(payload)), "invalid_token"},
		{"N04 duplicate claim", sign(t, w.issuer.key, jose.Header{Typ: "at+jwt"}, `{"sub":"other",`+string(payload[1:])), "invalid_token"},
		{"N04 byte order mark", sign(t, w.issuer.key, jose.Header{Typ: "at+jwt"}, "\ufeff"+string(payload)), "invalid_token"},
		{"N04 trailing bytes", sign(t, w.issuer.key, jose.Header{Typ: "at+jwt"}, string(payload)+" x"), "invalid_token"},
		{"N04 not an object", sign(t, w.issuer.key, jose.Header{Typ: "at+jwt"}, `"x"`), "invalid_token"},
	}
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) {
			rec, _ := w.send(request("Bearer " + k.token))
			want(t, rec, k.code)
		})
	}
}

// raw signs header and payload as they are written, also what jose wouldn't write.
func raw(t testing.TB, key jose.SigningKey, header, payload string) string {
	t.Helper()
	input := b64([]byte(header)) + "." + b64([]byte(payload))
	digest := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, key.Key.(*ecdsa.PrivateKey), digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + b64(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

// TestHeadersOfTokens: all signatures but the named ones are good.
func TestHeadersOfTokens(t *testing.T) {
	w := newWorld(t, nil)
	payload, _ := json.Marshal(w.claims(w.at, nil))
	head := func(text string) string { return raw(t, w.issuer.key, text, string(payload)) }
	good := head(`{"alg":"ES256","typ":"at+jwt","x":1}`)
	parts := strings.Split(good, ".")
	var fetched atomic.Bool
	evil := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { fetched.Store(true) }))
	defer evil.Close()
	cases := []struct{ name, token, code string }{
		{"a further member", good, "ok"},
		{"N03 crit", head(`{"alg":"ES256","typ":"at+jwt","crit":["x"],"x":1}`), "invalid_token"},
		{"N03 crit empty", head(`{"alg":"ES256","typ":"at+jwt","crit":[]}`), "invalid_token"},
		{"N03 b64", head(`{"alg":"ES256","typ":"at+jwt","crit":["b64"],"b64":false}`), "invalid_token"},
		{"N02 none", b64([]byte(`{"alg":"none","typ":"at+jwt"}`)) + "." + parts[1] + ".", "invalid_token"},
		{"N02 HS256", head(`{"alg":"HS256","typ":"at+jwt"}`), "invalid_token"},
		{"N04 typ twice", head(`{"alg":"ES256","typ":"JWT","typ":"at+jwt"}`), "invalid_token"},
		{"N04 trailing bytes in the header", head(`{"alg":"ES256","typ":"at+jwt"}{}`), "invalid_token"},
		{"N10 private key in the header", head(`{"alg":"ES256","typ":"at+jwt","jwk":{"kty":"EC","crv":"P-256","x":"AA","y":"AA","d":"AA"}}`), "invalid_token"},
		{"E02 jku by the issuer's key", head(`{"alg":"ES256","typ":"at+jwt","jku":"` + evil.URL + `","x5u":"` + evil.URL + `"}`), "ok"},
		{"E02 jku by another key", raw(t, w.key, `{"alg":"ES256","typ":"at+jwt","jku":"`+evil.URL+`"}`, string(payload)), "invalid_token"},
		{"N08 padded", good + "=", "invalid_token"},
		{"wrong signature", parts[0] + "." + parts[1] + "." + b64(make([]byte, 64)), "invalid_token"},
		{"too long", raw(t, w.issuer.key, `{"alg":"ES256","typ":"at+jwt","x":"`+strings.Repeat("x", 12<<10)+`"}`, string(payload)), "invalid_token"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			rec, _ := w.send(request("Bearer " + c.token))
			want(t, rec, c.code)
		})
	}
	if fetched.Load() {
		t.Error("E02: jku was fetched")
	}
}

func TestTokenInTheContext(t *testing.T) {
	w := newWorld(t, nil)
	details := []any{map[string]any{"type": "payment", "amount": json.Number("12345678901234567890")}}
	token := w.token(w.at, map[string]any{"authorization_details": details, "cnf": map[string]any{"jkt": w.jkt}})
	rec, got := w.send(request("DPoP "+token, w.proof(token)))
	want(t, rec, "ok")
	if got.Subject != "person-1" || got.ClientID != "app-1" || !slices.Equal(got.Scopes, []string{"read", "write"}) || got.ACR != "loa2" ||
		!got.AuthTime.Equal(w.at.Add(-time.Minute)) || !got.Expires.Equal(w.at.Add(5*time.Minute)) || got.JKT != w.jkt || got.CertificateThumbprint != "" ||
		string(got.AuthorizationDetails) != `[{"amount":12345678901234567890,"type":"payment"}]` {
		t.Errorf("%+v", got)
	}
	if _, ok := resource.FromContext(t.Context()); ok {
		t.Error("a token out of nowhere")
	}
}
