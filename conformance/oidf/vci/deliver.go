//go:build conformance

package vci

import (
	"context"
	"net/url"
	"strings"

	"github.com/hufu-id/hufu/conformance/oidf/suite"
)

// Delivery brings one module instance its offers and transaction codes.
type Delivery struct {
	suite *suite.Suite
	plan  Plan
	offer func(context.Context) (offer, error)

	offers int
	txCode string // of the last offer, "" once it was told
}

// Delivery begins for one module of a plan. Offers are for a person's licence.
func (d *Desk) Delivery(s *suite.Suite, p Plan, person string) *Delivery {
	grant := either(p.PreAuthorized, "pre-authorized_code", "authorization_code")
	return &Delivery{suite: s, plan: p, offer: func(ctx context.Context) (offer, error) { return d.offer(ctx, person, grant) }}
}

// Do gives an instance that waits what it waits for, if that is an offer or a code. Offers go by reference and by value in turn.
func (d *Delivery) Do(ctx context.Context, id string) error {
	exposed, err := d.suite.Exposed(ctx, id)
	if err != nil {
		return nil // the module ended between two questions
	}
	if to := exposed["tx_code_endpoint"]; to != "" {
		if d.txCode == "" {
			return nil
		}
		address, _, _ := strings.Cut(to, "?")
		code := d.txCode
		d.txCode = ""
		return d.tell(ctx, address+"?"+url.Values{"code": {code}}.Encode())
	}
	// With the code flow the endpoint stays exposed, and one offer serves both clients.
	if to := exposed["credential_offer_endpoint"]; to != "" && d.txCode == "" && (d.offers == 0 || d.plan.PreAuthorized) {
		return d.give(ctx, to)
	}
	return nil
}

func (d *Delivery) give(ctx context.Context, endpoint string) error {
	o, err := d.offer(ctx)
	if err != nil {
		return err
	}
	d.offers++
	d.txCode = o.TxCode
	q, err := query(either(d.offers%2 == 1, o.URI, o.Value))
	if err != nil {
		return err
	}
	return d.tell(ctx, endpoint+"?"+q)
}

// tell asks the suite as a browser does. A module that fails on what it got answers with an error page; its log says why.
func (d *Delivery) tell(ctx context.Context, address string) error {
	_, err := fetch(ctx, d.suite.HTTP, address)
	if ctx.Err() != nil {
		return err
	}
	return nil
}
