// What the hosted wallet shows, judged by a verifier of others: @sd-jwt/sd-jwt-vc with key binding, the issuer found by x5c under the anchor that the verifier has.
import { X509Certificate, createHash, webcrypto } from 'node:crypto'
import * as jose from 'jose'
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc'
import { check, config, equal, main, refused } from './lib.mjs'

const ec = { name: 'ECDSA', hash: 'SHA-256' }
const verifyWith = async (jwk) => {
  const key = await webcrypto.subtle.importKey('jwk', { kty: jwk.kty, crv: jwk.crv, x: jwk.x, y: jwk.y }, { name: 'ECDSA', namedCurve: 'P-256' }, true, ['verify'])
  return (data, sig) => webcrypto.subtle.verify(ec, key, jose.base64url.decode(sig), new TextEncoder().encode(data))
}

function leafOf(x5c) {
  const [leaf, intermediate, more] = x5c.map((c) => new X509Certificate(Buffer.from(c, 'base64')))
  const root = new X509Certificate(Buffer.from(config.anchor, 'base64'))
  if (more || !leaf.verify(intermediate.publicKey) || !intermediate.verify(root.publicKey) || leaf.ca || !intermediate.ca) throw new Error('chain')
  return leaf
}

async function judge(text) {
  const leaf = leafOf(jose.decodeProtectedHeader(text.split('~')[0]).x5c)
  const issuer = await verifyWith(leaf.publicKey.export({ format: 'jwk' }))
  return {
    leaf,
    sdjwt: new SDJwtVcInstance({
      verifier: async (data, sig) => issuer(data, sig), hasher: (data, alg) => createHash(alg.replace('-', '')).update(Buffer.from(data)).digest(), hashAlg: 'sha-256',
      saltGenerator: () => { throw new Error('nothing is made here') },
      kbVerifier: async (data, sig, payload) => (await verifyWith(payload.cnf.jwk))(data, sig), kbSignAlg: 'ES256',
      statusVerifier: async (data, sig) => { // the list's own chain, under the same anchor
        const list = leafOf(JSON.parse(Buffer.from(data.split('.')[0], 'base64url')).x5c)
        return (await verifyWith(list.publicKey.export({ format: 'jwk' })))(data, sig)
      },
      statusValidator: async (status) => { if (status !== 0) throw new Error(`status ${status}`) },
    }),
  }
}

await main(async () => {
  for (const { name, text, nonce, audience, shown } of config.presentations) {
    const { leaf, sdjwt } = await judge(text)
    const binding = jose.decodeJwt(text.slice(text.lastIndexOf('~') + 1))
    const wanted = nonce || binding.nonce // nobody asked: the wallet's own
    const { payload, kb } = await sdjwt.verify(text, { keyBindingNonce: wanted, requiredClaimKeys: ['vct', 'cnf', 'status'] })
    equal(`${name}: issuer`, leaf.subjectAltName, `URI:${payload.iss}`)
    equal(`${name}: audience`, (kb?.payload ?? binding).aud, audience)
    check(`${name}: made just now`, Math.abs(Date.now() / 1000 - binding.iat) < 60, binding)
    check(`${name}: a nonce that nobody guesses`, binding.nonce.length >= 22, binding.nonce)
    equal(`${name}: what is shown`, Object.keys(payload).filter((k) => !['iss', 'iat', 'exp', 'cnf', 'vct', 'vct#integrity', 'status', '_sd_alg'].includes(k)).sort(), shown)
    await refused(`${name}: another nonce`, /[Nn]once/, () => sdjwt.verify(text, { keyBindingNonce: 'another-nonce-than-this' }))
    const parts = text.split('~')
    const fewer = [parts[0], ...parts.slice(2)].join('~')
    await refused(`${name}: a disclosure taken out`, /sd_hash|hash|[Ii]nvalid/, () => sdjwt.verify(fewer, { keyBindingNonce: wanted }))
  }
})
