package node

import (
	"errors"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sqlstore/oidcstore"
	"github.com/hufu-id/hufu/keys"
	"github.com/hufu-id/hufu/oidc"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/grant"
	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/wallet/issuer"
	"github.com/hufu-id/hufu/web"
)

func get(t *testing.T, n *Node, path string) *httptest.ResponseRecorder {
	t.Helper()
	rec := httptest.NewRecorder()
	n.Handler().ServeHTTP(rec, httptest.NewRequest("GET", testOrigin+path, nil))
	if rec.Code != 200 {
		t.Fatalf("%s answered %d: %s", path, rec.Code, rec.Body)
	}
	return rec
}

// What a verifier without a network needs for every format: all versions of a type with the pictures that their metadata name, and documents of mdoc.
func TestBundleHasEveryVersionWithItsImagesAndDocTypes(t *testing.T) {
	n := open(t)
	root, err := n.TrustRoot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, err := bundle.Verify(root, get(t, n, "/bundle.zip").Body.Bytes(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	i, _ := c.IssuerByCode("1199440000TRY002X9")
	docs := map[string]string{}
	for _, a := range i.Authorised {
		docs[strings.TrimPrefix(a.VCT, testOrigin+"/types/")] = a.DocType
	}
	if len(docs) != 2 || docs["driving-licence/1"] != "" || docs["driving-licence/2"] != "org.iso.18013.5.1.mDL" {
		t.Errorf("authorised: %v", docs)
	}
	pictures := regexp.MustCompile(`"uri":\s*"([^"]+)",\s*"uri#integrity":\s*"([^"]+)"`)
	found := map[string]bool{}
	for vct, m := range c.Types {
		for _, p := range pictures.FindAllStringSubmatch(string(m.Raw), -1) {
			found[p[1]] = true // each language names it
			if c.Images[p[1]].Integrity != p[2] {
				t.Errorf("%s: picture %s is %q, not %q", vct, p[1], c.Images[p[1]].Integrity, p[2])
			}
		}
	}
	if len(found) == 0 || len(c.Images) != len(found) {
		t.Errorf("%d pictures in metadata, %d in the bundle", len(found), len(c.Images))
	}
}

// T08: after hufu keys revoke the stolen key is in no published key set, and the next bundle, a second later, says since when it isn't to be believed.
func TestT08RevokedKeyIsInTheNextBundleAndInNoKeySet(t *testing.T) {
	n := open(t)
	const code = "1199440000TRY002X9"
	contents := func() *bundle.Contents {
		if err := n.Publish(t.Context()); err != nil {
			t.Fatal(err)
		}
		root, err := n.TrustRoot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		c, err := bundle.Verify(root, get(t, n, "/bundle.zip").Body.Bytes(), time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	iacas := 0
	for _, a := range contents().Anchors {
		if a.Purpose == "iaca" {
			iacas++
		}
	}
	if i, _ := contents().IssuerByCode(code); iacas != 1 || len(i.Revoked) != 0 {
		t.Fatalf("before: %d IACA, revoked %v", iacas, i.Revoked)
	}
	since := time.Now().Add(-time.Hour).UTC().Truncate(time.Second)
	stolen := map[string]bool{}
	for _, p := range []keys.Purpose{keys.Credential(code), keys.DocumentSigner(code)} {
		r, err := n.keys.Revoke(t.Context(), p, keys.RevokeOptions{CompromisedAt: since})
		if err != nil {
			t.Fatal(err)
		}
		stolen[r.Retired] = true
		if text := get(t, n, "/.well-known/jwt-vc-issuer/i/"+code).Body.String(); strings.Contains(text, r.Retired) {
			t.Errorf("%s is still published", p)
		}
	}
	i, _ := contents().IssuerByCode(code)
	if len(i.Revoked) != 2 {
		t.Fatalf("revoked %v", i.Revoked)
	}
	for _, k := range i.Revoked {
		if !stolen[k.Thumbprint] || !k.CompromisedAt.Equal(since) {
			t.Errorf("revoked %+v", k)
		}
	}
	if crl := get(t, n, crlPath); crl.Header().Get("Content-Type") != "application/pkix-crl" || crl.Body.Len() < 100 {
		t.Errorf("revocation list: %v", crl.Header())
	}
	oidcKey, err := n.keys.Revoke(t.Context(), keys.OIDC, keys.RevokeOptions{CompromisedAt: since})
	if err != nil {
		t.Fatal(err)
	}
	if set := get(t, n, "/jwks"); strings.Contains(set.Body.String(), oidcKey.Retired) || !strings.Contains(set.Body.String(), oidcKey.Activated) {
		t.Errorf("jwks: %s", set.Body)
	} else if c := set.Header().Get("Cache-Control"); !strings.Contains(c, "max-age=300") {
		t.Errorf("online verifiers may keep our keys for %q, not five minutes", c)
	}
}

// T05: a token that a retired key signs is good if it says that it is from the key's life, and nothing if it is from after. A stolen old key makes no new
// tokens; a revoked one makes none at all.
func TestT05ARetiredKeySignsNoFreshAccessToken(t *testing.T) {
	n := open(t)
	w := oidc.Client{ID: "w", Name: web.Plain("w"), Service: web.Plain("w"), RedirectURIs: []string{"http://localhost/cb"}, AuthMethod: client.None, Public: true,
		GrantTypes: []string{client.AuthorizationCode}, Scopes: []string{"driving-licence"}}
	if err := n.provider.Clients().Put(t.Context(), w); err != nil {
		t.Fatal(err)
	}
	const aud = testOrigin + "/i/1199440000TRY002X9"
	now := time.Now()
	old, err := signingKey(t.Context(), n.keys, keys.OIDC) // the thief's copy
	if err != nil {
		t.Fatal(err)
	}
	token := func(id string, issued time.Time) string {
		g := grant.Grant{ID: id, Type: client.AuthorizationCode, ClientID: "w", Subject: "s-" + id, PersonID: "p", Scopes: []string{"driving-licence"}, Audience: []string{aud},
			CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
		if err := oidcstore.New(n.db, nil).PutGrant(t.Context(), g, audit.Event{Kind: "oidc.test"}); err != nil {
			t.Fatal(err)
		}
		text, err := jose.SignJSON(old, jose.Header{Typ: grant.Type}, map[string]any{"iss": testOrigin, "aud": aud, "sub": g.Subject, "client_id": "w", "gid": id,
			"jti": id, "scope": "driving-licence", "iat": issued.Unix(), "exp": now.Add(time.Hour).Unix()})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	good := func(text string) bool {
		_, err := accessTokens{n}.Validate(t.Context(), text, aud)
		if err != nil && !errors.Is(err, issuer.ErrInvalidToken) {
			t.Fatal(err)
		}
		return err == nil
	}
	const before = -2 * time.Hour // our key is minutes old, so that is before it lived
	if !good(token("a", now)) || good(token("b", now.Add(before))) {
		t.Fatal("an active key signs now, and not before it lived")
	}
	known := token("c", now)
	if !good(known) {
		t.Fatal("the twin")
	}
	if _, err := n.keys.Rotate(t.Context(), keys.OIDC, keys.RotateOptions{Force: true}); err != nil {
		t.Fatal(err)
	}
	all, err := n.keys.Keys(t.Context(), keys.OIDC)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 2 || all[1].ID != old.ID || !all[1].SignedAt(now, keySlack) || all[1].SignedAt(now.Add(time.Hour), keySlack) {
		t.Fatalf("%v", all)
	}
	if !good(token("d", now)) {
		t.Error("from its life, by a retired key: refused")
	}
	if lived, err := (providerKeys{n.keys}).SignedAt(t.Context(), old.ID, now.Add(2*keySlack)); err != nil || lived {
		t.Errorf("from after its life: %v, %v", lived, err)
	}
	if _, err := n.keys.Revoke(t.Context(), keys.OIDC, keys.RevokeOptions{Key: old.ID}); err != nil {
		t.Fatal(err)
	}
	if good(known) || good(token("e", now)) {
		t.Error("T08: a revoked key still vouches for tokens, also those that were seen before")
	}
}
