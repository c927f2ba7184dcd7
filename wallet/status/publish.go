package status

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/signing/statuslist"
)

// Publish does one step: it signs the lists with entries that are due to flip, new ones, and those whose token gets old. Run it every second;
// several nodes may at the same time. A list that can't be signed doesn't keep the others; the errors are returned together.
func (s *Service) Publish(ctx context.Context) error {
	return s.publish(ctx, s.cfg.Now().Add(-abandoned))
}

func (s *Service) publish(ctx context.Context, abandonedBefore time.Time) error {
	now := s.cfg.Now()
	due, err := s.cfg.Store.Due(ctx, now, now.Add(-s.cfg.Refresh), abandonedBefore)
	if err != nil {
		return err
	}
	var errs []error
	for _, l := range due {
		if err := s.publishList(ctx, l); err != nil && !errors.Is(err, ErrStale) {
			errs = append(errs, fmt.Errorf("status: publishing %s: %w", l.ID, err))
		}
	}
	return errors.Join(errs...)
}

// publishList makes one token. The content is read under the number of the publication, and a token is stored only over one of a
// lower number: whatever node is slow, an older list never replaces a newer one.
func (s *Service) publishList(ctx context.Context, l List) error {
	var p Publication
	var content [2][]byte // as JWT and as CWT
	var issued, expires time.Time
	err := s.cfg.Tx(ctx, func(ctx context.Context) error {
		now := s.cfg.Now()
		var err error
		if p, err = s.cfg.Store.Begin(ctx, l, now); err != nil {
			return err
		}
		issued = now.Truncate(time.Second)
		if issued.Before(p.LastIssuedAt) {
			issued = p.LastIssuedAt // the clock of the node before was ahead of ours
		}
		expires = issued.Add(s.cfg.Life)
		if content, err = s.payloads(p, issued, expires); err != nil {
			return err
		}
		digest := fmt.Sprintf("%x %x", sha256.Sum256(content[0]), sha256.Sum256(content[1]))
		if err := s.cfg.Store.Record(ctx, p, issued, expires, digest); err != nil {
			return err
		}
		if p.Flipped == 0 {
			return nil
		}
		return s.cfg.Audit(ctx, audit.Event{Kind: "status.list_changed", Actor: "system", Subject: p.ListID,
			Detail: map[string]string{"seq": strconv.FormatInt(p.Seq, 10), "flipped": strconv.FormatInt(p.Flipped, 10)}})
	})
	if err != nil {
		return err
	}
	key, x5c, err := s.cfg.Signer(ctx)
	if err != nil {
		return fmt.Errorf("key: %w", err)
	}
	token, err := statuslist.Sign(key, x5c, content[0])
	if err != nil {
		return err
	}
	cwt, err := statuslist.SignCWT(key, x5c, content[1])
	if err != nil {
		return err
	}
	defer s.cache.doubt(p.ListID)
	return s.cfg.Store.Finish(ctx, Signed{ListID: p.ListID, Seq: p.Seq, JWT: token, CWT: cwt, IssuedAt: issued, Expires: expires, Keep: s.keeps(p, issued)})
}

// keepEvery is how often a token of an unchanged list is kept: long before the kept one expires, so that one covers each moment of the past.
const keepEvery = 7 * 24 * time.Hour

// keeps says whether a publication belongs in the history. An unchanged list needs none: the token before says the same of the time until then.
func (s *Service) keeps(p Publication, issued time.Time) bool {
	return s.cfg.History >= 0 && (p.Flipped > 0 || issued.Sub(p.LastKept) >= min(keepEvery, s.cfg.Life/2))
}

// Sweep forgets tokens of the past whose time is over. Run it every minute.
func (s *Service) Sweep(ctx context.Context) (int64, error) {
	now := s.cfg.Now()
	tokens := time.Time{} // as long as their list
	if s.cfg.History != 0 {
		tokens = now.Add(-max(s.cfg.History, 0))
	}
	return s.cfg.Store.ForgetHistory(ctx, now, tokens, 5000)
}

// payloads lays out both forms of a publication, for one compression.
func (s *Service) payloads(p Publication, issued, expires time.Time) (out [2][]byte, err error) {
	entries := make([]statuslist.Entry, len(p.Values))
	for i, v := range p.Values {
		entries[i] = statuslist.Entry{Index: v.Index, Value: statuslist.Status(v.Value)}
	}
	c := statuslist.Claims{URI: s.URI(p.ListID), IssuedAt: issued, Expires: expires, TTL: s.cfg.TTL, AggregationURI: s.AggregationURI()}
	if c.List, err = statuslist.Build(bits, p.Size, entries); err != nil {
		return out, err
	}
	if c.Compressed, err = c.List.Compress(); err != nil {
		return out, err
	}
	if out[0], err = statuslist.Payload(c); err != nil {
		return out, err
	}
	out[1], err = statuslist.PayloadCWT(c)
	return out, err
}
