package request

import (
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/wallet/issuer/attest"
)

const (
	proofTyp = "openid4vci-proof+jwt"
	// maxProofBytes leaves room for the largest key we accept and nothing for luggage, unless attestations are looked at.
	maxProofBytes = 8 << 10
	// proofMaxAge is as long as a nonce lives; proofLeeway is for the clocks of phones.
	proofMaxAge = nonceLifetime
	proofLeeway = time.Minute
)

var proofAlgs = []jose.Alg{jose.ES256, jose.EdDSA}

// ProofAlgs are the algorithms of key proofs, for metadata.
func ProofAlgs() []string {
	names := make([]string, len(proofAlgs))
	for i, a := range proofAlgs {
		names[i] = string(a)
	}
	return names
}

// ErrProof says that a key proof is missing or wrong; ErrNonce that only its nonce is.
var ErrProof = errors.New("request: key proof not valid")

// Rule is what proofs must fit.
type Rule struct {
	// Identifier is the Credential Issuer Identifier, ClientID who got the access token; empty when the wallet was anonymous.
	Identifier, ClientID string
	// Batch is how many credentials one request gives at most.
	Batch int
	// Anchors are those of makers of wallets. Without any, attestations are not looked at and count for nothing.
	Anchors []*x509.Certificate
	// Attested, when not nil, is what keys must be attested to have.
	Attested *attest.Levels
}

// Proven is what the proofs of one request show: everything was checked except whether their nonce was used before. Only CheckProofs makes one.
type Proven struct {
	keys         []jose.JWK
	nonce        string
	nonceExpires time.Time
}

// Keys are the keys to bind credentials to, each once: the bare public keys without labels.
func (p Proven) Keys() []jose.JWK { return slices.Clone(p.keys) }

// Nonce must be used up before anything is issued.
func (p Proven) Nonce() string { return p.nonce }

// NonceExpires is when the nonce is refused for its age, so that its use can be forgotten.
func (p Proven) NonceExpires() time.Time { return p.nonceExpires }

// CheckProofs checks all proofs of a request; one that is wrong is enough to refuse. All carry the same nonce: it is used up as one, and a request that mixes
// two would leave it open which of them was spent on what. ErrProof, ErrNonce.
func (n Nonces) CheckProofs(p Proofs, r Rule) (Proven, error) {
	if p.Attestation != "" {
		return n.checkAttestation(p.Attestation, r)
	}
	if len(p.JWT) == 0 {
		return Proven{}, fmt.Errorf("%w: this credential is bound to a key, proofs is missing", ErrProof)
	}
	var out Proven
	signed, bound := map[string]bool{}, map[string]bool{}
	for _, compact := range p.JWT {
		one, err := n.checkJWT(compact, r)
		if err != nil {
			return Proven{}, err
		}
		if out.nonce != "" && one.nonce != out.nonce {
			return Proven{}, fmt.Errorf("%w: the proofs of one request must carry the same nonce", ErrNonce)
		}
		if t := one.signer.Thumbprint(); signed[t] {
			return Proven{}, fmt.Errorf("%w: two proofs are of one key", ErrProof)
		} else {
			signed[t] = true
		}
		out.nonce, out.nonceExpires = one.nonce, one.expires
		for _, k := range one.keys {
			if t := k.Thumbprint(); !bound[t] {
				bound[t] = true
				out.keys = append(out.keys, k)
			}
		}
	}
	return out.capped(r.Batch), nil
}

// capped leaves the first keys: an issuer may give fewer credentials than it was sent keys (section 8.3).
func (p Proven) capped(batch int) Proven {
	p.keys = p.keys[:min(len(p.keys), batch)]
	return p
}

// proof is one proof of type jwt, checked.
type proof struct {
	signer  jose.JWK
	keys    []jose.JWK
	nonce   string
	expires time.Time
}

