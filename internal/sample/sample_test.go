package sample

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/gb"
	"github.com/hufu-id/hufu/internal/jose"
)

func TestWorldIsConsistentAndInvented(t *testing.T) {
	w := NewWorld()
	slugs := map[string]bool{}
	for _, p := range w.People {
		id, err := gb.ParseResidentID(p.ResidentID)
		if err != nil || !strings.HasPrefix(p.ResidentID, "99") || id.Birthdate() != p.Birthdate || id.Female() != (p.Gender == "female") {
			t.Errorf("%s: %s %v", p.Slug, p.ResidentID, err)
		}
		if slugs[p.Slug] || p.Story.ZH == "" || p.Story.EN == "" || !p.At(p.Province) || p.Phone == "" {
			t.Errorf("%s", p.Slug)
		}
		slugs[p.Slug] = true
		for _, code := range p.Provinces {
			if _, ok := w.Province(code); !ok {
				t.Errorf("%s has an account at %s, which is no sample province", p.Slug, code)
			}
		}
	}
	for slug, province := range map[string]string{"li-xiuying": "440000", "wang-jianguo": "330000", "zhang-wei": "310000"} {
		if p, ok := w.Person(slug); !ok || p.Province != province {
			t.Errorf("%s", slug)
		}
	}
	for _, o := range w.Organisations {
		if _, err := gb.ParseCreditCode(o.Code); err != nil {
			t.Errorf("%s: %v", o.Name, err)
		}
	}
	for _, d := range w.Departments {
		if _, err := gb.ParseCreditCode(d.Code); err != nil || strings.Contains(strings.Join(d.Scopes, " "), "resident") {
			t.Errorf("%s asks for %v (%v)", d.Name, d.Scopes, err)
		}
	}
	for _, p := range w.Provinces {
		if len(p.Levels) != 4 || p.acr(4) == "" || len(w.PeopleOf(p.Code)) < 3 {
			t.Errorf("%s", p.Name)
		}
	}
}

// national is the least OpenID Provider that a department can log in with: it says yes at once.
type national struct {
	key    jose.SigningKey
	issuer string
	nonce  string
	iss    string // of the response
	sub    string // of userinfo
	deny   bool
	end    url.Values
}

func (n *national) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		writeJSON(w, 200, map[string]any{"issuer": n.issuer, "authorization_endpoint": n.issuer + "/authorize", "token_endpoint": n.issuer + "/token",
			"jwks_uri": n.issuer + "/jwks", "userinfo_endpoint": n.issuer + "/userinfo", "end_session_endpoint": n.issuer + "/logout",
			"id_token_signing_alg_values_supported": []string{"ES256"}})
	case "/jwks":
		pub, _ := n.key.Public()
		body, _ := jose.MarshalJWKS([]jose.JWK{pub})
		_, _ = w.Write(body)
	case "/authorize":
		q := r.URL.Query()
		n.nonce = q.Get("nonce")
		v := url.Values{"state": {q.Get("state")}, "iss": {n.iss}, "code": {"c"}}
		if n.deny {
			v = url.Values{"state": {q.Get("state")}, "iss": {n.iss}, "error": {"access_denied"}}
		}
		http.Redirect(w, r, q.Get("redirect_uri")+"?"+v.Encode(), http.StatusSeeOther)
	case "/token":
		id, secret, _ := r.BasicAuth()
		if id != "sandbox-traffic-police" || secret != "s3cret" || r.PostFormValue("code_verifier") == "" {
			writeJSON(w, 401, map[string]string{"error": "invalid_client"})
			return
		}
		now := time.Now()
		token, _ := jose.SignJSON(n.key, jose.Header{Typ: "JWT"}, map[string]any{"iss": n.issuer, "aud": id, "sub": "pairwise", "nonce": n.nonce,
			"iat": now.Unix(), "exp": now.Add(time.Minute).Unix(), "acr": "loa3"})
		writeJSON(w, 200, map[string]any{"access_token": "a", "token_type": "Bearer", "expires_in": 60, "id_token": token})
	case "/userinfo":
		writeJSON(w, 200, map[string]any{"sub": n.sub, "name": "李秀英"})
	case "/logout":
		n.end = r.URL.Query()
		http.Redirect(w, r, n.end.Get("post_logout_redirect_uri"), http.StatusSeeOther)
	}
}

func newDepartment(t *testing.T) (*national, string) {
	t.Helper()
	key, err := jose.GenerateKey(jose.ES256)
	if err != nil {
		t.Fatal(err)
	}
	n := &national{key: key, sub: "pairwise"}
	op := httptest.NewServer(n)
	t.Cleanup(op.Close)
	n.issuer, n.iss = op.URL, op.URL
	var d http.Handler
	rp := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { d.ServeHTTP(w, r) }))
	t.Cleanup(rp.Close)
	info, _ := NewWorld().Department(TrafficPolice)
	if d, err = NewDepartment(DepartmentConfig{Info: info, BaseURL: rp.URL, Issuer: n.issuer, ClientSecret: "s3cret"}); err != nil {
		t.Fatal(err)
	}
	return n, rp.URL
}

func do(t *testing.T, c *http.Client, method, address string) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}

