package node

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hufu-id/hufu/federation"
	"github.com/hufu-id/hufu/federation/identity"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/keys"
	"github.com/hufu-id/hufu/oidc"
	"github.com/hufu-id/hufu/wallet/issuer"
	"github.com/hufu-id/hufu/wallet/register"
	"github.com/hufu-id/hufu/wallet/status"
	"github.com/hufu-id/hufu/web"
)

// This file, with adapters_wallet.go, is the only place where modules meet: each states what it needs, here it is given.

func signingKey(ctx context.Context, k *keys.Service, p keys.Purpose) (jose.SigningKey, error) {
	s, err := k.Signer(ctx, p)
	if err != nil {
		return jose.SigningKey{}, err
	}
	return s.Key(), nil
}

// providerKeys gives the OpenID Provider its two purposes, one for each algorithm.
type providerKeys struct{ keys *keys.Service }

func (k providerKeys) SigningKey(ctx context.Context, alg jose.Alg) (jose.SigningKey, error) {
	switch alg {
	case jose.ES256:
		return signingKey(ctx, k.keys, keys.OIDC)
	case jose.RS256:
		return signingKey(ctx, k.keys, keys.OIDCRS256)
	}
	return jose.SigningKey{}, fmt.Errorf("%w: no key of the provider signs by %q", jose.ErrAlgorithm, alg)
}

func (k providerKeys) VerificationKeys(ctx context.Context) ([]jose.JWK, error) {
	es256, err := k.keys.JWKS(ctx, keys.OIDC)
	if err != nil {
		return nil, err
	}
	rs256, err := k.keys.JWKS(ctx, keys.OIDCRS256)
	return slices.Concat(es256, rs256), err
}

// keySlack is how far the clocks and caches of our nodes may be apart.
const keySlack = time.Minute

func (k providerKeys) SignedAt(ctx context.Context, kid string, at time.Time) (bool, error) {
	for _, p := range []keys.Purpose{keys.OIDC, keys.OIDCRS256} {
		all, err := k.keys.Keys(ctx, p)
		if err != nil {
			return false, err
		}
		if i := slices.IndexFunc(all, func(k keys.Key) bool { return k.ID == kid }); i >= 0 {
			return all[i].SignedAt(at, keySlack), nil
		}
	}
	return false, nil
}

func statusSigner(k *keys.Service) status.Signer {
	return func(ctx context.Context) (jose.SigningKey, [][]byte, error) {
		s, err := k.Signer(ctx, keys.Status)
		if err != nil {
			return jose.SigningKey{}, nil, err
		}
		return s.Key(), s.Chain(), nil
	}
}

// auditHeadType keeps a head of the audit chain from passing as anything else that we sign.
const auditHeadType = "audit-head+jwt"

func auditSigner(k *keys.Service) func(ctx context.Context, payload []byte) (string, error) {
	return func(ctx context.Context, payload []byte) (string, error) {
		key, err := signingKey(ctx, k, keys.Audit)
		if err != nil {
			return "", err
		}
		return jose.Sign(key, jose.Header{Typ: auditHeadType}, payload)
	}
}

// flows lets federation see the provider's flows.
type flows struct{ provider *oidc.Provider }

func (f flows) Describe(r *http.Request, flow string) (federation.FlowInfo, error) {
	info, err := f.provider.Describe(r, flow)
	if errors.Is(err, oidc.ErrNoFlow) {
		err = federation.ErrNoFlow
	}
	return federation.FlowInfo{ClientName: info.ClientName, ServiceName: info.ServiceName, RequiredACR: info.RequiredACR,
		ClientOrigin: info.ClientOrigin, About: info.About, Fresh: info.Fresh}, err
}

func (f flows) LoggedIn(ctx context.Context, r *http.Request, flow string, l federation.Login) (func(http.ResponseWriter), error) {
	respond, err := f.provider.LoggedIn(ctx, r, flow, oidc.Login{PersonID: l.PersonID, Province: l.Province, ACR: l.ACR, AMR: l.AMR, AuthTime: l.AuthTime})
	if errors.Is(err, oidc.ErrNoFlow) {
		err = federation.ErrNoFlow
	}
	return respond, err
}

