package federation_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/sample"
	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/web"
)

func sqliteHub(t *testing.T) *hub {
	return newHub(t, sqltest.Open(t, sqltest.DSN(t, sqlstore.SQLite)))
}

var control = regexp.MustCompile(`id="province-([0-9]{6})"`)

func TestChooserListsEachProvinceOnce(t *testing.T) {
	h := sqliteHub(t)
	b := newBrowser(t)
	check := func(p page, want string) {
		t.Helper()
		var got []string
		for _, m := range control.FindAllStringSubmatch(p.body, -1) {
			got = append(got, m[1])
		}
		if strings.Join(got, " ") != want {
			t.Errorf("controls %v, want %s", got, want)
		}
	}
	p := b.get(h.url + "/login/f1/")
	check(p, "310000 330000 440000")
	for _, want := range []string{"沙箱省公安厅交通管理局", "驾驶证期满换证", "新疆生产建设兵团", "云南省", `href="cancel"`} {
		if !strings.Contains(p.body, want) {
			t.Errorf("no %s", want)
		}
	}
	if n := strings.Count(p.body, web.Say("chooser.unconnected", nil).ZH); n != 29 {
		t.Errorf("%d provinces say that they are not connected, want 29", n)
	}
	if p := b.get(h.url + "/login/f1/110000"); p.status != http.StatusNotFound {
		t.Errorf("a province that is not connected: %d", p.status)
	}
	// After a login it is remembered, still once, until it is forgotten.
	h.login(b, "440000", "li-xiuying")
	p = b.get(h.url + "/login/f1/")
	if len(control.FindAllString(p.body, -1)) != 3 || !strings.Contains(p.body, `href="forget"`) {
		t.Errorf("remembered: %v", control.FindAllString(p.body, -1))
	}
	if p := b.get(h.url + "/login/f1/forget"); p.status != http.StatusSeeOther || p.header.Get("Location") != "./" {
		t.Errorf("forget: %d", p.status)
	}
	if p := b.get(h.url + "/login/f1/"); strings.Contains(p.body, `href="forget"`) {
		t.Error("not forgotten")
	}
}

func TestChooserSearch(t *testing.T) {
	h := sqliteHub(t)
	for _, q := range []string{"gd", "粤", "粤省事", "guangdong", "440000", "Guang%20dong", "广东"} {
		p := newBrowser(t).get(h.url + "/login/f1/?q=" + q)
		m := control.FindAllStringSubmatch(p.body, -1)
		if len(m) != 1 || m[0][1] != "440000" {
			t.Errorf("%s: %v", q, m)
		}
	}
	p := newBrowser(t).get(h.url + "/login/f1/?q=%3Cscript%3Eatlantis")
	if p.status != http.StatusOK || strings.Contains(p.body, "<script>") || len(control.FindAllString(p.body, -1)) != 3 {
		t.Errorf("nothing found must keep the list: %d", p.status)
	}
	for _, bad := range []string{"?q=a&q=b", "?q=%zz", "?q=%ff%fe", "?q=" + strings.Repeat("a", 20000)} {
		if p := newBrowser(t).get(h.url + "/login/f1/" + bad); p.status != http.StatusOK {
			t.Errorf("%.20s: %d", bad, p.status)
		}
	}
}

func TestProvinceDownIsNoDeadEnd(t *testing.T) {
	h := sqliteHub(t)
	b := newBrowser(t)
	alternatives := func(p page) {
		t.Helper()
		if p.status != http.StatusServiceUnavailable || !strings.Contains(p.body, `href="/login/f1/"`) || !strings.Contains(p.body, `href="/login/f1/cancel"`) ||
			strings.Contains(p.body, "localhost") {
			t.Errorf("%d %s", p.status, p.body)
		}
	}
	for _, fault := range []sample.Fault{sample.Down, sample.Slow} {
		h.provinces["440000"].SetFault(fault)
		alternatives(b.get(h.url + "/login/f1/440000"))
		h.provinces["440000"].SetFault(sample.NoFault)
		time.Sleep(600 * time.Millisecond)
		if p := h.login(b, "330000", "wang-jianguo"); !p.loggedIn() {
			t.Errorf("the others must work: %d", p.status)
		}
		if p := h.login(b, "440000", "li-xiuying"); !p.loggedIn() {
			t.Errorf("twin after %s: %d %s", fault, p.status, title(p))
		}
		h = sqliteHub(t)
	}
	// It goes down while the person is there.
	callback := h.toCallback(b, "440000", "li-xiuying")
	h.provinces["440000"].SetFault(sample.TokenEndpointBusy)
	alternatives(b.get(callback))
}

