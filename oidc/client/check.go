package client

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/internal/jose/jwe"
)

// Check tells whether the registration is complete and safe, always as a whole: an update that changes one field can make another one wrong
// (CVE-2026-15572 of Keycloak). The error wraps ErrInvalid.
func (c Client) Check() error {
	if _, ok := policies[c.Profile]; !ok {
		return c.bad("unknown profile %q", c.Profile)
	}
	for _, check := range []func() error{c.checkID, c.checkMethod, c.checkRedirects, c.checkKeys, c.checkAnswers, c.checkRequests, c.checkAddresses} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func (c Client) bad(format string, args ...any) error {
	return fmt.Errorf("%w: %s: %s", ErrInvalid, c.ID, fmt.Sprintf(format, args...))
}

func (c Client) badRedirect(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrRedirect, c.bad(format, args...))
}

func (c Client) checkID() error {
	if !validID(c.ID) {
		return c.bad("the id must be 1 to 200 printable ASCII characters")
	}
	if c.Public != (c.AuthMethod == None) {
		return c.bad("a public client has the authentication method none, and only a public one")
	}
	return nil
}

func (c Client) checkMethod() error {
	switch c.AuthMethod {
	case SecretBasic, SecretPost:
		if b, err := base64.RawURLEncoding.DecodeString(c.SecretHash); err != nil || len(b) != sha256.Size {
			return c.bad("the secret's SHA-256 is missing")
		}
	case PrivateKeyJWT, SelfSignedTLS:
		if len(c.JWKS) == 0 && c.JWKSURI == "" {
			return c.bad("%s needs keys: jwks or jwks_uri", c.AuthMethod)
		}
	case TLS:
		named := 0
		for _, s := range []string{c.TLSSubjectDN, c.TLSSANDNS, c.TLSSANURI, c.TLSSANIP, c.TLSSANEmail} {
			if s != "" {
				named++
			}
		}
		if named != 1 {
			return c.bad("tls_client_auth needs exactly one of tls_client_auth_subject_dn, _san_dns, _san_uri, _san_ip and _san_email")
		}
	case Attestation:
		if c.WalletProvider == "" {
			return c.bad("%s needs wallet_provider", c.AuthMethod)
		}
	case None:
		if c.Has(ClientCredentials) {
			return c.bad("a public client has no credentials to use")
		}
	default:
		return c.bad("unknown authentication method %q", c.AuthMethod)
	}
	if !c.Policy().mayAuthenticateBy(c.AuthMethod) {
		return c.bad("the profile %s does not allow %s", c.Profile, c.AuthMethod)
	}
	if a := c.AuthSigningAlg; a != "" && !slices.Contains(c.Policy().SigningAlgs, a) {
		return c.bad("token_endpoint_auth_signing_alg %q is not supported", a)
	}
	return nil
}

func (c Client) checkRedirects() error {
	hosts := map[string]bool{}
	for _, raw := range slices.Concat(c.RedirectURIs, c.PostLogoutRedirectURIs) {
		u, err := registrable(raw)
		if err != nil {
			return c.badRedirect("%q: %v", raw, err)
		}
		hosts[strings.ToLower(u.Hostname())] = true
	}
	if c.Has(AuthorizationCode) && len(c.RedirectURIs) == 0 {
		return c.badRedirect("the code flow needs a redirect URI")
	}
	// Without an organisation the host is the sector: two hosts would give one client two subjects, or one by accident. A client that
	// registered itself is its own sector then.
	if c.Organisation == "" && c.SectorIdentifierURI == "" && len(hosts) > 1 && !onlyLoopback(hosts) && !c.Dynamic {
		return c.bad("several redirect hosts need an organisation or a sector_identifier_uri")
	}
	if c.Has(RefreshToken) && !c.Has(AuthorizationCode) && !c.Has(PreAuthorizedCode) {
		return c.bad("refresh_token needs authorization_code or the pre-authorized code")
	}
	return nil
}

