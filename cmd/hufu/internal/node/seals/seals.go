// Package seals joins the register of seals with the keys and the trust bundle of a node.
package seals

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/keys"
	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/signing/eseal"
	"github.com/hufu-id/hufu/signing/sealvc"
)

const day = 24 * time.Hour

// keep is how long a seal maker's key verifies: a seal begins at most a year after it was made and is valid for three years at most.
const keep = (4*366 + 30) * day

// Specs are the purposes of a seal maker and how their keys are made.
func Specs(origin string, m eseal.Maker) map[keys.Purpose]keys.Spec {
	return map[keys.Purpose]keys.Spec{
		keys.SealMaker(m.Code): {RotateEvery: 365 * day, PublishAhead: day, Keep: keep, Certificate: &keys.CertificateSpec{Kind: keys.KindSealMaker,
			Organization: m.NameZH, OrganizationIdentifier: m.Code, URI: eseal.Identifier(origin, m.Code)}},
		keys.BundleIssuer(m.Code): {RotateEvery: 180 * day, PublishAhead: 7 * day, Keep: 40 * day},
	}
}

// Intermediates makes those that seals need.
func Intermediates(ctx context.Context, k *keys.Service) error {
	for _, kind := range []keys.Kind{keys.KindSealMaker, keys.KindSealSigner} {
		if _, err := k.EnsureIntermediate(ctx, kind); err != nil {
			return err
		}
	}
	return nil
}

// Keys lends the register of seals its keys.
type Keys struct{ Keys *keys.Service }

var _ eseal.Keys = Keys{}

// EnsureSeal implements eseal.Keys.
func (k Keys) EnsureSeal(ctx context.Context, sealID string, owner sealvc.Owner, life time.Duration) (eseal.Signer, error) {
	s, err := k.Keys.EnsureSingle(ctx, keys.ClassSeal, sealID, keys.SingleSpec{Life: life,
		Certificate: &keys.CertificateSpec{Kind: keys.KindSealSigner, Organization: owner.Name, OrganizationIdentifier: owner.Code}})
	if errors.Is(err, keys.ErrAuthorityEnds) {
		err = fmt.Errorf("%w: the authority for seal signers ends before it; nothing was done, propose a shorter one", eseal.ErrValidity)
	}
	return signer(s, err)
}

// Seal implements eseal.Keys.
func (k Keys) Seal(ctx context.Context, sealID string) (eseal.Signer, error) {
	s, err := k.Keys.SignerOf(ctx, keys.ClassSeal, sealID)
	if errors.Is(err, keys.ErrDestroyed) {
		err = fmt.Errorf("%w: it is cancelled (%s)", eseal.ErrNotActive, eseal.Cancelled.ZH())
	}
	return signer(s, err)
}

// DestroySeal implements eseal.Keys.
func (k Keys) DestroySeal(ctx context.Context, sealID string) error {
	return k.Keys.DestroySingle(ctx, keys.ClassSeal, sealID)
}

// Maker implements eseal.Keys.
func (k Keys) Maker(ctx context.Context, code string) (eseal.Signer, error) {
	return signer(k.Keys.Signer(ctx, keys.SealMaker(code)))
}

// MakerJWKS implements eseal.Keys.
func (k Keys) MakerJWKS(ctx context.Context, code string) ([]jose.JWK, error) {
	return k.Keys.JWKS(ctx, keys.SealMaker(code))
}

func signer(s keys.Signer, err error) (eseal.Signer, error) {
	return eseal.Signer{Key: s.Key(), Chain: s.Chain()}, err
}

// Publish adds what the trust bundle says of seal makers and their seals.
func Publish(ctx context.Context, s *eseal.Service, origin string, makers []eseal.Maker, in *bundle.Input) error {
	for _, m := range makers {
		out := bundle.Issuer{ID: eseal.Identifier(origin, m.Code), Code: m.Code, Name: map[string]string{"zh": m.NameZH, "en": m.NameEN},
			Authorised: []bundle.Authorisation{{VCT: s.VCT()}}}
		made, err := s.Published(ctx, m.Code)
		if err != nil {
			return err
		}
		for _, x := range made {
			seal := bundle.Seal{ID: x.ID, PayloadSHA256: x.PayloadHash}
			for _, c := range x.Changes {
				seal.History = append(seal.History, bundle.SealState{State: string(c.To), EffectiveAt: c.EffectiveAt, RecordedAt: c.RecordedAt})
			}
			out.Seals = append(out.Seals, seal)
		}
		in.Issuers = append(in.Issuers, out)
		in.Types[s.VCT()] = s.Metadata()
	}
	return nil
}
