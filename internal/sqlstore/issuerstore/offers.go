package issuerstore

import (
	"context"
	"time"

	"github.com/hufu-id/hufu/internal/sqlstore"
)

// keepRedeemed is how long a redeemed offer is kept: as long as a wallet may renew credentials by it (a year at most), and a day.
const keepRedeemed = 366 * 24 * time.Hour

// deleteOffers forgets offers that nobody took, and those by which nobody can renew anything any more.
func (s *Store) deleteOffers(ctx context.Context, before time.Time, limit int) (int64, error) {
	// Each statement has an index of its own: a sweep must not read the redeemed offers of a year.
	open, err := s.db.Exec(ctx, `DELETE FROM issuer_offers WHERE id IN
		(SELECT id FROM issuer_offers WHERE redeemed_at = 0 AND expires_at < $1 ORDER BY expires_at LIMIT $2)`, sqlstore.Micros(before), limit)
	if err != nil {
		return 0, err
	}
	redeemed, err := s.db.Exec(ctx, `DELETE FROM issuer_offers WHERE id IN
		(SELECT id FROM issuer_offers WHERE expires_at < $1 ORDER BY expires_at LIMIT $2)`, sqlstore.Micros(before.Add(-keepRedeemed)), limit)
	return open + redeemed, err
}
