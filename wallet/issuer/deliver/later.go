package deliver

import (
	"context"
	"errors"
	"fmt"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/wallet/issuer/catalog"
	"github.com/hufu-id/hufu/wallet/issuer/port"
)

var (
	// ErrWaiting: the answer was deferred, and the caller can't wait.
	ErrWaiting = errors.New("issuer: the authority has not released this licence yet")
	// ErrRefused: the authority refused to release the licence to wallets.
	ErrRefused = errors.New("issuer: the authority refused to release this licence")
)

// waiting says whether the authority has yet to release the licence to wallets, and asks it to. ErrRefused.
func (d *Desk) waiting(ctx context.Context, o order, l port.Licence) (bool, error) {
	if !o.authority.Approves {
		return false, nil
	}
	r, err := d.cfg.Store.AskRelease(ctx, port.Release{LicenceID: l.ID, Authority: o.authority.Code, TypeID: l.TypeID, State: port.Waiting, RequestedAt: d.cfg.Now()})
	switch {
	case err != nil:
		return false, err
	case r.State == port.Refused:
		return false, ErrRefused
	}
	return r.State != port.Released, nil
}

// deferIt remembers a request, or returns the promise again when it was one already.
func (d *Desk) deferIt(ctx context.Context, o order, l port.Licence, p port.Person) (Result, error) {
	if o.licence != "" {
		return Result{}, errStillWaiting
	}
	id, err := d.cfg.OpaqueID()
	if err != nil {
		return Result{}, err
	}
	now := d.cfg.Now()
	pending := port.Pending{ID: port.Hash(id), Authority: o.authority.Code, ConfigurationID: o.conf.ID, LicenceID: l.ID, PersonID: p.ID,
		GrantID: o.token.GrantID, Keys: o.keys, CreatedAt: now, ExpiresAt: now.Add(d.cfg.DeferLife)}
	err = d.cfg.Store.Defer(ctx, pending, audit.Event{Kind: "issuer.credential_deferred", Actor: Actor(o.token, p.ID), Subject: l.ID, Client: o.token.ClientID,
		Detail: map[string]string{"configuration": o.conf.ID}})
	return Result{TransactionID: id, Interval: d.cfg.DeferInterval}, err
}

// errStillWaiting rolls back what an attempt to answer a deferred request did.
var errStillWaiting = errors.New("issuer: still waiting")

// Deferred answers a Deferred Credential Request (section 9): the credentials, once, or the same promise. It checks everything again, as things are now.
// port.ErrUnknownTransaction for an id that is not this grant's, whatever the reason, after the same one look.
func (d *Desk) Deferred(ctx context.Context, a *catalog.Entry, token port.AccessToken, transactionID string) (Result, error) {
	p, err := d.cfg.Store.Pending(ctx, port.Hash(transactionID), d.cfg.Now())
	if err != nil {
		return Result{}, err
	}
	if p.Authority != a.Code || p.GrantID != token.GrantID {
		return Result{}, port.ErrUnknownTransaction
	}
	o := order{authority: a, token: token, keys: p.Keys, licence: p.LicenceID}
	var ok bool
	if o.conf, ok = a.Configuration(p.ConfigurationID); !ok {
		return Result{}, fmt.Errorf("%w: it is issued no more", port.ErrNoLicence)
	}
	if o.signer, err = d.signer(ctx, o); err != nil {
		return Result{}, err
	}
	out, err := d.run(ctx, o, func(ctx context.Context) error { return d.cfg.Store.EndPending(ctx, p.ID, d.cfg.Now()) })
	if errors.Is(err, errStillWaiting) {
		return Result{TransactionID: transactionID, Interval: d.cfg.DeferInterval}, nil
	}
	return out, err
}

// Notify takes a Notification Request (section 11). Repeating one changes nothing and is no error. port.ErrUnknownNotification.
func (d *Desk) Notify(ctx context.Context, a *catalog.Entry, token port.AccessToken, id, event, description string) error {
	return d.cfg.Store.Notice(ctx, port.Hash(id), a.Code, token.GrantID, event, d.cfg.Now(), audit.Event{Kind: "issuer.notified",
		Actor: Actor(token, token.PersonID), Client: token.ClientID, Detail: map[string]string{"event": event, "description": description[:min(len(description), 200)]}})
}

// Retire ends the copies that newer ones on the same device superseded, when their time is over (Policy.SupersedeAfter). It returns how many sets.
func (d *Desk) Retire(ctx context.Context) (int, error) {
	if d.cfg.SupersedeAfter < 0 {
		return 0, nil
	}
	now := d.cfg.Now()
	sets, err := d.cfg.Store.Superseded(ctx, now.Add(-d.cfg.SupersedeAfter), 100)
	if err != nil {
		return 0, err
	}
	for id, copies := range sets {
		err := d.cfg.Tx(ctx, func(ctx context.Context) error {
			if err := d.cfg.Store.Retired(ctx, id, now); err != nil {
				return err
			}
			return d.cfg.Status.Retire(ctx, copies, now)
		})
		if err != nil {
			return 0, err
		}
	}
	return len(sets), nil
}
