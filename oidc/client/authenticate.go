package client

import (
	"context"
	"crypto/subtle"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc/oauth"
	"github.com/hufu-id/hufu/oidc/trail"
)

// Errors of authentication. Both become invalid_client or invalid_request at the edge; why exactly is for the log.
var (
	// ErrAuthentication: the client did not prove who it is.
	ErrAuthentication = errors.New("client: authentication failed")
	// ErrMethods: two methods at once, or a method torn in two. Which one counts would depend on the reader.
	ErrMethods = errors.New("client: more than one authentication method")
)

// assertionType is the only client_assertion_type (RFC 7523 section 2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// Limits of assertions.
const (
	maxAssertionLife = time.Hour
	assertionLeeway  = 10 * time.Second
	maxAssertion     = 8 << 10
)

// AssertionKind is the kind under which assertion ids are used up.
const AssertionKind = "oidc.client_assertion"

// Authenticated is a client that proved who it is. Only Authenticator.Authenticate makes one with a client in it.
type Authenticated struct {
	client Client
	// assertion is to be used up in the transaction of the request.
	assertion string
	expires   time.Time
	instance  string
}

// Instance is one installation of a wallet, as Attester proved it.
type Instance struct {
	Key     string // thumbprint
	Proof   string // to be used up, until Expires
	Expires time.Time
}

// Attester proves instances of wallets. Its errors are answers (*oauth.Error).
type Attester interface {
	// Shown says whether a request shows an attestation, Subject for which client, unverified.
	Shown(r *http.Request) bool
	Subject(r *http.Request) (clientID string, err error)
	// Attest checks it, for a client that is registered for Attestation.
	Attest(r *http.Request, c Client) (Instance, error)
}

// Client returns the client; its ID is "" for an anonymous request.
func (a Authenticated) Client() Client { return a.client }

// Instance is the thumbprint of the key of the wallet's installation; "" for clients that have no such key.
func (a Authenticated) Instance() string { return a.instance }

// Anonymous says that the request named no client at all.
func (a Authenticated) Anonymous() bool { return a.client.ID == "" }

// ErrReplayed: an id that may be used once was used before.
var ErrReplayed = errors.New("client: used before")

// ClaimOnce uses up an id among its kind, until it expires. ErrReplayed the second time.
type ClaimOnce func(ctx context.Context, kind, id string, expires time.Time) error

// UseUp uses up the assertion, in the transaction of ctx; nothing to do for other methods. The id belongs to the client: two clients may
// choose the same one. ErrAuthentication when it was used before, or a fault.
func (a Authenticated) UseUp(ctx context.Context, once ClaimOnce) error {
	if a.assertion == "" {
		return nil
	}
	err := once(ctx, AssertionKind, a.client.ID+"\x00"+a.assertion, a.expires)
	if errors.Is(err, ErrReplayed) {
		return fmt.Errorf("%w: %w", ErrAuthentication, err)
	}
	return err
}

// Authenticator checks client authentication at endpoints that clients call directly.
type Authenticator struct {
	Registry *Registry
	// Keys finds the keys of assertions.
	Keys KeySource
	// ClientCAs are the certification authorities of tls_client_auth; nil refuses the method.
	ClientCAs *x509.CertPool
	// Attester proves wallets; nil refuses the method.
	Attester Attester
	// Issuer and, by profile, Endpoints are the audiences of assertions.
	Issuer    string
	Endpoints []string
	Now       func() time.Time
}

// Authenticate finds the one method that the request uses and checks it. Nothing is written: the caller must call UseUp in its
// transaction, or an assertion could be sent again. A request without any client is Anonymous; whether that will do is the caller's
// decision. Errors: ErrAuthentication, ErrMethods, or a fault.
func (a Authenticator) Authenticate(r *http.Request, form url.Values) (Authenticated, error) {
	header := r.Header.Values("Authorization")
	_, hasSecret := form["client_secret"]
	_, hasAssertion := form["client_assertion"]
	_, hasType := form["client_assertion_type"]
	methods := 0
	for _, used := range []bool{len(header) > 0, hasSecret, hasAssertion || hasType} {
		if used {
			methods++
		}
	}
	if methods > 1 || len(header) > 1 || hasAssertion != hasType {
		return Authenticated{}, ErrMethods
	}
	how := func(method AuthMethod) { trail.Put(r.Context(), "auth_method", string(method)) }
	switch {
	case len(header) == 1:
		how(SecretBasic)
		return a.basic(r.Context(), header[0], form)
	case hasSecret:
		how(SecretPost)
		return a.secret(r.Context(), form.Get("client_id"), form.Get("client_secret"))
	case hasAssertion:
		how(PrivateKeyJWT)
		return a.assertion(r.Context(), form)
	case a.Attester != nil && a.Attester.Shown(r):
		return a.attested(r, form)
	case form.Has("client_id"):
		return a.named(r, form.Get("client_id"))
	}
	return Authenticated{}, nil
}

