package status_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/sqlstore/statusstore"
	"github.com/hufu-id/hufu/wallet/status"
	"github.com/hufu-id/hufu/wallet/status/journal"
)

// journaled is a world with a journal, in the directory that is returned.
func journaled(t *testing.T, w *world, edit func(*status.Config)) (*world, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "journal")
	j, err := journal.Open(dir, "https://id.example")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return newWorld(t, w.db, func(c *status.Config) {
		c.Journal, c.AfterCommit, c.Spread = j, w.db.AfterCommit, -1
		if edit != nil {
			edit(c)
		}
	}), dir
}

// sets returns the sets of a journal.
func sets(t *testing.T, dir string) (out []journal.Line) {
	t.Helper()
	err := journal.Read(dir, "https://id.example", func(l journal.Line) error {
		if l.Kind == journal.Set {
			out = append(out, l)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAChangeIsInTheJournalWhenItsCallerHearsOfIt(t *testing.T) {
	each(t, nil, func(t *testing.T, w *world) {
		w, dir := journaled(t, w, nil)
		ctx := context.Background()
		refs := w.allocate(t, "a", 2)
		must(t, w.SetForLicence(ctx, "a", status.Suspended))
		must(t, w.SetForLicence(ctx, "a", status.Invalid))
		got := sets(t, dir)
		if len(got) != 2 || got[0].Value != status.Suspended || got[1].Value != status.Invalid || got[1].Version != 2 || len(got[1].Entries) != len(refs) {
			t.Fatalf("%+v", got)
		}
		// In a transaction of the caller's: not before it is committed, and never when it isn't.
		stop := errors.New("stop")
		for _, end := range []error{nil, stop} {
			err := w.db.InTx(ctx, func(ctx context.Context) error {
				must(t, w.SetForLicence(ctx, "a", status.Valid))
				if n := len(sets(t, dir)); n > 3 || end == nil && n != 2 {
					t.Errorf("%d sets before the commit", n)
				}
				return end
			})
			if !errors.Is(err, end) {
				t.Fatal(err)
			}
		}
		if n := len(sets(t, dir)); n != 3 {
			t.Fatalf("%d sets of 3 that were committed", n)
		}
	})
}

// A node that dies, or finds the disk full, between the commit and the journal: the change isn't confirmed, and another node journals it.
func TestWhatACrashKeptFromTheJournalIsWrittenLater(t *testing.T) {
	each(t, nil, func(t *testing.T, w *world) {
		ctx := context.Background()
		full := errors.New("no space left")
		dying, _ := journaled(t, w, func(c *status.Config) {
			c.AfterCommit = func(ctx context.Context, fn func(context.Context) error) error {
				return w.db.AfterCommit(ctx, func(context.Context) error { return full })
			}
		})
		healthy, dir := journaled(t, w, nil)
		healthy.allocate(t, "a", 1)
		if err := dying.SetForLicence(ctx, "a", status.Invalid); !errors.Is(err, full) {
			t.Fatalf("confirmed without the journal: %v", err)
		}
		must(t, healthy.Record(ctx))
		if n := len(sets(t, dir)); n != 0 {
			t.Fatal("a change that its own node may be writing this moment was taken for forgotten")
		}
		healthy.pass(11 * time.Second)
		for range 2 {
			must(t, healthy.Record(ctx))
			if got := sets(t, dir); len(got) != 1 || got[0].Licence != "a" || got[0].Value != status.Invalid || len(got[0].Entries) != 1 {
				t.Fatalf("%+v", got)
			}
		}
	})
}

// What its node has written isn't written again.
func TestRecordMarksWhatWasWritten(t *testing.T) {
	each(t, nil, func(t *testing.T, w *world) {
		w, dir := journaled(t, w, nil)
		ctx := context.Background()
		w.allocate(t, "a", 1)
		must(t, w.SetForLicence(ctx, "a", status.Invalid))
		for range 3 {
			must(t, w.Record(ctx))
			w.pass(time.Minute)
		}
		if n := len(sets(t, dir)); n != 1 {
			t.Fatalf("written %d times", n)
		}
		var open int
		must(t, w.db.QueryRow(ctx, `SELECT COUNT(*) FROM status_licences WHERE journaled < version`).Scan(&open))
		if open != 0 {
			t.Fatalf("%d changes aren't marked", open)
		}
	})
}

// A database that knows what the journal knows is not a restored one; one that doesn't is, for each kind of line.
func TestCheckJournalNoticesEachThingForgotten(t *testing.T) {
	for what, query := range map[string]string{
		"nothing":  ``,
		"an index": `DELETE FROM status_entries`,
		"a change": `UPDATE status_licences SET version = 0`,
		"a list":   `DELETE FROM status_lists`,
	} {
		t.Run(what, func(t *testing.T) {
			each(t, nil, func(t *testing.T, w *world) {
				w, dir := journaled(t, w, nil)
				ctx := context.Background()
				w.allocate(t, "a", 1)
				must(t, w.SetForLicence(ctx, "a", status.Invalid))
				must(t, w.CheckJournal(ctx))
				if query == "" {
					must(t, w.CheckJournal(ctx))
					if _, err := w.Allocate(ctx, "b", "b", "driving-licence", start); err != nil {
						t.Fatal(err)
					}
					return
				}
				if _, err := w.db.Exec(ctx, query); err != nil {
					t.Fatal(err)
				}
				for range 2 {
					if err := w.CheckJournal(ctx); !errors.Is(err, status.ErrRestored) {
						t.Fatal(err)
					}
				}
				if _, err := w.Allocate(ctx, "b", "b", "driving-licence", start); !errors.Is(err, status.ErrRestored) {
					t.Fatalf("allocated: %v", err)
				}
				if _, err := os.Stat(dir); err != nil {
					t.Fatal(err)
				}
			})
		})
	}
}

// A restored house doesn't hold a journal for its own only because the directory is shared with another server.
func TestTheJournalOfAnotherServerStopsTheStart(t *testing.T) {
	each(t, nil, func(t *testing.T, w *world) {
		dir := t.TempDir()
		other, err := journal.Open(dir, "https://other.example")
		must(t, err)
		must(t, other.Append(journal.Line{Kind: journal.Epoch, Epoch: "zzzzzz"}))
		must(t, other.Close())
		mine, err := journal.Open(dir, "https://id.example")
		must(t, err)
		w = newWorld(t, w.db, func(c *status.Config) { c.Journal, c.AfterCommit = mine, w.db.AfterCommit })
		if err := w.CheckJournal(context.Background()); err == nil || errors.Is(err, status.ErrRestored) {
			t.Fatal(err)
		}
	})
}

// stops fails in the middle of a restore, when the indices are back and the revocations are not.
type stops struct{ *statusstore.Store }

var errStops = errors.New("the power went out")

func (stops) Version(context.Context, string) (int64, error) { return 0, errStops }

// A restore that was left half done is noticed, though the database knows the end of the journal then.
func TestAHalfRestoreIsNoticed(t *testing.T) { // R17
	each(t, nil, func(t *testing.T, w *world) {
		ctx := context.Background()
		w, dir := journaled(t, w, nil)
		w.allocate(t, "a", 1)
		must(t, w.SetForLicence(ctx, "a", status.Invalid))
		for i := range 25 { // more than CheckJournal looks at
			w.allocate(t, fmt.Sprint("b", i), 1)
		}
		for _, query := range []string{`DELETE FROM status_entries`, `DELETE FROM status_licences`} {
			if _, err := w.db.Exec(ctx, query); err != nil {
				t.Fatal(err)
			}
		}
		node := func(edit func(*status.Config)) *world {
			j, err := journal.Open(dir, "https://id.example")
			must(t, err)
			t.Cleanup(func() { _ = j.Close() })
			return newWorld(t, w.db, func(c *status.Config) {
				c.Journal, c.AfterCommit = j, w.db.AfterCommit
				if edit != nil {
					edit(c)
				}
			})
		}
		if _, err := node(func(c *status.Config) { c.Store = stops{statusstore.New(w.db)} }).Restore(ctx, dir); !errors.Is(err, errStops) {
			t.Fatal(err)
		}
		if err := node(nil).CheckJournal(ctx); !errors.Is(err, status.ErrRestored) {
			t.Fatalf("half done: %v", err)
		}
		if _, err := node(nil).Restore(ctx, dir); err != nil {
			t.Fatal(err)
		}
		must(t, node(nil).CheckJournal(ctx))
	})
}
