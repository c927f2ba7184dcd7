package issuer_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/signing/sdjwt"
	"github.com/hufu-id/hufu/wallet/issuer"
)

// batch makes n proofs of n keys over one nonce.
func (w *world) batch(n int) (proofs []string, nonce string) {
	w.t.Helper()
	nonce = w.nonce()
	for range n {
		proofs = append(proofs, w.proof(func(p *proofParts) { p.claims["nonce"] = nonce }))
	}
	return proofs, nonce
}

// written is everything that a Credential Request can leave behind, the use of its nonce too.
func (w *world) written() string {
	w.t.Helper()
	var out []string
	for _, table := range []string{"issuer_issuances", "issuer_sets", "issuer_grants", "status_entries", "claims"} {
		out = append(out, fmt.Sprint(table, " ", w.count(table)))
	}
	return strings.Join(out, ", ")
}

func TestP06ABatchIsIssuedWholeOrNotAtAll(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, c := range []struct {
			name, want string
			body       func(good []string) string
		}{
			{"all good", "", func(p []string) string { return credentialBody(p...) }},
			{"one more than a batch", "invalid_credential_request", func(p []string) string { return credentialBody(append(p, w.proof(nil))...) }},
			{"one key twice", "invalid_proof", func(p []string) string { return credentialBody(append(p[:9:9], p[0])...) }},
			{"a nonce of its own", "invalid_nonce", func(p []string) string { return credentialBody(append(p[:9:9], w.proof(nil))...) }},
			{"one signature of ten is wrong", "invalid_proof", func(p []string) string {
				other, err := jose.GenerateKey(jose.ES256)
				must(t, err)
				p[6] = w.proof(func(q *proofParts) { q.claims["nonce"], q.signer = nonceOf(t, p[0]), &other })
				return credentialBody(p...)
			}},
			{"proofs of two types", "invalid_proof", func(p []string) string {
				return strings.Replace(credentialBody(p...), `"proofs":{`, `"proofs":{"attestation":["a.b.c"],`, 1)
			}},
			{"no proof in the list", "invalid_proof", func([]string) string { return credentialBody([]string{}...) }},
			{"a number among the proofs", "invalid_proof", func(p []string) string { return strings.Replace(credentialBody(p[1:]...), `["`, `[1,"`, 1) }},
		} {
			t.Run(c.name, func(t *testing.T) {
				proofs, _ := w.batch(10)
				token, body := w.personToken("loa3"), c.body(slices.Clone(proofs))
				before := w.written()
				a := w.request(token, body)
				if c.want == "" {
					w.differ(t, a.said(t, 200))
					return
				}
				if a.status != 400 || a.code() != c.want {
					t.Errorf("%d %s, not %s", a.status, a.body, c.want)
				}
				if after := w.written(); after != before {
					t.Errorf("was %s; is %s", before, after)
				}
				w.request(token, credentialBody(proofs...)).said(t, 200) // nothing was used up
			})
		}
	})
}

func nonceOf(t *testing.T, compact string) string {
	t.Helper()
	u, err := jose.ParseUnverified(compact, jose.Policy{Typ: []string{"openid4vci-proof+jwt"}, Algs: []jose.Alg{jose.ES256}})
	must(t, err)
	v, err := u.Verify(*u.Header.JWK)
	must(t, err)
	var c struct {
		Nonce string `json:"nonce"`
	}
	must(t, json.Unmarshal(v.Payload(), &c))
	return c.Nonce
}

// differ checks that the copies of a batch say the same of the holder and have nothing else in common that could link them.
func (w *world) differ(t *testing.T, s said) {
	t.Helper()
	if len(s.Credentials) != 10 {
		t.Fatalf("%d credentials", len(s.Credentials))
	}
	keys, places, digests := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, c := range s.Credentials {
		p, err := sdjwt.Parse(c.Credential)
		must(t, err)
		claims := p.UnverifiedClaims()
		if claims["name"] != "李秀英" || claims["class"] != "C1" {
			t.Errorf("another data set: %v", claims)
		}
		for name, seen := range map[string]map[string]bool{"cnf": keys, "status": places} {
			text := fmt.Sprint(claims[name])
			if seen[text] {
				t.Errorf("two copies share %s", name)
			}
			seen[text] = true
		}
		var payload struct {
			SD  []string `json:"_sd"`
			Iat int64    `json:"iat"`
			Exp int64    `json:"exp"`
		}
		must(t, json.Unmarshal(p.Payload(), &payload))
		for _, d := range payload.SD {
			if digests[d] {
				t.Error("two copies share a digest")
			}
			digests[d] = true
		}
		if !slices.IsSorted(payload.SD) || payload.Iat%3600 != 0 || payload.Exp%3600 != 0 {
			t.Errorf("digests in the order of claims, or a time that isn't the hour: %+v", payload)
		}
	}
}

