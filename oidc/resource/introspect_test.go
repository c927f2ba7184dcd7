package resource_test

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc/resource"
)

const opaque = "opaque_access-token.part2"

func bySecret(c *resource.Config) {
	c.Introspection = &resource.Introspection{ClientID: "api:1", Secret: "s %"}
}

// active is a good answer, with changes; nil removes a member.
func (w *world) active(changes map[string]any) map[string]any {
	c := w.claims(w.now(), map[string]any{"active": true, "token_type": "Bearer"})
	maps.Copy(c, changes)
	maps.DeleteFunc(c, func(_ string, v any) bool { return v == nil })
	return c
}

func TestIntrospectionAsksProperly(t *testing.T) {
	key := newKey(t)
	cases := map[string]struct {
		in    resource.Introspection
		check func(t *testing.T, r *http.Request, form url.Values, w *world)
	}{
		"client_secret_basic": {resource.Introspection{ClientID: "api:1", Secret: "s %"}, func(t *testing.T, r *http.Request, form url.Values, _ *world) {
			if id, secret, ok := r.BasicAuth(); !ok || id != "api%3A1" || secret != "s+%25" || len(form) != 2 {
				t.Errorf("%q %q %v", id, secret, form)
			}
		}},
		"private_key_jwt": {resource.Introspection{ClientID: "api:1", Key: key.Key, KeyID: "k1"}, func(t *testing.T, r *http.Request, form url.Values, w *world) {
			pub, _ := key.Public()
			u, err := jose.ParseUnverified(form.Get("client_assertion"), jose.Policy{Typ: []string{"JWT"}, Algs: []jose.Alg{jose.ES256}})
			if err != nil || u.Header.KeyID != "k1" {
				t.Fatalf("%v, kid %q", err, u.Header.KeyID)
			}
			u.Header.KeyID = "" // the key here has another name
			v, err := u.Verify(pub)
			if err != nil {
				t.Fatal(err)
			}
			claims, err := v.Claims(jose.ClaimPolicy{Issuer: "api:1", Audience: w.URL, At: w.now(), MaxLifetime: time.Minute, RequireJTI: true})
			if err != nil || claims["sub"] != "api:1" || form.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" || r.Header.Get("Authorization") != "" {
				t.Errorf("%v %v", err, form)
			}
		}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(cfg *resource.Config) { cfg.Introspection = &c.in })
			w.handle("/introspect", func(rw http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				form, err := url.ParseQuery(string(body))
				if err != nil || r.Method != "POST" || form.Get("token") != opaque || form.Get("token_type_hint") != "access_token" || r.URL.RawQuery != "" || r.Header.Get("Accept") != "application/json" {
					t.Errorf("%s %s %v", r.Method, form, err)
				}
				c.check(t, r, form, w)
				answerJSON(w.active(nil))(rw, r)
			})
			rec, got := w.send(request("Bearer " + opaque))
			want(t, rec, "ok")
			if got.Subject != "person-1" || got.ACR != "loa2" {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestIntrospectionAnswers: each refused answer differs from the good one in one member.
func TestIntrospectionAnswers(t *testing.T) {
	cases := []struct {
		name    string
		changes map[string]any
		code    string
	}{
		{"as is", nil, "ok"},
		{"not active", map[string]any{"active": false}, "invalid_token"},
		{"active missing", map[string]any{"active": nil}, "invalid_token"},
		{"active a string", map[string]any{"active": "true"}, "invalid_token"},
		{"N01 refresh token, which has no token_type", map[string]any{"token_type": nil}, "invalid_token"},
		{"token_type in small letters", map[string]any{"token_type": "bearer"}, "ok"},
		{"token_type of another kind", map[string]any{"token_type": "N_A"}, "invalid_token"},
		{"token_type DPoP, not bound", map[string]any{"token_type": "DPoP"}, "invalid_token"},
		{"other audience", map[string]any{"aud": "x"}, "invalid_token"},
		{"no audience", map[string]any{"aud": nil}, "invalid_token"},
		{"audience in a list", map[string]any{"aud": []string{"x", audience}}, "ok"},
		{"no issuer", map[string]any{"iss": nil}, "ok"},
		{"other issuer", map[string]any{"iss": "https://id.example"}, "invalid_token"},
		{"no exp", map[string]any{"exp": nil}, "invalid_token"},
		{"exp passed", map[string]any{"exp": 1_800_000_000}, "invalid_token"},
		{"exp a string", map[string]any{"exp": "x"}, "invalid_token"},
		{"nbf ahead", map[string]any{"nbf": 1_800_000_031}, "invalid_token"},
		{"nbf passed", map[string]any{"nbf": 1_800_000_000}, "ok"},
		{"no subject", map[string]any{"sub": nil}, "invalid_token"},
		{"no client", map[string]any{"client_id": nil}, "invalid_token"},
		{"bound, sent as bearer", map[string]any{"cnf": map[string]any{"jkt": "x"}, "token_type": "DPoP"}, "invalid_token"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, bySecret)
			w.handle("/introspect", answerJSON(w.active(c.changes)))
			rec, _ := w.send(request("Bearer " + opaque))
			want(t, rec, c.code)
		})
	}
	w := newWorld(t, bySecret)
	w.handle("/introspect", answerJSON(w.active(map[string]any{"cnf": map[string]any{"jkt": w.jkt}, "token_type": "DPoP"})))
	rec, _ := w.send(request("DPoP "+opaque, w.proof(opaque)))
	want(t, rec, "ok")
}

