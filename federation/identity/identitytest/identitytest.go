// Package identitytest is the contract of identity.Store as a test that every implementation runs.
package identitytest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hufu-id/hufu/federation/identity"
	"github.com/hufu-id/hufu/federation/upstream"
)

var at = time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)

func link(person, subject string) identity.Link {
	return identity.Link{Province: "440000", Subject: subject, PersonID: person, Claims: "sealed", Digest: "d", Document: "doc", ACR: "L4",
		Level: upstream.Level3, CreatedAt: at, UpdatedAt: at}
}

// Run checks an empty store.
func Run(t *testing.T, s identity.Store) {
	t.Run("Link", func(t *testing.T) { links(t, s) })
	t.Run("PutPersonRace", func(t *testing.T) { race(t, s) })
	t.Run("Document", func(t *testing.T) { documents(t, s) })
	t.Run("DocumentRace", func(t *testing.T) { documentRace(t, s) })
	t.Run("Ledger", func(t *testing.T) { ledger(t, s) })
	t.Run("Rollback", func(t *testing.T) { rollback(t, s) })
}

func links(t *testing.T, s identity.Store) {
	ctx := context.Background()
	if _, _, err := s.Link(ctx, "440000", "s1"); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("no link: %v", err)
	}
	if err := s.PutPerson(ctx, link("p1", "s1")); err != nil {
		t.Fatal(err)
	}
	if err := s.PutPerson(ctx, link("p2", "s1")); !errors.Is(err, identity.ErrLinkTaken) {
		t.Errorf("taken link: %v", err)
	}
	if _, _, _, err := s.LinkOf(ctx, "p2"); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("the loser exists: %v", err)
	}
	got, disabled, err := s.Link(ctx, "440000", "s1")
	if err != nil || disabled || got != link("p1", "s1") {
		t.Errorf("%+v %v %v", got, disabled, err)
	}
	// I07: the same subject at another province is another account.
	other := link("p3", "s1")
	other.Province = "330000"
	if err := s.PutPerson(ctx, other); err != nil {
		t.Errorf("same subject at another province: %v", err)
	}
	got.Claims, got.Level = "sealed2", upstream.Level2
	if err := s.SetLink(ctx, got); err != nil {
		t.Error(err)
	}
	if again, o, _, err := s.LinkOf(ctx, "p1"); err != nil || again != got || o != (identity.Owner{}) {
		t.Errorf("%+v %v", again, err)
	}
	if err := s.SetLink(ctx, link("p1", "nobody")); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("missing link: %v", err)
	}
	if err := s.SetDisabled(ctx, "p1", true, at); err != nil {
		t.Error(err)
	}
	if _, _, disabled, _ := s.LinkOf(ctx, "p1"); !disabled {
		t.Error("not disabled")
	}
	if err := s.SetDisabled(ctx, "nobody", true, at); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("missing person: %v", err)
	}
}

func race(t *testing.T, s identity.Store) {
	ctx := context.Background()
	for round := range 10 {
		errs := make([]error, 20)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() {
				errs[i] = s.PutPerson(ctx, link(fmt.Sprintf("r%d-%d", round, i), fmt.Sprintf("race%d", round)))
			})
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if !errors.Is(err, identity.ErrLinkTaken) {
				t.Errorf("a loser got %v", err)
			}
		}
		if won != 1 {
			t.Errorf("%d winners", won)
		}
	}
}

// owned checks that a person's link is read with the owner of the number "x" that it asserts, whoever that is.
func owned(t *testing.T, s identity.Store, owner identity.Owner, people ...string) {
	t.Helper()
	for _, p := range people {
		l := link(p, "doc-"+p)
		l.Document = "x"
		if err := s.SetLink(t.Context(), l); err != nil {
			t.Error(err)
		}
		if got, o, _, err := s.LinkOf(t.Context(), p); err != nil || got != l || o != owner {
			t.Errorf("%+v %+v %v", got, o, err)
		}
	}
}