// basic reads client_secret_basic, whose halves are form-urlencoded before base64 (RFC 6749 section 2.3.1).
func (a Authenticator) basic(ctx context.Context, header string, form url.Values) (Authenticated, error) {
	scheme, value, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return Authenticated{}, fmt.Errorf("%w: %w", ErrAuthentication, oauth.Reason("unknown scheme"))
	}
	raw, err := base64.StdEncoding.Strict().DecodeString(value)
	if err != nil {
		return Authenticated{}, fmt.Errorf("%w: %w", ErrAuthentication, oauth.Reason("malformed basic"))
	}
	id, secret, ok := strings.Cut(string(raw), ":")
	if !ok {
		return Authenticated{}, fmt.Errorf("%w: %w", ErrAuthentication, oauth.Reason("malformed basic"))
	}
	id, err1 := url.QueryUnescape(id)
	secret, err2 := url.QueryUnescape(secret)
	if err1 != nil || err2 != nil {
		return Authenticated{}, fmt.Errorf("%w: %w", ErrAuthentication, oauth.Reason("malformed basic"))
	}
	if form.Has("client_id") && form.Get("client_id") != id {
		return Authenticated{}, ErrMethods
	}
	return a.secret(ctx, id, secret)
}

// find gets the client for authentication; an unknown one fails like a wrong secret.
func (a Authenticator) find(ctx context.Context, id string) (Client, error) {
	c, err := a.Registry.Get(ctx, id)
	if errors.Is(err, ErrUnknown) {
		return Client{}, fmt.Errorf("%w: %w", ErrAuthentication, err)
	}
	return c, err
}

func (a Authenticator) secret(ctx context.Context, id, secret string) (Authenticated, error) {
	c, err := a.find(ctx, id)
	if err != nil {
		return Authenticated{}, err
	}
	if c.AuthMethod != SecretBasic && c.AuthMethod != SecretPost {
		return Authenticated{}, fmt.Errorf("%w: %w", ErrAuthentication, oauth.Reason("not the registered method"))
	}
	if !c.knows(secret, a.Now()) {
		return Authenticated{}, fmt.Errorf("%w: %w", ErrAuthentication, oauth.Reason("wrong secret"))
	}
	return a.done(ctx, Authenticated{client: c})
}

// knows checks a secret: the registered one or, while it is changed, the previous one.
func (c Client) knows(secret string, now time.Time) bool {
	current, previous := SecretMatches(secret, c.SecretHash), SecretMatches(secret, c.PreviousSecretHash)
	return current || previous && now.Before(c.PreviousSecretEnds)
}

// SecretMatches says whether hash is HashSecret of a secret, in a time that doesn't depend on where they differ.
func SecretMatches(secret, hash string) bool {
	return subtle.ConstantTimeCompare([]byte(HashSecret(secret)), []byte(hash)) == 1
}

// done is the end of every method.
func (a Authenticator) done(ctx context.Context, who Authenticated) (Authenticated, error) {
	if err := a.Registry.used(ctx, who.client); err != nil {
		return Authenticated{}, err
	}
	return who, nil
}

// named takes a client that only names itself: a public one, or one whose certificate says the rest (RFC 8705 section 2).
func (a Authenticator) named(r *http.Request, id string) (Authenticated, error) {
	c, err := a.find(r.Context(), id)
	if err != nil {
		return Authenticated{}, err
	}
	switch c.AuthMethod {
	case None:
		trail.Put(r.Context(), "auth_method", string(None))
	case TLS, SelfSignedTLS:
		trail.Put(r.Context(), "auth_method", string(c.AuthMethod))
		if err := a.certificate(r, c); err != nil {
			return Authenticated{}, fmt.Errorf("%w: %w", ErrAuthentication, err)
		}
	default:
		return Authenticated{}, fmt.Errorf("%w: %w", ErrAuthentication, oauth.Reason("not the registered method"))
	}
	return a.done(r.Context(), Authenticated{client: c})
}

// attested takes a wallet. To a client that is registered otherwise an attestation is a signal that nobody asked for.
func (a Authenticator) attested(r *http.Request, form url.Values) (Authenticated, error) {
	id, err := a.Attester.Subject(r)
	if err != nil {
		return Authenticated{}, err
	}
	if form.Has("client_id") && form.Get("client_id") != id {
		return Authenticated{}, ErrMethods
	}
	c, err := a.find(r.Context(), id)
	if err != nil {
		return Authenticated{}, err
	}
	if c.AuthMethod != Attestation {
		return a.named(r, id)
	}
	trail.Put(r.Context(), "auth_method", string(Attestation))
	i, err := a.Attester.Attest(r, c)
	if err != nil {
		return Authenticated{}, err
	}
	return a.done(r.Context(), Authenticated{client: c, assertion: i.Proof, expires: i.Expires, instance: i.Key})
}

