package bundlepub_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/internal/bundlepub"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/bundlestore"
	"github.com/hufu-id/hufu/internal/sqlstore/restorestore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/signing/bundle"
)

const (
	code = "1199440000TRY002X9"
	uri  = "https://id.example/status/1"
)

// world is what a publisher works on: inputs, keys and a clock, all under the test's control.
type world struct {
	mu    sync.Mutex
	in    bundle.Input
	keys  map[string]jose.SigningKey
	also  []jose.SigningKey
	clock time.Time
}

func newWorld() *world {
	return &world{keys: map[string]jose.SigningKey{}, clock: time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC), in: bundle.Input{
		Issuers:     []bundle.Issuer{{ID: "https://id.example/i/" + code, Code: code, Name: map[string]string{"zh": "局"}}},
		StatusLists: map[string]string{uri: "list.one.token"},
	}}
}

func (w *world) Input(context.Context) (bundle.Input, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.in, nil
}

func (w *world) Signer(_ context.Context, role string) (jose.SigningKey, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	k, ok := w.keys[role]
	if !ok {
		k = newKey()
		w.keys[role] = k
	}
	return k, nil
}

func newKey() jose.SigningKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return jose.SigningKey{Alg: jose.ES256, Key: k}
}

func (w *world) Published(context.Context, string) ([]jose.JWK, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var out []jose.JWK
	for _, k := range append([]jose.SigningKey{w.keys["root"]}, w.also...) {
		j, err := jose.FromPublic(k.Key.Public(), "", jose.ES256)
		if err != nil {
			return nil, err
		}
		out = append(out, j)
	}
	return out, nil
}

func (w *world) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock
}

func (w *world) set(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

func (w *world) node(t *testing.T, db *sqlstore.DB) *bundlepub.Service {
	t.Helper()
	s, err := bundlepub.New(bundlepub.Config{Store: bundlestore.Store{DB: db}, Inputs: w, Keys: w, Now: w.Now})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func publish(t *testing.T, s *bundlepub.Service) {
	t.Helper()
	if err := s.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// read verifies what a node hands out.
func read(t *testing.T, s *bundlepub.Service, root []byte, at time.Time) *bundle.Contents {
	t.Helper()
	b, _, err := s.Archive(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c, err := bundle.Verify(root, b, at)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPublishesWhatChangedAndOnlyThen(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		w := newWorld()
		a, b := w.node(t, db), w.node(t, db)
		if _, _, err := a.Archive(t.Context()); err == nil {
			t.Fatal("an archive before the first publication")
		}
		publish(t, a)
		root, err := b.Root(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		first := read(t, b, root, w.clock)
		publish(t, a)
		publish(t, b)
		if c := read(t, a, root, w.clock); c.Version != first.Version {
			t.Errorf("nothing changed, but version %d became %d", first.Version, c.Version)
		}
		w.set(func() {
			w.in.StatusLists = map[string]string{uri: "list.two.token"}
			w.clock = w.clock.Add(2 * time.Second)
		})
		publish(t, b)
		for _, n := range []*bundlepub.Service{a, b} {
			c := read(t, n, root, w.clock)
			if c.Version != first.Version+1 || c.StatusLists[uri] != "list.two.token" || c.Roles["targets"] != 1 {
				t.Errorf("after a change: version %d, list %q, targets %d", c.Version, c.StatusLists[uri], c.Roles["targets"])
			}
		}
		w.set(func() { w.clock = w.clock.Add(2 * time.Hour) })
		publish(t, a)
		if c := read(t, a, root, w.clock); !c.AsOf.Equal(w.clock) {
			t.Errorf("not confirmed anew after two hours: as of %s", c.AsOf)
		}
		za, _, _ := a.Archive(t.Context())
		zb, _, _ := b.Archive(t.Context())
		if !bytes.Equal(za, zb) {
			t.Error("two nodes serve different bytes")
		}
	})
}

func TestVersionsNeverGoBackWhenNodesRace(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		w := newWorld()
		nodes := []*bundlepub.Service{w.node(t, db), w.node(t, db), w.node(t, db), w.node(t, db)}
		publish(t, nodes[0])
		root, _ := nodes[0].Root(t.Context())
		last := read(t, nodes[0], root, w.clock)
		for round := range 10 {
			w.set(func() {
				w.in.StatusLists = map[string]string{uri: "round." + string(rune('a'+round)) + ".token"}
				w.clock = w.clock.Add(2 * time.Second)
			})
			var wg sync.WaitGroup
			for _, n := range nodes {
				wg.Go(func() {
					if err := n.Publish(context.Background()); err != nil {
						t.Errorf("publishing: %v", err)
					}
				})
			}
			wg.Wait()
			publish(t, nodes[round%len(nodes)]) // all may have lost; the next step publishes
			w.set(func() { w.clock = w.clock.Add(2 * time.Second) })
			c := read(t, nodes[(round+1)%len(nodes)], root, w.clock)
			if c.Version <= last.Version || c.StatusLists[uri] == last.StatusLists[uri] {
				t.Fatalf("round %d: version %d after %d", round, c.Version, last.Version)
			}
			for role, v := range last.Roles {
				if c.Roles[role] < v {
					t.Fatalf("role %s went back from %d to %d", role, v, c.Roles[role])
				}
			}
			last = c
		}
	})
}

// TestDeadNodeLeavesAGap: a node that dies between reserving and publishing may have shown its timestamp to somebody; its
// version is never used for other contents.
func TestDeadNodeLeavesAGap(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		w, store := newWorld(), bundlestore.Store{DB: db}
		n := w.node(t, db)
		publish(t, n)
		head, err := store.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Reserve(t.Context(), head, head.Reserved+1, event()); err != nil {
			t.Fatal(err)
		}
		if err := store.Reserve(t.Context(), head, head.Reserved+1, event()); err != bundlepub.ErrLost {
			t.Errorf("second reservation of one version: %v", err)
		}
		w.set(func() {
			w.in.StatusLists = map[string]string{uri: "list.two.token"}
			w.clock = w.clock.Add(2 * time.Second)
		})
		publish(t, n)
		after, err := store.Head(t.Context())
		if err != nil || after.Version != head.Version+2 {
			t.Errorf("version %d after a reserved %d (%v)", after.Version, head.Reserved+1, err)
		}
	})
}

