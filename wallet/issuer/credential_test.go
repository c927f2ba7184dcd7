package issuer_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/wallet/issuer"
)

func TestCredentialRequestShape(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		id := `"credential_configuration_id":"driving-licence"`
		for _, c := range []struct {
			name string
			body func(proof string) string
			want string
		}{
			{"all right", func(p string) string { return credentialBody(p) }, ""},
			{"unknown members are ignored", func(p string) string {
				return `{` + id + `,"foo":{"bar":1},"proofs":{"jwt":["` + p + `"]}}`
			}, ""},
			{"P13 no proofs", func(string) string { return `{` + id + `}` }, "invalid_proof"},
			{"P13 proofs null", func(string) string { return `{` + id + `,"proofs":null}` }, "invalid_proof"},
			{"P13 proofs empty", func(string) string { return `{` + id + `,"proofs":{}}` }, "invalid_proof"},
			{"P13 no proof in the list", func(string) string { return `{` + id + `,"proofs":{"jwt":[]}}` }, "invalid_proof"},
			{"P13 null in the list", func(string) string { return `{` + id + `,"proofs":{"jwt":[null]}}` }, "invalid_proof"},
			{"P13 proofs under another case", func(p string) string { return `{` + id + `,"Proofs":{"jwt":["` + p + `"]}}` }, "invalid_proof"},
			{"proof of a draft", func(p string) string {
				return `{` + id + `,"proof":{"proof_type":"jwt","jwt":"` + p + `"}}`
			}, "invalid_proof"},
			{"proof of another type", func(p string) string { return `{` + id + `,"proofs":{"attestation":["` + p + `"]}}` }, "invalid_proof"},
			{"proofs of two types", func(p string) string {
				return `{` + id + `,"proofs":{"jwt":["` + p + `"],"attestation":["` + p + `"]}}`
			}, "invalid_proof"},
			{"P06 two proofs of two nonces", func(p string) string { return credentialBody(p, w.proof(nil)) }, "invalid_nonce"},
			{"P06 one proof twice", func(p string) string { return credentialBody(p, p) }, "invalid_proof"},
			{"P06 one bad of ten", func(p string) string {
				list := []string{"x"}
				for range 9 {
					list = append(list, p)
				}
				return credentialBody(list...)
			}, "invalid_proof"},
			{"neither id", func(p string) string { return `{"proofs":{"jwt":["` + p + `"]}}` }, "invalid_credential_request"},
			{"both ids", func(p string) string {
				return `{` + id + `,"credential_identifier":"x","proofs":{"jwt":["` + p + `"]}}`
			}, "invalid_credential_request"},
			{"id a number", func(p string) string {
				return `{"credential_configuration_id":7,"proofs":{"jwt":["` + p + `"]}}`
			}, "invalid_credential_request"},
			{"id null", func(p string) string {
				return `{"credential_configuration_id":null,"proofs":{"jwt":["` + p + `"]}}`
			}, "invalid_credential_request"},
			{"id of another case", func(p string) string {
				return `{"Credential_Configuration_ID":"driving-licence","proofs":{"jwt":["` + p + `"]}}`
			}, "invalid_credential_request"},
			{"unknown configuration", func(p string) string {
				return `{"credential_configuration_id":"nobel-prize","proofs":{"jwt":["` + p + `"]}}`
			}, "unknown_credential_configuration"},
			{"configuration of another authority", func(p string) string {
				return `{"credential_configuration_id":"hygiene-permit","proofs":{"jwt":["` + p + `"]}}`
			}, "unknown_credential_configuration"},
			{"unknown identifier", func(p string) string {
				return `{"credential_identifier":"x","proofs":{"jwt":["` + p + `"]}}`
			}, "unknown_credential_identifier"},
			{"encrypted answer wanted", func(p string) string {
				return `{` + id + `,"proofs":{"jwt":["` + p + `"]},"credential_response_encryption":{"enc":"A256GCM"}}`
			}, "invalid_encryption_parameters"},
			{"N04 member twice", func(p string) string {
				return `{` + id + `,` + id + `,"proofs":{"jwt":["` + p + `"]}}`
			}, "invalid_credential_request"},
			{"N04 trailing bytes", func(p string) string { return credentialBody(p) + "{}" }, "invalid_credential_request"},
			{"N04 BOM", func(p string) string { return "\ufeff" + credentialBody(p) }, "invalid_credential_request"},
			{"null", func(string) string { return "null" }, "invalid_credential_request"},
			{"a list", func(string) string { return "[]" }, "invalid_credential_request"},
			{"empty", func(string) string { return "" }, "invalid_credential_request"},
			{"W03 deep", func(string) string { return strings.Repeat(`{"a":`, 10000) }, "invalid_credential_request"},
		} {
			t.Run(c.name, func(t *testing.T) {
				body := c.body(w.proof(nil))
				before := w.count("issuer_issuances") + w.count("status_entries") + w.count("claims")
				a := w.request(w.personToken("loa3"), body)
				if c.want == "" {
					if a.status != 200 {
						t.Errorf("%d %s", a.status, a.body)
					}
					return
				}
				if a.status != 400 || a.code() != c.want {
					t.Errorf("%d %s, not %s", a.status, a.body, c.want)
				}
				if n := w.count("issuer_issuances") + w.count("status_entries") + w.count("claims"); n != before {
					t.Errorf("%d rows were written", n-before)
				}
			})
		}
		for name, c := range map[string]struct {
			contentType, body string
			status            int
		}{
			"X05 form":               {"application/x-www-form-urlencoded", "a=b", 415},
			"X05 none":               {"", credentialBody(w.proof(nil)), 415},
			"X05 text":               {"text/plain", credentialBody(w.proof(nil)), 415},
			"X05 with a charset":     {"application/json; charset=utf-8", credentialBody(w.proof(nil)), 200},
			"W02 larger than 64 KiB": {"application/json", `{"a":"` + strings.Repeat("x", 70000) + `"}`, 413},
		} {
			a := w.send("POST", "/i/"+traffic+"/credential", c.contentType, c.body, "Authorization", "Bearer "+w.personToken("loa3"))
			if a.status != c.status {
				t.Errorf("%s: %d %s", name, a.status, a.body)
			}
		}
	})
}

