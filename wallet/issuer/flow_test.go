package issuer_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/sample/wallet"
	"github.com/hufu-id/hufu/signing/sdjwt"
	"github.com/hufu-id/hufu/wallet/issuer"
)

func TestWalletTakesAnOfferByPreAuthorizedCode(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		for name, uri := range map[string]func(issuer.OfferView) string{
			"by reference": func(v issuer.OfferView) string { return v.URI },
			"by value":     func(v issuer.OfferView) string { return v.ValueURI },
		} {
			v := w.offer()
			c, err := w.wallet.TakeOffer(ctx, uri(v), v.TxCode)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			checkCredential(t, w, c)
		}
		if n := w.count("issuer_issuances"); n != 2 {
			t.Errorf("%d issuances recorded", n)
		}
		if n := w.audited("issuer.credential_recorded"); n != 2 {
			t.Errorf("%d issuances audited", n)
		}
	})
}

func checkCredential(t *testing.T, w *world, c wallet.Credential) {
	t.Helper()
	p, err := sdjwt.Parse(c.Text)
	must(t, err)
	pub, err := w.signers.key.Public()
	must(t, err)
	v, err := p.Verify(pub)
	must(t, err)
	claims := v.Claims()
	if p.Header().Typ != "dc+sd-jwt" {
		t.Errorf("typ %q", p.Header().Typ)
	}
	for name, want := range map[string]string{"iss": w.server.URL + "/i/" + traffic, "vct": "http://hufu.test/types/driving-licence/1",
		"vct#integrity": "sha256-AAAA", "name": "李秀英", "licence_id": "LI1", "class": "C1"} {
		if claims[name] != want {
			t.Errorf("%s is %v, not %v", name, claims[name], want)
		}
	}
	iat, _ := claims["iat"].(json.Number).Int64()
	exp, _ := claims["exp"].(json.Number).Int64()
	if iat%3600 != 0 || iat > w.Now().Unix() || exp-iat != 90*86400 {
		t.Errorf("iat %d exp %d", iat, exp)
	}
	jwk := claims["cnf"].(map[string]any)["jwk"].(map[string]any)
	for name := range jwk {
		if !strings.Contains("kty crv x y", name) {
			t.Errorf("cnf.jwk has %s", name)
		}
	}
	list := claims["status"].(map[string]any)["status_list"].(map[string]any)
	if !strings.HasPrefix(list["uri"].(string), w.server.URL+"/status/") || list["idx"] == nil {
		t.Errorf("status %v", list)
	}
	// Three selective claims, one of which this licence lacks: as many digests as when it had it.
	only, err := p.Present()
	must(t, err)
	bare, err := sdjwt.Parse(only)
	must(t, err)
	if bare.Hidden() != 3 {
		t.Errorf("%d digests, not 3: their number tells which claims exist", bare.Hidden())
	}
	if got := bare.UnverifiedClaims(); got["name"] != nil || got["class"] != "C1" {
		t.Errorf("shown without disclosures: %v", got)
	}
}

func TestWalletPresentsWithSelectiveDisclosureAndKeyBinding(t *testing.T) {
	w := newWorld(t, "sqlite:"+filepath.Join(t.TempDir(), "t.db"))
	v := w.offer()
	_, err := w.wallet.TakeOffer(context.Background(), v.URI, v.TxCode)
	must(t, err)
	file := filepath.Join(t.TempDir(), "wallet.json")
	must(t, w.wallet.Save(file))
	other := wallet.New(wallet.Options{})
	must(t, other.Load(file))
	c := other.Credentials()[0]
	text, err := c.Present("https://verifier.test", "n-1", w.Now(), sdjwt.P("licence_id"))
	must(t, err)
	p, err := sdjwt.Parse(text)
	must(t, err)
	if got := p.UnverifiedClaims(); got["licence_id"] != nil || got["name"] != "李秀英" {
		t.Errorf("shown: %v", got)
	}
	pub, err := w.signers.key.Public()
	must(t, err)
	verified, err := p.Verify(pub)
	must(t, err)
	kb, err := verified.KeyBinding()
	must(t, err)
	good := sdjwt.Challenge{Audience: "https://verifier.test", Nonce: "n-1", At: w.Now(), MaxAge: time.Minute, Leeway: time.Minute}
	must(t, kb.Check(good))
	good.Nonce = "n-2"
	if err := kb.Check(good); !errors.Is(err, sdjwt.ErrChallenge) {
		t.Errorf("other nonce: %v", err)
	}
}

