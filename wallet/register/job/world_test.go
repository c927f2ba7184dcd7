package job_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/jobstore"
	"github.com/hufu-id/hufu/internal/sqlstore/registerstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/wallet/register"
	"github.com/hufu-id/hufu/wallet/register/internal/described"
	"github.com/hufu-id/hufu/wallet/register/job"
)

const (
	police = "1199440000TRY002X9"
	market = "1199440000TRY0011H"
)

var (
	policeDep = register.Department{Code: police, ClientID: "police-register"}
	marketDep = register.Department{Code: market, ClientID: "market-register"}
	sealer    = httpx.NewSealer([]byte(strings.Repeat("s", 32)))
)

type tokens map[string]register.Department

func (t tokens) Authenticate(_ context.Context, bearer string) (register.Department, error) {
	d, ok := t[bearer]
	if !ok {
		return d, register.ErrUnauthenticated
	}
	return d, nil
}

type noLists struct{}

func (noLists) SetForLicence(context.Context, string, uint8) error { return nil }

// world is a database and what nodes on it share.
type world struct {
	t   *testing.T
	db  *sqlstore.DB
	reg *register.Service
	key jose.SigningKey
	// ahead is how far a node's clock is before ours: leases needn't be waited for.
	ahead time.Duration
}

func each(t *testing.T, run func(t *testing.T, w *world)) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		reg, err := register.New(register.Config{Store: registerstore.New(db), Tx: db.InTx, Audit: db.Audit, Status: noLists{},
			MayIssue: func(_ context.Context, code, typeID string) (bool, error) {
				return code == police && typeID == "vehicle-licence" || code == market && typeID == "food-permit", nil
			}, Sealer: sealer, IndexKey: []byte(strings.Repeat("i", 32)), TypeBase: "https://id.example"})
		if err != nil {
			t.Fatal(err)
		}
		key, err := jose.GenerateKey(jose.ES256)
		if err != nil {
			t.Fatal(err)
		}
		run(t, &world{t: t, db: db, reg: reg, key: key})
	})
}

// node is one more node on the database. change may alter its configuration.
func (w *world) node(change ...func(c *job.Config)) *job.Service {
	w.t.Helper()
	ahead := w.ahead
	cfg := job.Config{Store: jobstore.New(w.db), Register: w.reg, Departments: tokens{"police": policeDep, "market": marketDep, "nobody": {ClientID: "x"}}, Tx: w.db.InTx, Audit: w.db.Audit,
		Sealer: sealer, Origin: "https://id.example",
		Sign: func(_ context.Context, typ string, payload any) (string, error) {
			return jose.SignJSON(w.key, jose.Header{Typ: typ}, payload)
		},
		Keys: func(context.Context) ([]jose.JWK, error) {
			pub, err := w.key.Public()
			return []jose.JWK{pub}, err
		},
		Now: func() time.Time { return time.Now().Add(ahead) }}
	for _, f := range change {
		f(&cfg)
	}
	s, err := job.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// vehicle is a record without a picture, as JSON.
func vehicle(i int) []byte {
	raw, err := json.Marshal(map[string]any{"type": "vehicle-licence", "record_number": fmt.Sprintf("V-%07d", i), "valid_from": "2024-03-01",
		"holder": map[string]any{"name": "李秀英", "code": "99440119490312002X", "code_type": "111", "reference": fmt.Sprintf("r-%07d", i)},
		"fields": map[string]any{"plate": fmt.Sprintf("沙A%06d", i%1000000), "vehicle_type": "小型轿车", "use": "private", "brand_model": "样本牌 SB1000", "vin": fmt.Sprintf("LSAMPLE%010d", i),
			"register_date": "2024-03-01", "inspection_valid_to": "2030-03-31", "issuing_authority": "沙箱省公安厅交通管理局"}})
	if err != nil {
		panic(err)
	}
	return raw
}

func file(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		b.Write(vehicle(i))
		b.WriteByte('\n')
	}
	return b.Bytes()
}

func (w *world) create(s *job.Service, u job.Upload) job.Job {
	w.t.Helper()
	j, _, err := s.Create(context.Background(), policeDep, u)
	if err != nil {
		w.t.Fatal(err)
	}
	return j
}

func (w *world) job(id string) job.Job {
	w.t.Helper()
	j, err := jobstore.New(w.db).Get(context.Background(), police, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return j
}

func (w *world) count(query string) (n int) {
	w.t.Helper()
	if err := w.db.QueryRow(context.Background(), query).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

// server serves the API of a node.
func (w *world) server(s *job.Service) string {
	w.t.Helper()
	r := mux.NewRouter().SkipClean(true).UseEncodedPath()
	s.Routes(r)
	server := httptest.NewServer(httpx.Wrap(r, httpx.Options{MaxBody: func(r *http.Request) int64 {
		if r.Method == http.MethodPost && r.URL.Path == job.Path {
			return job.MaxFile
		}
		return 0
	}}))
	w.t.Cleanup(server.Close)
	return server.URL
}

type answer struct {
	code   int
	header http.Header
	body   string
}

func call(t *testing.T, method, url, token string, header map[string]string, body io.Reader) answer {
	t.Helper()
	req, err := http.NewRequest(method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := described.Check(method, url, resp.StatusCode, resp.Header, b); err != nil {
		t.Error(err)
	}
	return answer{resp.StatusCode, resp.Header, string(b)}
}
