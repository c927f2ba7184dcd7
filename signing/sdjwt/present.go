package sdjwt

import (
	"fmt"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
)

// Present returns the presentation that shows the claims at the given paths and withholds all other selective ones. A
// path shows the claim itself and, where disclosures are nested, the outer ones it needs. nil for an
// element means all of them. A path that no disclosure belongs to is ErrNoSuchClaim: a wallet that shows less than it
// promised must know.
func (p Parsed) Present(show ...Path) (string, error) {
	keep := make([]bool, len(p.disclosures))
	for _, path := range show {
		found := false
		for i, d := range p.disclosures {
			if path.Matches(d.path) {
				keep[i], found = true, true
			}
		}
		if !found {
			return "", fmt.Errorf("%w: %s", ErrNoSuchClaim, path)
		}
	}
	for i, d := range p.disclosures {
		if !keep[i] {
			continue
		}
		for j, outer := range p.disclosures {
			if len(outer.path) < len(d.path) && outer.path.contains(d.path) {
				keep[j] = true
			}
		}
	}
	return p.selected(keep)
}

// Withhold returns the presentation that shows everything but the claims at the given paths and what lies below them.
func (p Parsed) Withhold(hide ...Path) (string, error) {
	keep := make([]bool, len(p.disclosures))
	for i := range keep {
		keep[i] = true
	}
	for _, path := range hide {
		found := false
		for i, d := range p.disclosures {
			if path.contains(d.path) {
				keep[i], found = false, true
			}
		}
		if !found {
			return "", fmt.Errorf("%w: %s", ErrNoSuchClaim, path)
		}
	}
	return p.selected(keep)
}

func (p Parsed) selected(keep []bool) (string, error) {
	if p.binding != nil {
		return "", fmt.Errorf("%w: a presentation can't be presented again", ErrKeyBinding)
	}
	var texts []string
	for i, d := range p.disclosures {
		if keep[i] {
			texts = append(texts, d.text)
		}
	}
	return join(p.jwt, texts), nil
}

// bindingClaims is the payload of a key binding JWT (RFC 9901 section 4.3).
type bindingClaims struct {
	IssuedAt int64  `json:"iat"`
	Audience string `json:"aud"`
	Nonce    string `json:"nonce"`
	Hash     string `json:"sd_hash"`
}

// BindKey adds a key binding JWT to what Present or Withhold returned: proof that the holder of the credential's key
// shows exactly this, to this audience, for this nonce. It refuses a key other than the credential's.
func BindKey(presentation string, holder jose.SigningKey, audience, nonce string, at time.Time) (string, error) {
	p, err := ParseAs(presentation, Typ)
	if err != nil {
		return "", err
	}
	if p.binding != nil {
		return "", fmt.Errorf("%w: there is one already", ErrKeyBinding)
	}
	if audience == "" || nonce == "" {
		return "", fmt.Errorf("%w: audience and nonce are required", ErrChallenge)
	}
	want, err := holderKey(p.claims)
	if err != nil {
		return "", err
	}
	own, err := holder.Public()
	if err != nil {
		return "", err
	}
	if own.Thumbprint() != want.Thumbprint() {
		return "", fmt.Errorf("%w: not the credential's key", ErrKeyBinding)
	}
	// No kid: the key is in cnf.
	jwt, err := jose.SignJSON(holder, jose.Header{Typ: KeyBindingTyp, NoKeyID: true}, bindingClaims{
		IssuedAt: at.Unix(), Audience: audience, Nonce: nonce, Hash: p.alg.digest(p.bound),
	})
	if err != nil {
		return "", err
	}
	return p.bound + jwt, nil
}
