// Package bundles gives the publisher of the trust bundle what goes into it, and the keys of its roles.
package bundles

import (
	"context"
	"path"
	"strings"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/keys"
	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/wallet/register"
	"github.com/hufu-id/hufu/wallet/status"
)

// StatusPurpose signs the part of the trust bundle that holds the status lists: it is used every few seconds, the other roles rarely.
const StatusPurpose keys.Purpose = "bundle-status"

// Authority is an issuing authority of the configuration.
type Authority struct {
	ID, Code, NameZH, NameEN, Region string
	Types                            []string
}

// Inputs collects what the trust bundle says; it implements bundlepub.Inputs.
type Inputs struct {
	Origin      string
	Keys        *keys.Service
	Authorities []Authority
	Register    *register.Service
	Status      *status.Service
	// Seals adds seal makers and seals.
	Seals  func(ctx context.Context, in *bundle.Input) error
	Policy bundle.Policy
}

// Input implements bundlepub.Inputs.
func (b Inputs) Input(ctx context.Context) (bundle.Input, error) {
	in := bundle.Input{Types: map[string][]byte{}, StatusLists: map[string]string{}, CWTLists: map[string][]byte{}, Images: map[string][]byte{}, Policy: b.Policy}
	anchors, err := b.Keys.Anchors(ctx)
	if err != nil {
		return in, err
	}
	for _, a := range anchors {
		in.Anchors = append(in.Anchors, bundle.Anchor{Purpose: string(a.Kind), DER: a.DER})
	}
	revoked, err := b.Keys.Revoked(ctx)
	if err != nil {
		return in, err
	}
	for _, a := range b.Authorities {
		in.Issuers = append(in.Issuers, b.issuer(a, revoked))
	}
	for _, t := range b.Register.Types() {
		in.Types[t.VCT] = t.Metadata
		for _, x := range t.Templates { // metadata name them by URI and hash
			in.Images[b.Origin+t.Path()+"/"+x.Name] = x.SVG
		}
	}
	if err := b.Seals(ctx, &in); err != nil {
		return in, err
	}
	return in, b.lists(ctx, &in)
}

func (b Inputs) issuer(a Authority, revoked []keys.Revoked) bundle.Issuer {
	i := bundle.Issuer{ID: a.ID, Code: a.Code, Name: map[string]string{"zh": a.NameZH, "en": a.NameEN}}
	for _, id := range a.Types {
		for _, t := range b.Register.Versions(id) { // a credential of an older version stays what it is
			may := bundle.Authorisation{VCT: t.VCT, Region: a.Region}
			if t.MDoc != nil {
				may.DocType = t.MDoc.DocType
			}
			i.Authorised = append(i.Authorised, may)
		}
	}
	for _, k := range revoked {
		if k.CreditCode() == a.Code {
			i.Revoked = append(i.Revoked, bundle.RevokedKey{Thumbprint: k.ID, CompromisedAt: k.CompromisedAt})
		}
	}
	return i
}

// lists adds the status lists. As CWT only those of types that have a form as mdoc: no other credential names one, and counters carry the bundle about.
func (b Inputs) lists(ctx context.Context, in *bundle.Input) error {
	tokens, err := b.Status.Tokens(ctx)
	if err != nil {
		return err
	}
	for _, t := range tokens {
		in.StatusLists[t.URI] = t.JWT
		if len(t.CWT) > 0 && b.hasDocument(path.Base(t.URI)) {
			in.CWTLists[t.URI] = t.CWT
		}
	}
	return nil
}

// hasDocument says whether a list, which begins with the name of its type, may hold entries of mdocs.
func (b Inputs) hasDocument(list string) bool {
	for _, t := range b.Register.Types() {
		if t.MDoc != nil && strings.HasPrefix(list, t.ID+"-") {
			return true
		}
	}
	return false
}

// Roles gives the roles of the bundle their keys; it implements bundlepub.Keys.
type Roles struct{ Keys *keys.Service }

func purpose(role string) keys.Purpose {
	switch role {
	case bundle.RoleStatus:
		return StatusPurpose
	case "root", "targets", "snapshot", "timestamp":
		return keys.Purpose("bundle-" + role)
	}
	return keys.BundleIssuer(role[len(bundle.RoleIssuer("")):])
}

// Signer implements bundlepub.Keys.
func (r Roles) Signer(ctx context.Context, role string) (jose.SigningKey, error) {
	s, err := r.Keys.Signer(ctx, purpose(role))
	return s.Key(), err
}

// Published implements bundlepub.Keys.
func (r Roles) Published(ctx context.Context, role string) ([]jose.JWK, error) {
	return r.Keys.JWKS(ctx, purpose(role))
}
