package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/hufu-id/hufu/conformance/bench/bulk"
	"github.com/hufu-id/hufu/conformance/bench/cost"
	"github.com/hufu-id/hufu/conformance/bench/issuing"
	"github.com/hufu-id/hufu/conformance/bench/process"
	"github.com/hufu-id/hufu/conformance/bench/report"
	"github.com/hufu-id/hufu/internal/sample"
)

// The clients of the OpenID Provider's hot paths, beside those of the other operations.
const (
	refreshID = "bench-refresh"
	opaqueID  = "bench-opaque"
	apiID     = "bench-api"
	api       = "https://api.hufu.test"
)

// openFloor builds and starts the floor on the same database. size is that of the discovery document.
func (b *bench) openFloor(ctx context.Context, size int) error {
	file := b.file("floor")
	err := process.Build(ctx, file, "conformance/bench/floor")
	if err == nil {
		b.floor, b.floorOrigin, err = process.Start(ctx, file, b.dsn, b.secret, strconv.Itoa(size))
	}
	return err
}

// onFloor measures an operation of the floor: server and database together.
func (b *bench) onFloor(ctx context.Context, method, path string, form url.Values, n, c int) (float64, error) {
	origin, pid := b.origin, b.measured
	b.origin, b.measured = b.floorOrigin, b.floor.Process.Pid
	defer func() { b.origin, b.measured = origin, pid }()
	op := func(ctx context.Context, _ int) error {
		return b.call(ctx, method, path, formType, form.Encode(), b.basic(apiID), nil)
	}
	if _, err := b.load(ctx, report.Row{Name: "floor " + path + ", warming up"}, max(c, n/10), c, op); err != nil {
		return 0, err
	}
	row, err := b.load(ctx, report.Row{Name: "floor " + path}, n, c, op)
	return row.ServerUS + row.DatabaseUS, err
}

// floors are the costs of what the floor does.
type floors struct{ token, introspect, refresh, static float64 }

func (b *bench) floors(ctx context.Context, n, c int) (f floors, err error) {
	document, err := b.fetch(ctx, "/.well-known/openid-configuration")
	if err == nil {
		err = b.openFloor(ctx, len(document))
	}
	for _, m := range []struct {
		method, path, parameter string
		n                       int
		to                      *float64
	}{{http.MethodPost, "/token", "scope", 2 * n, &f.token}, {http.MethodPost, "/introspect", "token", 2 * n, &f.introspect},
		{http.MethodPost, "/refresh", "refresh_token", n, &f.refresh}, {http.MethodGet, "/discovery", "", 5 * n, &f.static}} {
		if err == nil {
			*m.to, err = b.onFloor(ctx, m.method, m.path, url.Values{m.parameter: {"x"}}, m.n, c)
		}
	}
	return f, err
}

