package hosted_test

import (
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/sqlstore"
	"github.com/hufu-id/hufu/internal/sqlstore/sqltest"
	"github.com/hufu-id/hufu/signing/mdoc"
	"github.com/hufu-id/hufu/signing/sdjwt"
)

func asking(extra ...string) string {
	q := url.Values{"asker": {"police"}, "audience": {"https://police.test/counter"}, "nonce": {"nonce-of-sixteen"}}
	for i := 0; i+1 < len(extra); i += 2 {
		q.Set(extra[i], extra[i+1])
	}
	return q.Encode()
}

// A copy holds both forms, each with a key of its own, and shows the one that is asked for.
func TestMdocCopyIsShownWhereItIsAsked(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sqlstore.DB) {
		w := newWorld(t, db)
		w.mdoc = true
		w.take("p1")
		if w.issued != 2 || len(w.keys) != 2 {
			t.Fatalf("%d credentials, %d keys", w.issued, len(w.keys))
		}
		usual := w.get("/wallet/licences/L.p1/show?"+asking(), "p1")
		if !strings.Contains(usual.body, `id="show-other-form" href="/wallet/licences/L.p1/show?`) || !strings.Contains(usual.body, "format=mso_mdoc") {
			t.Errorf("no way to the other form:\n%s", usual.body)
		}
		if unasked := w.get("/wallet/licences/L.p1/show", "p1"); strings.Contains(unasked.body, "show-other-form") {
			t.Error("unasked, an mdoc has no question to answer")
		}
		secret, text := w.shown("p1", asking("format", "mso_mdoc", "preset", "age"))
		b, err := base64.RawURLEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		docs, err := mdoc.ParseDeviceResponse(b)
		if err != nil {
			t.Fatal(err)
		}
		pub, err := w.issuer.Public()
		if err != nil {
			t.Fatal(err)
		}
		doc, err := docs[0].Verify(pub)
		if err != nil {
			t.Fatal(err)
		}
		asked, _ := mdoc.Challenge("nonce-of-sixteen", "https://police.test/counter")
		other, _ := mdoc.Challenge("nonce-of-sixteen", "https://thief.test/counter")
		if err := doc.DeviceAuth(asked); err != nil {
			t.Error(err)
		}
		if err := doc.DeviceAuth(other); !errors.Is(err, mdoc.ErrDeviceAuth) {
			t.Errorf("another audience: %v", err)
		}
		e := doc.Elements()
		if e[mdoc.MDLNameSpace]["birth_date"] != mdoc.FullDate("1958-03-12") || e[mdoc.MDLNameSpace]["issuing_country"] != "CN" || len(e["org.hufu"]) != 0 {
			t.Errorf("shown %v", e)
		}
		// The other form is bound to another key.
		_, vc := w.shown("p1", asking("preset", "age"))
		p, err := sdjwt.Parse(vc)
		if err != nil {
			t.Fatal(err)
		}
		v, err := p.Verify(pub)
		if err != nil {
			t.Fatal(err)
		}
		if holder, err := v.Holder(); err != nil || holder.Thumbprint() == doc.DeviceKey().Thumbprint() {
			t.Errorf("one key in both forms: %v", err)
		}
		a := w.do("GET", "/shown/"+secret, "", nil, "Accept", "application/dc+sd-jwt, application/cbor")
		if a.status != http.StatusOK || a.header.Get("Content-Type") != "application/cbor" || a.body != string(b) {
			t.Errorf("the counter gets %d %s", a.status, a.header.Get("Content-Type"))
		}
		if a := w.get("/shown/"+secret+"/file", ""); !strings.Contains(a.header.Get("Content-Disposition"), "driving-licence.mdoc") {
			t.Errorf("file: %v", a.header)
		}
		if a := w.post("/wallet/remove", "p1", "licence", "L.p1"); a.status != http.StatusSeeOther || len(w.gone) != 2 {
			t.Errorf("removed: %d, %d keys destroyed", a.status, len(w.gone))
		}
	})
}

// What a copy without an mdoc, and an asker who wants something else, get.
func TestMdocCopyThatIsNotThere(t *testing.T) {
	w := newWorld(t, sqltest.Open(t, sqltest.DSN(t, sqlstore.SQLite)))
	w.take("p1") // a type without such a form
	if a := w.get("/wallet/licences/L.p1/show?"+asking(), "p1"); a.status != http.StatusOK || strings.Contains(a.body, "show-other-form") {
		t.Errorf("twin: %d", a.status)
	}
	if a := w.get("/wallet/licences/L.p1/show?"+asking("format", "mso_mdoc"), "p1"); a.status != http.StatusNotFound {
		t.Errorf("no such form: %d", a.status)
	}
	if a := w.get("/wallet/licences/L.p1/show?"+asking("format", "jwt_vc_json"), "p1"); a.status != http.StatusBadRequest {
		t.Errorf("unknown format: %d", a.status)
	}
	if a := w.get("/wallet/licences/L.p1/show?format=mso_mdoc", "p1"); a.status != http.StatusBadRequest {
		t.Errorf("unasked: %d", a.status)
	}
	w.mdoc, w.noMdoc = true, true // a licence of an older version of its type
	w.take("p1")
	if a := w.get("/wallet/licences/L.p1/show?"+asking(), "p1"); a.status != http.StatusOK || strings.Contains(a.body, "show-other-form") {
		t.Errorf("the issuer makes none: %d", a.status)
	}
	w.noMdoc = false
	w.take("p1")
	if a := w.get("/wallet/licences/L.p1/show?"+asking("format", "mso_mdoc"), "p1"); a.status != http.StatusOK {
		t.Errorf("twin: %d", a.status)
	}
	w.later(13 * time.Hour) // the mdoc ends first, and the copy with it
	if a := w.get("/wallet/licences/L.p1/show?"+asking(), "p1"); strings.Contains(a.body, "show-confirm") {
		t.Error("shown after its end")
	}
}
