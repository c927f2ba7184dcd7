package node

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"testing"
	"time"

	"github.com/hufu-id/hufu/internal/jose"
	"github.com/hufu-id/hufu/keys"
	"github.com/hufu-id/hufu/signing/bundle"
	"github.com/hufu-id/hufu/signing/mdoc"
	"github.com/hufu-id/hufu/signing/verify"
	"github.com/hufu-id/hufu/wallet/status"
)

// The way of an mdoc through every room but the wallet's: our document signer's certificate, our status list in either form, our bundle, our verifier.
func TestAnMdocOfOursIsValidUnderOurBundle(t *testing.T) {
	n := open(t)
	const code, list = "1199440000TRY002X9", "driving-licence"
	now := time.Now()
	var ref status.Ref
	err := n.db.InTx(t.Context(), func(ctx context.Context) error {
		var err error
		ref, err = n.status.Allocate(ctx, "licence-1", "issuance-1", list, now.AddDate(0, 0, 90))
		return err
	})
	must(t, err)
	signer, err := n.keys.Signer(t.Context(), keys.DocumentSigner(code))
	must(t, err)
	device, err := jose.GenerateKey(jose.ES256)
	must(t, err)
	pub, err := device.Public()
	must(t, err)
	laid, err := mdoc.Build(mdoc.Template{DocType: mdoc.MDL, DeviceKey: pub, Random: rand.Reader, Signed: now, ValidFrom: now, ValidUntil: now.AddDate(0, 0, 90),
		Status: &mdoc.StatusRef{URI: ref.URI, Index: ref.Index}, NameSpaces: []mdoc.NameSpace{{Name: mdoc.MDLNameSpace, Elements: []mdoc.Element{
			{ID: "family_name", Value: "LI"}, {ID: "issuing_country", Value: "CN"}, {ID: "expiry_date", Value: mdoc.FullDate("9999-12-31")}}}}})
	must(t, err)
	issued, err := mdoc.Issue(signer.Key(), signer.Chain(), laid)
	must(t, err)
	parsed, err := mdoc.ParseIssuerSigned(issued)
	must(t, err)
	asked, err := mdoc.Challenge("n-1", "https://counter.example")
	must(t, err)
	shown, err := parsed.Present(device, asked, parsed.ShowAll()...)
	must(t, err)
	judge := func(edit func(*bundle.Contents)) verify.Verdict {
		must(t, n.Publish(t.Context()))
		root, err := n.TrustRoot(t.Context())
		must(t, err)
		c, err := bundle.Verify(root, get(t, n, "/bundle.zip").Body.Bytes(), time.Now())
		must(t, err)
		edit(c)
		return verify.Verify(base64.RawURLEncoding.EncodeToString(shown), c, verify.Challenge{Nonce: "n-1", Audience: "https://counter.example"}, time.Now(), verify.Policy{})
	}
	expect := func(name string, v verify.Verdict, outcome verify.Outcome, reason string) {
		t.Helper()
		if v.Outcome() != outcome || v.Reason() != reason {
			t.Errorf("%s: %s", name, v.Text("en"))
		}
	}
	cwtOnly, jwtOnly := func(c *bundle.Contents) { clear(c.StatusLists) }, func(c *bundle.Contents) { clear(c.CWTLists) }
	expect("as published", judge(func(*bundle.Contents) {}), verify.Valid, "ok")
	expect("by the CWT alone", judge(cwtOnly), verify.Valid, "ok")
	expect("by the JWT alone", judge(jwtOnly), verify.Valid, "ok")
	expect("without the root of mdocs", judge(func(c *bundle.Contents) {
		kept := c.Anchors[:0]
		for _, a := range c.Anchors {
			if a.Purpose != string(keys.KindIACA) {
				kept = append(kept, a)
			}
		}
		c.Anchors = kept
	}), verify.CannotTell, "issuer_unknown")
	must(t, n.db.InTx(t.Context(), func(ctx context.Context) error { return n.status.SetForLicence(ctx, "licence-1", 1) }))
	deadline := time.Now().Add(time.Minute)
	for judge(cwtOnly).Reason() == "ok" && time.Now().Before(deadline) {
		time.Sleep(50 * time.Millisecond)
	}
	expect("revoked, by the CWT", judge(cwtOnly), verify.Invalid, "revoked")
	expect("revoked, by the JWT", judge(jwtOnly), verify.Invalid, "revoked")
	if got := judge(func(*bundle.Contents) {}).Claims(); len(got) != 0 {
		t.Errorf("claims of a revoked document: %v", got)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
