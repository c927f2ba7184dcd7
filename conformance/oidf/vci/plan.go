//go:build conformance

// Package vci is what the suite's plans for credential issuers need beyond those for OpenID Providers: licences in the register, a department that
// makes offers, a wallet provider for the suite's wallets, and the anchors by which it checks what it gets.
package vci

import "slices"

// Plan is a plan for credential issuers in one variant. The zero value is wallet-initiated, by scope, by private_key_jwt, in clear, as SD-JWT VC.
type Plan struct {
	Name    string
	Modules int
	// HAIP is the plan of the High Assurance Interoperability Profile, which fixes all but format and who begins.
	HAIP bool
	// MDoc asks for the mobile document, Offered begins with an offer, PreAuthorized takes it by its code.
	MDoc, Offered, PreAuthorized bool
	// Attested authenticates by a wallet attestation, Details asks by authorization_details, Encrypted encrypts requests and responses.
	Attested, Details, Encrypted bool
}

// Plans are those that are run. Both formats are the same code in front of the format, so what doesn't look at credentials is varied once.
var Plans = []Plan{
	{Name: "vci-code", Modules: 15},
	{Name: "vci-code-details", Modules: 15, Details: true},
	{Name: "vci-code-attested", Modules: 21, Attested: true},
	{Name: "vci-offer", Modules: 15, Offered: true},
	{Name: "vci-offer-encrypted", Modules: 15, Offered: true, Encrypted: true},
	{Name: "vci-pre", Modules: 15, PreAuthorized: true},
	{Name: "vci-pre-attested", Modules: 21, PreAuthorized: true, Attested: true},
	{Name: "vci-mdoc-code", Modules: 15, MDoc: true},
	{Name: "vci-mdoc-code-details", Modules: 15, MDoc: true, Details: true},
	{Name: "vci-mdoc-offer", Modules: 15, MDoc: true, Offered: true},
	{Name: "vci-mdoc-encrypted", Modules: 15, MDoc: true, Encrypted: true},
	{Name: "vci-mdoc-pre", Modules: 15, MDoc: true, PreAuthorized: true},
	{Name: "vci-mdoc-pre-attested", Modules: 21, MDoc: true, PreAuthorized: true, Attested: true},
	{Name: "haip", Modules: 63, HAIP: true, Attested: true},
	{Name: "haip-offer", Modules: 63, HAIP: true, Attested: true, Offered: true},
	{Name: "haip-mdoc", Modules: 63, HAIP: true, Attested: true, MDoc: true},
	{Name: "haip-mdoc-offer", Modules: 63, HAIP: true, Attested: true, MDoc: true, Offered: true},
}

// Named finds a plan.
func Named(name string) Plan {
	return Plans[slices.IndexFunc(Plans, func(p Plan) bool { return p.Name == name })]
}

// Suite is the suite's name of the plan.
func (p Plan) Suite() string {
	if p.HAIP {
		return "oid4vci-1_0-issuer-haip-test-plan"
	}
	return "oid4vci-1_0-issuer-test-plan"
}

// Variant is the plan's variant in the suite's words.
func (p Plan) Variant() map[string]string {
	v := map[string]string{"credential_format": either(p.MDoc, "mdoc", "sd_jwt_vc"),
		"vci_authorization_code_flow_variant": either(p.Offered || p.PreAuthorized, "issuer_initiated", "wallet_initiated")}
	if p.HAIP {
		return v
	}
	v["fapi_profile"], v["sender_constrain"], v["fapi_request_method"] = "vci", "dpop", "unsigned"
	v["openid"], v["fapi_response_mode"] = "plain_oauth", "plain_response"
	v["client_auth_type"] = either(p.Attested, "client_attestation", "private_key_jwt")
	v["authorization_request_type"] = either(p.Details, "rar", "simple")
	v["vci_grant_type"] = either(p.PreAuthorized, "pre_authorization_code", "authorization_code")
	v["vci_credential_encryption"] = either(p.Encrypted, "encrypted", "plain")
	return v
}

// Configuration is the credential configuration that the plan asks for.
func (p Plan) Configuration() string {
	if p.MDoc {
		return TypeID + ".mdoc"
	}
	return TypeID
}

// Grants are the grant types of the plan's clients.
func (p Plan) Grants() []string {
	if p.PreAuthorized {
		return []string{preAuthorized}
	}
	return []string{"authorization_code", "refresh_token"}
}

const preAuthorized = "urn:ietf:params:oauth:grant-type:pre-authorized_code"

func either(yes bool, a, b string) string {
	if yes {
		return a
	}
	return b
}
