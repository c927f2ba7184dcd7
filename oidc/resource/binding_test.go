package resource_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hufu-id/hufu/oidc/dpop"
	"github.com/hufu-id/hufu/oidc/dpop/dpoptest"
	"github.com/hufu-id/hufu/oidc/resource"
)

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// bound is a token bound to the world's key.
func (w *world) bound() string {
	return w.token(w.now(), map[string]any{"cnf": map[string]any{"jkt": w.jkt}})
}

// proof is a good proof for the world's request.
func (w *world) proof(token string) string {
	return dpoptest.Proof(w.t, w.key, "GET", audience+"/things", token, w.now())
}

// TestD13AtTheResource has the blocks of the suite's dpop-negative-tests that need token and scheme; those of the proof alone are in oidc/dpop.
func TestD13AtTheResource(t *testing.T) {
	w := newWorld(t, nil)
	bound, other, bearer := w.bound(), w.token(w.at, map[string]any{"jti": "j-2", "cnf": map[string]any{"jkt": w.jkt}}), w.token(w.at, nil)
	otherKey, _ := dpoptest.NewKey(t)
	used := w.proof(bound)
	cases := []struct {
		name          string
		authorization string
		proofs        []string
		code          string
	}{
		{"as is", "DPoP " + bound, []string{used}, "ok"},
		{"D13 scheme in small letters", "dpop " + bound, []string{w.proof(bound)}, "ok"},
		{"D13 scheme in capitals", "DPOP " + bound, []string{w.proof(bound)}, "ok"},
		{"D13 the same jti again", "DPoP " + bound, []string{used}, "invalid_dpop_proof"},
		{"D13 no proof", "DPoP " + bound, nil, "invalid_dpop_proof"},
		{"D13 two proofs", "DPoP " + bound, []string{w.proof(bound), w.proof(bound)}, "invalid_dpop_proof"},
		{"D13 wrong htm", "DPoP " + bound, []string{dpoptest.Proof(t, w.key, "POST", audience+"/things", bound, w.at)}, "invalid_dpop_proof"},
		{"D13 wrong htu", "DPoP " + bound, []string{dpoptest.Proof(t, w.key, "GET", audience+"/other", bound, w.at)}, "invalid_dpop_proof"},
		{"D13 htu of another host", "DPoP " + bound, []string{dpoptest.Proof(t, w.key, "GET", "http://example.com/things", bound, w.at)}, "invalid_dpop_proof"},
		{"D13 htu spelled differently", "DPoP " + bound, []string{dpoptest.Proof(t, w.key, "GET", "HTTPS://API.example:443/%74hings?q=1#f", bound, w.at)}, "ok"},
		{"D13 iat an hour ago", "DPoP " + bound, []string{dpoptest.Proof(t, w.key, "GET", audience+"/things", bound, w.at.Add(-time.Hour))}, "invalid_dpop_proof"},
		{"D13 iat in an hour", "DPoP " + bound, []string{dpoptest.Proof(t, w.key, "GET", audience+"/things", bound, w.at.Add(time.Hour))}, "invalid_dpop_proof"},
		{"D13 iat 10 seconds ago", "DPoP " + bound, []string{dpoptest.Proof(t, w.key, "GET", audience+"/things", bound, w.at.Add(-10*time.Second))}, "ok"},
		{"D13 iat in 10 seconds", "DPoP " + bound, []string{dpoptest.Proof(t, w.key, "GET", audience+"/things", bound, w.at.Add(10*time.Second))}, "ok"},
		{"D13 no ath", "DPoP " + bound, []string{dpoptest.Proof(t, w.key, "GET", audience+"/things", "", w.at)}, "invalid_dpop_proof"},
		{"D13 ath of another token", "DPoP " + bound, []string{w.proof(other)}, "invalid_dpop_proof"},
		{"D13 proof of another key", "DPoP " + bound, []string{dpoptest.Proof(t, otherKey, "GET", audience+"/things", bound, w.at)}, "invalid_dpop_proof"},
		{"D13 bearer scheme with a bound token", "Bearer " + bound, []string{w.proof(bound)}, "invalid_token"},
		{"D13 bearer scheme, no proof", "Bearer " + bound, nil, "invalid_token"},
		{"D13 DPoP scheme with an unbound token", "DPoP " + bearer, []string{w.proof(bearer)}, "invalid_token"},
		{"unbound token", "Bearer " + bearer, nil, "ok"},
		{"unbound token, scheme in small letters", "bearer " + bearer, nil, "ok"},
		{"unbound token with a proof that nobody needs", "Bearer " + bearer, []string{w.proof(bearer)}, "ok"},
		{"nothing", "", nil, "none"},
		{"Basic", "Basic YTpi", nil, "none"},
		{"Bearer without a token", "Bearer ", nil, "invalid_token"},
		{"Bearer alone", "Bearer", nil, "invalid_token"},
		{"Bearer with junk", "Bearer a b", nil, "invalid_token"},
		{"a token alone", bearer, nil, "none"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			rec, _ := w.send(request(c.authorization, c.proofs...))
			want(t, rec, c.code)
		})
	}
}

