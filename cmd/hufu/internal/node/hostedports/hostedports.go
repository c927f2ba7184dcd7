// Package hostedports gives the hosted wallet what it asks for, from the modules that have it. It is a part of the composition root.
package hostedports

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/hufu-id/hufu/internal/bundlepub"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/keys"
	"github.com/hufu-id/hufu/oidc"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/signing/verify"
	"github.com/hufu-id/hufu/wallet/holder"
	"github.com/hufu-id/hufu/wallet/hosted"
	"github.com/hufu-id/hufu/wallet/hosted/content"
	"github.com/hufu-id/hufu/wallet/issuer"
	"github.com/hufu-id/hufu/wallet/issuer/deliver"
	"github.com/hufu-id/hufu/wallet/register"
	"github.com/hufu-id/hufu/wallet/register/licencetype"
	"github.com/hufu-id/hufu/web"
)

// Licences is the register with what a credential would say.
type Licences struct {
	Register *register.Service
	// OfPerson lists a person's licences, View is one as she sees it.
	OfPerson func(ctx context.Context, personID string) ([]register.Licence, error)
	View     func(register.Licence) holder.Licence
}

// Of implements hosted.Licences.
func (h Licences) Of(ctx context.Context, personID string) ([]hosted.Licence, error) {
	all, err := h.OfPerson(ctx, personID)
	if errors.Is(err, issuer.ErrNoLicence) {
		return nil, nil
	}
	var out []hosted.Licence
	for _, x := range all {
		out = append(out, h.view(x))
	}
	slices.SortStableFunc(out, func(a, b hosted.Licence) int {
		switch {
		case a.InForce == b.InForce:
			return 0
		case a.InForce:
			return -1
		}
		return 1
	})
	return out, err
}

func (h Licences) view(x register.Licence) hosted.Licence {
	v := h.View(x)
	t, _ := h.Register.Type(x.TypeID)
	out := hosted.Licence{ID: v.ID, TypeID: v.TypeID, Name: v.Name, Issuer: v.Issuer, Authority: x.Issuer, Status: v.Status, Reason: v.Reason, Tone: v.Tone,
		Since: x.StatusSince, ValidFrom: v.ValidFrom, ValidTo: v.ValidTo, InForce: v.InForce, RequiredACR: v.RequiredACR}
	claims := t.ClaimsOf(x)
	for _, c := range t.Claims {
		out.Claims = append(out.Claims, hosted.Claim{Name: c.Name, Label: web.Text{ZH: c.Text["zh"], EN: c.Text["en"]}, Value: claims[c.Name], Selective: c.SelectivelyDisclosable})
	}
	out.Elements = elements(t, x)
	for _, p := range t.Presets {
		out.Presets = append(out.Presets, hosted.Preset{ID: p.ID, Name: web.Text{ZH: p.Name["zh"], EN: p.Name["en"]}, Claims: p.Claims})
	}
	return out
}

// elements says which elements of the licence's mdoc form say the same as which claims; none when it has no such form.
func elements(t licencetype.Type, x register.Licence) []content.Element {
	if _, has := t.Elements(x); !has {
		return nil
	}
	bySource := map[string]string{}
	for _, c := range t.Claims {
		bySource[c.Source] = c.Name
	}
	var out []content.Element
	for _, e := range t.MDoc.Elements {
		claim, said := bySource[e.Source]
		if said || e.Source == "" { // what no claim says can't be chosen, unless it is a constant, which tells nothing of anybody
			out = append(out, content.Element{Claim: claim, NameSpace: e.Namespace, ID: e.Name})
		}
	}
	return out
}

// Issuer goes the way of every wallet, from the offer to the credential.
type Issuer struct {
	Issuer *issuer.Issuer
	// Publish publishes the status list of what was issued: the first copy on a new list can be shown a moment after it was taken.
	Publish func(ctx context.Context) error
	Log     *slog.Logger
}

// Issue implements hosted.Issuer.
func (h Issuer) Issue(ctx context.Context, c hosted.Citizen, l hosted.Licence, format string, prove func(nonce, audience string) (string, error)) (string, error) {
	offer, err := h.Issuer.CreateOffer(ctx, issuer.OfferRequest{LicenceID: l.ID, PersonID: c.PersonID, ACR: c.ACR})
	if err != nil {
		return "", refused(err)
	}
	code, err := offeredCode(offer.ValueURI)
	if err != nil {
		return "", err
	}
	got, err := h.Issuer.Redeem(ctx, code, offer.TxCode)
	if err != nil {
		return "", refused(err)
	}
	token := issuer.AccessToken{GrantID: "hosted:" + got.OfferID, OfferID: got.OfferID, Scopes: got.Scopes}
	configuration := offer.Offer.TypeID
	if format == content.MDoc {
		configuration += ".mdoc"
	}
	credential, err := h.Issuer.Deliver(ctx, token, offer.Offer.Authority, configuration, prove)
	if err != nil {
		return "", refused(err)
	}
	if err := h.Publish(ctx); err != nil { // the background does it a second later
		h.Log.WarnContext(ctx, "hosted wallet: publishing after a copy was taken", "error", err)
	}
	return credential, nil
}

