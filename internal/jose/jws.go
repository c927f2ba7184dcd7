package jose

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/hufu-id/hufu/internal/strictjson"
)

// DefaultMaxBytes is the longest compact token that a Policy without MaxBytes accepts.
const DefaultMaxBytes = 16 << 10

// Limits of a header.
const (
	maxHeaderBytes = 12 << 10 // encoded; room for a certificate chain
	maxChain       = 5        // certificates in x5c
)

// Policy says what a token of one purpose must look like before any key is tried. The zero Policy accepts nothing.
type Policy struct {
	// Typ lists the accepted "typ" headers, compared exactly; "" accepts a token without one. A token made for another
	// purpose is refused by its type (RFC 8725 section 3.11). An empty list accepts nothing.
	Typ        []string
	TypAnyCase bool // "typ" in any case, as media types are (RFC 7515 section 4.1.9)
	// Algs lists the accepted algorithms. An empty list accepts none.
	Algs []Alg
	// Crit lists the "crit" extensions that the caller handles itself. "b64" can't be among them: unencoded payloads are
	// not read here; see ParseDetached.
	Crit     []string
	MaxBytes int // of the compact token; 0 means DefaultMaxBytes
}

// ParsedHeader is the protected header of a token. Nothing in it can be trusted before the signature is checked, and
// "jwk" and "x5c" not even then: they say who signed, not that he may.
type ParsedHeader struct {
	Alg   Alg
	KeyID string
	Typ   string
	X5C   [][]byte       // DER, leaf first
	JWK   *JWK           // public, checked as by ParseJWK
	Raw   map[string]any // all members; numbers are json.Number
}

// Unverified is a token whose structure was checked and whose signature was not. Use it to find the key, then call
// Verify.
type Unverified struct {
	Header  ParsedHeader
	Payload []byte

	input     string // what was signed
	signature []byte
}

// Verified is a token whose signature was checked by one of the caller's keys. Only Verify makes one; the zero value has
// no payload.
type Verified struct {
	header  ParsedHeader
	payload []byte
	key     JWK
}

// Header returns the protected header.
func (v Verified) Header() ParsedHeader { return v.header }

// Payload returns the payload. Don't change it.
func (v Verified) Payload() []byte { return v.payload }

// Key returns the key that verified the token.
func (v Verified) Key() JWK { return v.key }

// ParseUnverified does every check that needs no key: size, three parts, strict base64url, strict JSON, algorithm, type,
// "crit", forms of kid, x5c and jwk. Errors: ErrTooLarge, ErrMalformed, ErrDuplicateMember, ErrAlgorithm, ErrType,
// ErrCritical, and those of ParseJWK.
func ParseUnverified(compact string, p Policy) (u Unverified, err error) {
	defer recovered(&err)
	limit := p.MaxBytes
	if limit <= 0 {
		limit = DefaultMaxBytes
	}
	if len(compact) > limit {
		return Unverified{}, fmt.Errorf("%w: token above %d bytes", ErrTooLarge, limit)
	}
	head, rest, ok1 := strings.Cut(compact, ".")
	body, tail, ok2 := strings.Cut(rest, ".")
	if !ok1 || !ok2 || strings.Contains(tail, ".") {
		return Unverified{}, fmt.Errorf("%w: a compact token has three parts", ErrMalformed)
	}
	if len(head) > maxHeaderBytes {
		return Unverified{}, fmt.Errorf("%w: header above %d bytes", ErrTooLarge, maxHeaderBytes)
	}
	header, err := parseHeader(head, p, func(raw map[string]any) error { return checkCritical(raw, p.Crit) })
	if err != nil {
		return Unverified{}, err
	}
	u = Unverified{Header: header, input: compact[:len(head)+1+len(body)]}
	if u.Payload, err = strictjson.DecodeBase64(body); err != nil {
		return Unverified{}, err
	}
	if u.signature, err = strictjson.DecodeBase64(tail); err != nil {
		return Unverified{}, err
	}
	if len(u.signature) == 0 {
		return Unverified{}, fmt.Errorf("%w: no signature", ErrMalformed)
	}
	return u, nil
}