func (f flows) Cancelled(w http.ResponseWriter, r *http.Request, flow string) {
	f.provider.Cancelled(w, r, flow)
}

// persons answers the provider and the issuer from identity.
type persons struct{ n *Node }

func (p persons) Claims(ctx context.Context, id string) (oidc.PersonClaims, error) {
	who, err := p.n.persons.Person(ctx, id)
	if errors.Is(err, identity.ErrUnknownPerson) || errors.Is(err, identity.ErrDisabled) {
		return oidc.PersonClaims{}, oidc.ErrNoPerson
	}
	if err != nil {
		return oidc.PersonClaims{}, err
	}
	// The id number only when it is hers beyond doubt: another province may have asserted it for somebody else.
	return oidc.PersonClaims{Name: who.Claims.Name, Birthdate: who.Claims.Birthdate, Gender: who.Claims.Gender,
		PhoneNumber: who.Claims.PhoneNumber, PhoneVerified: who.Claims.PhoneVerified, ResidentID: who.ResidentID()}, nil
}

// takers are persons as the issuer sees them: read once for a request.
type takers struct{ n *Node }

func (t takers) Person(ctx context.Context, id string) (issuer.Person, error) {
	p, err := t.n.persons.Person(ctx, id)
	if errors.Is(err, identity.ErrUnknownPerson) || errors.Is(err, identity.ErrDisabled) {
		err = issuer.ErrPersonInactive
	}
	return issuer.Person{ID: id, Document: p.ResidentID()}, err
}

// credentialScopes tells the provider which scopes are credentials.
type credentialScopes struct{ issuer *issuer.Issuer }

func (c credentialScopes) Lookup(scope string) ([]string, web.Text, bool) {
	s, ok := c.issuer.Scope(scope)
	return s.Audience, displayText(s.Display), ok
}

func displayText(ds []issuer.Display) web.Text {
	var t web.Text
	for _, d := range ds {
		if strings.HasPrefix(d.Locale, "zh") {
			t.ZH = d.Name
		} else {
			t.EN = d.Name
		}
	}
	return t
}

// preAuthorizedCodes lets the token endpoint redeem offers.
type preAuthorizedCodes struct{ issuer *issuer.Issuer }

func (p preAuthorizedCodes) Redeem(ctx context.Context, code, txCode string) (oidc.PreAuthorized, error) {
	r, err := p.issuer.Redeem(ctx, code, txCode)
	switch {
	case errors.Is(err, issuer.ErrTxCodeWrong):
		return oidc.PreAuthorized{}, oidc.ErrTxCodeWrong
	case errors.Is(err, issuer.ErrTxCodeMissing):
		return oidc.PreAuthorized{}, oidc.ErrTxCodeMissing
	case errors.Is(err, issuer.ErrTxCodeUnexpected):
		return oidc.PreAuthorized{}, oidc.ErrTxCodeUnasked
	case errors.Is(err, issuer.ErrUnknownCode), errors.Is(err, issuer.ErrPersonInactive), errors.Is(err, issuer.ErrLevelTooLow):
		return oidc.PreAuthorized{}, oidc.ErrUnknownOffer
	case err != nil:
		return oidc.PreAuthorized{}, err
	}
	out := oidc.PreAuthorized{OfferID: r.OfferID, Scopes: r.Scopes, Audience: r.Audience}
	if len(r.Audience) > 0 {
		out.Issuer = r.Audience[0]
	}
	return out, nil
}

// accessTokens lets the issuer check tokens.
type accessTokens struct{ n *Node }

func (a accessTokens) Validate(ctx context.Context, bearer, audience string) (issuer.AccessToken, error) {
	t, err := a.n.provider.ValidateAccessToken(ctx, bearer, audience)
	if errors.Is(err, oidc.ErrInvalidToken) {
		return issuer.AccessToken{}, issuer.ErrInvalidToken
	}
	return issuer.AccessToken{GrantID: t.GrantID, PersonID: t.PersonID, OfferID: t.OfferID, ClientID: t.ClientID, Scopes: t.Scopes, ACR: t.ACR,
		IssuerState: t.IssuerState, Instance: t.Instance, Granted: granted(t)}, err
}

