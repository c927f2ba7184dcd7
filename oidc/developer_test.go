package oidc_test

import (
	"context"
	"encoding/json"
	"html"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/sqlstore/trailstore"
	"github.com/hufu-id/hufu/oidc"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/oauth"
	"github.com/hufu-id/hufu/oidc/trail"
)

// flushTrail writes what all nodes collected.
func (e *env) flushTrail() {
	e.t.Helper()
	for _, op := range e.ops {
		must(e.t, op.FlushTrail(context.Background()))
	}
}

// trail is what is kept of a client, newest first.
func (e *env) trail(id string) []trail.Entry {
	e.t.Helper()
	e.flushTrail()
	got, err := trailstore.New(e.db).Trail(context.Background(), id)
	must(e.t, err)
	return got
}

// developer signs in with a client's secret.
func (b *browser) developer(id, secret string) answer {
	b.e.t.Helper()
	form := b.get("/developer?lang=en")
	return b.post("/developer", url.Values{"client": {id}, "secret": {secret}, "csrf": {field(b.e.t, csrfField, form.body)}}, "Sec-Fetch-Site", "same-origin")
}

// stepNames are the steps that a page shows, in order.
func stepNames(page string) (out []string) {
	for _, m := range regexp.MustCompile(`<h2 class="(yes|no)"><svg[^>]*>.*?</svg>([^<]+)<`).FindAllStringSubmatch(page, -1) {
		out = append(out, m[2])
	}
	return out
}

func TestALoginIsOneTimelineAcrossNodes(t *testing.T) {
	each(t, 2, func(t *testing.T, e *env) {
		code := e.code(request("app"))
		e.clock.add(time.Second)
		tok := e.tokenAt(1, redeem(code), "Authorization", basic("app", e.secret))
		e.clock.add(time.Second)
		if status, _ := e.userinfo(tok.Access); status != http.StatusOK {
			t.Fatal(status)
		}
		e.clock.add(time.Second)
		e.tokenAt(1, redeem(code), "Authorization", basic("app", e.secret)) // again: refused
		e.flushTrail()
		page := e.browser().developer("app", e.secret)
		if page.status != http.StatusOK || strings.Count(page.body, "<summary><span class=\"n\">") != 1 {
			t.Fatalf("%d: %.3000s", page.status, page.body)
		}
		want := "Authorization request,Login,Consent,Code issued,Token request,Userinfo,Token request"
		if got := strings.Join(stepNames(page.body), ","); got != want {
			t.Errorf("steps %s, want %s", got, want)
		}
		entry, _ := oauth.Lookup(oauth.InvalidGrant, "the code is invalid, expired, used or not for this request")
		for _, text := range []string{"invalid_grant", entry.Cause.EN, entry.Fix.EN, entry.Link(), oauth.Reason("used").Words().EN} {
			if !strings.Contains(page.body, html.EscapeString(text)) && !strings.Contains(page.body, text) {
				t.Errorf("the refused step doesn't say %q", text)
			}
		}
	})
}

func TestU01NothingSecretReachesTheTrail(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	v := request("app", "state", "Canary-state", "nonce", "Canary-nonce", "login_hint", "Canary-hint", "claims", `{"userinfo":{"resident_id":{"value":"990101195803120025"}}}`,
		"Canary-name", "1")
	code := e.code(v)
	wrong := e.tokenAt(0, redeem(code, "code_verifier", "Canary-verifier"+strings.Repeat("x", 40)), "Authorization", basic("app", e.secret))
	if wrong.Error != "invalid_grant" {
		t.Fatal(wrong)
	}
	code2 := e.code(v)
	tok := e.token(redeem(code2), "Authorization", basic("app", e.secret))
	e.userinfo(tok.Access)
	e.userinfo(tok.Access + "x")
	e.token(redeem(code2), "Authorization", basic("app", "Canary-secret"))
	e.token(redeem("Canary-code", "client_id", "app", "client_secret", "Canary-secret"))
	assertion := e.assertion("aud", "https://Canary.example")
	e.token(withAssertion(redeem(code2), assertion))
	for _, uri := range []string{"https://Canary:Canary-password@rp.example/cb", rpCallback + "?code=Canary-code", rpCallback + "#Canary-token"} {
		e.browser().get("/authorize?" + request("app", "redirect_uri", uri, "state", "Canary-state").Encode())
	}
	b := e.browser()
	b.login(request("app"))
	b.get("/logout?" + url.Values{"client_id": {"app"}, "id_token_hint": {tok.ID}, "state": {"Canary-state"}}.Encode())
	e.flushTrail()
	var all strings.Builder
	for _, id := range []string{"app", "signed"} {
		kept, err := json.Marshal(e.trail(id))
		must(t, err)
		all.Write(kept)
	}
	if !strings.Contains(all.String(), "code_challenge_method") || strings.Count(all.String(), "client authentication failed") < 3 {
		t.Fatalf("the twin: what may be shown is there: %s", all.String())
	}
	all.WriteString(e.browser().developer("app", e.secret).body)
	for name, secret := range map[string]string{"canary": "Canary", "code": code, "second code": code2, "access token": tok.Access, "ID token": tok.ID, "verifier": verifier,
		"secret": e.secret, "assertion": assertion, "id number": "990101195803120025", "name": "李秀英", "phone": "13812341234", "person": "p-li",
		"signature": tok.Access[strings.LastIndex(tok.Access, ".")+1:]} {
		if strings.Contains(all.String(), secret) {
			t.Errorf("%s is kept", name)
		}
	}
}

