package node

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/hufu-id/hufu/cmd/hufu/internal/node/issuing"
	"github.com/hufu-id/hufu/federation/identity"
	"github.com/hufu-id/hufu/wallet/holder"
	"github.com/hufu-id/hufu/wallet/issuer"
	"github.com/hufu-id/hufu/wallet/register"
	"github.com/hufu-id/hufu/web"
)

// statusLists tells the status lists of a legal act, in the transaction of the act.
type statusLists struct{ n *Node }

func (s statusLists) SetForLicence(ctx context.Context, licenceID string, value uint8) error {
	return s.n.status.SetForLicence(ctx, licenceID, value)
}

// residentCard is the code of the resident identity card among document kinds (GB/T 36903).
const residentCard = "111"

// licences is the register as the issuer sees it: by person, through the one document number that is hers beyond doubt.
type licences struct{ n *Node }

func (l licences) ofPerson(ctx context.Context, personID string) ([]register.Licence, error) {
	p, err := l.person(ctx, personID)
	if err != nil {
		return nil, err
	}
	number := p.ResidentID()
	if number == "" {
		return nil, nil
	}
	return l.n.register.ListByHolder(ctx, residentCard, number)
}

// person reads who asks; somebody who is gone or closed has no licences.
func (l licences) person(ctx context.Context, id string) (identity.Person, error) {
	p, err := l.n.persons.Person(ctx, id)
	if errors.Is(err, identity.ErrUnknownPerson) || errors.Is(err, identity.ErrDisabled) {
		err = issuer.ErrNoLicence
	}
	return p, err
}

func (l licences) OfPerson(ctx context.Context, p issuer.Person, authority, typeID string) ([]string, error) {
	if p.Document == "" {
		return nil, nil
	}
	all, err := l.n.register.ListOfHolder(ctx, residentCard, p.Document, authority, typeID)
	if err != nil {
		return nil, err
	}
	return inForce(all, func(register.Licence) bool { return true }), nil
}

func (l licences) OfReference(ctx context.Context, authority, reference, typeID string) ([]string, error) {
	all, err := l.n.register.List(ctx, register.Query{Issuer: authority, TypeID: typeID, Reference: reference, Limit: 200})
	if errors.Is(err, register.ErrInvalid) {
		return nil, nil // a type that there isn't: a department's mistake and no fault of ours
	}
	if err != nil {
		return nil, err
	}
	return inForce(all, func(register.Licence) bool { return true }), nil
}

// inForce returns the identifiers of licences in force, the newest first.
func inForce(all []register.Licence, match func(register.Licence) bool) []string {
	var out []string
	for i := len(all) - 1; i >= 0; i-- {
		if match(all[i]) && all[i].InForce(time.Now()) {
			out = append(out, all[i].ID)
		}
	}
	return out
}

func (l licences) Licence(ctx context.Context, id string) (issuer.Licence, error) {
	x, err := l.n.register.Get(ctx, id)
	if err == nil && !x.InForce(time.Now()) {
		err = issuer.ErrNotInForce
	}
	return l.view(x, err)
}

func (l licences) Hold(ctx context.Context, id string, p issuer.Person) (issuer.Licence, error) {
	x, err := l.n.register.Hold(ctx, id)
	if err == nil && p.ID != "" && (p.Document == "" || !x.HeldBy(residentCard, p.Document)) {
		return issuer.Licence{}, issuer.ErrNoLicence
	}
	return l.view(x, err)
}

func (l licences) view(x register.Licence, err error) (issuer.Licence, error) {
	switch {
	case errors.Is(err, register.ErrNotFound):
		return issuer.Licence{}, issuer.ErrNoLicence
	case errors.Is(err, register.ErrNotInForce), errors.Is(err, issuer.ErrNotInForce):
		return issuer.Licence{ID: x.ID, Issuer: x.Issuer, TypeID: x.TypeID}, issuer.ErrNotInForce
	case err != nil:
		return issuer.Licence{}, err
	}
	t, ok := l.n.register.Type(x.TypeID)
	if !ok {
		return issuer.Licence{}, errors.New("licence of an unknown type: " + x.TypeID)
	}
	if !t.Serves(x) {
		return issuer.Licence{ID: x.ID, Issuer: x.Issuer, TypeID: x.TypeID}, issuer.ErrNotInForce // registered under an older version of the type: it must be renewed first
	}
	return issuer.Licence{ID: x.ID, Issuer: x.Issuer, TypeID: x.TypeID, Claims: t.ClaimsOf(x), NameSpaces: issuing.NameSpaces(t, x)}, nil
}

