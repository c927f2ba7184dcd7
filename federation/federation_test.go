package federation_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hufu-id/hufu/federation/identity"
	"github.com/hufu-id/hufu/internal/sample"
)

func TestLoginThroughAProvince(t *testing.T) {
	eachEngine(t, func(t *testing.T, h *hub) {
		b := newBrowser(t)
		if p := h.login(b, "440000", "li-xiuying"); !p.loggedIn() || !strings.HasSuffix(p.body, " loa3") {
			t.Fatalf("%d %s", p.status, title(p))
		}
		login := h.flows.logins[0]
		person, err := h.persons.Person(context.Background(), login.PersonID)
		if err != nil {
			t.Fatal(err)
		}
		if person.Claims.Name != "李秀英" || person.ResidentID() != "99440119490312002X" || person.Claims.Birthdate != "1949-03-12" || login.Province != "440000" ||
			time.Since(login.AuthTime) > time.Minute || len(login.AMR) != 1 {
			t.Errorf("person %+v login %+v", person, login)
		}
		// Coming back she is the same person, and her province stands first.
		if p := h.login(b, "440000", "li-xiuying"); !p.loggedIn() || h.flows.logins[1].PersonID != login.PersonID {
			t.Errorf("another person the second time: %+v", h.flows.logins)
		}
		if n := h.count(`SELECT count(*) FROM identity_assurances`); n != 1 {
			t.Errorf("the repeated statement made %d lines in the ledger", n)
		}
	})
}

func TestClaimsAreSealedAtRest(t *testing.T) {
	eachEngine(t, func(t *testing.T, h *hub) {
		h.login(newBrowser(t), "440000", "li-xiuying")
		rows, err := h.db.Query(context.Background(), `SELECT province || subject || person_id || claims || digest || document FROM identity_links`)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var all string
			if err := rows.Scan(&all); err != nil {
				t.Fatal(err)
			}
			for _, secret := range []string{"李秀英", "99440119490312002X", "1949-03-12", "44-"} {
				if strings.Contains(all, secret) {
					t.Errorf("%q in clear", secret)
				}
			}
		}
	})
}

// TestRefusesAnswers is the table of wrong answers. Each fault is the only difference to the positive twin, which runs after
// it in a browser of its own.
func TestRefusesAnswers(t *testing.T) {
	eachEngine(t, func(t *testing.T, h *hub) {
		for _, c := range []struct {
			id    string
			fault sample.Fault
		}{
			{"I01/iss-parameter-missing", sample.NoIssParam}, {"I01/iss-parameter-of-another", sample.WrongIssParam},
			{"I02/aud-other", sample.WrongAudience}, {"I02/aud-list", sample.AudienceList}, {"I02/aud-missing", sample.NoAudience},
			{"I02/exp-missing", sample.NoExp}, {"I02/iat-missing", sample.NoIat}, {"I02/azp-other", sample.WrongAzp}, {"I02/old", sample.OldIat},
			{"I02/expired", sample.Expired}, {"I02/acr-with-nul", sample.OddACR}, {"I02/iss-other", sample.WrongIssuer}, {"I02/signature", sample.BadSignature},
			{"I02/typ-of-an-access-token", sample.WrongType}, {"I02/at-hash", sample.WrongAtHash}, {"I02/userinfo-of-another-subject", sample.ForeignUserinfo},
			{"I03/nonce-missing", sample.NoNonce}, {"I03/nonce-other", sample.WrongNonce},
		} {
			t.Run(c.id, func(t *testing.T) {
				before := h.rows()
				events := h.count(`SELECT count(*) FROM audit_events WHERE kind = 'federation.answer_refused'`)
				h.provinces["440000"].SetFault(c.fault)
				p := h.login(newBrowser(t), "440000", "li-xiuying")
				h.provinces["440000"].SetFault(sample.NoFault)
				if p.status != http.StatusBadRequest || p.header.Get("Location") != "" {
					t.Errorf("answered %d %s", p.status, title(p))
				}
				if after := h.rows(); after != before {
					t.Errorf("rows changed from %s to %s", before, after)
				}
				if n := h.count(`SELECT count(*) FROM audit_events WHERE kind = 'federation.answer_refused'`); n != events+1 {
					t.Errorf("%d audit events, want 1", n-events)
				}
				if !strings.Contains(p.body, `href="/login/f1/"`) || !strings.Contains(p.body, `href="/login/f1/440000"`) {
					t.Error("a dead end: neither again nor another province")
				}
				if twin := h.login(newBrowser(t), "440000", "li-xiuying"); !twin.loggedIn() {
					t.Errorf("twin: %d %s", twin.status, title(twin))
				}
			})
		}
	})
}

