package keystest

import (
	"context"
	"errors"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/keys"
)

var start = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// Contract runs the contract of keys.Store against empty stores that open makes.
func Contract(t *testing.T, open func(t *testing.T) keys.Store) {
	t.Run("create_and_load", func(t *testing.T) { contractCreate(t, open(t)) })
	t.Run("life_of_a_key", func(t *testing.T) { contractLife(t, open(t)) })
	t.Run("conditions", func(t *testing.T) { contractConditions(t, open(t)) })
	t.Run("one_winner", func(t *testing.T) { contractOneWinner(t, open(t)) })
	t.Run("revocation", func(t *testing.T) { contractRevocation(t, open(t)) })
	t.Run("authorities", func(t *testing.T) { contractAuthorities(t, open(t)) })
	t.Run("singles", func(t *testing.T) { contractSingles(t, open(t)) })
	t.Run("secrets", func(t *testing.T) { contractSecrets(t, open(t)) })
}

// NewKey makes a key record with a public key of its own.
func NewKey(t testing.TB, p keys.Purpose, state keys.State, at time.Time) *keys.Key {
	t.Helper()
	private, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	pub, err := private.Public()
	if err != nil {
		t.Fatal(err)
	}
	k := &keys.Key{ID: private.ID, Purpose: p, State: state, Alg: jose.ES256, Public: pub.WithUse("sig"), Handle: "sealed:" + private.ID,
		Chain: [][]byte{{1, 2, 3}, {4, 5}}, CreatedAt: at}
	if state == keys.Active {
		k.ActivatedAt = at
	}
	return k
}

var spec = keys.Spec{Alg: jose.ES256, RotateEvery: time.Hour, PublishAhead: time.Minute, Keep: 2 * time.Hour,
	Certificate: &keys.CertificateSpec{Kind: keys.KindCredential, Organization: "沙箱省公安厅", OrganizationIdentifier: "1199440000TRY002X9", URI: "https://id.example/i/1199440000TRY002X9"}}

