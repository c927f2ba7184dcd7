package resource_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc/resource"
)

func newKey(t testing.TB) jose.SigningKey {
	t.Helper()
	k, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

const (
	metadataPath = "/.well-known/oauth-authorization-server"
	keysPath     = "/jwks"
)

// TestOneFetchForManyRequests: whoever comes first fetches, the others wait for it.
func TestOneFetchForManyRequests(t *testing.T) {
	w := newWorld(t, nil)
	token := w.token(w.at, nil)
	var all sync.WaitGroup
	for range 30 {
		all.Go(func() {
			rec, _ := w.send(request("Bearer " + token))
			want(t, rec, "ok")
		})
	}
	all.Wait()
	if m, k := w.count(metadataPath), w.count(keysPath); m != 1 || k != 1 {
		t.Errorf("%d and %d fetches", m, k)
	}
}

// TestUnknownKeysAreFetchedOnceAMinute: a new key is found, and made-up names of keys cost the issuer nothing (D08).
func TestUnknownKeysAreFetchedOnceAMinute(t *testing.T) {
	w := newWorld(t, nil)
	rec, _ := w.send(request("Bearer " + w.token(w.at, nil)))
	want(t, rec, "ok")
	old := w.issuer.key
	oldToken := w.token(w.at, nil)
	w.issuer.key = newKey(t)
	w.publish(old, w.issuer.key)
	token := w.token(w.at, nil)

	w.pass(59 * time.Second)
	rec, _ = w.send(request("Bearer " + token))
	want(t, rec, "invalid_token")
	w.pass(2 * time.Second)
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			rec, _ := w.send(request("Bearer " + token))
			want(t, rec, "ok")
		})
	}
	all.Wait()
	rec, _ = w.send(request("Bearer " + oldToken))
	want(t, rec, "ok")
	if n := w.count(keysPath); n != 2 {
		t.Errorf("%d fetches", n)
	}
	payload, _ := json.Marshal(w.claims(w.at, nil))
	for range 100 { // a minute's worth of unknown keys
		w.pass(600 * time.Millisecond)
		rec, _ := w.send(request("Bearer " + sign(t, newKey(t), jose.Header{Typ: "at+jwt"}, string(payload))))
		want(t, rec, "invalid_token")
	}
	if n := w.count(keysPath); n > 3 {
		t.Errorf("D08: %d fetches", n)
	}
}

// TestE04WithdrawnKey: a key that isn't published any more counts for nothing after the next fetch.
func TestE04WithdrawnKey(t *testing.T) {
	w := newWorld(t, nil)
	token := w.token(w.at, nil)
	rec, _ := w.send(request("Bearer " + token))
	want(t, rec, "ok")
	w.publish(newKey(t))
	w.pass(4 * time.Minute)
	rec, _ = w.send(request("Bearer " + w.token(w.at, nil)))
	want(t, rec, "ok")
	w.pass(61 * time.Second)
	rec, _ = w.send(request("Bearer " + w.token(w.at, nil)))
	want(t, rec, "invalid_token")
}

// TestIssuerDown: what was fetched does for an hour; then, and before the first time, the answer is 503, never "ok".
func TestIssuerDown(t *testing.T) {
	w := newWorld(t, nil)
	broken := func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(500) }
	working := w.handlers[keysPath]
	w.handle(keysPath, broken)
	rec, _ := w.send(request("Bearer " + w.token(w.at, nil)))
	want(t, rec, "temporarily_unavailable")
	if rec.Header().Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	rec, _ = w.send(request("Bearer " + w.token(w.at, nil)))
	want(t, rec, "temporarily_unavailable")
	if n := w.count(keysPath); n != 1 {
		t.Errorf("%d fetches within a second", n)
	}
	w.handle(keysPath, working)
	w.pass(2 * time.Second)
	rec, _ = w.send(request("Bearer " + w.token(w.at, nil)))
	want(t, rec, "ok")
	w.handle(keysPath, broken)
	for range 59 {
		w.pass(time.Minute)
		rec, _ = w.send(request("Bearer " + w.token(w.at, nil)))
		want(t, rec, "ok")
	}
	w.pass(2 * time.Minute)
	rec, _ = w.send(request("Bearer " + w.token(w.at, nil)))
	want(t, rec, "temporarily_unavailable")
}

