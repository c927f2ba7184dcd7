// Package answer signs what we tell clients, and encrypts it for those that registered a key (OpenID Connect Core 5.3.2 and 10.2, JARM 2.2):
// first the signature, then the encryption, so that nobody can put our signature under another envelope.
package answer

import (
	"context"
	"errors"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/jose/jwe"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/oauth"
)

// Sealer signs and encrypts. Safe for concurrent use.
type Sealer struct {
	Issuer string
	Key    func(ctx context.Context, alg jose.Alg) (jose.SigningKey, error)
	Keys   client.KeySource
	Now    func() time.Time
}

// Authorization makes the JWT of an authorization response (JARM section 2.1).
func (s Sealer) Authorization(ctx context.Context, c client.Client, claims map[string]any) (string, error) {
	token, err := s.sign(ctx, c.AuthorizationSignedAlg, "JWT", claims)
	if err != nil {
		return "", err
	}
	return s.encrypt(ctx, c, c.AuthorizationEncryptedAlg, c.AuthorizationEncryptedEnc, token)
}

// Userinfo makes the JWT of a userinfo response, or returns "" for a client that takes plain JSON (OpenID Connect Core 5.3.2).
func (s Sealer) Userinfo(ctx context.Context, c client.Client, values map[string]any) (string, error) {
	if c.UserinfoSignedAlg == "" && c.UserinfoEncryptedAlg == "" {
		return "", nil
	}
	claims := map[string]any{"iss": s.Issuer, "aud": c.ID}
	for name, value := range values {
		claims[name] = value
	}
	token, err := s.sign(ctx, c.UserinfoSignedAlg, "JWT", claims)
	if err != nil {
		return "", err
	}
	return s.encrypt(ctx, c, c.UserinfoEncryptedAlg, c.UserinfoEncryptedEnc, token)
}

// IDToken encrypts a signed ID token for a client that registered so; others get it as it is. "" stays "".
func (s Sealer) IDToken(ctx context.Context, c client.Client, signed string) (string, error) {
	if signed == "" {
		return "", nil
	}
	return s.encrypt(ctx, c, c.IDTokenEncryptedAlg, c.IDTokenEncryptedEnc, signed)
}

// Introspection makes the JWT of an introspection response (RFC 9701 section 5).
func (s Sealer) Introspection(ctx context.Context, c client.Client, answer map[string]any) (string, error) {
	return s.sign(ctx, c.IntrospectionSignedAlg, "token-introspection+jwt", map[string]any{"iss": s.Issuer, "aud": c.ID, "iat": s.Now().Unix(),
		"token_introspection": answer})
}

func (s Sealer) sign(ctx context.Context, alg jose.Alg, typ string, claims map[string]any) (string, error) {
	if alg == "" {
		alg = jose.ES256
	}
	key, err := s.Key(ctx, alg)
	if err != nil {
		return "", err
	}
	return jose.SignJSON(key, jose.Header{Typ: typ}, claims)
}

// encrypt wraps a signed token; alg "" leaves it as it is. A client without a fitting key gets an error, and never the plain token.
func (s Sealer) encrypt(ctx context.Context, c client.Client, alg, enc, token string) (string, error) {
	if alg == "" {
		return token, nil
	}
	key, err := s.recipient(ctx, c, alg)
	if err != nil {
		return "", err
	}
	if enc == "" {
		enc = jwe.A128CBCHS256 // the default of OpenID Connect Registration
	}
	return jwe.Encrypt(key, enc, jwe.Header{Cty: "JWT"}, []byte(token))
}

// Ready says whether ID tokens can be encrypted for the client: before its code is used up, so that a jwks_uri that is down costs it nothing.
func (s Sealer) Ready(ctx context.Context, c client.Client) error {
	if c.IDTokenEncryptedAlg == "" {
		return nil
	}
	_, err := s.recipient(ctx, c, c.IDTokenEncryptedAlg)
	return err
}

// recipient finds the client's key for an algorithm.
func (s Sealer) recipient(ctx context.Context, c client.Client, alg string) (jose.JWK, error) {
	keys, err := s.Keys.Keys(ctx, c, "")
	if err != nil && !errors.Is(err, client.ErrKeys) {
		return jose.JWK{}, err
	}
	key, err := jwe.KeyOf(keys, alg)
	if err != nil {
		return jose.JWK{}, oauth.Because(oauth.InvalidClient, "none of the client's keys fits the encryption that it registered", err)
	}
	return key, nil
}
