package offer

import (
	"context"
	"errors"

	"github.com/hufu-id/hufu/wallet/issuer/port"
)

// What Redeem answers. The token endpoint maps ErrTxCodeMissing and ErrTxCodeUnexpected to invalid_request and the others to
// invalid_grant (section 6.3).
var (
	// ErrUnknownCode: no such code, or redeemed, expired, or ended by wrong tries. Never told apart.
	ErrUnknownCode = errors.New("issuer: the pre-authorized code is not valid")
	// ErrTxCodeWrong: the Transaction Code is wrong; the try was counted.
	ErrTxCodeWrong = errors.New("issuer: wrong transaction code")
	// ErrTxCodeMissing: the offer has a Transaction Code and the request none. Not counted.
	ErrTxCodeMissing = errors.New("issuer: transaction code missing")
	// ErrTxCodeUnexpected: the request has a Transaction Code and the offer none. Not counted.
	ErrTxCodeUnexpected = errors.New("issuer: transaction code not expected")

	// ErrUnknownGrant: the grant of an offer request is not one of ours.
	ErrUnknownGrant = errors.New("issuer: unknown grant")
)

// Redemption is what a Pre-Authorized Code gave: the authority to ask for one type at one Credential Issuer.
type Redemption struct {
	// OfferID identifies the offer; it is no secret. The access token's subject lies in the "offer:" space.
	OfferID  string
	Scopes   []string
	Audience []string
}

// Redeem uses up a Pre-Authorized Code, for the token endpoint. Of any number of calls with one code, on any number of nodes, at
// most one succeeds. An empty txCode is none.
//
// It joins the transaction in ctx. The errors above are answers, not faults: a caller that is in a transaction must commit it when
// it gets one, or the count of wrong tries is rolled back and guessing is free. Without a transaction Redeem commits itself; then
// a crash before the tokens are minted costs the person a new offer and gives nobody a second try.
func (d *Desk) Redeem(ctx context.Context, code, txCode string) (Redemption, error) {
	if code == "" || len(code) > 128 {
		return Redemption{}, ErrUnknownCode
	}
	o, err := d.cfg.Store.OfferByCode(ctx, port.Hash(code))
	switch {
	case errors.Is(err, port.ErrUnknownOffer):
		return Redemption{}, ErrUnknownCode
	case err != nil:
		return Redemption{}, err
	case !d.open(o):
		return Redemption{}, ErrUnknownCode
	case o.TxMAC != "" && txCode == "":
		return Redemption{}, ErrTxCodeMissing
	case o.TxMAC == "" && txCode != "":
		return Redemption{}, ErrTxCodeUnexpected
	}
	txMAC := ""
	if o.TxMAC != "" {
		txMAC = d.txMAC(o.ID, txCode)
	}
	right, _, err := d.cfg.Store.Try(ctx, o.ID, txMAC, d.cfg.MaxTxCodeTries, d.cfg.Now())
	switch {
	case errors.Is(err, port.ErrOfferEnded):
		return Redemption{}, ErrUnknownCode
	case err != nil:
		return Redemption{}, err
	case !right:
		return Redemption{}, ErrTxCodeWrong
	}
	return Redemption{OfferID: o.ID, Scopes: []string{o.TypeID}, Audience: []string{d.identifier(o.Authority)}}, nil
}
