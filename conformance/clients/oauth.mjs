// oauth4webapi, which leaves every step to its user: registers itself by RFC 7591, pushes, takes nonces by hand, redeems, refreshes, introspects, revokes, logs out,
// and judges our access tokens as an API would.
import * as jose from 'jose'
import * as oauth from 'oauth4webapi'
import { ask, check, config, equal, main, refused } from './lib.mjs'

const insecure = { [oauth.allowInsecureRequests]: true } // loopback
const scope = 'openid profile offline_access'
const as = await oauth.processDiscoveryResponse(new URL(config.issuer), await oauth.discoveryRequest(new URL(config.issuer), insecure))

// register makes a client of profile fapi2 with keys of its own.
async function register(name, alg) {
  const pair = await oauth.generateKeyPair(alg)
  const kid = `${name}-key`
  const jwks = { keys: [{ ...(await crypto.subtle.exportKey('jwk', pair.publicKey)), kid, use: 'sig', alg }] }
  const response = await oauth.dynamicClientRegistrationRequest(as, {
    client_name: name, redirect_uris: [config.redirect_uri], post_logout_redirect_uris: [config.redirect_uri], jwks, profile: 'fapi2',
    grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'], token_endpoint_auth_method: 'private_key_jwt', id_token_signed_response_alg: 'ES256',
    dpop_bound_access_tokens: true, scope,
  }, insecure)
  const client = await oauth.processDynamicClientRegistrationResponse(response)
  const key = await oauth.generateKeyPair(alg)
  return { client, auth: oauth.PrivateKeyJwt({ key: pair.privateKey, kid }), key, DPoP: oauth.DPoP(client, key) }
}

// withNonce sends, and once more when the server wants its nonce in the proof. It returns the answer and how often it was sent.
async function withNonce(send, process) {
  try {
    return { got: await process(await send()), sent: 1 }
  } catch (e) {
    if (!oauth.isDPoPNonceError(e)) throw e
    return { got: await process(await send()), sent: 2 }
  }
}

