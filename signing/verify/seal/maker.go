package seal

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/signing/sealvc"
	"github.com/hufu-id/hufu/signing/verify/internal/report"
	"github.com/hufu-id/hufu/signing/verify/internal/trust"
)

// checkSeal judges the seal itself as of its issue: signed by its maker, whom the bundle knows and allows to make seals.
func (r *run) checkSeal() report.Check {
	header := r.credential.Header()
	if len(header.X5C) == 0 {
		return report.Unclear(report.ReasonNoKey, "no certificate came along with the seal")
	}
	chain := r.chains.Of(header.X5C, trust.SealMaker, header.Alg, r.issued)
	if chain.Key.IsZero() {
		return report.No(report.ReasonSealForged, "the maker's certificate doesn't fit the seal's algorithm")
	}
	if _, err := r.credential.Verify(chain.Key); err != nil {
		return report.No(report.ReasonSealForged, "the seal's own signature doesn't match")
	}
	if r.b == nil {
		return report.Unclear(report.ReasonNoBundle, "who may make seals is said in the bundle")
	}
	if c := chain.Problem(r.clock, r.issued); c.Result != "" {
		return c
	}
	if !slices.ContainsFunc(chain.Leaf.URIs, func(u *url.URL) bool { return u.String() == r.iss }) {
		return report.No(report.ReasonUntrusted, "the certificate is another maker's than the seal says")
	}
	if c := r.authorised(chain); c.Result != "" {
		return c
	}
	if c := r.issuers.Withdrawn(r.iss, chain.Key, r.issued); c.Result != "" {
		return c
	}
	r.makerPath = chain.Path
	return report.Yes("made by a seal maker that the nation vouches for").AsAt(r.b.AsOf)
}

// authorised says why this maker can't have made the seal. The zero Check means that it may. It sets r.maker.
func (r *run) authorised(chain *trust.Chain) report.Check {
	maker := r.issuers.Get(r.iss)
	if maker == nil {
		if !r.clock.Sure || chain.Leaf.NotBefore.After(r.b.AsOf) {
			return report.Unclear(report.ReasonUnknownIssuer, "the maker isn't in this bundle; a newer one may have it").AsAt(r.b.AsOf)
		}
		return report.No(report.ReasonNotAuthorised, "the bundle doesn't know this maker").AsAt(r.b.AsOf)
	}
	if trust.OrganizationIdentifier(chain.Leaf) != maker.Code {
		return report.No(report.ReasonNotAuthorised, "the certificate names another organisation than the bundle").AsAt(r.b.AsOf)
	}
	may := slices.ContainsFunc(maker.Authorised, func(a bundle.Authorisation) bool {
		return a.VCT == r.vct && !r.issued.Before(a.From) && (a.To.IsZero() || r.issued.Before(a.To))
	})
	if !strings.HasSuffix(r.vct, sealvc.Path) || !may {
		if !r.clock.Sure {
			return report.Unclear(report.ReasonNotAuthorised, "not a seal maker in this bundle; a newer one may say otherwise").AsAt(r.b.AsOf)
		}
		return report.No(report.ReasonNotAuthorised, "it isn't authorised to make seals").AsAt(r.b.AsOf)
	}
	t, known := r.b.Types[r.vct]
	if pinned, _ := r.credential.UnverifiedClaims()["vct#integrity"].(string); !known || pinned != t.Integrity {
		return report.Unclear(report.ReasonTypeUnknown, "the bundle doesn't have the type of this seal as it was made").AsAt(r.b.AsOf)
	}
	r.maker = maker
	return report.Check{}
}

// publishedWithin is how long a seal may take into the bundle: one that is missing was made after the bundle, if it was made later than so before it.
const publishedWithin = time.Hour

