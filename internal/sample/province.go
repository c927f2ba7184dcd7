package sample

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
)

// slowFor is how long a slow province waits: longer than the national server does.
const slowFor = 7 * time.Second

const (
	requestLife = 15 * time.Minute
	codeLife    = time.Minute
	tokenLife   = 5 * time.Minute
	maxPending  = 10_000 // of each kind; older ones give way
)

// Province is a small OpenID Provider of its own: keys, discovery, a page to pick a person, codes, tokens, userinfo. It knows one
// client, the national server, which proves itself by private_key_jwt. It keeps its state in memory.
type Province struct {
	cfg    ProvinceConfig
	key    jose.SigningKey  // signs
	signer *jose.SigningKey // signs instead of key when a test says so
	rogue  jose.SigningKey  // same key id, not published: for bad signatures
	faults faults
	mux    http.Handler

	mu        sync.Mutex
	requests  map[string]authRequest
	codes     map[string]grant
	tokens    map[string]grant
	seen      map[string]time.Time // jti of client assertions
	keepCodes bool
	keys      []jose.JWK // of the national server
	keysAt    time.Time
}

// authRequest is a checked authorization request that waits for a person.
type authRequest struct {
	State, Nonce, Challenge string
	Expires                 time.Time
}

// grant is what a code or an access token stands for.
type grant struct {
	authRequest
	Person   Person
	AuthTime time.Time
}

// NewProvince makes a province with fresh keys.
func NewProvince(cfg ProvinceConfig) (*Province, error) {
	if cfg.BaseURL == "" || cfg.ClientID == "" || cfg.RedirectURI == "" || cfg.JWKSURI == "" || cfg.Info.Code == "" {
		return nil, errors.New("sample: a province needs its info, base URL and the national server's client data")
	}
	if cfg.HTTP == nil {
		cfg.HTTP = &http.Client{Timeout: 5 * time.Second}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.SlowFor == 0 {
		cfg.SlowFor = slowFor
	}
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		return nil, fmt.Errorf("sample: %w", err)
	}
	rogue, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		return nil, fmt.Errorf("sample: %w", err)
	}
	rogue.ID = key.ID
	p := &Province{cfg: cfg, key: key, rogue: rogue, requests: map[string]authRequest{}, codes: map[string]grant{},
		tokens: map[string]grant{}, seen: map[string]time.Time{}}
	p.mux = p.routes()
	return p, nil
}

// ServeHTTP serves the province at its base URL.
func (p *Province) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.mux.ServeHTTP(w, r) }

// RotateKey replaces the signing key: the old one leaves the published set at once, as after a compromise. It returns a key
// that is no longer published, for tests that try to go on with it.
func (p *Province) RotateKey() (jose.SigningKey, error) {
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		return key, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	old := p.key
	p.key, p.rogue.ID = key, key.ID
	return old, nil
}

// SignWith makes the province sign with k from now on while it publishes its own key; nil ends it. For tests.
func (p *Province) SignWith(k *jose.SigningKey) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.signer = k
}

// KeepCodes makes codes good for any number of exchanges, as at a careless province: for tests of who else notices.
func (p *Province) KeepCodes(keep bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keepCodes = keep
}

func (p *Province) routes() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		render(w, http.StatusOK, "home", map[string]any{"Info": p.cfg.Info, "People": p.cfg.People, "Issuer": p.cfg.BaseURL})
	})
	m.HandleFunc("GET /style.css", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		fmt.Fprintf(w, ":root{--hue:%s}\n%s", p.cfg.Info.Hue, provinceCSS)
	})
	m.HandleFunc("GET /.well-known/openid-configuration", p.discovery)
	m.HandleFunc("GET /jwks", p.jwks)
	m.HandleFunc("GET /authorize", p.authorize)
	m.HandleFunc("GET /pick", p.pick)
	m.HandleFunc("POST /token", p.token)
	m.HandleFunc("GET /userinfo", p.userinfo)
	m.HandleFunc("GET /faults", p.faultsPage)
	m.Handle("POST /faults", http.NewCrossOriginProtection().Handler(http.HandlerFunc(p.faultsPage)))
	health(m)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		headers(w)
		if !p.misbehave(r) {
			http.Error(w, "The sample province "+p.cfg.Info.English+" is down because /faults says so.", http.StatusServiceUnavailable)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
		m.ServeHTTP(w, r)
	})
}

// misbehave applies the faults that concern every answer; false means down. The page that ends a fault always works.
func (p *Province) misbehave(r *http.Request) bool {
	if r.URL.Path == "/faults" || r.URL.Path == "/livez" || r.URL.Path == "/readyz" || r.URL.Path == "/style.css" {
		return true
	}
	switch p.faults.get() {
	case Down:
		return false
	case TokenEndpointBusy:
		return r.URL.Path != "/token"
	case Slow:
		if r.URL.Path == "/token" || r.URL.Path == "/jwks" || strings.HasPrefix(r.URL.Path, "/.well-known/") {
			select {
			case <-time.After(p.cfg.SlowFor):
			case <-r.Context().Done():
			}
		}
	}
	return true
}

