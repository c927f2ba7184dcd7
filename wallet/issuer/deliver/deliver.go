// Package deliver is the Credential Endpoint without HTTP: who may have what, the record, the signature; now or later.
package deliver

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/wallet/issuer/catalog"
	"github.com/hufu-id/hufu/wallet/issuer/port"
	"github.com/hufu-id/hufu/wallet/issuer/request"
)

// What Issue answers beside the errors of the interfaces.
var (
	ErrUnknownConfiguration = errors.New("issuer: unknown credential configuration")
	ErrUnknownIdentifier    = errors.New("issuer: unknown credential identifier")
	ErrScope                = errors.New("issuer: the access token has no scope for this credential")
)

// Desk issues credentials. Safe for concurrent use; it keeps nothing.
type Desk struct {
	cfg     *port.Config
	catalog func() *catalog.Catalog
	nonces  request.Nonces
	naming  []byte
}

// New returns a Desk over a completed configuration.
func New(cfg *port.Config, catalog func() *catalog.Catalog) *Desk {
	return &Desk{cfg: cfg, catalog: catalog, naming: port.MAC(cfg.Secret, "hufu/issuer/credential-identifier/1"),
		nonces: request.Nonces{Key: port.MAC(cfg.Secret, "hufu/issuer/nonce/1"), Now: cfg.Now, Rand: cfg.Rand}}
}

// Nonce returns a fresh nonce for one Credential Issuer.
func (d *Desk) Nonce(identifier string) (string, error) { return d.nonces.New(identifier) }

// Result is what a Credential Response says: credentials, or when to ask for them.
type Result struct {
	Credentials    []string
	NotificationID string
	// TransactionID and Interval are set when the answer is deferred.
	TransactionID string
	Interval      time.Duration
}

// order is a Credential Request that passed every check that needs no transaction.
type order struct {
	authority *catalog.Entry
	conf      catalog.Configuration
	token     port.AccessToken
	// identifier names one licence; empty when the request named a configuration.
	identifier string
	keys       []jose.JWK
	signer     port.Signer
	// licence is set for what was deferred: it stays the licence that was asked for.
	licence string
}

// Issue answers one Credential Request with as many credentials as it proved keys, or with a promise.
func (d *Desk) Issue(ctx context.Context, a *catalog.Entry, token port.AccessToken, req request.Credential) (Result, error) {
	o, proven, err := d.check(ctx, a, token, req)
	if err != nil {
		return Result{}, err
	}
	return d.run(ctx, o, func(ctx context.Context) error {
		return d.cfg.Store.ClaimNonce(ctx, proven.Nonce(), proven.NonceExpires())
	})
}

// run is one transaction and then the signatures: first claims what the request uses up, and when anything refuses, nothing has happened.
func (d *Desk) run(ctx context.Context, o order, first func(ctx context.Context) error) (Result, error) {
	var out Result
	var batch []laid
	err := d.cfg.Tx(ctx, func(ctx context.Context) error {
		out, batch = Result{}, nil // the database may have to do it twice
		if err := first(ctx); err != nil {
			return err
		}
		licence, person, err := d.authorise(ctx, o)
		if err != nil {
			return err
		}
		waiting, err := d.waiting(ctx, o, licence)
		if err != nil {
			return err
		}
		if waiting {
			out, err = d.deferIt(ctx, o, licence, person)
			return err
		}
		batch, out.NotificationID, err = d.record(ctx, o, licence, person)
		return err
	})
	if err != nil || out.TransactionID != "" {
		return out, err
	}
	// Only now, when the record is durable. A crash before this line costs status indices; after it, nothing is lost.
	for _, l := range batch {
		credential, err := l.Sign(o.signer.Key, o.signer.Chain)
		if err != nil {
			return Result{}, fmt.Errorf("issuer: signing: %w", err)
		}
		out.Credentials = append(out.Credentials, credential)
	}
	return out, nil
}

// check is everything that can be refused without writing.
func (d *Desk) check(ctx context.Context, a *catalog.Entry, token port.AccessToken, req request.Credential) (order, request.Proven, error) {
	o := order{authority: a, token: token, identifier: req.Identifier}
	var err error
	if o.conf, err = asked(a, token, req); err != nil {
		return o, request.Proven{}, err
	}
	p, err := d.nonces.CheckProofs(req.Proofs, request.Rule{Identifier: a.Identifier, ClientID: token.ClientID, Batch: max(d.cfg.BatchSize, 1),
		Anchors: d.cfg.Makers, Attested: o.conf.Type.Attested})
	if err != nil {
		return o, p, err
	}
	o.keys = p.Keys()
	o.signer, err = d.signer(ctx, o)
	return o, p, err
}

func (d *Desk) signer(ctx context.Context, o order) (port.Signer, error) {
	s, err := d.cfg.Signers.Signer(ctx, o.authority.Code, o.conf.Format)
	if err != nil {
		return s, fmt.Errorf("issuer: key of %s: %w", o.authority.Code, err)
	}
	return s, nil
}

// asked finds the configuration that a request names, by itself or by an identifier: by the latter exactly when the token has
// identifiers for it (section 8.2).
func asked(a *catalog.Entry, token port.AccessToken, req request.Credential) (catalog.Configuration, error) {
	here := func(g port.Granted) bool { return len(g.Issuers) == 0 || slices.Contains(g.Issuers, a.Identifier) }
	if req.Identifier != "" {
		for _, g := range token.Granted {
			if here(g) && slices.Contains(g.Identifiers, req.Identifier) {
				if conf, ok := a.Configuration(g.ConfigurationID); ok {
					return conf, nil
				}
			}
		}
		return catalog.Configuration{}, ErrUnknownIdentifier
	}
	conf, ok := a.Configuration(req.ConfigurationID)
	if !ok {
		return conf, ErrUnknownConfiguration
	}
	if slices.ContainsFunc(token.Granted, func(g port.Granted) bool { return here(g) && g.ConfigurationID == conf.ID }) {
		return conf, fmt.Errorf("%w: this authorization has credential_identifiers, send one of them", request.ErrRequest)
	}
	if !slices.Contains(token.Scopes, conf.Type.ID) {
		return conf, ErrScope
	}
	return conf, nil
}

// Actor names on whose behalf something happens, for the audit.
func Actor(t port.AccessToken, personID string) string {
	if personID != "" {
		return personID
	}
	return "offer:" + t.OfferID
}

// Deliver is the Credential Endpoint for a wallet that this server keeps for a person (wallet/hosted): the same nonce, checks, record and signature as for
// any wallet, without HTTP between. prove signs a key proof for the nonce and the audience that it is given. ErrWaiting when the answer was deferred.
func (d *Desk) Deliver(ctx context.Context, token port.AccessToken, authority, configurationID string, prove func(nonce, audience string) (string, error)) (string, error) {
	a, ok := d.catalog().Entry(authority)
	if !ok {
		return "", port.ErrNoLicence
	}
	nonce, err := d.nonces.New(a.Identifier)
	if err != nil {
		return "", err
	}
	proof, err := prove(nonce, a.Identifier)
	if err != nil {
		return "", err
	}
	out, err := d.Issue(ctx, a, token, request.Credential{ConfigurationID: configurationID, Proofs: request.Proofs{JWT: []string{proof}}})
	switch {
	case err != nil:
		return "", err
	case out.TransactionID != "":
		return "", ErrWaiting
	}
	return out.Credentials[0], nil
}
