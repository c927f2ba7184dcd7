package main

import "slices"

// all are the patches. Where the same tests would notice two of them, both stay: a check is one line, and each line was written for a reason.
func all() []patch {
<<<<<<< HEAD
	return slices.Concat(frontDoor, consent, codes, clients, keysAndProofs, accessTokens, wallets, formats, statusLists, unlinkable, around)
=======
	return slices.Concat(frontDoor, consent, codes, clients, keysAndProofs, accessTokens, wallets, formats, statusLists, registers, around)
>>>>>>> h-register
}

const (
	suite  = "oidc" // most tests play the whole provider
	sqlite = "/sqlite"
)

// frontDoor is the way to a request that counts.
var frontDoor = []patch{
	{"redirect-prefix", "oidc/client/redirect.go", `if slices.Contains(list, uri) {`,
		`if slices.ContainsFunc(list, func(s string) bool { return strings.HasPrefix(uri, s) }) {`, suite, "TestA01RedirectMutants"},
	{"redirect-loopback-path", "oidc/client/redirect.go", `return ok && regHost == host && regRest == rest`, `return ok && regHost == host && len(regRest)+len(rest) > 0`,
		suite, "TestA02LoopbackPortOnly"},
	{"redirect-loopback-port", "oidc/client/redirect.go", `err != nil || n < 1 || n > 65535 || digits[0] == '0' {`, `err != nil || n < 0 {`,
		suite, "TestA02LoopbackPortOnly"},
	{"redirect-unchecked", "oidc/request/request.go", `if !c.AllowsRedirect(v.Get("redirect_uri")) {`, `if v.Get("redirect_uri") == "" {`,
		suite, "TestA04A05"},
	{"parameter-twice", "internal/httpx/form.go", `if len(values) > 1 && !slices.Contains(repeatable, name) {`, `if len(values) > 9 && !slices.Contains(repeatable, name) {`,
		suite, "TestA06DuplicateParameters"},
	{"parameter-in-body-and-query", "oidc/request/request.go", `err == nil && overlap(v, query) {`, `err == nil && overlap(v, query) && len(v) > 99 {`,
		suite, "TestA06DuplicateParameters"},
	{"parameter-in-capitals", "oidc/request/request.go", `key := strings.ToLower(strings.TrimSuffix(name, "[]"))`, `key := strings.TrimSuffix(name, "[]")`,
		suite, "TestA06DuplicateParameters"},
	{"control-characters", "oidc/request/request.go", `return r < ' ' || r == 0x7f }) {`, `return r == 0x7f }) {`, suite, "TestA16OddValues"},
	{"response-type", "oidc/request/checks.go", `case v.Get("response_type") != "code":`, `case false:`, suite, "TestA07A09A12"},
	{"response-mode", "oidc/request/checks.go", `case modes[v.Get("response_mode")] == "":`, `case false:`, suite, "TestA07A09A12"},
	{"request-uri-fetched", "oidc/request/request.go", `case v.Has("request_uri"):`, `case false:`, suite, "TestA07A09A12"},
	{"scope-registered", "oidc/request/checks.go", `if !c.MayAsk(s) {`, `if s == "" {`, suite, "TestA16OddValues"},
	{"resource-registered", "oidc/request/claims.go", `case slices.Contains(c.Resources, r):`, `case r != "":`, suite, "TestA16Foreign"},
	{"claims-size", "oidc/request/claims.go", `if len(raw) > maxClaimsBytes {`, `if false {`, suite, "TestA16ClaimsAreBounded"},
	{"claims-number", "oidc/request/claims.go", `if len(asked.Userinfo)+len(asked.IDToken) > maxClaims {`, `if false {`, suite, "TestA16ClaimsAreBounded"},
	{"par-required", "oidc/request/request.go", `if answer == nil && c.PARRequired() {`, `if false {`, suite, "TestA13A14" + sqlite},
	{"par-other-client", "oidc/par/par.go", `if kept.ClientID != c.ID || !p.Now().Before(kept.ExpiresAt) {`, `if !p.Now().Before(kept.ExpiresAt) {`,
		suite, "TestA13A14" + sqlite},
	{"par-expired", "oidc/par/par.go", `if kept.ClientID != c.ID || !p.Now().Before(kept.ExpiresAt) {`, `if kept.ClientID != c.ID {`, suite, "TestA13A14" + sqlite},
	{"par-used", "internal/sqlstore/oidcstore/pushed.go", `return fmt.Errorf("%w: %w", pushed.ErrUnknown, err)`, `return nil`,
		suite, "TestA14OnePushedRequest" + sqlite},
	{"par-beside", "oidc/request/request.go", `req, err := p.open(ctx, c, uri)`, `req, err := p.open(ctx, c, uri); req.Nonce += v.Get("nonce")`, suite, "TestA13" + sqlite},
	{"par-anonymous", "oidc/par/par.go", `if err == nil && who.Anonymous() {`, `if false {`, suite, "TestA13A14" + sqlite},
	{"par-replayed-assertion", "oidc/par/par.go", `if err := who.UseUp(ctx, h.Store.ClaimOnce); err != nil {`, `if err := error(nil); err != nil {`,
		suite, "TestD02AssertionsAtPAR" + sqlite},
	{"jar-required", "oidc/request/request.go", `case c.RequireRequestObject:`, `case false:`, suite, "TestA09A10RequestObjects"},
	{"jar-algorithm", "oidc/jar/jar.go", `if c.RequestObjectAlg != "" {`, `if false {`, suite, "TestA09RequestObject"},
	{"jar-issuer", "oidc/jar/jar.go", `jose.ClaimPolicy{Issuer: c.ID, Audience: d.Issuer,`, `jose.ClaimPolicy{Audience: d.Issuer,`, suite, "TestA09A10RequestObjects"},
	{"jar-audience", "oidc/jar/jar.go", `jose.ClaimPolicy{Issuer: c.ID, Audience: d.Issuer,`, `jose.ClaimPolicy{Issuer: c.ID,`, suite, "TestA09A10RequestObjects"},
	{"jar-lives-long", "oidc/jar/jar.go", `if exp.After(now.Add(maxLife + leeway)) {`, `if false {`, suite, "TestA09RequestObject"},
	{"jar-no-nbf", "oidc/jar/jar.go", `if c.Policy().RequestObjectWindow {`, `if false {`, suite, "TestA09A10RequestObjects"},
	{"jar-client-id", "oidc/jar/jar.go", `err != nil || id != c.ID {`, `err != nil && id != c.ID {`, suite, "TestA09A10RequestObjects"},
	{"jar-sub", "oidc/jar/jar.go", `"request_uri", "sub", "client_assertion",`, `"request_uri", "client_assertion",`, suite, "TestA09RequestObject"},
	{"jar-replayed-at-par", "oidc/par/par.go", `if object != nil {`, `if false {`, suite, "TestA09A10RequestObjects"},
	{"jar-replayed-in-browser", "oidc/authorize/handler.go", `if req.Object == nil {`, `if true {`, suite, "TestA10ObjectsAreUsedOnce" + sqlite},
	{"pkce-required", "oidc/request/checks.go", `if c.PKCERequired() {`, `if false {`, suite, "TestB01ChallengeMustBeS256"},
	{"pkce-plain", "oidc/request/checks.go", `case v.Get("code_challenge_method") != "S256":`, `case false:`, suite, "TestB01ChallengeMustBeS256"},
	{"hint-of-another-client", "oidc/request/checks.go", `err == nil && got.ClientID != c.ID {`, `err == nil && got.ClientID == "" {`,
		suite, "TestIDTokenHintAtAuthorization"},
	{"hint-type", "oidc/hint/hint.go", `Typ: []string{"JWT"}`, `Typ: []string{"JWT", "logout+jwt"}`, suite, "TestN01TokenKinds"},
}

