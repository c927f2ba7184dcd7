// Package trusttest is a small federation for tests of whoever verifies: authorities, an issuer, a status list, a holder, and the trust bundle over them. It
// signs with the production code and keys of its own, so a test may publish, revoke and forge at will.
package trusttest

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
	"github.com/hufu-id/hufu/signing/mdoc"
	"github.com/hufu-id/hufu/signing/sdjwt"
	"github.com/hufu-id/hufu/signing/statuslist"
)

// What the federation is called.
const (
	Code  = "1199440000TRY002X9"
	ID    = "https://hufu.example/i/" + Code
	VCT   = "https://hufu.example/types/driving-licence/1"
	List  = "https://hufu.example/status/7"
	Index = 4711 // of every licence
	// Type is the metadata of VCT.
	Type = `{"vct":"` + VCT + `","display":[{"locale":"zh-Hans","name":"机动车驾驶证"},{"locale":"en","name":"Driving licence"}],"claims":[` +
		`{"path":["name"],"sd":"always","display":[{"locale":"zh-Hans","label":"姓名"},{"locale":"en","label":"Name"}]},` +
		`{"path":["id_number"],"sd":"always","display":[{"locale":"zh-Hans","label":"身份证件号码"},{"locale":"en","label":"Identity document number"}]}]}`
)

// Certified is a key with its certificate.
type Certified struct {
	Cert *x509.Certificate
	Key  *ecdsa.PrivateKey
}

// Certify makes one, signed by another or by itself. Without edit it is an authority.
func Certify(t testing.TB, name string, by *Certified, edit func(*x509.Certificate)) Certified {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<60))
	must(t, err)
	c := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, BasicConstraintsValid: true,
		NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: time.Now().AddDate(1, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature}
	if edit == nil {
		c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign
	} else {
		edit(c)
	}
	parent, signer := c, crypto.Signer(key)
	if by != nil {
		parent, signer = by.Cert, by.Key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return Certified{cert, key}
}

// Named edits a certificate to be an organisation's; uri may be empty.
func Named(t testing.TB, code, uri string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		t.Helper()
		if uri != "" {
			u, err := url.Parse(uri)
			must(t, err)
			c.URIs = []*url.URL{u}
		}
		c.Subject.ExtraNames = []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{2, 5, 4, 97}, Value: code}}
	}
}

// OneKey is a role of the bundle with one key.
func OneKey(t testing.TB) bundle.RoleKeys {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return bundle.RoleKeys{Signers: []bundle.Signer{{Key: k}}}
}

// World is a federation as of a time. Its fields may be changed between two calls; it is for one goroutine.
type World struct {
	t testing.TB

	CredCA, StatusCA, Issuer, Status Certified
	// IACA is the root of mdocs, Signer the document signer of the same issuing authority.
	IACA, Signer Certified
	// In and Keys are what Publish builds from, Files what it built last.
	In    bundle.Input
	Keys  bundle.Keys
	Files bundle.Files
	// Holder is the key of every licence.
	Holder jose.SigningKey
}

// New makes a federation. Nothing is published yet.
func New(t testing.TB, at time.Time) *World {
	t.Helper()
	w := &World{t: t, CredCA: Certify(t, "C1", nil, nil), StatusCA: Certify(t, "S1", nil, nil)}
	w.Status = Certify(t, "Status", &w.StatusCA, func(*x509.Certificate) {})
	w.Issuer = Certify(t, "Traffic police", &w.CredCA, Named(t, Code, ID))
	w.IACA = Certify(t, "IACA", nil, func(c *x509.Certificate) {
		c.IsCA, c.MaxPathLenZero, c.KeyUsage, c.Subject.Country = true, true, x509.KeyUsageCertSign, []string{"CN"}
	})
	w.Signer = Certify(t, "Traffic police, mdocs", &w.IACA, func(c *x509.Certificate) {
		Named(t, Code, ID)(c)
		c.Subject.Country, c.UnknownExtKeyUsage = []string{"CN"}, []asn1.ObjectIdentifier{{1, 0, 18013, 5, 1, 2}}
	})
	w.In = bundle.Input{
		Anchors: []bundle.Anchor{{Purpose: "credential", DER: w.CredCA.Cert.Raw}, {Purpose: "status", DER: w.StatusCA.Cert.Raw}, {Purpose: "iaca", DER: w.IACA.Cert.Raw}},
		Issuers: []bundle.Issuer{{ID: ID, Code: Code, Name: map[string]string{"zh": "沙箱省公安厅交通管理局", "en": "Sandbox traffic police"},
			Authorised: []bundle.Authorisation{{VCT: VCT, DocType: mdoc.MDL, From: at.AddDate(-1, 0, 0)}}}},
		Types: map[string][]byte{VCT: []byte(Type)}, StatusLists: map[string]string{List: w.StatusList(at)},
	}
	w.Keys = bundle.Keys{Root: OneKey(t), Timestamp: OneKey(t), Snapshot: OneKey(t), Targets: OneKey(t), Status: OneKey(t), Issuers: map[string]bundle.RoleKeys{Code: OneKey(t)}}
	var err error
	w.Holder, err = jose.GenerateKey(jose.ES256)
	must(t, err)
	return w
}

