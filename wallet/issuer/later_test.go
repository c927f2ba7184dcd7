package issuer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/wallet/issuer"
)

// byHand makes the traffic police release by hand.
func (w *world) byHand() {
	w.t.Helper()
	w.register.set(func() { w.register.byHand = true })
	must(w.t, w.issuer.Reload(context.Background()))
}

// grantToken is a token of Li Xiuying's of a grant.
func (w *world) grantToken(name, grant, person string) string {
	return w.tokens.put(name, w.issuer.Identifier(traffic), issuer.AccessToken{GrantID: grant, PersonID: person, ClientID: "wallet",
		Scopes: []string{driving}, ACR: "loa3"})
}

// said is a Credential Response.
type said struct {
	Credentials []struct {
		Credential string `json:"credential"`
	} `json:"credentials"`
	Notification string `json:"notification_id"`
	Transaction  string `json:"transaction_id"`
	Interval     int64  `json:"interval"`
}

func (a answer) said(t testing.TB, status int) (s said) {
	t.Helper()
	if a.status != status {
		t.Fatalf("%d %s, not %d", a.status, a.body, status)
	}
	must(t, json.Unmarshal(a.body, &s))
	return s
}

func (w *world) post(endpoint, bearer string, members map[string]any) answer {
	w.t.Helper()
	b, err := json.Marshal(members)
	must(w.t, err)
	return w.send("POST", "/i/"+traffic+"/"+endpoint, "application/json", string(b), "Authorization", "Bearer "+bearer)
}

func (w *world) fetch(bearer, id string) answer {
	w.t.Helper()
	return w.post("deferred_credential", bearer, map[string]any{"transaction_id": id})
}

// promised asks for a credential and gets a promise.
func (w *world) promised(bearer string) string {
	w.t.Helper()
	return w.request(bearer, credentialBody(w.proof(nil))).said(w.t, 202).Transaction
}

func (w *world) decide(department, body string) answer {
	w.t.Helper()
	return w.send("POST", "/register/v1/releases", "application/json", body, "X-Department", department)
}

func decision(state, reason string) string {
	b, _ := json.Marshal(map[string]string{"licence": licenceLi, "state": state, "reason": reason})
	return strings.Replace(string(b), `"reason":"",`, "", 1)
}

func (w *world) releases(department, query string) (list []map[string]string) {
	w.t.Helper()
	var v struct {
		Releases []map[string]string `json:"releases"`
	}
	a := w.send("GET", "/register/v1/releases"+query, "", "", "X-Department", department)
	if a.status != 200 || json.Unmarshal(a.body, &v) != nil || v.Releases == nil {
		w.t.Fatalf("%d %s", a.status, a.body)
	}
	return v.Releases
}

func eachByHand(t *testing.T, run func(t *testing.T, w *world)) {
	each(t, func(t *testing.T, w *world) { w.byHand(); run(t, w) })
}

// second is another node with an address of its own.
func (w *world) second() string {
	n := w.another()
	router := mux.NewRouter().SkipClean(true).UseEncodedPath()
	n.issuer.Routes(router)
	s := httptest.NewServer(httpx.Wrap(router, httpx.Options{}))
	w.t.Cleanup(s.Close)
	return s.URL
}

