// Package oidc is the OpenID Provider: the one national issuer towards departments and wallets.
//
//	GET  /.well-known/openid-configuration, /.well-known/oauth-authorization-server, /jwks
//	GET  /authorize, POST /authorize       front door: a request is checked completely before anything is stored or redirected
//	GET  /authorize/{flow}                 dispatcher: what is the next step of this flow?
//	GET  /authorize/{flow}/leave           back to the client without a code
//	GET  /consent/{flow}, POST             what the client will receive, with real values
//	POST /par                              a request that the client pushes before it sends the browser
//	POST /token                            authenticate client, bind, claim the code, mint, answer
//	POST /challenge                        what a wallet's proof must carry, if wallets prove themselves by attestations
//	POST /introspect, /revoke              is this token still good; end it
//	GET  /userinfo, POST                   what was agreed
//	GET  /logout, POST                     RP-initiated logout
//	POST /logout/confirm                   the person's answer to the confirmation page
//	POST /connect/register                 clients that register themselves (package registration), if the policy lets any
//	GET  /developer ...                    what clients' developers see: the last requests, causes and fixes (package developer)
//
// A flow lives in a sealed cookie (package flow) until the person has logged in; nothing is written before. Every step returns
// to the dispatcher (package authorize), never to another step. A login and its first code are one transaction, the token request is
// another; a first consent adds a third.
//
// What this package is not: it does not know provinces (federation asks it through Describe, LoggedIn and Cancelled), credentials or
// licences (the credential issuer asks ValidateAccessToken), and it holds no private key (Keys).
package oidc

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/gorilla/mux"

	"github.com/hufu-id/hufu/internal/audit"
	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc/access"
	"github.com/hufu-id/hufu/oidc/answer"
	"github.com/hufu-id/hufu/oidc/attestation"
	"github.com/hufu-id/hufu/oidc/attester"
	"github.com/hufu-id/hufu/oidc/authorize"
	"github.com/hufu-id/hufu/oidc/binding"
	"github.com/hufu-id/hufu/oidc/claim"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/credential"
	"github.com/hufu-id/hufu/oidc/developer"
	"github.com/hufu-id/hufu/oidc/flow"
	"github.com/hufu-id/hufu/oidc/grant"
	"github.com/hufu-id/hufu/oidc/hint"
	"github.com/hufu-id/hufu/oidc/logout"
	"github.com/hufu-id/hufu/oidc/oauth"
	"github.com/hufu-id/hufu/oidc/par"
	"github.com/hufu-id/hufu/oidc/pushed"
	"github.com/hufu-id/hufu/oidc/registration"
	"github.com/hufu-id/hufu/oidc/request"
	"github.com/hufu-id/hufu/oidc/session"
	"github.com/hufu-id/hufu/oidc/token"
	"github.com/hufu-id/hufu/oidc/tokens"
	"github.com/hufu-id/hufu/oidc/trail"
	"github.com/hufu-id/hufu/web"
)

// What other rooms name. The types live in the folder of their step.
type (
	Client           = client.Client
	Session          = session.Session
	AccessToken      = grant.AccessToken
	Persons          = claim.Persons
	PersonClaims     = claim.Person
	CredentialScopes = claim.CredentialScopes
	// What credential issuers tell for authorization_details of type openid_credential.
	CredentialCatalogue     = credential.Catalogue
	CredentialConfiguration = credential.Configuration
	CredentialHolder        = credential.Holder
	PreAuthorizedCodes      = token.PreAuthorizedCodes
	PreAuthorized           = token.PreAuthorized
	Renewal                 = token.Renewal
	FlowInfo                = flow.Info
	Login                   = authorize.Login
	LogoutDelivery          = logout.Delivery
)

// Errors that other rooms return or test for.
var (
	ErrNoFlow        = flow.ErrNone       // Describe, LoggedIn: the flow is unknown to this browser, or too old
	ErrNoPerson      = claim.ErrNoPerson  // Persons
	ErrUnknownClient = client.ErrUnknown  // Clients.Get
	ErrInvalidToken  = grant.ErrToken     // ValidateAccessToken
	ErrUnknownOffer  = token.ErrOffer     // PreAuthorizedCodes: unknown, used, expired or ended
	ErrTxCodeWrong   = token.ErrTxCode    // PreAuthorizedCodes: wrong; the try was counted
	ErrTxCodeMissing = token.ErrTxMissing // PreAuthorizedCodes: expected and not sent; not counted
	ErrTxCodeUnasked = token.ErrTxUnasked // PreAuthorizedCodes: sent and not expected
)

