package oidc_test

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/sqlstore/oidcstore"
	"github.com/hufu-id/hufu/oidc"
	"github.com/hufu-id/hufu/oidc/attestation/attesttest"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/dpop/dpoptest"
)

// taker is a wallet that takes offers: "taker" with a secret, "takerpublic" with a key of its own or without one.
type taker struct {
	*env
	id  string
	key *jose.SigningKey // for DPoP
}

// takers registers wallets that may renew what they took by an offer.
func (e *env) takers() {
	e.t.Helper()
	for id, from := range map[string]string{"taker": "app", "takerpublic": "public", "takerother": "app", "takernone": "app", "takerscopeless": "app"} {
		c, err := e.op.Clients().Get(context.Background(), from)
		must(e.t, err)
		c.ID, c.GrantTypes, c.Scopes = id, []string{client.PreAuthorizedCode, client.RefreshToken}, []string{"driving-licence"}
		c.RedirectURIs, c.PostLogoutRedirectURIs = nil, nil // there is no code flow, so refresh_token goes with the offer alone
		switch id {
		case "takernone":
			c.GrantTypes = []string{client.PreAuthorizedCode}
		case "takerscopeless":
			c.Scopes = nil
		}
		must(e.t, e.op.Clients().Put(context.Background(), c))
	}
}

func (e *env) taker(id string, bound bool) *taker {
	w := &taker{env: e, id: id}
	if bound {
		key, err := jose.GenerateKey(jose.ES256)
		must(e.t, err)
		w.key = &key
	}
	return w
}

func (w *taker) send(node int, form url.Values) tokens {
	var header []string
	switch {
	case w.id == "":
	case w.id == "takerpublic":
		form.Set("client_id", w.id)
	default:
		header = []string{"Authorization", basic(w.id, w.secret)}
	}
	if w.key != nil {
		header = append(header, "DPoP", dpoptest.Proof(w.t, *w.key, http.MethodPost, w.issuer+"/token", "", w.clock.Now()))
	}
	return w.tokenAt(node, form, header...)
}

// take redeems a fresh offer.
func (w *taker) take(pairs ...string) tokens {
	w.t.Helper()
	w.world.mu.Lock()
	w.world.offers["offer-1"] = "123456"
	w.world.mu.Unlock()
	tok := w.send(0, with(url.Values{"grant_type": {client.PreAuthorizedCode}, "pre-authorized_code": {"offer-1"}, "tx_code": {"123456"}}, pairs...))
	if tok.status != http.StatusOK {
		w.t.Fatalf("offer: %d %s", tok.status, tok.Error)
	}
	return tok
}

func (w *taker) renewAt(node int, refresh string, pairs ...string) tokens {
	return w.send(node, with(url.Values{"grant_type": {client.RefreshToken}, "refresh_token": {refresh}}, pairs...))
}

func (w *taker) renew(refresh string, pairs ...string) tokens { return w.renewAt(0, refresh, pairs...) }

// TestWhoRenewsAnOffersCredentials: each row differs from a good one in one thing.
func TestWhoRenewsAnOffersCredentials(t *testing.T) {
	each(t, 1, func(t *testing.T, e *env) {
		e.takers()
		for _, c := range []struct {
			id          string
			bound, want bool
		}{
			{"taker", false, true},
			{"taker", true, true},
			{"takerpublic", true, true},
			{"takerpublic", false, false}, // nothing would tell it from a thief
			{"takernone", false, false},   // not registered for it
			{"takerscopeless", false, false},
			{"", false, false}, // nobody in particular
			{"", true, false},
		} {
			if tok := e.taker(c.id, c.bound).take(); (tok.Refresh != "") != c.want {
				t.Errorf("%q, bound %v: refresh token %v", c.id, c.bound, tok.Refresh != "")
			}
		}
		// Nor does anybody get through with another's.
		tok := e.taker("taker", false).take()
		refused(t, "anonymous", e.taker("", true).renew(tok.Refresh), 401, "invalid_client")
		refused(t, "another client", e.taker("takerother", false).renew(tok.Refresh), 400, "invalid_grant")
		granted(t, "twin", e.taker("taker", false).renew(tok.Refresh))
		public := e.taker("takerpublic", true)
		tok = public.take()
		refused(t, "another key", e.taker("takerpublic", true).renew(tok.Refresh), 400, "invalid_grant")
		refused(t, "no key", e.taker("takerpublic", false).renew(tok.Refresh), 400, "invalid_grant")
		if again := public.renew(tok.Refresh); again.status != 200 || again.Type != "DPoP" || again.Refresh == tok.Refresh {
			t.Errorf("twin: %d %s", again.status, again.Error)
		}
		// A code needs a redirect URI, a refresh token something to refresh.
		c, err := e.op.Clients().Get(context.Background(), "taker")
		must(t, err)
		for _, types := range [][]string{{client.RefreshToken}, {client.RefreshToken, client.ClientCredentials}} {
			c.GrantTypes = types
			if err := e.op.Clients().Put(context.Background(), c); err == nil || !strings.Contains(err.Error(), "refresh_token needs") {
				t.Errorf("%v: %v", types, err)
			}
		}
	})
}