// StatusList signs a list that is a minute old.
func (w *World) StatusList(at time.Time, set ...statuslist.Entry) string {
	w.t.Helper()
	l, err := statuslist.Build(2, 1<<14, set)
	must(w.t, err)
	payload, err := statuslist.Payload(statuslist.Claims{URI: List, IssuedAt: at.Add(-time.Minute), Expires: at.AddDate(0, 0, 35), TTL: 5 * time.Minute, List: l})
	must(w.t, err)
	k, err := jose.NewSigningKey(w.Status.Key, jose.ES256)
	must(w.t, err)
	token, err := statuslist.Sign(k, [][]byte{w.Status.Cert.Raw, w.StatusCA.Cert.Raw}, payload)
	must(w.t, err)
	return token
}

// Publish builds the next version of the bundle and returns its archive.
func (w *World) Publish(at time.Time) []byte {
	w.t.Helper()
	files, err := bundle.Build(w.Files, w.In, w.Keys, bundle.Options{At: at})
	must(w.t, err)
	w.Files = files
	b, err := bundle.Archive(files)
	must(w.t, err)
	return b
}

// Root is the first root of trust. There is none before the first Publish.
func (w *World) Root() []byte { return w.Files["1.root.json"] }

// Licence issues a licence to the holder; edit may change its claims.
func (w *World) Licence(at time.Time, edit func(claims map[string]any)) string {
	w.t.Helper()
	pub, err := w.Holder.Public()
	must(w.t, err)
	claims := map[string]any{"iss": ID, "vct": VCT, "iat": at.Add(-time.Hour).Unix(), "exp": at.AddDate(0, 0, 90).Unix(),
		"status": statuslist.Reference{URI: List, Index: Index}.Claim(), "name": "李秀英", "id_number": "99440119490312002X"}
	if edit != nil {
		edit(claims)
	}
	laid, err := sdjwt.Build(sdjwt.Template{Claims: claims, Selective: []sdjwt.Path{sdjwt.P("name"), sdjwt.P("id_number")}, Holder: &pub, Salts: rand.Reader})
	must(w.t, err)
	key, err := jose.NewSigningKey(w.Issuer.Key, jose.ES256)
	must(w.t, err)
	text, err := sdjwt.Issue(key, [][]byte{w.Issuer.Cert.Raw, w.CredCA.Cert.Raw}, laid)
	must(w.t, err)
	return text
}

// Mdoc issues the licence to the holder as an mDL of two elements; edit may change its template.
func (w *World) Mdoc(at time.Time, edit func(*mdoc.Template)) []byte {
	w.t.Helper()
	pub, err := w.Holder.Public()
	must(w.t, err)
	template := mdoc.Template{DocType: mdoc.MDL, DeviceKey: pub, Random: rand.Reader, Signed: at.Add(-time.Hour), ValidFrom: at.Add(-time.Hour), ValidUntil: at.AddDate(0, 0, 90),
		Status: &mdoc.StatusRef{URI: List, Index: Index}, NameSpaces: []mdoc.NameSpace{{Name: mdoc.MDLNameSpace, Elements: []mdoc.Element{
			{ID: "family_name", Value: "LI"}, {ID: "birth_date", Value: mdoc.FullDate("1949-03-12")}}}}}
	if edit != nil {
		edit(&template)
	}
	laid, err := mdoc.Build(template)
	must(w.t, err)
	key, err := jose.NewSigningKey(w.Signer.Key, jose.ES256)
	must(w.t, err)
	b, err := mdoc.Issue(key, [][]byte{w.Signer.Cert.Raw}, laid)
	must(w.t, err)
	return b
}

// ShowMdoc is what the holder's wallet answers with an mdoc: its family name and nothing else.
func (w *World) ShowMdoc(issued []byte, audience, nonce string) []byte {
	w.t.Helper()
	parsed, err := mdoc.ParseIssuerSigned(issued)
	must(w.t, err)
	transcript, err := mdoc.Challenge(nonce, audience)
	must(w.t, err)
	b, err := parsed.Present(w.Holder, transcript, mdoc.Show{NameSpace: mdoc.MDLNameSpace, Elements: []string{"family_name"}})
	must(w.t, err)
	return b
}

// WithoutNumber is a licence whose holder keeps the id number back.
func (w *World) WithoutNumber(licence string) string {
	w.t.Helper()
	parsed, err := sdjwt.Parse(licence)
	must(w.t, err)
	shown, err := parsed.Withhold(sdjwt.P("id_number"))
	must(w.t, err)
	return shown
}

// Bind is what the holder's wallet answers.
func (w *World) Bind(shown, audience, nonce string, at time.Time) string {
	w.t.Helper()
	text, err := sdjwt.BindKey(shown, w.Holder, audience, nonce, at)
	must(w.t, err)
	return text
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
