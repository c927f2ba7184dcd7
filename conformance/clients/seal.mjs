// Others read a sealed file. @sd-jwt/sd-jwt-vc verifies the seal's credential inside it; jose, which doesn't know sigD, must refuse the signature, and does so
// because of "crit": it takes an equal one without.
import { X509Certificate, createHash, webcrypto } from 'node:crypto'
import * as jose from 'jose'
import { SDJwtVcInstance } from '@sd-jwt/sd-jwt-vc'
import { check, config, equal, main, refused } from './lib.mjs'

const ec = { name: 'ECDSA', hash: 'SHA-256' }

// leafOf walks the chain to the root that the verifier has, and returns the key of the first certificate.
function leafOf(x5c) {
  const [leaf, intermediate, more] = x5c.map((c) => new X509Certificate(Buffer.from(c, 'base64')))
  const root = new X509Certificate(Buffer.from(config.root, 'base64'))
  if (more || !leaf.verify(intermediate.publicKey) || !intermediate.verify(root.publicKey) || leaf.ca || !intermediate.ca) throw new Error('chain')
  return leaf
}

const judge = (key) => new SDJwtVcInstance({
  verifier: async (data, sig) => webcrypto.subtle.verify(ec, key, jose.base64url.decode(sig), new TextEncoder().encode(data)),
  hasher: (data, alg) => createHash(alg.replace('-', '')).update(Buffer.from(data)).digest(), hashAlg: 'sha-256',
  saltGenerator: () => { throw new Error('nothing is made here') },
})

async function credential(text) {
  const header = jose.decodeProtectedHeader(text.split('~')[0])
  const leaf = leafOf(header.x5c)
  const key = await jose.importJWK(leaf.publicKey.export({ format: 'jwk' }), 'ES256')
  const { payload } = await judge(key).verify(text, { requiredClaimKeys: ['seal_id', 'kind', 'owner', 'document_kinds', 'signers', 'valid_from', 'valid_to', 'vct#integrity'] })
  equal('seal: of its maker', leaf.subjectAltName, `URI:${payload.iss}`)
  equal('seal: type', payload.vct, config.vct)
  equal('seal: id', payload.seal_id, config.seal_id)
  const metadata = Buffer.from(config.metadata, 'base64')
  equal('seal: type metadata pinned', payload['vct#integrity'], `sha256-${createHash('sha256').update(metadata).digest('base64')}`)
  check('seal: nothing is withheld and nobody is bound', text.endsWith('~') && text.indexOf('~') === text.length - 1 && !payload._sd && !payload.cnf, payload)
  const other = await jose.generateKeyPair('ES256')
  await refused("seal: another maker's key", /[Ss]ignature/, () => judge(other.publicKey).verify(text))
  const [head, body, sig] = text.slice(0, -1).split('.')
  const more = { ...JSON.parse(Buffer.from(body, 'base64url')), document_kinds: ['decision', 'contract'] }
  await refused('seal: another kind of document allowed', /[Ss]ignature/, () => judge(key).verify(`${head}.${jose.base64url.encode(JSON.stringify(more))}.${sig}~`))
  return payload
}

await main(async () => {
  const sealed = JSON.parse(config.signature)
  const header = jose.decodeProtectedHeader(sealed)
  const payload = await credential(header.srAts.signedAssertions[0].qVals[0])
  const listed = createHash('sha256').update(Buffer.from(header.x5c[0], 'base64')).digest('base64url')
  equal("signature: by a certificate that the seal lists", [payload.signers, header['x5t#S256']], [[listed], listed])
  equal('signature: over the file', header.sigD.hashV, [createHash('sha256').update(Buffer.from(config.document, 'base64')).digest('base64url')])
  const key = await jose.importJWK(leafOf(header.x5c).publicKey.export({ format: 'jwk' }), 'ES256')
  const raw = await webcrypto.subtle.verify(ec, key, jose.base64url.decode(sealed.signature), new TextEncoder().encode(`${sealed.protected}.`))
  check('signature: right over header and empty payload', raw, raw)

  const empty = { ...sealed, payload: '' }
  await refused('jose: does not know sigD', /ERR_JOSE_NOT_SUPPORTED.*"sigD" is not recognized/s, () => jose.flattenedVerify(empty, key))
  const told = await jose.flattenedVerify(empty, key, { crit: { sigD: true } })
  equal('jose: told of sigD, the same bytes verify', told.payload.length, 0)
  const twin = JSON.parse(config.twin)
  const twinHeader = jose.decodeProtectedHeader(twin)
  equal('jose: the twin differs in crit, b64 and sigD', [Object.keys(header).filter((n) => !(n in twinHeader)).sort(), Object.keys(twinHeader).filter((n) => !(n in header))],
    [['b64', 'crit', 'sigD'], []])
  equal('jose: the twin verifies', (await jose.flattenedVerify({ ...twin, payload: '' }, key)).protectedHeader.alg, 'ES256')
})
