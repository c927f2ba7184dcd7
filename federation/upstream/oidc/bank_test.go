package oidc_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hufu-id/hufu/federation/upstream/oidc"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
)

// bank puts PAR and DPoP before a sample province, as FAPI 2.0 wants them, and checks what arrives.
type bank struct {
	rig *rig

	wantNonce bool                                   // at the token endpoint and at userinfo
	discovery func(doc map[string]any)               // changes the document
	pushed    func(answer map[string]any) (code int) // changes the answer of the PAR endpoint
	tokenType string
	mutual    bool                                                   // wants the client certificate instead of DPoP, at addresses below /mtls
	answer    func(claims map[string]any) (contentType, body string) // of userinfo

	byCertificate bool // how we authenticate

	mu       sync.Mutex
	requests map[string]url.Values // by request_uri
	bound    map[string]string     // access token -> thumbprint
	seen     map[string]bool       // jti of proofs
	keys     []string              // thumbprints of the token requests
	hits     map[string]int        // requests by path
	nonces   int
}

func newFAPIRig(t *testing.T, change func(*oidc.Config)) (*rig, *bank) {
	r := newRig(t, func(c *oidc.Config) {
		c.Profile = oidc.FAPI2
		if change != nil {
			change(c)
		}
	})
	r.bank = &bank{rig: r, tokenType: "DPoP", requests: map[string]url.Values{}, bound: map[string]string{}, seen: map[string]bool{}, hits: map[string]int{}}
	return r, r.bank
}

func (b *bank) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	b.mu.Lock()
	b.hits[r.URL.Path]++
	b.mu.Unlock()
	if path, below := strings.CutPrefix(r.URL.Path, "/mtls"); below {
		if r.Header.Get(shown) == "" || r.Header.Get("DPoP") != "" {
			b.rig.t.Errorf("%s: certificate %q, DPoP %q", r.URL.Path, r.Header.Get(shown), r.Header.Get("DPoP"))
		}
		r.URL.Path = path
		if path != "/par" {
			b.rig.province.ServeHTTP(w, r)
			return
		}
	} else if r.Header.Get(shown) != "" || b.mutual && (r.URL.Path == "/par" || r.URL.Path == "/token" || r.URL.Path == "/userinfo") {
		b.rig.t.Errorf("%s: certificate %q", r.URL.Path, r.Header.Get(shown))
	}
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		doc := map[string]any{}
		b.behind(r, &doc)
		doc["pushed_authorization_request_endpoint"] = b.rig.issuer + "/par"
		if b.mutual {
			doc["tls_client_certificate_bound_access_tokens"] = true
			doc["token_endpoint_auth_methods_supported"] = []string{"private_key_jwt", "tls_client_auth", "self_signed_tls_client_auth"}
			doc["mtls_endpoint_aliases"] = map[string]string{"token_endpoint": b.rig.issuer + "/mtls/token", "userinfo_endpoint": b.rig.issuer + "/mtls/userinfo",
				"pushed_authorization_request_endpoint": b.rig.issuer + "/mtls/par"}
		}
		doc["dpop_signing_alg_values_supported"] = []string{"ES256", "PS256"}
		if b.discovery != nil {
			b.discovery(doc)
		}
		reply(w, http.StatusOK, doc)
	case "/par":
		b.par(w, r)
	case "/authorize":
		b.authorize(w, r)
	case "/token":
		b.token(w, r)
	case "/userinfo":
		b.userinfo(w, r)
	default:
		b.rig.province.ServeHTTP(w, r)
	}
}

// shown is the header in which tests see that a request was sent with our certificate.
const shown = "X-Client-Certificate"

// certified is a way out that shows our certificate.
type certified struct{ oidc.HTTP }

func (c certified) Do(r *http.Request) (*httpx.Response, error) {
	r.Header.Set(shown, "ours")
	return c.HTTP.Do(r)
}

// behind asks the province and reads its JSON.
func (b *bank) behind(r *http.Request, into any) int {
	rec := httptest.NewRecorder()
	b.rig.province.ServeHTTP(rec, r)
	_ = json.Unmarshal(rec.Body.Bytes(), into)
	return rec.Code
}

func reply(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v)
}