func (p *Province) discovery(w http.ResponseWriter, _ *http.Request) {
	base := p.cfg.BaseURL
	doc := map[string]any{
		"issuer": base, "authorization_endpoint": base + "/authorize", "token_endpoint": base + "/token",
		"userinfo_endpoint": base + "/userinfo", "jwks_uri": base + "/jwks",
		"response_types_supported": []string{"code"}, "response_modes_supported": []string{"query"},
		"grant_types_supported": []string{"authorization_code"}, "subject_types_supported": []string{"public"},
		"id_token_signing_alg_values_supported": []string{"ES256"}, "scopes_supported": []string{"openid", "profile", "phone", "resident_id"},
		"token_endpoint_auth_methods_supported": []string{"private_key_jwt"}, "code_challenge_methods_supported": []string{"S256"},
		"token_endpoint_auth_signing_alg_values_supported": []string{"ES256"},
		"authorization_response_iss_parameter_supported":   true,
	}
	switch p.faults.get() {
	case OtherIssuer:
		doc["issuer"] = "https://another-province.example"
	case ForeignToken:
		doc["token_endpoint"] = "https://another-province.example/token"
	case PlainHTTP:
		doc["token_endpoint"] = "http://another-province.example/token"
	case MovedKeys:
		doc["jwks_uri"] = "https://another-province.example/jwks"
	}
	writeJSON(w, http.StatusOK, doc)
}

func (p *Province) jwks(w http.ResponseWriter, r *http.Request) {
	switch p.faults.get() {
	case HugeKeys:
		_, _ = w.Write([]byte(`{"keys":[],"filler":"`))
		filler := []byte(strings.Repeat("A", 64<<10))
		for range 160 { // 10 MiB
			if _, err := w.Write(filler); err != nil {
				return
			}
		}
		return
	case ManyKeys:
		key, _ := json.Marshal(map[string]string{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"})
		_, _ = w.Write([]byte(`{"keys":[` + strings.Repeat(string(key)+",", 2000) + string(key) + `]}`))
		return
	case RedirectKeys:
		http.Redirect(w, r, "/jwks?again="+rand.Text(), http.StatusFound)
		return
	}
	p.mu.Lock()
	key := p.key
	p.mu.Unlock()
	pub, err := key.Public()
	var body []byte
	if err == nil {
		body, err = jose.MarshalJWKS([]jose.JWK{pub.WithUse("sig")})
	}
	if err != nil {
		http.Error(w, "no key", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/jwk-set+json")
	_, _ = w.Write(body)
}

// authorize checks the national server's request and shows whom one can be.
func (p *Province) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("client_id") != p.cfg.ClientID || q.Get("redirect_uri") != p.cfg.RedirectURI {
		http.Error(w, "This province knows one client and one redirect URI, and this request has another.", http.StatusBadRequest)
		return
	}
	if q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || len(q.Get("code_challenge")) != 43 ||
		!strings.Contains(" "+q.Get("scope")+" ", " openid ") || q.Get("nonce") == "" {
		p.answer(w, r, q.Get("state"), url.Values{"error": {"invalid_request"}})
		return
	}
	id := rand.Text()
	p.mu.Lock()
	forget(p.requests, func(a authRequest) bool { return p.cfg.Now().After(a.Expires) })
	p.requests[id] = authRequest{State: q.Get("state"), Nonce: q.Get("nonce"), Challenge: q.Get("code_challenge"), Expires: p.cfg.Now().Add(requestLife)}
	p.mu.Unlock()
	render(w, http.StatusOK, "pick", map[string]any{"Info": p.cfg.Info, "People": p.cfg.People, "Login": id})
}

// pick logs the chosen person in; without a person it is a cancellation.
func (p *Province) pick(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	req, ok := p.requests[r.FormValue("login")]
	p.mu.Unlock()
	now := p.cfg.Now()
	if !ok || now.After(req.Expires) {
		http.Error(w, "This login is over. Go back to the service and start again.", http.StatusBadRequest)
		return
	}
	for _, person := range p.cfg.People {
		if person.Slug == r.FormValue("person") {
			code := rand.Text()
			p.mu.Lock()
			forget(p.codes, func(g grant) bool { return now.After(g.Expires) })
			g := grant{authRequest: req, Person: person, AuthTime: now}
			g.Expires = now.Add(codeLife)
			p.codes[code] = g
			p.mu.Unlock()
			p.answer(w, r, req.State, url.Values{"code": {code}})
			return
		}
	}
	p.answer(w, r, req.State, url.Values{"error": {"access_denied"}})
}

// answer sends the browser back with the issuer's name (RFC 9207).
func (p *Province) answer(w http.ResponseWriter, r *http.Request, state string, v url.Values) {
	v.Set("state", state)
	v.Set("iss", p.cfg.BaseURL)
	switch p.faults.get() {
	case NoIssParam:
		v.Del("iss")
	case WrongIssParam:
		v.Set("iss", "https://another-province.example")
	}
	http.Redirect(w, r, p.cfg.RedirectURI+"?"+v.Encode(), http.StatusSeeOther)
}

// forget drops what is over, and everything if that isn't enough: a sample must not eat the machine.
func forget[T any](m map[string]T, over func(T) bool) {
	for k, v := range m {
		if over(v) || len(m) > maxPending {
			delete(m, k)
		}
	}
}

// clientKeys returns the national server's keys, fetched at most once a minute unless force asks for new ones.
func (p *Province) clientKeys(ctx context.Context, force bool) ([]jose.JWK, error) {
	p.mu.Lock()
	keys, at := p.keys, p.keysAt
	p.mu.Unlock()
	if keys != nil && !force && p.cfg.Now().Sub(at) < time.Minute {
		return keys, nil
	}
	body, err := fetch(ctx, p.cfg.HTTP, p.cfg.JWKSURI)
	if err != nil {
		return nil, err
	}
	if keys, err = jose.ParseJWKS(body); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys, p.keysAt = keys, p.cfg.Now()
	return keys, nil
}
