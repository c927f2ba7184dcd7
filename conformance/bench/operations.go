package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hufu-id/hufu/conformance/bench/cost"
	"github.com/hufu-id/hufu/conformance/bench/process"
	"github.com/hufu-id/hufu/conformance/bench/report"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sample"
	"github.com/hufu-id/hufu/internal/sample/records"
	"github.com/hufu-id/hufu/internal/sample/wallet"
)

// perGrant is how many credentials one token gives.
const perGrant = 5

// prepare registers a licence for everybody and lets everybody agree once to what the relying party and the wallet get, so that all logins
// that are measured are of returning people.
func (b *bench) prepare(ctx context.Context) error {
	say("preparing %d people", len(b.people))
	b.http = &process.Counter{Origin: b.origin, Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: b.pool}, MaxIdleConnsPerHost: 64, ForceAttemptHTTP2: true}}
	var list []map[string]any
	for i, p := range b.people {
		list = append(list, map[string]any{"type": licenceType, "record_number": fmt.Sprintf("BENCH-%04d", i),
			"holder":     map[string]any{"name": p.Name, "code": p.ResidentID, "code_type": "111", "reference": p.Slug},
			"fields":     records.Driving(p, "C1", "2023-05-21", fmt.Sprintf("99440000%04d", i)),
			"valid_from": "2023-05-21", "valid_to": "2029-05-21"})
	}
	raw, err := json.Marshal(list)
	if err != nil {
		return err
	}
	if err := os.WriteFile(b.file("licences.json"), raw, 0o600); err != nil {
		return err
	}
	if err := b.hufu(ctx, "licence", "import", "--as", b.file("department.json"), "--url", b.origin, b.file("licences.json")); err != nil {
		return err
	}
	for _, p := range b.people {
		w := b.fresh(p)
		for _, c := range [][2]string{{rpID, "openid profile"}, {walletID, licenceType}} {
			if _, err := w.code(ctx, c[0], c[1], rand.Text()+rand.Text()); err != nil {
				return fmt.Errorf("first login of %s at %s: %w", p.Slug, c[0], err)
			}
		}
		b.browsers = append(b.browsers, w)
	}
	return nil
}

// counts is what has been used so far.
type counts struct {
	server, database float64
	writes           int64
	requests         int64
	at               time.Time
}

func (b *bench) count(ctx context.Context) (c counts, err error) {
	if c.server, err = cost.Of(b.measured); err != nil {
		return c, err
	}
	if c.database, err = cost.OfTree(b.postmaster); err != nil {
		return c, err
	}
	// Only a transaction that writes gets a number. This cluster is ours alone.
	err = b.db.QueryRow(ctx, `SELECT CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS TEXT) AS BIGINT)`).Scan(&c.writes)
	if b.http != nil {
		c.requests = b.http.N.Load()
	}
	c.at = time.Now()
	return c, err
}

// idle measures the work that nobody asked for.
func (b *bench) idle(ctx context.Context, found *report.Report) error {
	say("idling")
	time.Sleep(3 * time.Second)
	before, err := b.count(ctx)
	if err != nil {
		return err
	}
	time.Sleep(5 * time.Second)
	after, err := b.count(ctx)
	if err != nil {
		return err
	}
	seconds := after.at.Sub(before.at).Seconds()
	found.IdleServerUS, found.IdleDBUS = (after.server-before.server)/seconds, (after.database-before.database)/seconds
	found.IdleWrites = float64(after.writes-before.writes) / seconds
	found.ServeRSSMiB, err = cost.RSS(b.server.Process.Pid)
	return err
}