// TestARestoredPublisherGoesOnAboveWhatVerifiersSaw (R17): the restored database is older than what verifiers have. A restore reserves many versions, and
// then each part of the bundle is above the one that it replaces, changed or not.
func TestARestoredPublisherGoesOnAboveWhatVerifiersSaw(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		w := newWorld()
		n := w.node(t, db)
		publish(t, n)
		root, _ := n.Root(t.Context())
		// What was published after the backup, by a database that is lost.
		lost := w.node(t, sqltest.Open(t, sqltest.DSN(t, sqlstore.SQLite)))
		var seen *bundle.Contents
		for i := range 5 {
			w.set(func() {
				w.in.StatusLists = map[string]string{uri: "lost." + string(rune('a'+i)) + ".token"}
				w.clock = w.clock.Add(2 * time.Second)
			})
			publish(t, lost)
			lostRoot, _ := lost.Root(t.Context())
			seen = read(t, lost, lostRoot, w.clock)
		}
		if _, err := restorestore.End(t.Context(), db); err != nil {
			t.Fatal(err)
		}
		w.set(func() { w.clock = w.clock.Add(2 * time.Second) })
		publish(t, n)
		after := read(t, n, root, w.clock)
		for role, v := range seen.Roles {
			if role != "root" && after.Roles[role] <= v {
				t.Errorf("role %s is %d, and verifiers have seen %d", role, after.Roles[role], v)
			}
		}
		if after.Version <= seen.Version || len(seen.Roles) < 4 {
			t.Errorf("version %d after %d, roles %v", after.Version, seen.Version, seen.Roles)
		}
		publish(t, n)
		if again := read(t, n, root, w.clock); again.Version != after.Version {
			t.Errorf("published again without need: %d after %d", again.Version, after.Version)
		}
	})
}

// TestRootRotationIsFollowed (R12): a key is published before its first use, so old verifiers follow.
func TestRootRotationIsFollowed(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		w := newWorld()
		n := w.node(t, db)
		publish(t, n)
		root, _ := n.Root(t.Context())
		next := newKey()
		w.set(func() { w.also = []jose.SigningKey{next}; w.clock = w.clock.Add(2 * time.Second) })
		publish(t, n)
		w.set(func() {
			w.also = []jose.SigningKey{w.keys["root"]}
			w.keys["root"] = next
			w.clock = w.clock.Add(time.Hour)
		})
		publish(t, n)
		w.set(func() { w.also = nil; w.clock = w.clock.Add(24 * time.Hour) }) // the old key is gone
		publish(t, n)
		if c := read(t, n, root, w.clock); c.RootVersion != 3 {
			t.Errorf("root version %d", c.RootVersion)
		}
		// A key that no root ever named can't take over.
		w.set(func() { w.also, w.keys["root"] = nil, newKey(); w.clock = w.clock.Add(time.Hour) })
		if err := n.Publish(t.Context()); err == nil {
			t.Error("an unpublished root key was used")
		}
	})
}

func TestServesFilesToMirrors(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		w := newWorld()
		n := w.node(t, db)
		r := mux.NewRouter().SkipClean(true).UseEncodedPath()
		n.Routes(r)
		srv := httptest.NewServer(r)
		defer srv.Close()
		if res := get(t, srv.URL+"/bundle/root.json", ""); res.StatusCode != http.StatusServiceUnavailable {
			t.Errorf("before the first publication: %d", res.StatusCode)
		}
		publish(t, n)
		w.set(func() {
			w.in.StatusLists = map[string]string{uri: "list.two.token"}
			w.clock = w.clock.Add(2 * time.Second)
		})
		publish(t, n)
		for path, want := range map[string]int{
			"/bundle/timestamp.json": 200, "/bundle/1.root.json": 200, "/bundle/root.json": 200, "/bundle.zip": 200, "/bundle/2.snapshot.json": 200,
			"/bundle/1.snapshot.json": 200, // the version before, for mirrors under way
			"/bundle/2.root.json":     404, "/bundle/../bundle.zip": 404, "/bundle/%2e%2e/x": 404, "/bundle/9.snapshot.json": 404,
		} {
			res := get(t, srv.URL+path, "")
			if res.StatusCode != want {
				t.Errorf("%s: %d, want %d", path, res.StatusCode, want)
			}
			if want == 404 && res.Header.Get("Cache-Control") != "no-store" && res.Header.Get("ETag") != "" {
				t.Errorf("%s: a missing file may be cached", path)
			}
			if etag := res.Header.Get("ETag"); want == 200 {
				if again := get(t, srv.URL+path, etag); again.StatusCode != http.StatusNotModified {
					t.Errorf("%s with its ETag: %d", path, again.StatusCode)
				}
			}
		}
		root := get(t, srv.URL+"/bundle/root.json", "")
		body, _ := io.ReadAll(root.Body)
		if root.Header.Get("ETag") != `"`+bundle.Fingerprint(body)+`"` {
			t.Error("the root's ETag isn't its fingerprint")
		}
	})
}

func get(t *testing.T, url, etag string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	return res
}
