package registration

import (
	"errors"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/strictjson"
	"github.com/hufu-id/hufu/oidc/oauth"
)

// statementPolicy: RFC 7591 section 2.3 gives statements no type, so a missing one must do.
var statementPolicy = jose.Policy{Typ: []string{"", "JWT", "software-statement+jwt"}, Algs: []jose.Alg{jose.ES256, jose.PS256, jose.EdDSA, jose.RS256}}

// applyStatement checks the software statement, if there is one, and lets what it says go before what the client says (RFC 7591 section 2.3).
func (h *Handler) applyStatement(m *metadata) error {
	if m.SoftwareStatement == "" {
		return nil
	}
	bad := func(err error) error {
		return &oauth.Error{Code: InvalidSoftwareStatement, Description: "the software statement is malformed, expired or not of its issuer", Cause: err}
	}
	unverified, err := jose.ParseUnverified(m.SoftwareStatement, statementPolicy)
	if err != nil {
		return bad(err)
	}
	iss := statementIssuer(m.SoftwareStatement)
	if iss == "" {
		return bad(errors.New("no iss"))
	}
	for _, issuer := range h.cfg.Policy.Issuers {
		if issuer.Issuer != iss {
			continue
		}
		verified, err := unverified.Verify(issuer.Keys...)
		if err != nil {
			return bad(err)
		}
		// exp is demanded: a statement that got lost must end.
		if _, err := verified.Claims(jose.ClaimPolicy{Issuer: iss, At: h.cfg.Now()}); err != nil {
			return bad(err)
		}
		return m.overlay(verified.Payload())
	}
	return &oauth.Error{Code: UnapprovedSoftwareStatement, Description: "nobody whose software statements count here made this one",
		Cause: errors.New("unknown issuer")}
}

// overlay puts the statement's claims over the metadata. A client can't be named by it, and no statement lies in another.
func (m *metadata) overlay(claims []byte) error {
	id, secret, statement := m.ClientID, m.ClientSecret, m.SoftwareStatement
	if err := strictjson.Decode(claims, m); err != nil {
		return &oauth.Error{Code: InvalidSoftwareStatement, Description: "the claims of the software statement don't have the types of RFC 7591", Cause: err}
	}
	m.ClientID, m.ClientSecret, m.SoftwareStatement = id, secret, statement
	return nil
}

// statementIssuer reads iss of a statement, before or after it was checked; "" when there is none.
func statementIssuer(statement string) string {
	u, err := jose.ParseUnverified(statement, statementPolicy)
	if err != nil {
		return ""
	}
	var claims struct {
		Issuer string `json:"iss"`
	}
	if jose.DecodeStrict(u.Payload, &claims) != nil {
		return ""
	}
	return claims.Issuer
}
