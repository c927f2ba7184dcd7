package oidc_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/oidc"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/pushed"
)

// listening serves a provider by the server that the binary uses, with its limits.
func (e *env) listening() string {
	e.t.Helper()
	_, _, handler := e.provider()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(e.t, err)
	srv := httpx.NewServer(httpx.Wrap(handler, httpx.Options{}))
	go func() { _ = srv.Serve(l) }()
	e.t.Cleanup(func() { _ = srv.Close() })
	return l.Addr().String()
}

// raw sends octets as they are and returns the answer's status, 0 when the connection was closed without one.
func raw(t *testing.T, addr, text string) int {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	must(t, err)
	defer c.Close()
	must(t, c.SetDeadline(time.Now().Add(20*time.Second)))
	go func() { _, _ = io.WriteString(c, text) }() // the server may stop reading
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	return resp.StatusCode
}

// formPaths are the addresses that take a form.
var formPaths = []string{"/token", "/par", "/introspect", "/revoke", "/userinfo", "/authorize", "/logout", "/logout/confirm", "/connect/register"}

func TestW02W04LargeRequests(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	addr := e.listening()
	var many, sparse strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&many, "p%d=&", i)
		fmt.Fprintf(&sparse, "a[%d]=x&", i*1_000_000)
	}
	post := func(path, body string) string {
		return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body)
	}
	for _, path := range formPaths {
		for name, body := range map[string]string{"W02 10 MiB": "a=" + strings.Repeat("x", 10<<20), "W02 100,000 parameters": many.String(), "W02 sparse indexes": sparse.String()} {
			if got := raw(t, addr, post(path, body)); got != http.StatusRequestEntityTooLarge && got != http.StatusUnsupportedMediaType && got != http.StatusBadRequest && got != http.StatusUnauthorized {
				t.Errorf("%s to %s: %d", name, path, got)
			}
		}
	}
	if got := raw(t, addr, post("/token", "a="+strings.Repeat("x", 64<<10))); got != http.StatusRequestEntityTooLarge {
		t.Errorf("W02 64 KiB and two octets: %d", got)
	}
	if got := raw(t, addr, post("/token", "grant_type=refresh_token&"+strings.Repeat("x", 60<<10)+"=")); got != http.StatusUnauthorized {
		t.Errorf("twin: 60 KiB: %d", got)
	}
	get := func(path, header string) string {
		return "GET " + path + " HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + header + "\r\n\r\n"
	}
	for name, c := range map[string]struct {
		path, header string
		want         int
	}{
		"W04 5 MB of dots":       {"/userinfo", "Authorization: Bearer " + strings.Repeat(".", 5<<20), http.StatusRequestHeaderFieldsTooLarge},
		"W04 40 KiB of dots":     {"/userinfo", "Authorization: Bearer " + strings.Repeat(".", 40<<10), http.StatusUnauthorized},
		"W04 5 MB of proof":      {"/userinfo", "Authorization: DPoP x\r\nDPoP: " + strings.Repeat(".", 5<<20), http.StatusRequestHeaderFieldsTooLarge},
		"W04 40 KiB of proof":    {"/userinfo", "Authorization: DPoP x\r\nDPoP: " + strings.Repeat(".", 40<<10), http.StatusUnauthorized},
		"W02 an address of 1 MB": {"/authorize?state=" + strings.Repeat("x", 1<<20), "X: y", http.StatusRequestHeaderFieldsTooLarge},
		"W02 an address of 40 K": {"/authorize?state=" + strings.Repeat("x", 40<<10), "X: y", http.StatusRequestURITooLong},
		"W02 a cookie of 5 MB":   {"/authorize", "Cookie: a=" + strings.Repeat("x", 5<<20), http.StatusRequestHeaderFieldsTooLarge},
		"twin":                   {"/.well-known/openid-configuration", "X: y", http.StatusOK},
	} {
		if got := raw(t, addr, get(c.path, c.header)); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
	}
}

// Requests in which two readers could see the end at two places (request smuggling) are refused by whoever reads them first.
func TestX06TwoLengths(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	addr := e.listening()
	form := "Content-Type: application/x-www-form-urlencoded\r\n"
	for name, text := range map[string]string{
		"X06 two lengths":         "Content-Length: 3\r\nContent-Length: 30\r\n\r\na=bGET /x HTTP/1.1\r\nHost: x\r\n\r\n",
		"X06 a list of lengths":   "Content-Length: 3, 30\r\n\r\na=b",
		"X06 a signed length":     "Content-Length: +3\r\n\r\na=b",
		"X06 a hex length":        "Content-Length: 0x3\r\n\r\na=b",
		"X06 chunked twice":       "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"X06 chunked and another": "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
		"X06 another coding":      "Transfer-Encoding: gzip\r\n\r\n0\r\n\r\n",
		"X06 a space in a name":   "Content-Length : 3\r\n\r\na=b",
		"X06 a folded line":       "X: y\r\n Content-Length: 3\r\nContent-Length: x\r\n\r\na=b",
		"X06 bare line feeds":     "Transfer-Encoding: chunked\r\n\r\n3\na=b\n0\n\n",
		"X06 NUL in a value":      "X: a\x00b\r\nContent-Length: 3\r\n\r\na=b",
	} {
		if got := raw(t, addr, "POST /token HTTP/1.1\r\nHost: x\r\n"+form+text); got != http.StatusBadRequest && got != http.StatusNotImplemented && got != 0 {
			t.Errorf("%s: %d", name, got)
		}
	}
	for name, text := range map[string]string{"X06 no host": "GET /jwks HTTP/1.1\r\n\r\n", "X06 two hosts": "GET /jwks HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n"} {
		if got := raw(t, addr, text); got != http.StatusBadRequest {
			t.Errorf("%s: %d", name, got)
		}
	}
	for name, text := range map[string]string{"twin: a length": "Content-Length: 24\r\n\r\ngrant_type=refresh_token",
		"twin: chunks": "Transfer-Encoding: chunked\r\n\r\n18\r\ngrant_type=refresh_token\r\n0\r\n\r\n"} {
		if got := raw(t, addr, "POST /token HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"+form+text); got != http.StatusUnauthorized {
			t.Errorf("%s: %d", name, got)
		}
	}
}

