package port

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/wallet/issuer/catalog"
	"github.com/hufu-id/hufu/wallet/issuer/format"
)

// What the interfaces below answer when they can't. Implementations wrap or return them; any other error is a fault.
var (
	// ErrNoLicence: no such licence, or not this person's, or not this authority's. Never told apart.
	ErrNoLicence = errors.New("issuer: no such licence")
	// ErrNotInForce: the licence exists, but its legal status does not allow a credential (suspended, revoked, lapsed ...).
	ErrNotInForce = errors.New("issuer: the licence is not in force")
	// ErrInvalidToken: unknown, expired, not for this audience, or not a token at all.
	ErrInvalidToken = errors.New("issuer: invalid access token")
	// ErrLevelTooLow: the person is not identified well enough for this type.
	ErrLevelTooLow = errors.New("issuer: level of identification too low")
	// ErrPersonInactive: the person is suspended or gone.
	ErrPersonInactive = errors.New("issuer: person not active")
	// ErrNotADepartment: the request to the department API is not from a known department.
	ErrNotADepartment = errors.New("issuer: department not authenticated")
)

// Authorities is where the issuing authorities come from.
type Authorities interface {
	// Authorities lists all authorities with their types. It is called by New and Reload.
	Authorities(ctx context.Context) ([]catalog.Authority, error)
}

// Licences is the register, as the issuer sees it. All methods join the transaction in ctx.
type Licences interface {
	// OfPerson lists the identifiers of the person's licences in force of one authority and type, the newest first.
	OfPerson(ctx context.Context, p Person, authority, typeID string) ([]string, error)
	// OfReference does the same for the authority's own reference of a holder.
	OfReference(ctx context.Context, authority, reference, typeID string) ([]string, error)
	// Licence reads one licence that is in force. ErrNoLicence, ErrNotInForce; with the latter it still says whose licence it is (ID, Issuer, TypeID): an
	// authority must not learn that another's exists.
	Licence(ctx context.Context, id string) (Licence, error)
	// Hold reads a licence in force and keeps its legal status from changing until the transaction in ctx ends: a
	// conditional UPDATE of its row, not a SELECT. Otherwise a revocation that commits between this read and our commit would
	// flip the bits of all credentials but the one being made. The zero Person is not checked; another must be the holder.
	// ErrNoLicence, ErrNotInForce.
	Hold(ctx context.Context, id string, p Person) (Licence, error)
}

// Persons says whether a person may be given anything at all.
type Persons interface {
	// Person reads a person. It joins the transaction in ctx. ErrPersonInactive for one who is suspended or gone.
	Person(ctx context.Context, id string) (Person, error)
}

// Status allocates places on status lists.
type Status interface {
	// Allocate reserves an index for each of the issuances, never used before and not to be predicted, in their order. It joins the transaction in ctx;
	// issuances are the Issuance.IDs that will stand in the record. ErrNotInForce.
	Allocate(ctx context.Context, licenceID string, issuances []string, typeID string, expires time.Time) ([]StatusRef, error)
	// Retire makes credentials invalid from a time on, whatever becomes of their licence. It joins the transaction in ctx.
	Retire(ctx context.Context, refs []StatusRef, at time.Time) error
}

// Signer signs credentials of one authority.
type Signer struct {
	Key jose.SigningKey
	// Chain is the x5c header: leaf and intermediate in DER, never the root.
	Chain [][]byte
}

// Signers hands out the keys of authorities, by credit code.
type Signers interface {
	// Signer is the active key for credentials of a format; format.SDJWT is also that of signed metadata.
	Signer(ctx context.Context, authority string, f format.Format) (Signer, error)
	// JWKS are the published keys: next, active and retired.
	JWKS(ctx context.Context, authority string) ([]jose.JWK, error)
}

// AccessTokens is the authorization server, as the issuer sees it.
type AccessTokens interface {
	// Validate checks signature, life and revocation of a bearer token and that it was issued for exactly this audience.
	// ErrInvalidToken.
	Validate(ctx context.Context, bearer, audience string) (AccessToken, error)
}

// Departments authenticates callers of the department API.
type Departments interface {
	// Authenticate returns the credit code of the department that sent the request. ErrNotADepartment.
	Authenticate(r *http.Request) (code string, err error)
}

