package client

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
)

// memory is a store of few clients.
type memory map[string]Client

func (m memory) PutClient(_ context.Context, c Client) error { m[c.ID] = c; return nil }
func (m memory) MarkUsed(context.Context, string) error      { return nil }
func (m memory) Client(_ context.Context, id string) (Client, error) {
	c, ok := m[id]
	if !ok {
		return Client{}, ErrUnknown
	}
	return c, nil
}

// keyServer is a client's jwks_uri, and an authenticator that knows the client.
type keyServer struct {
	*httptest.Server
	t      *testing.T
	answer atomic.Value // http.HandlerFunc
	hits   atomic.Int64
	now    time.Time
	auth   Authenticator
}

func newKeyServer(t *testing.T) *keyServer {
	t.Helper()
	s := &keyServer{t: t, now: time.Now().Truncate(time.Second)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.hits.Add(1)
		s.answer.Load().(http.HandlerFunc)(w, r)
	}))
	t.Cleanup(s.Close)
	own := netip.MustParseAddrPort(s.Listener.Addr().String())
	out := httpx.NewClient(httpx.ClientOptions{Timeout: 500 * time.Millisecond, Allow: func(ap netip.AddrPort) bool { return ap == own }})
	clock := func() time.Time { return s.now }
	registry := NewRegistry(memory{}, clock)
	s.auth = Authenticator{Registry: registry, Keys: NewKeys(out, clock), Issuer: "https://id.example", Endpoints: []string{"https://id.example/token"}, Now: clock}
	s.register(s.URL)
	return s
}

func (s *keyServer) register(uri string) {
	s.t.Helper()
	err := s.auth.Registry.Put(context.Background(), Client{ID: "c", AuthMethod: PrivateKeyJWT, JWKSURI: uri, GrantTypes: []string{ClientCredentials}, Scopes: []string{"register"}})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *keyServer) publish(keys ...jose.SigningKey) {
	s.t.Helper()
	var public []jose.JWK
	for _, k := range keys {
		p, err := k.Public()
		if err != nil {
			s.t.Fatal(err)
		}
		public = append(public, p)
	}
	set, err := jose.MarshalJWKS(public)
	if err != nil {
		s.t.Fatal(err)
	}
	s.say(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(set) })
}

func (s *keyServer) say(h http.HandlerFunc) { s.answer.Store(h) }

func (s *keyServer) key(kid string) jose.SigningKey {
	s.t.Helper()
	k, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		s.t.Fatal(err)
	}
	k.ID = kid
	return k
}

// authenticate sends an assertion by a key.
func (s *keyServer) authenticate(k jose.SigningKey) error {
	s.t.Helper()
	payload, err := json.Marshal(map[string]any{"iss": "c", "sub": "c", "aud": "https://id.example", "jti": "j", "exp": s.now.Add(time.Minute).Unix()})
	if err != nil {
		s.t.Fatal(err)
	}
	token, err := jose.Sign(k, jose.Header{}, payload)
	if err != nil {
		s.t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/token", nil)
	_, err = s.auth.Authenticate(r, url.Values{"client_assertion_type": {assertionType}, "client_assertion": {token}})
	if err != nil && !errors.Is(err, ErrAuthentication) {
		s.t.Fatalf("a fault instead of a refusal: %v", err)
	}
	return err
}

func (s *keyServer) want(name string, err error, good bool, hits int64) {
	s.t.Helper()
	if (err == nil) != good {
		s.t.Errorf("%s: %v", name, err)
	}
	if got := s.hits.Load(); got != hits {
		s.t.Errorf("%s: %d fetches, want %d", name, got, hits)
	}
}

func TestD08UnknownKidsAskOnceAMinute(t *testing.T) {
	s := newKeyServer(t)
	one, two := s.key("one"), s.key("two")
	s.publish(one)
	s.want("first use", s.authenticate(one), true, 1)
	s.want("again", s.authenticate(one), true, 1)
	for i := range 1000 {
		if s.authenticate(s.key("random-"+strconv.Itoa(i))) == nil {
			t.Fatal("a stranger's key was accepted")
		}
	}
	s.want("D08 1,000 unknown kids", nil, true, 1)
	s.publish(one, two)
	s.want("rotated within the minute", s.authenticate(two), false, 1)
	s.now = s.now.Add(keysPause)
	s.want("rotated, after a minute", s.authenticate(two), true, 2)
	s.want("both are good", s.authenticate(one), true, 2)
}

func TestE04KeyThatDisappearsIsNotAcceptedAfterTheRefresh(t *testing.T) {
	s := newKeyServer(t)
	one, two := s.key("one"), s.key("two")
	s.publish(one, two)
	s.want("first use", s.authenticate(one), true, 1)
	s.publish(two)
	s.now = s.now.Add(keysFresh)
	s.want("E04 after the refresh", s.authenticate(one), false, 2)
	s.want("twin", s.authenticate(two), true, 2)
}

// A short outage of the client's server ends no login; a long one does, since a key that was taken away must die.
func TestKeysOutliveAShortOutage(t *testing.T) {
	s := newKeyServer(t)
	one := s.key("one")
	s.publish(one)
	s.want("first use", s.authenticate(one), true, 1)
	s.say(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	s.now = s.now.Add(keysFresh)
	s.want("down", s.authenticate(one), true, 2)
	s.want("asked once", s.authenticate(one), true, 2)
	s.now = s.now.Add(keysStale)
	s.want("down for an hour", s.authenticate(one), false, 3)
	s.publish(one)
	s.now = s.now.Add(keysPause)
	s.want("back", s.authenticate(one), true, 4)
}

func TestKeysAreFetchedOnceForAll(t *testing.T) {
	s := newKeyServer(t)
	one := s.key("one")
	s.publish(one)
	var wait sync.WaitGroup
	for range 20 {
		wait.Add(1)
		go func() {
			defer wait.Done()
			if err := s.authenticate(one); err != nil {
				t.Error(err)
			}
		}()
	}
	wait.Wait()
	s.want("20 at once", nil, true, 1)
}

func TestE03HostileKeySets(t *testing.T) {
	good := newKeyServer(t)
	one := good.key("one")
	good.publish(one)
	good.want("twin", good.authenticate(one), true, 1)
	public, err := one.Public()
	if err != nil {
		t.Fatal(err)
	}
	jwk, err := json.Marshal(public)
	if err != nil {
		t.Fatal(err)
	}
	set := `{"keys":[` + string(jwk) + `]`
	for name, h := range map[string]http.HandlerFunc{
		"10 MiB": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, set+strings.Repeat(" ", 10<<20)+"}")
		},
		"65 KiB": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, set+strings.Repeat(" ", 65<<10)+"}")
		},
		"21 keys": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, `{"keys":[`+strings.Repeat(string(jwk)+",", 20)+string(jwk)+`]}`)
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/other", http.StatusFound) },
		"not found": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, set+"}")
		},
		"HTML": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "<html>") },
		"private": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, strings.Replace(set, `"kty"`, `"d":"AA","kty"`, 1)+"}")
		},
		"two values": func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, set+"}"+set+"}") },
		"bomb": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = io.WriteString(z, set+strings.Repeat(" ", 10<<20)+"}")
			_ = z.Close()
		},
		"a byte at a time": func(w http.ResponseWriter, r *http.Request) {
			for range 100 {
				_, _ = io.WriteString(w, " ")
				_ = http.NewResponseController(w).Flush()
				select {
				case <-r.Context().Done():
					return
				case <-time.After(20 * time.Millisecond):
				}
			}
			_, _ = io.WriteString(w, set+"}")
		},
	} {
		t.Run("E03 "+name, func(t *testing.T) {
			s := newKeyServer(t)
			s.say(h)
			s.want("hostile", s.authenticate(one), false, 1)
			s.publish(one)
			s.now = s.now.Add(keysPause)
			s.want("mended", s.authenticate(one), true, 2)
		})
	}
}

