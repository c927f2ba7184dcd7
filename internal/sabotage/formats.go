package main

// formats is what verifiers of mdocs and of lists as CWT rely on.
var formats = []patch{
	{"mdoc-digest", "signing/mdoc/parse.go", `if !there || !bytes.Equal(want, digest(tagged)) {`, `if !there || bytes.Equal(want, digest(nil)) {`, "signing/mdoc", "TestQ16Parse"},
	{"mdoc-random", "signing/mdoc/parse.go", `if len(w.Random) < MinRandom {`, `if len(w.Random) == 0 {`, "signing/mdoc", "TestQ16Parse"},
	{"mdoc-doctype", "signing/mdoc/device.go", `if d.DocType != p.DocType() {`, `if d.DocType == "" {`, "signing/mdoc", "TestQ16Device"},
	{"mdoc-device-elements", "signing/mdoc/device.go", `if may == nil || !slices.Contains(may.NameSpaces, name) && !slices.Contains(may.DataElements[name], id) {`,
		`if may == nil && len(name)+len(id) == 0 {`, "signing/mdoc", "TestQ16Device"},
	{"mdoc-transcript-nonce", "signing/mdoc/device.go", `info := []any{clientID, nonce, nil, responseURI}`, `info := []any{clientID, clientID, nil, responseURI}`, "signing/mdoc", "TestQ16Device"},
	{"cose-alg-unprotected", "signing/cwt/sign1.go", `for _, label := range []any{int64(labelAlg), int64(labelCrit), int64(labelTyp)} {`,
		`for _, label := range []any{int64(labelAlg), int64(labelTyp)} {`, "signing/cwt", "TestParseRefuses"},
	{"cose-duplicate-keys", "signing/cwt/cbor.go", `DupMapKey:          cbor.DupMapKeyEnforcedAPF,`, `DupMapKey:          cbor.DupMapKeyQuiet,`, "signing/cwt", "TestParseRefuses"},
	{"cose-label-in-both", "signing/cwt/sign1.go", `if _, both := unprotected[label]; both {`, `if _, both := unprotected[label]; both && label == nil {`, "signing/cwt", "TestParseRefuses"},
	{"statuslist-cwt-type", "signing/statuslist/cwt.go", `cwt.Policy{Tagged: true, Typ: TypCWT, `, `cwt.Policy{Tagged: true, `, "signing/statuslist", "TestParseCWTRefuses"},
	{"mdoc-signer-usage", "signing/verify/internal/trust/chain.go", `case purpose == DocumentSigner && !(`, `case purpose == "" && !(`, "signing/verify", "TestQ16MdocVerdicts"},
	{"mdoc-signer-country", "signing/verify/internal/trust/chain.go", `case len(ds.Country) != 1 || !slices.Equal(ds.Country, iaca.Country):`, `case len(ds.Country) != 1:`,
		"signing/verify", "TestQ16MdocVerdicts"},
	{"mdoc-signed-outside", "signing/verify/chain.go", `if r.mdoc != nil && !r.path.Covers(r.issued) {`, `if r.mdoc != nil && r.path == nil {`, "signing/verify", "TestQ16MdocVerdicts"},
	{"mdoc-not-authorised", "signing/verify/authority.go", `return a.DocType != "" && a.DocType == r.mdoc.parsed.DocType()`, `return a.DocType != ""`, "signing/verify", "TestQ16MdocVerdicts"},
	{"mdoc-challenge-used", "signing/verify/mdoc.go", `case r.challenge.Used:`, `case false:`, "signing/verify", "TestMdocChallenges"},
}
