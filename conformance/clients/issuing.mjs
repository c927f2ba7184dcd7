// A wallet of others uses what an issuer may offer beyond one credential: batches, both formats, DPoP and pushed requests, authorization_details with Credential Identifiers,
// notification, encryption both ways. @openid4vc/openid4vci talks, jose encrypts (the library doesn't), @owf/mdoc and @auth0/mdl judge the mdoc.
import { X509Certificate, createHash, createPublicKey, randomBytes, verify as verifySignature } from 'node:crypto'
import * as jose from 'jose'
import { HashAlgorithm, clientAuthenticationAnonymous, clientAuthenticationNone, setGlobalConfig as insecure1 } from '@openid4vc/oauth2'
import { Openid4vciClient, setGlobalConfig as insecure2 } from '@openid4vc/openid4vci'
import { CoseKey, Holder, IssuerSigned } from '@owf/mdoc'
import mdl from '@auth0/mdl'
import { ask, check, config, equal, main, refused } from './lib.mjs'

insecure1({ allowInsecureUrls: true }) // loopback without TLS
insecure2({ allowInsecureUrls: true })

const person = 'li-xiuying'
const sdjwt = 'driving-licence'
const mdoc = 'driving-licence.mdoc'

async function newKey() {
  const { publicKey, privateKey } = await jose.generateKeyPair('ES256', { extractable: true })
  return { publicJwk: await jose.exportJWK(publicKey), privateJwk: await jose.exportJWK(privateKey), privateKey }
}

// wallet is the library with keys of its own, one of them for DPoP.
async function wallet(clientAuthentication) {
  const keys = []
  const key = async () => { const k = await newKey(); keys.push(k); return k }
  const client = new Openid4vciClient({ callbacks: {
    hash: (data, alg) => createHash(alg === HashAlgorithm.Sha512 ? 'sha512' : alg === HashAlgorithm.Sha384 ? 'sha384' : 'sha256').update(data).digest(),
    generateRandom: (n) => randomBytes(n),
    signJwt: async (signer, { header, payload }) => {
      const k = keys.find((k) => k.publicJwk.x === signer.publicJwk.x)
      return { jwt: await new jose.SignJWT(payload).setProtectedHeader(header).sign(k.privateKey), signerJwk: signer.publicJwk }
    },
    verifyJwt: () => { throw new Error('nothing is verified here') },
    decryptJwe: () => { throw new Error('jose does that') },
    encryptJwe: () => { throw new Error('jose does that') },
    clientAuthentication,
  } })
  return { client, key, dpop: { signer: { method: 'jwk', alg: 'ES256', publicJwk: (await key()).publicJwk } } }
}

// preAuthorized gets a token by a new offer, bound by DPoP.
async function preAuthorized() {
  const w = await wallet(clientAuthenticationAnonymous())
  const offer = await ask({ offer: person })
  const credentialOffer = await w.client.resolveCredentialOffer(offer.offer_uri)
  const issuerMetadata = await w.client.resolveIssuerMetadata(credentialOffer.credential_issuer)
  const { accessTokenResponse, dpop } = await w.client.retrievePreAuthorizedCodeAccessTokenFromOffer({ credentialOffer, issuerMetadata, txCode: offer.tx_code, dpop: w.dpop })
  return { ...w, dpop, issuerMetadata, credentialOffer, accessToken: accessTokenResponse.access_token, tokenType: accessTokenResponse.token_type }
}

// prove makes n proofs over one nonce, each by a key of its own.
async function prove(w, configuration, n) {
  const { c_nonce: nonce } = await w.client.requestNonce({ issuerMetadata: w.issuerMetadata })
  const keys = await Promise.all(Array.from({ length: n }, () => w.key()))
  const jwt = await Promise.all(keys.map(async (k) => (await w.client.createCredentialRequestJwtProof({
    issuerMetadata: w.issuerMetadata, credentialConfigurationId: configuration, signer: { method: 'jwk', alg: 'ES256', publicJwk: k.publicJwk }, nonce, issuedAt: new Date(), clientId: w.clientId,
  })).jwt))
  return { keys, proofs: { jwt } }
}

async function take(w, configuration, n, more = {}) {
  const { keys, proofs } = await prove(w, configuration, n)
  const { credentialResponse } = await w.client.retrieveCredentials({ issuerMetadata: w.issuerMetadata, accessToken: w.accessToken, dpop: w.dpop, credentialConfigurationId: configuration, proofs, ...more })
  return { keys, response: credentialResponse, credentials: (credentialResponse.credentials ?? []).map((c) => c.credential) }
}

