package wallet

import (
	"crypto/ecdh"
	"crypto/rand"
	"fmt"
	"slices"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/jose/jwe"
)

// wantEncrypted adds credential_response_encryption to a request, when wallet or issuer want the answer encrypted, with a key for this one
// answer. open, which is nil otherwise, opens the answer.
func (w *Wallet) wantEncrypted(i Issuer, body map[string]any) (open func([]byte) ([]byte, error), err error) {
	e := i.ResponseEncryption
	if e == nil || !w.encrypt && !e.Required {
		return nil, nil
	}
	enc, err := pickEnc(e.Encs)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(e.Algs, jose.ECDHES) {
		return nil, fmt.Errorf("%w: it encrypts by none of our algorithms", ErrIssuer)
	}
	key, err := ecdh.P256().GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	pub, err := jwe.PublicKey(key.PublicKey(), rand.Text())
	if err != nil {
		return nil, err
	}
	body["credential_response_encryption"] = map[string]any{"jwk": pub, "enc": enc}
	return func(token []byte) ([]byte, error) {
		o, err := jwe.Decrypt(string(token), jwe.Policy{Encs: []string{enc}, Max: maxAnswer}, jwe.Recipient{ID: pub.KeyID(), Key: key})
		return o.Payload, err
	}, nil
}

func pickEnc(offered []string) (string, error) {
	for _, enc := range jwe.DecryptEncs() {
		if slices.Contains(offered, enc) {
			return enc, nil
		}
	}
	return "", fmt.Errorf("%w: it encrypts the content by none of our algorithms", ErrIssuer)
}

// encryptRequest encrypts a Credential Request for the issuer (section 10). A request that asks for an encrypted answer must be.
func encryptRequest(i Issuer, body []byte) ([]byte, error) {
	e := i.RequestEncryption
	if e == nil {
		return nil, fmt.Errorf("%w: it encrypts answers and has no key for requests", ErrIssuer)
	}
	keys, err := jose.ParseJWKS(e.JWKS)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrIssuer, err)
	}
	key, err := jwe.KeyOf(keys, jose.ECDHES)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrIssuer, err)
	}
	enc, err := pickEnc(e.Encs)
	if err != nil {
		return nil, err
	}
	token, err := jwe.Encrypt(key, enc, jwe.Header{}, body)
	return []byte(token), err
}
