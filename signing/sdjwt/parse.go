package sdjwt

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/hufu-id/hufu/internal/jose"
)

// Parsed is an SD-JWT, with or without key binding, whose structure holds together: every disclosure is accounted for
// by a digest. Nothing in it is proven until Verify.
type Parsed struct {
	jwt         string
	issuer      jose.Unverified
	disclosures []disclosure
	binding     *jose.Unverified // nil when absent
	text        string           // whole
	bound       string           // what sd_hash is over: everything up to and including the last tilde
	alg         hashAlg
	claims      map[string]any
	hidden      int
}

// Parse reads an SD-JWT VC, as issued or as presented, and checks everything about it that needs no key: RFC 9901
// section 7.1 step 3 and after, and that no registered claim is selectively disclosable (SD-JWT VC section 2.2.2.2).
func Parse(text string) (Parsed, error) {
	p, err := ParseAs(text, Typ)
	if err != nil {
		return Parsed{}, err
	}
	if err := checkVC(p); err != nil {
		return Parsed{}, err
	}
	return p, nil
}

// ParseAs reads an SD-JWT of another type than SD-JWT VC: typ are the accepted "typ" headers, "" one for none. No
// claim is required and none but the mechanism's own is reserved.
func ParseAs(text string, typ ...string) (Parsed, error) {
	if len(text) > MaxBytes {
		return Parsed{}, fmt.Errorf("%w: %d bytes", ErrTooLarge, len(text))
	}
	last := strings.LastIndexByte(text, '~')
	if last < 0 {
		return Parsed{}, fmt.Errorf("%w: no tilde", ErrMalformed)
	}
	if n := strings.Count(text, "~") - 1; n > MaxDisclosures {
		return Parsed{}, fmt.Errorf("%w: %d disclosures", ErrTooLarge, n)
	}
	parts := strings.Split(text[:last], "~")
	p := Parsed{jwt: parts[0], text: text, bound: text[:last+1]}
	var err error
	p.issuer, err = jose.ParseUnverified(p.jwt, jose.Policy{Typ: typ, Algs: algs, MaxBytes: MaxJWTBytes})
	if err != nil {
		return Parsed{}, fmt.Errorf("sdjwt: issuer-signed JWT: %w", err)
	}
	if last+1 < len(text) { // a disclosure that lost its tilde ends here too
		u, err := jose.ParseUnverified(text[last+1:], bindingPolicy)
		if err != nil {
			return Parsed{}, fmt.Errorf("%w: %w", ErrKeyBinding, err)
		}
		p.binding = &u
	}
	p.disclosures = make([]disclosure, len(parts)-1)
	for i, text := range parts[1:] {
		if p.disclosures[i], err = decodeDisclosure(text); err != nil {
			return Parsed{}, err
		}
	}
	payload, err := readJSON(p.issuer.Payload)
	if err != nil {
		return Parsed{}, fmt.Errorf("sdjwt: payload: %w", err)
	}
	var object bool
	if p.claims, object = payload.(map[string]any); !object {
		return Parsed{}, fmt.Errorf("%w: payload isn't an object", ErrMalformed)
	}
	if err := p.process(); err != nil {
		return Parsed{}, err
	}
	return p, nil
}

// checkVC checks what SD-JWT VC adds: vct, the types of registered claims.
func checkVC(p Parsed) error {
	if vct, ok := p.claims["vct"].(string); !ok || vct == "" {
		return fmt.Errorf("%w: vct", ErrMalformed)
	}
	for _, name := range []string{"iss", "sub", "vct#integrity"} {
		if v, present := p.claims[name]; present {
			if s, ok := v.(string); !ok || s == "" {
				return fmt.Errorf("%w: %s isn't a string", ErrMalformed, name)
			}
		}
	}
	for _, name := range []string{"iat", "nbf", "exp"} {
		if v, present := p.claims[name]; present {
			if _, ok := seconds(v); !ok {
				return fmt.Errorf("%w: %s isn't a time in whole seconds", ErrMalformed, name)
			}
		}
	}
	for _, name := range []string{"cnf", "status"} {
		if v, present := p.claims[name]; present {
			if _, ok := v.(map[string]any); !ok {
				return fmt.Errorf("%w: %s isn't an object", ErrMalformed, name)
			}
		}
	}
	return nil
}

// seconds reads a NumericDate. Fractions and exponents are refused: a time that rounds differently for
// two readers is two times.
func seconds(v any) (int64, bool) {
	n, ok := v.(json.Number)
	if !ok {
		return 0, false
	}
	s, err := n.Int64()
	return s, err == nil && s >= 0 && s <= 253402300799 // the year 9999
}

// Header is the header of the issuer-signed JWT, not proven.
func (p Parsed) Header() jose.ParsedHeader { return p.issuer.Header }

// Payload is the payload of the issuer-signed JWT, byte for byte, not proven. Don't change it.
func (p Parsed) Payload() []byte { return p.issuer.Payload }

// UnverifiedClaims is the processed payload (RFC 9901 section 7.1): disclosed claims in their places, the mechanism's
// own members removed. Nobody has vouched for it yet. Read only.
func (p Parsed) UnverifiedClaims() map[string]any { return p.claims }

// Disclosed lists where the disclosures belong, in the order of arrival.
func (p Parsed) Disclosed() []Path {
	paths := make([]Path, len(p.disclosures))
	for i, d := range p.disclosures {
		paths[i] = slices.Clone(d.path)
	}
	return paths
}

// Hidden is the number of digests without a disclosure: withheld claims and decoys, which can't be told apart.
func (p Parsed) Hidden() int { return p.hidden }

// HasKeyBinding reports whether a key binding JWT came along. A wallet refuses that at issuance; a verifier never
// concludes from it whether one is needed (RFC 9901 section 7.3).
func (p Parsed) HasKeyBinding() bool { return p.binding != nil }

// Verify checks the issuer's signature with the given keys. Which keys may sign is the caller's decision, before this
// call: a key from the header is trusted only after its chain was.
func (p Parsed) Verify(keys ...jose.JWK) (Verified, error) {
	if _, err := p.issuer.Verify(keys...); err != nil {
		return Verified{}, fmt.Errorf("sdjwt: issuer-signed JWT: %w", err)
	}
	return Verified{parsed: p}, nil
}

// Verified is an SD-JWT whose signature was checked. Only Parsed.Verify makes it. That it is in force (exp, status) and
// whose it is (KeyBinding) are further questions.
type Verified struct{ parsed Parsed }

// Claims is the processed payload, now vouched for by the key given to Verify. Read only.
func (v Verified) Claims() map[string]any { return v.parsed.claims }

// Parsed returns what Verify was called on.
func (v Verified) Parsed() Parsed { return v.parsed }
