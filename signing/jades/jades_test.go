package jades

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
)

const kind = "https://hufu.example/document-kinds/decision"

// stamp is a key with a certificate and the certificate of its issuer.
type stamp struct {
	key   jose.SigningKey
	chain [][]byte
}

func newStamp(t testing.TB) stamp {
	t.Helper()
	issue := func(name string, parent *x509.Certificate, by jose.SigningKey) (jose.SigningKey, *x509.Certificate) {
		key, err := jose.GenerateKey(jose.ES256)
		if err != nil {
			t.Fatal(err)
		}
		c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Unix(1_780_000_000, 0), NotAfter: time.Unix(1_880_000_000, 0),
			IsCA: parent == nil, BasicConstraintsValid: true}
		if parent == nil {
			parent, by = c, key
		}
		der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Key.Public(), by.Key)
		if err != nil {
			t.Fatal(err)
		}
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		return key, cert
	}
	caKey, ca := issue("Seal signer CA", nil, jose.SigningKey{})
	key, leaf := issue("seal", ca, caKey)
	return stamp{key: key, chain: [][]byte{leaf.Raw, ca.Raw}}
}

func (s stamp) template() Template {
	return Template{
		Document: Document{SHA256: sha256.Sum256([]byte("the file")), Name: "决定书 第1号.pdf", MediaType: "application/pdf"},
		Seal:     "eyJhbGciOiJFUzI1NiJ9.eyJzZWFsX2lkIjoieCJ9.AAAA~", KindURI: kind, IssuedAt: time.Unix(1_790_000_000, 5), Chain: s.chain,
	}
}

func (s stamp) seal(t testing.TB, tmpl Template) []byte {
	t.Helper()
	protected, err := LayOut(tmpl)
	if err != nil {
		t.Fatal(err)
	}
	sig, err := Sign(s.key, protected)
	if err != nil {
		t.Fatal(err)
	}
	return sig
}

func TestWhatIsLaidOutIsReadBack(t *testing.T) {
	s := newStamp(t)
	tmpl := s.template()
	protected, err := LayOut(tmpl)
	if err != nil {
		t.Fatal(err)
	}
	if again, _ := LayOut(tmpl); !bytes.Equal(again, protected) {
		t.Error("equal templates, other bytes")
	}
	sig, err := Sign(s.key, protected)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasSuffix(sig, []byte("}\n")) || bytes.Count(sig, []byte("\n")) != 1 {
		t.Errorf("not one line: %q", sig)
	}
	p, err := Parse(sig)
	if err != nil {
		t.Fatal(err)
	}
	if p.Document() != tmpl.Document || p.Seal() != tmpl.Seal || p.KindURI() != kind || !p.IssuedAt().Equal(time.Unix(1_790_000_000, 0)) ||
		p.Alg() != jose.ES256 || !bytes.Equal(p.Protected(), protected) || len(p.X5C()) != 2 || !bytes.Equal(p.X5C()[0], s.chain[0]) {
		t.Errorf("%+v", p)
	}
	pub, err := s.key.Public()
	if err != nil {
		t.Fatal(err)
	}
	for name, keys := range map[string][]jose.JWK{"the certificate's own": nil, "named": {pub}} {
		if v, err := p.Verify(keys...); err != nil || v.Key().Thumbprint() != pub.Thumbprint() || v.Document() != tmpl.Document {
			t.Errorf("%s: %v", name, err)
		}
	}
	other := newStamp(t)
	stranger, err := other.key.Public()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Verify(stranger); !errors.Is(err, ErrSignature) {
		t.Errorf("another key than the certificate's: %v", err)
	}
	if _, err := (Parsed{}).Verify(pub); !errors.Is(err, ErrSignature) {
		t.Errorf("the zero value: %v", err)
	}
}

func TestDefaultsOfTheDocument(t *testing.T) {
	s := newStamp(t)
	tmpl := s.template()
	tmpl.Document.Name, tmpl.Document.MediaType = "", ""
	p, err := Parse(s.seal(t, tmpl))
	if err != nil || p.Document().Name != "document" || p.Document().MediaType != "application/octet-stream" {
		t.Errorf("%+v, %v", p.Document(), err)
	}
	for _, name := range []string{"a b.txt", "a:b", "a+b", "100%.txt", "%41", "a?b#c", "..pdf", strings.Repeat("n", MaxNameBytes)} {
		tmpl.Document.Name, tmpl.Document.MediaType = name, "text/plain"
		if p, err := Parse(s.seal(t, tmpl)); err != nil || p.Document() != tmpl.Document {
			t.Errorf("%s: %+v, %v", name, p.Document(), err)
		}
	}
}

