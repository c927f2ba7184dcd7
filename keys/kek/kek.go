// Package kek seals values with a key-encryption key (KEK) that never enters the database, and refuses KEKs that aren't random.
package kek

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
)

// Errors of this package; test with errors.Is.
var (
	// ErrWeak: the key-encryption key is missing, short, a sample or not random. The server must not start with it.
	ErrWeak = errors.New("keys: key-encryption key is missing or weak")
	// ErrWrong: something was sealed by another key-encryption key than the configured one.
	ErrWrong = errors.New("keys: sealed by another key-encryption key")
	// ErrBroken: sealed bytes were changed, or moved from another purpose, key or name.
	ErrBroken = errors.New("keys: sealed value is damaged")
)

// Parse reads a key-encryption key of 32 random bytes, written as base64 (either alphabet, padded or not) or as 64 hexadecimal digits. It
// refuses what isn't random (ErrWeak). The error never repeats the text.
func Parse(text string) (kek [32]byte, err error) {
	text = strings.TrimSpace(text)
	raw, err := hex.DecodeString(text)
	if err != nil {
		text = strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(text), "=")
		if raw, err = base64.RawURLEncoding.DecodeString(text); err != nil {
			return kek, fmt.Errorf("%w: neither base64 nor hexadecimal", ErrWeak)
		}
	}
	if len(raw) != len(kek) {
		return kek, fmt.Errorf("%w: %d bytes, not %d", ErrWeak, len(raw), len(kek))
	}
	copy(kek[:], raw)
	return kek, check(kek)
}

// Read reads the KEK from a file that only its owner may read.
func Read(path string) (kek [32]byte, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return kek, fmt.Errorf("keys: KEK file: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return kek, fmt.Errorf("%w: the KEK file can be read by others (mode %04o, expected 0600)", ErrWeak, info.Mode().Perm())
	}
	if info.Size() > 1024 {
		return kek, fmt.Errorf("%w: the KEK file is too long", ErrWeak)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return kek, fmt.Errorf("keys: KEK file: %w", err)
	}
	return Parse(string(text))
}

// New makes a KEK and its text for a file.
func New() (kek [32]byte, text string) {
	_, _ = rand.Read(kek[:]) // never fails since Go 1.24
	return kek, base64.RawURLEncoding.EncodeToString(kek[:])
}

// check refuses keys that somebody typed or copied: text, patterns, few different bytes. A random key fails each of these tests
// with a probability far below 2^-40.
func check(kek [32]byte) error {
	printable, steps := true, true
	distinct := map[byte]struct{}{}
	for i, b := range kek {
		printable = printable && b >= 0x20 && b < 0x7f
		steps = steps && (i < 2 || kek[i]-kek[i-1] == kek[1]-kek[0])
		distinct[b] = struct{}{}
	}
	switch {
	case printable:
		return fmt.Errorf("%w: it is text, not random bytes", ErrWeak)
	case steps, len(distinct) < 12:
		return fmt.Errorf("%w: it is empty, a sample or a pattern", ErrWeak)
	}
	return nil
}

// Sealer seals values with AES-256-GCM under the KEK. What a value is for is bound to it as additional data, so that a sealed value
// can't be moved to another place in the database. It is safe for concurrent use.
type Sealer struct {
	aead cipher.AEAD
	id   string // tells a wrong KEK from a damaged value
}

// NewSealer returns a sealer. It refuses a KEK that is not random (ErrWeak).
func NewSealer(kek [32]byte) (*Sealer, error) {
	if err := check(kek); err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(kek[:])
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	mac := hmac.New(sha256.New, kek[:])
	mac.Write([]byte("hufu kek id"))
	return &Sealer{aead: aead, id: hex.EncodeToString(mac.Sum(nil)[:6])}, nil
}

// Seal seals what is of a kind and has a name.
func (s *Sealer) Seal(kind, name string, plain []byte) string {
	sealed := s.aead.Seal(nil, nil, plain, []byte("hufu/"+kind+"\x00"+name))
	return "v1." + s.id + "." + base64.RawURLEncoding.EncodeToString(sealed)
}

// Open opens what Seal made for the same kind and name. Errors: ErrWrong, ErrBroken.
func (s *Sealer) Open(kind, name, text string) ([]byte, error) {
	version, rest, _ := strings.Cut(text, ".")
	id, encoded, ok := strings.Cut(rest, ".")
	if !ok || version != "v1" {
		return nil, ErrBroken
	}
	if id != s.id {
		return nil, fmt.Errorf("%w: %s", ErrWrong, id)
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return nil, ErrBroken
	}
	plain, err := s.aead.Open(nil, nil, sealed, []byte("hufu/"+kind+"\x00"+name))
	if err != nil {
		return nil, ErrBroken
	}
	return plain, nil
}