func TestP08TokenInTheQuery(t *testing.T) {
	w := newWorld(t, nil)
	token := w.token(w.at, nil)
	r := httptest.NewRequest("GET", "/things?other_token="+token, nil)
	r.Header.Set("Authorization", "Bearer "+token)
	rec, _ := w.send(r)
	want(t, rec, "ok")
	for _, authorization := range []string{"", "Bearer " + token} {
		r := httptest.NewRequest("GET", "/things?access_token="+token, nil)
		if authorization != "" {
			r.Header.Set("Authorization", authorization)
		}
		rec, _ := w.send(r)
		want(t, rec, "invalid_request")
	}
	r = request("Bearer " + token)
	r.Header.Add("Authorization", "Bearer "+token)
	rec, _ = w.send(r)
	want(t, rec, "invalid_request")
}

// TestD13OneProofOneRequest: of many at once, and at two servers with one memory, exactly one gets through.
func TestD13OneProofOneRequest(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]bool{}
	shared := func(_ context.Context, id string, _ time.Time) error {
		mu.Lock()
		defer mu.Unlock()
		if seen[id] {
			return resource.ErrReplayed
		}
		seen[id] = true
		return nil
	}
	for name, replay := range map[string]func(context.Context, string, time.Time) error{"D13 own memory": nil, "D13 shared memory": shared} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(c *resource.Config) { c.Replay = replay })
			guards := []*resource.Guard{w.guard, w.guard.For(resource.Need{Bound: true})}
			if replay != nil {
				other, err := resource.New(resource.Config{Issuer: w.URL, Audience: audience, BaseURL: audience, Now: w.now, Replay: replay})
				if err != nil {
					t.Fatal(err)
				}
				guards = append(guards, other)
			}
			token := w.bound()
			proof := w.proof(token)
			var ok atomic.Int32
			var all sync.WaitGroup
			for i := range 24 {
				all.Go(func() {
					if rec, _ := send(guards[i%len(guards)], request("DPoP "+token, proof)); rec.Code == 200 {
						ok.Add(1)
					}
				})
			}
			all.Wait()
			if ok.Load() != 1 {
				t.Errorf("%d of 24 got through", ok.Load())
			}
		})
	}
}

// TestARefusedRequestUsesNothingUp: with the right scope the same proof is still good.
func TestARefusedRequestUsesNothingUp(t *testing.T) {
	w := newWorld(t, nil)
	token := w.bound()
	proof := w.proof(token)
	rec, _ := send(w.guard.For(resource.Need{Scopes: []string{"admin"}}), request("DPoP "+token, proof))
	want(t, rec, "insufficient_scope")
	rec, _ = w.send(request("DPoP "+token, proof))
	want(t, rec, "ok")
}

func TestReplayStoreDown(t *testing.T) {
	down := errors.New("down")
	w := newWorld(t, func(c *resource.Config) { c.Replay = func(context.Context, string, time.Time) error { return down } })
	token := w.bound()
	rec, _ := w.send(request("DPoP "+token, w.proof(token)))
	want(t, rec, "temporarily_unavailable") // not "ok": it may be a replay
	rec, _ = w.send(request("Bearer " + w.token(w.at, nil)))
	want(t, rec, "ok")
}

