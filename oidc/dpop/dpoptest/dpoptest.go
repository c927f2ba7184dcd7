// Package dpoptest makes DPoP proofs for tests.
package dpoptest

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
)

// NewKey makes a key for proofs and its thumbprint.
func NewKey(t testing.TB) (key jose.SigningKey, thumbprint string) {
	t.Helper()
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	return key, key.ID
}

// Claims are those of a good proof, with a jti of its own. accessToken may be "".
func Claims(method, url, accessToken string, at time.Time) map[string]any {
	c := map[string]any{"jti": rand.Text(), "htm": method, "htu": url, "iat": at.Unix()}
	if accessToken != "" {
		sum := sha256.Sum256([]byte(accessToken))
		c["ath"] = base64.RawURLEncoding.EncodeToString(sum[:])
	}
	return c
}

// Sign makes the header value.
func Sign(t testing.TB, key jose.SigningKey, claims map[string]any) string {
	t.Helper()
	pub, err := key.Public()
	if err != nil {
		t.Fatal(err)
	}
	proof, err := jose.SignJSON(key, jose.Header{Typ: "dpop+jwt", JWK: &pub}, claims)
	if err != nil {
		t.Fatal(err)
	}
	return proof
}

// Proof is Sign of Claims.
func Proof(t testing.TB, key jose.SigningKey, method, url, accessToken string, at time.Time) string {
	t.Helper()
	return Sign(t, key, Claims(method, url, accessToken, at))
}
