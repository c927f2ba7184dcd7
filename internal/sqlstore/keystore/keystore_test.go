package keystore_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/keystore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/keys"
	"github.com/hufu-id/hufu/keys/keystest"
)

func TestContract(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		keystest.Contract(t, func(t *testing.T) keys.Store {
			for _, table := range []string{"key_revocations", "key_records", "key_purposes", "key_authorities", "key_secrets"} {
				if _, err := db.Exec(t.Context(), "DELETE FROM "+table); err != nil {
					t.Fatal(err)
				}
			}
			return keystore.New(db)
		})
	})
}

// TestT01TwoNodesRotate: two nodes rotate at the same moment, 100 times: exactly one active key at any moment, no gap, one
// winner each time.
func TestT01TwoNodesRotate(t *testing.T) {
	for _, engine := range []sqlstore.Engine{sqlstore.SQLite, sqlstore.PostgreSQL} {
		t.Run(string(engine), func(t *testing.T) {
			dsn := sqltest.DSN(t, engine)
			kek, _ := keys.NewKEK()
			nodes := []*keys.Service{node(t, dsn, kek, -1), node(t, dsn, kek, -1)}
			reader := keystore.New(sqltest.Open(t, dsn))

			// Both nodes start at the same moment: they must agree on the first key, too.
			both(t, func(i int) error { return nodes[i].Ensure(t.Context(), keys.OIDC, keys.Spec{}) })
			if n := activeKeys(t, reader); n != 1 {
				t.Fatalf("after start: %d active keys", n)
			}

			stop, watched := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(watched)
				for {
					select {
					case <-stop:
						return
					default:
						if n := activeKeys(t, reader); n != 1 {
							t.Errorf("a reader saw %d active keys", n)
							return
						}
					}
				}
			}()
			wins := 0
			for range 100 {
				errs := both(t, func(i int) error {
					_, err := nodes[i].Rotate(t.Context(), keys.OIDC, keys.RotateOptions{Force: true})
					return err
				})
				for _, err := range errs {
					if err == nil {
						wins++
					} else if !errors.Is(err, keys.ErrConcurrent) {
						t.Fatalf("the loser got %v, want ErrConcurrent", err)
					}
				}
				a, errA := nodes[0].Signer(t.Context(), keys.OIDC)
				b, errB := nodes[1].Signer(t.Context(), keys.OIDC)
				if errA != nil || errB != nil || a.Key().ID != b.Key().ID {
					t.Fatalf("the nodes disagree: %v %v, %v %v", a, errA, b, errB)
				}
			}
			close(stop)
			<-watched
			set, err := nodes[0].JWKS(t.Context(), keys.OIDC)
			if err != nil || len(set) != wins+1 {
				t.Fatalf("%d keys published after %d rotations: %v", len(set), wins, err)
			}
			if wins < 100 {
				t.Fatalf("%d of 100 rotations happened", wins)
			}
			t.Logf("%d rotations of 200 attempts", wins)
		})
	}
}