func TestAccessTokenP08(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		path := "/i/" + traffic + "/credential"
		good := w.personToken("loa3")
		foreign := w.tokens.put("foreign", w.issuer.Identifier(market), w.tokens.all[good])
		for _, c := range []struct {
			name   string
			path   string
			header []string
			status int
			err    bool // the challenge says invalid_token
		}{
			{"P08 right", path, []string{"Authorization", "Bearer " + good}, 200, false},
			{"P08 scheme in lower case", path, []string{"Authorization", "bearer " + good}, 200, false},
			{"P08 none", path, nil, 401, false},
			{"P08 unknown", path, []string{"Authorization", "Bearer x"}, 401, true},
			{"P08 empty", path, []string{"Authorization", "Bearer "}, 401, true},
			{"P08 N11 of another credential issuer", path, []string{"Authorization", "Bearer " + foreign}, 401, true},
			{"P08 at another credential issuer", "/i/" + market + "/credential", []string{"Authorization", "Bearer " + good}, 401, true},
			{"P08 Basic scheme", path, []string{"Authorization", "Basic " + good}, 401, true},
			{"P08 in the query", path + "?access_token=" + good, nil, 401, true},
			{"P08 in the query and the header", path + "?access_token=" + good, []string{"Authorization", "Bearer " + good}, 401, true},
			{"P08 two headers", path, []string{"Authorization", "Bearer " + good, "Authorization", "Bearer " + good}, 401, true},
			{"W04 a long one", path, []string{"Authorization", "Bearer " + strings.Repeat(".", 20000)}, 401, true},
		} {
			a := w.send("POST", c.path, "application/json", credentialBody(w.proof(nil)), c.header...)
			if a.status != c.status {
				t.Errorf("%s: %d %s", c.name, a.status, a.body)
			}
			challenge := a.header.Get("WWW-Authenticate")
			if a.status == 401 && (!strings.HasPrefix(challenge, "Bearer ") || strings.Contains(challenge, "invalid_token") != c.err) {
				t.Errorf("%s: challenge %q", c.name, challenge)
			}
		}
		narrow := w.tokens.all[good]
		narrow.Scopes = []string{"openid"}
		w.tokens.put("narrow", w.issuer.Identifier(traffic), narrow)
		if a := w.request("narrow", credentialBody(w.proof(nil))); a.status != 403 || a.code() != "insufficient_scope" {
			t.Errorf("scope: %d %s", a.status, a.body)
		}
	})
}