// identified is a token with identifiers, as authorization_details give them.
func (w *world) identified(person string, granted ...issuer.Granted) string {
	name := fmt.Sprint("identified-", time.Now().UnixNano())
	return w.tokens.put(name, w.issuer.Identifier(traffic), issuer.AccessToken{GrantID: name, PersonID: person, ClientID: "wallet", ACR: "loa3", Granted: granted})
}

func TestIdentifiersAreUsedExactlyWhereTheyWereGiven(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ids, err := w.issuer.Identifiers(context.Background(), issuer.Holder{PersonID: personLi, ACR: "loa3"}, driving, []string{w.issuer.Identifier(traffic)})
		must(t, err)
		if len(ids) != 2 || ids[0] == ids[1] {
			t.Fatalf("identifiers of two licences: %q", ids)
		}
		first := issuer.Granted{ConfigurationID: driving, Identifiers: ids[:1]}
		body := func(member, value string) string {
			return strings.Replace(credentialBody(w.proof(nil)), `"credential_configuration_id":"driving-licence"`, fmt.Sprintf("%q:%q", member, value), 1)
		}
		for _, c := range []struct{ name, token, member, value, want string }{
			{"its identifier", w.identified(personLi, first), "credential_identifier", ids[0], ""},
			{"another licence's", w.identified(personLi, first), "credential_identifier", ids[1], "unknown_credential_identifier"},
			{"a configuration instead", w.identified(personLi, first), "credential_configuration_id", driving, "invalid_credential_request"},
			{"an identifier with a token of a scope", w.personToken("loa3"), "credential_identifier", ids[0], "unknown_credential_identifier"},
			{"a configuration with a token of a scope", w.personToken("loa3"), "credential_configuration_id", driving, ""},
			{"granted at another issuer", w.identified(personLi, issuer.Granted{ConfigurationID: driving, Identifiers: ids[:1],
				Issuers: []string{w.issuer.Identifier(market)}}), "credential_identifier", ids[0], "unknown_credential_identifier"},
			{"another person's token with it", w.identified("person-wang", first), "credential_identifier", ids[0], "credential_request_denied"},
		} {
			a := w.request(c.token, body(c.member, c.value))
			if ok := a.status == 200; ok != (c.want == "") || a.code() != c.want {
				t.Errorf("%s: %d %s, not %q", c.name, a.status, a.body, c.want)
			}
		}
		token := w.identified(personLi, first)
		w.register.set(func() { w.register.state[licenceLi] = issuer.ErrNotInForce })
		if a := w.request(token, body("credential_identifier", ids[0])); a.code() != "credential_request_denied" {
			t.Errorf("withdrawn between token and request: %d %s", a.status, a.body)
		}
	})
}

func TestP16NewCopiesOnADeviceReplaceTheOlder(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		on := func(device string) string {
			name := fmt.Sprint(device, time.Now().UnixNano())
			return w.tokens.put(name, w.issuer.Identifier(traffic), issuer.AccessToken{GrantID: name, PersonID: personLi, ClientID: "wallet", ACR: "loa3",
				Scopes: []string{driving}, Instance: device})
		}
		replaced := func() (n int) {
			must(t, w.db.QueryRow(context.Background(), `SELECT COUNT(*) FROM issuer_sets WHERE superseded_at IS NOT NULL`).Scan(&n))
			return n
		}
		ended := func() (n int) { // places on lists that were told to flip
			_, err := w.issuer.Sweep(context.Background())
			must(t, err)
			must(t, w.db.QueryRow(context.Background(), `SELECT COUNT(*) FROM status_entries WHERE next_at IS NOT NULL`).Scan(&n))
			return n
		}
		take := func(device string) {
			proofs, _ := w.batch(2)
			w.request(on(device), credentialBody(proofs...)).said(t, 200)
		}
		take("phone")
		take("tablet")
		if n := replaced(); n != 0 {
			t.Fatalf("another device's copies: %d sets were replaced", n)
		}
		take("phone")
		if n := replaced(); n != 1 {
			t.Errorf("%d sets were replaced, not 1", n)
		}
		if n := ended(); n != 0 {
			t.Errorf("%d copies ended at once; a wallet whose answer was lost has nothing", n)
		}
		w.advance(25 * time.Hour)
		if n := ended(); n != 2 {
			t.Errorf("a day later %d copies end, not the phone's 2", n)
		}
		nodes := []*world{w, w.another()}
		var wg sync.WaitGroup
		for i := range 6 {
			wg.Add(1)
			go func() {
				defer wg.Done()
				token := on("watch")
				access, err := w.tokens.Validate(context.Background(), token, w.issuer.Identifier(traffic))
				must(t, err)
				_, err = nodes[i%2].issuer.Deliver(context.Background(), access, traffic, driving, func(nonce, aud string) (string, error) {
					return w.proof(func(p *proofParts) { p.claims["nonce"] = nonce }), nil
				})
				if err != nil {
					t.Error(err)
				}
			}()
		}
		wg.Wait()
		if n := replaced(); n != 1+5 {
			t.Errorf("%d sets were replaced, not 6: of six at once on a device one stays", n)
		}
	})
}
