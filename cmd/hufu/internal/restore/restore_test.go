package restore_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/mux"

	again "github.com/hufu-id/hufu/cmd/hufu/internal/restore"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/internal/sqlstore/statusstore"
	"github.com/hufu-id/hufu/signing/statuslist"
	"github.com/hufu-id/hufu/wallet/status"
	"github.com/hufu-id/hufu/wallet/status/journal"
)

const origin = "https://id.example"

// server is one run of a server over one database: status lists with a journal.
type server struct {
	*status.Service
	db      *sqlstore.DB
	journal *journal.Writer
	public  jose.JWK
}

var key = sync.OnceValue(func() jose.SigningKey {
	k, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		panic(err)
	}
	return k
})

func open(t *testing.T, dsn, dir string) *server {
	t.Helper()
	h := &server{db: sqltest.Open(t, dsn)}
	var err error
	if h.journal, err = journal.Open(dir, origin); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.journal.Close() })
	h.Service, err = status.New(status.Config{Store: statusstore.New(h.db), Tx: h.db.InTx, Audit: h.db.Audit, BaseURL: origin, Spread: -1,
		Journal: h.journal, AfterCommit: h.db.AfterCommit, Size: 256,
		Signer: func(context.Context) (jose.SigningKey, [][]byte, error) { return key(), nil, nil }})
	if err != nil {
		t.Fatal(err)
	}
	if h.public, err = key().Public(); err != nil {
		t.Fatal(err)
	}
	return h
}

func (h *server) issue(t *testing.T, licence string, copies int) []status.Ref {
	t.Helper()
	ids := make([]string, copies)
	for i := range ids {
		ids[i] = fmt.Sprint(licence, "/", i)
	}
	refs, err := h.AllocateBatch(context.Background(), licence, ids, "driving-licence", time.Now().AddDate(0, 3, 0))
	if err != nil {
		t.Error(err)
	}
	return refs
}

// value is what a stranger reads.
func (h *server) value(t *testing.T, ref status.Ref) uint8 {
	t.Helper()
	r := mux.NewRouter()
	h.Routes(r)
	rec := httptest.NewRecorder()
	r.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, strings.TrimPrefix(ref.URI, origin), nil))
	parsed, err := statuslist.ParseToken(rec.Body.String())
	if rec.Code != 200 || err != nil {
		t.Fatalf("%s: %d, %v", ref.URI, rec.Code, err)
	}
	token, err := parsed.Verify(ref.URI, h.public)
	if err != nil {
		t.Fatal(err)
	}
	v, err := token.Status(ref.Index, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return uint8(v)
}

// backup copies the database while it is used, and restore makes a new database of the copy. Both return what names it.
func backup(t *testing.T, db *sqlstore.DB, dsn string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "backup")
	if db.Engine() == sqlstore.SQLite {
		if _, err := db.Exec(context.Background(), `VACUUM INTO '`+out+`'`); err != nil {
			t.Fatal(err)
		}
		return out
	}
	if b, err := exec.Command("pg_dump", "--no-owner", "-f", out, dsn).CombinedOutput(); err != nil {
		t.Fatalf("pg_dump: %v %s", err, b)
	}
	return out
}

func restore(t *testing.T, engine sqlstore.Engine, copied string) string {
	t.Helper()
	dsn := sqltest.DSN(t, engine)
	if engine == sqlstore.SQLite {
		b, err := os.ReadFile(copied)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(strings.TrimPrefix(dsn, "sqlite:"), b, 0o600); err != nil {
			t.Fatal(err)
		}
		return dsn
	}
	if _, err := url.Parse(dsn); err != nil {
		t.Fatal(err)
	}
	if b, err := exec.Command("psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", copied, dsn).CombinedOutput(); err != nil {
		t.Fatalf("psql: %v %s", err, b)
	}
	return dsn
}

// history is everything that was ever issued, and what each licence is in truth.
type history struct {
	mu    sync.Mutex
	refs  map[string][]status.Ref
	owner map[status.Ref]string
	truth map[string]uint8
}

func (y *history) add(t *testing.T, licence string, refs []status.Ref) {
	t.Helper()
	y.mu.Lock()
	defer y.mu.Unlock()
	for _, r := range refs {
		if of, twice := y.owner[r]; twice {
			t.Errorf("%v was given to %s and to %s", r, of, licence)
		}
		y.owner[r] = licence
	}
	y.refs[licence] = append(y.refs[licence], refs...)
}

