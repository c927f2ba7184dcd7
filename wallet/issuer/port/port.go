package port

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/wallet/issuer/catalog"
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
	OfPerson(ctx context.Context, personID, authority, typeID string) ([]string, error)
	// OfReference does the same for the authority's own reference of a holder.
	OfReference(ctx context.Context, authority, reference, typeID string) ([]string, error)
	// Licence reads one licence that is in force. ErrNoLicence, ErrNotInForce.
	Licence(ctx context.Context, id string) (Licence, error)
	// Hold reads a licence in force and keeps its legal status from changing until the transaction in ctx ends: a
	// conditional UPDATE of its row, not a SELECT. Otherwise a revocation that commits between this read and our commit would
	// flip the bits of all credentials but the one being made. personID "" is not checked; another must be the holder.
	// ErrNoLicence, ErrNotInForce.
	Hold(ctx context.Context, id, personID string) (Licence, error)
}

// Persons says whether a person may be given anything at all.
type Persons interface {
	// Active is false for a person who is suspended or gone. It joins the transaction in ctx.
	Active(ctx context.Context, personID string) (bool, error)
}

// Status allocates places on status lists.
type Status interface {
	// Allocate reserves an index that was never used and can't be predicted. It joins the transaction in ctx; issuanceID is the
	// Issuance.ID that will stand in the record.
	Allocate(ctx context.Context, licenceID, issuanceID, typeID string, expires time.Time) (StatusRef, error)
}

// Signer signs credentials of one authority.
type Signer struct {
	Key jose.SigningKey
	// Chain is the x5c header: leaf and intermediate in DER, never the root.
	Chain [][]byte
}

// Signers hands out the keys of authorities, by credit code.
type Signers interface {
	// Signer is the active key.
	Signer(ctx context.Context, authority string) (Signer, error)
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
	// RecordIssuance writes the record of a credential. When the grant has already given maxPerGrant: ErrGrantExhausted.
	RecordIssuance(ctx context.Context, i Issuance, maxPerGrant int, ev audit.Event) error
	// Audit writes an event that goes with no other change: a refusal.
	Audit(ctx context.Context, ev audit.Event) error
	// DeleteExpired forgets up to limit offers and grant counters that ended before the given time, and returns how many.
	DeleteExpired(ctx context.Context, before time.Time, limit int) (int64, error)
}