// checkState looks the seal up in its maker's register, as the bundle has it.
func (r *run) checkState() report.Check {
	if r.b == nil {
		return report.Unclear(report.ReasonNoBundle, "the states of seals are in the bundle")
	}
	if r.maker == nil {
		return report.Unclear(report.ReasonNotChecked, "an earlier check leaves nothing to check")
	}
	i := slices.IndexFunc(r.maker.Seals, func(s bundle.Seal) bool { return s.ID == r.seal.ID })
	if i < 0 {
		if !r.clock.Sure || r.issued.After(r.b.AsOf.Add(-publishedWithin)) {
			return report.Unclear(report.ReasonSealUnknown, "the seal isn't in this bundle; a newer one may have it").AsAt(r.b.AsOf)
		}
		return report.No(report.ReasonSealUnknown, "the maker's register doesn't have this seal").AsAt(r.b.AsOf)
	}
	record := r.maker.Seals[i]
	sum := sha256.Sum256(r.credential.Payload())
	if record.PayloadSHA256 != hex.EncodeToString(sum[:]) {
		return report.No(report.ReasonSealOther, "the maker's register has another seal under this id").AsAt(r.b.AsOf)
	}
	r.history = record.History
	r.then, r.now = stateAt(record.History, r.sig.IssuedAt()), record.History[len(record.History)-1].State
	return r.judgeStates().AsAt(r.b.AsOf)
}

func (r *run) judgeStates() report.Check {
	switch {
	case r.then == "":
		return report.No(report.ReasonNotActiveThen, "the seal didn't exist at the claimed time")
	case r.then == bundle.SealSuspended, r.then == bundle.SealCancelled:
		return report.No(report.ReasonNotActiveThen, "the seal was "+r.then+" at the claimed time")
	case r.then != bundle.SealActive:
		return report.Unclear(report.ReasonStatusUnknown, "the seal had a state that we don't know")
	case r.now == bundle.SealActive:
		return report.Yes("active at the claimed time and now")
	case r.now == bundle.SealSuspended:
		return report.Unclear(report.ReasonSuspendedSince, "suspended since; nothing but the signer's word says that the file was sealed before")
	case r.now == bundle.SealCancelled:
		return report.Unclear(report.ReasonCancelledSince, "cancelled since; nothing but the signer's word says that the file was sealed before")
	}
	return report.Unclear(report.ReasonStatusUnknown, "the seal has a state that we don't know")
}

// stateAt is the state at a claimed time, by the stricter reading: a seal is active once that was in effect and recorded, and stops as soon as either. Claimed
// times are whole seconds, so the second in which a seal became active counts. Empty before the first state.
func stateAt(history []bundle.SealState, t time.Time) string {
	state := ""
	for _, h := range history {
		if !t.Before(since(h)) {
			state = h.State
		}
	}
	return state
}

// since is when a state began, by the stricter reading.
func since(h bundle.SealState) time.Time {
	from := h.EffectiveAt
	if later := h.RecordedAt.After(from); later == (h.State == bundle.SealActive) {
		from = h.RecordedAt
	}
	if h.State == bundle.SealActive {
		from = from.Truncate(time.Second)
	}
	return from
}

// describe adds what the report says besides the verdict. A seal that nobody vouches for isn't shown: its names are a forger's.
func (r *run) describe(v *report.Report) {
	if !r.passed(report.CheckSignature) || !r.passed(report.CheckSignerListed) || !r.passed(report.CheckChain) || !r.passed(report.CheckSeal) {
		return
	}
	v.Issuer = &report.Issuer{ID: r.maker.ID, Code: r.maker.Code, Name: r.maker.Name}
	v.Path = r.signer.Path.Described
	leaf := v.Path[len(v.Path)-1]
	s := &report.Seal{ID: r.seal.ID, Kind: r.seal.Kind, Name: r.seal.Name, Owner: report.Owner{Code: r.seal.Owner.Code, Name: r.seal.Owner.Name},
		DocumentKinds: r.seal.DocumentKinds, DocumentKind: r.sig.KindURI()[strings.LastIndexByte(r.sig.KindURI(), '/')+1:], DocumentName: r.sig.Document().Name,
		ValidFrom: r.seal.ValidFrom, ValidTo: r.seal.ValidTo, Signer: report.Signer{Subject: leaf.Subject, SHA256: leaf.SHA256}, MakerPath: r.makerPath.Described,
		ClaimedTime: report.Stamp(r.sig.IssuedAt()), StateThen: r.then, StateNow: r.now, Claimed: r.sig.IssuedAt()}
	for _, h := range r.history {
		s.States = append(s.States, report.SealState{State: h.State, EffectiveAt: report.Stamp(h.EffectiveAt), RecordedAt: report.Stamp(h.RecordedAt)})
	}
	if n := len(r.history); n > 0 {
		s.Since = since(r.history[n-1])
	}
	v.Seal = s
}