func TestAnonymousWalletSendsNoIss(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		bearer := w.redeemed()
		if a := w.request(bearer, credentialBody(w.proof(nil))); a.code() != "invalid_proof" {
			t.Errorf("P03 iss for an anonymous token: %d %s", a.status, a.body)
		}
		if a := w.request(bearer, credentialBody(w.proof(func(p *proofParts) { delete(p.claims, "iss") }))); a.status != 200 {
			t.Errorf("without: %d %s", a.status, a.body)
		}
	})
}

// redeemed is a token of an offer that Li Xiuying made, taken by an anonymous wallet.
func (w *world) redeemed() string {
	w.t.Helper()
	v := w.offer()
	r, err := w.issuer.Redeem(context.Background(), w.codeOf(v), v.TxCode)
	must(w.t, err)
	return w.tokens.put("offer-"+r.OfferID, r.Audience[0], issuer.AccessToken{GrantID: "g-" + r.OfferID, OfferID: r.OfferID, Scopes: r.Scopes})
}

func TestDeniedBetweenTokenAndCredentialP12(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		anonymous := func() string { return credentialBody(w.proof(func(p *proofParts) { delete(p.claims, "iss") })) }
		flows := map[string]struct{ bearer, body func() string }{
			"person": {func() string { return w.personToken("loa3") }, func() string { return credentialBody(w.proof(nil)) }},
			"offer":  {w.redeemed, anonymous},
		}
		for flow, f := range flows {
			for _, c := range []struct {
				name       string
				then, undo func()
			}{
				{"person suspended", func() { w.register.who[personLi] = true }, func() { w.register.who[personLi] = false }},
				{"licence withdrawn", func() {
					w.register.state[licenceLi], w.register.state[licenceLi0] = issuer.ErrNotInForce, issuer.ErrNotInForce
				}, func() { clear(w.register.state) }},
				{"licence of another holder now", func() { w.register.holders[licenceLi], w.register.holders[licenceLi0] = "x", "x" },
					func() { w.register.holders[licenceLi], w.register.holders[licenceLi0] = personLi, personLi }},
			} {
				bearer := f.bearer()
				w.register.set(c.then)
				rows, denied := w.count("issuer_issuances")+w.count("status_entries")+w.count("claims"), w.audited("issuer.credential_denied")
				a := w.request(bearer, f.body())
				if a.status != 400 || a.code() != "credential_request_denied" {
					t.Errorf("P12 %s, %s: %d %s", flow, c.name, a.status, a.body)
				}
				if n := w.count("issuer_issuances") + w.count("status_entries") + w.count("claims"); n != rows {
					t.Errorf("P12 %s, %s: %d rows were written", flow, c.name, n-rows)
				}
				if w.audited("issuer.credential_denied") != denied+1 {
					t.Errorf("P12 %s, %s: not audited once", flow, c.name)
				}
				w.register.set(c.undo)
				if a := w.request(bearer, f.body()); a.status != 200 {
					t.Errorf("%s, %s undone: %d %s", flow, c.name, a.status, a.body)
				}
			}
		}
		for acr, status := range map[string]int{"": 400, "loa1": 400, "loa2": 400, "loa3": 200, "loa4": 200, "loa33": 400, "urn:x": 400} {
			if a := w.request(w.personToken(acr), credentialBody(w.proof(nil))); a.status != status {
				t.Errorf("P12 level %q: %d %s", acr, a.status, a.body)
			}
		}
		both := w.tokens.all[w.personToken("loa3")]
		both.OfferID = "x"
		w.tokens.put("both", w.issuer.Identifier(traffic), both)
		if a := w.request("both", credentialBody(w.proof(nil))); a.code() != "credential_request_denied" {
			t.Errorf("a token of person and offer: %d %s", a.status, a.body)
		}
	})
}