func TestRenewedTokensAreTheOffers(t *testing.T) {
	each(t, 1, func(t *testing.T, e *env) {
		e.takers()
		w := e.taker("taker", false)
		check := func(name string, tok tokens, want []string, scopes ...string) {
			t.Helper()
			granted(t, name, tok)
			at, err := e.op.ValidateAccessToken(context.Background(), tok.Access, credentialIssuer)
			if err != nil || at.OfferID != "offer-1" || at.Subject != "offer:offer-1" || at.PersonID != "" || at.ClientID != "taker" || tok.ID != "" ||
				!slices.Equal(at.Scopes, scopes) || !slices.Equal(identifiers(tok), want) {
				t.Errorf("%s: %+v %v %+v", name, at, err, tok.Details)
			}
		}
		first := w.take()
		e.clock.add(time.Hour)
		second := w.renew(first.Refresh, "resource", "https://x.example") // foreign libraries send one
		check("by scope", second, nil, "driving-licence")
		refused(t, "wider", w.renew(second.Refresh, "scope", "driving-licence openid"), 400, "invalid_scope")
		refused(t, "details that were not granted", w.renew(second.Refresh, "authorization_details", wants("driving-licence")), 400, "invalid_authorization_details")
		check("twin", w.renew(second.Refresh, "scope", "driving-licence"), nil, "driving-licence")

		both := strings.TrimSuffix(wants("driving-licence"), "]") + "," + strings.TrimPrefix(wants("driving-licence.mdoc"), "[")
		first = w.take("authorization_details", both)
		second = w.renew(first.Refresh, "authorization_details", wants("driving-licence.mdoc"))
		check("narrowed", second, []string{"driving-licence.mdoc/offer-1"})
		third := w.renew(second.Refresh)
		check("all again", third, []string{"driving-licence/offer-1", "driving-licence.mdoc/offer-1"})
		refused(t, "passport", w.renew(third.Refresh, "authorization_details", wants("passport")), 400, "invalid_authorization_details")

		c, err := e.op.Clients().Get(context.Background(), "taker")
		must(t, err)
		c.Scopes = []string{"openid"}
		must(t, e.op.Clients().Put(context.Background(), c))
		refused(t, "C04 the scope was taken", w.renew(third.Refresh), 400, "invalid_grant")
		c.Scopes = []string{"driving-licence"}
		must(t, e.op.Clients().Put(context.Background(), c))
		granted(t, "twin", w.renew(third.Refresh))
	})
}

// Introspection tells the wallet, and revocation ends all of it.
func TestRenewalIsToldAndRevoked(t *testing.T) {
	each(t, 2, func(t *testing.T, e *env) {
		e.takers()
		w := e.taker("taker", false)
		tok := w.renew(w.take().Refresh)
		auth := []string{"Authorization", basic("taker", e.secret)}
		about := func(client string, token string) map[string]any {
			return (&fapi{env: e}).send(http.MethodPost, "/introspect", url.Values{"token": {token}}, "Authorization", basic(client, e.secret)).body
		}
		if got := about("taker", tok.Refresh); got["active"] != true || got["sub"] != "offer:offer-1" || got["exp"] != float64(e.clock.Now().Add(90*24*time.Hour).Unix()) {
			t.Errorf("%v", got)
		}
		for _, name := range []string{"takerother", "app"} {
			if got := about(name, tok.Refresh); got["active"] != false {
				t.Errorf("%s: %v", name, got)
			}
		}
		revoke := func(token string, header ...string) {
			if r := (&fapi{env: e}).send(http.MethodPost, "/revoke", url.Values{"token": {token}}, header...); r.status != http.StatusOK {
				t.Errorf("revoke: %d %v", r.status, r.body)
			}
		}
		revoke(tok.Refresh, "Authorization", basic("takerother", e.secret))
		tok = w.renew(tok.Refresh)
		granted(t, "twin: another's revocation", tok)
		revoke(tok.Refresh, auth...)
		for node := range 2 {
			refused(t, "revoked", w.renewAt(node, tok.Refresh), 400, "invalid_grant")
		}
		if _, err := e.op.ValidateAccessToken(context.Background(), tok.Access, credentialIssuer); err == nil {
			t.Error("the access token lives")
		}
	})
}

// TestC06RenewalEnds: use moves the end by 90 days, to a year at most; who doesn't come for 90 days has lost it.
func TestC06RenewalEnds(t *testing.T) {
	const day = 24 * time.Hour
	each(t, 1, func(t *testing.T, e *env) {
		e.takers()
		w := e.taker("taker", false)
		idle, late := w.take().Refresh, w.take().Refresh
		e.clock.add(90*day - time.Second)
		tok := w.renew(idle)
		granted(t, "a second before the end", tok)
		e.clock.add(time.Second)
		refused(t, "C06 90 days idle", w.renew(late), 400, "invalid_grant")
		if _, err := e.op.Sweep(context.Background(), 100); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			e.clock.add(90*day - time.Minute)
			tok = w.renew(tok.Refresh)
			granted(t, "in time", tok)
		}
		e.clock.add(5*day + 3*time.Minute - time.Second)
		tok = w.renew(tok.Refresh)
		granted(t, "a second before the year is over", tok)
		e.clock.add(time.Second)
		refused(t, "C06 a year", w.renew(tok.Refresh), 400, "invalid_grant")
		if n := e.count("oidc.grant_revoked"); n != 0 {
			t.Errorf("%d revocations", n)
		}
	})
}

