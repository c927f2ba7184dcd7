package holder_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/wallet/holder"
	"github.com/hufu-id/hufu/web"
)

const (
	own     = "1.2.156.3005.2.LI.001.H"
	other   = "1.2.156.3005.2.WANG.001.H"
	revoked = "1.2.156.3005.2.OLD.001.H"
)

var formKey = []byte("0123456789abcdef0123456789abcdef")

// citizens: who is logged in is said by a header.
type citizens struct{ acr string }

func (c citizens) Current(r *http.Request) (holder.Citizen, bool) {
	id := r.Header.Get("X-Person")
	return holder.Citizen{PersonID: id, Name: "李秀英", Province: web.Text{ZH: "广东", EN: "Guangdong"}, ACR: c.acr, SessionID: "s-" + id}, id != ""
}

func (citizens) Login(w http.ResponseWriter, r *http.Request, returnTo string) {
	http.Redirect(w, r, "/login?to="+url.QueryEscape(returnTo), http.StatusSeeOther)
}

type backend struct {
	offers map[string]holder.Offer
	owner  map[string]string
	err    error
}

func (b *backend) Of(_ context.Context, person string) ([]holder.Licence, error) {
	l := holder.Licence{ID: own, TypeID: "driving-licence", Name: web.Text{ZH: "机动车驾驶证", EN: "Driving licence"}, Issuer: web.Text{ZH: "交管局", EN: "Traffic police"},
		Status: web.Text{ZH: "有效", EN: "valid"}, Tone: web.ToneOK, InForce: true, RequiredACR: "loa3", ValidFrom: time.Now()}
	switch person {
	case "li":
		old := l
		old.ID, old.TypeID, old.InForce, old.Status, old.Tone = revoked, "old-licence", false, web.Text{ZH: "吊销", EN: "revoked"}, web.ToneBad
		return []holder.Licence{l, old}, nil
	case "wang":
		l.ID = other
		return []holder.Licence{l}, nil
	}
	return nil, b.err
}

func (b *backend) Create(_ context.Context, c holder.Citizen, id string) (holder.Offer, error) {
	if b.err != nil {
		return holder.Offer{}, b.err
	}
	if id == revoked {
		return holder.Offer{}, holder.ErrNotInForce
	}
	o := holder.Offer{ID: "offer-1", URI: "openid-credential-offer://?credential_offer_uri=http%3A%2F%2Fhufu.test%2Fi%2FX%2Foffer%2F1", TxCode: "012345",
		Name: web.Text{ZH: "机动车驾驶证", EN: "Driving licence"}, ExpiresAt: time.Now().Add(time.Minute), Open: true}
	b.offers[o.ID], b.owner[o.ID] = o, c.PersonID
	return o, nil
}

func (b *backend) Show(_ context.Context, person, id string) (holder.Offer, error) {
	if o, ok := b.offers[id]; ok && b.owner[id] == person {
		return o, nil
	}
	return holder.Offer{}, holder.ErrNotFound
}

type site struct {
	t   testing.TB
	b   *backend
	srv *httptest.Server
}

