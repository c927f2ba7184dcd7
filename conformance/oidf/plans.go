//go:build conformance

package main

import (
	"crypto/rand"
	"maps"
	"slices"
	"strings"

	"github.com/hufu-id/hufu/conformance/oidf/vci"
)

// plan is one plan of the suite in one variant. Adding one is an entry in plans.
type plan struct {
	name    string // ours, stable: it keys the rows of README.md
	plan    string // the suite's
	variant map[string]string
	modules int // how many the suite has in this version
	clients clientKind
}

// clientKind is how the plan's clients come to be registered.
type clientKind int

const (
	noClients     clientKind = iota
	dynamic                  // they register themselves
	secrets                  // two with client_secret_basic, one with client_secret_post, in our configuration
	privateKeys              // two with private_key_jwt and DPoP, profile fapi2
	signedMessage            // as privateKeys, and they sign their requests
	certificates             // two with TLS client certificates, profile fapi2
	wallets                  // two wallets, by private_key_jwt or by the attestation of their provider
)

// with joins variants.
func with(pairs ...string) map[string]string {
	out := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		out[pairs[i]] = pairs[i+1]
	}
	return out
}

var plans = []plan{
	{"config", "oidcc-config-certification-test-plan", nil, 1, noClients},
	{"basic", "oidcc-basic-certification-test-plan",
		with("server_metadata", "discovery", "client_registration", "dynamic_client"), 38, dynamic},
	{"basic-static", "oidcc-basic-certification-test-plan",
		with("server_metadata", "discovery", "client_registration", "static_client"), 35, secrets},
	{"form-post-basic", "oidcc-formpost-basic-certification-test-plan",
		with("server_metadata", "discovery", "client_registration", "dynamic_client"), 38, dynamic},
	{"dynamic", "oidcc-dynamic-certification-test-plan", with("response_type", "code"), 23, dynamic},
	{"rp-logout", "oidcc-rp-initiated-logout-certification-test-plan",
		with("response_type", "code", "client_registration", "dynamic_client"), 11, dynamic},
	{"backchannel-logout", "oidcc-backchannel-rp-initiated-logout-certification-test-plan",
		with("response_type", "code", "client_registration", "dynamic_client"), 2, dynamic},
	{"third-party-login", "oidcc-3rdparty-init-login-certification-test-plan", with("response_type", "code"), 2, dynamic},
	{"fapi2-dpop", "fapi2-security-profile-final-test-plan", with("fapi_profile", "plain_fapi", "client_auth_type", "private_key_jwt",
		"sender_constrain", "dpop", "openid", "openid_connect", "authorization_request_type", "simple"), 56, privateKeys},
	{"fapi2-mtls", "fapi2-security-profile-final-test-plan", with("fapi_profile", "plain_fapi", "client_auth_type", "mtls",
		"sender_constrain", "mtls", "openid", "openid_connect", "authorization_request_type", "simple"), 37, certificates},
	{"fapi2-messages", "fapi2-message-signing-final-test-plan", with("fapi_profile", "plain_fapi", "client_auth_type", "private_key_jwt",
		"sender_constrain", "dpop", "openid", "openid_connect", "authorization_request_type", "simple",
		"fapi_request_method", "signed_non_repudiation", "fapi_response_mode", "jarm"), 70, signedMessage},
}

func init() {
	for _, p := range vci.Plans {
		plans = append(plans, plan{p.Name, p.Suite(), p.Variant(), p.Modules, wallets})
	}
}

// registers says whether the plan's clients register themselves.
func (p plan) registers() bool { return p.clients == dynamic }

// walletsOnly is a server for wallets: no limit of its own, since departments' systems are its clients too.
const walletsOnly = "wallets"

// profile is the one security profile of the server for this plan; "" is all of them.
func (p plan) profile() string {
	switch p.clients {
	case privateKeys, signedMessage, certificates:
		return "fapi2"
	case wallets:
		return walletsOnly
	}
	return ""
}

// variantText is the variant in one line.
func (p plan) variantText() string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(p.variant)) {
		out = append(out, k+"="+p.variant[k])
	}
	return strings.Join(out, " ")
}

// alias is the plan's part of the suite's addresses, and the start of its clients' ids. Two modules under one alias would end each other.
func (p plan) alias() string { return "hufu-" + p.name + "-" + thisRun }

// thisRun tells this run from others at the same suite.
var thisRun = strings.ToLower(rand.Text()[:6])
