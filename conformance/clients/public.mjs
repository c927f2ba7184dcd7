// openid-client as a program on somebody's own machine: a public client that `hufu dev` knows by its loopback address alone. PKCE, DPoP, refresh tokens that are replaced and
// bound to the key, logout.
import * as oidc from 'openid-client'
import { ask, check, config, equal, main, refused } from './lib.mjs'

const redirect_uri = config.client_id + '/callback'
const rp = await oidc.discovery(new URL(config.issuer), config.client_id, { id_token_signed_response_alg: 'ES256' }, oidc.None(), { execute: [oidc.allowInsecureRequests] })

async function begin(extra = {}) {
  const checks = { pkceCodeVerifier: oidc.randomPKCECodeVerifier(), expectedState: oidc.randomState(), expectedNonce: oidc.randomNonce(), idTokenExpected: true }
  const url = oidc.buildAuthorizationUrl(rp, {
    redirect_uri, scope: 'openid profile', state: checks.expectedState, nonce: checks.expectedNonce,
    code_challenge: await oidc.calculatePKCECodeChallenge(checks.pkceCodeVerifier), code_challenge_method: 'S256', ...extra,
  })
  for (const [name, value] of Object.entries(extra)) if (value === null) url.searchParams.delete(name)
  return { url, checks }
}

async function logIn(how, DPoP) {
  const { url, checks } = await begin()
  const { callback } = await ask({ open: url.href, ...how })
  return oidc.authorizationCodeGrant(rp, new URL(callback), checks, {}, { DPoP })
}

// atOnce asks the server without a person: what it answers to a request that is wrong.
async function atOnce(extra) {
  const res = await fetch((await begin(extra)).url, { redirect: 'manual' })
  return { status: res.status, to: res.headers.get('location') }
}

const refresh = (token, DPoP) => oidc.refreshTokenGrant(rp, token, {}, { DPoP })

await main(async () => {
  const DPoP = oidc.getDPoPHandle(rp, await oidc.randomDPoPKeyPair('ES256'))
  const other = oidc.getDPoPHandle(rp, await oidc.randomDPoPKeyPair('ES256'))

  const first = await logIn({ person: 'li-xiuying', consent: true }, DPoP)
  const sub = first.claims().sub
  equal('token type', first.token_type, 'dpop')
  equal('userinfo', (await oidc.fetchUserInfo(rp, first.access_token, sub, { DPoP })).name, '李秀英')
  await refused('D13 userinfo: another key', /invalid_dpop_proof|invalid_token/, () => oidc.fetchUserInfo(rp, first.access_token, sub, { DPoP: other }))

  // Anybody may say that he is this client, so its refresh tokens are replaced, and good with the key of the login only.
  await refused('another key cannot refresh', /invalid_grant/, () => refresh(first.refresh_token, other))
  const second = await refresh(first.refresh_token, DPoP)
  check('its own key can, after that too, and the token is replaced', second.refresh_token && second.refresh_token !== first.refresh_token, second)
  equal('C03 a lost reply is repeated', (await refresh(first.refresh_token, DPoP)).refresh_token, second.refresh_token)
  const third = await refresh(second.refresh_token, DPoP)
  equal('same subject', third.claims().sub, sub)
  await refused('C02 a token that was replaced twice', /invalid_grant/, () => refresh(first.refresh_token, DPoP))
  await refused('C02 the whole family after it', /invalid_grant/, () => refresh(third.refresh_token, DPoP))

  // Whoever listens at a loopback address may be another program today: the person is asked each time. Without DPoP the tokens are the bearer's.
  const bearer = await logIn({ consent: true })
  equal('without a proof', bearer.token_type, 'bearer')
  const next = await refresh(bearer.refresh_token)
  check('replaced', next.refresh_token !== bearer.refresh_token && next.claims().sub === sub, next)

  // What such an address is not.
  const elsewhere = await atOnce({ redirect_uri: config.elsewhere + '/callback' })
  equal('A02 another port is another client', [elsewhere.status, elsewhere.to], [400, null])
  const unproved = await atOnce({ code_challenge: null, code_challenge_method: null })
  equal('B01 no PKCE', unproved.to && new URL(unproved.to).searchParams.get('error'), 'invalid_request')
  const asked = await atOnce({ prompt: 'none' })
  equal('prompt=none without a session', asked.to && new URL(asked.to).searchParams.get('error'), 'login_required')

  const bye = await ask({ logout: oidc.buildEndSessionUrl(rp, { id_token_hint: next.id_token, post_logout_redirect_uri: redirect_uri, state: 'bye' }).href })
  equal('logged out and back', bye.url, redirect_uri + '?state=bye')
  await refused('H05 the refresh token ends with the login', /invalid_grant/, () => refresh(next.refresh_token))
})
