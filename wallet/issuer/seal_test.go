package issuer_test

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"testing"
)

// sealRaw encrypts by the letter of RFC 7516 and 7518 with the standard library alone, with header members changed or added.
func sealRaw(t testing.TB, to box, payload []byte, change map[string]any) string {
	t.Helper()
	enc := base64.RawURLEncoding.EncodeToString
	ephemeral, err := ecdh.P256().GenerateKey(rand.Reader)
	must(t, err)
	point := ephemeral.PublicKey().Bytes()
	header := map[string]any{"alg": "ECDH-ES", "enc": "A256GCM", "kid": to.pub.KeyID(),
		"epk": map[string]string{"kty": "EC", "crv": "P-256", "x": enc(point[1:33]), "y": enc(point[33:])}}
	for name, value := range change {
		header[name] = value
	}
	h, err := json.Marshal(header)
	must(t, err)
	secret, err := ephemeral.ECDH(to.key.PublicKey())
	must(t, err)
	// Concat KDF, RFC 7518 section 4.6.2: one round is enough for 256 bits.
	info := binary.BigEndian.AppendUint32(nil, 1)
	info = append(info, secret...)
	info = append(binary.BigEndian.AppendUint32(info, uint32(len("A256GCM"))), "A256GCM"...)
	info = binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(info, 0), 0)
	info = binary.BigEndian.AppendUint32(info, 256)
	key := sha256.Sum256(info)
	block, err := aes.NewCipher(key[:])
	must(t, err)
	gcm, err := cipher.NewGCM(block)
	must(t, err)
	nonce := make([]byte, gcm.NonceSize())
	_, _ = rand.Read(nonce)
	protected := enc(h)
	sealed := gcm.Seal(nil, nonce, payload, []byte(protected))
	cut := len(sealed) - gcm.Overhead()
	return protected + ".." + enc(nonce) + "." + enc(sealed[:cut]) + "." + enc(sealed[cut:])
}
