//go:build conformance

package main

import (
	"slices"
	"strings"

	"github.com/hufu-id/hufu/conformance/oidf/vci"
)

// act is what the person does in a module where logging in and agreeing is not it, and what a picture must prove.
type act struct {
	deny bool // she declines on the consent page
	look int  // on so many visits she only looks at the login page
	// shows is a label of visitor.marks that the visit must show before a picture is handed in. "" is an error page of ours.
	shows string
}

// rotatesKeys is the module that waits until the server has a new key.
const rotatesKeys = "oidcc-server-rotate-keys"

// idTokenPurpose are the keys that it means.
const idTokenPurpose = "oidc"

var acts = map[string]act{
	"oidcc-prompt-login":                                                      {shows: "login"},
	"oidcc-max-age-1":                                                         {shows: "login"},
	"oidcc-registration-logo-uri":                                             {look: 1, shows: "client-logo"},
	"oidcc-registration-policy-uri":                                           {look: 1, shows: "client-policy"},
	"oidcc-registration-tos-uri":                                              {look: 1, shows: "client-tos"},
	"oidcc-rp-initiated-logout-bad-post-logout-redirect-uri":                  {shows: "logout-stray"},
	"oidcc-rp-initiated-logout-query-added-to-post-logout-redirect-uri":       {shows: "logout-stray"},
	"oidcc-rp-initiated-logout-no-id-token-hint":                              {shows: "logged-out"},
	"oidcc-rp-initiated-logout-no-params":                                     {shows: "logged-out"},
	"oidcc-rp-initiated-logout-only-state":                                    {shows: "logged-out"},
	"oidcc-rp-initiated-logout-no-post-logout-redirect-uri":                   {shows: "logged-out"},
	fapi2 + "user-rejects-authentication":                                     {deny: true},
	fapi2 + "par-ensure-reused-request-uri-prior-to-auth-completion-succeeds": {look: 1},
}

// fapi2 is how the names of the FAPI modules start.
const fapi2 = "fapi2-security-profile-final-"

// deviation says why a module ends otherwise than passed. A module that isn't here and doesn't pass is a fault of ours.
type deviation struct {
	plan   string // our name; "" is every plan
	module string
	result string // what is expected
	// conditions of the suite that are not met, and no other may be. For a skipped module the module itself is the condition.
	conditions []string
	why        string
}

// pictured are results that only a person's look at a picture would make passed. The runner checked by its elements that our page is the
// right one before it handed in a picture.
const pictured = "the suite leaves a page of ours to a person's eyes; the runner checked its elements"

var deviations = []deviation{
	{"", "oidcc-scope-profile", warning, []string{"VerifyScopesReturnedInUserInfoClaims"},
		"a province proves name, sex and date of birth; what is not known is left out (OpenID Connect Core 5.3.2)"},
	notOffered("oidcc-scope-email", "email"),
	notOffered("oidcc-scope-address", "address"),
	notOffered("oidcc-scope-all", "email, address"),
	notOffered("oidcc-alternate-happy-flow", "email, address"),
	unsigned("oidcc-idtoken-unsigned", "ID tokens"),
	unsigned("oidcc-unsigned-request-object-supported-correctly-or-rejected-as-unsupported", "request objects"),
	unsigned("oidcc-request-uri-unsigned-supported-correctly-or-rejected-as-unsupported", "request objects"),
	unsigned("oidcc-ensure-request-object-with-redirect-uri", "request objects"),
	{"dynamic", "oidcc-discovery-endpoint-verification", failed,
		[]string{"OIDCCCheckDiscEndpointResponseTypesSupportedDynamic", "OIDCCCheckDiscEndpointGrantTypesSupportedDynamic"},
		"the profile wants the implicit flow, which we leave out by decision (RFC 9700 2.1.2)"},
	{"dynamic", "oidcc-request-uri-unsigned", failed, []string{"CheckDiscEndpointRequestUriParameterSupported", "oidcc-request-uri-unsigned"}, noFetching},
	{"dynamic", "oidcc-request-uri-signed-rs256", failed,
		[]string{"CheckDiscEndpointRequestUriParameterSupported", "CheckIfAuthorizationEndpointError"}, noFetching},
}

const noFetching = "request objects are pushed, or come in the request: nothing is fetched for an authorization request (request_uri of OpenID Connect Core 6.2)"

const (
	vciFails  = "oid4vci-1_0-issuer-fail-"
	otherKind = "the module is for the encrypted variant"
	// Here the wallet authenticates at the token endpoint first, where these modules refuse our refusal. They pass in the plans with PAR.
	parOnly = "the suite expects the refusal at PAR, which this flow doesn't have, and takes the right one at the token endpoint for a failure"
)

func init() {
	for _, p := range vci.Plans {
		if !p.HAIP && !p.Encrypted {
			module := vciFails + "unsupported-encryption-algorithm"
			deviations = append(deviations, deviation{p.Name, module, skipped, []string{module}, otherKind})
		}
		if p.PreAuthorized && p.Attested {
			module := vciFails + "invalid-client-attestation-signature"
			deviations = append(deviations, deviation{p.Name, module, failed, []string{module},
				"a fault of the suite: every check passed, then the module goes on after its end (\"this is a bug in the test module\")"})
			for _, name := range []string{"invalid-client-attestation-pop-signature", "client-attestation-exp-in-past", "client-attestation-no-sub", "client-attestation-pop-wrong-aud"} {
				deviations = append(deviations, deviation{p.Name, vciFails + name, failed, []string{"CheckTokenEndpointHttpStatus200"}, parOnly})
			}
		}
	}
}

// unsigned is a module that is skipped because discovery doesn't list "none".
func unsigned(module, what string) deviation {
	return deviation{"", module, skipped, []string{module}, "there are no unsigned " + what + " with us"}
}

// notOffered is a module that is skipped because discovery doesn't list a scope.
func notOffered(module, scopes string) deviation {
	return deviation{"", module, skipped, []string{module}, "provinces don't prove it, so the scope isn't offered: " + scopes}
}

// reason finds why a module ended so, "" when nothing explains it.
func reason(p plan, r moduleResult) string {
	for _, d := range deviations {
		if (d.plan == "" || d.plan == p.name) && d.module == r.module && d.result == r.result && d.explains(r.complaints) {
			return d.why
		}
	}
	if r.result == review && len(r.complaints) == 0 {
		return pictured + ": " + strings.Join(r.pages(), ", ")
	}
	return ""
}

func (d deviation) explains(all []complaint) bool {
	return !slices.ContainsFunc(all, func(c complaint) bool { return !slices.Contains(d.conditions, c.source) })
}
