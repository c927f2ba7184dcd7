package issuer

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
)

var randReader io.Reader = rand.Reader

// derivedKeys are the keys of one use each that come from Config.Secret: one key for two uses would let a value made for one
// be presented for the other.
type derivedKeys struct {
	nonce, code, txCode, txMAC, state []byte
}

func deriveKeys(secret []byte) derivedKeys {
	return derivedKeys{
		nonce:  mac(secret, "hufu/issuer/nonce/1"),
		code:   mac(secret, "hufu/issuer/pre-authorized-code/1"),
		txCode: mac(secret, "hufu/issuer/tx-code/1"),
		txMAC:  mac(secret, "hufu/issuer/tx-code-mac/1"),
		state:  mac(secret, "hufu/issuer/issuer-state/1"),
	}
}

// mac is HMAC-SHA-256 over the parts, each after its length so that no two lists of parts give the same input.
func mac(key []byte, parts ...string) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		_ = binary.Write(h, binary.BigEndian, uint64(len(p)))
		_, _ = io.WriteString(h, p)
	}
	return h.Sum(nil)
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// hash is how ids and codes are kept: who reads the database can't use them.
func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return b64(sum[:])
}

// opaqueID returns a new id of 192 random bits.
func (i *Issuer) opaqueID() (string, error) {
	var b [24]byte
	if _, err := io.ReadFull(i.cfg.Rand, b[:]); err != nil {
		return "", fmt.Errorf("issuer: reading randomness: %w", err)
	}
	return b64(b[:]), nil
}

// preAuthorizedCode, issuerState and txCode are functions of the offer's opaque id. So the offer can be shown again (a reloaded
// page, an offer fetched by reference on another node) while the database keeps nothing from which to compute them.
func (i *Issuer) preAuthorizedCode(opaque string) string { return b64(mac(i.keys.code, opaque)) }

func (i *Issuer) issuerState(opaque string) string { return b64(mac(i.keys.state, opaque)) }

// txCode returns six digits. The bias of the modulus is 2^-44 of a digit.
func (i *Issuer) txCode(opaque string) string {
	n := binary.BigEndian.Uint64(mac(i.keys.txCode, opaque))
	return fmt.Sprintf("%06d", n%1_000_000)
}

// txMAC is what is kept of a transaction code: keyed, because a plain hash of six digits is undone in a millisecond.
func (i *Issuer) txMAC(offerID, txCode string) string { return b64(mac(i.keys.txMAC, offerID, txCode)) }
