package verify

import (
	"crypto/x509"
	"slices"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/signing/verify/internal/report"
	"github.com/hufu-id/hufu/signing/verify/internal/trust"
)

// x5c returns the chain that came along or, for a credential without one, the certificate that the bundle has for its
// issuer and key.
func (r *run) x5c() [][]byte {
	if r.mdoc != nil {
		return r.mdoc.parsed.X5Chain()
	}
	h := r.parsed.Header()
	if len(h.X5C) > 0 {
		return h.X5C
	}
	issuer := r.v.issuers.Get(r.iss)
	if issuer == nil {
		return nil
	}
	for _, der := range issuer.Certificates {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			continue
		}
		key, err := jose.FromPublic(cert.PublicKey, "", h.Alg)
		if err == nil && (key.Thumbprint() == h.KeyID || h.KeyID == "" && len(issuer.Certificates) == 1) {
			return [][]byte{der}
		}
	}
	return nil
}

// checkSignature checks the signature with the key of the leaf. Whether that key may be believed is the next question;
// here it only tells an untouched document from a changed one, which needs no bundle.
func (r *run) checkSignature() Check {
	x5c := r.x5c()
	if len(x5c) == 0 {
		return unknown(report.ReasonNoKey, "no certificate came along, and the bundle has none for this issuer and key")
	}
	purpose, alg := trust.Credential, r.parsed.Header().Alg
	if r.mdoc != nil {
		purpose, alg = trust.DocumentSigner, r.mdoc.parsed.Alg()
	}
	r.chain = r.v.chains.Of(x5c, purpose, alg, r.at)
	if r.chain.Leaf == nil {
		return fail(report.ReasonUntrusted, r.chain.Err.Error())
	}
	if r.chain.Key.IsZero() {
		return fail(report.ReasonTampered, "the certificate's key doesn't fit the algorithm")
	}
	var err error
	if r.mdoc != nil {
		r.mdoc.verified, err = r.mdoc.parsed.Verify(r.chain.Key)
	} else {
		r.verified, err = r.parsed.Verify(r.chain.Key)
	}
	if err != nil {
		return fail(report.ReasonTampered, "the signature doesn't match: changed after it was signed, or never signed by this key")
	}
	return pass("unchanged since it was signed")
}

// checkChain decides whether the key may be believed: a path to an anchor for credentials, the issuer's own name in
// the certificate, and no word that the key was stolen.
func (r *run) checkChain() Check {
	if r.v.contents == nil {
		return unknown(report.ReasonNoBundle, "without a bundle no certificate is trusted")
	}
	if c := r.chain.Problem(r.clock, r.at); c.Result != "" {
		return c
	}
	r.path = r.chain.Path
	leaf := r.chain.Leaf
	if r.mdoc != nil && !r.path.Covers(r.issued) { // ISO/IEC 18013-5 section 9.3.1: the certificate was valid when it signed
		return fail(report.ReasonUntrusted, "signed when the signer's certificate wasn't valid")
	}
	names := make([]string, len(leaf.URIs))
	for i, u := range leaf.URIs {
		names[i] = u.String()
	}
	if r.iss == "" && len(names) == 1 {
		r.iss = names[0]
	}
	if r.iss == "" || !slices.Contains(names, r.iss) {
		return fail(report.ReasonUntrusted, "the certificate is another issuer's than the credential says")
	}
	if c := r.v.issuers.Withdrawn(r.iss, r.chain.Key, r.issued); c.Result != "" {
		return c
	}
	return pass("leads to the anchor for credentials").AsAt(r.v.contents.AsOf)
}
