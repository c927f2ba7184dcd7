//go:build conformance

package faults_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/apptest"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sample"
	"github.com/hufu-id/hufu/internal/sample/records"
	"github.com/hufu-id/hufu/internal/sample/wallet"
	"github.com/hufu-id/hufu/internal/sqlstore"
)

const preAuthorizedGrant = "urn:ietf:params:oauth:grant-type:pre-authorized_code"

// TestRaceSingleUseThingsOverTwoNodes fires 20 copies of each of 200 single-use things at two processes at once. One copy of each wins,
// the others get the error of the protocol, and nothing ends in a 5xx (B07 and its like).
func TestRaceSingleUseThingsOverTwoNodes(t *testing.T) {
	eachEngine(t, func(t *testing.T, engine sqlstore.Engine) {
		c := newCluster(t, engine)
		t.Run("authorization code", c.raceCodes)
		t.Run("upstream state", c.raceStates)
		t.Run("first login", c.raceFirstLogins)
		t.Run("client assertion", c.raceAssertions)
		c.importLicence(t)
		t.Run("tx_code tries", c.raceTries)
		tokens := c.racePreAuthorized(t)
		t.Run("nonce and key proof", func(t *testing.T) { c.raceProofs(t, tokens) })
		t.Run("credentials of one grant", func(t *testing.T) { c.raceGrants(t, tokens) })
	})
}

func (c *cluster) browser(t *testing.T, stopAt string) *apptest.Browser {
	b := apptest.NewBrowser(t)
	b.Use(c.http.Transport)
	b.StopAt = []string{stopAt}
	return b
}

// verifier is a PKCE verifier; every code has its own in real life, but a race needs none of that.
const verifier = "a-verifier-that-is-long-enough-for-rfc-7636-x"

func authorizeURL(state string) string {
	sum := sha256.Sum256([]byte(verifier))
	return origin + "/authorize?" + url.Values{"response_type": {"code"}, "client_id": {rpID}, "redirect_uri": {rpCallback}, "scope": {"openid profile"},
		"state": {state}, "code_challenge_method": {"S256"}, "code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}}.Encode()
}

var liXiuying = apptest.Person{Slug: "li-xiuying", Province: provinceCode}

func (c *cluster) basic() map[string]string {
	return map[string]string{"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(rpID+":"+c.secret))}
}

// raceCodes redeems each code 20 times at once. The codes live for a minute, so they are made in parts.
func (c *cluster) raceCodes(t *testing.T) {
	b := c.browser(t, rpCallback)
	page := b.Get(authorizeURL("first")).LogIn(liXiuying).ClickWith("consent-allow", url.Values{"term": {"standing"}})
	if page.URL.Query().Get("code") == "" {
		t.Fatalf("no code at the end of the login: %s", page)
	}
	const part = 40
	r := &result{name: "authorization code"}
	for done := 0; done < things; done += part {
		var codes []string
		for range part {
			back := b.Get(authorizeURL("again")).URL.Query()
			if back.Get("code") == "" || back.Get("iss") != origin {
				t.Fatalf("no code but %v", back)
			}
			codes = append(codes, back.Get("code"))
		}
		c.race(t, r, part, rule{winners: 1, won: ok, lost: jsonError(http.StatusBadRequest, "invalid_grant")}, func(i int) []shot {
			return same(postForm("/token", url.Values{"grant_type": {"authorization_code"}, "code": {codes[i]}, "redirect_uri": {rpCallback},
				"code_verifier": {verifier}}, c.basic()))
		})
	}
	r.report(t)
	if n := count(t, c.db, `SELECT COUNT(*) FROM audit_events WHERE kind = 'oidc.code_redeemed'`); n != things {
		t.Errorf("the trail knows %d redeemed codes, want %d", n, things)
	}
	// A code that came back is answered by revoking what it gave: on both nodes.
	for i, a := range r.winning[:10] {
		if got := c.send(i%2, shot{method: http.MethodGet, path: "/userinfo", header: bearer(tokenOf(t, a))}); got.status != http.StatusUnauthorized {
			t.Errorf("the token of a code that was used twice still works: %s", got)
		}
	}
	// The twin: a code that came once gives a token that works on the other node.
	code := b.Get(authorizeURL("once")).URL.Query().Get("code")
	a := c.send(0, postForm("/token", url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {rpCallback}, "code_verifier": {verifier}}, c.basic()))
	if got := c.send(1, shot{method: http.MethodGet, path: "/userinfo", header: bearer(tokenOf(t, a))}); got.status != http.StatusOK {
		t.Errorf("the token of a code that was used once: %s", got)
	}
}

func bearer(token string) map[string]string {
	return map[string]string{"Authorization": "Bearer " + token}
}

func tokenOf(t *testing.T, a answer) string {
	t.Helper()
	var body struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(a.body), &body); err != nil || body.AccessToken == "" {
		t.Fatalf("no access token in %s: %s", a, a.body)
	}
	return body.AccessToken
}

