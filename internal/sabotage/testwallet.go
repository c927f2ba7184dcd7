package main

const (
	linkable   = "signing/linkable"
	testWallet = "internal/sample/wallet"
)

// unlinkable is what finds copies that can be recognised; and what the test wallet refuses, because it is the judge of issuers in many tests.
var unlinkable = []patch{
	{"linkable-key", "signing/linkable/look.go", `if at := repeated(column(all, func(t traits) string { return t.key })); at != nil {`,
		`if at := repeated(column(all, func(t traits) string { return t.key })); at != nil && len(at) > 2 {`, linkable, "TestEachLikenessIsFound"},
	{"linkable-index-order", "signing/linkable/look.go", `if v := judge(order(indices)); v != Clean {`, `if v := judge(1 + order(indices)); v != Clean {`, linkable, "TestEachLikenessIsFound"},
	{"linkable-index-near", "signing/linkable/look.go", `if v := judge(near(indices, pool)); v != Clean {`, `if v := judge(1 + near(indices, pool)); v != Clean {`, linkable, "TestEachLikenessIsFound"},
	{"linkable-seconds", "signing/linkable/look.go", `case precise >= 0:`, `case precise > len(all):`, linkable, "TestEachLikenessIsFound"},
	{"linkable-salts", "signing/linkable/look.go", `if j, ok := seen[prefix]; ok {`, `if j, ok := seen[prefix]; ok && j < 0 {`, linkable, "TestEachLikenessIsFound"},
	{"wallet-key-twice", "internal/sample/wallet/check.go", `delete(byThumbprint, thumbprint)`, `_ = thumbprint`, testWallet, "TestRefusesWhatAnIssuerMustNotAnswer"},
	{"wallet-bearer-for-dpop", "internal/sample/wallet/token.go", `(key != nil) != (t.TokenType == "DPoP")`, `t.TokenType == ""`, testWallet, "TestRefusesWhatAnIssuerMustNotAnswer"},
	{"wallet-plain-answer", "internal/sample/wallet/take.go", `if resp.Header.Get("Content-Type") != "application/jwt" {`, `if resp.Header.Get("Content-Type") != "application/jwt" { return resp.Body, nil }; if false {`,
		testWallet, "TestEncryptsWhenItWantsOrMust"},
	{"wallet-copy-twice", "internal/sample/wallet/folder/folder.go", `os.O_WRONLY|os.O_CREATE|os.O_EXCL`, `os.O_WRONLY|os.O_CREATE`, testWallet + "/folder", "TestEachCopyIsGivenOutOnce"},
}