// A multipart body is refused by its type, before one octet of it is read, and nothing is put down on the disk.
func TestW07X05Multipart(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	addr := e.listening()
	for _, path := range formPaths {
		for _, ct := range []string{"multipart/form-data; boundary=x", "text/plain", "application/x-www-form-urlencoded, text/plain", "application/json;x=application/x-www-form-urlencoded", ""} {
			if path == "/connect/register" && strings.HasPrefix(ct, "application/json") || path == "/userinfo" {
				continue
			}
			head := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nExpect: 100-continue\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n", path, ct, 100<<20)
			got := raw(t, addr, head)
			if want := http.StatusUnsupportedMediaType; got != want && !(got == http.StatusBadRequest && !isAPI(path)) {
				t.Errorf("W07 X05 %q at %s: %d", ct, path, got)
			}
		}
	}
	tok := e.token(redeem(e.code(request("app"))), "Authorization", basic("app", e.secret), "Content-Type", "application/x-www-form-urlencoded; charset=UTF-8")
	granted(t, "twin: a charset", tok)
	files, err := os.ReadDir(dir)
	must(t, err)
	if len(files) != 0 {
		t.Errorf("W07 %d temporary files", len(files))
	}
}

func isAPI(path string) bool {
	return path != "/authorize" && path != "/logout" && path != "/logout/confirm"
}

// rows counts what the module keeps.
func (e *env) rows() map[string]int {
	e.t.Helper()
	out := map[string]int{}
	for _, table := range []string{"oidc_clients", "oidc_sessions", "oidc_consents", "oidc_grants", "oidc_pushed", "oidc_session_clients", "oidc_logout_deliveries", "oidc_initial_tokens",
		"claims", "audit_events"} {
		var n int
		must(e.t, e.db.QueryRow(context.Background(), `SELECT COUNT(*) FROM `+table).Scan(&n))
		out[table] = n
	}
	return out
}

// Starting a login, asking for a nonce, or being refused, leaves nothing behind, whoever does it and how often.
func TestW08StartsLeaveNothing(t *testing.T) {
	each(t, 1, func(t *testing.T, e *env) {
		f := e.prover()
		before := e.rows()
		for i := range 100 {
			e.browser().get("/authorize?" + request("app", "state", fmt.Sprint(i), "prompt", "none").Encode())
			start, err := http.NewRequest(http.MethodGet, e.issuer+"/authorize?"+request("public").Encode(), nil)
			must(t, err)
			resp, err := http.DefaultTransport.RoundTrip(start)
			must(t, err)
			resp.Body.Close()
			f.send(http.MethodPost, "/token", url.Values{"grant_type": {"authorization_code"}, "code": {rand()}, "client_id": {"app"}}, "DPoP", f.proof("POST", e.issuer+"/token", ""))
			f.send(http.MethodPost, "/par", request("app"))
			f.send(http.MethodGet, "/userinfo", nil, "Authorization", "DPoP x", "DPoP", f.proof("GET", e.issuer+"/userinfo", "x"))
			e.token(withAssertion(redeem("x"), "junk"))
		}
		for table, n := range e.rows() {
			if n != before[table] {
				t.Errorf("W08 %s had %d rows and has %d", table, before[table], n)
			}
		}
	})
}

// Anybody can push in the name of a public client: so many, and then no more until they expire; what expired goes.
func TestW08PushedRequestsAreBounded(t *testing.T) {
	each(t, 2, func(t *testing.T, e *env) {
		ctx := context.Background()
		push := func(node int) reply { return (&fapi{env: e}).sendTo(node, "/par", request("public")) }
		if r := push(0); r.status != http.StatusCreated {
			t.Fatalf("twin: %d %v", r.status, r.body)
		}
		must(t, e.db.InTx(ctx, func(ctx context.Context) error {
			for i := range pushed.PublicLimit - 2 {
				_, err := e.db.Exec(ctx, `INSERT INTO oidc_pushed (id, client_id, parameters, expires_at) SELECT $1, client_id, parameters, expires_at
					FROM oidc_pushed WHERE id NOT LIKE 'copy%'`, fmt.Sprintf("copy%d", i))
				if err != nil {
					return err
				}
			}
			return nil
		}))
		if r := push(1); r.status != http.StatusCreated {
			t.Errorf("twin: the last one: %d %v", r.status, r.body)
		}
		if r := push(1); r.status != http.StatusTooManyRequests {
			t.Errorf("W08 over the limit: %d %v", r.status, r.body)
		}
		f := newFAPI(e, "m", func(c *oidc.Client) { c.Profile, c.DPoPBound, c.AuthMethod = "core", false, client.PrivateKeyJWT })
		if r := f.push(request("m")); r.status != http.StatusCreated {
			t.Errorf("twin: another client: %d %v", r.status, r.body)
		}
		e.clock.add(2 * time.Minute)
		if r := push(1); r.status != http.StatusCreated {
			t.Errorf("twin: after they expired: %d %v", r.status, r.body)
		}
		e.clock.add(30 * 24 * time.Hour)
		for range 20 {
			_, err := e.op.Sweep(ctx, 1000)
			must(t, err)
		}
		if n := e.rows()["oidc_pushed"]; n != 0 {
			t.Errorf("W08 %d pushed requests after a month", n)
		}
	})
}