// consent is who is logged in, to what, and what she agreed to.
var consent = []patch{
	{"hint-of-another-person", "oidc/authorize/decide.go", `case s.HintSubject != "" && s.HintSubject != d.subject:`, `case false:`, suite, "TestIDTokenHintAtAuthorization"},
	{"level", "oidc/authorize/decide.go", `case sess.ACR < s.RequiredACR:`, `case false:`, suite, "TestLevelTooLow"},
	{"max-age", "oidc/authorize/decide.go", `return s.MaxAge == nil || h.cfg.Now()`, `return true || h.cfg.Now()`, suite, "TestPromptMaxAgeAndLevel"},
	{"prompt-login", "oidc/authorize/decide.go", `case !fresh && (s.Asks("login") || s.Asks("select_account")), !h.recent(s, sess, fresh):`,
		`case !h.recent(s, sess, fresh):`, suite, "TestPromptMaxAgeAndLevel"},
	{"person-gone", "oidc/authorize/decide.go", `if d.person, err = h.cfg.Persons.Claims(ctx, sess.PersonID); errors.Is(err, claim.ErrNoPerson) {`,
		`if d.person, err = h.cfg.Persons.Claims(ctx, sess.PersonID); false {`, suite, "TestPersonWhoIsGone"},
	{"consent-standing", "oidc/authorize/decide.go", `err == nil && last.Standing && `, `err == nil && `, suite, "TestConsentIsAskedAgain"},
	{"consent-subset", "oidc/authorize/decide.go", ` && subset(d.asked, last.Asked) {`, ` {`, suite, "TestConsentIsAskedAgain"},
	{"consent-impersonable", "oidc/authorize/decide.go", ` && !c.Impersonable(s.RedirectURI) && `, ` && `, suite, "TestStandingConsent"},
	{"consent-unticked", "oidc/authorize/consent.go", `if !slices.Contains(c.OptionalClaims, item) || form.Get("share-"+item) == "1" {`, `if item != "" {`,
		suite, "TestOnlyAgreedClaims"},
	{"consent-csrf", "oidc/authorize/consent.go", `if err != nil || h.checkForm(r, state, bound, form.Get("csrf")) != nil {`, `if err != nil {`, suite, "TestG01FormsNeedOurOrigin"},
	{"consent-another-person", "oidc/authorize/consent.go", `if form.Get("csrf") != httpx.FormToken([]byte(state.CSRF), bound) {`, `if false {`, suite, "TestG03ConsentOfAnother"},
	{"flow-expired", "internal/httpx/seal.go", `if c.now().Unix() >= cv.Exp {`, `if cv.Exp == 0 {`, suite, "TestA07NoToken"},
	{"session-adopted", "internal/sqlstore/oidcstore/sessions.go", `DELETE FROM oidc_sessions WHERE key = $1` + "`, replaces", `DELETE FROM oidc_sessions WHERE key = $1 AND 1 = 0` + "`, replaces",
		suite, "TestG03FreshSession" + sqlite},
	{"session-idle", "oidc/session/manager.go", ` || !now.Before(s.UsedAt.Add(IdleLife)) {`, ` {`, suite, "TestSessionEnds" + sqlite},
	{"session-absolute", "oidc/session/manager.go", `if !now.Before(s.ExpiresAt) || `, `if `, suite, "TestSessionEnds" + sqlite},
}

