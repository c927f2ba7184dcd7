package jose

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"slices"
)

// Header is what the caller adds to the protected header of a token; "alg" and "kid" come from the key.
type Header struct {
	Typ     string
	X5C     [][]byte       // DER, leaf first
	JWK     *JWK           // the signer's own public key, for proofs; leaves out "kid"
	NoKeyID bool           // leave out "kid"
	Extra   map[string]any // further members; none of the names above, and neither crit nor b64
}

// wireHeader fixes the order of members, so that equal input gives equal bytes.
type wireHeader struct {
	Alg Alg      `json:"alg"`
	Typ string   `json:"typ,omitempty"`
	Kid string   `json:"kid,omitempty"`
	JWK *JWK     `json:"jwk,omitempty"`
	X5C [][]byte `json:"x5c,omitempty"` // encoding/json writes []byte as standard base64 with padding
}

// Sign makes a compact JWS of payload (RFC 7515 section 3.1). The caller must already have recorded what it signs.
// Errors: ErrAlgorithm when key and algorithm don't fit, ErrHeader, or what the key's custody reports.
func Sign(k SigningKey, h Header, payload []byte) (string, error) {
	if k.Key == nil {
		return "", fmt.Errorf("%w: no key", ErrInvalidKey)
	}
	header, err := encodeHeader(k, h)
	if err != nil {
		return "", err
	}
	enc := base64.RawURLEncoding
	size := enc.EncodedLen(len(header)) + 1 + enc.EncodedLen(len(payload))
	out := make([]byte, 0, size+1+enc.EncodedLen(64))
	out = enc.AppendEncode(out, header)
	out = append(out, '.')
	out = enc.AppendEncode(out, payload)
	sig, err := k.Alg.Sign(k.Key, out)
	if err != nil {
		return "", err
	}
	out = append(out, '.')
	return string(enc.AppendEncode(out, sig)), nil
}

// SignJSON is Sign of claims written by encoding/json. HTML characters are not escaped, as in every other library.
func SignJSON(k SigningKey, h Header, claims any) (string, error) {
	var buf bytes.Buffer
	e := json.NewEncoder(&buf)
	e.SetEscapeHTML(false)
	if err := e.Encode(claims); err != nil {
		return "", fmt.Errorf("jose: claims: %w", err)
	}
	return Sign(k, h, bytes.TrimSuffix(buf.Bytes(), []byte("\n")))
}

func encodeHeader(k SigningKey, h Header) ([]byte, error) {
	w := wireHeader{Alg: k.Alg, Typ: h.Typ, Kid: k.ID, JWK: h.JWK, X5C: h.X5C}
	if h.JWK != nil || h.NoKeyID {
		w.Kid = ""
	}
	b, err := json.Marshal(w)
	if err != nil || len(h.Extra) == 0 {
		return b, err
	}
	for name := range h.Extra {
		if slices.Contains(registered, name) && name != "cty" && name != "x5t#S256" || name == "b64" {
			return nil, fmt.Errorf("%w: %q", ErrHeader, short(name))
		}
	}
	extra, err := json.Marshal(h.Extra)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrHeader, err)
	}
	b[len(b)-1] = ','
	return append(b, extra[1:]...), nil
}
