package status

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hufu-id/hufu/wallet/status/journal"
)

// The journal is written after the commit. Before it, a line could tell of what never happened; and what a crash keeps from being written the database
// still knows: Record writes it later. Lost is only what both lose at once, and that nobody was told.

func (s *Service) journalSet(ctx context.Context, c Change, entries []Entry) error {
	if s.cfg.Journal == nil {
		return nil
	}
	return s.cfg.AfterCommit(ctx, func(context.Context) error {
		if err := s.cfg.Journal.Append(setLine(c, entries)); err != nil {
			return fmt.Errorf("status: the change is made but not in the revocation journal yet: %w", err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.written = append(s.written, c)
		return nil
	})
}

func setLine(c Change, entries []Entry) journal.Line {
	l := journal.Line{Kind: journal.Set, At: c.At.UnixMicro(), Licence: c.LicenceID, Value: c.Value, Version: c.Version}
	for _, e := range entries {
		l.Entries = append(l.Entries, journal.Entry{List: e.ListID, Index: e.Index})
	}
	return l
}

// journalGiven doesn't wait for the disk: what a crash of the machine takes with it is missed only if the database is lost at the same moment.
func (s *Service) journalGiven(ctx context.Context, licenceID string, refs []Ref) error {
	if s.cfg.Journal == nil {
		return nil
	}
	line := journal.Line{Kind: journal.Given, At: s.cfg.Now().UnixMicro(), Licence: licenceID}
	prefix := len(s.URI(""))
	for _, r := range refs {
		line.Entries = append(line.Entries, journal.Entry{List: r.URI[prefix:], Index: r.Index})
	}
	return s.cfg.AfterCommit(ctx, func(context.Context) error { return s.cfg.Journal.Note(line) })
}

func (s *Service) journalList(ctx context.Context, l List) error {
	if s.cfg.Journal == nil {
		return nil
	}
	return s.cfg.AfterCommit(ctx, func(context.Context) error { return s.cfg.Journal.Note(listLine(l)) })
}

func listLine(l List) journal.Line {
	return journal.Line{Kind: journal.Made, List: &journal.List{ID: l.ID, Pool: l.Pool, Ordinal: l.Ordinal, Size: l.Size, Expires: l.ExpiresAt.UnixMicro()}}
}

// settled is how old a change must be before another node takes it for forgotten.
const settled = 10 * time.Second

// Record does one step for the journal: it marks what this node has written, and writes what a node that died, or had a full disk, has left
// unwritten. Run it every few seconds on every node. Without a journal it does nothing.
func (s *Service) Record(ctx context.Context) error {
	if s.cfg.Journal == nil {
		return nil
	}
	s.mu.Lock()
	written := s.written
	s.written = nil
	s.mu.Unlock()
	if err := s.mark(ctx, written, nil); err != nil {
		s.mu.Lock()
		s.written = append(s.written, written...)
		s.mu.Unlock()
		return err
	}
	changes, err := s.cfg.Store.Unjournaled(ctx, s.cfg.Now().Add(-settled), 500)
	if err != nil {
		return err
	}
	lists, err := s.cfg.Store.UnjournaledLists(ctx, 500)
	if err != nil || len(changes)+len(lists) == 0 {
		return err
	}
	var lines []journal.Line
	for _, l := range lists {
		lines = append(lines, listLine(l))
	}
	for _, c := range changes {
		entries, err := s.cfg.Store.EntriesOf(ctx, c.LicenceID, s.cfg.Now())
		if err != nil {
			return err
		}
		lines = append(lines, setLine(c, entries))
	}
	if err := s.cfg.Journal.Append(lines...); err != nil {
		return err
	}
	return s.mark(ctx, changes, lists)
}

func (s *Service) mark(ctx context.Context, changes []Change, lists []List) error {
	if len(changes)+len(lists) == 0 {
		return nil
	}
	return s.cfg.Tx(ctx, func(ctx context.Context) error {
		for part := range slices.Chunk(changes, 500) {
			if err := s.cfg.Store.Journaled(ctx, part, nil); err != nil {
				return err
			}
		}
		return s.cfg.Store.Journaled(ctx, nil, lists)
	})
}

// recent is how many of a file's last lines CheckJournal compares: a restore loses the end of the story.
const recent = 20

// CheckJournal compares the end of each journal file with the database. ErrRestored if the database doesn't know what it once committed: it
// is a restored copy, or a restore of it was left half done. Then nothing is allocated, in this process, ever. Run it when starting and every minute.
func (s *Service) CheckJournal(ctx context.Context) error {
	if s.cfg.Journal == nil {
		return nil
	}
	if s.restored.Load() {
		return ErrRestored
	}
	tails, err := journal.Tails(s.cfg.Journal.Dir(), recent)
	if err != nil {
		return err
	}
	var half bool // a restore began and didn't end
	for _, l := range tails {
		if l.Kind == journal.Restoring || l.Kind == journal.Epoch {
			half = l.Kind == journal.Restoring
		}
		if l.Kind == journal.Start && l.Hub != s.cfg.BaseURL {
			return fmt.Errorf("status: the revocation journal is of %q", l.Hub)
		}
		known, err := s.known(ctx, l)
		if err != nil {
			return err
		}
		if !known {
			s.restored.Store(true)
			return ErrRestored
		}
	}
	if half {
		s.restored.Store(true)
		return ErrRestored
	}
	return nil
}

// known says whether the database knows of a line.
func (s *Service) known(ctx context.Context, l journal.Line) (bool, error) {
	store, ok := s.cfg.Store.(RestoreStore)
	if !ok {
		return true, nil
	}
	switch l.Kind {
	case journal.Epoch:
		return store.HasEpoch(ctx, l.Epoch)
	case journal.Made:
		_, err := store.Get(ctx, l.List.ID)
		if errors.Is(err, ErrNotFound) {
			return false, nil
		}
		return err == nil, err
	case journal.Set:
		v, err := store.Version(ctx, l.Licence)
		return v >= l.Version, err
	case journal.Given:
		for _, e := range l.Entries {
			if n, err := store.Taken(ctx, e.List, []int64{e.Index}); err != nil || n == 0 {
				return false, err
			}
		}
	}
	return true, nil
}