func TestE01KeysAtInnerAddressesAreNotFetched(t *testing.T) {
	s := newKeyServer(t)
	one := s.key("one")
	s.publish(one)
	s.want("twin: the socket that is allowed", s.authenticate(one), true, 1)
	hit := false
	inner := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hit = true }))
	defer inner.Close()
	port := inner.URL[strings.LastIndex(inner.URL, ":")+1:]
	for _, uri := range []string{inner.URL, "http://localhost:" + port, "https://127.0.0.1:" + port, "https://[::1]:" + port, "https://[::ffff:7f00:1]:" + port, "https://0.0.0.0:" + port,
		"https://localhost.:" + port, "https://2130706433:" + port, "https://0177.0.0.1:" + port, "https://10.0.0.1/", "https://169.254.169.254/latest", "https://[fe80::1%25lo]/"} {
		s.register(uri)
		if s.authenticate(one) == nil || hit {
			t.Errorf("E01 %s was fetched", uri)
		}
	}
	for _, uri := range []string{"gopher://rp.example/", "file:///etc/passwd", "https://u@rp.example/", "http://rp.example/", "//rp.example/"} {
		if (Client{ID: "c", AuthMethod: PrivateKeyJWT, JWKSURI: uri, GrantTypes: []string{ClientCredentials}, Scopes: []string{"register"}}).Check() == nil {
			t.Errorf("E01 %s was registered", uri)
		}
	}
}

func TestPreviousSecretIsGoodUntilItsEnd(t *testing.T) {
	now := time.Now()
	registry := NewRegistry(memory{}, func() time.Time { return now })
	c := valid()
	c.SecretHash, c.PreviousSecretHash, c.PreviousSecretEnds = HashSecret("new"), HashSecret("old"), now.Add(time.Hour)
	if err := registry.Put(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	auth := Authenticator{Registry: registry, Now: func() time.Time { return now }}
	try := func(secret string) bool {
		_, err := auth.Authenticate(httptest.NewRequest(http.MethodPost, "/token", nil), url.Values{"client_id": {"c"}, "client_secret": {secret}})
		return err == nil
	}
	if !try("new") || !try("old") || try("other") || try("") {
		t.Error("while the secret is changed")
	}
	now = now.Add(time.Hour)
	if !try("new") || try("old") || try("") {
		t.Error("after the change")
	}
}

// A client may be told apart by one algorithm of its own, below what its profile allows.
func TestAssertionAlgorithmIsTheClients(t *testing.T) {
	s := newKeyServer(t)
	one := s.key("one")
	s.publish(one)
	c, err := s.auth.Registry.Get(context.Background(), "c")
	if err != nil {
		t.Fatal(err)
	}
	c.AuthSigningAlg = jose.ES256
	if err := s.auth.Registry.Put(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	s.want("the registered one", s.authenticate(one), true, 1)
	c.AuthSigningAlg = jose.PS256
	if err := s.auth.Registry.Put(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	s.want("another", s.authenticate(one), false, 1)
	rs, err := jose.GenerateKey(jose.RS256)
	if err != nil {
		t.Fatal(err)
	}
	rs.ID = "rs"
	s.publish(one, rs)
	c.AuthSigningAlg, c.Profile = "", "national"
	if err := s.auth.Registry.Put(context.Background(), c); err != nil {
		t.Fatal(err)
	}
	s.now = s.now.Add(keysFresh)
	if s.authenticate(rs) == nil {
		t.Error("D01 RS256 in a profile without it")
	}
}
