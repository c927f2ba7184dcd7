package oidc

import (
	"context"
	"crypto"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/hufu-id/hufu/federation/upstream"
	"github.com/hufu-id/hufu/internal/jose"
)

const (
	maxSubject = 255 // OpenID Connect Core section 2: at most 255 ASCII characters
	maxAMR     = 16
)

// checkIDToken applies OpenID Connect Core 3.1.3.7, and more strictly where it leaves a choice.
func (c *Connector) checkIDToken(ctx context.Context, a upstream.Attempt, t tokens) (jose.Claims, upstream.Assertion, error) {
	none := upstream.Assertion{}
	v, err := c.verify(ctx, t.IDToken)
	if err != nil {
		return nil, none, fmt.Errorf("id_token: %w", err)
	}
	now := c.cfg.Now()
	claims, err := v.Claims(jose.ClaimPolicy{Issuer: c.cfg.Issuer, Audience: c.cfg.ClientID, AudienceArrayOK: c.cfg.AllowAudienceList,
		At: now, Leeway: c.cfg.Leeway, MaxAge: c.cfg.MaxAge, RequireIat: true})
	if err != nil {
		return nil, none, fmt.Errorf("%w: id_token: %w", upstream.ErrAnswer, err)
	}
	if err := onlyUs(claims); err != nil {
		return nil, none, fmt.Errorf("%w: id_token: %w", upstream.ErrAnswer, err)
	}
	if azp, sent := claims["azp"]; sent && azp != c.cfg.ClientID {
		return nil, none, fmt.Errorf("%w: azp", upstream.ErrAnswer)
	}
	nonce, _ := claims["nonce"].(string)
	if subtle.ConstantTimeCompare([]byte(nonce), []byte(a.Nonce)) != 1 || a.Nonce == "" {
		return nil, none, fmt.Errorf("%w: nonce", upstream.ErrAnswer)
	}
	if err := checkAtHash(claims, v.Header().Alg, t.AccessToken); err != nil {
		return nil, none, err
	}
	assertion, err := c.assertion(a, claims)
	return claims, assertion, err
}

// onlyUs refuses what is meant for others too: any of them could have replayed it.
func onlyUs(claims jose.Claims) error {
	if aud, err := claims.StringList("aud"); err != nil || len(aud) != 1 {
		return errors.New("it is for others too")
	}
	return nil
}

// verify checks the signature with the province's keys. When none fits, the keys are fetched anew, if that was not done in
// the last minute: the province may have rotated.
func (c *Connector) verify(ctx context.Context, token string) (jose.Verified, error) {
	u, err := jose.ParseUnverified(token, jose.Policy{Typ: []string{"JWT", ""}, Algs: c.cfg.Algs})
	if err != nil {
		return jose.Verified{}, fmt.Errorf("%w: %w", upstream.ErrAnswer, err)
	}
	keys, err := c.keys.get(ctx)
	if err != nil {
		return jose.Verified{}, err
	}
	v, err := u.Verify(keys...)
	if errors.Is(err, jose.ErrNoKey) || err != nil && u.Header.KeyID == "" {
		if fetched, _ := c.keys.refresh(ctx); fetched {
			if keys, err = c.keys.get(ctx); err != nil {
				return jose.Verified{}, err
			}
			v, err = u.Verify(keys...)
		}
	}
	if err != nil {
		return jose.Verified{}, fmt.Errorf("%w: %w", upstream.ErrAnswer, err)
	}
	return v, nil
}

// checkAtHash binds the access token to the id_token when the province sends a hash (section 3.1.3.8): otherwise a token of
// somebody else's login could be put beside it and bring his claims.
func checkAtHash(claims jose.Claims, alg jose.Alg, accessToken string) error {
	v, sent := claims["at_hash"]
	if !sent {
		return nil
	}
	hash := crypto.SHA256
	switch alg {
	case jose.ES384:
		hash = crypto.SHA384
	case jose.EdDSA:
		hash = crypto.SHA512
	}
	h := hash.New()
	h.Write([]byte(accessToken))
	sum := h.Sum(nil)
	want := base64.RawURLEncoding.EncodeToString(sum[:len(sum)/2])
	if got, _ := v.(string); subtle.ConstantTimeCompare([]byte(got), []byte(want)) != 1 {
		return fmt.Errorf("%w: at_hash", upstream.ErrAnswer)
	}
	return nil
}

// word says whether an acr or amr value can be kept as it is: control characters are in none, and PostgreSQL refuses NUL.
func word(s string) bool {
	return len(s) <= maxSubject && !strings.ContainsFunc(s, unicode.IsControl)
}

// assertion reads who, how and when from checked claims.
func (c *Connector) assertion(a upstream.Attempt, claims jose.Claims) (upstream.Assertion, error) {
	out := upstream.Assertion{Province: c.cfg.Province, Level: upstream.Level1}
	var err error
	if out.Subject, err = claims.String("sub"); err != nil || out.Subject == "" || len(out.Subject) > maxSubject {
		return out, fmt.Errorf("%w: sub", upstream.ErrAnswer)
	}
	if v, sent := claims["acr"]; sent {
		if out.ACR, sent = v.(string); !sent || !word(out.ACR) {
			return out, fmt.Errorf("%w: acr", upstream.ErrAnswer)
		}
	}
	if level, known := c.cfg.Levels[out.ACR]; known {
		out.Level = level
	}
	if _, sent := claims["amr"]; sent {
		if out.AMR, err = claims.StringList("amr"); err != nil || len(out.AMR) > maxAMR || slices.ContainsFunc(out.AMR, func(m string) bool { return !word(m) }) {
			return out, fmt.Errorf("%w: amr", upstream.ErrAnswer)
		}
	}
	moment := "auth_time"
	if _, sent := claims[moment]; !sent && !a.Fresh {
		moment = "iat" // not before: a province that says nothing is taken to have asked now
	}
	if out.AuthTime, err = claims.Time(moment); err != nil || out.AuthTime.After(c.cfg.Now().Add(c.cfg.Leeway)) {
		return out, fmt.Errorf("%w: auth_time", upstream.ErrAnswer)
	}
	if a.Fresh && out.AuthTime.Before(a.Started.Add(-c.cfg.Leeway)) {
		return out, fmt.Errorf("%w: asked to prove again, but auth_time is older", upstream.ErrAnswer)
	}
	return out, nil
}
