package status_test

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/internal/sqlstore/statusstore"
	"github.com/hufu-id/hufu/wallet/status"
	"github.com/hufu-id/hufu/wallet/status/journal"
)

// points are where the child kills itself: in each step of an issuance, a change and a publication.
var points = []string{"given", "set", "committed", "journaled", "begun", "recorded", "signing", "finishing", "finished", "marked"}

// mortal is a store whose process dies at a point.
type mortal struct {
	*statusstore.Store
	die func(point string)
}

func (m mortal) Insert(ctx context.Context, e []status.Entry) ([]int64, error) {
	out, err := m.Store.Insert(ctx, e)
	m.die("given")
	return out, err
}

func (m mortal) SetLicence(ctx context.Context, id string, value uint8, now time.Time) (int64, error) {
	v, err := m.Store.SetLicence(ctx, id, value, now)
	m.die("set")
	return v, err
}

func (m mortal) Begin(ctx context.Context, l status.List, now time.Time) (status.Publication, error) {
	p, err := m.Store.Begin(ctx, l, now)
	m.die("begun")
	return p, err
}

func (m mortal) Record(ctx context.Context, p status.Publication, issuedAt, expires time.Time, digest string) error {
	err := m.Store.Record(ctx, p, issuedAt, expires, digest)
	m.die("recorded")
	return err
}

func (m mortal) Finish(ctx context.Context, s status.Signed) error {
	m.die("finishing")
	err := m.Store.Finish(ctx, s)
	m.die("finished")
	return err
}

func (m mortal) Journaled(ctx context.Context, c []status.Change, l []status.List) error {
	err := m.Store.Journaled(ctx, c, l)
	m.die("marked")
	return err
}

