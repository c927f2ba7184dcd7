package grant

import (
	"crypto/sha256"
	"slices"
	"sync"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
)

// seenMax bounds what is remembered. Only tokens that we signed get there, so a stranger can't fill it.
const seenMax = 2_000

// seen remembers what the JWTs say whose signature was checked, by the SHA-256 of the whole token: an API asks about one token many times, and a
// check costs two hundred times what a hash does. It answers for the signature and the claims alone, and only until the token expires and while
// its key is published; grant and client are looked at every time. Safe for concurrent use; the zero value is empty.
type seen struct {
	mu sync.Mutex
	m  map[[sha256.Size]byte]checked
}

type checked struct {
	token AccessToken
	key   string // thumbprint of the key that verified it
}

func (s *seen) get(name [sha256.Size]byte, keys []jose.JWK, now time.Time) (AccessToken, bool) {
	s.mu.Lock()
	c, ok := s.m[name]
	s.mu.Unlock()
	published := func(k jose.JWK) bool { return k.Thumbprint() == c.key }
	return c.token, ok && now.Before(c.token.ExpiresAt) && !now.Before(c.token.IssuedAt) && slices.ContainsFunc(keys, published)
}

func (s *seen) put(name [sha256.Size]byte, t AccessToken, key string) {
	t.Scopes, t.Audience = slices.Clip(t.Scopes), slices.Clip(t.Audience) // several requests will hold them
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.m == nil || len(s.m) >= seenMax {
		s.m = map[[sha256.Size]byte]checked{}
	}
	s.m[name] = checked{t, key}
}
