package oidc_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc"
	"github.com/hufu-id/hufu/oidc/attestation"
	"github.com/hufu-id/hufu/oidc/attestation/attesttest"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/dpop/dpoptest"
	"github.com/hufu-id/hufu/web"
)

// phone is an installation of a wallet that proves itself by an attestation.
type phone struct {
	*env
	provider  *attesttest.Provider
	id        string
	instance  jose.SigningKey
	dpop      jose.SigningKey
	challenge string // the newest of the server
}

// walletEnv is a server that trusts one wallet provider in two forms of the specification, with a wallet for each.
func walletEnv(t *testing.T, dsn string, nodes int) (*env, *attesttest.Provider) {
	var provider *attesttest.Provider
	e := newEnv(t, dsn, nodes, func(e *env) {
		provider = attesttest.New(t, e.clock.Now())
		e.wallets = []attestation.Provider{provider.Trusted("haip", "haip-1.0"), provider.Trusted("current", "current"),
			attesttest.New(t, e.clock.Now()).Trusted("other", "haip-1.0")}
	})
	for _, id := range []string{"haip", "current", "other"} {
		must(t, e.op.Clients().Put(context.Background(), oidc.Client{ID: "wallet-" + id, WalletProvider: id, AuthMethod: client.Attestation, Profile: "haip",
			Name: web.Text{ZH: "沙箱钱包", EN: "Sandbox wallet"}, Service: web.Text{ZH: "电子证照", EN: "E-licences"}, RedirectURIs: []string{rpCallback},
			GrantTypes: []string{client.AuthorizationCode, client.RefreshToken, client.PreAuthorizedCode}, Scopes: []string{"driving-licence"}}))
	}
	return e, provider
}

func eachWallet(t *testing.T, nodes int, run func(t *testing.T, e *env, p *attesttest.Provider)) {
	eachDSN(t, func(t *testing.T, dsn string) {
		e, p := walletEnv(t, dsn, nodes)
		run(t, e, p)
	})
}

func newPhone(e *env, p *attesttest.Provider, id string) *phone {
	w := &phone{env: e, provider: p, id: id}
	for _, k := range []*jose.SigningKey{&w.instance, &w.dpop} {
		var err error
		*k, err = jose.GenerateKey(jose.ES256)
		must(e.t, err)
	}
	return w
}

// attested are the two headers of a good request.
func (w *phone) attested() []string {
	var pairs []any
	if w.challenge != "" {
		pairs = []any{"challenge", w.challenge}
	}
	return w.showing(w.provider.Attest(w.id, w.instance, w.clock.Now()), w.provider.Prove(w.id, w.instance, w.issuer, w.clock.Now(), pairs...))
}

func (w *phone) showing(attested, proof string) []string {
	return []string{attestation.Header, attested, attestation.ProofHeader, proof}
}

func (w *phone) proof(path string) []string {
	return []string{"DPoP", dpoptest.Proof(w.t, w.dpop, http.MethodPost, w.issuer+path, "", w.clock.Now())}
}

func (w *phone) send(path string, form url.Values, header ...string) reply {
	w.t.Helper()
	r := (&fapi{env: w.env}).send(http.MethodPost, path, form, header...)
	if c := r.header.Get(attestation.ChallengeHeader); c != "" {
		w.challenge = c
	}
	return r
}

// asks is the request that the wallet pushes.
func (w *phone) asks() url.Values { return request(w.id, "scope", "driving-licence") }

func (w *phone) push() url.Values {
	w.t.Helper()
	r := w.send("/par", w.asks(), append(w.attested(), w.proof("/par")...)...)
	uri, _ := r.body["request_uri"].(string)
	if r.status != http.StatusCreated {
		w.t.Fatalf("push: %d %v", r.status, r.body)
	}
	return url.Values{"client_id": {w.id}, "request_uri": {uri}}
}

func (w *phone) code() string {
	w.t.Helper()
	return w.browser().login(w.push()).location.Query().Get("code")
}

