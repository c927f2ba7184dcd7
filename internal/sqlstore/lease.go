package sqlstore

import (
	"context"
	"errors"
	"time"
)

// Hold takes or renews the lease on a background job and says whether holder has it until then. now and until are the node's own clock: a lease
// saves double work, it does not guard anything; what must happen once is decided by a claim.
func (db *DB) Hold(ctx context.Context, name, holder string, now, until time.Time) (bool, error) {
	err := db.Claim(ctx, `INSERT INTO leases (name, holder, until) VALUES ($1, $2, $3)
		ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until
		WHERE leases.holder = excluded.holder OR leases.until < $4`, name, holder, Micros(until), Micros(now))
	if errors.Is(err, ErrLost) {
		return false, nil
	}
	return err == nil, err
}
