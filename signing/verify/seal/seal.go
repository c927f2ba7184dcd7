// Package seal judges sealed files offline: a detached JAdES signature, the seal inside it, and what the trust bundle says of that seal. Like package
// verify it opens no socket and no file, reads no clock and keeps no state, and gives the same kind of verdict.
//
// Ten checks are always reported, in this order: parse, digest, signature, signer_listed, chain, seal, scope, seal_state, time, bundle (docs/trust.md 6).
//
// There is no trusted timestamp: when the file was sealed is only claimed, by the one who sealed it. Everything is judged as of that claim, and a seal that
// was suspended or cancelled since ends in "cannot tell", because whoever has its key can claim any time before.
package seal

import (
	"slices"
	"strings"
	"time"

	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/signing/jades"
	"github.com/hufu-id/hufu/signing/sdjwt"
	"github.com/hufu-id/hufu/signing/sealvc"
	"github.com/hufu-id/hufu/signing/verify"
	"github.com/hufu-id/hufu/signing/verify/internal/report"
	"github.com/hufu-id/hufu/signing/verify/internal/trust"
)

// leeway is how far the signer's clock may be ahead of the verifier's.
const leeway = time.Minute

// run is the judging of one sealed file.
type run struct {
	b       *bundle.Contents
	at      time.Time
	clock   trust.Clock
	chains  *trust.Chains
	issuers trust.Issuers
	digest  [32]byte
	checks  []report.Check
	// fault lets a test force the result of one check, to show that no check can be skipped.
	fault func(report.Check) report.Check

	sig        jades.Parsed
	verified   jades.Verified
	credential sdjwt.Parsed
	seal       sealvc.Seal
	vct, iss   string
	issued     time.Time // the seal's iat
	signer     *trust.Chain
	maker      *bundle.Issuer
	makerPath  *trust.Path
	then, now  string // states, empty when not known
	history    []bundle.SealState
}

// Verify judges a signature over the file with this SHA-256. It never fails: junk is a verdict too. b may be nil. Of the policy, BundleMaxAge and NewestSeen count.
func Verify(signature []byte, file [32]byte, b *bundle.Contents, at time.Time, p verify.Policy) verify.Verdict {
	return judge(signature, file, b, at, p, nil)
}

func judge(signature []byte, file [32]byte, b *bundle.Contents, at time.Time, p verify.Policy, fault func(report.Check) report.Check) verify.Verdict {
	r := &run{b: b, at: at, clock: trust.ReadClock(b, p.BundleMaxAge, at), chains: trust.NewChains(b), issuers: trust.NewIssuers(b), digest: file, fault: fault}
	steps := map[report.CheckName]func() report.Check{report.CheckParse: func() report.Check { return r.parse(signature) }, report.CheckDigest: r.checkDigest,
		report.CheckSignature: r.checkSignature, report.CheckSignerListed: r.checkListed, report.CheckChain: r.checkChain, report.CheckSeal: r.checkSeal,
		report.CheckScope: r.checkScope, report.CheckSealState: r.checkState, report.CheckTime: r.checkTime,
		report.CheckBundle: func() report.Check { return r.clock.Check }}
	for _, name := range report.SealOrder {
		check := report.Check{Result: report.Unknown, Reason: report.ReasonNotChecked, Detail: "an earlier check leaves nothing to check"}
		if name == report.CheckParse || name == report.CheckBundle || r.passed(report.CheckParse) {
			check = steps[name]()
		}
		check.Name = name
		if fault != nil {
			check = fault(check)
		}
		r.checks = append(r.checks, check)
	}
	v := report.Report{At: at.UTC(), Checks: r.checks, VCT: r.vct, Bundle: r.clock.Fact, Sealed: true}
	if b != nil && p.NewestSeen > b.Version {
		v.Notes = append(v.Notes, report.NoteNewer)
	}
	return report.Conclude(v, report.SealOrder[:], r.describe)
}

func (r *run) passed(name report.CheckName) bool {
	i := slices.IndexFunc(r.checks, func(c report.Check) bool { return c.Name == name })
	return i >= 0 && r.checks[i].Result == report.Pass
}

