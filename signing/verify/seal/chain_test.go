package seal

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net/url"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/signing/sealvc"
	"github.com/hufu-id/hufu/signing/verify"
)

// authority is a certificate with its key, made by hand: the key room makes no wrong ones.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func certify(t *testing.T, name string, by *authority, isCA bool, edit func(*x509.Certificate)) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<60))
	must(t, err)
	c := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true, IsCA: isCA,
		NotBefore: made.Add(-time.Hour), NotAfter: now.AddDate(3, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature}
	if isCA {
		c.KeyUsage |= x509.KeyUsageCertSign
	}
	if edit != nil {
		edit(c)
	}
	parent, signer := c, crypto.Signer(key)
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return authority{cert, key}
}

// named makes the subject's organizationIdentifiers; a maker has its URI too.
func named(uri string, codes ...string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		for _, code := range codes {
			c.Subject.ExtraNames = append(c.Subject.ExtraNames, pkix.AttributeTypeAndValue{Type: asn1.ObjectIdentifier{2, 5, 4, 97}, Value: code})
		}
		if u, err := url.Parse(uri); err == nil && uri != "" {
			c.URIs = []*url.URL{u}
		}
	}
}

func both(edits ...func(*x509.Certificate)) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		for _, edit := range edits {
			edit(c)
		}
	}
}

func chainOf(list ...authority) (out [][]byte) {
	for _, a := range list {
		out = append(out, a.cert.Raw)
	}
	return out
}

// link is one chain, of a signer or of a maker, and what becomes of it.
type link struct {
	name, reason string
	by           authority
	x5c          [][]byte
	outcome      verify.Outcome
}

// links are the chains of Q07, for whoever id names, under an anchor of their purpose; elsewhere is an anchor of another purpose.
func links(t *testing.T, id func(*x509.Certificate), ca, elsewhere authority, judgedAt time.Time) []link {
	t.Helper()
	const untrusted = "untrusted_issuer"
	from := func(at time.Time) func(*x509.Certificate) {
		return both(id, func(c *x509.Certificate) { c.NotBefore = at })
	}
	to := func(at time.Time) func(*x509.Certificate) {
		return both(id, func(c *x509.Certificate) { c.NotAfter = at })
	}
	good, selfSigned := certify(t, "Leaf", &ca, false, id), certify(t, "Leaf", nil, false, id)
	fakeCA := certify(t, ca.cert.Subject.CommonName, nil, true, nil)
	fake, stray := certify(t, "Leaf", &fakeCA, false, id), certify(t, "Leaf", &elsewhere, false, id)
	notCA := certify(t, "Middle", &ca, false, nil)
	below := certify(t, "Leaf", &notCA, false, id)
	over, future := certify(t, "Leaf", &ca, false, to(judgedAt.Add(-time.Minute))), certify(t, "Leaf", &ca, false, from(judgedAt.Add(time.Hour)))
	since := certify(t, "Leaf", &ca, false, to(judgedAt.Add(time.Minute)))
	itself := certify(t, "Leaf", &ca, true, id)
	server := certify(t, "Leaf", &ca, false, both(id, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }))
	encipher := certify(t, "Leaf", &ca, false, both(id, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }))
	return []link{
		{"twin", "ok", good, chainOf(good, ca), verify.Valid},
		{"over by now, not at the time that counts", "ok", since, chainOf(since, ca), verify.Valid},
		{"self-signed", untrusted, selfSigned, chainOf(selfSigned), verify.Invalid},
		{"anchor of the same name", untrusted, fake, chainOf(fake, fakeCA), verify.Invalid},
		{"names and no path", untrusted, fake, chainOf(fake, ca), verify.Invalid},
		{"anchor of another purpose", untrusted, stray, chainOf(stray, elsewhere), verify.Invalid},
		{"CA:false in the middle", untrusted, below, chainOf(below, notCA, ca), verify.Invalid},
		{"over", untrusted, over, chainOf(over, ca), verify.Invalid},
		{"not yet", untrusted, future, chainOf(future, ca), verify.Invalid},
		{"an authority's own", untrusted, itself, chainOf(itself, ca), verify.Invalid},
		{"for servers", untrusted, server, chainOf(server, ca), verify.Invalid},
		{"not for signatures", untrusted, encipher, chainOf(encipher, ca), verify.Invalid},
	}
}

