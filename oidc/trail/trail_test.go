package trail

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// memory is a store that keeps what it got.
type memory struct {
	mu  sync.Mutex
	got []Folded
}

func (m *memory) AppendTrail(_ context.Context, entries []Folded) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.got = append(m.got, entries...)
	return nil
}
func (m *memory) Trail(context.Context, string) ([]Entry, error)             { return nil, nil }
func (m *memory) DeleteTrail(context.Context, time.Time, int) (int64, error) { return 0, nil }

func recorder() (*Recorder, *memory) {
	m := &memory{}
	return New(Config{Store: m, Now: time.Now}), m
}

// request runs fn as one request.
func request(r *Recorder, step Step, fn func(ctx context.Context)) {
	req, done := r.Begin(httptest.NewRequest(http.MethodGet, "/", nil), step)
	fn(req.Context())
	done()
}

func TestU01OnlyAnAllowlistOfValuesIsKept(t *testing.T) {
	const secret = "Canary-7d1f"
	v := url.Values{"scope": {"openid profile"}, "redirect_uri": {"https://u:" + secret + "@rp.example/cb?x=" + secret + "#" + secret}, "client_id": {"app"},
		secret: {"1"}, "prompt": {strings.Repeat(secret, 20)}, "redirect_url": {secret}}
	for _, name := range hidden {
		v[name] = []string{secret}
	}
	got := redact(v)
	for name, value := range got {
		if strings.Contains(value, secret) || strings.Contains(name, secret) {
			t.Errorf("%s: %s", name, value)
		}
	}
	if got["state"] != Present || got["scope"] != "openid profile" || got[Others] != "? redirect_url" || got["redirect_uri"] != "https://...@rp.example/cb?x=...#..." {
		t.Errorf("%v", got)
	}
	if _, there := got["nonce_"]; there || got["client_id"] != "" {
		t.Error("what was not sent, or is known, is listed")
	}
	if s := clean("abc\u202etxt\x00\n"); s != "abc?txt??" {
		t.Errorf("characters that aren't what they look like: %q", s)
	}
}

func TestDiffer(t *testing.T) {
	for _, x := range []struct {
		sent, shown, nearest string
		at                   int
		registered           []string
	}{
		{"https://rp.example/cb/", "https://rp.example/cb/", "https://rp.example/cb", 21, []string{"https://other.example/", "https://rp.example/cb"}},
		{"https://rp.example/c", "https://rp.example/c", "https://rp.example/cb", 20, []string{"https://rp.example/cb"}},
		{"https://RP.example/cb", "https://RP.example/cb", "https://rp.example/cb", 8, []string{"https://rp.example/cb"}},
		{"https://rp.example/cb?a=1&s=secret", "https://rp.example/cb?a=1&s=...", "https://rp.example/cb?a=1", 25, []string{"https://rp.example/cb?a=1"}},
		{"https://rp.example/cb?a=secret&b=secret", "https://rp.example/cb?a=...&b=...", "https://rp.example/cb?a=1", 24, []string{"https://rp.example/cb?a=1"}},
		{"https://rp.example/cb?state=secret", "https://rp.example/cb?state=...", "https://rp.example/cb", 21, []string{"https://rp.example/cb"}},
		{"https://u:secret@rp.example/cb", "https://...@rp.example/cb", "https://rp.example/cb", 8, []string{"https://rp.example/cb"}},
		{"https://rp.example/cb#secret", "https://rp.example/cb#...", "https://rp.example/cb", 21, []string{"https://rp.example/cb"}},
		{"https://rp.example/\u0441b", "https://rp.example/?b", "https://rp.example/cb", 19, []string{"https://rp.example/cb"}},
	} {
		shown, nearest, at, ok := Differ(x.sent, x.registered)
		if !ok || shown != x.shown || nearest != x.nearest || at != x.at {
			t.Errorf("%s: %s | %s | %d", x.sent, shown, nearest, at)
		}
		if at < len(shown) && at < len(nearest) && shown[at] == nearest[at] || shown[:at] != nearest[:at] {
			t.Errorf("%s: %d is not where they part", x.sent, at)
		}
	}
	if _, _, _, ok := Differ("https://rp.example/", nil); ok {
		t.Error("nothing is registered")
	}
}