func node(t *testing.T, dsn string, kek [32]byte, ttl time.Duration) *keys.Service {
	t.Helper()
	s, err := keys.Open(t.Context(), keys.Config{Store: keystore.New(sqltest.Open(t, dsn)), KEK: kek, CacheTTL: ttl})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func both(t *testing.T, f func(i int) error) [2]error {
	t.Helper()
	var errs [2]error
	var wg sync.WaitGroup
	gate := make(chan struct{})
	for i := range errs {
		wg.Go(func() {
			<-gate
			errs[i] = f(i)
		})
	}
	close(gate)
	wg.Wait()
	return errs
}

func activeKeys(t *testing.T, s *keystore.Store) int {
	rec, err := s.Load(t.Context(), keys.OIDC)
	if err != nil {
		t.Errorf("Load: %v", err)
	}
	n := 0
	for _, k := range rec.Keys {
		if k.State == keys.Active {
			n++
		}
	}
	return n
}

// TestTwoNodesMakeOneAuthority: nodes that start together agree on root, intermediate, certificates and secrets.
func TestTwoNodesMakeOneAuthority(t *testing.T) {
	for _, engine := range []sqlstore.Engine{sqlstore.SQLite, sqlstore.PostgreSQL} {
		t.Run(string(engine), func(t *testing.T) {
			dsn := sqltest.DSN(t, engine)
			kek, _ := keys.NewKEK()
			nodes := []*keys.Service{node(t, dsn, kek, -1), node(t, dsn, kek, -1)}
			p := keys.Credential("1199440000TRY002X9")
			spec := keys.Spec{Certificate: &keys.CertificateSpec{Kind: keys.KindCredential, Organization: "沙箱省公安厅交通管理局",
				OrganizationIdentifier: "1199440000TRY002X9", URI: "https://id.example/i/1199440000TRY002X9"}}
			secrets := make([][]byte, 2)
			for _, err := range both(t, func(i int) (err error) {
				if err = nodes[i].Ensure(t.Context(), p, spec); err == nil {
					secrets[i], err = nodes[i].Secret(t.Context(), "pairwise")
				}
				return err
			}) {
				if err != nil {
					t.Fatal(err)
				}
			}
			a, _ := nodes[0].Signer(t.Context(), p)
			b, _ := nodes[1].Signer(t.Context(), p)
			if len(a.Chain()) != 2 || !slices.EqualFunc(a.Chain(), b.Chain(), func(x, y []byte) bool { return string(x) == string(y) }) {
				t.Fatal("the nodes have different chains")
			}
			if string(secrets[0]) != string(secrets[1]) || len(secrets[0]) != 32 {
				t.Fatal("the nodes have different secrets")
			}
			anchors, err := nodes[0].Anchors(t.Context())
			if err != nil || len(anchors) != 2 {
				t.Fatalf("%d anchors, %v", len(anchors), err)
			}
		})
	}
}

// TestChangesAreAudited: each step of a key's life leaves an event with the actor, in the same transaction.
func TestChangesAreAudited(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		kek, _ := keys.NewKEK()
		now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
		s, err := keys.Open(t.Context(), keys.Config{Store: keystore.New(db), KEK: kek, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Ensure(t.Context(), keys.OIDC, keys.Spec{}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if _, err := s.Rotate(t.Context(), keys.OIDC, keys.RotateOptions{Actor: "operator-7"}); err != nil {
				t.Fatal(err)
			}
			now = now.Add(keys.DefaultPublishAhead)
		}
		now = now.Add(keys.DefaultKeep)
		if err := s.Tick(t.Context()); err != nil {
			t.Fatal(err)
		}
		rows, err := db.Query(t.Context(), `SELECT kind, actor, detail FROM audit_events ORDER BY at, kind`)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		var got []string
		for rows.Next() {
			var kind, actor, detail string
			if err := rows.Scan(&kind, &actor, &detail); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(detail, `"oidc"`) {
				t.Errorf("%s: detail %s", kind, detail)
			}
			got = append(got, kind+" "+actor)
		}
		want := []string{"keys.created system", "keys.created operator-7", "keys.activated operator-7", "keys.retired operator-7", "keys.removed system"}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Fatalf("audit: %v, want %v", got, want)
		}
	})
}

// TestT03DatabaseHoldsNoPrivateKey: a copy of the database without the KEK is worth nothing: no private key and no secret
// is in it in clear, and another KEK opens nothing.
func TestT03DatabaseHoldsNoPrivateKey(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		kek, _ := keys.NewKEK()
		open := func(kek [32]byte) *keys.Service {
			s, err := keys.Open(t.Context(), keys.Config{Store: keystore.New(db), KEK: kek})
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		s := open(kek)
		if err := s.Ensure(t.Context(), keys.OIDC, keys.Spec{}); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Secret(t.Context(), "pairwise"); err != nil {
			t.Fatal(err)
		}
		if _, err := open(kek).Signer(t.Context(), keys.OIDC); err != nil {
			t.Fatalf("positive twin: the same KEK: %v", err)
		}
		other, _ := keys.NewKEK()
		if _, err := open(other).Signer(t.Context(), keys.OIDC); !errors.Is(err, keys.ErrWrongKEK) {
			t.Fatalf("another KEK: %v", err)
		}
		if _, err := open(other).Secret(t.Context(), "pairwise"); !errors.Is(err, keys.ErrWrongKEK) {
			t.Fatalf("another KEK, secret: %v", err)
		}
		var public, handle string
		if err := db.QueryRow(t.Context(), `SELECT public_jwk, handle FROM key_records`).Scan(&public, &handle); err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{public, handle} {
			if strings.Contains(text, `"d"`) || strings.Contains(text, "PRIVATE") {
				t.Fatal("private key in clear")
			}
		}
	})
}
