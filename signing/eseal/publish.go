package eseal

import (
	"context"
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