// codes is what a code is bound to.
var codes = []patch{
	{"code-client", "oidc/token/grants.go", `case g.ClientID != req.who.Client().ID:`, `case false:`, suite, "TestB05" + sqlite},
	{"code-redirect", "oidc/token/grants.go", `case g.RedirectURI != req.form.Get("redirect_uri"):`, `case false:`, suite, "TestB05" + sqlite},
	{"code-verifier", "oidc/token/grants.go", `case g.Challenge != "" && !verifies(g.Challenge, verifier):`,
		`case g.Challenge != "" && verifier != "" && !verifies(g.Challenge, verifier):`, suite, "TestB02" + sqlite},
	{"code-verifier-unasked", "oidc/token/grants.go", `case g.Challenge == "" && verifier != "":`, `case false:`, suite, "TestB02B03B04" + sqlite},
	{"code-dpop-key", "oidc/token/grants.go", `case g.JKT != "" && g.JKT != req.shown.JKT:`, `case false:`, suite, "TestB12" + sqlite},
	{"code-not-burnt", "oidc/token/grants.go", `invalidGrant(mismatch), h.burn(ctx, g, req, string(mismatch))`, `invalidGrant(mismatch), nil`, suite, "TestB02B03B04" + sqlite},
	{"code-used", "internal/sqlstore/oidcstore/grants.go", `WHERE code = $1 AND code_state = 1 AND code_expires > $2`, `WHERE code = $1 AND code_expires > $2`,
		suite, "TestB06" + sqlite},
	{"code-expired", "internal/sqlstore/oidcstore/grants.go", `WHERE code = $1 AND code_state = 1 AND code_expires > $2`, `WHERE code = $1 AND code_state = 1 AND code_expires > 0 * $2`,
		suite, "TestB09" + sqlite},
	{"code-reused", "oidc/token/grants.go", `if now.CodeState != grant.Used {`, `if now.CodeState != grant.Used || true {`, suite, "TestB06" + sqlite},
	{"machine-scope", "oidc/token/grants.go", `if !ok || !c.MayAsk(s) {`, `if !ok {`, suite, "TestMachineScopes"},
	{"grant-type-registered", "oidc/token/token.go", `if !req.who.Anonymous() && !c.Has(grantType) {`, `if !req.who.Anonymous() && c.ID == "" {`, suite, "TestTokenEndpointErrors"},
	{"grant-without-client", "oidc/token/token.go", `if req.who.Anonymous() && (grantType != client.PreAuthorizedCode || !h.cfg.Anonymous) {`, `if false {`, suite, "TestTokenEndpointErrors"},
}

