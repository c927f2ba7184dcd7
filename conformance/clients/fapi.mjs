// openid-client as a bank, profile fapi2: private_key_jwt, a signed request that is pushed, PKCE, DPoP with the server's nonces, a signed answer (JARM), a
// department's API by its resource indicator, refresh, logout.
import * as jose from 'jose'
import * as oidc from 'openid-client'
import { ask, check, config, equal, main, refused } from './lib.mjs'

const es256 = { name: 'ECDSA', namedCurve: 'P-256' }
const key = { key: await crypto.subtle.importKey('jwk', config.key, es256, false, ['sign']), kid: config.key.kid }

// wanted counts the answers that asked for a nonce, by origin.
const wanted = {}

async function discover(auth = oidc.PrivateKeyJwt(key)) {
  const rp = await oidc.discovery(new URL(config.issuer), config.client_id, { id_token_signed_response_alg: 'ES256', authorization_signed_response_alg: 'ES256' }, auth, {
    execute: [oidc.allowInsecureRequests, oidc.enableNonRepudiationChecks, oidc.useJwtResponseMode],
  })
  rp[oidc.customFetch] = async (url, options) => {
    const res = await fetch(url, options)
    const said = res.status < 400 ? '' : (res.headers.get('www-authenticate') ?? '') + (await res.clone().text())
    if (said.includes('use_dpop_nonce')) wanted[new URL(url).origin] = (wanted[new URL(url).origin] ?? 0) + 1
    return res
  }
  return rp
}

// begin pushes a signed request with everything on; extra goes over it.
async function begin(rp, DPoP, extra = {}) {
  const verifier = oidc.randomPKCECodeVerifier()
  const state = oidc.randomState()
  const nonce = oidc.randomNonce()
  const signed = await oidc.buildAuthorizationUrlWithJAR(rp, {
    redirect_uri: config.redirect_uri, scope: 'openid profile', state, nonce, resource: config.api,
    code_challenge: await oidc.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256', ...extra,
  }, key)
  const url = await oidc.buildAuthorizationUrlWithPAR(rp, signed.searchParams, { DPoP })
  return { url, checks: { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true } }
}

async function logIn(rp, DPoP, how, extra) {
  const attempt = await begin(rp, DPoP, extra)
  const { callback } = await ask({ open: attempt.url.href, callback: config.redirect_uri, ...how })
  return { ...attempt, callback: new URL(callback), answer: jose.decodeJwt(new URL(callback).searchParams.get('response')) }
}

const redeem = (rp, DPoP, login, checks = login.checks) => oidc.authorizationCodeGrant(rp, login.callback, checks, {}, { DPoP })

async function call(rp, token, path, DPoP) {
  const res = await oidc.fetchProtectedResource(rp, token, new URL(config.api + path), 'GET', undefined, undefined, { DPoP })
  return { status: res.status, ...(await res.json()) }
}