func (b *bank) par(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	if (r.PostForm.Get("client_assertion") == "") != b.byCertificate || r.PostForm.Get("client_id") != clientID || r.Method != http.MethodPost || r.URL.RawQuery != "" {
		b.rig.t.Errorf("PAR request %s %v", r.Method, r.PostForm)
	}
	b.mu.Lock()
	reference := fmt.Sprintf("urn:ietf:params:oauth:request_uri:%d", len(b.requests))
	b.requests[reference] = r.PostForm
	b.mu.Unlock()
	answer, code := map[string]any{"request_uri": reference, "expires_in": 60}, http.StatusCreated
	if b.pushed != nil {
		code = b.pushed(answer)
	}
	reply(w, code, answer)
}

func (b *bank) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	b.mu.Lock()
	request, known := b.requests[q.Get("request_uri")]
	b.mu.Unlock()
	if !known || len(q) != 2 || q.Get("client_id") != clientID {
		b.rig.t.Errorf("authorization request %v", q)
		return
	}
	inner := url.Values{}
	for k, v := range request {
		if !strings.HasPrefix(k, "client_assertion") {
			inner[k] = v
		}
	}
	r.URL.RawQuery = inner.Encode()
	b.rig.province.ServeHTTP(w, r)
}

func (b *bank) token(w http.ResponseWriter, r *http.Request) {
	jkt, nonced := b.proof(r, "")
	b.mu.Lock()
	b.keys = append(b.keys, jkt)
	b.mu.Unlock()
	if !nonced {
		b.newNonce(w)
		reply(w, http.StatusBadRequest, map[string]string{"error": "use_dpop_nonce"})
		return
	}
	answer := map[string]any{}
	code := b.behind(r, &answer)
	if token, ok := answer["access_token"].(string); ok {
		b.mu.Lock()
		b.bound[token] = jkt
		b.mu.Unlock()
		answer["token_type"] = b.tokenType
	}
	reply(w, code, answer)
}

func (b *bank) userinfo(w http.ResponseWriter, r *http.Request) {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "DPoP ")
	jkt, nonced := b.proof(r, token)
	b.mu.Lock()
	want := b.bound[token]
	b.mu.Unlock()
	if !ok || jkt == "" || jkt != want {
		b.rig.t.Errorf("userinfo with %q bound to %q, not %q", r.Header.Get("Authorization"), want, jkt)
	}
	if !nonced {
		b.newNonce(w)
		w.Header().Set("WWW-Authenticate", `dpop error="use_dpop_nonce", error_description="again"`)
		reply(w, http.StatusUnauthorized, map[string]string{})
		return
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer := map[string]any{}
	code := b.behind(r, &answer)
	if b.answer != nil {
		kind, body := b.answer(answer)
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write([]byte(body))
		return
	}
	reply(w, code, answer)
}

// proof checks a DPoP proof by the book and returns its key's thumbprint, and whether the nonce is there if one is wanted.
func (b *bank) proof(r *http.Request, token string) (jkt string, nonced bool) {
	fail := func(what string, v any) (string, bool) {
		b.rig.t.Errorf("DPoP proof: %s: %v", what, v)
		return "", true
	}
	if len(r.Header.Values("DPoP")) != 1 {
		return fail("headers", r.Header.Values("DPoP"))
	}
	raw := r.Header.Get("DPoP")
	u, err := jose.ParseUnverified(raw, jose.Policy{Typ: []string{"dpop+jwt"}, Algs: []jose.Alg{jose.ES256}})
	if err != nil || u.Header.JWK == nil || u.Header.KeyID != "" {
		return fail("header", err)
	}
	v, err := u.Verify(*u.Header.JWK)
	if err != nil {
		return fail("signature", err)
	}
	c, err := v.Claims(jose.ClaimPolicy{At: b.rig.now, Leeway: time.Second, MaxAge: time.Minute, OptionalExp: true, RequireIat: true, RequireJTI: true})
	if err != nil {
		return fail("claims", err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	jti, _ := c.String("jti")
	if b.seen[jti] || c["htm"] != r.Method || c["htu"] != b.rig.issuer+r.URL.Path {
		return fail("jti, htm, htu", c)
	}
	b.seen[jti] = true
	if sum := sha256.Sum256([]byte(token)); token != "" && c["ath"] != base64.RawURLEncoding.EncodeToString(sum[:]) {
		return fail("ath", c)
	}
	return u.Header.JWK.Thumbprint(), !b.wantNonce || c["nonce"] == fmt.Sprint("nonce-", b.nonces) && b.nonces > 0
}

func (b *bank) newNonce(w http.ResponseWriter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.nonces++
	w.Header().Set("DPoP-Nonce", fmt.Sprint("nonce-", b.nonces))
}