// clients is how clients prove who they are, and register.
var clients = []patch{
	{"two-methods", "oidc/client/authenticate.go", `if methods > 1 || len(header) > 1 || `, `if len(header) > 1 || `, suite, "TestD06"},
	{"secret", "oidc/client/authenticate.go", `if !c.knows(secret, a.Now()) {`, `if secret == "" {`, suite, "TestD06"},
	{"secret-of-before", "oidc/client/authenticate.go", `return current || previous && now.Before(c.PreviousSecretEnds)`, `return current || previous`,
		"oidc/client", "TestPreviousSecret"},
	{"secret-not-shown", "oidc/client/authenticate.go", `	case None:`, `	case None, SecretBasic:`, suite, "TestD06"},
	{"method-registered", "oidc/client/authenticate.go", `if c.AuthMethod != PrivateKeyJWT {`, `if false {`, suite, "TestD06AKeyOnFile"},
	{"secret-of-key-client", "oidc/client/authenticate.go", `if c.AuthMethod != SecretBasic && c.AuthMethod != SecretPost {`, `if false {`, suite, "TestD06AKeyOnFile"},
	{"assertion-algorithm", "oidc/client/authenticate.go", `!slices.Contains(c.Policy().SigningAlgs, alg) || `, ``, suite, "TestD01AlgorithmsByProfile"},
	{"assertion-audience-list", "oidc/client/authenticate.go", `if err != nil || len(list) != 1 {`, `if err != nil || len(list) == 0 {`, suite, "TestD01D03D04D05"},
	{"assertion-audience", "oidc/client/authenticate.go", `return list[0] == a.Issuer || `, `return list[0] != "" || `, suite, "TestD01D03D04D05"},
	{"assertion-audience-profile", "oidc/client/authenticate.go", `policy.TokenEndpointAudience && slices`, `slices`, suite, "TestD03AudiencesByProfile"},
	{"assertion-array-profile", "oidc/client/authenticate.go", `!single && !policy.AudienceArray {`, `false && single {`, suite, "TestD03AudiencesByProfile"},
	{"assertion-lives-long", "oidc/client/authenticate.go", `maxAssertionLife = time.Hour`, `maxAssertionLife = 100 * time.Hour`, suite, "TestD01D03D04D05"},
	{"assertion-issuer", "oidc/client/authenticate.go", `		Issuer: c.ID, At: a.Now(),`, `		At: a.Now(),`, suite, "TestD01D03D04D05"},
	{"assertion-replayed", "oidc/client/authenticate.go", `err := once(ctx, AssertionKind, `, `return nil; err := once(ctx, AssertionKind, `, suite, "TestD02" + sqlite},
	{"client-disabled", "oidc/client/registry.go", `if e.client.Disabled || !r.serves(e.client) {`, `if !r.serves(e.client) {`, suite, "TestClientCredentialsAndDisabled" + sqlite},
	{"client-of-another-profile", "oidc/client/registry.go", `if e.client.Disabled || !r.serves(e.client) {`, `if e.client.Disabled {`, suite, "TestServerOfOneProfile"},
	{"certificate-none", "oidc/client/authenticate.go", `if err := a.certificate(r, c); err != nil {`, `if err := error(nil); err != nil {`, suite, "TestD11"},
	{"certificate-key", "oidc/client/authenticate.go", `if !MatchesSelfSigned(chain[0], keys, a.Now()) {`, `if len(keys) == 0 {`, suite, "TestD11"},
	{"certificate-name", "oidc/client/authenticate.go", `if !c.Matches(chain[0]) {`, `if false {`, suite, "TestD11"},
	{"registration-token", "oidc/registration/registration.go", ` || !client.SecretMatches(token, c.TokenHash):`, `:`, "oidc/registration", "TestF05" + sqlite},
	{"registration-quota", "internal/sqlstore/oidcstore/clients.go", `SET remaining = remaining - 1 WHERE hash = $1 AND remaining > 0 AND expires_at > $2`,
		`SET remaining = remaining - 1 WHERE hash = $1 AND expires_at > $2`, "oidc/registration", "TestF01QuotaHolds" + sqlite},
	{"registration-initial-token", "oidc/registration/registration.go", `r.Header.Get("Authorization") == "" && h.cfg.Policy.Mode == Open {`, `r.Header.Get("Authorization") == "" {`, "oidc/registration", "TestF01" + sqlite},
	{"registration-public", "oidc/registration/registration.go", `if c.Public != old.Public {`, `if false {`, "oidc/registration", "TestF02"},
	{"registration-scope", "oidc/registration/metadata.go", `if !slices.Contains(p.Scopes, s) {`, `if s == "" {`, "oidc/registration", "TestForbidden"},
	{"registration-grant-type", "oidc/registration/metadata.go", `if g != client.AuthorizationCode && g != client.RefreshToken {`, `if g == "" {`, "oidc/registration", "TestF02"},
	{"registration-profile", "oidc/registration/metadata.go", `if !slices.Contains(p.profiles(), c.Profile) {`, `if false {`, "oidc/registration", "TestProfiles"},
	{"registration-sector", "oidc/registration/metadata.go", `if !slices.Contains(listed, uri) {`, `if uri == "" {`, "oidc/registration", "TestSector"},
	{"registration-statement", "oidc/registration/statement.go", `if issuer.Issuer != iss {`, `if iss == "" {`, "oidc/registration", "TestSoftwareStatement"},
	{"keys-asked-for-often", "oidc/client/keys.go", `if needed && now.Sub(r.tried) >= keysPause {`, `if needed {`, "oidc/client", "TestD08"},
	{"keys-that-are-gone", "oidc/client/keys.go", `r.keys, r.fetched = keys, now`, `r.keys, r.fetched = append(r.keys, keys...), now`, "oidc/client", "TestE04"},
	{"keys-too-old", "oidc/client/keys.go", `if now.Sub(r.fetched) >= keysStale {`, `if r.fetched.IsZero() {`, "oidc/client", "TestKeysOutlive"},
	{"certificate-of-another-ca", "oidc/client/authenticate.go", `if err := VerifyChain(chain, a.ClientCAs, a.Now()); err != nil {`, `if err := error(nil); err != nil {`, suite, "TestD11"},
	{"registration-id", "oidc/registration/registration.go", `if m.ClientID != old.ID {`, `if false {`, "oidc/registration", "TestF0"},
}

