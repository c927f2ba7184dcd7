package dpop

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// nonceStep is how long a nonce is the current one.
const nonceStep = 5 * time.Minute

// Nonces makes and knows the server's nonces (RFC 9449 section 8). They are a keyed hash of the time: nothing is stored, and every node with the same
// secret knows those of the others. A nonce says when a proof was made, not that it wasn't seen before. Safe for concurrent use.
type Nonces struct{ secret []byte }

// NewNonces keeps the secret, which should have 32 random bytes and must not be used for anything else.
func NewNonces(secret []byte) *Nonces { return &Nonces{secret: append([]byte(nil), secret...)} }

// Current is the nonce to hand out at now. It is good for five to ten minutes.
func (n *Nonces) Current(now time.Time) string { return n.at(step(now)) }

// Valid says whether nonce is one of ours: the current one or the one before. The next one is good too, because another node, whose clock is
// a little ahead, may have handed it out already.
func (n *Nonces) Valid(nonce string, now time.Time) bool {
	valid := false
	for _, d := range []int64{0, -1, 1} {
		valid = hmac.Equal([]byte(nonce), []byte(n.at(step(now)+d))) || valid
	}
	return valid
}

func step(t time.Time) int64 { return t.Unix() / int64(nonceStep/time.Second) }

func (n *Nonces) at(step int64) string {
	m := hmac.New(sha256.New, n.secret)
	m.Write([]byte("hufu dpop nonce\x00")) // keeps it apart, should the secret be used elsewhere after all
	m.Write(binary.BigEndian.AppendUint64(nil, uint64(step)))
	return base64.RawURLEncoding.EncodeToString(m.Sum(nil)[:18])
}
