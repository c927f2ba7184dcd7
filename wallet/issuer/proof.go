package issuer

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

func proofAlgNames() []string {
	names := make([]string, len(proofAlgs))
	for i, a := range proofAlgs {
		names[i] = string(a)
	}
	return names
}

// errProof says what is wrong with a key proof; errProofNonce that only the nonce is.
var (
	errProof      = errors.New("issuer: key proof not valid")
	errProofNonce = errors.New("issuer: nonce of the key proof not valid")
)

// proof is a key proof that was checked in everything except whether its nonce was used before.
type proof struct {
	key          jose.JWK
	nonce        string
	nonceExpires time.Time
}

// checkProof checks one key proof of type jwt (appendix F.1): structure, type, algorithm, the one key and its possession, audience,
// issuer, time, nonce; in this order, so that what needs no key costs no signature check. clientID is who got the access
// token, empty when the wallet was anonymous.
func (i *Issuer) checkProof(compact, identifier, clientID string) (proof, error) {
	u, err := jose.ParseUnverified(compact, jose.Policy{Typ: []string{proofTyp}, Algs: proofAlgs, MaxBytes: maxProofBytes})
	if err != nil {
		return proof{}, fmt.Errorf("%w: %w", errProof, err)
	}
	if err := oneKey(u.Header); err != nil {
		return proof{}, err
	}
	// Verified with the key that it carries, which only shows that the sender has that key. That is all it is meant to show.
	v, err := u.Verify(*u.Header.JWK)
	if err != nil {
		return proof{}, fmt.Errorf("%w: %w", errProof, err)
	}
	claims, err := v.Claims(jose.ClaimPolicy{Audience: identifier, At: i.cfg.Now(), Leeway: proofLeeway, MaxAge: proofMaxAge,
		OptionalExp: true, RequireIat: true})
	if err != nil {
		return proof{}, fmt.Errorf("%w: %w", errProof, err)
	}
	if err := checkProofIssuer(claims, clientID); err != nil {
		return proof{}, err
	}
	if _, present := claims["nonce"]; !present {
		return proof{}, fmt.Errorf("%w: the nonce is missing", errProof)
	}
	nonce, err := claims.String("nonce")
	if err != nil {
		return proof{}, fmt.Errorf("%w: the nonce is not a string", errProof)
	}
	expires, err := i.checkNonce(identifier, nonce)
	if err != nil {
		return proof{}, errProofNonce
	}
	// Without kid, alg and use: only the key itself goes into the credential, or a wallet's label would tell its copies apart.
	key, err := jose.FromPublic(v.Key().Public(), "", "")
	if err != nil {
		return proof{}, fmt.Errorf("%w: %w", errProof, err)
	}
	return proof{key: key, nonce: nonce, nonceExpires: expires}, nil
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
		return fmt.Errorf("%w: exactly one of jwk, kid and x5c must be in the header", errProof)
	case h.JWK == nil:
		return fmt.Errorf("%w: the key must be in the header as jwk", errProof)
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
		return fmt.Errorf("%w: iss is not a string", errProof)
	case clientID == "":
		return fmt.Errorf("%w: iss must be absent when the access token was obtained anonymously", errProof)
	case iss != clientID:
		return fmt.Errorf("%w: iss is not the client that obtained the access token", errProof)
	}
	return nil
}
