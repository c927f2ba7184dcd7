package main

// wallets is how a wallet proves what it is, and what it was granted.
var wallets = []patch{
	{"attestation-audience", "oidc/attestation/proof.go", `jose.ClaimPolicy{Audience: e.Audience, At: e.At,`, `jose.ClaimPolicy{At: e.At,`, "oidc/attestation", "TestP11Matrix"},
	{"attestation-client", "oidc/attestation/proof.go", `if a.clientID != e.ClientID {`, `if a.clientID == "" {`, "oidc/attestation", "TestP11Matrix"},
	{"attestation-anchor-inside", "oidc/attestation/chain.go", `if bytes.Equal(a.Raw, c.Raw) {`, `if bytes.Equal(a.Raw, nil) {`, "oidc/attestation", "TestP11Matrix"},
	{"attestation-chain", "oidc/attestation/chain.go", `_, err := leaf.Verify(`, `roots.AddCert(leaf); _, err := leaf.Verify(`, "oidc/attestation", "TestP11Matrix"},
	{"attestation-challenge", "oidc/attestation/proof.go", `fresh = e.Challenge != nil && e.Challenge(challenge); !fresh {`, `fresh = e.Challenge != nil && challenge != ""; !fresh {`,
		"oidc/attestation", "TestP11Matrix"},
	{"attestation-combined-key", "oidc/attestation/proof.go", `case a.key.Thumbprint() != proofKey:`, `case proofKey == "":`, "oidc/attestation", "TestCombinedMode"},
	{"attestation-replayed", "oidc/attester/attester.go", `id, expires = base64.RawURLEncoding.EncodeToString(sum[:]), i.Expires()`,
		`id, expires = base64.RawURLEncoding.EncodeToString(sum[:])+time.Now().String(), i.Expires()`, suite, "TestP11WalletAttestation" + sqlite},
	{"attestation-provider", "oidc/attester/attester.go", `provider, ok := (*a.providers.Load())[c.WalletProvider]`,
		`provider, ok := (*a.providers.Load())["haip"]`, suite, "TestP11WalletAttestation" + sqlite},
	{"code-of-an-instance", "oidc/token/grants.go", `case g.Instance != "" && g.Instance != req.who.Instance():`, `case false:`, suite, "TestP11CodeIsTheInstances" + sqlite},
	{"refresh-of-an-instance", "oidc/token/refresh.go", `return "instance:" + r.who.Instance()`, `return "instance:"`, suite, "TestHAIPWallet" + sqlite},
	{"haip-dpop", "oidc/client/policy.go", `func (c Client) DPoPRequired() bool { return c.DPoPBound || c.Policy().RequireDPoP }`, `func (c Client) DPoPRequired() bool { return c.DPoPBound }`,
		suite, "TestHAIPPolicy" + sqlite},
	{"details-locations", "oidc/credential/credential.go", `if !slices.Contains(c.Issuers, l) {`, `if l == "" {`, suite, "TestDetailsOfCredentials" + sqlite},
	{"details-client", "oidc/request/details.go", `case !c.MayAsk(configuration.Scope):`, `case configuration.Scope == "":`, suite, "TestDetailsOfCredentials" + sqlite},
	{"details-not-granted", "oidc/credential/narrow.go", `if i < 0 {`, `if i < 0 && len(granted) == 0 {`, "oidc/credential", "TestNarrow"},
	{"details-of-an-offer", "oidc/token/grants.go", `if slices.ContainsFunc(d.Locations, func(l string) bool { return !slices.Contains(g.Audience, l) }) {`, `if len(d.Locations) > 9 {`, suite, "TestPreAuthorizedCodeWithDetails" + sqlite},
	{"details-after-scope-lost", "oidc/credential/credential.go", `return err != nil || !may(c.Scope)`, `return err != nil || c.Scope == ""`, suite, "TestTokenNarrowsDetails" + sqlite},
}