// A grant gives forty responses a day: in parallel not one more, and the next day again, so that a wallet can refresh its copies.
func TestGrantGivesSoManyResponsesADay(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		bearer := w.personToken("loa3")
		bodies := make([]string, 50)
		for i := range bodies {
			bodies[i] = credentialBody(w.proof(nil))
		}
		n := parallel([]*world{w}, len(bodies), func(w *world, i int) bool {
			a := w.request(bearer, bodies[i])
			if a.status != 200 && a.code() != "credential_request_denied" {
				t.Errorf("%d %s", a.status, a.body)
			}
			return a.status == 200
		})
		if n != 40 || w.count("status_entries") != 40 {
			t.Errorf("%d credentials, %d indices", n, w.count("status_entries"))
		}
		w.advance(23 * time.Hour)
		if a := w.request(bearer, credentialBody(w.proof(nil))); a.code() != "credential_request_denied" {
			t.Errorf("an hour too early: %d %s", a.status, a.body)
		}
		w.advance(2 * time.Hour)
		if a := w.request(bearer, credentialBody(w.proof(nil))); a.status != 200 {
			t.Errorf("the next day: %d %s", a.status, a.body)
		}
	})
}

func TestRaceOneProofGivesOneCredential(t *testing.T) {
	rounds := 10
	if testing.Short() {
		rounds = 2
	}
	each(t, func(t *testing.T, w *world) {
		for round := range rounds {
			body := credentialBody(w.proof(nil))
			bearers := []string{w.personToken("loa3"), w.personToken("loa3")}
			before := w.count("issuer_issuances")
			n := parallel([]*world{w}, 20, func(w *world, i int) bool {
				a := w.request(bearers[i%2], body)
				if a.status != 200 && a.code() != "invalid_nonce" {
					t.Errorf("P04 loser: %d %s", a.status, a.body)
				}
				return a.status == 200
			})
			if n != 1 || w.count("issuer_issuances") != before+1 {
				t.Fatalf("P04 round %d: %d credentials", round, n)
			}
		}
	})
}

func TestNothingSecretIsKept(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		v := w.offer()
		code := w.codeOf(v)
		if _, err := w.wallet.TakeOffer(context.Background(), v.URI, v.TxCode); err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"issuer_offers", "issuer_issuances", "issuer_grants", "audit_events", "claims"} {
			text := dump(t, w, table)
			for _, canary := range []string{v.OpaqueID, code, "李秀英", "LI1\""} {
				if strings.Contains(text, canary) {
					t.Errorf("U01 %s holds %q", table, canary)
				}
			}
			if strings.Contains(text, "|"+v.TxCode+"|") {
				t.Errorf("U01 %s holds the transaction code", table)
			}
		}
	})
}

func dump(t *testing.T, w *world, table string) string {
	t.Helper()
	rows, err := w.db.Query(context.Background(), `SELECT * FROM `+table)
	must(t, err)
	defer rows.Close()
	cols, err := rows.Columns()
	must(t, err)
	var b strings.Builder
	for rows.Next() {
		vals := make([]any, len(cols))
		for i := range vals {
			vals[i] = new(any)
		}
		must(t, rows.Scan(vals...))
		for _, v := range vals {
			fmt.Fprintf(&b, "|%v|", *v.(*any))
		}
	}
	return b.String()
}

// A type must describe every claim of a licence, and a licence must have what is mandatory: otherwise nothing is issued, and the wallet
// isn't told why.
func TestLicenceThatDoesNotFitItsTypeIsAFault(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for name, claims := range map[string]map[string]any{
			"undescribed claim": {"licence_id": "1", "name": "x", "class": "C1", "secret": "y"},
			"mandatory missing": {"licence_id": "1", "class": "C1"},
			"reserved claim":    {"licence_id": "1", "name": "x", "class": "C1", "exp": 1},
		} {
			w.register.set(func() { w.register.claims = claims })
			a := w.request(w.personToken("loa3"), credentialBody(w.proof(nil)))
			if a.status != 500 || a.code() != "server_error" || strings.Contains(string(a.body), "secret") {
				t.Errorf("%s: %d %s", name, a.status, a.body)
			}
		}
		if n := w.count("issuer_issuances") + w.count("status_entries"); n != 0 {
			t.Errorf("%d rows", n)
		}
	})
}

func TestNewRefusesBadConfiguration(t *testing.T) {
	if _, err := issuer.New(context.Background(), issuer.Config{Origin: "http://x/"}); err == nil {
		t.Error("a slash at the end")
	}
	if _, err := issuer.New(context.Background(), issuer.Config{Origin: "http://x", Secret: []byte("short")}); err == nil {
		t.Error("a short secret")
	}
}