// callback goes to the province with a browser of its own and returns the request that comes back from there.
func (c *cluster) callback(t *testing.T, who apptest.Person) shot {
	b := c.browser(t, origin+"/callback/")
	page := b.Get(authorizeURL("state")).LogIn(who)
	var cookies []string
	for _, ck := range b.Cookies(page.URL.String()) {
		cookies = append(cookies, ck.Name+"="+ck.Value)
	}
	return shot{method: http.MethodGet, path: page.URL.RequestURI(), header: map[string]string{"Cookie": strings.Join(cookies, "; "), "Accept": "text/html"}}
}

// raceFirstLogins logs each of three people in for the first time from 20 browsers at once: all are let in, as one person.
func (c *cluster) raceFirstLogins(t *testing.T) {
	people := []string{"he-jiaming", "ayiguli-maimaiti", "liu-yang"}
	before := count(t, c.db, `SELECT COUNT(*) FROM identity_persons`)
	r := &result{name: "first login"}
	c.race(t, r, len(people), rule{winners: copies,
		won:  func(a answer) bool { return a.err == nil && a.status == http.StatusSeeOther },
		lost: func(answer) bool { return false },
	}, func(i int) []shot {
		shots := make([]shot, copies)
		for k := range shots {
			shots[k] = c.callback(t, apptest.Person{Slug: people[i], Province: provinceCode})
		}
		return shots
	})
	r.report(t)
	if n := count(t, c.db, `SELECT COUNT(*) FROM identity_persons`) - before; n != int64(len(people)) {
		t.Errorf("%d people logged in and became %d persons", len(people), n)
	}
}

// raceStates brings the answer of a province back 20 times at once. The province would take its code every time.
func (c *cluster) raceStates(t *testing.T) {
	const part = 40 // what a province gives lives for a minute, too
	sessions := count(t, c.db, `SELECT COUNT(*) FROM oidc_sessions`)
	r := &result{name: "upstream state"}
	for range things / part {
		var shots []shot
		for range part {
			shots = append(shots, c.callback(t, liXiuying))
		}
		c.race(t, r, part, rule{winners: 1,
			won:  func(a answer) bool { return a.err == nil && a.status == http.StatusSeeOther },
			lost: func(a answer) bool { return a.err == nil && a.status == http.StatusBadRequest && a.kind == "text/html" },
		}, func(i int) []shot { return same(shots[i]) })
	}
	r.report(t)
	if n := count(t, c.db, `SELECT COUNT(*) FROM oidc_sessions`) - sessions; n != things {
		t.Errorf("%d sessions were made, want %d", n, things)
	}
}

