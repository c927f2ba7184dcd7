package issuer

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/hufu-id/hufu/wallet/issuer/catalog"
	"github.com/hufu-id/hufu/wallet/issuer/deliver"
	"github.com/hufu-id/hufu/wallet/issuer/offer"
	"github.com/hufu-id/hufu/wallet/issuer/release"
)

// Issuer is the Credential Issuers of all authorities. It is safe for concurrent use and keeps no state of requests.
type Issuer struct {
	cfg         Config
	offers      *offer.Desk
	desk        *deliver.Desk
	releases    *release.Desk
	authorities atomic.Pointer[catalog.Catalog]
}

// New reads the authorities once and returns an Issuer.
func New(ctx context.Context, cfg Config) (*Issuer, error) {
	if err := cfg.Complete(); err != nil {
		return nil, err
	}
	i := &Issuer{cfg: cfg}
	i.offers, i.desk, i.releases = offer.New(&i.cfg, i.authorities.Load), deliver.New(&i.cfg, i.authorities.Load), release.New(&i.cfg, i.authorities.Load)
	if err := i.Reload(ctx); err != nil {
		return nil, err
	}
	return i, nil
}

// Reload reads the authorities again, after one was added or its types changed.
func (i *Issuer) Reload(ctx context.Context) error {
	list, err := i.cfg.Authorities.Authorities(ctx)
	if err != nil {
		return fmt.Errorf("issuer: reading authorities: %w", err)
	}
	d, err := catalog.New(i.cfg.Origin, list, catalog.Offers{BatchSize: i.cfg.BatchSize, Attestations: len(i.cfg.Makers) > 0,
		RequestEncryption: i.cfg.EncryptRequests, ResponseEncryption: i.cfg.EncryptResponses})
	if err != nil {
		return err
	}
	i.authorities.Store(d)
	return nil
}

// Identifier is the Credential Issuer Identifier of an authority. It is compared byte for byte everywhere.
func (i *Issuer) Identifier(code string) string { return catalog.Identifier(i.cfg.Origin, code) }

// Scope looks up a scope of a credential type.
func (i *Issuer) Scope(scope string) (Scope, bool) {
	return i.authorities.Load().Scope(scope)
}

// Scopes lists the scopes of all credential types, sorted.
func (i *Issuer) Scopes() []string { return i.authorities.Load().Scopes() }

// Configuration finds a credential configuration and who issues it.
func (i *Issuer) Configuration(id string) (Configuration, []string, bool) {
	return i.authorities.Load().Configuration(id)
}

// Identifiers lists the credential_identifiers of a configuration that a holder may get; see deliver.Desk.
func (i *Issuer) Identifiers(ctx context.Context, h Holder, configurationID string, issuers []string) ([]string, error) {
	return i.desk.Identifiers(ctx, h, configurationID, issuers)
}

// Sweep ends superseded copies whose time is over, deletes offers that ended an hour ago and longer, up to 500 in one call, and returns how many.
func (i *Issuer) Sweep(ctx context.Context) (int64, error) {
	if _, err := i.desk.Retire(ctx); err != nil {
		return 0, err
	}
	return i.cfg.Store.DeleteExpired(ctx, i.cfg.Now().Add(-time.Hour), 500)
}

// CreateOffer makes an offer for a licence that is in force; see offer.Desk.
func (i *Issuer) CreateOffer(ctx context.Context, req OfferRequest) (OfferView, error) {
	return i.offers.CreateOffer(ctx, req)
}

// ShowOffer shows an offer again to the citizen who made it; see offer.Desk.
func (i *Issuer) ShowOffer(ctx context.Context, opaque, personID string) (OfferView, error) {
	return i.offers.ShowOffer(ctx, opaque, personID)
}

// StateOffer returns what an issuer_state at the authorization endpoint belongs to; see offer.Desk.
func (i *Issuer) StateOffer(ctx context.Context, issuerState string) (scope, audience string, err error) {
	return i.offers.StateOffer(ctx, issuerState)
}

// Redeem uses up a Pre-Authorized Code; see offer.Desk.
func (i *Issuer) Redeem(ctx context.Context, code, txCode string) (Redemption, error) {
	return i.offers.Redeem(ctx, code, txCode)
}

// Deliver issues to a wallet that this server keeps for a person; see deliver.Desk.
func (i *Issuer) Deliver(ctx context.Context, token AccessToken, authority, configurationID string, prove func(nonce, audience string) (string, error)) (string, error) {
	return i.desk.Deliver(ctx, token, authority, configurationID, prove)
}
