package issuer_test

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"testing"

	"github.com/hufu-id/hufu/internal/jose"
)

// signRaw signs any input as a JWS would be, so that tests can make tokens that internal/jose refuses to make.
func signRaw(t testing.TB, key jose.SigningKey, input string) string {
	t.Helper()
	if key.Alg == jose.EdDSA {
		sig, err := key.Key.Sign(rand.Reader, []byte(input), crypto.Hash(0))
		must(t, err)
		return input + "." + base64.RawURLEncoding.EncodeToString(sig)
	}
	digest := sha256.Sum256([]byte(input))
	der, err := key.Key.Sign(rand.Reader, digest[:], crypto.SHA256)
	must(t, err)
	var rs struct{ R, S *big.Int }
	_, err = asn1.Unmarshal(der, &rs)
	must(t, err)
	raw := make([]byte, 64)
	rs.R.FillBytes(raw[:32])
	rs.S.FillBytes(raw[32:])
	return input + "." + base64.RawURLEncoding.EncodeToString(raw)
}
