package sdjwt

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"strconv"
	"unicode/utf8"

	"github.com/hufu-id/hufu/internal/jose"
)

// Template is what an issuer wants to say.
type Template struct {
	// Claims are the claims in the clear form, registered ones included (vct, iat, exp, status ...). Not changed.
	Claims map[string]any
	// Selective are the claims that the holder may withhold. A path below another one makes the disclosure
	// recursive: the inner claim can only be shown together with the outer one.
	Selective []Path
	// AbsentOK lets paths select nothing, for types with optional claims. Without it a misspelt path is an error rather
	// than a claim that everyone sees.
	AbsentOK bool
	// Holder is the key that the credential is bound to; it becomes cnf.jwk. Nil for an unbound credential.
	Holder *jose.JWK
	// Salts gives 16 random bytes per disclosure: crypto/rand.Reader, except in tests of vectors.
	Salts io.Reader
	// Decoys is the number of digests without a disclosure that are added to every object with selective members, so
	// that their number doesn't tell what the issuer knows (RFC 9901 section 4.2.5).
	Decoys int
}

// Laid is a credential laid out and ready to be signed: recorded first, then signed.
type Laid struct {
	// Payload is the JSON to sign, with sorted members: same template and salts, same bytes.
	Payload []byte
	// Disclosures are base64url texts in the order of the claims' names.
	Disclosures []string
}

// Build lays out a credential: replaces every selective claim by a digest and returns payload and disclosures. It
// refuses claims that must never be selective (ErrReserved), reserved names, and, unless AbsentOK, paths that select
// nothing (ErrNoSuchClaim).
func Build(t Template) (Laid, error) {
	claims, err := cloneClaims(t.Claims)
	if err != nil {
		return Laid{}, err
	}
	if t.Holder != nil {
		if _, taken := claims["cnf"]; taken {
			return Laid{}, fmt.Errorf("%w: cnf is set by Holder", ErrReserved)
		}
		jwk, err := json.Marshal(*t.Holder)
		if err != nil {
			return Laid{}, fmt.Errorf("sdjwt: holder key: %w", err)
		}
		claims["cnf"] = map[string]any{"jwk": json.RawMessage(jwk)}
	}
	root := &selection{}
	for _, p := range t.Selective {
		if len(p) == 0 {
			return Laid{}, fmt.Errorf("%w: empty path", ErrNoSuchClaim)
		}
		if name, ok := p[0].(string); ok && neverSelective[name] {
			return Laid{}, fmt.Errorf("%w: %s can't be selectively disclosable", ErrReserved, name)
		}
		if !t.AbsentOK && !p.Lookup(claims) {
			return Laid{}, fmt.Errorf("%w: %s", ErrNoSuchClaim, p)
		}
		root.add(p)
	}
	b := builder{salts: t.Salts, decoys: t.Decoys}
	if _, err := b.conceal(claims, root); err != nil {
		return Laid{}, err
	}
	if b.digests > 0 {
		claims[memberHashAlg] = "sha-256"
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return Laid{}, fmt.Errorf("sdjwt: payload: %w", err)
	}
	return Laid{Payload: payload, Disclosures: b.disclosures}, nil
}

// cloneClaims copies claims, so that the caller's values stay and only JSON types are left, and refuses names that belong to the mechanism: a claim named
// "_sd" would be read as digests.
func cloneClaims(claims map[string]any) (map[string]any, error) {
	copied, err := clone(claims, 1)
	if err != nil {
		return nil, fmt.Errorf("sdjwt: claims: %w", err)
	}
	out, _ := copied.(map[string]any)
	if out == nil {
		out = map[string]any{}
	}
	return out, refuseMechanism(out)
}

// clone copies a value as encoding and decoding it would. What it knows it copies itself: a licence with a portrait is made for each copy of a batch, and
// the way by JSON costs as much as the signature.
func clone(v any, depth int) (any, error) {
	var err error
	switch v := v.(type) {
	case nil, bool:
		return v, nil
	case string:
		if utf8.ValidString(v) {
			return v, nil
		}
	case int:
		return json.Number(strconv.Itoa(v)), nil
	case int64:
		return json.Number(strconv.FormatInt(v, 10)), nil
	case []any:
		if v == nil || depth > jose.MaxDepth {
			return tooDeep(v, depth)
		}
		out := make([]any, len(v))
		for i := range v {
			if out[i], err = clone(v[i], depth+1); err != nil {
				return nil, err
			}
		}
		return out, nil
	case map[string]any:
		if v == nil || depth > jose.MaxDepth {
			return tooDeep(v, depth)
		}
		out := make(map[string]any, len(v))
		for name, child := range v {
			if !utf8.ValidString(name) {
				return byJSON(v)
			}
			if out[name], err = clone(child, depth+1); err != nil {
				return nil, err
			}
		}
		return out, nil
	}
	return byJSON(v)
}

