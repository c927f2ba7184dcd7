// A wallet of others takes the driving licence by both flows, verifies it and its status list by x5c and by jwt-vc-issuer, presents it, and sees
// it revoked. @openid4vc/openid4vci talks, @sd-jwt/sd-jwt-vc judges, jose and node:crypto hold the keys.
import { X509Certificate, createHash, randomBytes, webcrypto } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import * as jose from 'jose'
import { HashAlgorithm, clientAuthenticationAnonymous, clientAuthenticationNone, setGlobalConfig as insecure1 } from '@openid4vc/oauth2'
import { AuthorizationFlow, Openid4vciClient, setGlobalConfig as insecure2 } from '@openid4vc/openid4vci'
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc'
import { getListFromStatusListJWT } from '@sd-jwt/jwt-status-list'
import { ask, check, config, equal, main, refused } from './lib.mjs'

insecure1({ allowInsecureUrls: true }) // loopback without TLS
insecure2({ allowInsecureUrls: true })

const type = 'driving-licence'
const now = () => Math.floor(Date.now() / 1000)
const json = async (url) => (await (await fetch(url)).json())

// --- keys

async function holderKey() {
  const { publicKey, privateKey } = await jose.generateKeyPair('ES256', { extractable: true })
  return { publicJwk: await jose.exportJWK(publicKey), privateKey }
}

const ec = { name: 'ECDSA', hash: 'SHA-256' }
const signWith = (key) => async (data) => jose.base64url.encode(new Uint8Array(await webcrypto.subtle.sign(ec, key, new TextEncoder().encode(data))))
const verifyWith = (key) => async (data, sig) => webcrypto.subtle.verify(ec, key, jose.base64url.decode(sig), new TextEncoder().encode(data))

function callbacks(keys, clientAuthentication) {
  return {
    hash: (data, alg) => createHash(alg === HashAlgorithm.Sha512 ? 'sha512' : alg === HashAlgorithm.Sha384 ? 'sha384' : 'sha256').update(data).digest(),
    generateRandom: (n) => randomBytes(n),
    signJwt: async (signer, { header, payload }) => {
      const key = keys.find((k) => k.publicJwk.x === signer.publicJwk.x)
      return { jwt: await new jose.SignJWT(payload).setProtectedHeader(header).sign(key.privateKey), signerJwk: signer.publicJwk }
    },
    verifyJwt: async (signer, { compact }) => {
      const key = await jose.importJWK(signer.publicJwk, signer.alg)
      try { await jose.compactVerify(compact, key); return { verified: true, signerJwk: signer.publicJwk } } catch { return { verified: false } }
    },
    decryptJwe: () => { throw new Error('nothing is encrypted here') },
    encryptJwe: () => { throw new Error('nothing is encrypted here') },
    clientAuthentication,
  }
}

// --- trust in keys, by two ways that must lead to the same one

// byX5C walks leaf, intermediate and the anchor that the verifier has, and returns the leaf's key.
async function byX5C(header, uri) {
  const [leaf, intermediate, more] = header.x5c.map((c) => new X509Certificate(Buffer.from(c, 'base64')))
  const root = new X509Certificate(Buffer.from(config.anchor, 'base64'))
  const at = new Date()
  for (const c of [leaf, intermediate, root]) {
    if (at < new Date(c.validFrom) || at > new Date(c.validTo)) throw new Error(`certificate out of time: ${c.subject}`)
  }
  if (more || header.x5c.some((c) => Buffer.from(c, 'base64').equals(root.raw))) throw new Error('x5c carries leaf and intermediate, never the root')
  if (!leaf.checkIssued(intermediate) || !leaf.verify(intermediate.publicKey)) throw new Error('leaf is not from the intermediate')
  if (!intermediate.checkIssued(root) || !intermediate.verify(root.publicKey)) throw new Error('intermediate is not from the root')
  if (!intermediate.ca || leaf.ca) throw new Error('CA flags')
  if (uri && leaf.subjectAltName !== `URI:${uri}`) throw new Error(`SAN is ${leaf.subjectAltName}, not ${uri}`)
  return { leaf, jwk: leaf.publicKey.export({ format: 'jwk' }) }
}

