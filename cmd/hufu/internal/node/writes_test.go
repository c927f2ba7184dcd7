package node

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/hufu-id/hufu/federation"
	"github.com/hufu-id/hufu/federation/province"
	"github.com/hufu-id/hufu/internal/apptest"
	"github.com/hufu-id/hufu/internal/sample"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/keys"
	"github.com/hufu-id/hufu/oidc"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/web"
)

// loginWorld is a node on PostgreSQL, without background work, a province, and a relying party that redeems its code before it answers.
type loginWorld struct {
	origin, rp string
	db         *sqlstore.DB
	secret     string
	got        atomic.Int32 // status of the last userinfo
}

func openLoginWorld(t *testing.T) *loginWorld {
	t.Helper()
	w := &loginWorld{secret: strings.Repeat("0123456789abcdef", 4)}
	serve := func() (*httptest.Server, string) {
		s := httptest.NewUnstartedServer(nil)
		t.Cleanup(s.Close)
		return s, strings.Replace("http://"+s.Listener.Addr().String(), "127.0.0.1", "localhost", 1)
	}
	national, origin := serve()
	upstream, issuer := serve()
	rp, rpOrigin := serve()
	w.origin, w.rp = origin, rpOrigin
	samples := sample.NewWorld()
	info, _ := samples.Province("440000")
	levels := map[string]string{}
	for word, level := range info.Levels {
		levels[word] = level.String()
	}
	dsn := sqltest.DSN(t, sqlstore.PostgreSQL)
	kek, _ := keys.NewKEK()
	n, err := Open(t.Context(), Options{KEK: kek, Migrate: true, AllowHTTP: true, Allow: func(a netip.AddrPort) bool { return a.Addr().IsLoopback() },
		Config: Config{Origin: origin, Database: dsn, Provinces: []ProvinceConfig{{Code: "440000", Issuer: issuer, ClientID: "national", Ceiling: "loa4", Levels: levels}}},
		Clients: []oidc.Client{{ID: "rp", Name: web.Plain("RP"), Service: web.Plain("RP"), RedirectURIs: []string{rpOrigin + "/callback"}, AuthMethod: client.SecretBasic,
			SecretHash: client.HashSecret(w.secret), GrantTypes: []string{client.AuthorizationCode}, Scopes: []string{"openid", "profile"}}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	p, err := sample.NewProvince(sample.ProvinceConfig{Info: info, People: samples.PeopleOf("440000"), BaseURL: issuer, ClientID: "national",
		RedirectURI: federation.CallbackURL(origin, province.Code("440000")), JWKSURI: federation.KeysURL(origin, province.Code("440000"))})
	if err != nil {
		t.Fatal(err)
	}
	national.Config.Handler, upstream.Config.Handler, rp.Config.Handler = n.Handler(), p, http.HandlerFunc(w.callback)
	for _, s := range []*httptest.Server{national, upstream, rp} {
		s.Start()
	}
	w.db = sqltest.Open(t, dsn)
	return w
}

// callback is the relying party: code, token, userinfo.
func (w *loginWorld) callback(rw http.ResponseWriter, r *http.Request) {
	form := url.Values{"grant_type": {"authorization_code"}, "code": {r.FormValue("code")}, "redirect_uri": {w.rp + "/callback"}}
	req, _ := http.NewRequest(http.MethodPost, w.origin+"/token", strings.NewReader(form.Encode()))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth("rp", w.secret)
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if status := exchange(req, &answer); status != http.StatusOK {
		w.got.Store(int32(status))
		return
	}
	req, _ = http.NewRequest(http.MethodGet, w.origin+"/userinfo", nil)
	req.Header.Set("Authorization", "Bearer "+answer.AccessToken)
	w.got.Store(int32(exchange(req, &struct{}{})))
}

// written is how many transactions have written so far: only they get a number.
func (w *loginWorld) written(t *testing.T) (n int64) {
	t.Helper()
	err := w.db.QueryRow(t.Context(), `SELECT CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS TEXT) AS BIGINT)`).Scan(&n)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// login logs one person in, in a browser that knows nothing, and returns how many transactions wrote.
func (w *loginWorld) login(t *testing.T, person string, consents bool) int64 {
	t.Helper()
	before := w.written(t)
	w.got.Store(0)
	page := apptest.NewBrowser(t).Get(w.origin + "/authorize?" + url.Values{"response_type": {"code"}, "client_id": {"rp"}, "redirect_uri": {w.rp + "/callback"},
		"scope": {"openid profile"}, "state": {"s"}}.Encode()).Click("province-440000").Click("person-" + person)
	if page.Has("consent-allow") != consents {
		t.Fatalf("expected a consent page: %t; got %s", consents, page)
	}
	if consents {
		page.ClickWith("consent-allow", url.Values{"term": {"standing"}})
	}
	if got := w.got.Load(); got != http.StatusOK {
		t.Fatalf("the login ended with %d", got)
	}
	return w.written(t) - before
}

// A login costs a returning person two writing transactions, callback and token, and one more for her first consent: commits are what the
// largest database of the country runs out of first. Of several logins the cheapest counts, because others may use the same server.
func TestALoginWritesInTwoTransactionsAndInThreeWithTheFirstConsent(t *testing.T) {
	w := openLoginWorld(t)
	least := func(least, n int64) int64 {
		if least == 0 || n < least {
			return n
		}
		return least
	}
	var first, returning int64
	for _, p := range sample.NewWorld().PeopleOf("440000") {
		first = least(first, w.login(t, p.Slug, true))
		returning = least(returning, w.login(t, p.Slug, false))
	}
	if first != 3 {
		t.Errorf("a first login wrote in %d transactions, not in 3", first)
	}
	if returning != 2 {
		t.Errorf("a login of a returning person wrote in %d transactions, not in 2", returning)
	}
}

func exchange(req *http.Request, into any) int {
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0
	}
	defer res.Body.Close()
	if json.NewDecoder(res.Body).Decode(into) != nil {
		return 0
	}
	return res.StatusCode
}