func newSite(t testing.TB, acr string) *site {
	t.Helper()
	pages, err := web.New(web.Config{Sandbox: true})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, b: &backend{offers: map[string]holder.Offer{}, owner: map[string]string{}}}
	r := mux.NewRouter().SkipClean(true).UseEncodedPath()
	s.srv = httptest.NewServer(httpx.Wrap(r, httpx.Options{}))
	t.Cleanup(s.srv.Close)
	h, err := holder.New(holder.Config{Origin: s.srv.URL, FormKey: formKey, Pages: pages, Citizens: citizens{acr}, Licences: s.b, Offers: s.b,
		Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	h.Routes(r)
	return s
}

func (s *site) do(method, path, person string, form url.Values, header ...string) (int, string, http.Header) {
	s.t.Helper()
	req, err := http.NewRequest(method, s.srv.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		s.t.Fatal(err)
	}
	if person != "" {
		req.Header.Set("X-Person", person)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(b), resp.Header
}

func form(licence, csrf string) url.Values { return url.Values{"licence": {licence}, "csrf": {csrf}} }

// A plain HTTP client walks the pages: list, button, offer.
func TestCitizenMakesAnOfferWithoutScript(t *testing.T) {
	s := newSite(t, "loa3")
	status, page, _ := s.do("GET", "/licences", "li", nil)
	if status != 200 || !strings.Contains(page, `id="offer-driving-licence"`) || !strings.Contains(page, "机动车驾驶证") {
		t.Fatalf("%d %s", status, page)
	}
	if strings.Contains(page, `id="offer-old-licence"`) || !strings.Contains(page, "吊销") {
		t.Error("a revoked licence has a button, or its status is missing")
	}
	field := func(name string) string {
		m := regexp.MustCompile(`name="` + name + `" value="([^"]*)"`).FindStringSubmatch(page)
		if m == nil {
			t.Fatalf("no field %s", name)
		}
		return m[1]
	}
	status, _, header := s.do("POST", "/licences/offers", "li", form(field("licence"), field("csrf")))
	if status != 303 || header.Get("Location") != "/licences/offers/offer-1" {
		t.Fatalf("%d to %q", status, header.Get("Location"))
	}
	status, page, header = s.do("GET", header.Get("Location"), "li", nil)
	for _, part := range []string{`id="offer-uri"`, `href="openid-credential-offer://?credential_offer_uri=`, `id="tx-code"`, "012345", "<svg"} {
		if !strings.Contains(page, part) {
			t.Errorf("the offer page lacks %s", part)
		}
	}
	if status != 200 || header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %v", status, header)
	}
}

func TestOnlyTheOwnLicencesAndOffers(t *testing.T) {
	s := newSite(t, "loa3")
	token := func(person string) string { return httpx.FormToken(formKey, "s-"+person) }
	if status, _, _ := s.do("POST", "/licences/offers", "li", form(own, token("li"))); status != 303 {
		t.Errorf("V02 own: %d", status)
	}
	for _, id := range []string{other, "", "1.2.3", own + "x"} {
		if status, _, _ := s.do("POST", "/licences/offers", "li", form(id, token("li"))); status != 404 {
			t.Errorf("V02 %q: %d", id, status)
		}
	}
	for path, want := range map[string]int{"/licences/offers/offer-1": 404, "/licences/offers/nothing": 404} {
		if status, body, _ := s.do("GET", path, "wang", nil); status != want || strings.Contains(body, "012345") {
			t.Errorf("V02 %s of another: %d", path, status)
		}
	}
	if status, _, _ := s.do("GET", "/licences/offers/offer-1", "li", nil); status != 200 {
		t.Errorf("own offer: %d", status)
	}
	if status, _, _ := s.do("POST", "/licences/offers", "li", form(revoked, token("li"))); status != 409 {
		t.Errorf("revoked: %d", status)
	}
}

func TestNobodyLoggedInIsSentToLogIn(t *testing.T) {
	s := newSite(t, "loa3")
	for _, c := range []struct{ method, path string }{{"GET", "/licences"}, {"POST", "/licences/offers"}, {"GET", "/licences/offers/offer-1"}} {
		status, _, header := s.do(c.method, c.path, "", form(own, ""))
		if status != 303 || header.Get("Location") != "/login?to=%2Flicences" {
			t.Errorf("%s %s: %d %q", c.method, c.path, status, header.Get("Location"))
		}
	}
}

func TestFormsOfOthersAreRefusedG01(t *testing.T) {
	s := newSite(t, "loa3")
	good := httpx.FormToken(formKey, "s-li")
	for _, c := range []struct {
		name   string
		token  string
		header []string
		want   int
	}{
		{"G01 plain client with the token", good, nil, 303},
		{"G01 plain client without", "", nil, 403},
		{"G01 token of another session", httpx.FormToken(formKey, "s-wang"), nil, 403},
		{"G01 own page", good, []string{"Sec-Fetch-Site", "same-origin"}, 303},
		{"G01 own origin", good, []string{"Origin", s.srv.URL}, 303},
		{"G01 cross-site", good, []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"G01 same-site", good, []string{"Sec-Fetch-Site", "same-site"}, 403},
		{"G01 other origin", good, []string{"Origin", "https://evil.test"}, 403},
		{"G01 null origin", good, []string{"Origin", "null"}, 403},
	} {
		if status, _, _ := s.do("POST", "/licences/offers", "li", form(own, c.token), c.header...); status != c.want {
			t.Errorf("%s: %d", c.name, status)
		}
	}
	if status, _, _ := s.do("GET", "/licences/offers?licence="+own+"&csrf="+good, "li", nil); status != 405 && status != 404 {
		t.Errorf("G01 GET instead: %d", status)
	}
	twice := form(own, good)
	twice.Add("licence", own)
	if status, _, _ := s.do("POST", "/licences/offers", "li", twice); status != 403 {
		t.Errorf("parameter twice: %d", status)
	}
}

func TestLevelTooLowShowsWhy(t *testing.T) {
	s := newSite(t, "loa2")
	status, page, _ := s.do("GET", "/licences?lang=en", "li", nil)
	if status != 200 || strings.Contains(page, `id="offer-driving-licence"`) {
		t.Errorf("%d: a button below the level", status)
	}
	s.b.err = holder.ErrLevelTooLow
	if status, _, _ := s.do("POST", "/licences/offers", "li", form(own, httpx.FormToken(formKey, "s-li"))); status != 403 {
		t.Errorf("posted all the same: %d", status)
	}
}

func TestEndedOfferAndFaults(t *testing.T) {
	s := newSite(t, "loa3")
	s.b.offers["gone"], s.b.owner["gone"] = holder.Offer{ID: "gone", TxCode: "999999"}, "li"
	if status, page, _ := s.do("GET", "/licences/offers/gone", "li", nil); status != 410 || strings.Contains(page, "999999") {
		t.Errorf("ended: %d", status)
	}
	for err, want := range map[error]int{holder.ErrTooMany: 429, errors.New("database: host=10.0.0.1"): 500, holder.ErrNotFound: 404} {
		s.b.err = err
		status, page, _ := s.do("POST", "/licences/offers", "li", form(own, httpx.FormToken(formKey, "s-li")))
		if status != want || strings.Contains(page, "10.0.0.1") {
			t.Errorf("%v: %d", err, status)
		}
	}
	if status, _, _ := s.do("GET", "/licences", "nobody-known", nil); status != 200 && status != 500 {
		t.Errorf("empty list: %d", status)
	}
}
