package status

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// fresh is how long a node serves a list without asking the database whether another node has published it again.
const fresh = time.Second

// cache holds the published tokens of all live lists: some kilobytes each, 4 MB for a nation.
type cache struct {
	mu    sync.RWMutex
	lists map[string]cached
}

// cached is a list with its tokens, as of asked.
type cached struct {
	List
	asked time.Time
}

func (c *cache) get(id string) (cached, bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	l, ok := c.lists[id]
	return l, ok
}

// all returns the lists in order of ID.
func (c *cache) all() []List {
	c.mu.RLock()
	defer c.mu.RUnlock()
	out := make([]List, 0, len(c.lists))
	for _, id := range slices.Sorted(maps.Keys(c.lists)) {
		out = append(out, c.lists[id].List)
	}
	return out
}

// put stores what the database said. A slow reader doesn't replace what a quicker one knows.
func (c *cache) put(l List, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if old, ok := c.lists[l.ID]; !ok || old.TokenSeq <= l.TokenSeq {
		c.lists[l.ID] = cached{l, now}
	}
}

// doubt makes the next reader ask the database, and keeps what is there for the case that it doesn't answer.
func (c *cache) doubt(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l, ok := c.lists[id]; ok {
		c.lists[id] = cached{l.List, time.Time{}}
	}
}

// keep forgets all lists but these.
func (c *cache) keep(live []List) {
	ids := make(map[string]bool, len(live))
	for _, l := range live {
		ids[l.ID] = true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for id := range c.lists {
		if !ids[id] {
			delete(c.lists, id)
		}
	}
}

// Tokens returns the published tokens of all live lists in order of URI. Only those that changed are read. Legal acts whose moment within Spread
// has not come are not in them: a bundle that ran ahead of the lists would show which entries flip together. Run it every few
// seconds on every node also for its own sake: what it has read is served when the database is down.
func (s *Service) Tokens(ctx context.Context) ([]Token, error) {
	now := s.cfg.Now()
	live, err := s.cfg.Store.Live(ctx, now)
	if err != nil {
		return nil, err
	}
	var out []Token
	for _, l := range live {
		if l.TokenSeq == 0 {
			continue
		}
		have, ok := s.cache.get(l.ID)
		if !ok || have.TokenSeq != l.TokenSeq {
			if l, err = s.cfg.Store.Get(ctx, l.ID); err != nil {
				return nil, err
			}
			s.cache.put(l, now)
			have.List = l
		}
		if have.Token != "" {
			out = append(out, Token{URI: s.URI(have.ID), JWT: have.Token, CWT: have.TokenCWT, IssuedAt: have.TokenIssuedAt, ExpiresAt: have.TokenExpires})
		}
	}
	s.cache.keep(live)
	slices.SortFunc(out, func(a, b Token) int { return strings.Compare(a.URI, b.URI) })
	return out, nil
}
