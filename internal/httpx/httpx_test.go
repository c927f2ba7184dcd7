package httpx_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/httpx"
)

func key(b byte) []byte { return bytes.Repeat([]byte{b}, 32) }

func TestWrapSetsSecurityHeadersOnEveryAnswer(t *testing.T) { // X01, G10
	h := httpx.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/panic":
			panic("boom")
		case "/404":
			http.NotFound(w, r)
		}
	}), httpx.Options{HSTS: true})
	for _, path := range []string{"/", "/404", "/panic"} {
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, httptest.NewRequest("GET", path, nil))
		for name, want := range map[string]string{"Content-Security-Policy": "frame-ancestors 'none'", "X-Content-Type-Options": "nosniff",
			"Referrer-Policy": "same-origin", "Strict-Transport-Security": "max-age", "Cache-Control": "no-store", "Permissions-Policy": "camera=()"} {
			if got := rec.Header().Get(name); !strings.Contains(got, want) {
				t.Errorf("%s: %s is %q, want %q in it", path, name, got, want)
			}
		}
		if path == "/panic" && (rec.Code != 500 || strings.Contains(rec.Body.String(), "boom") || !strings.Contains(rec.Body.String(), rec.Header().Get("X-Trace-Id"))) {
			t.Errorf("a panic answered %d %q", rec.Code, rec.Body)
		}
	}
}

func TestU01LogShowsNoQueryAndNoSecretInThePath(t *testing.T) {
	var log bytes.Buffer
	h := httpx.Wrap(http.NotFoundHandler(), httpx.Options{Log: slog.New(slog.NewTextHandler(&log, nil))})
	h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/i/1199440000TRY002X9/offer/canary-canary-canary-canary?code=canary", nil))
	if strings.Contains(log.String(), "canary") || !strings.Contains(log.String(), "/i/1199440000TRY002X9/offer/...") {
		t.Fatal(log.String())
	}
}

func TestFormRefusesDuplicatesOtherTypesAndLargeBodies(t *testing.T) { // A06, W02, W07
	for _, tc := range []struct {
		name, contentType, body string
		want                    error
	}{
		{"plain", "application/x-www-form-urlencoded", "a=1&b=2", nil},
		{"charset", "application/x-www-form-urlencoded; charset=utf-8", "a=1&b=2", nil},
		{"duplicate", "application/x-www-form-urlencoded", "a=1&a=1", httpx.ErrDuplicateParameter},
		{"multipart", "multipart/form-data; boundary=x", "a=1&b=2", httpx.ErrContentType},
		{"JSON", "application/json", "a=1&b=2", httpx.ErrContentType},
		{"none", "", "a=1&b=2", httpx.ErrContentType},
		{"percent", "application/x-www-form-urlencoded", "a=%zz", httpx.ErrMalformed},
		{"large", "application/x-www-form-urlencoded", "a=" + strings.Repeat("x", httpx.MaxBody), httpx.ErrTooLarge},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var got error
			h := httpx.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { _, got = httpx.Form(r) }), httpx.Options{})
			req := httptest.NewRequest("POST", "/?a=query", strings.NewReader(tc.body))
			req.Header.Set("Content-Type", tc.contentType)
			h.ServeHTTP(httptest.NewRecorder(), req)
			if !errors.Is(got, tc.want) {
				t.Fatalf("got %v, want %v", got, tc.want)
			}
		})
	}
}

func TestCheckFormRefusesOtherSites(t *testing.T) { // G01
	const origin = "http://localhost:8080"
	good := httpx.FormToken(key(1), "session")
	for _, tc := range []struct {
		name   string
		header map[string]string
		token  string
		ok     bool
	}{
		{"same origin by Sec-Fetch-Site", map[string]string{"Sec-Fetch-Site": "same-origin"}, "", true},
		{"cross site", map[string]string{"Sec-Fetch-Site": "cross-site"}, good, false},
		{"same site, other origin", map[string]string{"Sec-Fetch-Site": "same-site"}, good, false},
		{"address bar", map[string]string{"Sec-Fetch-Site": "none"}, good, false},
		{"same origin by Origin", map[string]string{"Origin": origin}, "", true},
		{"other port", map[string]string{"Origin": "http://localhost:8090"}, good, false},
		{"other scheme", map[string]string{"Origin": "https://localhost:8080"}, good, false},
		{"null", map[string]string{"Origin": "null"}, good, false},
		{"plain client with the token", nil, good, true},
		{"plain client without", nil, "", false},
		{"plain client with another session's token", nil, httpx.FormToken(key(1), "other"), false},
		{"plain client with another key's token", nil, httpx.FormToken(key(2), "session"), false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := httptest.NewRequest("POST", "/", nil)
			for k, v := range tc.header {
				r.Header.Set(k, v)
			}
			if err := httpx.CheckForm(r, origin, key(1), "session", tc.token); (err == nil) != tc.ok {
				t.Fatalf("got %v", err)
			}
		})
	}
}

