package status

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"
	"strings"
	"time"
)

// Retire makes single entries invalid from a time on, each at a random moment within Spread: copies that newer ones replaced. It joins the transaction in ctx.
func (s *Service) Retire(ctx context.Context, refs []Ref, at time.Time) error {
	for _, r := range refs {
		id, ours := strings.CutPrefix(r.URI, s.URI(""))
		if !ours {
			return fmt.Errorf("status: %q is no list of this server", r.URI)
		}
		when := at
		if s.cfg.Spread > 0 {
			n, err := rand.Int(rand.Reader, big.NewInt(int64(s.cfg.Spread)))
			if err != nil {
				return fmt.Errorf("status: randomness: %w", err)
			}
			when = at.Add(time.Duration(n.Int64()))
		}
		if err := s.cfg.Store.Schedule(ctx, id, r.Index, Invalid, when); err != nil {
			return err
		}
	}
	return nil
}