func TestProvinceThatKeepsFailingIsSaidToBeDown(t *testing.T) {
	h := sqliteHub(t)
	h.provinces["440000"].SetFault(sample.Down)
	for range 4 {
		newBrowser(t).get(h.url + "/login/f1/440000")
		time.Sleep(600 * time.Millisecond)
	}
	started := time.Now()
	newBrowser(t).get(h.url + "/login/f1/440000")
	if took := time.Since(started); took > 300*time.Millisecond {
		t.Errorf("an open breaker took %v", took)
	}
	if p := newBrowser(t).get(h.url + "/login/f1/"); !strings.Contains(p.body, "暂时登不上") {
		t.Error("the chooser doesn't say so")
	}
}

func TestCancelAtTheProvince(t *testing.T) {
	h := sqliteHub(t)
	b := newBrowser(t)
	pick := b.get(b.get(h.url + "/login/f1/440000").header.Get("Location"))
	back := b.get(pick.link(t, h.issuers["440000"]+"/authorize", "person-none"))
	if p := b.get(back.header.Get("Location")); p.status != http.StatusBadRequest || !strings.Contains(p.body, `href="/login/f1/"`) {
		t.Errorf("%d %s", p.status, title(p))
	}
	if p := b.get(h.url + "/login/f1/cancel"); p.body != "CANCELLED" {
		t.Errorf("%d", p.status)
	}
}

func TestUnknownFlowsAndJunkAreNever5xx(t *testing.T) {
	h := sqliteHub(t)
	for _, path := range []string{"/login/nope/", "/login/nope/440000", "/login/f1/999999", "/login/f1/%2e%2e", "/callback/440000", "/callback/999999?state=x",
		"/callback/440000?state=x&state=y", "/callback/440000?state=%00&code=%zz", "/callback/440000?code=a&state=" + strings.Repeat("s", 5000),
		"/callback/110000", "/callback/999999/jwks", "/login/f1/440000/x"} {
		if p := newBrowser(t).get(h.url + path); p.status < 400 || p.status > 499 || p.header.Get("Location") != "" {
			t.Errorf("%.60s: %d", path, p.status)
		}
	}
}

func TestKeysTowardsEachProvinceDiffer(t *testing.T) {
	h := sqliteHub(t)
	seen := map[string]bool{}
	for code := range h.provinces {
		p := newBrowser(t).get(h.url + "/callback/" + code + "/jwks")
		if p.status != http.StatusOK || strings.Contains(p.body, `"d"`) || seen[p.body] {
			t.Errorf("%s: %d %s", code, p.status, p.body)
		}
		seen[p.body] = true
	}
}

func TestAbandonedAttemptsDoNotFillTheJar(t *testing.T) {
	h := sqliteHub(t)
	b := newBrowser(t)
	for range 12 {
		b.get(h.url + "/login/f1/440000")
	}
	n := 0
	u := mustParse(t, h.url)
	for _, c := range b.http.Jar.Cookies(u) {
		if strings.HasPrefix(c.Name, "__Host-hufu-try-") {
			n++
		}
	}
	if n != 5 {
		t.Errorf("%d attempt cookies", n)
	}
	if p := h.login(b, "440000", "li-xiuying"); !p.loggedIn() {
		t.Errorf("twin: %d", p.status)
	}
}

func TestFreshAsksForANewProof(t *testing.T) {
	h := sqliteHub(t)
	h.flows.fresh = true
	b := newBrowser(t)
	location := b.get(h.url + "/login/f1/440000").header.Get("Location")
	if q := mustParse(t, location).Query(); q.Get("prompt") != "login" || q.Get("max_age") != "0" {
		t.Errorf("request %v", q)
	}
	h.provinces["440000"].SetFault(sample.OldAuthTime)
	if p := h.login(b, "440000", "li-xiuying"); p.status != http.StatusBadRequest {
		t.Errorf("an old login was taken for a new one: %d", p.status)
	}
	h.provinces["440000"].SetFault(sample.NoFault)
	if p := h.login(b, "440000", "li-xiuying"); !p.loggedIn() {
		t.Errorf("twin: %d", p.status)
	}
}

func TestRequiredLevelIsAskedForInTheProvincesWords(t *testing.T) {
	h := sqliteHub(t)
	h.flows.acr = "loa3"
	location := newBrowser(t).get(h.url + "/login/f1/440000").header.Get("Location")
	if got := mustParse(t, location).Query().Get("acr_values"); got != "L4 L5" {
		t.Errorf("acr_values %q", got)
	}
}

func TestFailureToRecordKeepsTheStateUsable(t *testing.T) {
	h := sqliteHub(t)
	h.provinces["440000"].KeepCodes(true)
	b := newBrowser(t)
	callback := h.toCallback(b, "440000", "li-xiuying")
	h.flows.fail = http.ErrAbortHandler
	before := h.rows()
	if p := b.get(callback); p.status != http.StatusInternalServerError || h.rows() != before {
		t.Errorf("%d: rows %s, then %s", p.status, before, h.rows())
	}
	h.flows.fail = nil
	if p := b.get(callback); !p.loggedIn() {
		t.Errorf("twin: %d %s", p.status, title(p))
	}
}
