package status

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hufu-id/hufu/wallet/status/journal"
	"github.com/hufu-id/hufu/wallet/status/moment"
)

// Retire makes single entries invalid from a time on, each at a random moment within Spread: copies that newer ones replaced. They stay so, whatever
// happens to their licence, and after a restore. It joins the transaction in ctx.
func (s *Service) Retire(ctx context.Context, refs []Ref, at time.Time) error {
	line := journal.Line{Kind: journal.Retired, At: s.cfg.Now().UnixMicro()}
	return s.cfg.Tx(ctx, func(ctx context.Context) error {
		for _, r := range refs {
			id, ours := strings.CutPrefix(r.URI, s.URI(""))
			if !ours {
				return fmt.Errorf("status: %q is no list of this server", r.URI)
			}
			when, err := moment.After(at, s.cfg.Spread)
			if err != nil {
				return err
			}
			if err := s.cfg.Store.Retire(ctx, id, r.Index, when); err != nil {
				return err
			}
			line.Entries = append(line.Entries, journal.Entry{List: id, Index: r.Index})
		}
		if s.cfg.Journal == nil {
			return nil
		}
		return s.cfg.AfterCommit(ctx, func(context.Context) error { return s.cfg.Journal.Note(line) })
	})
}
