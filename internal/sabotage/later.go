package main

const issuing = "wallet/issuer"

// later is what is given later or under seal: deferred credentials, releases, notifications, encryption.
var later = []patch{
	{"deferred-other-grant", "wallet/issuer/deliver/later.go", `if p.Authority != a.Code || p.GrantID != token.GrantID {`, `if p.Authority != a.Code {`,
		issuing, "TestDeferredIDIsOfOneGrantP09" + sqlite},
	{"deferred-other-authority", "wallet/issuer/deliver/later.go", `if p.Authority != a.Code || p.GrantID != token.GrantID {`, `if p.GrantID != token.GrantID {`,
		issuing, "TestDeferredIDIsOfOneGrantP09" + sqlite},
	{"deferred-twice", "internal/sqlstore/issuerstore/later.go", `UPDATE issuer_pending SET ended_at = $2 WHERE id = $1 AND ended_at = 0`,
		`UPDATE issuer_pending SET ended_at = 0 * $2 WHERE id = $1`, issuing, "TestDeferredIs.*P09" + sqlite},
	{"deferred-expired", "internal/sqlstore/issuerstore/later.go", `WHERE id = $1 AND ended_at = 0 AND expires_at > $2`, `WHERE id = $1 AND ended_at = 0 AND $2 > 0`,
		issuing, "TestDeferredEndsP09" + sqlite},
	{"deferred-refused", "wallet/issuer/deliver/later.go", `case r.State == port.Refused:`, `case false:`, issuing, "TestDeferredAsThingsAreNowP09" + sqlite},
	{"release-of-another", "wallet/issuer/release/release.go", `case l.Issuer != code:`, `case l.Issuer == "":`, issuing, "TestReleasesAreTheAuthoritysOwn" + sqlite},
	{"release-tells-of-another", "wallet/issuer/release/release.go", `case err != nil && !errors.Is(err, port.ErrNotInForce):`, `case err != nil:`,
		issuing, "TestReleasesAreTheAuthoritysOwn" + sqlite},
	{"notification-other-grant", "internal/sqlstore/issuerstore/record.go", `WHERE id = $1 AND authority = $2 AND grant_id = $3`,
		`WHERE id = $1 AND authority = $2 AND $3 = $3`, issuing, "TestNotificationP09" + sqlite},
	{"answer-sealed-for-an-eavesdropper", "wallet/issuer/credential.go", `raw != nil && (!encrypted || i.cfg.Decrypter == nil):`, `raw != nil && i.cfg.Decrypter == nil:`,
		issuing, "TestEncryptedAnswersP10" + sqlite},
	{"request-encryption-optional", "wallet/issuer/credential.go", `case !encrypted && i.cfg.EncryptRequests && i.cfg.Decrypter != nil:`, `case false:`,
		issuing, "TestRequestEncryptionAloneIsRequiredP10" + sqlite},
	{"response-encryption-optional", "wallet/issuer/credential.go", `case raw == nil && i.cfg.EncryptResponses && i.cfg.Decrypter != nil, raw`, `case raw`,
		issuing, "TestEncryptionIsRequiredP10" + sqlite},
	{"answer-enc-unpublished", "wallet/issuer/envelope/envelope.go", `if !slices.Contains(jwe.DecryptEncs(), s.enc) {`, `if false {`,
		issuing, "TestEncryptedAnswersP10" + sqlite},
	{"metadata-signed-as-anything", "wallet/issuer/http.go", `const metadataTyp = "openidvci-issuer-metadata+jwt"`, `const metadataTyp = "JWT"`,
		issuing, "TestSignedMetadata" + sqlite},
}