const thumbprints = (list) => Promise.all(list.map((jwk) => jose.calculateJwkThumbprint(jwk)))
const distinct = (list) => new Set(list).size === list.length

async function batch() {
  const w = await preAuthorized()
  equal('the token is bound', w.tokenType, 'DPoP')
  const size = w.issuerMetadata.credentialIssuer.batch_credential_issuance.batch_size
  const { keys, response, credentials } = await take(w, sdjwt, size)
  const claims = credentials.map((c) => jose.decodeJwt(c.split('~')[0]))
  equal('batch: as many as proofs', credentials.length, size)
  equal('batch: each for a key of its own', (await thumbprints(claims.map((c) => c.cnf.jwk))).sort(), (await thumbprints(keys.map((k) => k.publicJwk))).sort())
  check('batch: each with a status of its own', distinct(claims.map((c) => `${c.status.status_list.uri} ${c.status.status_list.idx}`)), claims.map((c) => c.status))

  const notify = (id, event, more = {}) => w.client.sendNotification({ issuerMetadata: w.issuerMetadata, accessToken: w.accessToken, dpop: w.dpop, notification: { notificationId: id, event }, ...more })
  check('batch: notification_id', response.notification_id?.length > 10, response)
  for (const time of ['once', 'and again']) check(`notification: accepted, ${time}`, (await notify(response.notification_id, 'credential_accepted')).ok, time)
  await refused('notification: an id that nobody gave', /invalid_notification_id/, () => notify('made-up', 'credential_accepted'))
  await refused('notification: another key', /invalid_dpop_proof|invalid_token|401/, async () => notify(response.notification_id, 'credential_accepted', { dpop: { signer: { ...w.dpop.signer, publicJwk: (await w.key()).publicJwk } } }))

  // The library keeps to batch_size itself, so this is sent past it.
  const more = await preAuthorized()
  const { proofs } = await prove(more, sdjwt, size + 1)
  const answer = await post(more, more.issuerMetadata.credentialIssuer.credential_endpoint, JSON.stringify({ credential_configuration_id: sdjwt, proofs }))
  check('batch: one more than batch_size', answer.status === 400 && /invalid_proof|invalid_credential_request/.test((await answer.json()).error), answer.status)
  await refused('a bound token without its proof', /invalid_token|invalid_dpop_proof|401/, async () => { const w = await preAuthorized(); await take({ ...w, dpop: undefined }, sdjwt, 1) })
}

// --- mdoc

