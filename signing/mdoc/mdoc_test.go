package mdoc

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is an issuer with a certificate and a holder with a key.
type world struct {
	issuer, device jose.SigningKey
	root, leaf     []byte
	template       Template
}

var day = time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)

func newWorld(t testing.TB) world {
	t.Helper()
	var w world
	var err error
	root, err := jose.GenerateKey(jose.ES256)
	must(t, err)
	w.issuer, err = jose.GenerateKey(jose.ES256)
	must(t, err)
	w.device, err = jose.GenerateKey(jose.ES256)
	must(t, err)
	name := pkix.Name{Country: []string{"CN"}, CommonName: "IACA"}
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: name, NotBefore: day.AddDate(-1, 0, 0), NotAfter: day.AddDate(9, 0, 0),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign}
	w.root, err = x509.CreateCertificate(rand.Reader, ca, ca, root.Key.Public(), root.Key)
	must(t, err)
	ca, err = x509.ParseCertificate(w.root)
	must(t, err)
	ds := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{Country: []string{"CN"}, CommonName: "DS"}, NotBefore: day.AddDate(0, -1, 0),
		NotAfter: day.AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature, UnknownExtKeyUsage: []asn1.ObjectIdentifier{{1, 0, 18013, 5, 1, 2}}}
	w.leaf, err = x509.CreateCertificate(rand.Reader, ds, ca, w.issuer.Key.Public(), root.Key)
	must(t, err)
	holder, err := w.device.Public()
	must(t, err)
	w.template = Template{
		DocType: MDL, DeviceKey: holder, Random: rand.Reader, Signed: day, ValidFrom: day, ValidUntil: day.AddDate(0, 3, 0),
		Status: &StatusRef{URI: "https://hufu.example/status/1", Index: 4711},
		NameSpaces: []NameSpace{{MDLNameSpace, []Element{
			{"family_name", "王"}, {"given_name", "芳"}, {"birth_date", FullDate("1990-03-07")}, {"issue_date", FullDate("2026-11-01")},
			{"expiry_date", FullDate("2032-11-01")}, {"issuing_country", "CN"}, {"issuing_authority", "Traffic"}, {"document_number", "D1"},
			{"portrait", []byte{0xff, 0xd8, 0xff, 0xe0}}, {"un_distinguishing_sign", "CHN"}, {"age_over_18", true}, {"height", int64(165)},
			{"driving_privileges", []any{map[string]any{"vehicle_category_code": "B", "issue_date": FullDate("2026-11-01"), "expiry_date": FullDate("2032-11-01")}}},
		}}, {"org.iso.18013.5.1.CN", []Element{{"portrait_capture", TDate("2026-01-31T08:00:00Z")}}}},
	}
	return w
}

func (w world) issue(t testing.TB, change func(*Template)) []byte {
	t.Helper()
	tpl := w.template
	if change != nil {
		change(&tpl)
	}
	laid, err := Build(tpl)
	must(t, err)
	b, err := Issue(w.issuer, [][]byte{w.leaf}, laid)
	must(t, err)
	return b
}

func (w world) key(t testing.TB) jose.JWK {
	k, err := w.issuer.Public()
	must(t, err)
	return k
}

func TestIssueAndShow(t *testing.T) {
	w := newWorld(t)
	issued := w.issue(t, nil)
	p, err := ParseIssuerSigned(issued)
	must(t, err)
	v, err := p.Verify(w.key(t))
	must(t, err)
	for _, ns := range w.template.NameSpaces {
		for _, e := range ns.Elements {
			if got := v.Elements()[ns.Name][e.ID]; !reflect.DeepEqual(got, e.Value) {
				t.Errorf("%s: %#v, want %#v", e.ID, got, e.Value)
			}
		}
	}
	if ref, ok := v.Status(); !ok || ref != *w.template.Status {
		t.Errorf("status %+v %v", ref, ok)
	}
	if v.DocType() != MDL || v.Validity() != (Validity{day, day, day.AddDate(0, 3, 0)}) || v.DeviceKey().Thumbprint() != w.template.DeviceKey.Thumbprint() || p.Hidden() != 0 {
		t.Errorf("%+v", v)
	}
	if err := v.DeviceAuth(nil); !errors.Is(err, ErrNoDeviceAuth) {
		t.Errorf("an issued document proves its device: %v", err)
	}
	challenge, err := Challenge("n-1", "https://counter.example")
	must(t, err)
	shown, err := p.Present(w.device, challenge, Show{MDLNameSpace, []string{"age_over_18", "portrait"}})
	must(t, err)
	docs, err := ParseDeviceResponse(shown)
	must(t, err)
	v, err = docs[0].Verify(w.key(t))
	must(t, err)
	must(t, v.DeviceAuth(challenge))
	if len(v.Elements()) != 1 || len(v.Elements()[MDLNameSpace]) != 2 || docs[0].Hidden() != 12 {
		t.Errorf("shown %v, hidden %d", v.Elements(), docs[0].Hidden())
	}
	if dir := os.Getenv("HUFU_WRITE_MDOC"); dir != "" { // for a look with tools of others
		must(t, os.WriteFile(filepath.Join(dir, "issued.cbor"), issued, 0o600))
		must(t, os.WriteFile(filepath.Join(dir, "shown.cbor"), shown, 0o600))
		must(t, os.WriteFile(filepath.Join(dir, "transcript.cbor"), challenge, 0o600))
		must(t, os.WriteFile(filepath.Join(dir, "root.der"), w.root, 0o600))
	}
}
