package roca

import (
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"testing"
)

// TestT07Fingerprint: a modulus that is a power of 65537 modulo every small prime is recognised; an ordinary one isn't.
func TestT07Fingerprint(t *testing.T) {
	if !Vulnerable(new(big.Int).Exp(big.NewInt(65537), big.NewInt(129), nil)) {
		t.Error("a power of 65537 isn't recognised")
	}
	if !Vulnerable(big.NewInt(3 * 1_000_003)) {
		t.Error("a small factor isn't recognised")
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	if Vulnerable(key.N) {
		t.Error("a good key is refused")
	}
}
