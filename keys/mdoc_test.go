package keys_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/sha1"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/hufu-id/hufu/keys"
	"github.com/hufu-id/hufu/keys/keystest"
	"github.com/hufu-id/hufu/keys/pki"
)

func signerSpec() keys.Spec {
	spec := credentialSpec()
	c := *spec.Certificate
	c.Kind = keys.KindIACA
	spec.Certificate, spec.RotateEvery = &c, 180*24*time.Hour
	return spec
}

// ISO/IEC 18013-5 annex B, tables B.1 and B.3, line by line.
func TestDocumentSignerBelowTheIACA(t *testing.T) {
	c := newClock()
	s := keystest.New(t, c.now)
	sig := ensure(t, s, keys.DocumentSigner(creditCode), signerSpec())
	anchors, err := s.Anchors(t.Context())
	if err != nil || len(anchors) != 1 || anchors[0].Kind != keys.KindIACA {
		t.Fatalf("a root of its own, without the national one: %v, %v", anchors, err)
	}
	if len(sig.Chain()) != 1 {
		t.Fatalf("x5chain has %d certificates; the IACA is never in it", len(sig.Chain()))
	}
	iaca, ds := parse(t, anchors[0].DER), parse(t, sig.Chain()[0])
	roots := x509.NewCertPool()
	roots.AddCert(iaca)
	if _, err := ds.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: c.at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}}); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(iaca.RawIssuer, iaca.RawSubject) || !bytes.Equal(ds.RawIssuer, iaca.RawSubject) {
		t.Error("issuer and subject must be the same octets")
	}
	if !slices.Equal(iaca.Subject.Country, []string{"CN"}) || !slices.Equal(ds.Subject.Country, iaca.Subject.Country) || iaca.Subject.CommonName == "" {
		t.Errorf("names %s, %s", iaca.Subject, ds.Subject)
	}
	if !iaca.IsCA || !iaca.MaxPathLenZero || iaca.MaxPathLen != 0 || iaca.KeyUsage != x509.KeyUsageCertSign|x509.KeyUsageCRLSign {
		t.Error("the IACA signs document signers and revocation lists, nothing else")
	}
	if ds.IsCA || ds.BasicConstraintsValid || ds.KeyUsage != x509.KeyUsageDigitalSignature {
		t.Error("a document signer signs documents, nothing else")
	}
	if life := iaca.NotAfter.Sub(iaca.NotBefore); life > 20*365*24*time.Hour+5*24*time.Hour {
		t.Errorf("IACA for %s", life)
	}
	if life := ds.NotAfter.Sub(ds.NotBefore); life > 457*24*time.Hour || ds.NotAfter.Before(c.at.Add(signerSpec().RotateEvery+signerSpec().Keep)) {
		t.Errorf("document signer for %s", life)
	}
	for _, cert := range []*x509.Certificate{iaca, ds} {
		point, err := cert.PublicKey.(*ecdsa.PublicKey).Bytes()
		if err != nil {
			t.Fatal(err)
		}
		if sum := sha1.Sum(point); !bytes.Equal(cert.SubjectKeyId, sum[:]) {
			t.Error("the key identifier is the SHA-1 of the key")
		}
		if cert.SignatureAlgorithm != x509.ECDSAWithSHA256 || cert.SerialNumber.BitLen() < 63 || cert.SerialNumber.BitLen() > 159 {
			t.Errorf("%s, serial of %d bits", cert.SignatureAlgorithm, cert.SerialNumber.BitLen())
		}
		if alt := extension(cert, 2, 5, 29, 18); alt == nil || alt.Critical || !bytes.Contains(alt.Value, []byte("https://id.example")) {
			t.Errorf("issuerAltName %v", alt)
		}
		if !slices.Equal(cert.CRLDistributionPoints, []string{"https://id.example/iaca.crl"}) {
			t.Errorf("CRL at %v", cert.CRLDistributionPoints)
		}
	}
	if !bytes.Equal(ds.AuthorityKeyId, iaca.SubjectKeyId) {
		t.Error("key identifiers don't link the chain")
	}
	eku := extension(ds, 2, 5, 29, 37)
	if eku == nil || !eku.Critical || len(ds.ExtKeyUsage) != 0 || len(ds.UnknownExtKeyUsage) != 1 || !ds.UnknownExtKeyUsage[0].Equal(pki.OIDDocumentSigner) {
		t.Errorf("extended key usage %v %v", eku, ds.UnknownExtKeyUsage)
	}
	writeForCheckers(t, map[string][]byte{"iaca": anchors[0].DER, "ds": sig.Chain()[0]})
}

func extension(cert *x509.Certificate, oid ...int) *pkix.Extension {
	for _, e := range cert.Extensions {
		if e.Id.Equal(asn1.ObjectIdentifier(oid)) {
			return &e
		}
	}
	return nil
}

// Each refused specification differs from the accepted one in one thing.
func TestDocumentSignerLimits(t *testing.T) {
	s := keystest.New(t, newClock().now)
	ensure(t, s, keys.DocumentSigner(creditCode), signerSpec())
	for name, change := range map[string]func(*keys.Spec){
		"life beyond 457 days":     func(s *keys.Spec) { s.RotateEvery = 365 * 24 * time.Hour },
		"rotated by hand":          func(s *keys.Spec) { s.RotateEvery = 0 },
		"a certificate by a root":  func(s *keys.Spec) { s.Certificate.Kind = keys.KindRoot },
		"a key that only decrypts": func(s *keys.Spec) { s.Alg = "ECDH-ES" },
	} {
		spec := signerSpec()
		change(&spec)
		if err := s.Ensure(t.Context(), keys.DocumentSigner(creditCode), spec); !errors.Is(err, keys.ErrSpec) {
			t.Errorf("%s: %v", name, err)
		}
	}
	kek, _ := keys.NewKEK()
	for contact, ok := range map[string]bool{"": false, "nowhere": false, "https://id.example": true} {
		s, err := keys.Open(t.Context(), keys.Config{Store: keystest.NewMemory(), KEK: kek, Contact: contact})
		if err != nil {
			t.Fatal(err)
		}
		cert, err := s.EnsureIntermediate(t.Context(), keys.KindIACA)
		if (err == nil) != ok {
			t.Errorf("contact %q: %v", contact, err)
		}
		if ok && len(parse(t, cert.DER).CRLDistributionPoints) != 0 {
			t.Error("a distribution point that nobody named")
		}
	}
}
