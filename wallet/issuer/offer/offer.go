package offer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/wallet/issuer/catalog"
	"github.com/hufu-id/hufu/wallet/issuer/port"
)

// Grant is how a wallet gets the access token for an offer.
type Grant string

// Grants, as they are named in a Credential Offer.
const (
	// PreAuthorized is for an offer that is shown to a person already identified; a Transaction Code protects it on its way.
	PreAuthorized Grant = "urn:ietf:params:oauth:grant-type:pre-authorized_code"
	// AuthorizationCode lets the person log in from the wallet.
	AuthorizationCode Grant = "authorization_code"
)

// OfferRequest asks for a Credential Offer of one licence.
type OfferRequest struct {
	LicenceID string
	// TypeID, when given, must be the licence's type.
	TypeID string
	// PersonID is the citizen who asks for the own licence, ACR the level of the session. Empty for a department.
	PersonID, ACR string
	// Department is the credit code of the department that asks. Empty for a citizen.
	Department string
	// Grant is PreAuthorized when empty.
	Grant Grant
}

// OfferView is an offer with its secrets, for the person who may see them.
type OfferView struct {
	// OpaqueID names the offer in its URL and on the page that shows it. It is as secret as the offer.
	OpaqueID string
	// URI passes the offer by reference (credential_offer_uri), ValueURI by value (credential_offer); both openid-credential-offer://.
	URI, ValueURI string
	// TxCode is the Transaction Code, six digits; empty for the authorization code flow.
	TxCode string
	// Offer is what is kept. Open says that the code can still be redeemed at the time of asking.
	Offer port.Offer
	Open  bool
	// Type and Authority name the credential for people.
	Type, Authority []catalog.Display
}

// credentialOffer is the wire form of section 4.1.1.
type credentialOffer struct {
	CredentialIssuer           string         `json:"credential_issuer"`
	CredentialConfigurationIDs []string       `json:"credential_configuration_ids"`
	Grants                     map[string]any `json:"grants"`
}

type txCodeShape struct {
	InputMode string `json:"input_mode"`
	Length    int    `json:"length"`
}

// CreateOffer makes an offer for a licence that is in force. A citizen gets one only for the own licence and at the level that its
// type requires; a department only for licences that it issued. ErrNoLicence, ErrNotInForce, ErrLevelTooLow,
// ErrPersonInactive, ErrTooManyOffers, ErrUnknownGrant.
func (d *Desk) CreateOffer(ctx context.Context, req OfferRequest) (OfferView, error) {
	opaque, err := d.cfg.OpaqueID()
	if err != nil {
		return OfferView{}, err
	}
	now := d.cfg.Now()
	o := port.Offer{ID: port.Hash(opaque), LicenceID: req.LicenceID, PersonID: req.PersonID, ACR: req.ACR,
		CreatedAt: now, ExpiresAt: now.Add(d.cfg.OfferLifetime)}
	switch req.Grant {
	case PreAuthorized, "":
		o.CodeHash = port.Hash(d.preAuthorizedCode(opaque))
		o.TxMAC = d.txMAC(o.ID, d.txCode(opaque))
	case AuthorizationCode:
		o.StateHash = port.Hash(d.issuerState(opaque))
	default:
		return OfferView{}, ErrUnknownGrant
	}
	err = d.cfg.Tx(ctx, func(ctx context.Context) error {
		l, err := d.mayOffer(ctx, req)
		if err != nil {
			return err
		}
		o.Authority, o.TypeID, o.MadeBy = l.Issuer, l.TypeID, req.PersonID
		if req.PersonID == "" {
			o.MadeBy = req.Department
		}
		return d.cfg.Store.CreateOffer(ctx, o, d.cfg.MaxOpenOffers, audit.Event{Kind: "issuer.offer_made",
			Actor: o.MadeBy, Subject: o.LicenceID, Detail: map[string]string{"offer": o.ID, "type": o.TypeID}})
	})
	if err != nil {
		return OfferView{}, err
	}
	return d.view(opaque, o)
}

