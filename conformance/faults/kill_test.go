//go:build conformance

package faults_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/apptest"
	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sample/wallet"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/signing/statuslist"
	"github.com/hufu-id/hufu/signing/verify"
)

const (
	killWorkers       = 4
	killRoundsDefault = 20
	// revocationSeen is how soon after the act a status list must say so, also right after a crash.
	revocationSeen = 10 * time.Second
)

func killRounds(t *testing.T) int {
	text := os.Getenv("HUFU_KILL_ROUNDS")
	if text == "" {
		return killRoundsDefault
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("HUFU_KILL_ROUNDS is %q, want a number", text)
	}
	return n
}

// TestKillDuringIssuing (R3) kills the server again and again while wallets take licences, one copy or a set, in both formats, and an authority withholds and
// restores one, so that its list is published over and over, and starts it again on the same data. Whatever a wallet was
// told must be true afterwards: an offer that it got can be redeemed, an access token used, a credential is recorded. No status index is
// used twice, the bundle, its status lists and the audit trail hold, and issuing goes on.
func TestKillDuringIssuing(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine sqlstore.Engine) {
		k := newKillWorld(t, engine)
		rounds, begin := killRounds(t), time.Now()
		for round := range rounds {
			k.round(round)
			if t.Failed() {
				t.Fatalf("round %d", round)
			}
		}
		k.last()
		n := k.tally()
		t.Logf("%d kills in %s: %d offers, %d tokens and %d credentials acknowledged; %d records; interrupted: %d offers, %d redemptions, %d credential requests",
			rounds, time.Since(begin).Round(time.Second), n.offers, n.tokens, len(n.credentials),
			count(t, k.db, `SELECT COUNT(*) FROM issuer_issuances`), n.interrupted[0], n.interrupted[1], n.interrupted[2])
	})
}

// killWorld is a server that is killed, and what its wallets were told.
type killWorld struct {
	t       *testing.T
	app     *apptest.App
	db      *sqlstore.DB
	root    []byte
	seen    bundle.Seen
	workers []*worker
	flipper *flipper
}