async function push(rp, extra = {}) {
  const verifier = oauth.generateRandomCodeVerifier()
  const state = oauth.generateRandomState()
  const nonce = oauth.generateRandomNonce()
  const parameters = { redirect_uri: config.redirect_uri, response_type: 'code', scope, state, nonce, code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256', ...extra }
  const { got, sent } = await withNonce(() => oauth.pushedAuthorizationRequest(as, rp.client, rp.auth, parameters, { ...insecure, DPoP: rp.DPoP }),
    (response) => oauth.processPushedAuthorizationResponse(as, rp.client, response))
  const url = new URL(as.authorization_endpoint)
  url.searchParams.set('client_id', rp.client.client_id)
  url.searchParams.set('request_uri', got.request_uri)
  return { url: url.href, sent, expires: got.expires_in, verifier, state, nonce }
}

const open = async (login, how = {}) => new URL((await ask({ open: login.url, callback: config.redirect_uri, ...how })).callback)

async function redeem(rp, login, callback, verifier = login.verifier) {
  const parameters = oauth.validateAuthResponse(as, rp.client, callback, login.state)
  const { got } = await withNonce(() => oauth.authorizationCodeGrantRequest(as, rp.client, rp.auth, parameters, config.redirect_uri, verifier, { ...insecure, DPoP: rp.DPoP }),
    (response) => oauth.processAuthorizationCodeResponse(as, rp.client, response, { expectedNonce: login.nonce, requireIdToken: true }))
  return got
}

async function logIn(rp, how, extra) {
  const login = await push(rp, extra)
  return redeem(rp, login, await open(login, how))
}

const refresh = (rp, token, DPoP = rp.DPoP) => withNonce(() => oauth.refreshTokenGrantRequest(as, rp.client, rp.auth, token, { ...insecure, DPoP }),
  (response) => oauth.processRefreshTokenResponse(as, rp.client, response)).then(({ got }) => got)

const userinfo = (rp, token, DPoP = rp.DPoP) => withNonce(() => oauth.userInfoRequest(as, rp.client, token, { ...insecure, DPoP }),
  (response) => oauth.processUserInfoResponse(as, rp.client, oauth.skipSubjectCheck, response))

async function introspect(rp, token, requestJwtResponse = false) {
  const response = await oauth.introspectionRequest(as, rp.client, rp.auth, token, { ...insecure, requestJwtResponse })
  const kind = response.headers.get('content-type')
  const got = await oauth.processIntrospectionResponse(as, rp.client, response)
  if (requestJwtResponse) await oauth.validateApplicationLevelSignature(as, response, insecure)
  return { ...got, kind }
}

const revoke = async (rp, token) => oauth.processRevocationResponse(await oauth.revocationRequest(as, rp.client, rp.auth, token, insecure))

// judge lets the library check an access token as an API would: RFC 9068, and the proof of a request that was never sent.
async function judge(rp, token, audience) {
  const taken = []
  const fetchNothing = async (url, options) => {
    taken.push(new Request(url, { headers: options.headers, method: options.method }))
    return new Response('{}')
  }
  await oauth.protectedResourceRequest(token, 'GET', new URL('http://localhost/api'), undefined, undefined, { ...insecure, DPoP: rp.DPoP, [oauth.customFetch]: fetchNothing })
  return oauth.validateJwtAccessToken(as, taken[0], audience, { ...insecure, requireDPoP: true })
}

await main(async () => {
  const rp = await register('oauth4webapi', 'ES256')
  const other = await register('another client', 'Ed25519') // the name of RFC 9864 for EdDSA
  check('registered', rp.client.client_id.startsWith('dyn-') && rp.client.client_id !== other.client.client_id, rp.client)
  check('endpoints are listed', as.introspection_endpoint && as.revocation_endpoint && as.pushed_authorization_request_endpoint, as)

  // Login. The first push has no nonce yet; from then on the library has the one of the last answer.
  const first = await push(rp)
  equal('the first push is sent again with a nonce', first.sent, 2)
  check('the reference lives a minute or so', first.expires >= 5 && first.expires <= 600, first.expires)
  await refused("the nonce error is the library's own", /use_dpop_nonce/, async () => {
    const fresh = { ...rp, DPoP: oauth.DPoP(rp.client, rp.key) }
    return oauth.processPushedAuthorizationResponse(as, rp.client, await oauth.pushedAuthorizationRequest(as, rp.client, rp.auth, { redirect_uri: config.redirect_uri, response_type: 'code', scope }, { ...insecure, DPoP: fresh.DPoP }))
  })
  const callback = await open(first, { person: 'li-xiuying', consent: true, standing: true })
  const tokens = await redeem(rp, first, callback)
  const claims = oauth.getValidatedIdTokenClaims(tokens)
  equal('token type', tokens.token_type, 'dpop')
  equal('acr', claims.acr, 'loa3')
  const user = await userinfo(rp, tokens.access_token)
  equal('userinfo', [user.got.sub, user.got.name], [claims.sub, '李秀英'])

  // Pushed requests.
  const again = await fetch(first.url, { redirect: 'manual' })
  check('A14 a pushed request is used once', again.status >= 400 && !again.headers.has('location'), again.status)
  const unused = await push(rp)
  equal('a second push has its nonce', unused.sent, 1)
  const foreign = new URL(unused.url)
  foreign.searchParams.set('client_id', other.client.client_id)
  check('A14 another client cannot use it', (await fetch(foreign, { redirect: 'manual' })).status >= 400)
  const later = await redeem(rp, unused, await open(unused))
  equal('and its own can', oauth.getValidatedIdTokenClaims(later).sub, claims.sub)
  equal('a client with keys on Ed25519', (await push(other)).sent, 2)
  const thief = { ...other, auth: rp.auth }
  await refused('a push with a key of another client', /invalid_client|WWW_AUTHENTICATE_CHALLENGE/, () => push(thief))

  // The token as an API sees it.
  const seen = await judge(rp, tokens.access_token, config.issuer)
  equal('N01 an access token by RFC 9068', [seen.iss, seen.client_id, seen.sub], [config.issuer, rp.client.client_id, claims.sub])
  await refused('N01 for another audience', /audience|aud/, () => judge(rp, tokens.access_token, 'https://api.example'))
  await refused('N01 an ID token is none', /typ|invalid/i, () => judge(rp, tokens.id_token, rp.client.client_id))
  await refused('D13 with a proof of another key', /confirmation|jkt|cnf/i, () => judge(other, tokens.access_token, config.issuer))

  // What must not work.
  const wrong = await push(rp)
  const answer = await open(wrong)
  await refused('B04 PKCE: a foreign verifier', /invalid_grant/, () => redeem(rp, wrong, answer, oauth.generateRandomCodeVerifier()))
  await refused('B04 a wrong verifier burns the code', /invalid_grant/, () => redeem(rp, wrong, answer))
  const replayed = await push(rp)
  const once = await open(replayed)
  const gone = await redeem(rp, replayed, once)
  await refused('B06 a code works once', /invalid_grant/, () => redeem(rp, replayed, once))
  await refused('B06 a second try ends what it gave', /invalid_token/, () => userinfo(rp, gone.access_token))
  await refused('D13 userinfo with another key', /invalid_token|invalid_dpop_proof/, () => userinfo(rp, tokens.access_token, other.DPoP))

  // Refresh, introspection, revocation.
  const fresh = await refresh(rp, tokens.refresh_token)
  equal('no rotation', fresh.refresh_token, tokens.refresh_token)
  await refused("another client's refresh token", /invalid_grant/, () => refresh(other, tokens.refresh_token))
  equal('it was not burnt by that', (await refresh(rp, tokens.refresh_token)).refresh_token, tokens.refresh_token)
  const known = await introspect(rp, fresh.access_token)
  equal('introspection', [known.active, known.client_id, known.sub, known.cnf?.jkt, known.token_type], [true, rp.client.client_id, claims.sub, await rp.DPoP.calculateThumbprint(), 'DPoP'])
  const signed = await introspect(rp, fresh.access_token, true)
  equal('a signed answer (RFC 9701)', [signed.active, signed.client_id, signed.kind], [true, rp.client.client_id, 'application/token-introspection+jwt'])
  equal('D12 another client learns nothing', Object.keys(await introspect(other, fresh.access_token)).sort(), ['active', 'kind'])
  equal('rubbish is not active', (await introspect(rp, 'rubbish')).active, false)
  await revoke(other, tokens.refresh_token).catch(() => {}) // an error or nothing, by RFC 7009
  equal("another client's revocation ends nothing", (await introspect(rp, fresh.access_token)).active, true)
  await revoke(rp, tokens.refresh_token)
  equal('revoked', (await introspect(rp, fresh.access_token)).active, false)
  await refused('refresh after revocation', /invalid_grant/, () => refresh(rp, tokens.refresh_token))
  await refused('the access token too', /invalid_token/, () => userinfo(rp, fresh.access_token))
  equal('another login of the same client lives on', (await introspect(rp, later.access_token)).active, true)
  await revoke(rp, 'rubbish')

  // Logout.
  const out = new URL(as.end_session_endpoint)
  for (const [name, value] of Object.entries({ id_token_hint: tokens.id_token, post_logout_redirect_uri: config.redirect_uri, state: 'bye' })) out.searchParams.set(name, value)
  const bye = await ask({ logout: out.href })
  equal('logged out and back', bye.url, config.redirect_uri + '?state=bye')
  const silent = await push(rp, { prompt: 'none' })
  const refusal = await open(silent)
  equal('nobody is logged in', refusal.searchParams.get('error'), 'login_required')

  // The client takes its leave (RFC 7592).
  const authorization = `Bearer ${rp.client.registration_access_token}`
  equal('it reads its registration', (await (await fetch(rp.client.registration_client_uri, { headers: { authorization } })).json()).client_id, rp.client.client_id)
  equal('not with the token of another', (await fetch(rp.client.registration_client_uri, { headers: { authorization: `Bearer ${other.client.registration_access_token}` } })).status, 401)
  equal('and deletes it', (await fetch(rp.client.registration_client_uri, { method: 'DELETE', headers: { authorization } })).status, 204)
  await refused('it is unknown from then on', /invalid_client|WWW_AUTHENTICATE_CHALLENGE/, () => push(rp))
})