// TestARestoreGivesNoIndexTwiceAndUnrevokesNothing is R17: a backup is made while credentials are issued; more are issued, revoked, suspended and
// reinstated; the backup is restored, and more are issued.
func TestARestoreGivesNoIndexTwiceAndUnrevokesNothing(t *testing.T) {
	n := 60
	if os.Getenv("HUFU_R17_FULL") != "" {
		n = 1000
	}
	sqltestEach(t, func(t *testing.T, engine sqlstore.Engine) {
		ctx, dir := context.Background(), t.TempDir()
		dsn := sqltest.DSN(t, engine)
		h := open(t, dsn, dir)
		y := &history{refs: map[string][]status.Ref{}, owner: map[status.Ref]string{}, truth: map[string]uint8{}}
		set := func(h *server, licence string, value uint8) {
			t.Helper()
			if err := h.SetForLicence(ctx, licence, value); err != nil {
				t.Fatal(err)
			}
			y.truth[licence] = value
		}
		several := func(h *server, name string, n int) {
			var wg sync.WaitGroup
			for g := range 4 {
				wg.Go(func() {
					for i := g; i < n; i += 4 {
						licence := fmt.Sprint(name, i)
						y.add(t, licence, h.issue(t, licence, 3))
					}
				})
			}
			wg.Wait()
		}
		several(h, "before", n)
		set(h, "before0", status.Invalid)
		set(h, "before1", status.Suspended)
		seed(t, h.db)

		// The backup, while credentials are issued.
		var wg sync.WaitGroup
		wg.Go(func() { several(h, "meanwhile", n) })
		copied := backup(t, h.db, dsn)
		wg.Wait()

		several(h, "after", n)
		for i := 2; i < n/2; i++ {
			set(h, fmt.Sprint("before", i), status.Invalid)
			set(h, fmt.Sprint("meanwhile", i), status.Suspended)
			set(h, fmt.Sprint("after", i), status.Invalid)
		}
		set(h, "before1", status.Valid)    // reinstated after the backup
		set(h, "meanwhile2", status.Valid) // suspended and reinstated after it
		// Copies that newer ones replaced, of a licence that the backup knows and of one that it doesn't.
		retired := []status.Ref{y.refs["before2"][0], y.refs[fmt.Sprint("before", n-2)][0], y.refs[fmt.Sprint("after", n-2)][0]}
		if err := h.Retire(ctx, retired, time.Now()); err != nil {
			t.Fatal(err)
		}
		rolledBack := errors.New("rolled back")
		if err := h.db.InTx(ctx, func(ctx context.Context) error {
			return errors.Join(h.SetForLicence(ctx, fmt.Sprint("before", n-1), status.Invalid), rolledBack)
		}); !errors.Is(err, rolledBack) {
			t.Fatal(err)
		}
		if err := errors.Join(h.Publish(ctx), h.Record(ctx), h.CheckJournal(ctx), h.journal.Close()); err != nil {
			t.Fatal(err)
		}

		// The database is lost, and the older copy takes its place.
		dsn = restore(t, engine, copied)
		old := open(t, dsn, dir)
		if err := old.CheckJournal(ctx); !errors.Is(err, status.ErrRestored) {
			t.Fatalf("a restored database wasn't noticed: %v", err)
		}
		if _, err := old.Allocate(ctx, "x", "x", "driving-licence", time.Now().AddDate(0, 3, 0)); !errors.Is(err, status.ErrRestored) {
			t.Fatalf("issuing from a restored database: %v", err)
		}
		begun := time.Now()
		report, err := again.Restore(ctx, old.db, origin, dir)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%d lines read in %s: %+v", report.Status.Lines, time.Since(begun).Round(time.Millisecond), report)
		if s := report.Status; s.Conflicts != 0 || s.Lists == 0 || s.Entries < int64(3*n) || s.Licences < int64(3*(n/2-2)) {
			t.Errorf("restored %+v", s)
		}
		h = open(t, dsn, dir)
		if err := h.CheckJournal(ctx); err != nil {
			t.Fatalf("after the restore: %v", err)
		}
		several(h, "later", n)
		// Copies that the database had forgotten are still the licence's.
		set(h, fmt.Sprint("after", n-1), status.Invalid)
		if err := h.Publish(ctx); err != nil {
			t.Fatal(err)
		}
		for _, ref := range retired {
			if v := h.value(t, ref); v != status.Invalid {
				t.Errorf("a retired copy is %d", v)
			}
			y.forget(ref)
		}
		checkAll(t, h, y)
		checkDead(t, h.db)
	})
}

// forget leaves a copy out of what checkAll compares with its licence.
func (y *history) forget(ref status.Ref) {
	licence := y.owner[ref]
	y.refs[licence] = slices.DeleteFunc(y.refs[licence], func(r status.Ref) bool { return r == ref })
}

