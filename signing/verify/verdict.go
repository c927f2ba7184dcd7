package verify

import (
	"slices"

	"github.com/hufu-id/hufu/signing/verify/internal/report"
)

// Words is an outcome in Chinese and English: for records that keep the codes.
func Words(o Outcome) (zh, en string) { return report.Words(o) }

// ReasonWords is a reason in Chinese and English; the code itself when there are no words for it.
func ReasonWords(code string) (zh, en string) { return report.ReasonWords(code) }

// NewerBundleHelps says whether a "cannot tell" may be for want of a newer bundle: what it misses may have been published since.
func NewerBundleHelps(v Verdict) bool {
	return slices.Contains([]string{report.ReasonNoBundle, report.ReasonStaleBundle, report.ReasonOldBundle, report.ReasonListMissing, report.ReasonListExpired,
		report.ReasonListOld, report.ReasonListUntrusted, report.ReasonUnknownIssuer, report.ReasonTypeUnknown}, v.Reason())
}

// conclude is the last step.
func (r *run) conclude() Verdict {
	return report.Conclude(report.Report{At: r.at.UTC(), Checks: r.checks, VCT: r.vct, Bundle: r.clock.Fact}, report.Order[:], r.describe)
}

// registered are the claims that a clerk needn't see.
var registered = map[string]bool{"iss": true, "iat": true, "nbf": true, "exp": true, "cnf": true, "vct": true,
	"vct#integrity": true, "aka_vcts": true, "status": true, "sub": true, "jti": true, "aud": true}

// shownClaims are the claims without the registered ones; of an mdoc the elements by namespace.
func (r *run) shownClaims() map[string]any {
	if r.mdoc != nil {
		return r.mdoc.shown()
	}
	out := map[string]any{}
	for name, value := range r.claims {
		if !registered[name] {
			out[name] = value
		}
	}
	return out
}

// describe adds what the report says besides the verdict itself.
func (r *run) describe(v *report.Report) {
	v.Status = r.status
	if r.mdoc != nil {
		v.DocType = r.mdoc.parsed.DocType()
	}
	if r.path != nil {
		v.Path = r.path.Described
	}
	if r.meta != nil {
		v.TypeName = r.meta.names
	}
	if b := r.v.contents; b != nil && r.v.policy.NewestSeen > b.Version {
		v.Notes = append(v.Notes, report.NoteNewer)
	}
	if r.passed(CheckHolder) {
		v.Holder = r.holder
	}
	if !r.passed(CheckSignature) || !r.passed(CheckChain) || !r.passed(CheckIssuerAuthorised) {
		return
	}
	if r.issuer != nil {
		v.Issuer = &report.Issuer{ID: r.issuer.ID, Code: r.issuer.Code, Name: r.issuer.Name}
	}
	v.Hidden = r.hiddenClaims()
	if v.Outcome == Invalid {
		return
	}
	v.Claims = r.shownClaims()
	if r.mdoc != nil {
		v.Labels = mdocLabels(r.meta)
		v.TypeOrder = mdocOrder(r.meta)
		return
	}
	if r.meta != nil {
		v.Labels = r.meta.labels
		for _, c := range r.meta.claims {
			if name, ok := c.path[0].(string); ok && len(c.path) == 1 {
				v.TypeOrder = append(v.TypeOrder, name)
			}
		}
	}
}
