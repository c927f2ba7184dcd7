package client

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"errors"
	"math/big"
	"net"
	"net/url"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
)

var certTime = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

type pair struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// issue makes a certificate; a nil issuer signs itself. change differs it from a good client certificate.
func issue(t testing.TB, issuer *pair, change func(*x509.Certificate)) pair {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "c"}, NotBefore: certTime.Add(-time.Hour), NotAfter: certTime.Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true}
	if change != nil {
		change(tmpl)
	}
	parent, signer := tmpl, key
	if issuer != nil {
		parent, signer = issuer.cert, issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return pair{cert, key}
}

func authority(name string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.Subject, c.IsCA, c.KeyUsage, c.ExtKeyUsage = pkix.Name{CommonName: name}, true, x509.KeyUsageCertSign, nil
	}
}

func TestThumbprintIsOfTheWholeCertificate(t *testing.T) {
	p := issue(t, nil, nil)
	sum := sha256.Sum256(p.cert.Raw)
	if Thumbprint(p.cert) != base64.RawURLEncoding.EncodeToString(sum[:]) || Thumbprint(p.cert) == Thumbprint(issue(t, nil, nil).cert) {
		t.Error(Thumbprint(p.cert))
	}
}

func TestSelfSignedCertificateIsItsRegisteredKey(t *testing.T) {
	p, other := issue(t, nil, nil), issue(t, nil, nil)
	jwk := func(p pair) jose.JWK {
		k, err := jose.FromPublic(p.key.Public(), "", "")
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	for name, c := range map[string]struct {
		set  []jose.JWK
		at   time.Time
		want bool
	}{
		"registered":         {[]jose.JWK{jwk(p)}, certTime, true},
		"one of two":         {[]jose.JWK{jwk(other), jwk(p)}, certTime, true},
		"use sig":            {[]jose.JWK{jwk(p).WithUse("sig")}, certTime, true},
		"use enc":            {[]jose.JWK{jwk(p).WithUse("enc")}, certTime, false},
		"another key":        {[]jose.JWK{jwk(other)}, certTime, false},
		"no keys":            {nil, certTime, false},
		"the zero key":       {[]jose.JWK{{}}, certTime, false},
		"not valid any more": {[]jose.JWK{jwk(p)}, certTime.Add(2 * time.Hour), false},
		"not valid yet":      {[]jose.JWK{jwk(p)}, certTime.Add(-2 * time.Hour), false},
	} {
		if MatchesSelfSigned(p.cert, c.set, c.at) != c.want {
			t.Errorf("%s: want %v", name, c.want)
		}
	}
}

func TestChainLeadsToACertificationAuthorityOfClients(t *testing.T) {
	root, foreign := issue(t, nil, authority("root")), issue(t, nil, authority("root"))
	middle := issue(t, &root, authority("middle"))
	good, direct := issue(t, &middle, nil), issue(t, &root, nil)
	pool := x509.NewCertPool()
	pool.AddCert(root.cert)
	list := func(ps ...pair) (out []*x509.Certificate) {
		for _, p := range ps {
			out = append(out, p.cert)
		}
		return out
	}
	server := issue(t, &root, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
	for name, c := range map[string]struct {
		chain []*x509.Certificate
		roots *x509.CertPool
		at    time.Time
		ok    bool
	}{
		"by an intermediate":       {list(good, middle), pool, certTime, true},
		"by the root":              {list(direct), pool, certTime, true},
		"intermediate missing":     {list(good), pool, certTime, false},
		"self-signed":              {list(issue(t, nil, nil)), pool, certTime, false},
		"root of the same name":    {list(issue(t, &foreign, nil), foreign), pool, certTime, false},
		"issued by a client":       {list(issue(t, &direct, nil), direct), pool, certTime, false},
		"for servers":              {list(server), pool, certTime, false},
		"expired":                  {list(direct), pool, certTime.Add(2 * time.Hour), false},
		"early":                    {list(direct), pool, certTime.Add(-2 * time.Hour), false},
		"no authorities":           {list(direct), x509.NewCertPool(), certTime, false},
		"no pool isn't the system": {list(direct), nil, certTime, false},
		"no time isn't now":        {list(direct), pool, time.Time{}, false},
		"no certificate":           {nil, pool, certTime, false},
	} {
		if err := VerifyChain(c.chain, c.roots, c.at); c.ok != (err == nil) || err != nil && !errors.Is(err, ErrCertificate) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCertificateCarriesTheRegisteredName(t *testing.T) {
	u, _ := url.Parse("https://api.bank.example/client")
	p := issue(t, nil, func(c *x509.Certificate) {
		c.Subject = pkix.Name{Country: []string{"CN"}, Organization: []string{"样本, 银行 + Co"}, CommonName: "client-1"}
		c.DNSNames, c.URIs, c.IPAddresses, c.EmailAddresses = []string{"api.bank.example", "*.wild.example"}, []*url.URL{u}, []net.IP{net.ParseIP("192.0.2.7")}, []string{"ops@bank.example"}
	})
	dn := func(s string) Certificate { return Certificate{TLSSubjectDN: s} }
	for name, c := range map[string]struct {
		registered Certificate
		want       bool
	}{
		"dn":                  {dn(`CN=client-1,O=样本\, 银行 \+ Co,C=CN`), true},
		"dn spelt otherwise":  {dn(`cn=client\2d1 , 2.5.4.10=\e6\a0\b7本\2c 银行 \2b Co, c = CN`), true},
		"dn in another order": {dn(`C=CN,O=样本\, 银行 \+ Co,CN=client-1`), false},
		"dn shorter":          {dn(`CN=client-1,C=CN`), false},
		"dn longer":           {dn(`CN=client-1,O=样本\, 银行 \+ Co,C=CN,C=CN`), false},
		"dn multi-valued":     {dn(`CN=client-1+O=样本\, 银行 \+ Co,C=CN`), false},
		"dn other case":       {dn(`CN=Client-1,O=样本\, 银行 \+ Co,C=CN`), false},
		"dn unreadable":       {dn(`CN=client-1,O="样本, 银行 + Co",C=CN`), false},
		"dns":                 {Certificate{TLSSANDNS: "API.bank.example"}, true},
		"dns below":           {Certificate{TLSSANDNS: "x.api.bank.example"}, false},
		"dns by wildcard":     {Certificate{TLSSANDNS: "a.wild.example"}, false},
		"dns is the CN":       {Certificate{TLSSANDNS: "client-1"}, false},
		"uri":                 {Certificate{TLSSANURI: "https://api.bank.example/client"}, true},
		"uri prefix":          {Certificate{TLSSANURI: "https://api.bank.example/"}, false},
		"ip":                  {Certificate{TLSSANIP: "192.0.2.7"}, true},
		"ip mapped":           {Certificate{TLSSANIP: "::ffff:192.0.2.7"}, true},
		"ip other":            {Certificate{TLSSANIP: "192.0.2.8"}, false},
		"ip unreadable":       {Certificate{TLSSANIP: "192.0.2"}, false},
		"email":               {Certificate{TLSSANEmail: "ops@bank.example"}, true},
		"email other":         {Certificate{TLSSANEmail: "dev@bank.example"}, false},
		"two names":           {Certificate{TLSSANEmail: "ops@bank.example", TLSSANIP: "192.0.2.7"}, false},
		"no name":             {Certificate{}, false},
	} {
		if c.registered.Matches(p.cert) != c.want {
			t.Errorf("%s: want %v", name, c.want)
		}
	}
}
