package issuer

import (
	"crypto/hmac"
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

// errNonce says that a nonce is not ours, not this issuer's or too old.
var errNonce = errors.New("issuer: nonce not valid")

func (i *Issuer) newNonce(identifier string) (string, error) {
	b := make([]byte, 8+nonceRandom, nonceBytes)
	binary.BigEndian.PutUint64(b, uint64(i.cfg.Now().UnixMilli()))
	if _, err := io.ReadFull(i.cfg.Rand, b[8:]); err != nil {
		return "", fmt.Errorf("issuer: reading randomness: %w", err)
	}
	return b64(append(b, i.nonceMAC(identifier, b)...)), nil
}

func (i *Issuer) nonceMAC(identifier string, b []byte) []byte {
	return mac(i.keys.nonce, identifier, string(b))[:nonceMAC]
}

// checkNonce returns when a nonce of ours stops being accepted. It does not know whether the nonce was used.
func (i *Issuer) checkNonce(identifier, nonce string) (expires time.Time, err error) {
	// Strict, and of one length: two spellings of one nonce would be two nonces for the set of used ones.
	if len(nonce) != nonceEncoding || strings.ContainsAny(nonce, "\r\n") {
		return expires, errNonce
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(nonce)
	if err != nil || len(b) != nonceBytes {
		return expires, errNonce
	}
	body := b[:8+nonceRandom]
	if !hmac.Equal(b[8+nonceRandom:], i.nonceMAC(identifier, body)) {
		return expires, errNonce
	}
	made := time.UnixMilli(int64(binary.BigEndian.Uint64(body)))
	now := i.cfg.Now()
	expires = made.Add(nonceLifetime)
	if !now.Before(expires) || made.After(now.Add(nonceSkew)) {
		return expires, errNonce
	}
	return expires, nil
}
