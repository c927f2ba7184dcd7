package main

// copies is what a Credential Request must prove before it gets copies.
var copies = []patch{
	{"batch-size", "wallet/issuer/request/request.go", `if len(items) > batch {`, `if len(items) > batch+1 {`, issuing, "TestP06" + sqlite},
	{"batch-one-key-twice", "wallet/issuer/request/proof.go", `if t := one.signer.Thumbprint(); signed[t] {`, `if t := one.signer.Thumbprint(); false {`,
		issuing, "TestP06" + sqlite},
	{"batch-mixed-nonces", "wallet/issuer/request/proof.go", `if out.nonce != "" && one.nonce != out.nonce {`, `if false {`, issuing, "TestP06" + sqlite},
	{"identifier-instead-of-configuration", "wallet/issuer/deliver/deliver.go", `if here(g) && slices.Contains(g.Identifiers, req.Identifier) {`,
		`if len(g.Identifiers) > 0 {`, issuing, "TestIdentifiers" + sqlite},
	{"copies-of-another-device", "internal/sqlstore/issuerstore/record.go", `AND configuration_id = $3 AND instance = $4`,
		`AND configuration_id = $3 AND instance <> $4 || 'x'`, issuing, "TestP16" + sqlite},
	{"attestation-anchor-comes-along", "wallet/issuer/attest/attest.go", `slices.ContainsFunc(p.Anchors, c.Equal)`, `len(h.X5C) == 0`,
		"wallet/issuer/attest", "TestP11"},
	{"attestation-without-end", "wallet/issuer/attest/attest.go", `OptionalExp: !p.NeedExp, RequireIat: true})`, `OptionalExp: true, RequireIat: true})`,
		"wallet/issuer/attest", "TestP11"},
	{"attestation-authority-as-leaf", "wallet/issuer/attest/attest.go", `if leaf.IsCA {`, `if false {`, "wallet/issuer/attest", "TestP11"},
}
