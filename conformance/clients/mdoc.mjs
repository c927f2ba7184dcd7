// Two foreign verifiers read our mdoc (ISO/IEC 18013-5), alone and in a DeviceResponse: @owf/mdoc and @auth0/mdl. Each must take what is right, with every one
// of its own checks, and refuse its twin that differs in one thing.
import { createHash, createPublicKey, randomBytes, verify as verifySignature, X509Certificate } from 'node:crypto'
import { CoseKey, DateOnly, DeviceResponse, Holder, IssuerSigned, SessionTranscript, Verifier } from '@owf/mdoc'
import mdl from '@auth0/mdl'
import { check, config, equal, main, refused } from './lib.mjs'

const b64 = (text) => new Uint8Array(Buffer.from(text, 'base64url'))
const der = (text) => new Uint8Array(Buffer.from(text, 'base64'))
const pem = (bytes) => new X509Certificate(bytes).toString()
const hash = { 'SHA-256': 'sha256', 'SHA-384': 'sha384', 'SHA-512': 'sha512' }

// --- @owf/mdoc leaves cryptography and certificates to its caller.
const context = {
  crypto: {
    random: (n) => new Uint8Array(randomBytes(n)),
    digest: ({ digestAlgorithm, bytes }) => new Uint8Array(createHash(hash[digestAlgorithm]).update(bytes).digest()),
    calculateEphemeralMacKey: () => { throw new Error('we sign, we use no MAC') },
  },
  cose: {
    sign1: {
      sign: () => { throw new Error('nothing is signed here') },
      verify: ({ key, sign1 }) => {
        const publicKey = createPublicKey({ key: key.jwk, format: 'jwk' })
        const ed = publicKey.asymmetricKeyType === 'ed25519'
        return verifySignature(ed ? null : 'sha256', sign1.toBeSigned, ed ? publicKey : { key: publicKey, dsaEncoding: 'ieee-p1363' }, sign1.signature)
      },
    },
    mac0: { sign: () => { throw new Error('no MAC') }, verify: () => false },
  },
  x509: {
    getIssuerNameField: ({ certificate, field }) =>
      new X509Certificate(certificate).issuer.split('\n').filter((l) => l.startsWith(field + '=')).map((l) => l.slice(field.length + 1)),
    getPublicKey: ({ certificate }) => CoseKey.fromJwk(new X509Certificate(certificate).publicKey.export({ format: 'jwk' })),
    verifyCertificateChain: ({ trustedCertificates, x5chain, now = new Date() }) => {
      const [leaf, ...more] = x5chain.map((c) => new X509Certificate(c))
      if (more.length) throw new Error('a document signer is signed by the IACA directly, so the chain is one certificate')
      const anchor = trustedCertificates.map((c) => new X509Certificate(c)).find((a) => leaf.checkIssued(a) && leaf.verify(a.publicKey))
      if (!anchor) throw new Error('no anchor has signed this certificate')
      for (const c of [leaf, anchor]) if (now < c.validFromDate || now > c.validToDate) throw new Error('a certificate is not valid now')
      if (leaf.ca) throw new Error('the document signer is a certification authority')
    },
    getCertificateData: ({ certificate }) => {
      const c = new X509Certificate(certificate)
      return { issuerName: c.issuer, subjectName: c.subject, serialNumber: c.serialNumber, thumbprint: c.fingerprint256, notBefore: new Date(c.validFrom), notAfter: new Date(c.validTo), pem: c.toString() }
    },
  },
}

const iaca = der(config.iaca)
const other = der(config.other_iaca)
const transcript = (nonce) => SessionTranscript.forOid4Vp({ clientId: config.audience, nonce, responseUri: config.audience }, context)

// collect gathers a library's own checks, and fails on any that it fails.
function collect(list) {
  return (item) => {
    list.push(item)
    if (item.status === 'FAILED') throw new Error(`${item.category}: ${item.check}: ${item.reason ?? ''}`)
  }
}

const plain = (v) => (v instanceof DateOnly ? v.toISOString().slice(0, 10) : v instanceof Date ? v.toISOString() : v instanceof Uint8Array ? `${v.length} bytes` : v)