func sqltestEach(t *testing.T, run func(t *testing.T, engine sqlstore.Engine)) {
	for _, engine := range []sqlstore.Engine{sqlstore.SQLite, sqlstore.PostgreSQL} {
		t.Run(string(engine), func(t *testing.T) { run(t, engine) })
	}
}

// checkAll reads every index that was ever given out.
func checkAll(t *testing.T, h *server, y *history) {
	t.Helper()
	wrong := 0
	lists := map[string]statuslist.Token{}
	for licence, refs := range y.refs {
		for _, ref := range refs {
			if _, ok := lists[ref.URI]; !ok {
				h.value(t, ref)
				lists[ref.URI] = h.token(t, ref.URI)
			}
			v, err := lists[ref.URI].Status(ref.Index, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if uint8(v) != y.truth[licence] {
				wrong++
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d entries have another value than the last one that was confirmed", wrong, len(y.owner))
	}
	t.Logf("%d entries in %d lists", len(y.owner), len(lists))
}

func (h *server) token(t *testing.T, uri string) statuslist.Token {
	t.Helper()
	tokens, err := h.Tokens(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, tok := range tokens {
		if tok.URI == uri {
			parsed, err := statuslist.ParseToken(tok.JWT)
			if err != nil {
				t.Fatal(err)
			}
			token, err := parsed.Verify(uri, h.public)
			if err != nil {
				t.Fatal(err)
			}
			return token
		}
	}
	t.Fatalf("%s isn't published", uri)
	return statuslist.Token{}
}

// seed adds a login, an authorization with a code and a refresh token, a pushed request and an offer.
func seed(t *testing.T, db *sqlstore.DB) {
	t.Helper()
	for _, q := range []string{
		`INSERT INTO oidc_sessions (key, person_id, province, acr, amr, auth_time, created_at, used_at, expires_at) VALUES ('k', 'p', 'gd', 'loa3', '', 1, 1, 1, 9000000000000000)`,
		`INSERT INTO oidc_grants (id, type, client_id, person_id, subject, terms, code, code_state, code_expires, created_at, expires_at, revoked_at)
			VALUES ('g', 'code', 'c', 'p', 's', '{}', 'code', 1, 9000000000000000, 1, 9000000000000000, 0)`,
		`INSERT INTO oidc_pushed (id, client_id, parameters, expires_at) VALUES ('r', 'c', '', 9000000000000000)`,
	} {
		if _, err := db.Exec(context.Background(), q); err != nil {
			t.Fatal(err)
		}
	}
}

func checkDead(t *testing.T, db *sqlstore.DB) {
	t.Helper()
	for query, want := range map[string]int{
		`SELECT COUNT(*) FROM oidc_sessions`: 0, `SELECT COUNT(*) FROM oidc_grants`: 0, `SELECT COUNT(*) FROM oidc_pushed`: 0,
		`SELECT COUNT(*) FROM audit_events WHERE kind = 'server.restored'`: 1, `SELECT COUNT(*) FROM audit_events WHERE kind = 'status.restored'`: 1,
	} {
		n := -1
		if err := db.QueryRow(context.Background(), query).Scan(&n); err != nil || n != want {
			t.Errorf("%s: %d, want %d (%v)", query, n, want, err)
		}
	}
}

// A journal that was altered is refused before anything is changed.
func TestAnAlteredJournalIsRefused(t *testing.T) {
	ctx, dir := context.Background(), t.TempDir()
	h := open(t, sqltest.DSN(t, sqlstore.SQLite), dir)
	h.issue(t, "a", 3)
	if err := errors.Join(h.SetForLicence(ctx, "a", status.Invalid), h.journal.Close()); err != nil {
		t.Fatal(err)
	}
	names, err := journal.Names(dir)
	if err != nil || len(names) != 1 {
		t.Fatalf("%v, %v", names, err)
	}
	path := filepath.Join(dir, names[0])
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	altered := bytes.Replace(whole, []byte(`"value":1`), []byte(`"value":0`), 1)
	if bytes.Equal(altered, whole) {
		t.Fatal("nothing to alter")
	}
	if err := os.WriteFile(path, altered, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := again.Restore(ctx, h.db, origin, dir); !errors.Is(err, journal.ErrBroken) {
		t.Fatalf("altered: %v", err)
	}
	if n, err := statusstore.New(h.db).Version(ctx, "a"); err != nil || n != 1 {
		t.Fatalf("%d, %v", n, err)
	}
	if err := os.WriteFile(path, whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := again.Restore(ctx, h.db, "https://other.example", dir); !errors.Is(err, journal.ErrBroken) {
		t.Fatalf("the journal of another server: %v", err)
	}
	if _, err := again.Restore(ctx, h.db, origin, dir); err != nil {
		t.Fatalf("whole: %v", err)
	}
}
