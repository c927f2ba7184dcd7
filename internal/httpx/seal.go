package httpx

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// ErrSeal says that a sealed text is not ours, was altered, or was made for another purpose.
var ErrSeal = errors.New("httpx: not a sealed value of this purpose")

// ErrNoCookie says that the browser has no such cookie, or an expired or altered one.
var ErrNoCookie = errors.New("httpx: no such cookie")

// Sealer encrypts small values that we hand to a browser and take back. Every node that shares the key can open them. It is safe for
// concurrent use.
type Sealer struct{ aead cipher.AEAD }

// NewSealer takes a key of 32 bytes and panics on any other length: that is a programming error.
func NewSealer(key []byte) *Sealer {
	if len(key) != 32 {
		panic("httpx: a sealing key has 32 bytes")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		panic(err)
	}
	return &Sealer{aead: aead}
}

// Seal returns v as JSON, encrypted and bound to a purpose, in base64url.
func (s *Sealer) Seal(purpose string, v any) (string, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("httpx: sealing: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(s.aead.Seal(nil, nil, plain, []byte(purpose))), nil
}

// Open is the inverse of Seal. It returns ErrSeal for anything else.
func (s *Sealer) Open(purpose, text string, v any) error {
	sealed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil {
		return ErrSeal
	}
	plain, err := s.aead.Open(nil, nil, sealed, []byte(purpose))
	if err != nil {
		return ErrSeal
	}
	if err := json.Unmarshal(plain, v); err != nil {
		return ErrSeal
	}
	return nil
}

// SealBytes encrypts data at rest, bound to a purpose; random nonce in front.
func (s *Sealer) SealBytes(purpose string, plain []byte) []byte {
	return s.aead.Seal(nil, nil, plain, []byte(purpose))
}

// OpenBytes is the inverse of SealBytes.
func (s *Sealer) OpenBytes(purpose string, sealed []byte) ([]byte, error) {
	plain, err := s.aead.Open(nil, nil, sealed, []byte(purpose))
	if err != nil {
		return nil, ErrSeal
	}
	return plain, nil
}

// chunk is how much of a sealed value one cookie carries: browsers drop cookies above 4096 bytes, name and attributes included.
const (
	chunk     = 3500
	maxChunks = 7
)

// Cookie keeps a sealed value in the browser. A value that is too large for one cookie is spread over several.
type Cookie struct {
	// Name follows "__Host-". Ports share one jar, so each service on a host has names of its own.
	Name   string
	Sealer *Sealer
	// TTL is how long a value is believed; the browser is told the same. 0 means until the browser closes, at most a day.
	TTL time.Duration
	// Strict keeps the value back from requests that another site's link began: SameSite=Strict instead of Lax.
	Strict bool
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

type cookieValue struct {
	Exp   int64           `json:"e"`
	Value json.RawMessage `json:"v"`
}

func (c Cookie) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

func (c Cookie) part(i int) string {
	if i == 0 {
		return "__Host-" + c.Name
	}
	return "__Host-" + c.Name + "." + strconv.Itoa(i)
}

// ErrCookieTooLarge says that the value doesn't fit into the cookies of one browser.
var ErrCookieTooLarge = errors.New("httpx: the value is too large for a cookie")

// Set stores v. r tells which parts of an earlier, larger value must go.
func (c Cookie) Set(w http.ResponseWriter, r *http.Request, v any) error {
	raw, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("httpx: cookie: %w", err)
	}
	ttl := c.TTL
	if ttl == 0 {
		ttl = 24 * time.Hour
	}
	text, err := c.Sealer.Seal("cookie:"+c.Name, cookieValue{Exp: c.now().Add(ttl).Unix(), Value: raw})
	if err != nil {
		return err
	}
	if len(text) > chunk*maxChunks {
		return ErrCookieTooLarge
	}
	n := 0
	for ; text != ""; n++ {
		size := min(chunk, len(text))
		c.write(w, n, text[:size], int(c.TTL/time.Second))
		text = text[size:]
	}
	for ; n < maxChunks; n++ {
		if _, err := r.Cookie(c.part(n)); err == nil {
			c.write(w, n, "", -1)
		}
	}
	return nil
}

func (c Cookie) write(w http.ResponseWriter, part int, value string, maxAge int) {
	site := http.SameSiteLaxMode
	if c.Strict {
		site = http.SameSiteStrictMode
	}
	http.SetCookie(w, &http.Cookie{Name: c.part(part), Value: value, Path: "/", MaxAge: maxAge, Secure: true, HttpOnly: true, SameSite: site})
}

// Get reads the value into v, or returns ErrNoCookie.
func (c Cookie) Get(r *http.Request, v any) error {
	var text strings.Builder
	for i := range maxChunks {
		part, err := r.Cookie(c.part(i))
		if err != nil {
			break
		}
		text.WriteString(part.Value)
		if len(part.Value) < chunk {
			break
		}
	}
	var cv cookieValue
	if text.Len() == 0 || c.Sealer.Open("cookie:"+c.Name, text.String(), &cv) != nil {
		return ErrNoCookie
	}
	if c.now().Unix() >= cv.Exp {
		return ErrNoCookie
	}
	if err := json.Unmarshal(cv.Value, v); err != nil {
		return ErrNoCookie
	}
	return nil
}

// Clear removes the value from the browser.
func (c Cookie) Clear(w http.ResponseWriter, r *http.Request) {
	for i := range maxChunks {
		if _, err := r.Cookie(c.part(i)); err == nil {
			c.write(w, i, "", -1)
		}
	}
}