func TestC02ReuseOfARenewalEndsIt(t *testing.T) {
	each(t, 2, func(t *testing.T, e *env) {
		e.takers()
		for _, w := range []*taker{e.taker("taker", false), e.taker("takerpublic", true)} {
			first := w.take()
			second := w.renew(first.Refresh)
			e.clock.add(time.Minute)
			if retry := w.renewAt(1, first.Refresh); retry.status != 200 || retry.Refresh != second.Refresh {
				t.Errorf("C03 %s: %d %s", w.id, retry.status, retry.Error)
			}
			e.clock.add(time.Second)
			refused(t, "C02 "+w.id, w.renewAt(1, first.Refresh), 400, "invalid_grant")
			refused(t, "C02 family "+w.id, w.renew(second.Refresh), 400, "invalid_grant")
			if _, err := e.op.ValidateAccessToken(context.Background(), second.Access, credentialIssuer); err == nil {
				t.Error("C02 the access token lives")
			}
		}
		if n := e.count("oidc.grant_revoked"); n != 2 {
			t.Errorf("C02 %d revocations", n)
		}
	})
}

// One token, twenty times at once on two nodes: one new generation, the same for all.
func TestC01OneLeafPerRenewalOnTwoNodes(t *testing.T) {
	rounds := 40
	if testing.Short() {
		rounds = 5
	}
	each(t, 2, func(t *testing.T, e *env) {
		e.takers()
		w := e.taker("taker", false)
		refresh := w.take().Refresh
		for round := range rounds {
			var mu sync.Mutex
			leaves := map[string]int{}
			wins := race(20, func(i int) bool {
				tok := w.renewAt(i%2, refresh)
				mu.Lock()
				defer mu.Unlock()
				leaves[tok.Refresh]++
				return tok.status == 200
			})
			if wins != 20 || len(leaves) != 1 || leaves[refresh] != 0 {
				t.Fatalf("round %d: %d answers, %d leaves", round, wins, len(leaves))
			}
			for refresh = range leaves { // the next round starts from the leaf
			}
		}
		if n := e.count("oidc.grant_revoked"); n != 0 {
			t.Errorf("%d revocations", n)
		}
	})
}

// TestHAIPWalletRenewsAnOffer: the refresh token is the instance's, and its key's.
func TestHAIPWalletRenewsAnOffer(t *testing.T) {
	eachWallet(t, 1, func(t *testing.T, e *env, p *attesttest.Provider) {
		w, thief := newPhone(e, p, "wallet-haip"), newPhone(e, p, "wallet-haip")
		tok := w.send("/token", url.Values{"grant_type": {client.PreAuthorizedCode}, "pre-authorized_code": {"offer-1"}, "tx_code": {"123456"}, "client_id": {w.id}},
			append(w.attested(), w.proof("/token")...)...)
		refresh := tok.text("refresh_token")
		if tok.status != 200 || refresh == "" {
			t.Fatalf("%d %v", tok.status, tok.body)
		}
		key, err := w.instance.Public()
		must(t, err)
		id, _ := claimsOf(t, tok.text("access_token"))["gid"].(string)
		if g, err := oidcstore.New(e.db, nil).Grant(context.Background(), id); err != nil || g.Instance != key.Thumbprint() {
			t.Errorf("the issuer is told another device: %q %v", g.Instance, err)
		}
		thief.dpop = w.dpop
		thief.refresh(refresh, append(thief.attested(), thief.proof("/token")...)...).is(t, "another instance", 400, "invalid_grant")
		w.refresh(refresh, w.proof("/token")...).is(t, "no attestation", 401, "invalid_client")
		if again := w.refresh(refresh, append(w.attested(), w.proof("/token")...)...); again.status != 200 || again.body["token_type"] != "DPoP" {
			t.Errorf("twin: %d %v", again.status, again.body)
		}
	})
}

// The lives are configuration, and those of an offer that was redeemed stay as they were.
func TestRenewalIsConfigured(t *testing.T) {
	e := newEnv(t, "sqlite:"+t.TempDir()+"/a.db", 1, func(e *env) { e.renewal = oidc.Renewal{Idle: time.Hour, Max: 90 * time.Minute} })
	e.takers()
	w := e.taker("taker", false)
	tok := w.take()
	for _, after := range []time.Duration{59 * time.Minute, 30 * time.Minute} {
		e.clock.add(after)
		tok = w.renew(tok.Refresh)
		granted(t, "in time", tok)
	}
	e.clock.add(time.Minute)
	refused(t, "90 minutes", w.renew(tok.Refresh), 400, "invalid_grant")
}
