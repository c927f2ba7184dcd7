package request

import (
	"errors"
	"fmt"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
)

const (
	proofTyp = "openid4vci-proof+jwt"
	// maxProofBytes leaves room for the largest key we accept and nothing for luggage.
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

// Proof is a key proof that was checked in everything except whether its nonce was used before. Only CheckProof makes one.
type Proof struct {
	key          jose.JWK
	nonce        string
	nonceExpires time.Time
}

// Key is the proven key: the bare public key without labels.
func (p Proof) Key() jose.JWK { return p.key }

// Nonce must be used up before anything is issued.
func (p Proof) Nonce() string { return p.nonce }

// NonceExpires is when the nonce is refused for its age, so that its use can be forgotten.
func (p Proof) NonceExpires() time.Time { return p.nonceExpires }

// CheckProof checks one key proof of type jwt (appendix F.1): structure, type, algorithm, the one key and its possession, audience,
// issuer, time, nonce; in this order, so that what needs no key costs no signature check. clientID is who got the access
// token, empty when the wallet was anonymous. ErrProof, ErrNonce.
func (n Nonces) CheckProof(compact, identifier, clientID string) (Proof, error) {
	u, err := jose.ParseUnverified(compact, jose.Policy{Typ: []string{proofTyp}, Algs: proofAlgs, MaxBytes: maxProofBytes})
	if err != nil {
		return Proof{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	if err := oneKey(u.Header); err != nil {
		return Proof{}, err
	}
	// Verified with the key that it carries, which only shows that the sender has that key. That is all it is meant to show.
	v, err := u.Verify(*u.Header.JWK)
	if err != nil {
		return Proof{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	claims, err := v.Claims(jose.ClaimPolicy{Audience: identifier, At: n.Now(), Leeway: proofLeeway, MaxAge: proofMaxAge,
		OptionalExp: true, RequireIat: true})
	if err != nil {
		return Proof{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	if err := checkProofIssuer(claims, clientID); err != nil {
		return Proof{}, err
	}
	if _, present := claims["nonce"]; !present {
		return Proof{}, fmt.Errorf("%w: the nonce is missing", ErrProof)
	}
	nonce, err := claims.String("nonce")
	if err != nil {
		return Proof{}, fmt.Errorf("%w: the nonce is not a string", ErrProof)
	}
	expires, err := n.Check(identifier, nonce)
	if err != nil {
		return Proof{}, ErrNonce
	}
	// Without kid, alg and use: only the key itself goes into the credential, or a wallet's label would tell its copies apart.
	key, err := jose.FromPublic(v.Key().Public(), "", "")
	if err != nil {
		return Proof{}, fmt.Errorf("%w: %w", ErrProof, err)
	}
	return Proof{key: key, nonce: nonce, nonceExpires: expires}, nil
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
