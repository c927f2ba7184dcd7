package node

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sqlstore/oidcstore"
	"github.com/hufu-id/hufu/keys"
	"github.com/hufu-id/hufu/oidc"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/grant"
	"github.com/hufu-id/hufu/wallet/issuer"
	"github.com/hufu-id/hufu/wallet/register"
	"github.com/hufu-id/hufu/web"
)

// bearer records a grant and signs an access token of it.
func bearer(t *testing.T, n *Node, g grant.Grant) string {
	t.Helper()
	now := time.Now()
	g.ID, g.CreatedAt, g.ExpiresAt = "g-"+g.Subject, now, now.Add(time.Minute)
	if err := oidcstore.New(n.db, nil).PutGrant(t.Context(), g, audit.Event{Kind: "oidc.test"}); err != nil {
		t.Fatal(err)
	}
	key, err := signingKey(t.Context(), n.keys, keys.OIDC)
	if err != nil {
		t.Fatal(err)
	}
	token, err := jose.SignJSON(key, jose.Header{Typ: grant.Type}, map[string]any{"iss": testOrigin, "aud": g.Audience, "sub": g.Subject, "client_id": g.ClientID,
		"gid": g.ID, "jti": g.ID, "scope": g.Scopes[0], "authorization_details": g.Details, "iat": now.Unix(), "exp": g.ExpiresAt.Unix()})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// P12: everything that the credential issuer decides by reaches it: a field that an adapter forgets is a check that never fails. issuer_state
// forgotten gave the person another licence than the one offered.
func TestP12NothingOfATokenIsLostOnTheWayToTheIssuer(t *testing.T) {
	n := open(t)
	w := oidc.Client{ID: "w", Name: web.Plain("w"), Service: web.Plain("w"), RedirectURIs: []string{"http://localhost/cb"}, AuthMethod: client.None, Public: true,
		GrantTypes: []string{client.AuthorizationCode}, Scopes: []string{"driving-licence"}}
	if err := n.provider.Clients().Put(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	const aud = testOrigin + "/i/1199440000TRY002X9"
	token := bearer(t, n, grant.Grant{Type: client.AuthorizationCode, ClientID: "w", Subject: "s", PersonID: "p", OfferID: "o", ACR: "loa3", IssuerState: "state", Instance: "i",
		Scopes: []string{"driving-licence"}, Audience: []string{aud},
		Details: []json.RawMessage{json.RawMessage(`{"type":"openid_credential","credential_configuration_id":"driving-licence","credential_identifiers":["x"]}`)}})
	got, err := accessTokens{n}.Validate(t.Context(), token, aud)
	if err != nil {
		t.Fatal(err)
	}
	for v, i := reflect.ValueOf(got), 0; i < v.NumField(); i++ {
		if v.Field(i).IsZero() {
			t.Errorf("%s is lost", v.Type().Field(i).Name)
		}
	}
	// N01: the same token is nothing elsewhere.
	if _, err := (accessTokens{n}).Validate(t.Context(), token, aud+"x"); !errors.Is(err, issuer.ErrInvalidToken) {
		t.Errorf("another issuer: %v", err)
	}
	if _, err := (departments{n}).Authenticate(t.Context(), token); !errors.Is(err, register.ErrUnauthenticated) {
		t.Errorf("department API: %v", err)
	}
}

// What a department sends in the body of an offer request reaches the register as it is: a mistake of hers is an answer and never a
// fault of ours.
func TestOfferOfAnImpossibleTypeOrLicenceIsNoFault(t *testing.T) {
	l := licences{open(t)}
	const code = "1199440000TRY002X9"
	for _, typeID := range []string{"driving-licence", "no-such-type", "\x00", "\xff"} {
		if ids, err := l.OfReference(t.Context(), code, "nobody", typeID); err != nil || len(ids) != 0 {
			t.Errorf("%q: %v, %v", typeID, ids, err)
		}
	}
	for _, id := range []string{"1.2.3", "\x00", "a\x00b", "\xff"} {
		if _, err := l.Licence(t.Context(), id); !errors.Is(err, issuer.ErrNoLicence) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

// X01: the origin decides about HSTS, also when a proxy in front ends TLS. On plain loopback it would lock the person out of other programs.
func TestX01HSTSFollowsTheOrigin(t *testing.T) {
	for origin, want := range map[string]bool{"https://id.example": true, testOrigin: false} {
		rec := httptest.NewRecorder()
		openAt(t, origin).Handler().ServeHTTP(rec, httptest.NewRequest("GET", origin+"/", nil))
		if got := rec.Header().Get("Strict-Transport-Security") != ""; got != want {
			t.Errorf("%s: HSTS %v", origin, got)
		}
	}
}

// Both keys are made at a start that lacks them, and stay at the next.
func TestProviderKeysOfBothAlgorithms(t *testing.T) {
	dir, kek := t.TempDir(), [32]byte{}
	if _, err := rand.Read(kek[:]); err != nil {
		t.Fatal(err)
	}
	db := "sqlite:" + filepath.Join(dir, "hufu.db")
	start := func() providerKeys {
		n, err := Open(t.Context(), Options{KEK: kek, Migrate: true, AllowHTTP: true, Config: Config{Origin: testOrigin, Database: db}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(n.Close)
		return providerKeys{n.keys}
	}
	first := start()
	published, err := first.VerificationKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range []providerKeys{first, start()} {
		for _, alg := range []jose.Alg{jose.ES256, jose.RS256} {
			key, err := k.SigningKey(t.Context(), alg)
			if err != nil || key.Alg != alg || !slices.ContainsFunc(published, func(p jose.JWK) bool { return p.KeyID() == key.ID && p.Alg() == alg && p.Use() == "sig" }) {
				t.Errorf("%s: %v, %v", alg, key, err)
			}
		}
		if _, err := k.SigningKey(t.Context(), jose.PS256); !errors.Is(err, jose.ErrAlgorithm) {
			t.Errorf("PS256: %v", err)
		}
	}
}
