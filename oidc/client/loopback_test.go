package client

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestLoopbackURLIsAClientOfItsOwn(t *testing.T) {
	ctx := context.Background()
	dev := NewRegistry(memory{}, time.Now)
	dev.Loopback = true
	serve := NewRegistry(memory{}, time.Now)
	for _, id := range []string{"http://localhost:3000", "http://localhost:3000/app", "http://127.0.0.1:8000/", "http://[::1]:9/", "http://localhost", "https://localhost:8443/x?y=z"} {
		c, err := dev.Get(ctx, id)
		if err != nil || !c.Public || !c.PKCERequired() || c.Profile != "" || c.Sector() != "client:"+id || c.Has(ClientCredentials) || c.MayAsk("register") {
			t.Errorf("%s: %+v %v", id, c, err)
		}
		if _, err := serve.Get(ctx, id); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s outside of dev: %v", id, err)
		}
	}
	for _, id := range []string{"http://rp.example/", "http://localhost.evil.example/", "http://127.0.0.1.evil.example", "http://localhost@evil.example/", "http://x@localhost:3000/", "http://127.1:80/", "http://0.0.0.0:80/",
		"http://localhost:0/", "http://localhost:70000/", "http://localhost:3000/#x", "http://localhost:3000/\\@evil.example", "HTTP://localhost/", "http://LOCALHOST/", "localhost:3000", "http://localhost:3000@evil.example/",
		"http://localhost:+80/", "http://localhost:3000/" + strings.Repeat("x", 200)} {
		if _, err := dev.Get(ctx, id); !errors.Is(err, ErrUnknown) {
			t.Errorf("%s is a client: %v", id, err)
		}
	}
}

func TestLoopbackClientRedirectsWithinItsOrigin(t *testing.T) {
	c, ok := loopbackClient("http://localhost:3000/app")
	if !ok {
		t.Fatal("no client")
	}
	for _, uri := range []string{"http://localhost:3000", "http://localhost:3000/", "http://localhost:3000/cb", "http://localhost:3000/cb?x=1", "http://localhost:3000/other"} {
		if !c.AllowsRedirect(uri) || !c.AllowsPostLogoutRedirect(uri) || !c.Impersonable(uri) {
			t.Errorf("refused: %s", uri)
		}
	}
	for _, uri := range []string{"", "http://localhost:3001/cb", "http://localhost/cb", "http://127.0.0.1:3000/cb", "https://localhost:3000/cb", "http://localhost:30000/cb", "http://localhost:3000.evil.example/", "http://localhost:3000@evil.example/",
		"http://x@localhost:3000/cb", "http://localhost:3000\\@evil.example/", "http://localhost:3000/\\evil", "http://localhost:3000/cb#f", "http://evil.example/http://localhost:3000/", "//localhost:3000/", "http://localhost:3000?x", "http://localhost:3000/a b",
		"http://localhost:3000/a\r\nb"} {
		if c.AllowsRedirect(uri) || c.AllowsPostLogoutRedirect(uri) {
			t.Errorf("allowed: %q", uri)
		}
	}
	// The twin of a client that is registered: nothing of the above holds for it.
	c.Loopback = false
	if c.AllowsRedirect("http://localhost:3000/cb") {
		t.Error("a client without redirect URIs has some")
	}
	for _, id := range []string{"https://localhost:8443", "http://[::1]:9/"} {
		c, ok := loopbackClient(id)
		if want := strings.TrimSuffix(id, "/") + "/cb"; !ok || !c.AllowsRedirect(want) || !c.Impersonable(want) {
			t.Errorf("%s refuses %s", id, want)
		}
	}
}

// Whatever is allowed lies, for a parser too, on the origin of the client.
func FuzzLoopbackRedirect(f *testing.F) {
	for _, seed := range [][2]string{{"http://localhost:3000/app", "http://localhost:3000/cb"}, {"http://[::1]:1/", "http://[::1]:1/x?y"}, {"https://127.0.0.1/", "https://127.0.0.1/cb"},
		{"http://localhost:3000", "http://localhost:3000@evil.example/"}, {"http://localhost", "http://localhost.evil/"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, id, uri string) {
		c, ok := loopbackClient(id)
		if !ok || !c.AllowsRedirect(uri) {
			return
		}
		a, err1 := url.Parse(id)
		b, err2 := url.Parse(uri)
		if err1 != nil || err2 != nil || a.Scheme != b.Scheme || a.Host != b.Host || b.User != nil || b.Fragment != "" || !isLoopback(b.Hostname()) {
			t.Errorf("%q goes to %q", id, uri)
		}
	})
}