// TestWhatTheIssuerMayNotAnswer: each differs from the usual answers in one thing.
func TestWhatTheIssuerMayNotAnswer(t *testing.T) {
	private := func(t *testing.T, w *world) []byte {
		b, err := jose.MarshalPrivateJWK(w.issuer.key)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	metadata := func(w *world, name, value string) http.HandlerFunc {
		m := map[string]any{"issuer": w.URL, "jwks_uri": w.URL + keysPath}
		m[name] = value
		return answerJSON(m)
	}
	cases := []struct {
		name   string
		change func(t *testing.T, w *world)
		code   string
	}{
		{"as is", func(*testing.T, *world) {}, "ok"},
		{"further metadata", func(_ *testing.T, w *world) { w.handle(metadataPath, metadata(w, "x", "y")) }, "ok"},
		{"metadata of another issuer", func(_ *testing.T, w *world) { w.handle(metadataPath, metadata(w, "issuer", w.URL+"/")) }, "temporarily_unavailable"},
		{"keys in the clear", func(_ *testing.T, w *world) {
			w.handle(metadataPath, metadata(w, "jwks_uri", "http://keys.example/jwks"))
		}, "temporarily_unavailable"},
		{"keys of no address", func(_ *testing.T, w *world) { w.handle(metadataPath, metadata(w, "jwks_uri", "")) }, "temporarily_unavailable"},
		{"metadata twice", func(_ *testing.T, w *world) {
			w.handle(metadataPath, func(rw http.ResponseWriter, _ *http.Request) {
				_, _ = rw.Write([]byte(`{"issuer":"` + w.URL + `","jwks_uri":"` + w.URL + keysPath + `","issuer":"` + w.URL + `"}`))
			})
		}, "temporarily_unavailable"},
		{"redirected keys", func(_ *testing.T, w *world) {
			w.handle("/elsewhere", w.handlers[keysPath])
			w.handle(keysPath, func(rw http.ResponseWriter, r *http.Request) { http.Redirect(rw, r, "/elsewhere", http.StatusFound) })
		}, "temporarily_unavailable"},
		{"N10 private keys", func(t *testing.T, w *world) {
			w.handle(keysPath, answerJSON(map[string]any{"keys": []any{json.RawMessage(private(t, w))}}))
		}, "temporarily_unavailable"},
		{"E03 64 KiB and more", func(_ *testing.T, w *world) {
			w.handle(keysPath, func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte(strings.Repeat(" ", 64<<10+1))) })
		}, "temporarily_unavailable"},
		{"E03 gzip bomb", func(_ *testing.T, w *world) {
			w.handle(keysPath, func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("Content-Encoding", "gzip")
				z := gzip.NewWriter(rw)
				for range 64 {
					_, _ = z.Write(make([]byte, 1<<20))
				}
				_ = z.Close()
			})
		}, "temporarily_unavailable"},
		{"E03 slow", func(_ *testing.T, w *world) {
			w.handle(keysPath, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
		}, "temporarily_unavailable"},
		{"junk", func(_ *testing.T, w *world) { w.handle(keysPath, answerJSON("x")) }, "temporarily_unavailable"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			// A client that would follow redirects, if it were left to it, in a network where every name leads to the issuer.
			var home string
			transport := &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, home)
			}}
			defer transport.CloseIdleConnections()
			w := newWorld(t, func(c *resource.Config) { c.HTTP = &http.Client{Timeout: 500 * time.Millisecond, Transport: transport} })
			home = w.Listener.Addr().String()
			c.change(t, w)
			rec, _ := w.send(request("Bearer " + w.token(w.at, nil)))
			want(t, rec, c.code)
			if w.count("/elsewhere") != 0 {
				t.Error("the redirect was followed")
			}
		})
	}
}

// TestIssuerWithAPath: its metadata is where RFC 8414 section 3.1 puts it.
func TestIssuerWithAPath(t *testing.T) {
	is := newIssuer(t)
	is.handle(metadataPath+"/tenant", answerJSON(map[string]any{"issuer": is.URL + "/tenant", "jwks_uri": is.URL + keysPath}))
	g, err := resource.New(resource.Config{Issuer: is.URL + "/tenant", Audience: audience})
	if err != nil {
		t.Fatal(err)
	}
	rec, _ := send(g, request("Bearer "+is.token(time.Now(), map[string]any{"iss": is.URL + "/tenant"})))
	want(t, rec, "ok")
	rec, _ = send(g, request("Bearer "+is.token(time.Now(), nil)))
	want(t, rec, "invalid_token")
}

