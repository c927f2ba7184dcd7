package oidc_test

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"net/url"
	"strings"
	"testing"

	rp "github.com/coreos/go-oidc/v3/oidc"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc/client"
)

// rs256 registers a client that is app but for the algorithm of its ID tokens.
func (e *env) rs256() {
	e.t.Helper()
	c, err := e.op.Clients().Get(context.Background(), "app")
	must(e.t, err)
	c.ID, c.IDTokenSignedAlg = "rs256", jose.RS256
	must(e.t, e.op.Clients().Put(context.Background(), c))
}

// part decodes one part of a compact token.
func part(t testing.TB, token string, i int) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[i])
	must(t, err)
	return b
}

func headerOf(t testing.TB, token string) (h struct{ Alg, Kid, Typ string }) {
	t.Helper()
	must(t, json.Unmarshal(part(t, token, 0), &h))
	return h
}

func TestIDTokensAreSignedAsTheClientRegistered(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	e.rs256()
	provider, err := rp.NewProvider(context.Background(), e.issuer)
	must(t, err)
	for id, alg := range map[string]string{"rs256": "RS256", "app": "ES256"} {
		tok := e.token(redeem(e.code(request(id))), "Authorization", basic(id, e.secret))
		idHeader, accessHeader := headerOf(t, tok.ID), headerOf(t, tok.Access)
		if idHeader.Alg != alg || accessHeader.Alg != "ES256" || (idHeader.Kid == accessHeader.Kid) != (alg == "ES256") {
			t.Errorf("%s: ID token %+v, access token %+v", id, idHeader, accessHeader)
		}
		for _, accepted := range []string{"RS256", "ES256"} {
			parsed, err := provider.Verifier(&rp.Config{ClientID: id, SupportedSigningAlgs: []string{accepted}}).Verify(context.Background(), tok.ID)
			if (err == nil) != (accepted == alg) {
				t.Errorf("%s with a relying party of %s: %v", id, accepted, err)
			} else if err == nil {
				must(t, parsed.VerifyAccessToken(tok.Access))
			}
		}
		out := e.browser().get("/logout?" + url.Values{"id_token_hint": {tok.ID}, "post_logout_redirect_uri": {"https://rp.example/out"}}.Encode())
		if out.location == nil || !strings.HasPrefix(out.location.String(), "https://rp.example/out") {
			t.Errorf("%s: its own ID token is no hint: %d %.300s", id, out.status, out.body)
		}
	}
}

// The standard library alone is enough for a client of RS256.
func TestRS256IDTokenVerifiesWithTheStandardLibrary(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	e.rs256()
	tok := e.token(redeem(e.code(request("rs256"))), "Authorization", basic("rs256", e.secret))
	var set struct{ Keys []map[string]string }
	must(t, json.Unmarshal([]byte(e.browser().get("/jwks").body), &set))
	kids := map[string]bool{}
	for _, k := range set.Keys {
		if k["use"] != "sig" || k["alg"] == "" || k["kid"] == "" || kids[k["kid"]] {
			t.Errorf("published key without use, alg or a kid of its own: %v", k)
		}
		kids[k["kid"]] = true
		if k["kid"] != headerOf(t, tok.ID).Kid {
			continue
		}
		n, err := base64.RawURLEncoding.DecodeString(k["n"])
		must(t, err)
		digest := sha256.Sum256([]byte(tok.ID[:strings.LastIndexByte(tok.ID, '.')]))
		must(t, rsa.VerifyPKCS1v15(&rsa.PublicKey{N: new(big.Int).SetBytes(n), E: 65537}, crypto.SHA256, digest[:], part(t, tok.ID, 2)))
		var claims map[string]any
		must(t, json.Unmarshal(part(t, tok.ID, 1), &claims))
		half := sha256.Sum256([]byte(tok.Access))
		if claims["at_hash"] != base64.RawURLEncoding.EncodeToString(half[:16]) {
			t.Errorf("at_hash: %v", claims["at_hash"])
		}
		return
	}
	t.Errorf("/jwks lacks the key of the ID token: %v", set.Keys)
}

// The key for RS256 signs ID tokens and nothing else: not even a token with all marks of an access token passes by it.
func TestN01KeyOfRS256SignsNoAccessTokens(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	e.rs256()
	tok := e.token(redeem(e.code(request("rs256"))), "Authorization", basic("rs256", e.secret))
	var claims map[string]any
	must(t, json.Unmarshal(part(t, tok.Access, 1), &claims))
	key, err := rsaKey()
	must(t, err)
	sign := func(k jose.SigningKey, typ string) string {
		s, err := jose.SignJSON(k, jose.Header{Typ: typ}, claims)
		must(t, err)
		return s
	}
	for name, c := range map[string]struct {
		bearer string
		status int
	}{
		"N01 RS256 ID token":                    {tok.ID, 401},
		"N01 access token by RS256":             {sign(key, "at+jwt"), 401},
		"twin: the same claims by ES256":        {sign(e.world.key, "at+jwt"), 200},
		"N01 access token typed as an ID token": {sign(e.world.key, "JWT"), 401},
	} {
		if status, _ := e.userinfo(c.bearer); status != c.status {
			t.Errorf("%s: %d", name, status)
		}
	}
}

func TestUnknownIDTokenAlgorithmIsNotRegistered(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	c, err := e.op.Clients().Get(context.Background(), "app")
	must(t, err)
	for alg, ok := range map[jose.Alg]bool{"": true, jose.ES256: true, jose.RS256: true, jose.PS256: false, "none": false, "HS256": false} {
		c.IDTokenSignedAlg = alg
		if err := e.op.Clients().Put(context.Background(), c); ok != (err == nil) || err != nil && !errors.Is(err, client.ErrInvalid) {
			t.Errorf("%q: %v", alg, err)
		}
	}
	if body := e.browser().get("/.well-known/openid-configuration").body; !strings.Contains(body, `"id_token_signing_alg_values_supported":["ES256","RS256"]`) {
		t.Errorf("discovery: %s", body)
	}
}
