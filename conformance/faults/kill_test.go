//go:build conformance

package faults_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/apptest"
	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sample/wallet"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/signing/bundle"
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

// TestKillDuringIssuing kills the server again and again while wallets take licences, and starts it again on the same data. Whatever a wallet was
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
	return k
}

// round lets the wallets work, kills the server at some moment, starts it again and looks at everything.
func (k *killWorld) round(round int) {
	k.t.Helper()
	stop := k.work()
	time.Sleep(time.Duration(20+rand.IntN(300)) * time.Millisecond)
	k.app.Kill()
	stop()
	k.check()
	k.app.Restart()
	k.checkBundle(round)
}

// work starts the workers; the returned function stops them and waits.
func (k *killWorld) work() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for _, w := range k.workers {
		all.Add(1)
		go func() {
			defer all.Done()
			for ctx.Err() == nil {
				if err := w.step(ctx); err != nil {
					return // the server is gone; the same step comes again in the next round
				}
			}
		}()
	}
	return func() {
		cancel()
		all.Wait()
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
	for _, w := range k.workers {
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

func (k *killWorld) column(query string) map[string]bool {
	k.t.Helper()
	rows, err := k.db.Query(context.Background(), query)
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
	}
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

// checkTrail walks the chain of audit events. That the heads are signed by us is the business of others; here it matters that no kill left a gap.
func (k *killWorld) checkTrail() {
	k.t.Helper()
	n, err := audit.Verify(context.Background(), sqlstore.AuditChain{DB: k.db}, func(jws string) ([]byte, error) {
		u, err := jose.ParseUnverified(jws, jose.Policy{Typ: []string{"audit-head+jwt"}, Algs: []jose.Alg{jose.ES256}})
		return u.Payload, err
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

var errRefused = errors.New("refused")

// taken is a credential and the hash of the pre-authorized code that it was taken with.
type taken struct{ text, code string }

// worker takes one licence after the other. What it was told stays; a step that the kill interrupted is tried again after the restart.
type worker struct {
	department keyFile
	origin     string
	person     string
	wallet     *wallet.Wallet

	bearer      string // of the department
	offer       *wallet.Offer
	txCode      string
	licence     string
	redeeming   bool // a redemption was sent and its answer never came
	token       *wallet.Token
	mu          sync.Mutex // guards credentials for who counts
	offers      []string   // hashes of codes of acknowledged offers
	redeemed    []string   // the same of acknowledged redemptions
	credentials []taken
	interrupted [3]int
	refused     error
}

// step does what comes next: department token, offer, redemption, credential. It returns an error when the server did not answer, and
// keeps one that a living server must not answer.
func (w *worker) step(ctx context.Context) error {
	var err error
	stage := 0
	switch {
	case w.bearer == "":
		w.bearer, err = w.department.token(w.origin)
	case w.offer == nil:
		err = w.newOffer()
	case w.token == nil:
		stage, err = 1, w.redeem(ctx)
	default:
		stage, err = 2, w.take(ctx)
	}
	if err == nil {
		return nil
	}
	var answered *wallet.ErrorResponse
	if errors.As(err, &answered) || errors.Is(err, errRefused) || errors.Is(err, wallet.ErrIssuer) {
		w.refused = err
	} else {
		w.interrupted[stage]++
	}
	return err
}

func (w *worker) newOffer() error {
	person := w.person
	if person == "" {
		person = "li-xiuying"
	}
	made, err := w.department.offer(w.origin, w.bearer, person)
	if errors.Is(err, errExpired) {
		w.bearer = ""
		return nil
	}
	if err != nil {
		return err
	}
	// By value: the wallet reads it without asking.
	o, err := w.wallet.ReadOffer(context.Background(), made.Value)
	if err != nil || o.Grants.PreAuthorized == nil {
		return fmt.Errorf("%w: offer %q: %v", errRefused, made.Value, err)
	}
	w.offer, w.txCode, w.licence, w.redeeming = &o, made.TxCode, made.Licence, false
	w.offers = append(w.offers, digest(o.Grants.PreAuthorized.Code))
	return nil
}

func (w *worker) redeem(ctx context.Context) error {
	i, err := w.wallet.Discover(ctx, w.offer.Issuer)
	if err != nil {
		return err
	}
	again := w.redeeming
	w.redeeming = true
	t, err := w.wallet.Redeem(ctx, i, *w.offer, w.txCode)
	var answered *wallet.ErrorResponse
	if again && errors.As(err, &answered) && answered.Code == "invalid_grant" {
		// It was redeemed, and the kill kept the answer from us: the person asks for another offer.
		w.offer = nil
		return nil
	}
	if err != nil {
		return err
	}
	w.token = &t
	w.redeemed = append(w.redeemed, digest(w.offer.Grants.PreAuthorized.Code))
	return nil
}

func (w *worker) take(ctx context.Context) error {
	i, err := w.wallet.Discover(ctx, w.offer.Issuer)
	if err != nil {
		return err
	}
	c, err := w.wallet.Request(ctx, i, w.offer.ConfigurationIDs[0], *w.token)
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.credentials = append(w.credentials, taken{c.Text, digest(w.offer.Grants.PreAuthorized.Code)})
	w.mu.Unlock()
	w.offer, w.token = nil, nil
	return nil
}
