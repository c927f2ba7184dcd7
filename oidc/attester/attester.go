// Package attester knows the wallet providers that this server trusts, and asks each request of a wallet for the attestation of its own
// (package attestation).
//
// A wallet solution is registered as a client, with its redirect URIs and the name of its provider; its instances are not. So the anchors of one
// provider vouch for the wallets of that provider only.
package attester

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/hufu-id/hufu/internal/httpx"
	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/oidc/attestation"
	"github.com/hufu-id/hufu/oidc/binding"
	"github.com/hufu-id/hufu/oidc/client"
	"github.com/hufu-id/hufu/oidc/dpop"
	"github.com/hufu-id/hufu/oidc/oauth"
	"github.com/hufu-id/hufu/oidc/trail"
)

// Path is the challenge endpoint.
const Path = "/challenge"

// Attester implements client.Attester. Make it with New. Safe for concurrent use.
type Attester struct {
	issuer   string
	bindings binding.Checker
	now      func() time.Time

	providers atomic.Pointer[map[string]attestation.Provider]
}

// New makes an attester that trusts some providers. Challenges are the nonces of bindings: a DPoP proof may stand for both.
func New(issuer string, bindings binding.Checker, now func() time.Time, providers []attestation.Provider) *Attester {
	a := &Attester{issuer: issuer, bindings: bindings, now: now}
	a.Trust(providers)
	return a
}

// Trust replaces the trusted providers, from the next request on.
func (a *Attester) Trust(providers []attestation.Provider) {
	byName := map[string]attestation.Provider{}
	for _, p := range providers {
		byName[p.Name] = p
	}
	a.providers.Store(&byName)
}

// Shown says whether a request shows an attestation, or a part of one.
func (a *Attester) Shown(r *http.Request) bool {
	return len(r.Header.Values(attestation.Header))+len(r.Header.Values(attestation.ProofHeader)) > 0
}

// Subject names the client that the request's attestation is for, unverified.
func (a *Attester) Subject(r *http.Request) (string, error) {
	id, err := attestation.Subject(r.Header.Values(attestation.Header))
	return id, answered(err)
}

// Attest checks the attestation of a client's instance, with its proof.
func (a *Attester) Attest(r *http.Request, c client.Client) (client.Instance, error) {
	provider, ok := (*a.providers.Load())[c.WalletProvider]
	if !ok {
		return client.Instance{}, answered(errors.Join(attestation.ErrAttestation, oauth.Reason("unknown wallet provider")))
	}
	at := a.now()
	expect := attestation.Expect{Audience: a.issuer, ClientID: c.ID, At: at, Challenge: func(s string) bool { return a.bindings.Nonces.Valid(s, at) }}
	shown, proofs := r.Header.Values(attestation.Header), r.Header.Values(attestation.ProofHeader)
	if len(proofs) > 0 || len(r.Header.Values(dpop.Header)) == 0 {
		i, err := provider.Verify(shown, proofs, expect)
		return instance(i, "", time.Time{}), answered(err)
	}
	return a.combined(r, provider, shown, expect)
}

// combined takes the DPoP proof of the request for that of the instance, too.
func (a *Attester) combined(r *http.Request, provider attestation.Provider, shown []string, e attestation.Expect) (client.Instance, error) {
	trail.Put(r.Context(), "attestation", "combined")
	if !provider.Profile.Combined {
		return client.Instance{}, answered(errors.Join(attestation.ErrAttestation, oauth.Reason("attestation without proof")))
	}
	proof, err := a.bindings.At(r, r.URL.EscapedPath(), provider.Profile.RequireChallenge)
	if err != nil {
		return client.Instance{}, err
	}
	i, err := provider.Combined(shown, proof.JKT, true, e)
	id, expires := proof.Once()
	return instance(i, id, expires), answered(err)
}

// instance is what the client package keeps of a proof.
func instance(i attestation.Instance, id string, expires time.Time) client.Instance {
	if id == "" {
		sum := sha256.Sum256([]byte(i.ID()))
		id, expires = base64.RawURLEncoding.EncodeToString(sum[:]), i.Expires()
	}
	return client.Instance{Key: i.Key(), Proof: "attestation " + id, Expires: expires}
}

// answered tells the wallet what it can do: ask for a challenge, ask its provider for a new attestation, or nothing. Which check failed is for
// the wallet's developers.
func answered(err error) error {
	switch {
	case errors.Is(err, attestation.ErrChallenge):
		return oauth.Because(oauth.UseAttestationChallenge, "send the proof again with the challenge of this answer", reason(err))
	case errors.Is(err, attestation.ErrStale):
		return oauth.Because(oauth.UseFreshAttestation, "the client attestation has ended: get a new one", reason(err))
	case errors.Is(err, attestation.ErrAttestation):
		return oauth.Because(oauth.InvalidClientAttestation, "the client attestation or its proof is not valid here", reason(err))
	}
	return err
}

// reason makes the cause one that the developers' page may show: none of these errors carries input.
func reason(err error) error {
	if oauth.Why(err) != "" {
		return err
	}
	for _, r := range reasons {
		if errors.Is(err, r.is) {
			return errors.Join(r.reason, err)
		}
	}
	return errors.Join(oauth.Reason("attestation form"), err)
}

// reasons tell a wallet's developer where to look, the most telling first.
var reasons = []struct {
	is     error
	reason oauth.Reason
}{
	{attestation.ErrChallenge, "attestation challenge"}, {attestation.ErrStale, "attestation ended"}, {attestation.ErrChain, "attestation chain"},
	{jose.ErrSignature, "attestation signature"}, {jose.ErrNoKey, "attestation signature"}, {jose.ErrAudience, "attestation audience"},
	{jose.ErrClaim, "attestation claims"}, {attestation.ErrAttestation, "attestation form"},
}

// Hand gives a wallet the challenge for its next proof (draft 11, section 6.2).
func (a *Attester) Hand(w http.ResponseWriter) {
	w.Header().Set(attestation.ChallengeHeader, a.bindings.Nonces.Current(a.now()))
}

// Handing is Hand for what h answers.
func (a *Attester) Handing(h http.HandlerFunc) http.HandlerFunc {
	if a == nil {
		return h
	}
	return func(w http.ResponseWriter, r *http.Request) {
		a.Hand(w)
		h(w, r)
	}
}

// Challenge is the challenge endpoint (draft 07, section 8; draft 11, section 6.1). Nothing is stored: a challenge says when it was made.
func (a *Attester) Challenge(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	httpx.WriteJSON(w, http.StatusOK, map[string]string{"attestation_challenge": a.bindings.Nonces.Current(a.now())})
}

// Methods are the values of token_endpoint_auth_methods_supported: the combined mode has one of its own.
func (a *Attester) Methods() []string {
	methods := []string{string(client.Attestation)}
	for _, p := range *a.providers.Load() {
		if p.Profile.Combined {
			methods = append(methods, string(client.Attestation)+"_dpop")
			break
		}
	}
	return methods
}
