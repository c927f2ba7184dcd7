package issuerstore

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/wallet/issuer"
)

// What a wallet renews its credentials by is kept, and nothing else.
func TestRedeemedOffersAreKeptForAYear(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		ctx, now := context.Background(), time.Now().UTC().Truncate(time.Microsecond)
		s := New(db)
		for _, id := range []string{"taken", "left"} {
			o := issuer.Offer{ID: id, Authority: "a", TypeID: "t", LicenceID: "l", CodeHash: "h-" + id, TxMAC: "m", CreatedAt: now, ExpiresAt: now.Add(time.Hour)}
			if err := s.CreateOffer(ctx, o, 5, audit.Event{Kind: "issuer.test"}); err != nil {
				t.Fatal(err)
			}
		}
		if right, _, err := s.Try(ctx, "taken", "m", 5, now); !right || err != nil {
			t.Fatal(right, err)
		}
		for _, c := range []struct {
			after   time.Duration
			deleted int64
			taken   error
		}{
			{time.Hour, 0, nil},
			{time.Hour + time.Second, 1, nil},
			{time.Hour + 366*24*time.Hour, 0, nil},
			{time.Hour + 366*24*time.Hour + time.Second, 1, issuer.ErrUnknownOffer},
		} {
			n, err := s.DeleteExpired(ctx, now.Add(c.after), 100)
			if n != c.deleted || err != nil {
				t.Errorf("after %s: %d deleted, %v", c.after, n, err)
			}
			if _, err := s.Offer(ctx, "taken"); !errors.Is(err, c.taken) {
				t.Errorf("after %s: %v", c.after, err)
			}
		}
	})
}
