// Package restorestore ends what a restored database brings back from the dead: logins, authorizations and offers that were used, changed or
// ended after the backup was made.
package restorestore

import (
	"context"
	"fmt"

	"github.com/hufu-id/hufu/internal/sqlstore"
)

// Ended counts what was ended.
type Ended struct {
	// Sessions are logins. Grants are authorizations, with their codes, refresh tokens and access tokens. Pushed are requests that
	// waited for a browser. Offers are credential offers that nobody had taken.
	Sessions int64 `json:"sessions"`
	Grants   int64 `json:"grants"`
	Pushed   int64 `json:"pushed"`
	Offers   int64 `json:"offers"`
}

// bundleGap is how many versions of the trust bundle may have been published since the backup: at most one a second, for eleven days. No
// verifier takes a version below one that it has seen.
const bundleGap = 1_000_000

// End ends all of it in one transaction, or in that of ctx. Consents, clients and what people are stay.
func End(ctx context.Context, db *sqlstore.DB) (Ended, error) {
	var out Ended
	err := db.InTx(ctx, func(ctx context.Context) error {
		for _, step := range []struct {
			count *int64
			query string
		}{
			{&out.Sessions, `DELETE FROM oidc_sessions`},
			{nil, `DELETE FROM oidc_session_clients`},
			{&out.Grants, `DELETE FROM oidc_grants`},
			{&out.Pushed, `DELETE FROM oidc_pushed`},
			{&out.Offers, `DELETE FROM issuer_offers WHERE redeemed_at = 0`},
			{nil, fmt.Sprintf(`UPDATE bundle_state SET reserved = reserved + %d`, bundleGap)},
		} {
			n, err := db.Exec(ctx, step.query)
			if err != nil {
				return fmt.Errorf("restorestore: %w", err)
			}
			if step.count != nil {
				*step.count = n
			}
		}
		return nil
	})
	return out, err
}