func (w *phone) redeem(code string, header ...string) reply {
	w.t.Helper()
	return w.send("/token", redeem(code, "client_id", w.id), header...)
}

func (w *phone) refresh(token string, header ...string) reply {
	w.t.Helper()
	return w.send("/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {token}, "client_id": {w.id}}, header...)
}

func (r reply) is(t *testing.T, name string, status int, code string) {
	t.Helper()
	if got, _ := r.body["error"].(string); r.status != status || got != code || r.body["access_token"] != nil || r.body["request_uri"] != nil {
		t.Errorf("%s: %d %v, want %d %s", name, r.status, r.body, status, code)
	}
	if code == "use_attestation_challenge" && r.header.Get(attestation.ChallengeHeader) == "" {
		t.Errorf("%s: no challenge handed out", name)
	}
}

// TestHAIPWalletFromPushToRefresh: the whole way in both forms of the specification.
func TestHAIPWalletFromPushToRefresh(t *testing.T) {
	eachWallet(t, 1, func(t *testing.T, e *env, p *attesttest.Provider) {
		for _, id := range []string{"wallet-haip", "wallet-current"} {
			w := newPhone(e, p, id)
			if id == "wallet-current" {
				w.send("/par", w.asks(), append(w.attested(), w.proof("/par")...)...).is(t, "no challenge yet", 400, "use_attestation_challenge")
				if c := w.send("/challenge", url.Values{}); c.status != 200 || c.body["attestation_challenge"] != w.challenge || c.header.Get("Cache-Control") != "no-store" {
					t.Errorf("challenge endpoint: %d %v", c.status, c.body)
				}
			}
			tok := w.redeem(w.code(), append(w.attested(), w.proof("/token")...)...)
			refresh := tok.text("refresh_token")
			if tok.status != 200 || tok.body["token_type"] != "DPoP" || tok.body["id_token"] != nil || refresh == "" {
				t.Fatalf("%s: %d %v", id, tok.status, tok.body)
			}
			// Refresh tokens are the instance's: another installation of the same wallet is another holder.
			thief := newPhone(e, p, id)
			thief.challenge = w.challenge
			thief.refresh(refresh, append(thief.attested(), thief.proof("/token")...)...).is(t, "another instance's refresh token", 400, "invalid_grant")
			thief.dpop = w.dpop
			thief.refresh(refresh, append(thief.attested(), thief.proof("/token")...)...).is(t, "the same with the DPoP key", 400, "invalid_grant")
			w.refresh(refresh, w.proof("/token")...).is(t, "without attestation", 401, "invalid_client")
			w.refresh(refresh, w.attested()...).is(t, "without DPoP", 400, "invalid_dpop_proof")
			if again := w.refresh(refresh, append(w.attested(), w.proof("/token")...)...); again.status != 200 {
				t.Errorf("twin: %d %v", again.status, again.body)
			}
		}
	})
}

// TestP11WalletAttestation: what the matrix of package attestation refuses is refused at PAR and at the token endpoint, and costs no code.
func TestP11WalletAttestation(t *testing.T) {
	eachWallet(t, 1, func(t *testing.T, e *env, p *attesttest.Provider) {
		w, now := newPhone(e, p, "wallet-haip"), e.clock.Now()
		other := newPhone(e, p, "wallet-haip")
		foreign := attesttest.New(t, now)
		good := func(pairs ...any) string { return p.Attest(w.id, w.instance, now, pairs...) }
		proof := func(pairs ...any) string { return p.Prove(w.id, w.instance, e.issuer, now, pairs...) }
		code := w.code()
		for name, c := range map[string]struct {
			header []string
			status int
			code   string
		}{
			"expired":              {w.showing(good("exp", now.Add(-10*time.Minute).Unix()), proof()), 400, "use_fresh_attestation"},
			"no sub":               {w.showing(good("sub", nil), proof()), 400, "invalid_client_attestation"},
			"proof aud wrong":      {w.showing(good(), proof("aud", e.issuer+"/token")), 400, "invalid_client_attestation"},
			"proof by another key": {w.showing(good(), p.Prove(w.id, other.instance, e.issuer, now)), 400, "invalid_client_attestation"},
			"foreign provider":     {w.showing(foreign.Attest(w.id, w.instance, now), proof()), 400, "invalid_client_attestation"},
			"signature of nobody":  {w.showing(good()[:len(good())-6]+"AAAAAA", proof()), 400, "invalid_client_attestation"},
			"two attestations":     {append(w.showing(good(), proof()), attestation.Header, good()), 400, "invalid_client_attestation"},
			"proof alone":          {[]string{attestation.ProofHeader, proof()}, 400, "invalid_client_attestation"},
			"attestation alone":    {[]string{attestation.Header, good()}, 400, "invalid_client_attestation"},
			"old challenge":        {w.showing(good(), proof("challenge", "old")), 400, "use_attestation_challenge"},
			"unknown wallet":       {w.showing(p.Attest("wallet-9", w.instance, now), p.Prove("wallet-9", w.instance, e.issuer, now)), 400, "invalid_request"},
			"wallet of another":    {w.showing(p.Attest("wallet-other", w.instance, now), p.Prove("wallet-other", w.instance, e.issuer, now)), 400, "invalid_request"},
			"none":                 {nil, 401, "invalid_client"},
			"a key instead":        {[]string{"Authorization", basic(w.id, "secret")}, 401, "invalid_client"},
			"a secret beside it":   {append(w.showing(good(), proof()), "Authorization", basic(w.id, "secret")), 401, "invalid_client"},
		} {
			header := append(slices.Clone(c.header), w.proof("/par")...)
			w.send("/par", w.asks(), header...).is(t, "P11 at PAR: "+name, c.status, c.code)
			header = append(slices.Clone(c.header), w.proof("/token")...)
			w.redeem(code, header...).is(t, "P11 at the token endpoint: "+name, c.status, c.code)
		}
		// Without client_id beside it, the attestation alone says who asks: a wallet whose provider this is not stays out.
		stranger := newPhone(e, p, "wallet-other")
		stranger.send("/token", redeem(code), append(stranger.attested(), stranger.proof("/token")...)...).is(t, "P11 another provider's wallet", 400, "invalid_client_attestation")
		stranger = newPhone(e, p, "wallet-9")
		stranger.send("/token", redeem(code), append(stranger.attested(), stranger.proof("/token")...)...).is(t, "P11 a wallet that nobody registered", 401, "invalid_client")
		once := w.attested()
		if r := w.send("/par", w.asks(), append(slices.Clone(once), w.proof("/par")...)...); r.status != http.StatusCreated {
			t.Errorf("twin: %d %v", r.status, r.body)
		}
		w.send("/par", w.asks(), append(slices.Clone(once), w.proof("/par")...)...).is(t, "P11 replay", 401, "invalid_client")
		w.redeem(code, append(slices.Clone(once), w.proof("/token")...)...).is(t, "P11 replay at another endpoint", 401, "invalid_client")
		if r := w.redeem(code, append(w.attested(), w.proof("/token")...)...); r.status != 200 {
			t.Errorf("twin: the code is as good as before: %d %v", r.status, r.body)
		}
	})
}

// TestP11CodeIsTheInstances: a code that one installation asked for is burnt by another that shows it.
func TestP11CodeIsTheInstances(t *testing.T) {
	eachWallet(t, 1, func(t *testing.T, e *env, p *attesttest.Provider) {
		w, thief := newPhone(e, p, "wallet-haip"), newPhone(e, p, "wallet-haip")
		thief.dpop = w.dpop
		code := w.code()
		thief.redeem(code, append(thief.attested(), thief.proof("/token")...)...).is(t, "another instance", 400, "invalid_grant")
		w.redeem(code, append(w.attested(), w.proof("/token")...)...).is(t, "burnt", 400, "invalid_grant")
		if r := w.redeem(w.code(), append(w.attested(), w.proof("/token")...)...); r.status != 200 {
			t.Errorf("twin: %d %v", r.status, r.body)
		}
	})
}

// TestP11ReplayRaced: one proof of one instance, 20 times at once on two nodes.
func TestP11ReplayRaced(t *testing.T) {
	eachWallet(t, 2, func(t *testing.T, e *env, p *attesttest.Provider) {
		w := newPhone(e, p, "wallet-haip")
		for range 5 {
			once := w.attested()
			headers := make([][]string, 20)
			for i := range headers {
				headers[i] = append(slices.Clone(once), w.proof("/par")...)
			}
			wins := race(len(headers), func(i int) bool {
				r := (&fapi{env: e}).sendTo(i%2, "/par", w.asks(), headers[i]...)
				if r.status != http.StatusCreated && r.status != http.StatusUnauthorized {
					t.Errorf("P11 loser: %d %v", r.status, r.body)
				}
				return r.status == http.StatusCreated
			})
			if wins != 1 {
				t.Fatalf("P11: %d pushes with one proof", wins)
			}
		}
	})
}

// TestP11CombinedMode: the DPoP proof stands for the instance's own.
func TestP11CombinedMode(t *testing.T) {
	eachWallet(t, 1, func(t *testing.T, e *env, p *attesttest.Provider) {
		w := newPhone(e, p, "wallet-current")
		combined := func(key jose.SigningKey, path string, nonce bool) []string {
			claims := dpoptest.Claims(http.MethodPost, e.issuer+path, "", e.clock.Now())
			if nonce {
				claims["nonce"] = w.challenge
			}
			return []string{attestation.Header, p.Attest(w.id, w.instance, e.clock.Now(), "iss", nil), "DPoP", dpoptest.Sign(t, key, claims)}
		}
		w.send("/par", w.asks(), combined(w.instance, "/par", false)...).is(t, "no challenge", 400, "use_dpop_nonce")
		w.send("/par", w.asks(), combined(w.dpop, "/par", true)...).is(t, "by another key", 400, "invalid_client_attestation")
		w.send("/par", w.asks(), combined(w.instance, "/token", true)...).is(t, "for another endpoint", 400, "invalid_dpop_proof")
		once := combined(w.instance, "/par", true)
		r := w.send("/par", w.asks(), once...)
		if r.status != http.StatusCreated {
			t.Fatalf("twin: %d %v", r.status, r.body)
		}
		w.send("/par", w.asks(), once...).is(t, "replay", 401, "invalid_client")
		code := w.browser().login(url.Values{"client_id": {w.id}, "request_uri": {r.text("request_uri")}}).location.Query().Get("code")
		tok := w.redeem(code, combined(w.instance, "/token", true)...)
		if tok.status != 200 || tok.body["token_type"] != "DPoP" {
			t.Errorf("twin: %d %v", tok.status, tok.body)
		}
	})
}

// TestHAIPPolicy: what the profile demands of a client, one thing at a time.
func TestHAIPPolicy(t *testing.T) {
	eachWallet(t, 1, func(t *testing.T, e *env, p *attesttest.Provider) {
		w := newPhone(e, p, "wallet-haip")
		redir(t, e, e.browser().get("/authorize?"+w.asks().Encode()), "invalid_request") // not pushed
		w.send("/par", with(w.asks(), "code_challenge", "-", "code_challenge_method", "-"), w.attested()...).is(t, "no PKCE", 400, "invalid_request")
		w.send("/par", with(w.asks(), "code_challenge_method", "plain"), w.attested()...).is(t, "plain", 400, "invalid_request")
		w.redeem(w.code(), w.attested()...).is(t, "no DPoP", 400, "invalid_dpop_proof")
		c, err := e.op.Clients().Get(context.Background(), w.id)
		must(t, err)
		for name, change := range map[string]func(*oidc.Client){
			"a secret":    func(c *oidc.Client) { c.AuthMethod, c.SecretHash = client.SecretBasic, client.HashSecret("x") },
			"public":      func(c *oidc.Client) { c.AuthMethod, c.Public = client.None, true },
			"no provider": func(c *oidc.Client) { c.WalletProvider = "" },
		} {
			bad := c
			change(&bad)
			if e.op.Clients().Put(context.Background(), bad) == nil {
				t.Errorf("a haip client with %s", name)
			}
		}
		machine := oidc.Client{ID: "department", Profile: "national", AuthMethod: client.PrivateKeyJWT, GrantTypes: []string{client.ClientCredentials},
			Scopes: []string{"register"}, JWKSURI: "https://department.example/jwks"}
		must(t, e.op.Clients().Put(context.Background(), machine))
		op, _, handler := e.provider(func(cfg *oidc.Config) { cfg.Profile = "haip" })
		if _, err := op.Clients().Get(context.Background(), machine.ID); err != nil {
			t.Errorf("a department's system: %v", err)
		}
		for form, want := range map[string]int{"": 401, "&client_id=wallet": 401} {
			req := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader("grant_type="+url.QueryEscape(client.PreAuthorizedCode)+"&pre-authorized_code=offer-1&tx_code=123456"+form))
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			rec := newRecorder()
			handler.ServeHTTP(rec, req)
			if rec.Code != want {
				t.Errorf("an anonymous wallet %q: %d %s", form, rec.Code, rec.Body)
			}
		}
		if _, err := op.Clients().Get(context.Background(), "app"); err == nil {
			t.Error("a server of profile haip serves a client of another")
		}
		if _, err := op.Clients().Get(context.Background(), w.id); err != nil {
			t.Error(err)
		}
	})
}

