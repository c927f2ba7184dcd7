package grant

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"math"
)

// ErrRefreshToken: not a refresh token that this server made.
var ErrRefreshToken = errors.New("grant: not one of our refresh tokens")

// maxRefreshToken is longer than any that we make.
const maxRefreshToken = 200

// RefreshTokens makes and reads refresh tokens. Nothing of a token is kept: it names its grant and its generation under a keyed hash, so
// that whoever reads the database can't make one, and two nodes make the same one. Safe for concurrent use.
type RefreshTokens struct{ key []byte }

// NewRefreshTokens derives the key of an issuer's refresh tokens from a secret of 32 bytes that every node has.
func NewRefreshTokens(secret []byte, issuer string) RefreshTokens {
	m := hmac.New(sha256.New, secret)
	m.Write([]byte("refresh token 1 " + issuer))
	return RefreshTokens{key: m.Sum(nil)}
}

// Make returns the one refresh token of a grant and a generation.
func (r RefreshTokens) Make(id string, generation int64) string {
	body := append(binary.BigEndian.AppendUint64(nil, uint64(generation)), id...)
	return base64.RawURLEncoding.EncodeToString(append(r.mac(body), body...))
}

// Parse returns the grant and the generation of a token that Make made. It says nothing about whether they are still good. ErrRefreshToken.
func (r RefreshTokens) Parse(token string) (id string, generation int64, err error) {
	if len(token) > maxRefreshToken {
		return "", 0, ErrRefreshToken
	}
	// The decoder skips line feeds: only the one spelling that we make will do.
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) <= sha256.Size+8 || base64.RawURLEncoding.EncodeToString(raw) != token {
		return "", 0, ErrRefreshToken
	}
	sum, body := raw[:sha256.Size], raw[sha256.Size:]
	n := binary.BigEndian.Uint64(body)
	if !hmac.Equal(sum, r.mac(body)) || n > math.MaxInt64 {
		return "", 0, ErrRefreshToken
	}
	return string(body[8:]), int64(n), nil
}

func (r RefreshTokens) mac(body []byte) []byte {
	m := hmac.New(sha256.New, r.key)
	m.Write(body)
	return m.Sum(nil)
}