// tooDeep is for what isn't there, or deeper than may be.
func tooDeep(v any, depth int) (any, error) {
	if depth > jose.MaxDepth {
		return nil, fmt.Errorf("%w: nested deeper than %d", jose.ErrTooLarge, jose.MaxDepth)
	}
	return byJSON(v)
}

// byJSON copies a value by encoding and decoding it.
func byJSON(v any) (out any, err error) {
	raw, err := json.Marshal(v)
	if err == nil {
		err = jose.DecodeStrict(raw, &out)
	}
	return out, err
}

func refuseMechanism(v any) error {
	switch v := v.(type) {
	case map[string]any:
		for name, child := range v {
			if name == memberDigests || name == memberElement || name == memberHashAlg {
				return fmt.Errorf("%w: a claim can't be named %s", ErrReserved, name)
			}
			if err := refuseMechanism(child); err != nil {
				return err
			}
		}
	case []any:
		for _, child := range v {
			if err := refuseMechanism(child); err != nil {
				return err
			}
		}
	}
	return nil
}

// selection is the tree of selective paths.
type selection struct {
	selective bool
	children  map[any]*selection // by string, int or nil (all elements)
}

func (s *selection) add(p Path) {
	if len(p) == 0 {
		s.selective = true
		return
	}
	if s.children == nil {
		s.children = map[any]*selection{}
	}
	child := s.children[p[0]]
	if child == nil {
		child = &selection{}
		s.children[p[0]] = child
	}
	child.add(p[1:])
}

// merge is what holds for one element: its own selection and that of all elements.
func (s *selection) merge(o *selection) *selection {
	if s == nil || o == nil {
		if s == nil {
			return o
		}
		return s
	}
	m := &selection{selective: s.selective || o.selective, children: map[any]*selection{}}
	for k, c := range s.children {
		m.children[k] = c.merge(o.children[k])
	}
	for k, c := range o.children {
		if m.children[k] == nil {
			m.children[k] = c
		}
	}
	return m
}

type builder struct {
	salts       io.Reader
	decoys      int
	disclosures []string
	digests     int
}

// conceal replaces what is selective in v, inner claims first, so that an outer disclosure holds inner digests.
func (b *builder) conceal(v any, s *selection) (any, error) {
	if s == nil || len(s.children) == 0 {
		return v, nil
	}
	switch v := v.(type) {
	case map[string]any:
		return v, b.concealObject(v, s)
	case []any:
		return v, b.concealArray(v, s)
	}
	return v, nil
}

func (b *builder) concealObject(v map[string]any, s *selection) error {
	names := make([]string, 0, len(v))
	for name := range v {
		names = append(names, name)
	}
	sort.Strings(names)
	var digests []string
	for _, name := range names {
		child := s.children[name]
		if child == nil {
			continue
		}
		inner, err := b.conceal(v[name], child)
		if err != nil {
			return err
		}
		v[name] = inner
		if !child.selective {
			continue
		}
		digest, err := b.disclose(name, inner)
		if err != nil {
			return err
		}
		digests = append(digests, digest)
		delete(v, name)
	}
	if len(digests) == 0 {
		return nil
	}
	for range b.decoys {
		salt, err := b.salt()
		if err != nil {
			return err
		}
		digests = append(digests, digestText(salt))
	}
	sort.Strings(digests) // so that their order doesn't tell which claim is which
	v[memberDigests] = digests
	return nil
}

func (b *builder) concealArray(v []any, s *selection) error {
	for i := range v {
		child := s.children[i].merge(s.children[nil])
		if child == nil {
			continue
		}
		inner, err := b.conceal(v[i], child)
		if err != nil {
			return err
		}
		v[i] = inner
		if !child.selective {
			continue
		}
		digest, err := b.disclose(inner)
		if err != nil {
			return err
		}
		v[i] = map[string]any{memberElement: digest}
	}
	return nil
}

// disclose makes the disclosure of a member (name, value) or of an array element (value), and returns its digest.
func (b *builder) disclose(content ...any) (string, error) {
	salt, err := b.salt()
	if err != nil {
		return "", err
	}
	raw, err := json.Marshal(append([]any{salt}, content...))
	if err != nil {
		return "", fmt.Errorf("sdjwt: disclosure: %w", err)
	}
	text := base64.RawURLEncoding.EncodeToString(raw)
	b.disclosures = append(b.disclosures, text)
	b.digests++
	return digestText(text), nil
}

func (b *builder) salt() (string, error) {
	if b.salts == nil {
		return "", fmt.Errorf("sdjwt: no source of salts")
	}
	var salt [16]byte // 128 bits, RFC 9901 section 9.3: a guessable salt lets anyone try values against the digest
	if _, err := io.ReadFull(b.salts, salt[:]); err != nil {
		return "", fmt.Errorf("sdjwt: salt: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(salt[:]), nil
}