// TestTrustIsReplaced: a provider that is taken from the list is out with the next request, and the same provider back in.
func TestTrustIsReplaced(t *testing.T) {
	eachWallet(t, 1, func(t *testing.T, e *env, p *attesttest.Provider) {
		w := newPhone(e, p, "wallet-haip")
		w.push()
		e.op.TrustWallets(nil)
		w.send("/par", w.asks(), append(w.attested(), w.proof("/par")...)...).is(t, "no longer trusted", 400, "invalid_client_attestation")
		e.op.TrustWallets([]attestation.Provider{p.Trusted("haip", "haip-1.0")})
		w.push()
	})
}

func TestMetadataOfAttestation(t *testing.T) {
	e, _ := walletEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	var doc map[string]any
	must(t, json.Unmarshal([]byte(e.browser().get("/.well-known/oauth-authorization-server").body), &doc))
	methods, _ := doc["token_endpoint_auth_methods_supported"].([]any)
	if !slices.Contains(methods, any("attest_jwt_client_auth")) || !slices.Contains(methods, any("attest_jwt_client_auth_dpop")) || doc["challenge_endpoint"] != e.issuer+"/challenge" {
		t.Errorf("%v %v", methods, doc["challenge_endpoint"])
	}
	for _, name := range []string{"client_attestation_signing_alg_values_supported", "client_attestation_pop_signing_alg_values_supported"} {
		if list, _ := doc[name].([]any); !slices.Contains(list, any("ES256")) {
			t.Errorf("%s: %v", name, doc[name])
		}
	}
	plain := newEnv(t, "sqlite:"+t.TempDir()+"/b.db", 1)
	doc = nil
	must(t, json.Unmarshal([]byte(plain.browser().get("/.well-known/oauth-authorization-server").body), &doc))
	methods, _ = doc["token_endpoint_auth_methods_supported"].([]any)
	if slices.Contains(methods, any("attest_jwt_client_auth")) || doc["challenge_endpoint"] != nil {
		t.Error("a server that trusts no provider offers attestations")
	}
}

// A wallet of a server without providers may send an attestation; nobody asked for it.
func TestAttestationNobodyAskedFor(t *testing.T) {
	eachWallet(t, 1, func(t *testing.T, e *env, p *attesttest.Provider) {
		w := newPhone(e, p, "wallet")
		form := url.Values{"grant_type": {client.PreAuthorizedCode}, "pre-authorized_code": {"offer-1"}, "tx_code": {"123456"}, "client_id": {"wallet"}}
		if r := w.send("/token", form, w.attested()...); r.status != 200 {
			t.Errorf("a public wallet: %d %v", r.status, r.body)
		}
	})
}