// keysAndProofs is what is bound to a key or a certificate.
var keysAndProofs = []patch{
	{"dpop-two", "oidc/dpop/dpop.go", `	case 1:`, `	case 1, 2:`, "oidc/dpop", "TestD13"},
	{"dpop-type", "oidc/dpop/dpop.go", `Typ: []string{"dpop+jwt"}`, `Typ: []string{"dpop+jwt", "JWT"}`, "oidc/dpop", "TestD13"},
	{"dpop-htm", "oidc/dpop/dpop.go", `err != nil || htm != e.Method {`, `err != nil || htm == "" {`, "oidc/dpop", "TestD13"},
	{"dpop-htu", "oidc/dpop/dpop.go", `if got != want {`, `if got == "" && want == "" {`, "oidc/dpop", "TestD13"},
	{"dpop-ath", "oidc/dpop/dpop.go", `if err != nil || subtle.ConstantTimeCompare([]byte(ath), []byte(hash(e.AccessToken))) != 1 {`,
		`if err != nil || subtle.ConstantTimeCompare([]byte(ath), []byte(hash(e.AccessToken))) == 9 {`,
		"oidc/dpop", "TestD13"},
	{"dpop-iat", "oidc/dpop/dpop.go", `case off <= window:`, `case true:`, "oidc/dpop", "TestD13"},
	{"dpop-nonce", "oidc/dpop/dpop.go", `if !e.Nonces.Valid(nonce, e.At) {`, `if nonce == "" {`, "oidc/dpop", "TestProofWithNonce"},
	{"dpop-nonce-by-profile", "oidc/token/bind.go", `h.cfg.Bindings.At(r, "/token", c.Policy().DPoPNonce)`, `h.cfg.Bindings.At(r, "/token", false)`,
		suite, "TestFAPI2Login" + sqlite},
	{"dpop-replayed", "oidc/binding/binding.go", `if b.proof == "" {`, `if true {`, suite, "TestFAPI2Login" + sqlite},
	{"dpop-jkt-at-par", "oidc/par/par.go", `if shown.JKT != "" && req.JKT != "" && shown.JKT != req.JKT {`, `if false {`, suite, "TestB12" + sqlite},
	{"dpop-binds-pushed-code", "oidc/par/par.go", `req.JKT = max(req.JKT, shown.JKT)`, ``, suite, "TestB12" + sqlite},
	{"dpop-required", "oidc/token/bind.go", `case c.DPoPRequired() && key.JKT == "":`, `case false:`, suite, "TestD13TokensMustBeBound"},
	{"binding-required", "oidc/token/bind.go", `case c.BindingRequired() && key == binding.Binding{}:`, `case false:`, suite, "TestD13TokensMustBeBound"},
	{"bound-token-as-bearer", "oidc/access/access.go", `case t.JKT != "" && !isDPoP:`, `case false:`, suite, "TestFAPI2Login" + sqlite},
	{"bound-token-other-key", "oidc/access/access.go", `case t.JKT != "" && shown.JKT != t.JKT:`, `case false:`, suite, "TestFAPI2Login" + sqlite},
	{"bound-token-other-cert", "oidc/access/access.go", `case t.CertThumbprint != "" && shown.CertThumbprint != t.CertThumbprint:`, `case false:`, suite, "TestD13Certificate" + sqlite},
}

