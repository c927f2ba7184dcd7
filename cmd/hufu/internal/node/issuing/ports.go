package issuing

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/keys"
	"github.com/hufu-id/hufu/wallet/issuer"
	"github.com/hufu-id/hufu/wallet/status"
)

// Signers gives the issuer the keys of authorities.
type Signers struct{ Keys *keys.Service }

func (c Signers) Signer(ctx context.Context, authority string, f issuer.Format) (issuer.Signer, error) {
	purpose := keys.Credential(authority)
	if f == issuer.MDoc {
		purpose = keys.DocumentSigner(authority)
	}
	s, err := c.Keys.Signer(ctx, purpose)
	if err != nil {
		return issuer.Signer{}, err
	}
	return issuer.Signer{Key: s.Key(), Chain: s.Chain()}, nil
}

// JWKS returns the keys of an authority's credentials, then those of the status lists: a verifier that has no bundle and looks for keys at
// jwt-vc-issuer finds there, by kid, also the key of the list that a credential names (Token Status List, key resolution).
func (c Signers) JWKS(ctx context.Context, authority string) ([]jose.JWK, error) {
	own, err := c.Keys.JWKS(ctx, keys.Credential(authority))
	if err != nil {
		return nil, err
	}
	status, err := c.Keys.JWKS(ctx, keys.Status)
	return slices.Concat(own, status), err
}

// Status gives the issuer places on status lists.
type Status struct{ Lists *status.Service }

func (a Status) Allocate(ctx context.Context, licenceID string, issuances []string, typeID string, expires time.Time) ([]issuer.StatusRef, error) {
	refs, err := a.Lists.AllocateBatch(ctx, licenceID, issuances, typeID, expires)
	if errors.Is(err, status.ErrNotValid) {
		err = issuer.ErrNotInForce
	}
	out := make([]issuer.StatusRef, len(refs))
	for n, r := range refs {
		out[n] = issuer.StatusRef{URI: r.URI, Index: r.Index}
	}
	return out, err
}

func (a Status) Retire(ctx context.Context, refs []issuer.StatusRef, at time.Time) error {
	out := make([]status.Ref, len(refs))
	for n, r := range refs {
		out[n] = status.Ref{URI: r.URI, Index: r.Index}
	}
	return a.Lists.Retire(ctx, out, at)
}