// Keys are the signing keys of this module. All methods are called per request and should be cheap.
type Keys interface {
	// SigningKey is the active key of an algorithm: jose.ES256 for access tokens and most ID tokens, jose.RS256 for the ID tokens of clients that
	// registered so.
	SigningKey(ctx context.Context, alg jose.Alg) (jose.SigningKey, error)
	// VerificationKeys are the published keys of both algorithms: next, active and retired. Each has a kid and an alg.
	VerificationKeys(ctx context.Context) ([]jose.JWK, error)
	// SignedAt says whether the key of that kid may have signed something of ours dated at: a retired key signs nothing new (T05).
	SignedAt(ctx context.Context, kid string, at time.Time) (bool, error)
}

// Store is everything that the module keeps. oidcstore implements it.
type Store interface {
	client.Store
	registration.Store
	session.Store
	grant.Store
	authorize.ConsentStore
	pushed.Store
	logout.Store
	// InTx runs fn in one transaction, or joins the one in ctx. fn may run again after a conflict.
	InTx(ctx context.Context, fn func(ctx context.Context) error) error
	// ClaimOnce uses up an id; client.ErrReplayed when it was used before.
	ClaimOnce(ctx context.Context, kind, id string, expires time.Time) error
	// Audit writes an event in the transaction of ctx.
	Audit(ctx context.Context, ev audit.Event) error
}

// Outgoing is the way out to clients: *httpx.Client, with its address guard.
type Outgoing interface {
	client.Fetcher
	logout.Outgoing
}

// Config is everything the module needs. All fields but Log and Now are required; CredentialScopes and PreAuthorizedCodes may be
// nil for a server without wallets.
type Config struct {
	// Issuer is the bare origin, e.g. "https://id.example" or "http://localhost:8080".
	Issuer string
	// MTLSOrigin is the origin of the listener that asks for client certificates (RFC 8705); "" for none. ClientCAs are the certification
	// authorities of tls_client_auth; nil when no client may use it.
	MTLSOrigin string
	ClientCAs  *x509.CertPool
	// Profile is the one security profile of this server: clients of another are refused and unknown. "" serves clients of every profile.
	Profile string
	Store   Store
	Keys    Keys
	// PairwiseSecret and CodeSecret are 32 bytes each, from keys.Secret. The first must never change.
	PairwiseSecret, CodeSecret []byte
	Sealer                     *httpx.Sealer
	Pages                      *web.Pages
	Persons                    Persons
	CredentialScopes           CredentialScopes
	// Credentials are those that wallets may ask for by authorization_details; nil: by scopes only.
	Credentials        CredentialCatalogue
	PreAuthorizedCodes PreAuthorizedCodes
	// Renewal is how long a wallet may renew the credentials of an offer; zero is 90 days from each use, and a year in all.
	Renewal Renewal
	// DetailTypes are the types of authorization_details that clients may ask for; may be nil.
	DetailTypes request.Catalogue
	// Registration says who may register a client; nobody by default. LoopbackClients makes every loopback URL a client of its own (dev only).
	Registration registration.Policy
	// WalletProviders vouch for instances of wallets (attest_jwt_client_auth); nil: no wallet may prove itself that way. Provider.TrustWallets
	// replaces them.
	WalletProviders []attestation.Provider
	LoopbackClients bool
	// HTTP is the guarded way out, for jwks_uri, sector_identifier_uri and backchannel_logout_uri; nil is none.
	HTTP Outgoing
	// ProvinceOpen says whether logins by a province count; nil: all do. It is asked at every refresh, so that switching a province off
	// reaches tokens too.
	ProvinceOpen func(code string) bool
	// ProvinceName names a province on a page; nil shows its code.
	ProvinceName func(code string) web.Text
	// Trail keeps the last requests of clients for their developers; nil keeps none. OpenTrail shows them to everybody: for a server on
	// somebody's own machine.
	Trail     trail.Store
	OpenTrail bool
	Log       *slog.Logger
	Now       func() time.Time
}