// accessTokens is what a token is good for, and who hears of it.
var accessTokens = []patch{
	{"refresh-other-client", "oidc/token/refresh.go", `case g.ClientID != req.who.Client().ID:`, `case false:`, suite, "TestRefreshErrors"},
	{"refresh-lapsed", "oidc/token/refresh.go", `if lapsed != "" {`, `if false {`, suite, "TestC04/C04" + sqlite},
	{"refresh-widened", "oidc/token/refresh.go", `if !slices.Contains(granted, s) {`, `if s == "" && !slices.Contains(granted, s) {`, suite, "TestRefreshedTokens" + sqlite},
	{"refresh-reused", "oidc/token/refresh.go", `	err = h.cfg.Store.Revoke(ctx, g.ID, req.at, audit.Event{`, `	err = h.cfg.Store.Revoke(ctx, "", req.at, audit.Event{`, suite, "TestC02C03" + sqlite},
	{"refresh-window", "oidc/token/refresh.go", `req.at.Sub(now.RefreshAt) <= RetryWindow {`, `true {`, suite, "TestC02C03" + sqlite},
	{"refresh-generation", "internal/sqlstore/oidcstore/grants.go", `WHERE id = $1 AND refresh_generation = $2 AND`, `WHERE id = $1 AND refresh_generation >= $2 AND`,
		suite, "TestC02C03" + sqlite},
	{"refresh-end", "internal/sqlstore/oidcstore/grants.go", `AND refresh_expires > $3 AND code_state IN (0, 2)`, `AND refresh_expires > 0 * $3 AND code_state = 2`, suite, "TestC06" + sqlite},
	{"refresh-key", "oidc/token/refresh.go", `sameKey := g.RefreshKey == "" || `, `sameKey := true || `, suite, "TestRefreshTokensOfAKey" + sqlite},
	{"introspect-audience", "oidc/tokens/tokens.go", `if t.ClientID != c.ID && !slices`, `if t.ClientID == "" && !slices`, suite, "TestD12" + sqlite},
	{"introspect-public", "oidc/tokens/tokens.go", `if err == nil && c.Public {`, `if false {`, suite, "TestD12" + sqlite},
	{"revoke-other-client", "oidc/tokens/tokens.go", `err == nil && g.ClientID != c.ID {`, `err == nil && g.ClientID == "" {`, suite, "TestRevocationEnds" + sqlite},
	{"revoke-failed", "oidc/tokens/tokens.go", `if err != nil && !errors.As(err, &answer) {`, `if err = nil; err != nil && !errors.As(err, &answer) {`, suite, "TestC07" + sqlite},
	{"token-type", "oidc/grant/verify.go", `Typ: []string{Type}`, `Typ: []string{Type, "JWT"}`, suite, "TestN01TokenKinds"},
	{"token-audience", "oidc/grant/verify.go", `if err == nil && !slices.Contains(t.Audience, audience) {`, `if err == nil && len(t.Audience)+len(audience) == 0 {`, suite, "TestClientCredentialsAndDisabled" + sqlite},
	{"token-revoked", "oidc/grant/verify.go", `case !g.RevokedAt.IsZero():`, `case false:`, suite, "TestB06" + sqlite},
	{"token-of-openid", "oidc/userinfo.go", `if err == nil && (t.PersonID == "" || !slices.Contains(t.Scopes, claim.OpenID)) {`, `if err == nil && (t.PersonID == "" || slices.Contains(t.Scopes, claim.OpenID+"x")) {`,
		suite, "TestUserinfoNeedsOpenID"},
	{"token-seen-expired", "oidc/grant/seen.go", `now.Before(c.token.ExpiresAt) && `, ``, suite, "TestN01OtherTokens" + sqlite},
	{"token-seen-key-gone", "oidc/grant/seen.go", ` && slices.ContainsFunc(keys, published)`, ` && (published != nil || slices.ContainsFunc(keys, published))`, "oidc/grant", "TestATokenSeenBefore"},
	{"token-opaque-expired", "oidc/grant/opaque.go", `if !at.Before(t.ExpiresAt) {`, `if at.IsZero() {`, suite, "TestD12" + sqlite},
	{"token-of-no-client", "oidc/grant/verify.go", `case g.Subject != t.Subject || g.ClientID != t.ClientID:`, `case false:`, suite, "TestN01TokensOfTheirGrant"},
	{"token-in-query", "oidc/userinfo.go", `if _, inQuery := r.URL.Query()["access_token"]; inQuery {`, `if false {`, suite, "TestUserinfoByPost"},
}

