package token

import (
	"context"
	"errors"
)

// PreAuthorizedCodes redeems the codes of credential offers (OpenID4VCI section 6.1). The credential issuer implements it.
type PreAuthorizedCodes interface {
	// Redeem uses up a code, in the transaction of ctx. txCode is "" when none was sent. The errors below are answers, not
	// faults: what Redeem wrote before returning one (a counted try) is committed.
	Redeem(ctx context.Context, code, txCode string) (PreAuthorized, error)
}

// PreAuthorized is what a redeemed code allows.
type PreAuthorized struct {
	OfferID  string
	Issuer   string   // the credential issuer's identifier
	Scopes   []string // of the credentials offered
	Audience []string // where the token may be used; Issuer when empty
}

// Answers of Redeem.
var (
	ErrOffer     = errors.New("token: no such offer")
	ErrTxCode    = errors.New("token: wrong transaction code")
	ErrTxMissing = errors.New("token: transaction code expected")
	ErrTxUnasked = errors.New("token: no transaction code expected")
)
