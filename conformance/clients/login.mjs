// openid-client logs a person in as a confidential client: discovery, PKCE, nonce, state, iss, id_token, userinfo, single sign-on, logout.
import * as oidc from 'openid-client'
import { ask, check, config, equal, main, refused } from './lib.mjs'

const scope = 'openid profile'

async function discover(auth) {
  return oidc.discovery(new URL(config.issuer), config.client_id, { client_secret: config.client_secret }, auth(config.client_secret), {
    execute: [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks],
  })
}

// begin makes a request with everything on; extra goes over it, null leaves out.
async function begin(rp, extra = {}) {
  const verifier = oidc.randomPKCECodeVerifier()
  const state = oidc.randomState()
  const nonce = oidc.randomNonce()
  const url = oidc.buildAuthorizationUrl(rp, {
    redirect_uri: config.redirect_uri, scope, state, nonce, acr_values: 'loa3',
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256', ...extra,
  })
  for (const [name, value] of Object.entries(extra)) if (value === null) url.searchParams.delete(name)
  return { url: url.href, checks: { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true } }
}

async function logIn(rp, how, extra) {
  const attempt = await begin(rp, extra)
  const { callback, pages } = await ask({ open: attempt.url, ...how })
  return { ...attempt, callback: new URL(callback), pages }
}

await main(async () => {
  const basic = await discover(oidc.ClientSecretBasic)
  const post = await discover(oidc.ClientSecretPost)
  const server = basic.serverMetadata()
  equal('issuer', server.issuer, config.issuer)
  check('S256 announced', server.supportsPKCE())
  check('iss announced', server.authorization_response_iss_parameter_supported === true)

  // First login: chooser, province, consent.
  const first = await logIn(basic, { person: 'li-xiuying', consent: true })
  equal('iss in the response', first.callback.searchParams.get('iss'), config.issuer)
  const tokens = await oidc.authorizationCodeGrant(basic, first.callback, first.checks)
  const claims = tokens.claims()
  equal('id_token iss', claims.iss, config.issuer)
  equal('id_token aud', claims.aud, config.client_id)
  equal('acr', claims.acr, 'loa3')
  check('auth_time', typeof claims.auth_time === 'number' && Math.abs(Date.now() / 1000 - claims.auth_time) < 300, claims)
  check('sub names nobody', !JSON.stringify(claims.sub).includes('li-xiuying') && claims.sub.length >= 20, claims.sub)
  check('token type', tokens.token_type === 'bearer', tokens.token_type)
  check('access token lives five minutes at most', tokens.expires_in > 0 && tokens.expires_in <= 300, tokens.expires_in)
  const user = await oidc.fetchUserInfo(basic, tokens.access_token, claims.sub)
  equal('userinfo sub', user.sub, claims.sub)
  equal('userinfo name', user.name ?? claims.name, '李秀英')
  check('no document number', !JSON.stringify({ ...user, ...claims }).includes('resident_id'), user)

  // What must not work, each beside the login above that did.
  await refused('a code works once', /invalid_grant/, () => oidc.authorizationCodeGrant(basic, first.callback, first.checks))
  await refused('a token of nobody is refused', /401|invalid_token|WWW/, () => oidc.fetchUserInfo(basic, tokens.access_token + 'x', claims.sub))

  // Second login: single sign-on, but consent was for once; the other way of client authentication. From then on nothing is asked.
  const second = await logIn(post, { consent: true, standing: true })
  equal('consent for once is asked for again, the province is not', second.pages, 1)
  const again = await oidc.authorizationCodeGrant(post, second.callback, second.checks)
  equal('same subject again', again.claims().sub, claims.sub)
  equal('same login time', again.claims().auth_time, claims.auth_time)

  const wrong = await logIn(basic, {})
  await refused('PKCE: a wrong verifier', /invalid_grant/, () =>
    oidc.authorizationCodeGrant(basic, wrong.callback, { ...wrong.checks, pkceCodeVerifier: oidc.randomPKCECodeVerifier() }))
  const nonce = await logIn(basic, {})
  await refused('nonce: the client sees another one', /CLAIM_COMPARISON.*nonce/, () => oidc.authorizationCodeGrant(basic, nonce.callback, { ...nonce.checks, expectedNonce: 'other' }))
  const bad = await discover(() => oidc.ClientSecretBasic('not the secret'))
  const stolen = await logIn(basic, {})
  await refused('a wrong client secret', /WWW_AUTHENTICATE_CHALLENGE.*basic/, () => oidc.authorizationCodeGrant(bad, stolen.callback, stolen.checks))

  // State and nonce are optional; prompt=none answers from the session.
  const bare = await logIn(basic, {}, { state: null, nonce: null, prompt: 'none' })
  check('state is only echoed', !bare.callback.searchParams.has('state'), bare.callback.href)
  const silent = await oidc.authorizationCodeGrant(basic, bare.callback, { pkceCodeVerifier: bare.checks.pkceCodeVerifier, idTokenExpected: true })
  check('no nonce when none was sent', !('nonce' in silent.claims()), silent.claims())

  // Declining: a person who has given consent is asked again and says no.
  const denied = await logIn(basic, { deny: true }, { prompt: 'consent' })
  equal('a refusal comes back', denied.callback.searchParams.get('error'), 'access_denied')
  equal('a refusal carries iss', denied.callback.searchParams.get('iss'), config.issuer)

  // Logout, and after it prompt=none finds nobody.
  const out = oidc.buildEndSessionUrl(basic, { id_token_hint: tokens.id_token, state: 'bye', ...(config.post_logout && { post_logout_redirect_uri: config.post_logout }) })
  const bye = await ask({ logout: out.href })
  check('logged out', bye.ok, bye)
  const nobody = await logIn(basic, {}, { prompt: 'none' })
  equal('nobody is logged in', nobody.callback.searchParams.get('error'), 'login_required')
  await ask({ subject: claims.sub })
})
