package jose

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Claims are the claims of a verified token. Numbers are json.Number, so that 2^53+1 stays itself.
type Claims map[string]any

// ClaimPolicy says which claims a token must carry. The zero value requires "exp" and accepts any issuer and audience.
type ClaimPolicy struct {
	Issuer   string // exact "iss"; "" doesn't check
	Audience string // exact "aud"; "" doesn't check

	// AudienceArrayOK accepts an "aud" list that contains Audience. Otherwise "aud" must be the one string: a token for
	// several parties can be replayed from one to the other.
	AudienceArrayOK bool

	At     time.Time     // the time to judge by; required
	Leeway time.Duration // for clocks that differ, on exp, nbf and iat

	MaxAge      time.Duration // "iat" is required and at most this old; 0 doesn't check
	MaxLifetime time.Duration // "exp" lies at most this far after "iat" (after At without one); 0 doesn't check

	OptionalExp bool // accept a token without "exp", as proofs of possession are; a present one is checked all the same
	RequireIat  bool
	RequireJTI  bool // a non-empty "jti" of at most 256 bytes
}

// latest is the largest accepted time in seconds (the year 9999), far from any overflow.
const latest = 253402300799

// Claims decodes the payload strictly and applies p. "nbf" and "iat" are checked whenever present. Errors: those of
// DecodeStrict, and ErrClaim with its kinds.
func (v Verified) Claims(p ClaimPolicy) (Claims, error) {
	var c Claims
	if err := DecodeStrict(v.payload, (*map[string]any)(&c)); err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	if c == nil {
		return nil, fmt.Errorf("%w: claims aren't an object", ErrMalformed)
	}
	if err := p.check(c); err != nil {
		return nil, err
	}
	return c, nil
}

func (p ClaimPolicy) check(c Claims) error {
	if p.At.IsZero() {
		return fmt.Errorf("%w: the policy has no time", ErrClaim) // a forgotten clock must not mean "always valid"
	}
	if p.Issuer != "" {
		if iss, err := c.String("iss"); err != nil || iss != p.Issuer {
			return ErrIssuer
		}
	}
	if p.Audience != "" && !p.audienceFits(c) {
		return ErrAudience
	}
	if p.RequireJTI {
		if jti, err := c.String("jti"); err != nil || jti == "" || len(jti) > 256 {
			return fmt.Errorf("%w: jti", ErrClaim)
		}
	}
	return p.checkTimes(c)
}

func (p ClaimPolicy) audienceFits(c Claims) bool {
	if _, isString := c["aud"].(string); !isString && !p.AudienceArrayOK {
		return false
	}
	list, err := c.StringList("aud")
	return err == nil && slices.Contains(list, p.Audience)
}

func (p ClaimPolicy) checkTimes(c Claims) error {
	exp, hasExp, err := c.time("exp")
	if err != nil {
		return err
	}
	iat, hasIat, err := c.time("iat")
	if err != nil {
		return err
	}
	nbf, hasNbf, err := c.time("nbf")
	if err != nil {
		return err
	}
	switch {
	case !hasExp && !p.OptionalExp:
		return fmt.Errorf("%w: exp", ErrClaim)
	case !hasIat && (p.RequireIat || p.MaxAge > 0):
		return fmt.Errorf("%w: iat", ErrClaim)
	case hasExp && !p.At.Before(exp.Add(p.Leeway)):
		return ErrExpired
	case hasNbf && p.At.Add(p.Leeway).Before(nbf), hasIat && p.At.Add(p.Leeway).Before(iat):
		return ErrNotYetValid
	case p.MaxAge > 0 && iat.Add(p.MaxAge).Add(p.Leeway).Before(p.At):
		return ErrTooOld
	}
	from := p.At
	if hasIat {
		from = iat
	}
	if p.MaxLifetime > 0 && hasExp && exp.After(from.Add(p.MaxLifetime)) {
		return ErrLifetime
	}
	return nil
}

// time reads a NumericDate. Only whole seconds are accepted: "exp" as a string or in scientific notation is read
// differently by different libraries.
func (c Claims) time(name string) (t time.Time, present bool, err error) {
	if _, present = c[name]; !present {
		return t, false, nil
	}
	n, err := c.Int(name)
	if err != nil || n < 0 || n > latest {
		return t, true, fmt.Errorf("%w: %s isn't a time in seconds", ErrClaim, name)
	}
	return time.Unix(n, 0).UTC(), true, nil
}

// String returns the claim, which must be present and a string (ErrClaim).
func (c Claims) String(name string) (string, error) {
	s, ok := c[name].(string)
	if !ok {
		return "", fmt.Errorf("%w: %s", ErrClaim, short(name))
	}
	return s, nil
}

// Int returns the claim, which must be present and a whole number (ErrClaim).
func (c Claims) Int(name string) (int64, error) {
	n, ok := c[name].(json.Number)
	if !ok {
		return 0, fmt.Errorf("%w: %s", ErrClaim, short(name))
	}
	i, err := n.Int64()
	if err != nil {
		return 0, fmt.Errorf("%w: %s", ErrClaim, short(name))
	}
	return i, nil
}

// Time returns the claim, which must be present and a time in whole seconds since 1970 (ErrClaim).
func (c Claims) Time(name string) (time.Time, error) {
	t, present, err := c.time(name)
	if err == nil && !present {
		err = fmt.Errorf("%w: %s", ErrClaim, short(name))
	}
	return t, err
}

// StringList returns a claim that is a string or a list of strings, as "aud" may be (ErrClaim).
func (c Claims) StringList(name string) ([]string, error) {
	if s, ok := c[name].(string); ok {
		return []string{s}, nil
	}
	list, err := stringList(c[name])
	if err != nil {
		return nil, fmt.Errorf("%w: %s", ErrClaim, short(name))
	}
	return list, nil
}

// stringList reads a JSON list of strings.
func stringList(v any) ([]string, error) {
	items, ok := v.([]any)
	if !ok {
		return nil, ErrMalformed
	}
	list := make([]string, len(items))
	for i, item := range items {
		if list[i], ok = item.(string); !ok {
			return nil, ErrMalformed
		}
	}
	return list, nil
}
