package eseal_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/esealstore"
	"github.com/hufu-id/hufu/internal/sqlstore/keystore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/keys"
	"github.com/hufu-id/hufu/signing/eseal"
	"github.com/hufu-id/hufu/signing/sealvc"
)

const (
	origin = "https://id.example"
	maker  = "91990000MA9TRY042P"
	police = "1199440000TRY002X9"
	market = "1199440000TRY0011H"
)

var (
	start            = time.Date(2026, 11, 23, 10, 0, 0, 300_000_000, time.UTC)
	maker1, maker2   = eseal.Person{Organisation: maker, ClientID: "maker-1"}, eseal.Person{Organisation: maker, ClientID: "maker-2"}
	police1, police2 = eseal.Person{Organisation: police, ClientID: "police-1"}, eseal.Person{Organisation: police, ClientID: "police-2"}
	market1          = eseal.Person{Organisation: market, ClientID: "market-1"}
	errFault         = errors.New("the disk is gone")
)

// clock is moved by hand.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.at }
func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// lender lends the keys of a real key service; it can be told to fail.
type lender struct {
	keys    *keys.Service
	noMaker bool
}

func lend(s keys.Signer, err error) (eseal.Signer, error) {
	return eseal.Signer{Key: s.Key(), Chain: s.Chain()}, err
}

func (l *lender) EnsureSeal(ctx context.Context, id string, owner sealvc.Owner, life time.Duration) (eseal.Signer, error) {
	return lend(l.keys.EnsureSingle(ctx, keys.ClassSeal, id, keys.SingleSpec{Life: life,
		Certificate: &keys.CertificateSpec{Kind: keys.KindSealSigner, Organization: owner.Name, OrganizationIdentifier: owner.Code}}))
}

func (l *lender) Seal(ctx context.Context, id string) (eseal.Signer, error) {
	return lend(l.keys.SignerOf(ctx, keys.ClassSeal, id))
}

func (l *lender) DestroySeal(ctx context.Context, id string) error {
	return l.keys.DestroySingle(ctx, keys.ClassSeal, id)
}

func (l *lender) Maker(ctx context.Context, code string) (eseal.Signer, error) {
	if l.noMaker {
		return eseal.Signer{}, errFault
	}
	return lend(l.keys.Signer(ctx, keys.SealMaker(code)))
}

func (l *lender) MakerJWKS(ctx context.Context, code string) ([]jose.JWK, error) {
	return l.keys.JWKS(ctx, keys.SealMaker(code))
}

type world struct {
	t     *testing.T
	db    *sqlstore.DB
	clock *clock
	keys  *lender
	cfg   eseal.Config
	*eseal.Service
}

func each(t *testing.T, run func(t *testing.T, w *world)) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) { run(t, open(t, db)) })
}

func open(t *testing.T, db *sqlstore.DB) *world {
	t.Helper()
	w := &world{t: t, db: db, clock: &clock{at: start}}
	kek, _ := keys.NewKEK()
	ks, err := keys.Open(t.Context(), keys.Config{Store: keystore.New(db), KEK: kek, Now: w.clock.now})
	if err != nil {
		t.Fatal(err)
	}
	if err := ks.Ensure(t.Context(), keys.SealMaker(maker), keys.Spec{Certificate: &keys.CertificateSpec{Kind: keys.KindSealMaker, Organization: "沙箱印章制作中心",
		OrganizationIdentifier: maker, URI: eseal.Identifier(origin, maker)}}); err != nil {
		t.Fatal(err)
	}
	w.keys = &lender{keys: ks}
	w.cfg = eseal.Config{Origin: origin, Store: esealstore.New(db), Tx: db.InTx, Audit: db.Audit, Keys: w.keys,
		Makers: []eseal.Maker{{Code: maker, NameZH: "沙箱印章制作中心", NameEN: "Sandbox Seal Makers"}}, Now: w.clock.now}
	w.Service = w.service(nil)
	return w
}

// service is another node on the same database; change alters its configuration.
func (w *world) service(change func(*eseal.Config)) *eseal.Service {
	w.t.Helper()
	cfg := w.cfg
	if change != nil {
		change(&cfg)
	}
	s, err := eseal.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func issue() *eseal.Issue {
	return &eseal.Issue{Owner: eseal.OwnerView{Code: police, Name: "沙箱省公安厅交通管理局"}, Kind: "99", Name: "行政审批专用章",
		DocumentKinds: []string{"approval"}, ValidTo: "2028-11-22"}
}

func (w *world) propose(p eseal.Person, ask eseal.Proposal) eseal.Request {
	w.t.Helper()
	r, err := w.Propose(context.Background(), p, ask)
	if err != nil {
		w.t.Fatalf("proposing %s: %v", ask.Operation, err)
	}
	return r
}

func (w *world) approve(p eseal.Person, id string) eseal.Seal {
	w.t.Helper()
	_, x, err := w.Approve(context.Background(), p, id)
	if err != nil {
		w.t.Fatalf("approving: %v", err)
	}
	return x
}

// issued makes a seal of the traffic police; change alters what is proposed.
func (w *world) issued(change func(*eseal.Issue)) eseal.Seal {
	w.t.Helper()
	i := issue()
	if change != nil {
		change(i)
	}
	return w.approve(maker2, w.propose(maker1, eseal.Proposal{Operation: "issue", Issue: i}).ID)
}

// change does a change by the two people of the police.
func (w *world) change(id, op string) eseal.Seal {
	w.t.Helper()
	return w.approve(police2, w.propose(police1, eseal.Proposal{Operation: op, Seal: id, Reason: "测试"}).ID)
}

func ask(n int) eseal.SignRequest {
	sum := sha256.Sum256(fmt.Append(nil, n))
	return eseal.SignRequest{RequestID: fmt.Sprintf("request-%012d", n), SHA256: hex.EncodeToString(sum[:])}
}

func (w *world) count(query string, args ...any) (n int) {
	w.t.Helper()
	if err := w.db.QueryRow(context.Background(), query, args...).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

func (w *world) audits(kind string) int {
	return w.count(`SELECT COUNT(*) FROM audit_events WHERE kind = $1`, kind)
}

func broken(context.Context, audit.Event) error { return errFault }
