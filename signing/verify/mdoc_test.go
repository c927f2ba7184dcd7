package verify

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/signing/cwt"
	"github.com/hufu-id/hufu/signing/mdoc"
	"github.com/hufu-id/hufu/signing/sdjwt"
	"github.com/hufu-id/hufu/signing/statuslist"
	"github.com/hufu-id/hufu/signing/verify/internal/report"
)

var oidDS = asn1.ObjectIdentifier{1, 0, 18013, 5, 1, 2}

// mdocWorld is the world with a root of mdocs and a document signer of the same issuing authority.
type mdocWorld struct {
	*world
	iaca, ds authority
}

func asIACA(country string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		c.Subject.Country = []string{country}
		c.MaxPathLenZero = true
	}
}

// asSigner makes a certificate a document signer's.
func asSigner(id, code string) func(*x509.Certificate) {
	return func(c *x509.Certificate) {
		asIssuer(id, code)(c)
		c.Subject.Country = []string{"CN"}
		c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{oidDS}
	}
}

func newMdocWorld(t testing.TB) *mdocWorld {
	t.Helper()
	w := &mdocWorld{world: newWorld(t)}
	w.iaca = certify(t, "IACA CN", nil, true, asIACA("CN"))
	w.ds = certify(t, "Document signer", &w.iaca, false, asSigner(issuerID, issuerCode))
	w.contents.Anchors = append(w.contents.Anchors, bundle.Anchor{Purpose: "iaca", DER: w.iaca.cert.Raw})
	w.contents.Issuers[0].Authorised[0].DocType = mdoc.MDL
	w.contents.CWTLists = map[string][]byte{listURI: w.listCWT(w.status, nil, nil)}
	delete(w.contents.StatusLists, listURI)
	return w
}

// edited returns a world that differs in the bundle only.
func (w *mdocWorld) edited(edit func(*bundle.Contents)) *mdocWorld {
	other := *w
	other.world = w.world.edited(func(c *bundle.Contents) {
		c.CWTLists = maps.Clone(c.CWTLists)
		c.Issuers[0].Authorised = slices.Clone(c.Issuers[0].Authorised)
		edit(c)
	})
	return &other
}

func (w *mdocWorld) listCWT(by authority, set []statuslist.Entry, edit func(*statuslist.Claims)) []byte {
	w.t.Helper()
	l, err := statuslist.Build(2, 1<<17, set)
	must(w.t, err)
	c := statuslist.Claims{URI: listURI, IssuedAt: now.Add(-42 * time.Minute), Expires: now.Add(35 * 24 * time.Hour), TTL: 5 * time.Minute, List: l}
	if edit != nil {
		edit(&c)
	}
	payload, err := statuslist.PayloadCWT(c)
	must(w.t, err)
	b, err := statuslist.SignCWT(by.signing(w.t), [][]byte{by.cert.Raw, w.statCA.cert.Raw}, payload)
	must(w.t, err)
	return b
}

func (w *mdocWorld) template() mdoc.Template {
	w.t.Helper()
	pub, err := w.holder.Public()
	must(w.t, err)
	return mdoc.Template{DocType: mdoc.MDL, DeviceKey: pub, Random: rand.Reader, Signed: now.Add(-24 * time.Hour), ValidFrom: now.Add(-24 * time.Hour),
		ValidUntil: now.Add(90 * 24 * time.Hour), Status: &mdoc.StatusRef{URI: listURI, Index: index},
		NameSpaces: []mdoc.NameSpace{{Name: mdoc.MDLNameSpace, Elements: []mdoc.Element{
			{ID: "family_name", Value: "LI"}, {ID: "birth_date", Value: mdoc.FullDate("1949-03-12")}, {ID: "issue_date", Value: mdoc.FullDate("2022-05-12")},
			{ID: "expiry_date", Value: mdoc.FullDate("2032-05-12")}, {ID: "issuing_country", Value: "CN"}, {ID: "issuing_authority", Value: "Traffic Police"},
			{ID: "portrait", Value: bytes.Repeat([]byte{0xff, 0xd8, 0xff, 0xe0}, 512)}, {ID: "height", Value: 165},
			{ID: "driving_privileges", Value: []any{map[string]any{"vehicle_category_code": "B"}}},
		}}, {Name: "org.iso.18013.5.1.CN", Elements: []mdoc.Element{{ID: "name", Value: "李秀英"}, {ID: "issuing_authority", Value: "公安局"}}}},
	}
}

