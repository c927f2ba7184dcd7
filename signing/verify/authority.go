package verify

import (
	"strings"

	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/signing/sdjwt"
	"github.com/hufu-id/hufu/signing/verify/internal/report"
	"github.com/hufu-id/hufu/signing/verify/internal/trust"
)

// checkIssuer decides whether this issuer may issue this type: known to the bundle, the same organisation as in its
// certificate, and authorised for the type, the region and the time of issue.
func (r *run) checkIssuer() Check {
	b := r.v.contents
	if b == nil {
		return unknown(report.ReasonNoBundle, "who may issue what is said in the bundle")
	}
	if !r.passed(CheckChain) {
		return unknown(report.ReasonNotChecked, "an earlier check leaves nothing to check")
	}
	issuer := r.v.issuers.Get(r.iss)
	if issuer == nil {
		// A certificate from after the bundle belongs to an issuer that the bundle can't know yet.
		if !r.clock.Sure || r.chain.Leaf.NotBefore.After(b.AsOf) {
			return unknown(report.ReasonUnknownIssuer, "the issuer isn't in this bundle; a newer one may have it").AsAt(b.AsOf)
		}
		return fail(report.ReasonNotAuthorised, "the bundle doesn't know this issuer").AsAt(b.AsOf)
	}
	if trust.OrganizationIdentifier(r.chain.Leaf) != issuer.Code {
		return fail(report.ReasonNotAuthorised, "the certificate names another organisation than the bundle").AsAt(b.AsOf)
	}
	if problem := r.mdocCountry(); problem != "" {
		return fail(report.ReasonNotAuthorised, problem).AsAt(b.AsOf)
	}
	if problem := r.authorised(issuer); problem != "" {
		if !r.clock.Sure {
			return unknown(report.ReasonNotAuthorised, problem+" in this bundle; a newer one may say otherwise").AsAt(b.AsOf)
		}
		return fail(report.ReasonNotAuthorised, problem).AsAt(b.AsOf)
	}
	r.issuer = issuer
	return pass("may issue this type").AsAt(b.AsOf)
}

// authorised returns what is missing, empty when the issuer may issue the credential.
func (r *run) authorised(issuer *bundle.Issuer) string {
	at := r.issued
	if at.IsZero() { // without a time of issue, the present must do
		at = r.at
	}
	problem := "the issuer isn't authorised for this type"
	place := region(r.claims)
	for _, a := range issuer.Authorised {
		switch {
		case !r.names(a):
		case at.Before(a.From) || !a.To.IsZero() && !at.Before(a.To):
			problem = "the issuer wasn't authorised for this type when it was issued"
		case place != "" && !strings.HasPrefix(place, a.Region):
			problem = "the issuer isn't authorised for this region"
		default:
			r.vct = a.VCT
			return ""
		}
	}
	return problem
}

// names reports whether the authorisation is for the credential's type.
func (r *run) names(a bundle.Authorisation) bool {
	if r.mdoc != nil {
		return a.DocType != "" && a.DocType == r.mdoc.parsed.DocType()
	}
	return a.VCT == r.vct
}

// region finds the division code that a credential says it is for, at the places that licence types use. Credentials
// without one are for wherever their issuer is.
func region(claims map[string]any) string {
	for _, p := range []sdjwt.Path{sdjwt.P("area_code"), sdjwt.P("issuer", "area_code")} {
		var v any = claims
		for _, part := range p {
			m, _ := v.(map[string]any)
			v = m[part.(string)]
		}
		if s, ok := v.(string); ok {
			return s
		}
	}
	return ""
}
