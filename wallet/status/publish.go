package status

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
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
	var payload []byte
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
		if payload, err = s.payload(p, issued, expires); err != nil {
			return err
		}
		digest := sha256.Sum256(payload)
		if err := s.cfg.Store.Record(ctx, p, issued, expires, hex.EncodeToString(digest[:])); err != nil {
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
	token, err := statuslist.Sign(key, x5c, payload)
	if err != nil {
		return err
	}
	return s.cfg.Store.Finish(ctx, p.ListID, p.Seq, token, issued, expires)
}

func (s *Service) payload(p Publication, issued, expires time.Time) ([]byte, error) {
	entries := make([]statuslist.Entry, len(p.Values))
	for i, v := range p.Values {
		entries[i] = statuslist.Entry{Index: v.Index, Value: statuslist.Status(v.Value)}
	}
	list, err := statuslist.Build(bits, p.Size, entries)
	if err != nil {
		return nil, err
	}
	return statuslist.Payload(statuslist.Claims{URI: s.URI(p.ListID), IssuedAt: issued, Expires: expires, TTL: s.cfg.TTL, List: list})
}

// Tokens flips everything that is outstanding, publishes it, and returns the tokens of all live lists in order of URI: what
// goes into a trust bundle knows every legal act that was committed before.
func (s *Service) Tokens(ctx context.Context) ([]Token, error) {
	now := s.cfg.Now()
	if err := s.cfg.Store.Hasten(ctx, now); err != nil {
		return nil, err
	}
	// Also what another node has begun and may never finish.
	if err := s.publish(ctx, now.Add(time.Second)); err != nil {
		return nil, err
	}
	lists, err := s.cfg.Store.Live(ctx, now)
	if err != nil {
		return nil, err
	}
	out := make([]Token, 0, len(lists))
	for _, l := range lists {
		if l.Token != "" {
			out = append(out, s.token(l))
		}
	}
	return out, nil
}

func (s *Service) token(l List) Token {
	return Token{URI: s.URI(l.ID), JWT: l.Token, IssuedAt: l.TokenIssuedAt, ExpiresAt: l.TokenExpires}
}