func (w *mdocWorld) issue(by authority, chain [][]byte, edit func(*mdoc.Template)) []byte {
	w.t.Helper()
	tp := w.template()
	if edit != nil {
		edit(&tp)
	}
	laid, err := mdoc.Build(tp)
	must(w.t, err)
	b, err := mdoc.Issue(by.signing(w.t), chain, laid)
	must(w.t, err)
	return b
}

// show presents everything but the birth date, to the standing challenge.
func (w *mdocWorld) show(issued []byte) string {
	w.t.Helper()
	return w.showTo(issued, nonce, audience)
}

func (w *mdocWorld) showTo(issued []byte, nonce, audience string) string {
	w.t.Helper()
	p, err := mdoc.ParseIssuerSigned(issued)
	must(w.t, err)
	transcript, err := mdoc.Challenge(nonce, audience)
	must(w.t, err)
	all := p.ShowAll()
	for i := range all {
		all[i].Elements = slices.DeleteFunc(all[i].Elements, func(id string) bool { return id == "birth_date" })
	}
	b, err := p.Present(w.holder, transcript, all...)
	must(w.t, err)
	return base64.RawURLEncoding.EncodeToString(b)
}

func (w *mdocWorld) usual(edit func(*mdoc.Template)) string {
	return w.show(w.issue(w.ds, [][]byte{w.ds.cert.Raw}, edit))
}

// element changes one element of the mDL's namespace.
func element(id string, value any) func(*mdoc.Template) {
	return func(t *mdoc.Template) {
		for i, e := range t.NameSpaces[0].Elements {
			if e.ID == id {
				t.NameSpaces[0].Elements[i].Value = value
				return
			}
		}
		t.NameSpaces[0].Elements = append(t.NameSpaces[0].Elements, mdoc.Element{ID: id, Value: value})
	}
}

func TestMdocIsValid(t *testing.T) {
	w := newMdocWorld(t)
	text := w.usual(nil)
	raw, err := base64.RawURLEncoding.DecodeString(text)
	must(t, err)
	for name, p := range map[string]string{"base64url": text, "white space around it": "\n " + text + "\r\n", "as it is": string(raw)} {
		v := w.verify(p)
		expect(t, v, Valid, "ok")
		pub, err := w.holder.Public()
		must(t, err)
		var view struct {
			VCT, Verdict string
			DocType      string `json:"doc_type"`
			HolderKey    string `json:"holder_key"`
			Claims       map[string]map[string]any
			NotDisclosed []string          `json:"not_disclosed"`
			TypeName     map[string]string `json:"type_name"`
			Path         []Certificate     `json:"trust_path"`
			Status       report.Status
		}
		must(t, json.Unmarshal(v.JSON(), &view))
		if view.VCT != vct || view.DocType != mdoc.MDL || view.HolderKey != pub.Thumbprint() || view.TypeName["en"] != "Driving licence" || view.Status.Value != "valid" {
			t.Errorf("%s: %+v", name, view)
		}
		if view.Claims["org.iso.18013.5.1"]["expiry_date"] != "2032-05-12" || view.Claims["org.iso.18013.5.1.CN"]["name"] != "李秀英" {
			t.Errorf("%s: %v", name, view.Claims)
		}
		if !slices.Contains(view.NotDisclosed, "birth_date") || len(view.Path) != 2 || view.Path[0].Subject != "IACA CN" {
			t.Errorf("%s: %v %v", name, view.NotDisclosed, view.Path)
		}
		if picture, _ := view.Claims["org.iso.18013.5.1"]["portrait"].(string); !strings.HasPrefix(picture, "data:image/jpeg;base64,/9j/") {
			t.Errorf("portrait %.40s", picture)
		}
	}
	v := w.verify(text)
	for lang, want := range map[string][]string{
		"zh": {"有效  VALID  机动车驾驶证", "姓（拉丁字母）", "照片              [image/jpeg, 2 KB]", "姓名              李秀英", "没有出示：", "出生日期"},
		"en": {"VALID  Driving licence", "Portrait          [image/jpeg, 2 KB]", "Name              李秀英", "Not disclosed: ", "Date of birth"},
	} {
		for _, s := range want {
			if !strings.Contains(v.Text(lang), s) {
				t.Errorf("%s lacks %q:\n%s", lang, s, v.Text(lang))
			}
		}
	}
	if s := v.Sheet("en"); len(s.Shown) != 10 || s.Shown[0].Name != "portrait" || !strings.HasPrefix(s.Shown[0].Picture, "data:image/jpeg;base64,") || s.Shown[1].Picture != "" {
		t.Errorf("%+v", s.Shown)
	}
}

