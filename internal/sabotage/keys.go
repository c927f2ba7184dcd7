package main

const (
	decrypting = "internal/jose/jwe"
	composed   = "cmd/hufu/internal/node"
)

// stolen is what is left when somebody has a key of ours, and what keeps a stranger's JWE from hurting.
var stolen = []patch{
	{"jwe-bomb", "internal/jose/jwe/decrypt.go", `if len(out) > limit {`, `if len(out) > 64*limit {`, decrypting, "TestDecryptStopsInflating"},
	{"jwe-crit", "internal/jose/jwe/decrypt.go", `if _, there := members["crit"]; there {`, `if _, there := members["crit"]; there && len(members) > 99 {`, decrypting,
		"TestDecryptRefuses"},
	{"jwe-zip-unasked", "internal/jose/jwe/decrypt.go", `h.zip && (!p.Zip || zip != "DEF") {`, `h.zip && zip != "DEF" {`, decrypting, "TestDecryptsWhatAnotherLibrary"},
	{"jwe-wrapped-key", "internal/jose/jwe/decrypt.go", `if parts[1] != "" {`, `if len(parts[1]) > 99 {`, decrypting, "TestDecryptRefuses"},
	{"old-key-new-token", "oidc/grant/verify.go", `if !lived {`, `if !lived && v == nil {`, "oidc/grant", "TestT05ATokenIsDated"},
	{"revoked-key-unsaid", "cmd/hufu/internal/node/bundles/bundles.go", `if k.CreditCode() == a.Code {`, `if k.CreditCode() == a.Code && k.ID == "" {`, composed, "TestT08RevokedKeyIsInTheNextBundle"},
	{"revoked-signer-unlisted", "keys/revoke.go", `last.size == len(entries) &&`, `last.size >= 0 &&`, "keys", "TestT08RevocationListOfTheIACA"},
	{"root-revoked-alone", "keys/revoke.go", `if rec.Purpose == BundleRoot {`, `if rec.Purpose == "" {`, "keys", "TestT08RevokeRefuses"},
	{"encryption-key-of-yesterday", "keys/decrypt.go", `for _, state := range []State{Active, Next} {`, `for _, state := range []State{Next, Active} {`, "keys", "TestDecrypterRotates"},
}
