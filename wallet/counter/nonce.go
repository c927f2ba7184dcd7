package counter

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// NonceLife is how long a challenge can be answered.
const NonceLife = 15 * time.Minute

// claimLife is how long a used answer is remembered: longer than any answer to it can be accepted.
const claimLife = time.Hour

// nonces are stateless: time and randomness under a MAC, so that any node knows its counter's own. That one is answered once is decided by a claim.
type nonces struct{ key []byte }

const (
	nonceTime   = 8
	nonceRandom = 16
	nonceMAC    = 16
)

func (n nonces) mac(head []byte) []byte {
	m := hmac.New(sha256.New, n.key)
	m.Write(head)
	return m.Sum(nil)[:nonceMAC]
}

// make returns a new nonce.
func (n nonces) make(now time.Time) string {
	head := make([]byte, nonceTime, nonceTime+nonceRandom+nonceMAC)
	binary.BigEndian.PutUint64(head, uint64(now.UnixMicro()))
	head = append(head, random(nonceRandom)...)
	return base64.RawURLEncoding.EncodeToString(append(head, n.mac(head)...))
}

// ours says whether the nonce is one of this counter's that can still be answered.
func (n nonces) ours(text string, now time.Time) bool {
	b, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(b) != nonceTime+nonceRandom+nonceMAC {
		return false
	}
	head := b[:nonceTime+nonceRandom]
	if !hmac.Equal(b[len(head):], n.mac(head)) {
		return false
	}
	age := now.Sub(time.UnixMicro(int64(binary.BigEndian.Uint64(head))))
	return age >= -time.Minute && age <= NonceLife // another node's clock may be ahead
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails since Go 1.24
	return b
}

// derive makes a key for one use.
func derive(key []byte, use string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte("hufu counter " + use))
	return m.Sum(nil)
}