func documents(t *testing.T, s identity.Store) {
	ctx := context.Background()
	for _, p := range []string{"a", "b"} {
		if err := s.PutPerson(ctx, link(p, "doc-"+p)); err != nil {
			t.Fatal(err)
		}
	}
	owner := func(person string, level upstream.Level) identity.Owner {
		return identity.Owner{PersonID: person, Province: "440000", Level: level}
	}
	if _, err := s.DocumentOwner(ctx, "x"); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("free: %v", err)
	}
	if got, err := s.ClaimDocument(ctx, "x", owner("a", upstream.Level2), at); err != nil || got.PersonID != "a" {
		t.Errorf("%+v %v", got, err)
	}
	if got, err := s.ClaimDocument(ctx, "x", owner("b", upstream.Level4), at); err != nil || got.PersonID != "a" || got.Level != upstream.Level2 {
		t.Errorf("claimed twice: %+v %v", got, err)
	}
	if won, err := s.RaiseDocument(ctx, "x", owner("b", upstream.Level3), upstream.Level3, at); err != nil || !won {
		t.Errorf("a proof must win over a register match: %v %v", won, err)
	}
	if won, err := s.RaiseDocument(ctx, "x", owner("a", upstream.Level4), upstream.Level3, at); err != nil || won {
		t.Errorf("a proof must not win over a proof: %v %v", won, err)
	}
	if won, err := s.RaiseDocument(ctx, "x", owner("b", upstream.Level4), upstream.Level3, at); err != nil || !won {
		t.Errorf("own level must rise: %v %v", won, err)
	}
	owned(t, s, owner("b", upstream.Level4), "a", "b")
	if err := s.ReleaseDocument(ctx, "x", "a"); err != nil {
		t.Error(err)
	}
	if got, err := s.DocumentOwner(ctx, "x"); err != nil || got.PersonID != "b" || got.Level != upstream.Level4 {
		t.Errorf("%+v %v", got, err)
	}
	if err := s.ReleaseDocument(ctx, "x", "b"); err != nil {
		t.Error(err)
	}
	if _, err := s.DocumentOwner(ctx, "x"); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("released: %v", err)
	}
	c := identity.Conflict{Document: "x", PersonID: "a", Province: "440000", OtherPersonID: "b", OtherProvince: "330000", At: at}
	for i, want := range []bool{true, false} {
		if got, err := s.PutConflict(ctx, c); err != nil || got != want {
			t.Errorf("report %d: %v %v", i, got, err)
		}
	}
	if all, err := s.Conflicts(ctx); err != nil || len(all) != 1 || all[0] != c {
		t.Errorf("%+v %v", all, err)
	}
}

func documentRace(t *testing.T, s identity.Store) {
	ctx := context.Background()
	for i := range 20 {
		if err := s.PutPerson(ctx, link(fmt.Sprintf("dr%d", i), fmt.Sprintf("dr%d", i))); err != nil {
			t.Fatal(err)
		}
	}
	for round := range 10 {
		owners := make([]string, 20)
		var wg sync.WaitGroup
		for i := range owners {
			wg.Go(func() {
				o, err := s.ClaimDocument(ctx, fmt.Sprintf("race%d", round), identity.Owner{PersonID: fmt.Sprintf("dr%d", i), Province: "440000", Level: upstream.Level3}, at)
				if err != nil {
					t.Error(err)
				}
				owners[i] = o.PersonID
			})
		}
		wg.Wait()
		for _, o := range owners {
			if o != owners[0] {
				t.Fatalf("two owners: %v", owners)
			}
		}
	}
}

func ledger(t *testing.T, s identity.Store) {
	ctx := context.Background()
	if err := s.PutPerson(ctx, link("l", "ledger")); err != nil {
		t.Fatal(err)
	}
	line := func(acr string, minute int) identity.Assurance {
		when := at.Add(time.Duration(minute) * time.Minute)
		return identity.Assurance{PersonID: "l", Province: "440000", ACR: acr, Asserted: upstream.Level4, Level: upstream.Level3,
			AMR: []string{"face", "otp"}, Digest: "d", FirstAt: when, LastAt: when}
	}
	for i, acr := range []string{"A", "A", "B", "A"} {
		if err := s.PutAssurance(ctx, line(acr, i)); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Assurances(ctx, "l")
	if err != nil || len(got) != 3 {
		t.Fatalf("%+v %v", got, err)
	}
	if got[0].ACR != "A" || !got[0].LastAt.Equal(at.Add(time.Minute)) || got[1].ACR != "B" || got[2].ACR != "A" || len(got[0].AMR) != 2 {
		t.Errorf("%+v", got)
	}
}

func rollback(t *testing.T, s identity.Store) {
	ctx, stop := context.Background(), errors.New("stop")
	err := s.InTx(ctx, func(ctx context.Context) error {
		if err := s.PutPerson(ctx, link("gone", "gone")); err != nil {
			return err
		}
		if _, err := s.ClaimDocument(ctx, "gone", identity.Owner{PersonID: "gone", Province: "440000", Level: upstream.Level3}, at); err != nil {
			return err
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Fatal(err)
	}
	if _, _, err := s.Link(ctx, "440000", "gone"); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("link: %v", err)
	}
	if _, err := s.DocumentOwner(ctx, "gone"); !errors.Is(err, identity.ErrNotFound) {
		t.Errorf("document: %v", err)
	}
}