func TestDeferredIsPromisedThenGivenOnceP09(t *testing.T) {
	eachByHand(t, func(t *testing.T, w *world) {
		token := w.grantToken("one", "grant", personLi)
		first := w.request(token, credentialBody(w.proof(nil))).said(t, 202)
		if first.Transaction == "" || first.Interval != 300 || first.Credentials != nil || first.Notification != "" {
			t.Fatalf("%+v", first)
		}
		if w.count("issuer_issuances")+w.count("status_entries") != 0 || w.audited("issuer.credential_deferred") != 1 {
			t.Error("something was issued, or the promise is not in the audit log")
		}
		for range 2 {
			if again := w.fetch(token, first.Transaction).said(t, 202); again.Transaction != first.Transaction || again.Interval != 300 || again.Credentials != nil {
				t.Errorf("%+v", again)
			}
		}
		waiting := w.releases(traffic, "")
		if len(waiting) != 1 || waiting[0]["licence"] != licenceLi || waiting[0]["state"] != "waiting" || w.count("issuer_pending") != 1 {
			t.Errorf("%v", waiting)
		}
		if a := w.decide(traffic, decision("released", "")); a.status != 200 || w.audited("issuer.release_decided") != 1 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		// A refreshed token is of the same grant.
		given := w.fetch(w.grantToken("two", "grant", personLi), first.Transaction).said(t, 200)
		if len(given.Credentials) != 1 || given.Credentials[0].Credential == "" || given.Notification == "" || given.Transaction != "" || given.Interval != 0 {
			t.Errorf("%+v", given)
		}
		if a := w.fetch(token, first.Transaction); a.status != 400 || a.code() != "invalid_transaction_id" || w.count("issuer_issuances") != 1 {
			t.Errorf("after delivery: %d %s", a.status, a.body)
		}
		// A wallet whose answer was lost asks anew, and waits no more.
		if got := w.request(token, credentialBody(w.proof(nil))).said(t, 200); len(got.Credentials) != 1 {
			t.Errorf("%+v", got)
		}
	})
}

func TestDeferredIDIsOfOneGrantP09(t *testing.T) {
	eachByHand(t, func(t *testing.T, w *world) {
		mine := w.grantToken("mine", "grant", personLi)
		id := w.promised(mine)
		w.decide(traffic, decision("released", ""))
		elsewhere := w.tokens.put("elsewhere", w.issuer.Identifier(market), issuer.AccessToken{GrantID: "grant", PersonID: personLi, Scopes: []string{driving}, ACR: "loa3"})
		for name, c := range map[string]struct {
			bearer string
			id     any
			want   string
		}{
			"P09 another grant of hers": {w.grantToken("her-other", "grant-2", personLi), id, "invalid_transaction_id"},
			"P09 another person":        {w.grantToken("his", "grant-3", "person-wang"), id, "invalid_transaction_id"},
			"P09 guessed":               {mine, strings.Repeat("A", 32), "invalid_transaction_id"},
			"P09 a letter more":         {mine, id + "A", "invalid_transaction_id"},
			"P09 long":                  {mine, strings.Repeat("A", 60000), "invalid_transaction_id"},
			"null":                      {mine, nil, "invalid_credential_request"},
			"empty":                     {mine, "", "invalid_credential_request"},
			"a number":                  {mine, 7, "invalid_credential_request"},
			"a list":                    {mine, []string{id}, "invalid_credential_request"},
		} {
			if a := w.post("deferred_credential", c.bearer, map[string]any{"transaction_id": c.id}); a.status != 400 || a.code() != c.want {
				t.Errorf("%s: %d %s", name, a.status, a.body)
			}
		}
		body := fmt.Sprintf(`{"transaction_id":%q}`, id)
		if a := w.send("POST", "/i/"+market+"/deferred_credential", "application/json", body, "Authorization", "Bearer "+elsewhere); a.code() != "invalid_transaction_id" {
			t.Errorf("another authority: %d %s", a.status, a.body)
		}
		if a := w.send("POST", "/i/"+traffic+"/deferred_credential", "application/json", body); a.status != 401 {
			t.Errorf("no token: %d %s", a.status, a.body)
		}
		if n := w.count("issuer_issuances"); n != 0 {
			t.Errorf("%d issued", n)
		}
		w.post("deferred_credential", mine, map[string]any{"transaction_id": id, "unknown": true}).said(t, 200)
	})
}