// TestIntrospectionUnavailable: what is wrong between us and the issuer isn't the client's fault, and never lets anybody in.
func TestIntrospectionUnavailable(t *testing.T) {
	typed := func(contentType, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			_, _ = io.WriteString(w, body)
		}
	}
	w := newWorld(t, bySecret)
	good, _ := json.Marshal(w.active(nil))
	cases := []struct {
		name   string
		answer http.HandlerFunc
		code   string
	}{
		{"as is", typed("application/json; charset=utf-8", string(good)), "ok"},
		{"we aren't let in", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(401) }, "temporarily_unavailable"},
		{"down", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(502) }, "temporarily_unavailable"},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/else", http.StatusTemporaryRedirect)
		}, "temporarily_unavailable"},
		{"HTML", typed("text/html", string(good)), "temporarily_unavailable"},
		{"N04 member twice", typed("application/json", `{"active":false,`+string(good[1:])), "temporarily_unavailable"},
		{"junk", typed("application/json", "x"), "temporarily_unavailable"},
		{"null", typed("application/json", "null"), "invalid_token"},
		{"large", typed("application/json", string(good)+strings.Repeat(" ", 64<<10)), "temporarily_unavailable"},
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w.handle("/introspect", c.answer)
			rec, _ := w.send(request("Bearer " + opaque + strings.Repeat("x", i))) // nothing remembered
			want(t, rec, c.code)
		})
	}
	plain := newWorld(t, nil)
	rec, _ := plain.send(request("Bearer " + opaque))
	want(t, rec, "invalid_token")
	none := newWorld(t, bySecret)
	none.handle(metadataPath, answerJSON(map[string]any{"issuer": none.URL, "jwks_uri": none.URL + keysPath}))
	rec, _ = none.send(request("Bearer " + opaque))
	want(t, rec, "temporarily_unavailable")
}

// TestSignedIntrospection (RFC 9701): each refused answer differs from the good one in one thing.
func TestSignedIntrospection(t *testing.T) {
	const typ = "token-introspection+jwt"
	other := newKey(t)
	cases := []struct {
		name    string
		typ     string
		changes map[string]any
		key     *jose.SigningKey
		code    string
	}{
		{"as is", typ, nil, nil, "ok"},
		{"other typ", "JWT", nil, nil, "temporarily_unavailable"},
		{"N01 typ of an access token", "at+jwt", nil, nil, "temporarily_unavailable"},
		{"other key", typ, nil, &other, "temporarily_unavailable"},
		{"other issuer", typ, map[string]any{"iss": "https://id.example"}, nil, "temporarily_unavailable"},
		{"for another client", typ, map[string]any{"aud": "api:2"}, nil, "temporarily_unavailable"},
		{"for the audience of the token", typ, map[string]any{"aud": audience}, nil, "temporarily_unavailable"},
		{"of long ago", typ, map[string]any{"iat": 1_800_000_000 - 91}, nil, "temporarily_unavailable"},
		{"without time", typ, map[string]any{"iat": nil}, nil, "temporarily_unavailable"},
		{"without content", typ, map[string]any{"token_introspection": nil}, nil, "temporarily_unavailable"},
		{"not active", typ, map[string]any{"token_introspection": map[string]any{"active": false}}, nil, "invalid_token"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, func(cfg *resource.Config) {
				bySecret(cfg)
				cfg.Introspection.Signed = true
			})
			outer := map[string]any{"iss": w.URL, "aud": "api:1", "iat": w.at.Unix(), "token_introspection": w.active(nil)}
			maps.Copy(outer, c.changes)
			maps.DeleteFunc(outer, func(_ string, v any) bool { return v == nil })
			key := w.issuer.key
			if c.key != nil {
				key = *c.key
			}
			answer, err := jose.SignJSON(key, jose.Header{Typ: c.typ}, outer)
			if err != nil {
				t.Fatal(err)
			}
			w.handle("/introspect", func(rw http.ResponseWriter, r *http.Request) {
				if r.Header.Get("Accept") != "application/token-introspection+jwt" {
					t.Error(r.Header)
				}
				rw.Header().Set("Content-Type", "application/token-introspection+jwt")
				_, _ = io.WriteString(rw, answer)
			})
			rec, _ := w.send(request("Bearer " + opaque))
			want(t, rec, c.code)
		})
	}
	for signed, code := range map[bool]string{false: "ok", true: "temporarily_unavailable"} { // an answer without signature
		w := newWorld(t, func(cfg *resource.Config) {
			bySecret(cfg)
			cfg.Introspection.Signed = signed
		})
		w.handle("/introspect", answerJSON(w.active(nil)))
		rec, _ := w.send(request("Bearer " + opaque))
		want(t, rec, code)
	}
}