// offeredCode reads the pre-authorized code from an offer by value.
func offeredCode(uri string) (string, error) {
	u, err := url.Parse(uri)
	if err != nil {
		return "", err
	}
	var offer struct {
		Grants map[string]struct {
			Code string `json:"pre-authorized_code"`
		} `json:"grants"`
	}
	err = json.Unmarshal([]byte(u.Query().Get("credential_offer")), &offer)
	return offer.Grants[string(issuer.PreAuthorized)].Code, err
}

func refused(err error) error {
	switch {
	case errors.Is(err, issuer.ErrNoLicence), errors.Is(err, issuer.ErrPersonInactive), errors.Is(err, issuer.ErrUnknownOffer):
		return hosted.ErrNotFound
	case errors.Is(err, deliver.ErrUnknownConfiguration):
		return hosted.ErrNoForm
	case errors.Is(err, issuer.ErrNotInForce):
		return hosted.ErrNotInForce
	case errors.Is(err, issuer.ErrLevelTooLow):
		return hosted.ErrLevelTooLow
	case errors.Is(err, issuer.ErrTooManyOffers):
		return hosted.ErrTooMany
	}
	return err
}

// Keys are the keys of copies.
type Keys struct{ Keys *keys.Service }

// Ensure implements hosted.Keys.
func (k Keys) Ensure(ctx context.Context, copyID string) (jose.SigningKey, error) {
	s, err := k.Keys.EnsureSingle(ctx, keys.ClassHolder, copyID, keys.SingleSpec{})
	return s.Key(), err
}

// Signer implements hosted.Keys.
func (k Keys) Signer(ctx context.Context, copyID string) (jose.SigningKey, error) {
	s, err := k.Keys.SignerOf(ctx, keys.ClassHolder, copyID)
	if errors.Is(err, keys.ErrDestroyed) { // by a removal or a new copy, a moment ago
		return jose.SigningKey{}, hosted.ErrNotFound
	}
	return s.Key(), err
}

// Destroy implements hosted.Keys.
func (k Keys) Destroy(ctx context.Context, copyID string) error {
	return k.Keys.DestroySingle(ctx, keys.ClassHolder, copyID)
}

// Clients are the registered clients.
type Clients struct{ Provider *oidc.Provider }

// Client implements hosted.Clients.
func (h Clients) Client(ctx context.Context, id string) (hosted.Client, error) {
	c, err := h.Provider.Clients().Get(ctx, id)
	if errors.Is(err, client.ErrUnknown) {
		return hosted.Client{}, hosted.ErrNotFound
	}
	return hosted.Client{ID: c.ID, Name: c.Name, RedirectURIs: c.RedirectURIs}, err
}

// Bundle is what this server publishes, see bundlepub.Service.
type Bundle interface {
	Archive(ctx context.Context) ([]byte, bundlepub.Head, error)
	Root(ctx context.Context) ([]byte, error)
}

// Verifier judges by the bundle that this server published. It remembers the verifier of one version.
type Verifier struct {
	Bundle   Bundle
	Register *register.Service

	mu       sync.Mutex
	version  int64
	verifier *verify.Verifier
}

// Verify implements hosted.Verifier.
func (o *Verifier) Verify(ctx context.Context, presentation, purpose string, at time.Time) (verify.Verdict, error) {
	v, err := o.current(ctx, at)
	if err != nil {
		return verify.Verdict{}, err
	}
	return v.Verify(presentation, verify.Challenge{Purposes: []string{purpose}}, at), nil
}

func (o *Verifier) current(ctx context.Context, at time.Time) (*verify.Verifier, error) {
	archive, head, err := o.Bundle.Archive(ctx)
	if err != nil {
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.verifier != nil && o.version == head.Version {
		return o.verifier, nil
	}
	root, err := o.Bundle.Root(ctx)
	if err != nil {
		return nil, err
	}
	c, err := bundle.Verify(root, archive, at)
	if c == nil { // one that is out of date is still a verdict: it can't tell
		return nil, err
	}
	o.verifier, o.version = verify.New(c, verify.Policy{}), head.Version
	return o.verifier, nil
}

// Purpose implements hosted.Verifier.
func (o *Verifier) Purpose(typeID, preset string) web.Text {
	t, _ := o.Register.Type(typeID)
	for _, p := range t.Presets {
		if p.ID == preset {
			return web.Text{ZH: p.Name["zh"], EN: p.Name["en"]}
		}
	}
	return web.Say("wallet.chosen", nil)
}