const context = {
  crypto: { random: (n) => new Uint8Array(randomBytes(n)), digest: ({ digestAlgorithm, bytes }) => new Uint8Array(createHash(digestAlgorithm.toLowerCase().replace('-', '')).update(bytes).digest()) },
  cose: { sign1: { verify: ({ key, sign1 }) => verifySignature('sha256', sign1.toBeSigned, { key: createPublicKey({ key: key.jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' }, sign1.signature) } },
  x509: {
    getIssuerNameField: ({ certificate, field }) => new X509Certificate(certificate).issuer.split('\n').filter((l) => l.startsWith(field + '=')).map((l) => l.slice(field.length + 1)),
    getPublicKey: ({ certificate }) => CoseKey.fromJwk(new X509Certificate(certificate).publicKey.export({ format: 'jwk' })),
    verifyCertificateChain: ({ trustedCertificates, x5chain }) => {
      const leaf = new X509Certificate(x5chain[0])
      if (x5chain.length !== 1 || !trustedCertificates.map((c) => new X509Certificate(c)).some((a) => leaf.checkIssued(a) && leaf.verify(a.publicKey))) throw new Error('no anchor has signed this certificate')
    },
    getCertificateData: ({ certificate }) => {
      const c = new X509Certificate(certificate)
      return { issuerName: c.issuer, subjectName: c.subject, serialNumber: c.serialNumber, thumbprint: c.fingerprint256, notBefore: new Date(c.validFrom), notAfter: new Date(c.validTo), pem: c.toString() }
    },
  },
}

async function mdocs() {
  const w = await preAuthorized()
  equal('the offer has both formats, SD-JWT first', w.credentialOffer.credential_configuration_ids, [sdjwt, mdoc])
  const { keys, credentials } = await take(w, mdoc, 2)
  equal('mdoc: two', credentials.length, 2)
  const trusted = config.iaca.map((c) => new Uint8Array(Buffer.from(c, 'base64')))
  const bound = []
  for (const text of credentials) {
    const failed = []
    await Holder.verifyIssuerSigned({ issuerSigned: text, trustedCertificates: trusted, verificationCallback: (c) => c.status === 'FAILED' && failed.push(c) }, context)
    equal('mdoc: every check of @owf/mdoc', failed, [])
    const mso = IssuerSigned.fromEncodedForOid4Vci(text).issuerAuth.mobileSecurityObject
    equal('mdoc: document type', mso.docType, 'org.iso.18013.5.1.mDL')
    bound.push(mso.deviceKeyInfo.deviceKey.jwk)
  }
  equal('mdoc: each for a key of its own', (await thumbprints(bound)).sort(), (await thumbprints(keys.map((k) => k.publicJwk))).sort())
  await present(credentials[0], keys, bound[0])
}

// present lets @auth0/mdl make the DeviceResponse for hufu's challenge, and hufu verify judge it.
async function present(text, keys, jwk) {
  const want = await jose.calculateJwkThumbprint(jwk)
  const print = await thumbprints(keys.map((k) => k.publicJwk))
  const { privateJwk } = keys[print.indexOf(want)]
  const { transcript, nonce, audience } = await ask({ transcript: true })
  const raw = Buffer.from(transcript, 'base64url')
  const issued = Buffer.from(text, 'base64url')
  // The library takes a DeviceResponse and wants its transcript in #6.24.
  const head = Buffer.from('a3' + '6776657273696f6e' + '63312e30' + '69646f63756d656e7473' + '81' + 'a2' + '67646f6354797065' + '75' + Buffer.from('org.iso.18013.5.1.mDL').toString('hex') + '6c6973737565725369676e6564', 'hex')
  const whole = Buffer.concat([head, issued, Buffer.from('6673746174757300', 'hex')])
  const shown = await mdl.DeviceResponse.from(whole)
    .usingPresentationDefinition({ id: 'x', input_descriptors: [{ id: 'org.iso.18013.5.1.mDL', format: { mso_mdoc: { alg: ['ES256'] } }, constraints: { limit_disclosure: 'required',
      fields: ['family_name', 'portrait'].map((f) => ({ path: [`$['org.iso.18013.5.1']['${f}']`], intent_to_retain: false })) } }] })
    .usingSessionTranscriptBytes(Buffer.concat([Buffer.from([0xd8, 0x18, 0x58, raw.length]), raw]))
    .authenticateWithSignature(privateJwk, 'ES256').sign()
  const presentation = Buffer.from(shown.encode()).toString('base64url')
  const valid = await ask({ verify: { presentation, nonce, audience } })
  check('mdoc: hufu verify takes a DeviceResponse of @auth0/mdl', valid.code === 0 && valid.verdict.verdict === 'valid', valid)
  const replay = await ask({ verify: { presentation, nonce: 'another', audience } })
  equal('mdoc: hufu verify, another nonce', [replay.code, replay.verdict.verdict], [2, 'invalid'])
}

// --- authorization code

async function byCode(name, { scope, details }) {
  const w = await wallet(clientAuthenticationNone({ clientId: config.wallet_client_id }))
  const issuerMetadata = await w.client.resolveIssuerMetadata(config.credential_issuer)
  const credentialOffer = { credential_issuer: config.credential_issuer, credential_configuration_ids: [sdjwt], grants: { authorization_code: {} } }
  const wanted = details && JSON.stringify([{ type: 'openid_credential', credential_configuration_id: sdjwt, locations: [config.credential_issuer] }])
  const begun = await w.client.initiateAuthorization({ credentialOffer, issuerMetadata, clientId: config.wallet_client_id, redirectUri: config.redirect_uri, scope, dpop: w.dpop,
    additionalRequestPayload: details ? { authorization_details: wanted } : undefined })
  const { callback } = await ask({ open: begun.authorizationRequestUrl, callback: config.redirect_uri, person: w.person ?? config.person, consent: true })
  config.person = '' // from now on she is logged in
  const answer = w.client.parseAndVerifyAuthorizationResponseRedirectUrl({ url: callback, authorizationServerMetadata: issuerMetadata.authorizationServers[0] })
  const { accessTokenResponse, dpop } = await w.client.retrieveAuthorizationCodeAccessTokenFromOffer({ credentialOffer, issuerMetadata, authorizationCode: answer.code, redirectUri: config.redirect_uri,
    pkceCodeVerifier: begun.pkce.codeVerifier, dpop: begun.dpop ?? w.dpop })
  equal(`${name}: bound`, accessTokenResponse.token_type, 'DPoP')
  const t = { ...w, dpop, issuerMetadata, accessToken: accessTokenResponse.access_token, clientId: config.wallet_client_id }
  if (!details) {
    equal(`${name}: three copies`, (await take(t, sdjwt, 3)).credentials.length, 3)
    return
  }
  const [granted] = accessTokenResponse.authorization_details ?? []
  check(`${name}: credential_identifiers`, granted?.credential_identifiers?.length >= 1, accessTokenResponse.authorization_details)
  // The library requests by configuration only.
  const { proofs } = await prove(t, sdjwt, 2)
  const res = await post(t, issuerMetadata.credentialIssuer.credential_endpoint, JSON.stringify({ credential_identifier: granted.credential_identifiers[0], proofs }))
  equal(`${name}: by identifier`, [res.status, (await res.json()).credentials?.length], [200, 2])
  await refused(`${name}: by configuration, though it has identifiers`, /invalid_credential_request|unknown_credential/, () => take(t, sdjwt, 1))
}

// --- encryption, by hand: the library has none

async function encrypted() {
  const w = await preAuthorized()
  const meta = w.issuerMetadata.credentialIssuer
  const own = await jose.generateKeyPair('ECDH-ES', { crv: 'P-256', extractable: true })
  const jwk = { ...(await jose.exportJWK(own.publicKey)), alg: 'ECDH-ES', use: 'enc', kid: 'mine' }
  const [theirs] = meta.credential_request_encryption.jwks.keys
  const enc = meta.credential_response_encryption.enc_values_supported[0]
  const { proofs } = await prove(w, sdjwt, 2)
  const body = JSON.stringify({ credential_configuration_id: sdjwt, proofs, credential_response_encryption: { jwk, enc } })
  const seal = (text) => new jose.CompactEncrypt(new TextEncoder().encode(text)).setProtectedHeader({ alg: 'ECDH-ES', enc: 'A256GCM', kid: theirs.kid }).encrypt(theirs)
  const send = (payload, type) => post(w, meta.credential_endpoint, payload, type)
  const refusedClear = await send(body, 'application/json')
  equal('encryption: asked for in the clear', [refusedClear.status, (await refusedClear.json()).error], [400, 'invalid_encryption_parameters'])
  const res = await send(await seal(body), 'application/jwt')
  equal('encryption: the answer is a JWE', [res.status, res.headers.get('content-type')], [200, 'application/jwt'])
  const opened = await jose.compactDecrypt(await res.text(), own.privateKey)
  equal('encryption: alg, enc and kid as asked', [opened.protectedHeader.alg, opened.protectedHeader.enc, opened.protectedHeader.kid], ['ECDH-ES', enc, 'mine'])
  equal('encryption: two credentials inside', JSON.parse(new TextDecoder().decode(opened.plaintext)).credentials.length, 2)
  const error = await send(await seal(body), 'application/jwt') // its nonce is used
  check('encryption: an error is never encrypted', error.status === 400 && error.headers.get('content-type').startsWith('application/json'), [error.status, error.headers.get('content-type')])
}

// post sends with the token and its proof.
async function post(w, address, body, type = 'application/json') {
  return fetch(address, { method: 'POST', headers: { 'content-type': type, authorization: `DPoP ${w.accessToken}`, dpop: await proofFor(w, address) }, body })
}

// proofFor makes a DPoP proof with the key that the token is bound to.
async function proofFor(w, address) {
  const { jwt } = await w.client.options.callbacks.signJwt({ ...w.dpop.signer }, { header: { typ: 'dpop+jwt', alg: 'ES256', jwk: w.dpop.signer.publicJwk },
    payload: { jti: jose.base64url.encode(randomBytes(16)), htm: 'POST', htu: address, iat: Math.floor(Date.now() / 1000), ath: createHash('sha256').update(w.accessToken).digest('base64url'), nonce: w.dpop.nonce } })
  return jwt
}

await main(async () => {
  await batch()
  await mdocs()
  await byCode('authorization code by scope', { scope: sdjwt })
  await byCode('authorization code by details', { details: true })
  await encrypted()
})