// byMetadata finds the issuer's keys at the well-known path between host and path.
async function byMetadata(issuer, kid) {
  const u = new URL(issuer)
  const metadata = await json(`${u.origin}/.well-known/jwt-vc-issuer${u.pathname}`)
  if (metadata.issuer !== issuer) throw new Error(`issuer is ${metadata.issuer}`)
  const { keys } = metadata.jwks ?? (await json(metadata.jwks_uri))
  return kid === undefined ? keys : keys.filter((k) => k.kid === kid)
}

async function withThumbprint(keys, jwk) {
  const want = await jose.calculateJwkThumbprint(jwk)
  for (const k of keys) if ((await jose.calculateJwkThumbprint(k)) === want) return k
}

const importKey = (jwk) => webcrypto.subtle.importKey('jwk', { kty: jwk.kty, crv: jwk.crv, x: jwk.x, y: jwk.y }, { name: 'ECDSA', namedCurve: 'P-256' }, true, ['verify'])

// --- type metadata, with integrity as W3C SRI says. The library compares a hex hash, which no specification asks for, so it is done here;
// the library then validates the document.
async function fetchType(uri, integrity) {
  const body = Buffer.from(await (await fetch(uri)).arrayBuffer())
  const [alg, want] = [integrity.slice(0, 6), integrity.slice(7)]
  if (createHash(alg).update(body).digest('base64') !== want) throw new Error('type metadata integrity')
  return JSON.parse(body)
}

class Revoked extends Error {}

// judge makes a verifier of the library for the issuer's key.
async function judge(jwk, holder) {
  return new SDJwtVcInstance({
    verifier: verifyWith(await importKey(jwk)), hasher: (data, alg) => createHash(alg.replace('-', '')).update(Buffer.from(data)).digest(), hashAlg: 'sha-256',
    saltGenerator: () => jose.base64url.encode(randomBytes(16)),
    kbSigner: holder && signWith(holder.privateKey), kbSignAlg: 'ES256',
    kbVerifier: async (data, sig, payload) => verifyWith(await importKey(payload.cnf.jwk))(data, sig),
    statusVerifier: async (data, sig) => {
      const header = JSON.parse(Buffer.from(data.split('.')[0], 'base64url'))
      return verifyWith(await importKey((await byX5C(header)).jwk))(data, sig)
    },
    statusValidator: async (status) => { if (status !== 0) throw new Revoked(`status ${status}`) },
    loadTypeMetadataFormat: true, vctFetcher: fetchType,
  })
}

// --- issuance

async function proof(client, issuerMetadata, key, nonce) {
  const { jwt } = await client.createCredentialRequestJwtProof({
    issuerMetadata, credentialConfigurationId: type, signer: { method: 'jwk', alg: 'ES256', publicJwk: key.publicJwk }, nonce, issuedAt: new Date(),
  })
  return jwt
}

// take asks for one credential with an access token, and shows that nonce and proof work once.
async function take(client, issuerMetadata, accessToken, key, name) {
  const { c_nonce } = await client.requestNonce({ issuerMetadata })
  const request = { issuerMetadata, accessToken, credentialConfigurationId: type }
  const jwt = await proof(client, issuerMetadata, key, c_nonce)
  const other = await proof(client, issuerMetadata, key, 'made up')
  await refused(`${name}: a nonce that nobody gave`, /invalid_nonce/, () => client.retrieveCredentials({ ...request, proofs: { jwt: [other] } }))
  const { credentialResponse } = await client.retrieveCredentials({ ...request, proofs: { jwt: [jwt] } })
  equal(`${name}: one credential`, credentialResponse.credentials?.length, 1)
  await refused(`${name}: the same proof again`, /invalid_nonce|invalid_proof|invalid_token|401/, () => client.retrieveCredentials({ ...request, proofs: { jwt: [jwt] } }))
  await refused(`${name}: another's access token`, /401|invalid_token/, () => client.retrieveCredentials({ ...request, accessToken: accessToken.slice(0, -4) + 'AAAA', proofs: { jwt: [jwt] } }))
  return credentialResponse.credentials[0].credential
}

