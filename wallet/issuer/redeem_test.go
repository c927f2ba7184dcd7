package issuer_test

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hufu-id/hufu/wallet/issuer"
)

// codeOf reads the pre-authorized code out of an offer by value.
func (w *world) codeOf(v issuer.OfferView) string {
	w.t.Helper()
	o, err := w.wallet.ReadOffer(context.Background(), v.ValueURI)
	must(w.t, err)
	return o.Grants.PreAuthorized.Code
}

func wrong(txCode string) string { return txCode[:5] + string('0'+(txCode[5]-'0'+1)%10) }

func TestRedeem(t *testing.T) {
	ctx := context.Background()
	each(t, func(t *testing.T, w *world) {
		t.Run("P01 right code, once", func(t *testing.T) {
			v := w.offer()
			code := w.codeOf(v)
			r, err := w.issuer.Redeem(ctx, code, v.TxCode)
			must(t, err)
			if r.OfferID != v.Offer.ID || len(r.Scopes) != 1 || r.Scopes[0] != driving || r.Audience[0] != w.issuer.Identifier(traffic) {
				t.Errorf("%+v", r)
			}
			if _, err := w.issuer.Redeem(ctx, code, v.TxCode); !errors.Is(err, issuer.ErrUnknownCode) {
				t.Errorf("P01 twice: %v", err)
			}
			if a := w.send("GET", offerPath(t, v), "", ""); a.status != 404 {
				t.Errorf("P01 a redeemed offer is still served: %d", a.status)
			}
		})
		t.Run("P01 expiry", func(t *testing.T) {
			late, fresh := w.offer(), w.offer()
			w.advance(15*time.Minute - time.Second)
			if _, err := w.issuer.Redeem(ctx, w.codeOf(fresh), fresh.TxCode); err != nil {
				t.Errorf("a second before: %v", err)
			}
			w.advance(time.Second)
			if _, err := w.issuer.Redeem(ctx, w.codeOf(late), late.TxCode); !errors.Is(err, issuer.ErrUnknownCode) {
				t.Errorf("at the end: %v", err)
			}
			if a := w.send("GET", offerPath(t, late), "", ""); a.status != 404 {
				t.Errorf("an expired offer is still served: %d", a.status)
			}
		})
		t.Run("P01 unknown codes", func(t *testing.T) {
			v := w.offer()
			for _, code := range []string{"", "x", w.codeOf(v) + "A", string(make([]byte, 4096))} {
				if _, err := w.issuer.Redeem(ctx, code, v.TxCode); !errors.Is(err, issuer.ErrUnknownCode) {
					t.Errorf("%.10q: %v", code, err)
				}
			}
			// Nothing of the above counted as a try.
			if _, err := w.issuer.Redeem(ctx, w.codeOf(v), v.TxCode); err != nil {
				t.Error(err)
			}
		})
		t.Run("P02 tx_code", func(t *testing.T) { testTxCode(t, w) })
	})
}

func offerPath(t *testing.T, v issuer.OfferView) string {
	t.Helper()
	u, err := url.Parse(v.URI)
	must(t, err)
	return u.Query().Get("credential_offer_uri")
}

func testTxCode(t *testing.T, w *world) {
	ctx := context.Background()
	four, five := w.offer(), w.offer()
	for range 4 {
		if _, err := w.issuer.Redeem(ctx, w.codeOf(four), wrong(four.TxCode)); !errors.Is(err, issuer.ErrTxCodeWrong) {
			t.Errorf("wrong: %v", err)
		}
	}
	if _, err := w.issuer.Redeem(ctx, w.codeOf(four), ""); !errors.Is(err, issuer.ErrTxCodeMissing) {
		t.Errorf("missing: %v", err)
	}
	if _, err := w.issuer.Redeem(ctx, w.codeOf(four), four.TxCode); err != nil {
		t.Errorf("right after four wrong ones: %v", err)
	}
	wide := []rune(five.TxCode)
	for i := range wide {
		wide[i] += '０' - '0'
	}
	for _, guess := range []string{string(wide), " " + five.TxCode, five.TxCode + "\n", wrong(five.TxCode), wrong(five.TxCode)} {
		if _, err := w.issuer.Redeem(ctx, w.codeOf(five), guess); !errors.Is(err, issuer.ErrTxCodeWrong) {
			t.Errorf("%q: %v", guess, err)
		}
	}
	if _, err := w.issuer.Redeem(ctx, w.codeOf(five), five.TxCode); !errors.Is(err, issuer.ErrUnknownCode) {
		t.Errorf("right after five wrong ones: %v", err)
	}
	if n := w.audited("issuer.offer_ended"); n != 1 {
		t.Errorf("%d offers audited as ended", n)
	}
}