func newKillWorld(t *testing.T, engine sqlstore.Engine) *killWorld {
	t.Helper()
	o := apptest.Options{Data: t.TempDir()}
	dsn := "sqlite:" + filepath.Join(o.Data, "hufu.db")
	if engine == sqlstore.PostgreSQL {
		o.Database = sqltest.DSN(t, engine)
		dsn = o.Database
	}
	k := &killWorld{t: t, app: apptest.Start(t, o)}
	db, err := sqlstore.Open(context.Background(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	k.db = db
	k.root = k.fetch(k.app.Ready.RootURL)
	key := readKeyFile(t, k.app.Ready.Departments[0].KeyFile)
	for range killWorkers {
		k.workers = append(k.workers, &worker{department: key, origin: k.app.Ready.Issuer, wallet: wallet.New(wallet.Options{})})
	}
	k.flipper = newFlipper(k, key)
	return k
}

// round lets the wallets work, kills the server at some moment, starts it again and looks at everything.
func (k *killWorld) round(round int) {
	k.t.Helper()
	stop := k.work()
	time.Sleep(time.Duration(20+rand.IntN(300)) * time.Millisecond)
	k.app.Kill()
	stop()
	k.app.Restart()
	k.check() // not before: PostgreSQL may still be committing what the dead process had sent
	k.checkBundle(round)
	k.flipper.check(k, round)
}

// work starts the workers; the returned function lets them end their step and waits.
func (k *killWorld) work() (stop func()) {
	var stopped atomic.Bool
	var all sync.WaitGroup
	for _, w := range k.workers {
		all.Add(1)
		go func() {
			defer all.Done()
			for !stopped.Load() {
				if err := w.step(context.Background()); err != nil {
					return // the server is gone; the same step comes again in the next round
				}
			}
		}()
	}
	all.Add(1)
	go func() {
		defer all.Done()
		for !stopped.Load() && k.flipper.flip() == nil {
		}
	}()
	return func() {
		stopped.Store(true)
		all.Wait()
		if k.flipper.refused != nil {
			k.t.Errorf("withholding and restoring: %v", k.flipper.refused)
		}
		for i, w := range k.workers {
			if w.refused != nil {
				k.t.Errorf("worker %d: %v", i, w.refused)
			}
		}
	}
}

// totals is what all workers were told.
type totals struct {
	offers, tokens int
	credentials    []string
	interrupted    [3]int
}

func (k *killWorld) tally() (n totals) {
	for _, w := range append(slices.Clone(k.workers), k.flipper.taker) {
		n.offers += len(w.offers)
		n.tokens += len(w.redeemed)
		for _, c := range w.credentials {
			n.credentials = append(n.credentials, c.text)
		}
		for i := range n.interrupted {
			n.interrupted[i] += w.interrupted[i]
		}
	}
	return n
}

// check holds the database against what the workers were told.
func (k *killWorld) check() {
	k.t.Helper()
	records := checkIssuances(k.t, k.db, k.tally().credentials)
	offers, grants := k.column(`SELECT code_hash FROM issuer_offers`), k.column(`SELECT subject FROM oidc_grants WHERE revoked_at = 0`)
	redeemed := k.column(`SELECT code_hash FROM issuer_offers WHERE redeemed_at > 0`)
	ids := map[string]string{}
	rows, err := k.db.Query(context.Background(), `SELECT code_hash, id FROM issuer_offers`)
	if err != nil {
		k.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var code, id string
		if err := rows.Scan(&code, &id); err != nil {
			k.t.Fatal(err)
		}
		ids[code] = id
	}
	for _, w := range k.workers {
		for _, code := range w.offers {
			if !offers[code] {
				k.t.Errorf("an offer that was handed out is lost")
			}
		}
		for _, code := range w.redeemed {
			if !redeemed[code] || !grants["offer:"+ids[code]] {
				k.t.Errorf("the redemption of an offer is lost, its token was handed out")
			}
		}
		for _, c := range w.credentials {
			if r := records[c.text]; r.offer != ids[c.code] {
				k.t.Errorf("a credential is recorded for offer %q, it was taken with %q", r.offer, ids[c.code])
			}
		}
	}
}

func (k *killWorld) column(query string, args ...any) map[string]bool {
	k.t.Helper()
	rows, err := k.db.Query(context.Background(), query, args...)
	if err != nil {
		k.t.Fatal(err)
	}
	defer rows.Close()
	out := map[string]bool{}
	for rows.Next() {
		var v string
		if err := rows.Scan(&v); err != nil {
			k.t.Fatal(err)
		}
		out[v] = true
	}
	if err := rows.Err(); err != nil {
		k.t.Fatal(err)
	}
	return out
}

// checkBundle verifies the bundle against the root of the first start, that it is not older than the one before, and by it and its status
// lists the newest credential of each worker.
func (k *killWorld) checkBundle(round int) {
	k.t.Helper()
	now := time.Now()
	contents, err := bundle.Verify(k.root, k.fetch(k.app.Ready.BundleURL), now)
	if err != nil {
		k.t.Fatalf("the bundle after kill %d: %v", round, err)
	}
	if err := k.seen.Check(contents); err != nil {
		k.t.Errorf("the bundle after kill %d: %v", round, err)
	}
	k.seen = contents.Seen()
	for _, w := range k.workers {
		if len(w.credentials) == 0 {
			continue
		}
		newest := w.credentials[len(w.credentials)-1].text
		if v := verify.Verify(newest, contents, verify.Challenge{HolderAny: true}, now, verify.Policy{}); v.Outcome() != verify.Valid {
			k.t.Errorf("a credential after kill %d: %s: %s", round, v.Outcome(), v.JSON())
		}
		// The list as it is served, beside the one in the bundle.
		place := readIssued(k.t, newest).Status.List
		if value, err := k.status(place.URI, place.Index); err != nil || value != statuslist.Valid {
			k.t.Errorf("the status list %s after kill %d says %v: %v", place.URI, round, value, err)
		}
	}
}

// status reads a status list from the server, and one entry of it.
func (k *killWorld) status(uri string, index int64) (statuslist.Status, error) {
	parsed, err := statuslist.ParseToken(string(k.fetch(uri)))
	if err != nil {
		return 0, err
	}
	token, err := parsed.Verify(uri, k.keys("status")...)
	if err != nil {
		return 0, err
	}
	return token.Status(index, time.Now())
}

// keys are the public keys of a purpose.
func (k *killWorld) keys(purpose string) (out []jose.JWK) {
	k.t.Helper()
	for text := range k.column(`SELECT public_jwk FROM key_records WHERE purpose = $1`, purpose) {
		key, err := jose.ParseJWK([]byte(text))
		if err != nil {
			k.t.Fatal(err)
		}
		out = append(out, key)
	}
	return out
}

// last is what must still work after the last kill: a revocation is published in time, every worker gets more licences, and the audit
// trail is whole.
func (k *killWorld) last() {
	k.t.Helper()
	k.revocation()
	before := len(k.tally().credentials)
	stop := k.work()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if k.issued()-before >= 5*killWorkers {
			break
		}
	}
	stop()
	if n := len(k.tally().credentials) - before; n < 5*killWorkers {
		k.t.Errorf("after the last kill only %d licences were taken", n)
	}
	k.check()
	k.checkBundle(killRounds(k.t))
	k.app.Stop() // the trail is read while nobody writes
	k.checkTrail()
}

func (k *killWorld) issued() (n int) {
	for _, w := range k.workers {
		w.mu.Lock()
		n += len(w.credentials)
		w.mu.Unlock()
	}
	return n
}

// checkTrail walks the chain of audit events and its signed heads: no kill left a gap.
func (k *killWorld) checkTrail() {
	k.t.Helper()
	keys := k.keys("audit")
	n, err := audit.Verify(context.Background(), sqlstore.AuditChain{DB: k.db}, func(jws string) ([]byte, error) {
		v, err := jose.Verify(jws, jose.Policy{Typ: []string{"audit-head+jwt"}, Algs: []jose.Alg{jose.ES256}}, keys...)
		if err != nil {
			return nil, err
		}
		return v.Payload(), nil
	})
	if err != nil || n == 0 {
		k.t.Errorf("the audit trail: %d events hold: %v", n, err)
	}
}

// revocation takes a licence of somebody else, has it revoked right after a kill, and waits for the status list.
func (k *killWorld) revocation() {
	k.t.Helper()
	ctx := context.Background()
	w := &worker{department: k.workers[0].department, origin: k.workers[0].origin, wallet: wallet.New(wallet.Options{}), person: "he-jiaming"}
	for len(w.credentials) == 0 {
		if err := w.step(ctx); err != nil {
			k.t.Fatal(err)
		}
	}
	licence := w.licence
	k.app.Kill()
	k.app.Restart()
	if r := apptest.Run(k.t, "licence", "status", licence, "revoke", "--reason", "fault test", "--as", k.app.Ready.Departments[0].KeyFile, "--url", k.app.Ready.Issuer); r.Code != 0 {
		k.t.Fatalf("revoking: %s%s", r.Stdout, r.Stderr)
	}
	begin := time.Now()
	for {
		now := time.Now()
		contents, err := bundle.Verify(k.root, k.fetch(k.app.Ready.BundleURL), now)
		if err != nil {
			k.t.Fatal(err)
		}
		v := verify.Verify(w.credentials[0].text, contents, verify.Challenge{HolderAny: true}, now, verify.Policy{})
		if v.Outcome() == verify.Invalid {
			k.t.Logf("a revocation right after a kill was in the bundle after %s", time.Since(begin).Round(100*time.Millisecond))
			break
		}
		if time.Since(begin) > 2*revocationSeen {
			k.t.Fatalf("a revocation right after a kill is not in the bundle after %s: %s", time.Since(begin), v.JSON())
		}
		time.Sleep(200 * time.Millisecond)
	}
	if took := time.Since(begin); took > revocationSeen {
		k.t.Errorf("a revocation right after a kill was in the bundle after %s, want at most %s", took, revocationSeen)
	}
}

func (k *killWorld) fetch(url string) []byte {
	k.t.Helper()
	page := apptest.NewBrowser(k.t).Get(url)
	if page.Status != 200 {
		k.t.Fatalf("%s: %d", url, page.Status)
	}
	return page.Body
}