func TestI01AnswerOfOneProvinceIsWorthlessAtAnother(t *testing.T) {
	eachEngine(t, func(t *testing.T, h *hub) {
		b := newBrowser(t)
		callback := h.toCallback(b, "330000", "wang-jianguo")
		moved := strings.Replace(callback, "/callback/330000", "/callback/440000", 1)
		before, asked := h.rows(), h.requests.Load()
		if p := b.get(moved); p.status != http.StatusBadRequest {
			t.Errorf("moved: %d %s", p.status, title(p))
		}
		if h.rows() != before || h.requests.Load() != asked {
			t.Error("the code was sent somewhere, or rows changed")
		}
		if p := b.get(callback); !p.loggedIn() {
			t.Errorf("twin: %d %s", p.status, title(p))
		}
	})
}

func TestI04CallbackInAnotherBrowserIsRefused(t *testing.T) {
	eachEngine(t, func(t *testing.T, h *hub) {
		mine, hers := newBrowser(t), newBrowser(t)
		callback := h.toCallback(mine, "440000", "he-jiaming")
		h.toCallback(hers, "440000", "li-xiuying") // she has an attempt of her own, to no avail
		before := h.rows()
		if p := hers.get(callback); p.status != http.StatusForbidden || h.rows() != before {
			t.Errorf("%d %s", p.status, title(p))
		}
		if p := mine.get(callback); !p.loggedIn() {
			t.Errorf("twin: %d %s", p.status, title(p))
		}
	})
}

func TestI10ReplayedCallbackHasOneWinner(t *testing.T) {
	eachEngine(t, func(t *testing.T, h *hub) {
		b := newBrowser(t)
		callback := h.toCallback(b, "440000", "li-xiuying")
		u, _ := url.Parse(callback)
		cookies := b.http.Jar.Cookies(u)
		if p := b.get(callback); !p.loggedIn() {
			t.Fatalf("first: %d %s", p.status, title(p))
		}
		if p := b.get(callback); p.status != http.StatusForbidden {
			t.Errorf("again: %d %s", p.status, title(p))
		}
		// The same with the cookie kept by somebody who copied it.
		b.http.Jar.SetCookies(u, cookies)
		before := h.rows()
		if p := b.get(callback); p.status != http.StatusBadRequest || h.rows() != before {
			t.Errorf("with the cookie: %d %s", p.status, title(p))
		}
	})
}

// TestI10CallbackRace sends one answer 20 times at once. The province gives each request the same tokens, so nothing but our
// own claim of the state decides.
func TestI10CallbackRace(t *testing.T) {
	eachEngine(t, func(t *testing.T, h *hub) {
		for round := range 5 {
			h.provinces["440000"].KeepCodes(true)
			b := newBrowser(t)
			callback := h.toCallback(b, "440000", "li-xiuying")
			u, _ := url.Parse(callback)
			cookies := b.http.Jar.Cookies(u)
			claims, events := h.count(`SELECT count(*) FROM claims`), h.count(`SELECT count(*) FROM audit_events WHERE kind = 'federation.logged_in'`)
			var wg sync.WaitGroup
			statuses := make([]int, 20)
			bodies := make([]string, 20)
			for i := range statuses {
				wg.Go(func() {
					r := httptest.NewRequest(http.MethodGet, callback, nil)
					for _, c := range cookies {
						r.AddCookie(c)
					}
					w := httptest.NewRecorder()
					h.handler.ServeHTTP(w, r)
					statuses[i], bodies[i] = w.Code, w.Body.String()
				})
			}
			wg.Wait()
			won := 0
			for i, s := range statuses {
				switch {
				case s == http.StatusOK && strings.HasPrefix(bodies[i], "LOGGED-IN"):
					won++
				case s != http.StatusBadRequest:
					t.Errorf("round %d: a loser got %d", round, s)
				}
			}
			if won != 1 || h.count(`SELECT count(*) FROM claims`) != claims+1 ||
				h.count(`SELECT count(*) FROM audit_events WHERE kind = 'federation.logged_in'`) != events+1 {
				t.Errorf("round %d: %d winners", round, won)
			}
		}
		if n := h.count(`SELECT count(*) FROM identity_persons`); n != 1 {
			t.Errorf("%d persons of one account", n)
		}
	})
}