func TestDeferredEndsP09(t *testing.T) {
	eachByHand(t, func(t *testing.T, w *world) {
		token := w.grantToken("mine", "grant", personLi)
		early, late := w.promised(token), w.promised(token)
		w.decide(traffic, decision("released", ""))
		w.advance(30*24*time.Hour - time.Second)
		w.fetch(token, early).said(t, 200)
		w.advance(time.Second)
		if a := w.fetch(token, late); a.status != 400 || a.code() != "invalid_transaction_id" {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
}

func TestDeferredIsTakenOnceOnTwoNodesP09(t *testing.T) {
	eachByHand(t, func(t *testing.T, w *world) {
		token := w.grantToken("mine", "grant", personLi)
		id := w.promised(token)
		w.decide(traffic, decision("released", ""))
		nodes := []string{w.server.URL, w.second()}
		answers := make([]answer, 10)
		var wg sync.WaitGroup
		for n := range answers {
			wg.Go(func() {
				answers[n] = w.send("POST", nodes[n%2]+"/i/"+traffic+"/deferred_credential", "application/json", fmt.Sprintf(`{"transaction_id":%q}`, id),
					"Authorization", "Bearer "+token)
			})
		}
		wg.Wait()
		given := 0
		for _, a := range answers {
			switch {
			case a.status == 200:
				given++
			case a.status != 400 || a.code() != "invalid_transaction_id":
				t.Errorf("%d %s", a.status, a.body)
			}
		}
		if n := w.count("issuer_issuances"); given != 1 || n != 1 {
			t.Errorf("given %d times, %d recorded", given, n)
		}
	})
}

// What was true when a request was deferred may have changed. A refusal uses nothing up: what was refused for a while can be had later.
func TestDeferredAsThingsAreNowP09(t *testing.T) {
	eachByHand(t, func(t *testing.T, w *world) {
		for name, c := range map[string]struct{ do, undo func() }{
			"P09 refused": {func() { w.decide(traffic, decision("refused", "photo")) }, func() { w.decide(traffic, decision("released", "")) }},
			"P09 licence withdrawn": {func() { w.register.state[licenceLi] = issuer.ErrNotInForce },
				func() { delete(w.register.state, licenceLi) }},
			"P09 person suspended": {func() { w.register.who[personLi] = true }, func() { delete(w.register.who, personLi) }},
			"P09 another holder":   {func() { w.register.holders[licenceLi] = "person-wang" }, func() { w.register.holders[licenceLi] = personLi }},
		} {
			_, err := w.db.Exec(context.Background(), `DELETE FROM issuer_releases`)
			must(t, err)
			token := w.personToken("loa3")
			id := w.promised(token)
			w.decide(traffic, decision("released", ""))
			denied, issued := w.audited("issuer.credential_denied"), w.count("issuer_issuances")
			w.change1(name, c.do)
			a := w.fetch(token, id)
			if a.status != 400 || a.code() != "credential_request_denied" || w.audited("issuer.credential_denied") != denied+1 || w.count("issuer_issuances") != issued {
				t.Errorf("%s: %d %s", name, a.status, a.body)
			}
			w.change1(name, c.undo)
			w.fetch(token, id).said(t, 200)
		}
	})
}

// change1 changes the register under its lock, or asks the server, which takes the lock itself.
func (w *world) change1(name string, fn func()) {
	if name == "P09 refused" {
		fn()
		return
	}
	w.register.set(fn)
}

func TestReleasesAreTheAuthoritysOwn(t *testing.T) {
	eachByHand(t, func(t *testing.T, w *world) {
		token := w.personToken("loa3")
		id := w.promised(token)
		if l := w.releases(market, ""); len(l) != 0 {
			t.Errorf("another's are listed: %v", l)
		}
		for name, c := range map[string]struct {
			department, body string
			status           int
		}{
			"another's":         {market, decision("released", ""), 404},
			"unknown":           {traffic, strings.Replace(decision("released", ""), "LI1", "LI9", 1), 404},
			"nobody":            {"", decision("released", ""), 401},
			"no authority":      {"1199440000TRY00000X", decision("released", ""), 403},
			"waiting":           {traffic, decision("waiting", ""), 400},
			"another state":     {traffic, decision("Released", ""), 400},
			"refused, no word":  {traffic, decision("refused", ""), 400},
			"a long word":       {traffic, decision("refused", strings.Repeat("x", 501)), 400},
			"no licence":        {traffic, `{"state":"released"}`, 400},
			"null":              {traffic, `null`, 400},
			"a member twice":    {traffic, `{"state":"refused",` + decision("released", "")[1:], 400},
			"larger than 16KiB": {traffic, strings.Repeat(" ", 17<<10) + decision("released", ""), 413},
		} {
			if a := w.decide(c.department, c.body); a.status != c.status {
				t.Errorf("%s: %d %s", name, a.status, a.body)
			}
		}
		if a := w.send("POST", "/register/v1/releases", "text/plain", decision("released", ""), "X-Department", traffic); a.status != 415 {
			t.Errorf("a text: %d", a.status)
		}
		if a := w.send("GET", "/register/v1/releases?state=open", "", "", "X-Department", traffic); a.status != 400 {
			t.Errorf("another state: %d", a.status)
		}
		w.fetch(token, id).said(t, 202)
		if n := w.audited("issuer.release_decided"); n != 0 {
			t.Errorf("%d decisions", n)
		}
		// What is suspended is as unknown to another authority as what is in force.
		w.register.set(func() { w.register.state[licenceLi] = issuer.ErrNotInForce })
		if a, b := w.decide(market, decision("released", "")), w.decide(traffic, decision("released", "")); a.status != 404 || b.status != 409 {
			t.Errorf("%d %s, %d %s", a.status, a.body, b.status, b.body)
		}
		offer := func(department string) answer {
			return w.send("POST", "/register/v1/offers", "application/json", fmt.Sprintf(`{"licence":%q}`, licenceLi), "X-Department", department)
		}
		if a, b := offer(market), offer(traffic); a.status != 404 || b.status != 409 {
			t.Errorf("offers: %d %s, %d %s", a.status, a.body, b.status, b.body)
		}
		w.register.set(func() { clear(w.register.state) })
		asked := w.releases(traffic, "?state=waiting")[0]["requested_at"]
		w.advance(time.Minute)
		for n := range 2 {
			a := w.decide(traffic, decision("released", ""))
			var v map[string]string
			if json.Unmarshal(a.body, &v) != nil || a.status != 200 || v["state"] != "released" || v["requested_at"] != asked || v["decided_at"] == asked {
				t.Errorf("%d: %d %s, asked for %s", n, a.status, a.body, asked)
			}
		}
		if len(w.releases(traffic, "")) != 0 || len(w.releases(traffic, "?state=released")) != 1 || w.audited("issuer.release_decided") != 2 {
			t.Error("not among the released, or not in the audit log")
		}
		w.fetch(token, id).said(t, 200)
	})
}

func TestReleaseAndRefusalRaced(t *testing.T) {
	eachByHand(t, func(t *testing.T, w *world) {
		token := w.personToken("loa3")
		id := w.promised(token)
		nodes := []string{w.server.URL, w.second()}
		answers := make([]answer, 8)
		var wg sync.WaitGroup
		for n := range answers {
			wg.Go(func() {
				body := []string{decision("released", ""), decision("refused", "no")}[n%2]
				answers[n] = w.send("POST", nodes[n/2%2]+"/register/v1/releases", "application/json", body, "X-Department", traffic)
			})
		}
		wg.Wait()
		for n, a := range answers {
			var v map[string]string
			if json.Unmarshal(a.body, &v) != nil || a.status != 200 || v["state"] != []string{"released", "refused"}[n%2] {
				t.Errorf("%d %s", a.status, a.body)
			}
		}
		released, refused := w.releases(traffic, "?state=released"), w.releases(traffic, "?state=refused")
		if len(released)+len(refused) != 1 || w.audited("issuer.release_decided") != len(answers) {
			t.Fatalf("%v %v", released, refused)
		}
		if len(released) == 1 && released[0]["reason"] != "" {
			t.Errorf("%v", released)
		}
		want := 400
		if len(released) == 1 {
			want = 200
		}
		if a := w.fetch(token, id); a.status != want {
			t.Errorf("%d %s, not %d", a.status, a.body, want)
		}
	})
}

func TestNotificationP09(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		mine := w.grantToken("mine", "grant", personLi)
		id := w.request(mine, credentialBody(w.proof(nil))).said(t, 200).Notification
		news := 0
		for _, event := range []string{"credential_accepted", "credential_failure", "credential_deleted"} {
			news++
			for _, description := range []any{"all is well", "in other words"} {
				w.advance(time.Second)
				a := w.post("notification", mine, map[string]any{"notification_id": id, "event": event, "event_description": description, "unknown": 1})
				if n := w.audited("issuer.notified"); a.status != 204 || len(a.body) != 0 || n != news {
					t.Errorf("%s: %d %q, %d events", event, a.status, a.body, n)
				}
			}
		}
		for name, c := range map[string]struct {
			bearer string
			id     any
			event  any
			words  any
			want   string
		}{
			"P09 another grant of hers": {w.grantToken("her-other", "grant-2", personLi), id, "credential_accepted", "x", "invalid_notification_id"},
			"P09 another person":        {w.grantToken("his", "grant-3", "person-wang"), id, "credential_accepted", "x", "invalid_notification_id"},
			"P09 guessed":               {mine, strings.Repeat("A", 32), "credential_accepted", "x", "invalid_notification_id"},
			"id null":                   {mine, nil, "credential_accepted", "x", "invalid_notification_request"},
			"id empty":                  {mine, "", "credential_accepted", "x", "invalid_notification_request"},
			"event unknown":             {mine, id, "credential_sold", "x", "invalid_notification_request"},
			"event of another case":     {mine, id, "Credential_Accepted", "x", "invalid_notification_request"},
			"event a number":            {mine, id, 1, "x", "invalid_notification_request"},
			"words with a quote":        {mine, id, "credential_accepted", `"`, "invalid_notification_request"},
			"words with a line":         {mine, id, "credential_accepted", "a\nb", "invalid_notification_request"},
			"words a number":            {mine, id, "credential_accepted", 1, "invalid_notification_request"},
		} {
			a := w.post("notification", c.bearer, map[string]any{"notification_id": c.id, "event": c.event, "event_description": c.words})
			if a.status != 400 || a.code() != c.want {
				t.Errorf("%s: %d %s", name, a.status, a.body)
			}
		}
		path := "/i/" + traffic + "/notification"
		for _, body := range []string{"", "no JSON", "null", "[]", "{}", `{"event":"credential_accepted"}`, strings.Repeat(`{"a":`, 1000)} {
			if a := w.send("POST", path, "application/json", body, "Authorization", "Bearer "+mine); a.status != 400 || a.code() != "invalid_notification_request" {
				t.Errorf("%.20s: %d %s", body, a.status, a.body)
			}
		}
		if a := w.send("POST", path, "application/json", "{}"); a.status != 401 || a.header.Get("WWW-Authenticate") == "" {
			t.Errorf("no token: %d", a.status)
		}
		if n := w.audited("issuer.notified"); n != news {
			t.Errorf("%d events", n)
		}
		w.advance(time.Second)
		if a := w.post("notification", mine, map[string]any{"notification_id": id, "event": "credential_accepted"}); a.status != 204 || w.audited("issuer.notified") != news+1 {
			t.Errorf("%d %s", a.status, a.body)
		}
	})
}