// around is what holds for every request, and the logout.
var around = []patch{
	{"logout-hint-of-another", "oidc/logout/request.go", `case req.ClientID != "" && req.ClientID != got.ClientID:`, `case false:`, suite, "TestH01H02Logout" + sqlite},
	{"logout-fits", "oidc/logout/handler.go", `return req.subject != "" && req.subject == `, `return req.subject != "" || req.subject == `, suite, "TestH01H02Logout" + sqlite},
	{"logout-csrf", "oidc/logout/handler.go", `form.Get("csrf")); err != nil {`, `form.Get("csrf")); err == nil && false {`, suite, "TestH01H02Logout" + sqlite},
	{"logout-address", "oidc/logout/request.go", `if !c.AllowsPostLogoutRedirect(next) {`, `if next == "" {`, suite, "TestH01H02Logout" + sqlite},
	{"logout-grants", "internal/sqlstore/oidcstore/logout.go", `WHERE session = $1 AND offline = 0 AND`, `WHERE session = $1 AND offline = 2 AND`, suite, "TestH05RefreshTokens" + sqlite},
	{"logout-offline", "internal/sqlstore/oidcstore/logout.go", `WHERE session = $1 AND offline = 0 AND`, `WHERE session = $1 AND`, suite, "TestH05RefreshTokens" + sqlite},
	{"logout-told-twice", "internal/sqlstore/oidcstore/logout.go", `WHERE id = $1 AND attempts = $2 AND state = 0 AND next_at <= $3`, `WHERE id = $1 AND $2 >= 0 AND state = 0 AND $3 > 0`, suite, "TestTwoNodesDeliver" + sqlite},
	{"logout-token-type", "oidc/logout/deliver.go", `const Type = "logout+jwt"`, `const Type = "JWT"`, suite, "TestH03" + sqlite},
	{"trail-values", "oidc/trail/redact.go", `out[name] = Present`, `out[name] = clean(value)`, suite, "TestU01NothingSecret"},
	{"trail-names", "oidc/trail/redact.go", `others = append(others, "?")`, `others = append(others, name)`, suite, "TestU01NothingSecret"},
	{"trail-other-client", "oidc/developer/developer.go", `if s.Client != id {`, `if s.Client == "" {`, suite, "TestOnlyTheClientsDeveloper"},
	{"trail-previous-secret", "oidc/developer/developer.go", `if h.Now().Before(c.PreviousSecretEnds) {`, `if c.PreviousSecretHash != "" {`, suite, "TestOnlyTheClientsDeveloper"},
	{"trail-changed-secret", "oidc/developer/developer.go", `err == nil && !h.proves(c, s.Proof)`, `err == nil && s.Proof == ""`, suite, "TestADevelopersSessionEnds"},
	{"trail-fair", "internal/sqlstore/trailstore/trailstore.go", `ORDER BY turn, at DESC) AS place`, `ORDER BY at DESC) AS place`, "internal/sqlstore/trailstore", "TestNoise" + sqlite},
	{"form-cross-site", "internal/httpx/origin.go", `case "same-origin":`, `case "same-origin", "same-site":`, "internal/httpx", "TestCheckForm"},
	{"form-type", "internal/httpx/form.go", `err != nil || ct != "application/x-www-form-urlencoded" {`, `err != nil || ct == "" {`, "internal/httpx", "TestForm"},
	{"body-size", "internal/httpx/wrap.go", `r.Body = http.MaxBytesReader(rec, r.Body, limit)`, `r.Body = http.MaxBytesReader(rec, r.Body, limit<<9)`, "internal/httpx", "TestForm"},
	{"framing", "internal/httpx/wrap.go", `frame-ancestors 'none'; `, ``, suite, "TestG10G11"},
	{"client-redirects", "internal/httpx/client.go", `return http.ErrUseLastResponse`, `return nil`, "internal/httpx", "TestClientFollowsNoRedirects"},
	{"client-inner-address", "internal/httpx/client.go", `ControlContext: c.guard`, ``, "internal/httpx", "TestE01TheGuard"},
}
