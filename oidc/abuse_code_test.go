package oidc_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc"
)

// prover makes DPoP proofs with a key of its own.
func (e *env) prover() *fapi {
	e.t.Helper()
	f := &fapi{env: e}
	var err error
	f.dpop, err = jose.GenerateKey(jose.ES256)
	must(e.t, err)
	return f
}

// jkt is the thumbprint of the key.
func (f *fapi) jkt() string {
	f.t.Helper()
	pub, err := f.dpop.Public()
	must(f.t, err)
	return pub.Thumbprint()
}

// The 81 rows of {right, wrong, missing} for client, redirect_uri, verifier and DPoP key: only the all-right one gives tokens (CVE-2026-28513 of Pocket ID was
// an AND for an OR), and every other burns the code.
func TestB05TruthTable(t *testing.T) {
	each(t, 1, func(t *testing.T, e *env) {
		owner, thief := e.prover(), e.prover()
		clients := map[string][]string{"right": {"Authorization", basic("app", e.secret)}, "wrong": {"Authorization", basic("other", e.secret)}, "missing": nil}
		redirects := map[string]string{"right": rpCallback, "wrong": rpCallback + "x", "missing": "-"}
		verifiers := map[string]string{"right": verifier, "wrong": strings.Repeat("w", 50), "missing": "-"}
		keys := map[string]*fapi{"right": owner, "wrong": thief, "missing": nil}
		given, b := 0, e.browser()
		try := func(code, c, r, v, k string) tokens {
			header := clients[c]
			if f := keys[k]; f != nil {
				header = append([]string{"DPoP", f.proof("POST", e.issuer+"/token", "")}, header...)
			}
			return e.token(redeem(code, "redirect_uri", redirects[r], "code_verifier", verifiers[v]), header...)
		}
		for c := range clients {
			for r := range redirects {
				for v := range verifiers {
					for k := range keys {
						code := b.login(request("app", "dpop_jkt", owner.jkt())).location.Query().Get("code")
						tok := try(code, c, r, v, k)
						name := fmt.Sprintf("B05 client %s, redirect %s, verifier %s, key %s", c, r, v, k)
						switch {
						case c == "right" && r == "right" && v == "right" && k == "right":
							given++
							if tok.status != 200 || tok.Access == "" || tok.Type != "DPoP" {
								t.Errorf("%s: %d %s", name, tok.status, tok.Error)
							}
						case c == "missing":
							refused(t, name, tok, 401, "invalid_client") // who it is nobody knows, so that nothing is burnt
						default:
							refused(t, name, tok, 400, "invalid_grant")
							refused(t, name+", then all right", try(code, "right", "right", "right", "right"), 400, "invalid_grant")
						}
					}
				}
			}
		}
		if given != 1 {
			t.Errorf("%d rows gave tokens", given)
		}
	})
}

// A code is bound to a DPoP key by dpop_jkt, or by the proof of the pushed request (RFC 9449 section 10): another key gets nothing for it.
func TestB12CodesOfAKey(t *testing.T) {
	each(t, 1, func(t *testing.T, e *env) {
		f := newFAPI(e, "bank")
		f.warm()
		own := f.dpop
		thief := e.prover().dpop
		b := e.browser()
		for name, push := range map[string]func() reply{
			"B12 dpop_jkt":     func() reply { return f.push(request("bank", "dpop_jkt", f.jkt())) },
			"B12 pushed proof": func() reply { return f.push(request("bank"), "DPoP", f.proof("POST", e.issuer+"/par", "")) },
			"B12 both": func() reply {
				return f.push(request("bank", "dpop_jkt", f.jkt()), "DPoP", f.proof("POST", e.issuer+"/par", ""))
			},
		} {
			for _, key := range []jose.SigningKey{thief, own} {
				f.dpop = own
				pushed := push()
				if pushed.status != http.StatusCreated {
					t.Fatalf("%s: %d %v", name, pushed.status, pushed.body)
				}
				carried := request("bank", "request_uri", pushed.body["request_uri"].(string))
				code := b.login(carried).location.Query().Get("code")
				f.dpop = key
				got := f.redeem(code)
				if key.ID == own.ID && got.status != 200 || key.ID != own.ID && (got.status != 400 || got.body["error"] != "invalid_grant") {
					t.Errorf("%s, own key %v: %d %v", name, key.ID == own.ID, got.status, got.body)
				}
			}
		}
		f.dpop = own
		jkt := f.jkt()
		f.dpop = thief
		if r := f.push(request("bank", "dpop_jkt", jkt), "DPoP", f.proof("POST", e.issuer+"/par", "")); r.status != 400 || r.body["error"] != "invalid_dpop_proof" {
			t.Errorf("B12 dpop_jkt of one key, proof of another: %d %v", r.status, r.body)
		}
		f.dpop = own
		for _, bad := range []string{"", "short", jkt + "x", jkt[:42] + "="} {
			if r := f.push(request("bank", "dpop_jkt", bad)); r.status != 400 || r.body["error"] != "invalid_request" {
				t.Errorf("B12 dpop_jkt %q: %d %v", bad, r.status, r.body)
			}
		}
	})
}

// lines is a log that many may write.
type lines struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

// A code is in one address, the client's. None of our pages has it in its own, which a third party could read in Referer, and no log has it, whether the
// request that carries it is good or not.
func TestB11CodesLeaveNoTrace(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	var log lines
	logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	_, _, handler := e.provider(func(c *oidc.Config) { c.Log = logger })
	server := httptest.NewServer(httpx.Wrap(handler, httpx.Options{Log: logger}))
	defer server.Close()
	e.nodes[0].Config.Handler = server.Config.Handler
	b := e.browser()
	secrets := []string{verifier, e.secret}
	for _, form := range [][]string{nil, {"code_verifier", strings.Repeat("w", 50)}, {"redirect_uri", "https://evil.example/"}, {"grant_type", "nonsense"}} {
		a := b.login(request("app", "prompt", "consent"))
		code := a.location.Query().Get("code")
		secrets = append(secrets, code)
		if a.header.Get("Referrer-Policy") != "same-origin" {
			t.Errorf("B11 the answer with the code: Referrer-Policy %q", a.header.Get("Referrer-Policy"))
		}
		tok := e.token(redeem(code, form...), "Authorization", basic("app", e.secret))
		if tok.status == 200 {
			secrets = append(secrets, tok.Access, tok.ID)
		}
		b.get("/token?code=" + code)
		b.get("/authorize?code=" + code)
		b.get("/userinfo?access_token=" + code)
	}
	if !strings.Contains(log.String(), "path=/token") {
		t.Fatalf("nothing was logged: %s", log.String())
	}
	for _, s := range secrets {
		if s != "" && strings.Contains(log.String(), s) {
			t.Errorf("B11 the log has a secret: %.20s…", s)
		}
	}
}