// provider measures the hot paths of the OpenID Provider, each beside the floor in the same run.
func (b *bench) provider(ctx context.Context, n, c int) ([]report.Row, error) {
	floor, err := b.floors(ctx, n, c)
	if err != nil {
		return nil, err
	}
	refresh, err := b.refreshing(ctx, c)
	if err != nil {
		return nil, err
	}
	opaque, err := b.introspection(ctx, opaqueID, 2*n+max(c, n/5))
	if err != nil {
		return nil, err
	}
	fresh, err := b.introspection(ctx, machineID, n+max(c, n/10))
	if err != nil {
		return nil, err
	}
	known, err := b.introspection(ctx, machineID, c)
	if err != nil {
		return nil, err
	}
	get := func(path string) func(context.Context, int) error {
		return func(ctx context.Context, _ int) error { return b.call(ctx, http.MethodGet, path, "", "", nil, nil) }
	}
	// The floor of a flow is made up of an insert, a redemption with two signatures and a read; its third signature stands for userinfo's check.
	flow := floor.token + floor.refresh + floor.introspect
	var rows []report.Row
	for _, m := range []struct {
		row report.Row
		n   int
		op  func(context.Context, int) error
	}{
		{report.Row{Name: "flow, person logged in", Signs: 2, Verifies: 1, GoalUS: 2000, FloorUS: flow}, n, b.singleSignOn()},
		{report.Row{Name: "flow with login at the province", Signs: 3, Verifies: 2, GoalUS: 2000, FloorUS: flow}, n, b.login},
		{report.Row{Name: "client_credentials, JWT", Signs: 1, GoalUS: 140, FloorUS: floor.token}, 2 * n, b.clientCredentials},
		{report.Row{Name: "introspect, opaque", GoalUS: 175, FloorUS: floor.introspect}, 2 * n, opaque},
		{report.Row{Name: "introspect, JWT not seen before", Verifies: 1, GoalUS: 175, FloorUS: floor.introspect}, n, fresh},
		{report.Row{Name: "introspect, JWT seen before", GoalUS: 175, FloorUS: floor.introspect}, 2 * n, known},
		{report.Row{Name: "refresh, rotation and ID token", Signs: 2, GoalUS: 700, FloorUS: floor.refresh}, n, refresh},
		{report.Row{Name: "discovery", GoalUS: 40, FloorUS: floor.static}, 5 * n, get("/.well-known/openid-configuration")},
		{report.Row{Name: "JWKS", GoalUS: 40, FloorUS: floor.static}, 5 * n, get("/jwks")},
	} {
		if _, err := b.load(ctx, report.Row{Name: m.row.Name + ", warming up"}, max(c, m.n/10), c, m.op); err != nil {
			return nil, err
		}
		row, err := b.load(ctx, m.row, m.n, c, m.op)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// refreshing logs c people in and refreshes their tokens, each time with the refresh token of the time before.
func (b *bench) refreshing(ctx context.Context, c int) (func(context.Context, int) error, error) {
	free := make(chan string, c)
	for i := range c {
		w, verifier := b.browsers[i%len(b.browsers)], strings.Repeat("v", 43)
		code, err := w.code(ctx, refreshID, "openid profile", verifier)
		if err != nil {
			return nil, err
		}
		t, err := b.tokens(ctx, refreshID, b.secret, redemption(code, verifier))
		if err != nil {
			return nil, err
		}
		free <- t.Refresh
	}
	return func(ctx context.Context, _ int) error {
		t, err := b.tokens(ctx, refreshID, b.secret, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {<-free}})
		free <- t.Refresh
		if err == nil && (t.Refresh == "" || t.ID == "") {
			err = errors.New("no refresh token or no ID token")
		}
		return err
	}, nil
}

// introspection makes tokens of a client for an API, which asks about one after the other.
func (b *bench) introspection(ctx context.Context, clientID string, n int) (func(context.Context, int) error, error) {
	say("preparing %d tokens", n)
	tokens := make(chan string, n)
	for range n {
		t, err := b.token(ctx, clientID, b.secret, machineRequest)
		if err != nil {
			return nil, err
		}
		tokens <- t
	}
	return func(ctx context.Context, _ int) error {
		token := <-tokens
		defer func() { tokens <- token }()
		var answer struct {
			Active bool `json:"active"`
		}
		err := b.call(ctx, http.MethodPost, "/introspect", formType, url.Values{"token": {token}}.Encode(), b.basic(apiID), &answer)
		if err == nil && !answer.Active {
			err = errors.New("the token is not active")
		}
		return err
	}, nil
}

// formType is the media type of a form.
const formType = "application/x-www-form-urlencoded"

// machineRequest asks for a token without a person.
var machineRequest = url.Values{"grant_type": {"client_credentials"}, "scope": {"register"}}

func (b *bench) clientCredentials(ctx context.Context, _ int) error {
	_, err := b.token(ctx, machineID, b.secret, machineRequest)
	return err
}

// runOnly is run for the hot paths of the OpenID Provider alone, or for credentials.
func runOnly(ctx context.Context, only string, n, c int, found *report.Report, b *bench) error {
	if _, err := b.serve(ctx); err != nil {
		return err
	}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	raw, err := cost.Signature()
	if err != nil {
		return err
	}
	found.SignUS, found.VerifyUS = raw.Sign, raw.Verify
	if only == "issuing" {
		found.Rows, err = issuing.Run(ctx, b.issuing(), n, c)
	} else {
		found.Rows, err = b.provider(ctx, n, c)
	}
	if err != nil {
		return err
	}
	found.LoadedRSSMiB, err = cost.RSS(b.server.Process.Pid)
	return err
}

// issuing is this run as package issuing sees it.
func (b *bench) issuing() issuing.Env {
	return issuing.Env{Origin: b.origin, Path: "/i/" + sample.TrafficPoliceCode, Type: licenceType, Client: walletID, Call: b.call, Load: b.load, Say: say,
		Code: func(ctx context.Context, i int, verifier string) (string, error) {
			return b.browsers[i%len(b.browsers)].code(ctx, walletID, licenceType, verifier)
		},
		Redeem: func(ctx context.Context, code, verifier string, edit func(*http.Request)) (string, error) {
			form := redemption(code, verifier)
			form.Set("client_id", walletID)
			var t tokens
			err := b.call(ctx, http.MethodPost, "/token", formType, form.Encode(), edit, &t)
			return t.Access, err
		}}
}

// runBulk is run for a job of many licences.
func runBulk(ctx context.Context, n, kills int, asJSON bool) error {
	b, err := newBench(ctx)
	if err != nil {
		return err
	}
	defer b.close()
	if _, err := b.serve(ctx); err != nil {
		return err
	}
	r, err := bulk.Run(ctx, bulk.Env{Dir: b.dir, DB: b.db, Hufu: b.hufu, Department: b.file("department.json"), Origin: b.origin, Say: say,
		Database: func() (float64, error) { return cost.OfTree(b.postmaster) },
		Kill:     func() error { return process.Kill(b.server) },
		Start: func(ctx context.Context) (int, error) {
			err := b.start(ctx)
			return b.server.Process.Pid, err
		}}, b.server.Process.Pid, n, kills)
	if err != nil {
		return err
	}
	if asJSON {
		return json.NewEncoder(os.Stdout).Encode(r)
	}
	r.Print()
	return nil
}
