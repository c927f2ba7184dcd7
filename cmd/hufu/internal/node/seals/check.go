package seals

import (
	"slices"

	"github.com/hufu-id/hufu/internal/gb"
	"github.com/hufu-id/hufu/oidc"
	"github.com/hufu-id/hufu/signing/eseal"
)

// Scope is what the token of a person who works with seals needs.
const Scope = "seal"

// CheckMakers tells bad what is wrong with the seal makers of a configuration.
func CheckMakers(makers []eseal.Maker, authority func(code string) bool, bad func(format string, args ...any)) {
	seen := map[string]bool{}
	for _, m := range makers {
		if _, err := gb.ParseCreditCode(m.Code); err != nil || m.NameZH == "" || m.NameEN == "" {
			bad("seal_makers: %q needs a unified social credit code, name_zh and name_en", m.Code)
		}
		if authority(m.Code) {
			bad("seal_makers: %s is an authority too; it can't be both", m.Code)
		}
		if seen[m.Code] {
			bad("seal_makers: %s is there twice", m.Code)
		}
		seen[m.Code] = true
	}
}

// CheckKeys holds that two people are two keys, or one person could approve what she proposed. known is the client of each key so far.
func CheckKeys(c oidc.Client, known map[string]string, bad func(format string, args ...any)) {
	if !slices.Contains(c.Scopes, Scope) {
		return
	}
	if c.JWKSURI != "" {
		bad("clients: %s: who works with seals has her key in the registration, not behind a jwks_uri, which could name a colleague's", c.ID)
	}
	for _, k := range c.JWKS {
		if other, ok := known[k.Thumbprint()]; ok && other != c.ID {
			bad("clients: %s and %s have one key: each person who works with seals needs her own", other, c.ID)
		}
		known[k.Thumbprint()] = c.ID
	}
}