// parseHeader reads a protected header; critical judges "crit" and "b64".
func parseHeader(encoded string, p Policy, critical func(raw map[string]any) error) (h ParsedHeader, err error) {
	b, err := strictjson.DecodeBase64(encoded)
	if err != nil {
		return h, err
	}
	if err := DecodeStrict(b, &h.Raw); err != nil {
		return h, fmt.Errorf("header: %w", err)
	}
	if h.Raw == nil { // "null" decodes into a map without error
		return h, fmt.Errorf("%w: header isn't an object", ErrMalformed)
	}
	var alg string
	var hasTyp bool
	for name, to := range map[string]*string{"alg": &alg, "kid": &h.KeyID, "typ": &h.Typ} {
		v, present := h.Raw[name]
		s, isString := v.(string)
		if present && !isString {
			return h, fmt.Errorf("%w: header %q isn't a string", ErrMalformed, name)
		}
		if name == "typ" {
			hasTyp = present
		}
		*to = s
	}
	h.Alg = algNamed(alg)
	if !slices.Contains(p.Algs, h.Alg) || h.Alg.hash() == 0 && h.Alg != EdDSA {
		return h, fmt.Errorf("%w: %q", ErrAlgorithm, short(alg))
	}
	// A present but empty typ isn't the absence that "" stands for.
	fits := func(t string) bool { return t == h.Typ || p.TypAnyCase && strings.EqualFold(t, h.Typ) }
	if !slices.ContainsFunc(p.Typ, fits) || hasTyp && h.Typ == "" {
		return h, fmt.Errorf("%w: %q", ErrType, short(h.Typ))
	}
	if len(h.KeyID) > maxKeyID {
		return h, fmt.Errorf("%w: kid above %d bytes", ErrTooLarge, maxKeyID)
	}
	if err := critical(h.Raw); err != nil {
		return h, err
	}
	if h.X5C, err = parseChain(h.Raw); err != nil {
		return h, err
	}
	h.JWK, err = parseEmbedded(h.Raw)
	return h, err
}

// registered are the header names that "crit" must not list (RFC 7515 section 4.1.11, RFC 7518).
var registered = []string{"alg", "jku", "jwk", "kid", "x5u", "x5c", "x5t", "x5t#S256", "typ", "cty", "crit", "zip", "enc",
	"epk", "apu", "apv", "iv", "tag", "p2s", "p2c"}

// checkCritical applies RFC 7515 section 4.1.11. jwx doesn't look at "crit" at all.
func checkCritical(raw map[string]any, understood []string) error {
	if v, present := raw["b64"]; present && v != true {
		// RFC 7797: the payload would not be base64url, and a reader that doesn't know would check other bytes.
		return fmt.Errorf("%w: unencoded payload", ErrCritical)
	}
	v, present := raw["crit"]
	if !present {
		return nil
	}
	names, err := stringList(v)
	if err != nil || len(names) == 0 {
		return fmt.Errorf("%w: crit isn't a list of names", ErrCritical)
	}
	for i, name := range names {
		_, inHeader := raw[name]
		if slices.Contains(names[:i], name) || slices.Contains(registered, name) || !inHeader ||
			name == "b64" || !slices.Contains(understood, name) {
			return fmt.Errorf("%w: %q", ErrCritical, short(name))
		}
	}
	return nil
}

// parseChain reads "x5c" (RFC 7515 section 4.1.6): standard base64 with padding, unlike everything else.
func parseChain(raw map[string]any) ([][]byte, error) {
	v, present := raw["x5c"]
	if !present {
		return nil, nil
	}
	list, err := stringList(v)
	if err != nil || len(list) == 0 || len(list) > maxChain {
		return nil, fmt.Errorf("%w: x5c isn't a list of 1 to %d certificates", ErrMalformed, maxChain)
	}
	chain := make([][]byte, len(list))
	for i, s := range list {
		der, err := base64.StdEncoding.Strict().DecodeString(s)
		if err != nil || len(der) == 0 || strings.ContainsAny(s, "\r\n") {
			return nil, fmt.Errorf("%w: x5c", ErrMalformed)
		}
		chain[i] = der
	}
	return chain, nil
}

// Verify checks the structure against the policy, then the signature. Keys with the header's "kid" are tried if there are
// any; else those without one, or all when the header names none. Keys for encryption, or whose type, curve or declared
// algorithm doesn't fit, are never tried. Errors: those of ParseUnverified, ErrNoKey, ErrSignature.
func Verify(compact string, p Policy, keys ...JWK) (Verified, error) {
	u, err := ParseUnverified(compact, p)
	if err != nil {
		return Verified{}, err
	}
	return u.Verify(keys...)
}

// Verify checks the signature with keys that the caller found by looking at the token; see the function Verify.
func (u Unverified) Verify(keys ...JWK) (v Verified, err error) {
	defer recovered(&err)
	named := u.Header.KeyID != "" && slices.ContainsFunc(keys, func(k JWK) bool { return k.kid == u.Header.KeyID })
	err = ErrNoKey
	for _, k := range keys {
		switch {
		case !k.usable(u.Header.Alg):
			continue
		case named && k.kid != u.Header.KeyID:
			continue
		case !named && u.Header.KeyID != "" && k.kid != "":
			continue // it says that it is another key
		}
		if err = u.Header.Alg.Verify(k.pub, []byte(u.input), u.signature); err == nil {
			return Verified{header: u.Header, payload: u.Payload, key: k}, nil
		}
	}
	return Verified{}, err
}

// parseEmbedded reads the public key that a proof of possession carries in "jwk".
func parseEmbedded(raw map[string]any) (*JWK, error) {
	v, present := raw["jwk"]
	if !present {
		return nil, nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("%w: jwk", ErrMalformed)
	}
	k, err := ParseJWK(b)
	if err != nil {
		return nil, fmt.Errorf("header jwk: %w", err)
	}
	return &k, nil
}
