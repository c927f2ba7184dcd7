package deliver

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"

	"github.com/hufu-id/hufu/wallet/issuer/catalog"
	"github.com/hufu-id/hufu/wallet/issuer/port"
)

// authorise finds the licence that the token may have, as things are now: what was true when the token was made may have changed.
// It holds the licence until the transaction ends.
func (d *Desk) authorise(ctx context.Context, o order) (l port.Licence, p port.Person, err error) {
	var id string
	switch {
	case o.token.OfferID != "" && o.token.PersonID == "":
		id, p, err = d.ofOffer(ctx, o)
	case o.token.PersonID != "" && o.token.OfferID == "":
		id, p, err = d.ofPerson(ctx, o)
	default:
		err = port.ErrNoLicence
	}
	if err != nil {
		return l, p, err
	}
	if l, err = d.cfg.Licences.Hold(ctx, id, p); err != nil {
		return l, p, err
	}
	if l.Issuer != o.authority.Code || l.TypeID != o.conf.Type.ID {
		return l, p, port.ErrNoLicence
	}
	return l, p, nil
}

func (d *Desk) ofOffer(ctx context.Context, o order) (id string, p port.Person, err error) {
	offer, err := d.cfg.Store.Offer(ctx, o.token.OfferID)
	if err != nil {
		return "", p, err
	}
	if offer.Authority != o.authority.Code || offer.TypeID != o.conf.Type.ID || offer.RedeemedAt.IsZero() {
		return "", p, port.ErrNoLicence
	}
	if o.identifier != "" && o.identifier != d.identifier(o.conf.ID, offer.LicenceID) || o.licence != "" && o.licence != offer.LicenceID {
		return "", p, port.ErrNoLicence
	}
	if offer.PersonID != "" {
		p, err = d.cfg.MayTake(ctx, offer.PersonID, offer.ACR, o.conf.Type.RequiredACR)
	}
	return offer.LicenceID, p, err
}

// ofPerson takes the licence that was deferred or that an identifier names; without those that of the offer that the flow began with, or else the newest in
// force. An issuer_state proves nothing: whoever sends one still gets only a licence of the person who logged in.
func (d *Desk) ofPerson(ctx context.Context, o order) (string, port.Person, error) {
	p, err := d.cfg.MayTake(ctx, o.token.PersonID, o.token.ACR, o.conf.Type.RequiredACR)
	if err != nil || o.licence != "" {
		return o.licence, p, err
	}
	if o.identifier == "" {
		id, err := d.ofState(ctx, o.token.IssuerState, o.authority.Code, o.conf.Type.ID)
		if err != nil || id != "" {
			return id, p, err
		}
	}
	ids, err := d.cfg.Licences.OfPerson(ctx, p, o.authority.Code, o.conf.Type.ID)
	if err != nil {
		return "", p, fmt.Errorf("issuer: licences of the person: %w", err)
	}
	for _, id := range ids {
		if o.identifier == "" || o.identifier == d.identifier(o.conf.ID, id) {
			return id, p, nil
		}
	}
	return "", p, port.ErrNoLicence
}

// ofState is the licence of the offer that an issuer_state belongs to; empty when there is none of that kind.
func (d *Desk) ofState(ctx context.Context, state, authority, typeID string) (string, error) {
	if state == "" {
		return "", nil
	}
	offer, err := d.cfg.Store.OfferByState(ctx, port.Hash(state))
	switch {
	case errors.Is(err, port.ErrUnknownOffer):
		return "", nil
	case err != nil:
		return "", err
	case offer.Authority != authority || offer.TypeID != typeID:
		return "", nil
	}
	return offer.LicenceID, nil
}

// identifier is the credential_identifier of a licence in a configuration: always the same, and it tells nothing of the licence.
func (d *Desk) identifier(configurationID, licenceID string) string {
	return configurationID + ":" + base64.RawURLEncoding.EncodeToString(port.MAC(d.naming, configurationID, licenceID)[:18])
}

// Holder is for whom identifiers are asked: a person who logged in at a level, or an offer.
type Holder struct {
	PersonID, ACR, OfferID, IssuerState string
}

// Identifiers lists the credential_identifiers of a configuration at the given Credential Issuers: one for each licence that the holder may get now, the newest
// first and that of the offer in IssuerState alone. It joins the transaction in ctx. Nobody's is an empty list.
func (d *Desk) Identifiers(ctx context.Context, h Holder, configurationID string, issuers []string) ([]string, error) {
	var out []string
	for _, code := range d.catalog().Codes() {
		a, _ := d.catalog().Entry(code)
		conf, ok := a.Configuration(configurationID)
		if !ok || !contains(issuers, a.Identifier) {
			continue
		}
		ids, err := d.licencesFor(ctx, h, a, conf)
		if errors.Is(err, port.ErrNoLicence) || errors.Is(err, port.ErrLevelTooLow) || errors.Is(err, port.ErrPersonInactive) || errors.Is(err, port.ErrUnknownOffer) {
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			out = append(out, d.identifier(conf.ID, id))
		}
	}
	return out, nil
}

func contains(issuers []string, id string) bool {
	for _, i := range issuers {
		if i == id {
			return true
		}
	}
	return false
}

func (d *Desk) licencesFor(ctx context.Context, h Holder, a *catalog.Entry, conf catalog.Configuration) ([]string, error) {
	if h.OfferID != "" {
		offer, err := d.cfg.Store.Offer(ctx, h.OfferID)
		if err != nil || offer.Authority != a.Code || offer.TypeID != conf.Type.ID {
			return nil, err
		}
		return []string{offer.LicenceID}, nil
	}
	p, err := d.cfg.MayTake(ctx, h.PersonID, h.ACR, conf.Type.RequiredACR)
	if err != nil {
		return nil, err
	}
	ids, err := d.cfg.Licences.OfPerson(ctx, p, a.Code, conf.Type.ID)
	if err != nil {
		return nil, err
	}
	state, err := d.ofState(ctx, h.IssuerState, a.Code, conf.Type.ID)
	if err != nil || state == "" {
		return ids, err
	}
	for _, id := range ids {
		if id == state {
			return []string{id}, nil
		}
	}
	return nil, nil
}