// checkJWT checks one key proof of type jwt (appendix F.1): structure, type, algorithm, the one key and its possession, audience,
// issuer, time, nonce; in this order, so that what needs no key costs no signature check. The attestation comes last.
func (n Nonces) checkJWT(compact string, r Rule) (proof, error) {
	most := maxProofBytes
	if len(r.Anchors) > 0 {
		most += attest.MaxBytes * 4 / 3
	}
	u, err := jose.ParseUnverified(compact, jose.Policy{Typ: []string{proofTyp}, Algs: proofAlgs, MaxBytes: most})
	if err != nil {
		return proof{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	if err := oneKey(u.Header); err != nil {
		return proof{}, err
	}
	// Verified with the key that it carries, which only shows that the sender has that key. That is all it is meant to show.
	v, err := u.Verify(*u.Header.JWK)
	if err != nil {
		return proof{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	claims, err := v.Claims(jose.ClaimPolicy{Audience: r.Identifier, At: n.Now(), Leeway: proofLeeway, MaxAge: proofMaxAge,
		OptionalExp: true, RequireIat: true})
	if err != nil {
		return proof{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	if err := checkProofIssuer(claims, r.ClientID); err != nil {
		return proof{}, err
	}
	if _, present := claims["nonce"]; !present {
		return proof{}, fmt.Errorf("%w: the nonce is missing", ErrProof)
	}
	var p proof
	if p.nonce, err = claims.String("nonce"); err != nil {
		return proof{}, fmt.Errorf("%w: the nonce is not a string", ErrProof)
	}
	if p.expires, err = n.Check(r.Identifier, p.nonce); err != nil {
		return proof{}, ErrNonce
	}
	// Without kid, alg and use: only the key itself goes into the credential, or a wallet's label would tell its copies apart.
	if p.signer, err = jose.FromPublic(v.Key().Public(), "", ""); err != nil {
		return proof{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	p.keys, err = n.attested(v.Header(), p, r)
	return p, err
}

// attested returns the keys that a proof binds: its own, or those of the attestation that vouches for it.
func (n Nonces) attested(h jose.ParsedHeader, p proof, r Rule) ([]jose.JWK, error) {
	raw, present := h.Raw["key_attestation"]
	switch {
	case !present && r.Attested != nil:
		return nil, fmt.Errorf("%w: this credential needs a key attestation in the header of the proof", ErrProof)
	case !present || len(r.Anchors) == 0 && r.Attested == nil:
		return []jose.JWK{p.signer}, nil
	}
	compact, ok := raw.(string)
	if !ok {
		return nil, fmt.Errorf("%w: key_attestation is not a string", ErrProof)
	}
	a, err := attest.Check(compact, attest.Policy{Anchors: r.Anchors, At: n.Now(), NeedExp: true})
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrProof, err)
	case a.Nonce() != p.nonce:
		return nil, fmt.Errorf("%w: the nonce of the key attestation is missing or not that of the proof", ErrProof)
	case !a.Has(p.signer):
		return nil, fmt.Errorf("%w: the key of the proof is not among the attested keys", ErrProof)
	case r.Attested != nil && !a.Meets(*r.Attested):
		return nil, fmt.Errorf("%w: the key attestation does not reach the level that this credential requires", ErrProof)
	}
	return a.Keys(), nil
}

// checkAttestation checks a proof of type attestation (appendix F.3): nobody shows that she has a key, the maker of the wallet vouches for it.
func (n Nonces) checkAttestation(compact string, r Rule) (Proven, error) {
	a, err := attest.Check(compact, attest.Policy{Anchors: r.Anchors, At: n.Now()})
	switch {
	case err != nil:
		return Proven{}, fmt.Errorf("%w: %w", ErrProof, err)
	case a.Nonce() == "":
		return Proven{}, fmt.Errorf("%w: the nonce is missing", ErrProof)
	case r.Attested != nil && !a.Meets(*r.Attested):
		return Proven{}, fmt.Errorf("%w: the key attestation does not reach the level that this credential requires", ErrProof)
	}
	expires, err := n.Check(r.Identifier, a.Nonce())
	if err != nil {
		return Proven{}, ErrNonce
	}
	return Proven{keys: a.Keys(), nonce: a.Nonce(), nonceExpires: expires}.capped(r.Batch), nil
}

// oneKey wants exactly one of jwk, kid and x5c, and that one to be jwk: a kid would have to be fetched from somewhere, and a
// chain says who made the key, which no type of ours asks for.
func oneKey(h jose.ParsedHeader) error {
	n := 0
	for _, name := range []string{"jwk", "kid", "x5c"} {
		if _, present := h.Raw[name]; present {
			n++
		}
	}
	switch {
	case n != 1:
		return fmt.Errorf("%w: exactly one of jwk, kid and x5c must be in the header", ErrProof)
	case h.JWK == nil:
		return fmt.Errorf("%w: the key must be in the header as jwk", ErrProof)
	}
	return nil
}

// checkProofIssuer: iss is the client that got the access token, and absent when there was none (appendix F.1).
func checkProofIssuer(c jose.Claims, clientID string) error {
	if _, present := c["iss"]; !present {
		return nil
	}
	iss, err := c.String("iss")
	switch {
	case err != nil:
		return fmt.Errorf("%w: iss is not a string", ErrProof)
	case clientID == "":
		return fmt.Errorf("%w: iss must be absent when the access token was obtained anonymously", ErrProof)
	case iss != clientID:
		return fmt.Errorf("%w: iss is not the client that obtained the access token", ErrProof)
	}
	return nil
}
