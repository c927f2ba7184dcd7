// oauth4webapi over undici, with a self-signed certificate instead of a secret (RFC 8705): client authentication at the endpoints of mtls_endpoint_aliases, tokens bound to
// the certificate, at userinfo and at an API; refresh, logout.
import * as jose from 'jose'
import * as oauth from 'oauth4webapi'
import { Agent, fetch } from 'undici'
import { ask, check, config, equal, main, refused } from './lib.mjs'

// by fetches over connections that show this certificate, or none.
const by = (certificate = {}) => {
  const dispatcher = new Agent({ connect: { ca: config.ca, ...certificate } })
  return { [oauth.customFetch]: (url, options) => fetch(url, { ...options, dispatcher }) }
}
const mine = by(config.certificate)
const foreign = by(config.foreign)
const none = by()

const issuer = new URL(config.issuer)
const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, none))
const client = { client_id: config.client_id, use_mtls_endpoint_aliases: true }
const auth = oauth.TlsClientAuth() // sends nothing but the client id: the certificate is the proof

async function push(over = mine) {
  const verifier = oauth.generateRandomCodeVerifier()
  const state = oauth.generateRandomState()
  const nonce = oauth.generateRandomNonce()
  const response = await oauth.pushedAuthorizationRequest(as, client, auth, { redirect_uri: config.redirect_uri, response_type: 'code', scope: 'openid profile', state, nonce,
    resource: config.resource, code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256' }, over)
  const { request_uri } = await oauth.processPushedAuthorizationResponse(as, client, response)
  const url = new URL(as.authorization_endpoint)
  url.search = new URLSearchParams({ client_id: client.client_id, request_uri })
  return { url, verifier, state, nonce }
}

async function open(login, how = {}) {
  const { callback } = await ask({ open: login.url.href, callback: config.redirect_uri, ...how })
  return oauth.validateAuthResponse(as, client, new URL(callback), login.state)
}

async function redeem(login, parameters, over = mine) {
  const response = await oauth.authorizationCodeGrantRequest(as, client, auth, parameters, config.redirect_uri, login.verifier, over)
  return oauth.processAuthorizationCodeResponse(as, client, response, { expectedNonce: login.nonce, requireIdToken: true })
}

const refresh = async (token, over = mine) => oauth.processRefreshTokenResponse(as, client, await oauth.refreshTokenGrantRequest(as, client, auth, token, over))
const userinfo = async (token, over = mine) => oauth.processUserInfoResponse(as, client, oauth.skipSubjectCheck, await oauth.userInfoRequest(as, client, token, over))
const call = async (token, over = mine) => (await oauth.protectedResourceRequest(token, 'GET', new URL(config.api), undefined, undefined, over)).json()

await main(async () => {
  check('the aliases lead to the other listener', new URL(as.mtls_endpoint_aliases.token_endpoint).origin === config.mtls && new URL(as.token_endpoint).origin === config.issuer, as)
  check('self_signed_tls_client_auth is listed', as.token_endpoint_auth_methods_supported.includes('self_signed_tls_client_auth'), as)

  await refused('a push without a certificate', /invalid_client|WWW_AUTHENTICATE_CHALLENGE/, () => push(none))
  await refused('a push with a certificate of another', /invalid_client|WWW_AUTHENTICATE_CHALLENGE/, () => push(foreign))
  const login = await push()
  const tokens = await redeem(login, await open(login, { person: 'li-xiuying', consent: true, standing: true }))
  equal('the token is bound to the certificate', jose.decodeJwt(tokens.access_token).cnf, { 'x5t#S256': config.thumbprint })
  const claims = oauth.getValidatedIdTokenClaims(tokens)
  const user = await userinfo(tokens.access_token)
  equal('userinfo', [user.sub, user.name], [claims.sub, '李秀英'])
  await refused('userinfo without the certificate', /invalid_token/, () => userinfo(tokens.access_token, none))
  await refused('userinfo with another certificate', /invalid_token/, () => userinfo(tokens.access_token, foreign))
  const stolen = await push()
  const answer = await open(stolen)
  await refused('a code with another certificate', /invalid_client|WWW_AUTHENTICATE_CHALLENGE/, () => redeem(stolen, answer, foreign))
  equal('it was not burnt by that', oauth.getValidatedIdTokenClaims(await redeem(stolen, answer)).sub, claims.sub)

  const seen = await call(tokens.access_token)
  equal('an API behind oidc/resource', [seen.sub, seen.client_id, seen.thumbprint], [claims.sub, client.client_id, config.thumbprint])
  await refused('API: without the certificate', /invalid_token/, () => call(tokens.access_token, none))
  await refused('API: with another', /invalid_token/, () => call(tokens.access_token, foreign))

  const fresh = await refresh(tokens.refresh_token)
  equal('no rotation', fresh.refresh_token, tokens.refresh_token)
  equal('the new token is bound as well', jose.decodeJwt(fresh.access_token).cnf, { 'x5t#S256': config.thumbprint })
  await refused('a refresh with another certificate', /invalid_client|WWW_AUTHENTICATE_CHALLENGE/, () => refresh(tokens.refresh_token, foreign))

  const out = new URL(as.end_session_endpoint)
  out.search = new URLSearchParams({ id_token_hint: tokens.id_token, post_logout_redirect_uri: config.redirect_uri, state: 'bye' })
  equal('logged out and back', (await ask({ logout: out.href })).url, config.redirect_uri + '?state=bye')
  await refused('H05 the refresh token ends with the login', /invalid_grant/, () => refresh(tokens.refresh_token))
})