func granted(t oidc.AccessToken) []issuer.Granted {
	var out []issuer.Granted
	for _, d := range t.Credentials() {
		out = append(out, issuer.Granted{ConfigurationID: d.ConfigurationID, Issuers: d.Locations, Identifiers: d.Identifiers})
	}
	return out
}

// credentials tells the provider what authorization_details can ask for.
type credentials struct{ issuer *issuer.Issuer }

func (c credentials) Configuration(id string) (oidc.CredentialConfiguration, bool) {
	conf, issuers, ok := c.issuer.Configuration(id)
	return oidc.CredentialConfiguration{ID: conf.ID, Scope: conf.Type.ID, Issuers: issuers, Title: displayText(conf.Type.Display)}, ok
}

func (c credentials) Identifiers(ctx context.Context, h oidc.CredentialHolder, configurationID string, issuers []string) ([]string, error) {
	return c.issuer.Identifiers(ctx, issuer.Holder{PersonID: h.PersonID, ACR: h.ACR, OfferID: h.OfferID, IssuerState: h.IssuerState}, configurationID, issuers)
}

// registerScope is what a department's token needs, registerAudience completes the origin to its audience.
const (
	registerScope    = "register"
	registerAudience = "/register"
)

// departments authenticates callers of the department API by their access token: the client's organisation is who they are.
type departments struct{ n *Node }

func (d departments) department(ctx context.Context, bearer string) (code, clientID string, err error) {
	return d.authorised(ctx, bearer, registerAudience, registerScope)
}

// authorised reads an access token for one of our own APIs.
func (d departments) authorised(ctx context.Context, bearer, audience, scope string) (code, clientID string, err error) {
	t, err := d.n.provider.ValidateAccessToken(ctx, bearer, d.n.cfg.Origin+audience)
	if errors.Is(err, oidc.ErrInvalidToken) {
		return "", "", register.ErrUnauthenticated
	}
	if err != nil {
		return "", "", err
	}
	if !slices.Contains(t.Scopes, scope) {
		return "", "", register.ErrInsufficientScope
	}
	c, err := d.n.provider.Clients().Get(ctx, t.ClientID)
	if errors.Is(err, oidc.ErrUnknownClient) || (err == nil && c.Organisation == "") {
		return "", "", register.ErrUnauthenticated
	}
	return c.Organisation, t.ClientID, err
}

func (d departments) Authenticate(ctx context.Context, bearer string) (register.Department, error) {
	code, clientID, err := d.department(ctx, bearer)
	return register.Department{Code: code, ClientID: clientID}, err
}

// offerDepartments is the same for the issuer's part of the department API.
type offerDepartments struct{ departments }

func (d offerDepartments) Authenticate(r *http.Request) (string, error) {
	token, ok := httpx.AccessToken(r)
	if !ok {
		return "", issuer.ErrNotADepartment
	}
	code, _, err := d.department(r.Context(), token)
	if errors.Is(err, register.ErrUnauthenticated) || errors.Is(err, register.ErrInsufficientScope) {
		err = issuer.ErrNotADepartment
	}
	return code, err
}

// authorities turns configured authorities and the register's types into credential configurations.
type authorities struct{ n *Node }

func (a authorities) Authorities(context.Context) ([]issuer.Authority, error) {
	var out []issuer.Authority
	for _, cfg := range a.n.cfg.Authorities {
		authority := issuer.Authority{Code: cfg.Code, Display: []issuer.Display{{Locale: "zh-Hans", Name: cfg.NameZH}, {Locale: "en", Name: cfg.NameEN}},
			Approves: cfg.Release == releaseByHand}
		for _, id := range cfg.Types {
			t, ok := a.n.register.Type(id)
			if !ok {
				return nil, errors.New("authority " + cfg.Code + ": unknown licence type " + id)
			}
			authority.Types = append(authority.Types, a.n.cfg.Issuing.Type(t))
		}
		out = append(out, authority)
	}
	return out, nil
}
