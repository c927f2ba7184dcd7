//go:build conformance

package main

import (
	"encoding/pem"

	"github.com/hufu-id/hufu/federation/upstream/oidc"
	"github.com/hufu-id/hufu/internal/jose"
)

// plan is one plan of the suite with the kind of it that we run, and the connector's configuration for it.
type plan struct {
	name      string // ours
	plan      string // the suite's
	variant   variant
	alg       jose.Alg // of id_tokens, and of userinfo, which is signed then; "" is the suite's own choice, and plain userinfo
	configure func(*oidc.Config)
	modules   map[string]module
}

// module is what has to become of a module: who isn't listed must end in a login and in PASSED.
type module struct {
	refuse bool   // the login must be refused
	logins int    // how many; 0 means one
	until  string // path of the request with which the suite is done; any later one would be a fault, so there is none
	result string // instead of PASSED
	why    string // of result
}

const noneWhy = "id_tokens without a signature are never accepted; the suite skips the rest then"

func core(c *oidc.Config) {
	// The suite's provider sends no iss (RFC 9207) and doesn't say that it knows PKCE.
	c.AllowMissingIssParam, c.AllowUnlistedPKCE = true, true
}

var plans = []plan{
	{
		name:    "rp-basic",
		plan:    "oidcc-client-basic-certification-test-plan",
		variant: variant{"client_registration": "static_client", "request_type": "plain_http_request"},
		configure: func(c *oidc.Config) {
			core(c)
			c.AuthMethod, c.Secret = oidc.ClientSecretBasic, secret
		},
		modules: map[string]module{
			"oidcc-client-test-invalid-iss":          {refuse: true},
			"oidcc-client-test-missing-sub":          {refuse: true},
			"oidcc-client-test-invalid-aud":          {refuse: true},
			"oidcc-client-test-missing-iat":          {refuse: true},
			"oidcc-client-test-idtoken-sig-none":     {refuse: true, result: "SKIPPED", why: noneWhy},
			"oidcc-client-test-invalid-sig-rs256":    {refuse: true},
			"oidcc-client-test-userinfo-invalid-sub": {refuse: true},
			"oidcc-client-test-nonce-invalid":        {refuse: true},
		},
	},
	{
		name: "rp-config",
		plan: "oidcc-client-config-certification-test-plan",
		variant: variant{"client_auth_type": "private_key_jwt", "client_registration": "static_client", "request_type": "plain_http_request",
			"response_mode": "default"},
		alg:       jose.EdDSA,
		configure: core,
		modules:   configModules,
	},
	{
		name: "rp-config-post",
		plan: "oidcc-client-config-certification-test-plan",
		variant: variant{"client_auth_type": "client_secret_post", "client_registration": "static_client", "request_type": "plain_http_request",
			"response_mode": "default"},
		alg: jose.ES256,
		configure: func(c *oidc.Config) {
			core(c)
			c.AuthMethod, c.Secret = oidc.ClientSecretPost, secret
		},
		modules: configModules,
	},
	{
		name: "rp-fapi2-dpop",
		plan: "fapi2-security-profile-final-client-test-plan",
		variant: variant{"client_auth_type": "private_key_jwt", "sender_constrain": "dpop", "fapi_client_type": "oidc", "fapi_profile": "plain_fapi",
			"authorization_request_type": "simple"},
		configure: func(c *oidc.Config) { c.Profile = oidc.FAPI2 },
		modules:   fapiModules,
	},
	{
		name: "rp-fapi2-mtls",
		plan: "fapi2-security-profile-final-client-test-plan",
		variant: variant{"client_auth_type": "mtls", "sender_constrain": "mtls", "fapi_client_type": "oidc", "fapi_profile": "plain_fapi",
			"authorization_request_type": "simple"},
		configure: func(c *oidc.Config) {
			c.Profile, c.AuthMethod, c.Binding = oidc.FAPI2, oidc.TLSClientAuth, oidc.MTLS
		},
		modules: fapiModules,
	},
}

var configModules = map[string]module{
	"oidcc-client-test-discovery-openid-config":   {until: "/openid-configuration"},
	"oidcc-client-test-discovery-jwks-uri-keys":   {until: "/jwks"},
	"oidcc-client-test-discovery-issuer-mismatch": {refuse: true},
	"oidcc-client-test-idtoken-sig-none":          {refuse: true, result: "SKIPPED", why: noneWhy},
	"oidcc-client-test-signing-key-rotation":      {logins: 2},
}

var fapiModules = map[string]module{
	fapi + "discovery-issuer-mismatch":                                      {refuse: true},
	fapi + "invalid-iss":                                                    {refuse: true},
	fapi + "invalid-aud":                                                    {refuse: true},
	fapi + "invalid-secondary-aud":                                          {refuse: true},
	fapi + "invalid-null-alg":                                               {refuse: true},
	fapi + "invalid-alternate-alg":                                          {refuse: true},
	fapi + "invalid-expired-exp":                                            {refuse: true},
	fapi + "invalid-missing-exp":                                            {refuse: true},
	fapi + "invalid-missing-aud":                                            {refuse: true},
	fapi + "invalid-missing-iss":                                            {refuse: true},
	fapi + "invalid-nonce":                                                  {refuse: true},
	fapi + "invalid-missing-nonce":                                          {refuse: true},
	fapi + "invalid-authorization-response-iss":                             {refuse: true},
	fapi + "remove-authorization-response-iss":                              {refuse: true},
	fapi + "ensure-authorization-response-with-invalid-state-fails":         {refuse: true},
	fapi + "ensure-authorization-response-with-invalid-missing-state-fails": {refuse: true},
}

const fapi = "fapi2-security-profile-final-client-test-"

// settings is the plan's configuration at the suite.
func (p plan) settings(h *hub) (any, error) {
	public, err := h.key.Public()
	if err != nil {
		return nil, err
	}
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.cert.Certificate[0]})
	client := map[string]any{"client_id": clientID, "client_secret": secret, "redirect_uri": h.redirectURI(), "scope": scope, "certificate": string(certificate),
		"jwks": map[string]any{"keys": []jose.JWK{public.WithUse("sig")}}}
	if p.alg != "" {
		client["id_token_signed_response_alg"], client["userinfo_signed_response_alg"] = p.alg, p.alg
	}
	return map[string]any{"alias": h.alias, "description": "Hufu's connector to a province", "waitTimeoutSeconds": 2, "client": client}, nil
}
