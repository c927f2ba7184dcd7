package wallet

import (
	"crypto/x509"
	"encoding/base64"
	"fmt"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/strictjson"
	"github.com/hufu-id/hufu/signing/mdoc"
)

// MDoc reads an mdoc of the wallet.
func (c Credential) MDoc() (mdoc.Parsed, error) {
	b, err := strictjson.DecodeBase64(c.Text)
	if err != nil {
		return mdoc.Parsed{}, err
	}
	return mdoc.ParseIssuerSigned(b)
}

// PresentMDoc makes a DeviceResponse, as base64url text, that shows the named elements to the verifier who gave the nonce.
func (c Credential) PresentMDoc(audience, nonce string, show ...mdoc.Show) (string, error) {
	p, err := c.MDoc()
	if err != nil {
		return "", err
	}
	transcript, err := mdoc.Challenge(nonce, audience)
	if err != nil {
		return "", err
	}
	b, err := p.Present(c.Key, transcript, show...)
	return base64.RawURLEncoding.EncodeToString(b), err
}

// checkMDoc returns the thumbprint of the key that the mdoc is bound to. The signature is checked by the certificate that the mdoc brings: whose that is, only
// somebody with the issuer's anchor can tell (`hufu verify`).
func checkMDoc(c Credential) (string, error) {
	p, err := c.MDoc()
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrIssuer, err)
	}
	leaf, err := x509.ParseCertificate(p.X5Chain()[0])
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrIssuer, err)
	}
	key, err := jose.FromPublic(leaf.PublicKey, "", "")
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrIssuer, err)
	}
	v, err := p.Verify(key)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrIssuer, err)
	}
	if v.DocType() != c.Type {
		return "", fmt.Errorf("%w: the credential is of another type", ErrIssuer)
	}
	return v.DeviceKey().Thumbprint(), nil
}