// An offer without a transaction code refuses one. We make none such; the store could hold one.
func TestRedeemRefusesAnUnexpectedTxCode(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		v := w.offer()
		_, err := w.db.Exec(ctx, `UPDATE issuer_offers SET tx_mac = '' WHERE id = $1`, v.Offer.ID)
		must(t, err)
		code := w.codeOf(v)
		if _, err := w.issuer.Redeem(ctx, code, v.TxCode); !errors.Is(err, issuer.ErrTxCodeUnexpected) {
			t.Errorf("P02 not expected: %v", err)
		}
		if _, err := w.issuer.Redeem(ctx, code, ""); err != nil {
			t.Errorf("none: %v", err)
		}
	})
}

// A caller that redeems inside its own transaction and then commits the refusal keeps the count.
func TestRedeemCountsInsideACallersTransaction(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		ctx := context.Background()
		v := w.offer()
		code := w.codeOf(v)
		for range 5 {
			must(t, w.db.InTx(ctx, func(ctx context.Context) error {
				if _, err := w.issuer.Redeem(ctx, code, wrong(v.TxCode)); !errors.Is(err, issuer.ErrTxCodeWrong) {
					t.Errorf("wrong: %v", err)
				}
				return nil
			}))
		}
		if _, err := w.issuer.Redeem(ctx, code, v.TxCode); !errors.Is(err, issuer.ErrUnknownCode) {
			t.Errorf("right after five wrong ones: %v", err)
		}
	})
}

// parallel runs fn n times at once, in turn on two nodes, and returns how often it said yes.
func parallel(nodes []*world, n int, fn func(w *world, i int) bool) int {
	var yes atomic.Int64
	var ready, done sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		ready.Add(1)
		done.Go(func() {
			ready.Done()
			<-start
			if fn(nodes[i%len(nodes)], i) {
				yes.Add(1)
			}
		})
	}
	ready.Wait()
	close(start)
	done.Wait()
	return int(yes.Load())
}

func TestRacePreAuthorizedCodeHasOneWinner(t *testing.T) {
	rounds := 60
	if testing.Short() {
		rounds = 5
	}
	each(t, func(t *testing.T, w *world) {
		nodes := []*world{w, w.another()}
		for round := range rounds {
			v, err := w.issuer.CreateOffer(context.Background(), issuer.OfferRequest{LicenceID: licenceLi, Department: traffic})
			must(t, err)
			code := w.codeOf(v)
			// The limit of tries is five: with the right code all of them, too, are tries.
			n := parallel(nodes, 20, func(n *world, _ int) bool {
				_, err := n.issuer.Redeem(context.Background(), code, v.TxCode)
				if err != nil && !errors.Is(err, issuer.ErrUnknownCode) {
					t.Errorf("P01 loser got a fault: %v", err)
				}
				return err == nil
			})
			if n != 1 {
				t.Fatalf("P01 round %d: %d winners", round, n)
			}
		}
	})
}

