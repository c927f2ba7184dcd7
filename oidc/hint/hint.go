// Package hint reads id_token_hint: an ID token of ours that comes back to say whom the client believes to be logged in (OpenID Connect
// Core 3.1.2.1, RP-Initiated Logout 2).
package hint

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
)

// ErrHint: not an ID token of ours. An expired one is: it hints, it proves nothing.
var ErrHint = errors.New("hint: not one of our ID tokens")

// Hint is what an ID token of ours said.
type Hint struct{ Subject, ClientID, SessionID string }

// Reader reads hints. Safe for concurrent use.
type Reader struct {
	Issuer string
	Keys   func(ctx context.Context) ([]jose.JWK, error)
	// SignedAt says whether the key of that kid may have signed something dated at; see oidc.Keys.
	SignedAt func(ctx context.Context, kid string, at time.Time) (bool, error)
}

// Read checks signature, type and issuer. ErrHint, or a fault.
func (d Reader) Read(ctx context.Context, token string) (Hint, error) {
	keys, err := d.Keys(ctx)
	if err != nil {
		return Hint{}, fmt.Errorf("hint: verification keys: %w", err)
	}
	// typ keeps access tokens out, which are signed by the same keys.
	verified, err := jose.Verify(token, jose.Policy{Typ: []string{"JWT"}, Algs: []jose.Alg{jose.ES256, jose.RS256}}, keys...)
	if err != nil {
		return Hint{}, fmt.Errorf("%w: %w", ErrHint, err)
	}
	// The epoch as "now" is before every exp, and the leeway covers iat: an old hint is as good as a new one.
	claims, err := verified.Claims(jose.ClaimPolicy{Issuer: d.Issuer, At: time.Unix(0, 0), Leeway: 200 * 365 * 24 * time.Hour})
	if err != nil {
		return Hint{}, fmt.Errorf("%w: %w", ErrHint, err)
	}
	issued, err := claims.Time("iat")
	if err != nil {
		return Hint{}, fmt.Errorf("%w: %w", ErrHint, err)
	}
	if lived, err := d.SignedAt(ctx, verified.Key().KeyID(), issued); err != nil {
		return Hint{}, fmt.Errorf("hint: life of the key: %w", err)
	} else if !lived {
		return Hint{}, fmt.Errorf("%w: the key was not in use then", ErrHint)
	}
	var h Hint
	for name, to := range map[string]*string{"sub": &h.Subject, "aud": &h.ClientID} {
		if *to, err = claims.String(name); err != nil {
			return Hint{}, fmt.Errorf("%w: %w", ErrHint, err)
		}
	}
	if _, ok := claims["sid"]; ok {
		if h.SessionID, err = claims.String("sid"); err != nil {
			return Hint{}, fmt.Errorf("%w: %w", ErrHint, err)
		}
	}
	return h, nil
}