func TestDepartmentLogsInAndOut(t *testing.T) {
	n, base := newDepartment(t)
	jar, _ := cookiejar.New(nil)
	c := &http.Client{Jar: jar}
	if status, _ := do(t, c, "GET", base+"/me"); status != http.StatusUnauthorized {
		t.Errorf("/me before: %d", status)
	}
	if _, body := do(t, c, "GET", base+"/"); strings.Count(body, `id="login"`) != 1 || strings.Contains(body, `id="logout"`) {
		t.Error("home page before")
	}
	if status, body := do(t, c, "GET", base+"/login"); status != 200 || !strings.Contains(body, `id="logout"`) || !strings.Contains(body, "李秀英") {
		t.Fatalf("after login: %d %s", status, body)
	}
	_, body := do(t, c, "GET", base+"/me")
	var me map[string]any
	if err := json.Unmarshal([]byte(body), &me); err != nil || me["iss"] != n.issuer || me["sub"] != "pairwise" || me["acr"] != "loa3" || me["name"] != "李秀英" {
		t.Errorf("/me: %s %v", body, err)
	}
	if status, body := do(t, c, "POST", base+"/logout"); status != 200 || !strings.Contains(body, `id="login"`) {
		t.Errorf("logout: %d", status)
	}
	if n.end.Get("id_token_hint") == "" || n.end.Get("post_logout_redirect_uri") != base+"/" {
		t.Errorf("logout request: %v", n.end)
	}
	if status, _ := do(t, c, "GET", base+"/me"); status != http.StatusUnauthorized {
		t.Errorf("/me after: %d", status)
	}
}

func TestDepartmentRefuses(t *testing.T) {
	for name, spoil := range map[string]func(*national){"iss of the response": func(n *national) { n.iss = "https://other.example" },
		"userinfo of another": func(n *national) { n.sub = "other" }, "declined": func(n *national) { n.deny = true }, "twin": func(*national) {}} {
		n, base := newDepartment(t)
		spoil(n)
		jar, _ := cookiejar.New(nil)
		c := &http.Client{Jar: jar}
		do(t, c, "GET", base+"/login")
		want := http.StatusUnauthorized
		if name == "twin" {
			want = http.StatusOK
		}
		if status, _ := do(t, c, "GET", base+"/me"); status != want {
			t.Errorf("%s: %d", name, status)
		}
	}
	_, base := newDepartment(t)
	if _, body := do(t, http.DefaultClient, "GET", base+"/callback?state=x&code=c"); !strings.Contains(body, `id="login"`) {
		t.Error("a callback of nobody must lead home")
	}
}

func TestFaultsPageAndAPI(t *testing.T) {
	info, _ := NewWorld().Province("440000")
	p, err := NewProvince(ProvinceConfig{Info: info, People: NewWorld().PeopleOf("440000"), BaseURL: "http://p.example", ClientID: "c", RedirectURI: "http://h.example/cb", JWKSURI: "http://h.example/jwks"})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(p)
	defer srv.Close()
	post := func(contentType, body string) int {
		resp, err := http.Post(srv.URL+"/faults", contentType, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	status := func(path string) int { s, _ := do(t, http.DefaultClient, "GET", srv.URL+path); return s }
	if post("application/json", `{"fault":"down"}`) != 200 || status("/jwks") != 503 || status("/livez") != 200 || status("/readyz") != 200 {
		t.Error("down by API")
	}
	if _, body := do(t, http.DefaultClient, "GET", srv.URL+"/faults"); !strings.Contains(body, `id="fault-down"`) || !strings.Contains(body, "aria-current") || !strings.Contains(body, "样本") {
		t.Error("the page must work while down")
	}
	if post("application/x-www-form-urlencoded", "fault=") != 200 || status("/jwks") != 200 {
		t.Error("well again by form")
	}
	if post("application/json", `{"fault":"nonsense"}`) != 400 || post("application/json", `{`) != 400 {
		t.Error("nonsense accepted")
	}
	req, _ := http.NewRequest("POST", srv.URL+"/faults", strings.NewReader("fault=down"))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Sec-Fetch-Site", "cross-site")
	if resp, err := http.DefaultClient.Do(req); err != nil || resp.StatusCode != 403 {
		t.Error("another site's page can set faults")
	}
}

func TestProvinceRefusesOtherClients(t *testing.T) {
	info, _ := NewWorld().Province("440000")
	p, err := NewProvince(ProvinceConfig{Info: info, People: NewWorld().PeopleOf("440000"), BaseURL: "http://p.example", ClientID: "c", RedirectURI: "http://h.example/cb", JWKSURI: "http://127.0.0.1:1/jwks"})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(q string) *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		p.ServeHTTP(w, httptest.NewRequest("GET", "/authorize?"+q, nil))
		return w
	}
	good := "client_id=c&redirect_uri=http%3A%2F%2Fh.example%2Fcb&response_type=code&scope=openid&state=s&nonce=n&code_challenge_method=S256&code_challenge=" + strings.Repeat("a", 43)
	if w := ask(good); w.Code != 200 || strings.Count(w.Body.String(), `id="person-li-xiuying"`) != 1 {
		t.Errorf("twin: %d", w.Code)
	}
	for i, bad := range []string{strings.Replace(good, "client_id=c", "client_id=d", 1), strings.Replace(good, "h.example", "evil.example", 1)} {
		if w := ask(bad); w.Code != 400 || w.Header().Get("Location") != "" {
			t.Errorf("%d: %d", i, w.Code)
		}
	}
	if w := ask(strings.Replace(good, "S256", "plain", 1)); w.Code != 303 || !strings.Contains(w.Header().Get("Location"), "invalid_request") {
		t.Errorf("plain: %d", w.Code)
	}
	w := httptest.NewRecorder()
	r := httptest.NewRequest("POST", "/token", strings.NewReader("grant_type=authorization_code&code=x"))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if p.ServeHTTP(w, r); w.Code != 401 {
		t.Error(fmt.Sprint("token without authentication: ", w.Code))
	}
}
