package verify

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"math/big"
	"net/url"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/signing/sdjwt"
	"github.com/hufu-id/hufu/signing/statuslist"
)

// The world of these tests: a national root, intermediates for credentials and for status, one issuing authority, a type, a
// status list, a holder.

const (
	issuerID   = "https://hufu.example/i/1199440000TRY002X9"
	issuerCode = "1199440000TRY002X9"
	vct        = "https://hufu.example/types/driving-licence/1"
	listURI    = "https://hufu.example/status/7"
	nonce      = "k3vQ8m2Zr0Yx"
	audience   = "https://counter.example"
	index      = 4711
)

var now = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

const typeDocument = `{"vct":"` + vct + `","name":"Driving licence",
"display":[{"locale":"zh-Hans","name":"机动车驾驶证"},{"locale":"en","name":"Driving licence"}],
"claims":[
{"path":["name"],"sd":"always","mandatory":true,"display":[{"locale":"zh-Hans","label":"姓名"},{"locale":"en","label":"Name"}]},
{"path":["id_number"],"sd":"always","mandatory":true,"display":[{"locale":"zh-Hans","label":"身份证件号码"},{"locale":"en","label":"Identity document number"}]},
{"path":["licence_number"],"sd":"always","display":[{"locale":"en","label":"Licence number"}]},
{"path":["address"],"sd":"always"},
{"path":["address","street"],"sd":"allowed"},
{"path":["vehicle_classes"],"sd":"never","mandatory":true,"display":[{"locale":"zh-Hans","label":"准驾车型"}]},
{"path":["valid_to"],"sd":"never"}]}`

// authority is a certificate and its key.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func (a authority) signing(t testing.TB) jose.SigningKey {
	t.Helper()
	k, err := jose.NewSigningKey(a.key, jose.ES256)
	must(t, err)
	return k
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

var serial int64

// certify makes a certificate; edit may break it in one point.
func certify(t testing.TB, name string, by *authority, ca bool, edit func(*x509.Certificate)) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return certifyKey(t, name, by, ca, key, edit)
}

func certifyKey(t testing.TB, name string, by *authority, ca bool, key *ecdsa.PrivateKey, edit func(*x509.Certificate)) authority {
	t.Helper()
	serial++
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name},
		NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(1, 0, 0), BasicConstraintsValid: true, IsCA: ca,
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if ca {
		template.KeyUsage, template.NotAfter = x509.KeyUsageCertSign|x509.KeyUsageCRLSign, now.AddDate(5, 0, 0)
		template.NotBefore = now.AddDate(-5, 0, 0)
	}
	if edit != nil {
		edit(template)
	}
	parent, signer := template, crypto.Signer(key)
	if by != nil {
		parent, signer = by.cert, by.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	must(t, err)
	cert, err := x509.ParseCertificate(der)
	must(t, err)
	return authority{cert, key}
}

// asIssuer names the issuing authority in a certificate.
func asIssuer(id, code string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		u, err := url.Parse(id)
		if err != nil {
			panic(err)
		}
		c.URIs = []*url.URL{u}
		c.Subject.ExtraNames = []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{2, 5, 4, 97}, Value: code}}
	}
}

type world struct {
	t                    testing.TB
	root, credCA, statCA authority
	issuer, status       authority
	holder               jose.SigningKey
	contents             *bundle.Contents
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t}
	w.root = certify(t, "National root R1", nil, true, nil)
	w.credCA = certify(t, "Credential issuers C1", &w.root, true, func(c *x509.Certificate) { c.MaxPathLenZero = true })
	w.statCA = certify(t, "Status S1", &w.root, true, func(c *x509.Certificate) { c.MaxPathLenZero = true })
	w.issuer = certify(t, "Traffic police", &w.credCA, false, asIssuer(issuerID, issuerCode))
	w.status = certify(t, "Status signer", &w.statCA, false, nil)
	var err error
	w.holder, err = jose.GenerateKey(jose.ES256)
	must(t, err)
	sum := sha256.Sum256([]byte(typeDocument))
	w.contents = &bundle.Contents{
		Version: 12, AsOf: now.Add(-3 * time.Hour), Expires: now.Add(4 * 24 * time.Hour), Digest: "d1",
		Anchors: []bundle.Anchor{{Purpose: "root", DER: w.root.cert.Raw}, {Purpose: "credential", DER: w.credCA.cert.Raw},
			{Purpose: "status", DER: w.statCA.cert.Raw}},
		Issuers: []bundle.Issuer{{ID: issuerID, Code: issuerCode,
			Name:       map[string]string{"zh": "沙箱省公安厅交通管理局", "en": "Sandbox traffic police"},
			Authorised: []bundle.Authorisation{{VCT: vct, Region: "44", From: now.AddDate(-1, 0, 0)}}}},
		Types: map[string]bundle.TypeMetadata{vct: {Raw: []byte(typeDocument),
			Integrity: "sha256-" + base64.StdEncoding.EncodeToString(sum[:])}},
		StatusLists: map[string]string{},
	}
	w.publish(1)
	return w
}