func (c *cluster) assertion(jti string) (url.Values, error) {
	now := time.Now()
	text, err := jose.SignJSON(c.key, jose.Header{Typ: "JWT"}, map[string]any{"iss": registerID, "sub": registerID, "aud": origin, "jti": jti,
		"iat": now.Unix(), "exp": now.Add(time.Minute).Unix()})
	return url.Values{"grant_type": {"client_credentials"}, "scope": {"register"}, "client_assertion": {text},
		"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}}, err
}

// raceAssertions uses each client assertion 20 times at once.
func (c *cluster) raceAssertions(t *testing.T) {
	r := &result{name: "client assertion"}
	c.race(t, r, things, rule{winners: 1, won: ok, lost: jsonError(http.StatusUnauthorized, "invalid_client")}, func(int) []shot {
		form, err := c.assertion(rand.Text())
		if err != nil {
			t.Fatal(err)
		}
		return same(postForm("/token", form, nil))
	})
	r.report(t)
	if n := count(t, c.db, `SELECT COUNT(*) FROM audit_events WHERE kind = 'oidc.client_token_issued'`); n != things {
		t.Errorf("the trail knows %d tokens, want %d", n, things)
	}
}

// department returns headers by which the traffic police is known.
func (c *cluster) department(t *testing.T) map[string]string {
	t.Helper()
	form, err := c.assertion(rand.Text())
	if err != nil {
		t.Fatal(err)
	}
	h := bearer(tokenOf(t, c.send(0, postForm("/token", form, nil))))
	h["Content-Type"] = "application/json"
	return h
}

func (c *cluster) importLicence(t *testing.T) {
	t.Helper()
	p, _ := sample.NewWorld().Person("li-xiuying")
	record, err := json.Marshal([]any{map[string]any{"type": licenceType, "record_number": "RACE-1", "valid_from": "2023-05-21", "valid_to": "2029-05-21",
		"holder": map[string]any{"name": p.Name, "code": p.ResidentID, "code_type": "111", "reference": p.Slug},
		"fields": records.Driving(p, "C1", "2023-05-21", "994400000001")}})
	if err != nil {
		t.Fatal(err)
	}
	a := c.send(1, shot{http.MethodPost, "/register/v1/licences", c.department(t), string(record), 0})
	if a.status/100 != 2 || !strings.Contains(a.body, `"created"`) {
		t.Fatalf("import: %s: %s", a, a.body)
	}
}

// offer is a credential offer as the wallet and the person have it.
type offer struct{ code, txCode string }

func (c *cluster) offers(t *testing.T, n int) []offer {
	t.Helper()
	out, header := make([]offer, n), c.department(t)
	prepare(t, n, func(i int) error {
		var made struct {
			Value  string `json:"offer_value_uri"`
			TxCode string `json:"tx_code"`
		}
		if err := c.do(i, shot{http.MethodPost, "/register/v1/offers", header, `{"person":"li-xiuying","type":"driving-licence"}`, 0}, http.StatusCreated, &made); err != nil {
			return err
		}
		o, err := wallet.New(wallet.Options{}).ReadOffer(context.Background(), made.Value)
		if err != nil || o.Grants.PreAuthorized == nil {
			return fmt.Errorf("offer %q: %v", made.Value, err)
		}
		out[i] = offer{o.Grants.PreAuthorized.Code, made.TxCode}
		return nil
	})
	return out
}

func redeem(code, txCode string) shot {
	return postForm("/token", url.Values{"grant_type": {preAuthorizedGrant}, "pre-authorized_code": {code}, "tx_code": {txCode}}, nil)
}

// wrong returns the k-th of twenty wrong guesses.
func wrong(txCode string, k int) string {
	var n int
	_, _ = fmt.Sscan(strings.TrimLeft(txCode, "0"), &n)
	return fmt.Sprintf("%06d", (n+1+k)%1_000_000)
}

// raceTries guesses 20 different wrong transaction codes at once: five are looked at, over both nodes together, and then the offer is dead.
func (c *cluster) raceTries(t *testing.T) {
	offers := c.offers(t, things+1)
	r := &result{name: "tx_code tries"}
	refused := jsonError(http.StatusBadRequest, "invalid_grant")
	c.race(t, r, things, rule{winners: 0, won: ok, lost: refused}, func(i int) []shot {
		shots := make([]shot, copies)
		for k := range shots {
			shots[k] = redeem(offers[i].code, wrong(offers[i].txCode, k))
		}
		return shots
	})
	r.report(t)
	if n := count(t, c.db, `SELECT COUNT(*) FROM issuer_offers WHERE tries = 5 AND redeemed_at = 0`); n != things {
		t.Errorf("%d offers ended after five tries, want %d", n, things)
	}
	if n := count(t, c.db, `SELECT COUNT(*) FROM audit_events WHERE kind IN ('issuer.tx_code_wrong', 'issuer.offer_ended')`); n != 5*things {
		t.Errorf("the trail knows %d wrong tries, want %d", n, 5*things)
	}
	for i, o := range offers[:20] {
		if a := c.send(i%2, redeem(o.code, o.txCode)); !refused(a) {
			t.Errorf("the right transaction code after five wrong ones: %s", a)
		}
	}
	// The twin: after four wrong ones the right one is good.
	last := offers[things]
	for k := range 4 {
		c.send(k%2, redeem(last.code, wrong(last.txCode, k)))
	}
	if a := c.send(1, redeem(last.code, last.txCode)); !ok(a) {
		t.Errorf("the right transaction code after four wrong ones: %s", a)
	}
}

// racePreAuthorized redeems each offer 20 times at once and returns the winners' access tokens.
func (c *cluster) racePreAuthorized(t *testing.T) []string {
	var tokens []string
	t.Run("pre-authorized code", func(t *testing.T) {
		before := count(t, c.db, `SELECT COUNT(*) FROM oidc_grants WHERE type = $1`, preAuthorizedGrant)
		offers := c.offers(t, things)
		r := &result{name: "pre-authorized code"}
		c.race(t, r, things, rule{winners: 1, won: ok, lost: jsonError(http.StatusBadRequest, "invalid_grant")}, func(i int) []shot {
			return same(redeem(offers[i].code, offers[i].txCode))
		})
		r.report(t)
		if n := count(t, c.db, `SELECT COUNT(*) FROM oidc_grants WHERE type = $1`, preAuthorizedGrant) - before; n != things {
			t.Errorf("%d grants were made, want %d", n, things)
		}
		for _, a := range r.winning {
			tokens = append(tokens, tokenOf(t, a))
		}
	})
	return tokens
}

// credentialRequests returns n credential requests over the given nonces, each with a key of its own.
func (c *cluster) credentialRequests(t *testing.T, token string, keys []jose.SigningKey, nonce func(k int) string) []shot {
	t.Helper()
	w := wallet.New(wallet.Options{})
	header := bearer(token)
	header["Content-Type"] = "application/json"
	shots := make([]shot, copies)
	for k := range shots {
		proof, err := w.Prove(wallet.Issuer{ID: credentialIssuer}, keys[k%len(keys)], nonce(k), true)
		if err != nil {
			t.Fatal(err)
		}
		body, err := json.Marshal(map[string]any{"credential_configuration_id": licenceType, "proofs": map[string]any{"jwt": []string{proof}}})
		if err != nil {
			t.Fatal(err)
		}
		shots[k] = shot{http.MethodPost, strings.TrimPrefix(credentialIssuer, origin) + "/credential", header, string(body), 0}
	}
	return shots
}

func (c *cluster) nonce(t *testing.T, turn int) string {
	t.Helper()
	var n struct {
		Nonce string `json:"c_nonce"`
	}
	if err := c.do(turn, shot{method: http.MethodPost, path: strings.TrimPrefix(credentialIssuer, origin) + "/nonce"}, http.StatusOK, &n); err != nil {
		t.Fatal(err)
	}
	return n.Nonce
}

func keyPair(t *testing.T) []jose.SigningKey {
	t.Helper()
	out := make([]jose.SigningKey, 2)
	for i := range out {
		var err error
		if out[i], err = jose.GenerateKey(jose.ES256); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// raceProofs answers one nonce with proofs of two keys, 20 at once.
func (c *cluster) raceProofs(t *testing.T, tokens []string) {
	issued := count(t, c.db, `SELECT COUNT(*) FROM issuer_issuances`)
	keys := keyPair(t)
	r := &result{name: "nonce and key proof"}
	c.race(t, r, len(tokens), rule{winners: 1, won: ok, lost: jsonError(http.StatusBadRequest, "invalid_nonce")}, func(i int) []shot {
		nonce := c.nonce(t, i)
		return c.credentialRequests(t, tokens[i], keys, func(int) string { return nonce })
	})
	r.report(t)
	if n := count(t, c.db, `SELECT COUNT(*) FROM issuer_issuances`) - issued; n != things {
		t.Errorf("%d credentials are recorded, want %d", n, things)
	}
	checkIssuances(t, c.db, credentialsOf(t, r.winning))
}

// raceGrants asks for more responses than a grant gives in a day, all with nonces of their own: forty, over both nodes. Each token gave one already and
// gives one for each shot of a first volley; of the second, all but one.
func (c *cluster) raceGrants(t *testing.T, tokens []string) {
	const grants, perDay = 8, 40
	keys := keyPair(t)
	r := &result{name: "credentials of one grant"}
	volley := func(winners int) {
		c.race(t, r, grants, rule{winners: winners, won: ok, lost: jsonError(http.StatusBadRequest, "credential_request_denied")}, func(i int) []shot {
			return c.credentialRequests(t, tokens[i], keys, func(k int) string { return c.nonce(t, k) })
		})
	}
	volley(copies)
	volley(perDay - 1 - copies)
	r.report(t)
	checkIssuances(t, c.db, credentialsOf(t, r.winning))
}

func credentialsOf(t *testing.T, answers []answer) []string {
	t.Helper()
	var out []string
	for _, a := range answers {
		var body struct {
			Credentials []struct {
				Credential string `json:"credential"`
			} `json:"credentials"`
		}
		if err := json.Unmarshal([]byte(a.body), &body); err != nil || len(body.Credentials) != 1 {
			t.Fatalf("no credential in %s: %s", a, a.body)
		}
		out = append(out, body.Credentials[0].Credential)
	}
	return out
}