func TestARedirectMismatchIsMarkedForTheDeveloperOnly(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	sent := rpCallback + "/"
	page := e.browser().get("/authorize?" + request("app", "redirect_uri", sent).Encode())
	if page.status != http.StatusBadRequest || strings.Contains(page.body, rpCallback) || !strings.Contains(page.body, "/developer/errors/redirect-uri-mismatch") {
		t.Errorf("the person's page: %d, or it names an address, or doesn't lead the developer on: %s", page.status, page.body)
	}
	if shown := e.browser().developer("app", e.secret).body; !strings.Contains(shown, rpCallback+"<mark>/</mark>") || !strings.Contains(shown, rpCallback+"<mark>ends here</mark>") ||
		!strings.Contains(shown, "character 22") {
		t.Errorf("the developer's page doesn't mark the character: %s", shown)
	}
}

// A client is told to take a nonce at the start of every login: that is no fault, and must not hide those that are.
func TestANonceThatIsAskedForIsNoFailure(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	must(t, trailstore.New(e.db).AppendTrail(context.Background(), []trail.Folded{
		{Fold: "a", Entry: trail.Entry{ClientID: "app", Step: trail.Token, Code: "use_dpop_nonce", Count: 1, At: e.clock.Now(), Ties: []string{"x"}}},
		{Fold: "b", Entry: trail.Entry{ClientID: "app", Step: trail.Token, OK: true, Count: 1, At: e.clock.Now(), Ties: []string{"x"}}}}))
	b := e.browser()
	if page := b.developer("app", e.secret).body; !strings.Contains(page, "2 steps, none refused") || !strings.Contains(page, `<h2 class="hm">`) {
		t.Error("a group with nothing but a nonce to take counts as refused")
	}
	if page := b.get("/developer/clients/app?show=refused").body; !strings.Contains(page, "Nothing was refused.") {
		t.Error("it is among the refused")
	}
}

func TestAMismatchOnLoopbackIsNotTheFreePort(t *testing.T) {
	for sent, want := range map[string]string{"http://127.0.0.1:5001/cb/": "http://127.0.0.1:5001/cb 24", "http://127.0.0.1:5001/other/": "http://127.0.0.1:5001/other 27",
		"http://localhost:5001/cb": "http://127.0.0.1/cb 7", "https://127.0.0.1:5001/cb": "http://127.0.0.1/cb 4"} {
		d := client.Client{RedirectURIs: []string{"http://127.0.0.1/cb", "http://127.0.0.1:7777/other"}}.Mismatch(sent).TrailDetail()
		if got := d[trail.Registered] + " " + d[trail.DiffersAt]; got != want {
			t.Errorf("%s: %s, want %s", sent, got, want)
		}
	}
}

