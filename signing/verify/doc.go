// Package verify is the offline verifier: bytes of a presentation, a trust bundle, the caller's challenge, a time and a
// policy go in, a [Verdict] comes out. It opens no socket and no file, reads no clock and keeps no global state; the
// command line, the web page and the server call the same function and get the same bytes.
//
// [Verify] judges one presentation; a [Verifier] judges many against one bundle and remembers chains and inflated status
// lists.
//
// # What a verdict means
//
//	valid        every check passed
//	invalid      at least one check failed: nothing that is still unknown could make this presentation good
//	cannot_tell  nothing failed, but something isn't known: no bundle, an old one, a wrong clock, no status, no holder proof
//
// Nine checks are always reported, in this order: parse, signature, chain, issuer_authorised, time, status, type_metadata,
// holder, bundle. "Not known" is never turned into "failed" (a list that can't be read doesn't revoke anything), and
// never into "passed".
//
// With unchanged facts an older bundle never gives a better verdict: only "valid" lets anybody accept something, and what
// isn't valid under a newer bundle isn't valid under an older one. What an old bundle doesn't know (an
// unknown root, an unknown issuer, an expired date under a clock that nothing confirms) is "cannot tell"; what it does know
// for good (revoked) stays so however old it is.
package verify

import (
	"time"

	"github.com/hufu-id/hufu/signing/verify/internal/report"
)

// The vocabulary of verdicts, kept with their rendering.
type (
	// Outcome is the verdict in one word.
	Outcome = report.Outcome
	// Result is the result of one check.
	Result = report.Result
	// CheckName names a check.
	CheckName = report.CheckName
	// Check is the outcome of one check.
	Check = report.Check
	// Verdict is the judgement on one presentation or sealed file.
	Verdict = report.Verdict
	// Issuer is who issued the credential, as the bundle knows it.
	Issuer = report.Issuer
	// Certificate is one link of the trust path.
	Certificate = report.Certificate
	// Status is what the status list said, Bundle which bundle was used.
	Status = report.Status
	Bundle = report.Bundle
	// Sheet is a verdict in one language and in parts.
	Sheet = report.Sheet
)

// The outcomes, the results, and the checks in the order of reports.
const (
	Valid      = report.Valid
	CannotTell = report.CannotTell
	Invalid    = report.Invalid

	Pass    = report.Pass
	Fail    = report.Fail
	Unknown = report.Unknown

	CheckParse            = report.CheckParse
	CheckSignature        = report.CheckSignature
	CheckChain            = report.CheckChain
	CheckIssuerAuthorised = report.CheckIssuerAuthorised
	CheckTime             = report.CheckTime
	CheckStatus           = report.CheckStatus
	CheckTypeMetadata     = report.CheckTypeMetadata
	CheckHolder           = report.CheckHolder
	CheckBundle           = report.CheckBundle
)

// Challenge is what the caller asked the holder to answer.
type Challenge struct {
	// Nonce and Audience are what the key binding proof must carry.
	Nonce, Audience string
	// Used says that whoever gave this challenge out has accepted an answer to it before: one that fits is a replay.
	Used bool
	// Purposes are audiences that stand for a purpose instead of a verifier: a proof that the holder made for one of them without being asked is enough
	// for PurposeMaxAge. It shows that the holder wanted to show this for that purpose, not that the answer is for this verifier alone.
	Purposes []string
	// HolderAny asks for the document alone: who shows it is not judged. A proof that came along must still be whole.
	HolderAny bool
}

// Policy is what a caller demands beyond the rules. The zero value is the normal, safe policy; a bundle's own policy may only
// be tightened by it.
type Policy struct {
	// StatusMaxAge is how old a status list may be; 0 leaves it to the bundle's policy and the list's own exp.
	StatusMaxAge time.Duration
	// BundleMaxAge is how old a bundle may be; 0 leaves it to the bundle's expiry.
	BundleMaxAge time.Duration
	// BindingMaxAge is how long ago the holder may have answered; 0 means DefaultBindingMaxAge. Who verifies recorded
	// presentations later raises it: the nonce alone then tells them apart.
	BindingMaxAge time.Duration
	// AllowNoStatus accepts credentials that name no status list, as short-lived ones do. Otherwise: cannot tell.
	AllowNoStatus bool
	// NewestSeen is the highest bundle version that this verifier has ever installed; with an older one the verdict says so.
	NewestSeen int64
}

// DefaultBindingMaxAge leaves time for a queue at a counter; a proof of ten minutes ago is an old one.
const DefaultBindingMaxAge = 9 * time.Minute

// PurposeMaxAge is how long a proof holds that answers no challenge.
const PurposeMaxAge = 10 * time.Minute

// leeway is how far the issuer's clock may be ahead of the verifier's.
const leeway = time.Minute
