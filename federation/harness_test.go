package federation_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/federation"
	"github.com/hufu-id/hufu/federation/identity"
	"github.com/hufu-id/hufu/federation/province"
	"github.com/hufu-id/hufu/federation/upstream/oidc"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sample"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/identitystore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/web"
)

// flows is a Flows with one flow, "f1", whose end is a plain page.
type flows struct {
	mu     sync.Mutex
	logins []federation.Login
	acr    string
	fresh  bool
	fail   error
	calls  atomic.Int32
}

func (f *flows) Describe(_ *http.Request, flow string) (federation.FlowInfo, error) {
	if flow != "f1" {
		return federation.FlowInfo{}, federation.ErrNoFlow
	}
	return federation.FlowInfo{ClientName: web.Text{ZH: "沙箱省公安厅交通管理局", EN: "Traffic Police"}, ServiceName: web.Text{ZH: "驾驶证期满换证", EN: "Renewal"},
		RequiredACR: f.acr, Fresh: f.fresh}, nil
}

func (f *flows) LoggedIn(_ context.Context, _ *http.Request, flow string, login federation.Login) (func(http.ResponseWriter), error) {
	f.calls.Add(1)
	if f.fail != nil {
		return nil, f.fail
	}
	if flow != "f1" {
		return nil, federation.ErrNoFlow
	}
	return func(w http.ResponseWriter) {
		f.mu.Lock()
		f.logins = append(f.logins, login)
		f.mu.Unlock()
		_, _ = io.WriteString(w, "LOGGED-IN "+login.PersonID+" "+login.ACR)
	}, nil
}

func (f *flows) Cancelled(w http.ResponseWriter, _ *http.Request, _ string) {
	_, _ = io.WriteString(w, "CANCELLED")
}

// hub is the national server's federation part on one database, with the sample provinces around it.
type hub struct {
	t         *testing.T
	db        *sqlstore.DB
	url       string
	flows     *flows
	persons   *identity.Service
	provinces map[string]*sample.Province
	issuers   map[string]string
	handler   http.Handler
	requests  atomic.Int32 // to provinces' token endpoints
}

func eachEngine(t *testing.T, run func(t *testing.T, h *hub)) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) { run(t, newHub(t, db)) })
}

func listen(t *testing.T) (net.Listener, string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l, fmt.Sprintf("http://localhost:%d", l.Addr().(*net.TCPAddr).Port)
}

func serve(t *testing.T, l net.Listener, h http.Handler) {
	s := httptest.NewUnstartedServer(h)
	s.Listener.Close()
	s.Listener = l
	s.Start()
	t.Cleanup(s.Close)
}

func newHub(t *testing.T, db *sqlstore.DB) *hub {
	t.Helper()
	h := &hub{t: t, db: db, flows: &flows{}, provinces: map[string]*sample.Province{}, issuers: map[string]string{}}
	l, origin := listen(t)
	h.url = origin
	sealer := httpx.NewSealer([]byte("0123456789abcdef0123456789abcdef"))
	var err error
	h.persons, err = identity.New(identity.Config{Store: identitystore.New(db), Sealer: sealer, IndexKey: []byte("fedcba9876543210fedcba9876543210")})
	if err != nil {
		t.Fatal(err)
	}
	pages, err := web.New(web.Config{Sandbox: true})
	if err != nil {
		t.Fatal(err)
	}
	cfg := federation.Config{Origin: origin, Flows: h.flows, Persons: h.persons, Tx: db.InTx, ClaimOnce: db.ClaimOnce, Lost: sqlstore.ErrLost,
		Audit: db.Audit, Sealer: sealer, Pages: pages}
	for _, info := range sample.NewWorld().Provinces {
		cfg.Members = append(cfg.Members, h.join(info))
	}
	f, err := federation.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	router := mux.NewRouter().SkipClean(true).UseEncodedPath()
	f.Routes(router)
	h.handler = httpx.Wrap(router, httpx.Options{})
	serve(t, l, h.handler)
	return h
}

