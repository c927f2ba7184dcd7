package request

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// A nonce is 8 bytes of time (Unix milliseconds), 16 random bytes and a 24 byte MAC over both and the Credential Issuer, in
// base64url. So asking for one writes nothing, whoever asks and however often; only one that was used leaves a row.
const (
	nonceLifetime = 5 * time.Minute
	// nonceSkew is how far ahead the clock of the node that made a nonce may be.
	nonceSkew     = 30 * time.Second
	nonceRandom   = 16
	nonceMAC      = 24
	nonceBytes    = 8 + nonceRandom + nonceMAC
	nonceEncoding = nonceBytes * 8 / 6
)

// ErrNonce says that a nonce is not ours, not this issuer's or too old.
var ErrNonce = errors.New("request: nonce not valid")

// Nonces makes nonces and checks them. It keeps nothing: every node with the same key knows them.
type Nonces struct {
	// Key is 32 bytes, the same on all nodes and used for nothing else.
	Key  []byte
	Now  func() time.Time
	Rand io.Reader
}

// New returns a fresh nonce for one Credential Issuer.
func (n Nonces) New(identifier string) (string, error) {
	b := make([]byte, 8+nonceRandom, nonceBytes)
	binary.BigEndian.PutUint64(b, uint64(n.Now().UnixMilli()))
	if _, err := io.ReadFull(n.Rand, b[8:]); err != nil {
		return "", fmt.Errorf("request: reading randomness: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(append(b, n.mac(identifier, b)...)), nil
}

// mac covers body, whose length is fixed, and then the issuer.
func (n Nonces) mac(identifier string, body []byte) []byte {
	h := hmac.New(sha256.New, n.Key)
	h.Write(body)
	_, _ = io.WriteString(h, identifier)
	return h.Sum(nil)[:nonceMAC]
}

// Check returns when a nonce of ours stops being accepted by any node. It does not know whether the nonce was used. ErrNonce.
func (n Nonces) Check(identifier, nonce string) (expires time.Time, err error) {
	// Strict, and of one length: two spellings of one nonce would be two nonces for the set of used ones.
	if len(nonce) != nonceEncoding || strings.ContainsAny(nonce, "\r\n") {
		return expires, ErrNonce
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(nonce)
	if err != nil || len(b) != nonceBytes {
		return expires, ErrNonce
	}
	body := b[:8+nonceRandom]
	if !hmac.Equal(b[8+nonceRandom:], n.mac(identifier, body)) {
		return expires, ErrNonce
	}
	made := time.UnixMilli(int64(binary.BigEndian.Uint64(body)))
	now := n.Now()
	expires = made.Add(nonceLifetime)
	if !now.Before(expires) || made.After(now.Add(nonceSkew)) {
		return expires, ErrNonce
	}
	// A node whose clock is behind accepts it a little longer; who remembers used nonces must not forget it before.
	return expires.Add(nonceSkew), nil
}
