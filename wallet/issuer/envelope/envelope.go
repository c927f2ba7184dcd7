// Package envelope opens encrypted requests and encrypts responses (OpenID4VCI 1.0, section 10). Pure but for the keys, which it never sees.
package envelope

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/jose/jwe"
	"github.com/hufu-id/hufu/wallet/issuer/catalog"
	"github.com/hufu-id/hufu/wallet/issuer/request"
)

var (
	// ErrOpen says that a request was not encrypted for us as our metadata say.
	ErrOpen = errors.New("envelope: the request is not encrypted as the metadata say")
	// ErrParameters says that credential_response_encryption is not valid, or missing, or came in the clear.
	ErrParameters = errors.New("envelope: credential_response_encryption not valid")
)

// Decrypter opens what was encrypted for us: keys.Decrypter.
type Decrypter interface {
	Decrypt(token string, p jwe.Policy) (jwe.Opened, error)
	// Keys are the public keys to publish.
	Keys() []jose.JWK
}

// Offered is what metadata say of a decrypter.
func Offered(d Decrypter) catalog.Encryption {
	return catalog.Encryption{Keys: d.Keys(), Algs: jwe.DecryptAlgs(), Encs: jwe.DecryptEncs(), Zip: []string{"DEF"}}
}

// Open opens an encrypted request. It and what it inflates to are bounded like a plain request. ErrOpen.
func Open(d Decrypter, body []byte) ([]byte, error) {
	o, err := d.Decrypt(string(body), jwe.Policy{Encs: jwe.DecryptEncs(), Zip: true, Max: request.MaxBytes})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrOpen, err)
	}
	return o.Payload, nil
}

// Sealer encrypts the response to one request. Only ParseSealer makes one.
type Sealer struct {
	key jose.JWK
	enc string
}

// ParseSealer reads credential_response_encryption. The key must say its alg. Nothing is compressed: the length of a compressed text tells of what
// is in it. ErrParameters.
func ParseSealer(raw json.RawMessage) (*Sealer, error) {
	var m, jwk map[string]json.RawMessage
	var s Sealer
	var alg string
	if jose.DecodeStrict(raw, &m) != nil || m == nil || !request.Text(m["enc"], &s.enc) {
		return nil, fmt.Errorf("%w: it needs jwk and enc", ErrParameters)
	}
	if !slices.Contains(jwe.DecryptEncs(), s.enc) {
		return nil, fmt.Errorf("%w: unsupported enc", ErrParameters)
	}
	// DEF is taken and not used: a wallet may ask for it unasked, and reads what is not compressed all the same.
	if raw, present := m["zip"]; present && string(raw) != `"DEF"` {
		return nil, fmt.Errorf("%w: unsupported zip", ErrParameters)
	}
	if json.Unmarshal(m["jwk"], &jwk) != nil || !request.Text(jwk["alg"], &alg) || !slices.Contains(jwe.DecryptAlgs(), alg) {
		return nil, fmt.Errorf("%w: jwk must say alg ECDH-ES", ErrParameters)
	}
	var err error
	if s.key, err = jose.ParseJWK(m["jwk"]); err != nil || s.key.EncryptionAlg() != alg {
		return nil, fmt.Errorf("%w: jwk is no public key for encryption", ErrParameters)
	}
	return &s, nil
}

// Seal encrypts a response.
func (s *Sealer) Seal(payload []byte) (string, error) {
	return jwe.Encrypt(s.key, s.enc, jwe.Header{}, payload)
}
