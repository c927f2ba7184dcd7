package keys

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
)

// ParseKEK reads a key-encryption key of 32 random bytes, written as base64 (either alphabet, padded or not) or as 64 hexadecimal digits. It
// refuses what isn't random (ErrWeakKEK). The error never repeats the text.
func ParseKEK(text string) (kek [32]byte, err error) {
	text = strings.TrimSpace(text)
	raw, err := hex.DecodeString(text)
	if err != nil {
		text = strings.TrimRight(strings.NewReplacer("+", "-", "/", "_").Replace(text), "=")
		if raw, err = base64.RawURLEncoding.DecodeString(text); err != nil {
			return kek, fmt.Errorf("%w: neither base64 nor hexadecimal", ErrWeakKEK)
		}
	}
	if len(raw) != len(kek) {
		return kek, fmt.Errorf("%w: %d bytes, not %d", ErrWeakKEK, len(raw), len(kek))
	}
	copy(kek[:], raw)
	return kek, checkKEK(kek)
}

// ReadKEK reads the KEK from a file that only its owner may read.
func ReadKEK(path string) (kek [32]byte, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return kek, fmt.Errorf("keys: KEK file: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return kek, fmt.Errorf("%w: the KEK file can be read by others (mode %04o, expected 0600)", ErrWeakKEK, info.Mode().Perm())
	}
	if info.Size() > 1024 {
		return kek, fmt.Errorf("%w: the KEK file is too long", ErrWeakKEK)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return kek, fmt.Errorf("keys: KEK file: %w", err)
	}
	return ParseKEK(string(text))
}

// NewKEK makes a KEK and its text for a file.
func NewKEK() (kek [32]byte, text string) {
	_, _ = rand.Read(kek[:]) // never fails since Go 1.24
	return kek, base64.RawURLEncoding.EncodeToString(kek[:])
}

// checkKEK refuses keys that somebody typed or copied: text, patterns, few different bytes. A random key fails each of these tests
// with a probability far below 2^-40.
func checkKEK(kek [32]byte) error {
	printable, steps := true, true
	distinct := map[byte]struct{}{}
	for i, b := range kek {
		printable = printable && b >= 0x20 && b < 0x7f
		steps = steps && (i < 2 || kek[i]-kek[i-1] == kek[1]-kek[0])
		distinct[b] = struct{}{}
	}
	switch {
	case printable:
		return fmt.Errorf("%w: it is text, not random bytes", ErrWeakKEK)
	case steps, len(distinct) < 12:
		return fmt.Errorf("%w: it is empty, a sample or a pattern", ErrWeakKEK)
	}
	return nil
}

// sealer seals values with AES-256-GCM under the KEK. What a value is for is bound to it as additional data, so that a sealed value
// can't be moved to another place in the database.
type sealer struct {
	aead cipher.AEAD
	id   string // tells a wrong KEK from a damaged value
}

func newSealer(kek [32]byte) (*sealer, error) {
	if err := checkKEK(kek); err != nil {
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
	return &sealer{aead: aead, id: hex.EncodeToString(mac.Sum(nil)[:6])}, nil
}

func (s *sealer) seal(kind, name string, plain []byte) string {
	sealed := s.aead.Seal(nil, nil, plain, []byte("hufu/"+kind+"\x00"+name))
	return "v1." + s.id + "." + base64.RawURLEncoding.EncodeToString(sealed)
}

func (s *sealer) open(kind, name, text string) ([]byte, error) {
	version, rest, _ := strings.Cut(text, ".")
	id, encoded, ok := strings.Cut(rest, ".")
	if !ok || version != "v1" {
		return nil, ErrSealBroken
	}
	if id != s.id {
		return nil, fmt.Errorf("%w: %s", ErrWrongKEK, id)
	}
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return nil, ErrSealBroken
	}
	plain, err := s.aead.Open(nil, nil, sealed, []byte("hufu/"+kind+"\x00"+name))
	if err != nil {
		return nil, ErrSealBroken
	}
	return plain, nil
}