// preAuthorized takes the licence by an offer and its transaction code.
async function preAuthorized(name, offer, clientAuthentication) {
  const key = await holderKey()
  const client = new Openid4vciClient({ callbacks: callbacks([key], clientAuthentication) })
  const credentialOffer = await client.resolveCredentialOffer(offer.offer_uri)
  equal(`${name}: offered first`, credentialOffer.credential_configuration_ids[0], type)
  const issuerMetadata = await client.resolveIssuerMetadata(credentialOffer.credential_issuer)
  check(`${name}: the library knows the configuration`, issuerMetadata.knownCredentialConfigurations[type]?.format === 'dc+sd-jwt', issuerMetadata.knownCredentialConfigurations)
  const wrong = offer.tx_code === '000000' ? '111111' : '000000'
  await refused(`${name}: a wrong transaction code`, /invalid_grant/, () =>
    client.retrievePreAuthorizedCodeAccessTokenFromOffer({ credentialOffer, issuerMetadata, txCode: wrong }))
  const { accessTokenResponse } = await client.retrievePreAuthorizedCodeAccessTokenFromOffer({ credentialOffer, issuerMetadata, txCode: offer.tx_code })
  await refused(`${name}: the offer works once`, /invalid_grant/, () =>
    client.retrievePreAuthorizedCodeAccessTokenFromOffer({ credentialOffer, issuerMetadata, txCode: offer.tx_code }))
  return { key, issuerMetadata, credential: await take(client, issuerMetadata, accessTokenResponse.access_token, key, name) }
}

// byCode takes the licence as a wallet that starts by itself: authorization code by scope, a public client with PKCE.
async function byCode(name) {
  const key = await holderKey()
  const client = new Openid4vciClient({ callbacks: callbacks([key], clientAuthenticationNone({ clientId: config.wallet_client_id })) })
  const issuerMetadata = await client.resolveIssuerMetadata(config.credential_issuer)
  const scope = issuerMetadata.credentialIssuer.credential_configurations_supported[type].scope
  const credentialOffer = { credential_issuer: config.credential_issuer, credential_configuration_ids: [type], grants: { authorization_code: {} } }
  const begun = await client.initiateAuthorization({
    credentialOffer, issuerMetadata, clientId: config.wallet_client_id, redirectUri: config.redirect_uri, scope,
  })
  equal(`${name}: flow`, begun.authorizationFlow, AuthorizationFlow.Oauth2Redirect)
  const url = new URL(begun.authorizationRequestUrl)
  equal(`${name}: the request was pushed`, [...url.searchParams.keys()].sort(), ['client_id', 'request_uri'])
  const { callback } = await ask({ open: url.href, callback: config.redirect_uri, person: 'li-xiuying', consent: true })
  const answer = client.parseAndVerifyAuthorizationResponseRedirectUrl({ url: callback, authorizationServerMetadata: issuerMetadata.authorizationServers[0] })
  check(`${name}: no state, because none was pushed`, answer.state === undefined, answer.state) // the library drops the one that it is given
  equal(`${name}: iss`, answer.iss, config.issuer)
  const redeem = { credentialOffer, issuerMetadata, authorizationCode: answer.code, redirectUri: config.redirect_uri, pkceCodeVerifier: begun.pkce.codeVerifier }
  const { accessTokenResponse } = await client.retrieveAuthorizationCodeAccessTokenFromOffer(redeem)
  const credential = await take(client, issuerMetadata, accessTokenResponse.access_token, key, name)
  await refused(`${name}: the code works once`, /invalid_grant/, () => client.retrieveAuthorizationCodeAccessTokenFromOffer(redeem))
  return { key, issuerMetadata, credential }
}