// TestRevokedTokenIsGoodForTenSeconds at most, and a bad answer is never remembered.
func TestRevokedTokenIsGoodForTenSeconds(t *testing.T) {
	w := newWorld(t, bySecret)
	w.handle("/introspect", answerJSON(map[string]any{"active": false}))
	for range 2 {
		rec, _ := w.send(request("Bearer " + opaque))
		want(t, rec, "invalid_token")
	}
	if n := w.count("/introspect"); n != 2 {
		t.Errorf("asked %d times", n)
	}
	w.handle("/introspect", answerJSON(w.active(nil)))
	for range 3 {
		rec, _ := w.send(request("Bearer " + opaque))
		want(t, rec, "ok")
	}
	if n := w.count("/introspect"); n != 3 {
		t.Errorf("asked %d times", n)
	}
	w.handle("/introspect", answerJSON(map[string]any{"active": false}))
	w.pass(10*time.Second - 1)
	rec, _ := w.send(request("Bearer " + opaque))
	want(t, rec, "ok")
	w.pass(1)
	rec, _ = w.send(request("Bearer " + opaque))
	want(t, rec, "invalid_token")
	// A token that ends earlier isn't kept longer.
	w.handle("/introspect", answerJSON(w.active(map[string]any{"exp": w.at.Unix() + 3})))
	rec, _ = w.send(request("Bearer " + opaque))
	want(t, rec, "ok")
	w.pass(3 * time.Second)
	rec, _ = w.send(request("Bearer " + opaque))
	want(t, rec, "invalid_token")
}

// TestTheIssuerIsNotAskedAboutJunk: strangers can't make us send it anything.
func TestTheIssuerIsNotAskedAboutJunk(t *testing.T) {
	w := newWorld(t, bySecret)
	w.handle("/introspect", answerJSON(w.active(nil)))
	for token, code := range map[string]string{strings.Repeat("x", 16<<10): "ok", strings.Repeat("x", 16<<10+1): "invalid_token", "x=": "ok", "=x": "invalid_token",
		"x&y": "invalid_token", "x\"": "invalid_token", "x y": "invalid_token", "=": "invalid_token"} {
		before := w.count("/introspect")
		rec, _ := w.send(request("Bearer " + token))
		want(t, rec, code)
		if asked := w.count("/introspect") > before; asked != (code == "ok") {
			t.Errorf("asked about %.20q: %v", token, asked)
		}
	}
}

func FuzzRequest(f *testing.F) {
	w := newWorld(f, nil)
	token, bound := w.token(w.at, nil), w.bound()
	f.Add("Bearer "+token, "")
	f.Add("DPoP "+bound, w.proof(bound))
	f.Add("dpop "+token[:100], "..")
	f.Add("Basic YTpi", "")
	f.Add("", "")
	f.Fuzz(func(t *testing.T, authorization, proof string) {
		r := request("")
		r.Header["Authorization"], r.Header["Dpop"] = []string{authorization}, []string{proof}
		rec, got := w.send(r)
		switch {
		case rec.Code == http.StatusOK && (got.Subject != "person-1" || got.JKT != "" && got.JKT != w.jkt):
			t.Errorf("let in as %+v", got)
		case rec.Code != http.StatusOK && rec.Code != http.StatusUnauthorized:
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
	})
}
