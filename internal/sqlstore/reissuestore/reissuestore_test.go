package reissuestore_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/reissuestore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/wallet/reissue"
)

const (
	stolen = "stolen-key"
	other  = "other-key"
)

// hold gives person i a copy of a licence that a key signed.
func hold(t *testing.T, db *sqlstore.DB, i int, copyID, signer string) {
	t.Helper()
	person, licence := fmt.Sprintf("p%04d", i), fmt.Sprintf("l%04d", i)
	thing := copyID
	if i%2 == 0 {
		thing += "-mdoc" // that the key of one form signed is enough
	}
	for query, args := range map[string][]any{
		`INSERT INTO wallet_holdings (person_id, licence_id, copy_id) VALUES ($1, $2, $3) ON CONFLICT (person_id, licence_id) DO UPDATE SET copy_id = $3`:            {person, licence, copyID},
		`INSERT INTO key_singles (id, class, thing, alg, public_jwk, handle, chain, created_at, destroyed_at) VALUES ($1, 'holder', $2, 'ES256', '', 'h', '', 0, 0)`: {"k-" + copyID, thing},
		`INSERT INTO issuer_issuances (id, authority, type_id, licence_id, person_id, offer_id, grant_id, client_id, holder_key, signer_key, payload_hash, status_uri,
			status_index, issued_at, expires_at, recorded_at) VALUES ($1, '', '', $2, $3, '', '', '', $4, $5, '', $1, 0, 0, 0, 0)`: {"i-" + copyID, licence, person, "k-" + copyID, signer},
	} {
		if _, err := db.Exec(t.Context(), query, args...); err != nil {
			t.Fatal(err)
		}
	}
}

// wallet renews, but for some licences: gone for good, or failing a number of times.
type wallet struct {
	t     *testing.T
	db    *sqlstore.DB
	mu    sync.Mutex
	done  map[string]int
	fails map[string]int
	gone  map[string]bool
}

func (w *wallet) Renew(_ context.Context, personID, licenceID string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.gone[licenceID] {
		return fmt.Errorf("%w: revoked", reissue.ErrGone)
	}
	if w.fails[licenceID] > 0 {
		w.fails[licenceID]--
		return errors.New("the database is slow today")
	}
	w.done[licenceID]++
	var i int
	_, _ = fmt.Sscanf(personID, "p%04d", &i)
	hold(w.t, w.db, i, fmt.Sprintf("new%04d-%d", i, w.done[licenceID]), other)
	return nil
}

func steps(t *testing.T, s *reissue.Service) reissue.Job {
	t.Helper()
	for range 200 {
		if err := s.Step(t.Context()); err != nil {
			t.Fatal(err)
		}
		jobs, err := s.Jobs(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if jobs[0].State == reissue.Finished {
			return jobs[0]
		}
	}
	t.Fatal("no end")
	return reissue.Job{}
}

// T10: what the stolen key signed is renewed once, what another signed is left alone; failures are tried again, and what can't be is counted.
func TestT10AJobRenewsWhatItsKeySigned(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		const n = 450
		for i := range n {
			signer := stolen
			if i%3 == 0 {
				signer = other
			}
			hold(t, db, i, fmt.Sprintf("old%04d", i), signer)
		}
		w := &wallet{t: t, db: db, done: map[string]int{}, fails: map[string]int{"l0001": 4, "l0002": 5}, gone: map[string]bool{"l0004": true}}
		s := reissue.New(reissue.Config{Store: reissuestore.New(db), Renewer: w})
		for _, bad := range []struct {
			key  string
			rate int
		}{{"", 10}, {stolen, 0}, {stolen, reissue.MaxRate + 1}} {
			if _, err := s.Begin(t.Context(), bad.key, bad.rate, "operator"); !errors.Is(err, reissue.ErrSpec) {
				t.Errorf("%+v: %v", bad, err)
			}
		}
		if err := s.Step(t.Context()); err != nil {
			t.Errorf("without a job: %v", err)
		}
		if _, err := s.Begin(t.Context(), stolen, 1000, "operator"); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Begin(t.Context(), stolen, 1000, "operator"); !errors.Is(err, reissue.ErrRunning) {
			t.Errorf("a second job for the key: %v", err)
		}
		j := steps(t, s)
		if j.Renewed != 298 || j.Gone != 1 || j.Failed != 1 || j.Waiting != 0 || j.Total() != 300 {
			t.Errorf("report %+v", j)
		}
		for i := range n {
			want := 1
			if licence := fmt.Sprintf("l%04d", i); i%3 == 0 || licence == "l0002" || licence == "l0004" {
				want = 0
			}
			if got := w.done[fmt.Sprintf("l%04d", i)]; got != want {
				t.Errorf("person %d: %d times, want %d", i, got, want)
			}
		}
		var events int
		if err := db.QueryRow(t.Context(), `SELECT COUNT(*) FROM audit_events WHERE kind IN ('reissue.begun', 'reissue.finished')`).Scan(&events); err != nil || events != 2 {
			t.Errorf("%d events, %v", events, err)
		}
		// What failed is taken up by another job.
		if _, err := s.Begin(t.Context(), stolen, 1000, "operator"); err != nil {
			t.Fatal(err)
		}
		if j := steps(t, s); j.Total() != 2 || j.Renewed != 1 || j.Gone != 1 {
			t.Errorf("another job: %+v", j)
		}
	})
}

// Two nodes: one of them begins, both collect, each copy is one item.
func TestT10TwoNodesCollectEachCopyOnce(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		for i := range 300 {
			hold(t, db, i, fmt.Sprintf("old%04d", i), stolen)
		}
		stores := []*reissuestore.Store{reissuestore.New(db), reissuestore.New(db)}
		ids := []string{"one", "two"}
		begun := make([]error, 2)
		var wg sync.WaitGroup
		for k, s := range stores {
			wg.Go(func() {
				begun[k] = s.Begin(t.Context(), reissue.Job{ID: ids[k], SignerKey: stolen, Rate: 1, State: reissue.Collecting, CreatedAt: time.Now()}, audit.Event{Kind: "reissue.begun"})
			})
		}
		wg.Wait()
		if (begun[0] == nil) == (begun[1] == nil) || !errors.Is(errors.Join(begun...), reissue.ErrRunning) {
			t.Fatalf("begun: %v", begun)
		}
		j, err := stores[0].Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		errs := make([]error, 2)
		for k, s := range stores {
			wg.Go(func() {
				for state := reissue.Collecting; state == reissue.Collecting && errs[k] == nil; {
					state, errs[k] = s.Collect(t.Context(), j.ID, 7)
				}
			})
		}
		wg.Wait()
		jobs, err := stores[1].Jobs(t.Context())
		if err = errors.Join(errs[0], errs[1], err); err != nil || len(jobs) != 1 || jobs[0].Waiting != 300 || jobs[0].State != reissue.Renewing {
			t.Errorf("%+v, %v", jobs, err)
		}
		if err := stores[0].Finish(t.Context(), j.ID, time.Now(), audit.Event{Kind: "reissue.finished"}); err != nil {
			t.Fatal(err)
		}
		if again, err := stores[0].Open(t.Context()); err != nil || again.ID != j.ID {
			t.Errorf("a job with waiting items was finished: %v", err)
		}
	})
}
