package register_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/sample/portrait"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/registerstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/wallet/register"
	"github.com/hufu-id/hufu/wallet/register/registerapi"
)

const (
	police = "1199440000TRY002X9"
	market = "1199440000TRY0011H"
)

var (
	now       = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	policeDep = register.Department{Code: police, ClientID: "police-register"}
	marketDep = register.Department{Code: market, ClientID: "market-register"}
)

// lists remembers in the database's transaction's outcome only what was committed: it is a Store of one value per licence.
type lists struct{ db *sqlstore.DB }

func (l lists) SetForLicence(ctx context.Context, id string, value uint8) error {
	_, err := l.db.Exec(ctx, `INSERT INTO status_licences (licence_id, value, locks) VALUES ($1, $2, 0)
		ON CONFLICT (licence_id) DO UPDATE SET value = excluded.value`, id, int64(value))
	return err
}

type tokens map[string]register.Department

func (t tokens) Authenticate(_ context.Context, bearer string) (register.Department, error) {
	if bearer == "weak" {
		return register.Department{}, register.ErrInsufficientScope
	}
	d, ok := t[bearer]
	if !ok {
		return d, register.ErrUnauthenticated
	}
	return d, nil
}

func config(db *sqlstore.DB) register.Config {
	return register.Config{Store: registerstore.New(db), Tx: db.InTx, Audit: db.Audit, Status: lists{db},
		MayIssue: func(_ context.Context, code, typeID string) (bool, error) {
			return (code == police || code == otherPolice.Code) && typeID == "driving-licence", nil
		},
		Sealer: httpx.NewSealer([]byte(strings.Repeat("s", 32))), IndexKey: []byte(strings.Repeat("i", 32)),
		TypeBase: "https://id.example", Now: func() time.Time { return now }}
}

func open(t *testing.T, db *sqlstore.DB) *register.Service {
	t.Helper()
	s, err := register.New(config(db))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func each(t *testing.T, run func(t *testing.T, db *sqlstore.DB, s *register.Service)) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) { run(t, db, open(t, db)) })
}

// face is drawn once: it takes a while.
var face = portrait.Text("li", true, true)

func record(number string) register.ImportRecord {
	return register.ImportRecord{Type: "driving-licence", RecordNumber: number,
		Holder: register.Holder{Name: "李秀英", Code: "99440119490312002X", CodeType: "111", Reference: "li-xiuying"},
		Fields: map[string]any{"licence_number": "99440119490312002X", "sex": "female", "birth_date": "1949-03-12", "nationality": "中国",
			"first_issue_date": "1985-06-01", "vehicle_classes": []any{"C1"}, "file_number": "994400000001", "issuing_authority": "沙箱省公安厅交通管理局",
			"issuing_authority_latin": "Sandbox Traffic Police", "family_name": "Li", "given_name": "Xiuying", "portrait": face},
		ValidFrom: "2023-06-01", ValidTo: "2033-06-01"}
}

func imported(t *testing.T, s *register.Service, number string) string {
	t.Helper()
	report, err := s.Import(context.Background(), policeDep, []register.ImportRecord{record(number)})
	if err != nil || len(report.Records) != 1 || report.Records[0].LicenceID == "" {
		t.Fatalf("import: %+v, %v", report, err)
	}
	return report.Records[0].LicenceID
}

func value(t *testing.T, db *sqlstore.DB, id string) int {
	t.Helper()
	var v int
	if err := db.QueryRow(context.Background(), `SELECT value FROM status_licences WHERE licence_id = $1`, id).Scan(&v); err != nil {
		t.Fatal(err)
	}
	return v
}

func audits(t *testing.T, db *sqlstore.DB, kind string) (n int) {
	t.Helper()
	if err := db.QueryRow(context.Background(), `SELECT COUNT(*) FROM audit_events WHERE kind = $1`, kind).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func serve(t *testing.T, s *register.Service) *httptest.Server {
	t.Helper()
	r := mux.NewRouter().SkipClean(true).UseEncodedPath()
	api, err := registerapi.New(registerapi.Config{Register: s, Departments: tokens{"police": policeDep, "market": marketDep, "nobody": {ClientID: "x"}}})
	if err != nil {
		t.Fatal(err)
	}
	api.Routes(r)
	server := httptest.NewServer(httpx.Wrap(r, httpx.Options{MaxBody: func(*http.Request) int64 { return register.MaxImport }}))
	t.Cleanup(server.Close)
	return server
}

var errFault = errors.New("the disk is gone")