// join starts a sample province and returns it as a member.
func (h *hub) join(info sample.ProvinceInfo) federation.Member {
	t, code := h.t, province.Code(info.Code)
	l, issuer := listen(t)
	port := l.Addr().(*net.TCPAddr).Port
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	p, err := sample.NewProvince(sample.ProvinceConfig{Info: info, People: sample.NewWorld().PeopleOf(info.Code), BaseURL: issuer, ClientID: h.url,
		RedirectURI: federation.CallbackURL(h.url, code), JWKSURI: federation.KeysURL(h.url, code), SlowFor: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	h.provinces[info.Code], h.issuers[info.Code] = p, issuer
	serve(t, l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			h.requests.Add(1)
		}
		p.ServeHTTP(w, r)
	}))
	c, err := oidc.New(oidc.Config{Province: info.Code, Issuer: issuer, ClientID: h.url, RedirectURI: federation.CallbackURL(h.url, code),
		Signer: func(context.Context) (jose.SigningKey, error) { return key, nil }, Levels: info.Levels, AllowHTTP: true,
		HTTP: httpx.NewClient(httpx.ClientOptions{Timeout: time.Second,
			Allow: func(a netip.AddrPort) bool { return a.Addr().IsLoopback() && int(a.Port()) == port }})})
	if err != nil {
		t.Fatal(err)
	}
	return federation.Member{Code: code, Connector: c, Ceiling: info.Ceiling, Keys: func(context.Context) ([]jose.JWK, error) {
		pub, err := key.Public()
		return []jose.JWK{pub}, err
	}}
}

// browser has a jar and follows no redirects by itself.
type browser struct {
	t    *testing.T
	http *http.Client
}

func newBrowser(t *testing.T) *browser {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	return &browser{t, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// page is an answer.
type page struct {
	status int
	header http.Header
	body   string
}

func (b *browser) get(address string) page {
	b.t.Helper()
	resp, err := b.http.Get(address)
	if err != nil {
		b.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return page{resp.StatusCode, resp.Header, string(body)}
}

// link finds the href of a control by its id.
func (p page) link(t *testing.T, base, id string) string {
	t.Helper()
	m := regexp.MustCompile(`<a [^>]*\bid="` + regexp.QuoteMeta(id) + `"[^>]*>`).FindString(p.body)
	href := regexp.MustCompile(`href="([^"]*)"`).FindStringSubmatch(m)
	if href == nil {
		t.Fatalf("no link %s on the page (status %d)", id, p.status)
	}
	u, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := u.Parse(strings.ReplaceAll(href[1], "&amp;", "&"))
	if err != nil {
		t.Fatal(err)
	}
	return ref.String()
}

// toCallback goes from the chooser to the address that the province sends the browser back to, which is not opened.
func (h *hub) toCallback(b *browser, code, slug string) string {
	b.t.Helper()
	chooser := h.url + "/login/f1/"
	start := b.get(b.get(chooser).link(b.t, chooser, "province-"+code))
	if start.status != http.StatusSeeOther {
		b.t.Fatalf("start answered %d: %s", start.status, title(start))
	}
	pick := b.get(start.header.Get("Location"))
	back := b.get(pick.link(b.t, h.issuers[code]+"/authorize", "person-"+slug))
	return back.header.Get("Location")
}

func (h *hub) login(b *browser, code, slug string) page {
	b.t.Helper()
	return b.get(h.toCallback(b, code, slug))
}

func title(p page) string {
	m := regexp.MustCompile(`(?s)<title>(.*?)</title>`).FindStringSubmatch(p.body)
	if m == nil {
		return p.body
	}
	return m[1]
}

func (p page) loggedIn() bool {
	return p.status == http.StatusOK && strings.HasPrefix(p.body, "LOGGED-IN ")
}

// count runs a query for one number.
func (h *hub) count(query string) (n int) {
	h.t.Helper()
	if err := h.db.QueryRow(context.Background(), query).Scan(&n); err != nil {
		h.t.Fatal(err)
	}
	return n
}

// rows is what a refused answer must not change.
func (h *hub) rows() string {
	return fmt.Sprint(h.count(`SELECT count(*) FROM identity_persons`), h.count(`SELECT count(*) FROM identity_links`),
		h.count(`SELECT count(*) FROM identity_assurances`), h.count(`SELECT count(*) FROM claims`), len(h.flows.logins))
}

func mustParse(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
