// @sd-jwt/core and signing/sdjwt read each other's SD-JWTs, for every shape in which claims can be selectively disclosable (the cases of the test suite of
// sd-jwt-python, in our words): what the other side sees when everything is shown, and when nothing is, must be what the issuer said.
import { createHash, randomBytes, webcrypto } from 'node:crypto'
import { SDJwtInstance } from '@sd-jwt/core'
import * as jose from 'jose'
import { ask, check, config, main } from './lib.mjs'

const canonical = (v) =>
  JSON.stringify(v, (_, x) => (x && typeof x === 'object' && !Array.isArray(x) ? Object.fromEntries(Object.entries(x).sort(([a], [b]) => (a < b ? -1 : 1))) : x))
const same = (name, got, want) => check(name, canonical(got) === canonical(want), { got, want })

const importKey = (jwk, use) => webcrypto.subtle.importKey('jwk', jwk, { name: 'ECDSA', namedCurve: 'P-256' }, true, [use])
const ecdsa = { name: 'ECDSA', hash: 'SHA-256' }

await main(async () => {
  const theirs = await importKey(config.key, 'verify')
  const { privateKey, publicKey } = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify'])
  const hasher = (data, alg) => new Uint8Array(createHash(alg.replace('-', '')).update(typeof data === 'string' ? data : Buffer.from(data)).digest())
  const options = { hasher, hashAlg: 'sha-256', saltGenerator: () => jose.base64url.encode(randomBytes(16)) }
  const reader = new SDJwtInstance({ ...options, verifier: (data, sig) => webcrypto.subtle.verify(ecdsa, theirs, Buffer.from(sig, 'base64url'), Buffer.from(data)) })
  const writer = new SDJwtInstance({ ...options, signAlg: 'ES256', signer: async (data) => jose.base64url.encode(new Uint8Array(await webcrypto.subtle.sign(ecdsa, privateKey, Buffer.from(data)))) })
  const jwk = await webcrypto.subtle.exportKey('jwk', publicKey)

  for (const { name, claims, bare, frame, issued, shown } of config.shapes) {
    await reader.verify(issued)
    same(`${name}: ours, all shown`, await reader.getClaims(issued), claims)
    await reader.verify(shown)
    same(`${name}: ours, nothing shown`, await reader.getClaims(shown), bare)
    const text = await writer.issue(claims, frame, { header: { typ: 'example+sd-jwt' } })
    const read = await ask({ read: text, key: { kty: jwk.kty, crv: jwk.crv, x: jwk.x, y: jwk.y } })
    check(`${name}: theirs is read`, !read.error, read)
    same(`${name}: theirs, all shown`, read.all, claims)
    same(`${name}: theirs, nothing shown`, read.bare, bare)
  }
})