func FuzzDiffer(f *testing.F) {
	f.Add("https://rp.example/cb/", "https://rp.example/cb")
	f.Add("https://u:p@rp.example/cb?a=1&b#c", "https://rp.example/cb?a=1")
	f.Fuzz(func(t *testing.T, sent, registered string) {
		shown, nearest, at, ok := Differ(sent, []string{registered})
		if !ok || at > len(shown) || at > len(nearest) || shown[:at] != nearest[:at] || len(shown) > 2*maxURI {
			t.Errorf("%q %q: %q %q %d", sent, registered, shown, nearest, at)
		}
	})
}

func TestEqualRefusalsAreOneEntry(t *testing.T) {
	r, m := recorder()
	for i := range 50 {
		request(r, Token, func(ctx context.Context) {
			Client(ctx, "app")
			Put(ctx, "auth_method", "none")
			Refuse(ctx, Refusal{Code: "invalid_grant", Description: "no", Reason: fmt.Sprint(i % 2)})
		})
	}
	if err := r.Flush(t.Context()); err != nil || len(m.got) != 2 || m.got[0].Count != 25 {
		t.Fatalf("%v %d entries", err, len(m.got))
	}
}

func TestOneClientsNoiseDropsNothingOfOthers(t *testing.T) {
	r, m := recorder()
	for i := range 5000 {
		request(r, Authorize, func(ctx context.Context) {
			Client(ctx, "loud")
			Put(ctx, "redirect_uri", fmt.Sprint(i))
			Refuse(ctx, Refusal{Code: "invalid_request"})
		})
	}
	request(r, Token, func(ctx context.Context) { Client(ctx, "quiet"); OK(ctx, Token) })
	request(r, Token, func(ctx context.Context) { Client(ctx, "loud"); OK(ctx, Token) })
	if err := r.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	var kept, dropped, quiet, ok int
	for _, e := range m.got {
		switch {
		case e.Step == Dropped && e.ClientID == "loud":
			dropped = int(e.Count)
		case e.ClientID == "quiet":
			quiet++
		case e.OK:
			ok++
		default:
			kept++
		}
	}
	if kept != maxPerClient || dropped != 5000-maxPerClient || quiet != 1 || ok != 1 {
		t.Errorf("kept %d, dropped %d, the quiet client's %d, successes %d", kept, dropped, quiet, ok)
	}
}

func TestNothingIsKeptWithoutAClientOrACollector(t *testing.T) {
	r, m := recorder()
	request(r, Token, func(ctx context.Context) { Refuse(ctx, Refusal{Code: "invalid_client"}) })
	Refuse(t.Context(), Refusal{Code: "x"})
	OK(t.Context(), Code)
	request(nil, Token, func(ctx context.Context) { Client(ctx, "app"); OK(ctx, Token) })
	request(r, Token, func(ctx context.Context) {
		for range 20 {
			OK(ctx, Token)
		}
		Client(ctx, "app")
		Client(ctx, "second")
	})
	if err := r.Flush(t.Context()); err != nil || len(m.got) != maxEntries || m.got[0].ClientID != "app" {
		t.Errorf("%v %v", err, m.got)
	}
}

func BenchmarkRequest(b *testing.B) {
	r, _ := recorder()
	req := httptest.NewRequest(http.MethodPost, "/token", nil)
	form := url.Values{"grant_type": {"client_credentials"}, "scope": {"register"}}
	b.ReportAllocs()
	for b.Loop() {
		req, done := r.Begin(req, Token)
		Client(req.Context(), "app")
		Parameters(req.Context(), form)
		OK(req.Context(), Token)
		done()
	}
}