// Q16 and Q17: each check of an mdoc, with what makes it fail or unknown. Every case differs from the valid one in one thing.
func TestQ16MdocVerdicts(t *testing.T) {
	w := newMdocWorld(t)
	issue := func(edit func(*mdoc.Template)) []byte { return w.issue(w.ds, [][]byte{w.ds.cert.Raw}, edit) }
	signer := func(edit func(*x509.Certificate)) string {
		ds := certify(t, "Document signer", &w.iaca, false, func(c *x509.Certificate) { asSigner(issuerID, issuerCode)(c); edit(c) })
		return w.show(w.issue(ds, [][]byte{ds.cert.Raw}, nil))
	}
	otherRoot := certify(t, "IACA CN", nil, true, asIACA("CN"))
	stranger := certify(t, "Document signer", &otherRoot, false, asSigner(issuerID, issuerCode))
	good := w.usual(nil)
	tampered := bytes.Replace(unbase(t, good), []byte("2027-02-21"), []byte("2037-02-21"), 1)
	for name, c := range map[string]struct {
		presentation string
		outcome      Outcome
		reason       string
	}{
		"twin":                     {good, Valid, "ok"},
		"digest mismatch":          {rebase(bytes.Replace(unbase(t, good), []byte("LI"), []byte("LO"), 1)), Invalid, report.ReasonMalformed},
		"prolonged":                {rebase(tampered), Invalid, report.ReasonTampered},
		"no device authentication": {rebase(issue(nil)), CannotTell, report.ReasonNoProof},
		"another nonce":            {w.showTo(issue(nil), "other", audience), Invalid, report.ReasonOtherAnswer},
		"another audience":         {w.showTo(issue(nil), nonce, "https://thief.example"), Invalid, report.ReasonOtherAnswer},
		"untrusted x5chain":        {w.show(w.issue(stranger, [][]byte{stranger.cert.Raw}, nil)), Invalid, report.ReasonUntrusted},
		"its own root beside it":   {w.show(w.issue(stranger, [][]byte{stranger.cert.Raw, otherRoot.cert.Raw}, nil)), Invalid, report.ReasonUntrusted},
		"twin: root beside it":     {w.show(w.issue(w.ds, [][]byte{w.ds.cert.Raw, w.iaca.cert.Raw}, nil)), Valid, "ok"},
		"chain of somebody else":   {w.show(w.issue(stranger, [][]byte{w.ds.cert.Raw}, nil)), Invalid, report.ReasonTampered},
		"signer of SD-JWT VCs":     {w.show(w.issue(w.issuer, w.chain(), nil)), Invalid, report.ReasonUntrusted},
		"twin: new signer":         {signer(func(*x509.Certificate) {}), Valid, "ok"},
		"no extended key usage":    {signer(func(c *x509.Certificate) { c.UnknownExtKeyUsage = nil }), Invalid, report.ReasonUntrusted},
		"another key usage":        {signer(func(c *x509.Certificate) { c.UnknownExtKeyUsage[0] = asn1.ObjectIdentifier{1, 0, 18013, 5, 1, 3} }), Invalid, report.ReasonUntrusted},
		"two key usages":           {signer(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }), Invalid, report.ReasonUntrusted},
		"another country":          {signer(func(c *x509.Certificate) { c.Subject.Country = []string{"NL"} }), Invalid, report.ReasonUntrusted},
		"no country":               {signer(func(c *x509.Certificate) { c.Subject.Country = nil }), Invalid, report.ReasonUntrusted},
		"signed before its time":   {signer(func(c *x509.Certificate) { c.NotBefore = now.Add(-time.Hour) }), Invalid, report.ReasonUntrusted},
		"signer expired":           {signer(func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Hour) }), Invalid, report.ReasonUntrusted},
		"another organisation": {signer(func(c *x509.Certificate) {
			c.Subject.ExtraNames = []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{2, 5, 4, 97}, Value: "1199440000TRY0011H"}}
		}), Invalid, report.ReasonNotAuthorised},
		"no issuer in certificate":  {signer(func(c *x509.Certificate) { c.URIs = nil }), Invalid, report.ReasonUntrusted},
		"docType not authorised":    {w.usual(func(tp *mdoc.Template) { tp.DocType = "cn.hufu.food-permit.1" }), Invalid, report.ReasonNotAuthorised},
		"other issuing country":     {w.usual(element("issuing_country", "NL")), Invalid, report.ReasonNotAuthorised},
		"country not text":          {w.usual(element("issuing_country", 86)), Invalid, report.ReasonNotAuthorised},
		"MSO expired":               {w.usual(func(tp *mdoc.Template) { tp.ValidUntil = now }), Invalid, report.ReasonExpired},
		"twin: last second":         {w.usual(func(tp *mdoc.Template) { tp.ValidUntil = now.Add(time.Second) }), Valid, "ok"},
		"MSO not yet valid":         {w.usual(func(tp *mdoc.Template) { tp.ValidFrom = now.Add(time.Hour) }), Invalid, report.ReasonNotYet},
		"signed in the future":      {w.usual(func(tp *mdoc.Template) { tp.Signed, tp.ValidFrom = now.Add(time.Hour), now.Add(time.Hour) }), Invalid, report.ReasonNotYet},
		"licence's term over":       {w.usual(element("expiry_date", mdoc.FullDate("2026-11-22"))), Invalid, report.ReasonTermOver},
		"twin: last day":            {w.usual(element("expiry_date", mdoc.FullDate("2026-11-23"))), Valid, "ok"},
		"term over as tdate":        {w.usual(element("expiry_date", mdoc.TDate("2026-11-22T10:00:00Z"))), Invalid, report.ReasonTermOver},
		"licence's term not begun":  {w.usual(element("issue_date", mdoc.FullDate("2026-12-01"))), Invalid, report.ReasonNotYet},
		"element posing as a claim": {w.usual(element("exp", 1)), Valid, "ok"},
		"no status":                 {w.usual(func(tp *mdoc.Template) { tp.Status = nil }), CannotTell, report.ReasonNoStatus},
		"list that isn't there":     {w.usual(func(tp *mdoc.Template) { tp.Status.URI += "x" }), CannotTell, report.ReasonListMissing},
		"index out of range":        {w.usual(func(tp *mdoc.Template) { tp.Status.Index = 1 << 17 }), Invalid, report.ReasonIndex},
		"null":                      {"\xa0", Invalid, report.ReasonMalformed},
		"junk in base64url":         {rebase([]byte{0xa1, 0x01, 0x02}), Invalid, report.ReasonMalformed},
		"padding":                   {good + "=", Invalid, report.ReasonMalformed},
		"line break within":         {good[:40] + "\n" + good[40:], Invalid, report.ReasonMalformed},
	} {
		t.Run(name, func(t *testing.T) { expect(t, w.verify(c.presentation), c.outcome, c.reason) })
	}
	// A document signer may not sign what isn't an mdoc.
	vc := w.present(w.issueBy(w.ds, [][]byte{w.ds.cert.Raw}, nil))
	if v := w.verify(vc); v.Outcome() != Invalid {
		t.Errorf("an SD-JWT VC by a document signer: %s", v.Text("en"))
	}
}

