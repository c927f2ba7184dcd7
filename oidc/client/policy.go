package client

import (
	"cmp"
	"slices"

	"github.com/hufu-id/hufu/internal/jose"
)

// Policy is a security profile as values, read in one place (ARCHITECTURE.md): a handler asks for a value, never for a profile's name.
type Policy struct {
	// AuthMethods that a client of the profile may be registered for.
	AuthMethods []AuthMethod
	// RequirePKCE makes PKCE mandatory for confidential clients too. Public clients always need it.
	RequirePKCE bool
	// RequirePAR refuses requests that were not pushed (RFC 9126).
	RequirePAR bool
	// RequireBinding refuses to issue tokens that are bound neither to a key nor to a certificate.
	RequireBinding bool
	// RequireDPoP is RequireBinding by a key, not by a certificate.
	RequireDPoP bool
	// DPoPNonce demands a nonce of ours in every DPoP proof at our own endpoints (RFC 9449 section 8).
	DPoPNonce bool
	// TokenEndpointAudience accepts assertions for the token endpoint's URL beside the issuer, AudienceArray an array of one.
	TokenEndpointAudience, AudienceArray bool
	// SigningAlgs of assertions and request objects, IDTokenAlgs of ID tokens and other signed answers; the first is the default.
	SigningAlgs, IDTokenAlgs []jose.Alg
	// MachinesOf are other profiles, whose clients without people a server of this profile serves too: departments' systems are no wallets.
	MachinesOf []string
	// RequestObjectWindow demands nbf in request objects, and that they live for at most an hour (FAPI 2.0 Message Signing 5.3.1).
	RequestObjectWindow bool
}

var core = Policy{
	AuthMethods:           []AuthMethod{SecretBasic, SecretPost, PrivateKeyJWT, TLS, SelfSignedTLS, None, Attestation},
	TokenEndpointAudience: true, AudienceArray: true,
	SigningAlgs: []jose.Alg{jose.ES256, jose.PS256, jose.EdDSA, jose.RS256},
	IDTokenAlgs: []jose.Alg{jose.ES256, jose.RS256},
}

var policies = map[string]Policy{
	"":     core,
	"core": core,
	"national": {
		AuthMethods: []AuthMethod{PrivateKeyJWT, TLS, SelfSignedTLS, Attestation},
		RequirePKCE: true, RequireBinding: true, TokenEndpointAudience: true,
		SigningAlgs: []jose.Alg{jose.ES256, jose.PS256, jose.EdDSA},
		IDTokenAlgs: []jose.Alg{jose.ES256},
	},
	"fapi2": {
		AuthMethods: []AuthMethod{PrivateKeyJWT, TLS, SelfSignedTLS},
		RequirePKCE: true, RequirePAR: true, RequireBinding: true, DPoPNonce: true, RequestObjectWindow: true,
		SigningAlgs: []jose.Alg{jose.ES256, jose.PS256, jose.EdDSA},
		IDTokenAlgs: []jose.Alg{jose.ES256},
	},
	// OpenID4VC High Assurance Interoperability Profile 1.0: wallets.
	"haip": {
		AuthMethods: []AuthMethod{Attestation},
		RequirePKCE: true, RequirePAR: true, RequireBinding: true, RequireDPoP: true, RequestObjectWindow: true,
		MachinesOf:  []string{"core", "national", "fapi2"},
		SigningAlgs: []jose.Alg{jose.ES256, jose.PS256, jose.EdDSA},
		IDTokenAlgs: []jose.Alg{jose.ES256},
	},
}

// PolicyOf returns the values of a profile, "" for core. The zero Policy when there is none of that name.
func PolicyOf(profile string) Policy { return policies[profile] }

// Policy returns the values of the client's profile. Put refuses a profile that has none.
func (c Client) Policy() Policy { return policies[c.Profile] }

// Of says whether a profile is the client's, by either name of "core".
func (c Client) Of(profile string) bool {
	return cmp.Or(c.Profile, "core") == cmp.Or(profile, "core")
}

// machineOf says whether the client has to do with no people, and is of one of some profiles.
func (c Client) machineOf(profiles []string) bool {
	return len(c.GrantTypes) == 1 && c.Has(ClientCredentials) && slices.Contains(profiles, cmp.Or(c.Profile, "core"))
}

// PKCERequired says whether an authorization request without a challenge is refused.
func (c Client) PKCERequired() bool { return c.Public || c.Policy().RequirePKCE }

// PARRequired says whether an authorization request that was not pushed is refused.
func (c Client) PARRequired() bool { return c.RequirePAR || c.Policy().RequirePAR }

// DPoPRequired says whether a token must be bound to a key.
func (c Client) DPoPRequired() bool { return c.DPoPBound || c.Policy().RequireDPoP }

// BindingRequired says whether a token must be bound to a key or a certificate.
func (c Client) BindingRequired() bool {
	return c.DPoPBound || c.TLSBound || c.Policy().RequireBinding
}

// IDTokenAlg is the algorithm of the client's ID tokens.
func (c Client) IDTokenAlg() jose.Alg {
	if c.IDTokenSignedAlg != "" {
		return c.IDTokenSignedAlg
	}
	return c.Policy().IDTokenAlgs[0]
}

// Anonymous says whether a wallet may redeem a pre-authorized code without saying who it is: where one may be a public client, too.
func (p Policy) Anonymous() bool { return p.mayAuthenticateBy(None) }

// mayAuthenticateBy says whether the profile allows a method.
func (p Policy) mayAuthenticateBy(m AuthMethod) bool { return slices.Contains(p.AuthMethods, m) }