func TestNonces(t *testing.T) {
	nonces := dpop.NewNonces(make([]byte, 32))
	w := newWorld(t, func(c *resource.Config) { c.Nonces = nonces })
	token := w.bound()
	rec, _ := w.send(request("DPoP "+token, w.proof(token)))
	want(t, rec, "use_dpop_nonce")
	if c := rec.Header().Get("WWW-Authenticate"); !strings.HasPrefix(c, "DPoP ") || !strings.Contains(c, `error="use_dpop_nonce"`) {
		t.Error(c)
	}
	claims := dpoptest.Claims("GET", audience+"/things", token, w.at)
	claims["nonce"] = rec.Header().Get("DPoP-Nonce")
	rec, _ = w.send(request("DPoP "+token, dpoptest.Sign(t, w.key, claims)))
	want(t, rec, "ok")
	if rec.Header().Get("DPoP-Nonce") == "" {
		t.Error("no nonce for the next request")
	}
	w.pass(11 * time.Minute)
	token = w.bound()
	claims = dpoptest.Claims("GET", audience+"/things", token, w.at)
	claims["nonce"] = rec.Header().Get("DPoP-Nonce")
	rec, _ = w.send(request("DPoP "+token, dpoptest.Sign(t, w.key, claims)))
	want(t, rec, "use_dpop_nonce")
	rec, _ = w.send(request("Bearer " + w.token(w.at, nil)))
	want(t, rec, "ok")
	if rec.Header().Get("DPoP-Nonce") != "" {
		t.Error("a nonce for a bearer token")
	}
}

// TestURLOfTheRequest: what a proof must be for, when the server is reached directly, behind a prefix, or behind a gateway.
func TestURLOfTheRequest(t *testing.T) {
	for name, c := range map[string]struct{ base, htu string }{
		"as the request says": {"", "http://example.com/api/things"},
		"behind a gateway":    {"https://gw.example/dept/", "https://gw.example/dept/api/things"},
	} {
		w := newWorld(t, func(cfg *resource.Config) { cfg.BaseURL = c.base })
		token := w.bound()
		for htu, code := range map[string]int{c.htu: 200, "https://other.example/api/things": 401} {
			r := httptest.NewRequest("GET", "/api/things?q=1", nil)
			r.Header.Set("Authorization", "DPoP "+token)
			r.Header.Set("DPoP", dpoptest.Proof(t, w.key, "GET", htu, token, w.at))
			rec := httptest.NewRecorder()
			http.StripPrefix("/api", w.guard.Protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))).ServeHTTP(rec, r)
			if rec.Code != code {
				t.Errorf("%s, htu %s: %d %s", name, htu, rec.Code, rec.Body)
			}
		}
	}
}

// certificate makes a self-signed one: who issued it doesn't matter.
func certificate(t *testing.T) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// TestCertificateBinding runs over real TLS connections (RFC 8705 section 3).
func TestCertificateBinding(t *testing.T) {
	w := newWorld(t, nil)
	mine, other := certificate(t), certificate(t)
	sum := sha256.Sum256(mine.Certificate[0])
	token := w.token(w.at, map[string]any{"cnf": map[string]any{"x5t#S256": b64(sum[:])}})
	api := httptest.NewUnstartedServer(w.guard.Protect(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {})))
	api.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	api.StartTLS()
	defer api.Close()
	for name, c := range map[string]struct {
		certificates []tls.Certificate
		want         int
	}{"its certificate": {[]tls.Certificate{mine}, 200}, "another certificate": {[]tls.Certificate{other}, 401}, "none": {nil, 401}} {
		client := api.Client()
		transport := client.Transport.(*http.Transport).Clone()
		transport.TLSClientConfig.Certificates = c.certificates
		client.Transport = transport
		r, _ := http.NewRequest("GET", api.URL+"/things", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		transport.CloseIdleConnections()
		if resp.StatusCode != c.want {
			t.Errorf("%s: %d", name, resp.StatusCode)
		}
	}
	rec, _ := w.send(request("Bearer " + token)) // not even TLS
	want(t, rec, "invalid_token")

	leaf, err := x509.ParseCertificate(mine.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	proxied, err := resource.New(resource.Config{Issuer: w.URL, Audience: audience, Now: w.now, Certificate: func(*http.Request) *x509.Certificate { return leaf }})
	if err != nil {
		t.Fatal(err)
	}
	rec, _ = send(proxied, request("Bearer "+token))
	want(t, rec, "ok")
	// Bound to both: both are asked for.
	token = w.token(w.at, map[string]any{"cnf": map[string]any{"x5t#S256": b64(sum[:]), "jkt": w.jkt}})
	rec, _ = send(proxied, request("Bearer "+token))
	want(t, rec, "invalid_token")
	rec, _ = w.send(request("DPoP "+token, w.proof(token)))
	want(t, rec, "invalid_token")
}