func TestErrorURILeadsToCauseAndFix(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	b := e.browser()
	to := b.get("/authorize?" + request("app", "response_type", "token").Encode()).location.Query().Get("error_uri")
	resp, err := http.PostForm(e.issuer+"/token", url.Values{"grant_type": {"x"}})
	must(t, err)
	defer resp.Body.Close()
	var told struct {
		URI string `json:"error_uri"`
	}
	must(t, json.NewDecoder(resp.Body).Decode(&told))
	for _, uri := range []string{to, told.URI} {
		path, ours := strings.CutPrefix(uri, e.issuer)
		page := b.get(path + "?lang=en")
		if !ours || page.status != http.StatusOK || !strings.Contains(page.body, "What to change") {
			t.Errorf("%q: %d", uri, page.status)
		}
	}
	for _, entry := range oauth.Entries() {
		if page := b.get(entry.Path()); page.status != http.StatusOK {
			t.Errorf("%s: %d", entry.Path(), page.status)
		}
	}
	if page := b.get("/developer/errors/none"); page.status != http.StatusNotFound {
		t.Errorf("no such entry: %d", page.status)
	}
	if page := b.get("/developer/errors"); page.status != http.StatusOK || strings.Count(page.body, `href="/developer/errors/`) != len(oauth.Entries()) {
		t.Errorf("the list: %d", page.status)
	}
}

func TestOnlyTheClientsDeveloperSeesItsRequests(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	ctx := context.Background()
	app, err := e.op.Clients().Get(ctx, "app")
	must(t, err)
	app.TokenHash, app.PreviousSecretHash, app.PreviousSecretEnds = client.HashSecret("registration token"), client.HashSecret("previous"), e.clock.Now().Add(time.Hour)
	must(t, e.op.Clients().Put(ctx, app))
	const page = "/developer/clients/app"

	if a := e.browser().get(page); a.at.Path != "/developer" {
		t.Errorf("not signed in: at %s", a.at)
	}
	for name, secret := range map[string]string{"secret": e.secret, "previous secret": "previous", "registration access token": "registration token"} {
		if a := e.browser().developer("app", secret); a.status != http.StatusOK || a.at.Path != page {
			t.Errorf("%s: %d at %s", name, a.status, a.at)
		}
	}
	wrong, unknown := e.browser().developer("app", "wrong"), e.browser().developer("nobody", "wrong")
	if wrong.status != http.StatusForbidden || unknown.status != http.StatusForbidden || strings.Contains(wrong.body, "Last requests</h1>") ||
		strings.Contains(unknown.body, "wrong.") != strings.Contains(wrong.body, "wrong.") {
		t.Errorf("a wrong secret %d, an unknown client %d", wrong.status, unknown.status)
	}
	if a := e.browser().developer("signed", ""); a.status != http.StatusForbidden {
		t.Errorf("a client without secret and token: %d", a.status)
	}
	other := e.browser()
	other.developer("other", e.secret)
	if a := other.get("/developer/clients/other"); a.status != http.StatusOK {
		t.Errorf("the twin: %d", a.status)
	}
	if a := other.get(page); a.status != http.StatusNotFound {
		t.Errorf("another client's developer: %d", a.status)
	}

	e.clock.add(2 * time.Hour)
	if a := e.browser().developer("app", "previous"); a.status != http.StatusForbidden {
		t.Errorf("the previous secret after its end: %d", a.status)
	}
}

func TestADevelopersSessionEnds(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	const page = "/developer/clients/app"
	b := e.browser()
	b.developer("app", e.secret)
	e.clock.add(29 * time.Minute)
	if a := b.get(page); a.status != http.StatusOK || a.at.Path != page {
		t.Errorf("the twin, after 29 minutes: %d at %s", a.status, a.at)
	}
	e.clock.add(2 * time.Minute)
	if a := b.get(page); a.at.Path != "/developer" {
		t.Errorf("after 31 minutes: at %s", a.at)
	}
	b.developer("app", e.secret)
	app, err := e.op.Clients().Get(context.Background(), "app")
	must(t, err)
	app.SecretHash = client.HashSecret("a new secret")
	must(t, e.op.Clients().Put(context.Background(), oidc.Client(app)))
	if a := b.get(page); a.status != http.StatusNotFound {
		t.Errorf("after the secret was changed: %d", a.status)
	}
	b = e.browser()
	shown := b.developer("app", "a new secret")
	if a := b.post("/developer/leave", url.Values{"csrf": {"x"}}, "Sec-Fetch-Site", "cross-site"); a.status != http.StatusForbidden {
		t.Errorf("E01 another site signs her out: %d", a.status)
	}
	if a := b.post("/developer/leave", url.Values{"csrf": {field(t, csrfField, shown.body)}}); a.at.Path != "/developer" {
		t.Errorf("the twin, by form token: %d at %s", a.status, a.at)
	}
	if a := b.get(page); a.at.Path != "/developer" {
		t.Errorf("after signing out: at %s", a.at)
	}
}

