package verify

import (
	"errors"
	"slices"

	"github.com/hufu-id/hufu/signing/sdjwt"
	"github.com/hufu-id/hufu/signing/verify/internal/report"
)

// checkHolder judges whether the one who shows the credential holds its key. What is needed is the caller's decision and
// never concluded from what arrived (RFC 9901 section 7.3): who strips the proof must not get a milder check.
func (r *run) checkHolder() Check {
	if r.mdoc != nil {
		return r.checkDevice()
	}
	asked, came := !r.challenge.HolderAny, r.parsed.HasKeyBinding()
	if !asked && !came {
		return Check{Result: Pass, Reason: report.ReasonNotAsked, Detail: "the document alone was asked for; who shows it isn't judged"}
	}
	proof, err := r.verified.KeyBinding()
	if !asked {
		if err == nil {
			return Check{Result: Pass, Reason: report.ReasonNotAsked, Detail: "the document alone was asked for; who shows it isn't judged"}
		}
		return fail(report.ReasonWrongProof, "the holder's proof that came along is broken")
	}
	switch {
	case errors.Is(err, sdjwt.ErrNoHolder) && !came:
		return unknown(report.ReasonUnbound, "the credential is bound to no key: who shows it can't be proven")
	case errors.Is(err, sdjwt.ErrNoKeyBinding):
		return unknown(report.ReasonNoProof, "no proof came along: genuine, but who shows it isn't proven")
	case err != nil:
		return fail(report.ReasonWrongProof, "the holder's proof is wrong: another key, or made for another presentation")
	case slices.Contains(r.challenge.Purposes, proof.Audience()) && !r.addressed(proof):
		return r.checkUnasked(proof)
	case (r.challenge.Nonce == "" || r.challenge.Audience == "") && len(r.challenge.Purposes) > 0:
		return fail(report.ReasonOtherAnswer, "the proof is for something else than the purposes that are accepted here")
	case r.challenge.Nonce == "" || r.challenge.Audience == "":
		return unknown(report.ReasonNoChallenge, "a proof came along, but there is no challenge to compare it with")
	}
	maxAge := r.v.policy.BindingMaxAge
	if maxAge == 0 {
		maxAge = DefaultBindingMaxAge
	}
	err = proof.Check(sdjwt.Challenge{Nonce: r.challenge.Nonce, Audience: r.challenge.Audience, At: r.at, MaxAge: maxAge})
	if c := r.refusedProof(err, proof); c.Result != "" {
		return c
	}
	r.holder = proof.Key().Thumbprint()
	return pass("the holder's key answered this challenge").AsAt(proof.IssuedAt())
}

// addressed: the proof names the audience of the caller's own challenge. Then it must answer that challenge, also if the audience is a purpose too: who
// asks gets no answer to somebody else's question.
func (r *run) addressed(proof sdjwt.KeyBinding) bool {
	return r.challenge.Nonce != "" && r.challenge.Audience == proof.Audience()
}

// checkUnasked judges a proof for a purpose: nobody's nonce, so its age is all that ends it.
func (r *run) checkUnasked(proof sdjwt.KeyBinding) Check {
	// Its own nonce stands in for a challenge: what is left of the check is the time.
	maxAge := PurposeMaxAge
	if limit := r.v.policy.BindingMaxAge; limit > 0 && limit < maxAge {
		maxAge = limit // the caller may be stricter, never milder
	}
	err := proof.Check(sdjwt.Challenge{Nonce: proof.Nonce(), Audience: proof.Audience(), At: r.at, MaxAge: maxAge})
	if c := r.refusedProof(err, proof); c.Result != "" {
		return c
	}
	r.holder = proof.Key().Thumbprint()
	return Check{Result: Pass, Reason: report.ReasonUnasked,
		Detail: "shown for a purpose, without being asked; within ten minutes it can be shown elsewhere too"}.AsAt(proof.IssuedAt())
}

// refusedProof says why a proof doesn't answer, or is answered twice. The zero Check means that it does.
func (r *run) refusedProof(err error, proof sdjwt.KeyBinding) Check {
	switch {
	case errors.Is(err, sdjwt.ErrKeyBindingTime) && !r.clock.Sure:
		return unknown(report.ReasonClockUnsure, "the holder's proof is from another time than this clock's, which nothing confirms")
	case errors.Is(err, sdjwt.ErrKeyBindingTime):
		return fail(report.ReasonProofNotFrom, "the holder's proof wasn't made just now").AsAt(proof.IssuedAt())
	case err != nil:
		return fail(report.ReasonOtherAnswer, "the holder's proof answers another challenge")
	case r.challenge.Used:
		return fail(report.ReasonUsed, "an answer to this challenge was accepted before").AsAt(proof.IssuedAt())
	}
	return Check{}
}
