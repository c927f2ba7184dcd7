package identity_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hufu-id/hufu/federation/identity"
	"github.com/hufu-id/hufu/federation/upstream"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/identitystore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
)

const number = "99440119490312002X"

func service(t *testing.T, db *sqlstore.DB) *identity.Service {
	t.Helper()
	s, err := identity.New(identity.Config{Store: identitystore.New(db), Sealer: httpx.NewSealer(make([]byte, 32)), IndexKey: make([]byte, 32)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func assertion(province, subject, resident string, level upstream.Level) upstream.Assertion {
	return upstream.Assertion{Province: province, Subject: subject, Claims: upstream.Claims{Name: "李秀英", ResidentID: resident},
		ACR: level.String(), Level: level, AMR: []string{"otp", "face"}, AuthTime: time.Now()}
}

func resolve(t *testing.T, s *identity.Service, a upstream.Assertion) identity.Resolved {
	t.Helper()
	r, err := s.Resolve(context.Background(), a, upstream.Level4)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func document(t *testing.T, s *identity.Service, id string) identity.DocumentState {
	t.Helper()
	p, err := s.Person(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	return p.Document
}

func TestI05NoClaimIsEverAKey(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		s := service(t, db)
		one := resolve(t, s, assertion("440000", "alice", "", upstream.Level3))
		for _, subject := range []string{"Alice", "alice ", "ａlice", "alicé"} {
			if other := resolve(t, s, assertion("440000", subject, "", upstream.Level3)); other.PersonID == one.PersonID {
				t.Errorf("%q taken for alice", subject)
			}
		}
		if other := resolve(t, s, assertion("330000", "alice", "", upstream.Level3)); other.PersonID == one.PersonID {
			t.Error("the same subject at another province")
		}
		if twin := resolve(t, s, assertion("440000", "alice", "", upstream.Level3)); twin.PersonID != one.PersonID || twin.Created {
			t.Errorf("twin: %+v", twin)
		}
	})
}

func TestI07RegisterMatchNeverTakesAProvenNumber(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		s := service(t, db)
		lax := resolve(t, s, assertion("310000", "x", number, upstream.Level2))
		if lax.Conflict || document(t, s, lax.PersonID) != identity.DocumentAsserted {
			t.Errorf("a register match alone: %+v", lax)
		}
		owner := resolve(t, s, assertion("440000", "y", number, upstream.Level3))
		if owner.Conflict || document(t, s, owner.PersonID) != identity.DocumentProven || document(t, s, lax.PersonID) != identity.DocumentConflict {
			t.Errorf("the proof must have it: %+v", owner)
		}
		for _, level := range []upstream.Level{upstream.Level2, upstream.Level4} {
			again := resolve(t, s, assertion("310000", "x", number, level))
			if !again.Conflict || document(t, s, owner.PersonID) != identity.DocumentProven {
				t.Errorf("taken at %s: %+v", level, again)
			}
			if p, err := s.Person(context.Background(), again.PersonID); err != nil || p.ResidentID() != "" {
				t.Errorf("the number opens things: %v", err)
			}
		}
		if all, err := s.Conflicts(context.Background()); err != nil || len(all) != 2 {
			t.Errorf("%d conflicts, want one seen from each side: %v", len(all), err)
		}
	})
}

func TestNumberThatChangesIsGivenUp(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		s := service(t, db)
		a := resolve(t, s, assertion("440000", "a", number, upstream.Level3))
		resolve(t, s, assertion("440000", "a", "993301197806151171", upstream.Level3))
		b := resolve(t, s, assertion("330000", "b", number, upstream.Level3))
		if b.Conflict || document(t, s, a.PersonID) != identity.DocumentProven || document(t, s, b.PersonID) != identity.DocumentProven {
			t.Errorf("%+v", b)
		}
	})
}

func TestFirstLoginsAtTheSameTimeMakeOnePerson(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		s := service(t, db)
		for round := range 5 {
			ids := make([]string, 10)
			var wg sync.WaitGroup
			for i := range ids {
				wg.Go(func() {
					r, err := s.Resolve(context.Background(), assertion("440000", fmt.Sprint("s", round), "", upstream.Level3), upstream.Level4)
					if err != nil {
						t.Error(err)
					}
					ids[i] = r.PersonID
				})
			}
			wg.Wait()
			for _, id := range ids {
				if id != ids[0] {
					t.Fatalf("two persons: %v", ids)
				}
			}
		}
	})
}

func TestI09DisabledPersonIsRefused(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		s, ctx := service(t, db), context.Background()
		a := assertion("440000", "a", number, upstream.Level3)
		id := resolve(t, s, a).PersonID
		if err := s.SetDisabled(ctx, id, true); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Resolve(ctx, a, upstream.Level4); !errors.Is(err, identity.ErrDisabled) {
			t.Errorf("login: %v", err)
		}
		if _, err := s.Person(ctx, id); !errors.Is(err, identity.ErrDisabled) {
			t.Errorf("claims: %v", err)
		}
		if err := s.SetDisabled(ctx, id, false); err != nil {
			t.Fatal(err)
		}
		if twin := resolve(t, s, a); twin.PersonID != id {
			t.Error("twin")
		}
		if err := s.SetDisabled(ctx, "nobody", true); !errors.Is(err, identity.ErrUnknownPerson) {
			t.Errorf("nobody: %v", err)
		}
	})
}

func TestSealedClaimsCannotBeMovedToAnotherPerson(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		s, ctx := service(t, db), context.Background()
		a := resolve(t, s, assertion("440000", "a", "", upstream.Level3)).PersonID
		b := resolve(t, s, assertion("440000", "b", "", upstream.Level3)).PersonID
		if _, err := s.Person(ctx, b); err != nil {
			t.Fatalf("twin: %v", err)
		}
		if _, err := db.Exec(ctx, `UPDATE identity_links SET claims = (SELECT claims FROM identity_links WHERE person_id = $1) WHERE person_id = $2`, a, b); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Person(ctx, b); err == nil {
			t.Error("the claims of another person were read")
		}
	})
}

func TestResolveRefusesHalfAnAssertion(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		s, ctx := service(t, db), context.Background()
		good := assertion("440000", "a", number, upstream.Level3)
		for name, change := range map[string]func(*upstream.Assertion){"subject": func(a *upstream.Assertion) { a.Subject = "" },
			"province": func(a *upstream.Assertion) { a.Province = "" }, "time": func(a *upstream.Assertion) { a.AuthTime = time.Time{} }} {
			a := good
			change(&a)
			if _, err := s.Resolve(ctx, a, upstream.Level4); !errors.Is(err, identity.ErrAssertion) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := s.Resolve(ctx, good, upstream.LevelNone); !errors.Is(err, identity.ErrAssertion) {
			t.Errorf("no ceiling: %v", err)
		}
		resolve(t, s, good)
	})
}
