// Package grant keeps what was agreed and issued: one row per authorization, from the code to the last token.
//
// A grant is written before anything is signed for it. Its code is claimed by one conditional statement; an access token is good
// only while its grant is.
package grant

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/hufu-id/hufu/internal/audit"
)

// CodeState is where the authorization code of a grant stands.
type CodeState int

// The states. The only ways on are Issued -> Used and Issued -> Burnt.
const (
	NoCode CodeState = iota // client_credentials, pre-authorized_code
	Issued
	Used
	Burnt // presented wrongly (another client, redirect URI or verifier): dead for everybody
)

// Errors of the store.
var (
	ErrUnknown = errors.New("grant: unknown")
	// ErrLost: the code was not in state Issued any more, or had expired: somebody else has it.
	ErrLost = errors.New("grant: the code is not to be had")
)

// Grant is one authorization.
type Grant struct {
	ID       string
	Type     string // grant type
	ClientID string // "" for an anonymous pre-authorized code
	// PersonID is who agreed; "" for a grant without a person. It never leaves the server.
	PersonID string
	// Subject is the sub of its tokens: pairwise, "client:<id>" or "offer:<id>". The three spaces are disjoint.
	Subject  string
	OfferID  string // of a pre-authorized code
	Scopes   []string
	Audience []string
	Claims   []string // agreed claims of the catalogue
	// Login facts for the ID token.
	ACR       string
	AMR       []string
	AuthTime  time.Time
	Province  string // by which she logged in
	SessionID string // sid towards this client
	Nonce     string
	// IDTokenClaims are those of Claims that the ID token carries too.
	IDTokenClaims []string
	// Resources are the further audiences that were agreed (RFC 8707), Details the agreed authorization_details (RFC 9396).
	Resources []string
	Details   []json.RawMessage
	// Session names the login session (session.Session.SID) whose end ends this grant, unless it is Offline.
	Session string
	// SessionEnds is when that login session ends at the latest; zero for grants without one.
	SessionEnds time.Time
	Offline     bool // scope offline_access
	// IssuerState is the issuer_state of an OpenID4VCI authorization request, given on to the credential issuer.
	IssuerState string

	// Code* bind the authorization code.
	CodeSignature string
	CodeState     CodeState
	CodeExpires   time.Time
	RedirectURI   string
	Challenge     string // PKCE S256, "" when none was sent
	JKT           string // DPoP key of the code (dpop_jkt, or the proof of the pushed request), "" for any
	Instance      string // key of the wallet's instance that the code is for or that took the offer, "" for any

	// Refresh* are the state of the refresh token: its generation, when the last one was made, and when the family ends. RefreshExpires is
	// zero when there is none. RefreshKey is the key that refresh tokens are bound to: the DPoP key of a public client, the instance's of a wallet.
	RefreshGeneration         int64
	RefreshAt, RefreshExpires time.Time
	RefreshKey                string
	// RefreshIdle is by how much a use moves RefreshExpires on, RefreshEnds how far at the latest; zero where use moves nothing.
	RefreshIdle time.Duration
	RefreshEnds time.Time

	CreatedAt time.Time
	// ExpiresAt is the end of the last token; zero until one was issued.
	ExpiresAt time.Time
	RevokedAt time.Time // zero while it is good
}

// Redemption is what the redemption of a code fixes.
type Redemption struct {
	TokensExpire time.Time
	// RefreshExpires is the absolute end of the refresh tokens; zero for none. RefreshKey binds them to a DPoP key.
	RefreshExpires time.Time
	RefreshKey     string
}

// Use is one use of a refresh token.
type Use struct {
	Generation       int64
	At, TokensExpire time.Time
	// Rotate makes the next generation the current one, made at At.
	Rotate bool
	// RefreshExpires is the new end of the family. It is never moved back: zero leaves it.
	RefreshExpires time.Time
}

// RefreshEnd is where a use at the given time moves the end of the refresh tokens; zero where it doesn't.
func (g Grant) RefreshEnd(at time.Time) time.Time {
	if g.RefreshIdle == 0 {
		return time.Time{}
	}
	if end := at.Add(g.RefreshIdle); end.Before(g.RefreshEnds) {
		return end
	}
	return g.RefreshEnds
}

// Store keeps grants. Every method joins the transaction in ctx and writes its audit event with the change.
type Store interface {
	// PutGrant writes a new grant.
	PutGrant(ctx context.Context, g Grant, ev audit.Event) error
	// Grant reads by id, GrantByCode by the code's signature. ErrUnknown.
	Grant(ctx context.Context, id string) (Grant, error)
	GrantByCode(ctx context.Context, signature string) (Grant, error)
	// ClaimCode moves the code from Issued to Used in one conditional statement, if it has not expired at the given time and the
	// grant is not revoked, and sets what the redemption fixes. Of any number of callers exactly one gets nil, the others ErrLost.
	ClaimCode(ctx context.Context, signature string, at time.Time, r Redemption, ev audit.Event) error
	// Refresh records a use of the refresh token of a grant in one conditional statement: if its generation is the current one, the family
	// has not ended at the time of use and the grant is not revoked. ErrLost.
	Refresh(ctx context.Context, id string, u Use, ev audit.Event) error
	// BurnCode moves the code from Issued to Burnt. ErrLost when it was not Issued.
	BurnCode(ctx context.Context, signature string, ev audit.Event) error
	// Revoke ends the grant and all its tokens. No error when it was revoked before (then without an event).
	Revoke(ctx context.Context, id string, at time.Time, ev audit.Event) error
	// DeleteExpired forgets up to limit grants that ended before the given time.
	DeleteExpired(ctx context.Context, before time.Time, limit int) (int64, error)
}

// AccessToken is a token that passed every check: signature, type, issuer, audience, time, and a living grant and client.
type AccessToken struct {
	GrantID string
	JTI     string
	Subject string
	// PersonID is empty for tokens without a person (client_credentials, pre-authorized_code).
	PersonID string
	// ClientID is empty for an anonymous wallet.
	ClientID    string
	OfferID     string
	IssuerState string
	// Instance is the key of the wallet's instance, "" where none was attested.
	Instance string
	Scopes   []string
	Audience []string
	Claims   []string // agreed claims
	ACR      string   // of the login, "" without a person
	// Details are the authorization_details that this token is for: all of the grant's, or some.
	Details []json.RawMessage
	marks   []string // of an opaque token's Details
	// JKT or CertThumbprint is what the token is bound to (cnf); both are "" for a bearer token. Who takes a bound token must see the proof.
	JKT, CertThumbprint string
	// AuthTime is when the person proved herself; zero without one.
	AuthTime            time.Time
	IssuedAt, ExpiresAt time.Time
}
