// Package deliver is the Credential Endpoint without HTTP: who may have what, the record, the signature.
package deliver

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/signing/sdjwt"
	"github.com/hufu-id/hufu/wallet/issuer/catalog"
	"github.com/hufu-id/hufu/wallet/issuer/port"
	"github.com/hufu-id/hufu/wallet/issuer/request"
)

// What Issue answers beside the errors of the interfaces.
var (
	ErrUnknownConfiguration = errors.New("issuer: unknown credential configuration")
	ErrUnknownIdentifier    = errors.New("issuer: unknown credential identifier")
	ErrScope                = errors.New("issuer: the access token has no scope for this credential")
	ErrEncryption           = errors.New("issuer: encrypted responses are not offered")
)

// Desk issues credentials. Safe for concurrent use; it keeps nothing.
type Desk struct {
	cfg     *port.Config
	catalog func() *catalog.Catalog
	nonces  request.Nonces
}

// New returns a Desk over a completed configuration.
func New(cfg *port.Config, catalog func() *catalog.Catalog) *Desk {
	return &Desk{cfg: cfg, catalog: catalog, nonces: request.Nonces{Key: port.MAC(cfg.Secret, "hufu/issuer/nonce/1"), Now: cfg.Now, Rand: cfg.Rand}}
}

// Nonce returns a fresh nonce for one Credential Issuer.
func (d *Desk) Nonce(identifier string) (string, error) { return d.nonces.New(identifier) }

// order is a Credential Request that passed every check that needs no transaction.
type order struct {
	authority *catalog.Entry
	ctype     catalog.CredentialType
	token     port.AccessToken
	proof     request.Proof
	signer    port.Signer
}

// Issue answers one Credential Request with one SD-JWT VC.
func (d *Desk) Issue(ctx context.Context, a *catalog.Entry, token port.AccessToken, req request.Credential) (string, error) {
	o, err := d.check(ctx, a, token, req)
	if err != nil {
		return "", err
	}
	var laid sdjwt.Laid
	err = d.cfg.Tx(ctx, func(ctx context.Context) error {
		laid, err = d.record(ctx, o)
		return err
	})
	if err != nil {
		return "", err
	}
	// Only now, when the record is durable. A crash before this line costs a status index; after it, nothing is lost.
	credential, err := sdjwt.Issue(o.signer.Key, o.signer.Chain, laid)
	if err != nil {
		return "", fmt.Errorf("issuer: signing: %w", err)
	}
	return credential, nil
}

// check is everything that can be refused without writing.
func (d *Desk) check(ctx context.Context, a *catalog.Entry, token port.AccessToken, req request.Credential) (order, error) {
	if req.Identifier != "" {
		// Ours are named in authorization_details of the token response, which we never send.
		return order{}, ErrUnknownIdentifier
	}
	t, ok := a.Type(req.ConfigurationID)
	if !ok {
		return order{}, ErrUnknownConfiguration
	}
	if !slices.Contains(token.Scopes, t.ID) {
		return order{}, ErrScope
	}
	if req.Encryption {
		return order{}, ErrEncryption
	}
	if req.Proof == "" {
		return order{}, fmt.Errorf("%w: this credential is bound to a key, proofs is missing", request.ErrProof)
	}
	p, err := d.nonces.CheckProof(req.Proof, a.Identifier, token.ClientID)
	if err != nil {
		return order{}, err
	}
	s, err := d.cfg.Signers.Signer(ctx, a.Code)
	if err != nil {
		return order{}, fmt.Errorf("issuer: key of %s: %w", a.Code, err)
	}
	return order{authority: a, ctype: t, token: token, proof: p, signer: s}, nil
}

