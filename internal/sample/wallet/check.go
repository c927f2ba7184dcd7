package wallet

import (
	"context"
	"fmt"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/signing/sdjwt"
)

// check refuses credentials that are not what was asked for: another type, key or issuer, or a signature of unknown origin. It gives each copy the
// key that it is bound to; two copies with one key are refused.
func (w *Wallet) check(ctx context.Context, i Issuer, copies []Credential, own []jose.SigningKey) error {
	var published []jose.JWK
	if copies[0].Format == FormatSDJWT {
		var err error
		if published, err = w.keys(ctx, i.ID); err != nil {
			return err
		}
	}
	byThumbprint := map[string]jose.SigningKey{}
	for _, key := range own {
		pub, err := key.Public()
		if err != nil {
			return err
		}
		byThumbprint[pub.Thumbprint()] = key
	}
	for n := range copies {
		c := &copies[n]
		var thumbprint string
		var err error
		switch c.Format {
		case FormatSDJWT:
			thumbprint, err = checkSDJWT(i, *c, published)
		case FormatMDoc:
			thumbprint, err = checkMDoc(*c)
		default:
			err = fmt.Errorf("%w: the wallet doesn't know the format %q", ErrIssuer, c.Format)
		}
		if err != nil {
			return err
		}
		key, ok := byThumbprint[thumbprint]
		if !ok {
			return fmt.Errorf("%w: the credential is for another key, or two are for one", ErrIssuer)
		}
		delete(byThumbprint, thumbprint)
		c.Key = key
	}
	return nil
}

// checkSDJWT returns the thumbprint of the key that the credential is bound to.
func checkSDJWT(i Issuer, c Credential, published []jose.JWK) (string, error) {
	p, err := sdjwt.Parse(c.Text)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrIssuer, err)
	}
	if p.HasKeyBinding() {
		return "", fmt.Errorf("%w: a credential as issued has no key binding", ErrIssuer)
	}
	v, err := p.Verify(published...)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrIssuer, err)
	}
	holder, err := v.Holder()
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrIssuer, err)
	}
	claims := v.Claims()
	if claims["iss"] != i.ID || claims["vct"] != c.Type {
		return "", fmt.Errorf("%w: the credential is of another issuer or of another type", ErrIssuer)
	}
	return holder.Thumbprint(), nil
}
