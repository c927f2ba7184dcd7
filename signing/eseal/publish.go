package eseal

import (
	"context"
	"errors"
	"sync"
)

// published remembers what the trust bundle was told of each maker, by the version of the maker's seals.
type published struct {
	mu     sync.Mutex
	makers map[string]madeBy
}

type madeBy struct {
	version int64
	seals   []SealHistory
}

// Published returns the seals of a maker with their histories, for the trust bundle. It is asked every second, and costs one small query while
// nothing changes. The result is shared: don't change it.
func (s *Service) Published(ctx context.Context, maker string) ([]SealHistory, error) {
	// The version first: what comes between the two queries is read again next time.
	version, err := s.cfg.Store.Version(ctx, maker)
	if err != nil {
		return nil, err
	}
	s.published.mu.Lock()
	known, ok := s.published.makers[maker]
	s.published.mu.Unlock()
	if ok && known.version == version {
		return known.seals, nil
	}
	seals, err := s.cfg.Store.AllOf(ctx, maker)
	if err != nil {
		return nil, err
	}
	s.published.mu.Lock()
	defer s.published.mu.Unlock()
	if s.published.makers == nil {
		s.published.makers = map[string]madeBy{}
	}
	s.published.makers[maker] = madeBy{version, seals}
	return seals, nil
}

// Public is what everybody may know of a seal: whose it is, what it may be put on, and its states. Who decided and why is for its owner and maker.
type Public struct {
	Seal
	MakerName Name
	History   []Change // without reasons and people
	Picture   bool
}

// Name is an organisation's name for people.
type Name struct{ ZH, EN string }

// Public returns a seal that was issued. ErrNotFound.
func (s *Service) Public(ctx context.Context, id string) (Public, error) {
	if !sealIDForm.MatchString(id) {
		return Public{}, ErrNotFound
	}
	x, err := s.cfg.Store.Get(ctx, id)
	if err != nil {
		return Public{}, err
	}
	out := Public{Seal: x}
	if m, ok := s.maker(x.Maker); ok {
		out.MakerName = Name{ZH: m.NameZH, EN: m.NameEN}
	}
	changes, err := s.cfg.Store.History(ctx, id)
	if err != nil {
		return Public{}, err
	}
	for _, c := range changes {
		out.History = append(out.History, Change{SealID: c.SealID, Seq: c.Seq, Operation: c.Operation, From: c.From, To: c.To, EffectiveAt: c.EffectiveAt, RecordedAt: c.RecordedAt})
	}
	_, err = s.cfg.Store.Picture(ctx, id)
	switch {
	case err == nil:
		out.Picture = true
	case !errors.Is(err, ErrNotFound):
		return Public{}, err
	}
	return out, nil
}
