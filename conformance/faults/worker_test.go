//go:build conformance

package faults_test

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/hufu-id/hufu/internal/sample/wallet"
)

// batchSize is how many copies a worker asks for at once.
const batchSize = 4

// errRefused says that a living server answered what it must not.
var errRefused = errors.New("refused")

// taken is a credential and the hash of the pre-authorized code that it was taken with.
type taken struct{ text, code string }

// worker takes one licence after the other. What it was told stays; a step that the kill interrupted is tried again after the restart.
type worker struct {
	department keyFile
	origin     string
	person     string
	wallet     *wallet.Wallet
	turn       int

	bearer      string // of the department
	offer       *wallet.Offer
	txCode      string
	licence     string
	redeeming   bool // a redemption was sent and its answer never came
	token       *wallet.Token
	mu          sync.Mutex // guards credentials for who counts
	offers      []string   // hashes of codes of acknowledged offers
	redeemed    []string   // the same of acknowledged redemptions
	credentials []taken
	interrupted [3]int
	refused     error
}

// step does what comes next: department token, offer, redemption, credential. It returns an error when the server did not answer, and
// keeps one that a living server must not answer.
func (w *worker) step(ctx context.Context) error {
	var err error
	stage := 0
	switch {
	case w.bearer == "":
		w.bearer, err = w.department.token(w.origin, "register")
	case w.offer == nil:
		err = w.newOffer()
	case w.token == nil:
		stage, err = 1, w.redeem(ctx)
	default:
		stage, err = 2, w.take(ctx)
	}
	if err == nil {
		return nil
	}
	var answered *wallet.ErrorResponse
	if errors.As(err, &answered) || errors.Is(err, errRefused) || errors.Is(err, wallet.ErrIssuer) {
		w.refused = err
	} else {
		w.interrupted[stage]++
	}
	return err
}

func (w *worker) newOffer() error {
	person := w.person
	if person == "" {
		person = "li-xiuying"
	}
	made, err := w.department.offer(w.origin, w.bearer, person)
	if errors.Is(err, errExpired) {
		w.bearer = ""
		return nil
	}
	if err != nil {
		return err
	}
	// By value: the wallet reads it without asking.
	o, err := w.wallet.ReadOffer(context.Background(), made.Value)
	if err != nil || o.Grants.PreAuthorized == nil {
		return fmt.Errorf("%w: offer %q: %v", errRefused, made.Value, err)
	}
	w.offer, w.txCode, w.licence, w.redeeming = &o, made.TxCode, made.Licence, false
	w.offers = append(w.offers, digest(o.Grants.PreAuthorized.Code))
	return nil
}

func (w *worker) redeem(ctx context.Context) error {
	i, err := w.wallet.Discover(ctx, w.offer.Issuer)
	if err != nil {
		return err
	}
	again := w.redeeming
	w.redeeming = true
	t, err := w.wallet.Redeem(ctx, i, *w.offer, w.txCode)
	var answered *wallet.ErrorResponse
	if again && errors.As(err, &answered) && answered.Code == "invalid_grant" {
		// It was redeemed, and the kill kept the answer from us: the person asks for another offer.
		w.offer = nil
		return nil
	}
	if err != nil {
		return err
	}
	w.token = &t
	w.redeemed = append(w.redeemed, digest(w.offer.Grants.PreAuthorized.Code))
	return nil
}

func (w *worker) take(ctx context.Context) error {
	i, err := w.wallet.Discover(ctx, w.offer.Issuer)
	if err != nil {
		return err
	}
	// One copy, then a set of copies of one form, then one of the other.
	configuration, copies := w.offer.ConfigurationIDs[0], 1
	switch w.turn++; w.turn % 3 {
	case 1:
		copies = batchSize
	case 2:
		copies, configuration = batchSize, w.offer.ConfigurationIDs[len(w.offer.ConfigurationIDs)-1]
	}
	b, err := w.wallet.Take(ctx, i, configuration, *w.token, wallet.TakeOptions{Copies: copies})
	if err != nil {
		return err
	}
	if len(b.Copies) != copies {
		return fmt.Errorf("%w: %d copies, not %d", errRefused, len(b.Copies), copies)
	}
	w.mu.Lock()
	for _, c := range b.Copies {
		w.credentials = append(w.credentials, taken{c.Text, digest(w.offer.Grants.PreAuthorized.Code)})
	}
	w.mu.Unlock()
	w.offer, w.token = nil, nil
	return nil
}
