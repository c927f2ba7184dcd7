package oidc

import (
	"context"
	"errors"

	"github.com/hufu-id/hufu/oidc/authorize"
	"github.com/hufu-id/hufu/oidc/claim"
	"github.com/hufu-id/hufu/oidc/grant"
)

// lapsed says why a grant no longer carries new tokens, though nobody revoked it: a refresh asks for all that a login would ask for. "" while it stands.
// Nobody logged in for the grant of an offer: its issuer knows whose it is, and asks whenever a credential is taken.
func (p *Provider) lapsed(ctx context.Context, g grant.Grant) (string, error) {
	if g.PersonID == "" && g.OfferID != "" {
		return "", nil
	}
	if p.cfg.ProvinceOpen != nil && g.Province != "" && !p.cfg.ProvinceOpen(g.Province) {
		return "the province is switched off", nil
	}
	if _, err := p.cfg.Persons.Claims(ctx, g.PersonID); errors.Is(err, claim.ErrNoPerson) {
		return "the person may not log in", nil
	} else if err != nil {
		return "", err
	}
	if _, err := p.cfg.Store.Consent(ctx, g.PersonID, g.ClientID); errors.Is(err, authorize.ErrNoConsent) {
		return "the consent is withdrawn", nil
	} else if err != nil {
		return "", err
	}
	return "", nil
}
