package resource

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
)

// accessToken is how a JWT access token must look. Its typ keeps out whatever else the issuer signs with the same keys: ID tokens, logout tokens,
// introspection answers (RFC 9068 sections 2.1 and 4).
var accessToken = jose.Policy{Typ: []string{"at+jwt", "application/at+jwt"}, Algs: []jose.Alg{jose.ES256}, MaxBytes: maxToken}

// jwt checks a JWT access token (RFC 9068 section 4). Only keys that the issuer publishes count; jwk, jku, x5u and x5c in the header are nothing.
func (g *Guard) jwt(ctx context.Context, token string, now time.Time) (Token, error) {
	u, err := jose.ParseUnverified(token, accessToken)
	if err != nil {
		return Token{}, badToken(err)
	}
	verified, err := g.issuer.verify(ctx, u)
	switch {
	case errors.Is(err, errIssuer):
		return Token{}, err
	case err != nil:
		return Token{}, badToken(err)
	}
	claims, err := verified.Claims(jose.ClaimPolicy{Issuer: g.cfg.Issuer, Audience: g.cfg.Audience, AudienceArrayOK: true, At: now, Leeway: leeway,
		RequireIat: true, RequireJTI: true})
	if err != nil {
		return Token{}, badToken(err)
	}
	t, err := tokenOf(claims)
	if err != nil {
		return Token{}, badToken(err)
	}
	return t, nil
}

// badToken doesn't say what is wrong: a stranger could learn from it, and the developer finds it in the log.
func badToken(cause error) error {
	return because(http.StatusUnauthorized, invalidToken, "the access token is invalid, expired, or not for this API", cause)
}

// tokenOf reads the claims that mean something here. What is there must be of the right type.
func tokenOf(c jose.Claims) (t Token, err error) {
	var scope string
	for name, to := range map[string]*string{"sub": &t.Subject, "client_id": &t.ClientID, "scope": &scope, "acr": &t.ACR} {
		required := name == "sub" || name == "client_id"
		if _, present := c[name]; !present && !required {
			continue
		}
		if *to, err = c.String(name); err != nil {
			return Token{}, err
		}
		if required && *to == "" {
			return Token{}, fmt.Errorf("%w: %s is empty", jose.ErrClaim, name)
		}
	}
	t.Scopes = strings.Fields(scope)
	if t.Expires, err = c.Time("exp"); err != nil {
		return Token{}, err
	}
	if _, present := c["auth_time"]; present {
		if t.AuthTime, err = c.Time("auth_time"); err != nil {
			return Token{}, err
		}
	}
	if details, present := c["authorization_details"]; present {
		if _, ok := details.([]any); !ok {
			return Token{}, fmt.Errorf("%w: authorization_details", jose.ErrClaim)
		}
		if t.AuthorizationDetails, err = json.Marshal(details); err != nil {
			return Token{}, err
		}
	}
	t.JKT, t.CertificateThumbprint, err = confirmation(c)
	return t, err
}

// confirmation reads "cnf" (RFC 7800). A binding that we can't check would be none, so it is refused.
func confirmation(c jose.Claims) (jkt, certificate string, err error) {
	v, present := c["cnf"]
	if !present {
		return "", "", nil
	}
	members, ok := v.(map[string]any)
	if !ok || len(members) == 0 {
		return "", "", fmt.Errorf("%w: cnf", jose.ErrClaim)
	}
	for name, value := range members {
		s, ok := value.(string)
		if !ok || s == "" {
			return "", "", fmt.Errorf("%w: cnf", jose.ErrClaim)
		}
		switch name {
		case "jkt":
			jkt = s
		case "x5t#S256":
			certificate = s
		default:
			return "", "", fmt.Errorf("%w: cnf of an unknown kind", jose.ErrClaim)
		}
	}
	return jkt, certificate, nil
}
