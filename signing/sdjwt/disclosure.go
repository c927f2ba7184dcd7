package sdjwt

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"fmt"
	"strings"
)

// disclosure is one disclosure as received.
type disclosure struct {
	text   string // what the digest is over; never re-encoded
	member bool   // of an object: has a name
	name   string
	value  any
	path   Path // where its digest was found; nil until then
}

// strict is base64url without padding whose unused bits are zero: one value, one spelling. A second spelling of a
// disclosure would have another digest, so that it is refused anyway; this keeps the error honest.
var strict = base64.RawURLEncoding.Strict()

// decodeDisclosure reads [salt, name, value] or [salt, value]. That the shape fits the place is checked where its
// digest is found.
func decodeDisclosure(text string) (disclosure, error) {
	if strings.ContainsAny(text, "\r\n") { // Go's decoder would skip them
		return disclosure{}, fmt.Errorf("%w: line break in a disclosure", ErrMalformed)
	}
	raw, err := strict.DecodeString(text)
	if err != nil {
		return disclosure{}, fmt.Errorf("%w: disclosure isn't base64url", ErrMalformed)
	}
	content, err := readJSON(raw)
	if err != nil {
		return disclosure{}, fmt.Errorf("%w: disclosure: %w", ErrMalformed, err)
	}
	parts, ok := content.([]any)
	if !ok {
		return disclosure{}, fmt.Errorf("%w: disclosure isn't a JSON array", ErrMalformed)
	}
	if len(parts) != 2 && len(parts) != 3 {
		return disclosure{}, fmt.Errorf("%w: %d elements", ErrDisclosure, len(parts))
	}
	if _, ok := parts[0].(string); !ok {
		return disclosure{}, fmt.Errorf("%w: salt isn't a string", ErrDisclosure)
	}
	d := disclosure{text: text, value: parts[len(parts)-1]}
	if len(parts) == 3 {
		if d.name, d.member = parts[1].(string); !d.member {
			return disclosure{}, fmt.Errorf("%w: claim name isn't a string", ErrDisclosure)
		}
	}
	return d, nil
}

// hashAlg is a value of "_sd_alg".
type hashAlg struct {
	digest func(text string) string
	length int // of a digest in base64url
}

// hashAlgs are the accepted values: what the IANA registry of named information hashes has with at least 256 bits and
// every implementation knows. Everything else is refused, md5 first of all.
var hashAlgs = map[string]hashAlg{
	"sha-256": {digestText, 43},
	"sha-384": {func(t string) string { s := sha512.Sum384([]byte(t)); return encode(s[:]) }, 64},
	"sha-512": {func(t string) string { s := sha512.Sum512([]byte(t)); return encode(s[:]) }, 86},
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// digestText is the SHA-256 digest over the text of a disclosure, base64url (RFC 9901 section 4.2.3).
func digestText(text string) string {
	s := sha256.Sum256([]byte(text))
	return encode(s[:])
}

// hashOf returns the hash algorithm of a payload (RFC 9901 section 4.1.1).
func hashOf(payload map[string]any) (hashAlg, error) {
	v, present := payload[memberHashAlg]
	if !present {
		return hashAlgs["sha-256"], nil
	}
	name, _ := v.(string)
	alg, ok := hashAlgs[name]
	if !ok {
		return hashAlg{}, ErrHashAlgorithm
	}
	return alg, nil
}
