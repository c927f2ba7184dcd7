package resource_test

import (
	"bytes"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/oidc/resource"
)

const (
	bearerBare = `Bearer realm="https://api.example"`
	dpopBare   = `DPoP realm="https://api.example", algs="ES256 PS256 EdDSA"`
)

// TestChallenges has what clients read, word by word.
func TestChallenges(t *testing.T) {
	w := newWorld(t, nil)
	bearer, bound := w.token(w.at, nil), w.bound()
	high := resource.Need{ACR: []string{"loa3", "loa4"}, MaxAge: 10 * time.Minute}
	cases := []struct {
		name          string
		need          resource.Need
		authorization string
		code          string
		want          []string
	}{
		{"nothing sent", resource.Need{}, "", "none", []string{bearerBare, dpopBare}},
		{"nothing sent, bound tokens only", resource.Need{Bound: true}, "", "none", []string{dpopBare}},
		{"bearer, bound tokens only", resource.Need{Bound: true}, "Bearer " + bearer, "invalid_token",
			[]string{bearerBare + `, error="invalid_token", error_description="only tokens bound to a key are taken here"`, dpopBare}},
		{"bound token as bearer", resource.Need{}, "Bearer " + bound, "invalid_token",
			[]string{bearerBare + `, error="invalid_token", error_description="the token is bound to a key; send it as DPoP, with a proof"`, dpopBare}},
		{"no proof", resource.Need{}, "DPoP " + bound, "invalid_dpop_proof",
			[]string{dpopBare + `, error="invalid_dpop_proof", error_description="the DPoP header is missing"`, bearerBare}},
		{"a scope missing", resource.Need{Scopes: []string{"read", "admin"}}, "Bearer " + bearer, "insufficient_scope",
			[]string{bearerBare + `, error="insufficient_scope", error_description="the token doesn't have the scope that is needed here", scope="read admin"`, dpopBare}},
		{"a scope that is there", resource.Need{Scopes: []string{"write"}}, "Bearer " + bearer, "ok", nil},
		{"level too low", high, "Bearer " + bearer, "insufficient_user_authentication",
			[]string{bearerBare + `, error="insufficient_user_authentication", error_description="the level of the login is too low here", acr_values="loa3 loa4", max_age=600`, dpopBare}},
		{"level high enough", high, "Bearer " + w.token(w.at, map[string]any{"acr": "loa4"}), "ok", nil},
		{"login too old", high, "Bearer " + w.token(w.at, map[string]any{"acr": "loa4", "auth_time": w.at.Unix() - 601}), "insufficient_user_authentication",
			[]string{bearerBare + `, error="insufficient_user_authentication", error_description="the login is older than is allowed here", acr_values="loa3 loa4", max_age=600`, dpopBare}},
		{"login just new enough", high, "Bearer " + w.token(w.at, map[string]any{"acr": "loa4", "auth_time": w.at.Unix() - 600}), "ok", nil},
		{"no login at all", resource.Need{MaxAge: time.Minute}, "Bearer " + w.token(w.at, map[string]any{"auth_time": nil}), "insufficient_user_authentication",
			[]string{bearerBare + `, error="insufficient_user_authentication", error_description="the login is older than is allowed here", max_age=60`, dpopBare}},
		{"no level at all", resource.Need{ACR: []string{"loa1"}}, "Bearer " + w.token(w.at, map[string]any{"acr": nil}), "insufficient_user_authentication",
			[]string{bearerBare + `, error="insufficient_user_authentication", error_description="the level of the login is too low here", acr_values="loa1"`, dpopBare}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			rec, _ := send(w.guard.For(c.need), request(c.authorization))
			want(t, rec, c.code)
			if got := rec.Header().Values("WWW-Authenticate"); !slices.Equal(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

func TestQuotesInTheRealm(t *testing.T) {
	w := newWorld(t, func(c *resource.Config) { c.Audience = `a "b" \c` })
	rec, _ := w.send(request(""))
	if got := rec.Header().Get("WWW-Authenticate"); got != `Bearer realm="a \"b\" \\c"` {
		t.Error(got)
	}
}

// TestU01NothingSecretIsLogged: neither the token nor what it says.
func TestU01NothingSecretIsLogged(t *testing.T) {
	var out bytes.Buffer
	w := newWorld(t, func(c *resource.Config) { c.Log = slog.New(slog.NewTextHandler(&out, nil)) })
	token := w.token(w.at, map[string]any{"sub": "canary-sub", "aud": "canary-aud", "jti": "canary-jti"})
	for _, authorization := range []string{"Bearer " + token, "DPoP " + token, "Bearer canary-opaque", "Bearer canary.canary.canary"} {
		rec, _ := w.send(request(authorization, "canary-proof"))
		want(t, rec, "invalid_token")
		if strings.Contains(rec.Body.String(), "canary") {
			t.Errorf("told %s", rec.Body)
		}
	}
	if !strings.Contains(out.String(), "wrong audience") || strings.Contains(out.String(), "canary") || strings.Contains(out.String(), token[:40]) {
		t.Errorf("logged %s", &out)
	}
}