// parse reads the signature and the seal inside, and believes nothing of either.
func (r *run) parse(signature []byte) report.Check {
	var err error
	if r.sig, err = jades.Parse(signature); err != nil {
		return report.No(report.ReasonSealMalformed, err.Error())
	}
	if r.credential, err = sdjwt.Parse(r.sig.Seal()); err != nil {
		return report.No(report.ReasonSealMalformed, "the seal inside: "+err.Error())
	}
	claims := r.credential.UnverifiedClaims()
	if r.seal, err = sealvc.FromClaims(claims); err != nil {
		return report.No(report.ReasonSealMalformed, "the seal inside: "+err.Error())
	}
	r.vct, _ = claims["vct"].(string)
	r.iss, _ = claims["iss"].(string)
	iat, ok := verify.Date(claims, "iat")
	if !ok || r.iss == "" || r.credential.HasKeyBinding() {
		return report.No(report.ReasonSealMalformed, "the seal inside has no maker or no time of issue")
	}
	r.issued = iat
	return report.Yes("well-formed signature with a seal inside")
}

func (r *run) checkDigest() report.Check {
	if r.sig.Document().SHA256 != r.digest {
		return report.No(report.ReasonDigest, "the file isn't the one that was sealed, or was changed since")
	}
	return report.Yes("the file is the one that was sealed, byte for byte")
}

// checkSignature checks the signature with the key of the certificate that came along. Whether that key may be believed is for the next checks.
func (r *run) checkSignature() report.Check {
	r.signer = r.chains.Of(r.sig.X5C(), trust.SealSigner, r.sig.Alg(), r.sig.IssuedAt())
	if r.signer.Key.IsZero() {
		return report.No(report.ReasonTampered, "the certificate's key doesn't fit the algorithm")
	}
	var err error
	if r.verified, err = r.sig.Verify(r.signer.Key); err != nil {
		return report.No(report.ReasonTampered, "the signature doesn't match: changed after it was signed, or never signed by this key")
	}
	return report.Yes("unchanged since it was signed")
}

// checkListed: the certificate is one that the seal names. A thief of a seal's credential, which is public, has no such certificate.
func (r *run) checkListed() report.Check {
	if !slices.Contains(r.seal.Signers, sealvc.SignerHash(r.sig.X5C()[0])) {
		return report.No(report.ReasonSignerNotListed, "the signer's certificate isn't one that may use this seal")
	}
	return report.Yes("the signer's certificate may use this seal")
}

// checkChain: the signer leads to the anchor for seal signers, was in force at the claimed time, and is the seal's owner.
func (r *run) checkChain() report.Check {
	if r.b == nil {
		return report.Unclear(report.ReasonNoBundle, "without a bundle no certificate is trusted")
	}
	if c := r.signer.Problem(r.clock, r.sig.IssuedAt()); c.Result != "" {
		return c
	}
	if trust.OrganizationIdentifier(r.signer.Leaf) != r.seal.Owner.Code {
		return report.No(report.ReasonNotOwner, "the signer's certificate is another organisation's than the seal")
	}
	if c := r.issuers.Withdrawn(r.iss, r.signer.Key, r.sig.IssuedAt()); c.Result != "" {
		return c
	}
	return report.Yes("leads to the anchor for seal signers, in the name of the seal's owner").AsAt(r.b.AsOf)
}

// checkScope: what the seal may be put on, and when.
func (r *run) checkScope() report.Check {
	claimed := r.sig.IssuedAt()
	origin := strings.TrimSuffix(r.vct, sealvc.Path)
	if !slices.ContainsFunc(r.seal.DocumentKinds, func(id string) bool { return sealvc.DocumentKindURI(origin, id) == r.sig.KindURI() }) {
		return report.No(report.ReasonKindNotAllowed, "this seal may not be put on this kind of document")
	}
	ahead, dated := verify.Date(r.credential.UnverifiedClaims(), "nbf")
	if !r.seal.CoversAt(claimed) || claimed.Before(r.issued.Add(-leeway)) || dated && claimed.Before(ahead) {
		return report.No(report.ReasonSealDates, "the seal wasn't valid at the claimed time").AsAt(claimed)
	}
	return report.Yes("for this kind of document, within the seal's validity").AsAt(claimed)
}

// checkTime judges the claimed time, which nobody vouches for: it can't lie ahead.
func (r *run) checkTime() report.Check {
	claimed := r.sig.IssuedAt()
	switch {
	case r.clock.Fact == nil:
		return report.Unclear(report.ReasonNoBundle, "nothing confirms the clock").AsAt(r.at)
	case claimed.After(r.at.Add(leeway)) && !r.clock.Sure:
		return report.Unclear(report.ReasonClockUnsure, "the claimed time lies after this clock's, but nothing confirms the clock").AsAt(r.at)
	case claimed.After(r.at.Add(leeway)):
		return report.No(report.ReasonClaimedAhead, "the claimed time lies ahead").AsAt(r.at)
	}
	return report.Yes("claimed by the signer; no trusted timestamp proves it").AsAt(claimed)
}