// citizens is the provider's session as the citizen's page sees it.
type citizens struct{ n *Node }

func (c citizens) Current(r *http.Request) (holder.Citizen, bool) {
	s, ok := c.n.provider.Session(r)
	if !ok {
		return holder.Citizen{}, false
	}
	p, err := c.n.persons.Person(r.Context(), s.PersonID)
	if err != nil {
		return holder.Citizen{}, false
	}
	out := holder.Citizen{PersonID: s.PersonID, Name: p.Claims.Name, ACR: s.ACR, SessionID: s.Key}
	out.Province = provinceName(s.Province)
	return out, true
}

func (c citizens) Login(w http.ResponseWriter, r *http.Request, returnTo string) {
	c.n.provider.BeginLogin(w, r, returnTo)
}

// ownLicences is the register as a citizen sees it.
type ownLicences struct{ n *Node }

func (o ownLicences) Of(ctx context.Context, personID string) ([]holder.Licence, error) {
	all, err := licences(o).ofPerson(ctx, personID)
	if errors.Is(err, issuer.ErrNoLicence) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var in, out []holder.Licence
	for _, x := range all {
		v := o.view(x)
		if v.InForce {
			in = append(in, v)
		} else {
			out = append(out, v)
		}
	}
	return append(in, out...), nil
}

func (o ownLicences) view(x register.Licence) holder.Licence {
	t, _ := o.n.register.Type(x.TypeID)
	info := x.Status.Info()
	v := holder.Licence{ID: x.ID, TypeID: x.TypeID, Name: web.Text{ZH: t.Name["zh"], EN: t.Name["en"]}, Status: web.Text{ZH: info.ZH, EN: info.EN},
		Tone: web.ToneOK, ValidFrom: x.ValidFrom.Start(), ValidTo: x.ValidTo.Start(), InForce: x.InForce(time.Now()), RequiredACR: t.RequiredACR}
	if a, ok := o.n.cfg.authority(x.Issuer); ok {
		v.Issuer = web.Text{ZH: a.NameZH, EN: a.NameEN}
	}
	switch {
	case x.Status == register.StatusWithheld:
		v.Tone = web.ToneWarn
	case x.Status != register.StatusValid:
		v.Tone = web.ToneBad
	case !v.InForce:
		v.Tone, v.Status = web.ToneBad, web.Text{ZH: "不在有效期内", EN: "outside its validity"}
	}
	if x.Successor != "" {
		v.Status = web.Text{ZH: "已由新版本接替（" + info.ZH + "）", EN: "followed by a newer one (" + info.EN + ")"}
	}
	if x.Reason != "" {
		v.Reason = web.Text{ZH: x.Reason, EN: x.Reason}
	}
	return v
}

// offers is the credential issuer as the citizen's page sees it.
type offers struct{ issuer *issuer.Issuer }

func (o offers) Create(ctx context.Context, c holder.Citizen, licenceID string) (holder.Offer, error) {
	v, err := o.issuer.CreateOffer(ctx, issuer.OfferRequest{LicenceID: licenceID, PersonID: c.PersonID, ACR: c.ACR})
	return offerView(v, err)
}

func (o offers) Show(ctx context.Context, personID, id string) (holder.Offer, error) {
	v, err := o.issuer.ShowOffer(ctx, id, personID)
	return offerView(v, err)
}

func offerView(v issuer.OfferView, err error) (holder.Offer, error) {
	switch {
	case errors.Is(err, issuer.ErrNoLicence), errors.Is(err, issuer.ErrUnknownOffer), errors.Is(err, issuer.ErrPersonInactive):
		return holder.Offer{}, holder.ErrNotFound
	case errors.Is(err, issuer.ErrNotInForce):
		return holder.Offer{}, holder.ErrNotInForce
	case errors.Is(err, issuer.ErrLevelTooLow):
		return holder.Offer{}, holder.ErrLevelTooLow
	case errors.Is(err, issuer.ErrTooManyOffers):
		return holder.Offer{}, holder.ErrTooMany
	case err != nil:
		return holder.Offer{}, err
	}
	return holder.Offer{ID: v.OpaqueID, URI: v.URI, TxCode: v.TxCode, Name: displayText(v.Type), Issuer: displayText(v.Authority),
		ExpiresAt: v.Offer.ExpiresAt, Open: v.Open}, nil
}