func TestE01SigningInIsOfOurOwnForm(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	form := func() (*browser, url.Values) {
		b := e.browser()
		a := b.get("/developer")
		for _, c := range a.header["Set-Cookie"] {
			if !strings.HasPrefix(c, "__Host-hufu-developer=") || !strings.Contains(c, "HttpOnly") || !strings.Contains(c, "Secure") || !strings.Contains(c, "SameSite=Strict") {
				t.Errorf("cookie %s", c)
			}
		}
		return b, url.Values{"client": {"app"}, "secret": {e.secret}, "csrf": {field(t, csrfField, a.body)}}
	}
	b, v := form()
	if a := b.post("/developer", v); a.status != http.StatusOK {
		t.Errorf("the twin, by form token: %d", a.status)
	}
	b, v = form()
	if a := b.post("/developer", v, "Sec-Fetch-Site", "cross-site"); a.status != http.StatusForbidden {
		t.Errorf("from another site: %d", a.status)
	}
	b, v = form()
	v.Del("csrf")
	if a := b.post("/developer", v); a.status != http.StatusForbidden {
		t.Errorf("without a token: %d", a.status)
	}
	_, v = form()
	if a := e.browser().post("/developer", v); a.status != http.StatusForbidden {
		t.Errorf("with another browser's token: %d", a.status)
	}
}

func TestEveryStepIsInTheTrail(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1)
	app, err := e.op.Clients().Get(context.Background(), "app")
	must(t, err)
	app.GrantTypes = append(app.GrantTypes, client.RefreshToken)
	must(t, e.op.Clients().Put(context.Background(), app))
	post := func(path string, form url.Values, into any) {
		t.Helper()
		req, err := http.NewRequest(http.MethodPost, e.issuer+path, strings.NewReader(form.Encode()))
		must(t, err)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Authorization", basic("app", e.secret))
		resp, err := http.DefaultClient.Do(req)
		must(t, err)
		defer resp.Body.Close()
		if resp.StatusCode >= 300 {
			t.Fatalf("%s: %d", path, resp.StatusCode)
		}
		if into != nil {
			must(t, json.NewDecoder(resp.Body).Decode(into))
		}
	}
	var pushed struct {
		URI string `json:"request_uri"`
	}
	post("/par", request("app"), &pushed)
	b := e.browser()
	code := b.login(url.Values{"client_id": {"app"}, "request_uri": {pushed.URI}}).location.Query().Get("code")
	var tok struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		ID      string `json:"id_token"`
	}
	post("/token", redeem(code), &tok)
	id := tok.ID
	e.userinfo(tok.Access)
	post("/token", url.Values{"grant_type": {client.RefreshToken}, "refresh_token": {tok.Refresh}}, &tok)
	post("/introspect", url.Values{"token": {tok.Access}}, nil)
	post("/revoke", url.Values{"token": {tok.Access}}, nil)
	e.userinfo(tok.Access) // revoked
	b.get("/logout?" + url.Values{"id_token_hint": {id}, "post_logout_redirect_uri": {"https://rp.example/elsewhere"}}.Encode())
	e.clock.add(time.Hour)
	e.userinfo(tok.Access) // expired
	var told []string
	seen := map[trail.Step]int{}
	for _, entry := range e.trail("app") {
		seen[entry.Step]++
		if !entry.OK {
			told = append(told, string(entry.Step)+" "+entry.Reason+entry.Detail[trail.DiffersAt])
		}
	}
	for _, step := range []trail.Step{trail.Push, trail.Authorize, trail.Login, trail.Consent, trail.Code, trail.Token, trail.Refresh, trail.Introspect, trail.Revoke} {
		if seen[step] != 1 {
			t.Errorf("%s stands %d times", step, seen[step])
		}
	}
	for _, want := range []string{"userinfo token revoked", "userinfo token claims", "logout 19"} {
		if !strings.Contains(strings.Join(told, "\n"), want) {
			t.Errorf("%q is not among the refusals: %q", want, told)
		}
	}
	page := e.browser().developer("app", e.secret)
	if n := strings.Count(page.body, "<summary><span class=\"n\">"); n != 2 {
		t.Errorf("%d groups, want the login with all that came of it, and the logout", n)
	}
}