// --- judging

async function verify(name, { key, credential }) {
  const header = jose.decodeProtectedHeader(credential.split('~')[0])
  const claims = jose.decodeJwt(credential.split('~')[0])
  equal(`${name}: typ`, header.typ, 'dc+sd-jwt')
  equal(`${name}: iss`, claims.iss, config.credential_issuer)
  equal(`${name}: bound to the holder's key`, await jose.calculateJwkThumbprint(claims.cnf.jwk), await jose.calculateJwkThumbprint(key.publicJwk))
  const chain = await byX5C(header, claims.iss)
  check(`${name}: credit code in the certificate`, chain.leaf.subject.includes(claims.iss.split('/').pop()), chain.leaf.subject)
  const keys = await byMetadata(claims.iss, header.kid)
  const same = await withThumbprint(keys, chain.jwk)
  check(`${name}: both ways lead to one key`, same, keys)
  for (const [way, jwk] of [['x5c', chain.jwk], ['jwt-vc-issuer', same]]) {
    const verified = await (await judge(jwk)).verify(credential, { requiredClaimKeys: ['status', 'cnf', 'vct#integrity'] })
    equal(`${name} by ${way}: the holder's name`, verified.payload.name, '李秀英')
    equal(`${name} by ${way}: type metadata`, verified.typeMetadata?.mergedTypeMetadata.vct, claims.vct)
  }
  const stranger = await holderKey()
  await refused(`${name}: another issuer's key`, /[Ss]ignature/, async () => (await judge(stranger.publicJwk)).verify(credential))
  return { claims, jwk: chain.jwk }
}

async function statusList(claims) {
  const { uri, idx } = claims.status.status_list
  const res = await fetch(uri, { headers: { Accept: 'application/statuslist+jwt' } })
  equal('status list: media type', res.headers.get('content-type'), 'application/statuslist+jwt')
  const token = await res.text()
  const [header, payload] = [jose.decodeProtectedHeader(token), jose.decodeJwt(token)]
  equal('status list: typ', header.typ, 'statuslist+jwt')
  equal('status list: sub is its address', payload.sub, uri)
  check('status list: iat, exp and ttl', payload.iat <= now() && payload.exp > now() && payload.ttl > 0, payload)
  const { jwk } = await byX5C(header)
  await jose.compactVerify(token, await jose.importJWK(jwk, header.alg))
  // The other way: the key by its id from the keys that the credential's issuer publishes.
  const published = await byMetadata(claims.iss, header.kid)
  check('status list: key is published at jwt-vc-issuer', await withThumbprint(published, jwk), { kid: header.kid, published })
  const list = getListFromStatusListJWT(token)
  check('status list: at least 2^17 entries of two bits', list.statusList.length >= 2 ** 17 && list.getBitsPerStatus() === 2, [list.statusList.length, list.getBitsPerStatus()])
  return list.getStatus(idx)
}

// present shows some claims with a proof of the holder's key over the verifier's nonce.
async function present(taken, jwk) {
  const nonce = jose.base64url.encode(randomBytes(16))
  const audience = 'https://counter.example'
  const sdjwt = await judge(jwk, taken.key)
  const presentation = await sdjwt.present(taken.credential, { name: true, vehicle_classes: true, valid_to: true }, { kb: { payload: { iat: now(), aud: audience, nonce } } })
  const seen = await sdjwt.verify(presentation, { keyBindingNonce: nonce })
  check('presentation: the withheld stays away', seen.payload.name === '李秀英' && !('id_number' in seen.payload) && !('licence_id' in seen.payload), seen.payload)
  equal('presentation: key binding', [seen.kb.payload.aud, seen.kb.payload.nonce], [audience, nonce])
  return { presentation, nonce, audience }
}

