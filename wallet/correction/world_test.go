package correction_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/correctionstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/wallet/correction"
	"github.com/hufu-id/hufu/web"
)

const (
	police = "1199440000TRY002X9"
	market = "1199440000TRY0011H"
	own    = "1.2.156.3005.2.LI.001.H"
	wangs  = "1.2.156.3005.2.WANG.001.H"
)

var (
	formKey   = []byte(strings.Repeat("f", 32))
	policeDep = correction.Department{Code: police, ClientID: "police-register"}
	marketDep = correction.Department{Code: market, ClientID: "market-register"}
	now       = time.Date(2026, 11, 26, 4, 0, 0, 0, time.UTC)
)

// citizens: who is logged in is said by a header.
type citizens struct{}

func (citizens) Current(r *http.Request) (correction.Citizen, bool) {
	id := r.Header.Get("X-Person")
	return correction.Citizen{PersonID: id, SessionID: "s-" + id}, id != ""
}

func (citizens) Login(w http.ResponseWriter, r *http.Request, returnTo string) {
	http.Redirect(w, r, "/login?to="+url.QueryEscape(returnTo), http.StatusSeeOther)
}

func licence(id string) correction.Licence {
	return correction.Licence{ID: id, Authority: police, Name: web.Text{ZH: "机动车驾驶证", EN: "Driving licence"}, Issuer: web.Text{ZH: "交管局", EN: "Traffic police"},
		Entries: []correction.Entry{{Name: "address", Label: web.Text{ZH: "住址", EN: "Address"}},
			{Name: "birth_date", Label: web.Text{ZH: "出生日期", EN: "Date of birth"}, Value: web.ISODate("1958-03-12")}}}
}

// register is the citizens' licences; a fault of it is a fault of ours.
type register struct{ err error }

func (r *register) Of(_ context.Context, person string) ([]correction.Licence, error) {
	switch person {
	case "li":
		return []correction.Licence{licence(own)}, r.err
	case "wang":
		return []correction.Licence{licence(wangs)}, r.err
	}
	return nil, r.err
}

type tokens map[string]correction.Department

func (t tokens) Authenticate(_ context.Context, bearer string) (correction.Department, error) {
	switch bearer {
	case "weak":
		return correction.Department{}, correction.ErrInsufficientScope
	case "broken":
		return correction.Department{}, errors.New("host=10.0.0.1")
	}
	d, ok := t[bearer]
	if !ok {
		return d, correction.ErrUnauthenticated
	}
	return d, nil
}

// site is the service on a database, with a server around it.
type site struct {
	t    testing.TB
	db   *sqlstore.DB
	s    *correction.Service
	srv  *httptest.Server
	reg  *register
	noDB atomic.Bool // the audit trail can't be written
	tick atomic.Int64
}

func newSite(t testing.TB, db *sqlstore.DB) *site {
	t.Helper()
	pages, err := web.New(web.Config{Sandbox: true})
	if err != nil {
		t.Fatal(err)
	}
	w := &site{t: t, db: db, reg: &register{}}
	r := mux.NewRouter().SkipClean(true).UseEncodedPath()
	w.srv = httptest.NewServer(httpx.Wrap(pages.Preferences(r), httpx.Options{}))
	t.Cleanup(w.srv.Close)
	w.s, err = correction.New(correction.Config{Store: correctionstore.New(db), Tx: db.InTx, Audit: w.audit,
		Sealer: httpx.NewSealer([]byte(strings.Repeat("s", 32))), IndexKey: []byte(strings.Repeat("i", 32)),
		Departments: tokens{"police": policeDep, "market": marketDep, "nobody": {ClientID: "x"}}, Origin: w.srv.URL, FormKey: formKey, Pages: pages,
		Citizens: citizens{}, Licences: w.reg, Now: func() time.Time { return now.Add(time.Duration(w.tick.Add(1)) * time.Millisecond) }})
	if err != nil {
		t.Fatal(err)
	}
	w.s.Routes(r)
	return w
}

func (w *site) audit(ctx context.Context, ev audit.Event) error {
	if w.noDB.Load() {
		return errors.New("the disk is gone")
	}
	return w.db.Audit(ctx, ev)
}

func each(t *testing.T, run func(t *testing.T, w *site)) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) { run(t, newSite(t, db)) })
}

func (w *site) report(field, text string) string {
	w.t.Helper()
	id, err := w.s.Report(context.Background(), "li", licence(own), field, text)
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

func (w *site) count(query string, args ...any) (n int) {
	w.t.Helper()
	if err := w.db.QueryRow(context.Background(), query, args...).Scan(&n); err != nil {
		w.t.Fatal(err)
	}
	return n
}

func (w *site) audits(kind string) int {
	w.t.Helper()
	return w.count(`SELECT COUNT(*) FROM audit_events WHERE kind = $1`, kind)
}

// do sends a request and doesn't follow redirects.
func (w *site) do(method, path, body string, header ...string) (int, string, http.Header) {
	w.t.Helper()
	req, err := http.NewRequest(method, w.srv.URL+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.Header
}

// send posts the form as a person.
func (w *site) send(person, licenceID string, form url.Values, header ...string) (int, string, http.Header) {
	w.t.Helper()
	return w.do("POST", "/wallet/licences/"+licenceID+"/report", form.Encode(),
		append(header, "X-Person", person, "Content-Type", "application/x-www-form-urlencoded")...)
}

func form(person, field, text string) url.Values {
	return url.Values{"csrf": {httpx.FormToken(formKey, "s-"+person)}, "field": {field}, "text": {text}}
}

// api calls the department API with a token.
func (w *site) api(token, method, path, body string) (int, string) {
	w.t.Helper()
	status, answer, _ := w.do(method, path, body, "Authorization", "Bearer "+token)
	return status, answer
}
