package verify

import (
	"strings"
	"sync"
	"time"

	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/signing/sdjwt"
	"github.com/hufu-id/hufu/signing/verify/internal/report"
	"github.com/hufu-id/hufu/signing/verify/internal/trust"
)

// Verifier judges presentations against one bundle and one policy. It remembers chains, status lists and type metadata,
// so that a million licences of one issuer cost one chain and one inflation. Safe for concurrent use.
type Verifier struct {
	contents *bundle.Contents
	policy   Policy
	issuers  trust.Issuers
	chains   *trust.Chains

	mu    sync.Mutex
	lists map[string]*statusList
	types map[string]*typeMetadata

	// fault lets a test force the result of one check, to show that no check can be skipped.
	fault func(Check) Check
}

// New makes a verifier for a bundle, which must not be changed afterwards. A nil bundle is allowed: nothing is trusted
// then, and every verdict is "cannot tell" or "invalid".
func New(b *bundle.Contents, p Policy) *Verifier {
	return &Verifier{contents: b, policy: p, issuers: trust.NewIssuers(b), chains: trust.NewChains(b), lists: map[string]*statusList{}, types: map[string]*typeMetadata{}}
}

// Verify judges one presentation: an SD-JWT VC with or without key binding, or an mdoc (IssuerSigned, or DeviceResponse of one document) as
// base64url or as it is. White space around text is ignored. It never fails: junk is a verdict too. b may be nil.
func Verify(presentation string, b *bundle.Contents, c Challenge, at time.Time, p Policy) Verdict {
	return New(b, p).Verify(presentation, c, at)
}

// run is the judging of one presentation.
type run struct {
	v         *Verifier
	at        time.Time
	challenge Challenge
	clock     trust.Clock
	checks    []Check

	parsed   sdjwt.Parsed
	verified sdjwt.Verified
	mdoc     *mdocument     // nil for an SD-JWT VC
	claims   map[string]any // processed, of an mdoc what its MSO says in their place; nil until parsed
	vct      string         // of an mdoc the type that the issuer's authorisation names beside the docType
	iss      string         // from the claim or, without one, from the certificate
	issued   time.Time      // iat; zero when there is none
	chain    *trust.Chain
	path     *trust.Path
	issuer   *bundle.Issuer
	meta     *typeMetadata
	status   *report.Status
	holder   string // thumbprint
}

// Verify judges one presentation against the verifier's bundle; see the function Verify.
func (v *Verifier) Verify(presentation string, c Challenge, at time.Time) Verdict {
	r := &run{v: v, at: at, challenge: c, clock: trust.ReadClock(v.contents, v.policy.BundleMaxAge, at), checks: make([]Check, 0, len(report.Order))}
	read := r.read(presentation)
	steps := [...]func() Check{func() Check { return read }, r.checkSignature, r.checkChain, r.checkIssuer, r.checkTime, r.checkStatus, r.checkType,
		r.checkHolder, r.checkBundle}
	for i, step := range steps {
		var check Check
		switch {
		case report.Order[i] == CheckBundle:
			check = step()
		case i > 0 && r.checks[0].Result != Pass, i > 1 && r.checks[1].Result != Pass:
			check = Check{Result: Unknown, Reason: report.ReasonNotChecked, Detail: "an earlier check leaves nothing to check"}
		default:
			check = step()
		}
		check.Name = report.Order[i]
		if v.fault != nil {
			check = v.fault(check)
		}
		r.checks = append(r.checks, check)
	}
	return r.conclude()
}

// read parses the presentation, whatever its format.
func (r *run) read(presentation string) Check {
	if b, is := mdocBytes(presentation); is {
		return r.readMdoc(b)
	}
	parsed, err := sdjwt.Parse(strings.Trim(presentation, space))
	if err != nil {
		return fail(report.ReasonMalformed, err.Error())
	}
	r.parsed, r.claims = parsed, parsed.UnverifiedClaims()
	r.vct, _ = r.claims["vct"].(string)
	r.iss, _ = r.claims["iss"].(string)
	if iat, ok := r.date("iat"); ok {
		r.issued = iat
	}
	return pass("well-formed SD-JWT VC; every disclosure is accounted for")
}

// space is what may stand around a presentation in text.
const space = " \t\r\n"

// passed reports whether an earlier check passed.
func (r *run) passed(name CheckName) bool {
	for _, c := range r.checks {
		if c.Name == name {
			return c.Result == Pass
		}
	}
	return false
}

func pass(detail string) Check            { return report.Yes(detail) }
func fail(reason, detail string) Check    { return report.No(reason, detail) }
func unknown(reason, detail string) Check { return report.Unclear(reason, detail) }