// counter stands at a department's counter: what the library presents for its challenge is valid once, and nothing else is.
async function counter(taken, jwk) {
  const at = config.counter
  const challenge = async () => {
    const page = await (await fetch(at)).text()
    const of = (id) => new RegExp(`id="${id}">([^<]+)<`).exec(page)[1]
    return { nonce: of('counter-nonce'), aud: of('counter-audience') }
  }
  const verdict = async (input) => {
    const res = await fetch(`${at}/check`, { method: 'POST', headers: { origin: new URL(at).origin }, body: new URLSearchParams({ input }) })
    return /data-verdict="([a-z_]+)"/.exec(await res.text())?.[1]
  }
  const sdjwt = await judge(jwk, taken.key)
  const answer = ({ aud, nonce }) => sdjwt.present(taken.credential, { name: true, valid_to: true }, { kb: { payload: { iat: now(), aud, nonce } } })
  const first = await answer(await challenge())
  let got = await verdict(first)
  for (let i = 0; i < 50 && got === 'cannot_tell'; i++) { // its copy of the bundle may be two seconds old
    await sleep(200)
    got = await verdict(first)
  }
  equal('counter: an answer to its challenge', got, 'valid')
  equal('counter: the same answer again', await verdict(first), 'invalid')
  equal('counter: a second answer', await verdict(await answer(await challenge())), 'valid')
  equal('counter: another audience', await verdict(await answer({ ...(await challenge()), aud: 'https://counter.example' })), 'invalid')
  equal('counter: another nonce', await verdict(await answer({ ...(await challenge()), nonce: jose.base64url.encode(randomBytes(40)) })), 'invalid')
  equal('counter: no proof', await verdict(first.slice(0, first.lastIndexOf('~') + 1)), 'cannot_tell')
}

await main(async () => {
  const offer = await ask({ offer: 'li-xiuying' })
  const anonymous = await preAuthorized('pre-authorized code', offer, clientAuthenticationAnonymous())
  const named = await preAuthorized('pre-authorized code with client_id', await ask({ offer: 'li-xiuying' }), clientAuthenticationNone({ clientId: config.wallet_client_id }))
  const started = await byCode('authorization code')
  const { claims, jwk } = await verify('pre-authorized code', anonymous)
  await verify('pre-authorized code with client_id', named)
  const second = await verify('authorization code', started)
  check('two copies share no index', claims.status.status_list.idx !== second.claims.status.status_list.idx || claims.status.status_list.uri !== second.claims.status.status_list.uri, claims.status)
  equal('status', await statusList(claims), 0)

  const shown = await present(started, jwk)
  const valid = await ask({ verify: shown })
  equal('hufu verify', [valid.code, valid.verdict.verdict], [0, 'valid'])
  check('hufu verify says what was withheld', JSON.stringify(valid.verdict.not_disclosed).includes('id_number'), valid.verdict)
  const replay = await ask({ verify: { ...shown, nonce: 'another' } })
  equal('hufu verify: a replayed presentation', [replay.code, replay.verdict.verdict], [2, 'invalid'])

  await counter(started, jwk)

  await ask({ revoke: 'li-xiuying' })
  const begin = Date.now()
  for (const { credential } of [anonymous, started]) {
    for (;;) {
      try {
        await (await judge(jwk)).verify(credential)
      } catch (e) {
        equal('revoked', e.message.match(/status \d/)?.[0], 'status 1')
        break
      }
      if (Date.now() - begin > 10_000) { check('revoked within ten seconds', false, Date.now() - begin); break }
      await sleep(200)
    }
  }
  check('revoked within ten seconds', Date.now() - begin < 10_000, Date.now() - begin)
  process.stdout.write(JSON.stringify({ note: `the lists said so after ${Date.now() - begin} ms` }) + '\n')
  const invalid = await ask({ verify: shown, fresh: true })
  equal('hufu verify after revocation', [invalid.code, invalid.verdict.verdict], [2, 'invalid'])
  const old = await ask({ verify: shown, old: true })
  equal('hufu verify with the bundle of before', [old.code, old.verdict.verdict], [0, 'valid'])
})