// record is the one transaction: nonce, authorisation, status index, record. When any of them refuses, none has happened.
func (d *Desk) record(ctx context.Context, o order) (sdjwt.Laid, error) {
	if err := d.cfg.Store.ClaimNonce(ctx, o.proof.Nonce(), o.proof.NonceExpires()); err != nil {
		return sdjwt.Laid{}, err
	}
	licence, personID, err := d.authorise(ctx, o)
	if err != nil {
		return sdjwt.Laid{}, err
	}
	id, err := d.cfg.OpaqueID()
	if err != nil {
		return sdjwt.Laid{}, err
	}
	now := d.cfg.Now()
	iat := coarse(now, o.signer)
	exp := iat.Add(o.ctype.Life())
	ref, err := d.cfg.Status.Allocate(ctx, licence.ID, id, o.ctype.ID, exp)
	if err != nil {
		return sdjwt.Laid{}, fmt.Errorf("issuer: allocating a status index: %w", err)
	}
	laid, err := d.layOut(o, licence, ref, iat, exp)
	if err != nil {
		return sdjwt.Laid{}, err
	}
	sum := sha256.Sum256(laid.Payload)
	return laid, d.cfg.Store.RecordIssuance(ctx, port.Issuance{
		ID: id, Authority: o.authority.Code, TypeID: o.ctype.ID, LicenceID: licence.ID,
		PersonID: personID, OfferID: o.token.OfferID, GrantID: o.token.GrantID, ClientID: o.token.ClientID,
		HolderKey: o.proof.Key().Thumbprint(), SignerKey: o.signer.Key.ID, PayloadHash: base64.RawURLEncoding.EncodeToString(sum[:]),
		StatusURI: ref.URI, StatusIndex: ref.Index, IssuedAt: iat, ExpiresAt: exp, RecordedAt: now,
	}, d.cfg.MaxPerGrant, audit.Event{Kind: "issuer.credential_recorded", Actor: Actor(o.token, personID), Subject: licence.ID,
		Client: o.token.ClientID, Detail: map[string]string{"issuance": id, "type": o.ctype.ID, "key": o.signer.Key.ID}})
}

// Actor names on whose behalf something happens, for the audit.
func Actor(t port.AccessToken, personID string) string {
	if personID != "" {
		return personID
	}
	return "offer:" + t.OfferID
}

// authorise finds the licence that the token may have, as things are now: what was true when the token was made may have changed.
// It holds the licence until the transaction ends.
func (d *Desk) authorise(ctx context.Context, o order) (l port.Licence, personID string, err error) {
	switch {
	case o.token.OfferID != "" && o.token.PersonID == "":
		l, personID, err = d.authoriseOffer(ctx, o)
	case o.token.PersonID != "" && o.token.OfferID == "":
		personID = o.token.PersonID
		l, err = d.authorisePerson(ctx, o)
	default:
		err = port.ErrNoLicence
	}
	if err != nil {
		return port.Licence{}, "", err
	}
	if l.Issuer != o.authority.Code || l.TypeID != o.ctype.ID {
		return port.Licence{}, "", port.ErrNoLicence
	}
	return l, personID, nil
}

func (d *Desk) authoriseOffer(ctx context.Context, o order) (port.Licence, string, error) {
	offer, err := d.cfg.Store.Offer(ctx, o.token.OfferID)
	if err != nil {
		return port.Licence{}, "", err
	}
	if offer.Authority != o.authority.Code || offer.TypeID != o.ctype.ID || offer.RedeemedAt.IsZero() {
		return port.Licence{}, "", port.ErrNoLicence
	}
	if offer.PersonID != "" {
		if err := d.cfg.MayTake(ctx, offer.PersonID, offer.ACR, o.ctype.RequiredACR); err != nil {
			return port.Licence{}, "", err
		}
	}
	l, err := d.cfg.Licences.Hold(ctx, offer.LicenceID, offer.PersonID)
	return l, offer.PersonID, err
}