// certificate checks the one that the connection shows; a header never counts (D11).
func (a Authenticator) certificate(r *http.Request, c Client) error {
	chain := httpx.ClientCertificates(r)
	if len(chain) == 0 {
		return oauth.Reason("no client certificate")
	}
	if c.AuthMethod == SelfSignedTLS {
		keys, err := a.Keys.Keys(r.Context(), c, "")
		if err != nil {
			return err
		}
		if !MatchesSelfSigned(chain[0], keys, a.Now()) {
			return oauth.Reason("not a certificate of one of the client's keys")
		}
		return nil
	}
	if err := VerifyChain(chain, a.ClientCAs, a.Now()); err != nil {
		return errors.Join(oauth.Reason("certificate chain"), err)
	}
	if !c.Matches(chain[0]) {
		return oauth.Reason("the certificate names somebody else")
	}
	return nil
}

// assertion checks private_key_jwt (RFC 7523 section 3, OpenID Connect Core section 9).
func (a Authenticator) assertion(ctx context.Context, form url.Values) (Authenticated, error) {
	fail := func(err error) (Authenticated, error) {
		return Authenticated{}, fmt.Errorf("%w: %w", ErrAuthentication, err)
	}
	if form.Get("client_assertion_type") != assertionType {
		return fail(oauth.Reason("unknown client_assertion_type"))
	}
	policy := jose.Policy{
		Typ:      []string{"", "JWT", "client-authentication+jwt"},
		Algs:     core.SigningAlgs, // of all profiles; the client's own follow
		MaxBytes: maxAssertion,
	}
	unverified, err := jose.ParseUnverified(form.Get("client_assertion"), policy)
	if err != nil {
		return fail(errors.Join(oauth.Reason("assertion form"), err))
	}
	trail.Put(ctx, "assertion_alg", string(unverified.Header.Alg))
	trail.Put(ctx, "assertion_kid", unverified.Header.KeyID)
	var who struct {
		Sub string `json:"sub"`
	}
	if err := jose.DecodeStrict(unverified.Payload, &who); err != nil {
		return fail(err)
	}
	if form.Has("client_id") && form.Get("client_id") != who.Sub {
		return Authenticated{}, ErrMethods
	}
	c, err := a.find(ctx, who.Sub)
	if err != nil {
		return Authenticated{}, err
	}
	if c.AuthMethod != PrivateKeyJWT {
		return fail(oauth.Reason("not the registered method"))
	}
	if alg := unverified.Header.Alg; !slices.Contains(c.Policy().SigningAlgs, alg) || c.AuthSigningAlg != "" && alg != c.AuthSigningAlg {
		return fail(oauth.Reason("not an algorithm of this client"))
	}
	keys, err := a.Keys.Keys(ctx, c, unverified.Header.KeyID)
	if err != nil {
		return fail(err)
	}
	verified, err := unverified.Verify(keys...)
	if err != nil {
		return fail(errors.Join(oauth.Reason("assertion signature"), err))
	}
	claims, err := verified.Claims(jose.ClaimPolicy{
		Issuer: c.ID, At: a.Now(), Leeway: assertionLeeway, MaxLifetime: maxAssertionLife, RequireJTI: true,
	})
	if err != nil {
		return fail(errors.Join(oauth.Reason("assertion claims"), err))
	}
	return a.accept(ctx, c, claims)
}

func (a Authenticator) accept(ctx context.Context, c Client, claims jose.Claims) (Authenticated, error) {
	fail := func(text oauth.Reason) (Authenticated, error) {
		return Authenticated{}, fmt.Errorf("%w: %w", ErrAuthentication, text)
	}
	if !a.audience(c, claims) {
		return fail("audience")
	}
	exp, err := claims.Time("exp")
	// From now, not from iat: an iat far in the past would otherwise stretch nothing, but one that is absent would.
	if err != nil || exp.After(a.Now().Add(maxAssertionLife)) {
		return fail("lives too long")
	}
	jti, err := claims.String("jti")
	if err != nil {
		return fail("jti")
	}
	return a.done(ctx, Authenticated{client: c, assertion: jti, expires: exp.Add(2 * assertionLeeway)})
}

// audience accepts the issuer, by profile also the token endpoint, and by profile a list of one. Never a list that names somebody
// else: that party could send the assertion on to us (CVE-2025-27370).
func (a Authenticator) audience(c Client, claims jose.Claims) bool {
	policy := c.Policy()
	list, err := claims.StringList("aud")
	if err != nil || len(list) != 1 {
		return false
	}
	if _, single := claims["aud"].(string); !single && !policy.AudienceArray {
		return false
	}
	return list[0] == a.Issuer || policy.TokenEndpointAudience && slices.Contains(a.Endpoints, list[0])
}

// Refusal is what a client is told that failed to authenticate: as little as the specification allows. Which of client, method, secret or
// assertion was wrong stays with us. Another error is returned as it is.
func Refusal(err error) error {
	switch {
	case errors.Is(err, ErrMethods):
		return oauth.Because(oauth.InvalidRequest, "use exactly one client authentication method", err)
	case errors.Is(err, ErrAuthentication):
		return &oauth.Error{Code: oauth.InvalidClient, Description: "client authentication failed", Status: http.StatusUnauthorized, Cause: err}
	}
	return err
}
