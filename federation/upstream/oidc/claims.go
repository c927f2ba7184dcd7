package oidc

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/hufu-id/hufu/federation/upstream"
	"github.com/hufu-id/hufu/internal/gb"
	"github.com/hufu-id/hufu/internal/jose"
)

const maxName = 400 // bytes; names of 100 characters exist

// addUserinfo fetches further claims when the id_token lacks the name. Its subject must be the id_token's (OpenID Connect Core
// 5.3.2), and what the id_token said stands.
func (c *Connector) addUserinfo(ctx context.Context, m metadata, t tokens, claims jose.Claims) error {
	if _, there := claims[c.cfg.ClaimNames.Name]; there || m.UserinfoEndpoint == "" || t.AccessToken == "" {
		return nil
	}
	body, err := c.getJSON(ctx, m.UserinfoEndpoint, t.AccessToken)
	if err != nil {
		return fmt.Errorf("userinfo: %w", err)
	}
	var more map[string]any
	if err := jose.DecodeStrict(body, &more); err != nil {
		return fmt.Errorf("%w: userinfo: %w", upstream.ErrAnswer, err)
	}
	if more["sub"] != claims["sub"] {
		return fmt.Errorf("%w: userinfo of another subject", upstream.ErrAnswer)
	}
	for name, v := range more {
		if _, there := claims[name]; !there {
			claims[name] = v
		}
	}
	return nil
}

// read takes the facts about the person. A fact that is not well-formed is left out: it is the province's fault, and she can
// log in without it.
func (n ClaimNames) read(claims jose.Claims) upstream.Claims {
	text := func(name string) string {
		s, _ := claims[name].(string)
		return strings.TrimSpace(s)
	}
	var out upstream.Claims
	if name := norm.NFC.String(text(n.Name)); len(name) <= maxName && !strings.ContainsFunc(name, unicode.IsControl) {
		out.Name = name
	}
	if d := text(n.Birthdate); d != "" {
		if _, err := time.Parse(time.DateOnly, d); err == nil {
			out.Birthdate = d
		}
	}
	if g := text(n.Gender); g == "female" || g == "male" {
		out.Gender = g
	}
	if p := text(n.PhoneNumber); phone.MatchString(p) {
		out.PhoneNumber = p
	}
	if id, err := gb.ParseResidentID(text(n.ResidentID)); err == nil {
		out.ResidentID = string(id)
	}
	return out
}

// phone is E.164, as phone_number should be (section 5.1), or a national mobile number.
var phone = regexp.MustCompile(`^(\+[1-9][0-9]{6,14}|1[0-9]{10})$`)