func TestLayOutRefuses(t *testing.T) {
	s := newStamp(t)
	for name, change := range map[string]func(*Template){
		"no digest":                   func(t *Template) { t.Document.SHA256 = [32]byte{} },
		"a path":                      func(t *Template) { t.Document.Name = "a/b" },
		"a name that turns":           func(t *Template) { t.Document.Name = "a\u202efdp.exe" },
		"a name of two lines":         func(t *Template) { t.Document.Name = "a\nb" },
		"a name in Latin-1":           func(t *Template) { t.Document.Name = "\xe9" },
		"a long name":                 func(t *Template) { t.Document.Name = strings.Repeat("n", MaxNameBytes+1) },
		"media type with parameter":   func(t *Template) { t.Document.MediaType = "text/plain; charset=utf-8" },
		"media type in capitals":      func(t *Template) { t.Document.MediaType = "Text/Plain" },
		"no media type":               func(t *Template) { t.Document.MediaType = "pdf" },
		"no seal":                     func(t *Template) { t.Seal = "" },
		"a seal without tilde":        func(t *Template) { t.Seal = strings.TrimSuffix(t.Seal, "~") },
		"a seal with a disclosure":    func(t *Template) { t.Seal += "AAAA~" },
		"a seal with a key binding":   func(t *Template) { t.Seal += "a.b.c" },
		"a seal above the limit":      func(t *Template) { t.Seal = strings.Repeat("A", MaxSealBytes) + t.Seal },
		"no kind":                     func(t *Template) { t.KindURI = "" },
		"kind without origin":         func(t *Template) { t.KindURI = "/document-kinds/decision" },
		"kind with a space":           func(t *Template) { t.KindURI += " " },
		"no time":                     func(t *Template) { t.IssuedAt = time.Time{} },
		"no certificate":              func(t *Template) { t.Chain = nil },
		"an empty certificate":        func(t *Template) { t.Chain = [][]byte{t.Chain[0], {}} },
		"more certificates than read": func(t *Template) { t.Chain = append(t.Chain, t.Chain[0], t.Chain[0], t.Chain[0], t.Chain[0]) },
		"a time after all years":      func(t *Template) { t.IssuedAt = time.Unix(1<<40, 0) },
		"certificates above the size": func(t *Template) { t.Chain = [][]byte{make([]byte, 60<<10)} },
	} {
		tmpl := s.template()
		if _, err := LayOut(tmpl); err != nil {
			t.Fatal(err)
		}
		change(&tmpl)
		if _, err := LayOut(tmpl); !errors.Is(err, ErrTemplate) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Sign lets nothing out that a verifier would refuse, and is no oracle for other tokens.
func TestSignRefuses(t *testing.T) {
	s, other := newStamp(t), newStamp(t)
	protected, err := LayOut(s.template())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Sign(s.key, protected); err != nil {
		t.Fatal(err)
	}
	if _, err := Sign(other.key, protected); !errors.Is(err, ErrSignature) {
		t.Errorf("a key of another certificate: %v", err)
	}
	p384, err := jose.GenerateKey(jose.ES384)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Sign(p384, protected); !errors.Is(err, jose.ErrAlgorithm) {
		t.Errorf("a key of another algorithm: %v", err)
	}
	for name, header := range map[string]string{
		"a token's header": `{"alg":"ES256","typ":"dc+sd-jwt"}`, "no header": ``, "not ours": `{"alg":"ES256","typ":"jose+json","crit":["b64","sigD"],"b64":false,"sigD":{}}`,
	} {
		if out, err := Sign(s.key, []byte(header)); err == nil || out != nil {
			t.Errorf("%s: signed %s", name, out)
		}
	}
}

// The bytes are recorded and signed, and read by others: they change only with docs/seal-format.md.
func TestTheWireFormIsPinned(t *testing.T) {
	const want = `{"alg":"ES256","typ":"jose+json","iat":1790000000,"x5t#S256":"S_USLzRFVMU73i67jNK349FgCtYxw4Wl18ziPHeFRZo","x5c":["AQ==","Ag=="],` +
		`"srCms":[{"commId":{"id":"https://hufu.example/document-kinds/decision"}}],` +
		`"srAts":{"signedAssertions":[{"mediaType":"application/dc+sd-jwt","encoding":"binary","qVals":["eyJhbGciOiJFUzI1NiJ9.eyJzZWFsX2lkIjoieCJ9.AAAA~"]}]},` +
		`"sigD":{"mId":"http://uri.etsi.org/19182/ObjectIdByURIHash","pars":["%E5%86%B3%E5%AE%9A%E4%B9%A6%20%E7%AC%AC1%E5%8F%B7.pdf"],"hashM":"S256",` +
		`"hashV":["mUZZ3of3J93N5130QxTzHX82ezv_NH6FLzkFMPKXIMc"],"ctys":["pdf"]},"b64":false,"crit":["b64","sigD"]}`
	tmpl := stamp{chain: [][]byte{{1}, {2}}}.template()
	if got, err := LayOut(tmpl); err != nil || string(got) != want {
		t.Errorf("%v\n%s\nwas\n%s", err, got, want)
	}
}

func BenchmarkSeal(b *testing.B) {
	s := newStamp(b)
	tmpl := s.template()
	b.ReportAllocs()
	for b.Loop() {
		protected, err := LayOut(tmpl)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := Sign(s.key, protected); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerify(b *testing.B) {
	s := newStamp(b)
	sig := s.seal(b, s.template())
	b.ReportAllocs()
	for b.Loop() {
		p, err := Parse(sig)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := p.Verify(); err != nil {
			b.Fatal(err)
		}
	}
}