// crashKey is the same in both processes.
func crashKey(t testing.TB) jose.SigningKey {
	t.Helper()
	seed := sha256.Sum256([]byte("a key of tests"))
	k, err := jose.NewSigningKey(ed25519.NewKeyFromSeed(seed[:]), jose.EdDSA)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func crashWorld(t testing.TB, dsn, dir string, die func(string)) *world {
	t.Helper()
	db := sqltest.Open(t, dsn)
	j, err := journal.Open(dir, "https://id.example")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	key := crashKey(t)
	w := newWorld(t, db, func(c *status.Config) {
		c.Now, c.Spread, c.Store, c.Journal = time.Now, -1, mortal{statusstore.New(db), die}, j
		c.AfterCommit = func(ctx context.Context, fn func(context.Context) error) error {
			return db.AfterCommit(ctx, func(ctx context.Context) error {
				die("committed")
				err := fn(ctx)
				die("journaled")
				return err
			})
		}
		c.Signer = func(context.Context) (jose.SigningKey, [][]byte, error) {
			die("signing")
			return key, nil, nil
		}
	})
	if w.key, err = key.Public(); err != nil {
		t.Fatal(err)
	}
	return w
}

// TestChildRevokes is the process of TestKillWhilePublishing. It prints what it was told is done.
func TestChildRevokes(t *testing.T) {
	dsn := os.Getenv("HUFU_STATUS_CHILD")
	if dsn == "" {
		t.Skip("a part of TestKillWhilePublishing")
	}
	point, _ := strconv.Atoi(os.Getenv("HUFU_STATUS_POINT"))
	left, _ := strconv.Atoi(os.Getenv("HUFU_STATUS_HITS"))
	w := crashWorld(t, dsn, os.Getenv("HUFU_STATUS_JOURNAL"), func(p string) {
		if p == points[point] {
			if left--; left < 0 {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		}
	})
	ctx, name := context.Background(), os.Getenv("HUFU_STATUS_NAME")
	for i := range 200 { // a child without a parent ends too
		licence := fmt.Sprint(name, "-", i)
		refs, err := w.AllocateBatch(ctx, licence, ids(2), "driving-licence", time.Now().AddDate(0, 3, 0))
		must(t, err)
		for _, r := range refs {
			fmt.Println("given", licence, r.URI, r.Index)
		}
		must(t, w.SetForLicence(ctx, licence, status.Invalid))
		fmt.Println("revoked", licence)
		must(t, w.Publish(ctx))
		must(t, w.Record(ctx))
	}
}

// TestKillWhilePublishing is R3 of the status lists: killed at each point, nobody reads a torn list or an older one, what was confirmed is published and in
// the journal, no index comes twice, and nothing was signed that isn't on record.
func TestKillWhilePublishing(t *testing.T) {
	rounds := len(points)
	if full := number("HUFU_R3_ROUNDS", 0); full > 0 {
		rounds = full
	}
	for _, engine := range []sqlstore.Engine{sqlstore.SQLite, sqlstore.PostgreSQL} {
		t.Run(string(engine), func(t *testing.T) {
			dsn, dir := sqltest.DSN(t, engine), t.TempDir()
			w := crashWorld(t, dsn, dir, func(string) {})
			given := map[status.Ref]string{}
			revoked := map[string]bool{}
			lastSeq := map[string]int64{}
			for round := range rounds {
				killed := child(t, dsn, dir, round, given, revoked)
				if !killed {
					t.Fatalf("%s: the child wasn't killed", points[round%len(points)])
				}
				w.survey(t, lastSeq)
			}
			time.Sleep(3100 * time.Millisecond) // then what a dead process began is taken over
			must(t, w.Publish(context.Background()))
			w.survey(t, lastSeq)
			w.checkConfirmed(t, dir, given, revoked)
			t.Logf("%d kills, %d indices, %d revocations confirmed", rounds, len(given), len(revoked))
		})
	}
}

// child runs until it kills itself.
func child(t *testing.T, dsn, dir string, round int, given map[status.Ref]string, revoked map[string]bool) bool {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestChildRevokes$", "-test.timeout=60s")
	cmd.Env = append(os.Environ(), "HUFU_STATUS_CHILD="+dsn, "HUFU_STATUS_JOURNAL="+dir, fmt.Sprint("HUFU_STATUS_NAME=r", round),
		fmt.Sprint("HUFU_STATUS_POINT=", round%len(points)), fmt.Sprint("HUFU_STATUS_HITS=", rand.IntN(4)))
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	var said []string
	for lines := bufio.NewScanner(out); lines.Scan(); {
		f := strings.Fields(lines.Text())
		switch {
		case len(f) == 4 && f[0] == "given":
			index, err := strconv.ParseInt(f[3], 10, 64)
			must(t, err)
			ref := status.Ref{URI: f[2], Index: index}
			if of, twice := given[ref]; twice {
				t.Errorf("%v was given to %s and %s", ref, of, f[1])
			}
			given[ref] = f[1]
		case len(f) == 2 && f[0] == "revoked":
			revoked[f[1]] = true
		default:
			said = append(said, lines.Text())
		}
	}
	err = cmd.Wait()
	if exit, ok := err.(*exec.ExitError); !ok || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Logf("child: %v %v", err, said)
		return false
	}
	return true
}

// survey reads every published list: whole, signed, recorded, and never older than before.
func (w *world) survey(t *testing.T, lastSeq map[string]int64) {
	t.Helper()
	ctx := context.Background()
	live, err := statusstore.New(w.db).Live(ctx, time.Now())
	must(t, err)
	for _, l := range live {
		if l.TokenSeq < lastSeq[l.ID] {
			t.Errorf("%s went back from %d to %d", l.ID, lastSeq[l.ID], l.TokenSeq)
		}
		lastSeq[l.ID] = l.TokenSeq
		if l.TokenSeq == 0 {
			continue
		}
		full, err := statusstore.New(w.db).Get(ctx, l.ID)
		must(t, err)
		w.verified(t, full.Token, w.URI(l.ID))
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(full.Token, ".")[1])
		must(t, err)
		var digest string
		must(t, w.db.QueryRow(ctx, `SELECT digest FROM status_publications WHERE list_id = $1 AND seq = $2`, l.ID, l.TokenSeq).Scan(&digest))
		if !strings.HasPrefix(digest, fmt.Sprintf("%x ", sha256.Sum256(payload))) {
			t.Errorf("%s: what is published as %d is not what was recorded", l.ID, l.TokenSeq)
		}
	}
}

func (w *world) checkConfirmed(t *testing.T, dir string, given map[status.Ref]string, revoked map[string]bool) {
	t.Helper()
	tokens, err := w.Tokens(context.Background())
	must(t, err)
	for _, tok := range tokens {
		list := w.verified(t, tok.JWT, tok.URI)
		for ref, licence := range given {
			if ref.URI != tok.URI {
				continue
			}
			if v, err := list.Status(ref.Index, time.Now()); err != nil || revoked[licence] && uint8(v) != status.Invalid {
				t.Errorf("%s was revoked, its entry is %s (%v)", licence, v, err)
			}
		}
	}
	inJournal := map[string]bool{}
	known := map[string]int{}
	must(t, journal.Read(dir, "https://id.example", func(l journal.Line) error {
		switch l.Kind {
		case journal.Set:
			inJournal[l.Licence] = true
		case journal.Given:
			known[l.Licence] += len(l.Entries)
		}
		return nil
	}))
	for licence := range revoked {
		if !inJournal[licence] {
			t.Errorf("%s was confirmed and is not in the journal", licence)
		}
	}
	for _, licence := range given {
		if known[licence] != 2 {
			t.Errorf("the journal has %d indices of %s", known[licence], licence)
		}
	}
	must(t, w.CheckJournal(context.Background()))
}
