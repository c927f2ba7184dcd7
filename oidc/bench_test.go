package oidc_test

import (
	"testing"

	"github.com/hufu-id/hufu/internal/jose"
)

// One returning login by single sign-on (authorize with code, token), with its commits, and beside it the two signatures in it.
func BenchmarkLogin(b *testing.B) {
	e := newEnv(b, "sqlite:"+b.TempDir()+"/a.db", 1)
	person := e.browser()
	person.login(request("app"))
	b.Run("flow", func(b *testing.B) {
		for b.Loop() {
			code := person.login(request("app")).location.Query().Get("code")
			if tok := e.token(redeem(code), "Authorization", basic("app", e.secret)); tok.status != 200 {
				b.Fatal(tok.status)
			}
		}
	})
	b.Run("two signatures", func(b *testing.B) {
		for b.Loop() {
			for range 2 {
				if _, err := jose.SignJSON(e.world.key, jose.Header{Typ: "JWT"}, map[string]any{"iss": "x"}); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
