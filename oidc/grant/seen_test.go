package grant_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc/grant"
)

// oneGrant is a store of one grant.
type oneGrant struct {
	grant.Store
	g grant.Grant
}

func (s *oneGrant) Grant(_ context.Context, id string) (grant.Grant, error) {
	if id != s.g.ID {
		return grant.Grant{}, grant.ErrUnknown
	}
	return s.g, nil
}

// A token whose signature was checked once is refused the moment that anything else is wrong with it.
func TestATokenSeenBeforeIsJudgedAnew(t *testing.T) {
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.Public()
	if err != nil {
		t.Fatal(err)
	}
	other, _ := jose.GenerateKey(jose.ES256)
	next, err := other.Public()
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now().Truncate(time.Second)
	token, err := jose.SignJSON(key, jose.Header{Typ: grant.Type}, map[string]any{"iss": "https://id.example", "sub": "offer:1", "jti": "j", "gid": "g",
		"aud": []string{"https://api.example"}, "scope": "a b", "iat": start.Unix(), "exp": start.Add(time.Minute).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	good := grant.Grant{ID: "g", Subject: "offer:1", Scopes: []string{"a", "b"}}
	for _, c := range []struct {
		name  string
		later func(v *grant.Verifier, s *oneGrant, token *string)
		ok    bool
	}{
		{"nothing changed", func(*grant.Verifier, *oneGrant, *string) {}, true},
		{"a second before its end", func(v *grant.Verifier, _ *oneGrant, _ *string) {
			v.Now = func() time.Time { return start.Add(59 * time.Second) }
		}, true},
		{"at its end", func(v *grant.Verifier, _ *oneGrant, _ *string) {
			v.Now = func() time.Time { return start.Add(time.Minute) }
		}, false},
		{"before its time", func(v *grant.Verifier, _ *oneGrant, _ *string) {
			v.Now = func() time.Time { return start.Add(-time.Second) }
		}, false},
		{"a key more", func(v *grant.Verifier, _ *oneGrant, _ *string) {
			v.Keys = func(context.Context) ([]jose.JWK, error) { return []jose.JWK{next, public}, nil }
		}, true},
		{"its key is gone", func(v *grant.Verifier, _ *oneGrant, _ *string) {
			v.Keys = func(context.Context) ([]jose.JWK, error) { return []jose.JWK{next}, nil }
		}, false},
		{"its grant was revoked", func(_ *grant.Verifier, s *oneGrant, _ *string) { s.g.RevokedAt = start }, false},
		{"its grant is gone", func(_ *grant.Verifier, s *oneGrant, _ *string) { s.g.ID = "h" }, false},
		{"its grant is another's", func(_ *grant.Verifier, s *oneGrant, _ *string) { s.g.Subject = "offer:2" }, false},
		{"another signature", func(_ *grant.Verifier, _ *oneGrant, token *string) { *token = (*token)[:len(*token)-4] + "AAAA" }, false},
		{"a line feed more", func(_ *grant.Verifier, _ *oneGrant, token *string) { *token += "\n" }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := &oneGrant{g: good}
			v := &grant.Verifier{Issuer: "https://id.example", Store: store, Now: func() time.Time { return start },
				Keys:     func(context.Context) ([]jose.JWK, error) { return []jose.JWK{public}, nil },
				SignedAt: func(context.Context, string, time.Time) (bool, error) { return true, nil }}
			token := token
			for range 2 {
				if _, err := v.Validate(t.Context(), token, "https://api.example"); err != nil {
					t.Fatal(err)
				}
			}
			if _, err := v.Validate(t.Context(), token, "https://other.example"); !errors.Is(err, grant.ErrToken) {
				t.Errorf("for another audience: %v", err)
			}
			c.later(v, store, &token)
			if _, err := v.Validate(t.Context(), token, "https://api.example"); c.ok != (err == nil) || err != nil && !errors.Is(err, grant.ErrToken) {
				t.Errorf("%v", err)
			}
		})
	}
}

// T05: a token is dated within the life of the key that signed it, or it is a forgery by an old key.
func TestT05ATokenIsDatedWithinTheLifeOfItsKey(t *testing.T) {
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	public, err := key.Public()
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now().Truncate(time.Second)
	token, err := jose.SignJSON(key, jose.Header{Typ: grant.Type}, map[string]any{"iss": "https://id.example", "sub": "offer:1", "jti": "j", "gid": "g",
		"aud": []string{"https://api.example"}, "scope": "a b", "iat": start.Unix(), "exp": start.Add(time.Minute).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	for end, ok := range map[time.Time]bool{start: true, start.Add(-time.Second): false} {
		v := &grant.Verifier{Issuer: "https://id.example", Store: &oneGrant{g: grant.Grant{ID: "g", Subject: "offer:1", Scopes: []string{"a", "b"}}},
			Now: func() time.Time { return start }, Keys: func(context.Context) ([]jose.JWK, error) { return []jose.JWK{public}, nil },
			SignedAt: func(_ context.Context, kid string, at time.Time) (bool, error) {
				return kid == key.ID && !at.After(end), nil
			}}
		if _, err := v.Validate(t.Context(), token, "https://api.example"); ok != (err == nil) || err != nil && !errors.Is(err, grant.ErrToken) {
			t.Errorf("key in use until %s: %v", end, err)
		}
	}
}
