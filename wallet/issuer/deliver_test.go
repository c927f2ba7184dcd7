package issuer_test

import (
	"context"
	"errors"
	"testing"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/signing/sdjwt"
	"github.com/hufu-id/hufu/wallet/issuer"
	"github.com/hufu-id/hufu/wallet/issuer/request"
)

// Deliver is the credential endpoint for the hosted wallet: what is refused there is refused here.
func TestDeliverRefusesWhatTheEndpointRefusesP12(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		key, err := jose.GenerateKey(jose.ES256)
		must(t, err)
		prove := func(nonce, audience string) (string, error) {
			return w.proofWith(key, func(p *proofParts) {
				p.claims["nonce"], p.claims["aud"] = nonce, audience
				delete(p.claims, "iss")
			}), nil
		}
		token := func(change func(*issuer.AccessToken)) issuer.AccessToken {
			v := w.offer()
			code, txCode := w.codeOf(v), v.TxCode
			got, err := w.issuer.Redeem(context.Background(), code, txCode)
			must(t, err)
			out := issuer.AccessToken{GrantID: "hosted:" + got.OfferID, OfferID: got.OfferID, Scopes: got.Scopes}
			if change != nil {
				change(&out)
			}
			return out
		}
		credential, err := w.issuer.Deliver(context.Background(), token(nil), traffic, driving, prove)
		must(t, err)
		p, err := sdjwt.Parse(credential)
		must(t, err)
		pub, err := w.signers.key.Public()
		must(t, err)
		v, err := p.Verify(pub)
		must(t, err)
		holder, err := v.Holder()
		must(t, err)
		if holder.Thumbprint() != key.ID {
			t.Errorf("bound to %s, want %s", holder.Thumbprint(), key.ID)
		}
		rows := w.count("issuer_issuances")
		broken := errors.New("no key")
		for name, c := range map[string]struct {
			token         issuer.AccessToken
			authority, id string
			prove         func(nonce, audience string) (string, error)
			want          error
		}{
			"P12 another authority":  {token(nil), market, driving, prove, nil},
			"P12 unknown authority":  {token(nil), "1199440000TRY00000X", driving, prove, issuer.ErrNoLicence},
			"P12 another type":       {token(nil), traffic, hygiene, prove, nil},
			"P12 no scope":           {token(func(a *issuer.AccessToken) { a.Scopes = nil }), traffic, driving, prove, nil},
			"P12 offer not redeemed": {issuer.AccessToken{GrantID: "g", OfferID: w.offer().Offer.ID, Scopes: []string{driving}}, traffic, driving, prove, issuer.ErrNoLicence},
			"P01 another nonce":      {token(nil), traffic, driving, func(_, audience string) (string, error) { return prove("abc", audience) }, request.ErrNonce},
			"P02 another audience":   {token(nil), traffic, driving, func(nonce, _ string) (string, error) { return prove(nonce, w.issuer.Identifier(market)) }, request.ErrProof},
			"no key":                 {token(nil), traffic, driving, func(string, string) (string, error) { return "", broken }, broken},
		} {
			if got, err := w.issuer.Deliver(context.Background(), c.token, c.authority, c.id, c.prove); err == nil || got != "" || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%s: %q %v", name, got, err)
			}
		}
		late := token(nil)
		w.register.set(func() { w.register.state[licenceLi] = issuer.ErrNotInForce })
		if _, err := w.issuer.Deliver(context.Background(), late, traffic, driving, prove); !errors.Is(err, issuer.ErrNotInForce) {
			t.Errorf("P12 revoked meanwhile: %v", err)
		}
		if n := w.count("issuer_issuances"); n != rows {
			t.Errorf("%d credentials were recorded", n-rows)
		}
		w.register.set(func() { clear(w.register.state) })
		_, err = w.issuer.Deliver(context.Background(), late, traffic, driving, prove)
		must(t, err)
	})
}