// load runs one operation n times from c clients at once. Operation i is told its number.
func (b *bench) load(ctx context.Context, row report.Row, n, c int, op func(ctx context.Context, i int) error) (report.Row, error) {
	say("%s", row.Name)
	before, err := b.count(ctx)
	if err != nil {
		return row, err
	}
	var next, failed atomic.Int64
	var wg sync.WaitGroup
	walls := make([]time.Duration, n)
	errs := make([]error, c)
	for k := range c {
		wg.Go(func() {
			for errs[k] == nil && failed.Load() == 0 {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				begin := time.Now()
				if errs[k] = op(ctx, i); errs[k] != nil {
					failed.Add(1)
				}
				walls[i] = time.Since(begin)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return row, fmt.Errorf("%s: %w", row.Name, err)
	}
	after, err := b.count(ctx)
	if err != nil {
		return row, err
	}
	slices.Sort(walls)
	each := float64(n)
	row.Operations = n
	row.ServerUS, row.DatabaseUS = (after.server-before.server)/each, (after.database-before.database)/each
	row.Requests, row.Writes = float64(after.requests-before.requests)/each, float64(after.writes-before.writes)/each
	row.PerSecond = each / after.at.Sub(before.at).Seconds()
	row.WallMS = float64(walls[n/2].Microseconds()) / 1000
	return row, nil
}

// operations measures what goes over HTTP.
func (b *bench) operations(ctx context.Context, n, c int) ([]report.Row, error) {
	var rows []report.Row
	add := func(row report.Row, n int, op func(ctx context.Context, i int) error) error {
		// A tenth goes before, unmeasured: connections, plans and caches are those of a server that runs.
		if _, err := b.load(ctx, report.Row{Name: row.Name + ", warming up"}, max(c, n/10), c, op); err != nil {
			return err
		}
		row, err := b.load(ctx, row, n, c, op)
		rows = append(rows, row)
		return err
	}
	// Ours towards the province, the province's to us; access and ID token; the access token at userinfo.
	if err := add(report.Row{Name: "login, returning person", Signs: 3, Verifies: 2, GoalUS: 2000}, n, b.login); err != nil {
		return nil, err
	}
	if err := add(report.Row{Name: "login, single sign-on", Signs: 2, Verifies: 1}, n, b.singleSignOn()); err != nil {
		return nil, err
	}
	credential, err := b.credentials(ctx, n+max(c, n/10))
	if err != nil {
		return nil, err
	}
	if err := add(report.Row{Name: "credential request", Signs: 1, Verifies: 2, GoalUS: 650}, n, credential); err != nil {
		return nil, err
	}
	seal, err := b.sealing(ctx)
	if err != nil {
		return nil, err
	}
	if err := add(report.Row{Name: "seal a digest", Signs: 1, Verifies: 1}, n, seal); err != nil { // the seal's; the access token
		return nil, err
	}
	show, err := b.showing(ctx)
	if err != nil {
		return nil, err
	}
	if err := add(report.Row{Name: "show from the wallet, 3 requests", Signs: 1}, n, show); err != nil {
		return nil, err
	}
	if err := add(report.Row{Name: "client_credentials token", Signs: 1, GoalUS: 140}, 2*n, b.clientCredentials); err != nil {
		return nil, err
	}
	err = add(report.Row{Name: "discovery", GoalUS: 40}, 5*n, func(ctx context.Context, _ int) error {
		return b.call(ctx, http.MethodGet, "/.well-known/openid-configuration", "", "", nil, nil)
	})
	return rows, err
}

// login is the whole way of a returning person with a standing consent, in a browser that knows nothing: authorize, chooser, province, callback,
// code, token, userinfo.
func (b *bench) login(ctx context.Context, i int) error {
	return b.visit(ctx, b.fresh(b.people[i%len(b.people)]))
}

func (b *bench) visit(ctx context.Context, w *browser) error {
	verifier := rand.Text() + rand.Text()
	code, err := w.code(ctx, rpID, "openid profile", verifier)
	if err != nil {
		return err
	}
	token, err := w.redeem(ctx, rpID, b.secret, code, verifier)
	if err != nil {
		return err
	}
	var me struct {
		Sub  string `json:"sub"`
		Name string `json:"name"`
	}
	if err := b.call(ctx, http.MethodGet, "/userinfo", "", "", bearer(token), &me); err != nil {
		return err
	}
	if me.Sub == "" || me.Name != w.person.Name {
		return fmt.Errorf("userinfo says %v", me)
	}
	return nil
}

// singleSignOn is a login in a browser that is logged in at the national server.
func (b *bench) singleSignOn() func(context.Context, int) error {
	free := make(chan *browser, len(b.browsers))
	for _, w := range b.browsers {
		free <- w
	}
	return func(ctx context.Context, _ int) error {
		w := <-free
		defer func() { free <- w }()
		return b.visit(ctx, w)
	}
}

// request is one Credential Request that is ready but for its nonce.
type request struct {
	token  string
	key    jose.SigningKey
	answer string
}

// credentials prepares n requests: tokens by authorization code, and keys.
func (b *bench) credentials(ctx context.Context, n int) (func(context.Context, int) error, error) {
	say("preparing %d credential requests", n)
	requests := make([]request, n)
	for i := range requests {
		if i%perGrant != 0 {
			requests[i].token = requests[i-1].token
		} else {
			w, verifier := b.browsers[i/perGrant%len(b.browsers)], rand.Text()+rand.Text()
			code, err := w.code(ctx, walletID, licenceType, verifier)
			if err != nil {
				return nil, err
			}
			if requests[i].token, err = w.redeem(ctx, walletID, "", code, verifier); err != nil {
				return nil, err
			}
		}
		var err error
		if requests[i].key, err = jose.GenerateKey(jose.ES256); err != nil {
			return nil, err
		}
	}
	w := wallet.New(wallet.Options{HTTP: &http.Client{Transport: b.http}, ClientID: walletID})
	issuer, err := w.Discover(ctx, b.origin+"/i/"+sample.TrafficPoliceCode)
	if err != nil {
		return nil, err
	}
	var next atomic.Int64
	return func(ctx context.Context, _ int) error {
		r := &requests[next.Add(1)-1]
		err := b.take(ctx, w, issuer, r)
		if err == nil && next.Load() == int64(n) {
			b.mu.Lock()
			b.credential, b.holder = r.answer, r.key
			b.mu.Unlock()
		}
		return err
	}, nil
}

// take asks for a nonce and then for the credential.
func (b *bench) take(ctx context.Context, w *wallet.Wallet, i wallet.Issuer, r *request) error {
	nonce, err := w.Nonce(ctx, i)
	if err != nil {
		return err
	}
	proof, err := w.Prove(i, r.key, nonce, false)
	if err != nil {
		return err
	}
	body, err := json.Marshal(map[string]any{"credential_configuration_id": licenceType, "proofs": map[string]any{"jwt": []string{proof}}})
	if err != nil {
		return err
	}
	var answer struct {
		Credentials []struct {
			Credential string `json:"credential"`
		} `json:"credentials"`
	}
	if err := b.call(ctx, http.MethodPost, "/i/"+sample.TrafficPoliceCode+"/credential", "application/json", string(body), bearer(r.token), &answer); err != nil {
		return err
	}
	if len(answer.Credentials) != 1 {
		return fmt.Errorf("%d credentials", len(answer.Credentials))
	}
	r.answer = answer.Credentials[0].Credential
	return nil
}