func TestCookieRoundTripsLargeValuesAndRefusesAlteredOnes(t *testing.T) { // G12
	now := time.Unix(1_800_000_000, 0)
	c := httpx.Cookie{Name: "hufu-test", Sealer: httpx.NewSealer(key(7)), TTL: time.Minute, Now: func() time.Time { return now }}
	for _, size := range []int{0, 100, 3000, 12000} {
		value := strings.Repeat("x", size)
		rec := httptest.NewRecorder()
		if err := c.Set(rec, httptest.NewRequest("GET", "/", nil), value); err != nil {
			t.Fatal(err)
		}
		req := httptest.NewRequest("GET", "/", nil)
		for _, ck := range rec.Result().Cookies() {
			if !strings.HasPrefix(ck.Name, "__Host-") || !ck.Secure || !ck.HttpOnly || ck.SameSite != http.SameSiteLaxMode || ck.Path != "/" || ck.Domain != "" || len(ck.Value) > 4000 {
				t.Fatalf("cookie %+v", ck)
			}
			req.AddCookie(ck)
		}
		var got string
		if err := c.Get(req, &got); err != nil || got != value {
			t.Fatalf("size %d: %v", size, err)
		}
		other := c
		other.Name = "hufu-other"
		if err := other.Get(req, &got); !errors.Is(err, httpx.ErrNoCookie) {
			t.Fatal("a cookie was accepted under another name")
		}
		now = now.Add(2 * time.Minute)
		if err := c.Get(req, &got); !errors.Is(err, httpx.ErrNoCookie) {
			t.Fatal("an expired cookie was accepted")
		}
		now = now.Add(-2 * time.Minute)
	}
	if err := c.Set(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil), strings.Repeat("x", 40000)); !errors.Is(err, httpx.ErrCookieTooLarge) {
		t.Fatalf("got %v, want ErrCookieTooLarge", err)
	}
}

func TestClientRefusesInnerAddressesWhenConnecting(t *testing.T) { // E01
	hit := false
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hit = true }))
	defer srv.Close()
	ap := srv.Listener.Addr().(*net.TCPAddr).AddrPort()
	open := httpx.NewClient(httpx.ClientOptions{Allow: func(a netip.AddrPort) bool { return a == ap }})
	if _, err := open.Get(context.Background(), srv.URL); err != nil || !hit {
		t.Fatalf("the allowed socket: %v", err)
	}
	hit = false
	if _, err := httpx.NewClient(httpx.ClientOptions{}).Get(context.Background(), srv.URL); err == nil || hit {
		t.Fatal("loopback was reached")
	}
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	for _, target := range []string{
		"https://127.0.0.1:" + port, "https://[::1]:" + port, "https://[::ffff:7f00:1]:" + port, "https://0.0.0.0:" + port, "https://localhost.:" + port,
		"https://2130706433:" + port, "https://0177.0.0.1:" + port, "https://10.0.0.1", "https://172.16.0.1", "https://192.168.1.1", "https://169.254.169.254/latest",
		"https://[fe80::1%25lo]:" + port, "https://[fd00::1]", "https://[64:ff9b::7f00:1]", "https://100.64.0.1", "https://198.18.0.1",
		"gopher://127.0.0.1", "file:///etc/passwd", "https://user@127.0.0.1:" + port, "http://127.0.0.1:1", "https://x#y", "http://203.0.113.1",
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		_, err := open.Get(ctx, target)
		cancel()
		if err == nil || hit {
			t.Errorf("%s was fetched", target)
		}
		if errors.Is(err, httpx.ErrAnswer) {
			t.Errorf("%s: got an answer", target)
		}
	}
}