// edited returns a world that differs in the bundle only; keys and certificates are shared.
func (w *world) edited(edit func(*bundle.Contents)) *world {
	c := *w.contents
	c.Anchors = append([]bundle.Anchor{}, c.Anchors...)
	c.Issuers = append([]bundle.Issuer{}, c.Issuers...)
	lists := map[string]string{}
	for k, v := range c.StatusLists {
		lists[k] = v
	}
	c.StatusLists = lists
	edit(&c)
	other := *w
	other.contents = &c
	return &other
}

// publish puts a status list of the given width and entries into the bundle.
func (w *world) publish(bits int, set ...statuslist.Entry) {
	w.contents.StatusLists[listURI] = w.listToken(w.status, [][]byte{w.status.cert.Raw, w.statCA.cert.Raw}, bits, set, nil)
}

func (w *world) listToken(by authority, x5c [][]byte, bits int, set []statuslist.Entry, edit func(*statuslist.Claims)) string {
	w.t.Helper()
	l, err := statuslist.Build(bits, 1<<17, set)
	must(w.t, err)
	c := statuslist.Claims{URI: listURI, IssuedAt: now.Add(-42 * time.Minute), Expires: now.Add(35 * 24 * time.Hour),
		TTL: 5 * time.Minute, List: l}
	if edit != nil {
		edit(&c)
	}
	payload, err := statuslist.Payload(c)
	must(w.t, err)
	token, err := statuslist.Sign(by.signing(w.t), x5c, payload)
	must(w.t, err)
	return token
}

// template is what the authority says of Li Xiuying.
func (w *world) template() sdjwt.Template {
	w.t.Helper()
	pub, err := w.holder.Public()
	must(w.t, err)
	sum := sha256.Sum256([]byte(typeDocument))
	return sdjwt.Template{
		Claims: map[string]any{
			"iss": issuerID, "vct": vct, "vct#integrity": "sha256-" + base64.StdEncoding.EncodeToString(sum[:]),
			"iat": now.Add(-24 * time.Hour).Unix(), "exp": now.Add(90 * 24 * time.Hour).Unix(),
			"status": statuslist.Reference{URI: listURI, Index: index}.Claim(),
			"name":   "李秀英", "id_number": "99440119490312002X", "licence_number": "99440119490312002X",
			"address":         map[string]any{"street": "体育东路 1 号", "city": "沙箱市"},
			"vehicle_classes": []any{"C1"}, "valid_to": "2032-05-12",
		},
		Selective: []sdjwt.Path{sdjwt.P("name"), sdjwt.P("id_number"), sdjwt.P("licence_number"), sdjwt.P("address"),
			sdjwt.P("address", "street")},
		Holder: &pub, Salts: rand.Reader,
	}
}

// issueBy signs a template, after an edit, with an authority's key and chain.
func (w *world) issueBy(by authority, x5c [][]byte, edit func(*sdjwt.Template)) string {
	w.t.Helper()
	template := w.template()
	if edit != nil {
		edit(&template)
	}
	laid, err := sdjwt.Build(template)
	must(w.t, err)
	text, err := sdjwt.Issue(by.signing(w.t), x5c, laid)
	must(w.t, err)
	return text
}

func (w *world) chain() [][]byte { return [][]byte{w.issuer.cert.Raw, w.credCA.cert.Raw} }

func (w *world) issue(edit func(*sdjwt.Template)) string { return w.issueBy(w.issuer, w.chain(), edit) }

// set changes claims before issuing; nil removes one.
func set(pairs ...any) func(*sdjwt.Template) {
	return func(t *sdjwt.Template) {
		for i := 0; i < len(pairs); i += 2 {
			name := pairs[i].(string)
			if pairs[i+1] == nil {
				delete(t.Claims, name)
				continue
			}
			t.Claims[name] = pairs[i+1]
		}
	}
}

// present shows everything but the id number, bound to the standing challenge.
func (w *world) present(credential string) string {
	w.t.Helper()
	p, err := sdjwt.Parse(credential)
	must(w.t, err)
	text, err := p.Withhold(sdjwt.P("id_number"))
	must(w.t, err)
	return w.bind(text, nonce, audience, now.Add(-10*time.Second))
}

func (w *world) bind(presentation, nonce, audience string, at time.Time) string {
	w.t.Helper()
	text, err := sdjwt.BindKey(presentation, w.holder, audience, nonce, at)
	must(w.t, err)
	return text
}

var challenge = Challenge{Nonce: nonce, Audience: audience}

func (w *world) verify(presentation string) Verdict {
	return Verify(presentation, w.contents, challenge, now, Policy{})
}

// expect compares outcome and deciding reason.
func expect(t testing.TB, v Verdict, outcome Outcome, reason string) {
	t.Helper()
	if v.Outcome() != outcome || v.Reason() != reason {
		t.Errorf("got %s (%s), want %s (%s)\n%s", v.Outcome(), v.Reason(), outcome, reason, v.Text("en"))
	}
}