func TestPersonTokenGivesTheNewestLicenceOrTheOffered(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		walletClient := wallet.New(wallet.Options{ClientID: "wallet", Now: w.Now})
		i, err := walletClient.Discover(ctx, w.issuer.Identifier(traffic))
		must(t, err)
		take := func(bearer string) string {
			t.Helper()
			_, err := walletClient.Request(ctx, i, driving, wallet.Token{AccessToken: bearer})
			must(t, err)
			var id string
			must(t, w.db.QueryRow(ctx, `SELECT licence_id FROM issuer_issuances ORDER BY recorded_at DESC LIMIT 1`).Scan(&id))
			w.advance(time.Second)
			return id
		}
		if id := take(w.personToken("loa3")); id != licenceLi {
			t.Errorf("without an offer: %s", id)
		}
		v, err := w.issuer.CreateOffer(ctx, issuer.OfferRequest{LicenceID: licenceLi0, PersonID: personLi, ACR: "loa3", Grant: issuer.AuthorizationCode})
		must(t, err)
		if v.TxCode != "" {
			t.Error("an authorization code offer has a transaction code")
		}
		o, err := walletClient.ReadOffer(ctx, v.URI)
		must(t, err)
		state := o.Grants.AuthorizationCode.IssuerState
		if scope, audience, err := w.issuer.StateOffer(ctx, state); err != nil || scope != driving || audience != i.ID {
			t.Errorf("state: %q %q %v", scope, audience, err)
		}
		a, err := walletClient.Authorize(ctx, i.ID, driving, state)
		must(t, err)
		if q, _ := url.Parse(a.URL); q.Query().Get("issuer_state") != state || q.Query().Get("code_challenge_method") != "S256" {
			t.Errorf("authorization request %s", a.URL)
		}
		bearer := w.personToken("loa3")
		tok := w.tokens.all[bearer]
		tok.IssuerState = state
		w.tokens.put(bearer, i.ID, tok)
		if id := take(bearer); id != licenceLi0 {
			t.Errorf("with an offer: %s", id)
		}
	})
}

func TestMetadataNamesWhatIsServed(t *testing.T) {
	w := newWorld(t, "sqlite:"+filepath.Join(t.TempDir(), "t.db"))
	a := w.send("GET", "/.well-known/openid-credential-issuer/i/"+traffic, "", "")
	if a.status != 200 || a.header.Get("Content-Type") != "application/json" || a.header.Get("Access-Control-Allow-Origin") != "*" {
		t.Fatalf("%d %v", a.status, a.header)
	}
	var m map[string]any
	must(t, json.Unmarshal(a.body, &m))
	id := w.server.URL + "/i/" + traffic
	if m["credential_issuer"] != id || m["nonce_endpoint"] != id+"/nonce" || m["credential_endpoint"] != id+"/credential" {
		t.Errorf("%v", m)
	}
	c := m["credential_configurations_supported"].(map[string]any)[driving].(map[string]any)
	if c["format"] != "dc+sd-jwt" || c["scope"] != driving || c["proof_types_supported"] == nil || c["cryptographic_binding_methods_supported"] == nil {
		t.Errorf("%v", c)
	}
	if again := w.send("GET", "/.well-known/openid-credential-issuer/i/"+traffic, "", "", "If-None-Match", a.header.Get("ETag")); again.status != 304 {
		t.Errorf("with the entity tag: %d", again.status)
	}
	keys := w.send("GET", "/.well-known/jwt-vc-issuer/i/"+traffic, "", "")
	var k struct {
		Issuer string
		JWKS   struct{ Keys []map[string]any }
	}
	must(t, json.Unmarshal(keys.body, &k))
	if k.Issuer != id || len(k.JWKS.Keys) != 1 || k.JWKS.Keys[0]["d"] != nil {
		t.Errorf("%s", keys.body)
	}
	if a := w.send("GET", "/.well-known/openid-credential-issuer/i/UNKNOWN", "", ""); a.status != 404 {
		t.Errorf("unknown issuer: %d", a.status)
	}
	if a := w.send("OPTIONS", "/i/"+traffic+"/credential", "", "", "Origin", "https://wallet.test"); a.status != 204 || a.header.Get("Access-Control-Allow-Headers") == "" {
		t.Errorf("preflight: %d", a.status)
	}
	if s, ok := w.issuer.Scope(driving); !ok || len(s.Audience) != 1 || s.Audience[0] != id || s.RequiredACR != "loa3" {
		t.Errorf("scope: %+v", s)
	}
}