// key is the one of the first certificate.
func (l link) key(t *testing.T) jose.SigningKey {
	t.Helper()
	k, err := jose.NewSigningKey(l.by.key, jose.ES256)
	must(t, err)
	return k
}

// TestQ07ChainsOfSigners: the seal lists each of these certificates, so that nothing but the chain decides.
func TestQ07ChainsOfSigners(t *testing.T) {
	ca, credential := certify(t, "Seal signers", nil, true, nil), certify(t, "Credential issuers", nil, true, nil)
	cases := links(t, named("", owner), ca, credential, sealed)
	nameless, two := certify(t, "Leaf", &ca, false, nil), certify(t, "Leaf", &ca, false, named("", owner, other))
	maker := certify(t, "Seal makers", nil, true, nil)
	byMaker := certify(t, "Leaf", &maker, false, named(makerID, owner))
	cases = append(cases, link{"of nobody", "signer_not_owner", nameless, chainOf(nameless, ca), verify.Invalid},
		link{"of two", "signer_not_owner", two, chainOf(two, ca), verify.Invalid},
		link{"seal maker as signer", "untrusted_issuer", byMaker, chainOf(byMaker, maker), verify.Invalid})
	base := newWorld(t).edited(func(c *bundle.Contents) {
		c.Anchors = append(c.Anchors, bundle.Anchor{Purpose: "seal-signer", DER: ca.cert.Raw}, bundle.Anchor{Purpose: "credential", DER: credential.cert.Raw},
			bundle.Anchor{Purpose: "seal-maker", DER: maker.cert.Raw})
	})
	for _, l := range cases {
		t.Run(l.name, func(t *testing.T) {
			w := base.edited(func(*bundle.Contents) {})
			w.seal.Signers = []string{sealvc.SignerHash(l.x5c[0])}
			w.history(base.contents.Issuers[0].Seals[0].History...)
			expect(t, w.verify(w.sign(func(u *use) { u.signer, u.Chain = l.key(t), l.x5c })), l.outcome, l.reason)
		})
	}
}

// TestQ07ChainsOfMakers: the same for the certificate that made the seal; its time is the seal's time of issue.
func TestQ07ChainsOfMakers(t *testing.T) {
	ca, signers := certify(t, "Seal makers", nil, true, nil), certify(t, "Seal signers", nil, true, nil)
	w := newWorld(t).edited(func(c *bundle.Contents) {
		c.Anchors = append(c.Anchors, bundle.Anchor{Purpose: "seal-maker", DER: ca.cert.Raw}, bundle.Anchor{Purpose: "seal-signer", DER: signers.cert.Raw})
	})
	for _, l := range links(t, named(makerID, maker), ca, signers, made) {
		t.Run(l.name, func(t *testing.T) {
			credential := w.credentialOf(l.key(t), l.x5c, makerID, nil)
			expect(t, w.verify(w.sign(func(u *use) { u.Seal = credential })), l.outcome, l.reason)
		})
	}
}

// A seal that its maker dated ahead (nbf) isn't in use before.
func TestS04SealDatedAhead(t *testing.T) {
	for _, x := range []struct {
		name, reason string
		nbf          time.Time
		outcome      verify.Outcome
	}{
		{"from the moment of use", "ok", sealed, verify.Valid},
		{"from an hour later", "outside_seal_validity", sealed.Add(time.Hour), verify.Invalid},
	} {
		t.Run(x.name, func(t *testing.T) {
			w := newWorld(t)
			credential := w.credentialBy(w.maker, w.maker.Chain(), makerID, func(c map[string]any) { c["nbf"] = x.nbf.Unix() })
			w.register(w.contents.Issuers[0].Seals[0].History...)
			expect(t, w.verify(w.sign(func(u *use) { u.Seal = credential })), x.outcome, x.reason)
		})
	}
}
