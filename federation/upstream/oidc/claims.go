package oidc

import (
	"context"
	"fmt"
	"mime"
	"net/http"
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
func (c *Connector) addUserinfo(ctx context.Context, m metadata, t tokens, h holder, claims jose.Claims) error {
	if _, there := claims[c.cfg.ClaimNames.Name]; there || m.UserinfoEndpoint == "" || t.AccessToken == "" {
		return nil
	}
	more, err := c.userinfo(ctx, m, t.AccessToken, h)
	if err != nil {
		return fmt.Errorf("userinfo: %w", err)
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

// userinfo asks with the access token, in the header and nowhere else, and reads the answer: JSON, or a JWT of the province for us.
func (c *Connector) userinfo(ctx context.Context, m metadata, accessToken string, h holder) (jose.Claims, error) {
	resp, err := c.withNonce(&c.resourceNonce, func(nonce string) (*http.Request, error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, m.UserinfoEndpoint, nil)
		if err != nil {
			return nil, fmt.Errorf("%w: endpoint", upstream.ErrAnswer)
		}
		req.Header.Set("Accept", "application/json, application/jwt")
		req.Header.Set("Authorization", h.scheme()+" "+accessToken)
		return req, c.prove(h, req, nonce, accessToken)
	})
	if err != nil {
		return nil, err
	}
	if resp.Status != http.StatusOK {
		return nil, fmt.Errorf("%w: status %d", upstream.ErrAnswer, resp.Status)
	}
	if kind, _, err := mime.ParseMediaType(resp.Header.Get("Content-Type")); err == nil && kind == "application/jwt" {
		return c.signedUserinfo(ctx, string(resp.Body))
	}
	if c.cfg.SignedUserinfo {
		return nil, fmt.Errorf("%w: not signed", upstream.ErrAnswer)
	}
	var more map[string]any
	if err := jose.DecodeStrict(resp.Body, &more); err != nil {
		return nil, fmt.Errorf("%w: %w", upstream.ErrAnswer, err)
	}
	return more, nil
}

// signedUserinfo checks a signed answer (section 5.3.2). It must name the province and us: the same key signs id_tokens, and what
// the province tells another client about a person is not for us.
func (c *Connector) signedUserinfo(ctx context.Context, token string) (jose.Claims, error) {
	v, err := c.verify(ctx, token)
	if err != nil {
		return nil, err
	}
	claims, err := v.Claims(jose.ClaimPolicy{Issuer: c.cfg.Issuer, Audience: c.cfg.ClientID, AudienceArrayOK: c.cfg.AllowAudienceList,
		At: c.cfg.Now(), Leeway: c.cfg.Leeway, OptionalExp: true})
	if err == nil {
		err = onlyUs(claims)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", upstream.ErrAnswer, err)
	}
	return claims, nil
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
		out.PhoneVerified = claims["phone_number_verified"] == true
	}
	if id, err := gb.ParseResidentID(text(n.ResidentID)); err == nil {
		out.ResidentID = string(id)
	}
	return out
}

// phone is E.164, as phone_number should be (section 5.1), or a national mobile number.
var phone = regexp.MustCompile(`^(\+[1-9][0-9]{6,14}|1[0-9]{10})$`)