// What the Store answers when a condition does not hold.
var (
	// ErrUnknownOffer: no offer with this id.
	ErrUnknownOffer = errors.New("issuer: unknown offer")
	// ErrOfferEnded: redeemed, expired, or ended by wrong tries.
	ErrOfferEnded = errors.New("issuer: the offer has ended")
	// ErrTooManyOffers: the person has too many open offers for this licence.
	ErrTooManyOffers = errors.New("issuer: too many open offers")
	// ErrNonceUsed: the nonce was used before.
	ErrNonceUsed = errors.New("issuer: nonce used before")
	// ErrGrantExhausted: the grant has given as many credentials as it may.
	ErrGrantExhausted = errors.New("issuer: the grant has been used up")
	// ErrUnknownNotification: no such notification_id, or another grant's.
	ErrUnknownNotification = errors.New("issuer: unknown notification_id")
	// ErrUnknownTransaction: no such transaction_id, or another grant's, or used.
	ErrUnknownTransaction = errors.New("issuer: unknown transaction_id")
)

// Store keeps offers and issuances. Every method is atomic and joins the transaction in ctx; an event is written with the
// change that it describes or not at all. Safe for use by several nodes at once.
type Store interface {
	// CreateOffer writes a new offer. When the offer is a person's and that person already has maxOpen open offers for the
	// licence: ErrTooManyOffers.
	CreateOffer(ctx context.Context, o Offer, maxOpen int, ev audit.Event) error
	// Offer reads an offer. ErrUnknownOffer.
	Offer(ctx context.Context, id string) (Offer, error)
	// OfferByCode and OfferByState find an offer by the hash of its code or its issuer_state. ErrUnknownOffer.
	OfferByCode(ctx context.Context, codeHash string) (Offer, error)
	OfferByState(ctx context.Context, stateHash string) (Offer, error)
	// Try is one attempt to redeem an offer, and counts as one whether right or wrong: one statement compares txMAC and counts, so that
	// parallel guesses on any number of nodes are admitted maxTries times in all. It returns whether the attempt was right
	// (the offer is then redeemed, for this caller alone) and how many tries were used; ErrOfferEnded when it was not admitted.
	Try(ctx context.Context, id, txMAC string, maxTries int, at time.Time) (right bool, tries int, err error)
	// ClaimNonce uses up a nonce. ErrNonceUsed.
	ClaimNonce(ctx context.Context, nonce string, expires time.Time) error
	// Record writes the record of a Credential Response, and marks those that came before it for the same licence, configuration and device as superseded.
	// When the grant has already given as many as the limit allows: ErrGrantExhausted.
	Record(ctx context.Context, i Issued, l Limit, ev audit.Event) error
	// Notice writes what a wallet says about a Credential Response of that authority and grant; at is now. The event is written only when it is news.
	// ErrUnknownNotification.
	Notice(ctx context.Context, id, authority, grantID, event string, at time.Time, ev audit.Event) error
	// Superseded lists responses that were superseded before a time and not retired yet, with the places of their copies; Retired marks them.
	Superseded(ctx context.Context, before time.Time, limit int) (map[string][]StatusRef, error)
	Retired(ctx context.Context, id string, at time.Time) error

	// Defer writes a deferred request.
	Defer(ctx context.Context, p Pending, ev audit.Event) error
	// Pending reads a deferred request that is still open at a time. ErrUnknownTransaction.
	Pending(ctx context.Context, id string, at time.Time) (Pending, error)
	// EndPending closes a deferred request. Of any number of callers one succeeds; ErrUnknownTransaction for the others.
	EndPending(ctx context.Context, id string, at time.Time) error
	// AskRelease returns the release of a licence, which it adds, waiting, when there is none.
	AskRelease(ctx context.Context, r Release) (Release, error)
	// Releases lists an authority's releases in a state, the oldest first.
	Releases(ctx context.Context, authority string, state ReleaseState, limit int) ([]Release, error)
	// Decide sets the state of a release of that authority, also of a licence that nobody asked for yet, and returns it with the time at which it was asked for.
	Decide(ctx context.Context, r Release, ev audit.Event) (Release, error)
	// Audit writes an event that goes with no other change: a refusal.
	Audit(ctx context.Context, ev audit.Event) error
	// DeleteExpired forgets up to limit offers and grant counters that ended before the given time, and returns how many.
	DeleteExpired(ctx context.Context, before time.Time, limit int) (int64, error)
}