async function owf() {
  const issued = IssuerSigned.fromEncodedForOid4Vci(config.issuer_signed)
  const checks = []
  await Holder.verifyIssuerSigned({ issuerSigned: config.issuer_signed, trustedCertificates: [iaca], verificationCallback: collect(checks) }, context)
  check('@owf/mdoc: as issued', checks.length >= 5 && checks.every((c) => c.status === 'PASSED'), checks)
  equal('@owf/mdoc: document type', issued.issuerAuth.mobileSecurityObject.docType, config.doc_type)
  const read = Object.fromEntries(issued.getIssuerNamespace(config.name_space).map((i) => [i.elementIdentifier, plain(i.elementValue)]))
  for (const [name, want] of Object.entries(config.elements)) equal(`@owf/mdoc: ${name}`, read[name], want)
  await refused('@owf/mdoc: as issued, another IACA', /anchor/, () =>
    Holder.verifyIssuerSigned({ issuerSigned: config.issuer_signed, trustedCertificates: [other], verificationCallback: collect([]) }, context))
  await refused('@owf/mdoc: as issued, an element changed', /digest|FAILED|DATA_INTEGRITY/, () =>
    Holder.verifyIssuerSigned({ issuerSigned: config.changed, trustedCertificates: [iaca], verificationCallback: collect([]) }, context))

  const response = { deviceResponse: b64(config.device_response), trustedCertificates: [iaca] }
  const seen = []
  await Verifier.verifyDeviceResponse({ ...response, sessionTranscript: await transcript(config.nonce), onCheck: collect(seen) }, context)
  check('@owf/mdoc: DeviceResponse', seen.some((c) => c.category === 'DEVICE_AUTH') && seen.every((c) => c.status === 'PASSED'), seen)
  const shown = DeviceResponse.fromEncodedForOid4Vp(config.device_response).documents[0].getIssuerNamespace(config.name_space).map((i) => i.elementIdentifier).sort()
  equal('@owf/mdoc: shows what was chosen and nothing else', shown, config.shown)
  await refused('@owf/mdoc: DeviceResponse, another nonce', /[Dd]evice/, async () =>
    Verifier.verifyDeviceResponse({ ...response, sessionTranscript: await transcript('another'), onCheck: collect([]) }, context))
  await refused('@owf/mdoc: DeviceResponse, another IACA', /anchor/, async () =>
    Verifier.verifyDeviceResponse({ ...response, trustedCertificates: [other], sessionTranscript: await transcript(config.nonce), onCheck: collect([]) }, context))
}

async function auth0() {
  const wrap = (hex) => { // it wants the transcript inside #6.24(bstr)
    const raw = Buffer.from(hex, 'base64url')
    if (raw.length > 255) throw new Error('a longer transcript than this test writes')
    return Buffer.concat([Buffer.from([0xd8, 0x18, 0x58, raw.length]), raw])
  }
  const verify = (response, transcript, anchor) => {
    const checks = []
    return new mdl.Verifier([pem(anchor)]).verify(b64(response), { encodedSessionTranscript: wrap(transcript), onCheck: (c, standard) => { checks.push(c); standard?.(c); if (c.status === 'FAILED') throw new Error(`${c.category}: ${c.check}: ${c.reason ?? ''}`) } })
      .then((mdoc) => ({ mdoc, checks }))
  }
  const { mdoc, checks } = await verify(config.device_response, config.transcript, iaca)
  check('@auth0/mdl: DeviceResponse', checks.length > 8 && checks.every((c) => c.status === 'PASSED'), checks)
  const [document] = mdoc.documents
  equal('@auth0/mdl: document type', document.docType, config.doc_type)
  equal('@auth0/mdl: shows what was chosen and nothing else', Object.keys(document.getIssuerNameSpace(config.name_space)).sort(), config.shown)
  await refused('@auth0/mdl: another nonce', /DEVICE_SIGNATURE/, () => verify(config.device_response, config.other_transcript, iaca))
  await refused('@auth0/mdl: another IACA', /ISSUER_CERTIFICATE|certificate/, () => verify(config.device_response, config.transcript, other))
}

await main(async () => {
  await owf()
  await auth0()
})