// mayOffer decides whether this citizen or department may have an offer for this licence.
func (d *Desk) mayOffer(ctx context.Context, req OfferRequest) (port.Licence, error) {
	if (req.PersonID == "") == (req.Department == "") {
		return port.Licence{}, fmt.Errorf("issuer: an offer is made by a person or by a department, not by both or none")
	}
	var l port.Licence
	var err error
	if req.PersonID != "" {
		var p port.Person
		if p, err = d.cfg.Persons.Person(ctx, req.PersonID); err != nil {
			return port.Licence{}, err
		}
		l, err = d.cfg.Licences.Hold(ctx, req.LicenceID, p)
	} else {
		l, err = d.cfg.Licences.Licence(ctx, req.LicenceID)
	}
	if err != nil && !(req.Department != "" && errors.Is(err, port.ErrNotInForce)) {
		return port.Licence{}, err
	}
	if req.Department != "" && l.Issuer != req.Department || req.TypeID != "" && l.TypeID != req.TypeID {
		return port.Licence{}, port.ErrNoLicence
	}
	if err != nil {
		return port.Licence{}, err // only now: another authority's licence doesn't exist, whatever its state
	}
	t, ok := d.catalog().Type(l.Issuer, l.TypeID)
	if !ok {
		return port.Licence{}, port.ErrNoLicence
	}
	if req.PersonID != "" && !catalog.LevelEnough(req.ACR, t.RequiredACR) {
		return port.Licence{}, port.ErrLevelTooLow
	}
	return l, nil
}

// ShowOffer shows an offer again to the citizen who made it. ErrUnknownOffer, also when it is another's.
func (d *Desk) ShowOffer(ctx context.Context, opaque, personID string) (OfferView, error) {
	o, err := d.cfg.Store.Offer(ctx, port.Hash(opaque))
	if err != nil {
		return OfferView{}, err
	}
	if personID == "" || o.PersonID != personID {
		return OfferView{}, port.ErrUnknownOffer
	}
	return d.view(opaque, o)
}

func (d *Desk) view(opaque string, o port.Offer) (OfferView, error) {
	value, err := d.offerJSON(opaque, o)
	if err != nil {
		return OfferView{}, err
	}
	v := OfferView{OpaqueID: opaque, Offer: o, Open: d.open(o),
		URI:      offerURI("credential_offer_uri", d.identifier(o.Authority)+"/offer/"+opaque),
		ValueURI: offerURI("credential_offer", string(value))}
	if o.TxMAC != "" {
		v.TxCode = d.txCode(opaque)
	}
	if a, ok := d.catalog().Entry(o.Authority); ok {
		t, _ := a.Type(o.TypeID)
		v.Authority, v.Type = a.Display, t.Display
	}
	return v, nil
}

func offerURI(member, value string) string {
	return "openid-credential-offer://?" + url.Values{member: {value}}.Encode()
}

// open says whether the offer's code can be redeemed now.
func (d *Desk) open(o port.Offer) bool {
	return o.RedeemedAt.IsZero() && o.Tries < d.cfg.MaxTxCodeTries && d.cfg.Now().Before(o.ExpiresAt)
}

func (d *Desk) offerJSON(opaque string, o port.Offer) ([]byte, error) {
	grants := map[string]any{}
	if o.CodeHash != "" {
		g := map[string]any{"pre-authorized_code": d.preAuthorizedCode(opaque)}
		if o.TxMAC != "" {
			g["tx_code"] = txCodeShape{InputMode: "numeric", Length: txCodeLength}
		}
		grants[string(PreAuthorized)] = g
	}
	if o.StateHash != "" {
		grants[string(AuthorizationCode)] = map[string]any{"issuer_state": d.issuerState(opaque)}
	}
	ids := []string{o.TypeID}
	if t, ok := d.catalog().Type(o.Authority, o.TypeID); ok {
		ids = ids[:0]
		for _, c := range t.Configurations() {
			ids = append(ids, c.ID)
		}
	}
	b, err := json.Marshal(credentialOffer{CredentialIssuer: d.identifier(o.Authority),
		CredentialConfigurationIDs: ids, Grants: grants})
	if err != nil {
		return nil, fmt.Errorf("issuer: encoding an offer: %w", err)
	}
	return b, nil
}

const txCodeLength = 6

// StateOffer returns what an issuer_state at the authorization endpoint belongs to: the scope to ask for and the audience.
// ErrUnknownOffer, ErrOfferEnded.
func (d *Desk) StateOffer(ctx context.Context, issuerState string) (scope, audience string, err error) {
	if issuerState == "" || len(issuerState) > 128 {
		return "", "", port.ErrUnknownOffer
	}
	o, err := d.cfg.Store.OfferByState(ctx, port.Hash(issuerState))
	if err != nil {
		return "", "", err
	}
	if !d.open(o) {
		return "", "", port.ErrOfferEnded
	}
	return o.TypeID, d.identifier(o.Authority), nil
}
