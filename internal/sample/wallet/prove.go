package wallet

import (
	"context"
	"fmt"

	"github.com/hufu-id/hufu/internal/jose"
)

// Nonce asks for a fresh nonce.
func (w *Wallet) Nonce(ctx context.Context, i Issuer) (string, error) {
	var n struct {
		Nonce string `json:"c_nonce"`
	}
	if err := w.json(ctx, call{address: i.NonceEndpoint, contentType: "application/x-www-form-urlencoded", body: []byte{}}, &n); err != nil {
		return "", err
	}
	return n.Nonce, nil
}

// Prove makes a key proof (OpenID4VCI appendix F.1). anonymous leaves out iss.
func (w *Wallet) Prove(i Issuer, key jose.SigningKey, nonce string, anonymous bool) (string, error) {
	return w.prove(i, key, nonce, anonymous, "")
}

func (w *Wallet) prove(i Issuer, key jose.SigningKey, nonce string, anonymous bool, attestation string) (string, error) {
	pub, err := bare(key)
	if err != nil {
		return "", err
	}
	claims := map[string]any{"aud": i.ID, "iat": w.now().Unix(), "nonce": nonce}
	if !anonymous {
		claims["iss"] = w.clientID
	}
	h := jose.Header{Typ: "openid4vci-proof+jwt", JWK: &pub}
	if attestation != "" {
		h.Extra = map[string]any{"key_attestation": attestation}
	}
	return jose.SignJSON(key, h, claims)
}

// proofs proves all keys with one nonce, as the configuration wants it. A key attestation goes along where the issuer requires one.
func (w *Wallet) proofs(ctx context.Context, i Issuer, configuration string, keys []jose.SigningKey, byAttestation bool) (map[string][]string, error) {
	nonce, err := w.Nonce(ctx, i)
	if err != nil {
		return nil, err
	}
	types := i.Configurations[configuration].Proofs
	_, hasJWT := types["jwt"]
	_, hasAttestation := types["attestation"]
	byAttestation = byAttestation || hasAttestation && !hasJWT
	var attestation string
	if byAttestation || types["jwt"].Attestations != nil && w.attester != nil {
		if attestation, err = w.attestKeys(keys, nonce); err != nil {
			return nil, err
		}
	}
	if byAttestation {
		return map[string][]string{"attestation": {attestation}}, nil
	}
	out := make([]string, len(keys))
	for n, key := range keys {
		if out[n], err = w.prove(i, key, nonce, w.clientID == "", attestation); err != nil {
			return nil, err
		}
	}
	return map[string][]string{"jwt": out}, nil
}

func (w *Wallet) attestKeys(keys []jose.SigningKey, nonce string) (string, error) {
	if w.attester == nil {
		return "", fmt.Errorf("wallet: the issuer wants a key attestation, and there is no wallet provider")
	}
	var pubs []jose.JWK
	for _, key := range keys {
		pub, err := bare(key)
		if err != nil {
			return "", err
		}
		pubs = append(pubs, pub)
	}
	return w.attester.Keys(pubs, nonce)
}