func TestI07SameNumberFromTwoProvincesIsTwoPersonsAndAConflict(t *testing.T) {
	eachEngine(t, func(t *testing.T, h *hub) {
		ctx := context.Background()
		if p := h.login(newBrowser(t), "310000", "liu-yang"); !p.loggedIn() {
			t.Fatalf("%d %s", p.status, title(p))
		}
		if p := h.login(newBrowser(t), "440000", "liu-yang"); !p.loggedIn() {
			t.Fatalf("%d %s", p.status, title(p))
		}
		first, second := h.flows.logins[0].PersonID, h.flows.logins[1].PersonID
		conflicts, err := h.persons.Conflicts(ctx)
		if err != nil || first == second || len(conflicts) != 1 || conflicts[0].PersonID != second || conflicts[0].OtherPersonID != first {
			t.Fatalf("persons %s %s, conflicts %+v %v", first, second, conflicts, err)
		}
		if h.count(`SELECT count(*) FROM audit_events WHERE kind = 'identity.document_conflict'`) != 1 {
			t.Error("not reported")
		}
		p1, _ := h.persons.Person(ctx, first)
		p2, _ := h.persons.Person(ctx, second)
		if p1.ResidentID() == "" || p2.Document != identity.DocumentConflict || p2.ResidentID() != "" {
			t.Errorf("first %s, second %s", p1.Document, p2.Document)
		}
		// Twin: two people with numbers of their own.
		h.login(newBrowser(t), "310000", "gu-wenbin")
		h.login(newBrowser(t), "440000", "he-jiaming")
		if conflicts, _ := h.persons.Conflicts(ctx); len(conflicts) != 1 {
			t.Errorf("%d conflicts", len(conflicts))
		}
	})
}

func TestI12DiscoveryIsPinnedToTheIssuer(t *testing.T) {
	eachEngine(t, func(t *testing.T, h *hub) {
		for name, fault := range map[string]sample.Fault{"other-issuer": sample.OtherIssuer, "token-endpoint-of-another": sample.ForeignToken,
			"http-endpoint": sample.PlainHTTP, "moved-jwks": sample.MovedKeys} {
			t.Run("I12/"+name, func(t *testing.T) {
				h := newHub(t, h.db) // nothing cached
				h.provinces["440000"].SetFault(fault)
				if p := newBrowser(t).get(h.url + "/login/f1/440000"); p.status != http.StatusBadRequest || p.header.Get("Location") != "" {
					t.Errorf("%d %s", p.status, p.header.Get("Location"))
				}
				h.provinces["440000"].SetFault(sample.NoFault)
				time.Sleep(600 * time.Millisecond) // the least time between two tries
				if p := h.login(newBrowser(t), "440000", "li-xiuying"); !p.loggedIn() {
					t.Errorf("twin: %d %s", p.status, title(p))
				}
			})
		}
	})
}

func TestI13LevelIsCappedAndWordsAreExplicit(t *testing.T) {
	eachEngine(t, func(t *testing.T, h *hub) {
		level := func(code, slug string, fault sample.Fault) string {
			h.provinces[code].SetFault(fault)
			defer h.provinces[code].SetFault(sample.NoFault)
			if p := h.login(newBrowser(t), code, slug); !p.loggedIn() {
				t.Fatalf("%d %s", p.status, title(p))
			}
			return h.flows.logins[len(h.flows.logins)-1].ACR
		}
		for _, c := range []struct {
			id, code, slug string
			fault          sample.Fault
			want           string
		}{
			{"I13/ceiling", "310000", "gu-wenbin", sample.NoFault, "loa3"}, // asserts 4, ceiling 3
			{"I13/ceiling-raised", "310000", "zhang-wei", sample.RaisedACR, "loa3"},
			{"I13/below-ceiling", "310000", "zhang-wei", sample.NoFault, "loa2"},
			{"I13/twin-without-ceiling", "330000", "wang-jianguo", sample.NoFault, "loa4"},
			{"I13/our-own-word-not-agreed", "330000", "wang-jianguo", sample.UnknownACR, "loa1"},
		} {
			if got := level(c.code, c.slug, c.fault); got != c.want {
				t.Errorf("%s: %s, want %s", c.id, got, c.want)
			}
		}
		ledger, err := h.persons.Assurances(context.Background(), h.flows.logins[1].PersonID)
		if err != nil || len(ledger) != 2 || ledger[0].ACR != "4" || ledger[0].Asserted.String() != "loa4" || ledger[0].Level.String() != "loa3" ||
			ledger[1].Level.String() != "loa2" {
			t.Errorf("ledger %+v %v", ledger, err)
		}
	})
}