// E01: what is refused is the connection, at the moment of connecting. The twin is the same server, allowed.
func TestE01TheGuardRefusesToConnect(t *testing.T) {
	hits := 0
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { hits++; _, _ = io.WriteString(w, "{}") }))
	defer srv.Close()
	anyone := &tls.Config{InsecureSkipVerify: true}
	_, port, _ := net.SplitHostPort(srv.Listener.Addr().String())
	closed := httpx.NewClient(httpx.ClientOptions{TLS: anyone})
	open := httpx.NewClient(httpx.ClientOptions{TLS: anyone, Allow: func(netip.AddrPort) bool { return true }})
	for _, host := range []string{"127.0.0.1", "localhost", "localhost.", "[::ffff:127.0.0.1]", "0.0.0.0"} {
		if _, err := closed.Get(t.Context(), "https://"+host+":"+port); err == nil || hits != 0 {
			t.Errorf("%s was reached: %v", host, err)
		}
	}
	if _, err := open.Get(t.Context(), "https://127.0.0.1:"+port); err != nil || hits != 1 {
		t.Errorf("twin: %v, %d", err, hits)
	}
}

func TestClientFollowsNoRedirectsAndBoundsAnswers(t *testing.T) { // E01, E03
	mux := http.NewServeMux()
	mux.HandleFunc("/redirect", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/ok", http.StatusFound) })
	mux.HandleFunc("/ok", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"ok":true}`) })
	mux.HandleFunc("/large", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 300<<10)) })
	mux.HandleFunc("/bomb", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		z := gzip.NewWriter(w)
		_, _ = z.Write(make([]byte, 10<<20))
		_ = z.Close()
	})
	mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
		for range 100 {
			if _, err := io.WriteString(w, " "); err != nil {
				return
			}
			_ = http.NewResponseController(w).Flush()
			select {
			case <-r.Context().Done():
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	})
	srv := httptest.NewServer(mux)
	defer srv.Close()
	all := func(netip.AddrPort) bool { return true }
	c := httpx.NewClient(httpx.ClientOptions{Timeout: time.Minute, Allow: all})
	var v struct{ OK bool }
	if err := c.GetJSON(t.Context(), srv.URL+"/ok", &v); err != nil || !v.OK {
		t.Fatal(err)
	}
	for _, path := range []string{"/redirect", "/large", "/bomb"} {
		if err := c.GetJSON(t.Context(), srv.URL+path, &v); !errors.Is(err, httpx.ErrAnswer) {
			t.Errorf("%s: got %v, want ErrAnswer", path, err)
		}
	}
	// The slow answer takes two seconds, far longer than this client waits; how long exactly decides nothing.
	hasty := httpx.NewClient(httpx.ClientOptions{Timeout: 300 * time.Millisecond, Allow: all})
	if err := hasty.GetJSON(t.Context(), srv.URL+"/slow", &v); !errors.Is(err, httpx.ErrUnreachable) {
		t.Errorf("/slow: got %v, want ErrUnreachable", err)
	}
}

func FuzzSealerOpen(f *testing.F) {
	s := httpx.NewSealer(key(3))
	f.Add([]byte("v"), 0)
	f.Add([]byte("a longer value"), 17)
	f.Add([]byte{}, 3)
	f.Fuzz(func(t *testing.T, plain []byte, at int) {
		good, err := s.Seal("p", plain)
		if err != nil {
			t.Fatal(err)
		}
		var v []byte
		if err := s.Open("p", good, &v); err != nil || !bytes.Equal(v, plain) {
			t.Fatalf("what was sealed does not open: %v", err)
		}
		altered := []byte(good)
		i := ((at % len(altered)) + len(altered)) % len(altered)
		if altered[i] == 'A' {
			altered[i] = 'B'
		} else {
			altered[i] = 'A'
		}
		if err := s.Open("p", string(altered), &v); err == nil {
			t.Fatal("an altered value opened")
		}
		if err := s.Open("p", string(plain), &v); err == nil {
			t.Fatal("opened something that was not sealed")
		}
	})
}