func TestDepartmentMakesOffersOfItsOwnLicences(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		post := func(code, body string) answer {
			return w.send("POST", "/register/v1/offers", "application/json", body, "X-Department", code)
		}
		a := post(traffic, `{"person":"li-xiuying","type":"driving-licence"}`)
		var o struct {
			URI    string `json:"offer_uri"`
			TxCode string `json:"tx_code"`
			Expiry string `json:"expires_at"`
		}
		must(t, json.Unmarshal(a.body, &o))
		if a.status != 201 || len(o.TxCode) != 6 || !strings.HasPrefix(o.URI, "openid-credential-offer://?credential_offer_uri=") {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if at, err := time.Parse(time.RFC3339, o.Expiry); err != nil || at.Sub(w.Now()) > 15*time.Minute {
			t.Errorf("expires_at %q", o.Expiry)
		}
		if _, err := w.wallet.TakeOffer(context.Background(), o.URI, o.TxCode); err != nil {
			t.Errorf("taking it: %v", err)
		}
		for name, c := range map[string]struct {
			code, body string
			status     int
		}{
			"by licence":               {traffic, `{"licence":"` + licenceLi + `"}`, 201},
			"another's licence":        {market, `{"licence":"` + licenceLi + `"}`, 404},
			"unknown licence":          {traffic, `{"licence":"1.2.3"}`, 404},
			"unknown person":           {traffic, `{"person":"nobody","type":"driving-licence"}`, 404},
			"other type":               {traffic, `{"licence":"` + licenceLi + `","type":"hygiene-permit"}`, 404},
			"person and licence":       {traffic, `{"person":"li-xiuying","type":"driving-licence","licence":"` + licenceLi + `"}`, 400},
			"person without type":      {traffic, `{"person":"li-xiuying"}`, 400},
			"null":                     {traffic, `null`, 400},
			"member twice":             {traffic, `{"licence":"a","licence":"` + licenceLi + `"}`, 400},
			"unknown grant":            {traffic, `{"licence":"` + licenceLi + `","grant":"password"}`, 400},
			"nobody":                   {"", `{"licence":"` + licenceLi + `"}`, 401},
			"not an issuing authority": {"91994401MA5TRY010A", `{"licence":"` + licenceLi + `"}`, 403},
		} {
			if a := post(c.code, c.body); a.status != c.status {
				t.Errorf("%s: %d %s", name, a.status, a.body)
			}
		}
		w.register.set(func() { w.register.state[licenceLi] = issuer.ErrNotInForce })
		if a := post(traffic, `{"licence":"`+licenceLi+`"}`); a.status != 409 {
			t.Errorf("not in force: %d", a.status)
		}
	})
}