func unbase(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.RawURLEncoding.DecodeString(s)
	must(t, err)
	return b
}

func rebase(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// The same document under bundles that differ in one thing.
func TestMdocBundles(t *testing.T) {
	w := newMdocWorld(t)
	p := w.usual(nil)
	pub, err := w.ds.signing(t).Public()
	must(t, err)
	province := certify(t, "IACA CN", nil, true, func(c *x509.Certificate) { asIACA("CN")(c); c.Subject.Province = []string{"Guangdong"} })
	here := certify(t, "Document signer", &province, false, func(c *x509.Certificate) {
		asSigner(issuerID, issuerCode)(c)
		c.Subject.Province = []string{"Guangdong"}
	})
	elsewhere := certify(t, "Document signer", &province, false, asSigner(issuerID, issuerCode))
	list := func(set ...statuslist.Entry) []byte { return w.listCWT(w.status, set, nil) }
	revoked, suspended := statuslist.Entry{Index: index, Value: statuslist.Invalid}, statuslist.Entry{Index: index, Value: statuslist.Suspended}
	forger := certify(t, "Status signer", &w.iaca, false, nil)
	for name, c := range map[string]struct {
		edit    func(*bundle.Contents)
		show    string
		outcome Outcome
		reason  string
	}{
		"twin":                 {func(*bundle.Contents) {}, p, Valid, "ok"},
		"no root of mdocs":     {func(c *bundle.Contents) { c.Anchors = c.Anchors[:3] }, p, CannotTell, report.ReasonUnknownIssuer},
		"root for another use": {func(c *bundle.Contents) { c.Anchors[3].Purpose = "credential" }, p, CannotTell, report.ReasonUnknownIssuer},
		"twin: province": {func(c *bundle.Contents) { c.Anchors[3].DER = province.cert.Raw },
			w.show(w.issue(here, [][]byte{here.cert.Raw}, nil)), Valid, "ok"},
		"twin: jurisdiction": {func(c *bundle.Contents) { c.Anchors[3].DER = province.cert.Raw },
			w.show(w.issue(here, [][]byte{here.cert.Raw}, element("issuing_jurisdiction", "Guangdong"))), Valid, "ok"},
		"another jurisdiction": {func(c *bundle.Contents) { c.Anchors[3].DER = province.cert.Raw },
			w.show(w.issue(here, [][]byte{here.cert.Raw}, element("issuing_jurisdiction", "Hainan"))), Invalid, report.ReasonNotAuthorised},
		"another province": {func(c *bundle.Contents) { c.Anchors[3].DER = province.cert.Raw },
			w.show(w.issue(elsewhere, [][]byte{elsewhere.cert.Raw}, nil)), Invalid, report.ReasonUntrusted},
		"issuer unknown":          {func(c *bundle.Contents) { c.Issuers = nil }, p, Invalid, report.ReasonNotAuthorised},
		"no document type":        {func(c *bundle.Contents) { c.Issuers[0].Authorised[0].DocType = "" }, p, Invalid, report.ReasonNotAuthorised},
		"authorised later":        {func(c *bundle.Contents) { c.Issuers[0].Authorised[0].From = now }, p, Invalid, report.ReasonNotAuthorised},
		"authorised until before": {func(c *bundle.Contents) { c.Issuers[0].Authorised[0].To = now.Add(-48 * time.Hour) }, p, Invalid, report.ReasonNotAuthorised},
		"key withdrawn": {func(c *bundle.Contents) {
			c.Issuers[0].Revoked = []bundle.RevokedKey{{Thumbprint: pub.Thumbprint(), CompromisedAt: now.Add(-48 * time.Hour)}}
		}, p, Invalid, report.ReasonKeyWithdrawn},
		"type unknown": {func(c *bundle.Contents) { c.Types = nil }, p, CannotTell, report.ReasonTypeUnknown},
		"revoked":      {func(c *bundle.Contents) { c.CWTLists[listURI] = list(revoked) }, p, Invalid, report.ReasonRevoked},
		"suspended":    {func(c *bundle.Contents) { c.CWTLists[listURI] = list(suspended) }, p, Invalid, report.ReasonSuspended},
		"somebody else's is": {func(c *bundle.Contents) {
			c.CWTLists[listURI] = list(statuslist.Entry{Index: index + 1, Value: statuslist.Invalid})
		}, p, Valid, "ok"},
		"no list":                   {func(c *bundle.Contents) { c.CWTLists = nil }, p, CannotTell, report.ReasonListMissing},
		"list by a document signer": {func(c *bundle.Contents) { c.CWTLists[listURI] = w.listCWT(w.ds, nil, nil) }, p, CannotTell, report.ReasonListUntrusted},
		"list by another chain":     {func(c *bundle.Contents) { c.CWTLists[listURI] = w.listCWT(forger, nil, nil) }, p, CannotTell, report.ReasonListUntrusted},
		"token of another list": {func(c *bundle.Contents) {
			c.CWTLists[listURI] = w.listCWT(w.status, nil, func(c *statuslist.Claims) { c.URI += "8" })
		}, p, CannotTell, report.ReasonListUntrusted},
		"list expired": {func(c *bundle.Contents) {
			c.CWTLists[listURI] = w.listCWT(w.status, nil, func(c *statuslist.Claims) { c.Expires = now.Add(-time.Minute) })
		}, p, CannotTell, report.ReasonListExpired},
		"list is junk":     {func(c *bundle.Contents) { c.CWTLists[listURI] = []byte{0xf6} }, p, CannotTell, report.ReasonListUntrusted},
		"bundle expired":   {func(c *bundle.Contents) { c.Expires = now }, p, CannotTell, report.ReasonStaleBundle},
		"JWT form alone":   {func(c *bundle.Contents) { c.StatusLists[listURI] = w.jwtList(0); c.CWTLists = nil }, p, Valid, "ok"},
		"JWT form revokes": {func(c *bundle.Contents) { c.StatusLists[listURI] = w.jwtList(time.Minute, revoked) }, p, Invalid, report.ReasonRevoked},
		"older JWT form says in force": {func(c *bundle.Contents) {
			c.StatusLists[listURI], c.CWTLists[listURI] = w.jwtList(-time.Minute), list(revoked)
		}, p, Invalid, report.ReasonRevoked},
		"newer junk in JWT form": {func(c *bundle.Contents) {
			c.StatusLists[listURI], c.CWTLists[listURI] = "a.b.c", list(revoked)
		}, p, Invalid, report.ReasonRevoked},
		"newer forged JWT form": {func(c *bundle.Contents) {
			c.StatusLists[listURI] = w.listToken(forger, [][]byte{forger.cert.Raw}, 2, nil, func(c *statuslist.Claims) { c.IssuedAt = now })
			c.CWTLists[listURI] = list(revoked)
		}, p, Invalid, report.ReasonRevoked},
	} {
		t.Run(name, func(t *testing.T) { expect(t, w.edited(c.edit).verify(c.show), c.outcome, c.reason) })
	}
	expect(t, Verify(p, nil, challenge, now, Policy{}), CannotTell, report.ReasonNoBundle)
}

// jwtList is the JWT form of the list, so much newer than the CWT form.
func (w *mdocWorld) jwtList(newer time.Duration, set ...statuslist.Entry) string {
	return w.listToken(w.status, [][]byte{w.status.cert.Raw, w.statCA.cert.Raw}, 2, set, func(c *statuslist.Claims) { c.IssuedAt = c.IssuedAt.Add(newer) })
}

func TestMdocChallenges(t *testing.T) {
	w := newMdocWorld(t)
	p := w.usual(nil)
	bare := rebase(w.issue(w.ds, [][]byte{w.ds.cert.Raw}, nil))
	for name, c := range map[string]struct {
		show      string
		challenge Challenge
		outcome   Outcome
		reason    string
		holder    string
	}{
		"twin":                    {p, challenge, Valid, "ok", "ok"},
		"used":                    {p, Challenge{Nonce: nonce, Audience: audience, Used: true}, Invalid, report.ReasonUsed, report.ReasonUsed},
		"no challenge":            {p, Challenge{}, CannotTell, report.ReasonNoChallenge, report.ReasonNoChallenge},
		"nonce alone":             {p, Challenge{Nonce: nonce}, CannotTell, report.ReasonNoChallenge, report.ReasonNoChallenge},
		"document alone":          {bare, Challenge{HolderAny: true}, Valid, "ok", report.ReasonNotAsked},
		"document alone, shown":   {p, Challenge{HolderAny: true}, Valid, "ok", report.ReasonNotAsked},
		"no proof":                {bare, challenge, CannotTell, report.ReasonNoProof, report.ReasonNoProof},
		"purposes ask for a time": {p, Challenge{Purposes: []string{audience}}, CannotTell, report.ReasonNoChallenge, report.ReasonNoChallenge},
	} {
		v := Verify(c.show, w.contents, c.challenge, now, Policy{})
		expect(t, v, c.outcome, c.reason)
		if got := v.Check(CheckHolder).Reason; got != c.holder {
			t.Errorf("%s: holder %s, want %s", name, got, c.holder)
		}
	}
	// Somebody else's key, over the right challenge.
	other := *w
	world := *w.world
	other.world = &world
	var err error
	other.holder, err = jose.GenerateKey(jose.ES256)
	must(t, err)
	thief := other.usual(nil)
	genuine, err := mdoc.ParseDeviceResponse(unbase(t, p))
	must(t, err)
	swapped := bytes.Replace(unbase(t, thief), thiefMSO(t, thief), genuine[0].MSO(), 1)
	if v := w.verify(rebase(swapped)); v.Outcome() == Valid {
		t.Error("a thief's answer under somebody's document")
	}
}

func thiefMSO(t testing.TB, s string) []byte {
	t.Helper()
	docs, err := mdoc.ParseDeviceResponse(unbase(t, s))
	must(t, err)
	return docs[0].MSO()
}

// Several documents in one response are no verdict, and no way around one.
func TestMdocSeveralDocuments(t *testing.T) {
	w := newMdocWorld(t)
	var r map[string]any
	must(t, cwt.Unmarshal(unbase(t, w.usual(nil)), &r))
	one, err := cwt.Marshal(r)
	must(t, err)
	expect(t, w.verify(rebase(one)), Valid, "ok")
	docs := r["documents"].([]any)
	r["documents"] = append(docs, docs[0])
	two, err := cwt.Marshal(r)
	must(t, err)
	v := w.verify(rebase(two))
	expect(t, v, CannotTell, report.ReasonSeveral)
	if len(v.Claims()) != 0 {
		t.Error("claims of several documents")
	}
}

// Q17: each check of an mdoc alone, forced to any other result than pass, ends "valid".
func TestQ17EachCheckOfAnMdocDecides(t *testing.T) {
	w := newMdocWorld(t)
	p := w.usual(nil)
	for _, name := range report.Order {
		for _, result := range []Result{Fail, Unknown, ""} {
			v := New(w.contents, Policy{})
			v.fault = func(c Check) Check {
				if c.Name == name {
					c.Result, c.Reason = result, "forced"
				}
				return c
			}
			if got := v.Verify(p, challenge, now); got.Outcome() == Valid || got.ExitCode() == 0 {
				t.Errorf("%s forced to %q: %s", name, result, got.Outcome())
			}
		}
	}
}

// With unchanged facts an older bundle never gives a better verdict, for mdocs too.
func TestMdocOlderBundleIsNeverBetter(t *testing.T) {
	w := newMdocWorld(t)
	for name, p := range map[string]string{"good": w.usual(nil), "expired": w.usual(func(tp *mdoc.Template) { tp.ValidUntil = now.Add(-time.Hour) })} {
		at := now
		newer := w.verify(p).Outcome()
		for _, age := range []time.Duration{time.Hour, 24 * time.Hour, 4 * 24 * time.Hour, 400 * 24 * time.Hour} {
			old := w.edited(func(c *bundle.Contents) { c.AsOf, c.Expires = c.AsOf.Add(-age), c.Expires.Add(-age) })
			if got := Verify(p, old.contents, challenge, at, Policy{}).Outcome(); got == Valid && newer != Valid {
				t.Errorf("%s: %s with a bundle %s older, %s now", name, got, age, newer)
			}
		}
	}
}

// The SD-JWT VC of the same licence goes on in the same bundle, and a list in CWT form alone serves it too.
func TestMdocBesideSDJWT(t *testing.T) {
	w := newMdocWorld(t)
	vc := w.present(w.world.issue(func(t *sdjwt.Template) {}))
	expect(t, w.verify(vc), Valid, "ok")
	expect(t, w.verify(w.usual(nil)), Valid, "ok")
}

func BenchmarkMdocWithCachedChain(b *testing.B) {
	w := newMdocWorld(b)
	v, p := New(w.contents, Policy{}), w.usual(nil)
	for b.Loop() {
		if v.Verify(p, challenge, now).Outcome() != Valid {
			b.Fatal("not valid")
		}
	}
}