// contractRevocation: a key of any state goes at once and is remembered; another takes its place in the same step.
func contractRevocation(t *testing.T, s keys.Store) {
	ctx := t.Context()
	must(t, s.Create(ctx, keys.OIDC, spec))
	first, second, third := NewKey(t, keys.OIDC, keys.Active, start), NewKey(t, keys.OIDC, keys.Next, start), NewKey(t, keys.OIDC, keys.Active, start)
	must(t, s.Apply(ctx, keys.OIDC, 0, keys.Change{At: start, Insert: first}))
	must(t, s.Apply(ctx, keys.OIDC, 1, keys.Change{At: start, Insert: second}))
	since, at := start.Add(-time.Hour), start.Add(time.Hour)
	for name, c := range map[string]keys.Change{"an unknown key": {At: at, Revoke: "nobody", CompromisedAt: since, Activate: second.ID},
		"two active keys": {At: at, Revoke: second.ID, CompromisedAt: since, Insert: third}} {
		if err := s.Apply(ctx, keys.OIDC, 2, c); !errors.Is(err, keys.ErrLost) {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if list, err := s.Revoked(ctx); err != nil || len(list) != 0 {
		t.Fatalf("a refused change left traces: %v, %v", list, err)
	}
	must(t, s.Apply(ctx, keys.OIDC, 2, keys.Change{At: at, Revoke: first.ID, CompromisedAt: since, Activate: second.ID}))
	rec := load(t, s, keys.OIDC)
	if len(rec.Keys) != 1 || rec.Keys[0].ID != second.ID || rec.Keys[0].State != keys.Active {
		t.Fatalf("after revocation: %+v", rec)
	}
	if err := s.Apply(ctx, keys.OIDC, 3, keys.Change{At: at, Revoke: first.ID, CompromisedAt: since}); !errors.Is(err, keys.ErrLost) {
		t.Fatalf("revoked twice: %v", err)
	}
	must(t, s.Apply(ctx, keys.OIDC, 3, keys.Change{At: at.Add(time.Hour), Revoke: second.ID, CompromisedAt: since, Insert: third}))
	list, err := s.Revoked(ctx)
	if err != nil || len(list) != 2 || list[0].ID != first.ID || list[1].ID != second.ID || list[0].Purpose != keys.OIDC ||
		!reflect.DeepEqual(list[0].Chain, first.Chain) || !list[0].CompromisedAt.Equal(since) || !list[0].RevokedAt.Equal(at) {
		t.Fatalf("revoked: %+v, %v", list, err)
	}
}

func contractCreate(t *testing.T, s keys.Store) {
	ctx := t.Context()
	if _, err := s.Load(ctx, keys.OIDC); !errors.Is(err, keys.ErrNotFound) {
		t.Fatalf("Load of an unknown purpose: %v", err)
	}
	if _, err := s.Version(ctx, keys.OIDC); !errors.Is(err, keys.ErrNotFound) {
		t.Fatalf("Version of an unknown purpose: %v", err)
	}
	must(t, s.Create(ctx, keys.OIDC, spec))
	must(t, s.Create(ctx, keys.OIDC, keys.Spec{Alg: jose.EdDSA})) // changes nothing
	must(t, s.Create(ctx, keys.Audit, keys.Spec{Alg: jose.EdDSA}))
	rec := load(t, s, keys.OIDC)
	if !reflect.DeepEqual(rec, keys.Record{Purpose: keys.OIDC, Spec: spec}) {
		t.Fatalf("loaded %+v", rec)
	}
	all, err := s.Purposes(ctx)
	must(t, err)
	if !reflect.DeepEqual(all, []keys.Purpose{keys.Audit, keys.OIDC}) {
		t.Fatalf("Purposes: %v", all)
	}
}

func contractLife(t *testing.T, s keys.Store) {
	ctx := t.Context()
	must(t, s.Create(ctx, keys.OIDC, spec))
	first, second := NewKey(t, keys.OIDC, keys.Active, start), NewKey(t, keys.OIDC, keys.Next, start.Add(time.Minute))
	must(t, s.Apply(ctx, keys.OIDC, 0, keys.Change{At: start, Insert: first}))
	must(t, s.Apply(ctx, keys.OIDC, 1, keys.Change{At: start, Insert: second}))
	got := load(t, s, keys.OIDC)
	want := keys.Record{Purpose: keys.OIDC, Version: 2, Spec: spec, Keys: []keys.Key{*first, *second}}
	if len(got.Keys) != 2 || !sameKey(got.Keys[0], *first) || !sameKey(got.Keys[1], *second) || got.Version != want.Version {
		t.Fatalf("loaded %+v, want %+v", got, want)
	}
	later, end := start.Add(time.Hour), start.Add(3*time.Hour)
	must(t, s.Apply(ctx, keys.OIDC, 2, keys.Change{At: later, Retire: first.ID, Expires: end, Activate: second.ID}))
	got = load(t, s, keys.OIDC)
	old, cur := got.Keys[0], got.Keys[1]
	if old.State != keys.Retired || old.Handle != "" || !old.RetiredAt.Equal(later) || !old.ExpiresAt.Equal(end) {
		t.Fatalf("retired key: %v handle %q", old, old.Handle)
	}
	if cur.State != keys.Active || cur.Handle != second.Handle || !cur.ActivatedAt.Equal(later) {
		t.Fatalf("active key: %v", cur)
	}
	newSpec := keys.Spec{Alg: jose.ES256, Keep: time.Hour}
	must(t, s.Apply(ctx, keys.OIDC, 3, keys.Change{At: end, Remove: []string{first.ID}, Spec: &newSpec}))
	got = load(t, s, keys.OIDC)
	if len(got.Keys) != 1 || got.Keys[0].ID != second.ID || !reflect.DeepEqual(got.Spec, newSpec) {
		t.Fatalf("after removal: %+v", got)
	}
	if v, err := s.Version(ctx, keys.OIDC); err != nil || v != 4 {
		t.Fatalf("Version %d, %v", v, err)
	}
}

func sameKey(a, b keys.Key) bool {
	return a.ID == b.ID && a.State == b.State && a.Alg == b.Alg && a.Handle == b.Handle && a.Public.Thumbprint() == b.Public.Thumbprint() &&
		a.Public.KeyID() == b.Public.KeyID() && a.Public.Use() == b.Public.Use() && reflect.DeepEqual(a.Chain, b.Chain) && a.CreatedAt.Equal(b.CreatedAt) &&
		a.ActivatedAt.Equal(b.ActivatedAt) && a.RetiredAt.Equal(b.RetiredAt) && a.ExpiresAt.Equal(b.ExpiresAt)
}

// contractConditions: each refused change differs in one thing from the one that is accepted at the end.
func contractConditions(t *testing.T, s keys.Store) {
	ctx := t.Context()
	must(t, s.Create(ctx, keys.OIDC, spec))
	active, next := NewKey(t, keys.OIDC, keys.Active, start), NewKey(t, keys.OIDC, keys.Next, start)
	must(t, s.Apply(ctx, keys.OIDC, 0, keys.Change{At: start, Insert: active}))
	must(t, s.Apply(ctx, keys.OIDC, 1, keys.Change{At: start, Insert: next}))
	good := keys.Change{At: start.Add(time.Hour), Retire: active.ID, Expires: start.Add(2 * time.Hour), Activate: next.ID}
	refused := map[string]struct {
		version int64
		change  keys.Change
	}{
		"old version":           {1, good},
		"future version":        {3, good},
		"two active keys":       {2, keys.Change{At: good.At, Activate: next.ID}},
		"second active key":     {2, keys.Change{At: good.At, Insert: NewKey(t, keys.OIDC, keys.Active, good.At)}},
		"second next key":       {2, keys.Change{At: good.At, Insert: NewKey(t, keys.OIDC, keys.Next, good.At)}},
		"retire the next key":   {2, keys.Change{At: good.At, Retire: next.ID, Expires: good.Expires}},
		"activate an unknown":   {2, keys.Change{At: good.At, Retire: active.ID, Expires: good.Expires, Activate: "nobody"}},
		"remove the active key": {2, keys.Change{At: good.At, Remove: []string{active.ID}}},
		"discard the active":    {2, keys.Change{At: good.At, Discard: active.ID}},
		"same key again":        {2, keys.Change{At: good.At, Insert: active}},
	}
	for name, r := range refused {
		if err := s.Apply(ctx, keys.OIDC, r.version, r.change); !errors.Is(err, keys.ErrLost) {
			t.Errorf("%s: %v, want ErrLost", name, err)
		}
	}
	if rec := load(t, s, keys.OIDC); rec.Version != 2 || len(rec.Keys) != 2 || rec.Keys[0].Handle == "" {
		t.Fatalf("a refused change left traces: %+v", rec)
	}
	must(t, s.Apply(ctx, keys.OIDC, 2, good))
}

// contractOneWinner: T01, one level down: of many changes from one version exactly one is made.
func contractOneWinner(t *testing.T, s keys.Store) {
	must(t, s.Create(t.Context(), keys.OIDC, spec))
	const callers = 20
	for round := range int64(10) {
		rec := load(t, s, keys.OIDC)
		changes := make([]keys.Change, callers)
		for i := range changes {
			changes[i] = keys.Change{At: start, Insert: NewKey(t, keys.OIDC, keys.Active, start)}
			if round > 0 {
				changes[i].Retire, changes[i].Expires = active(rec).ID, start.Add(time.Hour)
			}
		}
		errs := make([]error, callers)
		var wg sync.WaitGroup
		for i := range changes {
			wg.Go(func() { errs[i] = s.Apply(context.Background(), keys.OIDC, round, changes[i]) })
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if !errors.Is(err, keys.ErrLost) {
				t.Fatalf("a loser got %v, want ErrLost", err)
			}
		}
		if won != 1 {
			t.Fatalf("%d winners", won)
		}
	}
}

func active(rec keys.Record) keys.Key {
	for _, k := range rec.Keys {
		if k.State == keys.Active {
			return k
		}
	}
	return keys.Key{}
}

func contractAuthorities(t *testing.T, s keys.Store) {
	ctx := t.Context()
	if _, err := s.Authority(ctx, keys.KindRoot); !errors.Is(err, keys.ErrNotFound) {
		t.Fatalf("unknown authority: %v", err)
	}
	a := keys.Authority{ID: "one", Kind: keys.KindRoot, Certificate: []byte{1, 2}, Handle: "h", CreatedAt: start}
	must(t, s.InsertAuthority(ctx, a))
	b := a
	b.ID = "two"
	if err := s.InsertAuthority(ctx, b); !errors.Is(err, keys.ErrLost) {
		t.Fatalf("second authority of a kind: %v", err)
	}
	b.Kind = keys.KindStatus
	must(t, s.InsertAuthority(ctx, b))
	got, err := s.Authority(ctx, keys.KindRoot)
	must(t, err)
	if !reflect.DeepEqual(got, a) {
		t.Fatalf("got %+v", got)
	}
}

func contractSingles(t *testing.T, s keys.Store) {
	ctx := t.Context()
	if _, err := s.Single(ctx, keys.ClassSeal, "one"); !errors.Is(err, keys.ErrNotFound) {
		t.Fatalf("unknown single key: %v", err)
	}
	if err := s.DestroySingle(ctx, keys.ClassSeal, "one", start); !errors.Is(err, keys.ErrNotFound) {
		t.Fatalf("destroying an unknown single key: %v", err)
	}
	made := NewKey(t, "seal/one", keys.Active, start)
	k := keys.Single{Class: keys.ClassSeal, Thing: "one", ID: made.ID, Alg: made.Alg, Public: made.Public, Handle: made.Handle, Chain: made.Chain, CreatedAt: start}
	must(t, s.InsertSingle(ctx, k))
	second := NewKey(t, "seal/one", keys.Active, start)
	other := k
	other.ID, other.Public = second.ID, second.Public
	if err := s.InsertSingle(ctx, other); !errors.Is(err, keys.ErrLost) {
		t.Fatalf("second key of a thing: %v", err)
	}
	other.Class = keys.ClassHolder // the same name in another class is another thing
	must(t, s.InsertSingle(ctx, other))
	got, err := s.Single(ctx, keys.ClassSeal, "one")
	must(t, err)
	if !reflect.DeepEqual(got, k) {
		t.Fatalf("got %+v, want %+v", got, k)
	}
	must(t, s.DestroySingle(ctx, keys.ClassSeal, "one", start.Add(time.Hour)))
	must(t, s.DestroySingle(ctx, keys.ClassSeal, "one", start.Add(2*time.Hour)))
	got, err = s.Single(ctx, keys.ClassSeal, "one")
	if err != nil || got.Handle != "" || !got.DestroyedAt.Equal(start.Add(time.Hour)) || len(got.Chain) == 0 {
		t.Fatalf("destroyed key: %+v, %v", got, err)
	}
	if err := s.InsertSingle(ctx, k); !errors.Is(err, keys.ErrLost) {
		t.Fatalf("a destroyed key's thing got another: %v", err)
	}
}

func contractSecrets(t *testing.T, s keys.Store) {
	ctx := t.Context()
	if _, err := s.Secret(ctx, "salt"); !errors.Is(err, keys.ErrNotFound) {
		t.Fatalf("unknown secret: %v", err)
	}
	must(t, s.InsertSecret(ctx, "salt", "first", start))
	must(t, s.InsertSecret(ctx, "salt", "second", start))
	if got, err := s.Secret(ctx, "salt"); err != nil || got != "first" {
		t.Fatalf("secret %q, %v", got, err)
	}
}

func load(t *testing.T, s keys.Store, p keys.Purpose) keys.Record {
	t.Helper()
	rec, err := s.Load(t.Context(), p)
	must(t, err)
	return rec
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
