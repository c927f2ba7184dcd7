package status

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/wallet/status/journal"
)

// Restored says what Restore did.
type Restored struct {
	// Epoch is the new one.
	Epoch string `json:"epoch"`
	// Lines is how many lines the journal has; Lists, Entries and Licences what the database had forgotten of them.
	Lines    int64 `json:"lines"`
	Lists    int64 `json:"lists"`
	Entries  int64 `json:"entries"`
	Licences int64 `json:"licences"`
	// Conflicts are indices that were given to one licence before the restore and to another one after it: two credentials share them. It is 0 unless
	// the restored database was used before Restore ran.
	Conflicts int64 `json:"conflicts"`
}

// Restore is run once on a database that was restored from a backup, before anything is served from it. It begins a new epoch, so that no index that the
// database forgot is given out again; it tells the database what the journal knows: lists, indices, and the newest value of each licence that it
// doesn't know or knows older; and it withdraws all tokens, so that a list of the past is never served. It may be run again, and on a
// database that wasn't restored: then only the epoch changes. journal.ErrBroken if the journal was altered: then nothing is changed.
func (s *Service) Restore(ctx context.Context, dir string) (Restored, error) {
	store, ok := s.cfg.Store.(RestoreStore)
	if !ok {
		return Restored{}, errors.New("status: this store can't be restored")
	}
	var out Restored
	if dir != "" {
		if err := journal.Read(dir, s.cfg.BaseURL, func(journal.Line) error { return nil }); err != nil { // whole, before anything is changed
			return out, err
		}
	}
	var err error
	if out.Epoch, err = s.freeEpoch(ctx, store); err != nil {
		return out, err
	}
	if s.cfg.Journal != nil { // until the line at the end is there, CheckJournal knows that this was left half done
		if err := s.cfg.Journal.Append(journal.Line{Kind: journal.Restoring}); err != nil {
			return out, err
		}
	}
	// The epoch first: whatever stops the rest, no index can come twice, and the rest can be done again.
	if err := store.BeginEpoch(ctx, out.Epoch, s.cfg.Now()); err != nil {
		return out, err
	}
	r := replay{s: s, store: store, out: &out, newest: map[string]Change{}}
	if dir != "" {
		if err := journal.Read(dir, s.cfg.BaseURL, func(l journal.Line) error { return r.line(ctx, l) }); err != nil {
			return out, err
		}
	}
	if err := r.flush(ctx); err != nil {
		return out, err
	}
	if err := errors.Join(r.retire(ctx), r.values(ctx)); err != nil {
		return out, err
	}
	if s.cfg.Journal != nil {
		if err := s.cfg.Journal.Append(journal.Line{Kind: journal.Epoch, Epoch: out.Epoch}); err != nil {
			return out, err
		}
	}
	s.restored.Store(false)
	return out, s.cfg.Audit(ctx, audit.Event{Kind: "status.restored", Actor: "operator", Subject: out.Epoch, Detail: map[string]string{
		"lines": strconv.FormatInt(out.Lines, 10), "lists": strconv.FormatInt(out.Lists, 10), "entries": strconv.FormatInt(out.Entries, 10),
		"licences": strconv.FormatInt(out.Licences, 10), "conflicts": strconv.FormatInt(out.Conflicts, 10)}})
}

func (s *Service) freeEpoch(ctx context.Context, store RestoreStore) (string, error) {
	for {
		epoch, err := newEpoch()
		if err != nil {
			return "", err
		}
		if used, err := store.HasEpoch(ctx, epoch); err != nil || !used {
			return epoch, err
		}
	}
}

// replay carries the journal into the database.
type replay struct {
	s      *Service
	store  RestoreStore
	out    *Restored
	given  []Entry
	gone   []journal.Entry   // retired
	newest map[string]Change // of each licence
}

// replayed is how many entries go into one transaction.
const replayed = 500

func (r *replay) line(ctx context.Context, l journal.Line) error {
	r.out.Lines++
	switch l.Kind {
	case journal.Made:
		added, err := r.store.PutList(ctx, List{ID: l.List.ID, Pool: l.List.Pool, Ordinal: l.List.Ordinal, Size: l.List.Size,
			ExpiresAt: time.UnixMicro(l.List.Expires).UTC()})
		if err != nil {
			return err
		}
		if added {
			r.out.Lists++
		}
	case journal.Set:
		if c := (Change{LicenceID: l.Licence, Value: l.Value, Version: l.Version, At: time.UnixMicro(l.At).UTC()}); c.Version > r.newest[l.Licence].Version {
			r.newest[l.Licence] = c
		}
	}
	if l.Kind == journal.Retired { // which licence they are of, the line that gave them says
		r.gone = append(r.gone, l.Entries...)
		return nil
	}
	for _, e := range l.Entries {
		r.given = append(r.given, Entry{ListID: e.List, Index: e.Index, LicenceID: l.Licence})
	}
	if len(r.given) < replayed {
		return nil
	}
	return r.flush(ctx)
}

// flush adds the entries that the database doesn't have.
func (r *replay) flush(ctx context.Context) error {
	given := r.given
	r.given = nil
	return r.s.cfg.Tx(ctx, func(ctx context.Context) error {
		added, conflicts, err := r.store.PutEntries(ctx, given)
		if err != nil {
			return err
		}
		r.out.Entries += added
		r.out.Conflicts += conflicts
		return nil
	})
}

// retire does again what was retired. An index that nothing has given, of a line that a power cut lost, is nobody's.
func (r *replay) retire(ctx context.Context) error {
	for part := range slices.Chunk(r.gone, replayed) {
		err := r.s.cfg.Tx(ctx, func(ctx context.Context) error {
			for _, e := range part {
				if err := r.store.Retire(ctx, e.List, e.Index, r.s.cfg.Now()); err != nil && !errors.Is(err, ErrNotFound) {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// values sets what the database doesn't know, or knows older.
func (r *replay) values(ctx context.Context) error {
	for _, c := range r.newest {
		err := r.s.cfg.Tx(ctx, func(ctx context.Context) error {
			version, err := r.store.Version(ctx, c.LicenceID)
			if err != nil {
				return err
			}
			if version >= c.Version {
				// Known; but entries that came back just now were added as valid.
				return r.store.Align(ctx, c.LicenceID)
			}
			r.out.Licences++
			if err := r.store.Force(ctx, c); err != nil {
				return err
			}
			return r.s.cfg.Audit(ctx, audit.Event{Kind: "status.replayed", Actor: "operator", Subject: c.LicenceID,
				Detail: map[string]string{"value": fmt.Sprint(c.Value), "version": fmt.Sprint(c.Version), "at": c.At.Format(time.RFC3339)}})
		})
		if err != nil {
			return err
		}
	}
	return nil
}
