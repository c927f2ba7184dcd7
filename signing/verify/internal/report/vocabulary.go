// Package report is what a verdict says and how it is written: as stable JSON for programs and as text for a person at a
// counter. It decides nothing; package verify fills it.
package report

// Outcome is the verdict in one word.
type Outcome string

// The outcomes.
const (
	Valid      Outcome = "valid"
	CannotTell Outcome = "cannot_tell"
	Invalid    Outcome = "invalid"
)

// Result is the result of one check.
type Result string

// The results.
const (
	Pass    Result = "pass"
	Fail    Result = "fail"
	Unknown Result = "unknown"
)

// CheckName names a check.
type CheckName string

// The checks, in the order of reports.
const (
	CheckParse            CheckName = "parse"
	CheckSignature        CheckName = "signature"
	CheckChain            CheckName = "chain"
	CheckIssuerAuthorised CheckName = "issuer_authorised"
	CheckTime             CheckName = "time"
	CheckStatus           CheckName = "status"
	CheckTypeMetadata     CheckName = "type_metadata"
	CheckHolder           CheckName = "holder"
	CheckBundle           CheckName = "bundle"
)

// The checks of a sealed file; parse, signature, chain, time and bundle mean the same for both.
const (
	CheckDigest       CheckName = "digest"
	CheckSignerListed CheckName = "signer_listed"
	CheckSeal         CheckName = "seal"
	CheckScope        CheckName = "scope"
	CheckSealState    CheckName = "seal_state"
)

// SealOrder is the order of checks in every verdict on a sealed file.
var SealOrder = [...]CheckName{CheckParse, CheckDigest, CheckSignature, CheckSignerListed, CheckChain, CheckSeal, CheckScope, CheckSealState, CheckTime, CheckBundle}

// Order is the order of checks in every verdict.
var Order = [...]CheckName{CheckParse, CheckSignature, CheckChain, CheckIssuerAuthorised, CheckTime, CheckStatus,
	CheckTypeMetadata, CheckHolder, CheckBundle}

// Reasons of checks: stable codes for programs. What they say to people is in Text; Check.Detail adds particulars.
const (
	ReasonOK         = "ok"
	ReasonNotChecked = "not_checked" // an earlier check leaves nothing to check

	ReasonMalformed = "malformed"
	ReasonSeveral   = "several_documents"
	ReasonTampered  = "wrong_signature"
	ReasonNoKey     = "no_key"

	ReasonNoBundle      = "no_bundle"
	ReasonStaleBundle   = "stale_bundle"
	ReasonClockBehind   = "clock_before_bundle"
	ReasonClockUnsure   = "clock_not_confirmed"
	ReasonOldBundle     = "bundle_too_old"
	ReasonUntrusted     = "untrusted_issuer"
	ReasonKeyWithdrawn  = "key_compromised"
	ReasonUnknownIssuer = "issuer_unknown"
	ReasonNotAuthorised = "issuer_not_authorised"

	ReasonExpired   = "expired"
	ReasonTermOver  = "licence_term_over"
	ReasonNotYet    = "not_yet_valid"
	ReasonNoStatus  = "no_status"
	ReasonRevoked   = "revoked"
	ReasonSuspended = "suspended"

	ReasonStatusMalformed = "status_malformed"
	ReasonStatusUnknown   = "status_value_unknown"
	ReasonListMissing     = "status_list_missing"
	ReasonListUntrusted   = "status_list_untrusted"
	ReasonListExpired     = "status_list_expired"
	ReasonListOld         = "status_list_too_old"
	ReasonListFuture      = "clock_before_status_list"
	ReasonIndex           = "status_index_out_of_range"

	ReasonTypeUnknown  = "type_unknown"
	ReasonTypeMismatch = "type_metadata_mismatch"
	ReasonTypeBroken   = "type_metadata_unusable"
	ReasonTypeRules    = "type_rules_broken"

	ReasonNotAsked     = "holder_not_asked"
	ReasonUnasked      = "holder_shown_unasked"
	ReasonUnbound      = "no_holder_key"
	ReasonNoProof      = "no_holder_proof"
	ReasonNoChallenge  = "no_challenge"
	ReasonWrongProof   = "wrong_holder_proof"
	ReasonOtherAnswer  = "wrong_challenge"
	ReasonProofNotFrom = "holder_proof_not_from_now"
	ReasonUsed         = "challenge_used"

	ReasonSealMalformed   = "seal_malformed"
	ReasonDigest          = "digest_mismatch"
	ReasonSignerNotListed = "signer_not_listed"
	ReasonNotOwner        = "signer_not_owner"
	ReasonSealForged      = "seal_wrong_signature"
	ReasonKindNotAllowed  = "document_kind_not_allowed"
	ReasonSealDates       = "outside_seal_validity"
	ReasonSealUnknown     = "seal_unknown"
	ReasonSealOther       = "seal_not_the_registered_one"
	ReasonNotActiveThen   = "seal_not_active_then"
	ReasonSuspendedSince  = "seal_suspended_since"
	ReasonCancelledSince  = "seal_cancelled_since"
	ReasonClaimedAhead    = "claimed_time_ahead"
)