func onlyLoopback(hosts map[string]bool) bool {
	for h := range hosts {
		if !isLoopback(h) {
			return false
		}
	}
	return true
}

func (c Client) checkKeys() error {
	if len(c.JWKS) > 0 && c.JWKSURI != "" {
		return c.bad("jwks and jwks_uri exclude each other")
	}
	if len(c.JWKS) > jose.MaxKeySetKeys {
		return c.bad("more than %d keys", jose.MaxKeySetKeys)
	}
	return nil
}

// checkAnswers refuses algorithms that no answer could be made by: found out here, by whoever registers, and not at a login.
func (c Client) checkAnswers() error {
	for name, alg := range map[string]jose.Alg{"id_token_signed_response_alg": c.IDTokenSignedAlg, "userinfo_signed_response_alg": c.UserinfoSignedAlg,
		"authorization_signed_response_alg": c.AuthorizationSignedAlg, "introspection_signed_response_alg": c.IntrospectionSignedAlg} {
		if alg != "" && !slices.Contains(c.Policy().IDTokenAlgs, alg) {
			return c.bad("%s %q is not supported", name, alg)
		}
	}
	for name, pair := range map[string][2]string{"id_token": {c.IDTokenEncryptedAlg, c.IDTokenEncryptedEnc}, "userinfo": {c.UserinfoEncryptedAlg, c.UserinfoEncryptedEnc},
		"authorization": {c.AuthorizationEncryptedAlg, c.AuthorizationEncryptedEnc}} {
		alg, enc := pair[0], pair[1]
		if alg == "" && enc != "" || alg != "" && !slices.Contains(jwe.Algs(), alg) || enc != "" && !slices.Contains(jwe.Encs(), enc) {
			return c.bad("%s_encrypted_response_alg %q with enc %q is not supported", name, alg, enc)
		}
		if alg == "" || c.JWKSURI != "" {
			continue
		}
		if _, err := jwe.KeyOf(c.JWKS, alg); err != nil {
			return c.bad("%s_encrypted_response_alg %q needs a key for it in jwks", name, alg)
		}
	}
	return nil
}

func (c Client) checkRequests() error {
	if a := c.RequestObjectAlg; a != "" && !slices.Contains(c.Policy().SigningAlgs, a) {
		return c.bad("request_object_signing_alg %q is not supported", a)
	}
	if (c.RequireRequestObject || c.RequestObjectAlg != "") && len(c.JWKS) == 0 && c.JWKSURI == "" {
		return c.bad("request objects need keys: jwks or jwks_uri")
	}
	if c.DPoPBound && c.TLSBound {
		return c.bad("dpop_bound_access_tokens and tls_client_certificate_bound_access_tokens exclude each other")
	}
	if c.DefaultMaxAge != nil && *c.DefaultMaxAge < 0 {
		return c.bad("default_max_age is negative")
	}
	for _, r := range slices.Concat(c.Resources, c.Serves) {
		if u, err := url.Parse(r); err != nil || !u.IsAbs() || strings.Contains(r, "#") {
			return c.bad("resource %q is no absolute URI without a fragment", r)
		}
	}
	return nil
}

// checkAddresses: every address that we fetch, call or show is https, or on loopback.
func (c Client) checkAddresses() error {
	for name, raw := range map[string]string{"jwks_uri": c.JWKSURI, "sector_identifier_uri": c.SectorIdentifierURI, "client_uri": c.ClientURI,
		"logo_uri": c.LogoURI, "policy_uri": c.PolicyURI, "tos_uri": c.TermsURI, "backchannel_logout_uri": c.BackchannelLogoutURI} {
		if raw == "" {
			continue
		}
		if _, err := registrable(raw); err != nil {
			return c.bad("%s: %v", name, err)
		}
	}
	if u, err := url.Parse(c.InitiateLoginURI); c.InitiateLoginURI != "" && (err != nil || u.Scheme != "https" || u.Host == "") {
		return c.bad("initiate_login_uri: not an https address")
	}
	return nil
}