func TestRaceTxCodeTriesAreCountedOverTwoNodes(t *testing.T) {
	rounds := 15
	if testing.Short() {
		rounds = 3
	}
	each(t, func(t *testing.T, w *world) {
		nodes := []*world{w, w.another()}
		for round := range rounds {
			v, err := w.issuer.CreateOffer(context.Background(), issuer.OfferRequest{LicenceID: licenceLi, Department: traffic})
			must(t, err)
			code := w.codeOf(v)
			n := parallel(nodes, 20, func(n *world, i int) bool {
				guess := fmt.Sprintf("%06d", i)
				if guess == v.TxCode {
					guess = "999999"
				}
				_, err := n.issuer.Redeem(context.Background(), code, guess)
				if !errors.Is(err, issuer.ErrTxCodeWrong) && !errors.Is(err, issuer.ErrUnknownCode) {
					t.Errorf("P02: %v", err)
				}
				return errors.Is(err, issuer.ErrTxCodeWrong)
			})
			if n != 5 {
				t.Fatalf("P02 round %d: %d guesses were compared, not 5", round, n)
			}
			if _, err := w.issuer.Redeem(context.Background(), code, v.TxCode); !errors.Is(err, issuer.ErrUnknownCode) {
				t.Errorf("P02 the right one afterwards: %v", err)
			}
		}
	})
}

func TestOffersOfOnePersonAreBounded(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for range 20 {
			w.offer()
		}
		_, err := w.issuer.CreateOffer(context.Background(), issuer.OfferRequest{LicenceID: licenceLi, PersonID: personLi, ACR: "loa3"})
		if !errors.Is(err, issuer.ErrTooManyOffers) {
			t.Errorf("the 21st: %v", err)
		}
		w.advance(16 * time.Minute)
		w.offer()
		w.advance(2 * time.Hour)
		if n, err := w.issuer.Sweep(context.Background()); err != nil || n != 21 {
			t.Errorf("swept %d, %v", n, err)
		}
	})
}

func TestCreateOfferDecidesWhoMay(t *testing.T) {
	ctx := context.Background()
	each(t, func(t *testing.T, w *world) {
		good := issuer.OfferRequest{LicenceID: licenceLi, PersonID: personLi, ACR: "loa3"}
		for name, c := range map[string]struct {
			change func(*issuer.OfferRequest)
			want   error
		}{
			"own licence":         {func(*issuer.OfferRequest) {}, nil},
			"another's licence":   {func(r *issuer.OfferRequest) { r.PersonID = "person-wang" }, issuer.ErrNoLicence},
			"level too low":       {func(r *issuer.OfferRequest) { r.ACR = "loa2" }, issuer.ErrLevelTooLow},
			"no level":            {func(r *issuer.OfferRequest) { r.ACR = "" }, issuer.ErrLevelTooLow},
			"unknown level":       {func(r *issuer.OfferRequest) { r.ACR = "loa9" }, issuer.ErrLevelTooLow},
			"unknown grant":       {func(r *issuer.OfferRequest) { r.Grant = "password" }, issuer.ErrUnknownGrant},
			"own department":      {func(r *issuer.OfferRequest) { r.PersonID, r.ACR, r.Department = "", "", traffic }, nil},
			"another department":  {func(r *issuer.OfferRequest) { r.PersonID, r.ACR, r.Department = "", "", market }, issuer.ErrNoLicence},
			"authorization code":  {func(r *issuer.OfferRequest) { r.Grant = issuer.AuthorizationCode }, nil},
			"licence of the type": {func(r *issuer.OfferRequest) { r.TypeID = driving }, nil},
			"of another type":     {func(r *issuer.OfferRequest) { r.TypeID = hygiene }, issuer.ErrNoLicence},
		} {
			req := good
			c.change(&req)
			if _, err := w.issuer.CreateOffer(ctx, req); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
		}
		w.register.set(func() { w.register.who[personLi] = true })
		if _, err := w.issuer.CreateOffer(ctx, good); !errors.Is(err, issuer.ErrPersonInactive) {
			t.Errorf("suspended person: %v", err)
		}
		w.register.set(func() { w.register.who[personLi] = false })
		v, err := w.issuer.CreateOffer(ctx, good)
		must(t, err)
		if _, err := w.issuer.ShowOffer(ctx, v.OpaqueID, personLi); err != nil {
			t.Error(err)
		}
		for _, other := range []string{"person-wang", ""} {
			if _, err := w.issuer.ShowOffer(ctx, v.OpaqueID, other); !errors.Is(err, issuer.ErrUnknownOffer) {
				t.Errorf("shown to %q: %v", other, err)
			}
		}
	})
}