// Provider is the OpenID Provider. Safe for concurrent use, on any number of nodes: it holds no state but caches.
type Provider struct {
	cfg        Config
	clients    *client.Registry
	clientKeys client.KeySource
	authorize  *authorize.Handler
	token      *token.Handler
	par        *par.Handler
	tokens     *tokens.Handler
	access     access.Reader
	answers    answer.Sealer
	bindings   binding.Checker
	wallets    *attester.Attester // nil: no attestations here
	sessions   *session.Manager
	grants     *grant.Verifier
	pairwise   claim.Pairwise
	hints      hint.Reader
	register   *registration.Handler
	flows      *flow.Jar
	logout     *logout.Handler
	told       *logout.Backchannel
	documents  documents
	keySet     keySet
	trail      *trail.Recorder
	developer  *developer.Handler
}

// Clients is the registry: Put, Get.
func (p *Provider) Clients() *client.Registry { return p.clients }

// Routes mounts the endpoints on r, which must not clean paths (SkipClean).
func (p *Provider) Routes(r *mux.Router) { p.routes(r) }

// Session returns who is logged in at the browser that sent r.
func (p *Provider) Session(r *http.Request) (Session, bool) {
	s, err := p.sessions.Of(r)
	return s, err == nil
}

// BeginLogin sends the browser to log in for one of our own pages, and back to returnPath ("/licences") after it. A returnPath that is
// not a local path is replaced by "/".
func (p *Provider) BeginLogin(w http.ResponseWriter, r *http.Request, returnPath string) {
	p.authorize.BeginLogin(w, r, returnPath)
}

// Describe tells the login step who sent the person. ErrNoFlow.
func (p *Provider) Describe(r *http.Request, flowID string) (FlowInfo, error) {
	return p.authorize.Describe(r, flowID)
}

// LoggedIn records that the person of a flow has logged in, inside the caller's transaction: a new session and, if nothing more is to
// be asked, the code. respond is called after the commit. ErrNoFlow.
func (p *Provider) LoggedIn(ctx context.Context, r *http.Request, flowID string, login Login) (respond func(http.ResponseWriter), err error) {
	r, done := p.watching(r, trail.Login)
	answer, err := p.authorize.LoggedIn(trail.Carry(ctx, r.Context()), r, flowID, login)
	if err != nil {
		return nil, err
	}
	return func(w http.ResponseWriter) {
		defer done()
		answer(w)
	}, nil
}

// Cancelled ends the flow: access_denied to the client, or our home page.
func (p *Provider) Cancelled(w http.ResponseWriter, r *http.Request, flowID string) {
	r, done := p.watching(r, trail.Login)
	defer done()
	p.authorize.Cancelled(w, r, flowID)
}

// Presenting must go around the router whose handlers ask ValidateAccessToken: it keeps the proof that a request brings for its token.
func (p *Provider) Presenting(next http.Handler) http.Handler { return access.Presenting(next) }

// ValidateAccessToken checks an access token for one audience: signature or seal, typ, issuer, audience, time, living grant and client, and
// the proof of possession in the request when the token is bound to a key or certificate. ErrInvalidToken for everything that is wrong
// with either; any other error is a fault of ours.
func (p *Provider) ValidateAccessToken(ctx context.Context, token, audience string) (AccessToken, error) {
	t, err := p.access.Check(ctx, token, audience, false)
	var refused *oauth.Error
	if errors.As(err, &refused) {
		err = fmt.Errorf("%w: %w", ErrInvalidToken, err)
	}
	return t, err
}

// RevokeGrant ends a grant and all its tokens at once.
func (p *Provider) RevokeGrant(ctx context.Context, grantID, reason string) error {
	return p.grants.Revoke(ctx, grantID, reason)
}

// TrustWallets replaces the wallet providers. A server that was started without any takes none.
func (p *Provider) TrustWallets(providers []attestation.Provider) {
	if p.wallets != nil {
		p.wallets.Trust(providers)
	}
}

// DeliverLogouts tells clients of sessions that have ended (Back-Channel Logout 1.0), as far as an attempt is due. Background work calls it
// every second; it may run on several nodes at once.
func (p *Provider) DeliverLogouts(ctx context.Context) error { return p.told.Deliver(ctx) }

// LogoutDeliveries lists the newest logout tokens to a client and how they fared, for its developers.
func (p *Provider) LogoutDeliveries(ctx context.Context, clientID string) ([]LogoutDelivery, error) {
	return p.told.Deliveries(ctx, clientID)
}