func TestConfigIsChecked(t *testing.T) {
	good := resource.Config{Issuer: "https://id.example", Audience: audience}
	key := newKey(t)
	for name, c := range map[string]struct {
		change func(*resource.Config)
		ok     bool
	}{
		"as is":                  {func(*resource.Config) {}, true},
		"no issuer":              {func(c *resource.Config) { c.Issuer = "" }, false},
		"issuer in the clear":    {func(c *resource.Config) { c.Issuer = "http://id.example" }, false},
		"issuer on this machine": {func(c *resource.Config) { c.Issuer = "http://localhost:8080" }, true},
		"issuer with a query":    {func(c *resource.Config) { c.Issuer = "https://id.example?x" }, false},
		"issuer with a user":     {func(c *resource.Config) { c.Issuer = "https://u@id.example" }, false},
		"no audience":            {func(c *resource.Config) { c.Audience = "" }, false},
		"base URL a path":        {func(c *resource.Config) { c.BaseURL = "/api" }, false},
		"introspection, secret":  {func(c *resource.Config) { c.Introspection = &resource.Introspection{ClientID: "api", Secret: "s"} }, true},
		"introspection, key":     {func(c *resource.Config) { c.Introspection = &resource.Introspection{ClientID: "api", Key: key.Key} }, true},
		"introspection, both": {func(c *resource.Config) {
			c.Introspection = &resource.Introspection{ClientID: "api", Secret: "s", Key: key.Key}
		}, false},
		"introspection, neither":   {func(c *resource.Config) { c.Introspection = &resource.Introspection{ClientID: "api"} }, false},
		"introspection, no client": {func(c *resource.Config) { c.Introspection = &resource.Introspection{Secret: "s"} }, false},
	} {
		cfg := good
		c.change(&cfg)
		if _, err := resource.New(cfg); (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestNothingOfTheServerIsLinked: a department that imports the package gets neither a database driver nor the token engine nor the pages.
func TestNothingOfTheServerIsLinked(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, dep := range strings.Fields(string(out)) {
		rel, ours := strings.CutPrefix(dep, "github.com/hufu-id/hufu/")
		switch {
		case ours && rel != "oidc/resource" && rel != "oidc/dpop" && !strings.HasPrefix(rel, "internal/jose") && rel != "internal/strictjson",
			strings.HasPrefix(dep, "database/sql"), strings.Contains(dep, "ory/"), strings.Contains(dep, "pgx"), strings.Contains(dep, "sqlite"):
			t.Errorf("%s is linked", dep)
		}
	}
}

// TestAHangingIssuerHoldsNobodyElse: while one request waits for the fetch that is due, the others go on with the old keys.
func TestAHangingIssuerHoldsNobodyElse(t *testing.T) {
	w := newWorld(t, nil)
	rec, _ := w.send(request("Bearer " + w.token(w.at, nil)))
	want(t, rec, "ok")
	asked, release := make(chan struct{}), make(chan struct{})
	usual := w.handlers[keysPath]
	w.handle(keysPath, func(rw http.ResponseWriter, r *http.Request) {
		close(asked)
		<-release
		usual(rw, r)
	})
	w.pass(6 * time.Minute)
	token := w.token(w.at, nil)
	done := make(chan *httptest.ResponseRecorder)
	go func() {
		rec, _ := w.send(request("Bearer " + token))
		done <- rec
	}()
	<-asked
	start := time.Now()
	rec, _ = w.send(request("Bearer " + token))
	want(t, rec, "ok")
	if d := time.Since(start); d > 2*time.Second {
		t.Errorf("waited %v", d)
	}
	close(release)
	want(t, <-done, "ok")
}

// TestWhoHangsUpSpoilsNothing: the fetch that he started is everybody's.
func TestWhoHangsUpSpoilsNothing(t *testing.T) {
	w := newWorld(t, nil)
	ctx, hangUp := context.WithCancel(t.Context())
	usual := w.handlers[keysPath]
	w.handle(keysPath, func(rw http.ResponseWriter, r *http.Request) {
		hangUp()
		time.Sleep(50 * time.Millisecond)
		usual(rw, r)
	})
	w.send(request("Bearer " + w.token(w.at, nil)).WithContext(ctx))
	rec, _ := w.send(request("Bearer " + w.token(w.at, nil)))
	want(t, rec, "ok")
	if n := w.count(keysPath); n != 1 {
		t.Errorf("%d fetches", n)
	}
}