// authorisePerson takes the licence of the offer that the flow began with, or else the newest in force: a Credential Request can't
// say which. An issuer_state proves nothing: whoever sends one still gets only a licence of the person who logged in.
func (d *Desk) authorisePerson(ctx context.Context, o order) (port.Licence, error) {
	if err := d.cfg.MayTake(ctx, o.token.PersonID, o.token.ACR, o.ctype.RequiredACR); err != nil {
		return port.Licence{}, err
	}
	if o.token.IssuerState != "" {
		offer, err := d.cfg.Store.OfferByState(ctx, port.Hash(o.token.IssuerState))
		switch {
		case errors.Is(err, port.ErrUnknownOffer):
		case err != nil:
			return port.Licence{}, err
		case offer.Authority == o.authority.Code && offer.TypeID == o.ctype.ID:
			return d.cfg.Licences.Hold(ctx, offer.LicenceID, o.token.PersonID)
		}
	}
	ids, err := d.cfg.Licences.OfPerson(ctx, o.token.PersonID, o.authority.Code, o.ctype.ID)
	if err != nil {
		return port.Licence{}, fmt.Errorf("issuer: licences of the person: %w", err)
	}
	if len(ids) == 0 {
		return port.Licence{}, port.ErrNoLicence
	}
	return d.cfg.Licences.Hold(ctx, ids[0], o.token.PersonID)
}

// coarse is the time of issue as the credential says it: the full hour, so that copies and their showings can't be linked by
// it. It is never before the signer's certificate, which would make the credential look forged.
func coarse(now time.Time, s port.Signer) time.Time {
	t := now.UTC().Truncate(time.Hour)
	if len(s.Chain) == 0 {
		return t
	}
	leaf, err := x509.ParseCertificate(s.Chain[0])
	if err == nil && leaf.NotBefore.After(t) && !leaf.NotBefore.After(now) {
		return leaf.NotBefore.UTC()
	}
	return t
}

// layOut makes the payload and the disclosures. A claim that the type doesn't describe is refused, because everybody would see
// it; so is a licence without a mandatory claim. Both are faults of type or register, not of the wallet.
func (d *Desk) layOut(o order, l port.Licence, ref port.StatusRef, iat, exp time.Time) (sdjwt.Laid, error) {
	described := map[string]bool{}
	var selective []sdjwt.Path
	absent := 0
	for _, c := range o.ctype.Claims {
		described[c.Path[0].(string)] = true
		present := c.Path.Lookup(l.Claims)
		if c.Mandatory && !present {
			return sdjwt.Laid{}, fmt.Errorf("issuer: licence of type %s lacks the claim %s", o.ctype.ID, c.Path)
		}
		if c.Selective {
			selective = append(selective, c.Path)
			if !present {
				absent++
			}
		}
	}
	claims := maps.Clone(l.Claims)
	if claims == nil {
		claims = map[string]any{}
	}
	for name := range claims {
		if !described[name] {
			return sdjwt.Laid{}, fmt.Errorf("issuer: type %s does not describe the claim %s", o.ctype.ID, name)
		}
	}
	claims["iss"] = o.authority.Identifier
	claims["vct"] = o.ctype.VCT
	claims["vct#integrity"] = o.ctype.VCTIntegrity
	claims["iat"] = iat.Unix()
	claims["exp"] = exp.Unix()
	claims["status"] = map[string]any{"status_list": map[string]any{"idx": ref.Index, "uri": ref.URI}}
	holder := o.proof.Key()
	laid, err := sdjwt.Build(sdjwt.Template{Claims: claims, Selective: selective, AbsentOK: true, Holder: &holder,
		Salts: d.cfg.Rand,
		// As many digests whatever the licence has: their number must not tell which optional claims exist.
		Decoys: absent})
	if err != nil {
		return sdjwt.Laid{}, fmt.Errorf("issuer: laying out: %w", err)
	}
	return laid, nil
}

// Deliver is the Credential Endpoint for a wallet that this server keeps for a person (wallet/hosted): the same nonce, checks, record and signature as for
// any wallet, without HTTP between. prove signs a key proof for the nonce and the audience that it is given.
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
	return d.Issue(ctx, a, token, request.Credential{ConfigurationID: configurationID, Proof: proof})
}
