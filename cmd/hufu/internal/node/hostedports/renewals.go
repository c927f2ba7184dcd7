package hostedports

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/hufu-id/hufu/wallet/hosted"
	"github.com/hufu-id/hufu/wallet/reissue"
)

// Renewals is the hosted wallet as reissue sees it.
type Renewals struct {
	Wallet   *hosted.Wallet
	Licences hosted.Licences
}

// Renew implements reissue.Renewer. The person isn't there; she is who she was when she took the licence, at the level that its type demands.
func (r Renewals) Renew(ctx context.Context, personID, licenceID string) error {
	all, err := r.Licences.Of(ctx, personID)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(all, func(l hosted.Licence) bool { return l.ID == licenceID && l.InForce })
	if i < 0 {
		return reissue.ErrGone
	}
	err = r.Wallet.TakeCopy(ctx, hosted.Citizen{PersonID: personID, ACR: all[i].RequiredACR}, all[i])
	for _, final := range []error{hosted.ErrNotFound, hosted.ErrNotInForce, hosted.ErrLevelTooLow} {
		if errors.Is(err, final) {
			return fmt.Errorf("%w: %w", reissue.ErrGone, err)
		}
	}
	return err
}