await main(async () => {
  const rp = await discover()
  const pair = await oidc.randomDPoPKeyPair('ES256')
  const DPoP = oidc.getDPoPHandle(rp, pair)
  const other = oidc.getDPoPHandle(rp, await oidc.randomDPoPKeyPair('ES256'))

  // Login.
  const first = await logIn(rp, DPoP, { person: 'li-xiuying', consent: true, standing: true })
  equal('the browser carries a reference and the client id only', [...first.url.searchParams.keys()].sort(), ['client_id', 'request_uri'])
  equal('the answer is one signed parameter', [...first.callback.searchParams.keys()], ['response'])
  equal('its issuer and audience', [first.answer.iss, first.answer.aud], [config.issuer, config.client_id])
  const tokens = await redeem(rp, DPoP, first)
  const claims = tokens.claims()
  const thumbprint = await DPoP.calculateThumbprint()
  equal('token type', tokens.token_type, 'dpop')
  equal('the token is bound to the key', jose.decodeJwt(tokens.access_token).cnf, { jkt: thumbprint })
  equal('acr', claims.acr, 'loa3')
  const user = await oidc.fetchUserInfo(rp, tokens.access_token, claims.sub, { DPoP })
  equal('userinfo', user.name, '李秀英')
  equal('the server asked for a nonce once', wanted[config.issuer], 1)

  // The department's API.
  const caller = await call(rp, tokens.access_token, '/caller', DPoP)
  equal('the API knows who calls', [caller.status, caller.sub, caller.client_id, caller.jkt], [200, claims.sub, config.client_id, thumbprint])
  equal('the API asked for a nonce once', wanted[new URL(config.api).origin], 1)
  await refused('D13 API: another key', /invalid_dpop_proof|invalid_token/, () => call(rp, tokens.access_token, '/caller', other))
  await refused('API: as a bearer token', /invalid_token|invalid_dpop_proof/, () => call(rp, tokens.access_token, '/caller'))
  await refused('API: a better login is wanted (RFC 9470)', /insufficient_user_authentication.*loa4/, () => call(rp, tokens.access_token, '/high', DPoP))
  const plain = await redeem(rp, DPoP, await logIn(rp, DPoP, {}, { resource: config.issuer }))
  await refused('API: a token for the issuer alone', /invalid_token/, () => call(rp, plain.access_token, '/caller', DPoP))
  await refused('A16 resource: one that the client is not registered for', /invalid_target/, () => begin(rp, DPoP, { resource: 'https://api.example' }))

  // What must not work at the server.
  await refused('D13 userinfo: another key', /invalid_dpop_proof|invalid_token/, () => oidc.fetchUserInfo(rp, tokens.access_token, claims.sub, { DPoP: other }))
  await refused('userinfo: as a bearer token', /invalid_token|invalid_dpop_proof/, () => oidc.fetchUserInfo(rp, tokens.access_token, claims.sub))
  const wrong = await logIn(rp, DPoP, {})
  await refused('B04 PKCE: a foreign verifier', /invalid_grant/, () => redeem(rp, DPoP, wrong, { ...wrong.checks, pkceCodeVerifier: oidc.randomPKCECodeVerifier() }))
  const bound = await logIn(rp, DPoP, {})
  await refused('B12 a code that was bound at the push, with another key', /invalid_(grant|dpop_proof)/, () => redeem(rp, other, bound))
  const twice = await logIn(rp, DPoP, {})
  const once = await redeem(rp, DPoP, twice)
  await refused('B06 a code works once', /invalid_grant/, () => redeem(rp, DPoP, twice))
  await refused('B06 a second try ends what it gave', /invalid_token/, () => oidc.fetchUserInfo(rp, once.access_token, claims.sub, { DPoP }))
  const stranger = (await crypto.subtle.generateKey(es256, false, ['sign'])).privateKey
  const thief = await discover(oidc.PrivateKeyJwt(stranger))
  await refused('another client key', /invalid_client|WWW_AUTHENTICATE_CHALLENGE/, () => begin(thief, oidc.getDPoPHandle(thief, pair)))
  const bare = await fetch(oidc.buildAuthorizationUrl(rp, { redirect_uri: config.redirect_uri, scope: 'openid' }), { redirect: 'manual' })
  const refusal = new URL(bare.headers.get('location') ?? 'about:blank').searchParams.get('response')
  equal('a request that was not pushed', refusal && jose.decodeJwt(refusal).error, 'invalid_request')

  // Refresh: whoever steals the refresh token of this client can use neither it nor its access tokens, so it stays the same.
  const fresh = await oidc.refreshTokenGrant(rp, tokens.refresh_token, {}, { DPoP })
  equal('no rotation', fresh.refresh_token, tokens.refresh_token)
  equal('same subject', fresh.claims().sub, claims.sub)
  equal('the new token is good at the API', (await call(rp, fresh.access_token, '/caller', DPoP)).status, 200)
  const narrow = await oidc.refreshTokenGrant(rp, tokens.refresh_token, { resource: config.api }, { DPoP })
  equal('a token for the API alone', (await call(rp, narrow.access_token, '/caller', DPoP)).status, 200)
  await refused('it is not for userinfo', /invalid_token/, () => oidc.fetchUserInfo(rp, narrow.access_token, claims.sub, { DPoP }))
  await refused('A16 resource at the token endpoint: one that was not agreed', /invalid_target/, () =>
    oidc.refreshTokenGrant(rp, tokens.refresh_token, { resource: 'https://api.example' }, { DPoP }))
  const moved = await oidc.refreshTokenGrant(rp, tokens.refresh_token, {}, { DPoP: other })
  equal('a refresh with another key binds to that key', (await oidc.fetchUserInfo(rp, moved.access_token, claims.sub, { DPoP: other })).sub, claims.sub)
  await refused('and not to the one before', /invalid_dpop_proof|invalid_token/, () => oidc.fetchUserInfo(rp, moved.access_token, claims.sub, { DPoP }))
  await refused('a refresh without a key', /invalid_request|invalid_dpop_proof/, () => oidc.refreshTokenGrant(rp, tokens.refresh_token))
  await refused("a refresh with another client's key", /invalid_client|WWW_AUTHENTICATE_CHALLENGE/, () => oidc.refreshTokenGrant(thief, tokens.refresh_token, {}, { DPoP: oidc.getDPoPHandle(thief, pair) }))
  const offline = await redeem(rp, DPoP, await logIn(rp, DPoP, { consent: true, standing: true }, { scope: 'openid profile offline_access', prompt: 'consent' }))

  // Logout.
  const bye = await ask({ logout: oidc.buildEndSessionUrl(rp, { id_token_hint: tokens.id_token, post_logout_redirect_uri: config.redirect_uri, state: 'bye' }).href })
  equal('logged out and back', bye.url, config.redirect_uri + '?state=bye')
  const nobody = await logIn(rp, DPoP, {}, { prompt: 'none' })
  equal('nobody is logged in', nobody.answer.error, 'login_required')
  await refused('H05 the refresh token ends with the login', /invalid_grant/, () => oidc.refreshTokenGrant(rp, tokens.refresh_token, {}, { DPoP }))
  check('one with offline_access does not', (await oidc.refreshTokenGrant(rp, offline.refresh_token, {}, { DPoP })).access_token)

  // Somebody with a better login.
  const better = await redeem(rp, DPoP, await logIn(rp, DPoP, { person: 'wang-jianguo', consent: true }))
  const high = await call(rp, better.access_token, '/high', DPoP)
  equal('API: a login of the level that is wanted', [high.status, high.acr], [200, 'loa4'])
  check('another person, another subject', high.sub !== claims.sub, high.sub)
})
